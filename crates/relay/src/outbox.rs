//! What there is to deliver, as the newest certified checkpoint says it.

use hum_types::{
    ChainId, Confidence, Epoch, Generation, Height, LaneId, LaneIndex, RollupStatus, TimeMs, TimeS,
};
use serde::{Deserialize, Serialize};

/// A lane with the chain that it starts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LaneKey {
    /// The chain it starts on.
    pub source: ChainId,
    /// Façade and destination.
    pub lane: LaneId,
}

/// The newest checkpoint that has a certificate; everything here is as of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certified {
    /// Its height.
    pub height: Height,
    /// Its time.
    pub time_ms: TimeMs,
    /// The epoch that it was signed in.
    pub epoch: Epoch,
}

/// A committee, as far as leading light clients to it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitteeView {
    /// Seats in its table.
    pub operators: u16,
    /// When chains stop believing it.
    pub valid_until: TimeS,
}

/// A lane under the newest certified checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneView {
    /// The lane.
    pub key: LaneKey,
    /// Its façade's confidence.
    pub confidence: Confidence,
    /// Its source's generation: what a proof of it leaves in its record. `Latest` lanes start anew with it.
    pub generation: Generation,
    /// Messages in it, as of its source's head of that confidence.
    pub count: u64,
    /// Its source's standing.
    pub status: RollupStatus,
}

/// What planning needs to know of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageView {
    /// The generation in its leaf.
    pub generation: Generation,
    /// Gas that its recipient gets.
    pub min_gas_limit: u32,
    /// Length of its payload.
    pub payload_bytes: usize,
}

/// Where the planner looks up what there is to deliver. Nothing in it is unverified.
pub trait Outbox {
    /// The newest certified checkpoint; `None` before the first.
    fn certified(&self) -> Option<Certified>;

    /// The newest epoch that a certified checkpoint opened: that of the height which follows. All before it are closed.
    fn epoch(&self) -> Epoch;

    /// Who signs in an epoch; `None` for one that has not begun, or that lies before the genesis.
    fn committee(&self, epoch: Epoch) -> Option<CommitteeView>;

    /// Every lane with a message in it, of all three façades, in order of [`LaneKey`]. A lane of `Safe` or `Finalized` is
    /// there once such a head is settled that holds a message.
    fn lanes(&self) -> Vec<LaneView>;

    /// A message of a lane; `None` when the lane has no such index or its content was forgotten.
    fn message(&self, key: &LaneKey, index: LaneIndex) -> Option<MessageView>;

    /// Messages at the front of the lane that no retraction touched which opened a generation after `since`; all of them
    /// where the lane is `Safe` or `Finalized`.
    fn kept(&self, key: &LaneKey, since: Generation) -> u64;
}
