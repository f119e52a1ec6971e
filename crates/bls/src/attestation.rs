//! One operator's word on one finalised header.

use crate::{Committee, SCHEME_BN254, SecretKey, Signature, committee::Seat};
use hum_types::{B256, Decode, DecodeError, Domain, Encode, Epoch, Height, Kind, Reader, SignedSubject};

/// Why an attestation is not an operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// Made for another epoch's committee.
    #[error("attestation is for epoch {declared}, the committee is that of {expected}")]
    Epoch {
        /// Epoch that the attestation names.
        declared: Epoch,
        /// Epoch of the committee.
        expected: Epoch,
    },
    /// The committee has no such seat.
    #[error("seat {declared} is not in a committee of {operators}")]
    Seat {
        /// Seat that the attestation names.
        declared: Seat,
        /// Operators in the committee.
        operators: u16,
    },
    /// The signature is not that seat's on this header.
    #[error("signature of seat {seat} does not hold for header {header_hash} at height {height}")]
    Signature {
        /// The seat.
        seat: Seat,
        /// The height.
        height: Height,
        /// The header.
        header_hash: B256,
    },
}

/// One operator's signature on a finalised header:
/// `scheme 1 ‖ epoch 8 ‖ height 8 ‖ header hash 32 ‖ seat 2 ‖ signature 64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attestation {
    /// The committee's epoch.
    pub epoch: Epoch,
    /// Height of the header.
    pub height: Height,
    /// Hash of the header.
    pub header_hash: B256,
    /// Who signs.
    pub seat: Seat,
    /// The signature.
    pub signature: Signature,
}

/// What is signed for a header.
pub(crate) const fn statement(
    domain: Domain,
    epoch: Epoch,
    height: Height,
    header_hash: B256,
) -> SignedSubject {
    SignedSubject { domain, kind: Kind::Attestation, epoch, height, subject: header_hash }
}

impl Attestation {
    /// Check it against its committee.
    pub fn verify(&self, committee: &Committee, domain: Domain) -> Result<(), AttestationError> {
        let expected = committee.table().epoch();
        if self.epoch != expected {
            return Err(AttestationError::Epoch { declared: self.epoch, expected });
        }
        let operators = committee.table().operators();
        let key =
            committee.key(self.seat).ok_or(AttestationError::Seat { declared: self.seat, operators })?;
        if key.verifies(&statement(domain, self.epoch, self.height, self.header_hash), &self.signature) {
            Ok(())
        } else {
            Err(AttestationError::Signature {
                seat: self.seat,
                height: self.height,
                header_hash: self.header_hash,
            })
        }
    }
}

impl SecretKey {
    /// Attest a finalised header. The caller has written down that it does so before it lets anyone see the result.
    #[must_use]
    pub fn attest(
        &self,
        domain: Domain,
        epoch: Epoch,
        height: Height,
        header_hash: B256,
        seat: Seat,
    ) -> Attestation {
        let signature = self.sign(&statement(domain, epoch, height, header_hash));
        Attestation { epoch, height, header_hash, seat, signature }
    }
}

/// Read the scheme byte and refuse all but ours.
pub(crate) fn read_scheme(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    match reader.u8("scheme")? {
        SCHEME_BN254 => Ok(()),
        other => Err(DecodeError::Value { field: "scheme", value: other.into() }),
    }
}

impl Encode for Attestation {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.push(SCHEME_BN254);
        self.epoch.encode_to(out);
        self.height.encode_to(out);
        out.extend_from_slice(self.header_hash.as_slice());
        out.extend_from_slice(&self.seat.0.to_be_bytes());
        self.signature.encode_to(out);
    }
}

impl Decode for Attestation {
    const WHAT: &'static str = "attestation";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        read_scheme(reader)?;
        Ok(Self {
            epoch: Epoch::decode_from(reader)?,
            height: Height::decode_from(reader)?,
            header_hash: reader.b256("header hash")?,
            seat: Seat(reader.u16("seat")?),
            signature: Signature::decode_from(reader)?,
        })
    }
}

crate::point::hex_text!(Attestation);
