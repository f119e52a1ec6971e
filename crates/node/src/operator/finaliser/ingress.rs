//! How consensus reaches the finaliser.

use commonware_utils::channel::{mpsc, oneshot};
use hum_consensus::Ordered;

/// Consensus hands over one block at a time.
const CAPACITY: usize = 16;

pub(crate) struct Message {
    pub(crate) block: Ordered,
    pub(crate) done: oneshot::Sender<()>,
}

#[derive(Clone)]
pub(crate) struct Mailbox(mpsc::Sender<Message>);

pub(crate) fn channel() -> (Mailbox, mpsc::Receiver<Message>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Mailbox(sender), receiver)
}

impl Mailbox {
    /// Resolves when the block is applied and what must survive is on disk. Never, when that cannot be done.
    pub(crate) async fn finalised(&self, block: Ordered) {
        let (done, applied) = oneshot::channel();
        if self.0.send(Message { block, done }).await.is_ok() && applied.await.is_ok() {
            return;
        }
        // The operator has stopped: nothing may be acknowledged any more.
        std::future::pending().await
    }
}
