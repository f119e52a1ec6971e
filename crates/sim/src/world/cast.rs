//! Who takes part in a world: keys, chains, and the network file that its processes read.

use super::config::{Dice, START, Snapshot, WorldConfig};
use crate::chain::{Genesis, SimChain, dev_key};
use alloy_primitives::{Address, B256, Bytes, keccak256};
use hum_bls::{OperatorId, SecretKey};
use hum_chain::contracts::{Addresses, Deployment};
use hum_consensus::{PrivateKey, PublicKey, Signer as _};
use hum_ledger::{RosterError, SeatedRoster};
use hum_node::config::{
    CommitteeEntry, Deployment as DeploymentEntry, Gateways, JudgesEntry, L1Entry, Member, NETWORK_VERSION,
    Network, NetworkError, NetworkFile, OperatorEntry, PeerEntry, PeerRole, ProfileError, Registrant,
    RestakingEntry, RollupEntry, RollupLimits, RollupProfile, SettlementEntry,
};
use hum_types::{
    ChainId, Class, Domain, Encode as _, Epoch, L1Origin, RegistrationId, Roster, RosterEntry, SequencerKey,
    Stake, TimeMs, TimeS,
};
use hum_verify::SpecError;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

/// Where the first committee was read.
pub(super) const L1_ORIGIN: L1Origin = L1Origin { number: 1, hash: B256::repeat_byte(0x11) };
/// Stake of each operator in the first committee.
const STAKE: Stake = Stake(1_000);
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
    Roster(#[from] RosterError),
    /// The network file does not pass its own checks.
    #[error(transparent)]
    Network(#[from] Box<NetworkError>),
    /// A profile makes no member.
    #[error(transparent)]
    Profile(#[from] Box<ProfileError>),
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
    /// What L1 knows of all operators, seated or not.
    seats: Vec<RosterEntry>,
    /// The tables of the first committee and of every planned snapshot, which cost pairings to work out.
    tables: Vec<B256>,
    pub(super) rollups: Vec<Rollup>,
    pub(super) relayers: Vec<PrivateKey>,
    pub(super) deployment: Deployment,
    pub(super) addresses: Addresses,
    /// The committee's table.
    pub(super) table: Bytes,
    /// What the last rollup is like, when the network file does not list it.
    pub(super) joining: Option<Member>,
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

        let (mut operators, mut entries) = (Vec::new(), Vec::new());
        for index in 0..config.operators {
            let name = format!("operator {index}");
            let keys = OperatorKeys {
                network: network_key(seed, &name),
                bls: SecretKey::from_seed(format!("{seed} {name}").as_bytes()),
            };
            let operator = Address::from_private_key(&dev_key(&name));
            let bls_key = keys.bls.public_key();
            entries.push(OperatorEntry {
                name: None,
                id: OperatorId::of(bls_key.g1()),
                operator,
                bls_key,
                possession: keys.bls.prove_possession(domain, operator),
                stake: STAKE,
                api: format!("http://operator-{index}"),
                key: public(&keys.network),
                address: nowhere(index),
            });
            operators.push(keys);
        }
        let seated = entries.get(..config.seated).unwrap_or(&entries).to_vec();
        let valid_until = TimeS(START + TABLE_VALID_S);
        let roster = Roster::new(valid_until, seated.iter().map(OperatorEntry::seat).collect());
        let committee = SeatedRoster::check(domain, EPOCH, roster, None)?.committee().clone();
        let table = Bytes::from(committee.table().encode());
        let owner = Address::from_private_key(&dev_key(OWNER));
        let deployment = Deployment {
            domain,
            epoch: EPOCH,
            table_hash: committee.table().hash(),
            bootstrap: owner,
            reanchor_delay_s: REANCHOR_DELAY_S,
            policy_delay_s: 0,
        };
        let addresses = deployment.addresses();

        let (mut rollups, mut rollup_entries, mut peers) = (Vec::new(), Vec::new(), Vec::new());
        let mut joining = None;
        for index in 0..config.rollups {
            let (mut rollup, entry) = rollup(config, index, &addresses)?;
            if config.joining.is_some() && index + 1 == config.rollups {
                let member = joins(&entry, &rollup, owner).map_err(Box::new)?;
                rollup.registration = member.entry.registration;
                rollups.push(rollup);
                joining = Some(member);
                continue;
            }
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
        let file = NetworkFile {
            version: NETWORK_VERSION,
            name: format!("world {seed}"),
            deployment: deployment_entry,
            domain,
            genesis_time_ms: TimeMs(START * 1_000),
            l1: L1Entry { chain_id: L1, rpc: "http://l1".into(), beacon: None, origin: L1_ORIGIN },
            rollups: rollup_entries,
            term_heights: config.term_heights,
            seats_max: SEATS_MAX,
            operators_max: OPERATORS_MAX,
            restaking: (!config.snapshots.is_empty() || config.posting.is_some()).then(|| RestakingEntry {
                allocation_manager: Address::repeat_byte(0xe1),
                delegation_manager: Address::repeat_byte(0xe2),
                strategy_manager: Address::repeat_byte(0xe3),
                strategies: Vec::new(),
                judges: JudgesEntry::default(),
                rollup_registry: None,
                batch_inbox: None,
                rollup_profiles: None,
            }),
            operators: seated,
            committee: CommitteeEntry {
                epoch: EPOCH,
                valid_until: committee.table().valid_until(),
                table: table.clone(),
            },
            peers,
        };
        let mut cast = Self {
            network: Arc::new(file.check().map_err(Box::new)?),
            seats: entries.iter().map(OperatorEntry::seat).collect(),
            tables: vec![committee.table().hash()],
            operators,
            rollups,
            relayers,
            deployment,
            addresses,
            table,
            joining,
        };
        for snapshot in &config.snapshots {
            let roster = cast.roster(Some(snapshot));
            let seated = SeatedRoster::check(domain, EPOCH, roster, Some(&cast.network.genesis.seated))?;
            cast.tables.push(seated.committee().table().hash());
        }
        Ok(cast)
    }

    /// The table of a snapshot: 0 is the first committee's, planned ones follow.
    pub(super) fn table_hash(&self, index: usize) -> B256 {
        self.tables.get(index).copied().unwrap_or_default()
    }

    /// The roster of a snapshot; of the first committee without one.
    pub(super) fn roster(&self, snapshot: Option<&Snapshot>) -> Roster {
        let Some(snapshot) = snapshot else { return self.network.genesis.seated.roster().clone() };
        let seats = snapshot.seats.iter().filter_map(|(index, stake)| {
            Some(RosterEntry { stake: Stake(*stake), ..self.seats.get(*index)?.clone() })
        });
        Roster::new(TimeS(START + TABLE_VALID_S + snapshot.at_ms / 1_000), seats.collect())
    }

    /// The network as a process that was told of everyone knows it.
    pub(super) fn told(&self) -> Network {
        let network = self.network.apart();
        if let Some(member) = self.joining.clone() {
            network.members.insert(member).expect("its chain id is its own");
        }
        network
    }

    /// Every operator's network key.
    pub(super) fn operator_keys(&self) -> Vec<PublicKey> {
        self.operators.iter().map(|keys| keys.network.public_key()).collect()
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

/// The member that a rollup is when it joins with a profile instead of an entry in the network file.
fn joins(entry: &RollupEntry, rollup: &Rollup, governor: Address) -> Result<Member, ProfileError> {
    let profile = RollupProfile {
        name: entry.name.clone(),
        rpc: entry.rpc.clone(),
        gateways: entry.gateways,
        light_client: entry.light_client,
        class: entry.class,
        spec: entry.spec.clone(),
        anchor: entry.anchor.clone(),
        own_node: None,
        limits: entry.limits,
        settlement: entry.settlement,
        block_time_ms: entry.block_time_ms,
        peers: vec![peer(&entry.name, PeerRole::Publisher, &rollup.publisher)],
    };
    let registrant = Registrant { chain_id: entry.chain_id, sequencer: entry.sequencer, governor };
    RollupProfile::member(&profile.encode(), registrant, None)
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
        own_node: None,
        limits: RollupLimits::default(),
        settlement: config.posting.as_ref().map(|_| SettlementEntry::Batches {
            inbox: Address::repeat_byte(0xb1),
            from_block: L1_ORIGIN.number + 1,
        }),
        block_time_ms: config.block_time_ms,
        name,
    };
    let publisher = network_key(config.seed, &format!("publisher of {}", entry.name));
    Ok((Rollup { chain, registration, sequencer, publisher }, entry))
}
