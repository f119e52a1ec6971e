//! What a world is made of: settings, keys, chains, and the network file that its processes read.

use crate::chain::{Genesis, SimChain, dev_key};
use alloy_primitives::{Address, B256, Bytes, keccak256};
use hum_bls::{Committee, CommitteeError, PossessedKey, PossessionError, SecretKey};
use hum_chain::contracts::{Addresses, Deployment};
use hum_consensus::{PrivateKey, Signer as _, simulated::Link};
use hum_node::config::{
    CommitteeEntry, Deployment as DeploymentEntry, Gateways, L1Entry, NETWORK_VERSION, Network, NetworkError,
    NetworkFile, OperatorEntry, PeerEntry, PeerRole, RollupEntry, RollupLimits,
};
use hum_types::{
    ChainId, Class, Domain, Encode as _, Epoch, L1Origin, RegistrationId, SequencerKey, Stake, TimeMs,
};
use hum_verify::SpecError;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

/// When virtual time begins, in seconds since 1970.
pub const START: u64 = 1_700_000_000;
const L1: ChainId = ChainId(900);
const EPOCH: Epoch = Epoch(1);
const FIRST_ROLLUP: u64 = 7_001;

/// What kind of world. Everything else follows from the seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorldConfig {
    /// Where all randomness comes from.
    pub seed: u64,
    /// Operators, of equal stake.
    pub operators: usize,
    /// Member rollups, each with one publisher.
    pub rollups: usize,
    /// How messages travel between any two processes.
    pub link: Link,
    /// How long a chain's node takes to answer, in milliseconds.
    pub node_latency_ms: u64,
    /// Time between blocks, in milliseconds.
    pub block_time_ms: u64,
    /// Messages sent from each rollup to each other one.
    pub messages: usize,
    /// Whether one operator crashes at some time, and comes back later.
    pub crash: bool,
    /// Virtual time after which what is not delivered counts as lost, in milliseconds.
    pub patience_ms: u64,
}

impl WorldConfig {
    /// Four operators, two rollups, links that lose two messages in a hundred, one crash.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            operators: 4,
            rollups: 2,
            link: Link { latency_ms: 20, jitter_ms: 5, lost_per_mille: 20 },
            node_latency_ms: 3,
            block_time_ms: Dice(seed).pick("block time", &[250, 500, 1_000]),
            messages: 10,
            crash: true,
            patience_ms: 180_000,
        }
    }
}

/// Choices that follow from a seed and a name, whatever else was chosen before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// A number below `below`, which is not zero.
    pub(super) fn below(self, name: &str, below: u64) -> u64 {
        let hash = keccak256([&self.0.to_be_bytes(), name.as_bytes()].concat());
        u64::from_be_bytes(std::array::from_fn(|i| hash[i])) % below
    }

    /// One of `choices`, of which there is at least one.
    pub(super) fn pick<T: Copy>(self, name: &str, choices: &[T]) -> T {
        choices[self.below(name, choices.len() as u64) as usize]
    }
}

/// Why a world could not be made: a defect of the simulator or of what it builds on.
#[derive(Debug, thiserror::Error)]
pub enum CastError {
    /// The chains' rules make no sense.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The operators do not form a committee.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// A key's possession is not proven.
    #[error(transparent)]
    Possession(#[from] PossessionError),
    /// The network file does not pass its own checks.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// An operator's secrets.
#[derive(Debug)]
pub(super) struct OperatorKeys {
    pub(super) network: PrivateKey,
    pub(super) bls: SecretKey,
}

/// A rollup with all that belongs to it.
#[derive(Debug)]
pub(super) struct Rollup {
    pub(super) chain: SimChain,
    pub(super) registration: RegistrationId,
    pub(super) sequencer: SequencerKey,
    pub(super) publisher: PrivateKey,
}

/// Everyone who takes part, and what they agree on.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) network: Arc<Network>,
    pub(super) operators: Vec<OperatorKeys>,
    pub(super) rollups: Vec<Rollup>,
    pub(super) relayer: PrivateKey,
    pub(super) deployment: Deployment,
    pub(super) addresses: Addresses,
    /// The committee's table.
    pub(super) table: Bytes,
}

/// Names of the accounts that pay on every chain.
pub(super) const OWNER: &str = "owner";
pub(super) const RELAYER: &str = "relayer";
pub(super) const USER: &str = "user";

/// A key that only this seed and name give.
fn network_key(seed: u64, name: &str) -> PrivateKey {
    PrivateKey::from_seed(Dice(seed).below(name, u64::MAX))
}

fn public(key: &PrivateKey) -> B256 {
    B256::from_slice(key.public_key().as_ref())
}

fn nowhere(port: usize) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap_or(u16::MAX)).into()
}

impl Cast {
    pub(super) fn new(config: &WorldConfig) -> Result<Self, CastError> {
        let seed = config.seed;
        let deployment_entry =
            DeploymentEntry { service_manager: Address::repeat_byte(0x5e), operator_set: 0 };
        let domain = Domain::new(L1, deployment_entry.service_manager, deployment_entry.operator_set);

        let (mut operators, mut entries, mut members) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..config.operators {
            let name = format!("operator {index}");
            let keys = OperatorKeys {
                network: network_key(seed, &name),
                bls: SecretKey::from_seed(format!("{seed} {name}").as_bytes()),
            };
            let operator = Address::from_private_key(&dev_key(&name));
            let (bls_key, stake) = (keys.bls.public_key(), Stake(1_000));
            let possession = keys.bls.prove_possession(domain, operator);
            let member = PossessedKey::check(domain, bls_key, operator, &possession)?;
            entries.push(OperatorEntry {
                id: member.operator_id(),
                operator,
                bls_key,
                possession,
                stake,
                api: format!("http://operator-{index}"),
                key: public(&keys.network),
                address: nowhere(index),
            });
            members.push((member, stake));
            operators.push(keys);
        }
        let committee = Committee::new(EPOCH, members)?;
        let table = Bytes::from(committee.table().encode());
        let owner = Address::from_private_key(&dev_key(OWNER));
        let deployment = Deployment { domain, epoch: EPOCH, table_hash: committee.table().hash(), owner };
        let addresses = deployment.addresses();

        let (mut rollups, mut rollup_entries, mut peers) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..config.rollups {
            let (rollup, entry) = rollup(config, index, &addresses)?;
            peers.push(peer(&entry.name, PeerRole::Publisher, &rollup.publisher));
            rollups.push(rollup);
            rollup_entries.push(entry);
        }
        let relayer = network_key(seed, RELAYER);
        peers.push(peer(RELAYER, PeerRole::Relayer, &relayer));
        let origin = L1Origin { number: 1, hash: keccak256("l1 origin") };
        let file = NetworkFile {
            version: NETWORK_VERSION,
            name: format!("world {seed}"),
            deployment: deployment_entry,
            domain,
            genesis_time_ms: TimeMs(START * 1_000),
            l1: L1Entry { chain_id: L1, rpc: "http://l1".into(), origin },
            rollups: rollup_entries,
            operators: entries,
            committee: CommitteeEntry { epoch: EPOCH, table: table.clone() },
            peers,
        };
        Ok(Self { network: Arc::new(file.check()?), operators, rollups, relayer, deployment, addresses, table })
    }
}

fn peer(name: &str, role: PeerRole, key: &PrivateKey) -> PeerEntry {
    PeerEntry { name: name.into(), role, key: public(key), address: nowhere(0) }
}

fn rollup(
    config: &WorldConfig,
    index: usize,
    addresses: &Addresses,
) -> Result<(Rollup, RollupEntry), CastError> {
    let (name, chain_id) = (format!("rollup {index}"), ChainId(FIRST_ROLLUP + index as u64));
    let funded = [OWNER, RELAYER, USER].map(|name| Address::from_private_key(&dev_key(name))).to_vec();
    let mut genesis = Genesis::new(chain_id, START - 1, funded);
    genesis.equal_timestamps = config.block_time_ms < 1_000;
    let spec = genesis.spec()?;
    let chain = SimChain::new(&genesis)?;
    let secret = keccak256(format!("{} sequencer of {name}", config.seed));
    let sequencer = SequencerKey::from_secret(secret).expect("a hash is a secret but for one in 2^127");
    let anchor = chain.genesis_header();
    let registration =
        RegistrationId::derive(chain_id, sequencer.address(), anchor.hash_slow(), spec.hash());
    let [latest, safe, finalized] = addresses.gateways;
    let entry = RollupEntry {
        rpc: format!("http://{chain_id}"),
        chain_id,
        gateways: Gateways { latest, safe, finalized },
        light_client: addresses.light_client,
        registration,
        sequencer: sequencer.address(),
        class: Class::Reexecuted,
        spec,
        anchor: alloy_rlp::encode(&anchor).into(),
        limits: RollupLimits::default(),
        block_time_ms: config.block_time_ms,
        name,
    };
    let publisher = network_key(config.seed, &format!("publisher of {}", entry.name));
    Ok((Rollup { chain, registration, sequencer, publisher }, entry))
}
