//! What a publisher has signed, on disk before anybody else sees it.
//!
//! ```text
//! segment = base record ‖ records of what was live when it was made ‖ records appended since
//! record  = kind 1 ‖ payload 149 ‖ first 8 bytes of H(kind ‖ payload)
//! ```
//!
//! A record is synced before what it records is sent. So a torn last record was never sent and is cut off; a bad
//! record before good ones is damage, and the publisher does not start with it.

use commonware_runtime::{Blob, Error as RuntimeError, Storage, WriteOptions};
use hum_types::{
    BlockRef, ChainId, Decode, Encode, Generation, HeadClaim, Reader, RegistrationId, SignedClaim, SignedRetraction,
    keccak256,
};
use std::collections::BTreeMap;

const PAYLOAD_BYTES: usize = 149;
const CHECK_BYTES: usize = 8;
const RECORD_BYTES: usize = 1 + PAYLOAD_BYTES + CHECK_BYTES;
const KIND_CLAIM: u8 = 1;
const KIND_RETRACTION: u8 = 2;
const KIND_BASE: u8 = 3;
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
    #[error("journal belongs to chain {found_chain} registration {found}, this is chain {chain} registration {expected}")]
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
    #[error("record {record} of {records} in journal segment {segment} is damaged: move the journal away to start a new generation")]
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
    #[error("retraction opens generation {opened} at block {kept}, the present generation is {current} at {mark}")]
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

/// The claims and the retraction that count.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Signed {
    generation: Generation,
    /// Everything up to here is settled or kept; claims start above.
    floor: BlockRef,
    claims: BTreeMap<u64, SignedClaim>,
    /// The one that opened the generation.
    retraction: Option<SignedRetraction>,
}

impl Signed {
    fn mark(&self) -> BlockRef {
        self.claims.last_key_value().map_or(self.floor, |(_, signed)| signed.claim.block)
    }

    fn apply_claim(&mut self, signed: SignedClaim) {
        self.claims.insert(signed.claim.block.number, signed);
    }

    fn apply_retraction(&mut self, signed: SignedRetraction) {
        self.generation = signed.retraction.generation;
        self.floor = signed.retraction.kept;
        self.claims.clear();
        self.retraction = Some(signed);
    }
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
        let names: Vec<u64> =
            segments.iter().filter_map(|name| name.as_slice().try_into().ok().map(u64::from_be_bytes)).collect();

        for (position, segment) in names.iter().enumerate().rev() {
            let (blob, size) = storage.open(&partition, &segment.to_be_bytes()).await?;
            let bytes = read_all(&blob, size).await?;
            let (signed, records) = match replay(*segment, &bytes, identity) {
                Ok(Some(read)) => read,
                Ok(None) => {
                    storage.remove(&partition, Some(&segment.to_be_bytes())).await?;
                    continue;
                }
                // A rewrite that a crash cut short: the segment before it is whole, and still there.
                Err(JournalError::Damaged { .. }) if position > 0 => {
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
            return Ok(Self { storage, partition, identity, segment: *segment, blob, records, failed: false, signed });
        }

        let signed =
            Signed { generation: Generation(0), floor: identity.anchor, claims: BTreeMap::new(), retraction: None };
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

    /// What is known to stand at `number`: a live claim's block, or the floor.
    #[must_use]
    pub fn block_at(&self, number: u64) -> Option<BlockRef> {
        if number == self.signed.floor.number {
            return Some(self.signed.floor);
        }
        self.claim(number).map(|signed| signed.claim.block)
    }

    /// The floor and every live claim's block, ascending.
    #[must_use]
    pub fn live(&self) -> Vec<BlockRef> {
        let claimed = self.signed.claims.values().map(|signed| signed.claim.block);
        std::iter::once(self.signed.floor).chain(claimed).collect()
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
            if known == claim.block {
                return Ok(self.claim(number).copied());
            }
            let (signed, asked) = (known.hash, claim.block.hash);
            return Err(JournalError::Equivocation { number, generation, signed, asked });
        }
        let expected = self.mark().number.saturating_add(1);
        if generation != self.generation() || number != expected {
            return Err(JournalError::OutOfOrder { number, generation, expected, current: self.generation() });
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
        let Some(block) = self.block_at(number) else { return };
        if block.number > self.signed.floor.number {
            self.signed.claims = self.signed.claims.split_off(&number.saturating_add(1));
            self.signed.floor = block;
        }
    }

    /// Take over what the network holds, for a journal that lost its end: claims go on above `block` in `generation`.
    /// Only for keys whose holder remembers by itself what it signed.
    pub async fn adopt(&mut self, generation: Generation, block: BlockRef) -> Result<(), JournalError> {
        if (generation, block.number) <= (self.generation(), self.mark().number) {
            return Ok(());
        }
        self.signed = Signed { generation, floor: block, claims: BTreeMap::new(), retraction: None };
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

/// Start a segment with what is live. The base record counts what follows it, so that half a segment is told apart.
async fn write_segment<E: Storage>(
    storage: &E,
    partition: &str,
    segment: u64,
    identity: Identity,
    signed: &Signed,
) -> Result<(E::Blob, u64), JournalError> {
    let live = signed.claims.len() as u64 + u64::from(signed.retraction.is_some());
    let base = Base { identity, generation: signed.generation, floor: signed.floor, live };
    let mut bytes = record(KIND_BASE, &base);
    if let Some(retraction) = &signed.retraction {
        bytes.extend(record(KIND_RETRACTION, retraction));
    }
    for claim in signed.claims.values() {
        bytes.extend(record(KIND_CLAIM, claim));
    }
    let (blob, _) = storage.open(partition, &segment.to_be_bytes()).await?;
    blob.resize(0).await?;
    blob.write_at(0, bytes, WriteOptions::default()).await?;
    blob.sync().await?;
    Ok((blob, live + 1))
}

async fn read_all(blob: &impl Blob, size: u64) -> Result<Vec<u8>, RuntimeError> {
    let length = usize::try_from(size).map_err(|_| RuntimeError::ReadFailed)?;
    if length == 0 {
        return Ok(Vec::new());
    }
    let read = blob.read_at(0, length, commonware_runtime::ReadOptions::default()).await?;
    Ok(read.coalesce().as_ref().to_vec())
}

/// First record of a segment.
struct Base {
    identity: Identity,
    generation: Generation,
    floor: BlockRef,
    live: u64,
}

impl Encode for Base {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.identity.chain_id.encode_to(out);
        out.extend_from_slice(self.identity.registration.0.as_slice());
        self.generation.encode_to(out);
        self.floor.encode_to(out);
        out.extend_from_slice(&self.live.to_be_bytes());
    }
}

fn record(kind: u8, value: &impl Encode) -> Vec<u8> {
    let mut bytes = vec![kind];
    value.encode_to(&mut bytes);
    bytes.resize(1 + PAYLOAD_BYTES, 0);
    let check = keccak256(&bytes);
    bytes.extend_from_slice(&check[..CHECK_BYTES]);
    bytes
}

/// Kind and payload of a whole, undamaged record.
fn opened(record: &[u8]) -> Option<(u8, &[u8])> {
    let (body, check) = record.split_at_checked(1 + PAYLOAD_BYTES)?;
    let (kind, payload) = body.split_first()?;
    (check == &keccak256(body)[..CHECK_BYTES]).then_some((*kind, payload))
}

/// What the records amount to, and how many there are; `None` when nothing was ever recorded.
fn replay(segment: u64, bytes: &[u8], identity: Identity) -> Result<Option<(Signed, u64)>, JournalError> {
    let records: Vec<&[u8]> = bytes.chunks_exact(RECORD_BYTES).collect();
    let good = records.iter().take_while(|record| opened(record).is_some()).count();
    let damaged = || JournalError::Damaged { segment, record: good as u64, records: records.len() as u64 };
    let Some((KIND_BASE, payload)) = records.first().and_then(|record| opened(record)) else {
        // Nothing is appended before the base is synced: with two whole records, this one was good once.
        return if records.len() > 1 { Err(damaged()) } else { Ok(None) };
    };
    let mut reader = Reader::new(payload);
    let base = read_base(&mut reader).map_err(|_| damaged())?;
    let found = base.identity;
    if (found.chain_id, found.registration) != (identity.chain_id, identity.registration) {
        return Err(JournalError::Foreign {
            found_chain: found.chain_id,
            found: found.registration,
            chain: identity.chain_id,
            expected: identity.registration,
        });
    }
    // What was live is written with the base; after it only the last record can be torn.
    if (good as u64) <= base.live || good + 1 < records.len() {
        return Err(damaged());
    }
    let mut signed =
        Signed { generation: base.generation, floor: base.floor, claims: BTreeMap::new(), retraction: None };
    for record in records.iter().take(good).skip(1) {
        let Some((kind, payload)) = opened(record) else { return Err(damaged()) };
        match kind {
            KIND_CLAIM => signed.apply_claim(SignedClaim::decode(payload).map_err(|_| damaged())?),
            KIND_RETRACTION => {
                let retraction = SignedRetraction::decode(payload).map_err(|_| damaged())?;
                if retraction.retraction.generation > signed.generation {
                    signed.apply_retraction(retraction);
                } else {
                    // The one that opened the base's generation: the floor has moved on since.
                    signed.retraction = Some(retraction);
                }
            }
            _ => return Err(damaged()),
        }
    }
    Ok(Some((signed, good as u64)))
}

fn read_base(reader: &mut Reader<'_>) -> Result<Base, hum_types::DecodeError> {
    let chain_id = ChainId::decode_from(reader)?;
    let registration = RegistrationId(reader.b256("registration")?);
    let generation = Generation::decode_from(reader)?;
    let floor = BlockRef::decode_from(reader)?;
    let live = reader.u64("live records")?;
    // The anchor is configuration, not history; it is not kept here.
    Ok(Base { identity: Identity { chain_id, registration, anchor: floor }, generation, floor, live })
}

#[cfg(test)]
mod tests;
