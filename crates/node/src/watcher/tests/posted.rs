//! Settled heads against batches, with the committed inbox, adapter and judge.

use super::{
    fixture::{ROLLUP, Signers, domain, sequencer},
    heads::{own_params, state_that_settles},
    judged::JudgedL1,
};
use crate::watcher::{
    docket::{Docket, EvidenceNumber},
    evidence::{Charge, EvidenceError, FaultEvidence, HeadError, Statement},
    judges::{
        offence_of, papers,
        tests::evm::{ACCOUNT, INBOX, JUDGES, L1_BLOCK},
    },
    posted::{PostedBook, PostedCheck},
};
use alloy_sol_types::SolCall as _;
use futures::FutureExt as _;
use hum_chain::contracts::BatchInbox;
use hum_types::*;

/// An origin at which L1 holds all that the test posts; and one before anything was.
const ORIGIN: L1Origin = L1Origin { number: L1_BLOCK, hash: B256::repeat_byte(7) };
const EARLY: L1Origin = L1Origin { number: L1_BLOCK - 1, hash: B256::repeat_byte(7) };

/// What the rollup did on L1.
#[derive(Debug, Clone, Copy)]
enum Posted {
    Nothing,
    /// It named its batcher.
    Opened,
    /// A batch from block 11 that ends there, or above.
    Batch {
        last: u64,
        hash: B256,
    },
}

fn l1(signers: &Signers, posted: Posted) -> JudgedL1 {
    let own = own_params();
    let registration = own.registration.0;
    let l1 = JudgedL1::new(signers, |evm| {
        assert_eq!(evm.register_at(ROLLUP, sequencer().address(), own.anchor.hash), own.registration);
    });
    let batcher = BatchInbox::setBatcherCall { registration, account: ACCOUNT }.abi_encode();
    match posted {
        Posted::Nothing => {}
        Posted::Opened => assert!(l1.transact(INBOX, &batcher)),
        Posted::Batch { last, hash } => {
            assert!(l1.transact(INBOX, &batcher));
            let data = Bytes::from_static(b"not looked at");
            let call = BatchInbox::postCall { registration, first: 11, last, lastHash: hash, _4: data };
            assert!(l1.transact(INBOX, &call.abi_encode()));
        }
    }
    l1
}

fn check(confidence: Confidence, origin: L1Origin) -> PostedCheck {
    let (state, _) = state_that_settles(confidence, origin);
    let mut checks = PostedCheck::all(&state);
    // A finalized head lifts the safe one with it.
    assert_eq!(checks.len(), confidence as usize);
    let check = checks.pop().expect("a head");
    assert_eq!((check.confidence, check.header), (confidence, *state.header()));
    check
}

fn evidence(signers: &Signers, check: &PostedCheck) -> FaultEvidence {
    let statement = Statement::single(signers.attest(1, &check.header));
    FaultEvidence::FalseHead {
        statement: Statement { header: Some(check.header), ..statement },
        head: check.head.clone(),
        charge: Charge::Settled { confidence: check.confidence },
    }
}

#[test]
fn a_settled_head_without_its_batch_is_punished_and_no_other() {
    let signers = Signers::new(0, &[1, 2, 3, 4]);
    let (_, head) = state_that_settles(Confidence::Safe, ORIGIN);
    let (own, other) = (head.hash, B256::repeat_byte(0xee));
    let cases = [
        // Not open: whoever settles it, this adapter does not judge it.
        (Posted::Nothing, ORIGIN, [false, false]),
        (Posted::Opened, ORIGIN, [false, true]),
        (Posted::Batch { last: 11, hash: own }, ORIGIN, [false, false]),
        (Posted::Batch { last: 11, hash: other }, ORIGIN, [true, true]),
        (Posted::Batch { last: 12, hash: other }, ORIGIN, [true, true]),
        (Posted::Batch { last: 11, hash: other }, EARLY, [false, false]),
    ];
    for (posted, origin, expected) in cases {
        let l1 = l1(&signers, posted);
        for (confidence, expected) in [Confidence::Safe, Confidence::Finalized].into_iter().zip(expected) {
            let check = check(confidence, origin);
            let adapter = JUDGES.batch_adapter.expect("an adapter");
            let told = l1.connect().contradicted(adapter, &check).now_or_never().expect("at once");
            assert_eq!(told.expect("an answer"), Some(expected), "{posted:?}, {confidence}");

            let evidence = evidence(&signers, &check);
            evidence.check(&signers.committees(), domain()).expect("evidence that holds");
            assert_eq!(FaultEvidence::decode(&evidence.encode()), Ok(evidence.clone()));
            let judge = JUDGES.of(&evidence).expect("a judge");
            let offence = offence_of(&evidence, signers.operator(1));
            let mut docket = Docket::default();
            docket.restore(EvidenceNumber(0), evidence, &signers.committees(), TimeMs(0));
            let filing = docket.next(TimeMs(0)).expect("a filing");
            let written = papers(&filing, &JUDGES, &signers.committees(), domain()).expect("papers");
            assert_eq!(l1.transact(judge, &written.data), expected, "{posted:?}, {confidence}");
            assert_eq!(l1.is_punished(offence), expected, "{posted:?}, {confidence}");
        }
    }
}

#[test]
fn a_node_behind_the_origin_tells_nothing_yet() {
    let signers = Signers::new(0, &[1, 2, 3, 4]);
    let later = L1Origin { number: L1_BLOCK + 1, ..ORIGIN };
    let (l1, check) = (l1(&signers, Posted::Opened), check(Confidence::Finalized, later));
    let adapter = JUDGES.batch_adapter.expect("an adapter");
    let told = l1.connect().contradicted(adapter, &check).now_or_never().expect("at once");
    assert_eq!(told.expect("an answer"), None);
    let mut book = PostedBook::default();
    book.add(vec![check]);
    let check = book.next(TimeMs(5)).expect("a head");
    assert!(book.next(TimeMs(5)).is_none(), "one at a time");
    book.again(check, TimeMs(5));
    assert!(book.next(TimeMs(1_004)).is_none(), "not at once");
    assert!(book.next(TimeMs(1_005)).is_some());
    book.done();
    assert!(book.next(TimeMs(9_000)).is_none(), "told");
}

#[test]
fn a_charge_fits_its_head_only() {
    let signers = Signers::new(0, &[1, 2, 3, 4]);
    let committees = signers.committees();
    let check = check(Confidence::Safe, ORIGIN);
    let charged = |confidence| match evidence(&signers, &check) {
        FaultEvidence::FalseHead { statement, head, .. } => {
            FaultEvidence::FalseHead { statement, head, charge: Charge::Settled { confidence } }
        }
        other => other,
    };
    assert_eq!(charged(Confidence::Safe).check(&committees, domain()), Ok(()));
    for confidence in [Confidence::Latest, Confidence::Finalized] {
        let found = charged(confidence).check(&committees, domain());
        assert!(matches!(found, Err(EvidenceError::Head(HeadError::Part { .. }))), "{found:?}");
    }
    let latest = Charge::Settled { confidence: Confidence::Latest };
    assert_eq!(latest.check(&check.head), Err(HeadError::Unsettled));
    let without = crate::watcher::Judges { batch_adapter: None, ..JUDGES };
    assert_eq!(without.of(&charged(Confidence::Safe)), None);
}
