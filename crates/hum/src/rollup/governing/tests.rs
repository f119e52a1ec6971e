//! What a policy's plan does, from each state.

use super::*;
use hum_types::{Class, Generation, HeadPart, Height, RollupLeaf, RollupStatus};

const SOURCE: ChainId = ChainId(7);
const REGISTRATION: RegistrationId = RegistrationId(B256::repeat_byte(7));

fn view(claimed: bool) -> PolicyView {
    PolicyView {
        policy: Address::repeat_byte(1),
        owner: Address::repeat_byte(2),
        claimed,
        delay_s: 60,
        time_s: 1_000,
    }
}

fn edge(heard: u8, announced: u8, ready_at: u64) -> (Edge, EdgeView) {
    let id = |byte: u8| RegistrationId(B256::repeat_byte(byte));
    let edge = Edge { source: SOURCE, registration: REGISTRATION, confidence: Confidence::Latest };
    (edge, EdgeView { heard: id(heard), announced: (id(announced), ready_at) })
}

fn words(steps: &[Step]) -> Vec<&str> {
    let word = |step: &'_ Step| match step {
        Step::Done { .. } => None,
        Step::Send(transaction) => Some(transaction.function.split('(').next().unwrap_or_default()),
        Step::Wait(_) => Some("wait"),
        Step::Note { .. } => Some("note"),
        Step::Refused { .. } => Some("refused"),
    };
    steps.iter().filter_map(word).collect()
}

#[test]
fn an_edge_opens_by_what_is_missing() {
    let table: [((Edge, EdgeView), &[&str]); 6] = [
        (edge(0, 0, 0), &["allow"]),
        (edge(0, 7, 1_060), &["wait", "execute"]),
        (edge(0, 7, 1_000), &["execute"]),
        // Announced for another registration: said anew.
        (edge(0, 8, 1_000), &["allow"]),
        (edge(7, 0, 0), &[]),
        (edge(8, 0, 0), &["refused"]),
    ];
    for (edge, expected) in table {
        assert_eq!(words(&to_allow(&view(true), &[edge], GOVERNOR)), expected, "{edge:?}");
    }
    // All is announced before anything is waited for.
    let both = [edge(0, 7, 1_060), edge(0, 0, 0)];
    assert_eq!(words(&to_allow(&view(true), &both, GOVERNOR)), ["allow", "wait", "execute"]);
}

#[test]
fn an_edge_closes_at_once() {
    assert!(words(&to_deny(&view(true), &[edge(0, 0, 0)], GOVERNOR)).is_empty());
    for open in [edge(7, 0, 0), edge(0, 7, 1_060)] {
        assert_eq!(words(&to_deny(&view(true), &[open], GOVERNOR)), ["deny"]);
    }
}

#[test]
fn lanes_close_and_open_where_they_are_not() {
    let lane = |destination, closed| LaneView { destination: ChainId(destination), closed, sent: [0; 3] };
    let lanes = [lane(1, [true; 3]), lane(2, [true, false, true]), lane(3, [false; 3])];
    let destinations = |steps: Vec<Step>| match steps.as_slice() {
        [Step::Send(transaction)] => transaction.arguments[0].1.clone(),
        steps => panic!("{steps:?}"),
    };
    assert_eq!(destinations(to_pause(&view(true), &lanes, GOVERNOR)), "2, 3");
    assert_eq!(destinations(to_resume(&view(true), &lanes, GOVERNOR)), "1, 2");
    assert!(words(&to_pause(&view(true), &lanes[..1], GOVERNOR)).is_empty());
    assert!(words(&to_resume(&view(true), &lanes[2..], GOVERNOR)).is_empty());
}

#[test]
fn a_claim_waits_for_a_certificate_that_the_light_client_takes() {
    let member = MemberFile {
        chain_id: SOURCE,
        sequencer: Address::repeat_byte(3),
        governor: Address::repeat_byte(4),
        registration: REGISTRATION,
        profile: "{}".to_owned(),
    };
    let leaf = RollupLeaf {
        chain_id: SOURCE,
        registration: REGISTRATION,
        generation: Generation(0),
        status: RollupStatus::Active,
        class: Class::Reexecuted,
        heads: [HeadPart::default(); 3],
    };
    let proof =
        LeafProof { height: Height(9), leaf, certificate: b"certificate".into(), proof: b"proof".into() };
    let client = ClientView { newest_epoch: 0, newest_height: 8, knows: false };
    let plan = |claimed, proof| to_claim(&view(claimed), &member, B256::ZERO, proof);
    assert!(words(&plan(true, None)).is_empty());
    assert_eq!(words(&plan(false, None)), ["wait"]);
    assert_eq!(words(&plan(false, Some((&proof, client)))), ["claim"]);
    assert_eq!(words(&plan(false, Some((&proof, ClientView { newest_height: 9, ..client })))), ["wait"]);
    let known = plan(false, Some((&proof, ClientView { newest_height: 9, knows: true, ..client })));
    let [Step::Send(transaction)] = known.as_slice() else { panic!("{known:?}") };
    let call = <EdgePolicy::claimCall as alloy_sol_types::SolCall>::abi_decode(&transaction.data).unwrap();
    assert!(call.certificate.is_empty(), "the light client holds it already");
    assert_eq!(call.profileHash, keccak256(b"{}"));
}
