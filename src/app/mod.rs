//! Level 4: threads, channels, order.

pub mod config;
pub mod limits;
pub mod telemetry;
