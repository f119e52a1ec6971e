use super::*;

fn block(number: u64, hash: u8) -> BlockRef {
    BlockRef { number, hash: B256::repeat_byte(hash) }
}

#[test]
fn agreement_is_believed_for_a_while_and_for_one_block() {
    let mut breaker = Breaker::new(500);
    let head = block(7, 1);
    assert_eq!(breaker.known(Confidence::Safe, head, 0), None);
    assert_eq!(breaker.found(Confidence::Safe, head, Finding::Agrees, 1_000), None);
    assert_eq!(breaker.known(Confidence::Safe, head, 1_499), Some(Finding::Agrees));
    assert_eq!(breaker.known(Confidence::Safe, head, 1_500), None);
    assert_eq!(breaker.known(Confidence::Safe, block(8, 1), 1_000), None);
    assert_eq!(breaker.known(Confidence::Safe, block(7, 2), 1_000), None);
    assert_eq!(breaker.known(Confidence::Finalized, head, 1_000), None);
}

#[test]
fn a_contradiction_trips_once_is_never_believed_and_recovers() {
    let mut breaker = Breaker::new(500);
    let (head, node) = (block(7, 1), B256::repeat_byte(9));
    let lie = Finding::of(head.hash, Some(node));
    assert_eq!(lie, Finding::Contradicts(node));
    assert_eq!(breaker.found(Confidence::Finalized, head, lie, 0), Some(Turn::Tripped));
    assert_eq!(breaker.found(Confidence::Finalized, head, lie, 1), None);
    assert_eq!(breaker.known(Confidence::Finalized, head, 1), None);
    let words = breaker.tripped()[&Confidence::Finalized].to_string();
    assert!(words.contains(&node.to_string()) && words.contains(&head.hash.to_string()), "{words}");
    assert_eq!(breaker.found(Confidence::Finalized, head, Finding::Lacks, 2), None);
    assert_eq!(breaker.tripped().len(), 1);
    assert_eq!(breaker.found(Confidence::Finalized, head, Finding::Agrees, 3), Some(Turn::Recovered));
    assert!(breaker.tripped().is_empty());
}

#[test]
fn what_is_not_there_is_said_with_the_code_of_an_unknown_block() {
    assert_eq!(Finding::of(B256::ZERO, None), Finding::Lacks);
    let lacking = refusal(Confidence::Safe, block(7, 1), Finding::Lacks).unwrap();
    let none = Refused::NoHead { confidence: Confidence::Safe };
    assert_eq!((lacking.code(), none.code()), (-39001, -39001));
    assert!(none.to_string().starts_with("safe block not found"), "{none}");
    assert_eq!(refusal(Confidence::Safe, block(7, 1), Finding::Agrees), None);
}
