//! One question, one answer. Any peer may ask an operator; an operator that is asked too much says so.

use super::Submission;
use hum_bls::Certificate;
use hum_types::{
    B256, BlockRef, ChainId, Checkpoint, Decode, DecodeError, Encode, Generation, Height, Reader,
    RollupStatus, TimeMs, put_list,
};

/// Checkpoints that one answer can carry.
pub const CHECKPOINTS_MAX: usize = 256;
/// Bytes of checkpoints after which an answer takes no further one.
pub const CHECKPOINTS_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Members that a status can list.
const ROLLUPS_MAX: usize = hum_types::ROLLUPS_MAX;

/// Which block of a rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockId {
    /// The one with this hash.
    Hash(B256),
    /// The one claimed for this number in the newest generation that the operator knows of it.
    Number(u64),
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Finalised checkpoints, ascending and without gaps from `from` on.
    Checkpoints {
        /// The first wanted.
        from: Height,
        /// How many at most.
        count: u16,
    },
    /// The certificate of the lowest certified height at or above this one.
    Certificate {
        /// The height.
        at_or_above: Height,
    },
    /// A claim with block and witness.
    Block {
        /// The rollup.
        chain_id: ChainId,
        /// Which block.
        block: BlockId,
    },
    /// How far the operator is.
    Status,
}

impl Encode for Question {
    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Checkpoints { from, count } => {
                out.push(1);
                from.encode_to(out);
                out.extend_from_slice(&count.to_be_bytes());
            }
            Self::Certificate { at_or_above } => {
                out.push(2);
                at_or_above.encode_to(out);
            }
            Self::Block { chain_id, block: BlockId::Hash(hash) } => {
                out.push(3);
                chain_id.encode_to(out);
                out.extend_from_slice(hash.as_slice());
            }
            Self::Block { chain_id, block: BlockId::Number(number) } => {
                out.push(4);
                chain_id.encode_to(out);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::Status => out.push(5),
        }
    }
}

impl Decode for Question {
    const WHAT: &'static str = "question";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("question tag")? {
            1 => Self::Checkpoints { from: Height::decode_from(reader)?, count: reader.u16("count")? },
            2 => Self::Certificate { at_or_above: Height::decode_from(reader)? },
            3 => Self::Block {
                chain_id: ChainId::decode_from(reader)?,
                block: BlockId::Hash(reader.b256("block hash")?),
            },
            4 => Self::Block {
                chain_id: ChainId::decode_from(reader)?,
                block: BlockId::Number(reader.u64("block number")?),
            },
            5 => Self::Status,
            value => return Err(DecodeError::Value { field: "question tag", value: value.into() }),
        })
    }
}

/// A rollup's `Latest` head as an operator sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollupHead {
    /// The rollup.
    pub chain_id: ChainId,
    /// Its generation.
    pub generation: Generation,
    /// Its standing.
    pub status: RollupStatus,
    /// Its head.
    pub block: BlockRef,
}

impl Encode for RollupHead {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.chain_id.encode_to(out);
        self.generation.encode_to(out);
        self.status.encode_to(out);
        self.block.encode_to(out);
    }
}

impl Decode for RollupHead {
    const WHAT: &'static str = "rollup head";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            chain_id: ChainId::decode_from(reader)?,
            generation: Generation::decode_from(reader)?,
            status: RollupStatus::decode_from(reader)?,
            block: BlockRef::decode_from(reader)?,
        })
    }
}

/// How far an operator is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// The newest finalised height.
    pub finalised: Height,
    /// When its proposer made it.
    pub time_ms: TimeMs,
    /// The newest certified height; 0 while there is none.
    pub certified: Height,
    /// The members, by chain id.
    pub rollups: Vec<RollupHead>,
}

impl Encode for NodeStatus {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.finalised.encode_to(out);
        self.time_ms.encode_to(out);
        self.certified.encode_to(out);
        put_list(out, &self.rollups);
    }
}

impl Decode for NodeStatus {
    const WHAT: &'static str = "node status";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            finalised: Height::decode_from(reader)?,
            time_ms: TimeMs::decode_from(reader)?,
            certified: Height::decode_from(reader)?,
            rollups: reader.list("rollups", ROLLUPS_MAX)?,
        })
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// As asked, or fewer: the rest is asked for again. Empty when there is nothing from there on.
    Checkpoints(Vec<Checkpoint>),
    /// The certificate, if there is one.
    Certificate(Option<Box<Certificate>>),
    /// The claim with block and witness, if it is still held.
    Block(Option<Submission>),
    /// How far the operator is.
    Status(NodeStatus),
    /// Too many questions: ask later, or ask someone else.
    Busy,
}

impl Encode for Answer {
    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Checkpoints(checkpoints) => {
                out.push(1);
                put_list(out, checkpoints);
            }
            Self::Certificate(Some(certificate)) => {
                out.push(2);
                certificate.encode_to(out);
            }
            Self::Certificate(None) => out.push(3),
            Self::Block(Some(submission)) => {
                out.push(4);
                submission.encode_to(out);
            }
            Self::Block(None) => out.push(5),
            Self::Status(status) => {
                out.push(6);
                status.encode_to(out);
            }
            Self::Busy => out.push(7),
        }
    }
}

impl Decode for Answer {
    const WHAT: &'static str = "answer";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("answer tag")? {
            1 => Self::Checkpoints(reader.list("checkpoints", CHECKPOINTS_MAX)?),
            2 => Self::Certificate(Some(Box::new(Certificate::decode_from(reader)?))),
            3 => Self::Certificate(None),
            4 => Self::Block(Some(Submission::decode_from(reader)?)),
            5 => Self::Block(None),
            6 => Self::Status(NodeStatus::decode_from(reader)?),
            7 => Self::Busy,
            value => return Err(DecodeError::Value { field: "answer tag", value: value.into() }),
        })
    }
}

/// A question or an answer; `id` is the asker's, and an answer repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchMessage {
    /// A question.
    Ask {
        /// The asker's number for it.
        id: u64,
        /// What is asked.
        question: Question,
    },
    /// The answer to it.
    Tell {
        /// The asker's number for the question.
        id: u64,
        /// What is answered.
        answer: Answer,
    },
}

impl Encode for FetchMessage {
    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ask { id, question } => {
                out.push(1);
                out.extend_from_slice(&id.to_be_bytes());
                question.encode_to(out);
            }
            Self::Tell { id, answer } => {
                out.push(2);
                out.extend_from_slice(&id.to_be_bytes());
                answer.encode_to(out);
            }
        }
    }
}

impl Decode for FetchMessage {
    const WHAT: &'static str = "fetch message";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("fetch tag")? {
            1 => Self::Ask { id: reader.u64("id")?, question: Question::decode_from(reader)? },
            2 => Self::Tell { id: reader.u64("id")?, answer: Answer::decode_from(reader)? },
            value => return Err(DecodeError::Value { field: "fetch tag", value: value.into() }),
        })
    }
}
