//! Keeps the engine's channels among operators, whoever else is connected.
//!
//! Publishers and relayers share the network. Commonware sends `All` to every connected peer and fetches from any
//! tracked one; these wrappers narrow both to the operators of the moment.

use crate::PublicKey;
use commonware_p2p::{
    LimitedSender, Message, PeerSetSubscription, PeerSetUpdate, Provider, Receiver, Recipients, Sender,
    TrackedPeers,
};
use commonware_utils::{channel::mpsc, ordered::Set, sync::Mutex};
use std::{num::NonZeroUsize, sync::Arc, time::SystemTime};

/// The operators as the engine's source of peers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seats(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    index: u64,
    operators: Set<PublicKey>,
    subscribers: Vec<mpsc::UnboundedSender<PeerSetUpdate<PublicKey>>>,
}

impl State {
    fn update(&self) -> PeerSetUpdate<PublicKey> {
        let peers = TrackedPeers::primary(self.operators.clone());
        PeerSetUpdate { index: self.index, latest: peers.clone(), all: peers }
    }
}

impl Seats {
    /// Replaces the operators; `index` rises.
    pub(crate) fn set(&self, index: u64, operators: Set<PublicKey>) {
        let mut state = self.0.lock();
        (state.index, state.operators) = (index, operators);
        let update = state.update();
        state.subscribers.retain(|subscriber| subscriber.send(update.clone()).is_ok());
    }

    /// Narrows one channel to the operators.
    pub(crate) fn narrow<S, R>(
        &self,
        me: &PublicKey,
        (sender, receiver): (S, R),
    ) -> (SeatSender<S>, SeatReceiver<R>) {
        let seats = self.clone();
        (
            SeatSender { inner: sender, seats: self.clone(), me: me.clone() },
            SeatReceiver { inner: receiver, seats },
        )
    }

    fn contains(&self, key: &PublicKey) -> bool {
        self.0.lock().operators.position(key).is_some()
    }
}

impl Provider for Seats {
    type PublicKey = PublicKey;

    async fn peer_set(&mut self, id: u64) -> Option<TrackedPeers<PublicKey>> {
        let state = self.0.lock();
        (id == state.index).then(|| TrackedPeers::primary(state.operators.clone()))
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<PublicKey> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut state = self.0.lock();
        // The receiver is alive: it is returned below.
        let _ = sender.send(state.update());
        state.subscribers.push(sender);
        receiver
    }
}

/// Sends to other operators only.
#[derive(Clone, Debug)]
pub(crate) struct SeatSender<S> {
    inner: S,
    seats: Seats,
    me: PublicKey,
}

impl<S: Sender<PublicKey = PublicKey>> LimitedSender for SeatSender<S> {
    type PublicKey = PublicKey;
    type Checked<'a>
        = S::Checked<'a>
    where
        Self: 'a;

    fn check(&mut self, recipients: Recipients<PublicKey>) -> Result<Self::Checked<'_>, SystemTime> {
        let seated: Vec<PublicKey> = {
            let state = self.seats.0.lock();
            let other = |peer: &PublicKey| *peer != self.me && state.operators.position(peer).is_some();
            match recipients {
                Recipients::All => state.operators.iter().filter(|peer| **peer != self.me).cloned().collect(),
                Recipients::Some(peers) => peers.into_iter().filter(other).collect(),
                Recipients::One(peer) => Some(peer).filter(other).into_iter().collect(),
            }
        };
        self.inner.check(Recipients::Some(seated))
    }
}

/// Drops what does not come from an operator.
#[derive(Debug)]
pub(crate) struct SeatReceiver<R> {
    inner: R,
    seats: Seats,
}

impl<R: Receiver<PublicKey = PublicKey>> Receiver for SeatReceiver<R> {
    type Error = R::Error;
    type PublicKey = PublicKey;

    async fn recv(&mut self) -> Result<Message<PublicKey>, R::Error> {
        loop {
            let (peer, message) = self.inner.recv().await?;
            if self.seats.contains(&peer) {
                return Ok((peer, message));
            }
        }
    }

    fn capacity(&self) -> NonZeroUsize {
        self.inner.capacity()
    }
}
