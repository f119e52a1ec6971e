//! `hum rollup derive`.

use crate::output;
use eyre::WrapErr as _;
use hum_chain::{
    beacon::BeaconNode,
    rpc::{RpcChain, RpcLimits},
};
use hum_node::settlement::derive::{Derivation, Stretch};
use hum_types::{Address, B256, BlockRef, ChainId, Confidence, RegistrationId};
use serde::Serialize;
use std::{process::ExitCode, sync::Arc, time::Instant};

#[derive(Debug, clap::Args)]
pub(crate) struct DeriveArguments {
    /// JSON-RPC of an L1 node.
    #[arg(long, value_name = "URL")]
    l1_rpc: String,
    /// Beacon node of that L1, for batches in blobs.
    #[arg(long, value_name = "URL")]
    beacon: Option<String>,
    /// The batch inbox on L1.
    #[arg(long, value_name = "ADDRESS")]
    inbox: Address,
    /// The rollup's registration.
    #[arg(long, value_name = "HASH")]
    registration: B256,
    /// Which L1 head is read.
    #[arg(long, value_enum, default_value = "latest")]
    at: Tag,
    /// Also execute every block again, from this genesis file on: for rollups whose anchor is their genesis.
    #[cfg(feature = "devnet")]
    #[arg(long, value_name = "FILE")]
    genesis: Option<std::path::PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Tag {
    /// The newest block.
    Latest,
    /// The newest block that the L1 node calls safe.
    Safe,
    /// The newest block that the L1 node calls finalized.
    Finalized,
}

impl From<Tag> for Confidence {
    fn from(tag: Tag) -> Self {
        match tag {
            Tag::Latest => Self::Latest,
            Tag::Safe => Self::Safe,
            Tag::Finalized => Self::Finalized,
        }
    }
}

/// What was rebuilt. Nothing is printed when anything does not fit.
#[derive(Debug, Serialize)]
struct Answer {
    chain_id: ChainId,
    registration: RegistrationId,
    anchor_hash: B256,
    l1_block: BlockRef,
    batches: u64,
    blocks: u64,
    /// Bytes of the batches' data.
    data_bytes: u64,
    /// Bytes of the blocks.
    block_bytes: u64,
    first: Option<BlockRef>,
    last: Option<BlockRef>,
    /// Blocks that were executed again and came out the same; absent when none was to be.
    executed: Option<u64>,
    ms: u64,
}

pub(crate) async fn run(arguments: &DeriveArguments) -> eyre::Result<ExitCode> {
    let started = Instant::now();
    let chain_id = RpcChain::discover(&arguments.l1_rpc, RpcLimits::default())
        .await
        .wrap_err("the L1 node does not answer")?;
    let l1 = RpcChain::new(&arguments.l1_rpc, chain_id, RpcLimits::default()).wrap_err("the L1's URL")?;
    let registration = RegistrationId(arguments.registration);
    let mut derivation =
        Derivation::start(Arc::new(l1), arguments.inbox, registration, arguments.at.into()).await?;
    if let Some(url) = &arguments.beacon {
        let beacon = BeaconNode::new(url, RpcLimits::default()).wrap_err("the beacon node's URL")?;
        derivation = derivation.with_blobs(Arc::new(beacon));
    }
    let mut execution = Execution::start(arguments, &derivation).await?;
    let mut answer = Answer {
        chain_id: derivation.chain_id(),
        registration,
        anchor_hash: derivation.anchor(),
        l1_block: derivation.at(),
        batches: 0,
        blocks: 0,
        data_bytes: 0,
        block_bytes: 0,
        first: None,
        last: None,
        executed: None,
        ms: 0,
    };
    while let Some(stretch) = derivation.next().await? {
        answer.take(&stretch);
        execution.run(&stretch).await?;
    }
    answer.executed = execution.blocks();
    answer.ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    if arguments.json {
        output::json(&answer)?;
    } else {
        answer.print();
    }
    Ok(ExitCode::SUCCESS)
}

impl Answer {
    fn take(&mut self, stretch: &Stretch) {
        self.batches += 1;
        self.blocks += stretch.blocks.len() as u64;
        self.data_bytes += stretch.data_bytes as u64;
        self.block_bytes += stretch.blocks.iter().map(|block| block.rlp.len() as u64).sum::<u64>();
        self.first = self.first.or(stretch.blocks.first().map(|block| block.block));
        self.last = stretch.blocks.last().map(|block| block.block);
    }

    fn print(&self) {
        let Self { chain_id, registration, l1_block, batches, blocks, .. } = self;
        println!("chain {chain_id}, registration {registration}");
        println!("read at L1 block {}, {}", l1_block.number, l1_block.hash);
        let (Some(first), Some(last)) = (self.first, self.last) else {
            println!("no batch is posted");
            return;
        };
        println!("{blocks} blocks from {batches} batches, {} to {}", first.number, last.number);
        println!("the last is {}", last.hash);
        println!("{} bytes of blocks in {} bytes of data", self.block_bytes, self.data_bytes);
        println!("every block hangs on the one before, the first on the anchor {}", self.anchor_hash);
        match self.executed {
            Some(executed) => println!("{executed} blocks executed again: every hash is the same"),
            None => println!("not executed again: no genesis file was given"),
        }
    }
}

/// The blocks' execution, when it was asked for.
struct Execution {
    #[cfg(feature = "devnet")]
    replay: Option<hum_devnet::Replay>,
}

#[cfg(feature = "devnet")]
impl Execution {
    async fn start(arguments: &DeriveArguments, derivation: &Derivation) -> eyre::Result<Self> {
        let Some(path) = &arguments.genesis else { return Ok(Self { replay: None }) };
        let json =
            std::fs::read_to_string(path).wrap_err_with(|| format!("cannot read {}", path.display()))?;
        let replay = hum_devnet::Replay::start(&json)
            .await
            .wrap_err_with(|| format!("{} is no genesis that can be started from", path.display()))?;
        let (found, expected) = (replay.chain_id(), derivation.chain_id());
        if found != expected {
            eyre::bail!(
                "{} is the genesis of chain {found}, the registration is of chain {expected}",
                path.display()
            );
        }
        let (genesis, anchor) = (replay.head().hash, derivation.anchor());
        if genesis != anchor {
            eyre::bail!(
                "{} gives the genesis {genesis}, the rollup's anchor is {anchor}: what lies between is not on L1",
                path.display()
            );
        }
        Ok(Self { replay: Some(replay) })
    }

    async fn run(&mut self, stretch: &Stretch) -> eyre::Result<()> {
        let Some(replay) = &mut self.replay else { return Ok(()) };
        for block in &stretch.blocks {
            let executed = replay.execute(&block.rlp).await.wrap_err_with(|| {
                format!("block {} of batch {} does not execute", block.block.number, stretch.index)
            })?;
            if executed != block.block {
                return Err(eyre::eyre!(
                    "block {} comes out as {}, L1 has {}",
                    block.block.number,
                    executed.hash,
                    block.block.hash
                ));
            }
        }
        Ok(())
    }

    fn blocks(&self) -> Option<u64> {
        self.replay.as_ref().map(|replay| replay.head().number)
    }
}

#[cfg(not(feature = "devnet"))]
impl Execution {
    async fn start(_: &DeriveArguments, _: &Derivation) -> eyre::Result<Self> {
        Ok(Self {})
    }

    async fn run(&mut self, _: &Stretch) -> eyre::Result<()> {
        Ok(())
    }

    fn blocks(&self) -> Option<u64> {
        None
    }
}
