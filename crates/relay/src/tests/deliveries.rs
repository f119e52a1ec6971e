//! What the planner asks for, the gateway takes.

use super::{
    evm::{ACCEPTS, Evm, REFUSES},
    network::{DESTINATION, SOURCES, START_MS, heads, policy},
};
use crate::*;
use hum_types::*;
use std::collections::BTreeSet;

pub(super) struct Relay {
    pub(super) evm: Evm,
    pub(super) chain: CertifiedChain,
    pub(super) planners: Vec<Planner>,
    pub(super) now_ms: u64,
    pub(super) queries: Vec<(usize, Query)>,
    pub(super) pool: Vec<(usize, Transaction, Calldata)>,
    leads: Vec<(usize, Lead, Calldata)>,
    pub(super) gas: Vec<(Transaction, u64)>,
    /// Steps of the light client that were included, and what they took.
    pub(super) led: Vec<(Lead, u64)>,
    pub(super) reverted: u32,
    pub(super) alarms: Vec<Alarm>,
}

impl Relay {
    pub(super) fn new(planners: usize) -> Self {
        let evm = Evm::new();
        let network = &evm.network;
        let chain = CertifiedChain::new(&network.genesis, BTreeSet::from([DESTINATION]));
        let planners = (0..planners).map(|_| Planner::new(policy(), [DESTINATION])).collect();
        Self {
            evm,
            chain,
            planners,
            now_ms: START_MS,
            queries: Vec::new(),
            pool: Vec::new(),
            leads: Vec::new(),
            gas: Vec::new(),
            led: Vec::new(),
            reverted: 0,
            alarms: Vec::new(),
        }
    }

    pub(super) fn tell(&mut self, who: usize, input: Input) {
        for action in self.planners[who].step(self.now_ms, input, &self.chain) {
            match action {
                Action::Submit(transaction) => {
                    let data =
                        calldata(&transaction, &self.chain).expect("a planned transaction can be written");
                    self.pool.push((who, transaction, data));
                }
                Action::Observe(query) => self.queries.push((who, query)),
                Action::Lead(lead) => {
                    let data = lead_data(lead.step, &self.chain).expect("a planned step can be written");
                    self.leads.push((who, lead, Calldata { to: self.evm.light_client, data }));
                }
                Action::Alarm(alarm) => self.alarms.push(alarm),
                Action::Forget { .. } => {}
            }
        }
    }

    pub(super) fn certify(&mut self, checkpoint: Checkpoint, seats: &[u16]) {
        let header = checkpoint.header;
        self.chain.offer(checkpoint).expect("a finalised checkpoint");
        let certificate = self.evm.network.certify(&header, seats);
        assert_eq!(self.chain.certify(certificate), Ok(Offered::Advanced));
        self.now_ms = self.now_ms.max(header.time_ms.0);
        self.evm.set_time(self.now_ms);
        for who in 0..self.planners.len() {
            self.tell(who, Input::Advanced);
        }
    }

    pub(super) fn send(&mut self, source: ChainId, recipients: &[Address]) {
        let network = &self.evm.network;
        let messages =
            recipients.iter().map(|to| network.message(source, *to, b"sixty-four bytes or so")).collect();
        let block = network.block(source, messages);
        let checkpoint = self.evm.network.advance(vec![block], 200);
        self.certify(checkpoint, &[0, 1, 2, 3]);
    }

    pub(super) fn answer(&mut self) {
        for (who, query) in std::mem::take(&mut self.queries) {
            let header = *self.chain.header();
            let seen = self.evm.observe(&query, &header);
            self.tell(who, Input::Observed(seen));
        }
    }

    fn block(&mut self) {
        self.evm.block += 1;
        for (who, lead, data) in std::mem::take(&mut self.leads) {
            let outcome = if self.evm.would_succeed(&data) {
                let ran = self.evm.call(&data, lead.gas_limit);
                self.led.push((lead, ran.gas));
                let (success, fee_wei, block) = (ran.success, u128::from(ran.gas), self.evm.block);
                Outcome::Included { success, fee_wei, block, statuses: Vec::new() }
            } else {
                Outcome::WouldRevert
            };
            self.tell(who, Input::Finished { id: lead.id, outcome });
        }
        for (who, transaction, data) in std::mem::take(&mut self.pool) {
            let outcome = if transaction.try_first && !self.evm.would_succeed(&data) {
                Outcome::WouldRevert
            } else {
                let gas_limit = if transaction.try_first { 1 << 24 } else { transaction.gas_limit };
                let ran = self.evm.call(&data, gas_limit);
                self.gas.push((transaction.clone(), ran.gas));
                self.reverted += u32::from(!ran.success);
                let statuses = transaction.messages().filter_map(|index| {
                    let key = transaction.key;
                    let id = self.chain.archive().message(key.source, key.lane, index)?.id;
                    let (_, status) = ran.told.iter().find(|(told, _)| *told == id)?;
                    Some((index, *status))
                });
                let (success, fee_wei, block) = (ran.success, u128::from(ran.gas), self.evm.block);
                Outcome::Included { success, fee_wei, block, statuses: statuses.collect() }
            };
            self.tell(who, Input::Finished { id: transaction.id, outcome });
        }
    }

    pub(super) fn rounds(&mut self, rounds: usize, ms: u64) {
        for _ in 0..rounds {
            self.answer();
            self.block();
            self.now_ms += ms;
            self.evm.set_time(self.now_ms);
            for who in 0..self.planners.len() {
                self.tell(who, Input::Tick);
            }
        }
    }

    /// What waits never gets to the node.
    pub(super) fn lose(&mut self) {
        self.pool.clear();
        self.leads.clear();
    }

    pub(super) fn beat(&mut self, after_ms: u64) {
        let checkpoint = self.evm.network.advance(vec![], after_ms);
        self.certify(checkpoint, &[0, 1, 2, 3]);
    }

    fn status(&mut self, source: ChainId, generation: u32, index: u64) -> MessageStatus {
        self.status_at(Confidence::Latest, source, generation, index)
    }

    pub(super) fn status_at(
        &mut self,
        confidence: Confidence,
        source: ChainId,
        generation: u32,
        index: u64,
    ) -> MessageStatus {
        let registration = self.evm.network.registration(source);
        let slot = storage::statuses_slot(registration, Generation(generation), index / 128);
        let word = self.evm.storage(self.evm.gateways[confidence as usize], slot);
        storage::status(word, LaneIndex(index)).expect("a status")
    }

    pub(super) fn all_done(&mut self, source: ChainId, generation: u32, count: u64) {
        for index in 0..count {
            assert_eq!(
                self.status(source, generation, index),
                MessageStatus::Done,
                "message {index} of {source}"
            );
        }
    }

    fn delivered(&self) -> u64 {
        self.planners.iter().flat_map(Planner::counts).map(|(_, counts)| counts.delivered).sum()
    }
}

#[test]
fn messages_of_two_sources_arrive() {
    let mut relay = Relay::new(1);
    relay.send(SOURCES[0], &[ACCEPTS; 3]);
    relay.send(SOURCES[1], &[ACCEPTS; 2]);
    relay.rounds(4, 1_000);
    relay.send(SOURCES[0], &[ACCEPTS]);
    relay.rounds(4, 1_000);
    relay.all_done(SOURCES[0], 0, 4);
    relay.all_done(SOURCES[1], 0, 2);
    assert_eq!((relay.delivered(), relay.reverted), (6, 0));
}

#[test]
fn a_certificate_without_one_operator_is_taken() {
    let mut relay = Relay::new(1);
    let network = &relay.evm.network;
    let block = network.block(SOURCES[0], vec![network.message(SOURCES[0], ACCEPTS, b"")]);
    let checkpoint = relay.evm.network.advance(vec![block], 200);
    relay.certify(checkpoint, &[0, 2, 3]);
    relay.rounds(4, 1_000);
    relay.all_done(SOURCES[0], 0, 1);
    assert_eq!(relay.reverted, 0);
}

#[test]
fn a_height_without_certificate_is_covered_by_the_next() {
    let mut relay = Relay::new(1);
    let network = &relay.evm.network;
    let block = network.block(SOURCES[0], vec![network.message(SOURCES[0], ACCEPTS, b"uncertified")]);
    let checkpoint = relay.evm.network.advance(vec![block], 200);
    assert_eq!(relay.chain.offer(checkpoint), Ok(Offered::Held));
    relay.rounds(2, 100);
    assert!(relay.pool.is_empty());
    relay.beat(200);
    relay.rounds(3, 1_000);
    relay.all_done(SOURCES[0], 0, 1);
}

#[test]
fn a_backlog_goes_in_runs_within_the_gas_that_was_asked_for() {
    let mut relay = Relay::new(1);
    relay.send(SOURCES[0], &[ACCEPTS; 150]);
    relay.send(SOURCES[0], &[ACCEPTS; 150]);
    relay.rounds(10, 1_000);
    relay.all_done(SOURCES[0], 0, 300);
    assert_eq!(relay.reverted, 0);
    for (transaction, gas) in &relay.gas {
        assert!(*gas <= transaction.gas_limit, "{gas} of {}", transaction.gas_limit);
    }
    let costs = policy().gas;
    let frame = costs.transaction + costs.certificate + costs.lane + costs.run;
    assert!(relay.gas.iter().all(|(tx, gas)| *gas <= frame + costs.message * tx.messages().count() as u64));
}

#[test]
fn long_payloads_stay_within_their_allowance() {
    let mut relay = Relay::new(1);
    let payload: Vec<u8> = (0..PAYLOAD_BYTES_MAX).map(|n| n as u8 | 1).collect();
    let network = &relay.evm.network;
    let messages = (0..8).map(|_| network.message(SOURCES[0], ACCEPTS, &payload)).collect();
    let block = network.block(SOURCES[0], messages);
    let checkpoint = relay.evm.network.advance(vec![block], 200);
    relay.certify(checkpoint, &[0, 1, 2]);
    relay.rounds(6, 1_000);
    relay.all_done(SOURCES[0], 0, 8);
    let costs = policy().gas;
    for (transaction, gas) in &relay.gas {
        let count = transaction.messages().count() as u64;
        let messages = count * (costs.message + costs.payload_byte * PAYLOAD_BYTES_MAX as u64);
        let frame = costs.transaction + costs.certificate + costs.lane + costs.run;
        assert!(*gas <= frame + messages, "{gas} for {count} messages");
    }
    assert_eq!(relay.reverted, 0);
}

#[test]
fn a_refused_message_is_retried_under_a_fresh_record_once_its_recipient_accepts() {
    let mut relay = Relay::new(1);
    relay.send(SOURCES[0], &[ACCEPTS, REFUSES, ACCEPTS]);
    relay.rounds(6, 1_000);
    assert_eq!(relay.status(SOURCES[0], 0, 1), MessageStatus::Failed);
    assert_eq!(relay.status(SOURCES[0], 0, 2), MessageStatus::Done);
    relay.now_ms += 70_000;
    relay.evm.make_accept(REFUSES);
    relay.beat(80_000);
    relay.rounds(40, 1_000);
    relay.all_done(SOURCES[0], 0, 3);
    assert!(relay.gas.iter().any(|(tx, _)| tx.job == Job::Record));
    assert!(relay.gas.iter().any(|(tx, _)| matches!(tx.job, Job::Retry(LaneIndex(1)))));
    assert_eq!(relay.reverted, 0, "a retry is tried on the node first");
}

#[test]
fn two_relayers_do_no_harm() {
    let mut relay = Relay::new(2);
    for count in [1, 30, 2] {
        relay.send(SOURCES[0], &vec![ACCEPTS; count]);
        relay.send(SOURCES[1], &vec![ACCEPTS; count]);
        relay.rounds(3, 1_000);
    }
    relay.rounds(10, 1_000);
    for source in SOURCES {
        relay.all_done(source, 0, 33);
    }
}

#[test]
fn a_relayer_that_starts_anew_sends_nothing_twice() {
    let mut relay = Relay::new(1);
    relay.send(SOURCES[0], &[ACCEPTS; 20]);
    relay.rounds(4, 1_000);
    relay.send(SOURCES[0], &[ACCEPTS; 5]);
    let sent = relay.gas.len();
    // It dies between sending and hearing of the outcome.
    let pool = std::mem::take(&mut relay.pool);
    for (_, transaction, data) in pool {
        assert!(relay.evm.call(&data, transaction.gas_limit).success);
    }
    relay.queries.clear();
    relay.planners = vec![Planner::new(policy(), [DESTINATION])];
    relay.tell(0, Input::Advanced);
    relay.rounds(6, 1_000);
    relay.all_done(SOURCES[0], 0, 25);
    assert_eq!(relay.gas.len(), sent, "everything was there already");
}

#[test]
fn a_retracted_lane_goes_on_in_its_new_generation() {
    let mut relay = Relay::new(1);
    relay.send(SOURCES[0], &[ACCEPTS; 2]);
    let kept = heads(&relay.evm.network)[&SOURCES[0]];
    relay.rounds(3, 1_000);
    relay.send(SOURCES[0], &[ACCEPTS; 2]);
    relay.rounds(3, 1_000);
    let checkpoint = relay.evm.network.retract(SOURCES[0], kept);
    relay.certify(checkpoint, &[0, 1, 2, 3]);
    // The first one comes back unchanged and keeps its place; the second is another message.
    let network = &relay.evm.network;
    let same = network.message(SOURCES[0], ACCEPTS, b"sixty-four bytes or so");
    let other = network.message(SOURCES[0], ACCEPTS, b"something else");
    let block = network.block(SOURCES[0], vec![same, other]);
    let checkpoint = relay.evm.network.advance(vec![block], 200);
    relay.certify(checkpoint, &[0, 1, 2, 3]);
    relay.rounds(8, 1_000);
    relay.all_done(SOURCES[0], 0, 4);
    assert_eq!(relay.status(SOURCES[0], 1, 2), MessageStatus::None, "the same message does not run twice");
    assert_eq!(relay.status(SOURCES[0], 1, 3), MessageStatus::Done);
}

#[test]
fn a_quarantined_source_waits_while_the_other_goes_on() {
    let mut relay = Relay::new(1);
    relay.send(SOURCES[0], &[ACCEPTS]);
    relay.send(SOURCES[1], &[ACCEPTS]);
    relay.rounds(3, 1_000);
    let kept = heads(&relay.evm.network)[&SOURCES[0]];
    // A message and the quarantine become known together.
    let network = &relay.evm.network;
    let block = network.block(SOURCES[0], vec![network.message(SOURCES[0], ACCEPTS, b"late")]);
    let late = relay.evm.network.advance(vec![block], 200);
    assert_eq!(relay.chain.offer(late), Ok(Offered::Held));
    let checkpoint = relay.evm.network.quarantine(SOURCES[0]);
    relay.certify(checkpoint, &[0, 1, 2, 3]);
    relay.send(SOURCES[1], &[ACCEPTS]);
    relay.rounds(5, 1_000);
    assert_eq!(relay.status(SOURCES[0], 0, 1), MessageStatus::None);
    relay.all_done(SOURCES[1], 0, 2);
    let checkpoint = relay.evm.network.retract(SOURCES[0], kept);
    relay.certify(checkpoint, &[0, 1, 2, 3]);
    relay.send(SOURCES[0], &[ACCEPTS]);
    relay.rounds(5, 1_000);
    assert_eq!(relay.status(SOURCES[0], 1, 1), MessageStatus::Done);
    assert_eq!(relay.reverted, 0);
}
