//! Nodes in memory and their RLP, both ways.

use super::{PATH_NIBBLES, TrieError};
use alloy_primitives::B256;
use alloy_rlp::{EMPTY_STRING_CODE, Header};
use alloy_trie::{
    Nibbles,
    nodes::{ExtensionNodeRef, LeafNodeRef, RlpNode},
};
use rayon::prelude::*;

/// The longest node of a trie with 32-byte keys is a branch of sixteen hashes.
pub(super) const NODE_BYTES_MAX: usize = 3 + 16 * 33 + 1;
/// What an RLP string header of 32 bytes looks like.
const HASH_CODE: u8 = EMPTY_STRING_CODE + 32;
/// The first byte of the shortest RLP list.
const LIST_CODE: u8 = 0xc0;

/// A node, or the hash that stands for it.
#[derive(Debug, Clone, Default)]
pub(super) enum Node {
    /// Nothing below.
    #[default]
    Empty,
    /// Not visited.
    Hash(B256),
    /// The end of a path.
    Leaf(Box<Leaf>),
    /// A stretch without a fork.
    Extension(Box<Extension>),
    /// A fork.
    Branch(Box<Branch>),
}

/// `memo`, here and below, is what the parent writes for this node; none when it has changed.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) path: Nibbles,
    pub(super) value: Vec<u8>,
    pub(super) memo: Option<RlpNode>,
}

#[derive(Debug, Clone)]
pub(super) struct Extension {
    pub(super) path: Nibbles,
    pub(super) child: Node,
    pub(super) memo: Option<RlpNode>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Branch {
    pub(super) children: [Node; 16],
    pub(super) memo: Option<RlpNode>,
}

/// Decode the node that stands `depth` nibbles below the root; `memo` is how its parent refers to it.
pub(super) fn decode(raw: &[u8], depth: usize, memo: Option<RlpNode>) -> Result<Node, TrieError> {
    let malformed = |what| TrieError::Malformed { depth, what };
    let mut items = [&[][..]; 17];
    let count = split(raw, &mut items).ok_or_else(|| malformed("not a list of at most 17 items"))?;
    match count {
        17 => {
            if items[16] != [EMPTY_STRING_CODE] {
                return Err(malformed("a branch holds a value"));
            }
            let mut branch = Branch { memo, ..Default::default() };
            let mut there = 0;
            for (child, item) in branch.children.iter_mut().zip(items) {
                if item != [EMPTY_STRING_CODE] {
                    *child = decode_child(item, depth + 1)?;
                    there += 1;
                }
            }
            if there < 2 {
                return Err(malformed("a branch has fewer than two children"));
            }
            Ok(Node::Branch(Box::new(branch)))
        }
        2 => {
            let (is_leaf, path) = decode_path(items[0]).ok_or_else(|| malformed("bad path"))?;
            let below = depth + path.len();
            if is_leaf {
                if below != PATH_NIBBLES {
                    return Err(malformed("a leaf's path does not end where keys end"));
                }
                let mut item = items[1];
                let value = Header::decode_bytes(&mut item, false)
                    .map_err(|_| malformed("a leaf's value is not a string"))?;
                if value.is_empty() {
                    return Err(malformed("a leaf's value is empty"));
                }
                Ok(Node::Leaf(Box::new(Leaf { path, value: value.to_vec(), memo })))
            } else {
                if path.is_empty() || below >= PATH_NIBBLES {
                    return Err(malformed("an extension's path is empty or reaches the end"));
                }
                let child = decode_child(items[1], below)?;
                Ok(Node::Extension(Box::new(Extension { path, child, memo })))
            }
        }
        _ => Err(malformed("neither 2 nor 17 items")),
    }
}

/// A child is a hash, or, when shorter than a hash, the node itself.
fn decode_child(item: &[u8], depth: usize) -> Result<Node, TrieError> {
    let malformed = |what| TrieError::Malformed { depth, what };
    if depth > PATH_NIBBLES {
        return Err(malformed("deeper than a key"));
    }
    match item {
        [HASH_CODE, hash @ ..] if hash.len() == 32 => Ok(Node::Hash(B256::from_slice(hash))),
        [first, ..] if *first >= LIST_CODE && item.len() < 32 => {
            let memo = RlpNode::from_raw(item).ok_or_else(|| malformed("embedded node too long"))?;
            decode(item, depth, Some(memo))
        }
        _ => Err(malformed("a child is neither a hash nor a short node")),
    }
}

/// Split a list into its raw items; their count, or nothing when the RLP is bad or has too many or trailing bytes.
fn split<'a>(mut raw: &'a [u8], items: &mut [&'a [u8]; 17]) -> Option<usize> {
    let mut payload = Header::decode_bytes(&mut raw, true).ok()?;
    if !raw.is_empty() {
        return None;
    }
    let mut count = 0;
    while !payload.is_empty() {
        let start = payload;
        let header = Header::decode(&mut payload).ok()?;
        payload = payload.get(header.payload_length..)?;
        *items.get_mut(count)? = start.get(..start.len() - payload.len())?;
        count += 1;
    }
    Some(count)
}

/// Hex-prefix decoding: whether the path is a leaf's, and the path.
fn decode_path(mut item: &[u8]) -> Option<(bool, Nibbles)> {
    let encoded = Header::decode_bytes(&mut item, false).ok()?;
    let (&first, rest) = encoded.split_first()?;
    let (flag, low) = (first >> 4, first & 0x0f);
    let odd = flag & 1 == 1;
    if flag > 3 || rest.len() > 32 - usize::from(odd) || (!odd && low != 0) {
        return None;
    }
    let mut path = if odd { Nibbles::from_nibbles([low]) } else { Nibbles::new() };
    path.extend(&Nibbles::unpack(rest));
    Some((flag & 2 == 2, path))
}

impl Node {
    /// What the parent writes for this node, computing what has changed. `keep` gets each node that has a hash of its
    /// own and was computed here. Recursion is at most [`PATH_NIBBLES`] deep: [`decode`] sees to that.
    pub(super) fn reference(&mut self, buffer: &mut Vec<u8>, keep: &mut impl FnMut(B256, &[u8])) -> RlpNode {
        match self {
            Self::Empty => RlpNode::from_rlp(&[EMPTY_STRING_CODE]),
            Self::Hash(hash) => RlpNode::word_rlp(hash),
            Self::Leaf(leaf) => {
                let leaf = &mut **leaf;
                leaf.memo
                    .get_or_insert_with(|| {
                        buffer.clear();
                        alloy_rlp::Encodable::encode(&LeafNodeRef::new(&leaf.path, &leaf.value), buffer);
                        finish(buffer, keep)
                    })
                    .clone()
            }
            Self::Extension(extension) => {
                if let Some(memo) = &extension.memo {
                    return memo.clone();
                }
                let child = extension.child.reference(buffer, keep);
                buffer.clear();
                alloy_rlp::Encodable::encode(&ExtensionNodeRef::new(&extension.path, &child), buffer);
                let node = finish(buffer, keep);
                extension.memo.insert(node).clone()
            }
            Self::Branch(branch) => {
                if let Some(memo) = &branch.memo {
                    return memo.clone();
                }
                for child in &mut branch.children {
                    if !child.is_settled() {
                        child.reference(buffer, keep);
                    }
                }
                buffer.clear();
                encode_branch(&branch.children, buffer);
                let node = finish(buffer, keep);
                branch.memo.insert(node).clone()
            }
        }
    }

    /// Hash what changed below the first `depth` nodes, on all cores.
    pub(super) fn settle(&mut self, depth: usize) {
        if self.is_settled() {
            return;
        }
        match self {
            Self::Extension(extension) => extension.child.settle(depth),
            Self::Branch(branch) if depth > 0 => {
                branch.children.par_iter_mut().for_each(|child| child.settle(depth - 1));
            }
            node => _ = node.reference(&mut Vec::with_capacity(NODE_BYTES_MAX), &mut |_, _| {}),
        }
    }

    /// Whether the node can be written without hashing anything.
    const fn is_settled(&self) -> bool {
        match self {
            Self::Empty | Self::Hash(_) => true,
            Self::Leaf(leaf) => leaf.memo.is_some(),
            Self::Extension(extension) => extension.memo.is_some(),
            Self::Branch(branch) => branch.memo.is_some(),
        }
    }

    /// The memo of a node that has one.
    fn memo(&self) -> Option<&RlpNode> {
        match self {
            Self::Empty | Self::Hash(_) => None,
            Self::Leaf(leaf) => leaf.memo.as_ref(),
            Self::Extension(extension) => extension.memo.as_ref(),
            Self::Branch(branch) => branch.memo.as_ref(),
        }
    }
}

fn finish(buffer: &[u8], keep: &mut impl FnMut(B256, &[u8])) -> RlpNode {
    let node = RlpNode::from_rlp(buffer);
    if let Some(hash) = node.as_hash() {
        keep(hash, buffer);
    }
    node
}

/// The RLP of a branch whose children are settled.
fn encode_branch(children: &[Node; 16], out: &mut Vec<u8>) {
    let length = |child: &Node| match child {
        Node::Hash(_) => 33,
        child => child.memo().map_or(1, |memo| memo.len()),
    };
    let payload_length = 1 + children.iter().map(length).sum::<usize>();
    Header { list: true, payload_length }.encode(out);
    for child in children {
        match child {
            Node::Hash(hash) => {
                out.push(HASH_CODE);
                out.extend_from_slice(hash.as_slice());
            }
            child => out.extend_from_slice(child.memo().map_or(&[EMPTY_STRING_CODE], |memo| memo)),
        }
    }
    out.push(EMPTY_STRING_CODE);
}
