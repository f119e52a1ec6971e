//! A rollup that judges follow: nothing of it advances without two thirds of its judging stake.

use super::*;
use hum_bls::{Bundle, Judges, OperatorId, Seat, Signers, Tally};

/// Operators 1 to 3 have seats; 1 and 2 judge, and so does one without a seat.
fn own() -> State {
    let id = |operator: u8| OperatorId::of(SecretKey::from_seed(&[operator]).public_key().g1());
    let mut judges = vec![id(1), id(2), id(9)];
    judges.sort();
    let mut genesis_of_all = genesis_of();
    genesis_of_all.rollups[0] = RollupParams { class: Class::OwnNode, judges, ..params(A) };
    State::genesis(&genesis_of_all)
}

/// The bundle of these operators for a block on `parent`.
fn bundle(state: &State, parent: B256, block: &AdvancedBlock, operators: &[u8]) -> JudgementBundle {
    let rollup = state.rollup(A).unwrap();
    let judgement = rollup.params().judgement(rollup.generation(), parent, block);
    let committee = state.committee();
    let judges = rollup.judges(state.seated());
    let mut tally = Tally::new(judgement);
    for operator in operators {
        let secret = SecretKey::from_seed(&[*operator]);
        let seat = committee.seat_of(&secret.public_key()).unwrap();
        tally.add(seat, secret.judge(DOMAIN, state.epoch(), seat, judgement).signature);
    }
    JudgementBundle::from(&tally.bundle(DOMAIN, &judges).0.unwrap())
}

fn judged(state: &State, blocks: Vec<AdvancedBlock>) -> Advance {
    let mut parent = state.rollup(A).unwrap().head().block.hash;
    let judgements = blocks
        .iter()
        .map(|block| {
            let bundle = bundle(state, parent, block, &[1, 2]);
            parent = block.block.hash;
            bundle
        })
        .collect();
    Advance { chain_id: A, blocks, judgements }
}

fn body(advance: Advance) -> Body {
    Body { changes: vec![], advances: vec![advance] }
}

fn refuse(state: &State, advance: Advance) -> Refusal {
    state.seal(&body(advance), TimeMs(1_000_000), state.header().l1_origin).unwrap_err()
}

#[test]
fn judged_blocks_advance_and_the_class_is_in_the_leaf() {
    let state = own();
    let blocks = vec![block(0, 11, 0, &["a"]), block(0, 12, 0, &[])];
    let (_, after) = next(&state, body(judged(&state, blocks)));
    let leaf = after.rollup(A).unwrap().leaf();
    assert_eq!((leaf.class, leaf.heads[0].block.number), (Class::OwnNode, 12));
    let reexecuted = RollupLeaf { class: Class::Reexecuted, ..leaf };
    assert_ne!(leaf.hash(), reexecuted.hash());
    // Whoever accuses reads the body as its signers meant it: who judged is not looked at.
    let (mut checkpoint, _) = next(&own(), body(judged(&own(), vec![block(0, 11, 0, &[])])));
    checkpoint.body.advances[0].judgements[0].signature.0[9] ^= 1;
    checkpoint.header.body_hash = checkpoint.body.hash();
    assert!(matches!(own().check(&checkpoint), Err(Refusal::Judgement { .. })));
    own().check_unclaimed(&checkpoint).unwrap();
}

#[test]
fn every_rule_of_a_judged_advance_is_checked() {
    let state = own();
    let good = judged(&state, vec![block(0, 11, 0, &["a"])]);
    next(&state, body(good.clone()));
    let judgement = |r: &Refusal| matches!(r, Refusal::Judgement { chain_id: A, number: 11, .. });
    let changed = |change: fn(&mut Advance)| {
        let mut advance = good.clone();
        change(&mut advance);
        refuse(&state, advance)
    };
    let none = changed(|advance| advance.judgements.clear());
    assert_eq!(none, Refusal::Judgements { chain_id: A, blocks: 1, declared: 0, expected: 1 });
    assert!(judgement(&changed(|advance| advance.blocks[0].state_root = B256::ZERO)));
    assert!(judgement(&changed(|advance| advance.blocks[0].time_ms = TimeMs(1))));
    assert!(judgement(&changed(|advance| advance.blocks[0].messages.clear())));
    assert!(judgement(&changed(|advance| advance.judgements[0].operators = 4)));
    assert!(judgement(&changed(|advance| advance.judgements[0].bitmap[0] ^= 1)));
    assert!(judgement(&changed(|advance| advance.judgements[0].bitmap[0] = 7)));
    assert!(judgement(&changed(|advance| advance.judgements[0].signature.0[9] ^= 1)));
    // Another block claimed by the same sequencer, with the bundle of this one.
    assert!(judgement(&changed(|advance| advance.blocks[0] = block(0, 11, 1, &["a"]))));
    // On another parent.
    let mut elsewhere = good.clone();
    elsewhere.judgements[0] = bundle(&state, B256::ZERO, &good.blocks[0], &[1, 2]);
    assert!(judgement(&refuse(&state, elsewhere)));
}

#[test]
fn a_bundle_of_another_epoch_or_by_too_few_is_none() {
    let state = own();
    let mut advance = judged(&state, vec![block(0, 11, 0, &[])]);
    let rollup = state.rollup(A).unwrap();
    let judges: Judges = rollup.judges(state.seated());
    let judgement = rollup.params().judgement(Generation(0), rollup.head().block.hash, &advance.blocks[0]);
    let mut signers = Signers::none(3);
    let secret = SecretKey::from_seed(&[1]);
    let seat: Seat = state.committee().seat_of(&secret.public_key()).unwrap();
    signers.insert(seat);
    let signed = |epoch| secret.judge(DOMAIN, epoch, seat, judgement).signature;
    let one = Bundle { signers, signature: signed(state.epoch()) };
    assert!(judges.check(DOMAIN, &judgement, &one).is_err());
    advance.judgements[0] = JudgementBundle::from(&one);
    assert!(matches!(refuse(&state, advance.clone()), Refusal::Judgement { .. }));

    let mut tally = Tally::new(judgement);
    for operator in [1, 2] {
        let secret = SecretKey::from_seed(&[operator]);
        let seat = state.committee().seat_of(&secret.public_key()).unwrap();
        tally.add(seat, secret.judge(DOMAIN, Epoch(7), seat, judgement).signature);
    }
    assert_eq!(tally.bundle(DOMAIN, &judges).1.len(), 2, "signatures for another epoch are bad ones");
}

#[test]
fn a_reexecuted_rollup_takes_no_bundles() {
    let state = genesis();
    let mut advance = judged(&own(), vec![block(0, 11, 0, &[])]);
    let refusal = refuse(&state, advance.clone());
    assert_eq!(refusal, Refusal::Judgements { chain_id: A, blocks: 1, declared: 1, expected: 0 });
    advance.judgements.clear();
    next(&state, body(advance));
}

#[test]
fn nobody_can_call_a_judged_block_invalid() {
    let state = own();
    let evidence = Evidence::InvalidBlock { claim: claim(A, 0, 11, 0), reason: InvalidReason::StateRoot };
    let changes = vec![Change::Quarantine { evidence }];
    let refusal =
        state.seal(&Body { changes, advances: vec![] }, TimeMs(1_000_000), state.header().l1_origin);
    assert_eq!(refusal.unwrap_err(), Refusal::NotReexecuted { chain_id: A });
    // Two claims for one number are anyone's to see.
    let evidence = Evidence::Equivocation { one: claim(A, 0, 11, 0), other: claim(A, 0, 11, 1) };
    next(&state, Body { changes: vec![Change::Quarantine { evidence }], advances: vec![] });
}

#[test]
fn judges_are_named_exactly_where_they_are_needed() {
    let id = |byte| OperatorId(B256::repeat_byte(byte));
    let with = |class, judges| RollupParams { class, judges, ..params(A) }.check_judges();
    assert_eq!(with(Class::Reexecuted, vec![]), Ok(()));
    assert_eq!(with(Class::OwnNode, vec![id(1), id(2)]), Ok(()));
    for (class, judges) in [
        (Class::Reexecuted, vec![id(1)]),
        (Class::OwnNode, vec![]),
        (Class::OwnNode, vec![id(2), id(1)]),
        (Class::OwnNode, vec![id(1), id(1)]),
        (Class::OwnNode, (0..=JUDGES_MAX as u64).map(|n| OperatorId(B256::from(alloy(n)))).collect()),
    ] {
        assert!(matches!(with(class, judges), Err(Refusal::Judges { .. })));
    }
}

fn alloy(n: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&n.to_be_bytes());
    bytes
}
