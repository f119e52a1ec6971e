//! `hum operator`: the role, and an operator's way in and out.
//!
//! ```text
//! init ─▶ keys new ─▶ register ─▶ (run) ─▶ status ─▶ exit
//!                        │                              │
//!                        └── OperatorView ─▶ plan ─▶ steps, sent one by one, each read back before the next
//! ```
//!
//! Every command may be repeated at any point: what is done is seen on L1 and not done again.

mod exit;
mod init;
mod keys;
mod proceed;
mod register;
mod seat;
pub(crate) mod site;
mod status;
#[cfg(all(test, feature = "devnet"))]
mod tests;

use crate::role::{self, RoleArguments};
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct OperatorArguments {
    #[command(subcommand)]
    command: Option<OperatorCommand>,
    #[command(flatten)]
    role: Option<RoleArguments>,
}

#[derive(Debug, Subcommand)]
enum OperatorCommand {
    /// Make a directory with a role file for a new operator.
    Init(init::InitArguments),
    /// Secrets of a role's directory.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Do on L1 whatever is missing for a seat, in order; may be repeated.
    Register(register::RegisterArguments),
    /// What L1 and the operator's own process say of it.
    Status(status::StatusArguments),
    /// Give the seat up, take the stake back, then the bond; says what has to be waited for.
    Exit(exit::ExitArguments),
}

impl OperatorArguments {
    /// Whether the role itself runs.
    pub(crate) const fn is_role(&self) -> bool {
        self.command.is_none()
    }

    pub(crate) fn run(&self) -> eyre::Result<ExitCode> {
        match (&self.command, &self.role) {
            (Some(OperatorCommand::Init(arguments)), _) => init::run(arguments),
            (Some(OperatorCommand::Keys(command)), _) => keys::run(command),
            (Some(OperatorCommand::Register(arguments)), _) => register::run(arguments),
            (Some(OperatorCommand::Status(arguments)), _) => status::run(arguments),
            (Some(OperatorCommand::Exit(arguments)), _) => exit::run(arguments),
            (None, Some(role)) => role::operator(role),
            (None, None) => Err(eyre::eyre!("--dir is missing: the role's directory")),
        }
    }
}
