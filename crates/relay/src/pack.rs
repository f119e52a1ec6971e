//! Fill one transaction.

use crate::{
    Call, Certified, LaneKey, LanePart, LaneRecord, MessageView, Policy, Run, destination::Destination, lane::Lane,
};
use hum_types::{Confidence, LaneIndex, RollupStatus};
use std::collections::BTreeMap;

/// Bytes of calldata around everything else, certificate and rollup proof included.
const FRAME_BYTES: usize = 4_096;
/// Bytes of a lane's record and its proofs.
const LANE_BYTES: usize = 4_096;
/// Bytes of a run's frame and siblings.
const RUN_BYTES: usize = 4_096;
/// Bytes of a message without its payload.
const MESSAGE_BYTES: usize = 64;

/// Which messages to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Those that no reverted transaction carried, from all lanes.
    Clean,
    /// Some of one lane that reverted transactions carried, fewer the more often: the culprit ends up alone.
    Suspect,
}

/// What fits.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    pub(crate) lanes: Vec<LanePart>,
    pub(crate) proven: Vec<(LaneKey, LaneRecord)>,
    pub(crate) certificate: bool,
    pub(crate) gas: u64,
    /// The first message that the budget left out.
    pub(crate) left_out: Option<(LaneKey, LaneIndex)>,
    /// Messages that fit no transaction, with the gas that each takes.
    pub(crate) too_large: Vec<(LaneKey, LaneIndex, u64)>,
}

/// Whether the destination would take messages of this lane under a checkpoint of this time.
pub(crate) fn acceptable(lane: &Lane, certified: Certified, now_ms: u64, policy: &Policy) -> bool {
    match lane.view.confidence {
        Confidence::Finalized => true,
        Confidence::Latest | Confidence::Safe => {
            lane.view.status == RollupStatus::Active && fresh(certified.time_ms.0, now_ms, policy)
        }
    }
}

const fn fresh(time_ms: u64, now_ms: u64, policy: &Policy) -> bool {
    let usable_ms = policy.freshness_ms.saturating_sub(policy.freshness_margin_ms);
    now_ms <= time_ms.saturating_add(usable_ms)
}

/// One filling of a transaction.
#[derive(Debug)]
pub(crate) struct Packer<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) destination: &'a Destination,
    pub(crate) certified: Certified,
    pub(crate) now_ms: u64,
    pub(crate) choice: Choice,
    /// The most gas that may be asked for; at most the policy's.
    pub(crate) gas_max: u64,
}

impl Packer<'_> {
    /// Fill a transaction from lanes to its destination, in this order.
    pub(crate) fn pack<'l>(&self, lanes: impl Iterator<Item = (&'l LaneKey, &'l Lane)>) -> Packed {
        let mut packed = Packed { gas: self.policy.gas.transaction, ..Packed::default() };
        let mut bytes = FRAME_BYTES;
        for (key, lane) in lanes {
            if packed.left_out.is_some() {
                break;
            }
            self.lane(key, lane, &mut packed, &mut bytes);
            if self.choice == Choice::Suspect && !packed.lanes.is_empty() {
                break;
            }
        }
        packed
    }

    fn lane(&self, key: &LaneKey, lane: &Lane, packed: &mut Packed, bytes: &mut usize) {
        // A record that was never looked at may be good enough: look first.
        let Some(held) = lane.record else { return };
        if !acceptable(lane, self.certified, self.now_ms, self.policy) {
            return;
        }
        let chosen = self.choose(lane);
        let Some(last) = chosen.keys().next_back().copied() else { return };
        let record = self.destination.record(key, held).filter(|record| {
            record.generation == lane.view.generation
                && record.count > last
                && (lane.view.confidence == Confidence::Finalized
                    || fresh(record.time_ms.0, self.now_ms, self.policy))
        });
        let costs = &self.policy.gas;
        let certificate = record.is_none() && !packed.certificate && !self.destination.holds(self.certified.height);
        let mut gas = if record.is_none() { costs.lane } else { 0 };
        gas += if certificate { costs.certificate } else { 0 };
        let mut lane_bytes = if record.is_none() { LANE_BYTES } else { 0 };
        let mut parts: BTreeMap<Call, Vec<Run>> = BTreeMap::new();
        for (index, (call, view)) in chosen {
            let runs = parts.entry(call).or_default();
            let adjacent = runs.last().is_some_and(|run| run.start.0 + run.length == index);
            let (run_gas, run_bytes) = if adjacent { (0, 0) } else { (costs.run, RUN_BYTES) };
            let message_gas = self.policy.message_gas(view.min_gas_limit, view.payload_bytes);
            let alone = costs.transaction + costs.certificate + costs.lane + costs.run + message_gas;
            if alone > self.policy.transaction_gas_max {
                packed.too_large.push((*key, LaneIndex(index), alone));
                continue;
            }
            let message_bytes = MESSAGE_BYTES + view.payload_bytes;
            if packed.gas + gas + run_gas + message_gas > self.gas_max
                || *bytes + lane_bytes + run_bytes + message_bytes > self.policy.transaction_bytes_max
            {
                packed.left_out = Some((*key, LaneIndex(index)));
                break;
            }
            gas += run_gas + message_gas;
            lane_bytes += run_bytes + message_bytes;
            match runs.last_mut() {
                Some(run) if adjacent => run.length += 1,
                _ => runs.push(Run { start: LaneIndex(index), length: 1 }),
            }
        }
        parts.retain(|_, runs| !runs.is_empty());
        if parts.is_empty() {
            return;
        }
        packed.gas += gas;
        *bytes += lane_bytes;
        packed.certificate |= certificate;
        let mut prove = record.is_none();
        let count = record.map_or(lane.view.count, |record| record.count);
        if prove {
            let record = LaneRecord { generation: lane.view.generation, count, time_ms: self.certified.time_ms };
            packed.proven.push((*key, record));
        }
        for (call, runs) in parts {
            packed.lanes.push(LanePart { key: *key, prove, count, call, runs });
            prove = false;
        }
    }

    /// Messages of the lane that may be sent now.
    fn choose(&self, lane: &Lane) -> BTreeMap<u64, (Call, MessageView)> {
        let suspect = self.choice == Choice::Suspect;
        let sendable = lane
            .open
            .iter()
            .filter(|(_, slot)| (slot.reverts > 0) == suspect)
            .filter_map(|(index, slot)| Some((*index, slot, slot.sendable(self.now_ms)?)));
        let mut limit = usize::MAX;
        let mut chosen = BTreeMap::new();
        for (index, slot, call) in sendable {
            if suspect {
                limit = limit.min(64_usize.checked_shr(slot.reverts).unwrap_or(0).max(1));
                if chosen.len() >= limit {
                    break;
                }
            }
            chosen.insert(index, (call, slot.view));
        }
        chosen
    }
}
