//! Lead light clients from committee to committee: the closing certificate, then the table, epoch by epoch.

use super::Planner;
use crate::{
    Action, Alarm, ClientSeen, Lead, Outbox, Outcome, Step, TransactionId,
    destination::{Leading, Prices},
};
use hum_types::{ChainId, Epoch, TimeS};

/// Steps in a row that revert after which an alarm is raised.
const STUMBLES_ALARM: u32 = 8;

/// What a light client needs to get on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Step(Step, TimeS),
    /// It has slept too long.
    Anchor,
}

const fn over(until: TimeS, now_ms: u64) -> bool {
    now_ms / 1_000 > until.0
}

impl ClientSeen {
    /// Whether it would take a certificate of this epoch.
    pub(crate) fn takes(&self, epoch: Epoch, now_ms: u64) -> bool {
        let named = self.epoch > epoch || self.epoch == epoch && self.installed;
        named && !over(self.usable_until, now_ms)
    }

    /// What holds after a step whose table is good until `valid_until`.
    pub(crate) fn take(&mut self, step: Step, valid_until: TimeS) {
        match step {
            Step::Close(epoch) => {
                self.epoch = epoch.next().unwrap_or(epoch);
                self.installed = false;
            }
            Step::Install(_) => {
                self.installed = true;
                self.usable_until = self.usable_until.max(valid_until);
            }
        }
    }

    fn need(&self, outbox: &impl Outbox, now_ms: u64) -> Need {
        let newest = outbox.epoch();
        // A committee of an epoch that we do not know: we are behind.
        let Some(committee) = outbox.committee(self.epoch) else { return Need::Nothing };
        let until = committee.valid_until;
        if self.installed && self.epoch >= newest {
            return Need::Nothing;
        }
        if over(until, now_ms) {
            return Need::Anchor;
        }
        let step = if self.installed { Step::Close(self.epoch) } else { Step::Install(self.epoch) };
        Need::Step(step, until)
    }
}

impl Planner {
    /// Take the next step of a destination's light client, if there is one and it is our turn.
    pub(super) fn lead(&mut self, now_ms: u64, id: ChainId, outbox: &impl Outbox, actions: &mut Vec<Action>) {
        let Some(destination) = self.destinations.get_mut(&id) else { return };
        let (Some(client), Some(prices)) = (destination.client, destination.prices) else { return };
        if destination.leading.is_some() || outbox.certified().is_none() {
            return;
        }
        let (step, valid_until) = match client.need(outbox, now_ms) {
            Need::Step(step, valid_until) => (step, valid_until),
            need => {
                destination.next_step = None;
                let expired = need == Need::Anchor;
                if expired && !destination.expired {
                    let (epoch, usable_until) = (client.epoch, client.usable_until);
                    let alarm = Alarm::ClientExpired { destination: id, epoch, usable_until };
                    actions.push(Action::Alarm(alarm));
                }
                destination.expired = expired;
                return;
            }
        };
        destination.expired = false;
        let due_ms = match destination.next_step {
            Some((known, due_ms)) if known == step => due_ms,
            _ => now_ms.saturating_add(self.policy.turn_ms),
        };
        destination.next_step = Some((step, due_ms));
        let from_ms = due_ms.max(destination.lead_from_ms).max(destination.send_from_ms);
        if now_ms < from_ms || destination.under_way() >= self.policy.in_flight_max {
            return;
        }
        let gas = self.step_gas(step, outbox);
        self.take_step(now_ms, (id, step, valid_until), gas, prices, actions);
    }

    /// The most gas that a step should take.
    fn step_gas(&self, step: Step, outbox: &impl Outbox) -> u64 {
        let costs = &self.policy.gas;
        let gas = match step {
            Step::Close(_) => costs.transaction + costs.certificate + costs.closing,
            Step::Install(epoch) => {
                let operators = outbox.committee(epoch).map_or(0, |committee| committee.operators);
                costs.transaction + costs.table + costs.table_operator * u64::from(operators)
            }
        };
        gas.min(self.policy.transaction_gas_max)
    }

    fn take_step(
        &mut self,
        now_ms: u64,
        (id, step, valid_until): (ChainId, Step, TimeS),
        gas_limit: u64,
        prices: Prices,
        actions: &mut Vec<Action>,
    ) {
        let Some(destination) = self.destinations.get_mut(&id) else { return };
        let cap_left_wei = destination.spend.left_wei(now_ms);
        let budget_wei = cap_left_wei.min(destination.unreserved_wei(prices));
        let reserved_wei = u128::from(gas_limit).saturating_mul(prices.gas_wei);
        if reserved_wei > budget_wei {
            self.short(now_ms, id, cap_left_wei == budget_wei, prices, actions);
            return;
        }
        self.transactions += 1;
        let lead =
            Lead { id: TransactionId(self.transactions), destination: id, step, gas_limit, reserved_wei };
        let period = destination.spend.reserve(now_ms, reserved_wei);
        destination.counts.transactions += 1;
        destination.short = false;
        destination.leading = Some(Leading { lead, valid_until, period });
        actions.push(Action::Lead(lead));
    }

    /// Take note of how a step ended; `false` when the transaction was none.
    pub(super) fn led(
        &mut self,
        now_ms: u64,
        id: TransactionId,
        outcome: &Outcome,
        actions: &mut Vec<Action>,
    ) -> bool {
        let leads = |leading: &Leading| leading.lead.id == id;
        let Some(destination) = self
            .destinations
            .values_mut()
            .find(|destination| destination.leading.as_ref().is_some_and(leads))
        else {
            return false;
        };
        let Some(Leading { lead, valid_until, period }) = destination.leading.take() else { return false };
        destination.client_changed = self.step;
        let mut reverted = false;
        match outcome {
            Outcome::Included { success, fee_wei, .. } => {
                destination.spend.settle(period, lead.reserved_wei, *fee_wei);
                if let Some(prices) = &mut destination.prices {
                    prices.balance_wei = prices.balance_wei.saturating_sub(*fee_wei);
                }
                destination.troubles = 0;
                reverted = !success;
            }
            Outcome::WouldRevert => {
                destination.spend.settle(period, lead.reserved_wei, 0);
                reverted = true;
            }
            Outcome::NotSent => {
                destination.spend.settle(period, lead.reserved_wei, 0);
                destination.trouble(now_ms, &self.policy);
            }
            // What was set aside stays so: it may still be included.
            Outcome::Unknown => destination.trouble(now_ms, &self.policy),
        }
        if matches!(outcome, Outcome::Included { success: true, .. }) {
            destination.counts.led += 1;
            destination.stumbles = 0;
            if let Some(client) = &mut destination.client {
                client.take(lead.step, valid_until);
            }
            return true;
        }
        // Somebody else may have been there first.
        destination.client = None;
        if reverted {
            destination.counts.reverted += 1;
            destination.stumbles = destination.stumbles.saturating_add(1);
            let stumbles = destination.stumbles;
            let wait_ms = if stumbles == 1 { 0 } else { self.policy.backoff_ms(stumbles - 1) };
            destination.lead_from_ms = now_ms.saturating_add(wait_ms);
            if stumbles == STUMBLES_ALARM {
                let alarm =
                    Alarm::ClientStuck { destination: lead.destination, step: lead.step, times: stumbles };
                actions.push(Action::Alarm(alarm));
            }
        }
        true
    }
}
