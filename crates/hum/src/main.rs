//! The command line of Hum: every role, every question that a person may ask, and whole local networks.
//!
//! ```text
//! cli ─▶ one module a command ─▶ node, devnet, verify, …
//!                └─▶ output: words for people, JSON for programs
//! ```

mod amount;
#[cfg(feature = "devnet")]
mod bench;
mod block;
mod certificate;
mod checkpoint;
mod cli;
#[cfg(feature = "devnet")]
mod demo;
mod doctor;
mod message;
mod network;
mod operator;
mod output;
mod password;
mod plan;
mod proxy;
mod role;
mod rollup;
mod send;
#[cfg(feature = "devnet")]
mod sequencer;
mod status;
mod twin;
#[cfg(feature = "devnet")]
mod up;
mod watch;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    output::log_to_stderr(cli.logging());
    match cli.run() {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}
