//! What contracts store, read straight from their slots; fixed in `contracts/src/gateway/GatewayStore.sol` and
//! `contracts/src/LightClient.sol`.

use crate::{ClientSeen, LaneRecord, MessageStatus};
use alloy_primitives::U256;
use hum_types::{
    B256, Epoch, Generation, Header, Height, LaneIndex, RegistrationId, TimeMs, TimeS, keccak256,
};

/// Messages whose status one word holds.
pub const STATUSES_PER_WORD: u64 = 128;

/// Places that a light client has for checkpoints.
const RING_PLACES: u64 = 64;
/// Slot of the first place.
const RING_SLOT: u64 = 2;
/// Slot of a light client's epochs, and of the newest one's number.
const EPOCHS: u64 = 0;
const NEWEST_EPOCH: u64 = 66;
const SOURCES: u64 = 1;
const PROGRESS: u64 = 2;
const STATUSES: u64 = 4;

fn mapping(key: B256, slot: u64) -> B256 {
    let mut bytes = [0_u8; 64];
    bytes[..32].copy_from_slice(key.as_slice());
    bytes[56..].copy_from_slice(&slot.to_be_bytes());
    keccak256(bytes)
}

/// Slot of a light client's place for `height`.
#[must_use]
pub fn checkpoint_slot(height: Height) -> B256 {
    U256::from(RING_SLOT + height.0 % RING_PLACES).into()
}

/// What that place holds when the light client knows this header.
#[must_use]
pub fn checkpoint_word(header: &Header) -> B256 {
    let mut content = [0_u8; 40];
    content[..8].copy_from_slice(&header.time_ms.0.to_be_bytes());
    content[8..].copy_from_slice(header.rollups_root.as_slice());
    let mut word = [0_u8; 32];
    word[..8].copy_from_slice(&header.height.0.to_be_bytes());
    word[8..].copy_from_slice(&keccak256(content)[..24]);
    B256::new(word)
}

/// Slot of a light client's newest epoch and of the end of its last table.
#[must_use]
pub fn newest_epoch_slot() -> B256 {
    U256::from(NEWEST_EPOCH).into()
}

/// The newest epoch whose table was named to a light client, and until when some table that it has is good.
#[must_use]
pub fn newest_epoch(word: B256) -> (Epoch, TimeS) {
    (Epoch(u64::from_be_bytes(field(word, 24))), TimeS(u64::from_be_bytes(field(word, 16))))
}

/// Slot of an epoch's table in a light client.
#[must_use]
pub fn epoch_slot(epoch: Epoch) -> B256 {
    mapping(U256::from(epoch.0).into(), EPOCHS)
}

/// How far a light client is, from its two words: that at [`newest_epoch_slot`] and that of the epoch named there.
#[must_use]
pub fn client(newest: B256, epoch: B256) -> ClientSeen {
    let (newest, usable_until) = newest_epoch(newest);
    ClientSeen { epoch: newest, installed: field::<20>(epoch, 12) != [0; 20], usable_until }
}

/// Slot of what a façade's deliveries read of a source.
#[must_use]
pub fn source_slot(registration: RegistrationId) -> B256 {
    mapping(registration.0, SOURCES)
}

/// Slot of the façade's progress on a source.
#[must_use]
pub fn progress_slot(registration: RegistrationId) -> B256 {
    mapping(registration.0, PROGRESS)
}

/// Slot of the statuses of messages `group · 128 .. (group + 1) · 128`.
#[must_use]
pub fn statuses_slot(registration: RegistrationId, generation: Generation, group: u64) -> B256 {
    let mut bytes = [0_u8; 44];
    bytes[..32].copy_from_slice(registration.0.as_slice());
    bytes[32..36].copy_from_slice(&generation.0.to_be_bytes());
    bytes[36..].copy_from_slice(&group.to_be_bytes());
    mapping(keccak256(bytes), STATUSES)
}

fn field<const N: usize>(word: B256, at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&word[at..at + N]);
    bytes
}

/// Whether the source is allowed, and its recorded lane, if any.
#[must_use]
pub fn lane_record(source: B256, progress: B256) -> (bool, Option<LaneRecord>) {
    let mut time = [0; 8];
    time[2..].copy_from_slice(&field::<6>(source, 24));
    let time_ms = TimeMs(u64::from_be_bytes(time));
    let count = u64::from_be_bytes(field(progress, 16));
    let generation = Generation(u32::from_be_bytes(field(progress, 24)));
    let recorded = field::<24>(source, 0) != [0; 24];
    let record = (time_ms.0 > 0).then_some(LaneRecord {
        generation,
        count: if recorded { count } else { 0 },
        time_ms,
    });
    (source[31] & 1 == 1, record)
}

/// A message's status in its word; `None` for a value that no gateway writes.
#[must_use]
pub fn status(word: B256, index: LaneIndex) -> Option<MessageStatus> {
    let bit = 2 * (index.0 % STATUSES_PER_WORD) as usize;
    match word[31 - bit / 8] >> (bit % 8) & 3 {
        0 => Some(MessageStatus::None),
        1 => Some(MessageStatus::Failed),
        2 => Some(MessageStatus::Done),
        _ => None,
    }
}

/// The message id and status that a façade's log tells of, if it is one of those logs.
#[must_use]
pub fn status_in_log(topics: &[B256]) -> Option<(B256, MessageStatus)> {
    let [topic, id] = topics else { return None };
    let status = if *topic == keccak256("Delivered(bytes32)") {
        MessageStatus::Done
    } else if *topic == keccak256("Failed(bytes32)") {
        MessageStatus::Failed
    } else {
        return None;
    };
    Some((*id, status))
}
