//! A clock that is set by hand.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::ports::Clock;

/// Stands still until somebody moves it.
#[derive(Debug)]
pub struct ManualClock(Mutex<Hands>);

#[derive(Debug, Clone)]
struct Hands {
    wall: Timestamp,
    monotonic: Duration,
    boot: u64,
    synchronised: bool,
}

impl ManualClock {
    /// Starts at this wall time, synchronised.
    #[must_use]
    pub fn new(wall: Timestamp) -> Self {
        Self(Mutex::new(Hands { wall, monotonic: Duration::ZERO, boot: 0, synchronised: true }))
    }

    /// Time passes, on the wall and below it.
    pub fn advance(&self, by: Duration) {
        self.change(|hands| {
            hands.monotonic += by;
            let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
            hands.wall = hands.wall.saturating_add(by).unwrap_or(Timestamp::MAX);
        });
    }

    /// Somebody sets the wall clock; no time passes.
    pub fn set_wall(&self, wall: Timestamp) {
        self.change(|hands| hands.wall = wall);
    }

    /// Whether the system says its clock is synchronised.
    pub fn set_synchronised(&self, synchronised: bool) {
        self.change(|hands| hands.synchronised = synchronised);
    }

    /// The machine restarts: another boot, monotonic time from zero.
    pub fn reboot(&self) {
        self.change(|hands| {
            hands.boot += 1;
            hands.monotonic = Duration::ZERO;
        });
    }

    fn change(&self, change: impl FnOnce(&mut Hands)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn hands(&self) -> Hands {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Timestamp {
        self.hands().wall
    }

    fn monotonic(&self) -> Duration {
        self.hands().monotonic
    }

    fn boot(&self) -> String {
        format!("simulated-{}", self.hands().boot)
    }

    fn synchronised(&self) -> bool {
        self.hands().synchronised
    }
}
