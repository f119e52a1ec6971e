//! One embedded chain: settings in, JSON-RPC out, and the controls that demos need.

mod beacon;
mod config;
mod convert;
mod core;
mod error;
mod receipts;
mod replay;
mod rpc;
mod sequenced;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes};
use ethrex_common::types::{AccountUpdate, Block, Transaction};
use ethrex_rlp::encode::RLPEncode;
use hum_types::BlockRef;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

pub(crate) use self::beacon::{Beacon, ROOT as BEACON_ROOT};
pub(crate) use self::config::CREATE2_DEPLOYER_CODE;
pub use self::config::{CREATE2_DEPLOYER, ChainConfig, POSTED_TRANSACTIONS_BYTES_MAX, Predeploy};
use self::core::{Core, block_ref};
pub use self::error::DevChainError;
pub use self::replay::Replay;
pub(crate) use self::rpc::answer;
pub(crate) use self::sequenced::EXECUTED_TOGETHER;
use crate::endpoint::{Answers, Target};
pub use crate::endpoint::{Endpoint, MAX_BATCH, MAX_BODY_BYTES};
use crate::lies::{self, Lie};

/// What becomes of the transactions in blocks that a reorganisation drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DroppedTransactions {
    /// Back to the pool, so that the new branch includes them again. Blob transactions are lost: their blobs are no longer held.
    Requeue,
    /// Forgotten.
    Discard,
}

/// What a reorganisation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reorg {
    /// The last block that both branches share.
    pub kept: BlockRef,
    /// The blocks dropped, oldest first.
    pub dropped: Vec<BlockRef>,
    /// The new head: an empty sibling of the oldest dropped block.
    pub head: BlockRef,
    /// Transactions put back in the pool.
    pub requeued: usize,
}

/// An in-memory execution client with its own block producer, inside this process.
///
/// Dropping it stops it; [`DevChain::shutdown`] also waits until it has stopped.
pub struct DevChain {
    core: Arc<Core>,
    endpoint: Endpoint,
    stop: CancellationToken,
    producer: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl DevChain {
    /// Boots a chain, opens its endpoint and starts to make blocks. Needs a tokio runtime with time and I/O.
    pub async fn start(config: ChainConfig) -> Result<Self, DevChainError> {
        let genesis = config.genesis();
        let core = Core::boot(config, genesis).await?;
        Self::serve(core).await
    }

    /// Starts a second chain with the same blocks up to number `at`, and its own from there; it shares nothing with this one and listens on
    /// `port` (0 takes a free one). Blocks of the two are never the same after `at`.
    pub async fn fork(&self, at: u64, port: u16) -> Result<Self, DevChainError> {
        let mut shared = Vec::new();
        for number in 1..=at {
            shared.push(self.core.block(number).await?);
        }
        let name = format!("{} (fork at {at})", self.core.config.name);
        let config = ChainConfig { name, port, paused: false, ..self.core.config.clone() };
        let core = Core::boot(config, self.core.genesis.clone()).await?;
        core.replay(shared).await?;
        core.beacon.copy(&self.core.beacon);
        core.open_branch();
        Self::serve(core).await
    }

    async fn serve(core: Arc<Core>) -> Result<Self, DevChainError> {
        let target = Target(Answers::Ethereum(Box::new(core.rpc_context()), core.beacon.clone()));
        let endpoint = Endpoint::open(target, core.config.port).await?;
        let stop = CancellationToken::new();
        let producer = tokio::spawn(make_blocks(core.clone(), stop.clone()));
        Ok(Self { core, endpoint, stop, producer: tokio::sync::Mutex::new(Some(producer)) })
    }

    /// The settings that it started with.
    pub fn config(&self) -> &ChainConfig {
        &self.core.config
    }

    /// Its JSON-RPC endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its rules, as `debug_chainConfig` states them.
    pub fn rules(&self) -> Result<serde_json::Value, DevChainError> {
        serde_json::to_value(self.core.genesis.config).map_err(|error| DevChainError::Config {
            name: self.core.config.name.clone(),
            field: "rules",
            problem: error.to_string(),
        })
    }

    /// Its genesis, as clients read it from a file.
    pub fn genesis(&self) -> Result<serde_json::Value, DevChainError> {
        serde_json::to_value(&self.core.genesis).map_err(|error| DevChainError::Config {
            name: self.core.config.name.clone(),
            field: "genesis",
            problem: error.to_string(),
        })
    }

    /// URL of its JSON-RPC endpoint.
    pub fn rpc_url(&self) -> String {
        self.endpoint.url()
    }

    /// URL of its beacon node, which serves the blobs of the newest blocks.
    pub fn beacon_url(&self) -> String {
        self.endpoint.url()
    }

    /// From now on its beacon node has every blob of so far with one byte changed.
    pub fn corrupt_blobs(&self) {
        self.core.beacon.corrupt();
    }

    /// From now on its beacon node has no blob of so far.
    pub fn forget_blobs(&self) {
        self.core.beacon.forget();
    }

    /// The newest block.
    pub fn head(&self) -> BlockRef {
        *self.core.heads.borrow()
    }

    /// Sees every new head; slow readers see only the newest.
    pub fn heads(&self) -> watch::Receiver<BlockRef> {
        self.core.heads.subscribe()
    }

    /// The canonical block of this number.
    pub fn block(&self, number: u64) -> Result<BlockRef, DevChainError> {
        Ok(block_ref(&self.core.header(number)?))
    }

    /// RLP of the canonical block of this number.
    pub async fn raw_block(&self, number: u64) -> Result<Bytes, DevChainError> {
        Ok(self.core.block(number).await?.encode_to_vec().into())
    }

    /// EIP-2718 encodings of the receipts of the canonical block of this number.
    pub async fn raw_receipts(&self, number: u64) -> Result<Vec<Bytes>, DevChainError> {
        let block = self.core.block(number).await?;
        let receipts = receipts::of_block(&self.core.store, &block).await?;
        Ok(receipts.iter().map(convert::receipt).collect())
    }

    /// Makes no more blocks on its own once this has returned; transactions gather in the pool.
    pub async fn pause(&self) {
        self.core.paused.store(true, Ordering::Relaxed);
        self.core.settle().await;
    }

    /// Makes blocks again.
    pub fn resume(&self) {
        self.core.paused.store(false, Ordering::Relaxed);
    }

    /// Makes one block now, paused or not.
    pub async fn produce_block(&self) -> Result<BlockRef, DevChainError> {
        self.core.produce().await
    }

    /// Makes one block of exactly these transactions (EIP-2718), dated a second after its parent; whether each succeeded.
    /// A transaction that cannot stand in a block fails the whole.
    pub async fn produce_block_with(
        &self,
        transactions: &[Bytes],
    ) -> Result<(BlockRef, Vec<bool>), DevChainError> {
        let read = |raw: &Bytes| {
            Transaction::decode_canonical(raw).map_err(|error| DevChainError::Transaction {
                name: self.core.config.name.clone(),
                problem: error.to_string(),
            })
        };
        self.core.produce_with(transactions.iter().map(read).collect::<Result<_, _>>()?).await
    }

    /// Makes `count` empty blocks at once, each dated a second after its parent.
    pub async fn mine(&self, count: u64) -> Result<(), DevChainError> {
        self.core.mine(count).await
    }

    /// Drops the newest `depth` blocks for a branch of its own, which starts with one empty block; the head's number falls by `depth - 1`.
    pub async fn reorg(&self, depth: u64, transactions: DroppedTransactions) -> Result<Reorg, DevChainError> {
        self.core.reorg(depth, transactions).await
    }

    /// The canonical block of this number, claiming that `slot` of `contract` holds `value` after it: its state root is what the state would
    /// have with only that slot changed.
    pub async fn forge_slot(
        &self,
        number: u64,
        contract: Address,
        slot: B256,
        value: B256,
    ) -> Result<Lie, DevChainError> {
        let block: Block = self.core.block(number).await?;
        let mut update = AccountUpdate::new(convert::address(contract));
        update.added_storage.insert(convert::hash(slot), convert::word(&value.0));
        let state = self.core.store.apply_account_updates_batch(block.hash(), &[update])?;
        let root = state.ok_or(DevChainError::MissingBlock { number })?.state_trie_hash;
        Ok(lies::wrong_state_root(&block.encode_to_vec(), convert::hash_out(root))?)
    }

    /// Stops the producer and the endpoint, and waits for both. The last handle that goes afterwards frees memory and threads.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        if let Some(producer) = self.producer.lock().await.take()
            && let Err(error) = producer.await
        {
            tracing::error!(chain = self.core.config.name, %error, "block producer did not end well");
        }
        self.endpoint.close().await;
    }
}

impl std::fmt::Debug for DevChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevChain")
            .field("name", &self.core.config.name)
            .field("head", &self.head())
            .finish_non_exhaustive()
    }
}

impl Drop for DevChain {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Makes a block at every tick. A tick missed under load is skipped, never made up for in a burst.
async fn make_blocks(core: Arc<Core>, stop: CancellationToken) {
    let first = Instant::now() + Duration::from_millis(core.config.phase_ms);
    let mut ticks = tokio::time::interval_at(first, Duration::from_millis(core.config.block_time_ms));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match core.produce_unless_paused().await {
            Ok(Some(block)) => tracing::trace!(chain = core.config.name, number = block.number, "block"),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(chain = core.config.name, %error, "no block; trying again at the next tick")
            }
        }
    }
}
