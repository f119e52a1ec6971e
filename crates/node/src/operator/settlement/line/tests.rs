use super::*;
use crate::{
    config::tests::fixture,
    settlement::{Posted, Span},
};
use hum_ledger::State;
use hum_types::{Advance, AdvancedBlock, B256, Body, Generation, HeadClaim, L1Origin, SequencerKey, TimeMs};

const A: ChainId = ChainId(901);

fn hash(number: u64, fork: u8) -> B256 {
    let mut hash = B256::repeat_byte(fork);
    hash.0[24..].copy_from_slice(&number.to_be_bytes());
    hash
}

fn block(number: u64, fork: u8) -> BlockRef {
    BlockRef { number, hash: hash(number, fork) }
}

/// A rollup with so many certified blocks, all of fork 0, and its anchor.
fn certified(count: u64) -> (State, BlockRef) {
    let network = fixture::network_file(4, &[A]).check().unwrap();
    let (mut genesis, key) =
        (network.genesis.clone(), SequencerKey::from_secret(B256::repeat_byte(5)).unwrap());
    let params = &mut genesis.rollups[0];
    params.sequencer = key.address();
    let (anchor, registration) = (params.anchor, params.registration);
    let signed = |block: BlockRef| {
        let claim = HeadClaim { chain_id: A, registration, generation: Generation(0), block };
        AdvancedBlock {
            block,
            state_root: B256::ZERO,
            time_ms: TimeMs(block.number),
            signature: claim.sign(genesis.domain, &key).signature,
            messages: Vec::new(),
        }
    };
    let numbers = anchor.number + 1..=anchor.number + count;
    let blocks: Vec<_> = numbers.map(|number| signed(block(number, 0))).collect();
    let mut body = Body::default();
    body.advances.push(Advance { chain_id: A, blocks, judgements: Vec::new() });
    let time_ms = TimeMs(genesis.time_ms.0 + 1_000);
    let (_, state) = State::genesis(&genesis).seal(&body, time_ms, genesis.l1_origin).unwrap();
    (state, anchor)
}

/// Two postings of three blocks above the anchor, in L1 blocks 7 and 8: the first of fork 0, the second of that one.
fn line(anchor: BlockRef, fork: u8, hashes_known: bool) -> Line {
    let mut settled = Track::new(anchor);
    let mut below = anchor;
    for (index, fork) in [(0, 0), (1, fork)] {
        let numbers = below.number + 1..=below.number + 3;
        let hashes = numbers.clone().filter(|_| hashes_known).map(|number| hash(number, fork)).collect();
        let last = block(*numbers.end(), fork);
        let span = Span { first: *numbers.start(), parent: below.hash, last, hashes };
        let l1 = L1Origin { number: 7 + index, hash: B256::repeat_byte(7) };
        settled.push(&Posted { chain_id: A, index, l1, span: Ok(span) }, None, TimeMs(5)).unwrap();
        below = last;
    }
    let recent = settled.onward();
    Line { settled, recent, from: 1, lost: 0, placed: true, told: None }
}

/// Where data of that fork part from so many certified blocks: above which block, and at which.
fn parts(fork: u8, count: u64, l1_number: u64, hashes_known: bool) -> Option<(u64, u64)> {
    let (state, anchor) = certified(count);
    let line = line(anchor, fork, hashes_known);
    let head = line.parting(state.rollup(A).unwrap(), l1_number)?;
    Some((head.below.number - anchor.number, head.block.number - anchor.number))
}

#[test]
fn what_agrees_parts_nowhere() {
    for count in 1..9 {
        assert_eq!(parts(0, count, 9, true), None, "{count}");
    }
}

#[test]
fn the_end_of_what_agrees_is_found() {
    for count in 4..9 {
        assert_eq!(parts(1, count, 9, true), Some((3, 6)), "{count} certified");
        assert_eq!(parts(1, count, 7, true), None, "not at that L1 block yet");
    }
    for count in 1..4 {
        assert_eq!(parts(1, count, 9, true), None, "nothing is certified there");
    }
}

#[test]
fn without_hashes_only_ends_are_compared() {
    assert_eq!(parts(1, 5, 9, false), None);
    assert_eq!(parts(1, 6, 9, false), Some((3, 6)));
}

#[test]
fn a_line_can_begin_above_what_is_final() {
    let (state, anchor) = certified(8);
    let mut line = line(anchor, 0, true);
    let head = block(anchor.number + 6, 0);
    line.begin_at(head, Place { next: 2, l1_block: 8 });
    assert_eq!((line.from, line.settled.tail(), line.settled.last()), (8, head, None));
    let span = Span {
        first: head.number + 1,
        parent: head.hash,
        last: block(head.number + 1, 1),
        hashes: [hash(head.number + 1, 1)].into(),
    };
    let l1 = L1Origin { number: 8, hash: B256::repeat_byte(7) };
    let next = Posted { chain_id: A, index: 2, l1, span: Ok(span) };
    assert_eq!(line.settled.push(&Posted { index: 1, ..next.clone() }, None, TimeMs(5)), Ok(false), "passed");
    assert_eq!(line.settled.push(&next, None, TimeMs(5)), Ok(true));
    let parting = line.parting(state.rollup(A).unwrap(), 9).unwrap();
    assert_eq!((parting.below, parting.block.number), (head, head.number + 1));
}
