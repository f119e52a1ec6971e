//! The publishers of all rollups, each on its own connection.

use super::{FollowError, failed, record::Recording};
use crate::demo::{DemoError, StandIn};
use hum_node::{
    config::RollupEntry,
    wire::{PublisherMessage, PublisherReply, RefusalKind, Submission},
};
use hum_types::{ChainId, Domain, Generation, HeadClaim, RegistrationId, SequencerKey};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long all connections together may take.
const CONNECT: Duration = Duration::from_secs(60);
/// Pause between two looks at what is due.
const TICK: Duration = Duration::from_millis(5);

/// Who claims a rollup's blocks.
pub(super) struct Claimant {
    chain_id: ChainId,
    registration: RegistrationId,
    key: SequencerKey,
    domain: Domain,
    recording: Arc<Recording>,
}

impl Claimant {
    pub(super) fn new(
        entry: &RollupEntry,
        key: SequencerKey,
        domain: Domain,
        recording: Arc<Recording>,
    ) -> Self {
        Self { chain_id: entry.chain_id, registration: entry.registration, key, domain, recording }
    }

    fn submission(&self, number: u64) -> Option<PublisherMessage> {
        let recorded = self.recording.block(number)?;
        let (chain_id, registration, generation) = (self.chain_id, self.registration, Generation(0));
        let claim = HeadClaim { chain_id, registration, generation, block: recorded.block };
        Some(PublisherMessage::Submit(Submission {
            claim: claim.sign(self.domain, &self.key),
            block: recorded.rlp.clone(),
            witness: recorded.witness.clone(),
        }))
    }
}

struct Publisher {
    connection: StandIn,
    claimant: Claimant,
    /// The last block that was sent.
    sent: u64,
    due: Option<Instant>,
}

pub(super) struct Crowd {
    publishers: Vec<Publisher>,
    block_time: Duration,
}

impl Crowd {
    pub(super) fn new(connections: Vec<StandIn>, claimants: Vec<Claimant>, block_time_ms: u64) -> Self {
        let publisher = |(connection, claimant)| Publisher { connection, claimant, sent: 0, due: None };
        let publishers = connections.into_iter().zip(claimants).map(publisher).collect();
        Self { publishers, block_time: Duration::from_millis(block_time_ms) }
    }

    /// Wait until the operator has answered each of them.
    pub(super) async fn connected(&mut self) -> Result<(), FollowError> {
        let deadline = Instant::now() + CONNECT;
        let mut waiting: Vec<usize> = (0..self.publishers.len()).collect();
        while !waiting.is_empty() {
            if Instant::now() > deadline {
                let problem = format!("{} of {} are not", waiting.len(), self.publishers.len());
                return Err(failed("connect the publishers")(problem));
            }
            for place in &waiting {
                let Publisher { connection, claimant, .. } = &self.publishers[*place];
                connection.say_to_all(&PublisherMessage::Ask { chain_id: claimant.chain_id });
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            waiting.retain(|place| self.publishers[*place].connection.heard().is_empty());
        }
        Ok(())
    }

    /// Send every block when its time comes, rollups evenly out of step, until `end`.
    pub(super) async fn replay_until(&mut self, end: std::time::Instant) {
        let end = Instant::from_std(end);
        let (now, count) = (Instant::now(), self.publishers.len().max(1) as u32);
        for (place, publisher) in (0..).zip(&mut self.publishers) {
            publisher.due.get_or_insert(now + self.block_time * place / count);
        }
        loop {
            let now = Instant::now();
            if now >= end {
                return;
            }
            for publisher in &mut self.publishers {
                publisher.turn(now, self.block_time);
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// The last block of a rollup that was sent.
    pub(super) fn sent(&self, chain_id: ChainId) -> u64 {
        let own = |publisher: &&Publisher| publisher.claimant.chain_id == chain_id;
        self.publishers.iter().find(own).map_or(u64::MAX, |publisher| publisher.sent)
    }

    pub(super) async fn leave(self) -> Result<(), DemoError> {
        let leave = self.publishers.into_iter().map(|publisher| publisher.connection.leave());
        futures::future::try_join_all(leave).await.map(drop)
    }
}

impl Publisher {
    fn turn(&mut self, now: Instant, block_time: Duration) {
        for (_, reply) in self.connection.heard() {
            match reply {
                PublisherReply::Wanted { block, .. }
                | PublisherReply::Refused { block, kind: RefusalKind::Busy, .. } => self.send(block.number),
                _ => {}
            }
        }
        while self.due.is_some_and(|due| due <= now) {
            self.sent += 1;
            self.send(self.sent);
            self.due = self.due.map(|due| due + block_time);
        }
    }

    fn send(&self, number: u64) {
        if let Some(submission) = self.claimant.submission(number) {
            self.connection.say_to_all(&submission);
        }
    }
}
