//! Follows the finalised chain: applies it, signs it, tells the others.
//!
//! ```text
//! consensus ─▶ ledger ─▶ book (did we judge it?) ─▶ disk ─▶ own attestation ─▶ aggregator, events
//! ```
//!
//! Invariants: checkpoints are applied in order, each once; an attestation is on disk before anyone sees it, and at most
//! one is ever made for a height; a finalised checkpoint that the ledger refuses stops this operator for good.

mod actor;
mod ingress;
mod signer;

pub(crate) use actor::Actor;
pub(crate) use ingress::{Mailbox, Message, channel};
pub(crate) use signer::Signer;
pub use signer::SignerError;
