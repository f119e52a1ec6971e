//! News for whoever follows an operator: relayers, publishers, watchers.

use hum_bls::{Attestation, Certificate};
use hum_types::{Checkpoint, Decode, DecodeError, Encode, Reader, SignedClaim, put_list};

/// How long an operator remembers a follower after its last request, in milliseconds.
pub const FOLLOW_LEASE_MS: u64 = 15_000;

/// Signed things that one event for watchers can carry.
pub const WATCH_BATCH_MAX: usize = 128;

/// What a follower says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedRequest {
    /// Send me what happens for the next [`FOLLOW_LEASE_MS`]. Said again in time it goes on. What happened before is
    /// fetched, not fed.
    Follow,
    /// The same, and every attestation and claim beside it, contradicting ones too. From watchers of the network file
    /// only; from others it means [`Self::Follow`].
    Watch,
}

impl Encode for FeedRequest {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Follow => 1,
            Self::Watch => 2,
        });
    }
}

impl Decode for FeedRequest {
    const WHAT: &'static str = "feed request";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("feed request tag")? {
            1 => Ok(Self::Follow),
            2 => Ok(Self::Watch),
            value => Err(DecodeError::Value { field: "feed request tag", value: value.into() }),
        }
    }
}

/// What an operator says. Nothing of it is to be believed for that: a checkpoint needs a certificate that covers it, and
/// the others their signatures checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedEvent {
    /// A checkpoint was finalised.
    Finalised(Checkpoint),
    /// A header has a certificate, or a fuller one than before.
    Certified(Certificate),
    /// Attestations that the operator made or received, as they came; at most [`WATCH_BATCH_MAX`].
    Attested(Vec<Attestation>),
    /// Claims that the operator took, and those that contradict them; at most [`WATCH_BATCH_MAX`].
    Claimed(Vec<SignedClaim>),
}

impl Encode for FeedEvent {
    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Finalised(checkpoint) => {
                out.push(1);
                checkpoint.encode_to(out);
            }
            Self::Certified(certificate) => {
                out.push(2);
                certificate.encode_to(out);
            }
            Self::Attested(attestations) => {
                out.push(3);
                put_list(out, attestations);
            }
            Self::Claimed(claims) => {
                out.push(4);
                put_list(out, claims);
            }
        }
    }
}

impl Decode for FeedEvent {
    const WHAT: &'static str = "feed event";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("feed event tag")? {
            1 => Self::Finalised(Checkpoint::decode_from(reader)?),
            2 => Self::Certified(Certificate::decode_from(reader)?),
            3 => Self::Attested(reader.list("attestations", WATCH_BATCH_MAX)?),
            4 => Self::Claimed(reader.list("claims", WATCH_BATCH_MAX)?),
            value => return Err(DecodeError::Value { field: "feed event tag", value: value.into() }),
        })
    }
}
