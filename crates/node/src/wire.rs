//! What processes of the network say to each other, channel by channel.
//!
//! Every message is bounded and canonical; the sender is authenticated by the network before a byte is read. Nothing
//! in a message is believed for having been sent: claims, attestations and certificates carry their own proof, and
//! everything else is checked against something that does.
//!
//! ```text
//! submit   publisher ⇄ operator   claims with block and witness; what was taken, refused or is wanted again
//! gossip   operator  ⇄ operator   attestations, and certificates for those that missed them
//! fetch    any peer  ⇄ operator   one question, one answer
//! feed     follower  ⇄ operator   what was finalised and certified, as it happens
//! ```

mod feed;
mod fetch;
mod gossip;
mod submit;

pub use feed::{FOLLOW_LEASE_MS, FeedEvent, FeedRequest, WATCH_BATCH_MAX};
pub use fetch::{
    Answer, BlockId, CHECKPOINTS_BYTES_MAX, CHECKPOINTS_MAX, FetchMessage, NodeStatus, Question, RollupHead,
};
pub use gossip::{GOSSIP_BATCH_MAX, Gossip};
pub use submit::{
    PublisherMessage, PublisherReply, PublisherStatus, RefusalKind, SUBMISSION_BYTES_MAX, Submission,
};

use hum_consensus::Wire;
use std::num::NonZeroU32;

/// Messages per second and peer on each wire, in the order of [`Wires`]' fields. Mailboxes are allocated for a burst
/// from every peer, so these are a few times what a busy network needs, not more.
pub const QUOTAS: [NonZeroU32; 4] = [
    // Blocks with their witnesses are large: a publisher's window and the questions beside it, not more.
    NonZeroU32::new(96).unwrap(),
    NonZeroU32::new(128).unwrap(),
    NonZeroU32::new(128).unwrap(),
    NonZeroU32::new(128).unwrap(),
];

/// The node's channels.
#[derive(Debug)]
pub struct Wires {
    /// Between publishers and operators.
    pub submit: Wire,
    /// Among operators.
    pub gossip: Wire,
    /// Questions to operators.
    pub fetch: Wire,
    /// News from operators.
    pub feed: Wire,
}

/// The network opened another number of channels than it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the network opened {found} wires, {expected} expected")]
pub struct WireCount {
    /// How many it opened.
    pub found: usize,
    /// How many [`QUOTAS`] lists.
    pub expected: usize,
}

impl TryFrom<Vec<Wire>> for Wires {
    type Error = WireCount;

    fn try_from(wires: Vec<Wire>) -> Result<Self, WireCount> {
        let found = wires.len();
        let [submit, gossip, fetch, feed] =
            wires.try_into().map_err(|_| WireCount { found, expected: QUOTAS.len() })?;
        Ok(Self { submit, gossip, fetch, feed })
    }
}
