//! Voting keys by term.

use commonware_consensus::{simplex::scheme::ed25519::Scheme, types::Epoch};
use commonware_cryptography::certificate::{Provider, Scheme as _, Scoped};
use commonware_utils::sync::Mutex;
use std::{collections::BTreeMap, sync::Arc};

/// Changes of the committee that are remembered. Certificates are checked above the last processed height only, which
/// is a few terms behind at most.
const CHANGES_KEPT: usize = 32;

/// The voting keys of every term that has begun here, where terms with the same seats share theirs.
#[derive(Clone, Default)]
pub(crate) struct Schemes(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// By the first term of those seats.
    changes: BTreeMap<u64, Arc<Scheme>>,
    last: Option<u64>,
}

impl Schemes {
    /// Terms come in order. Returns what is kept for the term.
    pub(crate) fn insert(&self, term: u64, scheme: Scheme) -> Arc<Scheme> {
        let mut known = self.0.lock();
        known.last = Some(term);
        if let Some((_, same)) =
            known.changes.last_key_value().filter(|(_, last)| last.participants() == scheme.participants())
        {
            return same.clone();
        }
        let scheme = Arc::new(scheme);
        known.changes.insert(term, scheme.clone());
        while known.changes.len() > CHANGES_KEPT {
            known.changes.pop_first();
        }
        scheme
    }

    fn get(&self, term: u64) -> Option<Arc<Scheme>> {
        let known = self.0.lock();
        if known.last < Some(term) {
            return None;
        }
        known.changes.range(..=term).next_back().map(|(_, scheme)| scheme.clone())
    }
}

impl Provider for Schemes {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, term: Epoch) -> Option<Scoped<Scheme>> {
        self.get(term.get()).map(Scoped::scheme)
    }
}
