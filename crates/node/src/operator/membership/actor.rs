//! Follows our own L1 node.

use super::Membership;
use crate::{
    operator::handle::Reporter,
    runtime::{Runtime, moment, now},
};
use commonware_runtime::Handle;
use hum_types::TimeMs;
use std::sync::Arc;
use tracing::{debug, info};

/// How often L1's final head is asked for.
const POLL_MS: u64 = 1_000;
/// Time without an answer after which people should look.
const ALARM_MS: u64 = 60_000;

pub(crate) struct Actor<E: Runtime> {
    pub(crate) context: E,
    pub(crate) membership: Arc<Membership<E>>,
    pub(crate) reporter: Reporter,
}

impl<E: Runtime> Actor<E> {
    pub(crate) fn start(self) -> Handle<()> {
        let Self { context, membership, reporter } = self;
        context.spawn(move |context| async move {
            let Some(source) = membership.source().cloned() else {
                info!("no profiles of rollups on L1: nobody joins or leaves");
                return std::future::pending().await;
            };
            let (mut answered, mut down) = (now(&context), false);
            loop {
                let at = now(&context);
                match membership.refresh(&source).await {
                    Ok(()) => (answered, down) = (at, false),
                    Err(error) => {
                        membership.failed(&error);
                        debug!(%error, "own L1 node");
                        if !down && at.0.saturating_sub(answered.0) >= ALARM_MS {
                            down = true;
                            let what = format!("memberships have not been read for a minute: {error}");
                            reporter.alarm(what, at);
                        }
                    }
                }
                context.sleep_until(moment(TimeMs(at.0 + POLL_MS))).await;
            }
        })
    }
}
