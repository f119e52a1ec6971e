use super::*;
use crate::watcher::{
    evidence::{EvidenceError, FaultEvidence, Statement},
    tests::{
        fixture::{ROLLUP, Signers, domain},
        heads::{charged, state_with, with_false_lane, with_false_root},
    },
};
use hum_types::BlockRef;

fn lane_charge(state: &State) -> LaneCharge {
    let Charge::Lane(charge) = charged(state) else { panic!("a lane") };
    *charge
}

fn head(state: &State) -> HeadStatement {
    HeadStatement::of(state, ROLLUP, Confidence::Latest).expect("a member")
}

#[test]
fn a_head_is_what_its_header_says_and_nothing_else() {
    let state = state_with(with_false_root());
    let (head, header) = (head(&state), *state.header());
    assert_eq!(head.check(&header, Confidence::Latest), Ok(()));
    let part = state.rollup(ROLLUP).expect("a member").latest();
    assert_eq!((head.chain_id(), head.part), (ROLLUP, part));
    let with = |change: fn(&mut HeadStatement)| {
        let mut changed = head.clone();
        change(&mut changed);
        changed.check(&header, Confidence::Latest)
    };
    assert!(matches!(with(|head| head.leaf[0] ^= 1), Err(HeadError::Root { .. })));
    assert!(matches!(with(|head| head.index = 1), Err(HeadError::Root { .. })));
    assert_eq!(with(|head| head.index = 2), Err(HeadError::Index { index: 2, depth: 1 }));
    assert!(matches!(with(|head| head.siblings[0].0[0] ^= 1), Err(HeadError::Root { .. })));
    assert!(matches!(with(|head| head.part.block.number += 1), Err(HeadError::Part { .. })));
    let later = Header { height: Height(2), ..header };
    let inherited = HeadError::Inherited { advanced_at: Height(1), height: Height(2) };
    assert_eq!(head.check(&later, Confidence::Latest), Err(inherited));
    let other = Header { rollups_root: B256::ZERO, ..header };
    assert!(matches!(head.check(&other, Confidence::Latest), Err(HeadError::Root { .. })));
}

#[test]
fn a_state_root_is_false_only_against_its_own_block() {
    let state = state_with(with_false_root());
    let (head, charge) = (head(&state), charged(&state));
    assert_eq!((charge.fault(), charge.check(&head)), (Fault::StateRoot, Ok(())));
    let Charge::StateRoot { block_header } = charge else { panic!("a state root") };
    let (number, state_root) = header_fields(&block_header).expect("a header");
    let mut other = block_header.to_vec();
    other[40] ^= 1;
    let other = Charge::StateRoot { block_header: other.into() };
    assert!(matches!(other.check(&head), Err(HeadError::Block { .. })));
    let text = Bytes::from_static(b"\xc3\x01\x02\x03");
    let block = BlockRef { hash: keccak256(&text), ..head.part.block };
    let unread = HeadStatement { part: HeadPart { block, ..head.part }, ..head.clone() };
    assert_eq!(Charge::StateRoot { block_header: text }.check(&unread), Err(HeadError::BlockHeader));
    let honest = HeadStatement { part: HeadPart { state_root, ..head.part }, ..head };
    let agrees = Charge::StateRoot { block_header }.check(&honest);
    assert_eq!(agrees, Err(HeadError::Agrees { number, state_root }));
}

#[test]
fn a_lane_is_false_only_against_its_proven_slot() {
    let state = state_with(with_false_lane());
    let part = head(&state).part;
    let charge = lane_charge(&state);
    assert_eq!(charge.check(&part), Ok(()));
    let with = |change: fn(&mut LaneCharge)| {
        let mut changed = charge.clone();
        change(&mut changed);
        changed.check(&part)
    };
    assert!(matches!(with(|charge| charge.lane.leaf[40] ^= 1), Err(HeadError::Root { .. })));
    assert!(matches!(with(|charge| charge.lane.index = 1), Err(HeadError::Index { .. })));
    assert!(matches!(with(|charge| charge.slot.word = charge.lane.word()), Err(HeadError::State(_))));
    assert!(matches!(with(|charge| charge.slot.account.clear()), Err(HeadError::State(_))));
    assert!(matches!(with(|charge| charge.slot.storage.clear()), Err(HeadError::State(_))));
    assert_eq!(with(|charge| charge.anchor = Bytes::new()), Err(HeadError::BlockHeader));
    assert!(matches!(with(|charge| charge.at_anchor.account.clear()), Err(HeadError::State(_))));
    assert!(matches!(with(|charge| charge.at_anchor.word.0[31] = 1), Err(HeadError::State(_))));
    let mut true_lane = charge.clone();
    true_lane.lane.leaf[32..64].copy_from_slice(charge.slot.word.as_slice());
    let honest = HeadPart { lanes_root: true_lane.lane.leaf_hash(), ..part };
    assert_eq!(true_lane.check(&honest), Err(HeadError::SlotAgrees(charge.slot.word)));
}

#[test]
fn evidence_of_each_kind_has_one_encoding_and_holds() {
    let signers = Signers::new(0, &[1, 2, 3, 4]);
    for block in [with_false_root(), with_false_lane()] {
        let state = state_with(block);
        let header = *state.header();
        for charge in [charged(&state), Charge::NoClaim] {
            let statement = Statement::quorum(signers.certify(&[0, 1, 2], &header), Some(header));
            let evidence = FaultEvidence::FalseHead { statement, head: head(&state), charge };
            assert_eq!(evidence.check(&signers.committees(), domain()), Ok(()));
            assert_eq!(evidence.accused(&signers.committees()).len(), 3);
            let bytes = evidence.encode();
            assert_eq!(FaultEvidence::decode(&bytes), Ok(evidence.clone()));
            for cut in 0..bytes.len() {
                assert!(FaultEvidence::decode(&bytes[..cut]).is_err(), "cut at {cut}");
            }
            let FaultEvidence::FalseHead { mut statement, head, charge } = evidence else { continue };
            statement.header = None;
            let headless = FaultEvidence::FalseHead { statement, head, charge };
            let missing = headless.check(&signers.committees(), domain());
            assert_eq!(missing, Err(EvidenceError::HeaderMissing(header.height)));
        }
    }
}
