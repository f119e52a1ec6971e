//! What the planner is told, and what it asks for.

use crate::LaneKey;
use hum_types::{ChainId, Generation, Height, LaneIndex, TimeMs};
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

/// Whether a message is called for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// For the first time; what is done already is skipped.
    Deliver,
    /// Again, after its recipient refused it.
    Retry,
}

/// One lane's part of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanePart {
    /// The lane.
    pub key: LaneKey,
    /// Whether the lane's record is proven first, under the transaction's checkpoint.
    pub prove: bool,
    /// Messages under the root that the runs are proven against: the record's count.
    pub count: u64,
    /// First or further tries.
    pub call: Call,
    /// Ascending, not adjacent.
    pub runs: Vec<Run>,
}

/// One transaction to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its number.
    pub id: TransactionId,
    /// Where to.
    pub destination: ChainId,
    /// The checkpoint that lanes are proven under; it was the newest certified one.
    pub checkpoint: Height,
    /// Whether the checkpoint's certificate goes first.
    pub certificate: bool,
    /// At least one.
    pub lanes: Vec<LanePart>,
    /// Its gas limit.
    pub gas_limit: u64,
    /// The most that was set aside for it, in wei.
    pub reserved_wei: u128,
}

impl Transaction {
    /// Messages that it carries.
    pub fn messages(&self) -> impl Iterator<Item = (LaneKey, LaneIndex)> + '_ {
        self.lanes.iter().flat_map(|part| {
            part.runs.iter().flat_map(move |run| {
                (run.start.0..run.start.0 + run.length).map(move |index| (part.key, LaneIndex(index)))
            })
        })
    }
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
    /// The generation of the lane's leaf.
    pub generation: Generation,
    /// Messages under its root.
    pub count: u64,
    /// The time of the checkpoint that it was proven under.
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
        statuses: Vec<(LaneKey, LaneIndex, MessageStatus)>,
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
        balance_wei: u128,
    },
    /// Nothing more is sent until the period ends.
    SpendCapReached {
        /// Where.
        destination: ChainId,
        /// The cap, in wei.
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
    /// A message's transaction reverts although it is alone in it.
    MessageReverts {
        /// The lane.
        key: LaneKey,
        /// Its index.
        index: LaneIndex,
        /// How often.
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

/// What the planner asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send this; answer with [`Input::Finished`].
    Submit(Transaction),
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
