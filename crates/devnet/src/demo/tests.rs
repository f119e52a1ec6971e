use super::{
    books::{Books, Received, Recorded, SentMessage, Tally},
    dice::Dice,
    percentiles::percentile,
};
use hum_types::{B256, Bytes};

#[test]
fn percentiles_are_measured_values() {
    let mut values: Vec<u64> = (1..=100).rev().collect();
    assert_eq!(
        [50, 95, 99, 100].map(|percent| percentile(&mut values, percent)),
        [50, 95, 99, 100].map(Some)
    );
    assert_eq!([50, 99].map(|percent| percentile(&mut [7], percent)), [Some(7), Some(7)]);
    assert_eq!(percentile(&mut [1, 2, 3], 50), Some(2));
    assert_eq!(percentile(&mut [], 50), None);
}

#[test]
fn the_same_seed_throws_the_same() {
    let throws = |seed| {
        let mut dice = Dice::new(seed);
        let mut list: Vec<u64> = (0..16).collect();
        dice.shuffle(&mut list);
        (dice.below(1_000), list)
    };
    assert_eq!(throws(7), throws(7));
    assert_ne!(throws(7), throws(8));
    let mut sorted = throws(7).1;
    sorted.sort_unstable();
    assert_eq!(sorted, (0..16).collect::<Vec<_>>());
}

/// Two messages from the first rollup to the second, both executed there.
fn honest() -> Books {
    let mut books = Books::default();
    for (id, text) in [(1, "one"), (2, "two")] {
        let (id, sender, payload) = (B256::repeat_byte(id), Bytes::from("somebody"), Bytes::from(text));
        let sent = SentMessage { pair: (0, 1), block: 3, sender: sender.clone(), payload: payload.clone() };
        books.sent.insert(id, sent);
        books.received.insert((1, id), vec![Received { block: 4, sender, payload }]);
    }
    books.recorded.push(Recorded { pair: (0, 1), count: 2 });
    books
}

#[test]
fn honest_books_accuse_nobody() {
    let books = honest();
    assert_eq!(books.tally(&[(0, 1)]), Tally { sent: 2, executed: 2, duplicates: 0 });
    assert_eq!(books.tally(&[(1, 0)]), Tally::default());
    assert_eq!((books.open(&[(0, 1)]), books.invented().len(), books.overcounted().len()), (0, 0, 0));
    assert_eq!(books.executed_in(B256::repeat_byte(1)), Some(4));
}

#[test]
fn a_message_that_waits_is_open() {
    let mut books = honest();
    books.received.remove(&(1, B256::repeat_byte(2)));
    assert_eq!(books.tally(&[(0, 1)]), Tally { sent: 2, executed: 1, duplicates: 0 });
    assert_eq!(books.open(&[(0, 1)]), 1);
}

#[test]
fn a_second_execution_is_a_duplicate_under_whatever_name() {
    let mut same = honest();
    let again = same.received[&(1, B256::repeat_byte(1))][0].clone();
    same.received.get_mut(&(1, B256::repeat_byte(1))).unwrap().push(again.clone());
    assert_eq!(same.tally(&[]).duplicates, 1);
    let mut renamed = honest();
    renamed.received.insert((1, B256::repeat_byte(9)), vec![again]);
    assert_eq!(renamed.tally(&[]).duplicates, 1);
}

#[test]
fn what_nobody_sent_so_is_invented() {
    let id = B256::repeat_byte(1);
    let spoil = |spoil: &dyn Fn(&mut Received)| {
        let mut books = honest();
        spoil(&mut books.received.get_mut(&(1, id)).unwrap()[0]);
        books.invented()
    };
    assert_eq!(spoil(&|run| run.payload = Bytes::from("other")), [(1, id)]);
    assert_eq!(spoil(&|run| run.sender = Bytes::from("another")), [(1, id)]);
    let mut unknown = honest();
    unknown.sent.remove(&id);
    assert_eq!(unknown.invented(), [(1, id)]);
    let mut elsewhere = honest();
    let run = elsewhere.received[&(1, id)].clone();
    elsewhere.received.insert((2, id), run);
    assert_eq!(elsewhere.invented(), [(2, id)]);
}

#[test]
fn a_destination_that_believes_in_more_than_was_sent_is_found() {
    let mut books = honest();
    let lie = Recorded { pair: (0, 1), count: 3 };
    books.recorded.push(lie);
    books.recorded.push(Recorded { pair: (1, 0), count: 1 });
    assert_eq!(books.overcounted(), [lie, Recorded { pair: (1, 0), count: 1 }]);
}
