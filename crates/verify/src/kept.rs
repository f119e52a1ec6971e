//! What the state of anvil keeps that Ethereum's does not.
//!
//! Up to version 1.7.1 anvil computes its state root over all that its memory holds: an account that a transaction has
//! loaded is in the trie from then on, empty or not, and so is each slot that was loaded of an account that was
//! touched, zero or not; a destroyed account stays as an empty one. System calls leave nothing behind in this way.

use alloy_evm::block::{OnStateHook, StateChangeSource};
use alloy_primitives::{Address, U256};
use revm::state::EvmState;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

/// Accounts that a block's transactions load, with the slots of those that they touch.
pub(crate) type Kept = BTreeMap<Address, BTreeSet<U256>>;

/// Listens to an execution.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listener(Arc<Mutex<Kept>>);

impl Listener {
    /// What was heard.
    pub(crate) fn take(&self) -> Kept {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl OnStateHook for Listener {
    fn on_state(&mut self, source: StateChangeSource, state: &EvmState) {
        if !matches!(source, StateChangeSource::Transaction(_)) {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (address, account) in state {
            let slots = kept.entry(*address).or_default();
            if account.is_selfdestructed() {
                slots.clear();
            } else if account.is_touched() {
                slots.extend(account.storage.keys());
            }
        }
    }
}

#[cfg(test)]
mod tests;
