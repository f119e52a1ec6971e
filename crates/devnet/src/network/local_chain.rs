//! A rollup's chain, by whichever rules it makes its blocks.

use super::NetworkError;
use crate::{
    ChainConfig, DevChain, Predeploy, Target,
    op::{self, OpGenesis, OpL1, OpNode, OpNodeConfig},
};
use alloy_consensus::Block;
use alloy_rlp::Decodable as _;
use hum_chain::stack::StackKind;
use hum_types::{Address, BlockRef, Bytes, ChainId};
use hum_verify::{ChainSpec, Rules};
use serde_json::json;
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// By which rules a rollup of a local network makes its blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LocalStack {
    /// Ethereum's, by an embedded client (ethrex), whose EVM is not the verifier's.
    #[default]
    Ethereum,
    /// The OP Stack's, by a builder on op-revm: **the EVM that judges its blocks, too**.
    OpStack,
}

impl LocalStack {
    /// Those that can be started here.
    pub const ALL: [Self; 2] = [Self::Ethereum, Self::OpStack];

    /// The stack.
    #[must_use]
    pub const fn kind(self) -> StackKind {
        match self {
            Self::Ethereum => StackKind::Ethereum,
            Self::OpStack => StackKind::OpStack,
        }
    }

    /// The stack whose rules these are.
    #[must_use]
    pub const fn of(spec: &ChainSpec) -> Self {
        match spec.rules() {
            Rules::Ethereum(_) => Self::Ethereum,
            Rules::OpStack(_) => Self::OpStack,
        }
    }

    /// What makes its blocks here, and what that is worth.
    #[must_use]
    pub const fn builder(self) -> &'static str {
        match self {
            Self::Ethereum => "ethrex",
            Self::OpStack => "op-revm, the verifier's own EVM",
        }
    }
}

/// A node of this process that answers JSON-RPC.
pub trait LocalNode {
    /// Its chain.
    fn chain_id(&self) -> ChainId;

    /// URL of its endpoint.
    fn rpc_url(&self) -> String;
}

/// The chain of a rollup of a local network.
#[derive(Debug)]
pub enum LocalChain {
    /// Under Ethereum's rules.
    Ethereum(DevChain),
    /// Under the OP Stack's.
    Op(Box<OpNode>),
}

impl LocalNode for DevChain {
    fn chain_id(&self) -> ChainId {
        self.config().chain_id
    }

    fn rpc_url(&self) -> String {
        self.rpc_url()
    }
}

impl LocalNode for LocalChain {
    fn chain_id(&self) -> ChainId {
        self.chain_id()
    }

    fn rpc_url(&self) -> String {
        self.rpc_url()
    }
}

impl From<&LocalChain> for Target {
    fn from(chain: &LocalChain) -> Self {
        match chain {
            LocalChain::Ethereum(chain) => chain.into(),
            LocalChain::Op(node) => (&**node).into(),
        }
    }
}

impl LocalChain {
    /// Start a chain with these settings. Under the OP Stack's rules no block is made before [`Self::follow`].
    pub(super) async fn start(stack: LocalStack, config: ChainConfig) -> Result<Self, NetworkError> {
        if stack == LocalStack::Ethereum {
            return Ok(Self::Ethereum(DevChain::start(config).await?));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let genesis = OpGenesis {
            gas_limit: config.gas_limit,
            allow_equal_timestamps: config.allows_equal_timestamps(),
            prefunded: config.prefunded,
            predeploys: config.predeploys,
            ..OpGenesis::new(config.chain_id, now.saturating_sub(config.genesis_age_s))
        };
        let settings = OpNodeConfig {
            phase_ms: config.phase_ms,
            safe_depth: config.safe_depth,
            finalized_depth: config.finalized_depth,
            port: config.port,
            transactions_bytes_max: config.transactions_bytes_max,
            has_l1: true,
            ..OpNodeConfig::new(config.name, config.block_time_ms)
        };
        Ok(Self::Op(Box::new(OpNode::start(&genesis, settings).await?)))
    }

    /// Build on this L1 where the stack does so: what its blocks know of L1, and deposits.
    pub(super) fn follow(&self, l1: &DevChain, batcher: Address) -> Result<(), NetworkError> {
        let Self::Op(node) = self else { return Ok(()) };
        let chain = Arc::new(super::reader(l1)?);
        let portal = op::portal(node.chain_id()).address;
        node.follow(OpL1 { chain, heads: l1.heads(), portal, batcher });
        Ok(())
    }

    /// What must stand on L1 from its genesis on for a rollup of this stack.
    pub(super) fn on_l1(stack: LocalStack, rollup: ChainId) -> Option<Predeploy> {
        (stack == LocalStack::OpStack).then(|| op::portal(rollup))
    }

    /// The chain's id.
    #[must_use]
    pub fn chain_id(&self) -> ChainId {
        match self {
            Self::Ethereum(chain) => chain.config().chain_id,
            Self::Op(node) => node.chain_id(),
        }
    }

    /// URL of its JSON-RPC endpoint.
    #[must_use]
    pub fn rpc_url(&self) -> String {
        match self {
            Self::Ethereum(chain) => chain.rpc_url(),
            Self::Op(node) => node.rpc_url(),
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Ethereum(chain) => &chain.config().name,
            Self::Op(node) => &node.config().name,
        }
    }

    /// By which rules it makes blocks.
    #[must_use]
    pub const fn stack(&self) -> LocalStack {
        match self {
            Self::Ethereum(_) => LocalStack::Ethereum,
            Self::Op(_) => LocalStack::OpStack,
        }
    }

    /// Time between its blocks.
    #[must_use]
    pub fn block_time_ms(&self) -> u64 {
        match self {
            Self::Ethereum(chain) => chain.config().block_time_ms,
            Self::Op(node) => node.config().block_time_ms,
        }
    }

    /// The newest block.
    #[must_use]
    pub fn head(&self) -> BlockRef {
        match self {
            Self::Ethereum(chain) => chain.head(),
            Self::Op(node) => node.head(),
        }
    }

    /// The canonical block of this number.
    #[must_use]
    pub fn block(&self, number: u64) -> Option<BlockRef> {
        match self {
            Self::Ethereum(chain) => chain.block(number).ok(),
            Self::Op(node) => node.block(number),
        }
    }

    /// Where ether left on L1 appears in the rollup; none where the stack has no such place.
    #[must_use]
    pub fn portal(&self) -> Option<Address> {
        Self::on_l1(self.stack(), self.chain_id()).map(|portal| portal.address)
    }

    /// The embedded client with its controls: forks, reorganisations, lies. Only under Ethereum's rules.
    pub fn controls(&self) -> Result<&DevChain, NetworkError> {
        match self {
            Self::Ethereum(chain) => Ok(chain),
            Self::Op(node) => Err(NetworkError::NoControls { chain_id: node.chain_id() }),
        }
    }

    /// The genesis header's RLP: verification starts from it.
    pub(super) async fn anchor(&self) -> Result<Bytes, NetworkError> {
        let chain = match self {
            Self::Op(node) => return Ok(node.genesis_header().into()),
            Self::Ethereum(chain) => chain,
        };
        anchor_of(chain).await
    }

    /// Its rules, as the verifier reads them.
    pub(super) fn spec(&self) -> Result<ChainSpec, NetworkError> {
        let chain = match self {
            Self::Op(node) => return Ok(node.spec().clone()),
            Self::Ethereum(chain) => chain,
        };
        let mut rules = chain.rules().map_err(|error| self.problem(error.to_string()))?;
        rules["allowEqualTimestamps"] = json!(chain.config().allows_equal_timestamps());
        serde_json::from_value(rules).map_err(|error| self.problem(format!("chain rules: {error}")))
    }

    fn problem(&self, problem: String) -> NetworkError {
        NetworkError::Genesis { chain_id: self.chain_id(), problem }
    }

    /// Stop making blocks and listening.
    pub async fn shutdown(&self) {
        match self {
            Self::Ethereum(chain) => chain.shutdown().await,
            Self::Op(node) => node.shutdown().await,
        }
    }
}

/// The genesis header of an embedded client's chain, RLP.
pub(crate) async fn anchor_of(chain: &DevChain) -> Result<Bytes, NetworkError> {
    let raw = chain.raw_block(0).await?;
    let block = Block::<alloy_consensus::TxEnvelope>::decode(&mut &raw[..]).map_err(|error| {
        let problem = format!("genesis block: {error}");
        NetworkError::Genesis { chain_id: chain.config().chain_id, problem }
    })?;
    Ok(alloy_rlp::encode(&block.header).into())
}
