//! When messages reached each stage, by the clock of the machine that all processes share.
//!
//! | stage | whose word |
//! |---|---|
//! | included | the source's publisher first saw the block |
//! | claimed | the source's publisher heard that the first operator took the claim |
//! | certified | the first operator had the certificate |
//! | executed | the destination's publisher first saw the block of the delivery |

use super::{
    DemoError,
    books::{Books, SentMessage},
    percentiles::percentile,
    scene::Scene,
};
use hum_node::{api::MessageView, publisher::BlockTimes};
use hum_types::{B256, TimeMs};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Messages that one operator is asked for: all of a demonstration.
const MESSAGES_MAX: usize = 1_000;

/// How long things took, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Durations {
    /// From inclusion to the certificate, for each message.
    pub(super) certified: Vec<u64>,
    /// From inclusion to execution, for each message.
    pub(super) executed: Vec<u64>,
    /// From claim to certificate, for each block with messages.
    pub(super) claim_to_certificate: Vec<u64>,
    /// Messages that were executed and lack a time.
    pub(super) untimed: usize,
}

impl Durations {
    /// Read the times of those of these messages that were executed.
    pub(super) async fn read<'a>(
        scene: &Scene,
        books: &Books,
        messages: impl Iterator<Item = (B256, &'a SentMessage)>,
    ) -> Result<Self, DemoError> {
        let mut blocks: Vec<BTreeMap<u64, BlockTimes>> = Vec::new();
        for site in scene.sites.iter() {
            blocks.push(scene.ask(&site.publisher_api, "/blocks").await?);
        }
        let certified = certified(scene).await?;
        let of = |site: usize, number: u64| blocks.get(site)?.get(&number).copied();
        let mut durations = Self::default();
        let mut claims = BTreeMap::new();
        for (id, message) in messages {
            let Some(delivery) = books.executed_in(id) else { continue };
            let (from, to) = message.pair;
            let times = of(from, message.block).unwrap_or_default();
            let executed = of(to, delivery).and_then(|times| times.seen_ms);
            let (Some(included), Some(claimed), Some(certified), Some(executed)) =
                (times.seen_ms, times.accepted_ms, certified.get(&id).copied(), executed)
            else {
                durations.untimed += 1;
                continue;
            };
            durations.certified.push(certified.0.saturating_sub(included.0));
            durations.executed.push(executed.0.saturating_sub(included.0));
            claims.insert((from, message.block), certified.0.saturating_sub(claimed.0));
        }
        durations.claim_to_certificate = claims.into_values().collect();
        Ok(durations)
    }
}

/// When the first operator had a certificate that covers each message.
async fn certified(scene: &Scene) -> Result<BTreeMap<B256, TimeMs>, DemoError> {
    let mut first = BTreeMap::new();
    for api in scene.operators() {
        let views: Vec<MessageView> = scene.ask(&api, &format!("/messages?limit={MESSAGES_MAX}")).await?;
        for view in views {
            let Some(time) = view.times_ms.certified else { continue };
            first.entry(view.id).and_modify(|known: &mut TimeMs| *known = time.min(*known)).or_insert(time);
        }
    }
    Ok(first)
}

/// Percentiles under their names.
pub(super) fn spread(values: &mut [u64], percents: &[usize]) -> Value {
    percents.iter().map(|percent| (format!("p{percent}"), json!(percentile(values, *percent)))).collect()
}
