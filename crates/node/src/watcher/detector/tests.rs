//! Each contradiction is found, once; nothing that was not signed accuses anyone; memory is bounded.

use super::*;
use crate::watcher::{
    evidence::{EvidenceError, Signed},
    tests::fixture::{REGISTRATION, ROLLUP, Signers, claim, domain, header, sequencer},
};
use hum_types::{SequencerKey, TimeMs};

fn four() -> Signers {
    Signers::new(0, &[1, 2, 3, 4])
}

fn detector(signers: &Signers) -> Detector {
    let sequencers = BTreeMap::from([(ROLLUP, (REGISTRATION, sequencer().address()))]);
    Detector::new(domain(), signers.committees(), sequencers)
}

fn evidence(findings: &[Finding]) -> Vec<&FaultEvidence> {
    let mut only = Vec::new();
    for finding in findings {
        if let Finding::Evidence(evidence) = finding {
            only.push(evidence);
        }
    }
    only
}

/// Everything found holds, and accuses exactly these.
fn convicts(detector: &Detector, findings: &[Finding], operators: &[Address]) {
    let mut accused = BTreeSet::new();
    for evidence in evidence(findings) {
        evidence.check(detector.committees(), domain()).expect("evidence that holds");
        accused.extend(evidence.accused(detector.committees()).iter().map(|accused| accused.operator));
    }
    assert_eq!(accused, operators.iter().copied().collect(), "{findings:?}");
}

#[test]
fn two_attestations_of_one_seat_for_one_height_are_evidence_once() {
    let signers = four();
    let mut watched = detector(&signers);
    assert_eq!(watched.attestation(signers.attest(2, &header(0, 5, 1))), []);
    let found = watched.attestation(signers.attest(2, &header(0, 5, 2)));
    convicts(&watched, &found, &[signers.operator(2)]);
    assert_eq!(evidence(&found).len(), 1);
    assert!(evidence(&found)[0].is_whole());
    assert_eq!(watched.attestation(signers.attest(2, &header(0, 5, 2))), [], "heard before");
    assert_eq!(watched.attestation(signers.attest(2, &header(0, 5, 3))), [], "a third adds nothing");
}

#[test]
fn the_order_in_which_attestations_and_certificates_come_does_not_matter() {
    let signers = four();
    let (truth, lie) = (header(0, 5, 1), header(0, 5, 2));
    let single = signers.attest(3, &lie);
    let certificate = signers.certify(&[1, 2, 3], &truth);
    for order in 0..2 {
        let mut watched = detector(&signers);
        watched.header(&truth);
        let mut found = Vec::new();
        for step in [order, 1 - order] {
            found.extend(match step {
                0 => watched.attestation(single),
                _ => watched.certificate(&certificate),
            });
        }
        convicts(&watched, &found, &[signers.operator(3)]);
        let FaultEvidence::DoubleAttestation { one, other } = evidence(&found)[0] else {
            panic!("{found:?}")
        };
        let kinds = [one, other].map(|statement| matches!(statement.signed, Signed::Single(_)));
        assert_eq!(kinds, [true, false]);
    }
}

#[test]
fn two_certificates_of_one_height_accuse_whoever_signed_both_in_one_piece() {
    let signers = four();
    let (a, b) = (header(0, 5, 1), header(0, 5, 2));
    let mut watched = detector(&signers);
    watched.header(&a);
    watched.header(&b);
    assert_eq!(watched.certificate(&signers.certify(&[0, 1, 2], &a)), []);
    let found = watched.certificate(&signers.certify(&[1, 2, 3], &b));
    assert_eq!(evidence(&found).len(), 1);
    convicts(&watched, &found, &[signers.operator(1), signers.operator(2)]);
    assert!(evidence(&found)[0].is_whole());
    let fuller = watched.certificate(&signers.certify(&[0, 1, 2, 3], &b));
    convicts(&watched, &fuller, &[signers.operator(0), signers.operator(1), signers.operator(2)]);
    assert_eq!(evidence(&fuller).len(), 1, "for the one that is new");
}

#[test]
fn certificates_without_their_headers_are_evidence_that_the_header_completes() {
    let signers = four();
    let (a, b) = (header(0, 5, 1), header(0, 5, 2));
    let mut watched = detector(&signers);
    watched.certificate(&signers.certify(&[0, 1, 2], &a));
    let found = watched.certificate(&signers.certify(&[1, 2, 3], &b));
    assert_eq!(evidence(&found).len(), 1, "kept at once");
    assert!(!evidence(&found)[0].is_whole());
    assert_eq!(watched.header(&a), [], "one header is not enough");
    let whole = watched.header(&b);
    assert_eq!(evidence(&whole).len(), 1);
    assert!(evidence(&whole)[0].is_whole());
    convicts(&watched, &whole, &[signers.operator(1), signers.operator(2)]);
}

#[test]
fn one_key_in_two_epochs_for_one_height_is_caught_under_two_seats() {
    let (old, new) = (Signers::new(0, &[1, 2, 3, 4]), Signers::new(1, &[2, 3, 4, 5, 6]));
    let mut watched = detector(&old);
    watched.committee(new.committee().clone(), Height(8));
    let (before, after) = (old.seat_of(3), new.seat_of(3));
    // Height 9 is the new epoch's: what the old one says of it is wrong by itself.
    let wrong = watched.attestation(old.attest(before, &header(0, 9, 1)));
    assert!(matches!(wrong[..], [Finding::Wrong { .. }]), "{wrong:?}");
    let found = watched.attestation(new.attest(after, &header(1, 9, 2)));
    convicts(&watched, &found, &[old.operator(before)]);
    let accused = evidence(&found)[0].accused(watched.committees());
    assert_eq!((accused[0].seat.0, accused[0].other_seat.0), (before, after));
}

#[test]
fn an_attestation_of_what_was_not_finalised_is_counted_however_alone_it_is() {
    let signers = four();
    let mut watched = detector(&signers);
    let lie = header(0, 5, 9);
    // Before the truth is known, and after.
    assert_eq!(watched.attestation(signers.attest(1, &lie)), []);
    let found = watched.finalised(&header(0, 5, 1));
    let (operator, header_hash) = (signers.operator(1), lie.hash());
    let wrong = Finding::Wrong {
        operator,
        seat: Seat(1),
        epoch: Epoch(0),
        height: Height(5),
        header_hash,
        why: None,
    };
    assert_eq!(found, [wrong]);
    let found = watched.attestation(signers.attest(2, &lie));
    assert!(matches!(found[..], [Finding::Wrong { seat: Seat(2), .. }]), "{found:?}");
    assert_eq!(watched.attestation(signers.attest(2, &lie)), [], "counted once");
}

#[test]
fn a_certified_header_that_is_not_the_finalised_one_is_wrong_for_each_signer() {
    let signers = four();
    let mut watched = detector(&signers);
    watched.finalised(&header(0, 5, 1));
    let found = watched.certificate(&signers.certify(&[0, 1, 2], &header(0, 5, 2)));
    assert_eq!(found.iter().filter(|finding| matches!(finding, Finding::Wrong { .. })).count(), 3);
}

#[test]
fn what_nobody_signed_accuses_nobody_and_blames_who_passed_it_on() {
    let signers = four();
    let mut watched = detector(&signers);
    let (truth, lie) = (header(0, 5, 1), header(0, 5, 2));
    watched.attestation(signers.attest(2, &truth));
    // Another's signature under this seat.
    let forged = Attestation { seat: Seat(2), ..signers.attest(1, &lie) };
    assert_eq!(watched.attestation(forged), [Finding::Forged]);
    // A signature on another header.
    let moved = Attestation { header_hash: lie.hash(), ..signers.attest(2, &truth) };
    assert_eq!(watched.attestation(moved), [Finding::Forged]);
    // Of another height.
    let moved = Attestation { header_hash: lie.hash(), ..signers.attest(2, &header(0, 6, 2)) };
    assert_eq!(watched.attestation(Attestation { height: Height(5), ..moved }), [Finding::Forged]);
    // A seat that there is not.
    assert_eq!(watched.attestation(Attestation { seat: Seat(9), ..forged }), [Finding::Forged]);
    // A certificate whose signers did not sign.
    let certificate = signers.certify(&[0, 1, 2], &truth);
    let certificate = Certificate { header_hash: lie.hash(), ..certificate };
    assert_eq!(watched.certificate(&certificate), [Finding::Forged]);
}

#[test]
fn a_forgery_that_came_first_does_not_keep_the_truth_out() {
    let signers = four();
    let mut watched = detector(&signers);
    let (truth, lie) = (header(0, 5, 1), header(0, 5, 2));
    let forged = Attestation { seat: Seat(2), ..signers.attest(1, &truth) };
    assert_eq!(watched.attestation(forged), [], "nothing depends on it yet");
    assert_eq!(watched.attestation(signers.attest(2, &truth)), []);
    convicts(&watched, &[], &[]);
    let found = watched.attestation(signers.attest(2, &lie));
    convicts(&watched, &found, &[signers.operator(2)]);

    // A forged lie, then the truth: no evidence, whoever checks.
    let mut watched = detector(&signers);
    let forged = Attestation { seat: Seat(2), ..signers.attest(1, &lie) };
    assert_eq!(watched.attestation(forged), []);
    assert_eq!(watched.attestation(signers.attest(2, &truth)), []);
    assert_eq!(watched.finalised(&truth), []);
}

#[test]
fn honest_operators_are_never_accused_whatever_is_replayed_to_the_watcher() {
    let signers = four();
    let mut watched = detector(&signers);
    for height in 1..40 {
        let header = header(0, height, 1);
        for seat in 0..4 {
            for _ in 0..2 {
                assert_eq!(watched.attestation(signers.attest(seat, &header)), []);
            }
        }
        assert_eq!(watched.certificate(&signers.certify(&[0, 1, 2], &header)), []);
        assert_eq!(watched.certificate(&signers.certify(&[0, 1, 2, 3], &header)), []);
        assert_eq!(watched.certificate(&signers.certify(&[1, 2, 3], &header)), []);
        assert_eq!(watched.finalised(&header), []);
    }
}

#[test]
fn attestations_of_an_epoch_that_is_not_known_yet_wait_for_its_committee() {
    let (old, new) = (Signers::new(0, &[1, 2, 3, 4]), Signers::new(1, &[2, 3, 4, 5]));
    let mut watched = detector(&old);
    assert_eq!(watched.attestation(new.attest(1, &header(1, 9, 1))), []);
    assert_eq!(watched.attestation(new.attest(1, &header(1, 9, 2))), []);
    let found = watched.committee(new.committee().clone(), Height(8));
    convicts(&watched, &found, &[new.operator(1)]);
}

#[test]
fn a_false_table_accuses_the_certificate_s_signers_and_later_ones() {
    let signers = four();
    let mut watched = detector(&signers);
    let closing = Header { next_table_hash: B256::repeat_byte(0xee), ..header(0, 7, 1) };
    let due = DueTable { index: 3, hash: B256::repeat_byte(0xdd) };
    watched.certificate(&signers.certify(&[0, 1, 2], &closing));
    watched.finalised(&closing);
    let found = watched.false_table(&closing, due);
    assert_eq!(evidence(&found).len(), 1);
    convicts(&watched, &found, &[signers.operator(0), signers.operator(1), signers.operator(2)]);
    let late = watched.attestation(signers.attest(3, &closing));
    convicts(&watched, &late, &[signers.operator(3)]);
    assert!(
        matches!(late[0], Finding::Wrong { seat: Seat(3), why: Some(Fault::Settlement), .. }),
        "{late:?}"
    );
    let found = watched.certificate(&signers.certify(&[0, 1, 2, 3], &closing));
    assert_eq!(found, [], "nobody new");
}

#[test]
fn two_claims_for_one_number_in_one_generation_are_evidence_once() {
    let signers = four();
    let mut watched = detector(&signers);
    assert_eq!(watched.claim(claim(0, 5, 1)), []);
    assert_eq!(watched.claim(claim(0, 6, 2)), []);
    assert_eq!(watched.claim(claim(1, 5, 3)), [], "another generation");
    assert_eq!(watched.claim(claim(0, 5, 1)), [], "the same");
    let found = watched.claim(claim(0, 5, 9));
    assert_eq!(evidence(&found).len(), 1);
    evidence(&found)[0].check_claims(sequencer().address(), domain()).expect("evidence that holds");
    assert_eq!(watched.claim(claim(0, 5, 8)), [], "a third adds nothing");
    assert_eq!(watched.claim(claim(0, 6, 8)), [], "nor another number: the bond goes once");
}

#[test]
fn claims_of_others_accuse_nobody() {
    let signers = four();
    let mut watched = detector(&signers);
    watched.claim(claim(0, 5, 1));
    let other = SequencerKey::from_secret(B256::repeat_byte(6)).unwrap();
    assert_eq!(watched.claim(claim(0, 5, 2).claim.sign(domain(), &other)), [Finding::Forged]);
    let mut stranger = claim(0, 5, 2);
    stranger.claim.chain_id = ChainId(7);
    assert_eq!(watched.claim(stranger), [], "no member");
    let mut before = claim(0, 5, 2).claim;
    before.registration = RegistrationId(B256::repeat_byte(1));
    assert_eq!(watched.claim(before.sign(domain(), &sequencer())), [], "another registration");
}

#[test]
fn the_sequencer_s_signature_on_a_head_is_at_hand_for_a_challenge() {
    let signers = four();
    let mut watched = detector(&signers);
    let block = |fork| BlockRef { number: 5, hash: B256::repeat_byte(fork) };
    watched.claim(claim(0, 5, 1));
    assert_eq!(watched.shown(ROLLUP, Generation(0), block(1)), Some(Shown::Claim(claim(0, 5, 1).signature)));
    assert_eq!(watched.shown(ROLLUP, Generation(0), block(2)), None);
    assert_eq!(watched.shown(ROLLUP, Generation(1), block(1)), None);
    let retraction = |generation| hum_types::Retraction {
        chain_id: ROLLUP,
        registration: REGISTRATION,
        generation: Generation(generation),
        kept: block(1),
    };
    let signed = retraction(1).sign(domain(), &sequencer());
    watched.retraction(signed);
    assert_eq!(watched.shown(ROLLUP, Generation(1), block(1)), Some(Shown::Retraction(signed.signature)));
    assert_eq!(watched.shown(ROLLUP, Generation(1), block(2)), None, "another block");
    let other = SequencerKey::from_secret(B256::repeat_byte(6)).unwrap();
    watched.retraction(retraction(2).sign(domain(), &other));
    assert_eq!(watched.shown(ROLLUP, Generation(2), block(1)), None, "another's signature");
}

#[test]
fn what_is_remembered_from_before_a_restart_is_not_found_again() {
    let signers = four();
    let mut before = detector(&signers);
    before.attestation(signers.attest(2, &header(0, 5, 1)));
    let found = before.attestation(signers.attest(2, &header(0, 5, 2)));
    let claims = [before.claim(claim(0, 5, 1)), before.claim(claim(0, 5, 2))].concat();
    let mut after = detector(&signers);
    for evidence in evidence(&found).into_iter().chain(evidence(&claims)) {
        after.remember(evidence);
    }
    after.attestation(signers.attest(2, &header(0, 5, 1)));
    assert_eq!(after.attestation(signers.attest(2, &header(0, 5, 2))), []);
    assert_eq!([after.claim(claim(0, 5, 1)), after.claim(claim(0, 5, 2))].concat(), []);
}

#[test]
fn an_operator_that_lies_for_ever_is_kept_a_few_times_only() {
    let signers = four();
    let mut watched = detector(&signers);
    let mut kept = 0;
    for height in 1..20 {
        watched.attestation(signers.attest(1, &header(0, height, 1)));
        kept += evidence(&watched.attestation(signers.attest(1, &header(0, height, 2)))).len();
    }
    assert_eq!(kept, OFFENCES_MAX);
}

#[test]
fn heights_far_from_what_is_certified_take_no_memory() {
    let signers = four();
    let mut watched = detector(&signers);
    let far = header(0, ABOVE + 1, 1);
    watched.attestation(signers.attest(0, &far));
    watched.header(&far);
    assert!(watched.heights.is_empty() && watched.singles == 0);
    watched.certificate(&signers.certify(&[0, 1, 2], &header(0, 3, 1)));
    watched.attestation(signers.attest(3, &header(0, 3, 1)));
    assert_eq!((watched.heights.len(), watched.singles), (1, 1));
    watched.certificate(&signers.certify(&[0, 1, 2], &header(0, BELOW + 4, 1)));
    assert_eq!(watched.heights.keys().copied().collect::<Vec<_>>(), [Height(BELOW + 4)]);
    assert_eq!(watched.singles, 0);
    watched.attestation(signers.attest(3, &header(0, 3, 2)));
    assert_eq!(watched.heights.len(), 1, "too old");
}

#[test]
fn one_field_corrupted_in_evidence_is_refused() {
    let signers = four();
    let committees = signers.committees();
    let (a, b) = (header(0, 5, 1), header(0, 5, 2));
    let statement = |seat: u16, header: &Header| Statement::single(signers.attest(seat, header));
    let pair = |one, other| FaultEvidence::DoubleAttestation { one, other }.check(&committees, domain());
    assert_eq!(pair(statement(1, &a), statement(1, &b)), Ok(()));
    let other_height = statement(1, &header(0, 6, 2));
    let heights = EvidenceError::Heights { one: Height(5), other: Height(6) };
    assert_eq!(pair(statement(1, &a), other_height), Err(heights));
    assert_eq!(pair(statement(1, &a), statement(1, &a)), Err(EvidenceError::SameHeader(a.hash())));
    assert_eq!(pair(statement(1, &a), statement(2, &b)), Err(EvidenceError::NobodyTwice(Height(5))));
    let forged = Statement::single(Attestation { seat: Seat(1), ..signers.attest(2, &b) });
    assert!(matches!(pair(statement(1, &a), forged), Err(EvidenceError::Statement(_))));
    let unknown = Statement::single(Attestation { epoch: Epoch(3), ..signers.attest(1, &b) });
    assert!(matches!(pair(statement(1, &a), unknown), Err(EvidenceError::Statement(_))));
    let quorum = |header| Statement::quorum(signers.certify(&[0, 1, 2], &b), Some(header));
    assert_eq!(pair(statement(1, &a), quorum(b)), Ok(()));
    assert!(matches!(pair(statement(1, &a), quorum(a)), Err(EvidenceError::Statement(_))));
    let late = Header { time_ms: TimeMs(99), ..b };
    assert!(matches!(pair(statement(1, &a), quorum(late)), Err(EvidenceError::Statement(_))));
    assert_eq!(pair(statement(3, &a), quorum(b)), Err(EvidenceError::NobodyTwice(Height(5))));

    let closing = Header { next_table_hash: B256::repeat_byte(0xee), ..a };
    let due = DueTable { index: 3, hash: B256::repeat_byte(0xdd) };
    let table = |header: Option<Header>, signed: &Header, expected| {
        let statement = Statement { header, ..statement(1, signed) };
        FaultEvidence::FalseTable { statement, expected }.check(&committees, domain())
    };
    assert_eq!(table(Some(closing), &closing, due), Ok(()));
    assert_eq!(table(None, &closing, due), Err(EvidenceError::HeaderMissing(Height(5))));
    let right = DueTable { hash: closing.next_table_hash, ..due };
    assert!(matches!(table(Some(closing), &closing, right), Err(EvidenceError::Table { .. })));
    assert!(matches!(table(Some(a), &a, due), Err(EvidenceError::Table { .. })), "announces nothing");
    assert!(matches!(table(Some(closing), &a, due), Err(EvidenceError::Statement(_))));

    let claims =
        |one, other| FaultEvidence::DoubleClaim { one, other }.check_claims(sequencer().address(), domain());
    assert_eq!(claims(claim(0, 5, 1), claim(0, 5, 2)), Ok(()));
    assert_eq!(claims(claim(0, 5, 1), claim(0, 5, 1)), Err(EvidenceError::Compatible));
    assert_eq!(claims(claim(0, 5, 1), claim(0, 6, 2)), Err(EvidenceError::Compatible));
    assert_eq!(claims(claim(0, 5, 1), claim(1, 5, 2)), Err(EvidenceError::Compatible));
    let mut moved = claim(0, 5, 2);
    moved.claim.block.hash = B256::repeat_byte(3);
    assert!(matches!(claims(claim(0, 5, 1), moved), Err(EvidenceError::Claim(_))));
}
