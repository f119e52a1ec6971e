//! The watcher's one loop: it alone owns the certified chain, the detector, the docket and the file of evidence.

mod claims;
mod done;
mod heads;

use super::{
    Connect, WatcherError, WatcherParts, WatcherSettings,
    accusations::{Accusation, Batch, Defended},
    answers::{AnswerBook, Answered, Challenge},
    bodies::Bodies,
    court::{Allowance, Filed, L1, Settled},
    detector::{Detector, Finding},
    docket::{Docket, EvidenceNumber},
    evidence::{Charge, FaultEvidence},
    heads::{HeadBook, HeadCheck},
    posted::{PostedBook, PostedCheck},
    snapshots::{Keys, Looked, Timing},
    spend::{Bonds, Spend},
    store::{Held, Store},
    tables::{Judged, TableBook},
    trials::Trials,
    view::Shared,
};
use crate::{
    members::Members,
    registry,
    relayer::follower::{Follower, Heard},
    runtime::{Runtime, now},
    wire::{FeedEvent, FeedRequest, FetchMessage},
};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use hum_chain::ReadError;
use hum_consensus::{Peer, Peers, PublicKey, Recipients, Wire};
use hum_ledger::SeatedRoster;
use hum_relay::CertifiedChain;
use hum_types::{Change, Checkpoint, Decode as _, Domain, Encode as _, Epoch, Header, Height, TimeMs};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// The longest time between two looks at the clock.
const TICK_MS: u64 = 100;
/// How often L1's final state is asked about what was punished, and the account's balance is read.
const SETTLE_EVERY_MS: u64 = 5_000;
/// How often operators are asked for a claim that is missing.
const ASK_CLAIMS_EVERY_MS: u64 = 2_000;
/// How often L1 is asked for new challenges.
const CHALLENGES_EVERY_MS: u64 = 2_000;

/// Work on L1 that came to an end.
enum Done {
    Filed { number: EvidenceNumber, reserved_wei: u128, filed: Filed },
    Snapshot { reserved_wei: u128, looked: Looked },
    Table(Header, Result<Judged, ReadError>),
    Head(Box<HeadCheck>, Result<Option<Charge>, ReadError>),
    Posted(Box<PostedCheck>, Result<Option<bool>, ReadError>),
    Settled { number: EvidenceNumber, result: Result<Settled, ReadError> },
    Balance(Result<alloy_primitives::U256, ReadError>),
    Challenges(Result<(u64, Vec<Challenge>), ReadError>),
    Answered { reserved_wei: u128, challenge: Challenge, answered: Answered },
    Batches(Result<(u64, Vec<Batch>), ReadError>),
    Accusations(Result<(u64, Vec<Accusation>), ReadError>),
    Defended { reserved_wei: u128, accusation: Accusation, defended: Defended },
}

pub(super) struct Actor<E: Runtime> {
    domain: Domain,
    l1: Option<L1>,
    joining: Option<(Members, Connect)>,
    peers: Option<Peers>,
    fetch: Wire,
    feed: Wire,
    follower: Follower,
    chain: CertifiedChain,
    detector: Detector,
    rosters: BTreeMap<Epoch, (Arc<SeatedRoster>, Height)>,
    docket: Docket,
    store: Store<E>,
    tables: TableBook,
    bodies: Bodies,
    answers: AnswerBook<Challenge>,
    accused: AnswerBook<Accusation>,
    /// The L1 block from which on batches were not read; `None` before the first look.
    next_batch: Option<u64>,
    suspects: Trials,
    heads: HeadBook,
    posted: PostedBook,
    looking: Timing,
    claims: Timing,
    asking: Timing,
    spend: Spend,
    bonds: Bonds,
    snapshots: Option<Timing>,
    snapshot_out: bool,
    keys: Keys,
    settling: Timing,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    shared: Shared,
    now: TimeMs,
}

impl<E: Runtime> Actor<E> {
    pub(super) fn new(
        settings: WatcherSettings,
        parts: WatcherParts,
        store: Store<E>,
        held: Held,
        shared: Shared,
        now: TimeMs,
    ) -> Self {
        let genesis = settings.genesis;
        let sequencers = genesis
            .rollups
            .iter()
            .map(|rollup| (rollup.chain_id, (rollup.registration, rollup.sequencer)))
            .collect();
        let follow = settings.operators.len();
        let mut actor = Self {
            domain: genesis.domain,
            l1: parts.l1,
            joining: parts.joining,
            peers: parts.peers,
            fetch: parts.fetch,
            feed: parts.feed,
            follower: Follower::new(
                settings.operators,
                follow,
                settings.answer_timeout_ms,
                settings.quiet_ms,
            ),
            // Nobody's messages are kept: nothing is delivered from here.
            chain: CertifiedChain::new(&genesis, BTreeSet::new()),
            detector: Detector::new(genesis.domain, held.committees, sequencers),
            rosters: BTreeMap::new(),
            docket: Docket::new(settings.claim_wait_ms),
            store,
            tables: TableBook::default(),
            bodies: Bodies::default(),
            answers: AnswerBook::default(),
            accused: AnswerBook::default(),
            next_batch: None,
            claims: Timing::every(CHALLENGES_EVERY_MS),
            suspects: Trials::default(),
            heads: HeadBook::new(parts.rollups),
            posted: PostedBook::default(),
            looking: Timing::every(CHALLENGES_EVERY_MS),
            asking: Timing::every(ASK_CLAIMS_EVERY_MS),
            spend: Spend::new(settings.spend_cap_wei),
            bonds: Bonds::new(settings.bond_cap_wei),
            snapshots: settings.snapshots_every_ms.map(Timing::every),
            snapshot_out: false,
            keys: Keys::new(),
            settling: Timing::every(SETTLE_EVERY_MS),
            work: FuturesUnordered::new(),
            shared,
            now,
        };
        actor.learn_committees();
        for (number, at, evidence) in held.found {
            actor.detector.remember(&evidence);
            actor.docket.restore(number, evidence, actor.detector.committees(), at);
        }
        for (number, defendant, tx_hash) in held.punished {
            actor.docket.settle(number, defendant, tx_hash);
        }
        for (number, bond_wei) in held.challenged {
            if actor.docket.is_open(number) {
                actor.bonds.is_out(number, bond_wei);
            }
        }
        for (number, at, lost_wei) in held.acquitted {
            actor.docket.acquit(number, lost_wei > 0);
            actor.bonds.is_lost(number, lost_wei, at);
        }
        actor.shared.bonds(&actor.bonds);
        actor.shared.cases(actor.docket.view());
        actor
    }

    /// Work until the network fails.
    pub(super) async fn run(mut self, context: E) -> WatcherError {
        loop {
            self.now = self.now.max(now(&context));
            self.ask();
            self.try_suspects().await;
            self.acquit_claimed().await;
            self.act();
            let sleep = context.sleep(Duration::from_millis(TICK_MS)).fuse();
            futures::pin_mut!(sleep);
            futures::select_biased! {
                message = self.feed.receiver.recv().fuse() => {
                    self.now = self.now.max(now(&context));
                    let Some((from, bytes)) = message else { return WatcherError::NetworkClosed };
                    self.news(&from, &bytes).await;
                }
                message = self.fetch.receiver.recv().fuse() => {
                    self.now = self.now.max(now(&context));
                    let Some((from, bytes)) = message else { return WatcherError::NetworkClosed };
                    self.answer(&from, &bytes).await;
                }
                done = self.work.select_next_some() => {
                    self.now = self.now.max(now(&context));
                    self.done(done).await;
                }
                () = sleep => {}
            }
        }
    }

    /// What is said to operators by the clock.
    fn ask(&mut self) {
        let follow = self.follower.follow(self.now.0);
        if !follow.is_empty() {
            self.feed.sender.send(Recipients::Some(follow), FeedRequest::Watch.encode().into(), true);
        }
        if let Some((operator, id, question)) = self.follower.ask(&self.chain, self.now.0) {
            let message = FetchMessage::Ask { id, question };
            self.fetch.sender.send(Recipients::One(operator), message.encode().into(), true);
        }
    }

    /// Start what is due on the chains.
    fn act(&mut self) {
        self.look_at_heads();
        self.ask_for_claims();
        let Some(l1) = self.l1.clone() else { return };
        while let Some(filing) = self.docket.next(self.now) {
            let reserved_wei = self.spend.reserve(self.now);
            let (l1, committees, domain) = (l1.clone(), self.detector.committees().clone(), self.domain);
            let number = filing.number;
            let allowance = Allowance {
                fees_wei: reserved_wei,
                bond_wei: self.bonds.left(self.now),
                bond_is_out: self.bonds.of(filing.number) > 0,
            };
            let work = l1.file(filing, committees, domain, allowance);
            self.work.push(work.map(move |filed| Done::Filed { number, reserved_wei, filed }).boxed());
            self.shared.waits_for(self.now, "L1 to judge evidence");
        }
        if let Some(check) = self.tables.next(self.now) {
            let header = check.header;
            let work = l1.clone().due_table(check);
            self.work.push(work.map(move |result| Done::Table(header, result)).boxed());
        }
        if let Some(adapter) = l1.judges.batch_adapter
            && let Some(check) = self.posted.next(self.now)
        {
            let l1 = l1.clone();
            let work = async move {
                let result = l1.contradicted(adapter, &check).await;
                Done::Posted(Box::new(check), result)
            };
            self.work.push(work.boxed());
        }
        if !self.snapshot_out && self.snapshots.as_mut().is_some_and(|timing| timing.is_due(self.now)) {
            self.snapshot_out = true;
            let reserved_wei = self.spend.reserve(self.now);
            let work = l1.clone().snapshot(self.domain, std::mem::take(&mut self.keys), reserved_wei);
            self.work.push(work.map(move |looked| Done::Snapshot { reserved_wei, looked }).boxed());
        }
        if let Some(judge) = l1.judges.claim {
            if self.looking.is_due(self.now) {
                let work = l1.clone().challenges(judge, self.answers.next_block);
                self.work.push(work.map(Done::Challenges).boxed());
            }
            if let Some(challenge) = self.answers.next(self.now) {
                let Challenge { chain_id, generation, block, .. } = challenge;
                let shown = self.detector.shown(chain_id, generation, block);
                let reserved_wei = self.spend.reserve(self.now);
                let work = l1.clone().answer(judge, challenge, shown, reserved_wei);
                let done = move |answered| Done::Answered { reserved_wei, challenge, answered };
                self.work.push(work.map(done).boxed());
            }
        }
        self.look_at_claims(&l1);
        if self.settling.is_due(self.now) {
            for filing in self.docket.unsettled() {
                let (l1, number) = (l1.clone(), filing.number);
                let work = async move {
                    let result = l1.settled(&filing).await;
                    Done::Settled { number, result }
                };
                self.work.push(work.boxed());
            }
            self.work.push(async move { Done::Balance(l1.balance().await) }.boxed());
        }
    }

    async fn news(&mut self, from: &PublicKey, bytes: &[u8]) {
        if !self.follower.listens_to(from, self.now.0) {
            return;
        }
        let event = match FeedEvent::decode(bytes) {
            Ok(event) => event,
            Err(error) => {
                self.follower.mute(from, self.now.0);
                self.shared.alarm(self.now, &format!("operator {from} sent unreadable news: {error}"));
                return;
            }
        };
        self.follower.news_from(from, self.now.0);
        let offered = match event {
            FeedEvent::Attested(attestations) => {
                self.shared.attested(attestations.len());
                for attestation in attestations {
                    let findings = self.detector.attestation(attestation);
                    self.found(Some(from), findings).await;
                }
                return;
            }
            FeedEvent::Claimed(claims) => {
                for claim in claims {
                    let findings = self.detector.claim(claim);
                    self.found(Some(from), findings).await;
                }
                return;
            }
            FeedEvent::Finalised(checkpoint) => {
                self.read(&checkpoint).await;
                self.chain.offer(checkpoint)
            }
            FeedEvent::Certified(certificate) => {
                let findings = self.detector.certificate(&certificate);
                self.found(Some(from), findings).await;
                self.chain.certify(certificate)
            }
        };
        let heard = self.follower.judge(from, offered, self.now.0);
        self.heard(from, vec![heard]).await;
    }

    async fn answer(&mut self, from: &PublicKey, bytes: &[u8]) {
        if !self.follower.listens_to(from, self.now.0) {
            return;
        }
        match FetchMessage::decode(bytes) {
            Ok(FetchMessage::Tell { id, answer }) => {
                match &answer {
                    crate::wire::Answer::Checkpoints(checkpoints) => {
                        for checkpoint in checkpoints {
                            self.read(checkpoint).await;
                        }
                    }
                    crate::wire::Answer::Certificate(Some(certificate)) => {
                        let findings = self.detector.certificate(certificate);
                        self.found(Some(from), findings).await;
                    }
                    crate::wire::Answer::Block(Some(submission)) => {
                        return self.claim_told(submission.clone()).await;
                    }
                    _ => {}
                }
                let heard = self.follower.hear(from, id, answer, &mut self.chain, self.now.0);
                self.heard(from, heard).await;
            }
            // Nobody has reason to ask a watcher.
            Ok(FetchMessage::Ask { .. }) => {}
            Err(error) => {
                self.follower.mute(from, self.now.0);
                self.shared.alarm(self.now, &format!("operator {from} sent an unreadable answer: {error}"));
            }
        }
    }

    /// Look at a checkpoint that is not believed yet.
    async fn read(&mut self, checkpoint: &Checkpoint) {
        let header = &checkpoint.header;
        let finalised = self.chain.archive().state_at(header.height);
        if header.domain != self.domain
            || finalised.is_ok_and(|state| state.header().hash() == header.hash())
            || header.body_hash != checkpoint.body.hash()
        {
            return;
        }
        self.suspects.offer(checkpoint, self.now);
        if header.height <= self.tables.replayed() {
            return;
        }
        self.bodies.offer(checkpoint);
        let findings = self.detector.header(&checkpoint.header);
        self.found(None, findings).await;
    }

    async fn heard(&mut self, from: &PublicKey, heard: Vec<Heard>) {
        let mut advanced = false;
        for heard in heard {
            match heard {
                Heard::Nothing => {}
                Heard::Advanced => advanced = true,
                Heard::Lie(error) => {
                    let what = format!("operator {from} sent what cannot be true: {error}");
                    self.shared.alarm(self.now, &what);
                }
                Heard::CommitteeLied(error) => {
                    self.shared.alarm(self.now, &format!("the committee certified a lie: {error}"));
                }
            }
        }
        if advanced {
            self.advanced().await;
        }
    }

    /// A newer height is certified and replayed.
    async fn advanced(&mut self) {
        self.take_in();
        let epochs = self.rosters.len();
        let findings = self.learn_committees();
        if self.rosters.len() > epochs {
            self.follow_operators();
        }
        self.found(None, findings).await;
        let newest = *self.chain.header();
        let mut height = self.tables.replayed();
        while height < newest.height {
            height = Height(height.0 + 1);
            let archive = self.chain.archive();
            let Ok(state) = archive.state_at(height) else { continue };
            let header = *state.header();
            let closing = state.terms().is_closing(height);
            let present = archive
                .epoch(header.epoch)
                .map(|epoch| epoch.seated.committee().table().hash())
                .unwrap_or_default();
            let (claims, retractions) = self.bodies.finalised(&header, state);
            self.tables.finalised(header, closing, present);
            self.finalised_heads(&header);
            let mut findings = self.detector.finalised(&header);
            for claim in claims {
                findings.extend(self.detector.claim(claim));
            }
            for retraction in retractions {
                self.detector.retraction(retraction);
            }
            self.found(None, findings).await;
        }
        self.shared.certified(newest.height, self.chain.archive().newest().epoch());
        if self.docket.is_idle() {
            self.shared.waits_for(self.now, "the next certificate");
        }
    }

    /// Follow those who sign now, and those who did before: they still have what was signed.
    fn follow_operators(&mut self) {
        let rosters = self.rosters.values().rev().take(2).flat_map(|(seated, _)| &seated.roster().entries);
        let mut operators: BTreeMap<PublicKey, Peer> = BTreeMap::new();
        for entry in rosters {
            if let Some(peer) = registry::peer(entry.network_key, &entry.endpoint) {
                operators.entry(peer.key.clone()).or_insert(peer);
            }
        }
        if operators.is_empty() {
            return;
        }
        let follow = operators.len();
        self.follower.set_operators(operators.keys().cloned().collect(), follow);
        if let Some(peers) = &self.peers
            && let Err(error) = peers.set_operators(operators.into_values().collect())
        {
            self.shared.alarm(self.now, &format!("operators cannot be followed: {error}"));
        }
    }

    /// Watch the sequencers of rollups that have joined, and look at their heads where their nodes are reached.
    fn take_in(&mut self) {
        for change in self.chain.take_moved() {
            let Change::Join { join } = change else { continue };
            let chain_id = join.chain_id;
            self.detector.admit(chain_id, join.registration(), join.sequencer);
            let Some((members, connect)) = &self.joining else { continue };
            match members.admit(&join) {
                Ok(member) => {
                    if let Some(chain) = connect(&member) {
                        self.heads.admit(chain_id, chain);
                    }
                }
                Err(error) => {
                    let what = format!("chain {chain_id} has joined, we cannot read it: {error}");
                    self.shared.alarm(self.now, &what);
                }
            }
        }
    }

    fn learn_committees(&mut self) -> Vec<Finding> {
        let known: Vec<_> = self
            .chain
            .archive()
            .epochs()
            .filter(|record| !self.rosters.contains_key(&record.seated.epoch()))
            .cloned()
            .collect();
        let mut findings = Vec::new();
        for record in known {
            self.rosters.insert(record.seated.epoch(), (record.seated.clone(), record.first));
            findings.extend(self.detector.committee(record.seated.committee().clone(), record.first));
        }
        findings
    }

    async fn found(&mut self, from: Option<&PublicKey>, findings: Vec<Finding>) {
        for finding in findings {
            match finding {
                Finding::Forged => {
                    self.shared.forged();
                    if let Some(from) = from {
                        self.follower.mute(from, self.now.0);
                        let what = format!("operator {from} passed on what nobody signed");
                        self.shared.alarm(self.now, &what);
                    }
                }
                Finding::Wrong { operator, seat, epoch, height, header_hash, why } => {
                    self.shared.wrong(operator, why);
                    let said = format!(
                        "operator {operator} (seat {seat} of epoch {epoch}) attested {header_hash} at"
                    );
                    let what = match why {
                        None => format!("{said} height {height}, which was not finalised"),
                        Some(fault) => format!("{said} height {height}: {fault}"),
                    };
                    self.shared.alarm(self.now, &what);
                }
                Finding::Evidence(evidence) => self.keep(evidence).await,
            }
        }
    }

    /// Write evidence down, then open its cases.
    async fn keep(&mut self, evidence: FaultEvidence) {
        let (fault, position) = (evidence.fault(), evidence.position());
        let committees = self.detector.committees();
        let Some(number) = self.docket.open(evidence.clone(), committees, self.now) else {
            self.shared
                .alarm(self.now, "there is more evidence than a watcher keeps; the newest was dropped");
            return;
        };
        let rosters = self.rosters.values().cloned();
        if let Err(error) = self.store.found(number, self.now, &evidence, rosters).await {
            // It is still worth taking to L1: with no disk this is the only chance.
            self.shared.alarm(self.now, &format!("evidence cannot be kept on disk: {error}"));
        }
        self.shared.did(self.now, format!("found evidence {}: {fault} at {position}", number.0));
        self.shared.alarm(self.now, &format!("evidence {}: {fault} at {position}", number.0));
        self.shared.cases(self.docket.view());
    }
}
