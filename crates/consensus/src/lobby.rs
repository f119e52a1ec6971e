//! What arrives for a term before its engine starts.
//!
//! Operators end a term within a message's travel of each other. Whoever is last would miss the first votes of the next
//! term, and the first leader would be taken for dead: so a few of them are held back for the engine. They also tell
//! who is ahead.

use crate::PublicKey;
use commonware_p2p::{
    Message, Receiver, Sender,
    utils::mux::{self, SubReceiver, SubSender},
};
use commonware_runtime::IoBuf;
use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroUsize,
};

/// Newest messages held for each peer. A term's first views are over long before so many have come.
const HELD_MAX: usize = 16;

/// Most bytes of a message worth holding: a certificate of 256 seats.
const HELD_BYTES_MAX: usize = 32 << 10;

/// One sub-channel of a term to come.
pub(crate) struct Lobby<S: Sender> {
    sender: SubSender<S>,
    receiver: SubReceiver<PublicKey>,
    held: BTreeMap<PublicKey, VecDeque<IoBuf>>,
}

impl<S: Sender> Lobby<S> {
    pub(crate) fn new((sender, receiver): (SubSender<S>, SubReceiver<PublicKey>)) -> Self {
        Self { sender, receiver, held: BTreeMap::new() }
    }

    /// Takes in the next message and says whose it is. Safe to cancel.
    pub(crate) async fn enter(&mut self) -> Result<PublicKey, mux::Error> {
        let (peer, message) = self.receiver.recv().await?;
        if message.len() <= HELD_BYTES_MAX {
            let held = self.held.entry(peer.clone()).or_default();
            if held.len() == HELD_MAX {
                held.pop_front();
            }
            // A copy: the message may be a slice of something large.
            held.push_back(IoBuf::from(message.as_ref().to_vec()));
        }
        Ok(peer)
    }

    /// The channel for the engine: first what was held.
    pub(crate) fn open(self) -> (SubSender<S>, Replayed) {
        let held = self
            .held
            .into_iter()
            .flat_map(|(peer, messages)| messages.into_iter().map(move |message| (peer.clone(), message)));
        (self.sender, Replayed { held: held.collect(), receiver: self.receiver })
    }
}

/// A channel that begins with what was held.
#[derive(Debug)]
pub(crate) struct Replayed {
    held: VecDeque<Message<PublicKey>>,
    receiver: SubReceiver<PublicKey>,
}

impl Receiver for Replayed {
    type Error = mux::Error;
    type PublicKey = PublicKey;

    async fn recv(&mut self) -> Result<Message<PublicKey>, mux::Error> {
        match self.held.pop_front() {
            Some(message) => Ok(message),
            None => self.receiver.recv().await,
        }
    }

    fn capacity(&self) -> NonZeroUsize {
        self.receiver.capacity()
    }
}
