//! `hum rollup`: what concerns one rollup.

mod derive;
mod home;
mod registering;
mod scouting;

use crate::network::block_on;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum RollupCommand {
    /// Rebuild a rollup's blocks from the batches on L1 alone, and check that they hang together.
    Derive(derive::DeriveArguments),
}

pub(crate) fn run(command: &RollupCommand) -> eyre::Result<ExitCode> {
    match command {
        RollupCommand::Derive(arguments) => block_on(derive::run(arguments)),
    }
}
