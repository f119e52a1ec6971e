//! Sign, aggregate and check BN254 signatures as EigenLayer defines them; committees and certificates.
//!
//! It does not gossip, store or choose a committee, and knows nothing of what a header commits to. Signing is not
//! constant-time (the curve library is not): keep the key in a process that strangers cannot time closely.
//!
//! ```text
//! SecretKey ─prove_possession▶ proof ─┐
//! PublicKey, operator address ────────┴▶ PossessedKey ─┐
//!                                        Stake ────────┴▶ Committee ─▶ CommitteeTable (bytes, hash)
//!                                                             │               │
//! SecretKey ─attest▶ Attestation ─────────────────────▶ Aggregator ─▶ Certificate ─verify▶ VerifiedCertificate
//!                                                                                              │
//!                                                                        bytes for LightClient.submit
//! SecretKey ─judge▶ SignedJudgement ─▶ Tally ─▶ Bundle, which Judges of a rollup check
//! ```
//!
//! Invariants: a [`G1`] or [`G2`] is on its curve, in the group of prime order and not the identity; a [`PublicKey`] has
//! the same secret behind both halves; a [`Committee`] holds only keys whose possession was proven, so no key in it can
//! have been made to cancel others; a [`VerifiedCertificate`] has been checked against a committee. Equal values have
//! equal bytes. The layouts are drawn in `docs/protocol.md`.

mod aggregator;
mod attestation;
mod certificate;
mod committee;
mod hash;
mod judgement;
mod key;
mod point;
mod possession;
mod signers;
mod submission;

pub use aggregator::{Aggregation, Aggregator, AttestationRefused};
pub use attestation::{Attestation, AttestationError};
pub use certificate::{Certificate, CertificateError, VerifiedCertificate};
pub use committee::{
    Committee, CommitteeError, CommitteeTable, OPERATORS_MAX, OperatorId, Seat, TableEntry, TableError,
};
pub use hash::{Hints, hash_to_g1, hints};
pub use judgement::{Bundle, BundleError, Judges, SignedJudgement, Tally};
pub use key::{KeyError, PublicKey, SecretKey, Signature};
pub use point::{G1, G2};
pub use possession::{PossessedKey, PossessionError, possession_subject};
pub use signers::Signers;
pub use submission::SubmissionError;

/// The scheme byte of everything here: BLS on BN254, signatures in G1.
pub const SCHEME_BN254: u8 = 1;

#[cfg(test)]
mod tests;
