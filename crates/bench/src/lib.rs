//! Measure what Hum promises in numbers, in process.
//!
//! It asserts nothing about time and talks to no network; figures that do not depend on the machine are held by tests.
//!
//! ```text
//! gas:    ledger (proofs) ─▶ relay (calldata) ─▶ revm with the committed artifacts ─▶ GasReport
//! peers:  packages that other protocols publish ─▶ the same revm ─▶ PeerFigures
//! verify: block and witness ─▶ verify, and its EVM alone over a cache ─▶ BlockFigures
//! ```
//!
//! Invariant: what is measured is what a relayer would send: certificates, proofs and calldata come from the same code.

pub mod gas;
pub mod peers;
pub mod verify;
