//! Messages to and from one rollup that are not executed yet, as the chains themselves show them.

use super::registering::ask;
use crate::network::Client;
use alloy_sol_types::SolEvent as _;
use eyre::WrapErr as _;
use hum_chain::{Chain as _, Log, LogQuery, contracts::Gateway, rpc::RpcChain};
use hum_node::config::Member;
use hum_types::{B256, ChainId, Confidence, InteropAddress};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

/// Blocks that a node is asked for at once.
const BLOCKS: u64 = 10_000;
/// How long reading may fail until that is the end of the command.
const SILENCE: Duration = Duration::from_secs(60);
/// Pause before nodes are asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// A message that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Underway {
    pub(super) id: B256,
    pub(super) source: ChainId,
    pub(super) destination: ChainId,
    pub(super) confidence: Confidence,
}

/// A message that nobody can deliver, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Stranded {
    #[serde(flatten)]
    pub(super) message: Underway,
    pub(super) reason: String,
}

/// A chain, and how far its logs were read.
struct Watched {
    member: Arc<Member>,
    chain: RpcChain,
    next: u64,
}

/// Everything to and from one rollup.
pub(super) struct Books {
    own: ChainId,
    chains: Vec<Watched>,
    sent: BTreeMap<B256, Underway>,
    delivered: BTreeSet<B256>,
    failed: BTreeSet<B256>,
    /// Who hears whom: source, destination, confidence.
    heard: BTreeMap<(ChainId, ChainId, Confidence), bool>,
}

/// How things stand.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Messages to and from the rollup.
    pub(super) sent: usize,
    pub(super) executed: usize,
    /// What can still be delivered.
    pub(super) open: usize,
    pub(super) stranded: Vec<Stranded>,
}

impl Books {
    /// Of the rollup `own`, reached at `node`, and the other members at the URLs that the network knows.
    pub(super) fn new(
        client: &Client,
        own: &Member,
        node: &RpcChain,
        others: &[Arc<Member>],
    ) -> eyre::Result<Self> {
        let mut chains = vec![Watched { member: Arc::new(own.clone()), chain: node.clone(), next: 0 }];
        for member in others {
            chains.push(Watched { member: member.clone(), chain: client.chain(&member.entry)?, next: 0 });
        }
        for watched in &mut chains {
            watched.next = watched.member.anchor.block().number;
        }
        Ok(Self {
            own: own.entry.chain_id,
            chains,
            sent: BTreeMap::new(),
            delivered: BTreeSet::new(),
            failed: BTreeSet::new(),
            heard: BTreeMap::new(),
        })
    }

    /// Read what is new. A node that is busy, or away for a moment, is asked again: leaving takes minutes.
    pub(super) async fn read(&mut self) -> eyre::Result<Tally> {
        let begun = Instant::now();
        loop {
            match self.read_once().await {
                Err(_) if begun.elapsed() < SILENCE => tokio::time::sleep(AGAIN).await,
                read => return read,
            }
        }
    }

    async fn read_once(&mut self) -> eyre::Result<Tally> {
        // Destinations and sources in one pass: what is found executed before it is found sent counts all the same.
        for place in 0..self.chains.len() {
            let Some(watched) = self.chains.get_mut(place) else { continue };
            let name = watched.member.entry.name.clone();
            let logs = watched.read().await.wrap_err_with(|| format!("the gateways of {name}"))?;
            let (source, facades) = (watched.member.entry.chain_id, watched.member.entry.gateways.facades());
            for log in logs {
                let confidence =
                    Confidence::ALL.into_iter().zip(facades).find(|(_, facade)| *facade == log.address);
                if let Some((confidence, _)) = confidence {
                    self.take(source, confidence, &log);
                }
            }
        }
        self.listen().await?;
        Ok(self.tally())
    }

    fn take(&mut self, chain: ChainId, confidence: Confidence, log: &Log) {
        let (Some(topic), Some(id)) = (log.topics.first(), log.topics.get(1).copied()) else { return };
        if *topic == Gateway::Delivered::SIGNATURE_HASH {
            self.delivered.insert(id);
        } else if *topic == Gateway::Failed::SIGNATURE_HASH {
            self.failed.insert(id);
        } else if let Ok(event) = Gateway::MessageSent::decode_raw_log(log.topics.iter().copied(), &log.data)
        {
            let Ok(recipient) = InteropAddress::try_from(&event.recipient[..]) else { return };
            let (source, destination) = (chain, recipient.chain_id);
            if source == self.own || destination == self.own {
                self.sent.insert(id, Underway { id, source, destination, confidence });
            }
        }
    }

    /// Ask, for what is open, whether its destination hears its source.
    async fn listen(&mut self) -> eyre::Result<()> {
        let edges: BTreeSet<_> = self
            .sent
            .values()
            .filter(|message| !self.delivered.contains(&message.id))
            .map(|message| (message.source, message.destination, message.confidence))
            .collect();
        self.heard.clear();
        for (source, destination, confidence) in edges {
            let of = |chain_id| self.chains.iter().find(|chain| chain.member.entry.chain_id == chain_id);
            let (Some(from), Some(to)) = (of(source), of(destination)) else { continue };
            let gateway = to.member.entry.gateways.facades()[confidence as usize];
            let call = Gateway::registrationOfCall { chainId: source.0 };
            let heard = ask(&to.chain, gateway, &call).await? == from.member.entry.registration.0;
            self.heard.insert((source, destination, confidence), heard);
        }
        Ok(())
    }

    fn tally(&self) -> Tally {
        let mut tally = Tally { sent: self.sent.len(), ..Tally::default() };
        for message in self.sent.values() {
            if self.delivered.contains(&message.id) {
                tally.executed += 1;
            } else if let Some(reason) = self.stranded(message) {
                tally.stranded.push(Stranded { message: *message, reason });
            } else {
                tally.open += 1;
            }
        }
        tally
    }

    /// Why a message cannot be delivered, if it cannot.
    fn stranded(&self, message: &Underway) -> Option<String> {
        let Underway { id, source, destination, confidence } = *message;
        if self.failed.contains(&id) {
            return Some("its recipient refused it; it can be retried".to_owned());
        }
        let source_member = self.chains.iter().find(|chain| chain.member.entry.chain_id == source);
        match self.heard.get(&(source, destination, confidence)) {
            None => Some(format!("chain {destination} is no member")),
            Some(false) => Some(format!("chain {destination} does not hear chain {source} at {confidence}")),
            Some(true)
                if confidence != Confidence::Latest
                    && source_member.is_some_and(|chain| chain.member.entry.settlement.is_none()) =>
            {
                Some(format!("chain {source} settles nothing on L1, so it has no {confidence} heads"))
            }
            Some(true) => None,
        }
    }
}

impl Watched {
    async fn read(&mut self) -> eyre::Result<Vec<Log>> {
        let head = self.chain.head(Confidence::Latest).await?.number;
        let mut found = Vec::new();
        while self.next <= head {
            let to = head.min(self.next.saturating_add(BLOCKS - 1));
            let query = LogQuery {
                from: self.next,
                to,
                addresses: self.member.entry.gateways.facades().into(),
                topics: vec![
                    Gateway::MessageSent::SIGNATURE_HASH,
                    Gateway::Delivered::SIGNATURE_HASH,
                    Gateway::Failed::SIGNATURE_HASH,
                ],
            };
            found.extend(self.chain.logs(query).await?);
            self.next = to + 1;
        }
        Ok(found)
    }
}
