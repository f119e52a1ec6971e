//! How others reach the aggregator.

use commonware_utils::channel::mpsc;
use hum_bls::{Attestation, Certificate};
use hum_types::Header;

/// Headers that may wait.
const CAPACITY: usize = 64;

pub(crate) enum Message {
    /// A header was finalised; `own` is our own word on it, on disk already.
    Finalised { header: Box<Header>, own: Option<Attestation> },
    /// A certificate that was asked for.
    Fetched(Box<Certificate>),
}

#[derive(Clone)]
pub(crate) struct Mailbox(mpsc::Sender<Message>);

pub(crate) fn channel() -> (Mailbox, mpsc::Receiver<Message>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Mailbox(sender), receiver)
}

impl Mailbox {
    /// A header was finalised; heights ascend, but for one whose attestation comes late.
    pub(crate) async fn finalised(&self, header: Header, own: Option<Attestation>) {
        let _ = self.0.send(Message::Finalised { header: Box::new(header), own }).await;
    }

    /// A peer has sent this certificate.
    pub(crate) async fn fetched(&self, certificate: Certificate) {
        let _ = self.0.send(Message::Fetched(Box::new(certificate))).await;
    }
}
