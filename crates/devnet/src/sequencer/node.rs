//! The process: a client, its log, the desk, and the clock.

use super::{
    Engine, EngineError, EngineSettings, Sequencer, SequencerConfig, SequencerError, client::Client,
    clock::Clock, desk, engine::read_jwt,
};
use crate::{ChainConfig, DevChain, DevChainError, Endpoint, POSTED_TRANSACTIONS_BYTES_MAX};
use hum_chain::{
    LocalKey, ReadError,
    rpc::{RpcChain, RpcLimits},
    sequencer::SequencerDesk,
};
use hum_node::config::{DirectoryError, KeyName, RoleDirectory};
use hum_types::{B256, BlockRef, ChainId, SequencerKey};
use serde::Serialize;
use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::task::JoinHandle;

/// The log's name in the role's data.
const LOG: &str = "blocks.log";

/// Blocks that are made above the last one that was claimed. Execution clients keep the state of about 128 blocks, and with it what
/// witnesses are made from: a block that is claimed too late could never be shown to anybody.
const UNCLAIMED_MAX: u64 = 96;

/// Why a sequencer does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The role's directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A file that it names.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A secret that is none.
    #[error("{path} does not hold {what}")]
    Secret {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The embedded chain.
    #[error(transparent)]
    Chain(#[from] DevChainError),
    /// The execution client.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Its JSON-RPC.
    #[error("the execution client's JSON-RPC: {0}")]
    Rpc(#[from] ReadError),
    /// The clock is too fast for a client that dates blocks in whole seconds.
    #[error("blocks every {block_time_ms} ms: through the Engine API they are at least 1,000 apart")]
    TooFast {
        /// What was asked for.
        block_time_ms: u64,
    },
    /// A client of another chain.
    #[error(
        "the execution client starts from genesis {found}, the rollup from {expected}: start it from {path}"
    )]
    Genesis {
        /// The client's.
        found: B256,
        /// The rollup's.
        expected: B256,
        /// The genesis file.
        path: PathBuf,
    },
    /// The execution client, asked for its genesis.
    #[error(transparent)]
    Client(#[from] super::ClientError),
    /// The blocks that it made before.
    #[error(transparent)]
    Sequencer(#[from] SequencerError),
    /// The desk's port.
    #[error("no desk on {listen}: {source}")]
    Desk {
        /// Where it was to listen.
        listen: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// What a sequencer says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeStatus {
    /// The rollup.
    pub name: String,
    /// Its chain.
    pub chain_id: ChainId,
    /// Who executes.
    pub client: String,
    /// The last block that it made.
    pub head: BlockRef,
    /// Blocks since the start.
    pub made: u64,
    /// Blocks of the log that were executed again at the start.
    pub replayed: u64,
    /// The highest block that its publisher has had it claim; the head at the start until then.
    pub claimed: u64,
    /// Why there is no next block; absent when there is.
    pub waits_for: Option<String>,
}

/// A running sequencer.
#[derive(Debug)]
pub struct SequencerNode {
    sequencer: Sequencer,
    clock: Clock,
    status: Arc<Mutex<NodeStatus>>,
    claimed: Arc<AtomicU64>,
    desk: (SocketAddr, JoinHandle<()>),
    rpc_url: String,
    /// The embedded client, with the endpoint that everyone uses.
    embedded: Option<(Arc<DevChain>, Endpoint)>,
}

impl SequencerNode {
    /// Start from a role's directory. When this returns, the chain is where it was before, and serves.
    pub async fn start(directory: &RoleDirectory, config: &SequencerConfig) -> Result<Self, NodeError> {
        let file = |path: &PathBuf| {
            std::fs::read_to_string(path).map_err(|source| NodeError::File { path: path.clone(), source })
        };
        let path = directory.key_path(KeyName::Sequencer, hum_node::config::KeyForm::Plain);
        let key = SequencerKey::from_secret(directory.read_key(KeyName::Sequencer)?)
            .ok_or(NodeError::Secret { path, what: "a secp256k1 key" })?;
        let token = directory.read_key(KeyName::Desk)?;
        let (client, chain_id, desk_url, embedded): (Arc<dyn Client>, _, _, _) = match &config.engine {
            None => {
                let settings = ChainConfig {
                    block_time_ms: config.block_time_ms,
                    safe_depth: config.safe_depth,
                    finalized_depth: config.finalized_depth,
                    transactions_bytes_max: Some(POSTED_TRANSACTIONS_BYTES_MAX),
                    ..ChainConfig::new(&config.name, ChainId(1))
                };
                let chain = Arc::new(DevChain::start_from(settings, &file(&config.genesis)?).await?);
                let (chain_id, url) = (chain.config().chain_id, chain.rpc_url());
                (chain.clone(), chain_id, url, Some(chain))
            }
            Some(engine) => {
                let block_time_ms = config.block_time_ms;
                if block_time_ms < 1_000 {
                    return Err(NodeError::TooFast { block_time_ms });
                }
                let jwt = read_jwt(&file(&engine.jwt)?);
                let path = engine.jwt.clone();
                let settings = EngineSettings {
                    url: engine.url.clone(),
                    jwt: jwt.ok_or(NodeError::Secret { path, what: "32 bytes in hex" })?,
                    fee_recipient: engine.fee_recipient,
                    build_ms: engine.build_ms,
                    safe_depth: config.safe_depth,
                    finalized_depth: config.finalized_depth,
                };
                let chain_id = RpcChain::discover(&engine.rpc, RpcLimits::default()).await?;
                (Arc::new(Engine::new(settings)?), chain_id, engine.rpc.clone(), None)
            }
        };
        let (found, expected) = (client.place().await?.genesis, config.genesis_hash);
        if found != expected {
            return Err(NodeError::Genesis { found, expected, path: config.genesis.clone() });
        }
        let log = directory.data().join(LOG);
        let (sequencer, restored) = Sequencer::open(client.clone(), &log).await?;
        if restored.torn > 0 {
            tracing::warn!(bytes = restored.torn, "a block that was not finished was cut off the log");
        }
        tracing::info!(
            head = restored.head.number,
            executed = restored.executed,
            "the chain is where it was"
        );
        let reader = RpcChain::new(&desk_url, chain_id, RpcLimits::default())?;
        let key = LocalKey::new(key, config.domain);
        let desk = SequencerDesk::new(key, Arc::new(reader), config.registration);
        let claimed = Arc::new(AtomicU64::new(restored.head.number));
        let desk = desk::serve(desk, token.to_vec(), config.desk, claimed.clone())
            .await
            .map_err(|source| NodeError::Desk { listen: config.desk, source })?;
        // Served only now: who asks earlier would see a chain on its way.
        let embedded = match embedded {
            Some(chain) => {
                let endpoint = Endpoint::listen(chain.as_ref(), config.rpc).await?;
                Some((chain, endpoint))
            }
            None => None,
        };
        let status = NodeStatus {
            name: config.name.clone(),
            chain_id,
            client: config.engine.as_ref().map_or_else(|| "embedded".to_owned(), |engine| engine.url.clone()),
            head: restored.head,
            made: 0,
            replayed: restored.executed,
            claimed: restored.head.number,
            waits_for: None,
        };
        let rpc_url = embedded.as_ref().map_or(desk_url, |(_, endpoint)| endpoint.url());
        let clock = Clock::new(config.block_time_ms);
        let status = Arc::new(Mutex::new(status));
        Ok(Self { sequencer, clock, status, claimed, desk, rpc_url, embedded })
    }

    /// What it says of itself, from then on.
    pub fn watch(&self) -> impl Fn() -> NodeStatus + Send + Sync + 'static + use<> {
        let (status, claimed) = (self.status.clone(), self.claimed.clone());
        move || {
            let status = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
            NodeStatus { claimed: claimed.load(Ordering::Relaxed), ..status }
        }
    }

    /// Where the desk is.
    #[must_use]
    pub const fn desk(&self) -> SocketAddr {
        self.desk.0
    }

    /// URL of the client's JSON-RPC.
    #[must_use]
    pub fn rpc_url(&self) -> &str {
        &self.rpc_url
    }

    /// The last block.
    #[must_use]
    pub const fn head(&self) -> BlockRef {
        self.sequencer.head()
    }

    /// What the next block has to wait for.
    #[must_use]
    pub fn held(&self) -> Option<String> {
        let claimed = self.claimed.load(Ordering::Relaxed);
        let held = self.head().number.saturating_sub(claimed) >= UNCLAIMED_MAX;
        held.then(|| format!("the publisher: the last block that it claimed is {claimed}"))
    }

    /// Make one block now.
    pub async fn step(&mut self) -> Result<BlockRef, SequencerError> {
        let made = self.sequencer.step().await;
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.head = self.sequencer.head();
        status.waits_for = made.as_ref().err().map(ToString::to_string);
        status.made += u64::from(made.is_ok());
        made
    }

    /// Make a block at every beat, for ever. What fails is tried again at the next one.
    pub async fn run(mut self) {
        loop {
            self.clock.beat().await;
            if let Some(held) = self.held() {
                let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
                if status.waits_for.as_ref() != Some(&held) {
                    tracing::warn!(waits_for = held, "no more blocks before some are claimed");
                    status.waits_for = Some(held);
                }
                continue;
            }
            match self.step().await {
                Ok(block) => tracing::trace!(number = block.number, hash = %block.hash, "block"),
                Err(error) => tracing::error!(%error, "no block; trying again at the next beat"),
            }
        }
    }

    /// Stop serving.
    pub async fn close(self) {
        self.desk.1.abort();
        if let Some((chain, endpoint)) = &self.embedded {
            endpoint.close().await;
            chain.shutdown().await;
        }
    }
}

impl Drop for SequencerNode {
    fn drop(&mut self) {
        self.desk.1.abort();
    }
}
