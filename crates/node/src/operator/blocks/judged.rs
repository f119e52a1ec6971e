//! What we say of a block.

use hum_types::InvalidReason;
use hum_verify::{CertifiedHeader, OutgoingMessage};
use std::sync::Arc;

/// A block that was found valid on its parent.
#[derive(Debug)]
pub(crate) struct ValidBlock {
    /// Its header, fit to be the next parent.
    pub(crate) header: CertifiedHeader,
    /// Messages that it sent, in log order.
    pub(crate) messages: Vec<OutgoingMessage>,
}

/// What we say of a block on a parent.
#[derive(Debug, Clone)]
pub(crate) enum Judged {
    /// It follows.
    Valid(Arc<ValidBlock>),
    /// It does not.
    Invalid(InvalidReason),
}
