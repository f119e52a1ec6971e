//! A judge's pen: one judgement for a generation and number.

use crate::{
    operator::records::{Records, RecordsError},
    runtime::Runtime,
};
use hum_bls::{Seat, SecretKey, SignedJudgement};
use hum_types::{B256, Decode, DecodeError, Domain, Encode, Epoch, Generation, Height, Judgement, Reader};
use std::collections::BTreeMap;

/// Numbers whose records stay on disk: more than any retraction goes back.
const KEPT: u64 = 65_536;
/// Records written between two looks at what can be forgotten.
const PRUNE_EVERY: u64 = 4_096;

/// What was signed for a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signed {
    generation: Generation,
    number: u64,
    subject: B256,
}

impl Encode for Signed {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.generation.encode_to(out);
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(self.subject.as_slice());
    }
}

impl Decode for Signed {
    const WHAT: &'static str = "signed judgement";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let generation = Generation::decode_from(reader)?;
        Ok(Self { generation, number: reader.u64("number")?, subject: reader.b256("subject")? })
    }
}

/// Why the record of what was signed cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PenError {
    /// The disk is at fault.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// A record does not decode: the file is not ours.
    #[error("record of a judgement: {0}")]
    Decode(#[from] DecodeError),
}

/// Signs judgements of one rollup.
pub(crate) struct Pen<E: Runtime> {
    key: SecretKey,
    domain: Domain,
    records: Records<E>,
    signed: BTreeMap<(Generation, u64), B256>,
    written: u64,
}

impl<E: Runtime> Pen<E> {
    /// Open the record of what was signed.
    pub(crate) async fn open(
        context: E,
        partition: String,
        key: SecretKey,
        domain: Domain,
    ) -> Result<Self, PenError> {
        let (records, read) = Records::open(context, partition).await?;
        let mut signed = BTreeMap::new();
        for record in read {
            let Signed { generation, number, subject } = Signed::decode(&record)?;
            // The first one counts: whatever else stands there was never sent.
            signed.entry((generation, number)).or_insert(subject);
        }
        Ok(Self { key, domain, records, signed, written: 0 })
    }

    /// Sign a judgement in the seat that the epoch's committee gives us. `None` when another one was signed for its
    /// generation and number.
    pub(crate) async fn sign(
        &mut self,
        epoch: Epoch,
        seat: Seat,
        judgement: Judgement,
    ) -> Result<Option<SignedJudgement>, PenError> {
        let (generation, number, subject) =
            (judgement.generation, judgement.block.number, judgement.subject());
        match self.signed.get(&(generation, number)) {
            Some(signed) if *signed == subject => {}
            Some(_) => return Ok(None),
            None => {
                self.records.append(Height(number), Signed { generation, number, subject }.encode()).await?;
                self.records.sync(Height(number)).await?;
                self.signed.insert((generation, number), subject);
                self.forget(number).await?;
            }
        }
        Ok(Some(self.key.judge(self.domain, epoch, seat, judgement)))
    }

    async fn forget(&mut self, number: u64) -> Result<(), PenError> {
        self.written += 1;
        if self.written < PRUNE_EVERY {
            return Ok(());
        }
        self.written = 0;
        let below = number.saturating_sub(KEPT);
        self.signed.retain(|(_, number), _| *number >= below);
        Ok(self.records.prune(Height(below)).await?)
    }
}

#[cfg(test)]
mod tests;
