//! The roles of the network, written once over the runtime and over `Chain` and `Submit`.
//!
//! This crate judges no block (`hum-verify`), decides no protocol rule (`hum-ledger`) and knows no engine
//! (`hum-consensus`): it connects them, keeps what must survive on disk, and says what it does.
//!
//! ```text
//! publisher ─claims, blocks, witnesses▶ operator ◀─consensus, attestations─▶ operators
//!                                          │
//!                                          └─checkpoints, certificates▶ relayer, API
//! ```
//!
//! Invariants: roles use the runtime's clock, tasks, storage and randomness only, so that the same code runs on sockets
//! and in virtual time; nothing that a peer sends is kept without a bound or believed without its proof.

pub mod api;
pub mod config;
pub mod lookout;
pub mod members;
pub mod membership;
pub mod operator;
pub mod own_node;
pub mod proxy;
pub mod publisher;
pub mod registry;
pub mod relayer;
pub mod runtime;
pub mod settlement;
pub mod status;
pub mod watcher;
pub mod wire;
