//! The network of a demonstration, and the ways to look at it.

use super::{DemoConfig, DemoError, books::Books, dice::Dice};
use crate::{
    network::{LocalConfig, LocalNetwork, LocalOperator, LocalStack, NetworkError, Process, Step, connect},
    restaking::SNAPSHOT_INTERVAL_BLOCKS,
};
use alloy::{sol_types::SolCall as _, transports::http::reqwest};
use hum_chain::{
    At, Chain as _, ReadError,
    contracts::Gateway,
    rpc::{RpcChain, RpcSubmit, SubmitPolicy},
};
use hum_node::{
    api::{OperatorStatus, RollupView},
    config::{BatchData, Network, PeerRole, PublisherConfig, RoleDirectory},
    watcher::WatcherView,
};
use hum_types::{Address, B256, ChainId, Confidence, RegistrationId};
use serde::de::DeserializeOwned;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// How often what is waited for is looked at.
const POLL: Duration = Duration::from_millis(200);
/// How long a process may take to answer a question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How far the clock of the machine may move against its monotonic one during a run.
const DRIFT_MAX: Duration = Duration::from_millis(50);

/// What network a scenario needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) rollups: usize,
    pub(super) operators: usize,
    pub(super) safe_depth: u64,
    pub(super) finalized_depth: u64,
    /// By which rules the rollups make blocks; the last serves the rest.
    pub(super) stacks: &'static [LocalStack],
    /// Time between their blocks; empty leaves it to whoever runs the demonstration.
    pub(super) block_time_ms: &'static [u64],
}

impl Shape {
    /// So many rollups under Ethereum's rules and four operators; `safe` is 2 behind, `finalized` 4.
    pub(super) const fn new(rollups: usize) -> Self {
        Self {
            rollups,
            operators: 4,
            safe_depth: 2,
            finalized_depth: 4,
            stacks: &[LocalStack::Ethereum],
            block_time_ms: &[],
        }
    }
}

/// A rollup of the network, as a person with an account sees it.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) name: String,
    pub(super) chain_id: ChainId,
    pub(super) registration: RegistrationId,
    pub(super) reader: RpcChain,
    pub(super) submit: RpcSubmit,
    pub(super) gateway: Address,
    pub(super) inbox: Address,
    pub(super) publisher_api: String,
}

impl Site {
    pub(super) fn read_error(&self, source: ReadError) -> DemoError {
        DemoError::Read { name: self.name.clone(), source }
    }
}

/// Which rollup sends to which, by their place among the sites.
pub(super) type Pair = (usize, usize);

/// A running network, and what was found wrong with it so far.
pub(super) struct Scene {
    pub(super) network: LocalNetwork,
    pub(super) checked: Network,
    pub(super) sites: Arc<Vec<Site>>,
    pub(super) dice: Dice,
    pub(super) block_time: Duration,
    /// Whose gateways the messages go through.
    pub(super) confidence: Confidence,
    http: reqwest::Client,
    tell: Arc<dyn Fn(&str) + Send + Sync>,
    violations: Vec<String>,
    started: (Instant, SystemTime),
}

impl Scene {
    pub(super) async fn start(config: DemoConfig, shape: Shape) -> Result<Self, DemoError> {
        let DemoConfig { dir, hum, seed, block_time_ms, confidence, tell } = config;
        let block_time_ms =
            if shape.block_time_ms.is_empty() { block_time_ms } else { shape.block_time_ms.to_vec() };
        let slowest = block_time_ms.iter().max().copied().unwrap_or(1_000);
        let local = LocalConfig {
            dir,
            hum,
            rollups: shape.rollups,
            stacks: shape.stacks.to_vec(),
            operators: shape.operators,
            block_time_ms,
            safe_depth: shape.safe_depth,
            finalized_depth: shape.finalized_depth,
            batch_data: BatchData::Calldata,
            snapshot_interval_blocks: SNAPSHOT_INTERVAL_BLOCKS,
        };
        let start = Instant::now();
        let network = LocalNetwork::start(local, |_: Step| {}).await?;
        tell(&format!(
            "{} rollups, {} operators with stake, a relayer and a watcher run ({:.1} s)",
            shape.rollups,
            shape.operators,
            start.elapsed().as_secs_f64()
        ));
        let checked = network.file().clone().check().map_err(|error| DemoError::Role {
            what: "check the network file".to_owned(),
            problem: error.to_string(),
        })?;
        let http = reqwest::Client::builder()
            .timeout(ANSWER_TIMEOUT)
            .build()
            .map_err(|error| DemoError::Ask { url: "http client".to_owned(), problem: error.to_string() })?;
        let sites = sites(&network, confidence)?;
        Ok(Self {
            network,
            checked,
            sites: Arc::new(sites),
            dice: Dice::new(seed),
            block_time: Duration::from_millis(slowest),
            confidence,
            http,
            tell,
            violations: Vec::new(),
            started: (Instant::now(), SystemTime::now()),
        })
    }

    /// Stop everything; what went wrong.
    pub(super) async fn finish(mut self) -> Vec<String> {
        for dead in self.dead() {
            self.violation(format!("{dead} ended by itself"));
        }
        for panicked in self.panicked() {
            self.violation(panicked);
        }
        let Self { network, tell, mut violations, .. } = self;
        if let Err(error) = network.stop().await {
            tell(&format!("VIOLATION: {error}"));
            violations.push(error.to_string());
        }
        violations
    }

    pub(super) fn tell(&self, line: impl AsRef<str>) {
        (self.tell)(line.as_ref());
    }

    pub(super) fn violation(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.tell(format!("VIOLATION: {what}"));
        self.violations.push(what);
    }

    /// A violation unless `held`.
    pub(super) fn demand(&mut self, held: bool, otherwise: impl FnOnce() -> String) {
        if !held {
            self.violation(otherwise());
        }
    }

    /// All ordered pairs of the rollups that `taken` accepts.
    pub(super) fn pairs(&self, taken: impl Fn(usize) -> bool) -> Vec<Pair> {
        let all = 0..self.sites.len();
        all.clone()
            .flat_map(|from| all.clone().map(move |to| (from, to)))
            .filter(|(from, to)| from != to && taken(*from) && taken(*to))
            .collect()
    }

    pub(super) fn name(&self, site: usize) -> String {
        self.sites.get(site).map(|site| site.name.clone()).unwrap_or_default()
    }

    /// Where a role keeps its files.
    pub(super) fn directory(&self, role: &str) -> RoleDirectory {
        directory(&self.network.path(), role)
    }

    fn process(&mut self, name: &str) -> Result<&mut Process, DemoError> {
        self.network.process(name).ok_or_else(|| DemoError::Role {
            what: format!("find {name}"),
            problem: "the network has no such process".to_owned(),
        })
    }

    /// SIGKILL.
    pub(super) async fn kill(&mut self, name: &str) -> Result<(), DemoError> {
        let failed = |error: std::io::Error| DemoError::Role {
            what: format!("kill {name}"),
            problem: error.to_string(),
        };
        self.process(name)?.kill().await.map_err(failed)
    }

    pub(super) fn restart(&mut self, name: &str) -> Result<(), DemoError> {
        let failed = |error: std::io::Error| DemoError::Role {
            what: format!("start {name}"),
            problem: error.to_string(),
        };
        self.process(name)?.restart().map_err(failed)
    }

    /// Names of processes that ended although nobody stopped them.
    fn dead(&mut self) -> Vec<String> {
        let ended = |process: &mut Process| matches!(process.exited(), Ok(Some(_)));
        self.network
            .processes
            .iter_mut()
            .filter_map(|process| ended(process).then(|| process.name().to_owned()))
            .collect()
    }

    /// Panics in the processes' logs.
    fn panicked(&self) -> Vec<String> {
        let mut found = Vec::new();
        for process in &self.network.processes {
            let log = std::fs::read_to_string(process.log()).unwrap_or_default();
            let lines = log.lines().filter(|line| line.contains("panicked at"));
            found.extend(lines.map(|line| format!("{}: {}", process.name(), line.trim())));
        }
        found
    }

    /// Ask a process' HTTP API.
    pub(super) async fn ask<T: DeserializeOwned>(&self, api: &str, path: &str) -> Result<T, DemoError> {
        let url = format!("{api}{path}");
        let failed = |error: reqwest::Error| DemoError::Ask { url: url.clone(), problem: error.to_string() };
        let answer = self.http.get(&url).send().await.and_then(reqwest::Response::error_for_status);
        answer.map_err(failed)?.json().await.map_err(failed)
    }

    /// A process' metrics.
    pub(super) async fn metrics(&self, api: &str) -> Result<String, DemoError> {
        let url = format!("{api}/metrics");
        let failed = |error: reqwest::Error| DemoError::Ask { url: url.clone(), problem: error.to_string() };
        let answer = self.http.get(&url).send().await.and_then(reqwest::Response::error_for_status);
        answer.map_err(failed)?.text().await.map_err(failed)
    }

    /// Ask the operators in turn until one answers: one that was away may lack what others have.
    pub(super) async fn ask_any<T: DeserializeOwned>(&self, path: &str) -> Result<T, DemoError> {
        let mut failed = DemoError::Ask { url: path.to_owned(), problem: "there is no operator".to_owned() };
        for api in self.operators() {
            match self.ask(&api, path).await {
                Ok(answer) => return Ok(answer),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// URLs of the APIs of everyone who is an operator at the moment.
    pub(super) fn operators(&self) -> Vec<String> {
        let here = |operator: &&LocalOperator| {
            self.network.processes.iter().any(|process| process.name() == operator.name)
        };
        self.network.operators().iter().filter(here).map(|operator| operator.api.clone()).collect()
    }

    /// What the watcher has seen and done.
    pub(super) async fn watcher(&self) -> Result<WatcherView, DemoError> {
        let peers = &self.network.file().peers;
        let api = peers.iter().find(|peer| peer.role == PeerRole::Watcher).and_then(|peer| peer.api.as_ref());
        let missing = || DemoError::Role {
            what: "ask the watcher".to_owned(),
            problem: "the network has none".to_owned(),
        };
        self.ask(api.ok_or_else(missing)?, "/status").await
    }

    /// What the operators that answer say of themselves.
    pub(super) async fn statuses(&self) -> Vec<OperatorStatus> {
        let mut statuses = Vec::new();
        for api in self.operators() {
            statuses.extend(self.ask(&api, "/status").await.ok());
        }
        statuses
    }

    /// What each operator says of a rollup; nothing while one of them does not answer.
    pub(super) async fn views(&self, site: usize) -> Option<Vec<RollupView>> {
        let chain_id = self.sites.get(site)?.chain_id;
        let statuses = self.statuses().await;
        if statuses.len() < self.operators().len() {
            return None;
        }
        let rollups = statuses.into_iter().flat_map(|status| status.rollups);
        Some(rollups.filter(|rollup| rollup.chain_id == chain_id).collect())
    }

    /// Wait until what is sent between these pairs is executed; how things stand then, or when time is up.
    pub(super) async fn settle(&self, pairs: &[Pair], limit: Duration) -> Result<Books, DemoError> {
        let mut books = Books::read(&self.sites).await?;
        let deadline = Instant::now() + limit;
        while books.open(pairs) > 0 && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
            books = Books::read(&self.sites).await?;
        }
        Ok(books)
    }

    /// Whether a rollup's gateway refuses what is sent along a lane.
    pub(super) async fn is_lane_closed(&self, site: usize, lane: Option<&Pair>) -> Result<bool, DemoError> {
        let to = lane.and_then(|(_, to)| self.sites.get(*to));
        let (Some(from), Some(to)) = (self.sites.get(site), to) else { return Ok(false) };
        let call = Gateway::isLaneClosedCall { destination: to.chain_id.0 };
        let answer = from.reader.call(from.gateway, call.abi_encode().into(), At::LATEST).await;
        let answer = answer.map_err(|error| from.read_error(error))?;
        Ok(Gateway::isLaneClosedCall::abi_decode_returns(&answer).unwrap_or(false))
    }

    /// Times are from processes that share this machine's clock: they mean something only while nobody moves it.
    pub(super) fn check_clock(&mut self) {
        let (monotonic, wall) = (self.started.0.elapsed(), self.started.1.elapsed().unwrap_or_default());
        let drift = monotonic.abs_diff(wall);
        self.demand(drift <= DRIFT_MAX, || {
            format!(
                "the machine's clock was moved by {} ms during the run: the times mean nothing",
                drift.as_millis()
            )
        });
    }
}

/// Look every now and then until there is something; `None` when time is up.
pub(super) async fn until<T>(
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>, DemoError>,
) -> Result<Option<T>, DemoError> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look().await? {
            return Ok(Some(found));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(POLL).await;
    }
}

fn directory(network: &Path, role: &str) -> RoleDirectory {
    RoleDirectory::new(network.with_file_name(role))
}

fn sites(network: &LocalNetwork, confidence: Confidence) -> Result<Vec<Site>, DemoError> {
    let addresses = network.addresses();
    let secret: B256 = network.dev_secret();
    let mut sites = Vec::new();
    for rollup in &network.rollups {
        let (reader, _) = connect(&rollup.chain, secret)?;
        // Receipts are not what is measured: asking seldom leaves the machine to those who work.
        let policy = SubmitPolicy { in_flight_max: 1_024, poll_interval_ms: 500, ..SubmitPolicy::default() };
        let submit = RpcSubmit::new(reader.clone(), secret, policy).ok_or_else(|| DemoError::Role {
            what: "use the dev account".to_owned(),
            problem: "its secret is no key".to_owned(),
        })?;
        let publisher = directory(&network.path(), &format!("publisher-{}", rollup.name));
        let config = PublisherConfig::load(&publisher).map_err(NetworkError::from)?;
        sites.push(Site {
            name: rollup.name.clone(),
            chain_id: rollup.chain.chain_id(),
            registration: rollup.registration,
            reader,
            submit,
            gateway: addresses.gateways[confidence as usize],
            inbox: addresses.inbox,
            publisher_api: format!("http://{}", config.api),
        });
    }
    Ok(sites)
}
