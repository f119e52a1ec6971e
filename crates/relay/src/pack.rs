//! Fill one transaction from one lane.

use crate::{
    Certified, Job, LaneRecord, Policy, Run, destination::Destination, lane::Lane, lane::Slot, lane::State,
};
use hum_types::{Confidence, LaneIndex, RollupStatus};

/// Bytes of calldata around the messages: certificate, lane proof, siblings, ABI.
const FRAME_BYTES: usize = 8_192;
/// Bytes of a message without its payload.
const MESSAGE_BYTES: usize = 51;
/// Messages that a run can count.
const RUN_LENGTH_MAX: u64 = u16::MAX as u64;

/// Which messages to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Those that no reverted transaction carried.
    Clean,
    /// Those that reverted transactions carried, fewer the more often: the culprit ends up alone. Such a transaction
    /// always proves its lane, and is tried on the node before it is sent.
    Suspect,
    /// One that its recipient refused.
    Retry,
}

impl Choice {
    pub(crate) const ALL: [Self; 3] = [Self::Clean, Self::Suspect, Self::Retry];
}

/// What came of looking at a lane.
#[derive(Debug)]
pub(crate) enum Filling {
    /// Nothing to send.
    Empty,
    /// This.
    Packed(Packed),
    /// There is something, but not the gas for it.
    Short,
    /// A message that fits no transaction.
    TooLarge { index: LaneIndex, gas: u64 },
}

/// A filled transaction.
#[derive(Debug)]
pub(crate) struct Packed {
    pub(crate) certificate: bool,
    pub(crate) prove: bool,
    pub(crate) count: u64,
    pub(crate) job: Job,
    pub(crate) gas: u64,
    pub(crate) proven: Option<LaneRecord>,
}

/// One filling of a transaction.
#[derive(Debug)]
pub(crate) struct Packer<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) destination: &'a Destination,
    pub(crate) certified: Certified,
    pub(crate) now_ms: u64,
    /// The most gas that may be asked for; at most the policy's.
    pub(crate) gas_max: u64,
}

impl Packer<'_> {
    /// Fill a transaction from this lane.
    pub(crate) fn pack(&self, lane: &Lane, choice: Choice) -> Filling {
        // A record that was never looked at may be good enough: look first.
        let Some(held) = lane.record else { return Filling::Empty };
        if !self.acceptable(lane, held) {
            return Filling::Empty;
        }
        match choice {
            Choice::Clean => self.deliver(lane, choice, held),
            Choice::Suspect => self.deliver(lane, choice, None),
            Choice::Retry => self.retry(lane, held),
        }
    }

    /// Whether the destination would take messages of this lane.
    fn acceptable(&self, lane: &Lane, held: Option<LaneRecord>) -> bool {
        let open = match lane.view.confidence {
            // What is final is delivered whatever has become of its source since.
            Confidence::Finalized => true,
            Confidence::Latest | Confidence::Safe => {
                // A record of a later generation means that we are behind.
                let behind = held.is_some_and(|record| record.generation > lane.view.generation);
                !behind && lane.view.status == RollupStatus::Active && self.fresh(self.certified.time_ms.0)
            }
        };
        lane.allowed && open
    }

    fn fresh(&self, time_ms: u64) -> bool {
        let usable_ms = self.policy.freshness_ms.saturating_sub(self.policy.freshness_margin_ms);
        self.now_ms <= time_ms.saturating_add(usable_ms)
    }

    /// Whether messages up to `last` can be delivered against this record.
    fn usable(&self, lane: &Lane, record: &LaneRecord, last: u64) -> bool {
        let stands = match lane.view.confidence {
            Confidence::Latest => record.generation == lane.view.generation && self.fresh(record.time_ms.0),
            // No retraction touches it: a root recorded in an earlier generation still is one of this lane.
            Confidence::Safe => self.fresh(record.time_ms.0),
            Confidence::Finalized => true,
        };
        stands && record.count > last && record.count <= lane.view.count
    }

    fn deliver(&self, lane: &Lane, choice: Choice, record: Option<LaneRecord>) -> Filling {
        let mut messages = lane.open.iter().filter(|(_, slot)| self.deliverable(slot, choice)).peekable();
        let Some((start, first)) = messages.next() else { return Filling::Empty };
        let costs = &self.policy.gas;
        let record = record.filter(|record| self.usable(lane, record, *start));
        let prove = record.is_none();
        let certificate = prove && !self.holds();
        if certificate && !self.taken() {
            return Filling::Empty;
        }
        let alone = costs.transaction + costs.certificate + costs.lane + costs.run + self.message_gas(first);
        let too_large =
            MESSAGE_BYTES + FRAME_BYTES + first.view.payload_bytes > self.policy.transaction_bytes_max;
        if alone > self.policy.transaction_gas_max || too_large {
            return Filling::TooLarge { index: LaneIndex(*start), gas: alone };
        }
        let count = record.map_or(lane.view.count, |record| record.count);
        let end = count.min(start + self.longest(first, choice));
        let mut gas = self.frame_gas(prove, certificate) + costs.run + self.message_gas(first);
        if gas > self.gas_max {
            return Filling::Short;
        }
        let mut bytes = FRAME_BYTES + MESSAGE_BYTES + first.view.payload_bytes;
        let mut length = 1;
        for (index, slot) in messages {
            gas += self.message_gas(slot);
            bytes += MESSAGE_BYTES + slot.view.payload_bytes;
            let fits = gas <= self.gas_max && bytes <= self.policy.transaction_bytes_max;
            if *index != start + length || *index >= end || !fits {
                gas -= self.message_gas(slot);
                break;
            }
            length += 1;
        }
        let job = Job::Deliver(Run { start: LaneIndex(*start), length });
        Filling::Packed(Packed { certificate, prove, count, job, gas, proven: self.proven(lane, prove) })
    }

    fn deliverable(&self, slot: &Slot, choice: Choice) -> bool {
        slot.state == State::Ready
            && slot.due_ms <= self.now_ms
            && (slot.reverts > 0) == (choice == Choice::Suspect)
    }

    /// How many messages may go together.
    fn longest(&self, first: &Slot, choice: Choice) -> u64 {
        match choice {
            Choice::Clean | Choice::Retry => RUN_LENGTH_MAX,
            Choice::Suspect => 64_u64.checked_shr(first.reverts).unwrap_or(0).max(1),
        }
    }

    fn retry(&self, lane: &Lane, held: Option<LaneRecord>) -> Filling {
        let due = |slot: &Slot| slot.state == State::Failed && slot.due_ms <= self.now_ms;
        let Some((index, slot)) = lane.open.iter().find(|(_, slot)| due(slot)) else { return Filling::Empty };
        let record = held.filter(|record| self.usable(lane, record, *index));
        let costs = &self.policy.gas;
        if let Some(record) = record {
            let gas = self.frame_gas(false, false) + costs.run + self.message_gas(slot);
            if gas > self.gas_max {
                return Filling::Short;
            }
            let job = Job::Retry(LaneIndex(*index));
            let count = record.count;
            return Filling::Packed(Packed {
                certificate: false,
                prove: false,
                count,
                job,
                gas,
                proven: None,
            });
        }
        if self.destination.proving(&lane.view.key) {
            return Filling::Empty;
        }
        let certificate = !self.holds();
        if certificate && !self.taken() {
            return Filling::Empty;
        }
        let gas = self.frame_gas(true, certificate);
        if gas > self.gas_max {
            return Filling::Short;
        }
        let count = lane.view.count;
        Filling::Packed(Packed {
            certificate,
            prove: true,
            count,
            job: Job::Record,
            gas,
            proven: self.proven(lane, true),
        })
    }

    /// Whether the light client has the checkpoint. That a certificate is under way does not count: transactions may be
    /// included in any order, and one that is there already costs little.
    fn holds(&self) -> bool {
        self.destination.known == Some(self.certified.height)
    }

    /// Whether the light client would take the checkpoint's certificate.
    fn taken(&self) -> bool {
        let client = self.destination.client;
        client.is_some_and(|client| client.takes(self.certified.epoch, self.now_ms))
    }

    fn proven(&self, lane: &Lane, prove: bool) -> Option<LaneRecord> {
        let (generation, count, time_ms) = (lane.view.generation, lane.view.count, self.certified.time_ms);
        prove.then_some(LaneRecord { generation, count, time_ms })
    }

    fn frame_gas(&self, prove: bool, certificate: bool) -> u64 {
        let costs = &self.policy.gas;
        costs.transaction
            + if prove { costs.lane } else { 0 }
            + if certificate { costs.certificate } else { 0 }
    }

    fn message_gas(&self, slot: &Slot) -> u64 {
        self.policy.message_gas(slot.view.min_gas_limit, slot.view.payload_bytes)
    }
}
