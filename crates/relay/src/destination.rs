//! What the planner knows of one destination.

use crate::{
    ClientSeen, LaneKey, LaneRecord, Lead, Policy, Step, Transaction, TransactionId, spend::SpendBook, wei,
};
use hum_types::{Epoch, Height, TimeS};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Counters of one destination, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages that calls of ours executed.
    pub delivered: u64,
    /// Calls of ours that the recipient refused.
    pub refused: u64,
    /// Further calls of messages that were refused.
    pub retries: u64,
    /// Messages left to others.
    pub left: u64,
    /// Transactions asked for.
    pub transactions: u64,
    /// Steps of ours that led its light client towards the newest committee.
    pub led: u64,
    /// Transactions that reverted or would have.
    pub reverted: u64,
    /// Fees of all time, in wei.
    #[serde(with = "wei")]
    pub spent_wei: u128,
    /// The balance last seen, in wei.
    #[serde(with = "wei")]
    pub balance_wei: u128,
    /// Messages that are watched.
    pub open: u64,
    /// Transactions under way.
    pub in_flight: u64,
}

/// A transaction that has not come to an end.
#[derive(Debug, Clone)]
pub(crate) struct InFlight {
    pub(crate) transaction: Transaction,
    /// The record that it leaves behind.
    pub(crate) proven: Option<LaneRecord>,
    /// The epoch that its certificate ends.
    pub(crate) closes: Option<Epoch>,
    /// The spending period that it was reserved in.
    pub(crate) period: u64,
}

/// A step of the light client that has not come to an end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leading {
    pub(crate) lead: Lead,
    /// Until when the table of its epoch is good.
    pub(crate) valid_until: TimeS,
    /// The spending period that it was reserved in.
    pub(crate) period: u64,
}

/// One destination.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) in_flight: BTreeMap<TransactionId, InFlight>,
    pub(crate) spend: SpendBook,
    pub(crate) counts: Counts,
    /// The newest checkpoint that its light client is known to hold.
    pub(crate) known: Option<Height>,
    pub(crate) known_changed: u64,
    /// How far its light client is; `None` while that has to be looked up.
    pub(crate) client: Option<ClientSeen>,
    pub(crate) client_changed: u64,
    /// The step under way.
    pub(crate) leading: Option<Leading>,
    /// The step that comes next, and when it is our turn.
    pub(crate) next_step: Option<(Step, u64)>,
    /// Steps in a row that reverted.
    pub(crate) stumbles: u32,
    /// No step before.
    pub(crate) lead_from_ms: u64,
    /// Whether the end of its light client was reported.
    pub(crate) expired: bool,
    /// Gas price and balance; `None` before the first observation.
    pub(crate) prices: Option<Prices>,
    /// Its newest block that was looked at.
    pub(crate) block: u64,
    /// The query that waits for an answer.
    pub(crate) asked: Option<u64>,
    /// When the last answer came.
    pub(crate) observed_ms: Option<u64>,
    /// Queries in a row without an answer.
    pub(crate) misses: u32,
    /// No query before.
    pub(crate) observe_from_ms: u64,
    /// Transactions in a row that could not be sent or were not seen.
    pub(crate) troubles: u32,
    /// No transaction before.
    pub(crate) send_from_ms: u64,
    pub(crate) low_balance: bool,
    /// The period in which the cap was reported.
    pub(crate) capped: Option<u64>,
    /// The lane that goes first next time.
    pub(crate) turn: Option<LaneKey>,
    /// The choice that goes first next time.
    pub(crate) choice: usize,
    /// Whether the balance was found too small for a transaction since the last one.
    pub(crate) short: bool,
}

/// What sending costs and what there is to pay with, in wei.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prices {
    pub(crate) gas_wei: u128,
    pub(crate) balance_wei: u128,
}

impl Destination {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            in_flight: BTreeMap::new(),
            spend: SpendBook::new(policy.spend_cap_wei, policy.spend_period_ms),
            counts: Counts::default(),
            known: None,
            known_changed: 0,
            client: None,
            client_changed: 0,
            leading: None,
            next_step: None,
            stumbles: 0,
            lead_from_ms: 0,
            expired: false,
            prices: None,
            block: 0,
            asked: None,
            observed_ms: None,
            misses: 0,
            observe_from_ms: 0,
            troubles: 0,
            send_from_ms: 0,
            low_balance: false,
            capped: None,
            turn: None,
            choice: 0,
            short: false,
        }
    }

    /// Whether a transaction under way proves this lane.
    pub(crate) fn proving(&self, key: &LaneKey) -> bool {
        self.in_flight.values().any(|sent| sent.transaction.key == *key && sent.proven.is_some())
    }

    /// What may still be promised from the balance.
    pub(crate) fn unreserved_wei(&self, prices: Prices) -> u128 {
        let led = self.leading.map(|leading| leading.lead.reserved_wei);
        let sent = self.in_flight.values().map(|sent| sent.transaction.reserved_wei);
        let reserved = sent.chain(led).fold(0, u128::saturating_add);
        prices.balance_wei.saturating_sub(reserved)
    }

    /// Transactions under way.
    pub(crate) fn under_way(&self) -> usize {
        self.in_flight.len() + usize::from(self.leading.is_some())
    }
}
