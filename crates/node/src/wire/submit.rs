//! Between a publisher and an operator.

use hum_types::{
    BlockRef, Bytes, ChainId, Decode, DecodeError, Encode, Generation, Height, Reader, RollupStatus,
    SignedClaim, SignedRetraction, put_bytes,
};

/// Most bytes of an encoded [`Submission`]: what one network message carries, less its tags.
pub const SUBMISSION_BYTES_MAX: usize = hum_consensus::MAX_MESSAGE - 1024;

/// A claim with all that is needed to judge its block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The sequencer's claim.
    pub claim: SignedClaim,
    /// The whole block, RLP.
    pub block: Bytes,
    /// The witness, as `hum_verify::Witness::encode` writes it.
    pub witness: Bytes,
}

impl Submission {
    /// Bytes that it holds in memory, near enough for budgets.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.block.len() + self.witness.len() + 256
    }

    /// Whether it fits in a message.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.byte_len() <= SUBMISSION_BYTES_MAX
    }
}

impl Encode for Submission {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.claim.encode_to(out);
        put_bytes(out, &self.block);
        put_bytes(out, &self.witness);
    }
}

impl Decode for Submission {
    const WHAT: &'static str = "submission";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            claim: SignedClaim::decode_from(reader)?,
            block: reader.bytes("block", SUBMISSION_BYTES_MAX)?,
            witness: reader.bytes("witness", SUBMISSION_BYTES_MAX)?,
        })
    }
}

/// What a publisher says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublisherMessage {
    /// Here is a block.
    Submit(Submission),
    /// The sequencer takes blocks back.
    Retract(SignedRetraction),
    /// How far are you with this rollup? Answered with [`PublisherReply::Status`].
    Ask {
        /// The rollup.
        chain_id: ChainId,
    },
}

impl Encode for PublisherMessage {
    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Submit(submission) => {
                out.push(1);
                submission.encode_to(out);
            }
            Self::Retract(retraction) => {
                out.push(2);
                retraction.encode_to(out);
            }
            Self::Ask { chain_id } => {
                out.push(3);
                chain_id.encode_to(out);
            }
        }
    }
}

impl Decode for PublisherMessage {
    const WHAT: &'static str = "publisher message";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("publisher message tag")? {
            1 => Self::Submit(Submission::decode_from(reader)?),
            2 => Self::Retract(SignedRetraction::decode_from(reader)?),
            3 => Self::Ask { chain_id: ChainId::decode_from(reader)? },
            value => return Err(DecodeError::Value { field: "publisher message tag", value: value.into() }),
        })
    }
}

/// Why an operator does not take a submission or a retraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RefusalKind {
    /// No such member.
    UnknownRollup = 1,
    /// The registration is another one.
    Registration = 2,
    /// Not signed by the rollup's sequencer.
    Signature = 3,
    /// The generation is neither the present one nor the next.
    Generation = 4,
    /// That number is finalised already.
    Settled = 5,
    /// Too far above the finalised head: send what is below first.
    TooFarAhead = 6,
    /// Too large for this rollup's budget.
    TooLarge = 7,
    /// Another claim for that number stands in this generation: both are evidence now.
    Equivocation = 8,
    /// The block kept by a retraction is not certified here (yet).
    Kept = 9,
    /// The rollup is set aside in this generation.
    Quarantined = 10,
    /// The block's bytes do not begin with the claimed header.
    Malformed = 11,
    /// Whoever sent it is not the rollup's publisher.
    Stranger = 12,
    /// Too much at once from this publisher: send it again later.
    Busy = 13,
}

impl TryFrom<u8> for RefusalKind {
    type Error = DecodeError;

    fn try_from(value: u8) -> Result<Self, DecodeError> {
        Ok(match value {
            1 => Self::UnknownRollup,
            2 => Self::Registration,
            3 => Self::Signature,
            4 => Self::Generation,
            5 => Self::Settled,
            6 => Self::TooFarAhead,
            7 => Self::TooLarge,
            8 => Self::Equivocation,
            9 => Self::Kept,
            10 => Self::Quarantined,
            11 => Self::Malformed,
            12 => Self::Stranger,
            13 => Self::Busy,
            _ => return Err(DecodeError::Value { field: "refusal", value: value.into() }),
        })
    }
}

/// How far an operator is with a rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublisherStatus {
    /// The rollup.
    pub chain_id: ChainId,
    /// Its generation in the newest finalised checkpoint.
    pub generation: Generation,
    /// Its standing there.
    pub status: RollupStatus,
    /// Its `Latest` head there.
    pub head: BlockRef,
    /// The newest finalised height.
    pub height: Height,
    /// The highest block held without a gap above `head`; `head` itself when none is.
    pub held: BlockRef,
}

impl Encode for PublisherStatus {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.chain_id.encode_to(out);
        self.generation.encode_to(out);
        self.status.encode_to(out);
        self.head.encode_to(out);
        self.height.encode_to(out);
        self.held.encode_to(out);
    }
}

impl Decode for PublisherStatus {
    const WHAT: &'static str = "publisher status";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            chain_id: ChainId::decode_from(reader)?,
            generation: Generation::decode_from(reader)?,
            status: RollupStatus::decode_from(reader)?,
            head: BlockRef::decode_from(reader)?,
            height: Height::decode_from(reader)?,
            held: BlockRef::decode_from(reader)?,
        })
    }
}

/// What an operator answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublisherReply {
    /// The submission was taken and waits for its verdict.
    Accepted {
        /// The rollup.
        chain_id: ChainId,
        /// The claim's generation.
        generation: Generation,
        /// The claim's block.
        block: BlockRef,
    },
    /// The submission or retraction was not taken.
    Refused {
        /// The rollup.
        chain_id: ChainId,
        /// The generation that it named.
        generation: Generation,
        /// The block that it named.
        block: BlockRef,
        /// Why.
        kind: RefusalKind,
    },
    /// How far this operator is.
    Status(PublisherStatus),
    /// The block or its witness did not do: send this one again.
    Wanted {
        /// The rollup.
        chain_id: ChainId,
        /// The block.
        block: BlockRef,
    },
    /// The retraction was taken and waits for a checkpoint.
    Retracting {
        /// The rollup.
        chain_id: ChainId,
        /// The generation that it opens.
        generation: Generation,
    },
}

impl Encode for PublisherReply {
    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Accepted { chain_id, generation, block } => {
                out.push(1);
                chain_id.encode_to(out);
                generation.encode_to(out);
                block.encode_to(out);
            }
            Self::Refused { chain_id, generation, block, kind } => {
                out.push(2);
                chain_id.encode_to(out);
                generation.encode_to(out);
                block.encode_to(out);
                out.push(*kind as u8);
            }
            Self::Status(status) => {
                out.push(3);
                status.encode_to(out);
            }
            Self::Wanted { chain_id, block } => {
                out.push(4);
                chain_id.encode_to(out);
                block.encode_to(out);
            }
            Self::Retracting { chain_id, generation } => {
                out.push(5);
                chain_id.encode_to(out);
                generation.encode_to(out);
            }
        }
    }
}

impl Decode for PublisherReply {
    const WHAT: &'static str = "publisher reply";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("publisher reply tag")? {
            1 => Self::Accepted {
                chain_id: ChainId::decode_from(reader)?,
                generation: Generation::decode_from(reader)?,
                block: BlockRef::decode_from(reader)?,
            },
            2 => Self::Refused {
                chain_id: ChainId::decode_from(reader)?,
                generation: Generation::decode_from(reader)?,
                block: BlockRef::decode_from(reader)?,
                kind: RefusalKind::try_from(reader.u8("refusal")?)?,
            },
            3 => Self::Status(PublisherStatus::decode_from(reader)?),
            4 => Self::Wanted {
                chain_id: ChainId::decode_from(reader)?,
                block: BlockRef::decode_from(reader)?,
            },
            5 => Self::Retracting {
                chain_id: ChainId::decode_from(reader)?,
                generation: Generation::decode_from(reader)?,
            },
            value => return Err(DecodeError::Value { field: "publisher reply tag", value: value.into() }),
        })
    }
}
