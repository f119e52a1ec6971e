//! Demonstrations: a throw-away network, a scenario, and a verdict on what the scenario promises.
//!
//! Nothing here takes a role's word for an outcome: what was sent and executed is read from the chains' own logs; what was certified is
//! replayed from certificates and checkpoints, and compared with the blocks that the chains hold.
//!
//! ```text
//! Scenario ─▶ Scene (LocalNetwork, one Site a rollup) ─▶ play ─▶ figures ─▶ Report
//!               ├── traffic ─▶ Gateway.sendMessage          books ◀─ MessageSent, Received
//!               ├── StandIn: a publisher's place, for a sequencer that lies
//!               └── clock ◀─ publishers' block times, operators' certificates;   audit ◀─ operators' checkpoints
//! ```

mod audit;
mod books;
mod clock;
mod crash;
mod dice;
mod followers;
mod hello;
mod join;
mod launch;
mod leave;
mod liar;
mod newcomer;
mod percentiles;
mod poison;
mod reorg;
mod rotate;
mod scene;
mod sequencer;
mod sequencer_equivocation;
mod slash;
mod sleeper;
mod stake;
mod stand_in;
#[cfg(test)]
mod tests;
mod traffic;
mod triangle;

pub(crate) use sequencer::witness as encoded_witness;
pub(crate) use stand_in::StandIn;

use crate::{DevChainError, lies::LieError, network::NetworkError};
use hum_chain::ReadError;
use hum_types::Confidence;
use scene::Scene;
use serde::Serialize;
use serde_json::{Map, Value};
use std::{path::PathBuf, sync::Arc, time::Instant};

/// What a demonstration shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Messages between all rollups, and how long they take.
    Hello,
    /// Sequencers that sign false blocks.
    Liar,
    /// Processes that are killed under load.
    Crash,
    /// Nodes that serve a fork which the sequencer never signed.
    Poison,
    /// A sequencer that takes blocks back, and one that contradicts itself.
    Reorg,
    /// Operators that join and leave under load.
    Rotate,
    /// An operator that attests two headers.
    Slash,
    /// A sequencer that signs two blocks for one number.
    SequencerEquivocation,
    /// Rollups under different rules, with different clocks.
    Triangle,
    /// A chain that we did not make joins a running network.
    Join,
    /// A member leaves with messages under way.
    Leave,
    /// A new rollup, a member from its first block; rebuilt from L1; retired.
    Launch,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Hello,
        Self::Liar,
        Self::Crash,
        Self::Poison,
        Self::Reorg,
        Self::Rotate,
        Self::Slash,
        Self::SequencerEquivocation,
        Self::Triangle,
        Self::Join,
        Self::Leave,
        Self::Launch,
    ];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Liar => "liar",
            Self::Crash => "crash",
            Self::Poison => "poison",
            Self::Reorg => "reorg",
            Self::Rotate => "rotate",
            Self::Slash => "slash",
            Self::SequencerEquivocation => "sequencer-equivocation",
            Self::Triangle => "triangle",
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Launch => "launch",
        }
    }
}

/// How a demonstration runs.
pub struct DemoConfig {
    /// Where the network's files go; made when missing.
    pub dir: PathBuf,
    /// The `hum` binary that runs the roles.
    pub hum: PathBuf,
    /// Chooses times, payloads and victims.
    pub seed: u64,
    /// Time between blocks of each rollup; the last entry serves all that follow.
    pub block_time_ms: Vec<u64>,
    /// Whose gateways the messages go through.
    pub confidence: Confidence,
    /// Hears each line of the story.
    pub tell: Arc<dyn Fn(&str) + Send + Sync>,
}

impl std::fmt::Debug for DemoConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoConfig").field("dir", &self.dir).field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// How a demonstration ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Which one.
    pub demo: Scenario,
    /// Whether everything that it promises happened.
    pub ok: bool,
    /// What happened although it must not, or did not happen although it must.
    pub violations: Vec<String>,
    /// What chose times, payloads and victims.
    pub seed: u64,
    /// How long it took, the network's start included.
    pub ms: u64,
    /// The scenario's own figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A scenario's figures by name.
pub type Figures = Map<String, Value>;

/// Why a demonstration could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The network did not start or stop.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// An embedded chain failed.
    #[error(transparent)]
    Chain(#[from] DevChainError),
    /// A chain could not be read.
    #[error("{name}: {source}")]
    Read {
        /// The rollup.
        name: String,
        /// Why.
        source: ReadError,
    },
    /// A process did not answer over HTTP.
    #[error("{url}: {problem}")]
    Ask {
        /// What was asked.
        url: String,
        /// What went wrong.
        problem: String,
    },
    /// A role's files or process could not be used.
    #[error("{what}: {problem}")]
    Role {
        /// What was being done.
        what: String,
        /// What went wrong.
        problem: String,
    },
    /// No lie could be made.
    #[error(transparent)]
    Lie(#[from] LieError),
    /// What a scenario builds on did not come about.
    #[error("waited {seconds} s for {what}")]
    Waited {
        /// For what.
        what: String,
        /// How long.
        seconds: u64,
    },
}

/// Start a network, play the scenario, stop the network.
pub async fn run(scenario: Scenario, config: DemoConfig) -> Result<Report, DemoError> {
    let (start, seed) = (Instant::now(), config.seed);
    let shape = match scenario {
        Scenario::Hello => hello::SHAPE,
        Scenario::Liar => liar::SHAPE,
        Scenario::Crash => crash::SHAPE,
        Scenario::Poison => poison::SHAPE,
        Scenario::Reorg => reorg::SHAPE,
        Scenario::Rotate => rotate::SHAPE,
        Scenario::Slash => slash::SHAPE,
        Scenario::SequencerEquivocation => sequencer_equivocation::SHAPE,
        Scenario::Triangle => triangle::SHAPE,
        Scenario::Join => join::SHAPE,
        Scenario::Leave => leave::SHAPE,
        Scenario::Launch => launch::SHAPE,
    };
    let mut scene = Scene::start(config, shape).await?;
    let played = match scenario {
        Scenario::Hello => hello::play(&mut scene).await,
        Scenario::Liar => liar::play(&mut scene).await,
        Scenario::Crash => crash::play(&mut scene).await,
        Scenario::Poison => poison::play(&mut scene).await,
        Scenario::Reorg => reorg::play(&mut scene).await,
        Scenario::Rotate => rotate::play(&mut scene).await,
        Scenario::Slash => slash::play(&mut scene).await,
        Scenario::SequencerEquivocation => sequencer_equivocation::play(&mut scene).await,
        Scenario::Triangle => triangle::play(&mut scene).await,
        Scenario::Join => join::play(&mut scene).await,
        Scenario::Leave => leave::play(&mut scene).await,
        Scenario::Launch => launch::play(&mut scene).await,
    };
    let figures = played.unwrap_or_else(|error| {
        scene.violation(format!("not played to its end: {error}"));
        Figures::new()
    });
    let violations = scene.finish().await;
    Ok(Report {
        demo: scenario,
        ok: violations.is_empty(),
        violations,
        seed,
        ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        figures,
    })
}
