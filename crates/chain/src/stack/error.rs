//! Why what a node gave is not a block of its stack.

use super::StackKind;
use hum_types::B256;

/// Why JSON is not the block, transaction or receipt that it claims to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StackError {
    /// A member is missing that this kind of transaction, receipt or block has.
    #[error("{what} has no {field}")]
    Absent {
        /// What lacks it.
        what: String,
        /// The member.
        field: &'static str,
    },
    /// The stack has no such transactions.
    #[error("transaction {index} has type {found:#x}, which {stack} does not have")]
    Kind {
        /// Its place in the block.
        index: usize,
        /// Its type.
        found: u64,
        /// The stack.
        stack: StackKind,
    },
    /// A hash or root differs from what the contents give.
    #[error("{what} is declared {declared}, computed {computed}")]
    Hash {
        /// Of what.
        what: String,
        /// As the node or the header says.
        declared: B256,
        /// As the contents give.
        computed: B256,
    },
    /// Two members that must agree do not.
    #[error("{what} is declared {declared}, computed {computed}")]
    Differs {
        /// Of what.
        what: String,
        /// As the node or the header says.
        declared: String,
        /// As the rest of the answer gives.
        computed: String,
    },
    /// Hashes were given where whole transactions are needed.
    #[error("block {number} came without its transactions")]
    OnlyHashes {
        /// The block.
        number: u64,
    },
    /// Bytes are not the RLP of this kind of transaction.
    #[error("transaction of type {kind:#x} is not readable: {detail}")]
    Rlp {
        /// The type.
        kind: u8,
        /// What the decoder says.
        detail: String,
    },
}

pub(super) fn same<T: PartialEq + ToString>(
    what: impl Into<String>,
    declared: T,
    computed: T,
) -> Result<(), StackError> {
    if declared == computed {
        return Ok(());
    }
    Err(StackError::Differs {
        what: what.into(),
        declared: declared.to_string(),
        computed: computed.to_string(),
    })
}

pub(super) fn same_hash(what: impl Into<String>, declared: B256, computed: B256) -> Result<(), StackError> {
    if declared == computed {
        Ok(())
    } else {
        Err(StackError::Hash { what: what.into(), declared, computed })
    }
}

pub(super) fn need<T>(value: Option<T>, what: &str, field: &'static str) -> Result<T, StackError> {
    value.ok_or_else(|| StackError::Absent { what: what.to_owned(), field })
}
