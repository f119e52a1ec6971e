//! What is written for the judges, before the judges themselves: the committed contracts in revm.

pub(in crate::watcher) mod evm;

use super::*;
use crate::watcher::{
    docket::EvidenceNumber,
    evidence::Statement,
    tests::fixture::{REGISTRATION, ROLLUP, Signers, claim, domain, header, sequencer},
};
use evm::{Evm, JUDGES};
use hum_types::{RegistrationId, TimeMs};
use std::sync::Arc;

fn filing(evidence: FaultEvidence, committees: &Committees) -> Filing {
    let mut docket = crate::watcher::docket::Docket::default();
    docket.restore(EvidenceNumber(0), evidence, committees, TimeMs(0));
    docket.next(TimeMs(0)).expect("a filing")
}

fn four() -> Signers {
    Signers::new(0, &[1, 2, 3, 4])
}

/// The judges take it, and slash exactly these seats.
fn takes(signers: &Signers, evidence: FaultEvidence, seats: &[u16]) {
    let committees = signers.committees();
    evidence.check(&committees, domain()).expect("evidence that holds");
    let fault = evidence.fault();
    let filing = filing(evidence, &committees);
    let accused: Vec<_> = filing.offences().map(|(_, operator, _)| operator).collect();
    let mut expected: Vec<_> = seats.iter().map(|seat| signers.operator(*seat)).collect();
    expected.sort();
    assert_eq!(accused, expected);
    let papers = papers(&filing, &JUDGES, &committees, domain()).expect("papers");
    let mut evm = Evm::new(signers);
    let judge = JUDGES.of(&filing.evidence).expect("a judge");
    if let Some((hash, table)) = papers.tables.first() {
        let before = evm.call(judge, &papers.data);
        assert!(!before.success, "the table is not stored yet");
        evm.know_table(*hash);
        let stored = evm.call(evm::TABLES, &TableStore::storeCall { table: table.clone() }.abi_encode());
        assert!(stored.success, "{stored:?}");
    }
    // Of an offence that the manager is not asked about under our own name for it, it knows nothing, and the judge reverts.
    let unknown = evm.call(judge, &papers.data);
    assert!(!unknown.success);
    for (_, operator, offence) in filing.offences() {
        evm.know_offence(operator, offence);
    }
    let judged = evm.call(judge, &papers.data);
    assert!(judged.success, "{judged:?}");
    println!("{fault}: {} gas for {} accused", judged.gas, seats.len());
}

#[test]
fn two_single_attestations_convince_the_judge() {
    let signers = four();
    let statement = |fork| Statement::single(signers.attest(2, &header(0, 5, fork)));
    takes(&signers, FaultEvidence::DoubleAttestation { one: statement(1), other: statement(2) }, &[2]);
}

#[test]
fn a_single_attestation_and_a_certificate_convince_the_judge_in_either_order() {
    let signers = four();
    let (truth, lie) = (header(0, 5, 1), header(0, 5, 2));
    let single = Statement::single(signers.attest(2, &lie));
    let quorum = Statement::quorum(signers.certify(&[0, 1, 2], &truth), Some(truth));
    let evidence = |one: &Statement, other: &Statement| FaultEvidence::DoubleAttestation {
        one: one.clone(),
        other: other.clone(),
    };
    takes(&signers, evidence(&single, &quorum), &[2]);
    takes(&signers, evidence(&quorum, &single), &[2]);
}

#[test]
fn two_certificates_convince_the_judge_of_all_who_signed_both() {
    let signers = four();
    let quorum = |seats: &[u16], fork| {
        let header = header(0, 5, fork);
        Statement::quorum(signers.certify(seats, &header), Some(header))
    };
    let (one, other) = (quorum(&[0, 1, 2], 1), quorum(&[1, 2, 3], 2));
    takes(&signers, FaultEvidence::DoubleAttestation { one, other }, &[1, 2]);
}

#[test]
fn a_false_table_convinces_the_judge_from_a_certificate_and_from_one_alone() {
    let signers = four();
    let closing = Header { next_table_hash: B256::repeat_byte(0xee), ..header(0, 7, 1) };
    let expected = DueTable { index: 0, hash: evm::SNAPSHOT };
    let quorum = Statement::quorum(signers.certify(&[0, 2, 3], &closing), Some(closing));
    takes(&signers, FaultEvidence::FalseTable { statement: quorum, expected }, &[0, 2, 3]);
    let single = Statement { header: Some(closing), ..Statement::single(signers.attest(1, &closing)) };
    takes(&signers, FaultEvidence::FalseTable { statement: single, expected }, &[1]);
}

#[test]
fn two_claims_take_the_sequencer_s_bond() {
    let signers = four();
    let mut evm = Evm::new(&signers);
    let registration = evm.register(ROLLUP, sequencer().address());
    let mine = |number, fork| {
        let claim = hum_types::HeadClaim { registration, ..claim(0, number, fork).claim };
        claim.sign(domain(), &sequencer())
    };
    let evidence = FaultEvidence::DoubleClaim { one: mine(5, 1), other: mine(5, 2) };
    evidence.check_claims(sequencer().address(), domain()).expect("evidence that holds");
    let committees = signers.committees();
    let papers = papers(&filing(evidence, &committees), &JUDGES, &committees, domain()).expect("papers");
    let registry = JUDGES.rollup_registry.expect("a registry");
    let asked = RollupRegistry::rollupCall { registration: registration.0 }.abi_encode();
    let before = RollupRegistry::rollupCall::abi_decode_returns(&evm.call(registry, &asked).output).unwrap();
    assert!(!before.punished && before.sequencer == sequencer().address());
    let judged = evm.call(registry, &papers.data);
    assert!(judged.success, "{judged:?}");
    let after = RollupRegistry::rollupCall::abi_decode_returns(&evm.call(registry, &asked).output).unwrap();
    assert!(after.punished);
    assert!(!evm.call(registry, &papers.data).success, "once");
}

#[test]
fn papers_that_cannot_be_written_say_why() {
    let signers = four();
    let committees = signers.committees();
    let (a, b) = (header(0, 5, 1), header(0, 5, 2));
    let quorum = |header: &Header, known: bool| {
        Statement::quorum(signers.certify(&[0, 1, 2], header), known.then_some(*header))
    };
    let write = |one, other, judges: &Judges, committees: &Committees| {
        let evidence = FaultEvidence::DoubleAttestation { one, other };
        let accused = evidence.accused(&signers.committees());
        let defendants = accused.iter().map(|a| (Defendant::Operator(a.operator), Some(*a))).collect();
        let filing = Filing { number: EvidenceNumber(0), evidence: Arc::new(evidence), defendants };
        papers(&filing, judges, committees, domain())
    };
    let header_missing = write(quorum(&a, false), quorum(&b, true), &JUDGES, &committees);
    assert_eq!(header_missing, Err(PapersError::Header(Height(5))));
    let stranger = write(quorum(&a, true), quorum(&b, true), &JUDGES, &Committees::default());
    assert_eq!(stranger, Err(PapersError::Epoch(Epoch(0))));
    let mut forged = quorum(&b, true);
    if let Signed::Quorum(certificate) = &mut forged.signed {
        certificate.height = Height(6);
    }
    let forged = write(quorum(&a, true), forged, &JUDGES, &committees);
    assert!(matches!(forged, Err(PapersError::Certificate(_))), "{forged:?}");
    let nobody = Filing {
        number: EvidenceNumber(0),
        evidence: Arc::new(FaultEvidence::DoubleAttestation {
            one: Statement::single(signers.attest(1, &a)),
            other: Statement::single(signers.attest(1, &b)),
        }),
        defendants: Vec::new(),
    };
    assert_eq!(papers(&nobody, &JUDGES, &committees, domain()), Err(PapersError::Nobody));
    let closing = Header { next_table_hash: B256::repeat_byte(0xee), ..a };
    let table = FaultEvidence::FalseTable {
        statement: Statement { header: Some(closing), ..Statement::single(signers.attest(1, &closing)) },
        expected: DueTable::NONE,
    };
    let without = Judges { table_adapter: None, ..JUDGES };
    let filing = filing(table, &committees);
    assert_eq!(
        papers(&filing, &without, &committees, domain()),
        Err(PapersError::NoJudge(Fault::Settlement))
    );
    assert_eq!(without.of(&filing.evidence), None);
    let _: RegistrationId = REGISTRATION;
}
