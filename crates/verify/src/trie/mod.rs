//! A Merkle-Patricia trie that holds only what it has looked at.
//!
//! Nodes stand as hashes until a path needs them; then a [`NodeSource`] supplies the bytes. A trie that starts
//! [`Trie::empty`] and is never cut needs no source at all. Keys are 32 bytes (already hashed), so a path has 64
//! nibbles: every node is checked against that when it is decoded, so no malicious trie can lead an index out of range or
//! a recursion beyond 64.

mod node;
#[cfg(test)]
mod tests;

use alloy_primitives::{B256, Bytes, keccak256, map::B256Map};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, nodes::RlpNode};
use node::{Branch, Extension, Leaf, Node};

/// Branches this close to the root hash their children in parallel.
const PARALLEL_DEPTH: usize = 2;
/// Nibbles of a key.
const PATH_NIBBLES: usize = 64;

/// Where nodes are found by their hash. Whoever implements it vouches that the bytes have that hash.
pub trait NodeSource {
    /// The node's RLP, if it is there.
    fn node(&self, hash: &B256) -> Option<&[u8]>;
}

/// No nodes: for tries that are complete in memory.
impl NodeSource for () {
    fn node(&self, _: &B256) -> Option<&[u8]> {
        None
    }
}

/// Nodes by hash.
#[derive(Debug, Clone, Default)]
pub struct NodeSet(B256Map<Bytes>);

impl NodeSet {
    /// Room for `count` nodes.
    #[must_use]
    pub fn with_capacity(count: usize) -> Self {
        Self(B256Map::with_capacity_and_hasher(count, Default::default()))
    }

    /// Hash a node and add it.
    pub fn insert(&mut self, node: Bytes) -> B256 {
        let hash = keccak256(&node);
        self.insert_hashed(hash, node);
        hash
    }

    /// Add a node whose hash the caller has computed.
    pub fn insert_hashed(&mut self, hash: B256, node: Bytes) {
        self.0.insert(hash, node);
    }

    /// The node's RLP.
    #[must_use]
    pub fn get(&self, hash: &B256) -> Option<&Bytes> {
        self.0.get(hash)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl NodeSource for NodeSet {
    fn node(&self, hash: &B256) -> Option<&[u8]> {
        self.0.get(hash).map(|node| &node[..])
    }
}

/// Why a path cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrieError {
    /// The source does not hold a node that is needed.
    #[error("trie node {0} is missing")]
    Missing(B256),
    /// A node's bytes are not a node that can stand at its depth.
    #[error("trie node at depth {depth} is malformed: {what}")]
    Malformed {
        /// Nibbles between the root and the node.
        depth: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// A trie, of which only the visited part is in memory.
#[derive(Debug, Clone)]
pub struct Trie {
    root: Node,
}

impl Trie {
    /// The trie of no keys.
    #[must_use]
    pub const fn empty() -> Self {
        Self { root: Node::Empty }
    }

    /// The trie with this root, none of it visited yet.
    #[must_use]
    pub fn from_root(root: B256) -> Self {
        Self { root: if root == EMPTY_ROOT_HASH { Node::Empty } else { Node::Hash(root) } }
    }

    /// The value at `key`.
    pub fn get(&mut self, key: &B256, source: &impl NodeSource) -> Result<Option<&[u8]>, TrieError> {
        let path = Nibbles::unpack_array(&key.0);
        let mut node = &mut self.root;
        let mut depth = 0;
        loop {
            node.resolve(depth, source)?;
            match node {
                Node::Empty => return Ok(None),
                Node::Hash(hash) => return Err(TrieError::Missing(*hash)),
                Node::Leaf(leaf) => {
                    return Ok((path.slice(depth..) == leaf.path).then_some(&leaf.value[..]));
                }
                Node::Extension(extension) => {
                    if !path.slice(depth..).starts_with(&extension.path) {
                        return Ok(None);
                    }
                    depth += extension.path.len();
                    node = &mut extension.child;
                }
                Node::Branch(branch) => {
                    node = branch.child_mut(&path, depth)?;
                    depth += 1;
                }
            }
        }
    }

    /// Set the value at `key`. An empty value is not a removal: call [`Self::remove`].
    pub fn insert(&mut self, key: &B256, value: Vec<u8>, source: &impl NodeSource) -> Result<(), TrieError> {
        insert(&mut self.root, &Nibbles::unpack_array(&key.0), 0, value, source)
    }

    /// Remove `key`; whether it was there. Where a branch is left with one child, that child's node is needed too:
    /// removing after all insertions needs the fewest nodes.
    pub fn remove(&mut self, key: &B256, source: &impl NodeSource) -> Result<bool, TrieError> {
        remove(&mut self.root, &Nibbles::unpack_array(&key.0), 0, source)
    }

    /// The root hash. Only what changed since the last call is hashed; all cores take part.
    pub fn root(&mut self) -> B256 {
        self.root.settle(PARALLEL_DEPTH);
        self.commit(&mut |_, _| {})
    }

    /// The root hash, handing each node that changed since the last call to `keep`, with its hash.
    pub fn commit(&mut self, keep: &mut impl FnMut(B256, &[u8])) -> B256 {
        match &self.root {
            Node::Empty => EMPTY_ROOT_HASH,
            Node::Hash(hash) => *hash,
            _ => {
                let mut buffer = Vec::with_capacity(node::NODE_BYTES_MAX);
                let reference = self.root.reference(&mut buffer, keep);
                // A root shorter than a hash stands for itself below, but has a hash all the same.
                reference.as_hash().unwrap_or_else(|| {
                    let hash = keccak256(&reference[..]);
                    keep(hash, &reference);
                    hash
                })
            }
        }
    }
}

fn insert(
    node: &mut Node,
    path: &Nibbles,
    depth: usize,
    value: Vec<u8>,
    source: &impl NodeSource,
) -> Result<(), TrieError> {
    node.resolve(depth, source)?;
    match node {
        Node::Hash(hash) => return Err(TrieError::Missing(*hash)),
        Node::Empty => *node = Node::leaf(path.slice(depth..), value),
        Node::Leaf(leaf) => {
            let rest = path.slice(depth..);
            if leaf.path == rest {
                if leaf.value != value {
                    leaf.value = value;
                    leaf.memo = None;
                }
                return Ok(());
            }
            let shared = leaf.path.common_prefix_length(&rest);
            let mut branch = Branch::default();
            *branch.child_mut(&leaf.path, shared)? =
                Node::leaf(leaf.path.slice(shared + 1..), std::mem::take(&mut leaf.value));
            *branch.child_mut(&rest, shared)? = Node::leaf(rest.slice(shared + 1..), value);
            *node = Node::prefixed(rest.slice(..shared), Node::Branch(Box::new(branch)));
        }
        Node::Extension(extension) => {
            let rest = path.slice(depth..);
            let shared = extension.path.common_prefix_length(&rest);
            if shared == extension.path.len() {
                extension.memo = None;
                return insert(&mut extension.child, path, depth + shared, value, source);
            }
            let mut branch = Branch::default();
            let child = std::mem::replace(&mut extension.child, Node::Empty);
            *branch.child_mut(&extension.path, shared)? =
                Node::prefixed(extension.path.slice(shared + 1..), child);
            *branch.child_mut(&rest, shared)? = Node::leaf(rest.slice(shared + 1..), value);
            *node = Node::prefixed(rest.slice(..shared), Node::Branch(Box::new(branch)));
        }
        Node::Branch(branch) => {
            branch.memo = None;
            return insert(branch.child_mut(path, depth)?, path, depth + 1, value, source);
        }
    }
    Ok(())
}

fn remove(
    node: &mut Node,
    path: &Nibbles,
    depth: usize,
    source: &impl NodeSource,
) -> Result<bool, TrieError> {
    node.resolve(depth, source)?;
    match node {
        Node::Hash(hash) => Err(TrieError::Missing(*hash)),
        Node::Empty => Ok(false),
        Node::Leaf(leaf) => {
            let found = leaf.path == path.slice(depth..);
            if found {
                *node = Node::Empty;
            }
            Ok(found)
        }
        Node::Extension(extension) => {
            let below = depth + extension.path.len();
            if !path.slice(depth..).starts_with(&extension.path)
                || !remove(&mut extension.child, path, below, source)?
            {
                return Ok(false);
            }
            let child = std::mem::replace(&mut extension.child, Node::Empty);
            *node = Node::joined(extension.path, child);
            Ok(true)
        }
        Node::Branch(branch) => {
            if !remove(branch.child_mut(path, depth)?, path, depth + 1, source)? {
                return Ok(false);
            }
            branch.memo = None;
            if let Some((nibble, child)) = branch.only_child() {
                child.resolve(depth + 1, source)?;
                let child = std::mem::replace(child, Node::Empty);
                *node = Node::joined(Nibbles::from_nibbles([nibble]), child);
            }
            Ok(true)
        }
    }
}

impl Node {
    /// Put the node's content in place of its hash.
    fn resolve(&mut self, depth: usize, source: &impl NodeSource) -> Result<(), TrieError> {
        if let Self::Hash(hash) = self {
            let raw = source.node(hash).ok_or(TrieError::Missing(*hash))?;
            *self = node::decode(raw, depth, Some(RlpNode::word_rlp(hash)))?;
        }
        Ok(())
    }

    /// `child` below `path`, where `child` is not a leaf or extension that would have to merge with it.
    fn prefixed(path: Nibbles, child: Self) -> Self {
        if path.is_empty() {
            return child;
        }
        Self::Extension(Box::new(Extension { path, child, memo: None }))
    }

    /// `child` below `path`, merged where the trie's form demands it.
    fn joined(mut path: Nibbles, child: Self) -> Self {
        match child {
            Self::Empty => Self::Empty,
            Self::Leaf(leaf) => {
                path.extend(&leaf.path);
                Self::leaf(path, leaf.value)
            }
            Self::Extension(extension) => {
                path.extend(&extension.path);
                Self::prefixed(path, extension.child)
            }
            child => Self::prefixed(path, child),
        }
    }

    fn leaf(path: Nibbles, value: Vec<u8>) -> Self {
        Self::Leaf(Box::new(Leaf { path, value, memo: None }))
    }
}

impl Branch {
    /// The child on `path`, whose nibble at `at` chooses it.
    fn child_mut(&mut self, path: &Nibbles, at: usize) -> Result<&mut Node, TrieError> {
        let nibble = path.get(at).ok_or(TrieError::Malformed { depth: at, what: "path ends at a branch" })?;
        self.children
            .get_mut(usize::from(nibble))
            .ok_or(TrieError::Malformed { depth: at, what: "nibble out of range" })
    }

    /// The child, when there is exactly one.
    fn only_child(&mut self) -> Option<(u8, &mut Node)> {
        let mut there = (0_u8..).zip(&mut self.children).filter(|(_, child)| !matches!(child, Node::Empty));
        let first = there.next()?;
        there.next().is_none().then_some(first)
    }
}
