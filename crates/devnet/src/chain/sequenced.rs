//! A chain that somebody else gives its blocks: built here, kept there, and only then the head.

use super::core::{ADOPTED_TOGETHER, Core, block_ref};
use super::{ChainConfig, DevChain, DevChainError, replay};
use alloy::primitives::Bytes;
use ethrex_common::types::Block;
use ethrex_rlp::decode::RLPDecode as _;
use ethrex_rlp::encode::RLPEncode as _;
use hum_types::BlockRef;

impl DevChain {
    /// Boots a chain from a genesis file's JSON. It makes no blocks on its own; its id and gas limit are the file's.
    pub(crate) async fn start_from(config: ChainConfig, genesis: &str) -> Result<Self, DevChainError> {
        let genesis = replay::read_genesis(&config.name, genesis)?;
        let chain_id = hum_types::ChainId(genesis.config.chain_id);
        let config = ChainConfig { chain_id, gas_limit: genesis.gas_limit, paused: true, ..config };
        let core = Core::boot(config, genesis).await?;
        Self::serve(core).await
    }

    /// Builds the next block from the pool and stores it, without making it the head; its RLP.
    pub(crate) async fn build(&self) -> Result<(BlockRef, Bytes), DevChainError> {
        let block = self.core.propose().await?;
        Ok((block_ref(&block.header), block.encode_to_vec().into()))
    }

    /// Executes a block above its parent and stores it, without making it the head.
    pub(crate) async fn execute(&self, rlp: &Bytes) -> Result<BlockRef, DevChainError> {
        let number = self.head().number + 1;
        let block = Block::decode(rlp)
            .map_err(|error| DevChainError::Unreadable { number, problem: error.to_string() })?;
        let executed = block_ref(&block.header);
        self.core.execute(block).await?;
        Ok(executed)
    }

    /// Makes a stored block the head, and drops its transactions from the pool.
    pub(crate) async fn adopt(&self, block: BlockRef) -> Result<(), DevChainError> {
        self.core.follow(block).await
    }
}

/// How many blocks may be executed before one of them must become the head.
pub(crate) const EXECUTED_TOGETHER: u64 = ADOPTED_TOGETHER;
