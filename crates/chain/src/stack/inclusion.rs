//! Whether L1 has the batch that a block is in: the node names the batch, L1 counts what it has.
//!
//! A count says that some batch with the number is there, at the L1 block that was asked at. It does not say that the
//! batch holds this block: that takes the stack's own derivation, which the node with the block has done.

use super::{nitro::NitroContracts, zksync::ZkContracts};
use crate::{At, Chain, ReadError};
use alloy_primitives::{U256, address};
use alloy_sol_types::SolCall;
use hum_types::{Address, Bytes, keccak256};

/// Nitro's window into its own node.
const NODE_INTERFACE: Address = address!("0x00000000000000000000000000000000000000C8");

alloy_sol_types::sol! {
    function findBatchContainingBlock(uint64 blockNum) external view returns (uint64 batch);
}

/// Where on L1 a block's data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inclusion {
    /// The batch, as the node says.
    pub batch: u64,
    /// Batches that L1 has.
    pub on_l1: u64,
    /// Whether the batch is among them.
    pub included: bool,
}

impl NitroContracts {
    /// Ask the node for the batch (`NodeInterface`), and L1's `SequencerInbox.batchCount()`. `None` while the node has
    /// seen no batch with the block.
    pub async fn inclusion(
        &self,
        node: &dyn Chain,
        l1: &dyn Chain,
        block: u64,
        at: At,
    ) -> Result<Option<Inclusion>, ReadError> {
        let call = findBatchContainingBlockCall { blockNum: block }.abi_encode();
        let batch = match node.call(NODE_INTERFACE, call.into(), At::LATEST).await {
            Ok(answer) => number(&answer)?,
            Err(ReadError::Reverted { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let inbox = super::l1_address(l1, self.rollup, "sequencerInbox()", at).await?;
        let on_l1 = count(l1, inbox, "batchCount()", at).await?;
        // Batches count from 0.
        Ok(Some(Inclusion { batch, on_l1, included: batch < on_l1 }))
    }
}

impl ZkContracts {
    /// Hold the batch that a node names against the diamond's `getTotalBatchesCommitted()`.
    pub async fn inclusion(&self, l1: &dyn Chain, batch: u64, at: At) -> Result<Inclusion, ReadError> {
        let on_l1 = count(l1, self.diamond, "getTotalBatchesCommitted()", at).await?;
        // Batch 0 is the genesis, so that the total is the newest batch's number.
        Ok(Inclusion { batch, on_l1, included: batch <= on_l1 })
    }
}

async fn count(l1: &dyn Chain, contract: Address, getter: &str, at: At) -> Result<u64, ReadError> {
    let selector = keccak256(getter.as_bytes());
    let data = Bytes::copy_from_slice(selector.get(..4).unwrap_or_default());
    number(&l1.call(contract, data, at).await?)
}

fn number(answer: &[u8]) -> Result<u64, ReadError> {
    let refuse = |detail: String| ReadError::Garbage { method: "eth_call", detail };
    let bytes: [u8; 32] =
        answer.try_into().map_err(|_| refuse(format!("{} bytes where a word is due", answer.len())))?;
    let word = U256::from_be_bytes(bytes);
    u64::try_from(word).map_err(|_| refuse(format!("{word} is no count of batches")))
}
