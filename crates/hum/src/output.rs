//! What people and programs read.

use serde::Serialize;

/// Logs go to stderr, so that stdout is only what was asked for. `RUST_LOG` chooses how much.
pub(crate) fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// The last words of a command that failed: what happened, then each cause on its own line.
pub(crate) fn error(error: &eyre::Report) {
    eprintln!("hum: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

/// One JSON object on one line.
pub(crate) fn json(value: &impl Serialize) -> eyre::Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}
