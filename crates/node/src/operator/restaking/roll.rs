//! The operators of the moment: registered, seated, or both.

use crate::{
    config::Network,
    registry::{self, Registered},
};
use commonware_utils::sync::Mutex;
use hum_consensus::{Peer, Peers, PeersError, PublicKey};
use hum_ledger::SeatedRoster;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

#[derive(Default)]
struct Listed {
    /// Of the present committee; before it was replayed, of the network file.
    seated: BTreeMap<PublicKey, SocketAddr>,
    /// As L1 last said.
    registered: Option<BTreeMap<PublicKey, SocketAddr>>,
}

/// Who is an operator, as far as we know. Clones are the same.
#[derive(Clone)]
pub(crate) struct Roll(Arc<(Mutex<Listed>, OnceLock<Peers>)>);

impl Roll {
    /// The operators of the network file.
    pub(crate) fn new(network: &Network) -> Self {
        let seated = network.operators.iter().map(|seat| (seat.key.clone(), seat.entry.address)).collect();
        Self(Arc::new((Mutex::new(Listed { seated, registered: None }), OnceLock::new())))
    }

    /// Keep the transport connected with them from now on.
    pub(crate) fn connect(&self, peers: Peers) -> Result<(), PeersError> {
        let _ = self.0.1.set(peers);
        self.tell()
    }

    /// A committee has its term.
    pub(crate) fn seat(&self, seated: &SeatedRoster) -> Result<(), PeersError> {
        let peers = seated.roster().entries.iter();
        let peers = peers.filter_map(|entry| registry::peer(entry.network_key, &entry.endpoint));
        self.0.0.lock().seated = peers.map(|peer| (peer.key, peer.address)).collect();
        self.tell()
    }

    /// L1 lists these.
    pub(crate) fn register(&self, registered: &[Registered]) -> Result<(), PeersError> {
        let peers = registered.iter();
        let peers = peers.filter_map(|entry| registry::peer(entry.network_key, &entry.endpoint));
        self.0.0.lock().registered = Some(peers.map(|peer| (peer.key, peer.address)).collect());
        self.tell()
    }

    /// Somebody has joined or left: publishers, relayers and watchers are these now.
    pub(crate) fn admit(&self, network: &Network) -> Result<(), PeersError> {
        let Some(peers) = self.0.1.get() else { return Ok(()) };
        let others = network.peers().into_iter();
        peers.set_others(others.map(|(peer, key)| Peer { key, address: peer.address }).collect())
    }

    /// Everyone; where both say something, L1's newest word on the address counts.
    fn all(&self) -> BTreeMap<PublicKey, SocketAddr> {
        let listed = self.0.0.lock();
        let mut all = listed.seated.clone();
        all.extend(listed.registered.iter().flatten().map(|(key, address)| (key.clone(), *address)));
        all
    }

    /// Everyone's key.
    pub(crate) fn keys(&self) -> Vec<PublicKey> {
        self.all().into_keys().collect()
    }

    /// Whether this is an operator.
    pub(crate) fn contains(&self, key: &PublicKey) -> bool {
        let listed = self.0.0.lock();
        listed.seated.contains_key(key)
            || listed.registered.as_ref().is_some_and(|registered| registered.contains_key(key))
    }

    fn tell(&self) -> Result<(), PeersError> {
        let Some(peers) = self.0.1.get() else { return Ok(()) };
        peers.set_operators(self.all().into_iter().map(|(key, address)| Peer { key, address }).collect())
    }
}
