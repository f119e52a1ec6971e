//! What registrations have come to on L1.

use crate::{
    config::Member,
    membership::{Moved, Movement},
};
use hum_ledger::State;
use hum_types::{Change, Join, L1Origin, ROLLUPS_MAX, RegistrationId, RollupStatus, TimeMs};
use std::{collections::BTreeMap, sync::Arc};

/// Leaves that one proposal carries at most.
const LEAVES_MAX: usize = 16;

/// One registration.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    /// Its profile's member, and the L1 block that has the profile.
    joins: Option<(L1Origin, Arc<Member>)>,
    /// The L1 block in which it announced its exit.
    leaves: Option<L1Origin>,
    /// The first L1 block from which on it cannot join: its exit, or the loss of its bond.
    gone: Option<u64>,
    /// When we last learnt something of it.
    seen: TimeMs,
}

/// All that had a profile, an exit or a loss. Each cost a bond or the owner's authorisation.
#[derive(Debug, Default)]
pub(super) struct Register(BTreeMap<RegistrationId, Entry>);

impl Register {
    /// Take in what is final. Returns why a profile makes no member, for people.
    pub(super) fn push(&mut self, moved: &Moved, now: TimeMs) -> Option<String> {
        let entry = self.0.entry(moved.registration).or_default();
        entry.seen = now;
        match &moved.what {
            Movement::Published { member: Ok(member), .. } => {
                entry.joins.get_or_insert_with(|| (moved.l1, member.clone()));
                None
            }
            Movement::Published { chain_id, member: Err(why) } => Some(format!(
                "the profile of registration {}, chain {chain_id}, is passed over: {why}",
                moved.registration
            )),
            Movement::Exit => {
                entry.leaves.get_or_insert(moved.l1);
                entry.gone.get_or_insert(moved.l1.number);
                None
            }
            Movement::Punished => {
                entry.gone.get_or_insert(moved.l1.number);
                None
            }
        }
    }

    /// What can follow `before` under a header of this origin: at most one join. `settled` is when something must have been
    /// known for others to know it, too.
    pub(super) fn due(&self, before: &State, origin: L1Origin, settled: TimeMs) -> Vec<Change> {
        let at = |l1: L1Origin| if l1.number > origin.number { l1 } else { origin };
        let mut changes = Vec::new();
        for rollup in before.rollups().filter(|rollup| rollup.status() != RollupStatus::Left) {
            let params = rollup.params();
            let entry = self.0.get(&params.registration).filter(|entry| entry.seen <= settled);
            if let Some(l1) = entry.and_then(|entry| entry.leaves)
                && changes.len() < LEAVES_MAX
            {
                changes.push(Change::Leave { chain_id: params.chain_id, l1: at(l1) });
            }
        }
        if before.rollups().count() < ROLLUPS_MAX {
            let candidates = self.0.values().filter(|entry| entry.gone.is_none() && entry.seen <= settled);
            let candidates = candidates.filter_map(|entry| entry.joins.as_ref());
            let strangers = candidates.filter(|(_, member)| before.rollup(member.entry.chain_id).is_none());
            let first = strangers.min_by_key(|(l1, member)| (l1.number, member.entry.registration));
            let join = first.and_then(|(l1, member)| member.join(at(*l1)));
            changes.extend(join.map(|join| Change::Join { join }));
        }
        changes
    }

    /// Whether L1 had by the join's block what it says; else what is wrong.
    pub(super) fn joins(&self, join: &Join) -> Result<(), String> {
        let (chain_id, registration, l1) = (join.chain_id, join.registration(), join.l1);
        let entry = self.0.get(&registration);
        let published = entry.and_then(|entry| entry.joins.as_ref()).filter(|(at, _)| at.number <= l1.number);
        let Some((_, member)) = published else {
            return Err(format!("own L1 has no profile of chain {chain_id} as {registration} by block {l1}"));
        };
        if let Some(gone) = entry.and_then(|entry| entry.gone).filter(|gone| *gone <= l1.number) {
            return Err(format!("registration {registration} of chain {chain_id} went at L1 block {gone}"));
        }
        match member.join(l1) {
            Some(own) if own == *join => Ok(()),
            _ => Err(format!("the profile of chain {chain_id} on own L1 says something else than the join")),
        }
    }

    /// Whether a registration had announced its exit by this block; else what is wrong.
    pub(super) fn leaves(&self, registration: RegistrationId, l1: L1Origin) -> Result<(), String> {
        let announced = self.0.get(&registration).and_then(|entry| entry.leaves);
        match announced.filter(|at| at.number <= l1.number) {
            Some(_) => Ok(()),
            None => Err(format!("own L1 has no exit of registration {registration} by block {l1}")),
        }
    }
}

#[cfg(test)]
mod tests;
