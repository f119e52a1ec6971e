//! What kind of world: settings, and the seed that everything else follows from.

use super::plan::{Plan, Process};
use alloy_primitives::keccak256;
use hum_consensus::simulated::Link;

/// When virtual time begins, in seconds since 1970.
pub const START: u64 = 1_700_000_000;

/// What kind of world. Everything else follows from the seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorldConfig {
    /// Where all randomness comes from.
    pub seed: u64,
    /// Operators, with a seat or without.
    pub operators: usize,
    /// How many of them sit in the first committee, with equal stake.
    pub seated: usize,
    /// Committees that L1 selects later, by time.
    pub snapshots: Vec<Snapshot>,
    /// Operators whose L1 nodes do not answer for a time.
    pub l1_outages: Vec<Outage>,
    /// Heights of a term.
    pub term_heights: u64,
    /// Member rollups, each with one publisher.
    pub rollups: usize,
    /// Relayers, each with an account of its own.
    pub relayers: usize,
    /// How messages travel between any two processes.
    pub link: Link,
    /// How long a chain's node takes to answer, in milliseconds.
    pub node_latency_ms: u64,
    /// Time between blocks, in milliseconds.
    pub block_time_ms: u64,
    /// How many blocks `safe` stays behind the head; `finalized` twice as many.
    pub safe_behind: u64,
    /// Messages sent from each rollup to each other one.
    pub messages: usize,
    /// How rollups post their blocks to L1. Without, no head is ever `Safe` or `Finalized`, and messages go through the
    /// `Latest` gateways only; with it, through all three in turn.
    pub posting: Option<Posting>,
    /// The last rollup is not in the network file: it joins, and may leave.
    pub joining: Option<Joining>,
    /// Processes that do not start with the others.
    pub absent: Vec<Process>,
    /// Operators whose clocks are wrong: how many milliseconds ahead; behind when negative.
    pub skewed: Vec<(usize, i64)>,
    /// What goes wrong, and when.
    pub plan: Plan,
    /// Least time that the world goes on after the first message could be sent, in milliseconds.
    pub least_ms: u64,
    /// Time after which what is not delivered counts as lost, in milliseconds.
    pub patience_ms: u64,
}

impl WorldConfig {
    /// Four operators, two rollups, one relayer; links that lose two messages in a hundred; nothing else goes wrong.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            operators: 4,
            seated: 4,
            snapshots: Vec::new(),
            l1_outages: Vec::new(),
            term_heights: 16,
            rollups: 2,
            relayers: 1,
            link: Link { latency_ms: 20, jitter_ms: 5, lost_per_mille: 20 },
            node_latency_ms: 3,
            block_time_ms: Dice(seed).pick("block time", &[250, 500, 1_000]),
            safe_behind: 2,
            messages: 10,
            posting: None,
            joining: None,
            absent: Vec::new(),
            skewed: Vec::new(),
            plan: Plan::default(),
            least_ms: 0,
            patience_ms: 180_000,
        }
    }

    /// Whether L1 lists this operator at the end. Whom it does not list nobody tells anything.
    pub(super) fn lists(&self, operator: usize) -> bool {
        let last = self.snapshots.last();
        last.is_none_or(|last| last.seats.iter().any(|(seated, _)| *seated == operator))
    }

    /// The same, with one operator that crashes and comes back; by seed, the relayer or a publisher does so too.
    #[must_use]
    pub fn with_a_crash(mut self) -> Self {
        let dice = Dice(self.seed);
        let victim = Process::Operator(dice.below("victim", self.operators as u64) as usize);
        self.plan = self.plan.crash(victim, dice.below("crash", 8_000), 500 + dice.below("away", 5_500));
        let second = match dice.below("second victim", 3) {
            0 => None,
            1 => Some(Process::Relayer(0)),
            _ => Some(Process::Publisher(dice.below("publisher", self.rollups as u64) as usize)),
        };
        if let Some(second) = second {
            let (at_ms, away_ms) =
                (dice.below("second crash", 8_000), 200 + dice.below("second away", 3_000));
            self.plan = self.plan.crash(second, at_ms, away_ms);
        }
        self
    }
}

/// How rollups post their blocks to L1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Time between two batches of one rollup, in milliseconds.
    pub every_ms: u64,
    /// How many blocks stay behind the head.
    pub depth: u64,
    /// Rollups that post nothing, by their places.
    pub silent: Vec<usize>,
}

impl Default for Posting {
    /// A batch every two seconds, up to two blocks below the head.
    fn default() -> Self {
        Self { every_ms: 2_000, depth: 2, silent: Vec::new() }
    }
}

/// How a rollup comes and goes. Times are in milliseconds since the first message could be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// When its profile is on L1.
    pub at_ms: u64,
    /// When it announces its exit.
    pub leaves_ms: Option<u64>,
    /// The operators whose L1 nodes show any of it; all, when empty. A node that shows what others do not is a lying one.
    pub shown_to: Vec<usize>,
}

/// A committee that L1 selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// When, in milliseconds since the first message could be sent.
    pub at_ms: u64,
    /// Who sits, with which stake.
    pub seats: Vec<(usize, u128)>,
}

/// An operator whose L1 node does not answer. Times are in milliseconds since the first message could be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Which operator.
    pub operator: usize,
    /// From when on.
    pub from_ms: u64,
    /// Until when.
    pub to_ms: u64,
}

/// Choices that follow from a seed and a name, whatever else was chosen before.
#[derive(Debug, Clone, Copy)]
pub struct Dice(
    /// The seed.
    pub u64,
);

impl Dice {
    /// A number below `below`, which is not zero.
    #[must_use]
    pub fn below(self, name: &str, below: u64) -> u64 {
        let hash = keccak256([&self.0.to_be_bytes(), name.as_bytes()].concat());
        u64::from_be_bytes(std::array::from_fn(|i| hash[i])) % below
    }

    /// One of `choices`, of which there is at least one.
    #[must_use]
    pub fn pick<T: Copy>(self, name: &str, choices: &[T]) -> T {
        choices[self.below(name, choices.len() as u64) as usize]
    }
}
