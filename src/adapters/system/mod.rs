//! Clocks and chance of the machine: the only place that reads them. And what the process may leave for others to read.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use jiff::Timestamp;
use uuid::Builder;

use crate::ports::{Clock, Entropy};

/// Made by systemd's time synchronisation, and by `systemd-time-wait-sync` on behalf of any other time client
/// (systemd-timesyncd.service(8), "Files").
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";
/// Id of this run of the kernel, random (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// From here on every file this process makes is for its own user alone, SQLite's included, which know no mode of their
/// own (umask(2)).
pub fn own_files_only() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    boot: String,
    /// Where the kernel does not tell its uptime, time counts from the start of the program.
    started: Instant,
}

impl SystemClock {
    /// Reads the id of this run once. A system that has none gets a random one per start of the program, because its
    /// monotonic clock then counts from there.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    pub fn new(entropy: &dyn Entropy) -> Self {
        let boot = fs::read_to_string(BOOT_ID).ok().filter(|_| uptime().is_some());
        let boot = boot.map_or_else(|| random_id(entropy), |id| id.trim().to_owned());
        Self { boot, started: Instant::now() }
    }
}

fn random_id(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Counts on while the machine sleeps, unlike `Instant`: a tablet that wakes up must not look as if its wall clock had
/// jumped (`clock_gettime(2)`, `CLOCK_BOOTTIME`).
#[cfg(target_os = "linux")]
fn uptime() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

/// Other systems count from the start of the program.
#[cfg(not(target_os = "linux"))]
fn uptime() -> Option<Duration> {
    None
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    fn wall(&self) -> Timestamp {
        let now = Timestamp::now();
        // What is stored and signed has milliseconds; so has everything that is compared with it.
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    fn monotonic(&self) -> Duration {
        uptime().unwrap_or_else(|| self.started.elapsed())
    }

    fn boot(&self) -> String {
        self.boot.clone()
    }

    fn synchronised(&self) -> bool {
        Path::new(SYNCHRONISED).exists()
    }
}

/// The machine's generator of unpredictable bytes.
#[derive(Debug, Default)]
pub struct SystemEntropy(SystemRandom);

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.fill(buffer).expect("the generator is seeded by the kernel and does not fail after that");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_the_clock_and_differ() {
        let entropy = SystemEntropy::default();
        let clock = SystemClock::new(&entropy);
        let before = clock.wall();
        let (id, other) = (entropy.uuid_v7(clock.wall()), entropy.uuid_v7(clock.wall()));
        assert_ne!(id, other);
        assert_eq!(id.get_version_num(), 7);
        let millis = i64::try_from(id.as_u128() >> 80).unwrap();
        assert!((before.as_millisecond()..=clock.wall().as_millisecond()).contains(&millis));
    }

    #[test]
    fn the_monotonic_clock_never_goes_back_within_one_boot() {
        let clock = SystemClock::new(&SystemEntropy::default());
        let (first, boot) = (clock.monotonic(), clock.boot());
        assert!(clock.monotonic() >= first);
        assert_eq!(SystemClock::new(&SystemEntropy::default()).boot(), boot);
    }
}
