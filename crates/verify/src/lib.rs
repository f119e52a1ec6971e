//! Judge a block from evidence alone.
//!
//! It does not fetch, store or sign anything, knows no clock, and decides nothing beyond one block: what a verdict means
//! for a rollup is the caller's business. Two rule sets are re-executed: Ethereum's, from Cancun to Osaka, and the OP
//! Stack's, from Bedrock to Jovian.
//!
//! ```text
//! block RLP ─▶ header ─── hash = the signed one? ──┐ no: Undecided
//!                │                                 ▼
//!                └─▶ rules against the certified parent ──────▶ Invalid
//!              body ─── roots = the header's? ─────┐ no: Undecided
//!                                                  ▼
//! witness ─▶ trie under the parent's state root ─▶ execution ─▶ every root, sum and bloom ─▶ Invalid
//!                                                  │ something is not there: Undecided
//!                                                  ▼
//!                                    Valid: certified header, messages
//! ```
//!
//! Invariants: `Invalid` is said only of what the signed hash commits to. A witness can keep a block from being judged; it
//! cannot change the judgement: each node and code counts only under its hash, from the certified state root down. The
//! parent never comes from the witness. Equal inputs give equal verdicts, on any number of cores.

pub mod bench;
mod block;
pub mod dialect;
mod execute;
pub mod file;
mod header;
mod kept;
mod limits;
mod message;
mod op;
mod ordered;
mod receipts;
mod spec;
pub mod state;
#[cfg(test)]
mod tests;
pub mod trie;
mod verdict;
mod verifier;
mod witness;

pub use limits::{Limits, WitnessLimits};
pub use message::{
    GatewayLogError, MESSAGE_SENT, MIN_GAS_LIMIT, MalformedGatewayLog, OutgoingMessage, messages_of,
};
pub use op::{L1Info, L1InfoError};
pub use spec::{BlobStep, ChainSpec, EthereumRules, FeeParams, OpRules, Rules, SpecError};
pub use verdict::{CertifiedHeader, Missing, Reason, Summary, Verdict};
pub use verifier::Verifier;
pub use witness::{Witness, WitnessDecodeError};
