//! The operator's door for publishers: decodes, authenticates, answers.
//!
//! It keeps nothing: what is taken goes to [`super::blocks`], which bounds it.

mod actor;
mod ingress;

pub(crate) use actor::Actor;
pub(crate) use ingress::{Mailbox, Want, channel};
