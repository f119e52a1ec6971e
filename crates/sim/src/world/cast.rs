//! Who takes part in a world: keys, chains, and the network file that its processes read.

use super::config::{Dice, START, WorldConfig};
use crate::chain::{Genesis, SimChain, dev_key};
use alloy_primitives::{Address, B256, Bytes, keccak256};
use hum_bls::{Committee, CommitteeError, PossessedKey, PossessionError, SecretKey};
use hum_chain::contracts::{Addresses, Deployment};
use hum_consensus::{PrivateKey, PublicKey, Signer as _};
use hum_node::config::{
    CommitteeEntry, Deployment as DeploymentEntry, Gateways, L1Entry, NETWORK_VERSION, Network, NetworkError,
    NetworkFile, OperatorEntry, PeerEntry, PeerRole, RollupEntry, RollupLimits,
};
use hum_types::{
    ChainId, Class, Domain, Encode as _, Epoch, L1Origin, RegistrationId, SequencerKey, Stake, TimeMs, TimeS,
};
use hum_verify::SpecError;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

const L1: ChainId = ChainId(900);
const EPOCH: Epoch = Epoch(1);
/// How long the committee's table is good for: longer than any run.
const TABLE_VALID_S: u64 = 10 * 365 * 86_400;
const SEATS_MAX: u16 = 100;
const OPERATORS_MAX: u16 = 32;
const REANCHOR_DELAY_S: u32 = 86_400;
const FIRST_ROLLUP: u64 = 7_001;

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
    Network(#[from] Box<NetworkError>),
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
    pub(super) relayers: Vec<PrivateKey>,
    pub(super) deployment: Deployment,
    pub(super) addresses: Addresses,
    /// The committee's table.
    pub(super) table: Bytes,
}

/// Names of the accounts that pay on every chain.
pub(super) const OWNER: &str = "owner";
pub(super) const USER: &str = "user";

/// The account that a relayer pays from.
pub(super) fn relayer_name(index: usize) -> String {
    format!("relayer {index}")
}

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
                name: None,
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
        let committee = Committee::new(EPOCH, TimeS(START + TABLE_VALID_S), members)?;
        let table = Bytes::from(committee.table().encode());
        let owner = Address::from_private_key(&dev_key(OWNER));
        let deployment = Deployment {
            domain,
            epoch: EPOCH,
            table_hash: committee.table().hash(),
            owner,
            reanchor_delay_s: REANCHOR_DELAY_S,
        };
        let addresses = deployment.addresses();

        let (mut rollups, mut rollup_entries, mut peers) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..config.rollups {
            let (rollup, entry) = rollup(config, index, &addresses)?;
            peers.push(peer(&entry.name, PeerRole::Publisher, &rollup.publisher));
            rollups.push(rollup);
            rollup_entries.push(entry);
        }
        let mut relayers = Vec::new();
        for name in (0..config.relayers).map(relayer_name) {
            let key = network_key(seed, &name);
            peers.push(peer(&name, PeerRole::Relayer, &key));
            relayers.push(key);
        }
        let origin = L1Origin { number: 1, hash: keccak256("l1 origin") };
        let file = NetworkFile {
            version: NETWORK_VERSION,
            name: format!("world {seed}"),
            deployment: deployment_entry,
            domain,
            genesis_time_ms: TimeMs(START * 1_000),
            l1: L1Entry { chain_id: L1, rpc: "http://l1".into(), origin },
            rollups: rollup_entries,
            term_heights: config.term_heights,
            seats_max: SEATS_MAX,
            operators_max: OPERATORS_MAX,
            restaking: None,
            operators: entries,
            committee: CommitteeEntry {
                epoch: EPOCH,
                valid_until: committee.table().valid_until(),
                table: table.clone(),
            },
            peers,
        };
        Ok(Self {
            network: Arc::new(file.check().map_err(Box::new)?),
            operators,
            rollups,
            relayers,
            deployment,
            addresses,
            table,
        })
    }

    /// The network keys of those that do not order.
    pub(super) fn others(&self) -> Vec<PublicKey> {
        let publishers = self.rollups.iter().map(|rollup| &rollup.publisher);
        publishers.chain(&self.relayers).map(|key| key.public_key()).collect()
    }
}

fn peer(name: &str, role: PeerRole, key: &PrivateKey) -> PeerEntry {
    PeerEntry { name: name.into(), role, key: public(key), address: nowhere(0), chain_id: None, api: None }
}

fn rollup(
    config: &WorldConfig,
    index: usize,
    addresses: &Addresses,
) -> Result<(Rollup, RollupEntry), CastError> {
    let (name, chain_id) = (format!("rollup {index}"), ChainId(FIRST_ROLLUP + index as u64));
    let payers = [OWNER, USER].map(str::to_owned).into_iter().chain((0..config.relayers).map(relayer_name));
    let funded = payers.map(|name| Address::from_private_key(&dev_key(&name))).collect();
    let mut genesis = Genesis::new(chain_id, START - 1, funded);
    genesis.equal_timestamps = config.block_time_ms < 1_000;
    genesis.behind = [0, config.safe_behind, 2 * config.safe_behind];
    let spec = genesis.spec()?;
    let chain = SimChain::new(&genesis)?;
    let secret = keccak256(format!("{} sequencer of {name}", config.seed));
    let sequencer = SequencerKey::from_secret(secret).expect("a hash is a secret but for one in 2^127");
    let anchor = chain.genesis_header();
    let registration = RegistrationId::derive(chain_id, sequencer.address(), anchor.hash_slow(), spec.hash());
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
