//! The one Merkle tree: leaves padded with zero hashes to the next power of two.
//!
//! It only grows at its right end and can be cut back there. [`Frontier`] knows the root and costs `O(log n)` memory;
//! [`Tree`] keeps every node and also makes proofs. Both give the same root for the same leaves.
//!
//! Why it is safe: a leaf is never the hash of 64 bytes, so no inner node passes for a leaf; padding has no known
//! preimage and [`verify`] refuses an index at or above the count before it hashes anything.

use crate::keccak256;
use alloy_primitives::B256;
use std::sync::LazyLock;

/// Depth above which no tree of ours can grow: a count has 64 bits.
pub const DEPTH_MAX: usize = 64;

/// `ZEROS[d]` is the root of a tree of depth `d` that holds padding only.
static ZEROS: LazyLock<[B256; DEPTH_MAX + 1]> = LazyLock::new(|| {
    let mut zeros = [B256::ZERO; DEPTH_MAX + 1];
    for depth in 0..DEPTH_MAX {
        zeros[depth + 1] = node(zeros[depth], zeros[depth]);
    }
    zeros
});

/// An inner node.
#[must_use]
pub fn node(left: B256, right: B256) -> B256 {
    let mut bytes = [0_u8; 64];
    bytes[..32].copy_from_slice(left.as_slice());
    bytes[32..].copy_from_slice(right.as_slice());
    keccak256(bytes)
}

/// Levels above the leaves in a tree of `count` leaves.
#[must_use]
pub const fn depth(count: u64) -> usize {
    if count <= 1 { 0 } else { (u64::BITS - (count - 1).leading_zeros()) as usize }
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The run is empty or reaches past the count.
    #[error("leaves {start}..+{length} are not inside a tree of {count}")]
    OutOfRange {
        /// First leaf of the run.
        start: u64,
        /// Leaves in the run.
        length: u64,
        /// Leaves in the tree.
        count: u64,
    },
    /// Too few or too many siblings.
    #[error("proof has {found} siblings, {expected} expected")]
    Siblings {
        /// Siblings given.
        found: usize,
        /// Siblings that this run needs.
        expected: usize,
    },
    /// The leaves hash to another root.
    #[error("leaves hash to root {computed}, expected {expected}")]
    Root {
        /// The root that the proof leads to.
        computed: B256,
        /// The root it should lead to.
        expected: B256,
    },
}

/// Check that `leaves` stand at `start ..` in the tree of `count` leaves with this `root`.
pub fn verify(
    root: B256,
    count: u64,
    start: u64,
    leaves: &[B256],
    siblings: &[B256],
) -> Result<(), ProofError> {
    let length = leaves.len() as u64;
    let end = start.checked_add(length).filter(|end| length > 0 && *end <= count);
    let Some(end) = end else { return Err(ProofError::OutOfRange { start, length, count }) };
    let expected = siblings_needed(count, start, end);
    if siblings.len() != expected {
        return Err(ProofError::Siblings { found: siblings.len(), expected });
    }
    let mut siblings = siblings.iter().copied();
    let mut row = leaves.to_vec();
    let (mut first, mut last) = (start, end - 1);
    for _ in 0..depth(count) {
        if first % 2 == 1 {
            row.splice(0..0, siblings.next());
        }
        if last % 2 == 0 {
            row.extend(siblings.next());
        }
        row = row.chunks_exact(2).map(|pair| node(pair[0], pair[1])).collect();
        (first, last) = (first / 2, last / 2);
    }
    let computed = row.first().copied().unwrap_or_default();
    if computed == root { Ok(()) } else { Err(ProofError::Root { computed, expected: root }) }
}

/// Siblings that the proof of leaves `start .. end` has, for `start < end <= count`.
fn siblings_needed(count: u64, start: u64, end: u64) -> usize {
    let (mut first, mut last) = (start, end - 1);
    let mut needed = 0;
    for _ in 0..depth(count) {
        needed += usize::from(first % 2 == 1) + usize::from(last % 2 == 0);
        (first, last) = (first / 2, last / 2);
    }
    needed
}

/// The root of the tree over `leaves`.
#[must_use]
pub fn root(leaves: impl IntoIterator<Item = B256>) -> B256 {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.push(leaf);
    }
    frontier.root()
}

/// The right edge of a tree: enough to append and to know the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    count: u64,
    /// `edge[d]` is the root of the full subtree of `2^d` leaves that ends the tree where bit `d` of `count` is set.
    edge: Vec<B256>,
}

impl Frontier {
    /// Leaves so far.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Append a leaf.
    pub fn push(&mut self, leaf: B256) {
        let mut carry = leaf;
        let mut level = 0;
        while self.count >> level & 1 == 1 {
            carry = node(self.edge[level], carry);
            level += 1;
        }
        if level == self.edge.len() {
            self.edge.push(carry);
        } else {
            self.edge[level] = carry;
        }
        self.count += 1;
    }

    /// The root; zero while there is no leaf.
    #[must_use]
    pub fn root(&self) -> B256 {
        if self.count == 0 {
            return B256::ZERO;
        }
        let depth = depth(self.count);
        if self.count == 1 << depth {
            return self.edge[depth];
        }
        let mut right = B256::ZERO;
        for level in 0..depth {
            right = if self.count >> level & 1 == 1 {
                node(self.edge[level], right)
            } else {
                node(right, ZEROS[level])
            };
        }
        right
    }
}

/// A tree with all its nodes: makes proofs, can be cut back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// `levels[d]` holds the roots of the full subtrees of `2^d` leaves, left to right.
    levels: Vec<Vec<B256>>,
}

impl Tree {
    /// Leaves so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// The leaf at `index`.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Option<B256> {
        self.levels.first()?.get(usize::try_from(index).ok()?).copied()
    }

    /// Append a leaf.
    pub fn push(&mut self, leaf: B256) {
        let mut carry = leaf;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let row = &mut self.levels[level];
            row.push(carry);
            if !row.len().is_multiple_of(2) {
                return;
            }
            carry = node(row[row.len() - 2], row[row.len() - 1]);
        }
    }

    /// Cut back to the first `count` leaves; nothing happens when there are no more than that.
    pub fn truncate(&mut self, count: u64) {
        for (level, row) in self.levels.iter_mut().enumerate() {
            row.truncate(usize::try_from(count >> level.min(63)).unwrap_or(usize::MAX));
        }
    }

    /// The root; zero while there is no leaf.
    #[must_use]
    pub fn root(&self) -> B256 {
        let count = self.count();
        if count == 0 { B256::ZERO } else { self.at(count, depth(count), 0) }
    }

    /// Siblings for the leaves `start .. start + length` in the tree as it was with `count` leaves.
    pub fn prove(&self, count: u64, start: u64, length: u64) -> Result<Vec<B256>, ProofError> {
        let end =
            start.checked_add(length).filter(|end| length > 0 && *end <= count && count <= self.count());
        let Some(end) = end else { return Err(ProofError::OutOfRange { start, length, count }) };
        let mut siblings = Vec::new();
        let (mut first, mut last) = (start, end - 1);
        for level in 0..depth(count) {
            if first % 2 == 1 {
                siblings.push(self.at(count, level, first - 1));
            }
            if last.is_multiple_of(2) {
                siblings.push(self.at(count, level, last + 1));
            }
            (first, last) = (first / 2, last / 2);
        }
        Ok(siblings)
    }

    /// Node `position` of `level` in the tree over the first `count` leaves.
    fn at(&self, count: u64, level: usize, position: u64) -> B256 {
        let first = position << level;
        if first >= count {
            return ZEROS[level];
        }
        if count - first >= 1 << level {
            return self.levels[level][position as usize];
        }
        node(self.at(count, level - 1, position * 2), self.at(count, level - 1, position * 2 + 1))
    }
}

#[cfg(test)]
mod tests;
