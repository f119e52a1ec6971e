//! Tells followers what was finalised and certified, as it happens.
//!
//! What a follower misses it fetches: the feed keeps no history and waits for nobody.

use super::handle::{Event, Reporter};
use crate::{
    runtime::{Runtime, now},
    wire::{FOLLOW_LEASE_MS, FeedEvent, FeedRequest},
};
use commonware_macros::select;
use commonware_runtime::Handle;
use hum_consensus::{PublicKey, Recipients, Wire};
use hum_types::{Decode as _, Encode as _, TimeMs};
use std::collections::BTreeMap;
use tracing::debug;

pub(crate) struct Actor<E> {
    pub(crate) context: E,
    pub(crate) reporter: Reporter,
}

impl<E: Runtime> Actor<E> {
    pub(crate) fn start(self, wire: Wire) -> Handle<()> {
        let Self { context, reporter } = self;
        context.spawn(move |context| async move {
            let Wire { sender, mut receiver } = wire;
            let mut followers: BTreeMap<PublicKey, TimeMs> = BTreeMap::new();
            let mut events = reporter.handle().subscribe();
            loop {
                select! {
                    message = receiver.recv() => {
                        let Some((peer, bytes)) = message else { return };
                        match FeedRequest::decode(&bytes) {
                            Ok(FeedRequest::Follow) => {
                                followers.insert(peer, TimeMs(now(&context).0 + FOLLOW_LEASE_MS));
                            }
                            Err(error) => {
                                reporter.metrics().malformed.inc();
                                debug!(%peer, %error, "a feed request does not decode");
                            }
                        }
                    },
                    event = events.recv() => {
                        let Some(event) = event else {
                            // Fell behind: followers fetch what they missed.
                            events = reporter.handle().subscribe();
                            continue;
                        };
                        let event = match event {
                            Event::Finalised { checkpoint, .. } => FeedEvent::Finalised((*checkpoint).clone()),
                            Event::Certified { certificate, .. } => FeedEvent::Certified((*certificate).clone()),
                            _ => continue,
                        };
                        let now = now(&context);
                        followers.retain(|_, until| *until > now);
                        if !followers.is_empty() {
                            let recipients = Recipients::Some(followers.keys().cloned().collect());
                            sender.send(recipients, event.encode().into(), false);
                        }
                    },
                }
            }
        })
    }
}
