//! Runs whole networks in virtual time from one seed.
//!
//! It holds no protocol logic of its own: the roles are the ones that production runs. It opens no socket, reads no
//! clock but the simulated one, and keeps nothing on disk. What a simulated chain answers is right by construction
//! unless a fault was asked for.
//!
//! ```text
//! seed ─▶ world ─┬─▶ chain: blocks made by revm, with witnesses     ◀─Chain, Submit─┐
//!                ├─▶ hum-node's operators, publishers and relayer on the deterministic runtime
//!                ├─▶ traffic: messages through the gateways
//!                └─▶ checks ─▶ Report { trace hash, sent, executed, duplicates, violations }
//! ```
//!
//! Invariants: equal seeds and settings give equal trace hashes, on any machine and any number of cores.
#![deny(missing_docs)]

pub mod chain;
pub mod world;
