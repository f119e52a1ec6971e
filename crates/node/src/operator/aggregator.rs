//! Collects the operators' attestations and makes certificates.
//!
//! ```text
//! finalised header + own attestation ─▶ window ─gossip▶ others
//! others' attestations ───────────────▶ window ─quorum▶ certificate ─late ones▶ fuller certificate
//! ```
//!
//! Invariants: attestations are collected for finalised headers of a bounded window only, one for each seat, and only
//! from the seat that made it; a certificate is published only after it was checked.

mod actor;
mod ingress;
mod state;

pub(crate) use actor::Actor;
pub(crate) use ingress::{Mailbox, channel};
