use super::*;
use ark_ec::CurveGroup;
use hum_types::{DecodeError, Header, L1Origin, TimeMs};

#[test]
fn certificate_comes_back_from_its_bytes_and_text() {
    let operators = Operators::new(&[1; 4]);
    for signers in [vec![0, 1, 2, 3], vec![0, 2, 3]] {
        let certificate = operators.certificate(signers.clone());
        let bytes = certificate.encode();
        assert_eq!(bytes.len(), 1 + 8 + 8 + 32 + 2 + 1 + 64 + 128);
        assert_eq!(Certificate::decode(&bytes), Ok(certificate.clone()));
        let text = serde_json::to_string(&certificate).unwrap();
        assert_eq!(serde_json::from_str::<Certificate>(&text).unwrap(), certificate);
        let verified = certificate.clone().verify(operators.committee.table(), domain()).unwrap();
        assert_eq!(verified.signed_stake(), Stake(signers.len() as u128));
        assert_eq!(verified.total_stake(), Stake(4));
        assert_eq!(verified.certificate(), &certificate);
    }
}

#[test]
fn table_from_bytes_judges_like_the_committee() {
    let operators = Operators::new(&[1; 4]);
    let table = operators.committee.table();
    let read = CommitteeTable::from_bytes(EPOCH, &table.encode(), table.hash()).unwrap();
    let certificate = operators.certificate([0, 1, 3]);
    assert_eq!(certificate.clone().verify(&read, domain()), certificate.verify(table, domain()));
}

#[test]
fn decoding_refuses_each_malformed_field() {
    let operators = Operators::new(&[1; 5]);
    let bytes = operators.certificate([0, 1, 2, 4]).encode();
    let decode = |bytes: &[u8]| Certificate::decode(bytes).unwrap_err();
    assert_eq!(decode(&flip(bytes.clone(), 0)), DecodeError::Value { field: "scheme", value: 0 });

    let put = |at: usize, part: &[u8]| {
        let mut copy = bytes.clone();
        copy[at..at + part.len()].copy_from_slice(part);
        copy
    };
    assert_eq!(decode(&put(49, &[0, 0])), DecodeError::Value { field: "operators", value: 0 });
    assert_eq!(
        decode(&put(49, &[1, 1])),
        DecodeError::TooLong { field: "operators", declared: 257, bound: 256 }
    );
    // Five operators: bit 5 is past the end.
    assert_eq!(
        decode(&put(51, &[0b10_0111])),
        DecodeError::Malformed { field: "signer bitmap", reason: "has bits past the last operator" }
    );
    assert_eq!(
        decode(&put(52, &[0; 64])),
        DecodeError::Malformed { field: "signature", reason: "is the identity" }
    );
    assert_eq!(
        decode(&flip(bytes.clone(), 115)),
        DecodeError::Malformed { field: "signature", reason: "is not on the curve" }
    );
    assert_eq!(
        decode(&put(116, &[0; 128])),
        DecodeError::Malformed { field: "signers' G2 key sum", reason: "is the identity" }
    );
    assert_eq!(
        decode(&flip(bytes.clone(), 243)),
        DecodeError::Malformed { field: "signers' G2 key sum", reason: "is not on the curve" }
    );
    assert!(matches!(decode(&bytes[..243]), DecodeError::Truncated { .. }));
    assert_eq!(decode(&[&bytes[..], &[0]].concat()), DecodeError::Trailing { what: "certificate", left: 1 });
}

#[test]
fn verification_refuses_each_corrupted_field() {
    let operators = Operators::new(&[1; 4]);
    let table = operators.committee.table();
    for signers in [vec![0, 1, 2, 3], vec![0, 2, 3]] {
        let good = operators.certificate(signers.clone());
        let refused = |certificate: Certificate| certificate.verify(table, domain()).unwrap_err();
        let other = SecretKey::from_seed(b"other").public_key();

        assert_eq!(
            refused(Certificate { epoch: Epoch(6), ..good.clone() }),
            CertificateError::Epoch { declared: Epoch(6), expected: EPOCH }
        );
        for wrong in [
            Certificate { height: Height(8), ..good.clone() },
            Certificate { header_hash: B256::ZERO, ..good.clone() },
            Certificate { signature: rubbish(0), ..good.clone() },
        ] {
            assert!(matches!(refused(wrong), CertificateError::Signature { .. }));
        }
        assert!(matches!(
            refused(Certificate { key_sum: other.g2(), ..good.clone() }),
            CertificateError::KeySum { .. }
        ));
        assert!(matches!(
            good.clone().verify(table, Domain(keccak256("other domain"))),
            Err(CertificateError::Signature { .. })
        ));

        let mut larger = Signers::none(5);
        signers.iter().for_each(|seat| assert!(larger.insert(Seat(*seat))));
        assert_eq!(
            refused(Certificate { signers: larger, ..good.clone() }),
            CertificateError::Operators { declared: 5, expected: 4 }
        );
        let mut fewer = Signers::none(4);
        assert!(fewer.insert(Seat(0)) && fewer.insert(Seat(2)));
        assert_eq!(
            refused(Certificate { signers: fewer, ..good.clone() }),
            CertificateError::Quorum { signed: Stake(2), total: Stake(4) }
        );
        let mut others = Signers::none(4);
        assert!(others.insert(Seat(0)) && others.insert(Seat(1)) && others.insert(Seat(2)));
        assert!(matches!(
            refused(Certificate { signers: others, ..good.clone() }),
            CertificateError::KeySum { .. }
        ));
    }
}

#[test]
fn key_sum_cannot_be_bent_together_with_the_signature() {
    // Adding one's own key to the sum and one's own signature to the signature keeps the plain equation true.
    let operators = Operators::new(&[1; 4]);
    let good = operators.certificate([0, 1, 2]);
    let own = SecretKey::from_seed(b"outsider");
    let signature = own.attest(domain(), EPOCH, HEIGHT, header_hash(), Seat(0)).signature;
    let bent = Certificate {
        signature: Signature(G1::new((good.signature.0.0 + signature.0.0).into_affine()).unwrap()),
        key_sum: G2::new((good.key_sum.0 + own.public_key().g2().0).into_affine()).unwrap(),
        ..good
    };
    assert!(matches!(
        bent.verify(operators.committee.table(), domain()),
        Err(CertificateError::KeySum { .. })
    ));
}

#[test]
fn quorum_counts_stake_not_heads() {
    let operators = Operators::new(&[10, 20, 30, 40]);
    let table = operators.committee.table();
    assert!(operators.certificate([2, 3]).verify(table, domain()).is_ok());
    let mut aggregator = operators.aggregator();
    for seat in 0..3 {
        assert_eq!(aggregator.add(&operators.attestation(seat)), Ok(false));
    }
    assert_eq!(aggregator.aggregate(), Aggregation::default());
    assert_eq!(aggregator.signed_stake(), Stake(60));
}

fn header() -> Header {
    Header {
        domain: domain(),
        epoch: EPOCH,
        height: HEIGHT,
        time_ms: TimeMs(1_000),
        l1_origin: L1Origin { number: 77, hash: keccak256("origin") },
        parent: keccak256("parent"),
        rollups_root: keccak256("rollups"),
        body_hash: keccak256("body"),
        next_table_hash: B256::ZERO,
    }
}

fn certify(operators: &Operators, header: &Header, domain: Domain, signers: &[u16]) -> VerifiedCertificate {
    let mut aggregator = Aggregator::new(operators.committee.clone(), domain, header.height, header.hash());
    for seat in signers {
        let secret = &operators.secrets[usize::from(*seat)];
        aggregator.add(&secret.attest(domain, EPOCH, header.height, header.hash(), Seat(*seat))).unwrap();
    }
    aggregator.aggregate().certificate.unwrap().verify(operators.committee.table(), domain).unwrap()
}

#[test]
fn submission_has_the_light_client_layout() {
    let operators = Operators::new(&[1; 4]);
    let all = certify(&operators, &header(), domain(), &[0, 1, 2, 3]);
    let bytes = all.submission(&header()).unwrap();
    let hints = hints(all.certificate().digest(domain()));
    assert_eq!(bytes.len(), 291);
    assert_eq!(bytes[0], 1);
    assert_eq!(bytes[1..193], header().encode()[32..]);
    assert_eq!(bytes[193..257], all.certificate().signature.encode());
    assert_eq!(bytes[257..289], hints.root.0);
    assert_eq!(u16::from(bytes[289]), hints.step);
    assert_eq!(bytes[290], 0);

    let some = certify(&operators, &header(), domain(), &[0, 2, 3]);
    let bytes = some.submission(&header()).unwrap();
    assert_eq!(bytes[290..292], [1, 1]);
    assert_eq!(bytes[292..], some.certificate().key_sum.encode());
}

#[test]
fn submission_refuses_another_header_or_domain() {
    let operators = Operators::new(&[1; 4]);
    let verified = certify(&operators, &header(), domain(), &[0, 1, 2]);
    let other = Header { rollups_root: B256::ZERO, ..header() };
    assert_eq!(
        verified.submission(&other),
        Err(SubmissionError::Header { declared: header().hash(), computed: other.hash() })
    );
    let elsewhere = Domain(keccak256("other domain"));
    let verified = certify(&operators, &header(), elsewhere, &[0, 1, 2]);
    assert_eq!(
        verified.submission(&header()),
        Err(SubmissionError::Domain { declared: domain(), expected: elsewhere })
    );
}
