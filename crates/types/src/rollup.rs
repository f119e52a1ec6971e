//! What a header commits to for each rollup.

use crate::{
    B256, BlockRef, ChainId, Class, Confidence, Generation, Height, LaneId, LaneSlot, RegistrationId,
    RollupStatus,
    codec::{Decode, DecodeError, Encode, Reader},
    keccak256,
};
use serde::{Deserialize, Serialize};

/// One lane as a header commits to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneLeaf {
    /// The lane.
    pub lane: LaneId,
    /// The newest generation that the lane may hold messages of: the source's at the height that moved the lane's head.
    pub generation: Generation,
    /// Count and rolling hash, as the source chain's slot holds them.
    pub slot: LaneSlot,
    /// Root of the tree over the lane's message leaves.
    pub root: B256,
}

impl LaneLeaf {
    /// The leaf in the lanes tree.
    #[must_use]
    pub fn hash(&self) -> B256 {
        keccak256(self.encode())
    }
}

impl Encode for LaneLeaf {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.lane.facade.as_slice());
        self.lane.destination.encode_to(out);
        self.generation.encode_to(out);
        out.extend_from_slice(self.slot.to_word().as_slice());
        out.extend_from_slice(self.root.as_slice());
    }
}

/// A head at one confidence, with the lanes that it carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadPart {
    /// The head; number 0 and a zero hash while none is settled.
    pub block: BlockRef,
    /// Its state root.
    pub state_root: B256,
    /// The height that advanced it: whoever attested that height answers for it.
    pub advanced_at: Height,
    /// Root over the lanes of this confidence's façade.
    pub lanes_root: B256,
}

impl HeadPart {
    /// The part's hash in the rollup leaf.
    #[must_use]
    pub fn hash(&self) -> B256 {
        keccak256(self.encode())
    }
}

impl Encode for HeadPart {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.block.encode_to(out);
        out.extend_from_slice(self.state_root.as_slice());
        self.advanced_at.encode_to(out);
        out.extend_from_slice(self.lanes_root.as_slice());
    }
}

impl Decode for HeadPart {
    const WHAT: &'static str = "head part";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            block: BlockRef::decode_from(reader)?,
            state_root: reader.b256("state root")?,
            advanced_at: Height::decode_from(reader)?,
            lanes_root: reader.b256("lanes root")?,
        })
    }
}

/// A rollup as a header commits to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupLeaf {
    /// The chain.
    pub chain_id: ChainId,
    /// Its entry in the registry.
    pub registration: RegistrationId,
    /// The generation of its `Latest` head.
    pub generation: Generation,
    /// Whether its messages are accepted at `Latest`.
    pub status: RollupStatus,
    /// How operators know its heads.
    pub class: Class,
    /// Heads, in the order of [`Confidence::ALL`].
    pub heads: [HeadPart; 3],
}

impl RollupLeaf {
    /// The leaf in the rollups tree.
    #[must_use]
    pub fn hash(&self) -> B256 {
        keccak256(self.preimage())
    }

    /// The head of a confidence.
    #[must_use]
    pub const fn head(&self, confidence: Confidence) -> &HeadPart {
        &self.heads[confidence as usize]
    }

    /// The 142 bytes that are hashed: what a contract needs beside one head part to rebuild the leaf.
    #[must_use]
    pub fn preimage(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(142);
        self.chain_id.encode_to(&mut out);
        out.extend_from_slice(self.registration.0.as_slice());
        self.generation.encode_to(&mut out);
        self.status.encode_to(&mut out);
        self.class.encode_to(&mut out);
        for head in &self.heads {
            out.extend_from_slice(head.hash().as_slice());
        }
        out
    }
}
