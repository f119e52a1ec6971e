//! What bodies hold comes out with the generation of its checkpoint, and memory is bounded.

use super::*;
use crate::watcher::tests::fixture::{REGISTRATION, ROLLUP, Signers, claim, domain, header, sequencer};
use hum_ledger::{Genesis, RollupParams};
use hum_types::{Address, Advance, AdvancedBlock, Body, Class, L1Origin, Terms, TimeMs};

fn state() -> State {
    State::genesis(&Genesis {
        domain: domain(),
        seated: Signers::new(0, &[1, 2, 3, 4]).seated,
        terms: Terms::of(4).expect("long enough"),
        time_ms: TimeMs(0),
        l1_origin: L1Origin { number: 7, hash: B256::repeat_byte(7) },
        rollups: vec![RollupParams {
            chain_id: ROLLUP,
            registration: REGISTRATION,
            sequencer: sequencer().address(),
            facades: [Address::repeat_byte(0xa1), Address::repeat_byte(0xa2), Address::repeat_byte(0xa3)],
            class: Class::Reexecuted,
            judges: Vec::new(),
            anchor: BlockRef { number: 10, hash: B256::repeat_byte(10) },
            anchor_state_root: B256::repeat_byte(11),
        }],
    })
}

fn checkpoint(height: u64, fork: u8) -> Checkpoint {
    let signed = claim(0, 11, fork);
    let block = AdvancedBlock {
        block: signed.claim.block,
        state_root: B256::ZERO,
        time_ms: TimeMs(1),
        signature: signed.signature,
        messages: Vec::new(),
    };
    let evidence = Evidence::Equivocation { one: claim(0, 12, 1), other: claim(0, 12, 2) };
    let body = Body {
        changes: vec![Change::Quarantine { evidence }],
        advances: vec![Advance { chain_id: ROLLUP, blocks: vec![block], judgements: vec![] }],
    };
    Checkpoint { header: Header { body_hash: body.hash(), ..header(0, height, fork) }, body }
}

#[test]
fn a_finalised_body_gives_its_claims_once() {
    let mut bodies = Bodies::default();
    let (truth, fork) = (checkpoint(3, 1), checkpoint(3, 2));
    for offered in [&truth, &fork, &truth, &checkpoint(4, 1)] {
        bodies.offer(offered);
    }
    let (claims, retractions) = bodies.finalised(&truth.header, &state());
    assert_eq!(claims, [claim(0, 12, 1), claim(0, 12, 2), claim(0, 11, 1)]);
    assert!(retractions.is_empty());
    assert_eq!((bodies.held.len(), bodies.total), (1, 3), "the fork is forgotten, what is above stays");
    assert_eq!(bodies.finalised(&truth.header, &state()), (Vec::new(), Vec::new()));
}

#[test]
fn a_body_that_is_not_its_header_s_is_not_kept() {
    let mut bodies = Bodies::default();
    let mut false_body = checkpoint(3, 1);
    false_body.body.changes.clear();
    bodies.offer(&false_body);
    assert_eq!((bodies.held.len(), bodies.total), (0, 0));
}
