//! Commands and their options.

use crate::{
    block, certificate, checkpoint, doctor, message, operator, output::Logging, proxy, role, rollup, send,
    status, watch,
};
use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// A restaked interoperability network for rollups.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a whole local network: an L1, rollups, operators, publishers, a relayer. Ctrl-C stops it.
    #[cfg(feature = "devnet")]
    Up(crate::up::UpArguments),
    /// Play a scenario on a throw-away network; exit 0 when everything that it promises happened.
    #[cfg(feature = "devnet")]
    Demo(crate::demo::DemoArguments),
    /// Send a message from one rollup to another.
    Send(send::SendArguments),
    /// Where messages are.
    #[command(subcommand)]
    Message(message::MessageCommand),
    /// What the operators finalised.
    #[command(subcommand)]
    Checkpoint(checkpoint::CheckpointCommand),
    /// Certificates, and checking them offline.
    #[command(subcommand)]
    Certificate(certificate::CertificateCommand),
    /// What every process last did and what it waits for; fails without a quorum of operators.
    Status(status::StatusArguments),
    /// What is wrong with a role's directory, its machine, its L1 node and its registration; fails when something is.
    Doctor(doctor::DoctorArguments),
    /// Judge blocks.
    #[command(subcommand)]
    Block(Block),
    /// Take the figures of docs/benchmarks.md, in process.
    #[cfg(feature = "devnet")]
    #[command(subcommand)]
    Bench(crate::bench::BenchCommand),
    /// Run an operator (judge blocks, order checkpoints, attest), or get one in, look after it, and out.
    Operator(operator::OperatorArguments),
    /// What concerns one rollup.
    #[command(subcommand)]
    Rollup(rollup::RollupCommand),
    /// Run a rollup's own node: make its blocks, keep them, sign for them.
    #[cfg(feature = "devnet")]
    Sequencer(crate::sequencer::SequencerArguments),
    /// Run a rollup's publisher: sign claims, send blocks with witnesses to the operators.
    Publisher(role::RoleArguments),
    /// Run a relayer: deliver certified messages.
    Relayer(role::RoleArguments),
    /// Serve a rollup's JSON-RPC with `safe` and `finalized` as the certified heads.
    Proxy(proxy::ProxyArguments),
    /// Run a watcher (find signed lies, keep them, take them to L1), or see what it found.
    Watch(watch::WatchArguments),
}

#[derive(Debug, Subcommand)]
enum Block {
    /// Judge the block in FILE from its witness alone; exit 0 Valid, 1 Invalid, 2 Undecided.
    Verify {
        /// JSON with block, parent and witness, or the same with gzip.
        file: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

impl Cli {
    pub(crate) const fn logging(&self) -> Logging {
        match &self.command {
            Command::Operator(arguments) if !arguments.is_role() => Logging::Quiet,
            Command::Watch(arguments) if !arguments.is_role() => Logging::Quiet,
            #[cfg(feature = "devnet")]
            Command::Sequencer(_) => Logging::Role,
            Command::Operator(_)
            | Command::Publisher(_)
            | Command::Relayer(_)
            | Command::Proxy(_)
            | Command::Watch(_) => Logging::Role,
            _ => Logging::Quiet,
        }
    }

    pub(crate) fn run(self) -> eyre::Result<ExitCode> {
        match self.command {
            #[cfg(feature = "devnet")]
            Command::Up(arguments) => crate::up::run(&arguments),
            #[cfg(feature = "devnet")]
            Command::Demo(arguments) => crate::demo::run(&arguments),
            Command::Send(arguments) => send::run(&arguments),
            Command::Message(command) => message::run(&command),
            Command::Checkpoint(command) => checkpoint::run(&command),
            Command::Certificate(command) => certificate::run(&command),
            Command::Status(arguments) => status::run(&arguments),
            Command::Doctor(arguments) => doctor::run(&arguments),
            Command::Block(Block::Verify { file, json }) => block::verify(&file, json),
            #[cfg(feature = "devnet")]
            Command::Bench(command) => crate::bench::run(&command),
            Command::Operator(arguments) => arguments.run(),
            Command::Rollup(command) => rollup::run(&command),
            #[cfg(feature = "devnet")]
            Command::Sequencer(arguments) => crate::sequencer::run(&arguments),
            Command::Publisher(arguments) => role::publisher(&arguments),
            Command::Relayer(arguments) => role::relayer(&arguments),
            Command::Proxy(arguments) => proxy::run(&arguments),
            Command::Watch(arguments) => arguments.run(),
        }
    }
}
