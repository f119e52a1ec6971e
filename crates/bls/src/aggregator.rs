//! Collect the attestations of one height and make the certificate.
//!
//! ```text
//! add ─▶ pending ─(stake of pending + checked reaches the quorum)─▶ aggregate: one check of all pending
//!                      holds: all are checked          fails: halve, down to the bad ones, which are dropped and named
//! ```
//!
//! Signatures are added up unseen and checked as one sum. Two bad ones that cancel out may pass together; the sum is then
//! still that of the true signatures, so the certificate names only seats that signed.

use crate::{
    Attestation, Certificate, Committee, G1, G2, Signature, Signers, attestation::statement, committee::Seat,
    hash_to_g1, point::pairs_equal,
};
use ark_bn254::{G1Projective, G2Projective};
use ark_ec::CurveGroup;
use ark_ff::Zero;
use hum_types::{B256, Domain, Epoch, Height, Stake};
use std::{collections::BTreeMap, sync::Arc};

/// Why an attestation is not collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttestationRefused {
    /// It is of another epoch.
    #[error("attestation is for epoch {declared}, collecting for {expected}")]
    Epoch {
        /// Epoch that it names.
        declared: Epoch,
        /// Epoch collected for.
        expected: Epoch,
    },
    /// It is of another height.
    #[error("attestation is for height {declared}, collecting for {expected}")]
    Height {
        /// Height that it names.
        declared: Height,
        /// Height collected for.
        expected: Height,
    },
    /// It is about another header at this height: a fault of its signer, if the signature is real.
    #[error("attestation is about header {declared}, the finalised one is {expected}")]
    Header {
        /// Header that it names.
        declared: B256,
        /// Header collected for.
        expected: B256,
    },
    /// The committee has no such seat.
    #[error("seat {declared} is not in a committee of {operators}")]
    Seat {
        /// Seat that it names.
        declared: Seat,
        /// Operators in the committee.
        operators: u16,
    },
    /// This seat's signature is here already.
    #[error("seat {0} has attested already")]
    Duplicate(Seat),
    /// It contradicts what is here from this seat, and its signature does not hold.
    #[error("signature {signature} of seat {seat} does not hold")]
    Signature {
        /// Seat that it names.
        seat: Seat,
        /// Its signature.
        signature: Signature,
    },
}

/// What one round of checking gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aggregation {
    /// A certificate with more stake than the last one returned; it is valid and needs no further check.
    pub certificate: Option<Certificate>,
    /// Attestations whose signature does not hold, ascending by seat. Anyone may have sent them: they prove nothing
    /// against the seat they name.
    pub bad: Vec<Attestation>,
}

/// Collects the attestations on one finalised header. At most one signature is held for each seat.
#[derive(Debug, Clone)]
pub struct Aggregator {
    committee: Arc<Committee>,
    height: Height,
    header_hash: B256,
    hashed: G1,
    pending: BTreeMap<Seat, Signature>,
    pending_stake: Stake,
    signers: Signers,
    signed_stake: Stake,
    signature: G1Projective,
    key_sum: G2Projective,
    /// Stake of the last certificate returned.
    certified: Stake,
}

impl Aggregator {
    /// Collect for the header with this hash.
    #[must_use]
    pub fn new(committee: Arc<Committee>, domain: Domain, height: Height, header_hash: B256) -> Self {
        let epoch = committee.table().epoch();
        let signers = Signers::none(committee.table().operators());
        Self {
            hashed: hash_to_g1(statement(domain, epoch, height, header_hash).digest()),
            committee,
            height,
            header_hash,
            pending: BTreeMap::new(),
            pending_stake: Stake(0),
            signers,
            signed_stake: Stake(0),
            signature: G1Projective::zero(),
            key_sum: G2Projective::zero(),
            certified: Stake(0),
        }
    }

    /// Seats whose signatures were checked.
    #[must_use]
    pub const fn signers(&self) -> &Signers {
        &self.signers
    }

    /// Stake behind checked signatures.
    #[must_use]
    pub const fn signed_stake(&self) -> Stake {
        self.signed_stake
    }

    /// Attestations that wait for a check.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Collect one attestation, unseen. `true` when it is time to [`aggregate`](Self::aggregate) for the first
    /// certificate; later ones can be checked in batches, whenever the caller likes.
    ///
    /// A second, different signature for a seat is checked at once, so that nobody can keep an operator out by sending
    /// rubbish in its name first.
    pub fn add(&mut self, attestation: &Attestation) -> Result<bool, AttestationRefused> {
        let Attestation { epoch, height, header_hash, seat, signature } = *attestation;
        let expected = self.committee.table().epoch();
        if epoch != expected {
            return Err(AttestationRefused::Epoch { declared: epoch, expected });
        }
        if height != self.height {
            return Err(AttestationRefused::Height { declared: height, expected: self.height });
        }
        if header_hash != self.header_hash {
            return Err(AttestationRefused::Header { declared: header_hash, expected: self.header_hash });
        }
        let operators = self.committee.table().operators();
        let stake = self
            .committee
            .table()
            .stake(seat)
            .ok_or(AttestationRefused::Seat { declared: seat, operators })?;
        if self.signers.contains(seat) {
            return Err(AttestationRefused::Duplicate(seat));
        }
        match self.pending.get(&seat) {
            Some(held) if *held == signature => return Err(AttestationRefused::Duplicate(seat)),
            Some(_) => {
                if !self.holds(&[(seat, signature)]) {
                    return Err(AttestationRefused::Signature { seat, signature });
                }
                self.pending.insert(seat, signature);
            }
            None => {
                self.pending.insert(seat, signature);
                self.pending_stake.0 += stake.0;
            }
        }
        Ok(self.is_due())
    }

    /// Whether a check of what is pending could give the first certificate.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.certified == Stake(0)
            && self.committee.table().is_quorum(Stake(self.signed_stake.0 + self.pending_stake.0))
    }

    /// Check all that is pending. One pairing check when all are good; each bad one costs `O(log n)` more.
    pub fn aggregate(&mut self) -> Aggregation {
        let pending: Vec<_> = std::mem::take(&mut self.pending).into_iter().collect();
        self.pending_stake = Stake(0);
        let mut bad = Vec::new();
        self.check(&pending, &mut bad);
        let bad = bad
            .into_iter()
            .map(|(seat, signature)| Attestation {
                epoch: self.committee.table().epoch(),
                height: self.height,
                header_hash: self.header_hash,
                seat,
                signature,
            })
            .collect();
        let grown = self.signed_stake > self.certified && self.committee.table().is_quorum(self.signed_stake);
        let certificate = if grown { self.certificate() } else { None };
        if certificate.is_some() {
            self.certified = self.signed_stake;
        }
        Aggregation { certificate, bad }
    }

    /// Take the good ones of `part` over, put the others in `bad`.
    fn check(&mut self, part: &[(Seat, Signature)], bad: &mut Vec<(Seat, Signature)>) {
        if part.is_empty() {
            return;
        }
        if self.holds(part) {
            for (seat, signature) in part {
                self.accept(*seat, signature);
            }
        } else if let [one] = part {
            bad.push(*one);
        } else {
            let (left, right) = part.split_at(part.len() / 2);
            self.check(left, bad);
            self.check(right, bad);
        }
    }

    fn holds(&self, part: &[(Seat, Signature)]) -> bool {
        let signature: G1Projective = part.iter().map(|(_, signature)| signature.0.0).sum();
        let key: G2Projective =
            part.iter().filter_map(|(seat, _)| self.committee.key(*seat)).map(|key| key.g2().0).sum();
        pairs_equal(signature.into_affine(), self.hashed.0, key.into_affine())
    }

    fn accept(&mut self, seat: Seat, signature: &Signature) {
        let (Some(key), Some(stake)) = (self.committee.key(seat), self.committee.table().stake(seat)) else {
            return;
        };
        if self.signers.insert(seat) {
            self.signature += signature.0.0;
            self.key_sum += key.g2().0;
            self.signed_stake.0 += stake.0;
        }
    }

    /// `None` when sums are the identity, which no honest signatures add up to.
    fn certificate(&self) -> Option<Certificate> {
        Some(Certificate {
            epoch: self.committee.table().epoch(),
            height: self.height,
            header_hash: self.header_hash,
            signers: self.signers.clone(),
            signature: Signature(G1::new(self.signature)?),
            key_sum: G2::new(self.key_sum)?,
        })
    }
}
