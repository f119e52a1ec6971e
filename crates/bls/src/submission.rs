//! A certificate as `LightClient.submit` takes it; the layout is drawn in `contracts/src/interfaces/ILightClient.sol`.

use crate::{SCHEME_BN254, VerifiedCertificate, hints};
use hum_types::{B256, Domain, Encode, HEADER_BYTES, Header};

/// Bytes of the domain at the front of a header: the contract puts its own there.
const DOMAIN_BYTES: usize = 32;

/// Why a certificate cannot be submitted with this header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionError {
    /// The certificate is about another header.
    #[error("header hashes to {computed}, the certificate is about {declared}")]
    Header {
        /// Header hash in the certificate.
        declared: B256,
        /// Hash of the header given.
        computed: B256,
    },
    /// The header is of another deployment than the one the certificate was checked for.
    #[error("header is of domain {}, the certificate was checked for {}", declared.0, expected.0)]
    Domain {
        /// Domain in the header.
        declared: Domain,
        /// Domain of the certificate.
        expected: Domain,
    },
    /// More candidates for the hashed point were passed over than one byte counts; the next height covers this one.
    #[error("the hashed point is {step} steps away, at most 255 can be submitted")]
    Step {
        /// Candidates passed over.
        step: u16,
    },
}

impl VerifiedCertificate {
    /// The bytes for `LightClient.submit`.
    pub fn submission(&self, header: &Header) -> Result<Vec<u8>, SubmissionError> {
        let certificate = self.certificate();
        let encoded = header.encode();
        let (declared, computed) = (certificate.header_hash, header.hash());
        if declared != computed {
            return Err(SubmissionError::Header { declared, computed });
        }
        if header.domain != self.domain() {
            return Err(SubmissionError::Domain { declared: header.domain, expected: self.domain() });
        }
        let hints = hints(certificate.digest(self.domain()));
        let step = u8::try_from(hints.step).map_err(|_| SubmissionError::Step { step: hints.step })?;
        // A quorum has a signer, so at most 255 of 256 seats are absent and every seat fits a byte.
        let absent: Vec<u8> =
            certificate.signers.absent().filter_map(|seat| u8::try_from(seat.0).ok()).collect();

        let mut out = Vec::with_capacity(HEADER_BYTES + 256);
        out.push(SCHEME_BN254);
        out.extend_from_slice(&encoded[DOMAIN_BYTES..]);
        certificate.signature.encode_to(&mut out);
        out.extend_from_slice(hints.root.as_slice());
        out.push(step);
        out.push(u8::try_from(absent.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(&absent);
        if !absent.is_empty() {
            certificate.key_sum.encode_to(&mut out);
        }
        Ok(out)
    }
}
