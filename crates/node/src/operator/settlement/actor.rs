//! Follows our own L1 node.

use super::Settling;
use crate::{
    operator::handle::Reporter,
    runtime::{Runtime, moment, now},
};
use commonware_runtime::Handle;
use hum_types::TimeMs;
use std::sync::Arc;
use tracing::{debug, info};

/// How often L1's heads are asked for.
const POLL_MS: u64 = 500;
/// Time without an answer after which people should look.
const ALARM_MS: u64 = 60_000;

pub(crate) struct Actor<E: Runtime> {
    pub(crate) context: E,
    pub(crate) settling: Arc<Settling<E>>,
    pub(crate) reporter: Reporter,
}

impl<E: Runtime> Actor<E> {
    pub(crate) fn start(self) -> Handle<()> {
        let Self { context, settling, reporter } = self;
        context.spawn(move |context| async move {
            let Some(source) = settling.source() else {
                info!("no member settles on L1: Safe and Finalized heads stay where they are");
                return std::future::pending().await;
            };
            let (mut answered, mut down) = (now(&context), false);
            loop {
                let at = now(&context);
                if settling.is_idle() {
                    context.sleep_until(moment(TimeMs(at.0 + POLL_MS))).await;
                    continue;
                }
                match settling.refresh(&source).await {
                    Ok(()) => (answered, down) = (at, false),
                    Err(error) => {
                        settling.failed(&error);
                        debug!(%error, "own L1 node");
                        if !down && at.0.saturating_sub(answered.0) >= ALARM_MS {
                            down = true;
                            let what = format!("settled heads have not been read for a minute: {error}");
                            reporter.alarm(what, at);
                        }
                    }
                }
                settling.refresh_proven(&source).await;
                context.sleep_until(moment(TimeMs(at.0 + POLL_MS))).await;
            }
        })
    }
}
