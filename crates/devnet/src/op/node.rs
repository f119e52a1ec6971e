//! A node of an OP Stack chain in memory: a clock that makes blocks, a pool, JSON-RPC on a port.
//!
//! There is no L1 behind it: what its blocks say of L1 is made up from the clock, and nothing is posted anywhere.

use super::{Attributes, OpBuildError, OpChain, OpGenesis, rpc};
use alloy_primitives::keccak256;
use axum::{Json, Router, extract::DefaultBodyLimit, extract::State, routing::post};
use hum_types::{BlockRef, ChainId};
use hum_verify::{ChainSpec, L1Info};
use op_alloy_consensus::OpTxEnvelope;
use serde_json::{Value, json};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// Seconds between the blocks of the L1 that is made up.
const L1_BLOCK_S: u64 = 12;
/// Transactions that wait at most.
const POOL_MAX: usize = 10_000;
/// Most requests in one batch, and bytes of a request's body.
const BATCH_MAX: usize = 1_000;
const BODY_BYTES_MAX: usize = 8 << 20;

/// Why a node does not start, or a block is not made.
#[derive(Debug, thiserror::Error)]
pub enum OpNodeError {
    /// The chain does not take it.
    #[error(transparent)]
    Build(#[from] OpBuildError),
    /// The port is not free.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The port that was wanted.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// The chain and what waits to be in it.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) chain: OpChain,
    pub(super) pool: Vec<OpTxEnvelope>,
    pub(super) config: Value,
}

impl Shared {
    /// Take a transaction in, or say why not.
    pub(super) fn submit(&mut self, transaction: OpTxEnvelope) -> Result<(), String> {
        if self.pool.len() == POOL_MAX {
            return Err(format!("{POOL_MAX} transactions wait already"));
        }
        self.pool.push(transaction);
        Ok(())
    }

    fn produce(&mut self) -> Result<BlockRef, OpBuildError> {
        let parent = self.chain.head()?.clone();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let least = parent.timestamp + u64::from(!self.chain.spec().allow_equal_timestamps());
        let timestamp = now.max(least);
        let before = self.chain.l1_info()?;
        let attributes = Attributes::after(&parent, timestamp, made_up(before, timestamp));
        let waiting = std::mem::take(&mut self.pool);
        let sealed = self.chain.make(&attributes, waiting.clone())?;
        let block = BlockRef { number: sealed.header.number, hash: sealed.hash };
        // What was not taken may be taken later: a nonce that is still to come, or a full block.
        let taken: Vec<_> = sealed.transactions.iter().map(OpTxEnvelope::tx_hash).collect();
        let left = waiting.into_iter().filter(|transaction| !taken.contains(&transaction.tx_hash()));
        let left: Vec<OpTxEnvelope> = left.collect();
        self.pool = left.into_iter().filter(|transaction| self.chain.may_come(transaction)).collect();
        Ok(block)
    }
}

/// What a block at `timestamp` says of an L1 that is not there: a block each 12 s, fees that do not move.
fn made_up(before: Option<L1Info>, timestamp: u64) -> L1Info {
    let number = timestamp / L1_BLOCK_S;
    let sequence_number = match before {
        Some(before) if before.number == number => before.sequence_number + 1,
        _ => 0,
    };
    L1Info {
        number,
        timestamp: number * L1_BLOCK_S,
        base_fee: alloy_primitives::U256::from(1_000_000_000_u64),
        blob_base_fee: alloy_primitives::U256::from(1),
        hash: keccak256(number.to_be_bytes()),
        sequence_number,
        base_fee_scalar: alloy_primitives::U256::from(1_000),
        blob_base_fee_scalar: alloy_primitives::U256::from(1_000),
        operator_fee_scalar: 100,
        operator_fee_constant: 1_000,
        da_footprint_gas_scalar: 400,
        ..L1Info::default()
    }
}

/// A node with its own clock, on 127.0.0.1. Dropping it stops it.
#[derive(Debug)]
pub struct OpNode {
    shared: Arc<Mutex<Shared>>,
    spec: ChainSpec,
    address: SocketAddr,
    producer: JoinHandle<()>,
    server: JoinHandle<()>,
}

impl OpNode {
    /// Make blocks each `block_time_ms`, and answer on `port`; 0 takes a free one. A `block_time_ms` of 0 makes none but
    /// those of [`Self::produce`]. Needs a tokio runtime with time and I/O.
    pub async fn start(genesis: &OpGenesis, block_time_ms: u64, port: u16) -> Result<Self, OpNodeError> {
        let chain = OpChain::new(genesis)?;
        let spec = chain.spec().clone();
        let shared = Arc::new(Mutex::new(Shared { chain, pool: Vec::new(), config: genesis.config() }));
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let failed = |source| OpNodeError::Bind { address: wanted, source };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let routes = Router::new()
            .route("/", post(answer))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(shared.clone());
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%address, %error, "JSON-RPC endpoint ended");
            }
        });
        let producer = tokio::spawn(make_blocks(shared.clone(), block_time_ms));
        Ok(Self { shared, spec, address, producer, server })
    }

    /// Its rules.
    #[must_use]
    pub const fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// The chain.
    #[must_use]
    pub const fn chain_id(&self) -> ChainId {
        self.spec.chain_id()
    }

    /// URL of its JSON-RPC endpoint.
    #[must_use]
    pub fn rpc_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Make a block now.
    pub fn produce(&self) -> Result<BlockRef, OpNodeError> {
        Ok(lock(&self.shared).produce()?)
    }
}

impl Drop for OpNode {
    fn drop(&mut self) {
        self.producer.abort();
        self.server.abort();
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn make_blocks(shared: Arc<Mutex<Shared>>, block_time_ms: u64) {
    if block_time_ms == 0 {
        return;
    }
    let mut clock = tokio::time::interval(Duration::from_millis(block_time_ms));
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        if let Err(error) = lock(&shared).produce() {
            tracing::error!(%error, "no block");
        }
    }
}

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, body: bytes::Bytes) -> Json<Value> {
    let one = |request: &Value| rpc::answer(&mut lock(&shared), request);
    Json(match serde_json::from_slice::<Value>(&body) {
        Err(error) => {
            json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32_700, "message": error.to_string() } })
        }
        Ok(Value::Array(batch)) if batch.len() <= BATCH_MAX => batch.iter().map(one).collect(),
        Ok(request) => one(&request),
    })
}
