//! Which trie nodes a deletion needs beyond those on its path.
//!
//! A branch that keeps one child is no branch any more: whoever recomputes the root must know that child. No proof of
//! a key that the block touched shows it.

use alloy_primitives::map::HashMap;
use alloy_rlp::Decodable;
use alloy_trie::{
    Nibbles,
    nodes::{ExtensionNode, LeafNode, RlpNode, TrieNode},
};
use hum_types::{B256, Bytes, keccak256};

/// Nodes known of one trie, by hash.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<B256, Bytes>);

/// A node that is needed and not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sibling {
    /// Where it hangs.
    pub(super) path: Nibbles,
    /// What it hashes to.
    pub(super) hash: B256,
    /// A key that is deleted beside it.
    pub(super) beside: Nibbles,
}

impl Known {
    pub(super) fn extend(&mut self, nodes: &[Bytes]) {
        self.0.extend(nodes.iter().map(|node| (keccak256(node), node.clone())));
    }

    pub(super) fn has(&self, hash: B256) -> bool {
        self.0.contains_key(&hash)
    }

    pub(super) fn insert(&mut self, node: Bytes) {
        self.0.insert(keccak256(&node), node);
    }

    pub(super) fn into_nodes(self) -> impl Iterator<Item = Bytes> {
        self.0.into_values()
    }

    /// Nodes that removing `deleted` from the trie under `root` needs and that are not here.
    pub(super) fn siblings(&self, root: B256, deleted: &[Nibbles]) -> Vec<Sibling> {
        let mut found = Vec::new();
        if let Some(node) = self.0.get(&root) {
            self.visit(node, Nibbles::default(), deleted, &mut found);
        }
        found
    }

    /// Whether nothing is left of the node at `path`; what it needs goes to `found`.
    fn visit(&self, node: &[u8], path: Nibbles, deleted: &[Nibbles], found: &mut Vec<Sibling>) -> bool {
        let mut rest = node;
        match TrieNode::decode(&mut rest) {
            Ok(TrieNode::Leaf(leaf)) => deleted.contains(&path.join(&leaf.key)),
            Ok(TrieNode::Extension(extension)) => {
                self.descend(&extension.child, path.join(&extension.key), deleted, found)
            }
            Ok(TrieNode::Branch(branch)) => {
                let mut left: Vec<(Nibbles, RlpNode)> = Vec::new();
                let mut beside = None;
                for (nibble, child) in branch.as_ref().children() {
                    let Some(child) = child else { continue };
                    let below = path.join(&Nibbles::from_nibbles([nibble]));
                    let hit = deleted.iter().find(|key| key.starts_with(&below));
                    match hit {
                        Some(key) if self.descend(child, below, deleted, found) => beside = Some(*key),
                        _ => left.push((below, child.clone())),
                    }
                }
                if let ([(path, child)], Some(beside)) = (left.as_slice(), beside)
                    && let Some(hash) = child.as_hash()
                    && !self.has(hash)
                {
                    found.push(Sibling { path: *path, hash, beside });
                }
                left.is_empty()
            }
            Ok(TrieNode::EmptyRoot) | Err(_) => false,
        }
    }

    fn descend(&self, child: &RlpNode, path: Nibbles, deleted: &[Nibbles], found: &mut Vec<Sibling>) -> bool {
        match child.as_hash() {
            Some(hash) => self.0.get(&hash).is_some_and(|node| self.visit(node, path, deleted, found)),
            None => self.visit(child.as_slice(), path, deleted, found),
        }
    }
}

impl Sibling {
    /// Rebuild the node from a proof, after the block, that the deleted key is absent: what the branch became ends
    /// with the sibling's own path. Fails when the sibling was a branch.
    pub(super) fn rebuilt_by_absence(&self, proof: &[Bytes]) -> Option<Bytes> {
        let mut at = Nibbles::default();
        for node in proof {
            let mut rest: &[u8] = node;
            let (key, rebuild): (Nibbles, Box<dyn Fn(Nibbles) -> Vec<u8>>) =
                match TrieNode::decode(&mut rest).ok()? {
                    TrieNode::Leaf(LeafNode { key, value }) => {
                        (key, Box::new(move |key| alloy_rlp::encode(LeafNode::new(key, value.clone()))))
                    }
                    TrieNode::Extension(ExtensionNode { key, child }) => {
                        (key, Box::new(move |key| alloy_rlp::encode(ExtensionNode::new(key, child.clone()))))
                    }
                    TrieNode::Branch(_) => {
                        at.push(self.beside.get(at.len())?);
                        continue;
                    }
                    TrieNode::EmptyRoot => return None,
                };
            let whole = at.join(&key);
            if whole.starts_with(&self.path) && whole.len() > self.path.len() {
                let node = Bytes::from(rebuild(whole.slice(self.path.len()..)));
                return (keccak256(&node) == self.hash).then_some(node);
            }
            at = whole;
        }
        None
    }
}

#[cfg(test)]
mod tests;
