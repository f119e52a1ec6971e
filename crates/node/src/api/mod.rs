//! HTTP for people and tools: what a role does, what was finalised, where a message is.
//!
//! Roles do not talk to each other here: they use the network's wires. Nothing here can change anything.
//!
//! ```text
//! role ──status()──▶ server ─▶ GET /status, /metrics                      every role
//! operator ─finalised, certified─▶ Index (SQLite) ─▶ GET /checkpoints, /certificates, /messages
//!          └─replayed chain─▶ LeafProof ──────────▶ GET /rollups/{chain id}/proof, /members
//! ```
//!
//! This module runs on tokio only: it is the edge, and virtual time has no people in it.

mod index;
mod leaf;
mod model;
mod own_node;
mod server;

pub use index::{Index, IndexError};
pub use leaf::LeafProof;
pub use model::{
    CertificateFile, CheckpointView, CommitteeView, MemberView, MessageView, OperatorStatus, Page,
    RollupView, StageTimes, confidence_of,
};
pub use own_node::{OwnNodeView, class_in_words};
pub use server::{ApiError, MembersFrom, Proofs, Reports, TimesFrom, serve, serve_operator, serve_publisher};
