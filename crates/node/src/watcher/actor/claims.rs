//! Claims held against what rollups put on L1, and sequencers defended that took theirs back.

use super::{Actor, Done};
use crate::{
    runtime::Runtime,
    watcher::{
        accusations::{Accusation, Batch, Defended},
        court::L1,
    },
};
use futures::FutureExt as _;

impl<E: Runtime> Actor<E> {
    /// Look what is new on L1, and answer what is open there.
    pub(super) fn look_at_claims(&mut self, l1: &L1) {
        let Some(registry) = l1.judges.rollup_registry else { return };
        if self.claims.is_due(self.now) {
            if let Some(inbox) = l1.judges.batch_inbox.filter(|_| l1.judges.batch_adapter.is_some()) {
                let work = l1.clone().batches(inbox, self.next_batch);
                self.work.push(work.map(Done::Batches).boxed());
            }
            let work = l1.clone().accusations(registry, self.accused.next_block);
            self.work.push(work.map(Done::Accusations).boxed());
        }
        if let Some(accusation) = self.accused.next(self.now) {
            let Accusation { registration, generation, block, .. } = accusation;
            let member = self.detector.member_of(registration);
            let retraction =
                member.and_then(|chain_id| self.detector.withdrawal(chain_id, generation, block.number));
            let reserved_wei = self.spend.reserve(self.now);
            let work = l1.clone().defend(registry, accusation, retraction, reserved_wei);
            let done = move |defended| Done::Defended { reserved_wei, accusation, defended };
            self.work.push(work.map(done).boxed());
        }
    }

    /// Rollups posted these blocks.
    pub(super) async fn posted_to_l1(&mut self, batches: Vec<Batch>) {
        for (registration, last) in batches {
            let findings = self.detector.batch(registration, last);
            self.found(None, findings).await;
        }
    }

    pub(super) fn defended(&mut self, accusation: Accusation, defended: Defended) {
        let Accusation { id, registration, block, .. } = accusation;
        match defended.outcome {
            Ok(tx_hash) => {
                self.accused.done(id);
                if let Some(tx_hash) = tx_hash {
                    let what =
                        format!("showed in {tx_hash} that {registration} took back its claim of {block}");
                    self.shared.did(self.now, what);
                }
            }
            Err(why) => {
                if self.accused.again(id) {
                    let what = format!("the claim of {block} by {registration} stands accused on L1: {why}");
                    self.shared.alarm(self.now, &what);
                }
            }
        }
    }
}
