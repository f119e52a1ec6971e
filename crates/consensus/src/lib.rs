//! Orders checkpoints with Commonware Simplex and carries bytes between authenticated peers.
//!
//! This crate does not know what a checkpoint is: a payload is opaque bytes, its meaning belongs to the
//! [`Application`]. It holds no operator logic, makes no BLS signature and trusts no stake: Simplex counts heads, and
//! nothing outside this crate acts on that count alone. It is the one place where Commonware's generic engines are
//! given their types, so that the crates above stay free of type parameters and rebuild fast.
//!
//! ```text
//!             ┌──────────── Application (trait object, crates/node) ───────────┐
//!             │ propose / verify / known      term         finalized / fault   │
//!             ▼                                 │                    ▲         │
//!   adapter: ancestors, bounds                  │        delivery: in order, one at a time
//!             │                                 ▼                    │
//!   terms: one Simplex engine a term ────────── marshal (archives, backfill, catch-up)
//!     (ed25519, round robin)          schemes: the seats of each term
//!             │                                                      │
//!   muxes: votes, certificates and questions of each term            │
//!             │                                                      │
//!   seats: the six engine channels reach operators only  ◀── peers: who is one now
//!             │                                                      │
//!   authenticated network (`real`) or simulated links (`simulated`) ─┘
//!             └── wires: the node's own channels, operators and publishers alike
//! ```
//!
//! Heights are cut into terms of fixed length; who holds a seat can change between two of them only. Simplex's engine
//! lives for one term, everything else as long as the process. An operator without a seat follows the engine's messages
//! and never votes. A process that has just begun asks its peers what its key has voted ([`Recalling`]), and stops
//! when another process runs under that key already ([`Presence`]).
//!
//! Invariants
//! - One finalised payload per height, the same on every honest operator while fewer than a third misbehave in each term.
//! - [`Application::finalized`] sees heights in order, without gaps, each at least once; after a restart the first one
//!   it sees is at most the one after the last that it finished.
//! - A term's engine starts when the application names its committee, builds on the closing block of the term before,
//!   and never votes twice in a view: its journal stays until no restart can lead back to that term, and what the
//!   journal has lost its peers remember.
//! - Peers that are no operators can neither put a byte into an engine channel nor receive one from it.
//! - Under [`simulated`] the same seed gives the same run.
#![deny(missing_docs)]

mod adapter;
mod application;
mod archive;
mod block;
mod committee;
mod delivery;
mod elector;
mod engine;
mod lobby;
mod pace;
mod peers;
pub mod real;
mod recall;
mod schemes;
mod seats;
pub mod simulated;
mod terms;
mod tuning;
mod wire;

pub use application::{Application, Fault, FaultKind, Ordered, Slot};
pub use archive::Archive;
pub use block::MAX_PAYLOAD;
pub use committee::{Committee, CommitteeError};
pub use commonware_runtime::Handle;
pub use engine::{Running, StorageError, TERM_HEIGHTS_MIN};
pub use futures::future::BoxFuture;
pub use peers::{OTHERS_LATER_MAX, Peer, Peers, PeersError};
pub use recall::{Presence, Recalling, Twin};
pub use tuning::Tuning;
pub use wire::{MAX_MESSAGE, Recipients, Wire, WireReceiver, WireSender};

pub use commonware_cryptography::Signer;
/// A peer's identity: its name on the network and its voting key in Simplex.
pub type PublicKey = commonware_cryptography::ed25519::PublicKey;
/// The secret behind a [`PublicKey`].
pub type PrivateKey = commonware_cryptography::ed25519::PrivateKey;
/// keccak256 of an encoded consensus block (not the checkpoint's header hash).
pub type Digest = commonware_cryptography::keccak256::Digest;

#[cfg(test)]
mod tests;
