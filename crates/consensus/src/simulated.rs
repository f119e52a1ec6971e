//! Whole networks in one deterministic runtime: virtual time, seeded order, links that lose and delay.

use crate::{
    Application, Committee, PrivateKey, PublicKey, Running, Signer as _, StorageError, Tuning, Wire,
    engine::{self, CHANNELS, Channels, ENGINE_QUOTA, Setup, max_message},
    seats::PEER_SET,
    wire::numbered,
};
use commonware_p2p::{
    Manager as _, TrackedPeers,
    simulated::{self, Error, Oracle, Receiver, Sender},
};
use commonware_runtime::{Quota, Spawner as _, Supervisor as _, deterministic::Context};
use commonware_utils::{NZU32, NZUsize, Probability, channel::oneshot, ordered::Set};
use std::{num::NonZeroU32, sync::Arc, time::Duration};
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
    /// Only operators order.
    #[error("key {0} is not an operator's")]
    NotAnOperator(Box<PublicKey>),
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

/// A simulated network that processes can join, leave and rejoin.
#[derive(Clone)]
pub struct World {
    oracle: Oracle<PublicKey, Context>,
    committee: Committee,
    peers: Vec<PublicKey>,
    wires: Vec<NonZeroU32>,
}

impl World {
    /// Starts the network with every peer linked to every other by `link`. `others` are publishers and relayers.
    pub async fn new(
        context: &Context,
        committee: Committee,
        others: Vec<PublicKey>,
        wires: Vec<NonZeroU32>,
        link: Link,
    ) -> Result<Self, SimulationError> {
        let peers: Vec<PublicKey> = committee.operators().iter().chain(&others).cloned().collect();
        let (network, oracle) = simulated::Network::new(
            context.child("network"),
            simulated::Config {
                max_size: max_message(committee.operators().len()),
                max_peers_per_set: NZUsize!(1).saturating_add(peers.len()),
                disconnect_on_block: true,
                tracked_peer_sets: NZUsize!(2),
            },
        );
        network.start();
        let world = Self { oracle, committee, peers, wires };
        let others = Set::from_iter_dedup(others);
        world.oracle.manager().track(PEER_SET, TrackedPeers::new(world.committee.set().clone(), others));
        for from in &world.peers {
            for to in world.peers.iter().filter(|to| *to != from) {
                world.link(from, to, link).await?;
            }
        }
        Ok(world)
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
        for other in self.peers.iter().filter(|other| *other != peer) {
            for (from, to) in [(peer, other), (other, peer)] {
                match self.oracle.remove_link(from.clone(), to.clone()).await {
                    Ok(()) | Err(Error::LinkMissing) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Links a peer with every other one, both ways.
    pub async fn reconnect(&self, peer: &PublicKey, link: Link) -> Result<(), SimulationError> {
        for other in self.peers.iter().filter(|other| *other != peer) {
            self.link(peer, other, link).await?;
            self.link(other, peer, link).await?;
        }
        Ok(())
    }

    /// Opens the wires of a peer that does not order.
    pub async fn join(&self, key: &PublicKey) -> Result<Vec<Wire>, SimulationError> {
        let mut wires = Vec::with_capacity(self.wires.len());
        for (channel, per_second) in numbered(&self.wires) {
            wires.push(Wire::new(self.register(key, channel, per_second).await?));
        }
        Ok(wires)
    }

    /// Starts an operator. `context` must be its own child, with attributes that tell it (and its restarts) apart;
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
        let scheme = self
            .committee
            .scheme(key.clone())
            .ok_or_else(|| SimulationError::NotAnOperator(Box::new(me.clone())))?;
        let mut engine_channels = Vec::with_capacity(CHANNELS.len());
        for channel in CHANNELS {
            engine_channels.push(self.register(&me, channel, NZU32!(ENGINE_QUOTA)).await?);
        }
        let [votes, certificates, resolver, backfill, broadcast] =
            engine_channels.try_into().map_err(|_| SimulationError::Stopped)?;
        let wires = self.join(&me).await?;
        let setup = Setup { committee: self.committee.clone(), key, scheme, partition, tuning, application };
        let channels = Channels { votes, certificates, resolver, backfill, broadcast };
        let control = self.oracle.control(me);
        let (started, parts) = oneshot::channel();
        let handle = context.child("consensus").spawn(move |context| async move {
            match engine::start(&context, setup, control, channels).await {
                Ok((archive, engine)) => {
                    if started.send(Ok(archive)).is_ok() {
                        // Whatever ended the engine, the operator has ended with it.
                        let _ = engine.await;
                    }
                }
                // Nobody is left to be told when the receiver is gone.
                Err(error) => drop(started.send(Err(error))),
            }
        });
        let archive = parts.await.map_err(|_| SimulationError::Stopped)??;
        Ok(Running { archive, wires, handle })
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
        self.register(key, CHANNELS[0], NZU32!(ENGINE_QUOTA)).await.expect("the network runs")
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
