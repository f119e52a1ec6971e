//! Keys and signatures.

use crate::{
    G1, G2, hash_to_g1,
    point::{field_bytes, field_element, hex_text, pairs_equal},
};
use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, Field, PrimeField};
use hum_types::{B256, Decode, DecodeError, Encode, Reader, SignedSubject, keccak256};

/// Why two points or a secret are no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The halves of a public key have different secrets behind them.
    #[error("G1 key {g1} and G2 key {g2} do not belong together")]
    HalvesDiffer {
        /// The half in G1.
        g1: Box<G1>,
        /// The half in G2.
        g2: Box<G2>,
    },
    /// A secret is zero or not below the group order.
    #[error("the secret is zero or not below the group order")]
    SecretOutOfRange,
}

/// An operator's secret key.
#[derive(Clone)]
pub struct SecretKey(Fr);

impl SecretKey {
    /// The key with this secret.
    pub fn from_secret(secret: B256) -> Result<Self, KeyError> {
        field_element(&secret.0)
            .filter(|scalar| *scalar != Fr::ZERO)
            .map(Self)
            .ok_or(KeyError::SecretOutOfRange)
    }

    /// A key that anyone who knows the seed can derive: for tests and throw-away networks.
    #[must_use]
    pub fn from_seed(seed: &[u8]) -> Self {
        let mut hash = keccak256([b"hum/bls-seed/1", seed].concat());
        loop {
            let scalar = Fr::from_be_bytes_mod_order(hash.as_slice());
            if scalar != Fr::ZERO {
                return Self(scalar);
            }
            hash = keccak256(hash);
        }
    }

    /// The secret itself, for the operator's key file.
    #[must_use]
    pub fn expose_secret(&self) -> B256 {
        B256::from_slice(&field_bytes(self.0))
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        // A non-zero multiple of a generator of a prime-order group is never the identity.
        PublicKey {
            g1: G1((G1Affine::generator() * self.0).into()),
            g2: G2((G2Affine::generator() * self.0).into()),
        }
    }

    /// Sign a statement.
    #[must_use]
    pub fn sign(&self, subject: &SignedSubject) -> Signature {
        Signature(G1((hash_to_g1(subject.digest()).0 * self.0).into()))
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        fn wipe<F: Field>(field: &mut F) {
            field.zeroize();
        }
        wipe(&mut self.0);
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// A public key: the same secret over the generators of both groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey {
    g1: G1,
    g2: G2,
}

impl PublicKey {
    /// The key with these halves.
    pub fn new(g1: G1, g2: G2) -> Result<Self, KeyError> {
        if pairs_equal(g1.0, G1Affine::generator(), g2.0) {
            Ok(Self { g1, g2 })
        } else {
            Err(KeyError::HalvesDiffer { g1: Box::new(g1), g2: Box::new(g2) })
        }
    }

    /// The half in G1, which names the operator.
    #[must_use]
    pub const fn g1(&self) -> G1 {
        self.g1
    }

    /// The half in G2, which checks signatures.
    #[must_use]
    pub const fn g2(&self) -> G2 {
        self.g2
    }

    /// Whether `signature` is this key's on `subject`.
    #[must_use]
    pub fn verifies(&self, subject: &SignedSubject, signature: &Signature) -> bool {
        pairs_equal(signature.0.0, hash_to_g1(subject.digest()).0, self.g2.0)
    }
}

impl Encode for PublicKey {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.g1.encode_to(out);
        self.g2.encode_to(out);
    }
}

impl Decode for PublicKey {
    const WHAT: &'static str = "public key";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let g1 = G1::read(reader, "G1 key")?;
        let g2 = G2::read(reader, "G2 key")?;
        Self::new(g1, g2).map_err(|_| DecodeError::Malformed {
            field: Self::WHAT,
            reason: "has halves that do not belong together",
        })
    }
}

/// A signature: a point of G1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature(pub(crate) G1);

impl Signature {
    /// The point.
    #[must_use]
    pub const fn point(&self) -> G1 {
        self.0
    }
}

impl Encode for Signature {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.0.encode_to(out);
    }
}

impl Decode for Signature {
    const WHAT: &'static str = "signature";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        G1::read(reader, Self::WHAT).map(Self)
    }
}

hex_text!(PublicKey, Signature);
