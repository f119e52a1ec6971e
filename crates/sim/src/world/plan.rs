//! What goes wrong in a world, and when.

use std::fmt;

/// A process of the world, by its place among those of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    /// An operator.
    Operator(usize),
    /// The publisher of the rollup at that place.
    Publisher(usize),
    /// A relayer.
    Relayer(usize),
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(index) => write!(f, "operator {index}"),
            Self::Publisher(index) => write!(f, "publisher {index}"),
            Self::Relayer(index) => write!(f, "relayer {index}"),
        }
    }
}

/// What a sequencer, or the node that serves its chain, does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainFault {
    /// It stops making blocks.
    Stall,
    /// It makes blocks again.
    Resume,
    /// It drops this many of its newest blocks and goes on below them; transactions stay.
    Reorg(u64),
    /// Its next block declares a state root that execution does not give.
    LieAboutState,
    /// It drops its blocks from the first lie on.
    TakeBackLies,
    /// It signs a sibling of its newest block and sends it to all operators, which may take either.
    Equivocate,
    /// It signs a sibling of the newest block that operators have finalised, and sends it to them.
    EquivocateLate,
    /// The node answers the next so many questions for blocks and witnesses with garbage.
    Garble(u32),
}

/// Something that happens to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A process ends at once. What it had not synced is gone.
    Kill(Process),
    /// A process starts on what its disk holds.
    Start(Process),
    /// A process that does not run loses its disk.
    LoseDisk(Process),
    /// A process that does not run gets back the disk that it lost last, as it was then.
    RestoreDisk(Process),
    /// Nothing reaches a process or leaves it.
    CutOff(Process),
    /// It is reached again.
    Reconnect(Process),
    /// Every process ends at once, writes that were under way are torn, and all start again. The chains survive.
    PowerCut,
    /// Something happens to the chain at that place.
    Chain(usize, ChainFault),
}

/// An action and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// When, in milliseconds since the first message could be sent.
    pub at_ms: u64,
    /// What.
    pub action: Action,
}

/// All that goes wrong, in the order in which it does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan(Vec<Step>);

impl Plan {
    /// One thing more.
    #[must_use]
    pub fn at(mut self, at_ms: u64, action: Action) -> Self {
        let place = self.0.partition_point(|step| step.at_ms <= at_ms);
        self.0.insert(place, Step { at_ms, action });
        self
    }

    /// A process crashes, and starts again after `away_ms`.
    #[must_use]
    pub fn crash(self, process: Process, at_ms: u64, away_ms: u64) -> Self {
        self.at(at_ms, Action::Kill(process)).at(at_ms + away_ms, Action::Start(process))
    }

    /// A process runs on an empty disk for a time, then again on the one that it had before: an old backup.
    #[must_use]
    pub fn restore(self, process: Process, at_ms: u64, after_ms: u64) -> Self {
        self.at(at_ms, Action::Kill(process))
            .at(at_ms, Action::LoseDisk(process))
            .at(at_ms + 20, Action::Start(process))
            .at(at_ms + after_ms, Action::Kill(process))
            .at(at_ms + after_ms, Action::RestoreDisk(process))
            .at(at_ms + after_ms + 20, Action::Start(process))
    }

    /// A process is out of reach for a time.
    #[must_use]
    pub fn partition(self, process: Process, at_ms: u64, for_ms: u64) -> Self {
        self.at(at_ms, Action::CutOff(process)).at(at_ms + for_ms, Action::Reconnect(process))
    }

    /// What happens to chains, with their places.
    pub fn chain_faults(&self) -> impl Iterator<Item = (usize, ChainFault)> + '_ {
        self.0.iter().filter_map(|step| match step.action {
            Action::Chain(index, fault) => Some((index, fault)),
            _ => None,
        })
    }

    /// The steps, by time.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}
