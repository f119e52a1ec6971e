//! When the next term may begin, and who orders in it.

use super::Inner;
use crate::{operator::seats_of, runtime::Runtime};
use hum_consensus::Committee;
use hum_types::{Height, Term};
use tracing::error;

impl<E: Runtime> Inner<E> {
    /// Resolves when the term before has ended here.
    pub(super) async fn term(&self, term: Term) -> Committee {
        loop {
            // Subscribed before it is looked, so that nothing falls between.
            let changed = self.reporter.handle().changed();
            if let Some(committee) = self.seats(term) {
                return committee;
            }
            if changed.await.is_err() {
                // The operator is gone.
                return std::future::pending().await;
            }
        }
    }

    /// Who orders in a term: known once the height that closes the term before is finalised, and certified when it hands
    /// over. Whoever has finalised more needs no certificate: others had it before they went on.
    fn seats(&self, term: Term) -> Option<Committee> {
        let Some(before) = term.0.checked_sub(1) else { return Some(self.committee.clone()) };
        let closing = self.network.genesis.terms.closing_of(Term(before));
        let first = closing.next()?;
        let handle = self.reporter.handle();
        let (epoch, newest) =
            handle.archive(|archive| (archive.epoch_at(first).cloned(), archive.newest().header().height));
        let epoch = epoch?;
        let handed_over = epoch.first == first && closing > Height(0);
        if handed_over && newest == closing && !handle.is_certified(closing) {
            handle
                .board()
                .waits_for(format!("the certificate of height {closing}, which closes an epoch"), self.now());
            return None;
        }
        seats_of(self.network.domain, &epoch.seated)
            .inspect_err(|error| error!(%error, %term, "nobody can order in this term"))
            .ok()
    }
}
