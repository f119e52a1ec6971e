//! What L1 holds of a rollup, read under a state proof.
//!
//! ```text
//! Opening (the preimage, from anywhere) ─▶ slots to prove ─▶ eth_getProof on L1 ─▶ checked against an L1 state root
//!                                                                                        │
//!                                    Settled: head or batch, state, what stays unproven ◀┘
//! ```
//!
//! Each stack's half is a pure function from proven storage to a settled head. Which L1 block to believe is the
//! caller's: its own L1 node's final one. No live L1 could be reached where this was written: layouts come from the
//! stacks' published storage snapshots and sources, and are tested on tries built with those layouts.

use super::{nitro, op_stack, zksync};
use crate::{At, Chain, ReadError, StateProof, StateProofError};
use alloy_primitives::U256;
use hum_types::{Address, B256, BlockRef, keccak256};
use std::{collections::BTreeMap, fmt::Debug};

/// What a commitment on L1 opens to. Anyone may supply it: it counts only when it hashes to what L1 holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// The OP Stack's anchor.
    Anchor(Box<op_stack::AnchorGame>),
    /// Nitro's confirmed assertion.
    Assertion(Box<nitro::Assertion>),
    /// ZKsync's executed batch.
    Batch(Box<zksync::StoredBatch>),
}

/// Storage to prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotQuery {
    /// The contract.
    pub account: Address,
    /// Its slots.
    pub slots: Vec<B256>,
}

/// L1 storage, proven under one block's state root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenL1 {
    block: BlockRef,
    words: BTreeMap<(Address, B256), U256>,
}

impl ProvenL1 {
    /// Check proofs against the state root of `block`, which the caller believes.
    pub fn verify(block: BlockRef, state_root: B256, proofs: &[StateProof]) -> Result<Self, StateProofError> {
        let mut words = BTreeMap::new();
        for proof in proofs {
            proof.check(state_root)?;
            words.extend(proof.slots.iter().map(|slot| ((proof.account, slot.slot), slot.word.into())));
        }
        Ok(Self { block, words })
    }

    /// The L1 block.
    #[must_use]
    pub const fn block(&self) -> BlockRef {
        self.block
    }

    /// One proven word.
    pub fn slot(&self, account: Address, slot: B256) -> Result<U256, SettlementError> {
        self.words.get(&(account, slot)).copied().ok_or(SettlementError::Unproven { account, slot })
    }
}

/// What L1 holds of a rollup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The L1 block under whose state this was proven.
    pub l1: BlockRef,
    /// The settled head, where the commitment names a block.
    pub head: Option<BlockRef>,
    /// The settled state: Ethereum's state root, or ZKsync's root of its own tree.
    pub state_root: B256,
    /// Root over messages to L1: Nitro's send root, ZKsync's logs root, the message passer's storage root.
    pub message_root: B256,
    /// The batch (ZKsync), or the sequencer's batch up to which the inbox was read (Nitro).
    pub batch: Option<u64>,
    /// What a reader must still believe, in plain words.
    pub unproven: &'static [&'static str],
}

/// Why L1 does not hold what the opening says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettlementError {
    /// The proof does not hold.
    #[error(transparent)]
    Proof(#[from] StateProofError),
    /// A word that is needed was not proven.
    #[error("slot {slot} of {account} is not in the proof")]
    Unproven {
        /// The contract.
        account: Address,
        /// The slot.
        slot: B256,
    },
    /// The opening is of another stack.
    #[error("the opening is of another stack than {expected}")]
    Stack {
        /// The stack that was asked.
        expected: &'static str,
    },
    /// L1 holds another commitment.
    #[error("L1 holds {field} {declared}, the opening gives {computed}")]
    Differs {
        /// Which commitment.
        field: &'static str,
        /// On L1.
        declared: String,
        /// From the opening.
        computed: String,
    },
    /// L1 holds it, but it is not final there.
    #[error("{what} has status {found}, {needed} is needed")]
    NotFinal {
        /// What.
        what: &'static str,
        /// The status found.
        found: u64,
        /// The status needed.
        needed: u64,
    },
    /// The opening is out of bounds.
    #[error("{what} is out of bounds")]
    Bounds {
        /// What.
        what: &'static str,
    },
}

/// How a stack settles on L1.
pub trait Settlement: Debug + Send + Sync {
    /// The storage that must be proven for `opening`.
    fn slots(&self, opening: &Opening) -> Result<Vec<SlotQuery>, SettlementError>;

    /// What the proven storage makes of `opening`.
    fn settled(&self, opening: &Opening, l1: &ProvenL1) -> Result<Settled, SettlementError>;
}

/// Why L1 could not be read, or does not hold it.
#[derive(Debug, thiserror::Error)]
pub enum ReadSettledError {
    /// L1's node.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What it answered.
    #[error(transparent)]
    Settlement(#[from] SettlementError),
}

/// Prove an opening on L1 at a block that the caller believes.
pub async fn read_settled(
    settlement: &dyn Settlement,
    opening: &Opening,
    l1: &dyn Chain,
    at: At,
) -> Result<Settled, ReadSettledError> {
    let block = l1.block(at).await?.ok_or(ReadError::Missing {
        method: "eth_getBlockByNumber",
        what: "the L1 block to prove under".into(),
    })?;
    let mut proofs = Vec::new();
    for SlotQuery { account, slots } in settlement.slots(opening)? {
        proofs.push(l1.proof(account, slots, At::Number(block.block.number)).await?);
    }
    let proven = ProvenL1::verify(block.block, block.state_root, &proofs).map_err(SettlementError::from)?;
    Ok(settlement.settled(opening, &proven)?)
}

/// Where a mapping's entry with a word as its key is kept: keccak256(key, mapping's slot).
#[must_use]
pub fn mapping_slot(key: B256, mapping: u64) -> B256 {
    keccak256([key.0, slot(mapping).0].concat())
}

/// A slot by its number.
#[must_use]
pub fn slot(number: u64) -> B256 {
    U256::from(number).into()
}

pub(super) fn holds<T: PartialEq + ToString>(
    field: &'static str,
    declared: T,
    computed: T,
) -> Result<(), SettlementError> {
    if declared == computed {
        return Ok(());
    }
    Err(SettlementError::Differs { field, declared: declared.to_string(), computed: computed.to_string() })
}

/// The low bytes of a word as an address.
pub(super) fn address(word: U256) -> Address {
    Address::from_word(B256::from(word))
}
