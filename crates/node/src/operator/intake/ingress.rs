//! How others ask publishers for a block.

use commonware_utils::channel::mpsc;
use hum_types::{BlockRef, ChainId};

/// Requests that may wait.
const CAPACITY: usize = 256;

/// A block that a publisher should send again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Want {
    pub(crate) chain_id: ChainId,
    pub(crate) block: BlockRef,
}

#[derive(Clone)]
pub(crate) struct Mailbox(mpsc::Sender<Want>);

pub(crate) fn channel() -> (Mailbox, mpsc::Receiver<Want>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Mailbox(sender), receiver)
}

impl Mailbox {
    /// Ask for a block. Lost when too many wait: whoever wants it asks again.
    pub(crate) fn want(&self, chain_id: ChainId, block: BlockRef) {
        let _ = self.0.try_send(Want { chain_id, block });
    }
}
