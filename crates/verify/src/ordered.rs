//! Roots over lists: tries whose keys are the items' positions.
//!
//! The number of items fixes the shape of such a trie before any item is known, so each leaf can be hashed as soon as its
//! item is there, on any core.

use alloy_primitives::{B256, keccak256};
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles, TrieMask,
    nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef, RlpNode},
    root::adjust_index_for_rlp,
};
use rayon::prelude::*;

/// The shape of the trie over a list of known length.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Keys in their order, and the position that each stands for.
    keys: Vec<(Nibbles, usize)>,
    /// By position: how many nibbles of the key stand above its leaf.
    depths: Vec<usize>,
}

impl Layout {
    pub(crate) fn new(count: usize) -> Self {
        let position = |n| adjust_index_for_rlp(n, count);
        let keys: Vec<(Nibbles, usize)> = (0..count)
            .map(position)
            .map(|at| (Nibbles::unpack(alloy_rlp::encode_fixed_size(&at)), at))
            .collect();
        let mut depths = vec![0; count];
        // A leaf hangs below the deepest branch that it shares with a neighbour.
        for pair in keys.windows(2) {
            let [(one, at), (other, next)] = pair else { continue };
            let below = one.common_prefix_length(other) + 1;
            for at in [*at, *next] {
                if let Some(depth) = depths.get_mut(at) {
                    *depth = below.max(*depth);
                }
            }
        }
        Self { keys, depths }
    }

    /// What the leaf of item `at` looks like from above.
    pub(crate) fn leaf(&self, at: usize, item: &[u8]) -> RlpNode {
        let key = Nibbles::unpack(alloy_rlp::encode_fixed_size(&at));
        let depth = self.depths.get(at).copied().unwrap_or(0);
        LeafNodeRef::new(&key.slice(depth.min(key.len())..), item)
            .rlp(&mut Vec::with_capacity(item.len() + 16))
    }

    /// The root over all leaves, by position.
    pub(crate) fn root(&self, leaves: &[RlpNode]) -> B256 {
        if self.keys.is_empty() {
            return EMPTY_ROOT_HASH;
        }
        let root = above(&self.keys, 0, leaves, &mut Vec::new());
        root.as_hash().unwrap_or_else(|| keccak256(&root[..]))
    }
}

/// The node over `keys`, which share their first `depth` nibbles.
fn above(keys: &[(Nibbles, usize)], depth: usize, leaves: &[RlpNode], buffer: &mut Vec<u8>) -> RlpNode {
    let ((first, at), last) = match keys {
        [] => return RlpNode::default(),
        [only] => (only, None),
        [first, .., last] => (first, Some(last)),
    };
    let Some((last, _)) = last else { return leaves.get(*at).cloned().unwrap_or_default() };
    let shared = first.common_prefix_length(last);
    let mut mask = TrieMask::default();
    let mut children = Vec::with_capacity(16);
    for group in keys.chunk_by(|(one, _), (other, _)| one.get(shared) == other.get(shared)) {
        if let Some(nibble) = group.first().and_then(|(key, _)| key.get(shared)) {
            mask.set_bit(nibble);
            children.push(above(group, shared + 1, leaves, buffer));
        }
    }
    buffer.clear();
    let branch = BranchNodeRef::new(&children, mask).rlp(buffer);
    if shared == depth {
        return branch;
    }
    buffer.clear();
    ExtensionNodeRef::new(&first.slice(depth..shared), &branch).rlp(buffer)
}

/// The root over encoded items; all cores take part.
pub(crate) fn root(items: &[&[u8]]) -> B256 {
    let layout = Layout::new(items.len());
    let leaf = |(at, item): (usize, &&[u8])| layout.leaf(at, item);
    let leaves: Vec<RlpNode> = items.par_iter().with_min_len(16).enumerate().map(leaf).collect();
    layout.root(&leaves)
}

#[cfg(test)]
mod tests {
    use alloy_trie::root::ordered_trie_root_encoded;
    use proptest::prelude::*;

    #[test]
    fn every_length_up_to_three_byte_keys() {
        for count in (0..300).chain([65_535, 65_536, 66_000]) {
            let items: Vec<[u8; 2]> = (0..count).map(|n| [n as u8, 1]).collect();
            let items: Vec<&[u8]> = items.iter().map(|item| &item[..]).collect();
            assert_eq!(super::root(&items), ordered_trie_root_encoded(&items), "{count}");
        }
    }

    proptest! {
        #[test]
        fn any_items(items in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..80), 0..40)) {
            let items: Vec<&[u8]> = items.iter().map(|item| &item[..]).collect();
            prop_assert_eq!(super::root(&items), ordered_trie_root_encoded(&items));
        }
    }
}
