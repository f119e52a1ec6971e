//! Plan what to deliver next, with which proof, and when to stop.
//!
//! This crate sends nothing, reads no clock and trusts nobody: what it is told of the operators' chain was verified by
//! the ledger and a certificate, and what it is told of a destination only decides what is tried, never what is true.
//!
//! ```text
//! finalised checkpoints + certificate ─▶ Outbox ─┐
//! destination: records, statuses ─▶ Observed ────┼─▶ Planner ─▶ Submit(Transaction) ─▶ calldata
//! transaction: included, reverted, lost ─────────┘          ├─▶ Lead: closing certificates and tables to light clients
//!                                                           └─▶ Observe, Forget, Alarm
//! ```
//!
//! Invariants: a planner that starts anew learns all it needs from chains, so nothing is lost or doubled by a crash;
//! what is reserved and spent in a period never exceeds the cap; a message that fails never holds up another one; a
//! lane's memory is bounded by its window; a light client is led through every epoch in order, by whoever comes first.

mod calldata;
mod certified;
mod destination;
mod lane;
mod outbox;
mod pack;
mod plan;
mod planner;
mod policy;
mod spend;
pub mod storage;
pub mod wei;

pub use calldata::{
    Calldata, CalldataError, calldata, certificate, lane_proof, lead_data, rollup_proof, run,
};
pub use certified::{CertifiedChain, Closing, OfferError, Offered};
pub use destination::Counts;
pub use outbox::{Certified, CommitteeView, LaneKey, LaneView, MessageView, Outbox};
pub use plan::{
    Action, Alarm, ClientSeen, Input, Job, LaneQuery, LaneRecord, LaneSeen, Lead, MessageStatus, Observation,
    Outcome, Query, Run, Step, Transaction, TransactionId,
};
pub use planner::Planner;
pub use policy::{GasCosts, Policy};
pub use spend::SpendBook;

#[cfg(test)]
mod tests;
