//! The state machine: told what is certified and what destinations hold, it says what to send next.

mod lead;

use crate::{
    Action, Alarm, Counts, Input, Job, LaneKey, LaneQuery, Observation, Outbox, Outcome, Policy, Query, Step,
    Transaction, TransactionId,
    destination::{Destination, InFlight, Prices},
    lane::{Change, Lane, State},
    pack::{Choice, Filling, Packed, Packer},
};
use hum_types::{ChainId, Epoch, Height, LaneIndex};
use std::collections::BTreeMap;

/// Queries in a row without an answer after which a destination counts as unreachable.
const MISSES_ALARM: u32 = 5;
/// Reverts in a row of a message that is alone in its transaction after which an alarm is raised.
const REVERTS_ALARM: u32 = 8;

/// Plans deliveries to a set of destinations. Knows nothing that it cannot learn again: a new planner in place of one
/// that died goes on where that one stopped.
#[derive(Debug)]
pub struct Planner {
    policy: Policy,
    destinations: BTreeMap<ChainId, Destination>,
    lanes: BTreeMap<LaneKey, Lane>,
    step: u64,
    transactions: u64,
}

impl Planner {
    /// A planner that delivers to these chains.
    #[must_use]
    pub fn new(policy: Policy, destinations: impl IntoIterator<Item = ChainId>) -> Self {
        let destinations = destinations.into_iter().map(|id| (id, Destination::new(&policy))).collect();
        Self { policy, destinations, lanes: BTreeMap::new(), step: 0, transactions: 0 }
    }

    /// Deliver to one more chain. Nothing happens when it is one already.
    pub fn deliver_to(&mut self, destination: ChainId) {
        self.destinations.entry(destination).or_insert_with(|| Destination::new(&self.policy));
    }

    /// Take note of `input` and say what to do. `now_ms` is wall time and does not fall.
    pub fn step(&mut self, now_ms: u64, input: Input, outbox: &impl Outbox) -> Vec<Action> {
        self.step += 1;
        let mut actions = Vec::new();
        match input {
            Input::Advanced => self.advance(outbox),
            Input::Observed(observation) => self.observed(now_ms, observation, &mut actions),
            Input::NotObserved { destination, sequence } => {
                self.not_observed(now_ms, destination, sequence, &mut actions);
            }
            Input::Finished { id, outcome } => {
                if !self.led(now_ms, id, &outcome, &mut actions) {
                    self.finished(now_ms, id, outcome, &mut actions);
                }
            }
            Input::Tick => {}
        }
        for lane in self.lanes.values_mut() {
            lane.fill(outbox, now_ms, self.step, &self.policy);
        }
        let destinations: Vec<ChainId> = self.destinations.keys().copied().collect();
        for destination in destinations {
            self.lead(now_ms, destination, outbox, &mut actions);
            while self.send(now_ms, destination, outbox, &mut actions) {}
            self.observe(now_ms, destination, outbox, &mut actions);
        }
        for (key, lane) in &mut self.lanes {
            let needed = lane.first_needed();
            if needed > lane.forgotten {
                lane.forgotten = needed;
                actions.push(Action::Forget { key: *key, index: LaneIndex(needed) });
            }
        }
        actions
    }

    /// When to [`Input::Tick`] at the latest if nothing else happens; `None` when only news can change anything.
    #[must_use]
    pub fn wake_ms(&self, now_ms: u64) -> Option<u64> {
        let slots = self
            .lanes
            .values()
            .flat_map(|lane| lane.open.values())
            .filter(|slot| !matches!(slot.state, State::Sent(..) | State::Done { .. }))
            .map(|slot| slot.due_ms);
        let destinations = self.destinations.iter().flat_map(|(id, destination)| {
            let observe = destination.asked.is_none().then(|| {
                let interval_ms = self.observe_interval_ms(*id);
                destination
                    .observed_ms
                    .map_or(0, |last| last.saturating_add(interval_ms))
                    .max(destination.observe_from_ms)
            });
            [
                observe,
                Some(destination.send_from_ms),
                destination.next_step.map(|(_, due_ms)| due_ms.max(destination.lead_from_ms)),
                destination.capped.map(|_| destination.spend.period_end_ms()),
            ]
        });
        slots.chain(destinations.flatten()).filter(|due| *due > now_ms).min()
    }

    /// Counters by destination.
    pub fn counts(&self) -> impl Iterator<Item = (ChainId, Counts)> + '_ {
        self.destinations.iter().map(|(id, destination)| {
            let open = self.lanes_to(*id).map(|(_, lane)| lane.open.len() as u64).sum();
            let counts = Counts {
                spent_wei: destination.spend.total_wei(),
                balance_wei: destination.prices.map_or(0, |prices| prices.balance_wei),
                in_flight: destination.under_way() as u64,
                open,
                ..destination.counts
            };
            (*id, counts)
        })
    }

    fn lanes_to(&self, destination: ChainId) -> impl Iterator<Item = (&LaneKey, &Lane)> {
        self.lanes.iter().filter(move |(key, _)| key.lane.destination == destination)
    }

    fn advance(&mut self, outbox: &impl Outbox) {
        for view in outbox.lanes() {
            if !self.destinations.contains_key(&view.key.lane.destination) {
                continue;
            }
            match self.lanes.get_mut(&view.key) {
                Some(lane) => {
                    let kept = outbox.kept(&view.key, lane.view.generation);
                    lane.update(view, kept);
                }
                None => {
                    self.lanes.insert(view.key, Lane::new(view));
                }
            }
        }
    }

    fn observed(&mut self, now_ms: u64, seen: Observation, actions: &mut Vec<Action>) {
        let Some(destination) = self.destinations.get_mut(&seen.destination) else { return };
        if destination.asked != Some(seen.sequence) {
            return;
        }
        destination.asked = None;
        destination.misses = 0;
        destination.observed_ms = Some(now_ms);
        destination.block = seen.block;
        destination.prices = Some(Prices { gas_wei: seen.gas_price_wei, balance_wei: seen.balance_wei });
        if seen.sequence >= destination.known_changed {
            destination.known = seen.checkpoint;
        }
        if seen.sequence >= destination.client_changed {
            destination.client = Some(seen.client);
        }
        let low = seen.balance_wei < self.policy.low_balance_wei;
        if low && !destination.low_balance {
            let alarm = Alarm::LowBalance { destination: seen.destination, balance_wei: seen.balance_wei };
            actions.push(Action::Alarm(alarm));
        }
        destination.low_balance = low;
        for lane_seen in seen.lanes {
            let Some(lane) = self.lanes.get_mut(&lane_seen.key) else { continue };
            if seen.sequence >= lane.record_changed {
                lane.record = Some(lane_seen.record);
            }
            if lane.allowed && !lane_seen.allowed {
                actions.push(Action::Alarm(Alarm::SourceDenied { key: lane_seen.key }));
            }
            lane.allowed = lane_seen.allowed;
            for (generation, index, status) in lane_seen.statuses {
                let Some(slot) = lane.open.get_mut(&index.0) else { continue };
                let sent = matches!(slot.state, State::Sent(..));
                if sent || slot.view.generation != generation || slot.changed > seen.sequence {
                    continue;
                }
                let change = slot.learn(status, seen.block, now_ms, self.step, &self.policy);
                note(change, lane, index, &mut destination.counts, actions);
            }
        }
    }

    fn not_observed(&mut self, now_ms: u64, id: ChainId, sequence: u64, actions: &mut Vec<Action>) {
        let Some(destination) = self.destinations.get_mut(&id) else { return };
        if destination.asked != Some(sequence) {
            return;
        }
        destination.asked = None;
        destination.misses += 1;
        let wait_ms = self.policy.backoff_ms(destination.misses).min(self.policy.observe_idle_ms);
        destination.observe_from_ms = now_ms.saturating_add(wait_ms);
        if destination.misses == MISSES_ALARM {
            actions.push(Action::Alarm(Alarm::Unreachable { destination: id, times: destination.misses }));
        }
    }

    fn finished(&mut self, now_ms: u64, id: TransactionId, outcome: Outcome, actions: &mut Vec<Action>) {
        let Some(destination) = self.destinations.values_mut().find(|d| d.in_flight.contains_key(&id)) else {
            return;
        };
        let Some(InFlight { transaction, proven, closes, period }) = destination.in_flight.remove(&id) else {
            return;
        };
        let (step, policy) = (self.step, &self.policy);
        let success = matches!(outcome, Outcome::Included { success: true, .. });
        match &outcome {
            Outcome::Included { fee_wei, .. } => {
                destination.spend.settle(period, transaction.reserved_wei, *fee_wei);
                if let Some(prices) = &mut destination.prices {
                    prices.balance_wei = prices.balance_wei.saturating_sub(*fee_wei);
                }
                destination.troubles = 0;
            }
            Outcome::WouldRevert => destination.spend.settle(period, transaction.reserved_wei, 0),
            Outcome::NotSent => {
                destination.spend.settle(period, transaction.reserved_wei, 0);
                destination.trouble(now_ms, policy);
            }
            // What was set aside stays so: it may still be included.
            Outcome::Unknown => destination.trouble(now_ms, policy),
        }
        if success {
            if transaction.certificate {
                destination.known = Some(transaction.checkpoint);
                destination.known_changed = step;
            }
            if let (Some(epoch), Some(client)) = (closes, &mut destination.client)
                && client.epoch == epoch
            {
                client.take(Step::Close(epoch), client.usable_until);
                destination.client_changed = step;
            }
        } else if matches!(outcome, Outcome::Included { .. } | Outcome::WouldRevert) {
            destination.counts.reverted += 1;
        }
        let key = transaction.key;
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        if let Some(record) = proven.filter(|_| success) {
            lane.proved(record, step);
        }
        let retry = matches!(transaction.job, Job::Retry(_));
        let alone = transaction.messages().count() == 1;
        for index in transaction.messages() {
            let Some(slot) = lane.open.get_mut(&index.0) else { continue };
            if slot.state != State::Sent(id) {
                continue;
            }
            let mut change = Change::Nothing;
            match &outcome {
                Outcome::Included { success: true, .. } => {
                    slot.reverts = 0;
                    slot.doubt(now_ms, step);
                }
                Outcome::Included { .. } | Outcome::WouldRevert if retry => {
                    change = slot.refuse(now_ms, step, policy);
                }
                Outcome::Included { .. } | Outcome::WouldRevert => {
                    slot.called = false;
                    slot.reverts = slot.reverts.saturating_add(1);
                    // The first time is most often another relayer's doing.
                    let wait_ms = if slot.reverts == 1 { 0 } else { policy.backoff_ms(slot.reverts - 1) };
                    slot.doubt(now_ms.saturating_add(wait_ms), step);
                    if alone && slot.reverts == REVERTS_ALARM {
                        let alarm = Alarm::MessageReverts { key, index, times: slot.reverts };
                        actions.push(Action::Alarm(alarm));
                    }
                }
                Outcome::NotSent => slot.unsend(retry, now_ms, step),
                Outcome::Unknown => slot.doubt(now_ms, step),
            }
            note(change, lane, index, &mut destination.counts, actions);
        }
        if let Outcome::Included { success: true, block, statuses, .. } = outcome {
            for (index, status) in statuses {
                let Some(slot) = lane.open.get_mut(&index.0) else { continue };
                let ours = slot.state == State::Unknown && slot.changed == step;
                if ours && transaction.messages().any(|sent| sent == index) {
                    let change = slot.learn(status, block, now_ms, step, policy);
                    note(change, lane, index, &mut destination.counts, actions);
                }
            }
        }
    }

    /// Send one transaction to a destination, if there is one to send.
    fn send(&mut self, now_ms: u64, id: ChainId, outbox: &impl Outbox, actions: &mut Vec<Action>) -> bool {
        let Some(certified) = outbox.certified() else { return false };
        let Some(destination) = self.destinations.get_mut(&id) else { return false };
        let Some(prices) = destination.prices else { return false };
        if now_ms < destination.send_from_ms || destination.under_way() >= self.policy.in_flight_max {
            return false;
        }
        let cap_left_wei = destination.spend.left_wei(now_ms);
        let budget_wei = cap_left_wei.min(destination.unreserved_wei(prices));
        let affordable = u64::try_from(budget_wei / prices.gas_wei.max(1)).unwrap_or(u64::MAX);
        let gas_max = affordable.min(self.policy.transaction_gas_max);
        let (turn, first) = (destination.turn, destination.choice);
        let packer = Packer { policy: &self.policy, destination, certified, now_ms, gas_max };
        let mut short = false;
        let mut found = None;
        let mut too_large = Vec::new();
        'search: for choice in
            (0..Choice::ALL.len()).map(|step| Choice::ALL[(first + step) % Choice::ALL.len()])
        {
            let lanes = || self.lanes.iter().filter(|(key, _)| key.lane.destination == id);
            let after = lanes().filter(|(key, _)| turn.is_some_and(|turn| **key > turn));
            let before = lanes().filter(|(key, _)| turn.is_none_or(|turn| **key <= turn));
            for (key, lane) in after.chain(before) {
                match packer.pack(lane, choice) {
                    Filling::Empty => {}
                    Filling::Short => short = true,
                    Filling::TooLarge { index, gas } => too_large.push((*key, index, gas)),
                    Filling::Packed(packed) => {
                        found = Some((*key, choice, packed));
                        break 'search;
                    }
                }
            }
        }
        let again = !too_large.is_empty();
        for (key, index, gas) in too_large {
            if let Some(lane) = self.lanes.get_mut(&key) {
                lane.open.remove(&index.0);
                actions.push(Action::Alarm(Alarm::MessageTooLarge { key, index, gas }));
            }
        }
        let Some(found) = found else {
            if short {
                self.short(now_ms, id, cap_left_wei == budget_wei, prices, actions);
            }
            return again;
        };
        let closes = (outbox.epoch() > certified.epoch).then_some(certified.epoch);
        self.submit(now_ms, found, (certified.height, closes), prices, actions);
        true
    }

    fn submit(
        &mut self,
        now_ms: u64,
        (key, choice, packed): (LaneKey, Choice, Packed),
        (checkpoint, closes): (Height, Option<Epoch>),
        prices: Prices,
        actions: &mut Vec<Action>,
    ) {
        let Some(destination) = self.destinations.get_mut(&key.lane.destination) else { return };
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        destination.choice = (destination.choice + 1) % Choice::ALL.len();
        destination.turn = Some(key);
        destination.short = false;
        self.transactions += 1;
        let Packed { certificate, prove, count, job, gas, proven } = packed;
        let transaction = Transaction {
            id: TransactionId(self.transactions),
            key,
            checkpoint,
            certificate,
            prove,
            count,
            job,
            gas_limit: gas,
            try_first: choice != Choice::Clean,
            reserved_wei: u128::from(gas).saturating_mul(prices.gas_wei),
        };
        let period = destination.spend.reserve(now_ms, transaction.reserved_wei);
        destination.counts.transactions += 1;
        destination.counts.retries += u64::from(matches!(job, Job::Retry(_)));
        for index in transaction.messages() {
            if let Some(slot) = lane.open.get_mut(&index.0) {
                slot.send(transaction.id, self.step);
            }
        }
        actions.push(Action::Submit(transaction.clone()));
        let closes = closes.filter(|_| certificate);
        destination.in_flight.insert(transaction.id, InFlight { transaction, proven, closes, period });
    }

    /// There is something to send, but not the means.
    fn short(&mut self, now_ms: u64, id: ChainId, capped: bool, prices: Prices, actions: &mut Vec<Action>) {
        let Some(destination) = self.destinations.get_mut(&id) else { return };
        let period = destination.spend.reserve(now_ms, 0);
        if capped && destination.capped != Some(period) {
            destination.capped = Some(period);
            let alarm = Alarm::SpendCapReached { destination: id, cap_wei: self.policy.spend_cap_wei };
            actions.push(Action::Alarm(alarm));
        }
        if !capped && !destination.short {
            destination.short = true;
            actions
                .push(Action::Alarm(Alarm::LowBalance { destination: id, balance_wei: prices.balance_wei }));
        }
    }

    fn observe_interval_ms(&self, id: ChainId) -> u64 {
        let stepping = self.destinations.get(&id).is_some_and(|destination| destination.next_step.is_some());
        let busy = stepping || self.lanes_to(id).any(|(_, lane)| !lane.open.is_empty());
        if busy { self.policy.observe_busy_ms } else { self.policy.observe_idle_ms }
    }

    /// Look at a destination, if there is reason to.
    fn observe(&mut self, now_ms: u64, id: ChainId, outbox: &impl Outbox, actions: &mut Vec<Action>) {
        let Some(destination) = self.destinations.get(&id) else { return };
        if destination.asked.is_some() || now_ms < destination.observe_from_ms {
            return;
        }
        let interval_ms = self.observe_interval_ms(id);
        let due = destination.observed_ms.is_none_or(|last| now_ms >= last.saturating_add(interval_ms));
        let urgent = destination.client.is_none()
            || self.lanes_to(id).any(|(_, lane)| {
                lane.record.is_none()
                    || lane.open.values().any(|slot| slot.state == State::Unknown && slot.due_ms <= now_ms)
            });
        if !due && !urgent {
            return;
        }
        let block = destination.block;
        let lanes = self.lanes_to(id).map(|(key, lane)| self.lane_query(*key, lane, block, now_ms)).collect();
        let checkpoint = outbox.certified().map(|certified| certified.height);
        let query = Query { destination: id, sequence: self.step, checkpoint, lanes };
        if let Some(destination) = self.destinations.get_mut(&id) {
            destination.asked = Some(query.sequence);
        }
        actions.push(Action::Observe(query));
    }

    /// The statuses that matter most: unknown ones, then deliveries to be confirmed, then what waits.
    fn lane_query(&self, key: LaneKey, lane: &Lane, block: u64, now_ms: u64) -> LaneQuery {
        let rank = |state: State, due_ms: u64| match state {
            State::Unknown if due_ms <= now_ms => Some(0),
            State::Done { .. } if state.look_from(&self.policy).is_some_and(|from| block >= from) => Some(1),
            State::Ready | State::Failed => Some(2),
            _ => None,
        };
        let mut messages = Vec::new();
        for wanted in 0..3 {
            let room = self.policy.statuses_max.saturating_sub(messages.len());
            let found = lane.open.iter().filter(|(_, slot)| rank(slot.state, slot.due_ms) == Some(wanted));
            messages.extend(found.take(room).map(|(index, slot)| (slot.view.generation, LaneIndex(*index))));
        }
        messages.sort_by_key(|(_, index)| *index);
        LaneQuery { key, messages }
    }
}

impl Destination {
    fn trouble(&mut self, now_ms: u64, policy: &Policy) {
        self.troubles = self.troubles.saturating_add(1);
        self.send_from_ms = now_ms.saturating_add(policy.backoff_ms(self.troubles));
    }
}

fn note(change: Change, lane: &mut Lane, index: LaneIndex, counts: &mut Counts, actions: &mut Vec<Action>) {
    match change {
        Change::Nothing => {}
        Change::Delivered => counts.delivered += 1,
        Change::Refused => counts.refused += 1,
        Change::Settled => {
            lane.open.remove(&index.0);
        }
        Change::Left => {
            counts.refused += 1;
            counts.left += 1;
            if let Some(slot) = lane.open.remove(&index.0) {
                let alarm = Alarm::MessageLeft { key: lane.view.key, index, tries: slot.tries };
                actions.push(Action::Alarm(alarm));
            }
        }
    }
}

#[cfg(test)]
mod tests;
