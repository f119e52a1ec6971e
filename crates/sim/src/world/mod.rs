//! A seeded world: the network's own roles in virtual time, applications that send messages, one crash, and checks.
//!
//! ```text
//! WorldConfig ─▶ Cast (keys, chains, network file) ─▶ World ─▶ Report
//!                                                      │  ▲
//!                                 kill, start_operator, chain: whoever wants it to go wrong
//! ```
//!
//! [`run`] is one scenario over [`World`]; other misbehaviour drives the same methods.

mod checks;
mod config;
mod memory;
#[cfg(test)]
mod tests;
mod traffic;

pub use checks::Report;
pub use config::{CastError, START, WorldConfig};

use crate::chain::{SimAccount, SimChain, SimNode, dev_key};
use alloy_primitives::{B256, keccak256};
use checks::Tally;
use commonware_runtime::{Clock as _, Handle, Runner as _, Spawner as _, Supervisor as _, deterministic};
use config::{Cast, Dice, OWNER, RELAYER, Rollup};
use futures::future::try_join_all;
use hum_chain::{LocalKey, contracts::DeployError};
use hum_consensus::{
    PrivateKey, Signer as _, Tuning, Wire,
    simulated::{self, SimulationError},
};
use hum_node::{
    operator::{Operator, OperatorHandle, Pace, Prepared, Setup, StartError, consensus_committee},
    publisher::{self, Identity, PublisherError, PublisherHandle, PublisherParts, PublisherSettings},
    relayer::{self, Destination, RelayerError, RelayerHandle, RelayerParts, RelayerSettings},
    runtime,
    wire::{QUOTAS, WireCount, Wires},
};
use hum_relay::Policy;
use hum_types::ChainId;
use memory::RememberingJudge;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

type Context = deterministic::Context;

/// How often the world looks whether it is done.
const LOOK: Duration = Duration::from_millis(100);
/// How long it goes on when it is, in case something comes twice.
const SETTLE: Duration = Duration::from_secs(2);
/// The crash comes within this time after the first message, in milliseconds.
const CRASH_WITHIN_MS: u64 = 8_000;
/// The crashed operator is away for at least and at most so long, in milliseconds.
const AWAY_MS: (u64, u64) = (500, 6_000);

/// Why a world did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// It could not be made.
    #[error(transparent)]
    Cast(#[from] CastError),
    /// The simulated network failed.
    #[error(transparent)]
    Network(#[from] SimulationError),
    /// The network opened other wires than were asked for.
    #[error(transparent)]
    Wires(#[from] WireCount),
    /// The contracts could not be deployed.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// An operator did not start.
    #[error("operator {index}: {source}")]
    Operator {
        /// Which one.
        index: usize,
        /// Why.
        source: StartError,
    },
    /// A publisher did not start.
    #[error(transparent)]
    Publisher(#[from] PublisherError),
    /// The relayer did not start.
    #[error(transparent)]
    Relayer(#[from] RelayerError),
}

/// Run one world from its beginning to its end.
pub fn run(config: WorldConfig) -> Result<Report, WorldError> {
    run_with(config, |_, _| {})
}

/// As [`run`], calling `mischief` ten times a second with the milliseconds since the first message could be sent.
pub fn run_with(
    config: WorldConfig,
    mischief: impl FnMut(&World, u64) + Send + 'static,
) -> Result<Report, WorldError> {
    let settings = deterministic::Config::new()
        .with_seed(config.seed)
        .with_start_time(UNIX_EPOCH + Duration::from_secs(START));
    deterministic::Runner::new(settings).start(|context| async move {
        let mut world = World::start(context, config).await?;
        world.play(mischief).await?;
        Ok(checks::report(&world))
    })
}

/// What happened, as one hash: equal for equal runs.
#[derive(Debug, Clone, Default)]
struct Trace(Arc<Mutex<B256>>);

impl Trace {
    fn note(&self, clock: &Context, what: impl fmt::Display) {
        let text = format!("{} {what}", runtime::now(clock));
        tracing::debug!(target: "hum_sim", "{text}");
        let mut hash = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *hash = keccak256([hash.as_slice(), text.as_bytes()].concat());
    }

    fn hash(&self) -> B256 {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct RunningOperator {
    operator: Operator,
    engine: Handle<()>,
}

/// A whole network in one deterministic runtime.
pub struct World {
    context: Context,
    config: WorldConfig,
    cast: Cast,
    net: simulated::World,
    judge: Arc<RememberingJudge>,
    operators: Vec<Option<RunningOperator>>,
    publishers: Vec<PublisherHandle>,
    relayer: Option<RelayerHandle>,
    /// Wires that their role does not use, kept open.
    idle: Vec<Wire>,
    trace: Trace,
    /// Operators started so far.
    runs: u64,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("config", &self.config).finish_non_exhaustive()
    }
}

impl World {
    /// Make everything, deploy the contracts and start every role.
    pub async fn start(context: Context, config: WorldConfig) -> Result<Self, WorldError> {
        let cast = Cast::new(&config)?;
        let network = &cast.network;
        let others = cast.rollups.iter().map(|rollup| &rollup.publisher).chain([&cast.relayer]);
        let committee = consensus_committee(network).map_err(|error| WorldError::Operator {
            index: 0,
            source: error.into(),
        })?;
        let others = others.map(|key| key.public_key()).collect();
        let net =
            simulated::World::new(&context, committee, others, QUOTAS.to_vec(), config.link).await?;
        let judge = Arc::new(RememberingJudge::new(network));
        let mut world = Self {
            operators: (0..config.operators).map(|_| None).collect(),
            publishers: Vec::new(),
            relayer: None,
            idle: Vec::new(),
            trace: Trace::default(),
            runs: 0,
            context,
            config,
            cast,
            net,
            judge,
        };
        for index in 0..world.cast.rollups.len() {
            world.start_chain(index);
        }
        world.deploy().await?;
        for index in 0..world.config.operators {
            world.start_operator(index).await?;
        }
        for index in 0..world.cast.rollups.len() {
            world.start_publisher(index).await?;
        }
        world.start_relayer().await?;
        Ok(world)
    }

    /// A rollup's chain, to make it misbehave.
    #[must_use]
    pub fn chain(&self, index: usize) -> Option<&SimChain> {
        self.cast.rollups.get(index).map(|rollup| &rollup.chain)
    }

    /// The simulated network, to make it misbehave.
    #[must_use]
    pub const fn network(&self) -> &simulated::World {
        &self.net
    }

    /// An operator that runs.
    #[must_use]
    pub fn operator(&self, index: usize) -> Option<&OperatorHandle> {
        self.operators.get(index)?.as_ref().map(|running| &running.operator.handle)
    }

    /// End an operator as a crash would; its storage stays.
    pub fn kill(&mut self, index: usize) {
        if let Some(running) = self.operators.get_mut(index).and_then(Option::take) {
            running.engine.abort();
            running.operator.abort();
            self.trace.note(&self.context, format_args!("operator {index} killed"));
        }
    }

    /// Start an operator, on whatever an earlier run of it left in storage.
    pub async fn start_operator(&mut self, index: usize) -> Result<(), WorldError> {
        self.runs += 1;
        let context =
            self.context.child("operator").with_attribute("index", index).with_attribute("run", self.runs);
        let Some(keys) = self.cast.operators.get(index) else { return Ok(()) };
        let setup = Setup {
            network: self.cast.network.clone(),
            me: keys.network.public_key(),
            key: keys.bls.clone(),
            judge: self.judge.clone(),
            partition: format!("operator-{index}"),
            pace: Pace::default(),
        };
        let key = keys.network.clone();
        let prepared = Prepared::new(context.child("node"), setup)
            .await
            .map_err(|source| WorldError::Operator { index, source })?;
        let partition = format!("operator-{index}-consensus");
        let (application, tuning) = (prepared.application(), Tuning::default());
        let running = self.net.start(context.child("engine"), key, partition, tuning, application).await?;
        let (archive, wires, engine) = running.into_parts();
        let operator = prepared.run(archive, Wires::try_from(wires)?);
        self.operators[index] = Some(RunningOperator { operator, engine });
        self.trace.note(&self.context, format_args!("operator {index} started"));
        Ok(())
    }

    fn latency(&self) -> Duration {
        Duration::from_millis(self.config.node_latency_ms)
    }

    fn node(&self, rollup: &Rollup) -> SimNode<Context> {
        SimNode::new(rollup.chain.clone(), self.context.child("rpc"), self.latency())
    }

    fn account(&self, rollup: &Rollup, name: &str) -> SimAccount<Context> {
        SimAccount::new(rollup.chain.clone(), dev_key(name), self.context.child("account"), self.latency())
    }

    /// Let a chain make blocks, out of step with the others.
    fn start_chain(&self, index: usize) {
        let chain = self.cast.rollups[index].chain.clone();
        let (trace, time_ms) = (self.trace.clone(), self.config.block_time_ms);
        let offset = Dice(self.config.seed).below(&format!("offset of chain {index}"), time_ms);
        let context = self.context.child("chain").with_attribute("index", index);
        context.spawn(move |context| async move {
            context.sleep(Duration::from_millis(offset)).await;
            loop {
                let block = chain.produce(runtime::now(&context).0 / 1_000).expect("the block builder works");
                trace.note(&context, format_args!("chain {index} made {block:?}"));
                context.sleep(Duration::from_millis(time_ms)).await;
            }
        });
    }

    async fn deploy(&self) -> Result<(), WorldError> {
        let rollups = &self.cast.rollups;
        let all: Vec<_> =
            rollups.iter().map(|rollup| (rollup.chain.chain_id(), rollup.registration)).collect();
        let sites = rollups.iter().map(|rollup| {
            let mut sources = all.clone();
            sources.retain(|(chain_id, _)| *chain_id != rollup.chain.chain_id());
            (self.node(rollup), self.account(rollup, OWNER), sources)
        });
        let sites: Vec<_> = sites.collect();
        let deployments = sites.iter().map(|(node, owner, sources)| {
            self.cast.deployment.deploy(node, owner, &self.cast.table, sources)
        });
        try_join_all(deployments).await?;
        self.trace.note(&self.context, "contracts deployed");
        Ok(())
    }

    async fn start_publisher(&mut self, index: usize) -> Result<(), WorldError> {
        let rollup = &self.cast.rollups[index];
        let wires = self.join(&rollup.publisher).await?;
        let identity = Identity {
            chain_id: rollup.chain.chain_id(),
            registration: rollup.registration,
            anchor: rollup.chain.genesis_block(),
        };
        let operators = self.cast.network.operators.iter().map(|operator| operator.key.clone()).collect();
        let parts = PublisherParts {
            sources: vec![Arc::new(self.node(rollup))],
            signer: Arc::new(LocalKey::new(rollup.sequencer.clone(), self.cast.network.domain)),
            wire: wires.submit,
        };
        let context = self.context.child("publisher").with_attribute("index", index);
        let settings = PublisherSettings::new(identity, operators);
        self.publishers.push(publisher::start(context, settings, parts).await?);
        self.idle.extend([wires.gossip, wires.fetch, wires.feed]);
        Ok(())
    }

    async fn start_relayer(&mut self) -> Result<(), WorldError> {
        let wires = self.join(&self.cast.relayer).await?;
        let destinations: BTreeMap<ChainId, Destination> = self.cast.rollups.iter().map(|rollup| {
            let chain = Arc::new(self.node(rollup));
            let submit = Arc::new(self.account(rollup, RELAYER));
            (rollup.chain.chain_id(), Destination { chain, submit })
        }).collect();
        let settings = RelayerSettings::new(&self.cast.network, Policy::default());
        let parts = RelayerParts { destinations, fetch: wires.fetch, feed: wires.feed };
        self.relayer = Some(relayer::start(&self.context.child("relayer"), settings, parts)?);
        self.idle.extend([wires.submit, wires.gossip]);
        Ok(())
    }

    async fn join(&self, key: &PrivateKey) -> Result<Wires, WorldError> {
        Ok(Wires::try_from(self.net.join(&key.public_key()).await?)?)
    }

    fn handles(&self) -> impl Iterator<Item = OperatorHandle> + '_ {
        self.operators.iter().flatten().map(|running| running.operator.handle.clone())
    }

    fn elapsed_ms(&self) -> u64 {
        runtime::now(&self.context).0 - START * 1_000
    }

    /// Send messages, crash and restart one operator if that is wanted, and wait until everything has arrived.
    async fn play(&mut self, mut mischief: impl FnMut(&Self, u64)) -> Result<(), WorldError> {
        let begun_ms = self.elapsed_ms();
        let mut applications = traffic::start(self);
        let dice = Dice(self.config.seed);
        let victim = dice.below("victim", self.config.operators.max(1) as u64) as usize;
        let mut crash_at = self.config.crash.then(|| begun_ms + dice.below("crash", CRASH_WITHIN_MS));
        let mut back_at = None;
        while self.elapsed_ms() < begun_ms + self.config.patience_ms {
            self.context.sleep(LOOK).await;
            let now = self.elapsed_ms();
            mischief(self, now - begun_ms);
            if crash_at.is_some_and(|at| at <= now) {
                self.kill(victim);
                crash_at = None;
                back_at = Some(now + AWAY_MS.0 + dice.below("away", AWAY_MS.1 - AWAY_MS.0));
            }
            if back_at.is_some_and(|at| at <= now) {
                self.start_operator(victim).await?;
                back_at = None;
            }
            if crash_at.is_none() && back_at.is_none() && self.settled(&mut applications) {
                break;
            }
        }
        self.context.sleep(SETTLE).await;
        Ok(())
    }

    /// Whether all was sent, all has arrived, and every operator is near the others.
    fn settled(&self, applications: &mut Vec<Handle<()>>) -> bool {
        use futures::FutureExt as _;
        applications.retain_mut(|application| application.now_or_never().is_none());
        let heights: Vec<u64> = self.handles().map(|handle| handle.header().height.0).collect();
        let (low, high) = (heights.iter().min(), heights.iter().max());
        let near = low.zip(high).is_some_and(|(low, high)| high - low <= 3);
        applications.is_empty() && near && Tally::of(self).complete()
    }

    /// What every role says of itself, for whoever looks into a run that went wrong.
    #[must_use]
    pub fn statuses(&self) -> Vec<String> {
        let operators = self.handles().map(|handle| format!("{:?}", handle.status()));
        let publishers = self.publishers.iter().map(|publisher| format!("{:?}", publisher.view()));
        let relayer = self.relayer.iter().map(|relayer| format!("{:?}", relayer.view()));
        operators.chain(publishers).chain(relayer).collect()
    }
}
