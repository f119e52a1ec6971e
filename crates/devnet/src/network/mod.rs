//! A whole local network: chains in this process, every role in a process of its own.
//!
//! ```text
//! this process:  L1, rollups (each with its sequencer's desk)
//! children:      operators ⇄ operators, publisher for each rollup, relayer, watcher
//! DIR/network.json             what everyone reads
//! DIR/<role>/role.json, keys/, data/, log
//! ```
//!
//! The roles do not know that the network is local: they are the same program with the same files as anywhere.

mod desk;
mod joining;
mod keys;
mod lay_out;
mod local_chain;
mod on_l1;
mod process;

pub use joining::LocalOperator;
pub use local_chain::{LocalChain, LocalNode, LocalStack};
pub use process::{Process, TIED_ARGUMENT};

use crate::{
    ChainConfig, DevChain, DevChainError, Endpoint, POSTED_TRANSACTIONS_BYTES_MAX,
    op::OpNodeError,
    restaking::{OPERATORS_MAX, PAST_BLOCKS, Restaking, RestakingError, SEATS_MAX, SET_UP_BLOCKS},
};
use alloy::{primitives::U256, transports::http::reqwest};
use desk::Desk;
use hum_chain::{
    ReadError,
    contracts::{Addresses, DeployError, Deployment},
    rpc::{FeePolicy, RpcChain, RpcLimits, RpcSubmit, SubmitPolicy},
};
use hum_node::config::{BatchData, DirectoryError, NetworkFile, OperatorEntry};
use hum_types::{Address, B256, Bytes, ChainId, RegistrationId};
pub(crate) use keys::Secrets;
pub(crate) use lay_out::{Ports, Seat, private_key};
pub(crate) use local_chain::anchor_of;
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Chain id of the local L1; rollups follow it.
const L1_CHAIN_ID: u64 = 900;
/// Time between blocks of the local L1.
const L1_BLOCK_TIME_MS: u64 = 1_000;
/// What each account starts with: a million ether, in wei.
const BALANCE_WEI: u128 = 1_000_000 * 1_000_000_000_000_000_000;
/// How often a process that starts is asked whether it is ready.
const READY_POLL: Duration = Duration::from_millis(50);
/// How long a network may take to certify its first checkpoint.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// Names of the first rollups.
const NAMES: [&str; 8] = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"];

/// What a local network consists of.
#[derive(Debug, Clone)]
pub struct LocalConfig {
    /// Where its files go; made when missing. Must not hold another network.
    pub dir: PathBuf,
    /// The `hum` binary that runs the roles.
    pub hum: PathBuf,
    /// How many rollups.
    pub rollups: usize,
    /// By which rules each rollup makes its blocks; the last entry serves all that follow.
    pub stacks: Vec<LocalStack>,
    /// How many operators.
    pub operators: usize,
    /// Time between blocks of each rollup; the last entry serves all that follow.
    pub block_time_ms: Vec<u64>,
    /// How many blocks the `safe` tag stays behind.
    pub safe_depth: u64,
    /// How many blocks the `finalized` tag stays behind.
    pub finalized_depth: u64,
    /// Where rollups' batches go on L1.
    pub batch_data: BatchData,
    /// L1 blocks after which a committee is renewed though nobody joined, left or was slashed.
    pub snapshot_interval_blocks: u32,
}

/// What has been done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Chains make blocks.
    Chains,
    /// EigenLayer's core and our contracts stand on L1, the first operators are in.
    Restaking,
    /// Network file, role files and keys are written.
    Files,
    /// Operators and publishers run.
    Roles,
    /// Contracts stand on every chain.
    Contracts,
    /// The first checkpoint that covers the contracts is certified, and the relayer runs.
    Ready,
}

/// Why a local network did not start.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A count that makes no network.
    #[error("{what} is {found}, it must be between {least} and {most}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// What was asked for.
        found: usize,
        /// The least.
        least: usize,
        /// The most.
        most: usize,
    },
    /// The directory holds something.
    #[error("{dir} holds a network already; remove it or choose another --dir")]
    Occupied {
        /// The directory.
        dir: PathBuf,
    },
    /// A file or process could not be made.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// An embedded chain failed.
    #[error(transparent)]
    Chain(#[from] DevChainError),
    /// A builder of OP Stack blocks did not start.
    #[error(transparent)]
    Op(#[from] OpNodeError),
    /// An OP Stack rollup slower than its L1: each of its blocks builds on the L1 block after its parent's at the latest.
    #[error(
        "a rollup under the OP Stack's rules makes a block every {block_time_ms} ms, its L1 every {L1_BLOCK_TIME_MS} ms"
    )]
    SlowerThanL1 {
        /// Time between its blocks.
        block_time_ms: u64,
    },
    /// A chain whose client has no controls for demos.
    #[error(
        "chain {chain_id} cannot be forked or made to lie: its blocks are not made by the embedded client"
    )]
    NoControls {
        /// The chain.
        chain_id: ChainId,
    },
    /// An embedded chain's genesis or rules are not what the verifier reads.
    #[error("chain {chain_id}: {problem}")]
    Genesis {
        /// The chain.
        chain_id: ChainId,
        /// What is wrong.
        problem: String,
    },
    /// A node could not be asked.
    #[error("chain {chain_id}: {source}")]
    Rpc {
        /// The chain.
        chain_id: ChainId,
        /// Why.
        source: ReadError,
    },
    /// Keys that form no committee.
    #[error("the operators form no committee: {0}")]
    Committee(String),
    /// The deployment on L1 failed.
    #[error(transparent)]
    Restaking(#[from] RestakingError),
    /// What stands on L1 could not be read.
    #[error("cannot read the L1: {0}")]
    L1(#[from] hum_chain::restaking::RestakingError),
    /// A role's directory could not be written.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The contracts could not be deployed.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// A command about an operator failed.
    #[error("hum operator {arguments}: {said}")]
    Command {
        /// The command.
        arguments: String,
        /// What it printed.
        said: String,
    },
    /// A role ended while the network was starting.
    #[error("{name} ended with {status}; its last words:\n{last_words}")]
    Exited {
        /// The role.
        name: String,
        /// How it ended.
        status: String,
        /// The end of its log.
        last_words: String,
    },
    /// Nothing was certified in time.
    #[error("no checkpoint was certified within {seconds} s; see the logs under {dir}")]
    NotReady {
        /// How long was waited.
        seconds: u64,
        /// Where the logs are.
        dir: PathBuf,
    },
}

/// A rollup of a local network.
#[derive(Debug)]
pub struct LocalRollup {
    /// What it is called.
    pub name: String,
    /// Its chain.
    pub chain: LocalChain,
    /// Its entry in the registry.
    pub registration: RegistrationId,
    /// The secret of its sequencer: what a lying sequencer of a demo signs with.
    pub sequencer_secret: B256,
    /// Where its publisher reads the chain; a demo may point it at another one.
    pub feed: Endpoint,
    desk: Desk,
}

/// A running local network.
#[derive(Debug)]
pub struct LocalNetwork {
    dir: PathBuf,
    hum: PathBuf,
    file: NetworkFile,
    deployment: Deployment,
    restaking: Restaking,
    operators: Vec<LocalOperator>,
    /// Accounts that operators may have in all.
    accounts: usize,
    secrets: Secrets,
    /// The L1.
    pub l1: DevChain,
    /// The rollups, by ascending chain id.
    pub rollups: Vec<LocalRollup>,
    /// The roles: operators, then publishers in the order of `rollups`, then relayers.
    pub processes: Vec<Process>,
}

impl LocalNetwork {
    /// Start everything; `progress` hears of each step. What was started is stopped again when a step fails.
    pub async fn start(config: LocalConfig, progress: impl Fn(Step)) -> Result<Self, NetworkError> {
        config.check()?;
        let secrets = Secrets::new(random_seed()?);
        let (l1, chains) = config.boot(secrets).await?;
        progress(Step::Chains);

        let plan = lay_out::plan(&config, secrets, &l1, chains, &progress).await?;
        l1.resume();
        for (index, rollup) in plan.rollups.iter().enumerate() {
            rollup.chain.follow(&l1, secrets.address("batcher", index))?;
        }
        progress(Step::Files);
        let mut network = Self {
            dir: config.dir.clone(),
            hum: config.hum.clone(),
            operators: (0..).zip(&plan.file.operators).map(founder).collect(),
            accounts: config.operators + on_l1::SPARE_OPERATORS,
            file: plan.file,
            deployment: plan.deployment,
            restaking: plan.restaking,
            secrets,
            l1,
            rollups: plan.rollups,
            processes: Vec::new(),
        };
        let (relayers, others): (Vec<_>, Vec<_>) =
            plan.roles.into_iter().partition(|role| role.command == "relayer");
        network.spawn(&config.hum, others)?;
        progress(Step::Roles);
        let deployed = network.deploy(&plan.deployment, &plan.table).await?;
        progress(Step::Contracts);
        network.spawn(&config.hum, relayers)?;
        network.wait_until_ready(&deployed).await?;
        progress(Step::Ready);
        Ok(network)
    }

    /// The network file's contents.
    #[must_use]
    pub const fn file(&self) -> &NetworkFile {
        &self.file
    }

    /// Where the network file is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        network_path(&self.dir)
    }

    /// Where the contracts stand, on every chain.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.deployment.addresses()
    }

    /// The `hum` binary that runs the roles.
    #[must_use]
    pub fn hum(&self) -> &Path {
        &self.hum
    }

    /// What those addresses commit to.
    #[must_use]
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// What stands on L1.
    #[must_use]
    pub const fn restaking(&self) -> &Restaking {
        &self.restaking
    }

    /// The secret of an account with funds on every chain, for whoever tries things out.
    #[must_use]
    pub fn dev_secret(&self) -> B256 {
        self.secrets.secret("dev", 0)
    }

    /// The secret of an account with funds on L1 and nowhere else: a deposit uses up a nonce of its sender in the rollup, too.
    #[must_use]
    pub fn depositor_secret(&self) -> B256 {
        self.secrets.secret("depositor", 0)
    }

    /// The secret of the account that owns what stands on L1: it authorises rollups that join, and decides for the members of the
    /// network file whom they hear.
    #[must_use]
    pub fn owner_secret(&self) -> B256 {
        self.secrets.secret("owner", 0)
    }

    /// The process called `name`.
    pub fn process(&mut self, name: &str) -> Option<&mut Process> {
        self.processes.iter_mut().find(|process| process.name() == name)
    }

    /// Stop every role, then the chains. No process is left.
    pub async fn stop(mut self) -> Result<(), NetworkError> {
        let mut failed = None;
        let stops = self.processes.iter_mut().map(|process| async {
            let name = process.name().to_owned();
            process.stop().await.map_err(|source| NetworkError::Io { what: format!("stop {name}"), source })
        });
        for stopped in futures::future::join_all(stops).await {
            failed = failed.or(stopped.err());
        }
        for rollup in &self.rollups {
            rollup.desk.close().await;
            rollup.feed.close().await;
            rollup.chain.shutdown().await;
        }
        self.l1.shutdown().await;
        failed.map_or(Ok(()), Err)
    }

    fn spawn(&mut self, hum: &Path, roles: Vec<lay_out::Role>) -> Result<(), NetworkError> {
        for role in roles {
            let dir = role.directory.path().to_owned();
            let arguments = vec![role.command.to_owned(), "--dir".to_owned(), dir.display().to_string()];
            let process = Process::start(role.name.clone(), hum.to_owned(), arguments, dir.join("log"))
                .map_err(|source| NetworkError::Io { what: format!("start {}", role.name), source })?;
            self.processes.push(process);
        }
        Ok(())
    }

    /// Deploy everywhere at once; the block of each rollup that has everything. On L1 stands the same: its light client is asked
    /// what became of a rollup that left, and judges compare a gateway's code with the one there.
    async fn deploy(
        &self,
        deployment: &Deployment,
        table: &Bytes,
    ) -> Result<Vec<(ChainId, u64)>, NetworkError> {
        let owner = self.secrets.secret("owner", 0);
        let sources: Vec<_> =
            self.rollups.iter().map(|rollup| (rollup.chain.chain_id(), rollup.registration)).collect();
        let on_rollups = self.rollups.iter().map(|rollup| {
            let own = rollup.chain.chain_id();
            let others: Vec<_> = sources.iter().copied().filter(|(id, _)| *id != own).collect();
            async move {
                let (chain, submit) = connect(&rollup.chain, owner)?;
                deployment.deploy(&chain, &submit, table, &others).await?;
                Ok::<_, NetworkError>((own, rollup.chain.head().number))
            }
        });
        let on_l1 = async {
            let (chain, submit) = connect(&self.l1, owner)?;
            deployment.deploy_on_l1(&chain, &submit, table).await?;
            Ok::<_, NetworkError>(())
        };
        Ok(futures::future::try_join(futures::future::try_join_all(on_rollups), on_l1).await?.0)
    }

    async fn wait_until_ready(&mut self, deployed: &[(ChainId, u64)]) -> Result<(), NetworkError> {
        let client = reqwest::Client::new();
        let deadline = tokio::time::Instant::now() + READY_TIMEOUT;
        while tokio::time::Instant::now() < deadline {
            for process in &mut self.processes {
                let exited = process
                    .exited()
                    .map_err(|source| NetworkError::Io { what: "look after a role".into(), source })?;
                if let Some(status) = exited {
                    return Err(NetworkError::Exited {
                        name: process.name().to_owned(),
                        status: status.to_string(),
                        last_words: process.last_words(),
                    });
                }
            }
            if self.covers(&client, deployed).await {
                return Ok(());
            }
            tokio::time::sleep(READY_POLL).await;
        }
        Err(NetworkError::NotReady { seconds: READY_TIMEOUT.as_secs(), dir: self.dir.clone() })
    }

    /// Whether every operator says that its newest certified checkpoint has these blocks.
    async fn covers(&self, client: &reqwest::Client, blocks: &[(ChainId, u64)]) -> bool {
        for operator in &self.file.operators {
            let Ok(answer) = client.get(format!("{}/status", operator.api)).send().await else {
                return false;
            };
            let Ok(status) = answer.json::<hum_node::api::OperatorStatus>().await else { return false };
            let covered = |chain_id, number| {
                status.rollups.iter().any(|rollup| rollup.chain_id == chain_id && rollup.certified >= number)
            };
            if !blocks.iter().all(|(chain_id, number)| covered(*chain_id, *number)) {
                return false;
            }
        }
        true
    }
}

impl LocalConfig {
    fn check(&self) -> Result<(), NetworkError> {
        let counts = [
            ("the number of rollups", self.rollups, 1, 64),
            ("the number of operators", self.operators, 1, 100),
            ("the number of block times", self.block_time_ms.len(), 1, 64),
            ("the number of stacks", self.stacks.len(), 1, 64),
        ];
        for (what, found, least, most) in counts {
            if !(least..=most).contains(&found) {
                return Err(NetworkError::Count { what, found, least, most });
            }
        }
        for (stack, block_time_ms) in (0..self.rollups).map(|index| self.kind(index)) {
            if stack == LocalStack::OpStack && block_time_ms > L1_BLOCK_TIME_MS {
                return Err(NetworkError::SlowerThanL1 { block_time_ms });
            }
        }
        if network_path(&self.dir).exists() {
            return Err(NetworkError::Occupied { dir: self.dir.clone() });
        }
        std::fs::create_dir_all(&self.dir)
            .map_err(|source| NetworkError::Io { what: format!("make {}", self.dir.display()), source })
    }

    /// The rules of a rollup, and the time between its blocks.
    fn kind(&self, index: usize) -> (LocalStack, u64) {
        let stack = self.stacks.get(index).or(self.stacks.last()).copied().unwrap_or_default();
        let time = self.block_time_ms.get(index).or(self.block_time_ms.last()).copied().unwrap_or(1_000);
        (stack, time)
    }

    /// Most seats of its committees.
    fn seats_max(&self) -> u16 {
        u16::try_from(self.operators).unwrap_or(u16::MAX).max(SEATS_MAX)
    }

    /// Most operators that are registered at once.
    fn operators_max(&self) -> u16 {
        u16::try_from(self.operators + on_l1::SPARE_OPERATORS).unwrap_or(u16::MAX).max(OPERATORS_MAX)
    }

    async fn boot(&self, secrets: Secrets) -> Result<(DevChain, Vec<LocalChain>), NetworkError> {
        let accounts: Vec<Address> =
            ["owner", "relayer", "watcher", "dev"].map(|what| secrets.address(what, 0)).into();
        let chain = |name: String, id: u64, block_time_ms: u64| ChainConfig {
            block_time_ms,
            safe_depth: self.safe_depth,
            finalized_depth: self.finalized_depth,
            prefunded: accounts.iter().map(|account| (*account, U256::from(BALANCE_WEI))).collect(),
            ..ChainConfig::new(name, ChainId(id))
        };
        let mut l1 = chain("l1".to_owned(), L1_CHAIN_ID, L1_BLOCK_TIME_MS);
        (l1.paused, l1.genesis_age_s) = (true, PAST_BLOCKS + SET_UP_BLOCKS);
        let founders = (0..self.operators).map(|index| secrets.address("operator", index));
        let batchers = (0..self.rollups).map(|index| secrets.address("batcher", index));
        let depositor = [secrets.address("depositor", 0)];
        for account in founders.chain(on_l1::spares(self, secrets)).chain(batchers).chain(depositor) {
            l1.prefunded.push((account, U256::from(BALANCE_WEI)));
        }
        let chain_id = |index: usize| ChainId(L1_CHAIN_ID + 1 + index as u64);
        l1.predeploys = (0..self.rollups)
            .filter_map(|index| LocalChain::on_l1(self.kind(index).0, chain_id(index)))
            .collect();
        let l1 = DevChain::start(l1).await?;
        let mut rollups = Vec::with_capacity(self.rollups);
        for index in 0..self.rollups {
            let name = NAMES.get(index).map_or_else(|| format!("rollup-{}", index + 1), ToString::to_string);
            let (stack, time) = self.kind(index);
            // Spread evenly: rollups of their own share no clock, and blocks that come all at once are nobody's average.
            let phase_ms = time * index as u64 / self.rollups as u64;
            let chain = ChainConfig {
                phase_ms,
                transactions_bytes_max: Some(POSTED_TRANSACTIONS_BYTES_MAX),
                ..chain(name, chain_id(index).0, time)
            };
            rollups.push(LocalChain::start(stack, chain).await?);
        }
        Ok((l1, rollups))
    }
}

fn founder((index, entry): (usize, &OperatorEntry)) -> LocalOperator {
    LocalOperator { name: format!("operator-{index}"), operator: entry.operator, api: entry.api.clone() }
}

fn network_path(dir: &Path) -> PathBuf {
    dir.join("network.json")
}

/// A reader and a sender for a chain of this process.
pub fn connect(chain: &impl LocalNode, secret: B256) -> Result<(RpcChain, RpcSubmit), NetworkError> {
    let reader = reader(chain)?;
    let policy = SubmitPolicy { fees: FeePolicy::default(), in_flight_max: 64, ..SubmitPolicy::default() };
    let submit = RpcSubmit::new(reader.clone(), secret, policy).ok_or_else(|| NetworkError::Genesis {
        chain_id: chain.chain_id(),
        problem: "an account's secret is no secp256k1 key".to_owned(),
    })?;
    Ok((reader, submit))
}

fn reader(chain: &impl LocalNode) -> Result<RpcChain, NetworkError> {
    let chain_id = chain.chain_id();
    RpcChain::new(&chain.rpc_url(), chain_id, RpcLimits::default())
        .map_err(|source| NetworkError::Rpc { chain_id, source })
}

fn random_seed() -> Result<B256, NetworkError> {
    let mut seed = [0; 32];
    io::Read::read_exact(
        &mut std::fs::File::open("/dev/urandom")
            .map_err(|source| NetworkError::Io { what: "open /dev/urandom".into(), source })?,
        &mut seed,
    )
    .map_err(|source| NetworkError::Io { what: "read /dev/urandom".into(), source })?;
    Ok(B256::new(seed))
}
