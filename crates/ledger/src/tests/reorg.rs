//! Chains that final L1 data contradict, and heads that take long to settle.

use super::{settle::*, *};

fn reorg(kept: BlockRef, head: BlockRef, l1: L1Origin) -> Change {
    Change::Reorg { chain_id: A, kept, head, l1 }
}

/// What L1 holds in the place of block 14.
fn other() -> BlockRef {
    at(14, 1)
}

fn rollup(state: &State) -> &Rollup {
    state.rollup(A).unwrap()
}

#[test]
fn what_l1_contradicts_is_cut_back_and_comes_back_as_l1_has_it() {
    let mut archive = Archive::new(genesis());
    let (one, state) = four_blocks();
    let origin = state.header().l1_origin;
    archive.apply(&one).unwrap();
    let (two, state) = next(&state, changes(vec![settle(Confidence::Finalized, at(12, 0), origin)]));
    archive.apply(&two).unwrap();
    let before = [1, 2].map(|facade| prove(&archive, Height(2), facade));
    let (three, state) = next(&state, changes(vec![reorg(at(12, 0), other(), origin)]));
    archive.apply(&three).unwrap();
    let leaf = rollup(&state).leaf();
    assert_eq!((leaf.status, leaf.generation), (RollupStatus::Reorged, Generation(1)));
    assert_eq!(leaf.heads.map(|part| part.block), [at(12, 0); 3]);
    assert_eq!((leaf.heads[0].advanced_at, rollup(&state).reorged()), (Height(3), Some(other())));
    // Lanes of `Latest` are dead, the others' proofs stand.
    let latest = archive.prove_run(Height(2), A, lane(0), LaneIndex(0), 1);
    assert!(matches!(latest, Err(ArchiveError::Retracted { .. })));
    for (facade, before) in [(1, &before[0]), (2, &before[1])] {
        assert_eq!(prove(&archive, Height(3), facade).leaf, before.leaf);
    }

    // Block 13 comes back with the same message in the first place and another in the second.
    let again = block_through(1, 13, 1, &[0, 1, 2]);
    let end = block_through(1, 14, 1, &[0, 0]);
    assert_eq!(end.block, other());
    let (four, state) = next(&state, advance(vec![again, end]));
    let carried = archive.apply(&four).unwrap();
    let generations: Vec<_> = carried.iter().map(|message| message.generation.0).collect();
    // The lane of `Latest` had four messages: two come back where they were, the one above is new.
    assert_eq!(generations, [0, 0, 0, 0, 1]);
    assert_eq!(rollup(&state).status(), RollupStatus::Reorged);
    let (_, state) = next(&state, changes(vec![settle(Confidence::Safe, at(13, 1), origin)]));
    let (_, state) = next(&state, changes(vec![settle(Confidence::Finalized, at(13, 1), origin)]));
    assert_eq!(rollup(&state).status(), RollupStatus::Reorged, "the end of what contradicted is not reached");
    let (_, safe) = next(&state, changes(vec![settle(Confidence::Safe, other(), origin)]));
    assert_eq!(rollup(&safe).status(), RollupStatus::Reorged, "Safe is not for good");
    let (_, state) = next(&safe, changes(vec![settle(Confidence::Finalized, other(), origin)]));
    assert_eq!((rollup(&state).status(), rollup(&state).reorged()), (RollupStatus::Active, None));
    assert_eq!(rollup(&state).generation(), Generation(1));
    // It can happen again.
    let (_, state) = next(&state, advance(vec![block(1, 15, 0, &[])]));
    let (_, state) = next(&state, changes(vec![reorg(other(), at(15, 2), origin)]));
    assert_eq!(rollup(&state).generation(), Generation(2));
}

#[test]
fn every_rule_of_a_reorg_is_checked() {
    let (_, state) = four_blocks();
    let origin = state.header().l1_origin;
    let (_, state) = next(&state, changes(vec![settle(Confidence::Safe, at(12, 0), origin)]));
    next(&state, changes(vec![reorg(at(12, 0), other(), origin)]));
    // The chain that L1 has may be longer than the certified one.
    next(&state, changes(vec![reorg(at(12, 0), at(19, 1), origin)]));
    let later = L1Origin { number: origin.number + 1, ..origin };
    let fork = L1Origin { hash: B256::ZERO, ..origin };
    let stranger = Change::Reorg { chain_id: ChainId(1), kept: at(12, 0), head: other(), l1: origin };
    let cases: Vec<(Change, Expected)> = vec![
        (reorg(at(12, 0), other(), later), |r| matches!(r, Refusal::ReorgOrigin { .. })),
        (reorg(at(12, 0), other(), fork), |r| matches!(r, Refusal::ReorgOrigin { .. })),
        (reorg(at(11, 0), other(), origin), |r| {
            matches!(r, Refusal::KeptBelowSafe { safe: BlockRef { number: 12, .. }, .. })
        }),
        (reorg(at(12, 1), other(), origin), |r| matches!(r, Refusal::Kept { number: 12, .. })),
        (reorg(at(15, 0), at(16, 0), origin), |r| matches!(r, Refusal::Kept { number: 15, .. })),
        (reorg(at(12, 0), at(14, 0), origin), |r| matches!(r, Refusal::NoContradiction { .. })),
        (reorg(at(12, 0), at(12, 1), origin), |r| matches!(r, Refusal::NoContradiction { .. })),
        (reorg(at(14, 0), at(15, 1), origin), |r| matches!(r, Refusal::NoContradiction { .. })),
        (stranger, |r| matches!(r, Refusal::Unknown { .. })),
    ];
    for (i, (change, expected)) in cases.into_iter().enumerate() {
        let refusal = refuse(&state, &changes(vec![change]));
        assert!(expected(&refusal), "case {i}: {refusal}");
    }
    let (_, left) = next(&state, changes(vec![Change::Leave { chain_id: A, l1: origin }]));
    let refusal = refuse(&left, &changes(vec![reorg(at(12, 0), other(), origin)]));
    assert_eq!(refusal, Refusal::Left { chain_id: A });

    let (_, state) = next(&state, changes(vec![reorg(at(12, 0), other(), origin)]));
    let again = changes(vec![reorg(at(12, 0), other(), origin)]);
    assert!(matches!(refuse(&state, &again), Refusal::ReorgedAlready { .. }));
    let old = refuse(&state, &advance(vec![block(0, 13, 0, &[])]));
    assert!(matches!(old, Refusal::Claim { .. }), "claims of the generation before count no more: {old}");
    let blocks = |fork| advance(vec![block(1, 13, 1, &[]), block(1, 14, fork, &[])]);
    assert!(matches!(refuse(&state, &blocks(0)), Refusal::AgainstL1 { held, .. } if held == other()));
    next(&state, blocks(1));
    // The sequencer may take back what it put on the wrong blocks; that lifts nothing.
    let (_, state) = next(&state, advance(vec![block(1, 13, 2, &[])]));
    let (_, state) = next(&state, changes(vec![retraction(2, at(12, 0))]));
    assert_eq!(
        (rollup(&state).status(), rollup(&state).generation()),
        (RollupStatus::Reorged, Generation(2))
    );
}

#[test]
fn a_sequencer_that_contradicts_itself_is_set_aside_and_l1_decides() {
    let (_, state) = four_blocks();
    let origin = state.header().l1_origin;
    let quarantine = |state: &State, generation, number| {
        let (one, other) = (claim(A, generation, number, 0), claim(A, generation, number, 1));
        let evidence = Evidence::Equivocation { one, other };
        next(state, changes(vec![Change::Quarantine { evidence }])).1
    };
    let state = quarantine(&state, 0, 15);
    let (_, state) = next(&state, changes(vec![reorg(at(12, 0), other(), origin)]));
    assert_eq!(rollup(&state).status(), RollupStatus::Reorged);
    // And again, in the generation that L1 has opened: it takes the sequencer's word to go on, and L1's to be active.
    let state = quarantine(&state, 1, 13);
    assert_eq!(rollup(&state).status(), RollupStatus::Quarantined);
    let (_, state) = next(&state, changes(vec![retraction(2, at(12, 0))]));
    assert_eq!(rollup(&state).status(), RollupStatus::Reorged);
    let (_, state) = next(&state, advance(vec![block(2, 13, 1, &[]), block(2, 14, 1, &[])]));
    let state = quarantine(&state, 2, 15);
    let (_, state) = next(&state, changes(vec![settle(Confidence::Finalized, other(), origin)]));
    assert_eq!((rollup(&state).status(), rollup(&state).reorged()), (RollupStatus::Quarantined, None));
}

#[test]
fn what_is_cut_back_by_l1_can_be_deeper_than_any_retraction() {
    let depth = RETRACTABLE_BLOCKS_MAX as u64 + 90;
    let state = grow(genesis(), 11, depth);
    let origin = state.header().l1_origin;
    let kept = wide(0, 12).block;
    assert!(matches!(refuse(&state, &changes(vec![retraction(1, kept)])), Refusal::Kept { .. }));
    let (_, state) = next(&state, changes(vec![reorg(kept, at(20, 1), origin)]));
    assert_eq!(rollup(&state).head().block, kept);
    let (_, state) = next(&state, advance(vec![wide(1, 13)]));
    next(&state, changes(vec![retraction(2, kept)]));
}

#[test]
fn a_safe_head_becomes_final_however_long_that_takes() {
    let (_, state) = four_blocks();
    let origin = state.header().l1_origin;
    let (_, state) = next(&state, changes(vec![settle(Confidence::Safe, at(12, 0), origin)]));
    let (_, state) = next(&state, changes(vec![settle(Confidence::Safe, at(13, 0), origin)]));
    let count = HISTORY_BLOCKS_MAX as u64 + 200;
    let state = grow(state, 15, count);
    let known = |number| rollup(&state).block_at(number).map(|record| record.block);
    assert_eq!([11, 12, 13, 14].map(known), [None, Some(at(12, 0)), Some(at(13, 0)), None]);
    // At even distances there are others, for chains that settle after days.
    assert_eq!((known(64), known(65)), (Some(wide(0, 64).block), None));
    let below = |number| rollup(&state).known_below(number).map(|record| record.block.number);
    assert_eq!(
        [11, 12, 63, 127, 14 + count].map(below),
        [None, Some(12), Some(13), Some(64), Some(14 + count)]
    );
    let kept = changes(vec![reorg(wide(0, 64).block, at(70, 1), origin)]);
    assert!(
        matches!(refuse(&state, &kept), Refusal::Kept { .. }),
        "the places of the messages above are gone"
    );

    let (_, state) = next(&state, changes(vec![settle(Confidence::Finalized, at(12, 0), origin)]));
    let (_, state) = next(&state, changes(vec![settle(Confidence::Finalized, wide(0, 64).block, origin)]));
    assert_eq!(rollup(&state).block_at(13), None);
    assert_eq!(rollup(&state).leaf().heads[2].block, wide(0, 64).block);
}
