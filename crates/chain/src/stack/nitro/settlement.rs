//! Nitro's settled head: the newest assertion that its rollup contract has confirmed (BoLD).
//!
//! | what | where (OffchainLabs/nitro-contracts v3, `test/storage/RollupCore`, `src/rollup/RollupLib.sol`) |
//! |---|---|
//! | `chainId` | slot 101 |
//! | `_latestConfirmed` | slot 116 |
//! | `_assertions[hash].status` | mapping at slot 117, first word, byte 25; 2 = confirmed |
//!
//! `assertionHash = keccak256(parent, keccak256(abi.encode(state)), inboxAccumulator)`, packed; the state names the
//! block's hash and its send root. Rollups from before BoLD, and those with a message extraction layer, hash other
//! things: their openings do not match and are refused.

use crate::stack::{
    Opening, Settled, Settlement, SettlementError, SlotQuery,
    settlement::{ProvenL1, holds, mapping_slot, slot},
};
use alloy_consensus::Header;
use alloy_primitives::U256;
use alloy_rlp::Decodable;
use alloy_sol_types::SolValue;
use hum_types::{Address, B256, BlockRef, Bytes, ChainId, keccak256};

mod layout {
    pub(super) const CHAIN_ID: u64 = 101;
    pub(super) const LATEST_CONFIRMED: u64 = 116;
    pub(super) const ASSERTIONS: u64 = 117;
    /// Bit at which an assertion's status stands: behind three block numbers and a flag.
    pub(super) const STATUS_SHIFT: usize = 25 * 8;
}

const CONFIRMED: u64 = 2;
/// The machine ran to its end.
const FINISHED: u8 = 1;

const UNPROVEN: &[&str] = &[
    "the assertion: what no validator challenged in time is taken for true",
    "the contracts: the chain's owner may replace them, and may confirm by force",
];

alloy_sol_types::sol! {
    struct GlobalStateAbi {
        bytes32[2] bytes32Vals;
        uint64[2] u64Vals;
    }
    struct AssertionStateAbi {
        GlobalStateAbi globalState;
        uint8 machineStatus;
        bytes32 endHistoryRoot;
    }
}

/// A chain's contracts on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NitroContracts {
    /// The rollup.
    pub rollup: Address,
    /// The chain that the rollup contract must be of.
    pub chain_id: ChainId,
}

/// A confirmed assertion's opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The assertion before.
    pub parent: B256,
    /// The block that it ends with.
    pub block_hash: B256,
    /// That block's send root.
    pub send_root: B256,
    /// Batches of the sequencer's inbox that were read.
    pub batch: u64,
    /// Messages of the next one.
    pub position_in_batch: u64,
    /// How the machine ended; 1 = finished.
    pub machine_status: u8,
    /// Root of the machine's history.
    pub end_history_root: B256,
    /// The inbox accumulator after the batches.
    pub inbox_accumulator: B256,
    /// The block's header, RLP: what the hash opens to.
    pub header: Bytes,
}

impl Assertion {
    /// The hash under which the rollup contract keeps it.
    #[must_use]
    pub fn hash(&self) -> B256 {
        let state = AssertionStateAbi {
            globalState: GlobalStateAbi {
                bytes32Vals: [self.block_hash, self.send_root],
                u64Vals: [self.batch, self.position_in_batch],
            },
            machineStatus: self.machine_status,
            endHistoryRoot: self.end_history_root,
        };
        let state = keccak256(state.abi_encode());
        keccak256([self.parent.0, state.0, self.inbox_accumulator.0].concat())
    }

    fn of(opening: &Opening) -> Result<&Self, SettlementError> {
        match opening {
            Opening::Assertion(assertion) => Ok(assertion),
            _ => Err(SettlementError::Stack { expected: "nitro" }),
        }
    }
}

impl Settlement for NitroContracts {
    fn slots(&self, opening: &Opening) -> Result<Vec<SlotQuery>, SettlementError> {
        let entry = mapping_slot(Assertion::of(opening)?.hash(), layout::ASSERTIONS);
        let slots = vec![slot(layout::CHAIN_ID), slot(layout::LATEST_CONFIRMED), entry];
        Ok(vec![SlotQuery { account: self.rollup, slots }])
    }

    fn settled(&self, opening: &Opening, l1: &ProvenL1) -> Result<Settled, SettlementError> {
        let assertion = Assertion::of(opening)?;
        let hash = assertion.hash();
        let chain = l1.slot(self.rollup, slot(layout::CHAIN_ID))?;
        holds("chain id", chain, U256::from(self.chain_id.0))?;
        holds("confirmed assertion", l1.slot(self.rollup, slot(layout::LATEST_CONFIRMED))?.into(), hash)?;
        let node = l1.slot(self.rollup, mapping_slot(hash, layout::ASSERTIONS))?;
        let found = ((node >> layout::STATUS_SHIFT) & U256::from(0xff)).to::<u64>();
        if found != CONFIRMED {
            return Err(SettlementError::NotFinal { what: "the assertion", found, needed: CONFIRMED });
        }
        if assertion.machine_status != FINISHED {
            let found = u64::from(assertion.machine_status);
            return Err(SettlementError::NotFinal { what: "the machine", found, needed: FINISHED.into() });
        }
        holds("block hash", assertion.block_hash, keccak256(&assertion.header))?;
        let mut rest: &[u8] = &assertion.header;
        let header = Header::decode(&mut rest).map_err(|_| SettlementError::Bounds { what: "header" })?;
        holds(
            "send root",
            assertion.send_root,
            B256::try_from(header.extra_data.as_ref()).unwrap_or_default(),
        )?;
        Ok(Settled {
            l1: l1.block(),
            head: Some(BlockRef { number: header.number, hash: assertion.block_hash }),
            state_root: header.state_root,
            message_root: assertion.send_root,
            batch: Some(assertion.batch),
            unproven: UNPROVEN,
        })
    }
}
