//! Who is a member, by chain id: those of the network file, and those that joined since.
//!
//! ```text
//! network file ─▶ ┌─────────┐ ─▶ judge, intake, settlement, relayer, watcher, API: what a rollup is like
//! join, replayed ─▶│ Members │
//! member files ──▶ └─────────┘
//! ```
//!
//! Invariants: nobody is ever taken out (what left stays known, its status is the ledger's business); a chain id means one
//! registration for ever; nothing is written to disk, the replay of the checkpoints tells it again.

use crate::config::{Member, PeerEntry, ProfileError};
use commonware_utils::sync::Mutex;
use hum_consensus::PublicKey;
use hum_types::{Address, ChainId, Join};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The members. Clones are the same.
#[derive(Debug, Clone)]
pub struct Members(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Where the deployment's batches go.
    inbox: Option<Address>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// Rises with every newcomer.
    version: u64,
    members: BTreeMap<ChainId, Arc<Member>>,
    left: BTreeSet<ChainId>,
}

impl Members {
    /// The members of the network file. `inbox` is where the deployment's batches go, when it says.
    #[must_use]
    pub fn new(members: impl IntoIterator<Item = Member>, inbox: Option<Address>) -> Self {
        let members = members.into_iter().map(|member| (member.entry.chain_id, Arc::new(member))).collect();
        let known = Mutex::new(Known { version: 0, members, left: BTreeSet::new() });
        Self(Arc::new(Inner { inbox, known }))
    }

    /// Another set with the members that this one has now: what joins here does not join there.
    #[must_use]
    pub fn apart(&self) -> Self {
        let known = self.0.known.lock();
        let Known { version, ref members, ref left } = *known;
        let known = Mutex::new(Known { version, members: members.clone(), left: left.clone() });
        Self(Arc::new(Inner { inbox: self.0.inbox, known }))
    }

    /// A member, also one that left.
    #[must_use]
    pub fn get(&self, chain_id: ChainId) -> Option<Arc<Member>> {
        self.0.known.lock().members.get(&chain_id).cloned()
    }

    /// All, by ascending chain id; those that left, too.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Member>> {
        self.0.known.lock().members.values().cloned().collect()
    }

    /// Rises whenever somebody comes or goes: whoever keeps something for each member looks again then.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.known.lock().version
    }

    /// Take in a rollup whose join was finalised or certified. Again is no mistake: replays tell everything again.
    pub fn admit(&self, join: &Join) -> Result<Arc<Member>, ProfileError> {
        self.insert(Member::joined(join, self.0.inbox)?)
    }

    /// Take in a rollup that this process was told of by a file, before it has joined.
    pub fn insert(&self, member: Member) -> Result<Arc<Member>, ProfileError> {
        let chain_id = member.entry.chain_id;
        let mut known = self.0.known.lock();
        if let Some(present) = known.members.get(&chain_id) {
            let registration = present.entry.registration;
            return if registration == member.entry.registration {
                Ok(present.clone())
            } else {
                Err(ProfileError::Known { chain_id, known: registration })
            };
        }
        let member = Arc::new(member);
        known.members.insert(chain_id, member.clone());
        known.version += 1;
        Ok(member)
    }

    /// A rollup has left: its own processes are nobody's peers any more.
    pub fn left(&self, chain_id: ChainId) {
        let mut known = self.0.known.lock();
        if known.left.insert(chain_id) {
            known.version += 1;
        }
    }

    /// The processes that members name in their profiles, of those that have not left.
    #[must_use]
    pub fn peers(&self) -> Vec<(PeerEntry, PublicKey)> {
        let known = self.0.known.lock();
        let present = known.members.iter().filter(|(chain_id, _)| !known.left.contains(chain_id));
        present.flat_map(|(_, member)| member.peers.iter().cloned()).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests;
