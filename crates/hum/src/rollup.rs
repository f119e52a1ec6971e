//! `hum rollup`: what concerns one rollup.

mod deploying;
mod derive;
mod governing;
mod home;
mod join;
#[cfg(feature = "devnet")]
mod launch;
mod leave;
mod members;
mod policy;
mod prepare;
mod registering;
mod retire;
mod roles;
mod scouting;
#[cfg(feature = "devnet")]
mod sequencing;
mod status;
mod underway;
mod waiting;

use crate::network::block_on;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum RollupCommand {
    /// Make an existing rollup a member: contracts, registration with bond, publisher and relayer; may be repeated.
    Join(Box<join::JoinArguments>),
    /// Make a new rollup that is a member from its first block: genesis, sequencer, registration; may be repeated.
    #[cfg(feature = "devnet")]
    Launch(Box<launch::LaunchArguments>),
    /// What a rollup that joined is in the network, and what is waited for.
    Status(status::StatusArguments),
    /// Close lanes: nobody can send along them any more; what was sent is delivered.
    Pause(policy::LanesArguments),
    /// Open lanes again.
    Resume(policy::LanesArguments),
    /// Close the lanes, wait until what is under way is executed, and leave; may be repeated.
    Leave(leave::LeaveArguments),
    /// Leave when everything is final, and have L1 keep the last block; the sequencer stops. May be repeated.
    Retire(retire::RetireArguments),
    /// Whom a rollup hears, at which confidence.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Rebuild a rollup's blocks from the batches on L1 alone, and check that they hang together.
    Derive(derive::DeriveArguments),
}

pub(crate) fn run(command: &RollupCommand) -> eyre::Result<ExitCode> {
    match command {
        RollupCommand::Join(arguments) => block_on(join::run(arguments)),
        #[cfg(feature = "devnet")]
        RollupCommand::Launch(arguments) => block_on(launch::run(arguments)),
        RollupCommand::Status(arguments) => block_on(status::run(arguments)),
        RollupCommand::Pause(arguments) => block_on(policy::lanes(arguments, true)),
        RollupCommand::Resume(arguments) => block_on(policy::lanes(arguments, false)),
        RollupCommand::Leave(arguments) => block_on(leave::run(arguments)),
        RollupCommand::Retire(arguments) => block_on(retire::run(arguments)),
        RollupCommand::Policy(command) => block_on(policy::run(command)),
        RollupCommand::Derive(arguments) => block_on(derive::run(arguments)),
    }
}
