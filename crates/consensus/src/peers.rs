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
    /// More of those who do not order than the mailboxes were made for.
    #[error("{given} publishers, relayers and watchers exceed the maximum of {max}")]
    TooManyOthers {
        /// How many there would be.
        given: usize,
        /// Those at the start and [`OTHERS_LATER_MAX`] more.
        max: usize,
    },
}

/// Publishers, relayers and watchers that can be let in beside those at the start.
pub const OTHERS_LATER_MAX: usize = 256;

/// Tells the transport whom to be connected with: a rising number, every operator, and everyone else.
pub(crate) type Track = Box<dyn Fn(u64, &[Peer], &[Peer]) + Send + Sync>;

/// Whom this process is connected with: the operators, and everyone else. Clones act on the same set.
#[derive(Clone)]
pub struct Peers(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    seats: Seats,
    track: Track,
    max: usize,
    others_max: usize,
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
    /// Those who do not order, as last given.
    others: BTreeMap<PublicKey, SocketAddr>,
    /// Those of them whom the transport was told of: who is an operator is told as one.
    told_others: BTreeMap<PublicKey, SocketAddr>,
}

impl Peers {
    /// Tells the transport of the first operators at once.
    pub(crate) fn new(
        operators: &[Peer],
        others: &[Peer],
        max: usize,
        genesis: &Committee,
        track: Track,
    ) -> Result<Self, PeersError> {
        let state = State {
            index: 0,
            given: BTreeMap::new(),
            seated: genesis.set().clone(),
            told: BTreeMap::new(),
            others: addresses(others.to_vec()),
            told_others: BTreeMap::new(),
        };
        let others_max = others.len().saturating_add(OTHERS_LATER_MAX);
        let (state, seats) = (Mutex::new(state), Seats::default());
        let peers = Self(Arc::new(Inner { state, seats, track, max, others_max }));
        peers.set_operators(operators.to_vec())?;
        Ok(peers)
    }

    /// Replaces the operators by everybody who is registered now. Seats of the running term that are missing in the
    /// list stay connected until their term is over, at the address that was last given for them; after a restart none
    /// was, so a node lists the present roster as well. An operator that is listed twice has its last address. Nothing
    /// happens when nothing changes.
    pub fn set_operators(&self, operators: Vec<Peer>) -> Result<(), PeersError> {
        let given = addresses(operators);
        self.0.change(|state| state.given = given)
    }

    /// Replaces everyone who may connect and does not order: who is missing in the list is dropped. Whoever is an operator
    /// stays one, at the address that was given for it as such. Nothing happens when nothing changes.
    pub fn set_others(&self, others: Vec<Peer>) -> Result<(), PeersError> {
        let others = addresses(others);
        self.0.change(|state| state.others = others)
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
        let before = (state.given.clone(), state.seated.clone(), state.others.clone());
        change(&mut state);
        let mut next = state.given.clone();
        for key in &state.seated {
            if let Some(address) = state.told.get(key) {
                next.entry(key.clone()).or_insert(*address);
            }
        }
        let others = state.others.iter().filter(|(key, _)| !next.contains_key(*key));
        let others: BTreeMap<PublicKey, SocketAddr> = others.map(|(key, at)| (key.clone(), *at)).collect();
        let refused = if next.len() > self.max {
            Err(PeersError::TooMany { given: next.len(), max: self.max })
        } else if others.len() > self.others_max {
            Err(PeersError::TooManyOthers { given: others.len(), max: self.others_max })
        } else {
            Ok(())
        };
        if refused.is_err() {
            (state.given, state.seated, state.others) = before;
            return refused;
        }
        if next != state.told || others != state.told_others {
            (self.track)(state.index, &peers(&next), &peers(&others));
            if next != state.told {
                self.seats.set(state.index, Set::from_iter_dedup(next.keys().cloned()));
            }
            state.index += 1;
            (state.told, state.told_others) = (next, others);
        }
        Ok(())
    }
}

fn addresses(peers: Vec<Peer>) -> BTreeMap<PublicKey, SocketAddr> {
    peers.into_iter().map(|peer| (peer.key, peer.address)).collect()
}

fn peers(addresses: &BTreeMap<PublicKey, SocketAddr>) -> Vec<Peer> {
    addresses.iter().map(|(key, address)| Peer { key: key.clone(), address: *address }).collect()
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.lock();
        f.debug_struct("Peers")
            .field("index", &state.index)
            .field("operators", &state.told.len())
            .field("others", &state.told_others.len())
            .finish()
    }
}
