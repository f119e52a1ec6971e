//! How others have a block fetched.

use commonware_utils::channel::mpsc;
use hum_consensus::PublicKey;
use hum_types::{BlockRef, ChainId, Height};

/// Requests that may wait.
const CAPACITY: usize = 256;

/// A block to fetch.
#[derive(Debug, Clone)]
pub(crate) struct Want {
    pub(crate) chain_id: ChainId,
    pub(crate) block: BlockRef,
    /// Who is known to have it.
    pub(crate) from: Option<PublicKey>,
}

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a bounded mailbox of a few")]
pub(crate) enum Message {
    Block(Want),
    /// Of the header that closes an epoch at this height.
    Certificate(Height),
}

#[derive(Clone)]
pub(crate) struct Mailbox(mpsc::Sender<Message>);

pub(crate) fn channel() -> (Mailbox, mpsc::Receiver<Message>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Mailbox(sender), receiver)
}

impl Mailbox {
    /// Have a block fetched; it goes to the book. Lost when too many wait: the book asks again.
    pub(crate) fn want(&self, chain_id: ChainId, block: BlockRef, from: Option<PublicKey>) {
        let _ = self.0.try_send(Message::Block(Want { chain_id, block, from }));
    }

    /// Have a handover's certificate fetched unless it is made here soon; it goes to the aggregator.
    pub(crate) fn certificate(&self, height: Height) {
        let _ = self.0.try_send(Message::Certificate(height));
    }
}
