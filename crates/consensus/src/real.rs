//! Real sockets, real disk, real time.

use crate::{
    Application, Committee, CommitteeError, PrivateKey, PublicKey, Running, Signer as _, StorageError,
    Tuning, Wire,
    engine::{self, CHANNELS, Channels, ENGINE_QUOTA, Setup, max_message},
    seats::PEER_SET,
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

/// Peer sets that the network remembers: the present and the one before.
const TRACKED_SETS: NonZeroUsize = NZUsize!(2);

/// A process of the network and where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its identity.
    pub key: PublicKey,
    /// Where it accepts connections.
    pub address: SocketAddr,
}

/// The network as one process sees it. Everything but `key`, `listen` and `private_addresses` must be the same in
/// every process.
#[derive(Clone)]
pub struct Network {
    /// This process' identity.
    pub key: PrivateKey,
    /// Where this process accepts connections.
    pub listen: SocketAddr,
    /// Keeps networks apart; signed into every session and vote.
    pub domain: [u8; 32],
    /// Who orders. They connect to each other.
    pub operators: Vec<Peer>,
    /// Publishers, relayers, watchers: they connect to the operators, use the wires and do not order.
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
    /// The operators do not form a committee.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// One key has two roles or two addresses.
    #[error("peer {0} is listed twice")]
    DuplicatePeer(Box<PublicKey>),
    /// The process' own key is not among the peers.
    #[error("own key {0} is listed neither among operators nor among others")]
    Stranger(Box<PublicKey>),
    /// Only operators order.
    #[error("own key {0} is not an operator's")]
    NotAnOperator(Box<PublicKey>),
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
    let committee = network.check()?;
    let (transport, _, wires) = network.open(context.child("network"), &committee);
    Ok(Joined { wires, handle: transport.start() })
}

/// Starts an operator: network, engine and archives. `partition` prefixes all its files; starting again on the same
/// directory and partition resumes.
pub async fn start(
    context: tokio::Context,
    network: Network,
    partition: String,
    tuning: Tuning,
    application: Arc<dyn Application>,
) -> Result<Running, JoinError> {
    let committee = network.check()?;
    let scheme = committee
        .scheme(network.key.clone())
        .ok_or_else(|| JoinError::NotAnOperator(Box::new(network.key.public_key())))?;
    let (started, parts) = oneshot::channel();
    // One root task: whatever ends it ends all.
    let handle = context.child("consensus").spawn(move |context| async move {
        let (mut transport, oracle, wires) = network.open(context.child("network"), &committee);
        let [votes, certificates, resolver, backfill, broadcast] =
            CHANNELS.map(|channel| transport.register(channel, Quota::per_second(NZU32!(ENGINE_QUOTA))));
        let transport = transport.start();
        let setup = Setup { committee, key: network.key, scheme, partition, tuning, application };
        let channels = Channels { votes, certificates, resolver, backfill, broadcast };
        match engine::start(&context, setup, oracle, channels).await {
            Ok((archive, engine)) => {
                if started.send(Ok((archive, wires))).is_ok() {
                    futures::future::select(transport, engine).await;
                }
            }
            // Nobody is left to be told when the receiver is gone.
            Err(error) => drop(started.send(Err(error))),
        }
    });
    let (archive, wires) = parts.await.map_err(|_| JoinError::Stopped)??;
    Ok(Running { archive, wires, handle })
}

type Transport = lookup::Network<tokio::Context, SakeCups<PrivateKey, ChaCha20Poly1305>>;

impl Network {
    fn check(&self) -> Result<Committee, JoinError> {
        let committee = Committee::new(self.domain, self.operators.iter().map(|peer| peer.key.clone()))?;
        let mut keys: Vec<&PublicKey> =
            self.operators.iter().chain(&self.others).map(|peer| &peer.key).collect();
        keys.sort();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(JoinError::DuplicatePeer(Box::new(pair[0].clone())));
        }
        let me = self.key.public_key();
        if keys.binary_search(&&me).is_err() {
            return Err(JoinError::Stranger(Box::new(me)));
        }
        // Commonware would panic in a task of its own.
        TcpListener::bind(self.listen)
            .map_err(|source| JoinError::Listen { address: self.listen, source })?;
        Ok(committee)
    }

    fn open(
        &self,
        context: tokio::Context,
        committee: &Committee,
    ) -> (Transport, Oracle<PublicKey>, Vec<Wire>) {
        let peers = NZUsize!(1).saturating_add(self.operators.len() + self.others.len());
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
            &committee.namespace(b"hum/network/1"),
            self.listen,
            peers,
            max_message(self.operators.len()),
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
        let (mut transport, mut oracle) = lookup::Network::new(context, config);
        oracle.track(
            PEER_SET,
            AddressableTrackedPeers::new(addresses(&self.operators), addresses(&self.others)),
        );
        let wires = numbered(&self.wires)
            .map(|(channel, per_second)| {
                Wire::new(transport.register(channel, Quota::per_second(per_second)))
            })
            .collect();
        (transport, oracle, wires)
    }
}

fn addresses(peers: &[Peer]) -> Map<PublicKey, Address> {
    Map::from_iter_dedup(peers.iter().map(|peer| (peer.key.clone(), Address::from(peer.address))))
}
