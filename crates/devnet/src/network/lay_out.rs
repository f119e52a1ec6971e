//! Lay a network out on disk: who takes part, with which keys, on which ports.

use super::{Desk, LocalConfig, LocalRollup, NetworkError, Secrets, network_path};
use crate::{DevChain, Endpoint};
use alloy_consensus::Block;
use alloy_rlp::Decodable as _;
use commonware_codec::{DecodeExt as _, Encode as _};
use hum_bls::{Committee, PossessedKey};
use hum_chain::contracts::Deployment;
use hum_consensus::{PrivateKey, Signer as _};
use hum_node::config::{
    CommitteeEntry, Deployment as DeploymentEntry, Gateways, KeyName, L1Entry, NETWORK_VERSION, NetworkFile,
    OperatorConfig, OperatorEntry, PeerEntry, PeerRole, PublisherConfig, ROLE_VERSION, RelayerConfig,
    RoleDirectory, RollupEntry, RollupLimits,
};
use hum_types::{
    B256, Bytes, ChainId, Class, Domain, Encode as _, Epoch, L1Origin, RegistrationId, Stake, TimeMs, TimeS,
    keccak256,
};
use hum_verify::ChainSpec;
use serde_json::json;
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::{SystemTime, UNIX_EPOCH},
};

/// How long the first committee's table is good for, in seconds.
const TABLE_VALID_S: u64 = 10 * 365 * 86_400;
/// Heights of a term: a committee can change about every ten seconds.
const TERM_HEIGHTS: u64 = 32;
/// Most seats of a local committee.
const SEATS_MAX: u16 = 100;
/// Most registered operators of a local network.
const OPERATORS_MAX: u16 = 32;
/// Stake of each local operator.
const STAKE: Stake = Stake(32_000_000_000_000_000_000);
/// Wei that the local relayer may spend in an hour on one chain.
const SPEND_CAP_WEI: u128 = 100_000_000_000_000_000_000;
/// Wei below which the local relayer raises an alarm.
const LOW_BALANCE_WEI: u128 = 1_000_000_000_000_000_000;

/// A role to start.
pub(super) struct Role {
    pub(super) name: String,
    pub(super) command: &'static str,
    pub(super) directory: RoleDirectory,
}

/// A network on disk, ready to start.
pub(super) struct Plan {
    pub(super) file: NetworkFile,
    pub(super) deployment: Deployment,
    pub(super) table: Bytes,
    pub(super) rollups: Vec<LocalRollup>,
    pub(super) roles: Vec<Role>,
}

/// A process of the network before its files are written.
struct Seat {
    key: B256,
    public: B256,
    address: SocketAddr,
    api: SocketAddr,
}

/// Write all files of a network whose chains run already.
pub(super) async fn plan(
    config: &LocalConfig,
    secrets: Secrets,
    l1: &DevChain,
    chains: Vec<DevChain>,
) -> Result<Plan, NetworkError> {
    let owner = secrets.address("owner", 0);
    // Until the restaking contracts stand on L1, the deployment is named by its owner.
    let service_manager = owner;
    let domain = Domain::new(l1.config().chain_id, service_manager, 0);
    let mut ports = Ports::default();

    let mut members = Vec::with_capacity(config.operators);
    let mut operators = Vec::with_capacity(config.operators);
    for index in 0..config.operators {
        let (bls, operator) = (secrets.bls(index), secrets.address("operator", index));
        let possession = bls.prove_possession(domain, operator);
        let member = PossessedKey::check(domain, bls.public_key(), operator, &possession)
            .map_err(|error| NetworkError::Committee(error.to_string()))?;
        members.push((member, STAKE));
        let seat = ports.seat(secrets, "operator-key", index)?;
        operators.push((
            OperatorEntry {
                name: Some(format!("operator-{index}")),
                id: member.operator_id(),
                operator,
                bls_key: bls.public_key(),
                possession,
                stake: STAKE,
                api: format!("http://{}", seat.api),
                key: seat.public,
                address: seat.address,
            },
            seat,
        ));
    }
    let (epoch, genesis_time_ms) = (Epoch(0), now_ms());
    let committee = Committee::new(epoch, TimeS(genesis_time_ms.0 / 1_000 + TABLE_VALID_S), members)
        .map_err(|error| NetworkError::Committee(error.to_string()))?;
    let table = Bytes::from(committee.table().encode());
    let deployment = Deployment { domain, epoch, table_hash: keccak256(&table), owner };
    let addresses = deployment.addresses();
    let [latest, safe, finalized] = addresses.gateways;

    let (mut rollups, mut entries, mut peers, mut seats) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (index, chain) in chains.into_iter().enumerate() {
        let chain_id = chain.config().chain_id;
        let name = chain.config().name.clone();
        let sequencer = secrets.account("sequencer", index);
        let spec = spec_of(&chain)?;
        let anchor = anchor_of(&chain).await?;
        let registration =
            RegistrationId::derive(chain_id, sequencer.address(), keccak256(&anchor), spec.hash());
        entries.push(RollupEntry {
            name: name.clone(),
            chain_id,
            rpc: chain.rpc_url(),
            gateways: Gateways { latest, safe, finalized },
            light_client: addresses.light_client,
            registration,
            sequencer: sequencer.address(),
            class: Class::Reexecuted,
            spec,
            anchor,
            limits: RollupLimits::default(),
            block_time_ms: chain.config().block_time_ms,
        });
        let token = secrets.secret("desk", index);
        let sequencer_secret = secrets.secret("sequencer", index);
        let desk = Desk::open(&chain, sequencer, domain, registration, token.to_vec()).await?;
        let seat = ports.seat(secrets, "publisher-key", index)?;
        let publisher = peer(format!("publisher-{name}"), PeerRole::Publisher, &seat);
        peers.push(PeerEntry { chain_id: Some(chain_id), ..publisher });
        let feed = Endpoint::open(&chain, 0).await?;
        seats.push((seat, chain_id, desk.url().to_owned(), feed.url(), token));
        rollups.push(LocalRollup { name, chain, registration, sequencer_secret, feed, desk });
    }
    let relayer = ports.seat(secrets, "relayer-key", 0)?;
    peers.push(peer("relayer".to_owned(), PeerRole::Relayer, &relayer));

    let origin = l1.block(0)?;
    let file = NetworkFile {
        version: NETWORK_VERSION,
        name: "local".to_owned(),
        deployment: DeploymentEntry { service_manager, operator_set: 0 },
        domain,
        genesis_time_ms,
        l1: L1Entry {
            chain_id: l1.config().chain_id,
            rpc: l1.rpc_url(),
            origin: L1Origin { number: origin.number, hash: origin.hash },
        },
        rollups: entries,
        term_heights: TERM_HEIGHTS,
        seats_max: SEATS_MAX,
        operators_max: OPERATORS_MAX,
        restaking: None,
        operators: operators.iter().map(|(entry, _)| entry.clone()).collect(),
        committee: CommitteeEntry {
            epoch,
            valid_until: committee.table().valid_until(),
            table: table.clone(),
        },
        peers,
    };
    let path = std::path::absolute(network_path(&config.dir))
        .map_err(|source| NetworkError::Io { what: "find the working directory".into(), source })?;
    let json = serde_json::to_vec_pretty(&file)
        .map_err(|error| NetworkError::Io { what: "encode the network file".into(), source: error.into() })?;
    std::fs::write(&path, json)
        .map_err(|source| NetworkError::Io { what: format!("write {}", path.display()), source })?;

    ports.release();
    let mut roles = Vec::new();
    let mut role = |name: String, command| {
        let directory = RoleDirectory::new(config.dir.join(&name));
        roles.push(Role { name, command, directory: directory.clone() });
        directory
    };
    for (index, (_, seat)) in operators.iter().enumerate() {
        let directory = role(format!("operator-{index}"), "operator");
        directory.write(&OperatorConfig {
            version: ROLE_VERSION,
            network: path.clone(),
            listen: seat.address,
            endpoint: None,
            l1_rpc: None,
            api: seat.api,
            threads: 2,
            private_addresses: true,
        })?;
        directory.write_key(KeyName::Network, seat.key)?;
        directory.write_key(KeyName::Bls, secrets.bls(index).expose_secret())?;
    }
    for ((seat, chain_id, desk, rpc, token), rollup) in seats.into_iter().zip(&rollups) {
        let directory = role(format!("publisher-{}", rollup.name), "publisher");
        directory.write(&PublisherConfig {
            version: ROLE_VERSION,
            network: path.clone(),
            chain_id,
            rpc,
            sequencer: Some(desk),
            listen: seat.address,
            api: seat.api,
            private_addresses: true,
        })?;
        directory.write_key(KeyName::Network, seat.key)?;
        directory.write_key(KeyName::Desk, token)?;
    }
    let directory = role("relayer".to_owned(), "relayer");
    directory.write(&RelayerConfig {
        version: ROLE_VERSION,
        network: path,
        listen: relayer.address,
        api: relayer.api,
        spend_cap_wei: SPEND_CAP_WEI,
        low_balance_wei: LOW_BALANCE_WEI,
        private_addresses: true,
    })?;
    directory.write_key(KeyName::Network, relayer.key)?;
    directory.write_key(KeyName::Account, secrets.secret("relayer", 0))?;
    Ok(Plan { file, deployment, table, rollups, roles })
}

fn peer(name: String, role: PeerRole, seat: &Seat) -> PeerEntry {
    let api = Some(format!("http://{}", seat.api));
    PeerEntry { name, role, key: seat.public, address: seat.address, chain_id: None, api }
}

/// The genesis header's RLP: verification starts from it.
async fn anchor_of(chain: &DevChain) -> Result<Bytes, NetworkError> {
    let raw = chain.raw_block(0).await?;
    let block = Block::<alloy_consensus::TxEnvelope>::decode(&mut &raw[..]).map_err(|error| {
        NetworkError::Genesis {
            chain_id: chain.config().chain_id,
            problem: format!("genesis block: {error}"),
        }
    })?;
    Ok(alloy_rlp::encode(&block.header).into())
}

/// The rules of an embedded chain, as the verifier reads them.
fn spec_of(chain: &DevChain) -> Result<ChainSpec, NetworkError> {
    let chain_id: ChainId = chain.config().chain_id;
    let mut rules =
        chain.rules().map_err(|error| NetworkError::Genesis { chain_id, problem: error.to_string() })?;
    rules["allowEqualTimestamps"] = json!(chain.config().allows_equal_timestamps());
    serde_json::from_value(rules)
        .map_err(|error| NetworkError::Genesis { chain_id, problem: format!("chain rules: {error}") })
}

fn now_ms() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Free ports, held until every one is chosen so that no two are the same.
#[derive(Default)]
struct Ports(Vec<TcpListener>);

impl Ports {
    fn next(&mut self) -> Result<SocketAddr, NetworkError> {
        let failed = |source| NetworkError::Io { what: "find a free port".into(), source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        self.0.push(listener);
        Ok(address)
    }

    fn seat(&mut self, secrets: Secrets, what: &str, index: usize) -> Result<Seat, NetworkError> {
        let key = secrets.secret(what, index);
        let public = PrivateKey::decode(Bytes::from(key.to_vec()).0)
            .map(|key| B256::from_slice(&key.public_key().encode()))
            .map_err(|error| NetworkError::Committee(format!("network key: {error}")))?;
        Ok(Seat { key, public, address: self.next()?, api: self.next()? })
    }

    fn release(&mut self) {
        self.0.clear();
    }
}
