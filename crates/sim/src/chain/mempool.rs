//! Transactions that wait for a block.

use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_primitives::Address;
use std::collections::BTreeMap;

/// A signed transaction and who signed it.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) transaction: TxEnvelope,
    pub(super) sender: Address,
    /// Its place in the order of arrival.
    arrival: u64,
}

/// First come, first served; nonces of a sender in order.
#[derive(Debug, Default)]
pub(super) struct Mempool {
    waiting: BTreeMap<Address, BTreeMap<u64, Pending>>,
    arrivals: u64,
}

impl Mempool {
    /// Take a transaction in; of two with one nonce the first stays.
    pub(super) fn add(&mut self, transaction: TxEnvelope, sender: Address) {
        let arrival = self.arrivals;
        self.arrivals += 1;
        let nonce = transaction.nonce();
        let pending = Pending { transaction, sender, arrival };
        self.waiting.entry(sender).or_default().entry(nonce).or_insert(pending);
    }

    /// The nonce after those that wait, when any of a sender's does.
    pub(super) fn next_nonce(&self, sender: Address) -> Option<u64> {
        let (last, _) = self.waiting.get(&sender)?.last_key_value()?;
        Some(last + 1)
    }

    /// What can be executed, in order; `nonce_of` is the state's.
    pub(super) fn ready(&self, mut nonce_of: impl FnMut(Address) -> u64) -> Vec<Pending> {
        let mut ready = Vec::new();
        for (sender, waiting) in &self.waiting {
            let (mut expected, mut latest) = (nonce_of(*sender), 0);
            for (nonce, pending) in waiting.range(expected..) {
                if *nonce != expected {
                    break;
                }
                expected += 1;
                // One that came before its predecessor has to wait for it.
                latest = pending.arrival.max(latest);
                ready.push((latest, *nonce, pending));
            }
        }
        ready.sort_by_key(|(latest, nonce, pending)| (*latest, pending.sender, *nonce));
        ready.into_iter().map(|(_, _, pending)| pending.clone()).collect()
    }

    /// Forget what a block has and what can never be in one any more; the latter is returned.
    pub(super) fn prune(&mut self, mut nonce_of: impl FnMut(Address) -> u64) -> Vec<Pending> {
        let mut gone = Vec::new();
        self.waiting.retain(|sender, waiting| {
            let kept = waiting.split_off(&nonce_of(*sender));
            gone.extend(std::mem::replace(waiting, kept).into_values());
            !waiting.is_empty()
        });
        gone
    }

    /// Forget one.
    pub(super) fn remove(&mut self, pending: &Pending) {
        if let Some(waiting) = self.waiting.get_mut(&pending.sender) {
            waiting.remove(&pending.transaction.nonce());
        }
    }
}
