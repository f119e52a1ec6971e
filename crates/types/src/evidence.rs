//! Why a rollup was set aside, in the checkpoint's body for all to read.

use crate::{
    SignedClaim,
    codec::{Decode, DecodeError, Encode, Reader},
};
use serde::{Deserialize, Serialize};

/// Which rule a block broke, as the operators judged it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum InvalidReason {
    /// The header breaks a rule that needs no execution.
    Header = 1,
    /// A transaction cannot be executed.
    Transaction = 2,
    /// The state root is not what execution gives.
    StateRoot = 3,
    /// The receipts root is not what execution gives.
    ReceiptsRoot = 4,
    /// The logs bloom is not what execution gives.
    LogsBloom = 5,
    /// Gas used is not what execution gives.
    GasUsed = 6,
    /// The requests hash is not what execution gives.
    RequestsHash = 7,
    /// A gateway logged what no gateway of ours can log.
    GatewayLog = 8,
}

impl std::fmt::Display for InvalidReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "a header rule is broken",
            Self::Transaction => "a transaction cannot be executed",
            Self::StateRoot => "wrong state root",
            Self::ReceiptsRoot => "wrong receipts root",
            Self::LogsBloom => "wrong logs bloom",
            Self::GasUsed => "wrong gas used",
            Self::RequestsHash => "wrong requests hash",
            Self::GatewayLog => "a gateway log that no gateway writes",
        })
    }
}

impl TryFrom<u8> for InvalidReason {
    type Error = DecodeError;

    fn try_from(value: u8) -> Result<Self, DecodeError> {
        Ok(match value {
            1 => Self::Header,
            2 => Self::Transaction,
            3 => Self::StateRoot,
            4 => Self::ReceiptsRoot,
            5 => Self::LogsBloom,
            6 => Self::GasUsed,
            7 => Self::RequestsHash,
            8 => Self::GatewayLog,
            _ => return Err(DecodeError::Value { field: "invalid reason", value: value.into() }),
        })
    }
}

/// Signed things that an honest sequencer cannot have signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fault")]
pub enum Evidence {
    /// Two claims for one number in one generation: whoever reads them needs no one's word.
    Equivocation {
        /// One of them.
        one: SignedClaim,
        /// The other.
        other: SignedClaim,
    },
    /// A claim for a block that breaks the rules: every operator that attests has found so itself.
    InvalidBlock {
        /// The claim.
        claim: SignedClaim,
        /// The rule that its block breaks.
        reason: InvalidReason,
    },
}

impl Encode for Evidence {
    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Equivocation { one, other } => {
                out.push(1);
                one.encode_to(out);
                other.encode_to(out);
            }
            Self::InvalidBlock { claim, reason } => {
                out.push(2);
                claim.encode_to(out);
                out.push(*reason as u8);
            }
        }
    }
}

impl Decode for Evidence {
    const WHAT: &'static str = "evidence";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("evidence tag")? {
            1 => Ok(Self::Equivocation {
                one: SignedClaim::decode_from(reader)?,
                other: SignedClaim::decode_from(reader)?,
            }),
            2 => Ok(Self::InvalidBlock {
                claim: SignedClaim::decode_from(reader)?,
                reason: InvalidReason::try_from(reader.u8("invalid reason")?)?,
            }),
            value => Err(DecodeError::Value { field: "evidence tag", value: value.into() }),
        }
    }
}
