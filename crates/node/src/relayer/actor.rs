//! The relayer's one loop: it alone owns the certified chain, the planner and the wires.

use super::{
    Connect, Destination, RelayerError, RelayerParts, RelayerSettings,
    destination::{Look, Send, Sent},
    follower::{Follower, Heard},
    view::Shared,
};
use crate::{
    lookout::Lookout,
    members::Members,
    wire::{FeedEvent, FeedRequest, FetchMessage},
};
use commonware_runtime::{Clock, Metrics, Spawner};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use hum_chain::ReadError;
use hum_consensus::{PublicKey, Recipients, Wire};
use hum_relay::{
    Action, Calldata, CertifiedChain, Input, Lead, Observation, Outcome, Planner, Query, Step, Transaction,
    calldata, lead_data, storage::checkpoint_word,
};
use hum_types::{Address, ChainId, Change, Decode, Encode, Epoch, RegistrationId, TimeMs};
use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

/// The longest time between two looks at the clock.
const TICK_MS: u64 = 100;

/// Work at a destination that came to an end.
#[derive(Debug)]
enum Done {
    Looked(ChainId, Result<Observation, ReadError>, u64),
    Sent(Sent),
}

pub(super) struct Actor {
    destinations: BTreeMap<ChainId, Destination>,
    light_clients: BTreeMap<ChainId, Address>,
    members: Members,
    connect: Option<Connect>,
    fetch: Wire,
    feed: Wire,
    follower: Follower,
    follow: usize,
    lookout: Option<Lookout>,
    /// The lookout's version that `follower` is of.
    looked: Option<u64>,
    /// The epoch whose committee the lookout was told of.
    epoch: Option<Epoch>,
    chain: CertifiedChain,
    planner: Planner,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    shared: Shared,
    now_ms: u64,
}

impl Actor {
    pub(super) fn new(settings: RelayerSettings, parts: RelayerParts, shared: Shared) -> Self {
        let ids = parts.destinations.keys().copied();
        Self {
            chain: CertifiedChain::new(&settings.genesis, ids.clone().collect()),
            planner: Planner::new(settings.policy, ids),
            follower: Follower::new(
                settings.operators,
                settings.follow,
                settings.answer_timeout_ms,
                settings.quiet_ms,
            ),
            follow: settings.follow,
            lookout: parts.lookout,
            looked: None,
            epoch: None,
            destinations: parts.destinations,
            light_clients: settings.light_clients,
            members: settings.members,
            connect: parts.connect,
            fetch: parts.fetch,
            feed: parts.feed,
            work: FuturesUnordered::new(),
            shared,
            now_ms: 0,
        }
    }

    /// Work until the network fails.
    pub(super) async fn run<E: Spawner + Clock + Metrics>(mut self, context: E) -> RelayerError {
        self.set_now(&context);
        if let Some(lookout) = &self.lookout {
            lookout.start(&context);
        }
        self.plan(Input::Tick);
        loop {
            self.look_out();
            self.ask();
            let sleep = context.sleep(Duration::from_millis(self.sleep_ms())).fuse();
            futures::pin_mut!(sleep);
            futures::select_biased! {
                message = self.feed.receiver.recv().fuse() => {
                    self.set_now(&context);
                    let Some((from, bytes)) = message else { return RelayerError::NetworkClosed };
                    self.news(&from, &bytes);
                }
                message = self.fetch.receiver.recv().fuse() => {
                    self.set_now(&context);
                    let Some((from, bytes)) = message else { return RelayerError::NetworkClosed };
                    self.answer(&from, &bytes);
                }
                done = self.work.select_next_some() => {
                    self.set_now(&context);
                    self.done(done);
                }
                () = sleep => {
                    self.set_now(&context);
                    self.plan(Input::Tick);
                }
            }
        }
    }

    fn set_now(&mut self, clock: &impl Clock) {
        let now = clock.current().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        // The planner's time does not fall, whatever happens to the system's clock.
        self.now_ms = self.now_ms.max(u64::try_from(now).unwrap_or(u64::MAX));
    }

    fn sleep_ms(&self) -> u64 {
        let wake_ms = self.planner.wake_ms(self.now_ms).unwrap_or(u64::MAX);
        wake_ms.saturating_sub(self.now_ms).clamp(1, TICK_MS)
    }

    /// Follow whoever is an operator now. Who signs, as far as we have replayed, stays one; so do those before: they have
    /// what we have not replayed.
    fn look_out(&mut self) {
        let Some(lookout) = &self.lookout else { return };
        let archive = self.chain.archive();
        let epoch = archive.newest().epoch();
        if self.epoch.replace(epoch) != Some(epoch) {
            let rosters: Vec<_> = archive.epochs().map(|record| record.seated.roster()).collect();
            lookout.sign(rosters.into_iter().rev().take(2));
        }
        if let Some(trouble) = lookout.take_trouble() {
            self.shared.alarm(TimeMs(self.now_ms), &trouble);
        }
        let version = lookout.version();
        if self.looked.replace(version) != Some(version) {
            self.follower.set_operators(lookout.everyone(), self.follow);
        }
    }

    /// What is said to operators by the clock.
    fn ask(&mut self) {
        let follow = self.follower.follow(self.now_ms);
        if !follow.is_empty() {
            self.feed.sender.send(Recipients::Some(follow), FeedRequest::Follow.encode().into(), true);
        }
        if let Some((operator, id, question)) = self.follower.ask(&self.chain, self.now_ms) {
            let message = FetchMessage::Ask { id, question };
            self.fetch.sender.send(Recipients::One(operator), message.encode().into(), true);
        }
    }

    fn news(&mut self, from: &PublicKey, bytes: &[u8]) {
        if !self.follower.listens_to(from, self.now_ms) {
            return;
        }
        let offered = match FeedEvent::decode(bytes) {
            Ok(FeedEvent::Finalised(checkpoint)) => self.chain.offer(checkpoint),
            Ok(FeedEvent::Certified(certificate)) => self.chain.certify(certificate),
            // For watchers.
            Ok(FeedEvent::Attested(_) | FeedEvent::Claimed(_)) => return,
            Err(error) => {
                self.follower.mute(from, self.now_ms);
                self.shared
                    .alarm(TimeMs(self.now_ms), &format!("operator {from} sent unreadable news: {error}"));
                return;
            }
        };
        self.follower.news_from(from, self.now_ms);
        let heard = self.follower.judge(from, offered, self.now_ms);
        self.heard(from, vec![heard]);
    }

    fn answer(&mut self, from: &PublicKey, bytes: &[u8]) {
        if !self.follower.listens_to(from, self.now_ms) {
            return;
        }
        match FetchMessage::decode(bytes) {
            Ok(FetchMessage::Tell { id, answer }) => {
                let heard = self.follower.hear(from, id, answer, &mut self.chain, self.now_ms);
                self.heard(from, heard);
            }
            // Nobody has reason to ask a relayer.
            Ok(FetchMessage::Ask { .. }) => {}
            Err(error) => {
                self.follower.mute(from, self.now_ms);
                self.shared.alarm(
                    TimeMs(self.now_ms),
                    &format!("operator {from} sent an unreadable answer: {error}"),
                );
            }
        }
    }

    fn heard(&mut self, from: &PublicKey, heard: Vec<Heard>) {
        let mut advanced = false;
        for heard in heard {
            match heard {
                Heard::Nothing => {}
                Heard::Advanced => advanced = true,
                Heard::Lie(error) => self.shared.alarm(
                    TimeMs(self.now_ms),
                    &format!("operator {from} sent what cannot be true: {error}"),
                ),
                Heard::CommitteeLied(error) => {
                    self.shared.alarm(TimeMs(self.now_ms), &format!("the committee certified a lie: {error}"))
                }
            }
        }
        if advanced {
            self.take_in();
            self.shared.certified(self.chain.header().height, self.chain.header().time_ms);
            self.plan(Input::Advanced);
        }
    }

    /// Rollups that joined: their lanes are known by now; deliver to them, too, where we are to.
    fn take_in(&mut self) {
        for change in self.chain.take_moved() {
            match change {
                Change::Join { join } => {
                    let member = match self.members.admit(&join) {
                        Ok(member) => member,
                        Err(error) => {
                            let what =
                                format!("chain {} has joined, we cannot read it: {error}", join.chain_id);
                            self.shared.alarm(TimeMs(self.now_ms), &what);
                            continue;
                        }
                    };
                    let chain_id = join.chain_id;
                    if !self.destinations.contains_key(&chain_id)
                        && let Some(destination) = self.connect.as_ref().and_then(|connect| connect(&member))
                    {
                        self.destinations.insert(chain_id, destination);
                        self.chain.deliver_to(chain_id);
                        self.planner.deliver_to(chain_id);
                    }
                }
                Change::Leave { chain_id, .. } => self.members.left(chain_id),
                _ => {}
            }
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Looked(_, Ok(observation), _) => self.plan(Input::Observed(observation)),
            Done::Looked(destination, Err(error), sequence) => {
                tracing::debug!(%destination, %error, "destination not observed");
                self.shared.trouble(destination, error.to_string());
                self.plan(Input::NotObserved { destination, sequence });
            }
            Done::Sent(Sent { destination, input, told, error }) => {
                tracing::debug!(%told, "transaction ended");
                if let Some(error) = error {
                    self.shared.trouble(destination, error.to_string());
                }
                self.shared.did(TimeMs(self.now_ms), told);
                self.plan(input);
            }
        }
    }

    /// Tell the planner, and do what it asks for, until it asks for nothing more.
    fn plan(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for action in self.planner.step(self.now_ms, input, &self.chain) {
                match action {
                    Action::Submit(transaction) => inputs.extend(self.send(transaction)),
                    Action::Lead(lead) => inputs.extend(self.lead(lead)),
                    Action::Observe(query) => inputs.extend(self.look(query)),
                    Action::Forget { key, index } => self.chain.forget(&key, index),
                    Action::Alarm(alarm) => {
                        self.shared.alarm(TimeMs(self.now_ms), &alarm.to_string());
                    }
                }
            }
        }
        self.shared.counts(TimeMs(self.now_ms), self.planner.counts(), self.chain.header().height);
    }

    fn light_client(&self, destination: ChainId) -> Option<Address> {
        let joined = || self.members.get(destination).map(|member| member.entry.light_client);
        self.light_clients.get(&destination).copied().or_else(joined)
    }

    /// Of all rollups that are certified.
    fn registrations(&self) -> BTreeMap<ChainId, RegistrationId> {
        let rollups = self.chain.archive().newest().rollups();
        rollups.map(|rollup| (rollup.params().chain_id, rollup.params().registration)).collect()
    }

    fn look(&self, query: Query) -> Option<Input> {
        let (destination, sequence) = (query.destination, query.sequence);
        let failed = Some(Input::NotObserved { destination, sequence });
        let Some(at) = self.destinations.get(&destination).cloned() else { return failed };
        let Some(light_client) = self.light_client(destination) else { return failed };
        let checkpoint = query.checkpoint.and_then(|height| {
            let state = self.chain.archive().state_at(height).ok()?;
            Some((height, checkpoint_word(state.header())))
        });
        let look = Look { query, light_client, checkpoint, registrations: self.registrations() };
        let done =
            look.run(at).map(|(destination, result, sequence)| Done::Looked(destination, result, sequence));
        self.work.push(done.boxed());
        None
    }

    fn send(&self, transaction: Transaction) -> Option<Input> {
        let (id, key) = (transaction.id, transaction.key);
        let at = self.destinations.get(&transaction.destination()).cloned();
        let calldata = calldata(&transaction, &self.chain);
        let (Some(at), Ok(calldata)) = (at, &calldata) else {
            if let Err(error) = calldata {
                self.shared.alarm(
                    TimeMs(self.now_ms),
                    &format!("transaction to {} not written: {error}", transaction.destination()),
                );
            }
            return Some(Input::Finished { id, outcome: Outcome::NotSent });
        };
        let archive = self.chain.archive();
        let messages = transaction
            .messages()
            .filter_map(|index| Some((archive.message(key.source, key.lane, index)?.id, index)))
            .collect();
        let gas_limit = (!transaction.try_first).then_some(transaction.gas_limit);
        let what = format!("{} messages", transaction.messages().count());
        let send = Send { id, what, calldata: calldata.clone(), gas_limit, messages };
        self.work.push(send.run(at).map(Done::Sent).boxed());
        None
    }

    fn lead(&self, lead: Lead) -> Option<Input> {
        let Lead { id, destination, step, .. } = lead;
        let not_sent = Some(Input::Finished { id, outcome: Outcome::NotSent });
        let Some(at) = self.destinations.get(&destination).cloned() else { return not_sent };
        let Some(to) = self.light_client(destination) else { return not_sent };
        let data = match lead_data(step, &self.chain) {
            Ok(data) => data,
            Err(error) => {
                let what = format!("step of the light client on {destination} not written: {error}");
                self.shared.alarm(TimeMs(self.now_ms), &what);
                return not_sent;
            }
        };
        let what = match step {
            Step::Close(epoch) => format!("the certificate that ends epoch {epoch}"),
            Step::Install(epoch) => format!("the table of epoch {epoch}"),
        };
        let calldata = Calldata { to, data };
        let send = Send { id, what, calldata, gas_limit: None, messages: BTreeMap::new() };
        self.work.push(send.run(at).map(Done::Sent).boxed());
        None
    }
}
