//! `hum sequencer`: a rollup's own node.

use crate::role::{Reported, RoleArguments};
use commonware_runtime::Supervisor as _;
use eyre::ensure;
use hum_devnet::sequencer::{EngineConfig, SequencerConfig, SequencerNode};
use hum_node::api;
use serde_json::json;
use std::{path::PathBuf, process::ExitCode, sync::Arc};

/// Threads of its runtime; execution has its own.
const THREADS: usize = 2;

#[derive(Debug, clap::Args)]
pub(crate) struct SequencerArguments {
    #[command(flatten)]
    role: RoleArguments,
    /// URL of the Engine API of an execution client that builds the blocks, in place of the embedded one.
    #[arg(long, value_name = "URL", requires = "jwt", requires = "rpc")]
    engine: Option<String>,
    /// File with the secret that the client shares: 32 bytes in hex.
    #[arg(long, value_name = "FILE", requires = "engine")]
    jwt: Option<PathBuf>,
    /// URL of the client's ordinary JSON-RPC.
    #[arg(long, value_name = "URL", requires = "engine")]
    rpc: Option<String>,
}

pub(crate) fn run(arguments: &SequencerArguments) -> eyre::Result<ExitCode> {
    let directory = arguments.role.hold()?;
    let mut config = SequencerConfig::load(&directory)?;
    if let (Some(url), Some(jwt), Some(rpc)) = (&arguments.engine, &arguments.jwt, &arguments.rpc) {
        config.engine = Some(EngineConfig::new(url.clone(), jwt.clone(), rpc.clone()));
    }
    ensure!(config.block_time_ms > 0, "block_time_ms in role.json is 0");
    arguments.role.run(THREADS, move |context| async move {
        let node = SequencerNode::start(&directory, &config).await?;
        let view = node.watch();
        tracing::info!(
            rollup = %config.name,
            chain_id = %view().chain_id,
            head = view().head.number,
            rpc = node.rpc_url(),
            desk = %node.desk(),
            api = %config.api,
            "sequencer starts"
        );
        let reports = Arc::new(Reported { status: move || json!(view()), context: context.child("api") });
        tokio::select! {
            () = node.run() => Ok(()),
            served = api::serve(config.api, reports) => Ok(served?),
        }
    })
}
