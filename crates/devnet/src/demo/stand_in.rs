//! Somebody in a publisher's or an operator's place: connects with its key and says what it is told.

use super::{DemoError, scene::Scene};
use crate::network::NetworkError;
use bytes::Bytes;
use commonware_runtime::{Runner as _, Supervisor as _};
use hum_consensus::{PublicKey, Recipients, real};
use hum_node::{
    config::{OperatorConfig, PublisherConfig},
    operator::consensus_committee,
    wire::{Gossip, PublisherMessage, PublisherReply, QUOTAS, Wires},
};
use hum_types::{Decode as _, Encode as _};
use std::{net::SocketAddr, path::PathBuf, thread::JoinHandle};
use tokio::sync::mpsc;

/// A connection to the operators. It ends when this is dropped; [`StandIn::leave`] also waits for that.
pub(crate) struct StandIn {
    orders: mpsc::UnboundedSender<(Line, Recipients, Bytes)>,
    replies: mpsc::UnboundedReceiver<(PublicKey, PublisherReply)>,
    thread: JoinHandle<Result<(), String>>,
    operators: Vec<PublicKey>,
}

/// Which channel something is said on.
#[derive(Debug, Clone, Copy)]
enum Line {
    Submit,
    Gossip,
}

impl StandIn {
    /// Take the place of a rollup's publisher, which must not be running.
    pub(super) fn connect(scene: &Scene, site: usize) -> Result<Self, DemoError> {
        let role = format!("publisher-{}", scene.name(site));
        let config = PublisherConfig::load(&scene.directory(&role)).map_err(NetworkError::from)?;
        Self::join(scene, &role, config.listen)
    }

    /// Take the place of an operator, which must not be running.
    pub(super) fn connect_operator(scene: &Scene, role: &str) -> Result<Self, DemoError> {
        let config = OperatorConfig::load(&scene.directory(role)).map_err(NetworkError::from)?;
        Self::join(scene, role, config.listen)
    }

    fn join(scene: &Scene, role: &str, listen: SocketAddr) -> Result<Self, DemoError> {
        let failed = |error: &dyn std::fmt::Display| DemoError::Role {
            what: format!("stand in for {role}"),
            problem: error.to_string(),
        };
        let directory = scene.directory(role);
        let peer = |key: &PublicKey, address| real::Peer { key: key.clone(), address };
        let network = real::Network {
            key: directory.network_key().map_err(|error| failed(&error))?,
            listen,
            genesis: consensus_committee(&scene.checked).map_err(|error| failed(&error))?,
            term_heights: scene.checked.genesis.terms.heights(),
            operators_max: usize::from(scene.checked.operators_max),
            operators: scene
                .checked
                .operators
                .iter()
                .map(|seat| peer(&seat.key, seat.entry.address))
                .collect(),
            others: scene.checked.peers.iter().map(|(entry, key)| peer(key, entry.address)).collect(),
            wires: QUOTAS.to_vec(),
            private_addresses: true,
        };
        let data = directory.path().join("stand-in");
        let operators = scene.checked.operators.iter().map(|seat| seat.key.clone()).collect();
        Ok(Self::open(network, data, operators))
    }

    /// Connect with these operators as whoever `network` says.
    pub(crate) fn open(network: real::Network, data: PathBuf, operators: Vec<PublicKey>) -> Self {
        let (orders, mut ordered) = mpsc::unbounded_channel::<(Line, Recipients, Bytes)>();
        let (heard, replies) = mpsc::unbounded_channel();
        // The network's runtime blocks the thread that it runs on.
        let thread = std::thread::spawn(move || {
            real::runner(&data, 1).start(|context| async move {
                let joined = real::join(context.child("network"), network).map_err(|error| error.to_string())?;
                let mut wires = Wires::try_from(joined.wires).map_err(|error| error.to_string())?;
                loop {
                    tokio::select! {
                        order = ordered.recv() => {
                            let Some((line, to, message)) = order else { break };
                            let wire = match line {
                                Line::Submit => &mut wires.submit,
                                Line::Gossip => &mut wires.gossip,
                            };
                            wire.sender.send(to, message, true);
                        }
                        message = wires.submit.receiver.recv() => {
                            let Some((from, bytes)) = message else { return Err("the network has shut down".to_owned()) };
                            // Nobody may be listening any more, or the reply be unreadable: it is not asked for twice.
                            if let Ok(reply) = PublisherReply::decode(&bytes) {
                                let _ = heard.send((from, reply));
                            }
                        }
                    }
                }
                joined.handle.abort();
                Ok(())
            })
        });
        Self { orders, replies, thread, operators }
    }

    /// The operators, by seat.
    pub(super) fn operators(&self) -> &[PublicKey] {
        &self.operators
    }

    /// Say something to these operators. Who is not connected yet does not hear it.
    pub(super) fn say(&self, to: &[PublicKey], message: &PublisherMessage) {
        // When the thread has ended, leaving says why.
        let _ = self.orders.send((Line::Submit, Recipients::Some(to.to_vec()), message.encode().into()));
    }

    /// Say something to all operators that operators say to each other.
    pub(super) fn gossip(&self, message: &Gossip) {
        let to = Recipients::Some(self.operators.clone());
        let _ = self.orders.send((Line::Gossip, to, message.encode().into()));
    }

    /// Say something to all operators.
    pub(crate) fn say_to_all(&self, message: &PublisherMessage) {
        self.say(&self.operators, message);
    }

    /// What was answered since this was last asked.
    pub(crate) fn heard(&mut self) -> Vec<(PublicKey, PublisherReply)> {
        std::iter::from_fn(|| self.replies.try_recv().ok()).collect()
    }

    /// Give the place back.
    pub(crate) async fn leave(self) -> Result<(), DemoError> {
        let Self { orders, thread, .. } = self;
        drop(orders);
        let failed = |problem: String| DemoError::Role { what: "stand in for somebody".to_owned(), problem };
        let ended = tokio::task::spawn_blocking(move || thread.join()).await;
        match ended {
            Ok(Ok(ended)) => ended.map_err(failed),
            Ok(Err(_)) => Err(failed("its thread panicked".to_owned())),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}
