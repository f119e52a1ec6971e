//! Every rollup's blocks on their way into a checkpoint: claimed, held, judged, proposed.
//!
//! ```text
//! offer ─▶ claims, data ─▶ job (one a rollup at a time) ─▶ verdict ─▶ collect (proposer)
//!             │   ▲                                            └────▶ ensure  (voter, waits)
//!             └───┴── wanted: asked of peers and publishers again
//! settle ◀── finalised checkpoints: what was advanced leaves, and is served to who missed it
//! ```
//!
//! Invariants: what is held of a rollup is bounded in number and bytes; a verdict is kept for a pair of block and parent,
//! so that another parent asks for another verdict; one rollup's work never waits for another's.

mod actor;
mod data;
mod ingress;
mod judged;
mod left_out;
mod own;
mod state;
mod track;

pub(crate) use actor::Actor;
pub(crate) use data::Arrived;
pub(crate) use ingress::{Mailbox, Message, channel};
pub(crate) use judged::{Judged, ValidBlock};
pub(crate) use state::{Book, LaneCounts, claim_of};
