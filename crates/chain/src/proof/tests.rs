use super::*;
use alloy_trie::{HashBuilder, proof::ProofRetainer};
use hum_types::Address;

const ACCOUNT: Address = Address::repeat_byte(0xa1);

/// A trie of these entries, with the proof of one key.
fn trie(mut entries: Vec<(B256, Vec<u8>)>, key: B256) -> (B256, Vec<Bytes>) {
    entries.sort();
    let mut builder =
        HashBuilder::default().with_proof_retainer(ProofRetainer::new(vec![Nibbles::unpack(key)]));
    for (key, value) in entries {
        builder.add_leaf(Nibbles::unpack(key), &value);
    }
    let root = builder.root();
    let nodes = builder.take_proof_nodes().into_nodes_sorted();
    (root, nodes.into_iter().map(|(_, node)| node).collect())
}

fn slot(number: u8) -> B256 {
    B256::with_last_byte(number)
}

fn storage(asked: u8, words: &[(u8, u64)]) -> (B256, Vec<Bytes>) {
    let entry = |(number, word): &(u8, u64)| (keccak256(slot(*number)), alloy_rlp::encode(U256::from(*word)));
    trie(words.iter().map(entry).collect(), keccak256(slot(asked)))
}

fn state(storage_root: B256, present: bool) -> (B256, Vec<Bytes>) {
    let account = TrieAccount { storage_root, ..TrieAccount::default() };
    let mut entries: Vec<_> =
        (1..20_u8).map(|n| (keccak256([n]), alloy_rlp::encode(TrieAccount::default()))).collect();
    if present {
        entries.push((keccak256(ACCOUNT), alloy_rlp::encode(account)));
    }
    trie(entries, keccak256(ACCOUNT))
}

fn proof(asked: u8, word: u64, words: &[(u8, u64)]) -> (B256, StateProof) {
    let (storage_root, nodes) = storage(asked, words);
    let (state_root, account) = state(storage_root, true);
    let proven = ProvenSlot { slot: slot(asked), word: B256::from(U256::from(word)), nodes };
    (state_root, StateProof { account: ACCOUNT, nodes: account, slots: vec![proven] })
}

const WORDS: [(u8, u64); 4] = [(1, 11), (2, 1 << 40), (3, 13), (4, 14)];

#[test]
fn words_that_are_there_and_words_that_are_not_are_proven() {
    for (asked, word) in WORDS.into_iter().chain([(9, 0)]) {
        let (root, proof) = proof(asked, word, &WORDS);
        assert_eq!(proof.check(root), Ok(()), "{asked}");
    }
}

#[test]
fn another_word_root_or_node_is_refused() {
    let (root, proof) = proof(2, 1 << 40, &WORDS);
    let wrong = |change: fn(&mut StateProof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        changed.check(root)
    };
    assert!(matches!(wrong(|p| p.slots[0].word = slot(7)), Err(StateProofError::Slot { .. })));
    assert!(matches!(wrong(|p| p.slots[0].word = B256::ZERO), Err(StateProofError::Slot { .. })));
    assert!(matches!(wrong(|p| p.slots[0].slot = slot(3)), Err(StateProofError::Slot { .. })));
    assert!(matches!(wrong(|p| p.slots[0].nodes.clear()), Err(StateProofError::Slot { .. })));
    assert!(matches!(wrong(|p| p.account = Address::ZERO), Err(StateProofError::Account { .. })));
    assert!(matches!(wrong(|p| p.nodes.clear()), Err(StateProofError::Account { .. })));
    assert!(matches!(proof.check(B256::ZERO), Err(StateProofError::Account { .. })));
}

#[test]
fn an_account_that_is_not_there_and_one_without_storage_hold_zero() {
    let empty = |present| {
        let (root, nodes) = state(EMPTY_ROOT_HASH, present);
        let slots = vec![ProvenSlot { slot: slot(1), word: B256::ZERO, nodes: Vec::new() }];
        (root, StateProof { account: ACCOUNT, nodes, slots })
    };
    for present in [true, false] {
        let (root, mut proof) = empty(present);
        assert_eq!(proof.check(root), Ok(()));
        proof.slots[0].word = slot(1);
        assert!(matches!(proof.check(root), Err(StateProofError::Slot { .. })));
    }
}
