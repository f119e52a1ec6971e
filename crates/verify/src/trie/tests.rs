use super::*;
use alloy_primitives::hex;
use alloy_rlp::Encodable;
use alloy_trie::{
    HashBuilder, TrieMask,
    nodes::{BranchNode, ExtensionNode, LeafNode},
};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Keys that share long prefixes, so that short paths, extensions and embedded nodes all occur.
fn key(seed: u16) -> B256 {
    let mut key = if seed & 0x8000 == 0 { keccak256(seed.to_be_bytes()) } else { B256::ZERO };
    if seed & 0x4000 != 0 {
        key = B256::ZERO;
        key.0[usize::from(seed & 31)] = (seed >> 5) as u8;
    }
    key
}

fn reference_root(map: &BTreeMap<B256, Vec<u8>>) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, value) in map {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    builder.root()
}

fn fill(map: &BTreeMap<B256, Vec<u8>>) -> (Trie, NodeSet) {
    let (mut trie, mut nodes) = (Trie::empty(), NodeSet::default());
    for (key, value) in map {
        trie.insert(key, value.clone(), &()).unwrap();
    }
    trie.commit(&mut |hash, node| nodes.insert_hashed(hash, Bytes::copy_from_slice(node)));
    (trie, nodes)
}

proptest! {
    #[test]
    fn every_change_gives_the_root_that_alloy_gives(
        changes in prop::collection::vec((any::<u16>(), prop::collection::vec(1_u8.., 0..40)), 1..120),
    ) {
        let (mut trie, mut map) = (Trie::empty(), BTreeMap::new());
        for (seed, value) in changes {
            let key = key(seed);
            if value.is_empty() {
                prop_assert_eq!(trie.remove(&key, &()).unwrap(), map.remove(&key).is_some());
            } else {
                trie.insert(&key, value.clone(), &()).unwrap();
                map.insert(key, value);
            }
            prop_assert_eq!(trie.root(), reference_root(&map));
        }
        for (key, value) in &map {
            prop_assert_eq!(trie.get(key, &()).unwrap(), Some(&value[..]));
        }
    }

    /// What `commit` hands out is enough to read and change the trie again from its root alone.
    #[test]
    fn committed_nodes_carry_the_trie(
        start in prop::collection::btree_map(any::<u16>().prop_map(key), prop::collection::vec(1_u8.., 1..40), 0..60),
        changes in prop::collection::vec((any::<u16>(), prop::collection::vec(1_u8.., 0..40)), 1..40),
    ) {
        let (mut whole, nodes) = fill(&start);
        let mut sparse = Trie::from_root(whole.root());
        let mut map = start;
        for (seed, value) in changes {
            let key = key(seed);
            prop_assert_eq!(sparse.get(&key, &nodes).unwrap(), map.get(&key).map(|value| &value[..]));
            if value.is_empty() {
                sparse.remove(&key, &nodes).unwrap();
                map.remove(&key);
            } else {
                sparse.insert(&key, value.clone(), &nodes).unwrap();
                map.insert(key, value);
            }
        }
        prop_assert_eq!(sparse.root(), reference_root(&map));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(raw in prop::collection::vec(any::<u8>(), 0..600), depth in 0_usize..=64) {
        let _ = node::decode(&raw, depth, None);
    }

    /// A real node with one byte changed, reached at any depth, neither panics nor loops.
    #[test]
    fn no_changed_node_makes_a_walk_panic(
        start in prop::collection::btree_map(any::<u16>().prop_map(key), prop::collection::vec(1_u8.., 1..40), 2..60),
        pick in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        probe in any::<u16>(),
    ) {
        let (mut whole, mut nodes) = fill(&start);
        let hash = *nodes.0.keys().nth(pick.index(nodes.len())).unwrap();
        let mut raw = nodes.0[&hash].to_vec();
        let at = at.index(raw.len());
        raw[at] = to;
        nodes.insert_hashed(hash, raw.into());
        for key in start.keys().copied().chain([key(probe)]) {
            let mut trie = Trie::from_root(whole.root());
            let _ = trie.get(&key, &nodes);
            let _ = trie.insert(&key, vec![1; 33], &nodes);
            let _ = trie.remove(&key, &nodes);
            trie.root();
        }
    }
}

#[test]
fn a_missing_node_is_named() {
    let map = (0..40_u16).map(|seed| (keccak256(seed.to_be_bytes()), vec![7; 40])).collect();
    let (mut whole, nodes) = fill(&map);
    for hash in nodes.0.keys() {
        let mut fewer = nodes.clone();
        fewer.0.remove(hash);
        let mut trie = Trie::from_root(whole.root());
        let missed = map.keys().find_map(|key| trie.get(key, &fewer).err());
        assert_eq!(missed, Some(TrieError::Missing(*hash)));
    }
}

fn malformed(depth: usize, raw: &[u8]) -> &'static str {
    match node::decode(raw, depth, None) {
        Err(TrieError::Malformed { what, .. }) => what,
        other => panic!("decoded to {other:?}"),
    }
}

fn rlp(node: &impl Encodable) -> Vec<u8> {
    alloy_rlp::encode(node)
}

#[test]
fn nodes_that_cannot_stand_where_they_stand_are_refused() {
    let child = || RlpNode::word_rlp(&B256::repeat_byte(1));
    let path = |length| Nibbles::from_nibbles(vec![1; length]);
    let branch = |children: usize| {
        BranchNode::new(vec![child(); children], TrieMask::new(((1_u32 << children) - 1) as u16))
    };

    assert_eq!(
        malformed(0, &rlp(&LeafNode::new(path(63), vec![1]))),
        "a leaf's path does not end where keys end"
    );
    assert_eq!(
        malformed(1, &rlp(&LeafNode::new(path(64), vec![1]))),
        "a leaf's path does not end where keys end"
    );
    assert_eq!(malformed(0, &rlp(&LeafNode::new(path(64), vec![]))), "a leaf's value is empty");
    let to_end = "an extension's path is empty or reaches the end";
    assert_eq!(malformed(0, &rlp(&ExtensionNode::new(path(64), child()))), to_end);
    assert_eq!(malformed(60, &rlp(&ExtensionNode::new(path(4), child()))), to_end);
    assert_eq!(malformed(0, &rlp(&ExtensionNode::new(Nibbles::new(), child()))), to_end);
    assert_eq!(malformed(64, &rlp(&branch(2))), "deeper than a key");
    assert_eq!(malformed(0, &rlp(&branch(1))), "a branch has fewer than two children");
    assert_eq!(malformed(0, &rlp(&branch(0))), "a branch has fewer than two children");
    assert_eq!(malformed(0, &[]), "not a list of at most 17 items");
    assert_eq!(malformed(0, &[0x80]), "not a list of at most 17 items");
    assert_eq!(malformed(0, &hex!("c3010203")), "neither 2 nor 17 items");
    assert_eq!(malformed(0, &hex!("c24080")), "bad path");
    assert_eq!(malformed(0, &hex!("c20180")), "bad path");
    let mut trailing = rlp(&branch(2));
    trailing.push(0);
    assert_eq!(malformed(0, &trailing), "not a list of at most 17 items");
    let mut valued = rlp(&branch(2));
    *valued.last_mut().unwrap() = 1;
    assert_eq!(malformed(0, &valued), "a branch holds a value");
    let mut short_child = rlp(&ExtensionNode::new(path(2), RlpNode::from_rlp(&hex!("c22002"))));
    assert_eq!(malformed(0, &short_child), "a leaf's path does not end where keys end");
    *short_child.last_mut().unwrap() = 0xc0;
    assert!(node::decode(&short_child, 0, None).is_err());
}

/// An extension to an extension to … is refused at the first that adds no nibble, and ends after 64 otherwise.
#[test]
fn a_chain_of_extensions_ends() {
    let mut nodes = NodeSet::default();
    let mut root = B256::repeat_byte(9);
    for _ in 0..10_000 {
        let node = ExtensionNode::new(Nibbles::from_nibbles([0]), RlpNode::word_rlp(&root));
        root = nodes.insert(rlp(&node).into());
    }
    let mut trie = Trie::from_root(root);
    assert!(matches!(trie.get(&B256::ZERO, &nodes), Err(TrieError::Malformed { depth: 63, .. })));
    assert!(trie.insert(&B256::ZERO, vec![1], &nodes).is_err());
    assert!(trie.remove(&B256::ZERO, &nodes).is_err());
}

#[test]
fn the_empty_trie_has_the_empty_root() {
    assert_eq!(Trie::empty().root(), EMPTY_ROOT_HASH);
    assert_eq!(Trie::from_root(EMPTY_ROOT_HASH).get(&B256::ZERO, &()), Ok(None));
}

/// Ethereum's own tests of tries with hashed keys.
#[test]
fn ethereums_tests_give_their_roots() {
    let text = |value: &serde_json::Value| match value.as_str() {
        Some(text) if text.starts_with("0x") => hex::decode(text).unwrap(),
        Some(text) => text.as_bytes().to_vec(),
        None => Vec::new(),
    };
    let mut roots = 0;
    for json in [
        include_str!("../../testdata/ethereum-tests/hex_encoded_securetrie_test.json"),
        include_str!("../../testdata/ethereum-tests/trieanyorder_secureTrie.json"),
        include_str!("../../testdata/ethereum-tests/trietest_secureTrie.json"),
    ] {
        let tests: BTreeMap<String, serde_json::Value> = serde_json::from_str(json).unwrap();
        for (name, test) in tests {
            let changes: Vec<(Vec<u8>, Vec<u8>)> = match &test["in"] {
                serde_json::Value::Array(list) => list.iter().map(|p| (text(&p[0]), text(&p[1]))).collect(),
                serde_json::Value::Object(map) => {
                    map.iter().map(|(k, v)| (text(&k.as_str().into()), text(v))).collect()
                }
                other => panic!("{other}"),
            };
            let mut trie = Trie::empty();
            for (key, value) in changes {
                let key = keccak256(key);
                if value.is_empty() {
                    trie.remove(&key, &()).unwrap();
                } else {
                    trie.insert(&key, value, &()).unwrap();
                }
            }
            assert_eq!(trie.root(), B256::from_slice(&text(&test["root"])), "{name}");
            roots += 1;
        }
    }
    assert_eq!(roots, 13);
}
