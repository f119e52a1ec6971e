//! What people and programs read.

use serde::Serialize;
use std::io::IsTerminal as _;

/// How much is logged unless `RUST_LOG` says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logging {
    /// What went wrong: for commands that a person waits for.
    Quiet,
    /// Also the few things that a role's log should tell: starts, first certificate, alarms, ends.
    Role,
}

impl Logging {
    const fn filter(self) -> &'static str {
        match self {
            // The embedded client warns of every block that it is given as built.
            Self::Quiet => "warn,ethrex_storage=error",
            Self::Role => "warn,hum=info,hum_node=info,hum_consensus=info,hum_chain=info",
        }
    }
}

/// Logs go to stderr, so that stdout is only what was asked for. `RUST_LOG` chooses how much.
pub(crate) fn log_to_stderr(logging: Logging) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(logging.filter()));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
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
