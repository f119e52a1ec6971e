//! A small hand-driven network: one sequencer key, two rollups, no blocks to judge.

mod epochs;
mod judgements;
mod membership;
mod reorg;
mod settle;

use crate::*;
use hum_bls::SecretKey;
use hum_types::*;
use std::sync::Arc;

const DOMAIN: Domain = Domain(B256::repeat_byte(1));
const A: ChainId = ChainId(901);
const B: ChainId = ChainId(902);
const FACADES: [Address; 3] =
    [Address::repeat_byte(0xa1), Address::repeat_byte(0xa2), Address::repeat_byte(0xa3)];
const LANE: LaneId = LaneId { facade: FACADES[0], destination: B };

fn key() -> SequencerKey {
    SequencerKey::from_secret(B256::repeat_byte(5)).unwrap()
}

fn params(chain_id: ChainId) -> RollupParams {
    RollupParams {
        chain_id,
        registration: RegistrationId(B256::with_last_byte(chain_id.0 as u8)),
        sequencer: key().address(),
        facades: FACADES,
        class: Class::Reexecuted,
        judges: Vec::new(),
        anchor: BlockRef { number: 10, hash: B256::repeat_byte(10) },
        anchor_state_root: B256::repeat_byte(11),
    }
}

/// A seat whose keys follow from one number.
fn seat(operator: u8, stake: u128) -> RosterEntry {
    let secret = SecretKey::from_seed(&[operator]);
    let address = Address::repeat_byte(operator);
    let possession = secret.prove_possession(DOMAIN, address);
    let network = (B256::repeat_byte(operator), Endpoint::default());
    roster_entry(address, secret.public_key(), &possession, network, Stake(stake))
}

/// A roster of these operators with a hundred at stake each.
fn roster(operators: &[u8]) -> Roster {
    Roster::new(TimeS(4_000_000_000), operators.iter().map(|operator| seat(*operator, 100)).collect())
}

fn genesis_of() -> Genesis {
    let seated = SeatedRoster::check(DOMAIN, Epoch(0), roster(&[1, 2, 3]), None).unwrap();
    Genesis {
        domain: DOMAIN,
        seated: Arc::new(seated),
        terms: Terms::of(4).unwrap(),
        time_ms: TimeMs(1000),
        l1_origin: L1Origin { number: 3, hash: B256::repeat_byte(3) },
        rollups: vec![params(A), params(B)],
    }
}

fn genesis() -> State {
    State::genesis(&genesis_of())
}

fn claim(chain_id: ChainId, generation: u32, number: u64, fork: u8) -> SignedClaim {
    let hash = keccak256([number as u8, fork]);
    HeadClaim {
        chain_id,
        registration: params(chain_id).registration,
        generation: Generation(generation),
        block: BlockRef { number, hash },
    }
    .sign(DOMAIN, &key())
}

fn message(text: &str) -> LaneMessage {
    LaneMessage {
        lane: LANE,
        message: Message {
            sender: Address::repeat_byte(1),
            recipient: Address::repeat_byte(2),
            min_gas_limit: GAS_LIMIT_DEFAULT,
            payload: text.as_bytes().to_vec().into(),
        },
    }
}

fn block(generation: u32, number: u64, fork: u8, texts: &[&str]) -> AdvancedBlock {
    let signed = claim(A, generation, number, fork);
    AdvancedBlock {
        block: signed.claim.block,
        state_root: keccak256([fork, number as u8]),
        time_ms: TimeMs(number * 1000),
        signature: signed.signature,
        messages: texts.iter().map(|text| message(text)).collect(),
    }
}

fn advance(blocks: Vec<AdvancedBlock>) -> Body {
    Body { changes: vec![], advances: vec![Advance { chain_id: A, blocks, judgements: vec![] }] }
}

fn retraction(generation: u32, kept: BlockRef) -> Change {
    let retraction = Retraction {
        chain_id: A,
        registration: params(A).registration,
        generation: Generation(generation),
        kept,
    };
    Change::Retract { retraction: retraction.sign(DOMAIN, &key()) }
}

fn next(state: &State, body: Body) -> (Checkpoint, State) {
    let time = TimeMs(state.header().time_ms.0 + 200);
    let (header, sealed) = state.seal(&body, time, state.header().l1_origin).unwrap();
    let checkpoint = Checkpoint { header, body };
    let checked = state.check(&checkpoint).unwrap();
    assert_eq!(checked, sealed, "seal and check agree");
    (checkpoint, sealed)
}

#[test]
fn messages_enter_their_lane_and_are_proved_under_the_header() {
    let mut archive = Archive::new(genesis());
    let (one, state) = next(&genesis(), advance(vec![block(0, 11, 0, &["a", "b"]), block(0, 12, 0, &["c"])]));
    let (two, state) = next(&state, advance(vec![block(0, 13, 0, &["d", "e"])]));
    assert_eq!(archive.apply(&one).unwrap().len(), 3);
    assert_eq!(archive.apply(&two).unwrap().len(), 2);
    assert_eq!(archive.newest(), &state);

    for (checkpoint, count) in [(&one, 3), (&two, 5)] {
        let height = checkpoint.header.height;
        let lane = archive.prove_lane(height, A, LANE).unwrap();
        tree::verify(
            checkpoint.header.rollups_root,
            lane.head.rollups,
            lane.head.index,
            &[lane.head.leaf.hash()],
            &lane.head.siblings,
        )
        .unwrap();
        tree::verify(
            lane.head.leaf.heads[0].lanes_root,
            lane.lanes,
            lane.index,
            &[lane.leaf.hash()],
            &lane.siblings,
        )
        .unwrap();
        assert_eq!(lane.leaf.slot.count, count);
        let run = archive.prove_run(height, A, LANE, LaneIndex(1), 2).unwrap();
        let leaves: Vec<_> =
            (1..).zip(&run.messages).map(|(i, (g, m))| message_leaf(*g, LaneIndex(i), m.hash())).collect();
        tree::verify(lane.leaf.root, run.count, 1, &leaves, &run.siblings).unwrap();
    }
    archive.forget(A, LANE, LaneIndex(2));
    assert!(matches!(
        archive.prove_run(two.header.height, A, LANE, LaneIndex(1), 2),
        Err(ArchiveError::Forgotten { .. })
    ));
    assert_eq!(archive.messages(A, LANE, LaneIndex(0)).count(), 3);
}

#[test]
fn a_message_that_comes_back_unchanged_keeps_its_generation_through_two_retractions() {
    let mut archive = Archive::new(genesis());
    let (c, state) =
        next(&genesis(), advance(vec![block(0, 11, 0, &["kept"]), block(0, 12, 0, &["x", "y"])]));
    archive.apply(&c).unwrap();
    let kept = claim(A, 0, 11, 0).claim.block;

    let body = Body { changes: vec![retraction(1, kept)], ..advance(vec![block(1, 12, 1, &["z"])]) };
    let (c, state) = next(&state, body);
    archive.apply(&c).unwrap();
    assert_eq!(state.rollup(A).unwrap().generation(), Generation(1));

    let body = Body { changes: vec![retraction(2, kept)], ..advance(vec![block(2, 12, 2, &["x", "new"])]) };
    let (c, state) = next(&state, body);
    archive.apply(&c).unwrap();
    assert_eq!(archive.newest(), &state);

    let labels: Vec<_> = archive
        .messages(A, LANE, LaneIndex(0))
        .map(|m| (m.message.payload.clone(), m.generation.0))
        .collect();
    let expected = [("kept", 0), ("x", 0), ("new", 2)].map(|(text, g)| (Bytes::from(text), g));
    assert_eq!(labels, expected);
    let leaf = archive.prove_lane(c.header.height, A, LANE).unwrap().leaf;
    let run = archive.prove_run(c.header.height, A, LANE, LaneIndex(0), 3).unwrap();
    let leaves: Vec<_> =
        (0..).zip(&run.messages).map(|(i, (g, m))| message_leaf(*g, LaneIndex(i), m.hash())).collect();
    tree::verify(leaf.root, 3, 0, &leaves, &run.siblings).unwrap();
    assert!(matches!(
        archive.prove_run(Height(1), A, LANE, LaneIndex(0), 1),
        Err(ArchiveError::Retracted { .. })
    ));
}

#[test]
fn an_equivocation_quarantines_and_a_retraction_resumes() {
    let (_, state) = next(&genesis(), advance(vec![block(0, 11, 0, &[])]));
    let evidence = Evidence::Equivocation { one: claim(A, 0, 12, 0), other: claim(A, 0, 12, 1) };
    let quarantine = Body { changes: vec![Change::Quarantine { evidence }], advances: vec![] };
    let (_, state) = next(&state, quarantine.clone());
    assert_eq!(state.rollup(A).unwrap().status(), RollupStatus::Quarantined);
    assert_eq!(state.rollup(B).unwrap().status(), RollupStatus::Active);
    let time = TimeMs(9_000_000);
    let origin = state.header().l1_origin;
    assert_eq!(
        state.seal(&advance(vec![block(0, 12, 0, &[])]), time, origin).unwrap_err(),
        Refusal::NotActive { chain_id: A }
    );
    assert_eq!(
        state.seal(&quarantine, time, origin).unwrap_err(),
        Refusal::QuarantinedAlready { chain_id: A }
    );

    let resume = Body { changes: vec![retraction(1, claim(A, 0, 11, 0).claim.block)], advances: vec![] };
    let (_, state) = next(&state, resume);
    assert_eq!(state.rollup(A).unwrap().status(), RollupStatus::Active);
    next(&state, advance(vec![block(1, 12, 1, &["again"])]));
}

/// Spoils one field.
type Corruption = fn(&mut Checkpoint);
/// Whether the refusal is the one that a corruption deserves.
type Expected = fn(&Refusal) -> bool;

#[test]
fn every_header_field_is_checked() {
    let state = genesis();
    let (good, _) = next(&state, advance(vec![block(0, 11, 0, &["a"])]));
    let corrupt: [(Corruption, Expected); 11] = [
        (|c| c.header.domain.0.0[0] ^= 1, |r| matches!(r, Refusal::Domain { .. })),
        (|c| c.header.epoch.0 += 1, |r| matches!(r, Refusal::Epoch { .. })),
        (|c| c.header.height.0 += 1, |r| matches!(r, Refusal::Height { .. })),
        (|c| c.header.parent.0[0] ^= 1, |r| matches!(r, Refusal::Parent { .. })),
        (|c| c.header.time_ms.0 = 1000, |r| matches!(r, Refusal::Time { .. })),
        (|c| c.header.l1_origin.hash.0[0] ^= 1, |r| matches!(r, Refusal::OriginMoved { .. })),
        (|c| c.header.l1_origin.number += 1, |r| matches!(r, Refusal::OriginMoved { .. })),
        (|c| c.header.body_hash.0[0] ^= 1, |r| matches!(r, Refusal::BodyHash { .. })),
        (|c| c.body.advances[0].blocks[0].messages.clear(), |r| matches!(r, Refusal::BodyHash { .. })),
        (|c| c.header.rollups_root.0[0] ^= 1, |r| matches!(r, Refusal::RollupsRoot { .. })),
        (|c| c.header.next_table_hash.0[0] ^= 1, |r| matches!(r, Refusal::NextTable { .. })),
    ];
    for (i, (change, expected)) in corrupt.into_iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad);
        let refusal = state.check(&bad).unwrap_err();
        assert!(expected(&refusal), "case {i}: {refusal}");
    }
}

#[test]
fn every_rule_of_the_body_is_checked() {
    let (_, state) = next(&genesis(), advance(vec![block(0, 11, 0, &[])]));
    let good = block(0, 12, 0, &["a"]);
    let with = |change: fn(&mut AdvancedBlock)| {
        let mut block = good.clone();
        change(&mut block);
        advance(vec![block])
    };
    let kept = claim(A, 0, 11, 0).claim.block;
    let changes = |change| Body { changes: vec![change], advances: vec![] };
    let quarantine = |evidence| changes(Change::Quarantine { evidence });
    let mut foreign = claim(A, 0, 12, 1);
    foreign.claim.registration.0.0[0] ^= 1;
    let empty = Advance { chain_id: A, blocks: vec![], judgements: vec![] };
    let one = Advance { chain_id: A, blocks: vec![good.clone()], judgements: vec![] };
    let cases: Vec<(Body, Expected)> = vec![
        (with(|b| b.block.number = 13), |r| matches!(r, Refusal::Number { expected: 12, .. })),
        (with(|b| b.block.hash.0[0] ^= 1), |r| matches!(r, Refusal::Claim { .. })),
        (advance(vec![block(1, 12, 0, &[])]), |r| matches!(r, Refusal::Claim { .. })),
        (with(|b| b.messages[0].lane.facade.0[0] ^= 1), |r| matches!(r, Refusal::Facade { .. })),
        (advance(vec![]), |r| matches!(r, Refusal::Empty { .. })),
        (Body { changes: vec![], advances: vec![one.clone(), empty] }, |r| {
            matches!(r, Refusal::Order { .. })
        }),
        (Body { changes: vec![], advances: vec![Advance { chain_id: ChainId(1), ..one }] }, |r| {
            matches!(r, Refusal::Unknown { .. })
        }),
        (quarantine(Evidence::Equivocation { one: claim(A, 0, 12, 0), other: claim(A, 0, 12, 0) }), |r| {
            matches!(r, Refusal::NoEquivocation { .. })
        }),
        (quarantine(Evidence::Equivocation { one: claim(A, 0, 12, 0), other: claim(A, 0, 13, 1) }), |r| {
            matches!(r, Refusal::NoEquivocation { .. })
        }),
        (quarantine(Evidence::Equivocation { one: claim(A, 0, 12, 0), other: claim(A, 1, 12, 1) }), |r| {
            matches!(r, Refusal::Generation { .. })
        }),
        (quarantine(Evidence::Equivocation { one: claim(A, 0, 12, 0), other: foreign }), |r| {
            matches!(r, Refusal::Registration { .. })
        }),
        (
            quarantine(Evidence::InvalidBlock {
                claim: claim(A, 0, 14, 0),
                reason: InvalidReason::StateRoot,
            }),
            |r| matches!(r, Refusal::EvidenceBlock { .. }),
        ),
        (changes(retraction(2, kept)), |r| matches!(r, Refusal::Generation { .. })),
        (changes(retraction(1, BlockRef { hash: B256::ZERO, ..kept })), |r| {
            matches!(r, Refusal::Kept { .. })
        }),
        (changes(retraction(1, BlockRef { number: 9, ..kept })), |r| matches!(r, Refusal::Kept { .. })),
    ];
    for (i, (body, expected)) in cases.into_iter().enumerate() {
        let refusal = state.seal(&body, TimeMs(1_000_000), state.header().l1_origin).unwrap_err();
        assert!(expected(&refusal), "case {i}: {refusal}");
    }
}

#[test]
fn what_a_header_without_claims_means_is_the_state_that_the_claims_would_have_made() {
    let state = genesis();
    let signed = claim(A, 0, 11, 1);
    let block = |signature| AdvancedBlock {
        block: signed.claim.block,
        state_root: B256::repeat_byte(0x51),
        time_ms: TimeMs(5),
        signature,
        messages: vec![message("a")],
    };
    let body = |signature| Body {
        changes: Vec::new(),
        advances: vec![Advance { chain_id: A, blocks: vec![block(signature)], judgements: vec![] }],
    };
    let (header, claimed) =
        state.seal(&body(signed.signature), TimeMs(2000), state.header().l1_origin).unwrap();
    let unsigned = body(claim(A, 0, 12, 1).signature);
    let header = Header { body_hash: unsigned.hash(), ..header };
    let checkpoint = Checkpoint { header, body: unsigned };
    assert!(matches!(state.check(&checkpoint), Err(Refusal::Claim { chain_id: A, .. })));
    let meant = state.check_unclaimed(&checkpoint).unwrap();
    assert_eq!(meant.leaves(), claimed.leaves());
    let header = Header { rollups_root: B256::ZERO, ..header };
    let refused = state.check_unclaimed(&Checkpoint { header, ..checkpoint });
    assert!(matches!(refused, Err(Refusal::RollupsRoot { .. })), "everything else is checked");
}
