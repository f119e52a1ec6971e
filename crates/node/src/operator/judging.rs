//! Judging rollups that nobody re-executes, by this operator's own nodes.
//!
//! ```text
//! own node ─OwnBlock▶ actor (one a rollup) ─written down▶ pen ─▶ book, which collects two thirds of the judging stake
//!                        ▲ head, generation, committee         └▶ gossip: every operator's book
//!                        └── finalised checkpoints
//! ```
//!
//! Invariants: one judgement for a generation and number, on disk before anyone sees it; nothing is signed that does not
//! stand on the certified chain and our own judgements above it; one rollup's node never keeps another's waiting.

mod actor;
mod pen;

pub(crate) use actor::Actor;
