//! Follows our own L1 node.

use super::{Restaking, Roll};
use crate::{
    operator::handle::Reporter,
    registry::{Registry, RestakingError},
    runtime::{Runtime, moment, now},
};
use commonware_runtime::Handle;
use hum_types::{L1Origin, TimeMs};
use std::sync::Arc;
use tracing::{debug, info};

/// How often the finalised head is asked for.
const POLL_MS: u64 = 1_000;
/// Least time between two looks at who is registered: that is two calls for each of them.
const REGISTERED_MS: u64 = 4_000;
/// Time without an answer after which people should look.
const ALARM_MS: u64 = 60_000;

pub(crate) struct Actor<E: Runtime> {
    pub(crate) context: E,
    pub(crate) restaking: Arc<Restaking<E>>,
    pub(crate) roll: Roll,
    pub(crate) reporter: Reporter,
}

impl<E: Runtime> Actor<E> {
    pub(crate) fn start(self) -> Handle<()> {
        let Self { context, restaking, roll, reporter } = self;
        context.spawn(move |context| async move {
            let Some(registry) = restaking.registry().cloned() else {
                info!("no restaking contracts in the network file: the first committee stays for ever");
                return std::future::pending().await;
            };
            let answered = now(&context);
            let mut follower =
                Follower { registry, restaking, roll, reporter, registered: None, answered, down: false };
            loop {
                let at = now(&context);
                follower.look(at).await;
                context.sleep_until(moment(TimeMs(at.0 + POLL_MS))).await;
            }
        })
    }
}

struct Follower<E: Runtime> {
    registry: Arc<dyn Registry>,
    restaking: Arc<Restaking<E>>,
    roll: Roll,
    reporter: Reporter,
    /// When and at which block it was last read who is registered.
    registered: Option<(TimeMs, L1Origin)>,
    answered: TimeMs,
    down: bool,
}

impl<E: Runtime> Follower<E> {
    async fn look(&mut self, at: TimeMs) {
        match self.ask(at).await {
            Ok(()) => {
                if std::mem::take(&mut self.down) {
                    info!("own L1 node answers again");
                }
                self.answered = at;
            }
            Err(error) => {
                self.restaking.failed(&error);
                debug!(%error, "own L1 node");
                if !self.down && at.0.saturating_sub(self.answered.0) >= ALARM_MS {
                    self.down = true;
                    let what = format!("own L1 node has not answered for a minute: {error}");
                    self.reporter.alarm(what, at);
                }
            }
        }
    }

    async fn ask(&mut self, at: TimeMs) -> Result<(), RestakingError> {
        let present = self.reporter.handle().archive(|archive| archive.newest().committee().table().hash());
        let head = self.restaking.refresh(&self.registry, present).await?;
        let due = self.registered.is_none_or(|(last, seen)| seen != head && last.0 + REGISTERED_MS <= at.0);
        if due {
            let registered = self.registry.registered(head).await?;
            self.registered = Some((at, head));
            if let Err(error) = self.roll.register(&registered) {
                self.reporter.alarm(format!("not connected with every operator: {error}"), at);
            }
        }
        Ok(())
    }
}
