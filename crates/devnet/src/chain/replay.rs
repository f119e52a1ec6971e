//! Blocks from elsewhere, executed again from genesis.

use super::core::{Core, block_ref};
use super::{ChainConfig, DevChainError};
use alloy::primitives::Bytes;
use ethrex_common::types::{Block, Genesis};
use ethrex_rlp::decode::RLPDecode as _;
use hum_types::{BlockRef, ChainId};
use std::sync::Arc;

/// A chain that makes no blocks: it executes those that it is given, each on the one before, and refuses the first that does not come out
/// as its header says.
pub struct Replay {
    core: Arc<Core>,
    head: BlockRef,
    /// Blocks since the head last moved.
    ahead: u64,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").field("head", &self.head).finish_non_exhaustive()
    }
}

/// A genesis file's contents.
pub(super) fn read_genesis(name: &str, json: &str) -> Result<Genesis, DevChainError> {
    serde_json::from_str(json).map_err(|error| DevChainError::Config {
        name: name.to_owned(),
        field: "genesis",
        problem: format!("is not readable: {error}"),
    })
}

impl Replay {
    /// Start from a genesis file's JSON, as [`super::DevChain::genesis`] gives it and other clients read it.
    pub async fn start(genesis: &str) -> Result<Self, DevChainError> {
        let name = "replay".to_owned();
        let genesis = read_genesis(&name, genesis)?;
        let chain_id = ChainId(genesis.config.chain_id);
        let config = ChainConfig { gas_limit: genesis.gas_limit, ..ChainConfig::new(name, chain_id) };
        let core = Core::boot(config, genesis).await?;
        let head = block_ref(&core.header(0)?);
        Ok(Self { core, head, ahead: 0 })
    }

    /// The chain's id.
    pub fn chain_id(&self) -> ChainId {
        self.core.config.chain_id
    }

    /// The last block that was executed; genesis at first.
    pub const fn head(&self) -> BlockRef {
        self.head
    }

    /// Execute the block above [`Self::head`], from its RLP, and hold the outcome against its header. A block with its parent's timestamp,
    /// which the client does not import, is built again, and must come out the same.
    pub async fn execute(&mut self, block: &Bytes) -> Result<BlockRef, DevChainError> {
        let number = self.head.number + 1;
        let block = Block::decode(block)
            .map_err(|error| DevChainError::Unreadable { number, problem: error.to_string() })?;
        let header = block.header.clone();
        self.core.execute(block).await?;
        self.head = block_ref(&header);
        self.ahead += 1;
        // More would leave too many layers of state unmerged.
        if self.ahead == super::core::ADOPTED_TOGETHER {
            self.core.adopt(&header).await?;
            self.ahead = 0;
        }
        Ok(self.head)
    }
}
