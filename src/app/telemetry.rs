//! The log: one line an event, to standard error, where the service manager keeps it. Nothing personal enters it,
//! because the types that could lead to a child print masked.

use tracing_subscriber::{EnvFilter, fmt};

/// Starts the log. A second call in the same process is ignored, as tests do that.
pub fn start(level: &str) {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::WARN.into())
        .parse_lossy(format!("teilhabe_terminal={level}"));
    let _ = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).with_target(false).try_init();
}
