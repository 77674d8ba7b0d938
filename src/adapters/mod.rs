//! Level 3: one folder per outside thing.

#[cfg(target_os = "linux")]
pub mod evdev;
pub mod https;
#[cfg(feature = "pcsc")]
pub mod pcsc;
pub mod secrets;
pub mod sqlite;
pub mod system;
