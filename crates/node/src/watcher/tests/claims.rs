//! Claims against batches on L1, with the committed registry, inbox and adapter.

use super::{
    Bed,
    fixture::{ROLLUP, domain, sequencer},
    heads::{own_params, true_claim, with_judges},
    judged::JudgedL1,
};
use crate::{
    watcher::{
        Committees, Detector, Finding, Stage, WatcherView,
        evidence::FaultEvidence,
        judges::{
            RollupRegistry,
            tests::evm::{ACCOUNT, ANSWER_TIME_S, INBOX, JUDGES},
        },
    },
    wire::FeedEvent,
};
use alloy_sol_types::{SolCall as _, sol};
use hum_chain::contracts::BatchInbox;
use hum_types::*;
use std::collections::BTreeMap;

sol! {
    function announceAdapter(address adapter) external;
}

const OTHER: BlockRef = BlockRef { number: 11, hash: B256::repeat_byte(0xee) };

/// The sequencer's claim of another block 11.
fn false_claim() -> SignedClaim {
    HeadClaim { block: OTHER, ..true_claim().claim }.sign(domain(), &sequencer())
}

/// It takes back what it claimed above the anchor in generation 0.
fn retraction(kept: BlockRef) -> SignedRetraction {
    let HeadClaim { chain_id, registration, .. } = true_claim().claim;
    Retraction { chain_id, registration, generation: Generation(1), kept }.sign(domain(), &sequencer())
}

fn registry() -> Address {
    JUDGES.rollup_registry.expect("a registry")
}

/// The rollup posts block 11, the true one, and the registry listens to the adapter.
fn post(l1: &JudgedL1) {
    let adapter = JUDGES.batch_adapter.expect("an adapter");
    assert!(l1.transact(registry(), &announceAdapterCall { adapter }.abi_encode()));
    let HeadClaim { registration, block, .. } = true_claim().claim;
    let registration = registration.0;
    let batcher = BatchInbox::setBatcherCall { registration, account: ACCOUNT };
    assert!(l1.transact(INBOX, &batcher.abi_encode()));
    let data = Bytes::from_static(b"not looked at");
    let call = BatchInbox::postCall { registration, first: 11, last: 11, lastHash: block.hash, _4: data };
    assert!(l1.transact(INBOX, &call.abi_encode()));
}

fn is_punished(l1: &JudgedL1) -> bool {
    let registration = true_claim().claim.registration.0;
    l1.read(registry(), RollupRegistry::rollupCall { registration }).punished
}

fn stage(view: &WatcherView) -> Option<&Stage> {
    assert!(view.evidence.len() < 2, "{view:?}");
    view.evidence.first().map(|case| &case.stage)
}

fn detector() -> Detector {
    let own = own_params();
    let sequencers = BTreeMap::from([(ROLLUP, (own.registration, own.sequencer))]);
    Detector::new(domain(), Committees::default(), sequencers)
}

#[test]
fn a_claim_is_held_against_what_stands_on_l1_in_its_place() {
    let registration = own_params().registration;
    let truth = true_claim().claim.block;
    let evidence = vec![Finding::Evidence(FaultEvidence::FalseClaim { claim: false_claim() })];

    let mut detector = self::detector();
    assert_eq!(detector.batch(registration, truth), []);
    assert_eq!(detector.claim(true_claim()), [], "L1 has that block");
    let mut detector = self::detector();
    assert_eq!(detector.batch(registration, truth), []);
    assert_eq!(detector.claim(false_claim()), evidence);
    let again = HeadClaim { block: BlockRef { hash: B256::repeat_byte(3), ..OTHER }, ..true_claim().claim };
    let found = detector.claim(again.sign(domain(), &sequencer()));
    assert!(matches!(found[..], [Finding::Evidence(FaultEvidence::DoubleClaim { .. })]), "once: {found:?}");

    let mut detector = self::detector();
    assert_eq!(detector.claim(false_claim()), []);
    assert_eq!(detector.batch(RegistrationId(B256::repeat_byte(4)), truth), [], "another rollup's batch");
    assert_eq!(detector.batch(registration, BlockRef { number: 12, ..truth }), [], "another place");
    assert_eq!(detector.batch(registration, truth), evidence, "whichever is heard first");

    let mut detector = self::detector();
    detector.remember(&FaultEvidence::FalseClaim { claim: false_claim() });
    assert_eq!(detector.claim(false_claim()), []);
    assert_eq!(detector.batch(registration, truth), [], "it was found before a restart");
}

#[test]
fn a_claim_that_was_taken_back_is_no_fault() {
    let (registration, anchor) = (own_params().registration, own_params().anchor);
    let truth = true_claim().claim.block;
    for (kept, expected) in [(anchor, 0), (OTHER, 1)] {
        let mut detector = self::detector();
        detector.retraction(retraction(kept));
        assert_eq!(detector.claim(false_claim()), []);
        assert_eq!(detector.batch(registration, truth).len(), expected, "kept {kept}");
    }
}

#[test]
fn evidence_of_a_false_claim_has_one_encoding_and_is_the_sequencers() {
    let evidence = FaultEvidence::FalseClaim { claim: false_claim() };
    assert_eq!(FaultEvidence::decode(&evidence.encode()), Ok(evidence.clone()));
    let own = own_params();
    assert_eq!(evidence.check_claims(own.sequencer, domain()), Ok(()));
    assert!(evidence.check_claims(ACCOUNT, domain()).is_err(), "nobody else's");
    assert!(evidence.check(&Committees::default(), domain()).is_err(), "no operator's");
    assert_eq!(evidence.registration(), Some(own.registration));
}

/// A watcher hears the false claim while L1 has the true block.
async fn accused(bed: &Bed, l1: &JudgedL1) {
    post(l1);
    bed.pass(3_000).await;
    bed.tell(0, 0, &FeedEvent::Claimed(vec![false_claim()]));
    bed.pass(3_000).await;
    assert_eq!(l1.sent::<RollupRegistry::accuseClaimCall>(), 1);
}

#[test]
fn a_false_claim_costs_the_bond_when_nobody_answers_also_after_a_restart() {
    with_judges(|bed, l1| async move {
        let watcher = bed.start(0, |_| {}).await;
        accused(&bed, &l1).await;
        assert_eq!(stage(&watcher.view()), Some(&Stage::Challenged));
        watcher.abort();
        bed.pass(100).await;

        let watcher = bed.start(1, |_| {}).await;
        bed.pass(5_000).await;
        assert_eq!(stage(&watcher.view()), Some(&Stage::Challenged), "there is time to answer");
        assert!(!is_punished(&l1));
        l1.pass_s(ANSWER_TIME_S);
        bed.pass(5_000).await;
        let view = watcher.view();
        assert!(matches!(stage(&view), Some(Stage::Punished { tx_hash: Some(_) })), "{view:?}");
        assert!(is_punished(&l1));
        assert_eq!(l1.sent::<RollupRegistry::accuseClaimCall>(), 1, "accused once");
    });
}

#[test]
fn a_watcher_that_knows_the_retraction_answers_for_the_sequencer() {
    with_judges(|mut bed, l1| async move {
        let accuser = bed.start(0, |_| {}).await;
        accused(&bed, &l1).await;
        // Another one, which has read the retraction in a checkpoint.
        let defender = bed.start(1, |settings| settings.partition = "defender".to_owned()).await;
        bed.pass(1_000).await;
        let body = Body {
            changes: vec![Change::Retract { retraction: retraction(own_params().anchor) }],
            advances: Vec::new(),
        };
        let origin = bed.state.header().l1_origin;
        let sealed = bed.state.seal(&body, TimeMs(bed.state.header().time_ms.0 + 1), origin);
        let (header, state) = sealed.expect("a body that follows");
        bed.state = state;
        bed.tell(0, 1, &FeedEvent::Finalised(Checkpoint { header, body }));
        bed.tell(0, 1, &FeedEvent::Certified(bed.signers.certify(&[0, 1, 2], &header)));
        bed.pass(6_000).await;
        assert_eq!(l1.sent::<RollupRegistry::showRetractionCall>(), 1, "{:?}", defender.view());
        assert_eq!(l1.sent::<RollupRegistry::concludeAccusationCall>(), 1, "the bond is free at once");
        l1.pass_s(10 * ANSWER_TIME_S);
        bed.pass(5_000).await;
        let view = accuser.view();
        assert_eq!(stage(&view), Some(&Stage::Acquitted { bond_lost: false }), "{view:?}");
        assert!(!is_punished(&l1));
        assert_eq!(l1.sent::<RollupRegistry::accuseClaimCall>(), 1, "not again");
    });
}
