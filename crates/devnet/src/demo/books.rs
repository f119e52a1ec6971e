//! What the chains themselves say was sent and executed.

use super::{
    DemoError,
    scene::{Pair, Scene, Site},
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
    pub(super) sender: Bytes,
    pub(super) payload: Bytes,
}

/// What the demo recipient was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) block: u64,
    pub(super) sender: Bytes,
    pub(super) payload: Bytes,
}

/// A count of a lane's messages that a destination's gateway took from a certified checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recorded {
    /// Places of source and destination among the sites.
    pub(super) pair: Pair,
    pub(super) count: u64,
}

/// All messages on the canonical chains, at one moment.
#[derive(Debug, Default)]
pub(super) struct Books {
    pub(super) sent: BTreeMap<B256, SentMessage>,
    /// By destination and `receiveId`, in chain order.
    pub(super) received: BTreeMap<(usize, B256), Vec<Received>>,
    pub(super) recorded: Vec<Recorded>,
}

/// Books in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Messages sent between the pairs asked for.
    pub(super) sent: usize,
    /// Those of them that were executed as they were sent.
    pub(super) executed: usize,
    /// Executions of a payload after its first one on that rollup, whatever the message is called: no two messages of
    /// a demonstration carry the same.
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
                let (block, sender, payload) = (log.block.number, event.sender, event.payload);
                let received = Received { block, sender, payload };
                books.received.entry((place, event.receiveId)).or_default().push(received);
            }
            for log in logs(site, site.gateway, Gateway::LaneRecorded::SIGNATURE_HASH).await? {
                let Ok(event) = Gateway::LaneRecorded::decode_raw_log(log.topics.iter().copied(), &log.data)
                else {
                    continue;
                };
                let from = sites.iter().position(|source| source.registration.0 == event.registration);
                let Some(from) = from else { continue };
                books.recorded.push(Recorded { pair: (from, place), count: event.count });
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
                let (block, sender, payload) = (log.block.number, event.sender, event.payload);
                let message = SentMessage { pair: (from, to), block, sender, payload };
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
        (first.payload == message.payload && first.sender == message.sender).then_some(first.block)
    }

    pub(super) fn tally(&self, pairs: &[Pair]) -> Tally {
        let mut tally = Tally::default();
        for (id, _) in self.sent(pairs) {
            tally.sent += 1;
            tally.executed += usize::from(self.executed_in(id).is_some());
        }
        let mut runs: BTreeMap<(usize, &Bytes), usize> = BTreeMap::new();
        for ((place, _), received) in &self.received {
            for run in received {
                *runs.entry((*place, &run.payload)).or_default() += 1;
            }
        }
        tally.duplicates = runs.values().map(|runs| runs - 1).sum();
        tally
    }

    /// Executions of what nobody sent, or not as it was sent, or elsewhere: each with its destination.
    pub(super) fn invented(&self) -> Vec<(usize, B256)> {
        let honest = |place, id: &B256| {
            self.sent.get(id).is_some_and(|message| message.pair.1 == place)
                && self.executed_in(*id).is_some()
        };
        self.received.keys().filter(|(place, id)| !honest(*place, id)).copied().collect()
    }

    /// Counts that a destination was made to believe and that are higher than what its source sent.
    pub(super) fn overcounted(&self) -> Vec<Recorded> {
        let mut sent: BTreeMap<Pair, u64> = BTreeMap::new();
        for message in self.sent.values() {
            *sent.entry(message.pair).or_default() += 1;
        }
        let false_count = |lane: &&Recorded| lane.count > sent.get(&lane.pair).copied().unwrap_or_default();
        self.recorded.iter().filter(false_count).copied().collect()
    }

    /// Tell the scene of everything that must not be, whatever the scenario.
    pub(super) fn report(&self, scene: &mut Scene) {
        let (invented, overcounted) = (self.invented().len(), self.overcounted());
        let duplicates = self.tally(&[]).duplicates;
        scene.demand(duplicates == 0, || format!("{duplicates} messages were executed again"));
        scene.demand(invented == 0, || format!("{invented} messages were executed that nobody sent so"));
        for Recorded { pair: (from, to), count } in overcounted {
            let (from, to) = (scene.name(from), scene.name(to));
            scene.violation(format!("{to} was made to believe that {from} sent it {count} messages"));
        }
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
