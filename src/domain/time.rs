//! Time as the machine is told it. Nothing here reads a clock.

use std::time::Duration;

use jiff::{Timestamp, civil::Date};

/// What is known about the clock at one moment; travels in each record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockState {
    /// The wall clock agrees with the newest trusted instant and the system says it is synchronised.
    pub trusted: bool,
    /// Wall clock minus the account's time at the last exchange, in milliseconds.
    pub offset_ms: i64,
    /// Id of this run of the machine: the monotonic clock counts within it.
    pub boot: String,
}

/// One moment, as every input carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// Since the machine started; never jumps. All waiting is measured by this.
    pub monotonic: Duration,
    /// Wall clock, UTC, cut to milliseconds.
    pub wall: Timestamp,
    /// The later of wall clock and the newest trusted instant ever persisted (protocol, 1): validity is judged by it.
    pub floor: Timestamp,
    /// The calendar day in Europe/Berlin.
    pub today: Date,
    /// Minutes since local midnight in Europe/Berlin, 0 to 1439.
    pub minute_of_day: u16,
    /// How far the wall clock can be believed.
    pub clock: ClockState,
}

impl At {
    /// Local minute of the day of an earlier instant, by today's offset from UTC.
    #[must_use]
    pub fn minute_of(&self, earlier: Timestamp) -> u16 {
        let ago = (self.wall.as_second().div_euclid(60)) - earlier.as_second().div_euclid(60);
        let minute = (i64::from(self.minute_of_day) - ago).rem_euclid(24 * 60);
        u16::try_from(minute).unwrap_or_default()
    }
}
