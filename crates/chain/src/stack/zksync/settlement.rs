//! ZKsync's settled state: the batches that its diamond has executed.
//!
//! | what | where (matter-labs/era-contracts `chain-deps/ZKChainStorage.sol`, counted from slot 0) |
//! |---|---|
//! | `totalBatchesExecuted` | slot 11 |
//! | `storedBatchHashes[batch]` | mapping at slot 14 |
//! | `chainId` | slot 40 |
//! | `settlementLayer` | slot 50; not zero when the chain settles elsewhere than on this L1 |
//!
//! A stored hash is keccak256(abi.encode(StoredBatchInfo)). Protocol versions from 29 on have one member more.

use crate::{
    At, Chain, ReadError,
    stack::{
        Opening, Settled, Settlement, SettlementError, SlotQuery,
        settlement::{ProvenL1, holds, mapping_slot, slot},
    },
};
use alloy_primitives::U256;
use alloy_sol_types::{SolCall, SolValue};
use hum_types::{Address, B256, ChainId, keccak256};

mod layout {
    pub(super) const BATCHES_EXECUTED: u64 = 11;
    pub(super) const STORED_BATCHES: u64 = 14;
    pub(super) const CHAIN_ID: u64 = 40;
    pub(super) const SETTLEMENT_LAYER: u64 = 50;
}

const UNPROVEN: &[&str] = &[
    "which blocks the batch holds: the batch commits to a tree that only a node of the chain can open",
    "the contracts: their governance may replace them",
];

alloy_sol_types::sol! {
    function getZKChain(uint256 chainId) external view returns (address);
}

/// A chain's contracts on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZkContracts {
    /// The Bridgehub, which knows every chain's diamond.
    pub bridgehub: Address,
    /// The chain's diamond.
    pub diamond: Address,
    /// The chain.
    pub chain_id: ChainId,
}

impl ZkContracts {
    /// The diamond that the Bridgehub names.
    pub async fn diamond_on(&self, l1: &dyn Chain) -> Result<Address, ReadError> {
        let call = getZKChainCall { chainId: U256::from(self.chain_id.0) }.abi_encode();
        let answer = l1.call(self.bridgehub, call.into(), At::LATEST).await?;
        super::super::word_as_address(&answer)
    }
}

/// A stored batch's opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBatch {
    /// The batch.
    pub number: u64,
    /// Root of the state tree after it.
    pub state_root: B256,
    /// Next index of the state tree.
    pub index_repeated_storage_changes: u64,
    /// Transactions that L1 asked for.
    pub l1_transactions: U256,
    /// Hash of them.
    pub priority_operations_hash: B256,
    /// Hash of interop roots depended on; from protocol version 29 on.
    pub dependency_roots_hash: Option<B256>,
    /// Root of the messages to L1.
    pub logs_root: B256,
    /// Time, in the packed form of the contract.
    pub timestamp: U256,
    /// What was proven.
    pub commitment: B256,
}

impl StoredBatch {
    /// The hash that the diamond keeps.
    #[must_use]
    pub fn hash(&self) -> B256 {
        let head = (self.number, self.state_root, self.index_repeated_storage_changes, self.l1_transactions);
        let mut bytes = (head.0, head.1, head.2, head.3, self.priority_operations_hash).abi_encode();
        bytes.extend(self.dependency_roots_hash.iter().flat_map(|hash| hash.0));
        bytes.extend((self.logs_root, self.timestamp, self.commitment).abi_encode());
        keccak256(bytes)
    }

    fn of(opening: &Opening) -> Result<&Self, SettlementError> {
        match opening {
            Opening::Batch(batch) => Ok(batch),
            _ => Err(SettlementError::Stack { expected: "zksync" }),
        }
    }
}

impl Settlement for ZkContracts {
    fn slots(&self, opening: &Opening) -> Result<Vec<SlotQuery>, SettlementError> {
        let number = slot(StoredBatch::of(opening)?.number);
        let mut slots =
            [layout::BATCHES_EXECUTED, layout::CHAIN_ID, layout::SETTLEMENT_LAYER].map(slot).to_vec();
        slots.push(mapping_slot(number, layout::STORED_BATCHES));
        Ok(vec![SlotQuery { account: self.diamond, slots }])
    }

    fn settled(&self, opening: &Opening, l1: &ProvenL1) -> Result<Settled, SettlementError> {
        let batch = StoredBatch::of(opening)?;
        let read = |at: u64| l1.slot(self.diamond, slot(at));
        holds("chain id", read(layout::CHAIN_ID)?, U256::from(self.chain_id.0))?;
        holds("settlement layer", read(layout::SETTLEMENT_LAYER)?, U256::ZERO)?;
        let executed = read(layout::BATCHES_EXECUTED)?;
        if U256::from(batch.number) > executed {
            let (found, needed) = (executed.saturating_to(), batch.number);
            return Err(SettlementError::NotFinal { what: "the newest executed batch", found, needed });
        }
        let stored = l1.slot(self.diamond, mapping_slot(slot(batch.number), layout::STORED_BATCHES))?;
        holds("batch hash", B256::from(stored), batch.hash())?;
        Ok(Settled {
            l1: l1.block(),
            head: None,
            state_root: batch.state_root,
            message_root: batch.logs_root,
            batch: Some(batch.number),
            unproven: UNPROVEN,
        })
    }
}
