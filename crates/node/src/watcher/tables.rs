//! Closing headers against L1: is the table that they announce the one that L1 had at their origin?

use super::{court::L1, evidence::DueTable};
use alloy_primitives::U256;
use hum_chain::{At, ReadError, restaking::IServiceManager};
use hum_types::{B256, Confidence, Header, Height, TimeMs};
use std::collections::BTreeMap;

/// Closing headers that wait to be looked at; the oldest are dropped first.
const WAITING_MAX: usize = 4_096;
/// Pause before a header is looked at again.
const AGAIN_MS: u64 = 1_000;
/// Snapshots that are walked through at most for one header.
const SNAPSHOTS_MAX: u64 = 4_096;

/// A closing header to hold against L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) header: Header,
    /// Hash of the table in force at the header.
    pub(crate) present: B256,
}

/// What L1 says of a closing header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// It announces what it should.
    Good,
    /// Our node has not finalised the origin.
    NotYet,
    /// L1 has another block at the origin's number.
    OtherOrigin {
        /// Its hash.
        found: B256,
    },
    /// It announces nothing although the committee should change.
    Omitted {
        /// What it should announce.
        due: DueTable,
    },
    /// It announces another table.
    False {
        /// What it should announce.
        due: DueTable,
    },
}

/// Which headers wait.
#[derive(Debug, Default)]
pub(crate) struct TableBook {
    replayed: Height,
    waiting: BTreeMap<Height, (Check, TimeMs)>,
    out: Option<Height>,
}

impl TableBook {
    /// The highest header that was looked through.
    pub(crate) const fn replayed(&self) -> Height {
        self.replayed
    }

    /// A header was finalised, heights ascending.
    pub(crate) fn finalised(&mut self, header: Header, closing: bool, present: B256) {
        self.replayed = header.height;
        if closing {
            self.waiting.insert(header.height, (Check { header, present }, TimeMs(0)));
            while self.waiting.len() > WAITING_MAX {
                self.waiting.pop_first();
            }
        }
    }

    /// The next one to look at; one at a time.
    pub(crate) fn next(&mut self, now: TimeMs) -> Option<Check> {
        if self.out.is_some() {
            return None;
        }
        let (height, (check, _)) = self.waiting.iter().find(|(_, (_, due))| *due <= now)?;
        self.out = Some(*height);
        Some(*check)
    }

    /// It could not be told.
    pub(crate) fn again(&mut self, height: Height, now: TimeMs) {
        self.out = None;
        if let Some((_, due)) = self.waiting.get_mut(&height) {
            *due = TimeMs(now.0.saturating_add(AGAIN_MS));
        }
    }

    /// It was told.
    pub(crate) fn done(&mut self, height: Height) {
        self.out = None;
        self.waiting.remove(&height);
    }
}

impl L1 {
    /// Hold a closing header against our own node's final state.
    pub(crate) async fn due_table(self, check: Check) -> Result<Judged, ReadError> {
        let origin = check.header.l1_origin;
        if self.chain.head(Confidence::Finalized).await?.number < origin.number {
            return Ok(Judged::NotYet);
        }
        if let Some(block) = self.chain.block(At::Number(origin.number)).await?
            && block.block.hash != origin.hash
        {
            return Ok(Judged::OtherOrigin { found: block.block.hash });
        }
        let at = At::Tag(Confidence::Finalized);
        let count = self.view(self.service_manager, IServiceManager::snapshotCountCall {}, at).await?;
        let mut index = u64::try_from(count).unwrap_or(u64::MAX);
        let mut due = DueTable::NONE;
        for _ in 0..SNAPSHOTS_MAX {
            let Some(below) = index.checked_sub(1) else { break };
            index = below;
            let call = IServiceManager::snapshotAtCall { index: U256::from(index) };
            let record = self.view(self.service_manager, call, at).await?;
            if record.l1Block <= origin.number {
                due = DueTable { index, hash: record.tableHash };
                break;
            }
        }
        Ok(judge(&check, due))
    }
}

/// What a header is worth when `due` was the newest snapshot at its origin.
pub(crate) fn judge(check: &Check, due: DueTable) -> Judged {
    let announced = check.header.next_table_hash;
    if announced != B256::ZERO {
        if announced == due.hash { Judged::Good } else { Judged::False { due } }
    } else if due == DueTable::NONE || due.hash == check.present {
        Judged::Good
    } else {
        Judged::Omitted { due }
    }
}

#[cfg(test)]
mod tests;
