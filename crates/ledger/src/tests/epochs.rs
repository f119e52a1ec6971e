//! Terms, rosters and what follows from them.

use super::*;
use hum_bls::{CommitteeError, OperatorId};

/// The state before the first closing height.
fn before_closing() -> State {
    let mut state = genesis();
    while !state.closes_next() {
        state = next(&state, Body::default()).1;
    }
    assert_eq!(state.next_height(), Height(3));
    state
}

fn later(state: &State) -> L1Origin {
    L1Origin { number: state.header().l1_origin.number + 5, hash: B256::repeat_byte(8) }
}

fn hand_over(roster: Roster) -> Body {
    Body { changes: vec![Change::NextCommittee { roster }], advances: vec![] }
}

/// A checkpoint that closes the epoch, and the state after it.
fn close(state: &State, body: Body) -> (Checkpoint, State) {
    let time = TimeMs(state.header().time_ms.0 + 200);
    let (header, sealed) = state.seal(&body, time, later(state)).unwrap();
    let checkpoint = Checkpoint { header, body };
    assert_eq!(state.check(&checkpoint).unwrap(), sealed, "seal and check agree");
    (checkpoint, sealed)
}

#[test]
fn a_closing_height_hands_over_to_the_next_committee() {
    let state = before_closing();
    let (closing, after) = close(&state, hand_over(roster(&[2, 3, 4])));
    assert_eq!((closing.header.epoch, after.epoch()), (Epoch(0), Epoch(1)));
    assert_eq!(closing.header.next_table_hash, after.committee().table().hash());
    assert_eq!(after.committee().table().epoch(), Epoch(1));
    let (first, _) = next(&after, advance(vec![block(0, 11, 0, &[])]));
    assert_eq!((first.header.epoch, first.header.next_table_hash), (Epoch(1), B256::ZERO));
    for (seat, entry) in (0..).map(hum_bls::Seat).zip(&after.seated().roster().entries) {
        assert_eq!(after.seated().entry(seat), Some(entry));
        assert_eq!(after.committee().members()[usize::from(seat.0)].operator(), entry.operator);
    }
}

#[test]
fn a_term_ends_without_a_roster_when_the_committee_stays() {
    let state = before_closing();
    let (closing, after) = close(&state, Body::default());
    assert_eq!((closing.header.next_table_hash, after.epoch()), (B256::ZERO, Epoch(0)));
    assert_eq!(after.committee(), state.committee());
    assert!(!after.closes_next());
    let stays = next(&after, Body::default()).0.header.l1_origin;
    assert_eq!(stays, later(&state), "the origin stays where the closing height put it");
}

#[test]
fn the_archive_knows_every_epoch() {
    let mut archive = Archive::new(genesis());
    let mut state = genesis();
    for term in 0..3_u8 {
        while !state.closes_next() {
            let (checkpoint, after) = next(&state, Body::default());
            archive.apply(&checkpoint).unwrap();
            state = after;
        }
        let (checkpoint, after) = close(&state, hand_over(roster(&[term + 2, term + 3])));
        archive.apply(&checkpoint).unwrap();
        state = after;
    }
    let epochs: Vec<_> = archive.epochs().map(|record| (record.seated.epoch().0, record.first.0)).collect();
    assert_eq!(epochs, [(0, 1), (1, 4), (2, 8), (3, 12)]);
    let at = |height| archive.epoch_at(Height(height)).map(|record| record.seated.epoch().0);
    assert_eq!(
        [0, 1, 3, 4, 7, 8, 12, 13].map(at),
        [None, Some(0), Some(0), Some(1), Some(1), Some(2), Some(3), None]
    );
    assert_eq!(archive.epoch(Epoch(2)).unwrap().seated.roster(), &roster(&[3, 4]));
    assert_eq!(archive.epoch(Epoch(4)), None);
    assert_eq!(&archive.epoch(Epoch(3)).unwrap().seated, state.seated());
}

#[test]
fn every_rule_of_a_closing_height_is_checked() {
    let state = before_closing();
    let good = hand_over(roster(&[2, 3, 4]));
    let (checkpoint, _) = close(&state, good.clone());
    let parent = state.header().l1_origin;
    let corrupt: [(Corruption, Expected); 4] = [
        (|c| c.header.next_table_hash.0[0] ^= 1, |r| matches!(r, Refusal::NextTable { .. })),
        (|c| c.header.next_table_hash = B256::ZERO, |r| matches!(r, Refusal::NextTable { .. })),
        (|c| c.header.l1_origin.number = 2, |r| matches!(r, Refusal::OriginBack { .. })),
        (|c| c.header.l1_origin.number = 3, |r| matches!(r, Refusal::OriginHash { .. })),
    ];
    for (i, (change, expected)) in corrupt.into_iter().enumerate() {
        let mut bad = checkpoint.clone();
        change(&mut bad);
        let refusal = state.check(&bad).unwrap_err();
        assert!(expected(&refusal), "case {i}: {refusal}");
    }

    let time = TimeMs(state.header().time_ms.0 + 200);
    assert!(matches!(state.seal(&good, time, parent).unwrap_err(), Refusal::RosterStale { .. }));
    let refused = |body: &Body| state.seal(body, time, later(&state)).unwrap_err();
    let evidence = Evidence::Equivocation { one: claim(A, 0, 11, 0), other: claim(A, 0, 11, 1) };
    let quarantine = Change::Quarantine { evidence };
    for index in [0, 1] {
        let mut beside = good.clone();
        beside.changes.insert(index, quarantine.clone());
        assert_eq!(refused(&beside), Refusal::RosterNotAlone { changes: 1, advances: 0 });
    }
    let mut twice = good.clone();
    twice.changes.extend(hand_over(roster(&[5])).changes);
    assert_eq!(refused(&twice), Refusal::RosterNotAlone { changes: 1, advances: 0 });
    let beside = Body { changes: good.changes.clone(), ..advance(vec![block(0, 11, 0, &[])]) };
    assert_eq!(refused(&beside), Refusal::RosterNotAlone { changes: 0, advances: 1 });
    let same = hand_over(state.seated().roster().clone());
    assert!(matches!(refused(&same), Refusal::RosterSame { .. }));
    let early = genesis().seal(&good, TimeMs(5_000), parent).unwrap_err();
    assert!(matches!(early, Refusal::RosterEarly { height: Height(1), closing: Height(3) }));

    // A stake, or the time until which the table is good, makes another committee.
    for changed in [
        Roster::new(TimeS(4_000_000_000), [1, 2, 3].map(|n| seat(n, 100 + u128::from(n))).into()),
        Roster { valid_until: TimeS(4_000_000_001), ..state.seated().roster().clone() },
    ] {
        close(&state, hand_over(changed));
    }
}

#[test]
fn every_field_of_a_roster_is_checked() {
    let present = genesis().seated().clone();
    let check = |roster: Roster| SeatedRoster::check(DOMAIN, Epoch(1), roster, Some(&present));
    let good = roster(&[2, 3, 4]);
    check(good.clone()).unwrap();
    let stranger = good.entries.iter().position(|entry| entry.operator == Address::repeat_byte(4)).unwrap();
    let known = good.entries.iter().position(|entry| entry.operator == Address::repeat_byte(2)).unwrap();
    let with = |index: usize, change: fn(&mut RosterEntry)| {
        let mut bad = good.clone();
        change(&mut bad.entries[index]);
        check(bad).unwrap_err()
    };
    // A key that is seated already is checked again when anything of its proof differs.
    for index in [stranger, known] {
        let error = with(index, |entry| entry.operator.0[0] ^= 1);
        assert!(matches!(error, RosterError::Possession { .. }), "{error}");
        let error = with(index, |entry| entry.possession = seat(9, 1).possession);
        assert!(matches!(error, RosterError::Possession { .. }), "{error}");
        let error = with(index, |entry| entry.possession.0[0] ^= 1);
        assert!(matches!(error, RosterError::Key { .. }), "{error}");
        let error = with(index, |entry| entry.key_g2 = seat(9, 1).key_g2);
        assert!(matches!(error, RosterError::Key { .. }), "{error}");
        let error = with(index, |entry| entry.key_g1 = seat(9, 1).key_g1);
        assert!(matches!(error, RosterError::Key { .. } | RosterError::Order { .. }), "{error}");
    }
    let mut swapped = good.clone();
    swapped.entries.swap(0, 1);
    let ids = good.entries.iter().map(|entry| OperatorId(keccak256(entry.key_g1))).collect::<Vec<_>>();
    let order = RosterError::Order { seat: hum_bls::Seat(1), id: ids[0], previous: ids[1] };
    assert_eq!(check(swapped).unwrap_err(), order);
    let mut twice = good.clone();
    twice.entries[1] = twice.entries[0].clone();
    assert!(matches!(check(twice).unwrap_err(), RosterError::Order { .. }));
    let none = Roster { entries: vec![], ..good.clone() };
    assert_eq!(check(none).unwrap_err(), CommitteeError::Size { found: 0 }.into());
    let idle = Roster::new(TimeS(1), [2, 3].map(|operator| seat(operator, 0)).into());
    assert_eq!(check(idle).unwrap_err(), CommitteeError::NoStake.into());
    let other_domain = SeatedRoster::check(Domain(B256::ZERO), Epoch(1), good, None).unwrap_err();
    assert!(matches!(other_domain, RosterError::Possession { .. }));
}
