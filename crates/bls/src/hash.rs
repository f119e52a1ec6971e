//! EigenLayer's `hashToG1`, and what a contract needs to follow it without exponentiation.

use crate::{G1, point::field_bytes};
use ark_bn254::{Fq, G1Affine};
use ark_ff::{Field, PrimeField};
use hum_types::B256;

/// The hashed point of a digest, with what proves it cheaply.
///
/// A contract checks `root² = y` and `y² = x³ + 3` at `x = digest + step mod p`. Because -1 is no square here, exactly
/// one of `y` and `-y` is a square, and it is the one that the exponent `(p + 1) / 4` gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hints {
    /// The point.
    pub point: G1,
    /// How many `x` were passed over.
    pub step: u16,
    /// The root of `y` that is itself a square.
    pub root: B256,
}

/// `x = digest mod p`; while `x³ + 3` is no square, `x += 1`; `y = (x³ + 3)^((p + 1) / 4)`.
#[must_use]
pub fn hash_to_g1(digest: B256) -> G1 {
    search(digest).0
}

/// [`hash_to_g1`] with the hints that prove it.
#[must_use]
pub fn hints(digest: B256) -> Hints {
    let (point, step) = search(digest);
    let root = power(point.0.y);
    Hints { point, step, root: B256::from_slice(&field_bytes(root)) }
}

fn search(digest: B256) -> (G1, u16) {
    let mut x = Fq::from_be_bytes_mod_order(digest.as_slice());
    let mut step = 0;
    // Half of all x are on the curve: a run of 2¹⁶ that are not cannot be found, let alone met.
    loop {
        let square = x * x * x + Fq::from(3_u64);
        let y = power(square);
        if y * y == square {
            // x³ + 3 = 0 has no point here: the group's order is odd, so no y is zero and no point is the identity.
            return (G1(G1Affine::new_unchecked(x, y)), step);
        }
        x += Fq::ONE;
        step += 1;
    }
}

/// `base ^ ((p + 1) / 4)`: a root of `base` when it has one, since `p = 3 mod 4`.
fn power(base: Fq) -> Fq {
    // (p + 1) / 4 = (p - 3) / 4 + 1, and p ends in the bits 11: shifting them out is (p - 3) / 4.
    let exponent = Fq::MODULUS >> 2;
    base.pow(exponent) * base
}
