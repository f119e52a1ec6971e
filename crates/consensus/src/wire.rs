//! Channels of the node's own over the same authenticated network, without type parameters.

use crate::PublicKey;
use bytes::Bytes;
use commonware_p2p::{Receiver, Sender};
use futures::{FutureExt as _, future::BoxFuture};
use std::{fmt, num::NonZeroU32, sync::Arc};
use tracing::error;

/// Most bytes of one wire message: a block of 36 Mgas with its witness, and room to spare.
pub const MAX_MESSAGE: usize = 8 << 20;

/// Whom a message goes to. `All` means every connected peer, operators and others alike.
pub type Recipients = commonware_p2p::Recipients<PublicKey>;

trait SendBytes: Send + Sync {
    fn send(&self, to: Recipients, message: Bytes, priority: bool) -> Vec<PublicKey>;
}

struct ErasedSender<S>(S);

impl<S: Sender<PublicKey = PublicKey>> SendBytes for ErasedSender<S> {
    fn send(&self, to: Recipients, message: Bytes, priority: bool) -> Vec<PublicKey> {
        self.0.clone().send(to, message, priority)
    }
}

trait RecvBytes: Send {
    fn recv(&mut self) -> BoxFuture<'_, Option<(PublicKey, Bytes)>>;
}

struct ErasedReceiver<R>(R);

impl<R: Receiver<PublicKey = PublicKey>> RecvBytes for ErasedReceiver<R> {
    fn recv(&mut self) -> BoxFuture<'_, Option<(PublicKey, Bytes)>> {
        async { self.0.recv().await.ok().map(|(peer, message)| (peer, message.into())) }.boxed()
    }
}

/// The sending end of a wire; clones share one quota.
#[derive(Clone)]
pub struct WireSender(Arc<dyn SendBytes>);

impl WireSender {
    /// Hands a message to the network and returns the peers it will be tried for: those connected or named that are
    /// within their quota. Delivery is not promised and a peer that is away gets nothing, so whoever needs an answer
    /// asks again. Messages with priority overtake others that wait for the same peer. A message above
    /// [`MAX_MESSAGE`] goes to nobody.
    pub fn send(&self, to: Recipients, message: Bytes, priority: bool) -> Vec<PublicKey> {
        if message.len() > MAX_MESSAGE {
            error!(length = message.len(), max = MAX_MESSAGE, "message exceeds what the network carries");
            return Vec::new();
        }
        self.0.send(to, message, priority)
    }
}

#[cfg(test)]
struct Caught<F>(F);

#[cfg(test)]
impl<F: Fn(Recipients, Bytes) + Send + Sync> SendBytes for Caught<F> {
    fn send(&self, to: Recipients, message: Bytes, _: bool) -> Vec<PublicKey> {
        self.0(to, message);
        Vec::new()
    }
}

#[cfg(test)]
impl WireSender {
    /// A sender whose messages are caught.
    pub(crate) fn caught(catch: impl Fn(Recipients, Bytes) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Caught(catch)))
    }
}

impl fmt::Debug for WireSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WireSender")
    }
}

/// The receiving end of a wire.
pub struct WireReceiver(Box<dyn RecvBytes>);

impl WireReceiver {
    /// The next message and its authenticated sender; `None` when the network has shut down. Safe to cancel.
    /// Arrivals are dropped when the owner falls more than a quota's burst per peer behind.
    pub async fn recv(&mut self) -> Option<(PublicKey, Bytes)> {
        self.0.recv().await
    }
}

impl fmt::Debug for WireReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WireReceiver")
    }
}

/// One channel of the node's own.
#[derive(Debug)]
pub struct Wire {
    /// The sending end.
    pub sender: WireSender,
    /// The receiving end.
    pub receiver: WireReceiver,
}

impl Wire {
    pub(crate) fn new(
        (sender, receiver): (impl Sender<PublicKey = PublicKey>, impl Receiver<PublicKey = PublicKey>),
    ) -> Self {
        Self {
            sender: WireSender(Arc::new(ErasedSender(sender))),
            receiver: WireReceiver(Box::new(ErasedReceiver(receiver))),
        }
    }
}

/// Shows every message to someone before it goes out.
struct TappedSender<F>(WireSender, F);

impl<F: Fn(&Bytes) + Send + Sync> SendBytes for TappedSender<F> {
    fn send(&self, to: Recipients, message: Bytes, priority: bool) -> Vec<PublicKey> {
        self.1(&message);
        self.0.send(to, message, priority)
    }
}

impl Wire {
    /// The same wire, with `observe` called for every message before it is sent. A simulation checks with it that no
    /// process ever says what would convict it.
    #[must_use]
    pub fn tapped(self, observe: impl Fn(&Bytes) + Send + Sync + 'static) -> Self {
        Self { sender: WireSender(Arc::new(TappedSender(self.sender, observe))), receiver: self.receiver }
    }
}

/// Channel number of the first wire; the engine's lie below.
pub(crate) const FIRST_WIRE: u64 = 16;

/// Wires are numbered in the order in which every process of the network lists their quotas.
pub(crate) fn numbered(quotas: &[NonZeroU32]) -> impl Iterator<Item = (u64, NonZeroU32)> + '_ {
    (FIRST_WIRE..).zip(quotas.iter().copied())
}
