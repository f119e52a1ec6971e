//! Keeps the engine's channels among operators, whoever else is connected.
//!
//! Publishers and relayers share the network. Commonware sends `All` to every connected peer and fetches from any
//! tracked one; these wrappers narrow both to the committee.

use crate::{Committee, PublicKey};
use commonware_p2p::{
    LimitedSender, Message, PeerSetSubscription, PeerSetUpdate, Provider, Receiver, Recipients, Sender,
    TrackedPeers,
};
use commonware_utils::{channel::mpsc, ordered::Set, sync::Mutex};
use std::{num::NonZeroUsize, sync::Arc, time::SystemTime};

/// The only peer set that is tracked while the committee is fixed.
pub(crate) const PEER_SET: u64 = 0;

/// The committee as the engine's source of peers.
#[derive(Clone, Debug)]
pub(crate) struct Seats {
    operators: Set<PublicKey>,
    // Commonware takes a closed subscription for a closed network.
    subscribers: Arc<Mutex<Vec<mpsc::UnboundedSender<PeerSetUpdate<PublicKey>>>>>,
}

impl Seats {
    pub(crate) fn new(committee: &Committee) -> Self {
        Self { operators: committee.set().clone(), subscribers: Arc::default() }
    }

    /// Narrows one channel to the committee.
    pub(crate) fn narrow<S, R>(
        &self,
        me: &PublicKey,
        (sender, receiver): (S, R),
    ) -> (SeatSender<S>, SeatReceiver<R>) {
        let others = Set::from_iter_dedup(self.operators.iter().filter(|key| *key != me).cloned());
        (
            SeatSender { inner: sender, others },
            SeatReceiver { inner: receiver, operators: self.operators.clone() },
        )
    }
}

impl Provider for Seats {
    type PublicKey = PublicKey;

    async fn peer_set(&mut self, id: u64) -> Option<TrackedPeers<PublicKey>> {
        (id == PEER_SET).then(|| TrackedPeers::primary(self.operators.clone()))
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<PublicKey> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let peers = TrackedPeers::primary(self.operators.clone());
        // The receiver is alive: it is returned below.
        let _ = sender.send(PeerSetUpdate { index: PEER_SET, latest: peers.clone(), all: peers });
        self.subscribers.lock().push(sender);
        receiver
    }
}

/// Sends to other operators only.
#[derive(Clone, Debug)]
pub(crate) struct SeatSender<S> {
    inner: S,
    others: Set<PublicKey>,
}

impl<S: Sender<PublicKey = PublicKey>> LimitedSender for SeatSender<S> {
    type PublicKey = PublicKey;
    type Checked<'a>
        = S::Checked<'a>
    where
        Self: 'a;

    fn check(&mut self, recipients: Recipients<PublicKey>) -> Result<Self::Checked<'_>, SystemTime> {
        let seated: Vec<PublicKey> = match recipients {
            Recipients::All => self.others.iter().cloned().collect(),
            Recipients::Some(peers) => {
                peers.into_iter().filter(|peer| self.others.position(peer).is_some()).collect()
            }
            Recipients::One(peer) => self.others.position(&peer).map(|_| peer).into_iter().collect(),
        };
        self.inner.check(Recipients::Some(seated))
    }
}

/// Drops what does not come from an operator.
#[derive(Debug)]
pub(crate) struct SeatReceiver<R> {
    inner: R,
    operators: Set<PublicKey>,
}

impl<R: Receiver<PublicKey = PublicKey>> Receiver for SeatReceiver<R> {
    type Error = R::Error;
    type PublicKey = PublicKey;

    async fn recv(&mut self) -> Result<Message<PublicKey>, R::Error> {
        loop {
            let (peer, message) = self.inner.recv().await?;
            if self.operators.position(&peer).is_some() {
                return Ok((peer, message));
            }
        }
    }

    fn capacity(&self) -> NonZeroUsize {
        self.inner.capacity()
    }
}
