//! A source side and a destination as small as the rules allow.

use crate::{
    Certified, Job, LaneKey, LaneRecord, LaneSeen, LaneView, MessageStatus, MessageView, Observation, Outbox,
    Query, Transaction,
};
use hum_types::{Address, ChainId, Confidence, Generation, Height, LaneId, LaneIndex, RollupStatus, TimeMs};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const DESTINATION: ChainId = ChainId(9);
pub(super) const FRESH_MS: u64 = 60_000;
pub(super) const PRICE_WEI: u128 = 2;

pub(super) fn lane(source: u64) -> LaneKey {
    LaneKey {
        source: ChainId(source),
        lane: LaneId { facade: Address::repeat_byte(7), destination: DESTINATION },
    }
}

/// Sources: what is sent, and how much of it is certified.
#[derive(Debug, Clone)]
pub(super) struct Sources {
    pub(super) height: u64,
    pub(super) time_ms: u64,
    pub(super) lanes: BTreeMap<LaneKey, SourceLane>,
}

#[derive(Debug, Clone)]
pub(super) struct SourceLane {
    pub(super) messages: Vec<MessageView>,
    pub(super) generation: u32,
    pub(super) active: bool,
    cuts: BTreeMap<u32, u64>,
}

impl Sources {
    pub(super) fn new(lanes: u64) -> Self {
        let empty = SourceLane { messages: Vec::new(), generation: 0, active: true, cuts: BTreeMap::new() };
        Self {
            height: 0,
            time_ms: 0,
            lanes: (1..=lanes).map(|source| (lane(source), empty.clone())).collect(),
        }
    }

    /// Certify `count` more messages of a lane.
    pub(super) fn send(&mut self, key: LaneKey, count: usize, min_gas_limit: u32, now_ms: u64) {
        let lane = self.lanes.get_mut(&key).expect("a lane of the model");
        let view = MessageView { generation: Generation(lane.generation), min_gas_limit, payload_bytes: 64 };
        lane.messages.extend(std::iter::repeat_n(view, count));
        self.beat(now_ms);
    }

    /// A retraction that keeps `kept` messages; the next one is unchanged if `again`.
    pub(super) fn retract(&mut self, key: LaneKey, kept: usize, again: bool, now_ms: u64) {
        let lane = self.lanes.get_mut(&key).expect("a lane of the model");
        lane.generation += 1;
        let unchanged = lane.messages.get(kept).copied().filter(|_| again);
        lane.messages.truncate(kept);
        lane.cuts.insert(lane.generation, lane.messages.len() as u64);
        lane.messages.extend(unchanged);
        lane.active = true;
        self.beat(now_ms);
    }

    pub(super) fn beat(&mut self, now_ms: u64) {
        self.height += 1;
        self.time_ms = self.time_ms.max(now_ms);
    }
}

impl Outbox for Sources {
    fn certified(&self) -> Option<Certified> {
        (self.height > 0).then_some(Certified { height: Height(self.height), time_ms: TimeMs(self.time_ms) })
    }

    fn lanes(&self) -> Vec<LaneView> {
        let filled = self.lanes.iter().filter(|(_, lane)| !lane.messages.is_empty() || lane.generation > 0);
        filled
            .map(|(key, lane)| LaneView {
                key: *key,
                confidence: Confidence::Latest,
                generation: Generation(lane.generation),
                count: lane.messages.len() as u64,
                status: if lane.active { RollupStatus::Active } else { RollupStatus::Quarantined },
            })
            .collect()
    }

    fn message(&self, key: &LaneKey, index: LaneIndex) -> Option<MessageView> {
        self.lanes.get(key)?.messages.get(usize::try_from(index.0).ok()?).copied()
    }

    fn kept(&self, key: &LaneKey, since: Generation) -> u64 {
        let cuts = self.lanes.get(key).into_iter().flat_map(|lane| lane.cuts.range(since.0 + 1..));
        cuts.map(|(_, kept)| *kept).min().unwrap_or(u64::MAX)
    }
}

/// A transaction as it was written: what the source said then is what it proves.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) transaction: Transaction,
    height: u64,
    time_ms: u64,
    generation: u32,
    active: bool,
    count: u64,
    messages: Vec<(Generation, LaneIndex)>,
}

impl Written {
    pub(super) fn new(transaction: Transaction, sources: &Sources) -> Self {
        let lane = &sources.lanes[&transaction.key];
        let messages = transaction
            .messages()
            .map(|index| (lane.messages[usize::try_from(index.0).expect("small")].generation, index))
            .collect();
        assert_eq!(
            transaction.checkpoint.0, sources.height,
            "planned under a checkpoint that is not the newest"
        );
        let count = lane.messages.len() as u64;
        let (generation, active) = (lane.generation, lane.active);
        Self {
            transaction,
            height: sources.height,
            time_ms: sources.time_ms,
            generation,
            active,
            count,
            messages,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Record {
    record: LaneRecord,
    height: u64,
    active: bool,
}

/// The destination's contracts.
#[derive(Debug, Clone, Default)]
pub(super) struct Contracts {
    held: BTreeSet<u64>,
    records: BTreeMap<LaneKey, Record>,
    statuses: BTreeMap<(LaneKey, Generation, LaneIndex), MessageStatus>,
    pub(super) executed: BTreeMap<(LaneKey, Generation, LaneIndex), u32>,
    pub(super) block: u64,
    /// Messages with these indexes are refused while this is above zero.
    pub(super) refusals: BTreeMap<LaneIndex, u32>,
}

type Told = Vec<(LaneIndex, MessageStatus)>;

impl Contracts {
    pub(super) fn status(&self, key: LaneKey, generation: Generation, index: LaneIndex) -> MessageStatus {
        self.statuses.get(&(key, generation, index)).copied().unwrap_or(MessageStatus::None)
    }

    /// Run a transaction; `None` when it reverts.
    pub(super) fn run(&mut self, written: &Written, now_ms: u64) -> Option<Told> {
        let mut after = self.clone();
        let told = after.attempt(written, now_ms);
        // A refused retry is tried again for real or not, but the recipient's patience counts.
        if told.is_some() {
            *self = after;
        } else if let Job::Retry(index) = written.transaction.job
            && let Some(left) = self.refusals.get_mut(&index)
        {
            *left = left.saturating_sub(1);
        }
        told
    }

    fn attempt(&mut self, written: &Written, now_ms: u64) -> Option<Told> {
        let transaction = &written.transaction;
        let key = transaction.key;
        if transaction.certificate {
            self.held.insert(written.height);
        }
        let mut count = self.records.get(&key).map(|held| held.record.count);
        if transaction.prove {
            if !self.held.contains(&written.height) {
                return None;
            }
            let recorded = self.records.get(&key).copied();
            let record = LaneRecord {
                generation: Generation(written.generation),
                count: written.count,
                time_ms: TimeMs(written.time_ms),
            };
            match recorded {
                Some(recorded) if recorded.record.generation > record.generation => return None,
                Some(recorded) if recorded.height > written.height => {}
                _ => {
                    let active = written.active;
                    self.records.insert(key, Record { record, height: written.height, active });
                }
            }
            count = Some(written.count);
        }
        if transaction.job == Job::Record {
            return Some(Vec::new());
        }
        let record = self.records.get(&key)?;
        let stale = now_ms > record.record.time_ms.0 + FRESH_MS;
        if stale
            || !record.active
            || count != Some(transaction.count)
            || !transaction.prove && record.record.generation.0 != written.generation
        {
            return None;
        }
        let retry = matches!(transaction.job, Job::Retry(_));
        let mut told = Vec::new();
        for (generation, index) in &written.messages {
            let place = (key, *generation, *index);
            let before = self.status(key, *generation, *index);
            match before {
                MessageStatus::Failed if retry => {}
                _ if retry => return None,
                MessageStatus::None => {}
                MessageStatus::Failed | MessageStatus::Done => continue,
            }
            assert!(index.0 < transaction.count, "message outside the proven lane");
            let refuses = self.refusals.get_mut(index).filter(|left| **left > 0);
            let status = match refuses {
                Some(_) if retry => return None,
                Some(left) => {
                    *left -= 1;
                    MessageStatus::Failed
                }
                None => {
                    *self.executed.entry(place).or_default() += 1;
                    MessageStatus::Done
                }
            };
            self.statuses.insert(place, status);
            told.push((*index, status));
        }
        Some(told)
    }

    /// Somebody else delivers everything that the newest checkpoint carries.
    pub(super) fn foreign(&mut self, sources: &Sources) {
        self.held.insert(sources.height);
        for (key, lane) in &sources.lanes {
            if !lane.active || lane.messages.is_empty() {
                continue;
            }
            let record = LaneRecord {
                generation: Generation(lane.generation),
                count: lane.messages.len() as u64,
                time_ms: TimeMs(sources.time_ms),
            };
            self.records.insert(*key, Record { record, height: sources.height, active: true });
            for (index, message) in (0..).map(LaneIndex).zip(&lane.messages) {
                let place = (*key, message.generation, index);
                if self.status(*key, message.generation, index) == MessageStatus::None {
                    self.statuses.insert(place, MessageStatus::Done);
                    *self.executed.entry(place).or_default() += 1;
                }
            }
        }
    }

    pub(super) fn observe(&self, query: &Query, balance_wei: u128) -> Observation {
        let lanes = query.lanes.iter().map(|lane| LaneSeen {
            key: lane.key,
            allowed: true,
            record: self.records.get(&lane.key).map(|held| held.record),
            statuses: lane
                .messages
                .iter()
                .map(|(generation, index)| (*generation, *index, self.status(lane.key, *generation, *index)))
                .collect(),
        });
        Observation {
            destination: query.destination,
            sequence: query.sequence,
            block: self.block,
            checkpoint: query.checkpoint.filter(|height| self.held.contains(&height.0)),
            gas_price_wei: PRICE_WEI,
            balance_wei,
            lanes: lanes.collect(),
        }
    }
}
