//! Points of BN254 in the byte order of the EVM's precompiles, never the identity.

use ark_bn254::{Bn254, Fq, Fq2, G1Affine, G2Affine};
use ark_ec::{
    AffineRepr,
    pairing::{Pairing, PairingOutput},
};
use ark_ff::{AdditiveGroup, BigInt, BigInteger, PrimeField};
use hum_types::{Decode, DecodeError, Encode, Reader};
use std::sync::LazyLock;

type G2Prepared = <Bn254 as Pairing>::G2Prepared;

/// The generator of G2, ready for pairing: it takes part in every check.
static GENERATOR_G2: LazyLock<G2Prepared> = LazyLock::new(|| G2Affine::generator().into());

/// A point of G1 other than the identity: `x 32 ‖ y 32`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct G1(pub(crate) G1Affine);

/// A point of G2 other than the identity: `x.c1 32 ‖ x.c0 32 ‖ y.c1 32 ‖ y.c0 32`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct G2(pub(crate) G2Affine);

impl G1 {
    /// Bytes of the encoding.
    pub const BYTES: usize = 64;

    /// The point, unless it is the identity.
    pub(crate) fn new(point: impl Into<G1Affine>) -> Option<Self> {
        Some(point.into()).filter(|point| !point.infinity).map(Self)
    }

    /// Read a point that errors call `field`.
    pub(crate) fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        let x = coordinate(reader, field)?;
        let y = coordinate(reader, field)?;
        let point = G1Affine::new_unchecked(x, y);
        // The precompiles write the identity as zeros.
        refuse(x == Fq::ZERO && y == Fq::ZERO, field, "is the identity")?;
        refuse(!point.is_on_curve(), field, "is not on the curve")?;
        Ok(Self(point))
    }
}

impl G2 {
    /// Bytes of the encoding.
    pub const BYTES: usize = 128;

    /// The point, unless it is the identity.
    pub(crate) fn new(point: impl Into<G2Affine>) -> Option<Self> {
        Some(point.into()).filter(|point| !point.infinity).map(Self)
    }

    /// Read a point that errors call `field`.
    pub(crate) fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        let x1 = coordinate(reader, field)?;
        let x0 = coordinate(reader, field)?;
        let y1 = coordinate(reader, field)?;
        let y0 = coordinate(reader, field)?;
        let (x, y) = (Fq2::new(x0, x1), Fq2::new(y0, y1));
        let point = G2Affine::new_unchecked(x, y);
        refuse(x == Fq2::ZERO && y == Fq2::ZERO, field, "is the identity")?;
        refuse(!point.is_on_curve(), field, "is not on the curve")?;
        refuse(!point.is_in_correct_subgroup_assuming_on_curve(), field, "is not in the prime-order group")?;
        Ok(Self(point))
    }
}

/// Whether `e(left, G2 generator) = e(right, key)`.
pub(crate) fn pairs_equal(left: G1Affine, right: G1Affine, key: G2Affine) -> bool {
    Bn254::multi_pairing([-left, right], [GENERATOR_G2.clone(), key.into()]) == PairingOutput::ZERO
}

fn refuse(wrong: bool, field: &'static str, reason: &'static str) -> Result<(), DecodeError> {
    if wrong { Err(DecodeError::Malformed { field, reason }) } else { Ok(()) }
}

fn coordinate(reader: &mut Reader<'_>, field: &'static str) -> Result<Fq, DecodeError> {
    field_element(&reader.array(field)?).ok_or(DecodeError::Malformed {
        field,
        reason: "has a coordinate that is not below the field modulus",
    })
}

/// The field element with these big-endian bytes; `None` when they are not below the modulus.
pub(crate) fn field_element<F: PrimeField<BigInt = BigInt<4>>>(bytes: &[u8; 32]) -> Option<F> {
    let mut limbs = [0_u64; 4];
    for (limb, chunk) in limbs.iter_mut().rev().zip(bytes.as_chunks().0) {
        *limb = u64::from_be_bytes(*chunk);
    }
    F::from_bigint(BigInt::new(limbs))
}

/// The 32 big-endian bytes of a field element.
pub(crate) fn field_bytes(element: impl PrimeField) -> Vec<u8> {
    element.into_bigint().to_bytes_be()
}

impl Encode for G1 {
    fn encode_to(&self, out: &mut Vec<u8>) {
        for element in [self.0.x, self.0.y] {
            out.extend_from_slice(&field_bytes(element));
        }
    }
}

impl Decode for G1 {
    const WHAT: &'static str = "G1 point";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::read(reader, Self::WHAT)
    }
}

impl Encode for G2 {
    fn encode_to(&self, out: &mut Vec<u8>) {
        for element in [self.0.x.c1, self.0.x.c0, self.0.y.c1, self.0.y.c0] {
            out.extend_from_slice(&field_bytes(element));
        }
    }
}

impl Decode for G2 {
    const WHAT: &'static str = "G2 point";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::read(reader, Self::WHAT)
    }
}

/// Text form of a value: the hex of its bytes, for people and for JSON.
macro_rules! hex_text {
    ($($name:ty),+) => {$(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&alloy_primitives::hex::encode_prefixed(hum_types::Encode::encode(self)))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let bytes = <alloy_primitives::Bytes as serde::Deserialize>::deserialize(deserializer)?;
                hum_types::Decode::decode(&bytes).map_err(serde::de::Error::custom)
            }
        }
    )+};
}
pub(crate) use hex_text;

hex_text!(G1, G2);

impl std::fmt::Debug for G1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "G1({self})")
    }
}

impl std::fmt::Debug for G2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "G2({self})")
    }
}
