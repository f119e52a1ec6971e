//! Lay a network out on disk: who takes part, with which keys, on which ports.

use super::{
    Desk, LocalChain, LocalConfig, LocalRollup, NetworkError, Secrets, Step, network_path, on_l1::OnL1,
};
use crate::{
    DevChain, Endpoint,
    restaking::{Founder, Restaking, RollupFacts},
};
use commonware_codec::{DecodeExt as _, Encode as _};
use hum_chain::contracts::Deployment;
use hum_consensus::{PrivateKey, Signer as _};
use hum_node::config::{
    BatcherConfig, CommitteeEntry, Deployment as DeploymentEntry, Gateways, KeyName, L1Entry,
    NETWORK_VERSION, NetworkFile, OperatorConfig, PeerEntry, PeerRole, PublisherConfig, ROLE_VERSION,
    RelayerConfig, RoleDirectory, RollupEntry, RollupLimits, SettlementEntry, WatcherConfig,
};
use hum_types::{B256, Bytes, Class, Epoch, L1Origin, TimeMs, keccak256};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::{SystemTime, UNIX_EPOCH},
};

/// Heights of a term: a committee can change about every ten seconds.
const TERM_HEIGHTS: u64 = 32;
/// Seconds before a local light client that slept too long goes on with what its owner names.
const REANCHOR_DELAY_S: u32 = 600;
/// Seconds between a local governor's word that a source is allowed and its effect.
const POLICY_DELAY_S: u32 = 5;
/// How often the local watcher looks whether a snapshot of the stakes is due: every L1 block.
const SNAPSHOTS_EVERY_MS: u64 = 1_000;
/// How often a local batcher posts what there is: two L1 blocks.
const BATCH_INTERVAL_MS: u64 = 2_000;
/// Most bytes of a local batch: an L1 transaction holds 128 KiB.
const BATCH_DATA_BYTES_MAX: usize = 120_000;
/// Blocks that a local batcher leaves out, so that what is taken back at once was not posted.
const BATCH_DEPTH: u64 = 2;
/// Wei that the local relayer, watcher and batchers may each spend in an hour on one chain.
const SPEND_CAP_WEI: u128 = 100_000_000_000_000_000_000;
/// Wei that bonds of the local watcher's challenges may come to: ten of them.
const BOND_CAP_WEI: u128 = 1_000_000_000_000_000_000;
/// How long the local watcher waits for the claim of an attested head.
const CLAIM_WAIT_MS: u64 = 10_000;
/// Wei below which the local relayer, or a batcher, raises an alarm.
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
    pub(super) restaking: Restaking,
    pub(super) table: Bytes,
    pub(super) rollups: Vec<LocalRollup>,
    pub(super) roles: Vec<Role>,
}

/// A process of the network before its files are written.
pub(crate) struct Seat {
    pub(crate) key: B256,
    pub(crate) public: B256,
    pub(crate) address: SocketAddr,
    pub(crate) api: SocketAddr,
}

/// Write all files of a network whose chains run already.
pub(super) async fn plan(
    config: &LocalConfig,
    secrets: Secrets,
    l1: &DevChain,
    chains: Vec<LocalChain>,
    progress: &impl Fn(Step),
) -> Result<Plan, NetworkError> {
    let mut ports = Ports::default();
    let mut operators = Vec::with_capacity(config.operators);
    for index in 0..config.operators {
        let seat = ports.seat(secrets, "operator-key", index)?;
        let founder = Founder {
            account: secrets.secret("operator", index),
            bls: secrets.bls(index),
            network_key: seat.public,
            endpoint: seat.address,
        };
        operators.push((founder, seat));
    }
    let (mut facts, mut rules) = (Vec::with_capacity(chains.len()), Vec::with_capacity(chains.len()));
    for (index, chain) in chains.iter().enumerate() {
        let (spec, anchor) = (chain.spec()?, chain.anchor().await?);
        facts.push(RollupFacts {
            chain_id: chain.chain_id(),
            sequencer: secrets.address("sequencer", index),
            anchor_hash: keccak256(&anchor),
            spec_hash: spec.hash(),
            batcher: secrets.address("batcher", index),
        });
        rules.push((spec, anchor));
    }
    let (founders, operator_seats): (Vec<_>, Vec<_>) = operators.into_iter().unzip();
    let on_l1 = OnL1::set_up(config, secrets, l1, &facts, &founders).await?;
    progress(Step::Restaking);
    let OnL1 { restaking, snapshot, origin } = &on_l1;
    let (domain, epoch) = (restaking.domain, Epoch(0));
    let operators = founders
        .iter()
        .enumerate()
        .zip(&operator_seats)
        .map(|(founder, seat)| on_l1.operator(founder, seat, secrets))
        .collect::<Result<Vec<_>, _>>()?;
    let table = on_l1.table(&operators)?;
    let table_hash = snapshot.record.table_hash;
    let deployment = Deployment {
        domain,
        epoch,
        table_hash,
        bootstrap: secrets.address("owner", 0),
        reanchor_delay_s: REANCHOR_DELAY_S,
        policy_delay_s: POLICY_DELAY_S,
    };
    let addresses = deployment.addresses();
    let [latest, safe, finalized] = addresses.gateways;

    let (mut rollups, mut entries, mut peers, mut seats) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (index, ((chain, fact), (spec, anchor))) in chains.into_iter().zip(&facts).zip(rules).enumerate() {
        let chain_id = chain.chain_id();
        let name = chain.name().to_owned();
        let sequencer = secrets.account("sequencer", index);
        let registration = fact.registration();
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
            own_node: None,
            limits: RollupLimits::default(),
            settlement: Some(SettlementEntry::Batches {
                inbox: restaking.batch_inbox,
                // Whoever posts comes after what the network starts from.
                from_block: origin.number,
            }),
            block_time_ms: chain.block_time_ms(),
        });
        let token = secrets.secret("desk", index);
        let sequencer_secret = secrets.secret("sequencer", index);
        let desk = Desk::open(&chain, sequencer, domain, registration, token.to_vec()).await?;
        let seat = ports.seat(secrets, "publisher-key", index)?;
        let publisher = peer(format!("publisher-{name}"), PeerRole::Publisher, &seat);
        peers.push(PeerEntry { chain_id: Some(chain_id), ..publisher });
        let feed = Endpoint::open(&chain, 0).await?;
        let batcher = secrets.secret("batcher", index);
        seats.push((seat, chain_id, desk.url().to_owned(), feed.url(), (token, batcher)));
        rollups.push(LocalRollup { name, chain, registration, sequencer_secret, feed, desk });
    }
    let relayer = ports.seat(secrets, "relayer-key", 0)?;
    peers.push(peer("relayer".to_owned(), PeerRole::Relayer, &relayer));
    let watcher = ports.seat(secrets, "watcher-key", 0)?;
    peers.push(peer("watcher".to_owned(), PeerRole::Watcher, &watcher));

    let file = NetworkFile {
        version: NETWORK_VERSION,
        name: "local".to_owned(),
        deployment: DeploymentEntry { service_manager: restaking.contracts.service_manager, operator_set: 0 },
        domain,
        genesis_time_ms: now_ms(),
        l1: L1Entry {
            chain_id: l1.config().chain_id,
            rpc: l1.rpc_url(),
            beacon: Some(l1.beacon_url()),
            origin: L1Origin { number: origin.number, hash: origin.hash },
        },
        rollups: entries,
        term_heights: TERM_HEIGHTS,
        seats_max: config.seats_max(),
        operators_max: config.operators_max(),
        restaking: Some(on_l1.entry()),
        operators,
        committee: CommitteeEntry { epoch, valid_until: snapshot.record.valid_until, table: table.clone() },
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
    for (index, seat) in operator_seats.iter().enumerate() {
        let directory = role(format!("operator-{index}"), "operator");
        directory.write(&OperatorConfig {
            version: ROLE_VERSION,
            network: path.clone(),
            listen: seat.address,
            endpoint: None,
            l1_rpc: Some(l1.rpc_url()),
            l1_beacon: Some(l1.beacon_url()),
            api: seat.api,
            nodes: Default::default(),
            threads: 2,
            private_addresses: true,
        })?;
        directory.write_key(KeyName::Network, seat.key)?;
        directory.write_key(KeyName::Bls, secrets.bls(index).expose_secret())?;
        directory.write_key(KeyName::Account, secrets.secret("operator", index))?;
    }
    for ((seat, chain_id, desk, rpc, (token, batcher)), rollup) in seats.into_iter().zip(&rollups) {
        let directory = role(format!("publisher-{}", rollup.name), "publisher");
        directory.write(&PublisherConfig {
            version: ROLE_VERSION,
            network: path.clone(),
            chain_id,
            member: None,
            rpc,
            sequencer: Some(desk),
            l1_rpc: Some(l1.rpc_url()),
            listen: seat.address,
            api: seat.api,
            batcher: Some(BatcherConfig {
                l1_rpc: None,
                data: config.batch_data,
                interval_ms: BATCH_INTERVAL_MS,
                data_bytes_max: BATCH_DATA_BYTES_MAX,
                depth: BATCH_DEPTH,
                spend_cap_wei: SPEND_CAP_WEI,
                low_balance_wei: LOW_BALANCE_WEI,
            }),
            private_addresses: true,
        })?;
        directory.write_key(KeyName::Network, seat.key)?;
        directory.write_key(KeyName::Desk, token)?;
        directory.write_key(KeyName::Batcher, batcher)?;
    }
    let directory = role("watcher".to_owned(), "watch");
    directory.write(&WatcherConfig {
        version: ROLE_VERSION,
        network: path.clone(),
        l1_rpc: Some(l1.rpc_url()),
        listen: watcher.address,
        api: watcher.api,
        rollup_rpcs: BTreeMap::new(),
        spend_cap_wei: SPEND_CAP_WEI,
        bond_cap_wei: BOND_CAP_WEI,
        claim_wait_ms: CLAIM_WAIT_MS,
        snapshots_every_ms: Some(SNAPSHOTS_EVERY_MS),
        private_addresses: true,
    })?;
    directory.write_key(KeyName::Network, watcher.key)?;
    directory.write_key(KeyName::Account, secrets.secret("watcher", 0))?;
    let directory = role("relayer".to_owned(), "relayer");
    directory.write(&RelayerConfig {
        version: ROLE_VERSION,
        network: path,
        members: Vec::new(),
        // Who joins brings what is sent to itself: this account has nothing there.
        destinations: Some(rollups.iter().map(|rollup| rollup.chain.chain_id()).collect()),
        l1_rpc: Some(l1.rpc_url()),
        listen: relayer.address,
        api: relayer.api,
        spend_cap_wei: SPEND_CAP_WEI,
        low_balance_wei: LOW_BALANCE_WEI,
        private_addresses: true,
    })?;
    directory.write_key(KeyName::Network, relayer.key)?;
    directory.write_key(KeyName::Account, secrets.secret("relayer", 0))?;
    Ok(Plan { file, deployment, restaking: on_l1.restaking, table, rollups, roles })
}

fn peer(name: String, role: PeerRole, seat: &Seat) -> PeerEntry {
    let api = Some(format!("http://{}", seat.api));
    PeerEntry { name, role, key: seat.public, address: seat.address, chain_id: None, api }
}

fn now_ms() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A network identity from its secret.
pub(crate) fn private_key(secret: B256) -> Result<PrivateKey, NetworkError> {
    PrivateKey::decode(Bytes::from(secret.to_vec()).0)
        .map_err(|error| NetworkError::Committee(format!("network key: {error}")))
}

/// Free ports, held until every one is chosen so that no two are the same.
#[derive(Default)]
pub(crate) struct Ports(Vec<TcpListener>);

impl Ports {
    fn next(&mut self) -> Result<SocketAddr, NetworkError> {
        let failed = |source| NetworkError::Io { what: "find a free port".into(), source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        self.0.push(listener);
        Ok(address)
    }

    pub(crate) fn seat(&mut self, secrets: Secrets, what: &str, index: usize) -> Result<Seat, NetworkError> {
        let key = secrets.secret(what, index);
        let public = B256::from_slice(&private_key(key)?.public_key().encode());
        Ok(Seat { key, public, address: self.next()?, api: self.next()? })
    }

    pub(crate) fn release(&mut self) {
        self.0.clear();
    }
}
