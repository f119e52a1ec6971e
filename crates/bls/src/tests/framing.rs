//! Attempts to make signatures say what their makers did not.

use super::*;
use ark_ec::CurveGroup;
use hum_types::{Kind, SignedSubject};

fn subject(kind: Kind) -> SignedSubject {
    SignedSubject { domain: domain(), kind, epoch: EPOCH, height: HEIGHT, subject: header_hash() }
}

#[test]
fn signature_holds_for_its_own_statement_only() {
    let secret = SecretKey::from_seed(b"one");
    let key = secret.public_key();
    let signed = subject(Kind::Attestation);
    let signature = secret.sign(&signed);
    assert!(key.verifies(&signed, &signature));
    for other in [
        SignedSubject { domain: Domain(keccak256("other domain")), ..signed },
        subject(Kind::Verdict),
        subject(Kind::Possession),
        SignedSubject { epoch: Epoch(6), ..signed },
        SignedSubject { height: Height(10), ..signed },
        SignedSubject { subject: keccak256("other header"), ..signed },
    ] {
        assert!(!key.verifies(&other, &signature), "{other:?}");
    }
    assert!(!SecretKey::from_seed(b"two").public_key().verifies(&signed, &signature));
}

#[test]
fn possession_is_of_one_key_by_one_operator_in_one_deployment() {
    let secret = SecretKey::from_seed(b"one");
    let key = secret.public_key();
    let proof = secret.prove_possession(domain(), address(0));
    assert!(PossessedKey::check(domain(), key, address(0), &proof).is_ok());
    let refused = Err(PossessionError::Proof { key: key.g1(), operator: address(1) });
    assert_eq!(PossessedKey::check(domain(), key, address(1), &proof), refused);
    assert!(PossessedKey::check(Domain(B256::ZERO), key, address(0), &proof).is_err());
    let other = SecretKey::from_seed(b"two").public_key();
    assert!(PossessedKey::check(domain(), other, address(0), &proof).is_err());
}

#[test]
fn possession_needs_its_own_kind() {
    let secret = SecretKey::from_seed(b"one");
    let key = secret.public_key();
    for kind in [Kind::Attestation, Kind::Verdict] {
        let statement = SignedSubject {
            domain: domain(),
            kind,
            epoch: Epoch(0),
            height: Height(0),
            subject: possession_subject(key.g1(), address(0)),
        };
        let proof = secret.sign(&statement);
        assert!(PossessedKey::check(domain(), key, address(0), &proof).is_err(), "{kind:?}");
    }
}

#[test]
fn key_made_to_cancel_another_cannot_be_possessed() {
    // The rogue key is `mine - victim`, so that "both signed" is checked against `mine` alone.
    let (victim, mine) = (SecretKey::from_seed(b"victim"), SecretKey::from_seed(b"mine"));
    let (his, own) = (victim.public_key(), mine.public_key());
    let g1 = G1::new((own.g1().0 - his.g1().0).into_affine()).unwrap();
    let g2 = G2::new((own.g2().0 - his.g2().0).into_affine()).unwrap();
    let rogue = PublicKey::new(g1, g2).expect("the halves do belong together");

    let attestation = mine.attest(domain(), EPOCH, HEIGHT, header_hash(), Seat(0));
    let sum = PublicKey::new(
        G1::new((his.g1().0 + rogue.g1().0).into_affine()).unwrap(),
        G2::new((his.g2().0 + rogue.g2().0).into_affine()).unwrap(),
    );
    assert!(
        sum.unwrap().verifies(&subject(Kind::Attestation), &attestation.signature),
        "the attack works on plain sums"
    );

    for proof in [
        mine.prove_possession(domain(), address(0)),
        victim.prove_possession(domain(), address(0)),
        mine.sign(&SignedSubject {
            kind: Kind::Possession,
            epoch: Epoch(0),
            height: Height(0),
            subject: possession_subject(rogue.g1(), address(0)),
            domain: domain(),
        }),
    ] {
        assert!(PossessedKey::check(domain(), rogue, address(0), &proof).is_err());
    }
}

#[test]
fn attestation_refuses_each_corrupted_field() {
    let operators = Operators::new(&[1; 4]);
    let committee = &operators.committee;
    let good = operators.attestation(2);
    assert_eq!(good.verify(committee, domain()), Ok(()));
    assert_eq!(Attestation::decode(&good.encode()), Ok(good));
    assert_eq!(good.encode().len(), 115);

    let epoch = Attestation { epoch: Epoch(6), ..good };
    assert_eq!(
        epoch.verify(committee, domain()),
        Err(AttestationError::Epoch { declared: Epoch(6), expected: EPOCH })
    );
    let seat = Attestation { seat: Seat(4), ..good };
    assert_eq!(
        seat.verify(committee, domain()),
        Err(AttestationError::Seat { declared: Seat(4), operators: 4 })
    );
    for wrong in [
        Attestation { height: Height(8), ..good },
        Attestation { header_hash: B256::ZERO, ..good },
        Attestation { seat: Seat(1), ..good },
        Attestation { signature: rubbish(0), ..good },
    ] {
        assert!(
            matches!(wrong.verify(committee, domain()), Err(AttestationError::Signature { .. })),
            "{wrong:?}"
        );
    }
    assert!(good.verify(committee, Domain(B256::ZERO)).is_err());
    assert!(Attestation::decode(&flip(good.encode(), 0)).is_err());
    assert!(Attestation::decode(&flip(good.encode(), 60)).is_err());
}

/// The sum of signatures.
fn sum(signatures: impl IntoIterator<Item = Signature>) -> Signature {
    let points = signatures.into_iter().map(|signature| signature.0.0);
    let sum = points.reduce(|sum, point| (sum + point).into_affine()).unwrap();
    Signature(G1::new(sum).unwrap())
}

#[test]
fn nobody_stands_in_a_certificate_who_did_not_sign_it() {
    // Three of four lie about a header, and want the fourth to have signed it too.
    let operators = Operators::new(&[1; 4]);
    let table = operators.committee.table();
    let (honest, lie) = (operators.attestation(0), keccak256("a lie"));
    let lies: Vec<Attestation> = (1..4)
        .map(|seat| operators.secrets[usize::from(seat)].attest(domain(), EPOCH, HEIGHT, lie, Seat(seat)))
        .collect();
    let all = Certificate { header_hash: lie, ..operators.certificate([0, 1, 2, 3]) };
    // At another height, in another epoch, under another domain or of another kind it did sign something.
    let honestly =
        |height, epoch, domain| operators.secrets[0].attest(domain, epoch, height, lie, Seat(0)).signature;
    let elsewhere = [
        honest.signature,
        honestly(Height(10), EPOCH, domain()),
        honestly(HEIGHT, Epoch(6), domain()),
        honestly(HEIGHT, EPOCH, Domain(keccak256("another domain"))),
        operators.secrets[0].sign(&SignedSubject {
            kind: Kind::Verdict,
            epoch: EPOCH,
            height: HEIGHT,
            subject: lie,
            domain: domain(),
        }),
        operators.secrets[0].prove_possession(domain(), address(0)),
        lies[0].signature,
        rubbish(1),
    ];
    let lied = || lies.iter().map(|lie| lie.signature);
    let without = Certificate { signature: sum(lied()), ..all.clone() };
    assert!(matches!(without.verify(table, domain()), Err(CertificateError::Signature { .. })));
    for signature in elsewhere {
        let framed = Certificate { signature: sum(lied().chain([signature])), ..all.clone() };
        assert!(matches!(framed.verify(table, domain()), Err(CertificateError::Signature { .. })));
        let single = Attestation { header_hash: lie, signature, ..honest };
        assert!(matches!(
            single.verify(&operators.committee, domain()),
            Err(AttestationError::Signature { .. })
        ));
    }
    let signed = Certificate { signature: sum(lied().chain([honestly(HEIGHT, EPOCH, domain())])), ..all };
    assert!(
        signed.verify(table, domain()).is_ok(),
        "the attempt is well made: only its signature is missing"
    );
}

#[test]
fn liars_who_share_their_errors_convict_only_themselves() {
    // Two signatures that are wrong each, by errors that cancel: the sum holds, and is of their own keys alone.
    let operators = Operators::new(&[1; 4]);
    let shift = operators.secrets[1].attest(domain(), EPOCH, Height(99), header_hash(), Seat(1)).signature;
    let bend = |seat: u16, shifted: ark_bn254::G1Affine| {
        let good = operators.attestation(seat);
        Attestation { signature: sum([good.signature, Signature(G1::new(shifted).unwrap())]), ..good }
    };
    let (one, other) = (bend(2, shift.0.0), bend(3, -shift.0.0));
    for wrong in [&one, &other] {
        assert!(wrong.verify(&operators.committee, domain()).is_err());
    }
    let mut aggregator = operators.aggregator();
    for attestation in [operators.attestation(0), operators.attestation(1), one, other] {
        aggregator.add(&attestation).unwrap();
    }
    // Whatever is made of it names only who did sign this header, and holds.
    if let Some(certificate) = aggregator.aggregate().certificate {
        assert_eq!(certificate.header_hash, header_hash());
        assert!(certificate.verify(operators.committee.table(), domain()).is_ok());
    }
}
