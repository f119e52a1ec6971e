//! Decide what a checkpoint says: the pure state transition of rollups, heads and lanes, and the proofs under it.
//!
//! The ledger judges no block. It checks what every reader of the operators' chain can check from bytes alone: that
//! claims are signed, that heads advance without gaps, that lanes and roots are what the bodies make them, that
//! committees change only where a term ends and only to keys whose possession is proven. Whether a block is valid is
//! `verify`'s business; who voted is `consensus`'s; whether a roster is what L1 says, the operators'.
//!
//! ```text
//! Genesis ─▶ State ──seal(body)──▶ (Header, State)      the proposer
//!              └──check(checkpoint)──▶ State            everyone else, and every replay
//!                                        └─▶ Archive    finalised checkpoints only: lane trees and proofs
//! ```
//!
//! Invariants: `seal` and `check` agree on every body; a [`State`] is cheap to clone, so a proposal that dies costs
//! nothing; the roots of an [`Archive`] are those of the states it was fed; what is `Safe` or `Finalized` is never retracted.

mod archive;
mod history;
mod judgement;
mod lanes;
mod membership;
mod refusal;
mod reorg;
mod rollup;
mod roster;
mod settle;
mod state;

pub use archive::{Archive, ArchiveError, EpochRecord, HeadProof, LaneProof, PendingMessage, RunProof};
pub use membership::ANCHOR_NUMBER_MAX;
pub use refusal::Refusal;
pub use rollup::{BlockRecord, Rollup, RollupParams};
pub use roster::{RosterError, SeatedRoster, roster_entry};
pub use settle::Settled;
pub use state::{Genesis, State};

/// Blocks of a rollup, up to its head, that a `Safe` or `Finalized` head can move to; those below the `Finalized` head are
/// forgotten before. Of older ones `Safe` heads are kept, which can become `Finalized`, and blocks at even distances, at
/// which a chain settles that needs days for it. A batch that ends between them settles nothing, the next one can.
pub const HISTORY_BLOCKS_MAX: usize = 4_096;

/// `Safe` heads above the `Finalized` one that are kept; the oldest goes first.
pub const SAFE_HEADS_MAX: usize = 4_096;

/// Blocks of a rollup, up to its head, that a retraction can cut back to; what is `Safe` ends them before.
pub const RETRACTABLE_BLOCKS_MAX: usize = 512;

#[cfg(test)]
mod tests;
