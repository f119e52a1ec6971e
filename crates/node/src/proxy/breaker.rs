//! Whether the node has what is certified: the circuit breaker.

use super::rewrite::tag_of;
use hum_types::{B256, BlockRef, Confidence};
use std::collections::BTreeMap;

/// What a node has at a certified number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The certified block.
    Agrees,
    /// No block yet.
    Lacks,
    /// Another block.
    Contradicts(B256),
}

impl Finding {
    /// What it means that the node has this hash where `certified` is certified.
    #[must_use]
    pub fn of(certified: B256, node: Option<B256>) -> Self {
        match node {
            None => Self::Lacks,
            Some(hash) if hash == certified => Self::Agrees,
            Some(hash) => Self::Contradicts(hash),
        }
    }
}

/// Why a request that depends on a certified head is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing is certified at that confidence.
    #[error("{} block not found: no certificate has one yet", tag_of(*confidence))]
    NoHead {
        /// Which.
        confidence: Confidence,
    },
    /// The node does not have the block yet.
    #[error("{} block not found: block {number} with hash {certified} is certified, the node does not have it yet", tag_of(*confidence))]
    Lacking {
        /// Which head.
        confidence: Confidence,
        /// Its number.
        number: u64,
        /// Its hash.
        certified: B256,
    },
    /// The node has another block.
    #[error("the node contradicts the certified {} head: block {number} is certified with hash {certified}, the node has {node}", tag_of(*confidence))]
    Contradicted {
        /// Which head.
        confidence: Confidence,
        /// Its number.
        number: u64,
        /// Its hash.
        certified: B256,
        /// The node's hash at that number.
        node: B256,
    },
    /// Two thirds of the stake signed what cannot be.
    #[error("the committee certified what cannot be: {reason}")]
    CommitteeLied {
        /// What.
        reason: String,
    },
}

impl Refused {
    /// The JSON-RPC error code: what nodes answer for a tag that they do not know, or for a server's own trouble.
    #[must_use]
    pub const fn code(&self) -> i32 {
        match self {
            Self::NoHead { .. } | Self::Lacking { .. } => -39001,
            Self::Contradicted { .. } | Self::CommitteeLied { .. } => -32000,
        }
    }
}

/// What a finding changed, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The node contradicts since now.
    Tripped,
    /// The node agrees again.
    Recovered,
}

#[derive(Debug, Clone, Copy)]
struct Checked {
    block: BlockRef,
    finding: Finding,
    at_ms: u64,
}

/// What the node was last found to have, for each confidence.
#[derive(Debug)]
pub struct Breaker {
    again_ms: u64,
    checked: BTreeMap<Confidence, Checked>,
    tripped: BTreeMap<Confidence, Refused>,
}

impl Breaker {
    /// A breaker that believes agreement for `again_ms`.
    #[must_use]
    pub const fn new(again_ms: u64) -> Self {
        Self { again_ms, checked: BTreeMap::new(), tripped: BTreeMap::new() }
    }

    /// What is known of this block; `None` when the node must be asked. Only agreement is believed for a while: what
    /// hinders people is looked at anew each time.
    #[must_use]
    pub fn known(&self, confidence: Confidence, block: BlockRef, now_ms: u64) -> Option<Finding> {
        let checked = self.checked.get(&confidence)?;
        let fresh = now_ms.saturating_sub(checked.at_ms) < self.again_ms;
        (checked.block == block && checked.finding == Finding::Agrees && fresh).then_some(Finding::Agrees)
    }

    /// The node was found to have this where `block` is certified.
    pub fn found(
        &mut self,
        confidence: Confidence,
        block: BlockRef,
        finding: Finding,
        now_ms: u64,
    ) -> Option<Turn> {
        self.checked.insert(confidence, Checked { block, finding, at_ms: now_ms });
        match refusal(confidence, block, finding) {
            Some(refused @ Refused::Contradicted { .. }) => {
                self.tripped.insert(confidence, refused).is_none().then_some(Turn::Tripped)
            }
            // A node that lost the block neither contradicts nor agrees.
            Some(_) => None,
            None => self.tripped.remove(&confidence).map(|_| Turn::Recovered),
        }
    }

    /// Contradictions that stand, by confidence.
    #[must_use]
    pub const fn tripped(&self) -> &BTreeMap<Confidence, Refused> {
        &self.tripped
    }
}

/// Why a finding hinders; `None` for agreement.
pub(super) const fn refusal(confidence: Confidence, block: BlockRef, finding: Finding) -> Option<Refused> {
    let BlockRef { number, hash: certified } = block;
    match finding {
        Finding::Agrees => None,
        Finding::Lacks => Some(Refused::Lacking { confidence, number, certified }),
        Finding::Contradicts(node) => Some(Refused::Contradicted { confidence, number, certified, node }),
    }
}

#[cfg(test)]
mod tests;
