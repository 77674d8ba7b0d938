//! How long a real card takes; a virtual one answers at once.

use std::time::Duration;

/// How long a card takes over each step.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// Powering it.
    pub power: Duration,
    select: Duration,
    read: Duration,
    sign: Duration,
}

impl Pace {
    /// The card of figure P4 (quality, 1): 40 ms to power, then 20, 60 and 150 ms.
    pub const REAL: Self = Self {
        power: Duration::from_millis(40),
        select: Duration::from_millis(20),
        read: Duration::from_millis(60),
        sign: Duration::from_millis(150),
    };

    /// Before the answer to this command APDU, told by its instruction (ISO 7816-4): SELECT, READ BINARY, INTERNAL
    /// AUTHENTICATE.
    pub fn of(&self, command: &[u8]) -> Duration {
        match command.get(1) {
            Some(0xA4) => self.select,
            Some(0xB0) => self.read,
            Some(0x88) => self.sign,
            _ => Duration::ZERO,
        }
    }
}
