//! The journal's bytes.

use super::{Identity, JournalError, signed::Signed};
use commonware_runtime::{Blob, Error as RuntimeError, ReadOptions, Storage, WriteOptions};
use hum_types::{
    BlockRef, ChainId, Decode, DecodeError, Encode, Generation, Reader, RegistrationId, SignedClaim,
    SignedRetraction, keccak256,
};

const PAYLOAD_BYTES: usize = 149;
const CHECK_BYTES: usize = 8;
pub(super) const RECORD_BYTES: usize = 1 + PAYLOAD_BYTES + CHECK_BYTES;
pub(super) const KIND_CLAIM: u8 = 1;
pub(super) const KIND_RETRACTION: u8 = 2;
const KIND_BASE: u8 = 3;
const KIND_HISTORY: u8 = 4;
/// Start a segment with what is live. The base record counts what follows it, so that half a segment is told apart.
pub(super) async fn write_segment<E: Storage>(
    storage: &E,
    partition: &str,
    segment: u64,
    identity: Identity,
    signed: &Signed,
) -> Result<(E::Blob, u64), JournalError> {
    let live = (signed.claims.len() + signed.history.len()) as u64 + u64::from(signed.retraction.is_some());
    let base = Base { identity, generation: signed.generation, floor: signed.floor, live };
    let mut bytes = record(KIND_BASE, &base);
    if let Some(retraction) = &signed.retraction {
        bytes.extend(record(KIND_RETRACTION, retraction));
    }
    for block in signed.history.values() {
        bytes.extend(record(KIND_HISTORY, block));
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

pub(super) async fn read_all(blob: &impl Blob, size: u64) -> Result<Vec<u8>, RuntimeError> {
    let length = usize::try_from(size).map_err(|_| RuntimeError::ReadFailed)?;
    if length == 0 {
        return Ok(Vec::new());
    }
    let read = blob.read_at(0, length, ReadOptions::default()).await?;
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

pub(super) fn record(kind: u8, value: &impl Encode) -> Vec<u8> {
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
pub(super) fn replay(
    segment: u64,
    bytes: &[u8],
    identity: Identity,
) -> Result<Option<(Signed, u64)>, JournalError> {
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
    let mut signed = Signed::new(base.generation, base.floor);
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
            KIND_HISTORY => {
                let block = BlockRef::decode_from(&mut Reader::new(payload)).map_err(|_| damaged())?;
                signed.history.insert(block.number, block);
            }
            _ => return Err(damaged()),
        }
    }
    Ok(Some((signed, good as u64)))
}

fn read_base(reader: &mut Reader<'_>) -> Result<Base, DecodeError> {
    let chain_id = ChainId::decode_from(reader)?;
    let registration = RegistrationId(reader.b256("registration")?);
    let generation = Generation::decode_from(reader)?;
    let floor = BlockRef::decode_from(reader)?;
    let live = reader.u64("live records")?;
    // The anchor is configuration, not history; it is not kept here.
    Ok(Base { identity: Identity { chain_id, registration, anchor: floor }, generation, floor, live })
}
