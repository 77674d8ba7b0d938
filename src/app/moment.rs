//! Makes the time stamp of an input from the clocks: zone, floor, trust.

use std::time::Duration;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::{
    domain::time::{At, ClockState},
    ports::Clock,
};

/// A wall clock this far behind the newest trusted instant is suspect; less is the jitter of two honest clocks.
const BEHIND: Duration = Duration::from_secs(120);
/// A wall clock this far from the account's time is suspect.
const APART_MS: u64 = 5 * 60 * 1000;
/// A jump of the wall clock against the monotonic one within a run that makes it suspect.
const JUMP: Duration = Duration::from_secs(60);

/// Reads the clocks and remembers what could be trusted.
pub struct Moments {
    zone: TimeZone,
    floor: Timestamp,
    /// Wall minus account time at the last exchange, ms.
    offset_ms: i64,
    /// The account told its time in this run.
    told: bool,
    /// Wall and monotonic clock when they were last known to agree.
    anchor: Option<(Timestamp, Duration)>,
}

impl Moments {
    /// Starts from the newest trusted instant the journal holds.
    #[must_use]
    pub fn new(floor: Timestamp) -> Self {
        let zone = TimeZone::get("Europe/Berlin").expect("the zone is compiled in");
        Self { zone, floor, offset_ms: 0, told: false, anchor: None }
    }

    /// The newest trusted instant.
    #[must_use]
    pub const fn floor(&self) -> Timestamp {
        self.floor
    }

    /// The account told its time. Answers with the new floor if it rose by more than a minute and is worth keeping.
    pub fn heard(&mut self, clock: &dyn Clock, server: Timestamp) -> Option<Timestamp> {
        let wall = clock.wall();
        self.offset_ms = wall.as_millisecond().saturating_sub(server.as_millisecond());
        self.told = true;
        self.anchor = Some((wall, clock.monotonic()));
        self.raise(server)
    }

    /// A record was made under a trusted clock: its instant counts too.
    pub fn raise(&mut self, instant: Timestamp) -> Option<Timestamp> {
        let step = instant.as_second() - self.floor.as_second();
        if step > 0 {
            self.floor = instant;
        }
        (step >= 60).then_some(self.floor)
    }

    /// The stamp for an input that happens now.
    pub fn at(&mut self, clock: &dyn Clock) -> At {
        let (wall, monotonic) = (clock.wall(), clock.monotonic());
        let (anchor_wall, anchor_monotonic) = *self.anchor.get_or_insert((wall, monotonic));
        let expected = anchor_wall.as_millisecond() + millis(monotonic.saturating_sub(anchor_monotonic));
        let jumped = expected.abs_diff(wall.as_millisecond()) > u64::try_from(JUMP.as_millis()).unwrap_or(u64::MAX);
        let behind = wall.as_second() + BEHIND.as_secs().cast_signed() < self.floor.as_second();
        let apart = self.told && self.offset_ms.unsigned_abs() > APART_MS;
        let trusted = !behind && !apart && !jumped && (self.told || clock.synchronised());
        let local = self.local(wall);
        At {
            monotonic,
            wall: Timestamp::from_millisecond(wall.as_millisecond()).unwrap_or(wall),
            floor: self.floor.max(wall),
            today: local.date(),
            minute_of_day: u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs()),
            clock: ClockState { trusted, offset_ms: self.offset_ms, boot: clock.boot() },
        }
    }

    /// Local time of an instant, for lists.
    #[must_use]
    pub fn local(&self, instant: Timestamp) -> DateTime {
        self.zone.to_datetime(instant)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Hands {
        wall: Cell<Timestamp>,
        monotonic: Cell<Duration>,
    }

    /// The port asks for Sync, hence the lock.
    struct TestClock(std::sync::Mutex<Hands>);

    impl TestClock {
        fn new(wall: &str) -> Self {
            let hands = Hands { wall: Cell::new(wall.parse().unwrap()), monotonic: Cell::new(Duration::from_secs(5)) };
            Self(std::sync::Mutex::new(hands))
        }

        fn pass(&self, seconds: u64) {
            let hands = self.0.lock().unwrap();
            hands.wall.set(hands.wall.get() + Duration::from_secs(seconds));
            hands.monotonic.set(hands.monotonic.get() + Duration::from_secs(seconds));
        }

        fn set(&self, wall: &str) {
            self.0.lock().unwrap().wall.set(wall.parse().unwrap());
        }
    }

    impl Clock for TestClock {
        fn wall(&self) -> Timestamp {
            self.0.lock().unwrap().wall.get()
        }
        fn monotonic(&self) -> Duration {
            self.0.lock().unwrap().monotonic.get()
        }
        fn boot(&self) -> String {
            "boot".to_owned()
        }
        fn synchronised(&self) -> bool {
            true
        }
    }

    #[test]
    fn the_service_day_is_berlins() {
        let mut moments = Moments::new(Timestamp::UNIX_EPOCH);
        for (utc, date, minute) in [
            ("2026-11-22T22:59:00Z", "2026-11-22", 23 * 60 + 59),
            ("2026-11-22T23:00:00Z", "2026-11-23", 0),
            ("2026-06-30T22:00:00Z", "2026-07-01", 0),
            ("2026-10-25T00:30:00Z", "2026-10-25", 150),
            ("2026-10-25T01:30:00Z", "2026-10-25", 150),
        ] {
            let at = moments.at(&TestClock::new(utc));
            assert_eq!((at.today.to_string(), at.minute_of_day), (date.to_owned(), minute), "{utc}");
        }
    }

    /// Fault 12.
    #[test]
    fn a_clock_that_jumps_is_suspect_and_validity_keeps_to_the_floor() {
        let clock = TestClock::new("2026-11-22T11:00:00Z");
        let mut moments = Moments::new("2026-11-22T10:00:00Z".parse().unwrap());
        assert!(moments.at(&clock).clock.trusted);
        clock.pass(600);
        assert!(moments.at(&clock).clock.trusted);
        for jump in ["1970-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "2026-11-22T10:10:00Z"] {
            clock.set(jump);
            assert!(!moments.at(&clock).clock.trusted, "{jump}");
        }
        clock.set("1970-01-01T00:00:00Z");
        assert_eq!(moments.at(&clock).floor, "2026-11-22T10:00:00Z".parse().unwrap());
    }

    /// Fault 12: summer time moves the clock on the wall and nothing else.
    #[test]
    fn summer_time_is_no_jump() {
        let leaps = [("2026-03-29T00:59:30Z", 119, 180), ("2026-10-25T00:59:30Z", 179, 120)];
        for (before, minute_before, minute_after) in leaps {
            let clock = TestClock::new(before);
            let mut moments = Moments::new(before.parse().unwrap());
            let first = moments.at(&clock);
            clock.pass(60);
            let second = moments.at(&clock);
            assert!(first.clock.trusted && second.clock.trusted, "{before}");
            assert_eq!((first.minute_of_day, second.minute_of_day), (minute_before, minute_after), "{before}");
            assert_eq!(first.today, second.today, "{before}");
            assert!(first.floor <= second.floor && first.monotonic < second.monotonic, "{before}");
        }
    }

    /// Fault 12.
    #[test]
    fn the_accounts_time_settles_it() {
        let clock = TestClock::new("2026-11-22T11:00:00Z");
        let mut moments = Moments::new("2026-11-22T10:00:00Z".parse().unwrap());
        assert!(moments.heard(&clock, "2026-11-22T11:20:00Z".parse().unwrap()).is_some());
        assert!(!moments.at(&clock).clock.trusted);
        clock.set("2026-11-22T11:20:01Z");
        assert!(
            moments.heard(&clock, "2026-11-22T11:20:01Z".parse().unwrap()).is_none(),
            "a second is not worth a write"
        );
        assert!(moments.at(&clock).clock.trusted);
    }
}
