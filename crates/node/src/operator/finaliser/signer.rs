//! The operator's one pen: writes down what it signs before anyone sees it.

use crate::operator::records::{Records, RecordsError};
use crate::runtime::Runtime;
use hum_bls::{Attestation, PublicKey, Seat, SecretKey};
use hum_types::{B256, Decode, DecodeError, Encode, Header, Height, Reader};

/// Heights whose records stay on disk: more than any operator looks back.
const KEPT: u64 = 65_536;
/// Records written between two looks at what can be forgotten.
const PRUNE_EVERY: u64 = 4_096;

/// What was signed for a height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signed {
    height: Height,
    header_hash: B256,
}

impl Encode for Signed {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.height.encode_to(out);
        out.extend_from_slice(self.header_hash.as_slice());
    }
}

impl Decode for Signed {
    const WHAT: &'static str = "signed header";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { height: Height::decode_from(reader)?, header_hash: reader.b256("header hash")? })
    }
}

/// Why the record of what was signed cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The disk is at fault.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// A record does not decode: the file is not ours.
    #[error("record of a signed header: {0}")]
    Decode(#[from] DecodeError),
}

/// Signs finalised headers, at most one for a height.
pub(crate) struct Signer<E: Runtime> {
    key: SecretKey,
    records: Records<E>,
    last: Option<Signed>,
    written: u64,
}

impl<E: Runtime> Signer<E> {
    /// Open the record of what was signed.
    pub(crate) async fn open(context: E, partition: String, key: SecretKey) -> Result<Self, SignerError> {
        let (records, read) = Records::open(context, partition).await?;
        let mut last: Option<Signed> = None;
        for record in read {
            let signed = Signed::decode(&record)?;
            if last.is_none_or(|last| last.height < signed.height) {
                last = Some(signed);
            }
        }
        Ok(Self { key, records, last, written: 0 })
    }

    /// The highest height that was signed.
    pub(crate) fn highest(&self) -> Option<Height> {
        self.last.map(|last| last.height)
    }

    /// The key that it signs with.
    pub(crate) fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    /// Whether this very header was the last that was signed: nothing is left to judge about it.
    pub(crate) fn has_signed(&self, header: &Header) -> bool {
        self.last == Some(Signed { height: header.height, header_hash: header.hash() })
    }

    /// Sign a finalised header in the seat that its epoch's committee gives us. `None` when the height, or a higher one, was signed before: with another header it
    /// would be a lie, and with the same one nobody needs it.
    pub(crate) async fn attest(
        &mut self,
        header: &Header,
        seat: Seat,
    ) -> Result<Option<Attestation>, RecordsError> {
        let signed = Signed { height: header.height, header_hash: header.hash() };
        match self.last {
            Some(last) if last == signed => {}
            Some(last) if last.height >= signed.height => return Ok(None),
            _ => {
                self.records.append(signed.height, signed.encode()).await?;
                self.records.sync(signed.height).await?;
                self.last = Some(signed);
                self.forget(signed.height).await?;
            }
        }
        let Header { domain, epoch, height, .. } = *header;
        Ok(Some(self.key.attest(domain, epoch, height, signed.header_hash, seat)))
    }

    async fn forget(&mut self, height: Height) -> Result<(), RecordsError> {
        self.written += 1;
        if self.written < PRUNE_EVERY {
            return Ok(());
        }
        self.written = 0;
        self.records.prune(Height(height.0.saturating_sub(KEPT))).await
    }
}

#[cfg(test)]
mod tests;
