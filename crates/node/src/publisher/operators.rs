//! What the operators say they have, and what each still needs. Pure: time comes in as milliseconds.

use crate::wire::{PublisherReply, PublisherStatus};
use hum_consensus::PublicKey;
use hum_types::{BlockRef, ChainId, Generation, RollupStatus};
use std::collections::{BTreeMap, BTreeSet};

/// Blocks that one operator is sent at a time when it has fallen behind.
const RESEND_BATCH: u64 = 8;

/// One operator.
#[derive(Debug, Clone, Default)]
struct Operator {
    /// Whether its word counts.
    seated: bool,
    status: Option<PublisherStatus>,
    /// The highest block of the present generation that it took, as far as we know.
    took: u64,
    /// When each block not yet taken was last sent, in ms.
    sent: BTreeMap<u64, u64>,
    /// When each block was last fetched again because it could not use what it got, in ms.
    granted: BTreeMap<u64, u64>,
}

/// All operators, as seen by one rollup's publisher. Any of them may lie: what counts is what more of those with seats
/// say than can be faulty. Without a seat they only get blocks: anybody can register.
#[derive(Debug, Clone)]
pub(super) struct Operators {
    chain_id: ChainId,
    operators: BTreeMap<PublicKey, Operator>,
}

/// What enough operators agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agreed {
    /// At least one honest operator is in this generation or a later one.
    pub(super) generation: Generation,
    /// At least one honest operator that is in this generation has finalised up to here.
    pub(super) head: u64,
    /// Whether the rollup is set aside there.
    pub(super) quarantined: bool,
}

impl Operators {
    /// Operators that all have seats.
    pub(super) fn new(chain_id: ChainId, operators: impl IntoIterator<Item = PublicKey>) -> Self {
        let operator = Operator { seated: true, ..Operator::default() };
        Self { chain_id, operators: operators.into_iter().map(|key| (key, operator.clone())).collect() }
    }

    /// These are the operators from now on. What is known of those that stay is kept; a new one is sent what is not
    /// settled, like one that was away; of one that left nothing is remembered.
    pub(super) fn set(
        &mut self,
        operators: impl IntoIterator<Item = PublicKey>,
        seats: &BTreeSet<PublicKey>,
    ) {
        let mut known = std::mem::take(&mut self.operators);
        let operator = |key: PublicKey| {
            let seated = seats.contains(&key);
            let operator = Operator { seated, ..known.remove(&key).unwrap_or_default() };
            (key, operator)
        };
        self.operators = operators.into_iter().map(operator).collect();
    }

    pub(super) fn keys(&self) -> Vec<PublicKey> {
        self.operators.keys().cloned().collect()
    }

    fn seated(&self) -> impl Iterator<Item = &Operator> {
        self.operators.values().filter(|operator| operator.seated)
    }

    /// What those with seats said of themselves.
    fn statuses(&self) -> impl Iterator<Item = &PublisherStatus> {
        self.seated().filter_map(|operator| operator.status.as_ref())
    }

    /// How many have seats.
    pub(super) fn seats(&self) -> usize {
        self.seated().count()
    }

    /// Seats that may be faulty.
    fn faults(&self) -> usize {
        self.seats().saturating_sub(1) / 3
    }

    /// Whether all but the faulty have said how far they are: then at least one honest operator of any quorum that
    /// took a claim of ours before has spoken.
    pub(super) fn heard_enough(&self) -> bool {
        self.statuses().count() >= self.seats() - self.faults()
    }

    /// Note a reply. Strangers, and replies about other rollups, change nothing.
    pub(super) fn note(&mut self, from: &PublicKey, reply: &PublisherReply, generation: Generation) -> bool {
        let Some(operator) = self.operators.get_mut(from) else { return false };
        match reply {
            PublisherReply::Status(status) if status.chain_id == self.chain_id => {
                operator.status = Some(*status);
                if status.generation == generation {
                    operator.took = status.held.number.max(status.head.number);
                    // What it does not hold although it was sent is sent again when its time has come.
                    operator.sent = operator.sent.split_off(&operator.took.saturating_add(1));
                }
                true
            }
            PublisherReply::Accepted { chain_id, generation: of, block }
                if *chain_id == self.chain_id && *of == generation =>
            {
                // Only the run without a gap counts; what is beyond one is told by the next status.
                if block.number == operator.took.saturating_add(1) {
                    operator.took = block.number;
                    operator.sent.remove(&block.number);
                }
                true
            }
            PublisherReply::Refused { chain_id, .. }
            | PublisherReply::Wanted { chain_id, .. }
            | PublisherReply::Retracting { chain_id, .. } => *chain_id == self.chain_id,
            PublisherReply::Status(_) | PublisherReply::Accepted { .. } => false,
        }
    }

    /// What more operators say than can be faulty; `None` before that many have spoken.
    pub(super) fn agreed(&self) -> Option<Agreed> {
        let faults = self.faults();
        let statuses: Vec<&PublisherStatus> = self.statuses().collect();
        let generation = nth_highest(statuses.iter().map(|status| status.generation), faults)?;
        let there = || statuses.iter().filter(|status| status.generation >= generation);
        let head = nth_highest(there().map(|status| status.head.number), faults)?;
        let quarantined =
            there().filter(|status| status.status == RollupStatus::Quarantined).count() > faults;
        Some(Agreed { generation, head, quarantined })
    }

    /// Like [`Agreed::head`], but only as far as what was finalised is `ours`: after two claims for one number the other
    /// one may stand there.
    pub(super) fn agreed_on(&self, generation: Generation, ours: impl Fn(BlockRef) -> bool) -> Option<u64> {
        let heads =
            self.statuses().filter(|status| status.generation == generation).map(|status| status.head);
        let shared = |head: BlockRef| if ours(head) { head.number } else { head.number.saturating_sub(1) };
        nth_highest(heads.map(shared), self.faults())
    }

    /// The blocks that operators in `generation` report, highest first: each may be a lie.
    pub(super) fn reported(&self, generation: Generation) -> Vec<BlockRef> {
        let mut blocks: Vec<_> = self
            .statuses()
            .filter(|status| status.generation == generation)
            .flat_map(|status| [status.head, status.held])
            .collect();
        blocks.sort_unstable_by(|a, b| b.cmp(a));
        blocks.dedup();
        blocks
    }

    /// Whether some operator is not known to be where we are, so that asking again is worth it.
    pub(super) fn behind(&self, generation: Generation, mark: u64) -> bool {
        self.operators.values().any(|operator| {
            operator.status.is_none_or(|status| status.generation != generation || status.head.number < mark)
        })
    }

    /// A new generation: what was taken in the one before counts for nothing.
    pub(super) fn restart(&mut self, kept: u64) {
        for operator in self.operators.values_mut() {
            operator.took = kept;
            operator.sent.clear();
            operator.granted.clear();
        }
    }

    /// Note that a block was sent to everyone.
    pub(super) fn sent_to_all(&mut self, number: u64, now_ms: u64) {
        for operator in self.operators.values_mut() {
            operator.sent.insert(number, now_ms);
        }
    }

    /// Who needs which blocks now: those that it has not taken, up to `mark`, above what is settled, and not sent
    /// within `after_ms`. Each is noted as sent.
    pub(super) fn due(
        &mut self,
        settled: u64,
        mark: u64,
        now_ms: u64,
        after_ms: u64,
    ) -> Vec<(u64, Vec<PublicKey>)> {
        let mut due: BTreeMap<u64, Vec<PublicKey>> = BTreeMap::new();
        for (key, operator) in &mut self.operators {
            let first = operator.took.max(settled).saturating_add(1);
            let last = mark.min(first.saturating_add(RESEND_BATCH - 1));
            operator.sent = operator.sent.split_off(&first);
            operator.granted = operator.granted.split_off(&settled);
            for number in first..=last {
                let waited =
                    operator.sent.get(&number).is_none_or(|sent| now_ms.saturating_sub(*sent) >= after_ms);
                if waited {
                    operator.sent.insert(number, now_ms);
                    due.entry(number).or_default().push(key.clone());
                }
            }
        }
        due.into_iter().collect()
    }

    /// Whether `from`'s wish for `number` is granted: once in `after_ms`.
    pub(super) fn wants(&mut self, from: &PublicKey, number: u64, now_ms: u64, after_ms: u64) -> bool {
        let Some(operator) = self.operators.get_mut(from) else { return false };
        let waited =
            operator.granted.get(&number).is_none_or(|granted| now_ms.saturating_sub(*granted) >= after_ms);
        if waited {
            operator.granted.insert(number, now_ms);
            operator.sent.insert(number, now_ms);
        }
        waited
    }
}

/// The value that `skip` others are at least as high as.
fn nth_highest<T: Ord>(values: impl Iterator<Item = T>, skip: usize) -> Option<T> {
    let mut sorted: Vec<T> = values.collect();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted.into_iter().nth(skip)
}

#[cfg(test)]
mod tests;
