//! What a checkpoint adds to the one before it. Whoever holds the bodies can rebuild every root without any rollup.

use crate::{
    B256, BlockRef, ChainId, Confidence, Evidence, Join, JudgementBundle, L1Origin, LaneMessage, Roster,
    SequencerSignature, SignedRetraction, TimeMs,
    codec::{Decode, DecodeError, Encode, Reader, put_list},
    keccak256,
};
use serde::{Deserialize, Serialize};

/// Rollups that one checkpoint can touch.
pub const ROLLUPS_MAX: usize = 1024;
/// Blocks that one checkpoint can advance a rollup by.
pub const BLOCKS_PER_ADVANCE_MAX: usize = 64;
/// Messages that one block can send; a block with more waits for a later version of this bound.
pub const MESSAGES_PER_BLOCK_MAX: usize = 4096;
/// Bytes that a body can have.
pub const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// One verified block of a rollup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvancedBlock {
    /// Number and hash.
    pub block: BlockRef,
    /// Its state root.
    pub state_root: B256,
    /// Its timestamp.
    pub time_ms: TimeMs,
    /// The sequencer's signature on the claim for it, in the rollup's generation at this point of the body.
    pub signature: SequencerSignature,
    /// Messages that it sent, in log order.
    pub messages: Vec<LaneMessage>,
}

impl Encode for AdvancedBlock {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.block.encode_to(out);
        out.extend_from_slice(self.state_root.as_slice());
        self.time_ms.encode_to(out);
        self.signature.encode_to(out);
        put_list(out, &self.messages);
    }
}

impl Decode for AdvancedBlock {
    const WHAT: &'static str = "advanced block";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            block: BlockRef::decode_from(reader)?,
            state_root: reader.b256("state root")?,
            time_ms: TimeMs::decode_from(reader)?,
            signature: SequencerSignature::decode_from(reader)?,
            messages: reader.list("messages", MESSAGES_PER_BLOCK_MAX)?,
        })
    }
}

/// Verified blocks of one rollup, the first on top of its `Latest` head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advance {
    /// The rollup.
    pub chain_id: ChainId,
    /// One to [`BLOCKS_PER_ADVANCE_MAX`] blocks, ascending.
    pub blocks: Vec<AdvancedBlock>,
    /// Of a rollup that judges follow by nodes of their own: one for each block, in their order. Of any other: none.
    pub judgements: Vec<JudgementBundle>,
}

impl Encode for Advance {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.chain_id.encode_to(out);
        put_list(out, &self.blocks);
        put_list(out, &self.judgements);
    }
}

impl Decode for Advance {
    const WHAT: &'static str = "advance";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            chain_id: ChainId::decode_from(reader)?,
            blocks: reader.list("blocks", BLOCKS_PER_ADVANCE_MAX)?,
            judgements: reader.list("judgements", BLOCKS_PER_ADVANCE_MAX)?,
        })
    }
}

/// A change of a rollup's standing, or of the committee; changes come before advances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    /// Set the rollup aside.
    Quarantine {
        /// Why.
        evidence: Evidence,
    },
    /// Cut its `Latest` chain back and open the next generation.
    Retract {
        /// The sequencer's word.
        retraction: SignedRetraction,
    },
    /// Close the epoch. Only at a closing height, and alone in its body.
    NextCommittee {
        /// Who signs from the next height on.
        roster: Roster,
    },
    /// Move a rollup's `Safe` or `Finalized` head to a block that L1 holds.
    Settle {
        /// The rollup.
        chain_id: ChainId,
        /// `Safe` or `Finalized`.
        confidence: Confidence,
        /// The new head: the last block that was settled.
        head: BlockRef,
        /// The L1 block in which it was found settled.
        l1: L1Origin,
    },
    /// Take in a rollup that L1 has as registered. One in a body.
    Join {
        /// What L1 says of it.
        join: Join,
    },
    /// Let a rollup go that has announced its exit on L1. For ever: its chain id does not come back.
    Leave {
        /// The rollup.
        chain_id: ChainId,
        /// The L1 block that has the announcement, or a later one.
        l1: L1Origin,
    },
    /// Cut a rollup's `Latest` chain back to where final L1 data part from it, and open the next generation.
    Reorg {
        /// The rollup.
        chain_id: ChainId,
        /// The newest settled block that the certified chain holds too, or the anchor.
        kept: BlockRef,
        /// The next settled block: the end of what L1 has instead.
        head: BlockRef,
        /// The L1 block in which it was found settled.
        l1: L1Origin,
    },
}

impl Encode for Change {
    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Quarantine { evidence } => {
                out.push(1);
                evidence.encode_to(out);
            }
            Self::Retract { retraction } => {
                out.push(2);
                retraction.encode_to(out);
            }
            Self::NextCommittee { roster } => {
                out.push(3);
                roster.encode_to(out);
            }
            Self::Settle { chain_id, confidence, head, l1 } => {
                out.push(4);
                chain_id.encode_to(out);
                confidence.encode_to(out);
                head.encode_to(out);
                l1.encode_to(out);
            }
            Self::Join { join } => {
                out.push(5);
                join.encode_to(out);
            }
            Self::Leave { chain_id, l1 } => {
                out.push(6);
                chain_id.encode_to(out);
                l1.encode_to(out);
            }
            Self::Reorg { chain_id, kept, head, l1 } => {
                out.push(7);
                chain_id.encode_to(out);
                kept.encode_to(out);
                head.encode_to(out);
                l1.encode_to(out);
            }
        }
    }
}

impl Decode for Change {
    const WHAT: &'static str = "change";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("change tag")? {
            1 => Ok(Self::Quarantine { evidence: Evidence::decode_from(reader)? }),
            2 => Ok(Self::Retract { retraction: SignedRetraction::decode_from(reader)? }),
            3 => Ok(Self::NextCommittee { roster: Roster::decode_from(reader)? }),
            4 => Ok(Self::Settle {
                chain_id: ChainId::decode_from(reader)?,
                confidence: settled(Confidence::decode_from(reader)?)?,
                head: BlockRef::decode_from(reader)?,
                l1: L1Origin::decode_from(reader)?,
            }),
            5 => Ok(Self::Join { join: Join::decode_from(reader)? }),
            6 => Ok(Self::Leave {
                chain_id: ChainId::decode_from(reader)?,
                l1: L1Origin::decode_from(reader)?,
            }),
            7 => Ok(Self::Reorg {
                chain_id: ChainId::decode_from(reader)?,
                kept: BlockRef::decode_from(reader)?,
                head: BlockRef::decode_from(reader)?,
                l1: L1Origin::decode_from(reader)?,
            }),
            value => Err(DecodeError::Value { field: "change tag", value: value.into() }),
        }
    }
}

/// `Latest` advances and is never settled.
fn settled(confidence: Confidence) -> Result<Confidence, DecodeError> {
    match confidence {
        Confidence::Latest => {
            Err(DecodeError::Value { field: "settled confidence", value: (confidence as u8).into() })
        }
        Confidence::Safe | Confidence::Finalized => Ok(confidence),
    }
}

/// The body of a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// Applied first, in order.
    pub changes: Vec<Change>,
    /// Applied second; ascending chain ids, one a rollup.
    pub advances: Vec<Advance>,
}

impl Body {
    /// What the header commits to.
    #[must_use]
    pub fn hash(&self) -> B256 {
        keccak256(self.encode())
    }

    /// Who signs from the next height on, when the body says so.
    #[must_use]
    pub fn next_committee(&self) -> Option<&Roster> {
        self.changes.iter().find_map(|change| match change {
            Change::NextCommittee { roster } => Some(roster),
            Change::Quarantine { .. }
            | Change::Retract { .. }
            | Change::Settle { .. }
            | Change::Join { .. }
            | Change::Leave { .. }
            | Change::Reorg { .. } => None,
        })
    }

    /// Whether it says nothing: a heartbeat.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.advances.is_empty()
    }
}

impl Encode for Body {
    fn encode_to(&self, out: &mut Vec<u8>) {
        put_list(out, &self.changes);
        put_list(out, &self.advances);
    }
}

impl Decode for Body {
    const WHAT: &'static str = "body";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            changes: reader.list("changes", ROLLUPS_MAX)?,
            advances: reader.list("advances", ROLLUPS_MAX)?,
        })
    }
}
