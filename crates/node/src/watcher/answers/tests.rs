//! Which challenge is looked at when.

use super::*;

fn challenge(number: u8) -> Challenge {
    Challenge {
        id: B256::repeat_byte(number),
        chain_id: ChainId(1),
        registration: RegistrationId(B256::ZERO),
        generation: Generation(0),
        block: BlockRef { number: 5, hash: B256::repeat_byte(number) },
    }
}

#[test]
fn challenges_are_looked_at_in_turn_until_they_are_over() {
    let mut book = AnswerBook::default();
    book.add(vec![challenge(1), challenge(2), challenge(1)]);
    assert_eq!(book.next(TimeMs(0)), Some(challenge(1)));
    assert_eq!(book.next(TimeMs(0)), None, "one at a time");
    assert!(book.again(challenge(1).id), "people are told once");
    assert_eq!(book.next(TimeMs(0)), Some(challenge(2)), "one that waits holds up nobody");
    book.done(challenge(2).id);
    assert_eq!(book.next(TimeMs(0)), None);
    assert_eq!(book.next(TimeMs(AGAIN_MS)), Some(challenge(1)));
    assert!(!book.again(challenge(1).id));
}

#[test]
fn memory_is_bounded_however_many_challenges_are_made() {
    let mut book = AnswerBook::default();
    let many = (0..OPEN_MAX as u64 + 5)
        .map(|number| Challenge { id: B256::from(alloy_primitives::U256::from(number)), ..challenge(1) });
    book.add(many.collect());
    assert_eq!(book.open.len(), OPEN_MAX);
}
