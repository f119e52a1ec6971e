//! Questions between processes: ours to other operators, and anyone's to us.
//!
//! Answers to ours are believed only for what they prove themselves; questions to us are answered from memory where
//! possible, from the consensus archive where not, and refused when a peer asks too much.

mod actor;
mod handover;
mod ingress;
mod state;

pub(crate) use actor::Actor;
pub(crate) use ingress::{Mailbox, Want, channel};
