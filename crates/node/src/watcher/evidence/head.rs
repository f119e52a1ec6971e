//! What an attested header says of a rollup's heads, and why that is false. Bytes as the judges take them:
//! `contracts/src/interfaces/IEvidence.sol`, `ILaneJudge.sol`.

use super::Fault;
use alloy_primitives::U256;
use hum_chain::{ProvenSlot, StateProof, StateProofError};
use hum_ledger::State;
use hum_types::{
    Address, B256, Bytes, ChainId, Confidence, Decode, DecodeError, Encode, Generation, HeadPart, Header,
    Height, LaneLeaf, Reader, RegistrationId, RollupLeaf, keccak256, put_bytes,
    tree::{self, Tree},
};

/// First byte of evidence of a settled head; other evidence begins with its fault's number, and that fault has two kinds.
pub(super) const SETTLED: u8 = 7;
/// Bytes of a rollup leaf as hashed.
const ROLLUP_BYTES: usize = 142;
/// Bytes of a lane leaf as hashed.
const LANE_BYTES: usize = 96;
/// Where the heads' hashes begin in a rollup leaf, 32 bytes each.
const HEADS_AT: usize = 46;
/// Siblings of a leaf, as contracts bound them.
const DEPTH_MAX: usize = 32;
/// Nodes from a trie's root to a leaf.
const NODES_MAX: usize = 66;
/// Bytes of a trie node, or of a block's header.
const NODE_BYTES_MAX: usize = 4_096;
/// Place of the state root and of the number in an Ethereum block header.
const STATE_ROOT: usize = 3;
const NUMBER: usize = 8;

/// Why a head is not false, or not the header's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The leaf's place is not in a tree of that depth.
    #[error("leaf index {index} is not in a tree of depth {depth}")]
    Index {
        /// The index.
        index: u32,
        /// Siblings that came with it.
        depth: usize,
    },
    /// The leaf is not under the header's, or the head's, root.
    #[error("the leaf leads to root {computed}, attested is {declared}")]
    Root {
        /// What was attested.
        declared: B256,
        /// What the leaf leads to.
        computed: B256,
    },
    /// The head is another one than the leaf's.
    #[error("the head hashes to {computed}, the leaf has {declared}")]
    Part {
        /// In the leaf.
        declared: B256,
        /// Hash of the head.
        computed: B256,
    },
    /// Whoever signed this header does not answer for the head.
    #[error("the head was advanced at height {advanced_at}, the header is of height {height}")]
    Inherited {
        /// When it was advanced.
        advanced_at: Height,
        /// Of the header.
        height: Height,
    },
    /// A `Latest` head is settled by nothing.
    #[error("a latest head is settled by nothing")]
    Unsettled,
    /// The block's header is another one.
    #[error("the block header hashes to {computed}, attested is {declared}")]
    Block {
        /// What was attested.
        declared: B256,
        /// Hash of the header.
        computed: B256,
    },
    /// The block's header cannot be read.
    #[error("the block header has no number or no state root")]
    BlockHeader,
    /// The head is its block's.
    #[error("number {number} and state root {state_root} are the block's")]
    Agrees {
        /// In both.
        number: u64,
        /// In both.
        state_root: B256,
    },
    /// The lane is what its slot says.
    #[error("the slot holds {0}, as attested")]
    SlotAgrees(B256),
    /// The lane had messages before anyone counted.
    #[error("the slot held {0} at the anchor")]
    NotEmptyAtAnchor(B256),
    /// The state is not proven.
    #[error(transparent)]
    State(#[from] StateProofError),
}

/// A leaf's way to its root.
fn root_of(leaf: B256, index: u32, siblings: &[B256]) -> Result<B256, HeadError> {
    let depth = siblings.len();
    if depth > DEPTH_MAX || u64::from(index) >> depth != 0 {
        return Err(HeadError::Index { index, depth });
    }
    let step = |(hash, index): (B256, u32), sibling: &B256| {
        let above = if index % 2 == 0 { tree::node(hash, *sibling) } else { tree::node(*sibling, hash) };
        (above, index / 2)
    };
    Ok(siblings.iter().fold((leaf, index), step).0)
}

fn put_place(out: &mut Vec<u8>, index: u32, siblings: &[B256]) {
    out.extend_from_slice(&index.to_be_bytes());
    out.push(u8::try_from(siblings.len()).unwrap_or(u8::MAX));
    siblings.iter().for_each(|sibling| out.extend_from_slice(sibling.as_slice()));
}

fn place(reader: &mut Reader<'_>) -> Result<(u32, Vec<B256>), DecodeError> {
    let index = reader.u32("leaf index")?;
    let depth = reader.u8("siblings")?;
    if usize::from(depth) > DEPTH_MAX {
        return Err(DecodeError::Value { field: "siblings", value: depth.into() });
    }
    let siblings = (0..depth).map(|_| reader.b256("sibling")).collect::<Result<_, _>>()?;
    Ok((index, siblings))
}

/// Where a leaf stands among these, and its siblings.
fn placed(leaves: impl Iterator<Item = B256>, index: usize) -> Option<(u32, Vec<B256>)> {
    let mut tree = Tree::default();
    leaves.for_each(|leaf| tree.push(leaf));
    let siblings = tree.prove(tree.count(), index as u64, 1).ok()?;
    Some((u32::try_from(index).ok()?, siblings))
}

/// What a header says of one of a rollup's heads: `leaf 142 ‖ index 4 ‖ d 1 ‖ siblings 32·d ‖ head part 112`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadStatement {
    pub(in crate::watcher) leaf: [u8; ROLLUP_BYTES],
    pub(in crate::watcher) index: u32,
    pub(in crate::watcher) siblings: Vec<B256>,
    /// The head.
    pub part: HeadPart,
}

impl HeadStatement {
    /// What the header of this state says of a member's head.
    #[must_use]
    pub fn of(state: &State, chain_id: ChainId, confidence: Confidence) -> Option<Self> {
        let leaves = state.leaves();
        let at = leaves.iter().position(|leaf| leaf.chain_id == chain_id)?;
        let own = leaves.get(at)?;
        let leaf = own.preimage().try_into().ok()?;
        let (index, siblings) = placed(leaves.iter().map(RollupLeaf::hash), at)?;
        Some(Self { leaf, index, siblings, part: *own.head(confidence) })
    }

    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.leaf[at..at + N]);
        bytes
    }

    /// The chain.
    #[must_use]
    pub fn chain_id(&self) -> ChainId {
        ChainId(u64::from_be_bytes(self.field(0)))
    }

    /// Its entry in the registry.
    #[must_use]
    pub fn registration(&self) -> RegistrationId {
        RegistrationId(B256::new(self.field(8)))
    }

    /// The generation of its `Latest` head.
    #[must_use]
    pub fn generation(&self) -> Generation {
        Generation(u32::from_be_bytes(self.field(40)))
    }

    /// What a challenge of this head is about.
    #[must_use]
    pub fn subject(&self) -> B256 {
        let mut bytes = Vec::with_capacity(84);
        self.chain_id().encode_to(&mut bytes);
        bytes.extend_from_slice(self.registration().0.as_slice());
        self.generation().encode_to(&mut bytes);
        self.part.block.encode_to(&mut bytes);
        keccak256(bytes)
    }

    /// Check that the header says this of its head of that confidence, and that whoever signed it answers for it.
    pub fn check(&self, header: &Header, confidence: Confidence) -> Result<(), HeadError> {
        let computed = root_of(keccak256(self.leaf), self.index, &self.siblings)?;
        let declared = header.rollups_root;
        if computed != declared {
            return Err(HeadError::Root { declared, computed });
        }
        let (declared, computed) =
            (B256::new(self.field(HEADS_AT + 32 * confidence as usize)), self.part.hash());
        if computed != declared {
            return Err(HeadError::Part { declared, computed });
        }
        let (advanced_at, height) = (self.part.advanced_at, header.height);
        if advanced_at == height { Ok(()) } else { Err(HeadError::Inherited { advanced_at, height }) }
    }
}

impl Encode for HeadStatement {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.leaf);
        put_place(out, self.index, &self.siblings);
        self.part.encode_to(out);
    }
}

impl Decode for HeadStatement {
    const WHAT: &'static str = "statement of a head";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let leaf = reader.array("rollup leaf")?;
        let (index, siblings) = place(reader)?;
        Ok(Self { leaf, index, siblings, part: HeadPart::decode_from(reader)? })
    }
}

/// What a head says of a lane: `leaf 96 ‖ index 4 ‖ d 1 ‖ siblings 32·d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStatement {
    pub(in crate::watcher) leaf: [u8; LANE_BYTES],
    index: u32,
    siblings: Vec<B256>,
}

impl LaneStatement {
    /// The lane at `at` among all lanes of the façade.
    #[must_use]
    pub fn of(lanes: &[LaneLeaf], at: usize) -> Option<Self> {
        let leaf = lanes.get(at)?.encode().try_into().ok()?;
        let (index, siblings) = placed(lanes.iter().map(LaneLeaf::hash), at)?;
        Some(Self { leaf, index, siblings })
    }

    /// The façade.
    #[must_use]
    pub fn facade(&self) -> Address {
        Address::from_slice(&self.leaf[..20])
    }

    /// Where its messages go.
    #[must_use]
    pub fn destination(&self) -> ChainId {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.leaf[20..28]);
        ChainId(u64::from_be_bytes(bytes))
    }

    /// The façade's slot for it.
    #[must_use]
    pub fn slot(&self) -> B256 {
        lane_slot(self.destination())
    }

    /// What that slot would hold.
    #[must_use]
    pub fn word(&self) -> B256 {
        B256::from_slice(&self.leaf[32..64])
    }

    /// Hash of the leaf.
    #[must_use]
    pub fn leaf_hash(&self) -> B256 {
        keccak256(self.leaf)
    }
}

impl Encode for LaneStatement {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.leaf);
        put_place(out, self.index, &self.siblings);
    }
}

impl Decode for LaneStatement {
    const WHAT: &'static str = "statement of a lane";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let leaf = reader.array("lane leaf")?;
        let (index, siblings) = place(reader)?;
        Ok(Self { leaf, index, siblings })
    }
}

/// The slot of a lane in its façade: a mapping at slot 0, by destination.
#[must_use]
pub(crate) fn lane_slot(destination: ChainId) -> B256 {
    let mut bytes = [0_u8; 64];
    bytes[24..32].copy_from_slice(&destination.0.to_be_bytes());
    keccak256(bytes)
}

/// A storage word, with the trie nodes that prove it under a state root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WordProof {
    /// What the slot holds.
    pub word: B256,
    /// Nodes that lead to the account.
    pub account: Vec<Bytes>,
    /// Nodes that lead to the slot.
    pub storage: Vec<Bytes>,
}

impl WordProof {
    /// A lane's slot as far as it tells of messages. Its highest bit says whether the lane is closed: the gateway's owner sets it,
    /// at any time.
    #[must_use]
    pub fn lane(&self) -> B256 {
        let mut lane = self.word;
        lane.0[0] &= 0x7f;
        lane
    }

    fn check(&self, state_root: B256, account: Address, slot: B256) -> Result<(), HeadError> {
        let proven = ProvenSlot { slot, word: self.word, nodes: self.storage.clone() };
        let proof = StateProof { account, nodes: self.account.clone(), slots: vec![proven] };
        Ok(proof.check(state_root)?)
    }
}

fn put_nodes(out: &mut Vec<u8>, nodes: &[Bytes]) {
    out.push(u8::try_from(nodes.len()).unwrap_or(u8::MAX));
    nodes.iter().for_each(|node| put_bytes(out, node));
}

fn nodes(reader: &mut Reader<'_>) -> Result<Vec<Bytes>, DecodeError> {
    let count = reader.u8("nodes")?;
    if usize::from(count) > NODES_MAX {
        return Err(DecodeError::Value { field: "nodes", value: count.into() });
    }
    (0..count).map(|_| reader.bytes("node", NODE_BYTES_MAX)).collect()
}

impl Encode for WordProof {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.word.as_slice());
        put_nodes(out, &self.account);
        put_nodes(out, &self.storage);
    }
}

impl Decode for WordProof {
    const WHAT: &'static str = "proof of a word";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { word: reader.b256("word")?, account: nodes(reader)?, storage: nodes(reader)? })
    }
}

/// What shows that a lane is false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneCharge {
    /// The lane as attested.
    pub lane: LaneStatement,
    /// Its slot under the attested state root.
    pub slot: WordProof,
    /// Header, RLP, of the registration's anchor block.
    pub anchor: Bytes,
    /// The slot there: zero.
    pub at_anchor: WordProof,
}

/// Why an attested head is false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Charge {
    /// No claim of the sequencer's was found.
    NoClaim,
    /// A lane is not what its slot holds.
    Lane(Box<LaneCharge>),
    /// Number or state root are not the block's.
    StateRoot {
        /// The block's header, RLP.
        block_header: Bytes,
    },
    /// L1 had no batch that ends at this head, at the header's origin.
    Settled {
        /// `Safe` or `Finalized`.
        confidence: Confidence,
    },
}

impl Charge {
    /// The rule that was broken.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::NoClaim => Fault::NoClaim,
            Self::Lane(_) => Fault::Lane,
            Self::StateRoot { .. } => Fault::StateRoot,
            Self::Settled { .. } => Fault::Settlement,
        }
    }

    /// Which of a rollup's heads it is about.
    #[must_use]
    pub const fn confidence(&self) -> Confidence {
        match self {
            Self::NoClaim | Self::Lane(_) | Self::StateRoot { .. } => Confidence::Latest,
            Self::Settled { confidence } => *confidence,
        }
    }

    /// Check that it is a fault of this head.
    pub fn check(&self, head: &HeadStatement) -> Result<(), HeadError> {
        match self {
            Self::NoClaim => Ok(()),
            Self::Settled { confidence: Confidence::Latest } => Err(HeadError::Unsettled),
            Self::Settled { .. } => Ok(()),
            Self::Lane(charge) => charge.check(&head.part),
            Self::StateRoot { block_header } => {
                let (declared, computed) = (head.part.block.hash, keccak256(block_header));
                if declared != computed {
                    return Err(HeadError::Block { declared, computed });
                }
                let (number, state_root) = header_fields(block_header).ok_or(HeadError::BlockHeader)?;
                if (number, state_root) == (head.part.block.number, head.part.state_root) {
                    return Err(HeadError::Agrees { number, state_root });
                }
                Ok(())
            }
        }
    }

    /// The charge of this fault.
    pub(super) fn decode_as(fault: u8, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match fault {
            3 => Self::NoClaim,
            4 => Self::Lane(Box::new(LaneCharge {
                lane: LaneStatement::decode_from(reader)?,
                slot: WordProof::decode_from(reader)?,
                anchor: reader.bytes("anchor header", NODE_BYTES_MAX)?,
                at_anchor: WordProof::decode_from(reader)?,
            })),
            SETTLED => Self::Settled { confidence: Confidence::decode_from(reader)? },
            6 => Self::StateRoot { block_header: reader.bytes("block header", NODE_BYTES_MAX)? },
            value => return Err(DecodeError::Value { field: "charge", value: value.into() }),
        })
    }
}

impl Encode for Charge {
    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::NoClaim => {}
            Self::Lane(charge) => {
                charge.lane.encode_to(out);
                charge.slot.encode_to(out);
                put_bytes(out, &charge.anchor);
                charge.at_anchor.encode_to(out);
            }
            Self::StateRoot { block_header } => put_bytes(out, block_header),
            Self::Settled { confidence } => confidence.encode_to(out),
        }
    }
}

impl LaneCharge {
    fn check(&self, head: &HeadPart) -> Result<(), HeadError> {
        let lane = &self.lane;
        let computed = root_of(lane.leaf_hash(), lane.index, &lane.siblings)?;
        let declared = head.lanes_root;
        if computed != declared {
            return Err(HeadError::Root { declared, computed });
        }
        self.slot.check(head.state_root, lane.facade(), lane.slot())?;
        if self.slot.lane() == lane.word() {
            return Err(HeadError::SlotAgrees(self.slot.word));
        }
        let (_, anchor_root) = header_fields(&self.anchor).ok_or(HeadError::BlockHeader)?;
        self.at_anchor.check(anchor_root, lane.facade(), lane.slot())?;
        if self.at_anchor.lane() != B256::ZERO {
            return Err(HeadError::NotEmptyAtAnchor(self.at_anchor.word));
        }
        Ok(())
    }
}

/// Number and state root in a block header's RLP.
pub(crate) fn header_fields(mut rlp: &[u8]) -> Option<(u64, B256)> {
    let mut payload = alloy_rlp::Header::decode_bytes(&mut rlp, true).ok()?;
    let mut fields = Vec::new();
    while !payload.is_empty() && fields.len() <= NUMBER {
        fields.push(alloy_rlp::Header::decode_bytes(&mut payload, false).ok()?);
    }
    let state_root = B256::try_from(*fields.get(STATE_ROOT)?).ok()?;
    let number = U256::try_from_be_slice(fields.get(NUMBER)?)?;
    Some((u64::try_from(number).ok()?, state_root))
}

/// The header at the front of a block's RLP.
pub(crate) fn header_of(mut block: &[u8]) -> Option<Bytes> {
    let payload = alloy_rlp::Header::decode_bytes(&mut block, true).ok()?;
    let mut rest = payload;
    alloy_rlp::Header::decode_bytes(&mut rest, true).ok()?;
    let length = payload.len() - rest.len();
    Some(Bytes::copy_from_slice(payload.get(..length)?))
}

#[cfg(test)]
mod tests;
