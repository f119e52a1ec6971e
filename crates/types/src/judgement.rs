//! What judges sign of a block that nobody re-executes, and how two thirds of them stand in a body.

use crate::{
    B256, BlockRef, ChainId, Domain, Epoch, Generation, Height, Kind, LaneMessage, RegistrationId,
    SignedSubject, TimeMs,
    codec::{Decode, DecodeError, Encode, Reader, put_list},
    keccak256,
};
use alloy_primitives::FixedBytes;
use serde::{Deserialize, Serialize};

/// Judges that a rollup can have: as many as a committee has seats.
pub const JUDGES_MAX: usize = 256;

/// The hash under which a block is claimed, judged and certified when its stack's own hash does not bind its state: of
/// that hash and a commitment to the state. Nobody can then claim one hash for two states.
#[must_use]
pub fn bound_hash(block_hash: B256, state_commitment: B256) -> B256 {
    let mut bytes = b"hum/bound-block/1".to_vec();
    bytes.extend_from_slice(block_hash.as_slice());
    bytes.extend_from_slice(state_commitment.as_slice());
    keccak256(bytes)
}

/// Hash over a block's messages, in log order.
#[must_use]
pub fn messages_hash(messages: &[LaneMessage]) -> B256 {
    let mut bytes = Vec::new();
    put_list(&mut bytes, messages);
    keccak256(bytes)
}

/// "My own node of that stack has this block on that one, and it says this." A judge makes one for each generation and
/// number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Judgement {
    /// The rollup's chain.
    pub chain_id: ChainId,
    /// Its entry in the registry.
    pub registration: RegistrationId,
    /// The rollup's generation.
    pub generation: Generation,
    /// The block, by the hash that is claimed for it.
    pub block: BlockRef,
    /// The block below, by the hash that is certified.
    pub parent: B256,
    /// State root, or what stands for one where the stack's blocks have none.
    pub state_root: B256,
    /// Its time.
    pub time_ms: TimeMs,
    /// [`messages_hash`] of what it sent.
    pub messages: B256,
}

impl Judgement {
    /// What is signed about.
    #[must_use]
    pub fn subject(&self) -> B256 {
        let mut bytes = b"hum/judgement/1".to_vec();
        self.encode_to(&mut bytes);
        keccak256(bytes)
    }

    /// What a judge of the committee of `epoch` signs.
    #[must_use]
    pub fn statement(&self, domain: Domain, epoch: Epoch) -> SignedSubject {
        // The number stands where a height does: kinds never mix.
        let height = Height(self.block.number);
        SignedSubject { domain, kind: Kind::Verdict, epoch, height, subject: self.subject() }
    }
}

impl Encode for Judgement {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.chain_id.encode_to(out);
        out.extend_from_slice(self.registration.0.as_slice());
        self.generation.encode_to(out);
        self.block.encode_to(out);
        out.extend_from_slice(self.parent.as_slice());
        out.extend_from_slice(self.state_root.as_slice());
        self.time_ms.encode_to(out);
        out.extend_from_slice(self.messages.as_slice());
    }
}

impl Decode for Judgement {
    const WHAT: &'static str = "judgement";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            chain_id: ChainId::decode_from(reader)?,
            registration: RegistrationId(reader.b256("registration")?),
            generation: Generation::decode_from(reader)?,
            block: BlockRef::decode_from(reader)?,
            parent: reader.b256("parent")?,
            state_root: reader.b256("state root")?,
            time_ms: TimeMs::decode_from(reader)?,
            messages: reader.b256("messages")?,
        })
    }
}

/// Judges' signatures on one [`Judgement`]: `operators 2 ‖ bitmap ceil(operators / 8) ‖ signature 64`. Bytes only: this
/// crate knows no curve and no committee.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JudgementBundle {
    /// Seats of the committee.
    pub operators: u16,
    /// Who signed: seat `i` is bit `i % 8` of byte `i / 8`.
    pub bitmap: Vec<u8>,
    /// Sum of their signatures.
    pub signature: FixedBytes<64>,
}

impl Encode for JudgementBundle {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.operators.to_be_bytes());
        out.extend_from_slice(&self.bitmap);
        out.extend_from_slice(self.signature.as_slice());
    }
}

impl Decode for JudgementBundle {
    const WHAT: &'static str = "bundle of judgements";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let operators = reader.u16("operators")?;
        if usize::from(operators) > JUDGES_MAX {
            let (field, declared) = ("operators", operators.into());
            return Err(DecodeError::TooLong { field, declared, bound: JUDGES_MAX });
        }
        if operators == 0 {
            return Err(DecodeError::Value { field: "operators", value: 0 });
        }
        let bitmap = reader.take("bitmap", usize::from(operators).div_ceil(8))?.to_vec();
        let last = bitmap.last().copied().unwrap_or_default();
        if operators % 8 != 0 && last >> (operators % 8) != 0 {
            return Err(DecodeError::Malformed {
                field: "bitmap",
                reason: "has bits past the last operator",
            });
        }
        Ok(Self { operators, bitmap, signature: FixedBytes(reader.array("signature")?) })
    }
}

#[cfg(test)]
mod tests;
