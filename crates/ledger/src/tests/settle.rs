//! Heads that L1 holds, and what stays possible beside them.

use super::*;
use proptest::prelude::*;

pub(super) fn at(number: u64, fork: u8) -> BlockRef {
    claim(A, 0, number, fork).claim.block
}

pub(super) fn settle(confidence: Confidence, head: BlockRef, l1: L1Origin) -> Change {
    Change::Settle { chain_id: A, confidence, head, l1 }
}

pub(super) fn changes(changes: Vec<Change>) -> Body {
    Body { changes, advances: vec![] }
}

/// A block whose messages go through these façades, one each.
pub(super) fn block_through(generation: u32, number: u64, fork: u8, facades: &[usize]) -> AdvancedBlock {
    let mut block = block(generation, number, fork, &vec!["m"; facades.len()]);
    for (sent, facade) in block.messages.iter_mut().zip(facades) {
        sent.lane.facade = FACADES[*facade];
    }
    block
}

pub(super) fn lane(facade: usize) -> LaneId {
    LaneId { facade: FACADES[facade], destination: B }
}

/// Blocks 11 to 14, each with one message through each façade.
pub(super) fn four_blocks() -> (Checkpoint, State) {
    next(&genesis(), advance((11..=14).map(|number| block_through(0, number, 0, &[0, 1, 2])).collect()))
}

pub(super) fn refuse(state: &State, body: &Body) -> Refusal {
    state.seal(body, TimeMs(1_000_000_000), state.header().l1_origin).unwrap_err()
}

/// The head part and the lane are proven under the header as contracts read them.
pub(super) fn prove(archive: &Archive, height: Height, facade: usize) -> LaneProof {
    let header = *archive.state_at(height).unwrap().header();
    let proof = archive.prove_lane(height, A, lane(facade)).unwrap();
    let LaneProof { head, confidence, leaf, lanes, index, siblings } = &proof;
    assert_eq!(*confidence as usize, facade);
    tree::verify(header.rollups_root, head.rollups, head.index, &[head.leaf.hash()], &head.siblings).unwrap();
    let part = head.leaf.head(*confidence);
    tree::verify(part.lanes_root, *lanes, *index, &[leaf.hash()], siblings).unwrap();
    assert_ne!(*part, HeadPart::default());
    for start in 0..leaf.slot.count {
        let run = archive.prove_run(height, A, lane(facade), LaneIndex(start), 1).unwrap();
        let (generation, message) = &run.messages[0];
        let message = message_leaf(*generation, LaneIndex(start), message.hash());
        tree::verify(leaf.root, run.count, start, &[message], &run.siblings).unwrap();
    }
    proof
}

#[test]
fn a_settled_head_carries_the_lanes_of_its_own_facade_as_its_block_left_them() {
    let mut archive = Archive::new(genesis());
    let (one, state) = four_blocks();
    archive.apply(&one).unwrap();
    let origin = state.header().l1_origin;
    let above = L1Origin { number: origin.number + 9, hash: B256::repeat_byte(9) };
    let (two, state) = next(&state, changes(vec![settle(Confidence::Safe, at(13, 0), above)]));
    archive.apply(&two).unwrap();
    let (three, state) = next(&state, changes(vec![settle(Confidence::Finalized, at(12, 0), origin)]));
    archive.apply(&three).unwrap();
    assert_eq!(archive.newest(), &state);

    let leaf = state.rollup(A).unwrap().leaf();
    let parts = leaf.heads.map(|part| (part.block, part.advanced_at));
    assert_eq!(parts, [(at(14, 0), Height(1)), (at(13, 0), Height(2)), (at(12, 0), Height(3))]);
    let counts = |height| {
        [0, 1, 2].map(|facade| archive.prove_lane(height, A, lane(facade)).map(|p| p.leaf.slot.count))
    };
    assert_eq!(counts(Height(3)), [Ok(4), Ok(3), Ok(2)]);
    assert!(matches!(counts(Height(2)), [Ok(4), Ok(3), Err(ArchiveError::Lane { .. })]));
    assert!(matches!(
        counts(Height(1)),
        [Ok(4), Err(ArchiveError::Lane { .. }), Err(ArchiveError::Lane { .. })]
    ));
    for facade in 0..3 {
        prove(&archive, Height(3), facade);
    }
    assert!(matches!(
        archive.prove_run(Height(3), A, lane(2), LaneIndex(1), 2),
        Err(ArchiveError::Run(tree::ProofError::OutOfRange { count: 2, .. }))
    ));
    assert_eq!(state.rollup(B).unwrap().leaf().heads[1..], [HeadPart::default(); 2]);
}

#[test]
fn what_is_settled_survives_a_retraction_in_the_generation_it_was_settled_in() {
    let mut archive = Archive::new(genesis());
    let (one, state) = four_blocks();
    archive.apply(&one).unwrap();
    let origin = state.header().l1_origin;
    let body = changes(vec![settle(Confidence::Finalized, at(12, 0), origin)]);
    let (two, state) = next(&state, body);
    archive.apply(&two).unwrap();
    let before = [1, 2].map(|facade| prove(&archive, Height(2), facade));
    assert_eq!(before[0].head.leaf.heads[1].block, at(12, 0), "what is Finalized is Safe");

    let again = block_through(1, 13, 1, &[2, 1, 0]);
    let body = Body { changes: vec![retraction(1, at(12, 0))], ..advance(vec![again]) };
    let (three, state) = next(&state, body);
    archive.apply(&three).unwrap();
    assert_eq!(archive.newest(), &state);
    for (facade, before) in [(1, &before[0]), (2, &before[1])] {
        let after = prove(&archive, Height(3), facade);
        assert_eq!((after.leaf, after.head.leaf.generation), (before.leaf, Generation(1)));
        assert_eq!(after.leaf.generation, Generation(0));
        // The older header's proof stands too.
        prove(&archive, Height(2), facade);
    }
    let latest = archive.prove_run(Height(2), A, lane(0), LaneIndex(0), 1);
    assert!(matches!(latest, Err(ArchiveError::Retracted { .. })));

    let (four, state) = next(&state, changes(vec![settle(Confidence::Safe, at(13, 1), origin)]));
    archive.apply(&four).unwrap();
    assert_eq!(prove(&archive, Height(4), 1).leaf.generation, Generation(1));
    assert_eq!(prove(&archive, Height(4), 2).leaf.generation, Generation(0));
    assert_eq!(state.rollup(A).unwrap().finalized().unwrap().block.block, at(12, 0));
}

#[test]
fn every_rule_of_a_settle_is_checked() {
    let (_, state) = four_blocks();
    let origin = state.header().l1_origin;
    let (_, state) = next(&state, changes(vec![settle(Confidence::Safe, at(12, 0), origin)]));
    let (_, state) = next(&state, changes(vec![settle(Confidence::Finalized, at(11, 0), origin)]));
    let later = L1Origin { number: origin.number + 1, ..origin };
    let other = L1Origin { hash: B256::ZERO, ..origin };
    let earlier = L1Origin { number: origin.number - 1, ..origin };
    for confidence in [Confidence::Safe, Confidence::Finalized] {
        next(&state, changes(vec![settle(confidence, at(13, 0), origin)]));
    }
    use Confidence::{Finalized, Latest, Safe};
    let cases: Vec<(Change, Expected)> = vec![
        (settle(Latest, at(13, 0), origin), |r| matches!(r, Refusal::SettleLatest { .. })),
        (settle(Safe, at(12, 0), origin), |r| {
            matches!(r, Refusal::SettleBack { confidence: Safe, present: BlockRef { number: 12, .. }, .. })
        }),
        (settle(Finalized, at(11, 0), origin), |r| {
            matches!(
                r,
                Refusal::SettleBack { confidence: Finalized, present: BlockRef { number: 11, .. }, .. }
            )
        }),
        (
            settle(Safe, BlockRef { hash: B256::ZERO, ..at(13, 0) }, origin),
            |r| matches!(r, Refusal::SettleUnknown { held: Some(held), .. } if *held == at(13, 0).hash),
        ),
        (settle(Safe, BlockRef { number: 15, ..at(13, 0) }, origin), |r| {
            matches!(r, Refusal::SettleUnknown { held: None, .. })
        }),
        (settle(Safe, at(13, 0), other), |r| matches!(r, Refusal::SettleOrigin { confidence: Safe, .. })),
        (settle(Safe, at(13, 0), earlier), |r| matches!(r, Refusal::SettleOrigin { confidence: Safe, .. })),
        (settle(Finalized, at(13, 0), other), |r| {
            matches!(r, Refusal::SettleOrigin { confidence: Finalized, .. })
        }),
        (settle(Finalized, at(13, 0), later), |r| {
            matches!(r, Refusal::SettleOrigin { confidence: Finalized, .. })
        }),
        (settle(Finalized, at(13, 0), earlier), |r| {
            matches!(r, Refusal::SettleOrigin { confidence: Finalized, .. })
        }),
        (Change::Settle { chain_id: ChainId(1), confidence: Safe, head: at(13, 0), l1: origin }, |r| {
            matches!(r, Refusal::Unknown { .. })
        }),
        (
            retraction(1, at(11, 0)),
            |r| matches!(r, Refusal::KeptBelowSafe { kept, safe, .. } if (kept.number, safe.number) == (11, 12)),
        ),
    ];
    for (i, (change, expected)) in cases.into_iter().enumerate() {
        let refusal = refuse(&state, &changes(vec![change]));
        assert!(expected(&refusal), "case {i}: {refusal}");
    }
    next(&state, changes(vec![settle(Safe, at(13, 0), L1Origin { hash: B256::ZERO, ..later })]));
    next(&state, changes(vec![retraction(1, at(12, 0))]));
}

#[test]
fn the_anchor_is_never_settled_and_a_rollup_that_left_is_not_either() {
    let (_, state) = four_blocks();
    let origin = state.header().l1_origin;
    let anchor = settle(Confidence::Safe, params(A).anchor, origin);
    assert!(matches!(refuse(&state, &changes(vec![anchor])), Refusal::SettleBack { .. }));
    let mut rollup = state.rollup(A).unwrap().clone();
    rollup.status = RollupStatus::Left;
    let settled = rollup.settle(Height(2), origin, Confidence::Safe, at(12, 0), origin);
    assert_eq!(settled, Err(Refusal::Left { chain_id: A }));
}

#[test]
fn a_quarantined_rollup_settles_what_is_certified() {
    let (_, state) = four_blocks();
    let evidence = Evidence::Equivocation { one: claim(A, 0, 15, 0), other: claim(A, 0, 15, 1) };
    let (_, state) = next(&state, changes(vec![Change::Quarantine { evidence }]));
    let origin = state.header().l1_origin;
    let both = [Confidence::Safe, Confidence::Finalized].map(|c| settle(c, at(14, 0), origin));
    let (_, state) = next(&state, changes(both[..1].to_vec()));
    let (_, state) = next(&state, changes(both[1..].to_vec()));
    let rollup = state.rollup(A).unwrap();
    assert_eq!(rollup.status(), RollupStatus::Quarantined);
    assert_eq!([rollup.safe(), rollup.finalized()].map(|s| s.unwrap().advanced_at), [Height(3), Height(4)]);
}

#[test]
fn a_settle_stands_with_no_roster() {
    let mut state = four_blocks().1;
    while !state.closes_next() {
        state = next(&state, Body::default()).1;
    }
    let later = L1Origin { number: 9, hash: B256::repeat_byte(8) };
    let roster = Change::NextCommittee { roster: roster(&[2, 3, 4]) };
    let body = changes(vec![settle(Confidence::Finalized, at(12, 0), later), roster]);
    let refusal = state.seal(&body, TimeMs(1_000_000), later).unwrap_err();
    assert!(matches!(refusal, Refusal::RosterNotAlone { changes: 1, .. }), "{refusal}");
}

/// `count` empty blocks from `first` on, in as many checkpoints as they need.
pub(super) fn grow(mut state: State, first: u64, count: u64) -> State {
    for from in (first..first + count).step_by(BLOCKS_PER_ADVANCE_MAX) {
        let to = (from + BLOCKS_PER_ADVANCE_MAX as u64).min(first + count);
        state = next(&state, advance((from..to).map(|number| wide(0, number)).collect())).1;
    }
    state
}

/// An empty block whose hash follows from its whole number.
pub(super) fn wide(generation: u32, number: u64) -> AdvancedBlock {
    let block = BlockRef { number, hash: keccak256(number.to_be_bytes()) };
    let registration = params(A).registration;
    let claim = HeadClaim { chain_id: A, registration, generation: Generation(generation), block };
    AdvancedBlock {
        block,
        state_root: block.hash,
        time_ms: TimeMs(number * 1000),
        signature: claim.sign(DOMAIN, &key()).signature,
        messages: vec![],
    }
}

#[test]
fn old_blocks_are_forgotten_and_only_the_newest_are_retractable() {
    let count = HISTORY_BLOCKS_MAX as u64 + 10;
    let state = grow(genesis(), 11, count);
    let (head, origin) = (10 + count, state.header().l1_origin);
    let rollup = state.rollup(A).unwrap();
    let oldest = head + 1 - HISTORY_BLOCKS_MAX as u64;
    assert_eq!((rollup.head().block.number, rollup.block_at(oldest - 1)), (head, None));
    assert_eq!(rollup.block_at(oldest).unwrap().block, wide(0, oldest).block);
    let lowest = head + 1 - RETRACTABLE_BLOCKS_MAX as u64;
    assert!(rollup.is_retractable_to(wide(0, lowest).block));
    assert!(!rollup.is_retractable_to(wide(0, lowest - 1).block));
    let back = |number| changes(vec![retraction(1, wide(0, number).block)]);
    assert!(matches!(refuse(&state, &back(lowest - 1)), Refusal::Kept { .. }));
    let gone = changes(vec![settle(Confidence::Safe, wide(0, oldest - 1).block, origin)]);
    assert!(matches!(refuse(&state, &gone), Refusal::SettleUnknown { held: None, .. }));

    // What was out of reach stays so, although the chain is shorter now.
    let (_, cut) = next(&state, back(lowest));
    let again = changes(vec![retraction(2, wide(0, lowest - 1).block)]);
    assert!(matches!(refuse(&cut, &again), Refusal::Kept { .. }));

    let settles = vec![settle(Confidence::Finalized, wide(0, oldest).block, origin)];
    let (_, state) = next(&state, changes(settles));
    let (_, state) = next(&state, changes(vec![settle(Confidence::Finalized, wide(0, head).block, origin)]));
    let rollup = state.rollup(A).unwrap();
    assert_eq!(rollup.block_at(head - 1), None);
    let (_, state) = next(&state, advance(vec![wide(0, head + 1)]));
    next(&state, back(head));
    assert!(matches!(refuse(&state, &back(head - 1)), Refusal::KeptBelowSafe { .. }));
}

/// Ten blocks a second, a batch in each L1 block of 12 s, L1 final after 64 blocks: what becomes `Finalized` is 7,680 blocks old,
/// more than the stretch that is kept, and every batch gets there.
#[test]
fn a_fast_chain_is_finalized_at_ethereums_pace() {
    const IN_BATCH: u64 = 120;
    const FINAL_AFTER: u64 = 64;
    const { assert!(IN_BATCH * FINAL_AFTER > HISTORY_BLOCKS_MAX as u64) };
    let mut state = genesis();
    let origin = state.header().l1_origin;
    for batch in 1..=FINAL_AFTER + 3 {
        state = grow(state, 11 + (batch - 1) * IN_BATCH, IN_BATCH);
        let end = |batch: u64| wide(0, 10 + batch * IN_BATCH).block;
        let l1 = L1Origin { number: origin.number + batch, hash: B256::with_last_byte(batch as u8) };
        let mut settles = vec![settle(Confidence::Safe, end(batch), l1)];
        let is_final = batch.checked_sub(FINAL_AFTER).filter(|settled| *settled > 0);
        settles.extend(is_final.map(|settled| settle(Confidence::Finalized, end(settled), origin)));
        (_, state) = next(&state, changes(settles));
        let rollup = state.rollup(A).unwrap();
        assert_eq!(rollup.safe().unwrap().block.block, end(batch));
        assert_eq!(rollup.finalized().map(|settled| settled.block.block), is_final.map(end));
    }
}

/// What one checkpoint of the property does.
#[derive(Debug, Clone)]
enum Turn {
    /// Blocks with messages through these façades.
    Grow(Vec<Vec<usize>>),
    /// Cut back by so many blocks.
    Cut(u64),
    /// Settle so many blocks below the head.
    Settle(Confidence, u64),
}

fn turn() -> impl Strategy<Value = Turn> {
    let blocks = proptest::collection::vec(proptest::collection::vec(0_usize..3, 0..4), 1..4);
    prop_oneof![
        3 => blocks.prop_map(Turn::Grow),
        1 => (0_u64..5).prop_map(Turn::Cut),
        1 => (0_u64..5).prop_map(|below| Turn::Settle(Confidence::Safe, below)),
        1 => (0_u64..7).prop_map(|below| Turn::Settle(Confidence::Finalized, below)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn seal_check_and_archive_agree_whatever_is_settled_and_retracted(
        turns in proptest::collection::vec(turn(), 1..24),
    ) {
        let mut archive = Archive::new(genesis());
        let mut state = genesis();
        // What was certified at Safe and Finalized must never read otherwise again.
        let mut settled: [Vec<B256>; 2] = [vec![], vec![]];
        for (fork, turn) in (0_u8..).zip(turns) {
            let rollup = state.rollup(A).unwrap();
            let (head, generation) = (rollup.head().block.number, rollup.generation());
            let below = |below: u64| rollup.block_at(head.saturating_sub(below)).map(|record| record.block);
            let body = match turn {
                Turn::Grow(blocks) => advance(
                    (head + 1..)
                        .zip(blocks)
                        .map(|(number, facades)| block_through(generation.0, number, fork, &facades))
                        .collect(),
                ),
                Turn::Cut(by) => match below(by) {
                    Some(kept) => changes(vec![retraction(generation.0 + 1, kept)]),
                    None => continue,
                },
                Turn::Settle(confidence, by) => match below(by) {
                    Some(to) => changes(vec![settle(confidence, to, state.header().l1_origin)]),
                    None => continue,
                },
            };
            if state.seal(&body, TimeMs(1_000_000_000), state.header().l1_origin).is_err() {
                continue;
            }
            let (checkpoint, after) = next(&state, body);
            archive.apply(&checkpoint).unwrap();
            state = after;
            prop_assert_eq!(archive.newest(), &state);
            let rollup = state.rollup(A).unwrap();
            let numbers = [rollup.finalized(), rollup.safe()].map(|s| s.map_or(10, |s| s.block.block.number));
            prop_assert!(numbers[0] <= numbers[1] && numbers[1] <= rollup.head().block.number);
            for facade in 0..3 {
                if archive.prove_lane(state.header().height, A, lane(facade)).is_err() {
                    continue;
                }
                let proof = prove(&archive, state.header().height, facade);
                let Some(kept) = facade.checked_sub(1).map(|at| &mut settled[at]) else { continue };
                prop_assert!(proof.leaf.generation <= proof.head.leaf.generation);
                let run = archive.prove_run(state.header().height, A, lane(facade), LaneIndex(0), proof.leaf.slot.count);
                let leaves: Vec<B256> = (0..).map(LaneIndex).zip(&run.unwrap().messages)
                    .map(|(index, (generation, message))| message_leaf(*generation, index, message.hash()))
                    .collect();
                prop_assert!(leaves.starts_with(kept));
                *kept = leaves;
            }
        }
    }
}
