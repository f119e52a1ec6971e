//! How others reach the aggregator.

use commonware_utils::channel::mpsc;
use hum_bls::Attestation;
use hum_types::Header;

/// Headers that may wait.
const CAPACITY: usize = 64;

/// A header was finalised.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) header: Header,
    /// Our own word on it, on disk already.
    pub(crate) own: Option<Attestation>,
}

#[derive(Clone)]
pub(crate) struct Mailbox(mpsc::Sender<Message>);

pub(crate) fn channel() -> (Mailbox, mpsc::Receiver<Message>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Mailbox(sender), receiver)
}

impl Mailbox {
    /// A header was finalised; heights ascend.
    pub(crate) async fn finalised(&self, header: Header, own: Option<Attestation>) {
        let _ = self.0.send(Message { header, own }).await;
    }
}
