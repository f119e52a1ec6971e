//! What the chains themselves say was sent and executed.

use super::{
    DemoError,
    scene::{Pair, Site},
};
use alloy::sol_types::SolEvent as _;
use hum_chain::{
    Chain as _, Log, LogQuery,
    contracts::{Gateway, Inbox},
};
use hum_types::{B256, Bytes, Confidence, InteropAddress};
use std::collections::BTreeMap;

/// A message that stands on its source chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SentMessage {
    /// Places of source and destination among the sites.
    pub(super) pair: Pair,
    /// The block that sent it.
    pub(super) block: u64,
    payload: Bytes,
}

/// What the demo recipient was given.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Received {
    block: u64,
    payload: Bytes,
}

/// All messages on the canonical chains, at one moment.
#[derive(Debug, Default)]
pub(super) struct Books {
    sent: BTreeMap<B256, SentMessage>,
    /// By destination and `receiveId`, in chain order.
    received: BTreeMap<(usize, B256), Vec<Received>>,
}

/// Books in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Messages sent between the pairs asked for.
    pub(super) sent: usize,
    /// Those of them that were executed with the payload that was sent.
    pub(super) executed: usize,
    /// Executions of a message after its first one, between any rollups.
    pub(super) duplicates: usize,
}

impl Books {
    /// Read all chains. Destinations first: what is found executed must then be found sent.
    pub(super) async fn read(sites: &[Site]) -> Result<Self, DemoError> {
        let mut books = Self::default();
        for (place, site) in sites.iter().enumerate() {
            for log in logs(site, site.inbox, Inbox::Received::SIGNATURE_HASH).await? {
                let Ok(event) = Inbox::Received::decode_raw_log(log.topics.iter().copied(), &log.data) else {
                    continue;
                };
                let received = Received { block: log.block.number, payload: event.payload };
                books.received.entry((place, event.receiveId)).or_default().push(received);
            }
        }
        for (from, site) in sites.iter().enumerate() {
            for log in logs(site, site.gateway, Gateway::MessageSent::SIGNATURE_HASH).await? {
                let Ok(event) = Gateway::MessageSent::decode_raw_log(log.topics.iter().copied(), &log.data)
                else {
                    continue;
                };
                let recipient = InteropAddress::try_from(&event.recipient[..]).ok();
                let to =
                    sites.iter().position(|site| recipient.is_some_and(|to| to.chain_id == site.chain_id));
                let Some(to) = to else { continue };
                let message =
                    SentMessage { pair: (from, to), block: log.block.number, payload: event.payload };
                books.sent.insert(event.sendId, message);
            }
        }
        Ok(books)
    }

    /// Messages between these pairs that stand on their source chain.
    pub(super) fn sent(&self, pairs: &[Pair]) -> impl Iterator<Item = (B256, &SentMessage)> {
        self.sent
            .iter()
            .filter(|(_, message)| pairs.contains(&message.pair))
            .map(|(id, message)| (*id, message))
    }

    /// The block of the destination that executed a message first.
    pub(super) fn executed_in(&self, id: B256) -> Option<u64> {
        let message = self.sent.get(&id)?;
        let first = self.received.get(&(message.pair.1, id))?.first()?;
        (first.payload == message.payload).then_some(first.block)
    }

    pub(super) fn tally(&self, pairs: &[Pair]) -> Tally {
        let mut tally = Tally::default();
        for (id, _) in self.sent(pairs) {
            tally.sent += 1;
            tally.executed += usize::from(self.executed_in(id).is_some());
        }
        tally.duplicates = self.received.values().map(|runs| runs.len().saturating_sub(1)).sum();
        tally
    }

    /// Executions of what nobody sent, or not as it was sent: each with its destination.
    pub(super) fn invented(&self) -> Vec<(usize, B256)> {
        let honest = |id: &B256| self.executed_in(*id).is_some();
        self.received.keys().filter(|(_, id)| !honest(id)).copied().collect()
    }

    /// Messages between these pairs that still wait.
    pub(super) fn open(&self, pairs: &[Pair]) -> usize {
        let tally = self.tally(pairs);
        tally.sent - tally.executed
    }
}

async fn logs(site: &Site, contract: hum_types::Address, topic: B256) -> Result<Vec<Log>, DemoError> {
    let failed = |error| site.read_error(error);
    let head = site.reader.head(Confidence::Latest).await.map_err(failed)?;
    let query = LogQuery { from: 0, to: head.number, addresses: vec![contract], topics: vec![topic] };
    site.reader.logs(query).await.map_err(failed)
}
