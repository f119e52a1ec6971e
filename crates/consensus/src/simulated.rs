//! Whole networks in one deterministic runtime: virtual time, seeded order, links that lose and delay.

use crate::{
    Application, Committee, Peer, Peers, PeersError, PrivateKey, PublicKey, Running, Signer as _,
    StorageError, TERM_HEIGHTS_MIN, Tuning, Wire,
    engine::{self, CHANNELS, Channels, Setup, max_message},
    wire::numbered,
};
use commonware_p2p::{
    Manager as _, TrackedPeers,
    simulated::{self, Error, Oracle, Receiver, Sender},
};
use commonware_runtime::{Quota, Spawner as _, Supervisor as _, deterministic::Context};
use commonware_utils::{NZUsize, Probability, channel::oneshot, ordered::Set, sync::Mutex};
use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};
use thiserror::Error as ThisError;

/// How messages travel in one direction between two peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Mean delay.
    pub latency_ms: u64,
    /// Standard deviation of the delay.
    pub jitter_ms: u64,
    /// Messages lost of a thousand.
    pub lost_per_mille: u16,
}

impl Default for Link {
    fn default() -> Self {
        Self { latency_ms: 10, jitter_ms: 2, lost_per_mille: 0 }
    }
}

/// Why something cannot be done in the simulated network.
#[derive(Debug, ThisError)]
pub enum SimulationError {
    /// A term must have room for more than its closing height.
    #[error("terms of {given} heights are shorter than {TERM_HEIGHTS_MIN}")]
    Term {
        /// [`Layout::term_heights`].
        given: u64,
    },
    /// More operators than [`Layout::operators_max`].
    #[error(transparent)]
    Peers(#[from] PeersError),
    /// The simulated network refused.
    #[error(transparent)]
    Network(#[from] Error),
    /// The operator's storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The operator went away while starting.
    #[error("the operator stopped while starting")]
    Stopped,
}

/// What a simulated network is made of.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Seats of term 0.
    pub genesis: Committee,
    /// Heights of a term, at least [`TERM_HEIGHTS_MIN`].
    pub term_heights: u64,
    /// Who may hold seats from the start, with or without one in the genesis.
    pub operators: Vec<PublicKey>,
    /// Most operators that there can ever be at once.
    pub operators_max: usize,
    /// Publishers and relayers.
    pub others: Vec<PublicKey>,
    /// One entry for each wire: messages per second and peer.
    pub wires: Vec<NonZeroU32>,
    /// How messages travel between any two.
    pub link: Link,
}

impl Layout {
    /// The same operators for ever, in terms that are longer than any simulation.
    pub fn fixed(genesis: Committee, others: Vec<PublicKey>, wires: Vec<NonZeroU32>, link: Link) -> Self {
        let operators = genesis.operators().to_vec();
        Self {
            term_heights: u64::from(u32::MAX),
            operators_max: operators.len(),
            genesis,
            operators,
            others,
            wires,
            link,
        }
    }
}

/// A simulated network that processes can join, leave and rejoin.
#[derive(Clone)]
pub struct World {
    oracle: Oracle<PublicKey, Context>,
    layout: Arc<Layout>,
    known: Arc<Mutex<Known>>,
}

/// Whom the network carries messages for. One network for all: it knows everybody whom any process listed.
struct Known {
    index: u64,
    operators: Vec<PublicKey>,
}

impl World {
    /// Starts the network with every peer linked to every other.
    pub async fn new(context: &Context, layout: Layout) -> Result<Self, SimulationError> {
        if layout.term_heights < TERM_HEIGHTS_MIN {
            return Err(SimulationError::Term { given: layout.term_heights });
        }
        if layout.operators.len() > layout.operators_max {
            let (given, max) = (layout.operators.len(), layout.operators_max);
            return Err(PeersError::TooMany { given, max }.into());
        }
        let (network, oracle) = simulated::Network::new(
            context.child("network"),
            simulated::Config {
                max_size: max_message(layout.operators_max),
                // The network remembers every operator that ever was.
                max_peers_per_set: NZUsize!(64).saturating_add(layout.operators_max + layout.others.len()),
                disconnect_on_block: true,
                tracked_peer_sets: NZUsize!(1),
            },
        );
        network.start();
        let known = Arc::new(Mutex::new(Known { index: 0, operators: Vec::new() }));
        let world = Self { oracle, layout: Arc::new(layout), known };
        world.track(&world.layout.operators);
        let peers = world.peers();
        for from in &peers {
            for to in peers.iter().filter(|to| *to != from) {
                world.link(from, to, world.layout.link).await?;
            }
        }
        Ok(world)
    }

    fn peers(&self) -> Vec<PublicKey> {
        self.known.lock().operators.iter().chain(&self.layout.others).cloned().collect()
    }

    /// Makes the network carry messages of operators that it does not know yet.
    fn track(&self, operators: &[PublicKey]) {
        let mut known = self.known.lock();
        let before = known.operators.len();
        for operator in operators {
            if !known.operators.contains(operator) {
                known.operators.push(operator.clone());
            }
        }
        if known.operators.len() > before {
            let set = |keys: &[PublicKey]| Set::from_iter_dedup(keys.iter().cloned());
            let tracked = TrackedPeers::new(set(&known.operators), set(&self.layout.others));
            self.oracle.manager().track(known.index, tracked);
            known.index += 1;
        }
    }

    /// The operators as one process sees them. Addresses mean nothing here.
    fn peers_of_process(&self) -> Result<Peers, SimulationError> {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let operators: Vec<Peer> =
            self.layout.operators.iter().map(|key| Peer { key: key.clone(), address }).collect();
        let world = self.clone();
        let track = move |_: u64, operators: &[Peer], _: &[Peer]| {
            world.track(&operators.iter().map(|peer| peer.key.clone()).collect::<Vec<_>>());
        };
        let Layout { operators_max, genesis, .. } = &*self.layout;
        Ok(Peers::new(&operators, &[], *operators_max, genesis, Box::new(track))?)
    }

    /// Sets how messages travel from `from` to `to`.
    pub async fn link(&self, from: &PublicKey, to: &PublicKey, link: Link) -> Result<(), SimulationError> {
        // Replace whatever was there.
        match self.oracle.remove_link(from.clone(), to.clone()).await {
            Ok(()) | Err(Error::LinkMissing) => {}
            Err(error) => return Err(error.into()),
        }
        let delivered = 1_000 - u64::from(link.lost_per_mille.min(1_000));
        let success_rate = Probability::new(delivered, 1_000).expect("at most one: the loss is capped above");
        let link = simulated::Link {
            latency: Duration::from_millis(link.latency_ms),
            jitter: Duration::from_millis(link.jitter_ms),
            success_rate,
        };
        Ok(self.oracle.add_link(from.clone(), to.clone(), link).await?)
    }

    /// Cuts a peer off, both ways.
    pub async fn isolate(&self, peer: &PublicKey) -> Result<(), SimulationError> {
        for other in self.peers().iter().filter(|other| *other != peer) {
            for (from, to) in [(peer, other), (other, peer)] {
                match self.oracle.remove_link(from.clone(), to.clone()).await {
                    Ok(()) | Err(Error::LinkMissing) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Links a peer with every other one, both ways. An operator that is new to the network is let in.
    pub async fn reconnect(&self, peer: &PublicKey, link: Link) -> Result<(), SimulationError> {
        if !self.layout.others.contains(peer) {
            self.track(std::slice::from_ref(peer));
        }
        for other in self.peers().iter().filter(|other| *other != peer) {
            self.link(peer, other, link).await?;
            self.link(other, peer, link).await?;
        }
        Ok(())
    }

    /// Opens the wires of a peer that does not order. There is no [`Peers`] handle here: a wire reaches whoever is linked.
    pub async fn join(&self, key: &PublicKey) -> Result<Vec<Wire>, SimulationError> {
        let mut wires = Vec::with_capacity(self.layout.wires.len());
        for (channel, per_second) in numbered(&self.layout.wires) {
            wires.push(Wire::new(self.register(key, channel, per_second).await?));
        }
        Ok(wires)
    }

    /// Starts an operator, with or without a seat. `context` must be its own child, with attributes that tell it (and its restarts) apart;
    /// starting again with the same partition resumes from its storage.
    pub async fn start(
        &self,
        context: Context,
        key: PrivateKey,
        partition: String,
        tuning: Tuning,
        application: Arc<dyn Application>,
    ) -> Result<Running, SimulationError> {
        let me = key.public_key();
        let mut engine_channels = Vec::with_capacity(CHANNELS.len());
        for (channel, per_second) in CHANNELS {
            engine_channels.push(self.register(&me, channel, per_second).await?);
        }
        let [votes, certificates, resolver, backfill, broadcast, recall] =
            engine_channels.try_into().map_err(|_| SimulationError::Stopped)?;
        let wires = self.join(&me).await?;
        let peers = self.peers_of_process()?;
        let setup = Setup {
            genesis: self.layout.genesis.clone(),
            term_heights: self.layout.term_heights,
            peers: peers.clone(),
            key,
            partition,
            tuning,
            application,
        };
        let channels = Channels { votes, certificates, resolver, backfill, broadcast, recall };
        let control = self.oracle.control(me);
        let (started, parts) = oneshot::channel();
        let handle = context.child("consensus").spawn(move |context| async move {
            match engine::start(&context, setup, control, channels).await {
                Ok((archive, presence, engine)) => {
                    if started.send(Ok((archive, presence))).is_ok() {
                        // Whatever ended the engine, the operator has ended with it.
                        let _ = engine.await;
                    }
                }
                // Nobody is left to be told when the receiver is gone.
                Err(error) => drop(started.send(Err(error))),
            }
        });
        let (archive, presence) = parts.await.map_err(|_| SimulationError::Stopped)??;
        Ok(Running { archive, peers, presence, wires, handle })
    }

    /// Pairs (who, whom) of peers that blocked each other for provable misbehaviour.
    pub async fn blocked(&self) -> Result<Vec<(PublicKey, PublicKey)>, SimulationError> {
        Ok(self.oracle.blocked().await?)
    }

    /// The engine's first channel, to misbehave on.
    #[cfg(test)]
    pub(crate) async fn register_votes(
        &self,
        key: &PublicKey,
    ) -> (Sender<PublicKey, Context>, Receiver<PublicKey>) {
        self.register_channel(key, 0).await
    }

    /// One of the engine's channels, to misbehave on.
    #[cfg(test)]
    pub(crate) async fn register_channel(
        &self,
        key: &PublicKey,
        index: usize,
    ) -> (Sender<PublicKey, Context>, Receiver<PublicKey>) {
        let (channel, per_second) = CHANNELS[index];
        self.register(key, channel, per_second).await.expect("the network runs")
    }

    async fn register(
        &self,
        key: &PublicKey,
        channel: u64,
        per_second: NonZeroU32,
    ) -> Result<(Sender<PublicKey, Context>, Receiver<PublicKey>), SimulationError> {
        Ok(self.oracle.control(key.clone()).register(channel, Quota::per_second(per_second)).await?)
    }
}
