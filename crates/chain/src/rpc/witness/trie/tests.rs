//! Nodes of the touched keys, and the siblings found, are enough to remove keys by; checked with the verifier's trie.

use super::*;
use alloy_primitives::U256;
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, proof::ProofRetainer};
use hum_verify::trie::{NodeSet, Trie};
use std::collections::BTreeMap;

type Entries = BTreeMap<B256, Vec<u8>>;

/// The root, the nodes on the way to each key, and all nodes.
fn build(entries: &Entries, keys: &[B256]) -> (B256, Vec<Vec<Bytes>>, Known) {
    let prove = |targets: Vec<Nibbles>| {
        let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(targets));
        for (key, value) in entries {
            builder.add_leaf(Nibbles::unpack(key), value);
        }
        let root = builder.root();
        (root, builder.take_proof_nodes())
    };
    let (root, _) = prove(Vec::new());
    let proofs = keys.iter().map(|key| {
        let nodes = prove(vec![Nibbles::unpack(key)]).1.into_nodes_sorted();
        nodes.into_iter().map(|(_, node)| node).collect()
    });
    let mut all = Known::default();
    let every = entries.keys().map(Nibbles::unpack).collect();
    all.extend(&prove(every).1.into_nodes_sorted().into_iter().map(|(_, node)| node).collect::<Vec<_>>());
    (root, proofs.collect(), all)
}

fn key(number: u64) -> B256 {
    keccak256(U256::from(number).to_be_bytes::<32>())
}

/// A small generator; what it gives need not be good, only varied.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[test]
fn what_is_found_is_enough_and_true() {
    let mut seed = 1;
    let (mut rebuilt, mut branches) = (0, 0);
    for round in 0..300 {
        let count = 1 + next(&mut seed) % 60;
        let entries: Entries =
            (0..count).map(|number| (key(number * 7 + round), alloy_rlp::encode(number + 1))).collect();
        let portion = 1 + next(&mut seed) % 4;
        let gone: Vec<B256> =
            entries.keys().copied().filter(|_| next(&mut seed).is_multiple_of(portion)).collect();
        if gone.is_empty() {
            continue;
        }
        let (root, proofs, all) = build(&entries, &gone);
        let mut known = Known::default();
        proofs.iter().for_each(|proof| known.extend(proof));
        let deleted: Vec<Nibbles> = gone.iter().map(Nibbles::unpack).collect();
        let siblings = known.siblings(root, &deleted);

        let mut left = entries.clone();
        left.retain(|key, _| !gone.contains(key));
        let (root_after, absences, _) = build(&left, &gone);
        for sibling in siblings {
            let true_node = all.0.get(&sibling.hash).unwrap().clone();
            let position = deleted.iter().position(|key| *key == sibling.beside).unwrap();
            match sibling.rebuilt_by_absence(&absences[position]) {
                Some(node) => {
                    assert_eq!(node, true_node);
                    rebuilt += 1;
                }
                None => branches += 1,
            }
            known.insert(true_node);
        }
        let mut source = NodeSet::default();
        for node in known.into_nodes() {
            source.insert(node);
        }
        let mut trie = Trie::from_root(root);
        for key in &gone {
            assert!(trie.remove(key, &source).unwrap());
        }
        let expected = if left.is_empty() { EMPTY_ROOT_HASH } else { root_after };
        assert_eq!(trie.root(), expected);
    }
    assert!(rebuilt > 50 && branches > 0, "{rebuilt} {branches}");
}

#[test]
fn without_deletions_nothing_is_needed() {
    let entries: Entries = (0..20).map(|number| (key(number), alloy_rlp::encode(number + 1))).collect();
    let (root, _, all) = build(&entries, &[]);
    assert_eq!(all.siblings(root, &[]), []);
    assert_eq!(Known::default().siblings(root, &[Nibbles::unpack(key(1))]), []);
    assert_eq!(all.siblings(B256::ZERO, &[Nibbles::unpack(key(1))]), []);
}
