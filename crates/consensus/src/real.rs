//! Real sockets, real disk, real time.

pub use crate::peers::Peer;
use crate::{
    Application, Committee, OTHERS_LATER_MAX, Peers, PeersError, PrivateKey, PublicKey, Running, Signer as _,
    StorageError, TERM_HEIGHTS_MIN, Tuning, Wire,
    engine::{self, CHANNELS, Channels, Setup, max_message},
    wire::numbered,
};
use commonware_cryptography::ChaCha20Poly1305;
use commonware_p2p::{
    Address, AddressableManager as _, AddressableTrackedPeers,
    authenticated::lookup::{self, Oracle},
};
use commonware_runtime::{Handle, Quota, Spawner as _, Supervisor as _, tokio};
use commonware_stream::{
    SakeCups,
    cups::{self, Cups},
    sake::{self, Sake},
};
use commonware_utils::{NZU32, NZUsize, channel::oneshot, ordered::Map};
use std::{
    net::{SocketAddr, TcpListener},
    num::{NonZeroU32, NonZeroUsize},
    path::Path,
    sync::Arc,
    time::Duration,
};
use thiserror::Error;

/// Peer sets that the network remembers: the present one. Mailboxes are allocated for all of them.
const TRACKED_SETS: NonZeroUsize = NZUsize!(1);

/// The network as one process sees it. Everything but `key`, `listen`, `operators` and `private_addresses` must be the
/// same in every process.
#[derive(Clone)]
pub struct Network {
    /// This process' identity.
    pub key: PrivateKey,
    /// Where this process accepts connections.
    pub listen: SocketAddr,
    /// Seats of term 0. Its domain keeps networks apart: it is signed into every session and vote.
    pub genesis: Committee,
    /// Heights of a term, at least [`crate::TERM_HEIGHTS_MIN`].
    pub term_heights: u64,
    /// Who may hold seats, as far as known at the start: they connect to each other. [`Peers`] changes them.
    pub operators: Vec<Peer>,
    /// Most operators that there can ever be at once: sizes messages and mailboxes.
    pub operators_max: usize,
    /// Publishers, relayers, watchers: they connect to the operators, use the wires and do not order. [`Peers`] changes them.
    /// May differ between processes.
    pub others: Vec<Peer>,
    /// One entry for each wire: messages per second and peer. Mailboxes are allocated for a burst from every peer, and a
    /// hostile peer may fill its share with messages of [`crate::MAX_MESSAGE`]: give large messages a small quota.
    pub wires: Vec<NonZeroU32>,
    /// Whether peers on private and loopback addresses are allowed.
    pub private_addresses: bool,
}

/// Why a process cannot join.
#[derive(Debug, Error)]
pub enum JoinError {
    /// More operators than the maximum that was given with them.
    #[error(transparent)]
    Peers(#[from] PeersError),
    /// A term must have room for more than its closing height.
    #[error("terms of {given} heights are shorter than {TERM_HEIGHTS_MIN}")]
    Term {
        /// [`Network::term_heights`].
        given: u64,
    },
    /// No bound on the operators.
    #[error("at most no operator at all")]
    NoOperators,
    /// One key has two roles or two addresses.
    #[error("peer {0} is listed twice")]
    DuplicatePeer(Box<PublicKey>),
    /// The process' own key is not among the peers.
    #[error("own key {0} is listed neither among operators nor among others")]
    Stranger(Box<PublicKey>),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The operator's disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The network went away while starting.
    #[error("the network stopped while starting")]
    Stopped,
}

/// A process that uses the wires and does not order.
pub struct Joined {
    /// The wires, in the order of [`Network::wires`].
    pub wires: Vec<Wire>,
    /// The operators that it is connected with.
    pub peers: Peers,
    /// Resolves when the network has stopped.
    pub handle: Handle<()>,
}

/// A runtime for one process whose whole state lives under `directory`.
pub fn runner(directory: &Path, threads: usize) -> tokio::Runner {
    tokio::Runner::new(
        tokio::Config::new()
            .with_storage_directory(directory)
            .with_worker_threads(threads.max(1))
            .with_tcp_nodelay(Some(true)),
    )
}

/// Connects a publisher, relayer or watcher to the operators.
pub fn join(context: tokio::Context, network: Network) -> Result<Joined, JoinError> {
    network.check()?;
    let me = network.key.public_key();
    if !network.operators.iter().chain(&network.others).any(|peer| peer.key == me) {
        return Err(JoinError::Stranger(Box::new(me)));
    }
    let opened = network.open(context.child("network"))?;
    opened.peers.unseat();
    Ok(Joined { wires: opened.wires, peers: opened.peers, handle: opened.transport.start() })
}

/// Starts an operator: network, engine and archives. `partition` prefixes all its files; starting again on the same
/// directory and partition resumes. Without a seat in the running term it follows and never votes; an operator that
/// nobody lists yet, or any more, waits until its peers connect with it.
pub async fn start(
    context: tokio::Context,
    network: Network,
    partition: String,
    tuning: Tuning,
    application: Arc<dyn Application>,
) -> Result<Running, JoinError> {
    network.check()?;
    let (started, parts) = oneshot::channel();
    // One root task: whatever ends it ends all.
    let handle = context.child("consensus").spawn(move |context| async move {
        let Opened { mut transport, oracle, peers, wires } = match network.open(context.child("network")) {
            Ok(opened) => opened,
            // Nobody is left to be told when the receiver is gone.
            Err(error) => return drop(started.send(Err(error))),
        };
        let [votes, certificates, resolver, backfill, broadcast, recall] =
            CHANNELS.map(|(channel, per_second)| transport.register(channel, Quota::per_second(per_second)));
        let transport = transport.start();
        let setup = Setup {
            genesis: network.genesis,
            term_heights: network.term_heights,
            peers: peers.clone(),
            key: network.key,
            partition,
            tuning,
            application,
        };
        let channels = Channels { votes, certificates, resolver, backfill, broadcast, recall };
        match engine::start(&context, setup, oracle, channels).await {
            Ok((archive, presence, engine)) => {
                if started.send(Ok((archive, peers, presence, wires))).is_ok() {
                    futures::future::select(transport, engine).await;
                }
            }
            Err(error) => drop(started.send(Err(error.into()))),
        }
    });
    let (archive, peers, presence, wires) = parts.await.map_err(|_| JoinError::Stopped)??;
    Ok(Running { archive, peers, presence, wires, handle })
}

type Transport = lookup::Network<tokio::Context, SakeCups<PrivateKey, ChaCha20Poly1305>>;

struct Opened {
    transport: Transport,
    oracle: Oracle<PublicKey>,
    peers: Peers,
    wires: Vec<Wire>,
}

impl Network {
    fn check(&self) -> Result<(), JoinError> {
        if self.term_heights < TERM_HEIGHTS_MIN {
            return Err(JoinError::Term { given: self.term_heights });
        }
        if self.operators_max == 0 {
            return Err(JoinError::NoOperators);
        }
        let mut keys: Vec<&PublicKey> =
            self.operators.iter().chain(&self.others).map(|peer| &peer.key).collect();
        keys.sort();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(JoinError::DuplicatePeer(Box::new(pair[0].clone())));
        }
        // Commonware would panic in a task of its own.
        TcpListener::bind(self.listen)
            .map_err(|source| JoinError::Listen { address: self.listen, source })?;
        Ok(())
    }

    fn open(&self, context: tokio::Context) -> Result<Opened, JoinError> {
        let others = self.others.len().saturating_add(OTHERS_LATER_MAX);
        let peers = NZUsize!(1).saturating_add(self.operators_max.saturating_add(others));
        let handshake = Cups::new(
            Sake {
                signer: self.key.clone(),
                synchrony_bound: Duration::from_secs(5),
                max_handshake_age: Duration::from_secs(10),
                version: sake::Version::V1,
            },
            cups::Version::V1,
        );
        let mut config = lookup::Config::local(
            handshake,
            &self.genesis.namespace(b"hum/network/1"),
            self.listen,
            peers,
            max_message(self.operators_max),
            NZUsize!(1_024),
        );
        config.allow_private_ips = self.private_addresses;
        // Peers prove their key; where they connect from does not matter, and publishers sit behind NAT.
        config.bypass_ip_check = true;
        // A restarted process is back within a second: one dial per tick over all peers.
        config.dial_frequency = Duration::from_millis(100);
        config.peer_connection_cooldown = Duration::from_millis(500);
        config.dial_timeout = Duration::from_secs(5);
        // A whole local network restarts behind one address.
        config.allowed_handshake_rate_per_ip = Quota::per_second(NZU32!(128));
        config.allowed_handshake_rate_per_subnet = Quota::per_second(NZU32!(256));
        config.tracked_peer_sets = TRACKED_SETS;
        let (mut transport, oracle) = lookup::Network::new(context, config);
        let track = {
            let oracle = oracle.clone();
            move |index: u64, operators: &[Peer], others: &[Peer]| {
                let tracked = AddressableTrackedPeers::new(addresses(operators), addresses(others));
                oracle.clone().track(index, tracked);
            }
        };
        let (operators, others) = (&self.operators, &self.others);
        let peers = Peers::new(operators, others, self.operators_max, &self.genesis, Box::new(track))?;
        let wires = numbered(&self.wires)
            .map(|(channel, per_second)| {
                Wire::new(transport.register(channel, Quota::per_second(per_second)))
            })
            .collect();
        Ok(Opened { transport, oracle, peers, wires })
    }
}

fn addresses(peers: &[Peer]) -> Map<PublicKey, Address> {
    Map::from_iter_dedup(peers.iter().map(|peer| (peer.key.clone(), Address::from(peer.address))))
}
