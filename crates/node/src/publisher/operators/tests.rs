use super::*;
use hum_consensus::{PrivateKey, Signer as _};
use hum_types::{B256, BlockRef, Height};

const CHAIN: ChainId = ChainId(7);

fn keys(count: u64) -> Vec<PublicKey> {
    (0..count).map(|seed| PrivateKey::from_seed(seed).public_key()).collect()
}

fn block(number: u64) -> BlockRef {
    BlockRef { number, hash: B256::from(alloy_primitives::U256::from(number)) }
}

fn status(generation: u32, head: u64, held: u64) -> PublisherReply {
    PublisherReply::Status(PublisherStatus {
        chain_id: CHAIN,
        generation: Generation(generation),
        status: RollupStatus::Active,
        head: block(head),
        height: Height(1),
        held: block(held),
    })
}

fn operators(count: u64) -> (Operators, Vec<PublicKey>) {
    let keys = keys(count);
    (Operators::new(CHAIN, keys.clone()), keys)
}

#[test]
fn one_liar_of_four_moves_nothing() {
    let (mut operators, keys) = operators(4);
    assert_eq!(operators.agreed(), None);
    operators.note(&keys[0], &status(9, 1_000, 2_000), Generation(0));
    assert_eq!(operators.agreed(), None, "one word is not enough");
    operators.note(&keys[1], &status(0, 5, 6), Generation(0));
    let agreed = operators.agreed().unwrap();
    assert_eq!((agreed.generation, agreed.head, agreed.quarantined), (Generation(0), 5, false));
    assert!(!operators.heard_enough());
    operators.note(&keys[2], &status(0, 7, 7), Generation(0));
    assert_eq!(operators.agreed().unwrap().head, 7, "the liar and one other are above");
    assert!(operators.heard_enough());
}

#[test]
fn of_a_sibling_that_stands_nothing_is_ours() {
    let (mut operators, keys) = operators(4);
    for key in &keys[..3] {
        operators.note(key, &status(2, 7, 7), Generation(2));
    }
    assert_eq!(operators.agreed_on(Generation(2), |_| true), Some(7));
    assert_eq!(operators.agreed_on(Generation(2), |head| head != block(7)), Some(6));
    assert_eq!(operators.agreed_on(Generation(1), |_| true), None, "nobody is there");
}

#[test]
fn quarantine_takes_more_than_the_faulty() {
    let (mut operators, keys) = operators(4);
    let PublisherReply::Status(active) = status(0, 5, 5) else { unreachable!() };
    let aside = PublisherReply::Status(PublisherStatus { status: RollupStatus::Quarantined, ..active });
    operators.note(&keys[0], &aside, Generation(0));
    operators.note(&keys[1], &status(0, 5, 5), Generation(0));
    assert!(!operators.agreed().unwrap().quarantined);
    operators.note(&keys[2], &aside, Generation(0));
    assert!(operators.agreed().unwrap().quarantined);
}

#[test]
fn strangers_and_other_rollups_change_nothing() {
    let (mut operators, keys) = operators(1);
    let stranger = PrivateKey::from_seed(99).public_key();
    assert!(!operators.note(&stranger, &status(0, 5, 5), Generation(0)));
    let PublisherReply::Status(own) = status(0, 5, 5) else { unreachable!() };
    let other = PublisherReply::Status(PublisherStatus { chain_id: ChainId(8), ..own });
    assert!(!operators.note(&keys[0], &other, Generation(0)));
    assert_eq!(operators.agreed(), None);
}

#[test]
fn what_was_not_taken_is_due_again_after_its_time() {
    let (mut operators, keys) = operators(2);
    for key in &keys {
        operators.note(key, &status(0, 0, 0), Generation(0));
    }
    operators.sent_to_all(1, 0);
    operators.sent_to_all(2, 0);
    assert!(operators.due(0, 2, 999, 1_000).is_empty());
    let accepted = |number| PublisherReply::Accepted {
        chain_id: CHAIN,
        generation: Generation(0),
        block: block(number),
    };
    operators.note(&keys[0], &accepted(1), Generation(0));
    operators.note(&keys[0], &accepted(2), Generation(0));
    let due = operators.due(0, 2, 1_000, 1_000);
    assert_eq!(due, vec![(1, vec![keys[1].clone()]), (2, vec![keys[1].clone()])]);
    assert!(operators.due(0, 2, 1_500, 1_000).is_empty(), "just sent");
    // Finalised by others: nobody needs them from us.
    assert!(operators.due(2, 2, 9_000, 1_000).is_empty());
}

#[test]
fn an_operator_far_behind_is_sent_a_few_at_a_time() {
    let (mut operators, keys) = operators(1);
    operators.note(&keys[0], &status(0, 10, 10), Generation(0));
    let due: Vec<u64> = operators.due(0, 500, 0, 1_000).into_iter().map(|(number, _)| number).collect();
    assert_eq!(due, (11..=18).collect::<Vec<_>>());
    // An operator that claims to hold everything is sent nothing, and nothing overflows.
    operators.note(&keys[0], &status(0, 10, u64::MAX), Generation(0));
    assert!(operators.due(0, 500, 5_000, 1_000).is_empty());
}

#[test]
fn acceptances_of_another_generation_do_not_count() {
    let (mut operators, keys) = operators(1);
    operators.note(&keys[0], &status(1, 4, 4), Generation(1));
    let old = PublisherReply::Accepted { chain_id: CHAIN, generation: Generation(0), block: block(5) };
    assert!(!operators.note(&keys[0], &old, Generation(1)));
    assert_eq!(operators.due(0, 5, 0, 1_000).len(), 1);
    assert!(operators.behind(Generation(2), 4) && operators.behind(Generation(1), 5));
    assert!(!operators.behind(Generation(1), 4));
}

#[test]
fn an_operator_that_lost_its_memory_is_sent_again() {
    let (mut operators, keys) = operators(1);
    operators.note(&keys[0], &status(0, 4, 9), Generation(0));
    assert!(operators.due(0, 9, 0, 1_000).is_empty());
    operators.note(&keys[0], &status(0, 4, 4), Generation(0));
    assert_eq!(operators.due(4, 9, 0, 1_000).len(), 5);
}

#[test]
fn a_wish_is_granted_once_in_a_while() {
    let (mut operators, keys) = operators(1);
    assert!(operators.wants(&keys[0], 3, 0, 1_000));
    assert!(!operators.wants(&keys[0], 3, 999, 1_000));
    assert!(operators.wants(&keys[0], 3, 1_000, 1_000));
    assert!(!operators.wants(&PrivateKey::from_seed(99).public_key(), 3, 0, 1_000));
}

#[test]
fn who_comes_is_sent_what_is_not_settled_and_who_goes_is_forgotten() {
    let (mut operators, keys) = operators(4);
    for key in &keys {
        operators.note(key, &status(0, 5, 9), Generation(0));
    }
    let newcomer = PrivateKey::from_seed(9).public_key();
    let now: Vec<PublicKey> = keys[1..].iter().cloned().chain([newcomer.clone()]).collect();
    operators.set(now, &keys[1..].iter().cloned().collect());
    let due = operators.due(5, 9, 0, 1_000);
    assert_eq!(due, (6..=9).map(|number| (number, vec![newcomer.clone()])).collect::<Vec<_>>());
    assert!(!operators.note(&keys[0], &status(0, 7, 9), Generation(0)), "a stranger now");
    assert_eq!(operators.agreed().unwrap().head, 5);
}

#[test]
fn without_a_seat_a_word_counts_for_nothing() {
    let (mut operators, keys) = operators(4);
    for key in &keys {
        operators.note(key, &status(0, 5, 5), Generation(0));
    }
    let crowd: Vec<PublicKey> = (10..30).map(|seed| PrivateKey::from_seed(seed).public_key()).collect();
    operators.set(keys.iter().chain(&crowd).cloned(), &keys.iter().cloned().collect());
    for key in &crowd {
        operators.note(key, &status(9, 1_000, 2_000), Generation(0));
    }
    let agreed = operators.agreed().unwrap();
    assert_eq!((agreed.generation, agreed.head, operators.heard_enough()), (Generation(0), 5, true));
    assert_eq!(operators.reported(Generation(9)), vec![]);
    assert_eq!(operators.agreed_on(Generation(9), |_| true), None);
}
