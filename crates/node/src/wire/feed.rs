//! News for whoever follows an operator: relayers, publishers, watchers.

use hum_bls::Certificate;
use hum_types::{Checkpoint, Decode, DecodeError, Encode, Reader};

/// How long an operator remembers a follower after its last request, in milliseconds.
pub const FOLLOW_LEASE_MS: u64 = 15_000;

/// What a follower says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedRequest {
    /// Send me what happens for the next [`FOLLOW_LEASE_MS`]. Said again in time it goes on. What happened before is
    /// fetched, not fed.
    Follow,
}

impl Encode for FeedRequest {
    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Follow => out.push(1),
        }
    }
}

impl Decode for FeedRequest {
    const WHAT: &'static str = "feed request";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("feed request tag")? {
            1 => Ok(Self::Follow),
            value => Err(DecodeError::Value { field: "feed request tag", value: value.into() }),
        }
    }
}

/// What an operator says. Neither is to be believed before a certificate that covers it has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedEvent {
    /// A checkpoint was finalised.
    Finalised(Checkpoint),
    /// A header has a certificate, or a fuller one than before.
    Certified(Certificate),
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
        }
    }
}

impl Decode for FeedEvent {
    const WHAT: &'static str = "feed event";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("feed event tag")? {
            1 => Self::Finalised(Checkpoint::decode_from(reader)?),
            2 => Self::Certified(Certificate::decode_from(reader)?),
            value => return Err(DecodeError::Value { field: "feed event tag", value: value.into() }),
        })
    }
}
