use super::*;
use crate::settlement::Span;
use hum_types::{B256, ChainId};

const ANCHOR: BlockRef = BlockRef { number: 10, hash: B256::repeat_byte(10) };

type Change = fn(&mut Span);

fn block(number: u64) -> BlockRef {
    BlockRef { number, hash: B256::repeat_byte(number as u8) }
}

fn l1(number: u64) -> L1Origin {
    L1Origin { number, hash: B256::repeat_byte(0xf0 | number as u8) }
}

/// Blocks `first..=last` on their parent, in L1 block `at`.
fn posting(index: u64, at: u64, first: u64, last: u64) -> Posted {
    let hashes = (first..=last).map(|number| block(number).hash).collect();
    let span = Span { first, parent: block(first - 1).hash, last: block(last), hashes };
    Posted { chain_id: ChainId(1), index, l1: l1(at), span: Ok(span) }
}

fn line(postings: &[Posted]) -> Track {
    let mut track = Track::new(ANCHOR);
    for posted in postings {
        track.push(posted, None, TimeMs(5)).unwrap();
    }
    track
}

#[test]
fn heads_are_the_ends_of_postings_that_stand_on_each_other() {
    let track = line(&[posting(0, 1, 11, 13), posting(1, 1, 14, 14), posting(2, 4, 15, 20)]);
    assert_eq!(track.broken(), None);
    assert_eq!(track.newest(9, |_| true).unwrap().block, block(20));
    assert_eq!(track.newest(3, |_| true).unwrap().block, block(14));
    assert_eq!(track.newest(3, |head| head.block.number < 14).unwrap().block, block(13));
    assert_eq!(track.newest(0, |_| true), None);
    assert_eq!(track.at(13).unwrap().l1, l1(1));
    assert_eq!(track.at(12), None, "the middle of a posting is no head");
}

#[test]
fn nothing_is_settled_over_a_hole() {
    let bad = |change: fn(&mut Posted)| {
        let mut second = posting(1, 2, 14, 16);
        change(&mut second);
        let track = line(&[posting(0, 1, 11, 13), second, posting(2, 3, 17, 18)]);
        assert_eq!(track.newest(9, |_| true).unwrap().block, block(13));
        track.broken().unwrap().to_string()
    };
    let unreadable = bad(|posted| posted.span = Err(Unread::Broken("no batch".into())));
    assert!(unreadable.contains("posting 1") && unreadable.contains("no batch"), "{unreadable}");
    let fields: [(Change, &str); 3] = [
        (|span| span.parent = B256::repeat_byte(0xee), "the one before ended at 13"),
        (|span| span.first = 15, "begins at block 15"),
        (|span| span.last.number = 12, "ends at block 12"),
    ];
    for (field, says) in fields {
        let mut second = posting(1, 2, 14, 16);
        field(second.span.as_mut().unwrap());
        let track = line(&[posting(0, 1, 11, 13), second]);
        let broken = track.broken().unwrap().to_string();
        assert!(broken.contains(says), "{broken}");
        assert_eq!(track.newest(9, |_| true).unwrap().block, block(13));
    }
    let first = posting(0, 1, 12, 13);
    let begins = line(&[first]);
    assert!(begins.broken().is_some(), "a line that does not begin above the anchor is none");
}

#[test]
fn a_posting_that_the_node_left_out_is_asked_for_again() {
    let mut track = line(&[posting(0, 1, 11, 13)]);
    let skipped = track.push(&posting(2, 3, 17, 18), None, TimeMs(5)).unwrap_err();
    assert_eq!(skipped.to_string(), "own L1 node shows posting 2, 1 comes first");
    track.push(&posting(0, 1, 11, 13), None, TimeMs(6)).unwrap();
    track.push(&posting(1, 2, 14, 16), None, TimeMs(6)).unwrap();
    assert_eq!(track.newest(9, |_| true).unwrap().block, block(16));
}

#[test]
fn a_posting_whose_data_are_away_is_asked_for_again() {
    let mut track = line(&[posting(0, 1, 11, 13)]);
    let away = Posted { span: Err(Unread::Away("no beacon node".into())), ..posting(1, 2, 14, 16) };
    let skipped = track.push(&away, None, TimeMs(5)).unwrap_err();
    assert!(skipped.to_string().contains("posting 1") && skipped.to_string().contains("no beacon node"));
    assert!(track.push(&posting(2, 3, 17, 18), None, TimeMs(5)).is_err(), "nothing is settled over it");
    assert_eq!(track.broken(), None);
    track.push(&posting(1, 2, 14, 16), None, TimeMs(6)).unwrap();
    assert_eq!(track.newest(9, |_| true).unwrap().block, block(16));
}

#[test]
fn what_becomes_final_was_seen_when_it_was_safe() {
    let base = Track::new(ANCHOR);
    let mut recent = base.onward();
    recent.push(&posting(0, 1, 11, 13), None, TimeMs(100)).unwrap();
    let mut settled = base.clone();
    settled.push(&posting(0, 1, 11, 13), Some(&recent), TimeMs(900)).unwrap();
    assert_eq!(settled.at(13).unwrap().seen, TimeMs(100));
    // Another L1 block: that is news.
    let mut moved = base;
    moved.push(&posting(0, 2, 11, 13), Some(&recent), TimeMs(900)).unwrap();
    assert_eq!(moved.at(13).unwrap().seen, TimeMs(900));
    let mut onward = settled.onward();
    onward.push(&posting(1, 3, 14, 15), None, TimeMs(901)).unwrap();
    assert_eq!(onward.newest(9, |_| true).unwrap().block, block(15));
}
