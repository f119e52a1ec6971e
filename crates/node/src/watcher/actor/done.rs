//! What came of work on L1.

use super::{Actor, Done};
use crate::{
    runtime::Runtime,
    watcher::{
        answers::{Answered, Challenge},
        court::Filed,
        docket::{Defendant, EvidenceNumber, Verdict},
        tables::Judged,
    },
};
use hum_types::Header;

impl<E: Runtime> Actor<E> {
    pub(super) async fn done(&mut self, done: Done) {
        match done {
            Done::Filed { number, reserved_wei, filed } => {
                self.spend.settle(reserved_wei, filed.spent_wei);
                self.bond_moved(number, &filed).await;
                for (defendant, verdict) in filed.verdicts {
                    self.told(number, &defendant, &verdict);
                    self.docket.conclude(number, defendant, verdict, self.now);
                }
                self.shared.spent(self.spend.total_wei());
                self.shared.cases(self.docket.view());
            }
            Done::Snapshot { reserved_wei, looked } => {
                self.snapshot_out = false;
                self.spend.settle(reserved_wei, looked.spent_wei);
                self.keys = looked.keys;
                match looked.outcome {
                    Ok(None) => {}
                    Ok(Some(tx_hash)) => {
                        self.shared.snapshot();
                        self.shared.did(self.now, format!("took a snapshot in transaction {tx_hash}"));
                    }
                    // Another watcher may have been faster.
                    Err(error) => self.shared.trouble(Some(format!("snapshot not taken: {error}"))),
                }
                self.shared.spent(self.spend.total_wei());
            }
            Done::Head(check, result) => self.head_judged(*check, result).await,
            Done::Posted(check, result) => self.posted_judged(*check, result).await,
            Done::Table(header, Ok(judged)) => self.table_judged(header, judged).await,
            Done::Table(header, Err(error)) => {
                self.shared.trouble(Some(format!("table at height {}: {error}", header.height)));
                self.tables.again(header.height, self.now);
            }
            Done::Settled { number, result: Ok(settled) } => {
                for defendant in settled.last {
                    let Some(tx_hash) = self.docket.settled(number, defendant) else { continue };
                    if let Err(error) = self.store.punished(number, defendant, tx_hash).await {
                        self.shared.alarm(self.now, &format!("evidence cannot be kept on disk: {error}"));
                    }
                }
                for defendant in settled.gone {
                    self.docket.reopen(number, defendant, self.now);
                }
                self.shared.cases(self.docket.view());
            }
            Done::Settled { result: Err(error), .. } | Done::Balance(Err(error)) => {
                self.shared.trouble(Some(format!("L1 cannot be read: {error}")));
            }
            Done::Balance(Ok(balance)) => self.shared.balance(&balance),
            Done::Challenges(Ok((next_block, found))) => {
                self.answers.next_block = Some(next_block);
                self.answers.add(found);
            }
            Done::Challenges(Err(error)) => {
                self.shared.trouble(Some(format!("challenges cannot be read: {error}")));
            }
            Done::Answered { reserved_wei, challenge, answered } => {
                self.spend.settle(reserved_wei, answered.spent_wei);
                self.shared.spent(self.spend.total_wei());
                self.answered(challenge, answered).await;
            }
            Done::Batches(Ok((next_block, batches))) => {
                self.next_batch = Some(next_block);
                self.posted_to_l1(batches).await;
            }
            Done::Accusations(Ok((next_block, found))) => {
                self.accused.next_block = Some(next_block);
                self.accused.add(found);
            }
            Done::Batches(Err(error)) | Done::Accusations(Err(error)) => {
                self.shared.trouble(Some(format!("claims cannot be held against L1: {error}")));
            }
            Done::Defended { reserved_wei, accusation, defended } => {
                self.spend.settle(reserved_wei, defended.spent_wei);
                self.shared.spent(self.spend.total_wei());
                self.defended(accusation, defended);
            }
        }
    }

    fn told(&self, number: EvidenceNumber, defendant: &Defendant, verdict: &Verdict) {
        let who = match defendant {
            Defendant::Operator(operator) => format!("operator {operator}"),
            Defendant::Sequencer(registration) => format!("the sequencer of {registration}"),
        };
        match verdict {
            Verdict::Punished(Some(tx_hash)) => {
                let what = format!("{who} was punished for evidence {} in {tx_hash}", number.0);
                tracing::info!(%what, "punished");
                self.shared.did(self.now, what);
            }
            Verdict::Punished(None) => {
                self.shared.did(self.now, format!("{who} had been punished before evidence {}", number.0));
            }
            Verdict::Refused(why) => {
                let what = format!("L1 refuses evidence {} against {who}: {why}", number.0);
                self.shared.alarm(self.now, &what);
            }
            Verdict::Failed(why) => {
                let what = format!("evidence {} against {who} not submitted: {why}", number.0);
                self.shared.alarm(self.now, &what);
                self.shared.trouble(Some(why.clone()));
            }
            Verdict::Challenged | Verdict::Acquitted { .. } => {}
            Verdict::NoJudge => {
                let what = format!("no contract judges evidence {} against {who}", number.0);
                self.shared.alarm(self.now, &what);
            }
        }
    }

    /// Keep account of the bond that a filing put at stake, got back or lost.
    async fn bond_moved(&mut self, number: EvidenceNumber, filed: &Filed) {
        let verdicts = || filed.verdicts.iter().map(|(_, verdict)| verdict);
        if let Some(Verdict::Acquitted { .. }) =
            verdicts().find(|verdict| matches!(verdict, Verdict::Acquitted { .. }))
        {
            return self.acquit(number, filed.bond_wei).await;
        }
        if verdicts().any(|verdict| *verdict == Verdict::Challenged) {
            if filed.bond_wei > 0 && self.bonds.of(number) == 0 {
                if let Err(error) = self.store.challenged(number, filed.bond_wei).await {
                    self.shared.alarm(self.now, &format!("evidence cannot be kept on disk: {error}"));
                }
                self.bonds.is_out(number, filed.bond_wei);
                let what = format!("challenged the head of evidence {}", number.0);
                self.shared.did(self.now, what);
            }
        } else if verdicts().any(|verdict| matches!(verdict, Verdict::Punished(_))) {
            self.bonds.is_back(number);
        }
        self.shared.bonds(&self.bonds);
    }

    async fn answered(&mut self, challenge: Challenge, answered: Answered) {
        let head = format!("block {} of chain {}", challenge.block.number, challenge.chain_id);
        match answered.outcome {
            Ok(tx_hash) => {
                self.answers.done(answered.id);
                if let Some(tx_hash) = tx_hash {
                    if let Some(number) = self.own_challenge(&challenge) {
                        // Whoever answers has the bond: it is ours again.
                        self.acquit(number, 0).await;
                    }
                    self.shared.did(self.now, format!("answered the challenge of {head} in {tx_hash}"));
                }
            }
            Err(why) => {
                if self.answers.again(answered.id) && self.own_challenge(&challenge).is_none() {
                    self.shared.alarm(self.now, &format!("the challenge of {head} is not answered: {why}"));
                }
            }
        }
    }

    async fn table_judged(&mut self, header: Header, judged: Judged) {
        let height = header.height;
        match judged {
            Judged::Good => {}
            Judged::NotYet => return self.tables.again(height, self.now),
            Judged::OtherOrigin { found } => {
                let what = format!(
                    "checkpoint {height} names L1 block {} as {}, L1 has {found}",
                    header.l1_origin.number, header.l1_origin.hash
                );
                self.shared.alarm(self.now, &what);
            }
            Judged::Omitted { due } => {
                let what = format!("checkpoint {height} should announce table {} and does not", due.hash);
                self.shared.alarm(self.now, &what);
            }
            Judged::False { due } => {
                let what = format!(
                    "checkpoint {height} announces table {}, L1 had {}",
                    header.next_table_hash, due.hash
                );
                self.shared.alarm(self.now, &what);
                let findings = self.detector.false_table(&header, due);
                self.found(None, findings).await;
            }
        }
        self.tables.done(height);
    }
}
