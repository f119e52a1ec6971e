//! Among operators.

use hum_bls::{Attestation, Certificate, SignedJudgement};
use hum_types::{ChainId, Decode, DecodeError, Encode, ROLLUPS_MAX, Reader, put_list};

/// Attestations, or judgements, that one message can carry: an operator says one a height, or one a block, and repeats the
/// last few that are not certified.
pub const GOSSIP_BATCH_MAX: usize = 16;

/// What operators tell each other beside consensus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gossip {
    /// The sender's own attestations.
    Attestations(Vec<Attestation>),
    /// A certificate, for one that keeps repeating an attestation of a certified height.
    Certificate(Box<Certificate>),
    /// The sender's own judgements of rollups that nobody re-executes.
    Judgements(Vec<SignedJudgement>),
    /// To the proposer: the data of these rollups' blocks keep the sender from voting in this view.
    Stalled {
        /// The view.
        view: u64,
        /// The rollups.
        chains: Vec<ChainId>,
    },
}

impl Encode for Gossip {
    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Attestations(attestations) => {
                out.push(1);
                put_list(out, attestations);
            }
            Self::Certificate(certificate) => {
                out.push(2);
                certificate.encode_to(out);
            }
            Self::Stalled { view, chains } => {
                out.push(3);
                out.extend_from_slice(&view.to_be_bytes());
                put_list(out, chains);
            }
            Self::Judgements(judgements) => {
                out.push(4);
                put_list(out, judgements);
            }
        }
    }
}

impl Decode for Gossip {
    const WHAT: &'static str = "gossip";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("gossip tag")? {
            1 => Self::Attestations(reader.list("attestations", GOSSIP_BATCH_MAX)?),
            2 => Self::Certificate(Box::new(Certificate::decode_from(reader)?)),
            3 => Self::Stalled { view: reader.u64("view")?, chains: reader.list("chains", ROLLUPS_MAX)? },
            4 => Self::Judgements(reader.list("judgements", GOSSIP_BATCH_MAX)?),
            value => return Err(DecodeError::Value { field: "gossip tag", value: value.into() }),
        })
    }
}
