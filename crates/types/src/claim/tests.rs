use super::*;

const DOMAIN: Domain = Domain(B256::repeat_byte(1));

fn key() -> SequencerKey {
    SequencerKey::from_secret(B256::repeat_byte(5)).unwrap()
}

fn claim() -> HeadClaim {
    HeadClaim {
        chain_id: ChainId(7),
        registration: RegistrationId(B256::repeat_byte(2)),
        generation: Generation(3),
        block: BlockRef { number: 9, hash: B256::repeat_byte(4) },
    }
}

#[test]
fn a_signed_claim_survives_its_encoding_and_is_authentic() {
    let signed = claim().sign(DOMAIN, &key());
    let read = SignedClaim::decode(&signed.encode()).unwrap();
    assert_eq!(read, signed);
    assert_eq!(read.authenticate(DOMAIN, key().address()).unwrap().get(), &claim());
}

#[test]
fn each_changed_field_unsigns_the_claim() {
    let signed = claim().sign(DOMAIN, &key());
    let changes: [fn(&mut SignedClaim); 5] = [
        |s| s.claim.chain_id.0 += 1,
        |s| s.claim.registration.0.0[0] ^= 1,
        |s| s.claim.generation.0 += 1,
        |s| s.claim.block.number += 1,
        |s| s.claim.block.hash.0[0] ^= 1,
    ];
    for change in changes {
        let mut bad = signed;
        change(&mut bad);
        assert!(bad.authenticate(DOMAIN, key().address()).is_err());
    }
    assert!(signed.authenticate(Domain(B256::ZERO), key().address()).is_err(), "another deployment");
    assert!(signed.authenticate(DOMAIN, Address::ZERO).is_err(), "another sequencer");
}

#[test]
fn a_retraction_is_no_claim() {
    let c = claim();
    let r = Retraction {
        chain_id: c.chain_id,
        registration: c.registration,
        generation: c.generation,
        kept: c.block,
    };
    let signed = r.sign(DOMAIN, &key());
    signed.authenticate(DOMAIN, key().address()).unwrap();
    let as_claim = SignedClaim { claim: c, signature: signed.signature };
    assert!(as_claim.authenticate(DOMAIN, key().address()).is_err());
}

#[test]
fn only_canonical_signatures_decode() {
    let mut bytes = claim().sign(DOMAIN, &key()).encode();
    let v = bytes.len() - 1;
    bytes[v] = 2;
    assert!(matches!(SignedClaim::decode(&bytes), Err(DecodeError::Value { field: "signature v", .. })));
    let mut high_s = claim().sign(DOMAIN, &key()).encode();
    high_s[v - 32..v].fill(0xff);
    assert!(SignedClaim::decode(&high_s).is_err());
    let mut longer = claim().sign(DOMAIN, &key()).encode();
    longer.push(0);
    assert!(matches!(SignedClaim::decode(&longer), Err(DecodeError::Trailing { left: 1, .. })));
    assert!(matches!(SignedClaim::decode(&longer[..60]), Err(DecodeError::Truncated { .. })));
}
