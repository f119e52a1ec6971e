use super::*;
use proptest::prelude::*;
use std::{collections::BTreeSet, sync::LazyLock};

static SEVEN: LazyLock<Operators> = LazyLock::new(|| Operators::new(&[5, 1, 9, 2, 7, 3, 4]));

fn seats() -> impl Strategy<Value = BTreeSet<u16>> {
    proptest::collection::btree_set(0..7_u16, 0..=7)
}

fn stake(seats: &BTreeSet<u16>) -> Stake {
    Stake(
        seats.iter().filter_map(|seat| SEVEN.committee.table().stake(Seat(*seat))).map(|stake| stake.0).sum(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any signers give a valid certificate when they have the stake for it, and none otherwise.
    #[test]
    fn any_subset_certifies_by_its_stake(signers in seats()) {
        let mut aggregator = SEVEN.aggregator();
        for seat in &signers {
            aggregator.add(&SEVEN.attestation(*seat)).unwrap();
        }
        let Aggregation { certificate, bad } = aggregator.aggregate();
        prop_assert!(bad.is_empty());
        prop_assert_eq!(aggregator.signed_stake(), stake(&signers));
        prop_assert_eq!(certificate.is_some(), SEVEN.committee.table().is_quorum(stake(&signers)));
        if let Some(certificate) = certificate {
            let present: BTreeSet<_> = certificate.signers.present().map(|seat| seat.0).collect();
            prop_assert_eq!(present, signers);
            prop_assert!(certificate.verify(SEVEN.committee.table(), domain()).is_ok());
        }
    }

    /// Exactly the bad ones are named; the good ones still make the certificate when they suffice.
    #[test]
    fn halving_finds_exactly_the_bad_ones(signers in seats(), wrong in seats()) {
        let mut aggregator = SEVEN.aggregator();
        for seat in &signers {
            let mut attestation = SEVEN.attestation(*seat);
            if wrong.contains(seat) {
                attestation.signature = rubbish(*seat);
            }
            aggregator.add(&attestation).unwrap();
        }
        let Aggregation { certificate, bad } = aggregator.aggregate();
        let named: BTreeSet<_> = bad.iter().map(|attestation| attestation.seat.0).collect();
        let good: BTreeSet<_> = signers.difference(&wrong).copied().collect();
        prop_assert_eq!(named, signers.intersection(&wrong).copied().collect::<BTreeSet<_>>());
        prop_assert_eq!(aggregator.signed_stake(), stake(&good));
        prop_assert_eq!(certificate.is_some(), SEVEN.committee.table().is_quorum(stake(&good)));
        if let Some(certificate) = certificate {
            prop_assert!(certificate.verify(SEVEN.committee.table(), domain()).is_ok());
        }
    }
}

#[test]
fn due_once_the_quorum_is_in_reach_and_grows_after_that() {
    let operators = Operators::new(&[1; 4]);
    let mut aggregator = operators.aggregator();
    assert_eq!(aggregator.add(&operators.attestation(3)), Ok(false));
    assert_eq!(aggregator.add(&operators.attestation(1)), Ok(false));
    assert_eq!(aggregator.aggregate(), Aggregation::default(), "too little stake");
    assert_eq!(aggregator.add(&operators.attestation(0)), Ok(true));
    let first = aggregator.aggregate().certificate.unwrap();
    assert_eq!(first.signers.count(), 3);
    assert_eq!(aggregator.aggregate(), Aggregation::default(), "nothing new");

    assert_eq!(aggregator.add(&operators.attestation(2)), Ok(false));
    assert_eq!(aggregator.pending(), 1);
    let second = aggregator.aggregate().certificate.unwrap();
    assert_eq!(second.signers.count(), 4);
    for certificate in [first, second] {
        assert!(certificate.verify(operators.committee.table(), domain()).is_ok());
    }
}

#[test]
fn bad_ones_only_delay_the_certificate() {
    let operators = Operators::new(&[1; 4]);
    let mut aggregator = operators.aggregator();
    let bad = Attestation { signature: rubbish(0), ..operators.attestation(0) };
    aggregator.add(&operators.attestation(1)).unwrap();
    aggregator.add(&operators.attestation(2)).unwrap();
    assert_eq!(aggregator.add(&bad), Ok(true));
    assert_eq!(aggregator.aggregate(), Aggregation { certificate: None, bad: vec![bad] });
    assert_eq!(aggregator.add(&operators.attestation(0)), Ok(true), "the operator itself is not kept out");
    assert!(aggregator.aggregate().certificate.is_some());
}

#[test]
fn rubbish_sent_first_does_not_keep_an_operator_out() {
    let operators = Operators::new(&[1; 4]);
    let mut aggregator = operators.aggregator();
    let bad = |n| Attestation { signature: rubbish(n), ..operators.attestation(0) };
    aggregator.add(&bad(0)).unwrap();
    assert_eq!(
        aggregator.add(&bad(1)),
        Err(AttestationRefused::Signature { seat: Seat(0), signature: rubbish(1) })
    );
    assert_eq!(aggregator.add(&operators.attestation(0)), Ok(false));
    aggregator.add(&operators.attestation(1)).unwrap();
    assert_eq!(aggregator.add(&operators.attestation(2)), Ok(true));
    let Aggregation { certificate, bad } = aggregator.aggregate();
    assert!(certificate.is_some() && bad.is_empty());
}

#[test]
fn collecting_refuses_each_corrupted_field() {
    let operators = Operators::new(&[1; 4]);
    let mut aggregator = operators.aggregator();
    let good = operators.attestation(0);
    assert_eq!(
        aggregator.add(&Attestation { epoch: Epoch(6), ..good }),
        Err(AttestationRefused::Epoch { declared: Epoch(6), expected: EPOCH })
    );
    assert_eq!(
        aggregator.add(&Attestation { height: Height(8), ..good }),
        Err(AttestationRefused::Height { declared: Height(8), expected: HEIGHT })
    );
    assert_eq!(
        aggregator.add(&Attestation { header_hash: B256::ZERO, ..good }),
        Err(AttestationRefused::Header { declared: B256::ZERO, expected: header_hash() })
    );
    assert_eq!(
        aggregator.add(&Attestation { seat: Seat(4), ..good }),
        Err(AttestationRefused::Seat { declared: Seat(4), operators: 4 })
    );
    assert_eq!(aggregator.pending(), 0);

    aggregator.add(&good).unwrap();
    assert_eq!(aggregator.add(&good), Err(AttestationRefused::Duplicate(Seat(0))), "while pending");
    aggregator.aggregate();
    assert_eq!(aggregator.add(&good), Err(AttestationRefused::Duplicate(Seat(0))), "after the check");
}
