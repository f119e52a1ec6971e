//! What the planner is told, and what it asks for.

use crate::{LaneKey, wei};
use hum_types::{ChainId, Epoch, Generation, Height, LaneIndex, TimeMs, TimeS};
use serde::Serialize;

/// A transaction of this planner, numbered from 1 and never twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TransactionId(pub u64);

/// Messages `start .. start + length` of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// The first.
    pub start: LaneIndex,
    /// How many, at least one.
    pub length: u64,
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    /// Call messages for the first time; what was called already is skipped.
    Deliver(Run),
    /// Call one message again that its recipient refused; reverts when it is refused again.
    Retry(LaneIndex),
    /// Only prove the lane, so that a retry finds it fresh.
    Record,
}

/// One transaction to send: certificate, lane and messages, each if needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its number.
    pub id: TransactionId,
    /// The lane; its destination is where the transaction goes.
    pub key: LaneKey,
    /// The checkpoint that the lane is proven under; it was the newest certified one.
    pub checkpoint: Height,
    /// Whether the checkpoint's certificate goes first.
    pub certificate: bool,
    /// Whether the lane is proven, under the checkpoint.
    pub prove: bool,
    /// Messages under the root that the run is proven against.
    pub count: u64,
    /// What it is for.
    pub job: Job,
    /// The most gas that it may use.
    pub gas_limit: u64,
    /// Whether it should be tried on the node first and not be sent when it would revert.
    pub try_first: bool,
    /// The most that was set aside for it, in wei.
    pub reserved_wei: u128,
}

impl Transaction {
    /// Where it goes.
    #[must_use]
    pub const fn destination(&self) -> ChainId {
        self.key.lane.destination
    }

    /// Messages that it calls.
    pub fn messages(&self) -> impl Iterator<Item = LaneIndex> + use<> {
        let (start, length) = match self.job {
            Job::Deliver(run) => (run.start.0, run.length),
            Job::Retry(index) => (index.0, 1),
            Job::Record => (0, 0),
        };
        (start..start.saturating_add(length)).map(LaneIndex)
    }
}

/// What brings a light client one step nearer to the newest committee. Anyone can take it; who comes second changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Submit the certificate that ends this epoch and names the next table.
    Close(Epoch),
    /// Install the table of this epoch, which was named.
    Install(Epoch),
}

impl Step {
    /// The epoch that it ends or begins.
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        match self {
            Self::Close(epoch) | Self::Install(epoch) => epoch,
        }
    }
}

/// One transaction to a light client. It is always tried on the node first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lead {
    /// Its number, among those of all transactions.
    pub id: TransactionId,
    /// Where the light client is.
    pub destination: ChainId,
    /// What to do.
    pub step: Step,
    /// The most gas that it should take.
    pub gas_limit: u64,
    /// The most that was set aside for it, in wei.
    pub reserved_wei: u128,
}

/// How far a light client follows the committees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSeen {
    /// The newest epoch whose table was named to it.
    pub epoch: Epoch,
    /// Whether it has that table.
    pub installed: bool,
    /// Until when some table that it has is good.
    pub usable_until: TimeS,
}

/// What a destination holds for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// Never called.
    None,
    /// Its recipient refused it.
    Failed,
    /// Executed.
    Done,
}

/// A lane's record at the destination: the root that deliveries are proven against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneRecord {
    /// The source's generation in the checkpoint recorded last.
    pub generation: Generation,
    /// Messages under its root; 0 when a new generation has dropped the lane.
    pub count: u64,
    /// The time of the checkpoint recorded last.
    pub time_ms: TimeMs,
}

/// What to look at in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneQuery {
    /// The lane.
    pub key: LaneKey,
    /// Messages whose status is wanted, ascending.
    pub messages: Vec<(Generation, LaneIndex)>,
}

/// What to look at in one destination. Everything should be of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The destination.
    pub destination: ChainId,
    /// Number of the query, to be repeated in the answer.
    pub sequence: u64,
    /// Does its light client hold this checkpoint?
    pub checkpoint: Option<Height>,
    /// Records and statuses.
    pub lanes: Vec<LaneQuery>,
}

/// What was seen in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneSeen {
    /// The lane.
    pub key: LaneKey,
    /// Whether messages of its source are allowed there at all.
    pub allowed: bool,
    /// Its record, if it has one.
    pub record: Option<LaneRecord>,
    /// The statuses, in the order of the query.
    pub statuses: Vec<(Generation, LaneIndex, MessageStatus)>,
}

/// The answer to a [`Query`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The destination.
    pub destination: ChainId,
    /// The query's number.
    pub sequence: u64,
    /// The block that it is of.
    pub block: u64,
    /// The checkpoint that was asked for, if the light client holds it.
    pub checkpoint: Option<Height>,
    /// How far its light client follows the committees.
    pub client: ClientSeen,
    /// What one gas may cost, in wei.
    pub gas_price_wei: u128,
    /// What the sending account has, in wei.
    pub balance_wei: u128,
    /// Records and statuses.
    pub lanes: Vec<LaneSeen>,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A block has it.
    Included {
        /// Whether it ran without reverting.
        success: bool,
        /// What it cost, in wei.
        fee_wei: u128,
        /// The block.
        block: u64,
        /// What its logs say of its messages; the others are looked up.
        statuses: Vec<(LaneIndex, MessageStatus)>,
    },
    /// It would revert: nothing was sent.
    WouldRevert,
    /// It could not be sent (no connection, no funds, gas too expensive, proof not to be had): nothing was sent.
    NotSent,
    /// It was sent and may still be included.
    Unknown,
}

/// What the planner is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The outbox shows a newer checkpoint.
    Advanced,
    /// A query was answered.
    Observed(Observation),
    /// A query was not answered.
    NotObserved {
        /// The destination.
        destination: ChainId,
        /// The query's number.
        sequence: u64,
    },
    /// A transaction came to an end.
    Finished {
        /// Which.
        id: TransactionId,
        /// How.
        outcome: Outcome,
    },
    /// Nothing but time.
    Tick,
}

/// What a person should know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "alarm")]
pub enum Alarm {
    /// The account that pays has little left.
    LowBalance {
        /// Where.
        destination: ChainId,
        /// What is left, in wei.
        #[serde(with = "wei")]
        balance_wei: u128,
    },
    /// Nothing more is sent until the period ends.
    SpendCapReached {
        /// Where.
        destination: ChainId,
        /// The cap, in wei.
        #[serde(with = "wei")]
        cap_wei: u128,
    },
    /// A recipient refused a message so often that it is left to whoever retries it.
    MessageLeft {
        /// The lane.
        key: LaneKey,
        /// Its index.
        index: LaneIndex,
        /// How often it was tried.
        tries: u32,
    },
    /// A message asks for more gas than a transaction may have.
    MessageTooLarge {
        /// The lane.
        key: LaneKey,
        /// Its index.
        index: LaneIndex,
        /// The gas it takes.
        gas: u64,
    },
    /// A destination does not allow the source.
    SourceDenied {
        /// The lane.
        key: LaneKey,
    },
    /// A message's transaction reverts although it is alone in it.
    MessageReverts {
        /// The lane.
        key: LaneKey,
        /// Its index.
        index: LaneIndex,
        /// How often.
        times: u32,
    },
    /// No table that a destination's light client has is good, nor the next one: its owner must re-anchor it.
    ClientExpired {
        /// Where.
        destination: ChainId,
        /// The newest epoch that it knows.
        epoch: Epoch,
        /// When the last table ended, in seconds since 1970.
        usable_until: TimeS,
    },
    /// What should lead a light client on reverts.
    ClientStuck {
        /// Where.
        destination: ChainId,
        /// What reverts.
        step: Step,
        /// How often in a row.
        times: u32,
    },
    /// A destination does not answer.
    Unreachable {
        /// Which.
        destination: ChainId,
        /// Queries in a row without an answer.
        times: u32,
    },
}

impl std::fmt::Display for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LowBalance { destination, balance_wei } => {
                write!(f, "the paying account has {balance_wei} wei left on chain {destination}")
            }
            Self::SpendCapReached { destination, cap_wei } => {
                write!(
                    f,
                    "{cap_wei} wei are spent on chain {destination}: nothing is sent until the period ends"
                )
            }
            Self::MessageLeft { key, index, tries } => write!(
                f,
                "message {index} from chain {} to {} was refused {tries} times and is left to whoever retries it",
                key.source, key.lane.destination
            ),
            Self::MessageTooLarge { key, index, gas } => write!(
                f,
                "message {index} from chain {} to {} takes {gas} gas, more than a transaction may have",
                key.source, key.lane.destination
            ),
            Self::SourceDenied { key } => {
                write!(f, "chain {} does not allow messages of chain {}", key.lane.destination, key.source)
            }
            Self::MessageReverts { key, index, times } => write!(
                f,
                "message {index} from chain {} to {} reverted alone in its transaction, {times} times",
                key.source, key.lane.destination
            ),
            Self::ClientExpired { destination, epoch, usable_until } => write!(
                f,
                "the light client on chain {destination} knows committees up to epoch {epoch}, and the last one ended at \
                 {usable_until} s: its owner must re-anchor it"
            ),
            Self::ClientStuck { destination, step, times } => write!(
                f,
                "the light client on chain {destination} refuses {} of epoch {}, {times} times",
                match step {
                    Step::Close(_) => "the closing certificate",
                    Step::Install(_) => "the table",
                },
                step.epoch()
            ),
            Self::Unreachable { destination, times } => {
                write!(f, "chain {destination} did not answer {times} times in a row")
            }
        }
    }
}

/// What the planner asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send this; answer with [`Input::Finished`].
    Submit(Transaction),
    /// Send this to the light client; answer with [`Input::Finished`].
    Lead(Lead),
    /// Look at this; answer with [`Input::Observed`] or [`Input::NotObserved`].
    Observe(Query),
    /// The messages of the lane below this index will not be asked for again.
    Forget {
        /// The lane.
        key: LaneKey,
        /// The first that is still needed.
        index: LaneIndex,
    },
    /// Tell a person.
    Alarm(Alarm),
}
