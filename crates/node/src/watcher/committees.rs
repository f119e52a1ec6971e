//! The committees that watched things may be signed by, by epoch.

use hum_bls::Committee;
use hum_types::{Epoch, Height};
use std::{collections::BTreeMap, sync::Arc};

/// Epochs whose committees are remembered: more than stake can stay slashable for.
const EPOCHS_MAX: usize = 256;

#[derive(Debug, Clone)]
struct Reign {
    committee: Arc<Committee>,
    first: Height,
}

/// Committees by epoch. Each was in force from its first height to the one below the next committee's first.
#[derive(Debug, Clone, Default)]
pub struct Committees(BTreeMap<Epoch, Reign>);

impl Committees {
    /// The committee of an epoch, in force from height `first` on.
    pub fn insert(&mut self, committee: Arc<Committee>, first: Height) {
        self.0.insert(committee.table().epoch(), Reign { committee, first });
        while self.0.len() > EPOCHS_MAX {
            self.0.pop_first();
        }
    }

    /// The committee of an epoch.
    #[must_use]
    pub fn get(&self, epoch: Epoch) -> Option<&Arc<Committee>> {
        self.0.get(&epoch).map(|reign| &reign.committee)
    }

    /// The newest committee known.
    #[must_use]
    pub fn newest(&self) -> Option<&Arc<Committee>> {
        self.0.last_key_value().map(|(_, reign)| &reign.committee)
    }

    /// Whether the epoch had this height, as far as is known: the newest epoch has no known end.
    #[must_use]
    pub fn covers(&self, epoch: Epoch, height: Height) -> bool {
        let Some(reign) = self.0.get(&epoch) else { return false };
        let next = self.0.range((std::ops::Bound::Excluded(epoch), std::ops::Bound::Unbounded)).next();
        reign.first <= height && next.is_none_or(|(_, next)| height < next.first)
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<Committee>, Height)> {
        self.0.values().map(|reign| (&reign.committee, reign.first))
    }
}
