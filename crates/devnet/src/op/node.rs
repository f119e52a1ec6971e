//! A node of an OP Stack chain in memory: a clock that makes blocks, a pool, JSON-RPC on ports.
//!
//! Its blocks are built on an L1 that it follows ([`OpL1`]): each says what it knows of it, and carries the deposits of
//! the L1 blocks that it is the first to be built on. Without one, what its blocks say of L1 is made up from the clock.

use super::l1::{self, OpL1, Origins};
use super::{Attributes, OpBuildError, OpChain, OpGenesis, rpc};
use crate::chain::DevChainError;
use crate::endpoint::{self, Endpoint, Target};
use alloy::eips::eip2718::Encodable2718 as _;
use hum_types::{BlockRef, ChainId};
use hum_verify::ChainSpec;
use op_alloy_consensus::OpTxEnvelope;
use serde_json::Value;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior},
};

/// Transactions that wait at most.
const POOL_MAX: usize = 10_000;

/// Why a node does not start, or a block is not made.
#[derive(Debug, thiserror::Error)]
pub enum OpNodeError {
    /// The chain does not take it.
    #[error(transparent)]
    Build(#[from] OpBuildError),
    /// Nobody can ask it.
    #[error(transparent)]
    Endpoint(#[from] DevChainError),
}

/// How a node runs.
#[derive(Debug, Clone)]
pub struct OpNodeConfig {
    /// Name in logs.
    pub name: String,
    /// Time between blocks; 0 makes none but those of [`OpNode::produce`].
    pub block_time_ms: u64,
    /// Time from the start to the first block.
    pub phase_ms: u64,
    /// How many blocks the `safe` tag stays behind the head.
    pub safe_depth: u64,
    /// How many blocks the `finalized` tag stays behind the head.
    pub finalized_depth: u64,
    /// TCP port of the JSON-RPC endpoint on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Most bytes of a block's transactions, deposits apart; none bounds them by gas alone. One that is longer is refused.
    pub transactions_bytes_max: Option<usize>,
    /// Whether there is an L1: no block is made until [`OpNode::follow`] names it.
    pub has_l1: bool,
}

impl OpNodeConfig {
    /// Without an L1, on a free port, `safe` 2 and `finalized` 4 behind.
    pub fn new(name: impl Into<String>, block_time_ms: u64) -> Self {
        Self {
            name: name.into(),
            block_time_ms,
            phase_ms: 0,
            safe_depth: 2,
            finalized_depth: 4,
            port: 0,
            transactions_bytes_max: None,
            has_l1: false,
        }
    }
}

/// The chain and what waits to be in it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) chain: OpChain,
    pub(super) pool: Vec<OpTxEnvelope>,
    pub(super) rules: Value,
    pub(super) safe_depth: u64,
    pub(super) finalized_depth: u64,
    transactions_bytes_max: Option<usize>,
    origins: Origins,
}

impl Shared {
    /// Take a transaction in, or say why not.
    pub(super) fn submit(&mut self, transaction: OpTxEnvelope) -> Result<(), String> {
        if self.pool.len() == POOL_MAX {
            return Err(format!("{POOL_MAX} transactions wait already"));
        }
        let length = transaction.encode_2718_len();
        if let Some(most) = self.transactions_bytes_max.filter(|most| length > *most) {
            return Err(format!("the transaction has {length} bytes, a block takes {most}"));
        }
        self.pool.push(transaction);
        Ok(())
    }

    /// Make a block; none while nothing is known of the L1.
    fn produce(&mut self) -> Result<Option<BlockRef>, OpBuildError> {
        let parent = self.chain.head()?.clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let least = parent.timestamp + u64::from(!self.chain.spec().allow_equal_timestamps());
        let timestamp = now.max(least);
        let Some(origin) = self.origins.at(self.chain.l1_info()?, timestamp) else { return Ok(None) };
        let number = origin.info.number;
        let attributes = Attributes {
            deposits: origin.deposits,
            randao: origin.randao,
            beacon_root: origin.beacon_root,
            transactions_bytes_max: self.transactions_bytes_max,
            ..Attributes::after(&parent, timestamp, origin.info)
        };
        let waiting = std::mem::take(&mut self.pool);
        let sealed = self.chain.make(&attributes, waiting.clone())?;
        let block = BlockRef { number: sealed.header.number, hash: sealed.hash };
        // What was not taken may be taken later: a nonce that is still to come, or a full block.
        let taken: Vec<_> = sealed.transactions.iter().map(OpTxEnvelope::tx_hash).collect();
        let left = waiting.into_iter().filter(|transaction| !taken.contains(&transaction.tx_hash()));
        let left: Vec<OpTxEnvelope> = left.collect();
        self.pool = left.into_iter().filter(|transaction| self.chain.may_come(transaction)).collect();
        self.origins.built_on(number);
        Ok(Some(block))
    }
}

/// A chain that answers requests.
#[derive(Debug, Clone)]
pub(crate) struct Answers(Arc<Mutex<Shared>>);

impl Answers {
    pub(crate) fn answer(&self, request: &Value) -> Value {
        rpc::answer(&mut lock(&self.0), request)
    }
}

/// A node with its own clock, on 127.0.0.1. Dropping it stops it.
#[derive(Debug)]
pub struct OpNode {
    shared: Arc<Mutex<Shared>>,
    spec: ChainSpec,
    config: OpNodeConfig,
    endpoint: Endpoint,
    producer: JoinHandle<()>,
    follower: Mutex<Option<JoinHandle<()>>>,
}

impl From<&OpNode> for Target {
    fn from(node: &OpNode) -> Self {
        Self(endpoint::Answers::Op(Answers(node.shared.clone())))
    }
}

impl OpNode {
    /// Start one. Needs a tokio runtime with time and I/O.
    pub async fn start(genesis: &OpGenesis, config: OpNodeConfig) -> Result<Self, OpNodeError> {
        let chain = OpChain::new(genesis)?;
        let spec = chain.spec().clone();
        let shared = Arc::new(Mutex::new(Shared {
            chain,
            pool: Vec::new(),
            rules: genesis.config(),
            safe_depth: config.safe_depth,
            finalized_depth: config.finalized_depth,
            transactions_bytes_max: config.transactions_bytes_max,
            origins: if config.has_l1 { Origins::unread() } else { Origins::MadeUp },
        }));
        let target = Target(endpoint::Answers::Op(Answers(shared.clone())));
        let endpoint = Endpoint::open(target, config.port).await?;
        let producer = tokio::spawn(make_blocks(shared.clone(), config.clone()));
        Ok(Self { shared, spec, config, endpoint, producer, follower: Mutex::default() })
    }

    /// Build on this L1 from its present head on. A second call changes nothing.
    pub fn follow(&self, l1: OpL1) {
        let mut follower = self.follower.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = self.shared.clone();
        follower
            .get_or_insert_with(|| tokio::spawn(l1::follow(l1, move |put| put(&mut lock(&shared).origins))));
    }

    /// Its rules.
    #[must_use]
    pub const fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// The settings that it started with.
    #[must_use]
    pub const fn config(&self) -> &OpNodeConfig {
        &self.config
    }

    /// The chain.
    #[must_use]
    pub const fn chain_id(&self) -> ChainId {
        self.spec.chain_id()
    }

    /// URL of its JSON-RPC endpoint.
    #[must_use]
    pub fn rpc_url(&self) -> String {
        self.endpoint.url()
    }

    /// The newest block.
    #[must_use]
    pub fn head(&self) -> BlockRef {
        let shared = lock(&self.shared);
        let newest = shared.chain.blocks().last();
        newest.map(super::OpSealed::block_ref).unwrap_or_default()
    }

    /// The block of this number.
    #[must_use]
    pub fn block(&self, number: u64) -> Option<BlockRef> {
        let at = usize::try_from(number).ok()?;
        lock(&self.shared).chain.blocks().get(at).map(super::OpSealed::block_ref)
    }

    /// RLP of the header of the genesis block.
    #[must_use]
    pub fn genesis_header(&self) -> Vec<u8> {
        let shared = lock(&self.shared);
        shared.chain.blocks().first().map(|genesis| alloy_rlp::encode(&genesis.header)).unwrap_or_default()
    }

    /// Make a block now; none while nothing is known of its L1.
    pub fn produce(&self) -> Result<Option<BlockRef>, OpNodeError> {
        Ok(lock(&self.shared).produce()?)
    }

    /// Stop making blocks and listening.
    pub async fn shutdown(&self) {
        self.stop();
        self.endpoint.close().await;
    }

    fn stop(&self) {
        self.producer.abort();
        if let Some(follower) = &*self.follower.lock().unwrap_or_else(PoisonError::into_inner) {
            follower.abort();
        }
    }
}

impl Drop for OpNode {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn make_blocks(shared: Arc<Mutex<Shared>>, config: OpNodeConfig) {
    if config.block_time_ms == 0 {
        return;
    }
    let first = Instant::now() + Duration::from_millis(config.phase_ms);
    let mut clock = tokio::time::interval_at(first, Duration::from_millis(config.block_time_ms));
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        clock.tick().await;
        if let Err(error) = lock(&shared).produce() {
            tracing::error!(chain = config.name, %error, "no block");
        }
    }
}
