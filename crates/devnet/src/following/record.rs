//! Empty blocks with their witnesses, as an embedded client made them.

use super::{FollowError, failed};
use crate::{
    ChainConfig, DevChain,
    demo::encoded_witness,
    network::{anchor_of, connect},
};
use alloy::primitives::U256;
use hum_types::{Address, B256, BlockRef, Bytes, ChainId};
use hum_verify::ChainSpec;
use serde_json::{Value, json};

/// A block, and the evidence for it.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) block: BlockRef,
    pub(super) rlp: Bytes,
    pub(super) witness: Bytes,
}

/// The first blocks of a chain. They hold no transaction and say nothing of the chain's id.
#[derive(Debug)]
pub(super) struct Recording {
    rules: Value,
    anchor: Bytes,
    blocks: Vec<Recorded>,
}

impl Recording {
    /// Let a chain make `count` blocks.
    pub(super) async fn make(index: usize, block_time_ms: u64, count: u64) -> Result<Self, FollowError> {
        // Funds that no other recording has: every state root is another one.
        let account = Address::with_last_byte(u8::try_from(index % 200).unwrap_or_default() + 50);
        let config = ChainConfig {
            block_time_ms,
            paused: true,
            genesis_age_s: count + 1,
            prefunded: vec![(account, U256::from(index + 1))],
            ..ChainConfig::new(format!("recording-{index}"), ChainId(1))
        };
        let chain = DevChain::start(config).await?;
        let (reader, _) = connect(&chain, B256::repeat_byte(1))?;
        let mut rules = chain.rules()?;
        rules["allowEqualTimestamps"] = json!(chain.config().allows_equal_timestamps());
        let anchor = anchor_of(&chain).await?;
        let mut blocks = Vec::new();
        for _ in 0..count {
            chain.mine(1).await?;
            let block = chain.head();
            let rlp = chain.raw_block(block.number).await?;
            let witness = encoded_witness("a recording", &reader, block).await?;
            blocks.push(Recorded { block, rlp, witness });
        }
        chain.shutdown().await;
        if blocks.is_empty() {
            return Err(failed("record blocks")("none were asked for"));
        }
        Ok(Self { rules, anchor, blocks })
    }

    /// The rules, for a chain of this id.
    pub(super) fn spec(&self, chain_id: ChainId) -> Result<ChainSpec, serde_json::Error> {
        let mut rules = self.rules.clone();
        rules["chainId"] = json!(chain_id.0);
        serde_json::from_value(rules)
    }

    /// The header below the first block, RLP.
    pub(super) const fn anchor(&self) -> &Bytes {
        &self.anchor
    }

    /// The block of this number, from 1 on.
    pub(super) fn block(&self, number: u64) -> Option<&Recorded> {
        self.blocks.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }
}
