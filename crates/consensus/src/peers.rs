//! Who may hold seats, and where they listen: a set that changes while the process runs.

use crate::{Committee, PublicKey, seats::Seats};
use commonware_utils::{ordered::Set, sync::Mutex};
use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Arc};
use thiserror::Error;

/// A process of the network and where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its identity.
    pub key: PublicKey,
    /// Where it accepts connections.
    pub address: SocketAddr,
}

/// Why the operators cannot be replaced; those before stay.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PeersError {
    /// More than the mailboxes were made for.
    #[error("{given} operators, seats of the running term included, exceed the maximum of {max}")]
    TooMany {
        /// How many there would be.
        given: usize,
        /// [`crate::real::Network::operators_max`] or the simulation's.
        max: usize,
    },
}

/// Tells the transport whom to be connected with: a rising number and every operator.
pub(crate) type Track = Box<dyn Fn(u64, &[Peer]) + Send + Sync>;

/// The operators that this process is connected with. Clones act on the same set.
#[derive(Clone)]
pub struct Peers(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    seats: Seats,
    track: Track,
    max: usize,
}

struct State {
    /// Rises with every change.
    index: u64,
    /// As last given.
    given: BTreeMap<PublicKey, SocketAddr>,
    /// Seats of the running term: they stay connected even when the registry no longer lists them.
    seated: Set<PublicKey>,
    /// What the transport was told: `given`, and those of `seated` whose address is known.
    told: BTreeMap<PublicKey, SocketAddr>,
}

impl Peers {
    /// Tells the transport of the first operators at once.
    pub(crate) fn new(
        operators: &[Peer],
        max: usize,
        genesis: &Committee,
        track: Track,
    ) -> Result<Self, PeersError> {
        let state =
            State { index: 0, given: BTreeMap::new(), seated: genesis.set().clone(), told: BTreeMap::new() };
        let peers = Self(Arc::new(Inner { state: Mutex::new(state), seats: Seats::default(), track, max }));
        peers.set_operators(operators.to_vec())?;
        Ok(peers)
    }

    /// Replaces the operators by everybody who is registered now. Seats of the running term that are missing in the
    /// list stay connected until their term is over, at the address that was last given for them; after a restart none
    /// was, so a node lists the present roster as well. An operator that is listed twice has its last address. Nothing
    /// happens when nothing changes.
    pub fn set_operators(&self, operators: Vec<Peer>) -> Result<(), PeersError> {
        let given = operators.into_iter().map(|peer| (peer.key, peer.address)).collect();
        self.0.change(|state| state.given = given)
    }

    /// The seats of the term that begins.
    pub(crate) fn seat(&self, committee: &Committee) {
        // Only drops peers: whoever is known is connected already.
        let _ = self.0.change(|state| state.seated = committee.set().clone());
    }

    /// This process runs no terms: only those that it lists are connected.
    pub(crate) fn unseat(&self) {
        // Only drops peers.
        let _ = self.0.change(|state| state.seated = Set::default());
    }

    /// Most operators that there can ever be at once.
    pub(crate) fn max(&self) -> usize {
        self.0.max
    }

    pub(crate) fn seats(&self) -> &Seats {
        &self.0.seats
    }
}

impl Inner {
    fn change(&self, change: impl FnOnce(&mut State)) -> Result<(), PeersError> {
        let mut state = self.state.lock();
        let (given, seated) = (state.given.clone(), state.seated.clone());
        change(&mut state);
        let mut next = state.given.clone();
        for key in &state.seated {
            if let Some(address) = state.told.get(key) {
                next.entry(key.clone()).or_insert(*address);
            }
        }
        if next.len() > self.max {
            (state.given, state.seated) = (given, seated);
            return Err(PeersError::TooMany { given: next.len(), max: self.max });
        }
        if next != state.told {
            let peers: Vec<Peer> =
                next.iter().map(|(key, address)| Peer { key: key.clone(), address: *address }).collect();
            (self.track)(state.index, &peers);
            self.seats.set(state.index, Set::from_iter_dedup(next.keys().cloned()));
            state.index += 1;
            state.told = next;
        }
        Ok(())
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.lock();
        f.debug_struct("Peers").field("index", &state.index).field("operators", &state.told.len()).finish()
    }
}
