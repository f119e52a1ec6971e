//! A source side and a destination as small as the rules allow.

use crate::{
    Certified, ClientSeen, CommitteeView, Job, LaneKey, LaneRecord, LaneSeen, LaneView, Lead, MessageStatus,
    MessageView, Observation, Outbox, Query, Step, Transaction,
};
use hum_types::{
    Address, ChainId, Confidence, Epoch, Generation, Height, LaneId, LaneIndex, RollupStatus, TimeMs, TimeS,
};
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
    /// The last height of each epoch that has ended.
    pub(super) closed: Vec<u64>,
    /// When the tables of epochs end; those that are not here never do.
    pub(super) valid_until: BTreeMap<u64, u64>,
}

#[derive(Debug, Clone)]
pub(super) struct SourceLane {
    pub(super) messages: Vec<MessageView>,
    pub(super) generation: u32,
    pub(super) active: bool,
    /// `Latest` unless a test says otherwise; no retraction cuts the others.
    pub(super) confidence: Confidence,
    cuts: BTreeMap<u32, u64>,
}

impl Sources {
    pub(super) fn new(lanes: u64) -> Self {
        let empty = SourceLane {
            messages: Vec::new(),
            generation: 0,
            active: true,
            confidence: Confidence::Latest,
            cuts: BTreeMap::new(),
        };
        Self {
            height: 0,
            time_ms: 0,
            lanes: (1..=lanes).map(|source| (lane(source), empty.clone())).collect(),
            closed: Vec::new(),
            valid_until: BTreeMap::new(),
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
        let kept = if lane.confidence == Confidence::Latest { kept } else { lane.messages.len() };
        let unchanged = lane.messages.get(kept).copied().filter(|_| again);
        lane.messages.truncate(kept);
        lane.cuts.insert(lane.generation, lane.messages.len() as u64);
        lane.messages.extend(unchanged);
        lane.active = true;
        self.beat(now_ms);
    }

    /// The committee hands over to the next one.
    pub(super) fn rotate(&mut self, now_ms: u64) {
        self.beat(now_ms);
        self.closed.push(self.height);
    }

    fn valid_until(&self, epoch: u64) -> u64 {
        self.valid_until.get(&epoch).copied().unwrap_or(u64::MAX)
    }

    /// The epoch of the newest checkpoint, and whether it ends it.
    fn signed_in(&self) -> (u64, bool) {
        let closes = self.closed.last() == Some(&self.height);
        (self.closed.len() as u64 - u64::from(closes), closes)
    }

    pub(super) fn beat(&mut self, now_ms: u64) {
        self.height += 1;
        self.time_ms = self.time_ms.max(now_ms);
    }
}

impl Outbox for Sources {
    fn certified(&self) -> Option<Certified> {
        let (height, time_ms) = (Height(self.height), TimeMs(self.time_ms));
        (self.height > 0).then_some(Certified { height, time_ms, epoch: Epoch(self.signed_in().0) })
    }

    fn epoch(&self) -> Epoch {
        Epoch(self.closed.len() as u64)
    }

    fn committee(&self, epoch: Epoch) -> Option<CommitteeView> {
        let valid_until = TimeS(self.valid_until(epoch.0));
        (epoch <= self.epoch()).then_some(CommitteeView { operators: 100, valid_until })
    }

    fn lanes(&self) -> Vec<LaneView> {
        let filled = self.lanes.iter().filter(|(_, lane)| !lane.messages.is_empty() || lane.generation > 0);
        filled
            .map(|(key, lane)| LaneView {
                key: *key,
                confidence: lane.confidence,
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
    confidence: Confidence,
    count: u64,
    messages: Vec<(Generation, LaneIndex)>,
    /// The epoch that the checkpoint was signed in, and whether it ends it.
    epoch: (u64, bool),
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
            confidence: lane.confidence,
            count,
            messages,
            epoch: sources.signed_in(),
        }
    }
}

/// A step of the light client as it was written.
#[derive(Debug, Clone)]
pub(super) struct WrittenLead {
    pub(super) lead: Lead,
    /// The last height of its epoch, when it ends one.
    closed: Option<u64>,
    valid_until: u64,
}

impl WrittenLead {
    pub(super) fn new(lead: Lead, sources: &Sources) -> Self {
        let epoch = lead.step.epoch().0;
        assert!(epoch <= sources.closed.len() as u64, "an epoch that has not begun");
        let closed = match lead.step {
            Step::Close(_) => Some(sources.closed[usize::try_from(epoch).expect("small")]),
            Step::Install(_) => None,
        };
        Self { lead, closed, valid_until: sources.valid_until(epoch) }
    }
}

#[derive(Debug, Clone, Copy)]
struct Record {
    record: LaneRecord,
    height: u64,
    active: bool,
}

/// The destination's contracts.
#[derive(Debug, Clone)]
pub(super) struct Contracts {
    held: BTreeSet<u64>,
    /// The light client's newest epoch.
    pub(super) epoch: u64,
    pub(super) installed: bool,
    /// When its tables end.
    tables: BTreeMap<u64, u64>,
    records: BTreeMap<LaneKey, Record>,
    statuses: BTreeMap<(LaneKey, Generation, LaneIndex), MessageStatus>,
    pub(super) executed: BTreeMap<(LaneKey, Generation, LaneIndex), u32>,
    pub(super) block: u64,
    /// Messages with these indexes are refused while this is above zero.
    pub(super) refusals: BTreeMap<LaneIndex, u32>,
}

impl Default for Contracts {
    fn default() -> Self {
        Self {
            held: BTreeSet::new(),
            epoch: 0,
            installed: true,
            tables: BTreeMap::from([(0, u64::MAX)]),
            records: BTreeMap::new(),
            statuses: BTreeMap::new(),
            executed: BTreeMap::new(),
            block: 0,
            refusals: BTreeMap::new(),
        }
    }
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
            let (epoch, closes) = written.epoch;
            self.submit(written.height, epoch, closes, now_ms)?;
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
                Some(recorded)
                    if recorded.record.generation > record.generation
                        && written.confidence != Confidence::Finalized =>
                {
                    return None;
                }
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
        let shut = written.confidence != Confidence::Finalized && (stale || !record.active);
        let passed = written.confidence == Confidence::Latest
            && !transaction.prove
            && record.record.generation.0 != written.generation;
        if shut || passed || count != Some(transaction.count) {
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

    /// A destination whose first table ends.
    pub(super) fn ending(valid_until: u64) -> Self {
        Self { tables: BTreeMap::from([(0, valid_until)]), ..Self::default() }
    }

    /// The light client's owner names a committee.
    pub(super) fn anchor(&mut self, epoch: u64) {
        (self.epoch, self.installed) = (epoch, false);
    }

    /// The light client's `submit`; `None` when it reverts.
    fn submit(&mut self, height: u64, epoch: u64, closes: bool, now_ms: u64) -> Option<()> {
        if self.held.contains(&height) {
            return Some(());
        }
        if *self.tables.get(&epoch)? < now_ms / 1_000 {
            return None;
        }
        self.held.insert(height);
        if closes && self.epoch == epoch {
            (self.epoch, self.installed) = (epoch + 1, false);
        }
        Some(())
    }

    /// A step of the light client; `false` when it reverts.
    pub(super) fn lead(&mut self, written: &WrittenLead, now_ms: u64) -> bool {
        match (written.lead.step, written.closed) {
            (Step::Close(epoch), Some(closed)) => self.submit(closed, epoch.0, true, now_ms).is_some(),
            (step, _) => {
                let epoch = step.epoch().0;
                let named = self.epoch == epoch && !self.installed && written.valid_until >= now_ms / 1_000;
                if named {
                    self.tables.insert(epoch, written.valid_until);
                    self.installed = true;
                }
                named
            }
        }
    }

    /// Somebody else leads the light client to the newest committee.
    fn foreign_lead(&mut self, sources: &Sources) {
        self.held.extend(&sources.closed);
        self.epoch = sources.closed.len() as u64;
        self.tables.extend((0..=self.epoch).map(|epoch| (epoch, sources.valid_until(epoch))));
        self.installed = true;
    }

    /// Somebody else delivers everything that the newest checkpoint carries.
    pub(super) fn foreign(&mut self, sources: &Sources) {
        self.foreign_lead(sources);
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
            client: ClientSeen {
                epoch: Epoch(self.epoch),
                installed: self.installed,
                usable_until: TimeS(self.tables.values().copied().max().unwrap_or(0)),
            },
            checkpoint: query.checkpoint.filter(|height| self.held.contains(&height.0)),
            gas_price_wei: PRICE_WEI,
            balance_wei,
            lanes: lanes.collect(),
        }
    }
}
