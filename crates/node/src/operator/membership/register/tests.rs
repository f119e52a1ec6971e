use super::*;
use crate::{
    config::tests::fixture::network_file,
    members::tests::{C, member, profile},
};
use hum_types::{B256, Body, ChainId};

const A: ChainId = ChainId(901);
const B: ChainId = ChainId(902);
const SEEN: TimeMs = TimeMs(1_000);

fn l1(number: u64) -> L1Origin {
    L1Origin { number, hash: B256::repeat_byte(number as u8) }
}

fn genesis() -> State {
    State::genesis(&network_file(4, &[A, B]).check().unwrap().genesis)
}

fn made(chain_id: ChainId) -> Arc<Member> {
    Arc::new(member(&profile(chain_id), chain_id).unwrap())
}

fn moved(registration: RegistrationId, at: u64, what: Movement) -> Moved {
    Moved { registration, l1: l1(at), what }
}

fn published(chain_id: ChainId, at: u64) -> Moved {
    let member = made(chain_id);
    moved(member.entry.registration, at, Movement::Published { chain_id, member: Ok(member) })
}

fn register(all: &[Moved]) -> Register {
    let mut register = Register::default();
    for moved in all {
        assert_eq!(register.push(moved, SEEN), None);
    }
    register
}

/// After this, under an origin.
fn due(register: &Register, state: &State, origin: u64) -> Vec<Change> {
    register.due(state, l1(origin), SEEN)
}

fn join_of(chain_id: ChainId, at: u64) -> Join {
    made(chain_id).join(l1(at)).unwrap()
}

#[test]
fn one_joins_at_a_time_and_the_earliest_first() {
    let (late, early) = (ChainId(905), C);
    let register = register(&[published(early, 7), published(late, 8)]);
    let state = genesis();
    let first = Change::Join { join: join_of(early, 7) };
    assert_eq!(due(&register, &state, 5), std::slice::from_ref(&first));
    // Under a later origin, as of that.
    assert_eq!(due(&register, &state, 9), [Change::Join { join: join_of(early, 9) }]);
    assert_eq!(register.due(&state, l1(5), TimeMs(999)), [], "others may not have seen it yet");

    let origin = state.header().l1_origin;
    let body = Body { changes: vec![first], advances: vec![] };
    let (_, state) = state.seal(&body, TimeMs(state.header().time_ms.0 + 1), origin).unwrap();
    assert_eq!(due(&register, &state, 5), [Change::Join { join: join_of(late, 8) }]);
}

#[test]
fn a_vote_for_a_join_asks_for_everything_in_it() {
    let register = register(&[published(C, 7)]);
    let good = join_of(C, 7);
    register.joins(&good).unwrap();
    register.joins(&join_of(C, 9)).unwrap();
    let wrong = [
        join_of(C, 6),
        Join { chain_id: ChainId(904), ..good.clone() },
        Join { sequencer: Default::default(), ..good.clone() },
        Join { facades: Default::default(), ..good.clone() },
        Join { class: hum_types::Class::OwnNode, ..good.clone() },
        Join { judges: vec![B256::ZERO], ..good.clone() },
        Join { anchor: Default::default(), ..good.clone() },
        Join { anchor: hum_types::BlockRef { number: 1, ..good.anchor }, ..good.clone() },
        Join { anchor_state_root: B256::ZERO, ..good.clone() },
        Join { governor: Default::default(), ..good.clone() },
        Join { profile: b"{}".into(), ..good },
    ];
    for (i, join) in wrong.iter().enumerate() {
        assert!(register.joins(join).is_err(), "case {i}");
    }
    assert!(Register::default().joins(&join_of(C, 7)).is_err());
}

#[test]
fn who_is_gone_does_not_join() {
    for what in [Movement::Exit, Movement::Punished] {
        let gone = moved(made(C).entry.registration, 9, what);
        let register = register(&[published(C, 7), gone]);
        assert_eq!(due(&register, &genesis(), 5), []);
        register.joins(&join_of(C, 8)).expect("it stood then");
        assert!(register.joins(&join_of(C, 9)).is_err());
    }
}

#[test]
fn who_announces_the_exit_leaves_once() {
    let state = genesis();
    let registration = state.rollup(B).unwrap().params().registration;
    let register = register(&[moved(registration, 7, Movement::Exit)]);
    let leave = |at: u64| Change::Leave { chain_id: B, l1: l1(at) };
    assert_eq!(due(&register, &state, 5), [leave(7)]);
    assert_eq!(due(&register, &state, 8), [leave(8)]);
    register.leaves(registration, l1(7)).unwrap();
    assert!(register.leaves(registration, l1(6)).is_err());
    assert!(register.leaves(state.rollup(A).unwrap().params().registration, l1(7)).is_err());
    let body = Body { changes: vec![leave(7)], advances: vec![] };
    let origin = state.header().l1_origin;
    let (_, state) = state.seal(&body, TimeMs(state.header().time_ms.0 + 1), origin).unwrap();
    assert_eq!(due(&register, &state, 8), []);
}

#[test]
fn a_punished_member_does_not_leave_by_that() {
    let state = genesis();
    let registration = state.rollup(B).unwrap().params().registration;
    assert_eq!(due(&register(&[moved(registration, 7, Movement::Punished)]), &state, 8), []);
}

#[test]
fn a_profile_that_cannot_be_read_stops_nobody() {
    let mut register = Register::default();
    let bad = Movement::Published { chain_id: C, member: Err("nonsense".to_owned()) };
    let told = register.push(&moved(RegistrationId::default(), 6, bad), SEEN).unwrap();
    assert!(told.contains("nonsense") && told.contains(&C.to_string()), "{told}");
    assert_eq!(due(&register, &genesis(), 5), []);
    register.push(&published(C, 7), SEEN);
    assert_eq!(due(&register, &genesis(), 5).len(), 1);
}
