//! A seeded world: the network's own roles in virtual time, applications that send messages, a plan of what goes wrong,
//! and checks.
//!
//! ```text
//! WorldConfig ─▶ Stage (keys, chains, books: outlive a power cut)
//!                  │
//!                  ▼                                  ┌── plan: crashes, partitions, lies, power cuts
//!                World (processes, applications) ◀────┘
//!                  │        │
//!                  │        └─ what processes say and report ─▶ Books
//!                  ▼                                              │
//!                Report ◀── checks ◀──────────────────────────────┘
//! ```

mod books;
mod cast;
mod checks;
mod config;
mod l1;
mod memory;
mod plan;
mod processes;
mod skew;
mod traffic;

pub use books::Beat;
pub use cast::CastError;
pub use checks::{RelayerEnd, Report};
pub use config::{Dice, Joining, Outage, Posting, START, Snapshot, WorldConfig};
pub use plan::{Action, ChainFault, Plan, Process, Step};

use alloy_primitives::{B256, keccak256};
use books::Books;
use cast::Cast;
use checks::Tally;
use commonware_runtime::{Clock as _, Handle, deterministic};
use commonware_utils::Probability;
use hum_chain::contracts::DeployError;
use hum_consensus::{Wire, simulated, simulated::SimulationError};
use hum_node::{
    operator::StartError, publisher::PublisherError, relayer::RelayerError, runtime, wire::WireCount,
};
use memory::RememberingJudge;
use processes::{RunningOperator, RunningPublisher};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

type Context = deterministic::Context;

/// How often the world looks whether it is done, in milliseconds.
const LOOK_MS: u64 = 100;
/// How long it goes on when it is, in case something comes twice.
const SETTLE: Duration = Duration::from_secs(2);

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
    Deploy(#[from] Box<DeployError>),
    /// An operator did not start.
    #[error("operator {index}: {source}")]
    Operator {
        /// Which one.
        index: usize,
        /// Why.
        source: Box<StartError>,
    },
    /// A publisher did not start.
    #[error("publisher {index}: {source}")]
    Publisher {
        /// Which one.
        index: usize,
        /// Why.
        source: Box<PublisherError>,
    },
    /// A relayer did not start.
    #[error(transparent)]
    Relayer(#[from] RelayerError),
}

/// Run one world from its beginning to its end.
pub fn run(config: WorldConfig) -> Result<Report, WorldError> {
    // Of what was not synced when the power goes, each byte is on disk or not.
    let torn = deterministic::WriteConfig {
        failure_rate: Probability::new(0, 2).expect("none is at most all"),
        retention_rate: Probability::new(1, 2).expect("half is at most all"),
        mode: deterministic::PartialWriteMode::Subset,
    };
    let settings = deterministic::Config::new()
        .with_seed(config.seed)
        .with_storage_fault_config(deterministic::FaultConfig::default().write(torn))
        .with_start_time(UNIX_EPOCH + Duration::from_secs(START));
    let stage = Arc::new(Stage::new(config)?);
    let mut runner = deterministic::Runner::new(settings);
    loop {
        let stage = stage.clone();
        let (ending, checkpoint) = runner.start_and_recover(|context| async move {
            let mut world = World::start(context, stage).await?;
            match world.play().await? {
                Ending::Settled => Ok::<_, WorldError>(Some(checks::report(world))),
                Ending::PowerCut => Ok(None),
            }
        });
        match ending? {
            Some(report) => return Ok(report),
            None => runner = deterministic::Runner::from(checkpoint),
        }
    }
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

/// What outlives a power cut.
struct Stage {
    config: WorldConfig,
    cast: Cast,
    judge: Arc<RememberingJudge>,
    trace: Trace,
    books: Books,
    progress: traffic::Progress,
    /// What rollups posted to L1.
    inbox: l1::SimInbox,
    /// When messages could first be sent, in milliseconds since the world began; 0 before.
    begun_ms: AtomicU64,
    /// Steps of the plan that are done.
    done: AtomicU64,
    /// Processes started so far.
    runs: AtomicU64,
    /// How many disks a process has lost.
    lost_disks: Mutex<BTreeMap<Process, u64>>,
}

impl Stage {
    fn new(config: WorldConfig) -> Result<Self, CastError> {
        let cast = Cast::new(&config)?;
        Ok(Self {
            judge: Arc::new(RememberingJudge::new(&cast.told())),
            cast,
            config,
            trace: Trace::default(),
            books: Books::default(),
            progress: traffic::Progress::default(),
            inbox: l1::SimInbox::default(),
            begun_ms: AtomicU64::new(0),
            done: AtomicU64::new(0),
            runs: AtomicU64::new(0),
            lost_disks: Mutex::default(),
        })
    }
}

/// How a world stops.
enum Ending {
    Settled,
    PowerCut,
}

/// A whole network in one deterministic runtime.
struct World {
    context: Context,
    stage: Arc<Stage>,
    net: simulated::World,
    operators: Vec<Option<RunningOperator>>,
    publishers: Vec<Option<RunningPublisher>>,
    relayers: Vec<Option<hum_node::relayer::RelayerHandle>>,
    /// Wires that their role does not use, kept open.
    idle: Vec<Wire>,
}

impl World {
    fn elapsed_ms(&self) -> u64 {
        runtime::now(&self.context).0 - START * 1_000
    }

    /// Send messages, do what the plan says, and wait until everything has arrived.
    async fn play(&mut self) -> Result<Ending, WorldError> {
        let stage = self.stage.clone();
        if stage.begun_ms.load(Ordering::Relaxed) == 0 {
            stage.begun_ms.store(self.elapsed_ms(), Ordering::Relaxed);
        }
        let begun_ms = stage.begun_ms.load(Ordering::Relaxed);
        let mut applications = traffic::start(self);
        loop {
            let now_ms = self.elapsed_ms() - begun_ms;
            while let Some(step) = self.due(now_ms) {
                stage.done.fetch_add(1, Ordering::Relaxed);
                stage.trace.note(&self.context, format_args!("{:?}", step.action));
                if step.action == Action::PowerCut {
                    self.nobody_is_cut_off().await?;
                    return Ok(Ending::PowerCut);
                }
                self.act(step.action).await?;
            }
            let planned = self.next_step();
            let over =
                planned.is_none() && now_ms >= stage.config.least_ms && self.settled(&mut applications);
            if over || now_ms >= stage.config.patience_ms {
                break;
            }
            let look_ms = now_ms + LOOK_MS;
            let until_ms = planned.map_or(look_ms, |step| step.at_ms.min(look_ms));
            self.context.sleep(Duration::from_millis((until_ms - now_ms).max(1))).await;
        }
        self.context.sleep(SETTLE).await;
        self.nobody_is_cut_off().await?;
        Ok(Ending::Settled)
    }

    /// No peer has blocked another: here all that sit or send are honest to their peers.
    async fn nobody_is_cut_off(&self) -> Result<(), WorldError> {
        for (who, whom) in self.net.blocked().await? {
            self.stage.books.blame(format!("{who} blocked {whom}"));
        }
        Ok(())
    }

    fn next_step(&self) -> Option<Step> {
        let done = usize::try_from(self.stage.done.load(Ordering::Relaxed)).ok()?;
        self.stage.config.plan.steps().get(done).copied()
    }

    fn due(&self, now_ms: u64) -> Option<Step> {
        self.next_step().filter(|step| step.at_ms <= now_ms)
    }

    /// Whether all was sent, all has arrived, every operator is near the others and no relayer has anything to do.
    fn settled(&self, applications: &mut Vec<Handle<()>>) -> bool {
        use futures::FutureExt as _;
        applications.retain_mut(|application| application.now_or_never().is_none());
        let listed = self.operators.iter().enumerate().filter(|(index, _)| self.stage.config.lists(*index));
        let running = listed.filter_map(|(_, running)| running.as_ref());
        let heights: Vec<u64> = running.map(|running| running.operator.handle.header().height.0).collect();
        let (low, high) = (heights.iter().min(), heights.iter().max());
        let near = low.zip(high).is_some_and(|(low, high)| high - low <= 3);
        let idle = self.relayers.iter().flatten().all(|relayer| {
            relayer.view().destinations.values().all(|at| at.counts.open == 0 && at.counts.in_flight == 0)
        });
        applications.is_empty() && near && idle && Tally::of(&self.stage).complete()
    }
}
