//! Checkpoints that were not finalised, or that the ledger refuses: what somebody may have signed all the same.
//!
//! A false header says nothing by itself; with its body it can be replayed on its parent's state, as its signers mean it.

use hum_types::{B256, Checkpoint, Encode as _, Height, TimeMs};
use std::collections::BTreeMap;

/// Bytes of checkpoints that are held.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Checkpoints held for one height.
const PER_HEIGHT_MAX: usize = 8;
/// How long a checkpoint above the newest may still become final, as nearly all do.
const PATIENCE_MS: u64 = 2_000;
/// Heights below the newest whose parents' states are gone.
const BELOW: u64 = 1_000;

#[derive(Debug)]
struct Suspect {
    checkpoint: Checkpoint,
    bytes: usize,
    since: TimeMs,
}

/// Checkpoints by height and hash of their header.
#[derive(Debug, Default)]
pub(crate) struct Trials {
    held: BTreeMap<(Height, B256), Suspect>,
    bytes: usize,
}

impl Trials {
    /// Somebody sent this checkpoint.
    pub(crate) fn offer(&mut self, checkpoint: &Checkpoint, now: TimeMs) {
        let (height, hash) = (checkpoint.header.height, checkpoint.header.hash());
        let rivals = self.held.range((height, B256::ZERO)..=(height, B256::repeat_byte(0xff))).count();
        if self.held.contains_key(&(height, hash)) || rivals >= PER_HEIGHT_MAX {
            return;
        }
        let bytes = checkpoint.encode().len();
        self.bytes += bytes;
        self.held.insert((height, hash), Suspect { checkpoint: checkpoint.clone(), bytes, since: now });
        while self.bytes > BYTES_MAX {
            let Some((_, dropped)) = self.held.pop_last() else { break };
            self.bytes -= dropped.bytes;
        }
    }

    /// This one was finalised and replayed: it is not suspect.
    pub(crate) fn finalised(&mut self, height: Height, hash: B256) {
        self.remove(height, hash);
        while let Some(entry) = self.held.first_entry().filter(|entry| entry.key().0.0 + BELOW < height.0) {
            self.bytes -= entry.remove().bytes;
        }
    }

    fn remove(&mut self, height: Height, hash: B256) -> Option<Checkpoint> {
        let suspect = self.held.remove(&(height, hash))?;
        self.bytes -= suspect.bytes;
        Some(suspect.checkpoint)
    }

    /// One that has had its time, whose parent stands, and that `is_signed` says somebody signed. It is held no longer.
    pub(crate) fn next(
        &mut self,
        newest: Height,
        now: TimeMs,
        is_ready: impl Fn(&Checkpoint) -> bool,
    ) -> Option<Checkpoint> {
        let above = Height(newest.0.saturating_add(2));
        let due = |height: Height, suspect: &Suspect| {
            height <= newest || now.0.saturating_sub(suspect.since.0) >= PATIENCE_MS
        };
        let (height, hash) = self
            .held
            .range(..(above, B256::ZERO))
            .find(|((height, _), suspect)| due(*height, suspect) && is_ready(&suspect.checkpoint))
            .map(|(key, _)| *key)?;
        self.remove(height, hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watcher::tests::fixture::header;
    use hum_types::Body;

    fn checkpoint(height: u64, fork: u8) -> Checkpoint {
        Checkpoint { header: header(0, height, fork), body: Body::default() }
    }

    #[test]
    fn a_suspect_comes_up_when_another_was_finalised_or_after_its_time() {
        let mut trials = Trials::default();
        let (truth, lie, next) = (checkpoint(5, 1), checkpoint(5, 2), checkpoint(6, 1));
        for checkpoint in [&truth, &lie, &next] {
            trials.offer(checkpoint, TimeMs(0));
        }
        assert_eq!(trials.next(Height(4), TimeMs(1_999), |_| true), None, "they may become final");
        trials.finalised(Height(5), truth.header.hash());
        assert_eq!(trials.next(Height(5), TimeMs(10), |_| false), None, "nobody signed it");
        assert_eq!(trials.next(Height(5), TimeMs(10), |_| true), Some(lie.clone()));
        assert_eq!(trials.next(Height(5), TimeMs(10), |_| true), None);
        assert_eq!(trials.next(Height(5), TimeMs(2_000), |_| true), Some(next));
        assert_eq!((trials.held.len(), trials.bytes), (0, 0));
        trials.offer(&lie, TimeMs(0));
        trials.finalised(Height(1_006), B256::ZERO);
        assert_eq!((trials.held.len(), trials.bytes), (0, 0), "its parent's state is gone");
    }
}
