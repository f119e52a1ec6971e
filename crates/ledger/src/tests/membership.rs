//! Rollups that come in and go.

use super::*;

const C: ChainId = ChainId(700);

fn origin() -> L1Origin {
    genesis().header().l1_origin
}

fn join() -> Join {
    Join {
        chain_id: C,
        sequencer: key().address(),
        facades: FACADES,
        class: Class::Reexecuted,
        anchor: BlockRef { number: 10, hash: B256::repeat_byte(10) },
        anchor_state_root: B256::repeat_byte(11),
        governor: Address::repeat_byte(12),
        profile: b"profile".into(),
        judges: vec![],
        l1: L1Origin { number: origin().number + 5, hash: B256::repeat_byte(13) },
    }
}

fn changes(changes: Vec<Change>) -> Body {
    Body { changes, advances: vec![] }
}

fn joins(join: Join) -> Body {
    changes(vec![Change::Join { join }])
}

fn leaves(chain_id: ChainId, l1: L1Origin) -> Body {
    changes(vec![Change::Leave { chain_id, l1 }])
}

fn refuse(state: &State, body: &Body) -> Refusal {
    state.seal(body, TimeMs(1_000_000_000), state.header().l1_origin).unwrap_err()
}

fn evidence() -> Change {
    Change::Quarantine {
        evidence: Evidence::Equivocation { one: claim(A, 0, 15, 0), other: claim(A, 0, 15, 1) },
    }
}

/// A block of the newcomer on its anchor, with one message.
fn block_of(join: &Join, number: u64) -> Advance {
    let mut block = block(0, number, 0, &["m"]);
    let claim = HeadClaim {
        chain_id: join.chain_id,
        registration: join.registration(),
        generation: Generation(0),
        block: block.block,
    };
    block.signature = claim.sign(DOMAIN, &key()).signature;
    Advance { chain_id: join.chain_id, blocks: vec![block], judgements: vec![] }
}

#[test]
fn a_newcomer_stands_at_its_anchor_and_talks_from_there() {
    let (join, mut archive) = (join(), Archive::new(genesis()));
    let (one, state) = next(&genesis(), joins(join.clone()));
    archive.apply(&one).unwrap();
    let rollup = state.rollup(C).unwrap();
    assert_eq!(*rollup.params(), RollupParams::from(&join));
    assert_eq!(rollup.params().registration, join.registration());
    assert_eq!((rollup.head().block, rollup.latest().advanced_at), (join.anchor, Height(1)));
    assert_eq!((rollup.status(), rollup.generation()), (RollupStatus::Active, Generation(0)));
    assert_eq!(state.rollups().map(|rollup| rollup.params().chain_id).collect::<Vec<_>>(), [C, A, B]);

    let (two, state) = next(&state, Body { changes: vec![], advances: vec![block_of(&join, 11)] });
    assert_eq!(archive.apply(&two).unwrap().len(), 1);
    assert_eq!(archive.newest(), &state);
    let proof = archive.prove_lane(Height(2), C, LANE).unwrap().head;
    assert_eq!((proof.index, proof.rollups), (0, 3), "leaves are sorted by chain id");
    let root = two.header.rollups_root;
    tree::verify(root, 3, 0, &[proof.leaf.hash()], &proof.siblings).unwrap();
    // What was certified before it came is proven as before.
    assert!(matches!(archive.prove_lane(Height(0), C, LANE), Err(ArchiveError::Lane { .. })));
}

/// Whether a refusal is the one that is due.
type Expected = fn(&Refusal) -> bool;

#[test]
fn every_rule_of_a_join_is_checked() {
    let (state, good) = (genesis(), join());
    next(&state, joins(good.clone()));
    next(&state, joins(Join { l1: origin(), ..good.clone() }));
    let earlier = L1Origin { number: origin().number - 1, ..good.l1 };
    let cases: Vec<(Join, Expected)> = vec![
        (Join { chain_id: A, ..good.clone() }, |r| {
            matches!(r, Refusal::KnownRollup { chain_id: A, status: RollupStatus::Active })
        }),
        (Join { l1: earlier, ..good.clone() }, |r| matches!(r, Refusal::MembershipOrigin { .. })),
        (Join { l1: L1Origin { hash: B256::ZERO, ..origin() }, ..good.clone() }, |r| {
            matches!(r, Refusal::MembershipOrigin { .. })
        }),
        (Join { anchor: BlockRef { number: ANCHOR_NUMBER_MAX + 1, ..good.anchor }, ..good.clone() }, |r| {
            matches!(r, Refusal::AnchorNumber { .. })
        }),
        (Join { judges: vec![B256::ZERO], ..good.clone() }, |r| matches!(r, Refusal::Judges { .. })),
        (Join { class: Class::OwnNode, ..good.clone() }, |r| matches!(r, Refusal::Judges { .. })),
    ];
    for (i, (join, expected)) in cases.into_iter().enumerate() {
        let refusal = refuse(&state, &joins(join));
        assert!(expected(&refusal), "case {i}: {refusal}");
    }
    let another = Join { chain_id: ChainId(701), ..good.clone() };
    let both = [&good, &another].map(|join| Change::Join { join: join.clone() }).to_vec();
    assert_eq!(refuse(&state, &changes(both)), Refusal::JoinTwice { first: C, second: ChainId(701) });
    let (_, after) = next(&state, joins(good));
    next(&after, joins(another));
}

#[test]
fn there_is_room_for_so_many_rollups_and_no_more() {
    let mut seats = genesis();
    let full = (seats.rollups.len()..ROLLUPS_MAX).map(|i| ChainId(10_000 + i as u64));
    for chain_id in full {
        seats.join(Height(1), origin(), &Join { chain_id, ..join() }).unwrap();
    }
    let refusal = seats.join(Height(1), origin(), &join()).unwrap_err();
    assert_eq!(refusal, Refusal::TooManyRollups { chain_id: C, members: ROLLUPS_MAX, most: ROLLUPS_MAX });
}

#[test]
fn every_rule_of_a_leave_is_checked() {
    let (state, l1) = (genesis(), join().l1);
    next(&state, leaves(A, origin()));
    let other = L1Origin { hash: B256::ZERO, ..origin() };
    let earlier = L1Origin { number: origin().number - 1, ..l1 };
    assert_eq!(refuse(&state, &leaves(C, l1)), Refusal::Unknown { chain_id: C });
    for declared in [other, earlier] {
        let header = origin();
        let refusal = refuse(&state, &leaves(A, declared));
        assert_eq!(refusal, Refusal::MembershipOrigin { chain_id: A, declared, header });
    }
    let twice = changes([leaves(A, l1), leaves(A, l1)].into_iter().flat_map(|body| body.changes).collect());
    assert_eq!(refuse(&state, &twice), Refusal::Left { chain_id: A });
}

#[test]
fn nothing_happens_to_a_rollup_that_left_and_its_leaf_stays() {
    let (_, state) = next(&genesis(), advance(vec![block(0, 11, 0, &["m"]), block(0, 12, 0, &[])]));
    let before = state.rollup(A).unwrap().leaf();
    let (_, left) = next(&state, leaves(A, join().l1));
    let after = left.rollup(A).unwrap().leaf();
    assert_eq!(after, RollupLeaf { status: RollupStatus::Left, ..before });

    let settle = Change::Settle {
        chain_id: A,
        confidence: Confidence::Safe,
        head: before.heads[0].block,
        l1: origin(),
    };
    for change in [evidence(), retraction(1, claim(A, 0, 11, 0).claim.block), settle] {
        next(&state, changes(vec![change.clone()]));
        assert_eq!(refuse(&left, &changes(vec![change])), Refusal::Left { chain_id: A });
    }
    assert_eq!(refuse(&left, &advance(vec![block(0, 13, 0, &[])])), Refusal::NotActive { chain_id: A });
    let again = refuse(&left, &joins(Join { chain_id: A, ..join() }));
    assert_eq!(again, Refusal::KnownRollup { chain_id: A, status: RollupStatus::Left });
}

#[test]
fn a_quarantined_rollup_can_leave() {
    let (_, state) = next(&genesis(), changes(vec![evidence()]));
    let (_, state) = next(&state, leaves(A, origin()));
    assert_eq!(state.rollup(A).unwrap().status(), RollupStatus::Left);
}

#[test]
fn a_join_and_a_leave_stand_with_no_roster() {
    let mut state = genesis();
    while !state.closes_next() {
        state = next(&state, Body::default()).1;
    }
    let later = L1Origin { number: 9, hash: B256::repeat_byte(8) };
    for change in
        [Change::Join { join: Join { l1: later, ..join() } }, Change::Leave { chain_id: A, l1: later }]
    {
        let roster = Change::NextCommittee { roster: roster(&[2, 3, 4]) };
        let refusal = state.seal(&changes(vec![change, roster]), TimeMs(1_000_000), later).unwrap_err();
        assert!(matches!(refusal, Refusal::RosterNotAlone { changes: 1, .. }), "{refusal}");
    }
}
