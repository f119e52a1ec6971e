use super::*;
use proptest::prelude::*;

fn leaves(count: u64) -> Vec<B256> {
    (0..count).map(|i| keccak256(i.to_be_bytes())).collect()
}

/// The definition in `docs/protocol.md`, without any cleverness.
fn plain_root(leaves: &[B256]) -> B256 {
    if leaves.is_empty() {
        return B256::ZERO;
    }
    let mut row = leaves.to_vec();
    row.resize(leaves.len().next_power_of_two(), B256::ZERO);
    while row.len() > 1 {
        row = row.chunks(2).map(|pair| node(pair[0], pair[1])).collect();
    }
    row[0]
}

#[test]
fn frontier_and_tree_agree_with_the_definition() {
    let (mut frontier, mut tree) = (Frontier::default(), Tree::default());
    for count in 0..70 {
        let all = leaves(count);
        assert_eq!(frontier.root(), plain_root(&all), "frontier of {count}");
        assert_eq!(tree.root(), plain_root(&all), "tree of {count}");
        assert_eq!(root(all), frontier.root());
        frontier.push(keccak256(count.to_be_bytes()));
        tree.push(keccak256(count.to_be_bytes()));
    }
}

#[test]
fn truncated_tree_is_the_tree_that_never_grew() {
    for keep in 0..33 {
        let (mut grown, mut small) = (Tree::default(), Tree::default());
        leaves(33).into_iter().for_each(|leaf| grown.push(leaf));
        leaves(keep).into_iter().for_each(|leaf| small.push(leaf));
        grown.truncate(keep);
        assert_eq!(grown.root(), small.root());
        grown.push(B256::repeat_byte(7));
        small.push(B256::repeat_byte(7));
        assert_eq!(grown.root(), small.root());
    }
}

#[test]
fn every_corruption_is_refused() {
    let mut tree = Tree::default();
    leaves(11).into_iter().for_each(|leaf| tree.push(leaf));
    let (root, run) = (tree.root(), leaves(11)[3..6].to_vec());
    let proof = tree.prove(11, 3, 3).unwrap();
    verify(root, 11, 3, &run, &proof).unwrap();

    assert!(matches!(
        verify(root, 11, 4, &run, &proof),
        Err(ProofError::Siblings { .. } | ProofError::Root { .. })
    ));
    assert!(matches!(verify(root, 5, 3, &run, &proof), Err(ProofError::OutOfRange { .. })));
    assert!(matches!(verify(root, 11, u64::MAX, &run, &proof), Err(ProofError::OutOfRange { .. })));
    assert!(matches!(verify(root, 11, 3, &[], &proof), Err(ProofError::OutOfRange { .. })));
    assert!(matches!(verify(root, 11, 3, &run, &proof[1..]), Err(ProofError::Siblings { .. })));
    let longer: Vec<_> = proof.iter().copied().chain([B256::ZERO]).collect();
    assert!(matches!(verify(root, 11, 3, &run, &longer), Err(ProofError::Siblings { .. })));
    assert!(matches!(verify(B256::ZERO, 11, 3, &run, &proof), Err(ProofError::Root { .. })));
    for i in 0..proof.len() {
        let mut bad = proof.clone();
        bad[i].0[0] ^= 1;
        assert!(matches!(verify(root, 11, 3, &run, &bad), Err(ProofError::Root { .. })), "sibling {i}");
    }
    for i in 0..run.len() {
        let mut bad = run.clone();
        bad[i].0[31] ^= 1;
        assert!(matches!(verify(root, 11, 3, &bad, &proof), Err(ProofError::Root { .. })), "leaf {i}");
    }
    let padding_leaf = tree.prove(11, 10, 1).unwrap();
    assert!(verify(root, 11, 11, &[B256::ZERO], &padding_leaf).is_err(), "padding is not a leaf");
}

proptest! {
    #[test]
    fn every_run_of_every_earlier_count_is_proved(count in 1_u64..130, grow in 0_u64..70, start in 0_u64..130, length in 1_u64..130) {
        let start = start % count;
        let length = 1 + (length - 1) % (count - start);
        let mut tree = Tree::default();
        leaves(count + grow).into_iter().for_each(|leaf| tree.push(leaf));
        let run = &leaves(count)[start as usize..(start + length) as usize];
        let proof = tree.prove(count, start, length).unwrap();
        prop_assert_eq!(verify(plain_root(&leaves(count)), count, start, run, &proof), Ok(()));
    }
}
