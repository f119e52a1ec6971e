use super::*;
use alloy_primitives::{U256, uint};
use ark_bn254::{Fq2, G2Affine};
use hum_types::DecodeError;

const P: U256 = uint!(21888242871839275222246405745257275088696311157297823662689037894645226208583_U256);
const R: U256 = uint!(21888242871839275222246405745257275088548364400416034343698204186575808495617_U256);

fn secret() -> SecretKey {
    SecretKey::from_seed(b"points")
}

/// The encoding with the coordinate at `index` replaced by itself plus the modulus.
fn unreduced(mut bytes: Vec<u8>, index: usize) -> Vec<u8> {
    let word = &mut bytes[32 * index..32 * index + 32];
    let sum = U256::from_be_slice(word) + P;
    word.copy_from_slice(&sum.to_be_bytes::<32>());
    bytes
}

fn refused<T: Decode + std::fmt::Debug>(bytes: &[u8]) -> &'static str {
    match T::decode(bytes).unwrap_err() {
        DecodeError::Malformed { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn points_come_back_from_their_bytes_and_text() {
    let key = secret().public_key();
    assert_eq!(G1::decode(&key.g1().encode()), Ok(key.g1()));
    assert_eq!(G2::decode(&key.g2().encode()), Ok(key.g2()));
    assert_eq!(PublicKey::decode(&key.encode()), Ok(key));
    let text = serde_json::to_string(&key).unwrap();
    assert!(text.starts_with("\"0x") && text.len() == 2 * 192 + 4);
    assert_eq!(serde_json::from_str::<PublicKey>(&text).unwrap(), key);
    assert!(serde_json::from_str::<PublicKey>(&text[..text.len() - 3]).is_err());
}

#[test]
fn g1_refuses_what_is_no_point() {
    let bytes = secret().public_key().g1().encode();
    for index in 0..2 {
        assert_eq!(
            refused::<G1>(&unreduced(bytes.clone(), index)),
            "has a coordinate that is not below the field modulus"
        );
        assert_eq!(refused::<G1>(&flip(bytes.clone(), 32 * index + 31)), "is not on the curve");
    }
    assert_eq!(refused::<G1>(&[0; 64]), "is the identity");
    assert!(matches!(G1::decode(&bytes[..63]), Err(DecodeError::Truncated { .. })));
    assert!(matches!(G1::decode(&[&bytes[..], &[0]].concat()), Err(DecodeError::Trailing { .. })));
}

#[test]
fn g2_refuses_what_is_no_point_of_its_group() {
    let bytes = secret().public_key().g2().encode();
    for index in 0..4 {
        assert_eq!(
            refused::<G2>(&unreduced(bytes.clone(), index)),
            "has a coordinate that is not below the field modulus"
        );
        assert_eq!(refused::<G2>(&flip(bytes.clone(), 32 * index + 31)), "is not on the curve");
    }
    assert_eq!(refused::<G2>(&[0; 128]), "is the identity");

    // A point of the curve outside the prime-order group: almost every x with a y gives one.
    let mut seed = 0_u64;
    let outside = loop {
        seed += 1;
        let x = Fq2::new(seed.into(), 1_u64.into());
        match G2Affine::get_point_from_x_unchecked(x, true) {
            Some(point) if !point.is_in_correct_subgroup_assuming_on_curve() => break point,
            _ => {}
        }
    };
    assert_eq!(refused::<G2>(&G2(outside).encode()), "is not in the prime-order group");
}

#[test]
fn halves_of_a_key_must_belong_together() {
    let (one, two) = (secret().public_key(), SecretKey::from_seed(b"other").public_key());
    assert!(matches!(PublicKey::new(one.g1(), two.g2()), Err(KeyError::HalvesDiffer { .. })));
    let bytes = [one.g1().encode(), two.g2().encode()].concat();
    assert_eq!(refused::<PublicKey>(&bytes), "has halves that do not belong together");
}

#[test]
fn secrets_are_canonical_and_stay_out_of_sight() {
    let word = |n: U256| B256::from(n.to_be_bytes::<32>());
    for wrong in [U256::ZERO, R, U256::MAX] {
        assert!(matches!(SecretKey::from_secret(word(wrong)), Err(KeyError::SecretOutOfRange)));
    }
    let secret = SecretKey::from_secret(word(R - U256::ONE)).unwrap();
    assert_eq!(secret.expose_secret(), word(R - U256::ONE));
    assert_eq!(format!("{secret:?}"), "SecretKey(..)");
    assert_eq!(SecretKey::from_seed(b"a").public_key(), SecretKey::from_seed(b"a").public_key());
    assert_ne!(SecretKey::from_seed(b"a").public_key(), SecretKey::from_seed(b"b").public_key());
}

#[test]
fn hints_prove_the_hashed_point() {
    for n in 0_u64..200 {
        let digest = keccak256(n.to_be_bytes());
        let hints = hints(digest);
        assert_eq!(hints.point, hash_to_g1(digest));
        let point = hints.point.encode();
        let word = |bytes: &[u8]| U256::from_be_slice(bytes);
        let x = word(digest.as_slice()).reduce_mod(P).add_mod(U256::from(hints.step), P);
        let root = word(hints.root.as_slice());
        assert_eq!(word(&point[..32]), x);
        assert_eq!(word(&point[32..]), root.mul_mod(root, P));
    }
}
