//! Name the things that Hum signs, hashes and sends, and give each its one byte encoding.
//!
//! This crate does no I/O, knows no curve but secp256k1 (claims), and judges nothing: a decoded value is well formed,
//! not true. What was checked has another type ([`AuthenticClaim`]), made only by the check.
//!
//! ```text
//! ids ─▶ message ─▶ lane leaf ─▶ head part ─▶ rollup leaf ─▶ header ─▶ attestation digest
//!          tree (one Merkle tree for messages, lanes and rollups)
//! claim, retraction, evidence, roster ─▶ body ─▶ header
//! ```
//!
//! Invariants: every decoder is bounded and refuses trailing bytes; every encoding is canonical, so equal values have
//! equal bytes and the other way round. The layouts are drawn in `docs/protocol.md`.

mod body;
mod claim;
mod codec;
mod domain;
mod evidence;
mod header;
mod ids;
mod interop_address;
mod join;
mod judgement;
mod message;
mod rollup;
mod roster;
mod terms;
pub mod tree;

pub use body::{
    Advance, AdvancedBlock, BLOCKS_PER_ADVANCE_MAX, BODY_BYTES_MAX, Body, Change, MESSAGES_PER_BLOCK_MAX,
    ROLLUPS_MAX,
};
pub use claim::{
    AuthenticClaim, AuthenticRetraction, ClaimError, HeadClaim, Retraction, SequencerKey, SequencerSignature,
    SignedClaim, SignedRetraction,
};
pub use codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_list};
pub use domain::{Domain, Kind, SignedSubject};
pub use evidence::{Evidence, InvalidReason};
pub use header::{Checkpoint, HEADER_BYTES, Header, L1Origin};
pub use ids::{
    BlockRef, ChainId, Class, Confidence, Epoch, Generation, Height, LaneIndex, RegistrationId, RollupStatus,
    Stake, Term, TimeMs, TimeS,
};
pub use interop_address::{InteropAddress, InteropAddressError};
pub use join::{Join, PROFILE_BYTES_MAX, profile_spec_hash};
pub use judgement::{JUDGES_MAX, Judgement, JudgementBundle, bound_hash, messages_hash};
pub use message::{
    GAS_LIMIT_DEFAULT, LaneId, LaneMessage, LaneSlot, Message, PAYLOAD_BYTES_MAX, Rolling, message_leaf,
};
pub use rollup::{HeadPart, LaneLeaf, RollupLeaf};
pub use roster::{ENDPOINT_BYTES_MAX, Endpoint, EndpointError, ROSTER_ENTRIES_MAX, Roster, RosterEntry};
pub use terms::{TERM_HEIGHTS_MIN, Terms, TooShort};

pub use alloy_primitives::{Address, B256, Bytes, keccak256};

#[cfg(test)]
mod tests;
