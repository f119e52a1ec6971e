//! Why a chain could not be read or written, and what to do about it.

use hum_types::{B256, Bytes, ChainId};

/// What a failure calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Try again, later each time.
    Retry,
    /// The node contradicts itself or another: raise an alarm, believe nothing, try again later or elsewhere.
    Distrust,
    /// The same request fails again until its cause is gone: do something else first.
    Refused,
}

/// Why a read failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The node could not be reached, or the connection broke.
    #[error("{method}: node at {endpoint} not reached: {detail}")]
    Transport {
        /// What was asked.
        method: &'static str,
        /// Where, without credentials.
        endpoint: String,
        /// What the transport said.
        detail: String,
    },
    /// The node did not answer in time.
    #[error("{method}: no answer within {after_ms} ms")]
    Timeout {
        /// What was asked.
        method: &'static str,
        /// How long we waited.
        after_ms: u64,
    },
    /// The answer is larger than any honest one.
    #[error("{method}: answer above {bound} bytes")]
    TooLarge {
        /// What was asked.
        method: &'static str,
        /// The most that is read.
        bound: usize,
    },
    /// The answer is not what the method returns.
    #[error("{method}: unreadable answer: {detail}")]
    Garbage {
        /// What was asked.
        method: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The answer contradicts itself or the question.
    #[error("{method}: {field} is {computed}, declared {declared}")]
    Mismatch {
        /// What was asked.
        method: &'static str,
        /// What differs.
        field: &'static str,
        /// What was asked for or declared.
        declared: String,
        /// What the answer amounts to.
        computed: String,
    },
    /// The node serves another chain.
    #[error("node serves chain {found}, expected {expected}")]
    WrongChain {
        /// What it says.
        found: ChainId,
        /// What was configured.
        expected: ChainId,
    },
    /// The node does not offer something that Hum needs.
    #[error("node does not offer {method}: {advice}")]
    Unsupported {
        /// The method it lacks.
        method: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The node does not have it, or not yet.
    #[error("{method}: node does not have {what}")]
    Missing {
        /// What was asked.
        method: &'static str,
        /// What is not there.
        what: String,
    },
    /// A call reverted.
    #[error("call reverted with {data}: {message}")]
    Reverted {
        /// Revert data, empty when the node gives none.
        data: Bytes,
        /// What the node says, shortened.
        message: String,
    },
    /// The node answered with an error of its own.
    #[error("{method}: node says {code}: {message}")]
    Node {
        /// What was asked.
        method: &'static str,
        /// JSON-RPC error code.
        code: i64,
        /// Its message, shortened.
        message: String,
    },
}

impl ReadError {
    /// What to do about it.
    #[must_use]
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Transport { .. } | Self::Timeout { .. } | Self::Missing { .. } | Self::Node { .. } => {
                Disposition::Retry
            }
            Self::TooLarge { .. }
            | Self::Garbage { .. }
            | Self::Mismatch { .. }
            | Self::WrongChain { .. } => Disposition::Distrust,
            Self::Unsupported { .. } | Self::Reverted { .. } => Disposition::Refused,
        }
    }
}

/// Why a transaction was not included, as far as we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The node could not be asked.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The call would revert now; nothing was sent.
    #[error("call would revert with {data}: {message}")]
    Rejected {
        /// Revert data, empty when the node gives none.
        data: Bytes,
        /// What the node said.
        message: String,
    },
    /// The account cannot pay; nothing was sent.
    #[error("account has {balance} wei, the call needs up to {needed}")]
    Underfunded {
        /// What it has.
        balance: alloy_primitives::U256,
        /// What it needs.
        needed: alloy_primitives::U256,
    },
    /// Gas costs more than the cap allows; nothing was sent.
    #[error("gas costs {price} wei, the cap is {cap}")]
    TooExpensive {
        /// What the chain asks.
        price: u128,
        /// What may be paid.
        cap: u128,
    },
    /// Another transaction of the account took the nonce; this one will never be included.
    #[error("nonce {nonce} was taken by a transaction other than {tx_hash}")]
    Replaced {
        /// The nonce.
        nonce: u64,
        /// The transaction that lost it.
        tx_hash: B256,
    },
    /// Sent, but not seen in a block in time; it may still be included.
    #[error("transaction {tx_hash} not seen in a block within {after_ms} ms")]
    Unknown {
        /// The transaction.
        tx_hash: B256,
        /// How long we waited.
        after_ms: u64,
    },
}

impl SubmitError {
    /// What to do about it.
    #[must_use]
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Read(error) => error.disposition(),
            Self::TooExpensive { .. } | Self::Replaced { .. } | Self::Unknown { .. } => Disposition::Retry,
            Self::Rejected { .. } | Self::Underfunded { .. } => Disposition::Refused,
        }
    }
}
