//! What is done next, and what is not done twice.

use super::*;
use crate::watcher::{
    evidence::Statement,
    tests::fixture::{REGISTRATION, Signers, claim, header},
};

const NOW: TimeMs = TimeMs(1_000_000);

fn pair(signers: &Signers, seat: u16, height: u64) -> FaultEvidence {
    let statement = |fork| Statement::single(signers.attest(seat, &header(0, height, fork)));
    FaultEvidence::DoubleAttestation { one: statement(1), other: statement(2) }
}

fn forks(signers: &Signers) -> FaultEvidence {
    let quorum = |fork| {
        let header = header(0, 9, fork);
        Statement::quorum(signers.certify(&[0, 1, 2, 3], &header), Some(header))
    };
    FaultEvidence::DoubleAttestation { one: quorum(1), other: quorum(2) }
}

fn four() -> Signers {
    Signers::new(0, &[1, 2, 3, 4])
}

#[test]
fn a_filing_goes_out_once_and_ends_where_l1_says() {
    let signers = four();
    let mut docket = Docket::default();
    let number = docket.open(pair(&signers, 1, 5), &signers.committees(), NOW).unwrap();
    let defendant = Defendant::Operator(signers.operator(1));
    let filing = docket.next(NOW).expect("one filing");
    assert_eq!(filing.defendants.iter().map(|(who, _)| *who).collect::<Vec<_>>(), [defendant]);
    assert!(docket.next(NOW).is_none(), "it is out");
    docket.conclude(number, defendant, Verdict::Punished(Some(B256::repeat_byte(1))), NOW);
    assert!(docket.next(TimeMs(u64::MAX)).is_none());
    assert!(docket.is_idle());
    assert_eq!(docket.unsettled().len(), 1, "until it is final on L1");
    assert_eq!(docket.settled(number, defendant), Some(Some(B256::repeat_byte(1))));
    assert_eq!(docket.settled(number, defendant), None, "written down once");
    assert!(docket.unsettled().is_empty());
}

#[test]
fn a_punishment_that_l1_dropped_is_taken_up_again() {
    let signers = four();
    let mut docket = Docket::default();
    let number = docket.open(pair(&signers, 1, 5), &signers.committees(), NOW).unwrap();
    let defendant = Defendant::Operator(signers.operator(1));
    docket.next(NOW).unwrap();
    docket.reopen(number, defendant, NOW);
    assert_eq!(docket.case(number, defendant).unwrap().stage, Stage::Submitted, "only what was punished");
    docket.conclude(number, defendant, Verdict::Punished(None), NOW);
    docket.reopen(number, defendant, NOW);
    assert!(docket.next(NOW).is_some());
    docket.conclude(number, defendant, Verdict::Punished(None), NOW);
    docket.settled(number, defendant);
    docket.reopen(number, defendant, NOW);
    assert!(docket.next(NOW).is_none(), "what is final stays");
}

#[test]
fn failures_are_retried_for_ever_and_refusals_until_it_is_no_use() {
    let signers = four();
    let mut docket = Docket::default();
    let number = docket.open(pair(&signers, 1, 5), &signers.committees(), NOW).unwrap();
    let defendant = Defendant::Operator(signers.operator(1));
    let mut now = NOW;
    for _ in 0..40 {
        docket.next(now).expect("due again");
        docket.conclude(number, defendant, Verdict::Failed("no node".into()), now);
        assert!(docket.next(now).is_none(), "not at once");
        now = TimeMs(now.0 + RETRY_MS_MAX);
    }
    for _ in 0..REFUSALS_MAX {
        docket.next(now).expect("due again");
        docket.conclude(number, defendant, Verdict::Refused("no".into()), now);
        now = TimeMs(now.0 + RETRY_MS_MAX);
    }
    assert!(docket.next(TimeMs(u64::MAX)).is_none());
    let stage = docket.case(number, defendant).unwrap().stage.clone();
    assert_eq!(stage, Stage::Refused { why: "no".into(), given_up: true });
}

#[test]
fn accused_of_one_certificate_go_together_and_end_apart() {
    let signers = four();
    let mut docket = Docket::default();
    let number = docket.open(forks(&signers), &signers.committees(), NOW).unwrap();
    let filing = docket.next(NOW).unwrap();
    assert_eq!(filing.defendants.len(), 4);
    let who: Vec<_> = filing.defendants.iter().map(|(who, _)| *who).collect();
    docket.conclude(number, who[0], Verdict::Punished(None), NOW);
    for other in &who[1..] {
        docket.conclude(number, *other, Verdict::Failed("later".into()), NOW);
    }
    let again = docket.next(TimeMs(NOW.0 + RETRY_MS)).unwrap();
    assert_eq!(again.defendants.iter().map(|(who, _)| *who).collect::<Vec<_>>(), &who[1..]);
}

#[test]
fn a_transaction_names_a_bounded_number_of_accused() {
    let many: Vec<u8> = (1..=40).collect();
    let signers = Signers::new(0, &many);
    let quorum = |fork| {
        let header = header(0, 9, fork);
        Statement::quorum(signers.certify(&(0..40).collect::<Vec<_>>(), &header), Some(header))
    };
    let evidence = FaultEvidence::DoubleAttestation { one: quorum(1), other: quorum(2) };
    let mut docket = Docket::default();
    let number = docket.open(evidence, &signers.committees(), NOW).unwrap();
    let mut sizes = Vec::new();
    while let Some(filing) = docket.next(NOW) {
        sizes.push(filing.defendants.len());
        for (who, _) in filing.defendants {
            docket.conclude(number, who, Verdict::Punished(None), NOW);
        }
    }
    assert_eq!(sizes, [16, 16, 8]);
}

#[test]
fn evidence_that_lacks_a_header_waits_and_what_nobody_judges_is_left_to_people() {
    let signers = four();
    let mut docket = Docket::default();
    let FaultEvidence::DoubleAttestation { one, mut other } = forks(&signers) else { unreachable!() };
    other.header = None;
    let number =
        docket.open(FaultEvidence::DoubleAttestation { one, other }, &signers.committees(), NOW).unwrap();
    assert!(docket.next(TimeMs(u64::MAX)).is_none());
    let defendant = Defendant::Operator(signers.operator(0));
    assert_eq!(docket.case(number, defendant).unwrap().stage, Stage::Incomplete);

    let claims = FaultEvidence::DoubleClaim { one: claim(0, 5, 1), other: claim(0, 5, 2) };
    let number = docket.open(claims, &signers.committees(), NOW).unwrap();
    let filing = docket.next(NOW).unwrap();
    let defendant = Defendant::Sequencer(REGISTRATION);
    assert_eq!(filing.defendants, [(defendant, None)]);
    docket.conclude(number, defendant, Verdict::NoJudge, NOW);
    assert!(docket.next(TimeMs(u64::MAX)).is_none());
}

#[test]
fn what_the_disk_held_goes_on_under_its_number() {
    let signers = four();
    let mut docket = Docket::default();
    let settled = pair(&signers, 1, 5);
    docket.restore(EvidenceNumber(4), settled, &signers.committees(), NOW);
    docket.settle(EvidenceNumber(4), Defendant::Operator(signers.operator(1)), None);
    docket.restore(EvidenceNumber(5), pair(&signers, 2, 5), &signers.committees(), NOW);
    let filing = docket.next(NOW).unwrap();
    assert_eq!(filing.number, EvidenceNumber(5), "the other is settled");
    let next = docket.open(pair(&signers, 3, 5), &signers.committees(), NOW);
    assert_eq!(next, Some(EvidenceNumber(6)));
}
