//! Which rollups kept other operators from voting, in which view.

use commonware_utils::sync::Mutex;
use hum_consensus::PublicKey;
use hum_types::ChainId;
use std::collections::{BTreeMap, BTreeSet};

/// Views that reports are kept for.
const VIEWS_MAX: usize = 64;

/// Reports of operators to proposers. A report counts only for a proposal of ours that failed, so that nobody can have a
/// rollup left out by complaining about it.
#[derive(Default)]
pub(crate) struct Stalls(Mutex<BTreeMap<u64, BTreeMap<PublicKey, BTreeSet<ChainId>>>>);

impl Stalls {
    /// An operator waits for these rollups' data in this view.
    pub(crate) fn report(&self, view: u64, from: PublicKey, chains: Vec<ChainId>) {
        let mut views = self.0.lock();
        views.entry(view).or_default().insert(from, chains.into_iter().collect());
        while views.len() > VIEWS_MAX {
            views.pop_first();
        }
    }

    /// What was reported for a view.
    pub(crate) fn take(&self, view: u64) -> BTreeSet<ChainId> {
        self.0
            .lock()
            .remove(&view)
            .map(|reports| reports.into_values().flatten().collect())
            .unwrap_or_default()
    }
}
