//! Two thirds of a committee's stake on one header, in one signature.

use crate::{
    CommitteeTable, G1, G2, SCHEME_BN254, Signature, Signers,
    attestation::{read_scheme, statement},
    hash_to_g1,
    point::pairs_equal,
};
use ark_bn254::{Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::PrimeField;
use hum_types::{B256, Decode, DecodeError, Domain, Encode, Epoch, Height, Reader, Stake, keccak256};

/// Why a certificate proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Made by another epoch's committee.
    #[error("certificate is of epoch {declared}, the committee is that of {expected}")]
    Epoch {
        /// Epoch that the certificate names.
        declared: Epoch,
        /// Epoch of the committee.
        expected: Epoch,
    },
    /// The bitmap is for a committee of another size.
    #[error("certificate has a bitmap for {declared} operators, the committee has {expected}")]
    Operators {
        /// Operators that the certificate counts.
        declared: u16,
        /// Operators in the committee.
        expected: u16,
    },
    /// The signers hold too little stake.
    #[error("signed stake {signed} × 3 is below total stake {total} × 2")]
    Quorum {
        /// Stake of the signers.
        signed: Stake,
        /// Stake of the committee.
        total: Stake,
    },
    /// The signers' keys cancel each other.
    #[error("the sum of the signers' keys is the identity")]
    IdentitySum,
    /// The G2 sum is not that of the signers.
    #[error("G2 key sum {declared} does not belong to the signers' G1 key sum {computed}")]
    KeySum {
        /// Sum that the certificate carries.
        declared: Box<G2>,
        /// Sum of the signers' keys in G1.
        computed: Box<G1>,
    },
    /// The signature is on something else, or by others.
    #[error("signature {signature} does not hold for digest {digest}")]
    Signature {
        /// The signature.
        signature: Signature,
        /// The digest that it should be on.
        digest: B256,
    },
}

/// The aggregate of attestations on one header. Decoding one says nothing about its truth: [`Certificate::verify`] does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Certificate {
    /// The committee's epoch.
    pub epoch: Epoch,
    /// Height of the header.
    pub height: Height,
    /// Hash of the header.
    pub header_hash: B256,
    /// Who signed.
    pub signers: Signers,
    /// Sum of the signers' signatures.
    pub signature: Signature,
    /// Sum of the signers' keys in G2.
    pub key_sum: G2,
}

impl Certificate {
    /// What its signers signed.
    #[must_use]
    pub fn digest(&self, domain: Domain) -> B256 {
        statement(domain, self.epoch, self.height, self.header_hash).digest()
    }

    /// Check it against the committee of its epoch.
    pub fn verify(
        self,
        table: &CommitteeTable,
        domain: Domain,
    ) -> Result<VerifiedCertificate, CertificateError> {
        let (declared, expected) = (self.epoch, table.epoch());
        if declared != expected {
            return Err(CertificateError::Epoch { declared, expected });
        }
        let (declared, expected) = (self.signers.operators(), table.operators());
        if declared != expected {
            return Err(CertificateError::Operators { declared, expected });
        }
        let (signed, total) = (table.signed_stake(&self.signers), table.total_stake());
        if !table.is_quorum(signed) {
            return Err(CertificateError::Quorum { signed, total });
        }
        let digest = self.digest(domain);
        let hashed = hash_to_g1(digest);
        if self.signers.count() == usize::from(table.operators()) {
            if self.key_sum != table.sum_g2() {
                return Err(CertificateError::KeySum {
                    declared: self.key_sum.into(),
                    computed: table.sum_g1().into(),
                });
            }
            if !pairs_equal(self.signature.0.0, hashed.0, self.key_sum.0) {
                return Err(CertificateError::Signature { signature: self.signature, digest });
            }
        } else {
            let sum = table.signers_sum(&self.signers).ok_or(CertificateError::IdentitySum)?;
            if !self.holds_for(sum, hashed) {
                return Err(if pairs_equal(sum.0, G1Affine::generator(), self.key_sum.0) {
                    CertificateError::Signature { signature: self.signature, digest }
                } else {
                    CertificateError::KeySum { declared: self.key_sum.into(), computed: sum.into() }
                });
            }
        }
        Ok(VerifiedCertificate { certificate: self, domain, signed, total })
    }

    /// Whether the G2 sum belongs to `sum` and the signature to both, in one equation: with a factor that nobody can
    /// choose, `e(sig + g·sum, G2) = e(hashed + g·G1, key sum)` only when both hold.
    fn holds_for(&self, sum: G1, hashed: G1) -> bool {
        let mut bytes = sum.encode();
        self.signature.encode_to(&mut bytes);
        hashed.encode_to(&mut bytes);
        self.key_sum.encode_to(&mut bytes);
        let factor = Fr::from_be_bytes_mod_order(keccak256(bytes).as_slice());
        let left = sum.0 * factor + self.signature.0.0;
        let right = G1Affine::generator() * factor + hashed.0;
        pairs_equal(left.into(), right.into(), self.key_sum.0)
    }
}

impl Encode for Certificate {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.push(SCHEME_BN254);
        self.epoch.encode_to(out);
        self.height.encode_to(out);
        out.extend_from_slice(self.header_hash.as_slice());
        self.signers.encode_to(out);
        self.signature.encode_to(out);
        self.key_sum.encode_to(out);
    }
}

impl Decode for Certificate {
    const WHAT: &'static str = "certificate";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        read_scheme(reader)?;
        Ok(Self {
            epoch: Epoch::decode_from(reader)?,
            height: Height::decode_from(reader)?,
            header_hash: reader.b256("header hash")?,
            signers: Signers::decode_from(reader)?,
            signature: Signature::decode_from(reader)?,
            key_sum: G2::read(reader, "signers' G2 key sum")?,
        })
    }
}

crate::point::hex_text!(Certificate);

/// A certificate that was checked against its committee. Made only by [`Certificate::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCertificate {
    certificate: Certificate,
    domain: Domain,
    signed: Stake,
    total: Stake,
}

impl VerifiedCertificate {
    /// The certificate.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The deployment that it was checked for.
    #[must_use]
    pub const fn domain(&self) -> Domain {
        self.domain
    }

    /// Stake of the signers.
    #[must_use]
    pub const fn signed_stake(&self) -> Stake {
        self.signed
    }

    /// Stake of the committee.
    #[must_use]
    pub const fn total_stake(&self) -> Stake {
        self.total
    }
}
