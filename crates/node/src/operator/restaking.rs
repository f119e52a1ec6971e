//! Committees as our own L1 node shows them: what we propose at closing heights, and what we vote and attest there.
//!
//! ```text
//! L1 node ◀─poll─ restaking ─┬▶ proposal: the newest origin that we have looked at, with its roster
//!                            ├▶ vote, attestation: what L1 says at the proposed origin, asked now if need be
//!                            └▶ roll: whom we are connected with
//! ```
//!
//! Invariants: nothing is said of an origin that our node has not finalised; `false` only when our finalised chain has
//! another block there, or another committee.

mod actor;
mod roll;
mod view;

pub(crate) use actor::Actor;
pub(crate) use roll::Roll;
pub(crate) use view::Restaking;
