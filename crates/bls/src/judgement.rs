//! What judges sign of a rollup's block, collected until two thirds of that rollup's judging stake have.
//!
//! ```text
//! SecretKey ─judge▶ SignedJudgement ─▶ Tally ─(2/3 of the judging stake)─▶ Bundle ─▶ body of a checkpoint
//!                                                                            └─Judges::check─ whoever reads it
//! ```
//!
//! The judging stake is the present committee's: what those judges have there that hold a seat.

use crate::{
    Committee, G1, OperatorId, SecretKey, Signature, Signers, attestation::read_scheme, committee::Seat,
    hash_to_g1, point::pairs_equal,
};
use alloy_primitives::{FixedBytes, U256};
use ark_bn254::{G1Projective, G2Projective};
use ark_ec::CurveGroup;
use hum_types::{Decode, DecodeError, Domain, Encode, Epoch, Judgement, JudgementBundle, Reader, Stake};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Why a bundle proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The bytes are none.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The bitmap is for a committee of another size.
    #[error("bundle has a bitmap for {declared} operators, the committee has {expected}")]
    Operators {
        /// Operators that the bundle counts.
        declared: u16,
        /// Operators in the committee.
        expected: u16,
    },
    /// Someone signed who judges other rollups or none.
    #[error("seat {seat} signed and is no judge of this rollup")]
    NoJudge {
        /// The seat.
        seat: Seat,
    },
    /// The signers hold too little stake.
    #[error("judges with stake {signed} signed; × 3 that is below the judging stake {total} × 2")]
    Quorum {
        /// Stake of the signers.
        signed: Stake,
        /// Stake of all judges that have a seat.
        total: Stake,
    },
    /// The signature is on something else, or by others.
    #[error("signature {signature} is not the signers' on this judgement")]
    Signature {
        /// The signature.
        signature: Signature,
    },
}

/// The signatures of some judges on one [`Judgement`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Who signed.
    pub signers: Signers,
    /// Sum of their signatures.
    pub signature: Signature,
}

impl TryFrom<&JudgementBundle> for Bundle {
    type Error = BundleError;

    fn try_from(bytes: &JudgementBundle) -> Result<Self, BundleError> {
        let mut signers = bytes.operators.to_be_bytes().to_vec();
        signers.extend_from_slice(&bytes.bitmap);
        let signers = Signers::decode(&signers)?;
        Ok(Self { signers, signature: Signature::decode(bytes.signature.as_slice())? })
    }
}

impl From<&Bundle> for JudgementBundle {
    fn from(bundle: &Bundle) -> Self {
        let signers = bundle.signers.encode();
        let mut signature = FixedBytes::<64>::ZERO;
        // A point of G1 is written in 64 bytes.
        signature.copy_from_slice(&bundle.signature.encode());
        Self {
            operators: bundle.signers.operators(),
            bitmap: signers.get(2..).unwrap_or_default().to_vec(),
            signature,
        }
    }
}

/// The judges of one rollup, as one committee seats them.
#[derive(Debug, Clone)]
pub struct Judges {
    committee: Arc<Committee>,
    seats: BTreeSet<Seat>,
    total: Stake,
}

impl Judges {
    /// Those of `ids` that have a seat.
    #[must_use]
    pub fn new(committee: Arc<Committee>, ids: &[OperatorId]) -> Self {
        let ids: BTreeSet<&OperatorId> = ids.iter().collect();
        let members = (0..).map(Seat).zip(committee.members());
        let seats: BTreeSet<Seat> =
            members.filter(|(_, member)| ids.contains(&member.operator_id())).map(|(seat, _)| seat).collect();
        let total = stake_of(&committee, &seats);
        Self { committee, seats, total }
    }

    /// The epoch of the committee.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.committee.table().epoch()
    }

    /// Their seats.
    #[must_use]
    pub const fn seats(&self) -> &BTreeSet<Seat> {
        &self.seats
    }

    /// The judging stake.
    #[must_use]
    pub const fn total_stake(&self) -> Stake {
        self.total
    }

    /// Whether this much is two thirds of the judging stake. Nobody is no two thirds of nobody.
    #[must_use]
    pub fn is_quorum(&self, signed: Stake) -> bool {
        signed.0 > 0 && U256::from(signed.0) * U256::from(3) >= U256::from(self.total.0) * U256::from(2)
    }

    /// Check that two thirds of the judging stake signed this.
    pub fn check(&self, domain: Domain, judgement: &Judgement, bundle: &Bundle) -> Result<(), BundleError> {
        let (declared, expected) = (bundle.signers.operators(), self.committee.table().operators());
        if declared != expected {
            return Err(BundleError::Operators { declared, expected });
        }
        let signers: BTreeSet<Seat> = bundle.signers.present().collect();
        if let Some(seat) = signers.difference(&self.seats).next() {
            return Err(BundleError::NoJudge { seat: *seat });
        }
        let (signed, total) = (stake_of(&self.committee, &signers), self.total);
        if !self.is_quorum(signed) {
            return Err(BundleError::Quorum { signed, total });
        }
        if self.holds(domain, judgement, signers.iter().copied(), bundle.signature) {
            Ok(())
        } else {
            Err(BundleError::Signature { signature: bundle.signature })
        }
    }

    /// Whether `signature` is the sum of these seats' signatures. Possession of every key was proven, so that sums mean
    /// what they seem to.
    fn holds(
        &self,
        domain: Domain,
        judgement: &Judgement,
        seats: impl Iterator<Item = Seat>,
        signature: Signature,
    ) -> bool {
        let keys: G2Projective =
            seats.filter_map(|seat| self.committee.key(seat)).map(|key| key.g2().0).sum();
        let hashed = hash_to_g1(judgement.statement(domain, self.epoch()).digest());
        pairs_equal(signature.0.0, hashed.0, keys.into_affine())
    }
}

fn stake_of(committee: &Committee, seats: &BTreeSet<Seat>) -> Stake {
    // A part of a total that fits 128 bits fits too.
    Stake(seats.iter().filter_map(|seat| committee.table().stake(*seat)).map(|stake| stake.0).sum())
}

/// One judge's word on a block: `scheme 1 ‖ epoch 8 ‖ seat 2 ‖ judgement 188 ‖ signature 64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignedJudgement {
    /// The committee's epoch.
    pub epoch: Epoch,
    /// Who signs.
    pub seat: Seat,
    /// What is said.
    pub judgement: Judgement,
    /// The signature.
    pub signature: Signature,
}

impl SecretKey {
    /// Sign a judgement. The caller has written down that it does so before it lets anyone see the result.
    #[must_use]
    pub fn judge(&self, domain: Domain, epoch: Epoch, seat: Seat, judgement: Judgement) -> SignedJudgement {
        let signature = self.sign(&judgement.statement(domain, epoch));
        SignedJudgement { epoch, seat, judgement, signature }
    }
}

impl Encode for SignedJudgement {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.push(crate::SCHEME_BN254);
        self.epoch.encode_to(out);
        out.extend_from_slice(&self.seat.0.to_be_bytes());
        self.judgement.encode_to(out);
        self.signature.encode_to(out);
    }
}

impl Decode for SignedJudgement {
    const WHAT: &'static str = "signed judgement";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        read_scheme(reader)?;
        Ok(Self {
            epoch: Epoch::decode_from(reader)?,
            seat: Seat(reader.u16("seat")?),
            judgement: Judgement::decode_from(reader)?,
            signature: Signature::decode_from(reader)?,
        })
    }
}

/// Signatures on one judgement, at most one for a seat. They are added up unseen; when the sum does not hold, each is
/// looked at on its own and the bad ones go.
#[derive(Debug, Clone)]
pub struct Tally {
    judgement: Judgement,
    signatures: BTreeMap<Seat, Signature>,
}

impl Tally {
    /// An empty tally.
    #[must_use]
    pub const fn new(judgement: Judgement) -> Self {
        Self { judgement, signatures: BTreeMap::new() }
    }

    /// What is collected for.
    #[must_use]
    pub const fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// Seats whose signatures are here.
    pub fn seats(&self) -> impl Iterator<Item = Seat> + '_ {
        self.signatures.keys().copied()
    }

    /// Whether nobody's signature is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.signatures.is_empty()
    }

    /// Keep a judge's signature, the newest that it sends. The caller knows that the seat itself sent it: a bad one only
    /// takes the place of that judge's own.
    pub fn add(&mut self, seat: Seat, signature: Signature) {
        self.signatures.insert(seat, signature);
    }

    /// Whether those who signed could make a bundle.
    #[must_use]
    pub fn is_due(&self, judges: &Judges) -> bool {
        let seats: BTreeSet<Seat> = self.seats().filter(|seat| judges.seats.contains(seat)).collect();
        judges.is_quorum(stake_of(&judges.committee, &seats))
    }

    /// The bundle of all good signatures, when they are enough; and the seats whose signatures were bad, which are gone.
    pub fn bundle(&mut self, domain: Domain, judges: &Judges) -> (Option<Bundle>, Vec<Seat>) {
        self.signatures.retain(|seat, _| judges.seats.contains(seat));
        let mut bad = Vec::new();
        if !self.is_due(judges) {
            return (None, bad);
        }
        if let Some(bundle) = self.sum(domain, judges) {
            return (Some(bundle), bad);
        }
        let judgement = self.judgement;
        self.signatures.retain(|seat, signature| {
            let good = judges.holds(domain, &judgement, [*seat].into_iter(), *signature);
            if !good {
                bad.push(*seat);
            }
            good
        });
        let bundle = if self.is_due(judges) { self.sum(domain, judges) } else { None };
        (bundle, bad)
    }

    fn sum(&self, domain: Domain, judges: &Judges) -> Option<Bundle> {
        let mut signers = Signers::none(judges.committee.table().operators());
        for seat in self.seats() {
            signers.insert(seat);
        }
        let sum: G1Projective = self.signatures.values().map(|signature| signature.0.0).sum();
        let bundle = Bundle { signers, signature: Signature(G1::new(sum)?) };
        judges.check(domain, &self.judgement, &bundle).ok().map(|()| bundle)
    }
}
