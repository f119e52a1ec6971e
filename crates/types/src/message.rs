//! A message, its place in a lane, and the two hashes that stand for it.

use crate::{
    Address, B256, Bytes, ChainId, Generation, LaneIndex,
    codec::{Decode, DecodeError, Encode, Reader, put_bytes},
    keccak256,
};
use serde::{Deserialize, Serialize};

/// The longest payload, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024;

/// Gas that a recipient gets when the sender asks for nothing else.
pub const GAS_LIMIT_DEFAULT: u32 = 200_000;

/// What a sender contract asks to be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// The contract that called `sendMessage`.
    pub sender: Address,
    /// The contract that will be called.
    pub recipient: Address,
    /// Gas that the recipient gets, no more and no less.
    pub min_gas_limit: u32,
    /// What the recipient is called with, at most [`PAYLOAD_BYTES_MAX`].
    pub payload: Bytes,
}

impl Message {
    /// `H(sender ‖ recipient ‖ min_gas_limit ‖ payload)`.
    #[must_use]
    pub fn hash(&self) -> B256 {
        let mut bytes = Vec::with_capacity(44 + self.payload.len());
        bytes.extend_from_slice(self.sender.as_slice());
        bytes.extend_from_slice(self.recipient.as_slice());
        bytes.extend_from_slice(&self.min_gas_limit.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        keccak256(bytes)
    }
}

impl Encode for Message {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.sender.as_slice());
        out.extend_from_slice(self.recipient.as_slice());
        out.extend_from_slice(&self.min_gas_limit.to_be_bytes());
        put_bytes(out, &self.payload);
    }
}

impl Decode for Message {
    const WHAT: &'static str = "message";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            sender: reader.address("sender")?,
            recipient: reader.address("recipient")?,
            min_gas_limit: reader.u32("min gas limit")?,
            payload: reader.bytes("payload", PAYLOAD_BYTES_MAX)?,
        })
    }
}

/// A lane, seen from its source chain: which façade sends, to which chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LaneId {
    /// The gateway façade, at this address on both sides.
    pub facade: Address,
    /// The chain it sends to.
    pub destination: ChainId,
}

impl LaneId {
    /// `sendId` and `receiveId` of the message at `index`; the same in every generation.
    #[must_use]
    pub fn message_id(&self, source: ChainId, index: LaneIndex, message_hash: B256) -> B256 {
        let mut bytes = [0_u8; 76];
        bytes[..8].copy_from_slice(&source.0.to_be_bytes());
        bytes[8..28].copy_from_slice(self.facade.as_slice());
        bytes[28..36].copy_from_slice(&self.destination.0.to_be_bytes());
        bytes[36..44].copy_from_slice(&index.0.to_be_bytes());
        bytes[44..].copy_from_slice(message_hash.as_slice());
        keccak256(bytes)
    }
}

/// A message as a block's receipts show it: the lane it entered, and the message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LaneMessage {
    /// The lane.
    pub lane: LaneId,
    /// The message.
    pub message: Message,
}

impl Encode for LaneMessage {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.lane.facade.as_slice());
        self.lane.destination.encode_to(out);
        self.message.encode_to(out);
    }
}

impl Decode for LaneMessage {
    const WHAT: &'static str = "lane message";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let lane = LaneId { facade: reader.address("facade")?, destination: ChainId::decode_from(reader)? };
        Ok(Self { lane, message: Message::decode_from(reader)? })
    }
}

/// The first 24 bytes of the hash chain over a lane's messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rolling(pub [u8; 24]);

/// What a gateway keeps of a lane: one storage slot, `count 8 ‖ rolling 24`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LaneSlot {
    /// Messages sent so far.
    pub count: u64,
    /// Hash chain over their hashes.
    pub rolling: Rolling,
}

impl LaneSlot {
    /// The slot after one more message; `None` after 2⁶⁴ of them.
    #[must_use]
    pub fn push(&self, message_hash: B256) -> Option<Self> {
        let mut bytes = [0_u8; 56];
        bytes[..24].copy_from_slice(&self.rolling.0);
        bytes[24..].copy_from_slice(message_hash.as_slice());
        let mut rolling = [0_u8; 24];
        rolling.copy_from_slice(&keccak256(bytes)[..24]);
        Some(Self { count: self.count.checked_add(1)?, rolling: Rolling(rolling) })
    }

    /// The 32 bytes of the storage slot.
    #[must_use]
    pub fn to_word(&self) -> B256 {
        let mut word = [0_u8; 32];
        word[..8].copy_from_slice(&self.count.to_be_bytes());
        word[8..].copy_from_slice(&self.rolling.0);
        B256::new(word)
    }
}

/// A message's leaf in its lane's tree: `H(generation ‖ index ‖ message hash)`.
#[must_use]
pub fn message_leaf(generation: Generation, index: LaneIndex, message_hash: B256) -> B256 {
    let mut bytes = [0_u8; 44];
    bytes[..4].copy_from_slice(&generation.0.to_be_bytes());
    bytes[4..12].copy_from_slice(&index.0.to_be_bytes());
    bytes[12..].copy_from_slice(message_hash.as_slice());
    keccak256(bytes)
}
