//! What a judgement can say, and the one type that proves it was said.

use crate::message::{MalformedGatewayLog, OutgoingMessage};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256};
use hum_types::{BlockRef, InvalidReason};

/// A header that may stand as a parent: a trusted anchor, or a block that was found valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedHeader {
    header: Header,
    hash: B256,
}

impl CertifiedHeader {
    /// Take a header on the caller's word: a registered anchor, or one that the caller itself certified and stored.
    #[must_use]
    pub fn from_anchor(header: Header) -> Self {
        let hash = header.hash_slow();
        Self { header, hash }
    }

    /// A block that nobody re-executes, known by these alone. Nothing can be verified on it.
    #[must_use]
    pub fn stated(block: BlockRef, state_root: B256, timestamp: u64) -> Self {
        let header = Header { number: block.number, state_root, timestamp, ..Header::default() };
        Self { header, hash: block.hash }
    }

    /// Only for a header whose block was just found valid.
    pub(crate) fn from_valid(header: Header) -> Self {
        Self::from_anchor(header)
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Its hash.
    #[must_use]
    pub const fn hash(&self) -> B256 {
        self.hash
    }

    /// Its number and hash.
    #[must_use]
    pub const fn block(&self) -> BlockRef {
        BlockRef { number: self.header.number, hash: self.hash }
    }
}

/// The judgement on one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The block follows from its parent by the rules.
    Valid(Box<Summary>),
    /// Whoever signed for the block's hash signed for a block that breaks a rule.
    Invalid(Reason),
    /// Nothing can be said with what was given. Nobody is at fault; ask again with more.
    Undecided(Missing),
}

/// What a valid block did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The block's header, fit to be the next block's parent.
    pub header: CertifiedHeader,
    /// Transactions executed.
    pub transactions: usize,
    /// Messages that the gateways sent, in log order.
    pub messages: Vec<OutgoingMessage>,
    /// Logs from a gateway's address that no gateway of ours writes. The block is valid all the same: what runs there is
    /// not our contract, so the caller should not believe anything from that address.
    pub malformed_gateway_logs: Vec<MalformedGatewayLog>,
}

/// The rule that a block breaks. The hash that was signed commits to every one of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The bytes that hash to the signed hash are not a header.
    #[error("the signed header is malformed: {0}")]
    HeaderMalformed(String),
    /// Not the child of the block that the same signer had certified before.
    #[error("parent hash is {declared}, certified parent is {computed}")]
    ParentHash {
        /// In the header.
        declared: B256,
        /// Of the certified parent.
        computed: B256,
    },
    /// A field that must be there at this fork is not.
    #[error("header field {0} is missing at this fork")]
    FieldMissing(&'static str),
    /// A field that must not be there at this fork is.
    #[error("header field {0} does not belong to this fork")]
    FieldUnexpected(&'static str),
    /// A number in the header is not what the rules give.
    #[error("{field} is {declared}, the rules give {computed}")]
    Quantity {
        /// The header's field.
        field: &'static str,
        /// In the header.
        declared: u64,
        /// By the rules.
        computed: u64,
    },
    /// A number in the header is outside its bounds.
    #[error("{field} is {declared}, allowed are {least} to {most}")]
    Range {
        /// The header's field.
        field: &'static str,
        /// In the header.
        declared: u64,
        /// Least that the rules allow.
        least: u64,
        /// Most that the rules allow.
        most: u64,
    },
    /// A hash in the header is not what the rules give.
    #[error("{field} is {declared}, the rules give {computed}")]
    Hash {
        /// The header's field.
        field: &'static str,
        /// In the header.
        declared: B256,
        /// By the rules.
        computed: B256,
    },
    /// The fee recipient is not the one that the rules give every block.
    #[error("fee recipient is {declared}, the rules give {computed}")]
    FeeRecipient {
        /// In the header.
        declared: Address,
        /// By the rules.
        computed: Address,
    },
    /// The extra data do not say how the base fee moves, as they must at this fork.
    #[error("extra data: {0}")]
    ExtraData(&'static str),
    /// The logs bloom is not that of the receipts.
    #[error("logs bloom is not that of the receipts")]
    LogsBloom,
    /// The block is longer than EIP-7934 allows.
    #[error("block has {declared} bytes, allowed are {most}")]
    BlockBytes {
        /// Its length.
        declared: usize,
        /// The most allowed.
        most: usize,
    },
    /// More transactions than any execution could fit below the gas limit.
    #[error("{declared} transactions cannot fit, at most {most} can")]
    TransactionCount {
        /// How many there are.
        declared: usize,
        /// How many can fit.
        most: u64,
    },
    /// A transaction that the transactions root commits to is no transaction of this fork.
    #[error("transaction {index} is malformed: {error}")]
    TransactionMalformed {
        /// Position in the block.
        index: usize,
        /// What the decoder says.
        error: String,
    },
    /// A transaction stands where it must not, or is not the one that must stand there.
    #[error("transaction {index}: {rule}")]
    Place {
        /// Position in the block.
        index: usize,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A transaction's signature has no signer.
    #[error("transaction {index} has a bad signature")]
    TransactionSignature {
        /// Position in the block.
        index: usize,
    },
    /// A transaction cannot be executed where it stands.
    #[error("transaction {index} cannot be executed: {error}")]
    Transaction {
        /// Position in the block.
        index: usize,
        /// What the EVM says.
        error: String,
    },
    /// A withdrawal that the withdrawals root commits to is malformed.
    #[error("withdrawal {index} is malformed")]
    WithdrawalMalformed {
        /// Position in the block.
        index: usize,
    },
    /// What the protocol does at the edges of a block fails.
    #[error("system operation fails: {0}")]
    System(String),
}

impl Reason {
    /// The short form that goes into a checkpoint's body.
    #[must_use]
    pub fn class(&self) -> InvalidReason {
        match self {
            Self::TransactionCount { .. }
            | Self::TransactionMalformed { .. }
            | Self::Place { .. }
            | Self::TransactionSignature { .. }
            | Self::Transaction { .. } => InvalidReason::Transaction,
            Self::Quantity { field: "gas used", .. } => InvalidReason::GasUsed,
            Self::Hash { field: "state root", .. } => InvalidReason::StateRoot,
            Self::Hash { field: "receipts root", .. } => InvalidReason::ReceiptsRoot,
            Self::Hash { field: "requests hash", .. } | Self::System(_) => InvalidReason::RequestsHash,
            Self::LogsBloom => InvalidReason::LogsBloom,
            _ => InvalidReason::Header,
        }
    }
}

/// What stands between us and a judgement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The block that was served is not the one that was signed for.
    #[error("the block served has hash {computed}, claimed is {claimed}")]
    Block {
        /// Hash that the claim names.
        claimed: B256,
        /// Hash of what was served.
        computed: B256,
    },
    /// The bytes served are not a block. The header may be the signed one; what follows it is not bound by its hash.
    #[error("the block served is malformed: {0}")]
    BlockMalformed(&'static str),
    /// The body served is not the one that the header commits to.
    #[error("the {part} served have root {computed}, the header commits to {declared}")]
    Body {
        /// Which part of the body.
        part: &'static str,
        /// In the header.
        declared: B256,
        /// Of what was served.
        computed: B256,
    },
    /// Something is larger than we take; it only delays its own rollup.
    #[error("{what} of {declared} is above the limit of {most}")]
    OverLimit {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        declared: u64,
        /// The most that we take.
        most: u64,
    },
    /// We do not know the rules at this time.
    #[error("no rules for timestamp {timestamp}")]
    Fork {
        /// The block's timestamp, in seconds.
        timestamp: u64,
    },
    /// A trie node is not in the witness.
    #[error("witness lacks trie node {0}")]
    Node(B256),
    /// A contract's code is not in the witness.
    #[error("witness lacks code {0}")]
    Code(B256),
    /// The headers between an ancestor and the parent are not in the witness.
    #[error("witness lacks the headers that prove the hash of block {0}")]
    Ancestor(u64),
    /// The certified state itself is not well formed; no block on top of it can be judged.
    #[error("the parent's state is malformed: {0}")]
    State(String),
    /// The verifier failed. Not the block's fault until someone shows that it is.
    #[error("the verifier failed: {0}")]
    Verifier(String),
}
