//! Who signed which header.

use crate::watcher::committees::Committees;
use hum_bls::{Attestation, AttestationError, Certificate, CertificateError, Seat};
use hum_types::{B256, Decode, DecodeError, Domain, Encode, Epoch, Header, Height, Reader};

/// A signature on a header's hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Signed {
    /// One operator's alone.
    Single(Attestation),
    /// That of two thirds of the stake together.
    Quorum(Certificate),
}

/// Who signed which header.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Statement {
    /// The signature.
    pub signed: Signed,
    /// The header, where it is known. Judges need it for certificates.
    pub header: Option<Header>,
}

/// Why a statement is not its signers'.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The committee of its epoch is not known.
    #[error("the committee of epoch {0} is not known")]
    Epoch(Epoch),
    /// The header is another one than the signed one.
    #[error("header hashes to {computed}, what was signed is {declared}")]
    Header {
        /// What was signed.
        declared: B256,
        /// Hash of the header.
        computed: B256,
    },
    /// The header is not of the epoch and height that were signed.
    #[error("header is height {found} of epoch {found_epoch}, signed was {signed} of {signed_epoch}")]
    Place {
        /// The header's height.
        found: Height,
        /// The header's epoch.
        found_epoch: Epoch,
        /// The signed height.
        signed: Height,
        /// The signed epoch.
        signed_epoch: Epoch,
    },
    /// The header is of another deployment.
    #[error("header is of domain {}, ours is {}", declared.0, expected.0)]
    Domain {
        /// In the header.
        declared: Domain,
        /// Ours.
        expected: Domain,
    },
    /// The attestation does not hold.
    #[error(transparent)]
    Single(#[from] AttestationError),
    /// The certificate does not hold.
    #[error(transparent)]
    Quorum(#[from] CertificateError),
}

impl Statement {
    /// What one operator signed.
    #[must_use]
    pub const fn single(attestation: Attestation) -> Self {
        Self { signed: Signed::Single(attestation), header: None }
    }

    /// What a quorum signed.
    #[must_use]
    pub const fn quorum(certificate: Certificate, header: Option<Header>) -> Self {
        Self { signed: Signed::Quorum(certificate), header }
    }

    /// The epoch that was signed.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        match &self.signed {
            Signed::Single(attestation) => attestation.epoch,
            Signed::Quorum(certificate) => certificate.epoch,
        }
    }

    /// The height that was signed.
    #[must_use]
    pub const fn height(&self) -> Height {
        match &self.signed {
            Signed::Single(attestation) => attestation.height,
            Signed::Quorum(certificate) => certificate.height,
        }
    }

    /// The hash that was signed.
    #[must_use]
    pub const fn header_hash(&self) -> B256 {
        match &self.signed {
            Signed::Single(attestation) => attestation.header_hash,
            Signed::Quorum(certificate) => certificate.header_hash,
        }
    }

    /// Seats that signed it, ascending.
    #[must_use]
    pub fn seats(&self) -> Vec<Seat> {
        match &self.signed {
            Signed::Single(attestation) => vec![attestation.seat],
            Signed::Quorum(certificate) => certificate.signers.present().collect(),
        }
    }

    /// Whether judges on L1 can read it.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        matches!(self.signed, Signed::Single(_)) || self.header.is_some()
    }

    /// Check it against the committee of its epoch.
    pub fn verify(&self, committees: &Committees, domain: Domain) -> Result<(), StatementError> {
        let epoch = self.epoch();
        let committee = committees.get(epoch).ok_or(StatementError::Epoch(epoch))?;
        if let Some(header) = &self.header {
            let (declared, computed) = (self.header_hash(), header.hash());
            if declared != computed {
                return Err(StatementError::Header { declared, computed });
            }
            if (header.height, header.epoch) != (self.height(), epoch) {
                return Err(StatementError::Place {
                    found: header.height,
                    found_epoch: header.epoch,
                    signed: self.height(),
                    signed_epoch: epoch,
                });
            }
            if header.domain != domain {
                return Err(StatementError::Domain { declared: header.domain, expected: domain });
            }
        }
        match &self.signed {
            Signed::Single(attestation) => attestation.verify(committee, domain)?,
            Signed::Quorum(certificate) => {
                certificate.clone().verify(committee.table(), domain)?;
            }
        }
        Ok(())
    }
}

impl Encode for Statement {
    fn encode_to(&self, out: &mut Vec<u8>) {
        match &self.signed {
            Signed::Single(attestation) => {
                out.push(1);
                attestation.encode_to(out);
            }
            Signed::Quorum(certificate) => {
                out.push(2);
                certificate.encode_to(out);
            }
        }
        out.push(self.header.is_some().into());
        if let Some(header) = &self.header {
            header.encode_to(out);
        }
    }
}

impl Decode for Statement {
    const WHAT: &'static str = "statement";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let signed = match reader.u8("statement tag")? {
            1 => Signed::Single(Attestation::decode_from(reader)?),
            2 => Signed::Quorum(Certificate::decode_from(reader)?),
            value => return Err(DecodeError::Value { field: "statement tag", value: value.into() }),
        };
        let header = match reader.u8("header flag")? {
            0 => None,
            1 => Some(Header::decode_from(reader)?),
            value => return Err(DecodeError::Value { field: "header flag", value: value.into() }),
        };
        Ok(Self { signed, header })
    }
}
