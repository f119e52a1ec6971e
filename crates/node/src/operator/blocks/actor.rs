//! Runs the book: one task that decides, and one for each verdict being worked out.

use super::{
    ingress::Message,
    judged::Judged,
    state::{Book, Effect},
};
use crate::{
    operator::{
        fetch,
        handle::{Event, Reporter},
        intake,
        judge::{Judge, Task},
    },
    runtime::{Runtime, moment, now},
};
use commonware_macros::select;
use commonware_runtime::Handle;
use commonware_utils::channel::mpsc;
use hum_types::TimeMs;
use hum_verify::Verdict;
use std::{sync::Arc, time::Duration};
use tracing::debug;

/// Longest sleep when nothing is due: a bound for whatever was not foreseen.
const IDLE: Duration = Duration::from_secs(1);

/// A verdict that was worked out.
type Finished = (Task, Verdict, TimeMs);

pub(crate) struct Actor<E> {
    pub(crate) context: E,
    pub(crate) book: Book,
    pub(crate) judge: Arc<dyn Judge>,
    pub(crate) mailbox: mpsc::Receiver<Message>,
    pub(crate) fetch: fetch::Mailbox,
    pub(crate) intake: intake::Mailbox,
    pub(crate) reporter: Reporter,
}

impl<E: Runtime> Actor<E> {
    pub(crate) fn start(self) -> Handle<()> {
        let Self { context, book, judge, mailbox, fetch, intake, reporter } = self;
        context.spawn(move |context| {
            Running { context, book, judge, fetch, intake, reporter, wake: None }.run(mailbox)
        })
    }
}

struct Running<E> {
    context: E,
    book: Book,
    judge: Arc<dyn Judge>,
    fetch: fetch::Mailbox,
    intake: intake::Mailbox,
    reporter: Reporter,
    wake: Option<TimeMs>,
}

impl<E: Runtime> Running<E> {
    async fn run(mut self, mut mailbox: mpsc::Receiver<Message>) {
        // One message a job, and jobs are bounded.
        let (finished, mut verdicts) = mpsc::unbounded_channel::<Finished>();
        loop {
            self.step(&finished);
            let until = self.wake.map_or_else(|| self.context.current() + IDLE, moment);
            let sleep = self.context.sleep_until(until);
            select! {
                verdict = verdicts.recv() => {
                    let Some((task, verdict, took_ms)) = verdict else { return };
                    self.judged(task, verdict, took_ms);
                },
                message = mailbox.recv() => {
                    let Some(message) = message else { return };
                    let now = now(&self.context);
                    message.handle(&mut self.book, now);
                },
                _ = sleep => {},
            }
        }
    }

    /// Start what can be started and ask for what is missing.
    fn step(&mut self, finished: &mpsc::UnboundedSender<Finished>) {
        let now = now(&self.context);
        let paid = loop {
            match self.book.next_job(now) {
                Ok(task) => self.judge(task, finished.clone()),
                Err(wake) => break wake,
            }
        };
        let due = self.book.tick(now);
        self.wake = [paid, due].into_iter().flatten().min();
        for effect in self.book.effects() {
            self.apply(effect, now);
        }
        self.reporter.backlog(self.book.backlog());
    }

    fn judge(&self, task: Task, finished: mpsc::UnboundedSender<Finished>) {
        let judge = self.judge.clone();
        // Execution holds its thread: it must not be one that moves messages.
        self.context.child("judge").shared(true).spawn(move |context| async move {
            let started = now(&context);
            let verdict = judge.judge(&task);
            let took = TimeMs(now(&context).0.saturating_sub(started.0));
            let _ = finished.send((task, verdict, took));
        });
    }

    fn judged(&mut self, task: Task, verdict: Verdict, took_ms: TimeMs) {
        let Task { chain_id, parent, claimed, .. } = task;
        if let Verdict::Undecided(missing) = &verdict {
            debug!(%chain_id, number = claimed.number, hash = %claimed.hash, %missing, "block cannot be judged yet");
            self.reporter.undecided(chain_id, claimed, missing);
        }
        self.reporter.judged_in(took_ms);
        self.book.finish(chain_id, claimed, parent.hash(), verdict, now(&self.context));
    }

    fn apply(&self, effect: Effect, now: TimeMs) {
        match effect {
            Effect::Fetch { chain_id, block, from } => {
                debug!(%chain_id, number = block.number, hash = %block.hash, "asking for a block");
                self.fetch.want(chain_id, block, from);
                self.intake.want(chain_id, block);
            }
            Effect::Claimed { chain_id, generation, block } => {
                self.reporter.publish(Event::Claimed { chain_id, generation, block, at: now });
            }
            Effect::Judged { chain_id, block, judged } => {
                let invalid = match judged {
                    Judged::Valid(_) => None,
                    Judged::Invalid(reason) => {
                        let number = block.number;
                        let what = format!(
                            "block {number} of chain {chain_id} ({}) is invalid: {reason}",
                            block.hash
                        );
                        self.reporter.alarm(what, now);
                        Some(reason)
                    }
                };
                self.reporter.publish(Event::Judged { chain_id, block, invalid, at: now });
            }
            Effect::Stuck { chain_id, block, missing } => {
                let what = format!("block {} of chain {chain_id} cannot be judged: {missing}", block.number);
                self.reporter.alarm(what, now);
            }
            Effect::Judges { what } => self.reporter.alarm(what, now),
            Effect::Equivocation { chain_id } => {
                self.reporter
                    .alarm(format!("sequencer of chain {chain_id} made two claims for one number"), now);
            }
        }
    }
}
