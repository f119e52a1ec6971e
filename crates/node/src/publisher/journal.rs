//! What a publisher has signed, on disk before anybody else sees it.
//!
//! ```text
//! segment = base record ‖ records of what was live when it was made ‖ records appended since
//! record  = kind 1 ‖ payload 149 ‖ first 8 bytes of H(kind ‖ payload)
//! ```
//!
//! A record is synced before what it records is sent. So a torn last record was never sent and is cut off; a bad
//! record before good ones is damage, and the publisher does not start with it.

mod records;
mod signed;

use commonware_runtime::{Blob, Error as RuntimeError, Storage, WriteOptions};
use hum_types::{BlockRef, ChainId, Generation, HeadClaim, RegistrationId, SignedClaim, SignedRetraction};
use records::{KIND_CLAIM, KIND_RETRACTION, RECORD_BYTES, read_all, record, replay, write_segment};
use signed::Signed;

/// Appended records after which a segment is rewritten with what is still live (10 MiB).
const SEGMENT_RECORDS_MAX: u64 = 65_536;

/// The rollup that a journal belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its chain.
    pub chain_id: ChainId,
    /// Its entry in the registry.
    pub registration: RegistrationId,
    /// The block from which it joined; claims start above it.
    pub anchor: BlockRef,
}

/// Why something is not written, or not signed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk failed. Nothing that was to be recorded may be sent.
    #[error("journal not written: {0}")]
    Storage(#[from] RuntimeError),
    /// The journal is of another rollup.
    #[error(
        "journal belongs to chain {found_chain} registration {found}, this is chain {chain} registration {expected}"
    )]
    Foreign {
        /// The chain in the journal.
        found_chain: ChainId,
        /// The registration in the journal.
        found: RegistrationId,
        /// Ours.
        chain: ChainId,
        /// Ours.
        expected: RegistrationId,
    },
    /// A record before others is damaged.
    #[error(
        "record {record} of {records} in journal segment {segment} is damaged: move the journal away to start a new generation"
    )]
    Damaged {
        /// The segment.
        segment: u64,
        /// The bad record.
        record: u64,
        /// Whole records in the segment.
        records: u64,
    },
    /// Another hash was signed for this number in this generation.
    #[error("block {number} was claimed as {signed} in generation {generation}, not {asked}")]
    Equivocation {
        /// The block number.
        number: u64,
        /// The generation.
        generation: Generation,
        /// What was signed.
        signed: hum_types::B256,
        /// What is asked for now.
        asked: hum_types::B256,
    },
    /// The claim is not for the next block of the present generation.
    #[error("claim for block {number} in generation {generation}, the next is {expected} in {current}")]
    OutOfOrder {
        /// The block asked for.
        number: u64,
        /// The generation asked for.
        generation: Generation,
        /// The next block.
        expected: u64,
        /// The present generation.
        current: Generation,
    },
    /// The retraction does not open the next generation, or keeps a block that was never claimed.
    #[error(
        "retraction opens generation {opened} at block {kept}, the present generation is {current} at {mark}"
    )]
    Retraction {
        /// What it opens.
        opened: Generation,
        /// What it keeps.
        kept: u64,
        /// The present generation.
        current: Generation,
        /// The highest claimed block.
        mark: u64,
    },
}

/// A publisher's journal: what it signed, and the refusal to sign against it.
pub struct Journal<E: Storage> {
    storage: E,
    partition: String,
    identity: Identity,
    segment: u64,
    blob: E::Blob,
    records: u64,
    /// A write that failed may have reached the disk in part; nothing more is signed until the journal is reopened.
    failed: bool,
    signed: Signed,
}

impl<E: Storage> std::fmt::Debug for Journal<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("segment", &self.segment)
            .field("records", &self.records)
            .field("generation", &self.signed.generation)
            .field("mark", &self.signed.mark())
            .finish_non_exhaustive()
    }
}

impl<E: Storage> Journal<E> {
    /// Open the journal in `partition`, or start one.
    pub async fn open(storage: E, partition: String, identity: Identity) -> Result<Self, JournalError> {
        let mut segments = match storage.scan(&partition).await {
            Ok(names) => names,
            Err(RuntimeError::PartitionMissing(_)) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        segments.sort_unstable();
        let names: Vec<u64> = segments
            .iter()
            .filter_map(|name| name.as_slice().try_into().ok().map(u64::from_be_bytes))
            .collect();

        for (position, segment) in names.iter().enumerate().rev() {
            let (blob, size) = storage.open(&partition, &segment.to_be_bytes()).await?;
            let bytes = read_all(&blob, size).await?;
            let (signed, records) = match replay(*segment, &bytes, identity) {
                Ok(Some(read)) => read,
                Ok(None) => {
                    drop(blob);
                    storage.remove(&partition, Some(&segment.to_be_bytes())).await?;
                    continue;
                }
                // A rewrite that a crash cut short: the segment before it is whole, and still there.
                Err(JournalError::Damaged { .. }) if position > 0 => {
                    drop(blob);
                    storage.remove(&partition, Some(&segment.to_be_bytes())).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let end = records * RECORD_BYTES as u64;
            if size != end {
                blob.resize(end).await?;
                blob.sync().await?;
            }
            for older in &names[..position] {
                storage.remove(&partition, Some(&older.to_be_bytes())).await?;
            }
            return Ok(Self {
                storage,
                partition,
                identity,
                segment: *segment,
                blob,
                records,
                failed: false,
                signed,
            });
        }

        let signed = Signed::new(Generation(0), identity.anchor);
        let segment = names.last().map_or(0, |last| last.saturating_add(1));
        let (blob, records) = write_segment(&storage, &partition, segment, identity, &signed).await?;
        Ok(Self { storage, partition, identity, segment, blob, records, failed: false, signed })
    }

    /// The generation that claims are made in.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.signed.generation
    }

    /// The highest block that is claimed (or settled, or kept): the next claim is for the one above it.
    #[must_use]
    pub fn mark(&self) -> BlockRef {
        self.signed.mark()
    }

    /// The highest block known to be settled or kept.
    #[must_use]
    pub const fn floor(&self) -> BlockRef {
        self.signed.floor
    }

    /// The claim for `number` in the present generation, while it is live.
    #[must_use]
    pub fn claim(&self, number: u64) -> Option<&SignedClaim> {
        self.signed.claims.get(&number)
    }

    /// What is known to stand at `number`: remembered, settled or claimed.
    #[must_use]
    pub fn block_at(&self, number: u64) -> Option<BlockRef> {
        if number == self.signed.floor.number {
            return Some(self.signed.floor);
        }
        let claimed = self.claim(number).map(|signed| signed.claim.block);
        claimed.or_else(|| self.signed.history.get(&number).copied())
    }

    /// Every block known to stand, ascending: a few hundred that are settled, and those above that are claimed.
    #[must_use]
    pub fn known(&self) -> Vec<BlockRef> {
        let claimed = self.signed.claims.values().map(|signed| signed.claim.block);
        self.signed.history.values().copied().chain([self.signed.floor]).chain(claimed).collect()
    }

    /// The retraction that opened the present generation.
    #[must_use]
    pub const fn retraction(&self) -> Option<&SignedRetraction> {
        self.signed.retraction.as_ref()
    }

    /// Whether a claim may be signed: the claim itself when that was done before.
    pub fn permit(&self, claim: &HeadClaim) -> Result<Option<SignedClaim>, JournalError> {
        let (number, generation) = (claim.block.number, claim.generation);
        if generation == self.generation()
            && let Some(known) = self.block_at(number)
        {
            if known != claim.block {
                let (signed, asked) = (known.hash, claim.block.hash);
                return Err(JournalError::Equivocation { number, generation, signed, asked });
            }
            if let Some(signed) = self.claim(number) {
                return Ok(Some(*signed));
            }
        }
        let expected = self.mark().number.saturating_add(1);
        if generation != self.generation() || number != expected {
            return Err(JournalError::OutOfOrder {
                number,
                generation,
                expected,
                current: self.generation(),
            });
        }
        Ok(None)
    }

    /// Record a claim. It may be sent when this returns, and not before.
    pub async fn record_claim(&mut self, signed: SignedClaim) -> Result<(), JournalError> {
        if self.permit(&signed.claim)?.is_some() {
            return Ok(());
        }
        self.append(record(KIND_CLAIM, &signed)).await?;
        self.signed.apply_claim(signed);
        self.rewrite_when_long().await
    }

    /// Record a retraction. It may be sent when this returns, and not before.
    pub async fn record_retraction(&mut self, signed: SignedRetraction) -> Result<(), JournalError> {
        if self.signed.retraction == Some(signed) {
            return Ok(());
        }
        let (opened, kept) = (signed.retraction.generation, signed.retraction.kept);
        // A generation above the next is opened only after a journal was lost: what it had signed is then unknown.
        if opened <= self.generation() {
            let (current, mark) = (self.generation(), self.mark().number);
            return Err(JournalError::Retraction { opened, kept: kept.number, current, mark });
        }
        self.append(record(KIND_RETRACTION, &signed)).await?;
        self.signed.apply_retraction(signed);
        Ok(())
    }

    /// Nothing at or below `number` will be sent again. What stands there can no longer be signed differently either:
    /// claims are only made above the mark.
    pub fn settle(&mut self, number: u64) {
        if let Some(block) = self.claim(number).map(|signed| signed.claim.block) {
            self.signed.raise(block);
        }
    }

    /// Take over what the network holds, for a journal that lost its end: claims go on above `block` in `generation`.
    /// Only for keys whose holder remembers by itself what it signed.
    pub async fn adopt(&mut self, generation: Generation, block: BlockRef) -> Result<(), JournalError> {
        if (generation, block.number) <= (self.generation(), self.mark().number) {
            return Ok(());
        }
        self.signed = Signed::new(generation, block);
        self.rewrite().await
    }

    async fn append(&mut self, record: Vec<u8>) -> Result<(), JournalError> {
        if self.failed {
            return Err(RuntimeError::WriteFailed.into());
        }
        self.failed = true;
        self.blob.write_at(self.records * RECORD_BYTES as u64, record, WriteOptions::default()).await?;
        self.blob.sync().await?;
        self.failed = false;
        self.records += 1;
        Ok(())
    }

    async fn rewrite_when_long(&mut self) -> Result<(), JournalError> {
        if self.records < SEGMENT_RECORDS_MAX { Ok(()) } else { self.rewrite().await }
    }

    async fn rewrite(&mut self) -> Result<(), JournalError> {
        let segment = self.segment.saturating_add(1);
        let (blob, records) =
            write_segment(&self.storage, &self.partition, segment, self.identity, &self.signed).await?;
        let old = std::mem::replace(&mut self.segment, segment);
        self.blob = blob;
        self.records = records;
        self.storage.remove(&self.partition, Some(&old.to_be_bytes())).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
