//! How much of a machine one operator needs to follow many rollups.
//!
//! Blocks are recorded from the embedded client, witnesses included, as it makes them; then they are replayed to one
//! operator process, each rollup by a connection of its own with its publisher's key, a block at a time, at its own moment.
//! The operator is the whole program as anywhere: it judges every block, orders, signs and certifies, alone in its committee.
//!
//! ```text
//! DevChain ─▶ Recording ─┬─▶ claims of N rollups ─▶ N connections ─▶ hum operator ─▶ /status
//!                        └─▶ genesis headers ─▶ network file              └── /proc: processor time, memory
//! ```
//!
//! What is not there: an L1. The committee stays, nothing settles.

mod crowd;
mod meter;
mod record;
#[cfg(test)]
mod tests;

use crate::{
    DevChainError,
    demo::{DemoError, StandIn},
    network::{NetworkError, Ports, Process, Seat, Secrets, private_key},
};
use alloy::transports::http::reqwest;
use crowd::Crowd;
use hum_bls::{Committee, PossessedKey};
use hum_consensus::{PublicKey, real};
use hum_node::{
    api::OperatorStatus,
    config::{
        CommitteeEntry, Deployment, Gateways, KeyName, L1Entry, NETWORK_VERSION, NetworkFile, OperatorConfig,
        OperatorEntry, PeerEntry, PeerRole, ROLE_VERSION, RoleDirectory, RollupEntry, RollupLimits,
    },
    operator::consensus_committee,
    wire::QUOTAS,
};
use hum_types::{
    Address, B256, ChainId, Class, Domain, Encode as _, Epoch, L1Origin, RegistrationId, Stake, TimeMs,
    TimeS, keccak256,
};
use meter::Meter;
use record::Recording;
use serde::Serialize;
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Chain ids of the rollups begin above this one.
const L1: ChainId = ChainId(900);
/// How often the operator's memory is read.
const SAMPLE: Duration = Duration::from_secs(1);
/// How long the operator may take to answer at first.
const START: Duration = Duration::from_secs(30);
/// Blocks by which a rollup's certified head may stay behind what was sent, at the end.
const BEHIND_MAX: u64 = 3;

/// What is replayed, and for how long.
#[derive(Debug, Clone)]
pub struct FollowConfig {
    /// Where the operator's files go; made when missing.
    pub dir: PathBuf,
    /// The `hum` binary that runs the operator.
    pub hum: PathBuf,
    /// How many rollups.
    pub rollups: usize,
    /// How many different chains are recorded; rollups share them in turn, each under its own chain id.
    pub recordings: usize,
    /// Time between a rollup's blocks.
    pub block_time_ms: u64,
    /// How long is measured, after a warm-up of ten blocks.
    pub seconds: u64,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FollowReport {
    /// How many rollups.
    pub rollups: usize,
    /// Different chains among what they replay.
    pub recordings: usize,
    /// Time between a rollup's blocks.
    pub block_time_ms: u64,
    /// How long was measured.
    pub seconds: f64,
    /// Blocks that were certified meanwhile.
    pub blocks: u64,
    /// Heights that were finalised meanwhile.
    pub heights: u64,
    /// Processor time of the operator's process over the time that was measured.
    pub cpu_cores: f64,
    /// The most memory that it had, in bytes (proportional set size).
    pub memory: u64,
    /// By how many blocks the last of the rollups was behind at the end.
    pub behind_max: u64,
    /// Whether every rollup was followed to its end.
    pub followed: bool,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// Nothing could be recorded.
    #[error(transparent)]
    Chain(#[from] DevChainError),
    /// A file, port or process.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A connection.
    #[error(transparent)]
    Connection(#[from] DemoError),
    /// Something else that was needed.
    #[error("{what}: {problem}")]
    Failed {
        /// What was being done.
        what: &'static str,
        /// What went wrong.
        problem: String,
    },
}

fn failed<E: ToString>(what: &'static str) -> impl FnOnce(E) -> FollowError {
    move |error| FollowError::Failed { what, problem: error.to_string() }
}

/// Record, replay, measure.
pub async fn run(config: FollowConfig, tell: impl Fn(&str)) -> Result<FollowReport, FollowError> {
    let warm_up = Duration::from_millis(10 * config.block_time_ms);
    let measured = Duration::from_secs(config.seconds);
    let lasts = warm_up + measured;
    let blocks = lasts.as_millis().div_ceil(u128::from(config.block_time_ms)) as u64 + 2;
    let mut recordings = Vec::with_capacity(config.recordings);
    for index in 0..config.recordings {
        recordings.push(Arc::new(Recording::make(index, config.block_time_ms, blocks).await?));
    }
    tell(&format!("{blocks} empty blocks of {} chains are recorded", config.recordings));

    let secrets = Secrets::new(B256::repeat_byte(9));
    let mut ports = Ports::default();
    let seat = ports.seat(secrets, "operator-key", 0)?;
    let publishers = (0..config.rollups)
        .map(|index| ports.seat(secrets, "publisher-key", index))
        .collect::<Result<Vec<_>, _>>()?;
    std::fs::create_dir_all(&config.dir).map_err(failed("make the directory"))?;
    let path = std::path::absolute(config.dir.join("network.json")).map_err(failed("find the directory"))?;
    let file = network(&config, secrets, &seat, &publishers, &recordings)?;
    let network = file.clone().check().map_err(failed("check the network file"))?;
    let json = serde_json::to_vec_pretty(&file).map_err(failed("write the network file"))?;
    std::fs::write(&path, json).map_err(failed("write the network file"))?;
    let directory = RoleDirectory::new(config.dir.join("operator"));
    directory
        .write(&OperatorConfig {
            version: ROLE_VERSION,
            network: path,
            listen: seat.address,
            endpoint: None,
            l1_rpc: None,
            l1_beacon: None,
            api: seat.api,
            nodes: Default::default(),
            threads: 2,
            private_addresses: true,
        })
        .map_err(NetworkError::from)?;
    directory.write_key(KeyName::Network, seat.key).map_err(NetworkError::from)?;
    directory.write_key(KeyName::Bls, secrets.bls(0).expose_secret()).map_err(NetworkError::from)?;
    ports.release();

    let arguments = vec!["operator".to_owned(), "--dir".to_owned(), directory.path().display().to_string()];
    let log = directory.path().join("log");
    let mut process = Process::start("operator".to_owned(), config.hum.clone(), arguments, log)
        .map_err(failed("start the operator"))?;
    let id = process.id().ok_or_else(|| failed("start the operator")("it has no process id"))?;
    let api = format!("http://{}/status", seat.api);
    await_answer(&api).await?;

    let operator: PublicKey = network
        .operators
        .first()
        .map(|operator| operator.key.clone())
        .ok_or_else(|| failed("read the network file")("no operator"))?;
    let committee = consensus_committee(&network).map_err(failed("read the committee"))?;
    let mut connections = Vec::with_capacity(config.rollups);
    for ((index, place), (entry, key)) in publishers.iter().enumerate().zip(&network.peers) {
        let peer = |key: &PublicKey, address| real::Peer { key: key.clone(), address };
        let joining = real::Network {
            key: private_key(place.key)?,
            listen: place.address,
            genesis: committee.clone(),
            term_heights: network.genesis.terms.heights(),
            operators_max: usize::from(network.operators_max),
            operators: vec![peer(&operator, seat.address)],
            others: vec![peer(key, entry.address)],
            wires: QUOTAS.to_vec(),
            private_addresses: true,
        };
        let data = config.dir.join(format!("publisher-{index}"));
        connections.push(StandIn::open(joining, data, vec![operator.clone()]));
    }
    let claimants = file.rollups.iter().enumerate().map(|(index, entry)| {
        let key = secrets.account("sequencer", index);
        crowd::Claimant::new(entry, key, file.domain, recordings[index % recordings.len()].clone())
    });
    let mut crowd = Crowd::new(connections, claimants.collect(), config.block_time_ms);
    crowd.connected().await?;
    tell(&format!("{} publishers are connected with one operator", config.rollups));

    let start = Instant::now();
    crowd.replay_until(start + warm_up).await;
    let before = status(&api).await?;
    let mut meter = Meter::start(id).map_err(failed("read /proc"))?;
    let mut sampled = Instant::now();
    while start.elapsed() < lasts {
        crowd.replay_until((sampled + SAMPLE).min(start + lasts)).await;
        sampled = Instant::now();
        meter.sample().map_err(failed("read /proc"))?;
    }
    let figures = meter.stop().map_err(failed("read /proc"))?;
    let after = status(&api).await?;
    let certified =
        |status: &OperatorStatus| status.rollups.iter().map(|rollup| rollup.certified).sum::<u64>();
    let behind =
        after.rollups.iter().map(|rollup| crowd.sent(rollup.chain_id).saturating_sub(rollup.certified));
    let behind_max = behind.max().unwrap_or(u64::MAX);
    let report = FollowReport {
        rollups: config.rollups,
        recordings: config.recordings,
        block_time_ms: config.block_time_ms,
        seconds: figures.elapsed.as_secs_f64(),
        blocks: certified(&after).saturating_sub(certified(&before)),
        heights: after.finalised.0.saturating_sub(before.finalised.0),
        cpu_cores: figures.cpu_cores(),
        memory: figures.memory_bytes_max,
        behind_max,
        followed: behind_max <= BEHIND_MAX && after.rollups.len() == config.rollups,
    };
    crowd.leave().await?;
    process.stop().await.map_err(failed("stop the operator"))?;
    Ok(report)
}

async fn status(api: &str) -> Result<OperatorStatus, FollowError> {
    let answer = reqwest::get(api).await.map_err(failed("ask the operator"))?;
    answer.json().await.map_err(failed("ask the operator"))
}

async fn await_answer(api: &str) -> Result<(), FollowError> {
    let deadline = Instant::now() + START;
    while let Err(error) = status(api).await {
        if Instant::now() > deadline {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// A network of one operator, whose rollups stand nowhere.
fn network(
    config: &FollowConfig,
    secrets: Secrets,
    seat: &Seat,
    publishers: &[Seat],
    recordings: &[Arc<Recording>],
) -> Result<NetworkFile, FollowError> {
    let deployment = Deployment { service_manager: Address::repeat_byte(0x51), operator_set: 0 };
    let domain = Domain::new(L1, deployment.service_manager, 0);
    let (bls, account) = (secrets.bls(0), secrets.address("operator", 0));
    let possession = bls.prove_possession(domain, account);
    let member = PossessedKey::check(domain, bls.public_key(), account, &possession)
        .map_err(failed("make a committee"))?;
    let id = member.operator_id();
    let committee = Committee::new(Epoch(0), TimeS(u64::MAX), vec![(member, Stake(100))])
        .map_err(failed("make a committee"))?;
    let (mut rollups, mut peers) = (Vec::new(), Vec::new());
    for (index, place) in publishers.iter().enumerate() {
        let recording = recordings
            .get(index % recordings.len().max(1))
            .ok_or_else(|| failed("make the network file")("nothing is recorded"))?;
        let chain_id = ChainId(L1.0 + 1 + index as u64);
        let spec = recording.spec(chain_id).map_err(failed("read the rules"))?;
        let sequencer = secrets.address("sequencer", index);
        let anchor = recording.anchor().clone();
        let name = format!("rollup-{}", index + 1);
        rollups.push(RollupEntry {
            registration: RegistrationId::derive(chain_id, sequencer, keccak256(&anchor), spec.hash()),
            name: name.clone(),
            chain_id,
            rpc: "http://127.0.0.1:9".to_owned(),
            gateways: Gateways {
                latest: Address::repeat_byte(0xa0),
                safe: Address::repeat_byte(0xa1),
                finalized: Address::repeat_byte(0xa2),
            },
            light_client: Address::repeat_byte(0xa3),
            sequencer,
            class: Class::Reexecuted,
            spec,
            anchor,
            own_node: None,
            limits: RollupLimits::default(),
            settlement: None,
            block_time_ms: config.block_time_ms,
        });
        peers.push(PeerEntry {
            name: format!("publisher-{name}"),
            role: PeerRole::Publisher,
            key: place.public,
            address: place.address,
            chain_id: Some(chain_id),
            api: None,
        });
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(NetworkFile {
        version: NETWORK_VERSION,
        name: "recorded".to_owned(),
        deployment,
        domain,
        genesis_time_ms: TimeMs(u64::try_from(now.as_millis()).unwrap_or(u64::MAX)),
        l1: L1Entry {
            chain_id: L1,
            rpc: "http://127.0.0.1:9".to_owned(),
            beacon: None,
            origin: L1Origin { number: 1, hash: B256::repeat_byte(1) },
        },
        rollups,
        term_heights: 64,
        seats_max: 1,
        operators_max: 1,
        restaking: None,
        operators: vec![OperatorEntry {
            name: None,
            id,
            operator: account,
            bls_key: bls.public_key(),
            possession,
            stake: Stake(100),
            api: format!("http://{}", seat.api),
            key: seat.public,
            address: seat.address,
        }],
        committee: CommitteeEntry {
            epoch: Epoch(0),
            valid_until: committee.table().valid_until(),
            table: committee.table().encode().into(),
        },
        peers,
    })
}
