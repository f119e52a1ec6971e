//! Pack blocks for L1, and rebuild them from there.
//!
//! ```text
//! data    = version 1 ‖ compression 1 ‖ raw deflate of payload
//! payload = parent hash 32 ‖ count 4 ‖ blocks
//! block   = its RLP, with parentHash and transactionsRoot as empty strings
//! ```
//!
//! What is left out follows from what is there: the parent from the block before, the transactions root from the
//! transactions. So whoever has the bytes has every block with its hash, and needs no execution for it. Header items are
//! copied as they stand, whatever a stack adds to them.
//!
//! Invariants: what [`Batch::decode`] accepts packs to the same payload again; no input, however compressed, is inflated
//! beyond [`PAYLOAD_BYTES_MAX`]; blocks are contiguous, and each body is the one that its header commits to.

mod blob;
mod block;
mod deflate;
mod pack;
mod unpack;

pub use blob::{BLOB_BYTES, BLOB_DATA_BYTES_MAX, BLOBS_MAX, BlobError, from_blobs, to_blobs};
pub use block::BlockError;
pub use deflate::InflateError;
pub use pack::{Batch, PackError, pack, pack_fitting};
pub use unpack::{BatchError, Unpacked, UnpackedBlock};

/// The first byte of a batch.
pub const VERSION: u8 = 1;
/// The second byte of a batch: its payload is compressed by raw deflate (RFC 1951).
pub const COMPRESSION_DEFLATE: u8 = 1;
/// Bytes of a batch in the calldata of one post: what a transaction of 128 KiB, as nodes of L1 pass it on, has room for.
pub const DATA_BYTES_MAX: usize = 120_000;
/// Bytes of a payload.
pub const PAYLOAD_BYTES_MAX: usize = 8 << 20;
/// Blocks in a batch.
pub const BLOCKS_MAX: usize = 8_192;
/// Transactions and withdrawals in a batch, together: far above what fits when each is signed, and a bound for the work
/// of computing roots.
pub const ITEMS_MAX: usize = 65_536;

#[cfg(test)]
mod tests;
