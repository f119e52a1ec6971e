//! One task for each rollup that this operator has a node of.

use super::pen::{Pen, PenError};
use crate::{
    config::{Member, Network},
    operator::{
        blocks::{self, LaneCounts, ValidBlock},
        handle::{JudgingView, Reporter},
        restaking::Roll,
    },
    own_node::{OwnBlock, OwnNodeError, OwnNodes},
    runtime::{Runtime, moment, now},
    wire::{GOSSIP_BATCH_MAX, Gossip},
};
use commonware_macros::select;
use commonware_runtime::Handle;
use hum_bls::{Seat, SecretKey, SignedJudgement};
use hum_consensus::{PublicKey, Recipients, WireSender};
use hum_ledger::{Rollup, State};
use hum_types::{ChainId, Class, Encode as _, Epoch, Generation, TimeMs};
use hum_verify::CertifiedHeader;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tracing::debug;

/// How often an own node is asked for its next block.
const POLL_MS: u64 = 200;
/// How often judgements that are not in a checkpoint yet are said again.
const REPEAT_MS: u64 = 1_000;
/// Blocks above the head that are judged.
const AHEAD_MAX: u64 = 64;
/// How often it is looked whether a rollup has come in that we have a node of.
const MEMBERS_MS: u64 = 1_000;
/// Time without an answer after which people should look.
const ALARM_MS: u64 = 60_000;

pub(crate) struct Actor<E: Runtime> {
    pub(crate) context: E,
    pub(crate) network: Arc<Network>,
    pub(crate) nodes: Option<Arc<dyn OwnNodes>>,
    pub(crate) me: PublicKey,
    pub(crate) key: SecretKey,
    pub(crate) partition: String,
    pub(crate) roll: Roll,
    pub(crate) blocks: blocks::Mailbox,
    pub(crate) gossip: WireSender,
    pub(crate) reporter: Reporter,
}

impl<E: Runtime> Actor<E> {
    pub(crate) fn start(self) -> Handle<()> {
        let Self { context, network, nodes, me, key, partition, roll, blocks, gossip, reporter } = self;
        context.spawn(move |context| async move {
            let Some(nodes) = nodes else { return std::future::pending().await };
            let mut running: BTreeSet<ChainId> = BTreeSet::new();
            let mut tasks = Vec::new();
            loop {
                for chain_id in nodes.chains().difference(&running.clone()) {
                    let Some(member) = network.member(*chain_id) else { continue };
                    if member.entry.class != Class::OwnNode {
                        continue;
                    }
                    running.insert(*chain_id);
                    let judge = Judge {
                        context: context.child("judge").with_attribute("chain", chain_id.0),
                        network: network.clone(),
                        nodes: nodes.clone(),
                        member,
                        me: me.clone(),
                        roll: roll.clone(),
                        blocks: blocks.clone(),
                        gossip: gossip.clone(),
                        reporter: reporter.clone(),
                        pending: BTreeMap::new(),
                        under: None,
                        repeated: TimeMs(0),
                        answered: now(&context),
                        told: None,
                    };
                    let (key, partition) = (key.clone(), format!("{partition}-judged-{chain_id}"));
                    tasks.push(context.child("judging").spawn(move |_| judge.run(key, partition)));
                }
                context.sleep_until(moment(TimeMs(now(&context).0 + MEMBERS_MS))).await;
            }
        })
    }
}

/// A block that we judged and that is not in a finalised checkpoint yet.
struct Pending {
    own: OwnBlock,
    signed: SignedJudgement,
}

struct Judge<E: Runtime> {
    context: E,
    network: Arc<Network>,
    nodes: Arc<dyn OwnNodes>,
    member: Arc<Member>,
    me: PublicKey,
    roll: Roll,
    blocks: blocks::Mailbox,
    gossip: WireSender,
    reporter: Reporter,
    pending: BTreeMap<u64, Pending>,
    /// What the pending ones were signed under.
    under: Option<(Epoch, Generation, Seat)>,
    repeated: TimeMs,
    answered: TimeMs,
    /// The alarm that was raised last: the same one again says nothing.
    told: Option<String>,
}

impl<E: Runtime> Judge<E> {
    fn chain_id(&self) -> ChainId {
        self.member.entry.chain_id
    }

    async fn run(mut self, key: SecretKey, partition: String) {
        let own = key.public_key();
        let pen = Pen::open(self.context.child("judged"), partition, key, self.network.domain).await;
        let mut pen = match pen {
            Ok(pen) => pen,
            Err(error) => return self.broken(&error),
        };
        loop {
            let state = self.reporter.handle().archive(|archive| archive.newest().clone());
            let changed = self.reporter.handle().changed();
            if let Some(rollup) = state.rollup(self.chain_id()) {
                self.follow(rollup);
                let judges = rollup.judges(state.seated());
                let seat = state.committee().seat_of(&own).filter(|seat| judges.seats().contains(seat));
                if let Some(seat) = seat
                    && rollup.advances()
                    && let Err(error) = self.judge(&mut pen, &state, rollup, seat).await
                {
                    return self.broken(&error);
                }
                self.show(rollup, seat).await;
            }
            self.repeat();
            let sleep = self.context.sleep_until(moment(TimeMs(now(&self.context).0 + POLL_MS)));
            select! {
                _ = changed => {},
                _ = sleep => {},
            }
        }
    }

    fn broken(&self, error: &PenError) {
        let what =
            format!("judgements of chain {} cannot be written down, none is made: {error}", self.chain_id());
        self.reporter.alarm(what, now(&self.context));
    }

    fn alarm(&mut self, what: String) {
        if self.told.as_ref() != Some(&what) {
            self.reporter.alarm(what.clone(), now(&self.context));
            self.told = Some(what);
        }
    }

    /// Forget what is finalised, and say so where it is not what our node has.
    fn follow(&mut self, rollup: &Rollup) {
        let head = rollup.head().block.number;
        let passed = self.pending.range(..=head);
        let differs = passed
            .filter_map(|(number, pending)| {
                let (certified, own) = (rollup.block_at(*number)?, &pending.own);
                Some(((certified.block, certified.state_root), (own.block, own.state_root)))
            })
            .find(|(certified, own)| certified != own);
        self.pending = self.pending.split_off(&head.saturating_add(1));
        if let Some(((certified, state), (own, own_state))) = differs {
            let chain_id = self.chain_id();
            self.alarm(format!(
                "chain {chain_id}: the other judges brought block {certified} with state {state}, own node has {own} with state {own_state}"
            ));
        }
    }

    /// Judge as many blocks as our node has, on the head and up to a bound.
    async fn judge(
        &mut self,
        pen: &mut Pen<E>,
        state: &State,
        rollup: &Rollup,
        seat: Seat,
    ) -> Result<(), PenError> {
        let under = (state.epoch(), rollup.generation(), seat);
        if self.under != Some(under) {
            self.sign_again(pen, under).await?;
        }
        let head = rollup.head().block;
        let mut counts = LaneCounts::default();
        let mut parent = head;
        for (number, pending) in &self.pending {
            if *number != parent.number.saturating_add(1) || pending.own.parent != parent.hash {
                break;
            }
            let _ = counts.follow(rollup, &valid(&pending.own));
            parent = pending.own.block;
        }
        // What does not stand on the head any more was cut off.
        self.pending.retain(|number, _| *number <= parent.number);
        while parent.number < head.number.saturating_add(AHEAD_MAX) {
            let number = parent.number.saturating_add(1);
            let own = match self.nodes.block(self.member.clone(), number).await {
                Ok(own) => own,
                Err(error) => {
                    self.failed(error);
                    break;
                }
            };
            self.answered = now(&self.context);
            let Some(own) = own else { break };
            if own.block.number != number || own.parent != parent.hash {
                self.stands_elsewhere(&own, parent.number == head.number, parent);
                break;
            }
            let block = valid(&own);
            if counts.follow(rollup, &block).is_err() {
                let (chain_id, block) = (self.chain_id(), own.block);
                self.alarm(format!(
                    "block {block} of chain {chain_id}: a gateway counts otherwise than ours do"
                ));
                break;
            }
            let judgement = hum_types::Judgement {
                chain_id: self.chain_id(),
                registration: rollup.params().registration,
                generation: under.1,
                block: own.block,
                parent: own.parent,
                state_root: own.state_root,
                time_ms: own.time_ms,
                messages: hum_types::messages_hash(&own.sent()),
            };
            let Some(signed) = pen.sign(under.0, seat, judgement).await? else {
                let (chain_id, block) = (self.chain_id(), own.block);
                self.alarm(format!(
                    "own node now has block {block} of chain {chain_id}; another one was judged for that number, so this waits for a retraction"
                ));
                break;
            };
            for warning in &own.warnings {
                self.alarm(warning.clone());
            }
            self.hand_over(&own, signed).await;
            self.say(&[signed]);
            parent = own.block;
            self.pending.insert(number, Pending { own, signed });
        }
        Ok(())
    }

    /// Another committee, or another generation: what is pending is signed for the one, and void in the other.
    async fn sign_again(
        &mut self,
        pen: &mut Pen<E>,
        under: (Epoch, Generation, Seat),
    ) -> Result<(), PenError> {
        let (epoch, generation, seat) = under;
        self.pending.retain(|_, pending| pending.signed.judgement.generation == generation);
        for pending in self.pending.values_mut() {
            if let Some(signed) = pen.sign(epoch, seat, pending.signed.judgement).await? {
                pending.signed = signed;
            }
        }
        self.under = Some(under);
        let again: Vec<_> =
            self.pending.values().map(|pending| (pending.own.clone(), pending.signed)).collect();
        for (own, signed) in again {
            self.hand_over(&own, signed).await;
        }
        self.repeated = TimeMs(0);
        Ok(())
    }

    async fn hand_over(&self, own: &OwnBlock, signed: SignedJudgement) {
        self.blocks.judged(signed, valid(own)).await;
    }

    fn stands_elsewhere(&mut self, own: &OwnBlock, on_head: bool, parent: hum_types::BlockRef) {
        let chain_id = self.chain_id();
        if on_head {
            self.alarm(format!(
                "own node's block {} of chain {chain_id} does not stand on the certified head {parent}",
                own.block
            ));
        } else {
            // Our node reorganised what we judged and nobody finalised: look again from below.
            self.pending.remove(&parent.number);
        }
    }

    fn failed(&mut self, error: OwnNodeError) {
        let chain_id = self.chain_id();
        match error {
            OwnNodeError::Contradiction(what) => self.alarm(format!("own node of chain {chain_id}: {what}")),
            OwnNodeError::Unanswered(what) => {
                debug!(%chain_id, %what, "own node");
                let since = now(&self.context).0.saturating_sub(self.answered.0);
                if since >= ALARM_MS {
                    self.alarm(format!("own node of chain {chain_id} has not answered for a minute: {what}"));
                }
            }
        }
    }

    fn say(&self, judgements: &[SignedJudgement]) {
        let others: Vec<_> = self.roll.keys().into_iter().filter(|key| *key != self.me).collect();
        let message = Gossip::Judgements(judgements.to_vec()).encode();
        self.gossip.send(Recipients::Some(others), message.into(), false);
    }

    /// Say again what is not finalised: somebody may have missed it.
    fn repeat(&mut self) {
        let at = now(&self.context);
        if at.0 < self.repeated.0.saturating_add(REPEAT_MS) || self.pending.is_empty() {
            return;
        }
        self.repeated = at;
        let lowest: Vec<_> =
            self.pending.values().take(GOSSIP_BATCH_MAX).map(|pending| pending.signed).collect();
        self.say(&lowest);
    }

    async fn show(&self, rollup: &Rollup, seat: Option<Seat>) {
        let handle = self.reporter.handle();
        let known = handle.judging().get(&self.chain_id()).and_then(|view| view.node.clone());
        let node = match known {
            Some(node) => Some(node),
            None => self.nodes.client(self.member.clone()).await.ok(),
        };
        let judged = self.pending.keys().next_back().copied().or_else(|| {
            let head = rollup.head().block.number;
            seat.map(|_| head)
        });
        handle.set_judging(self.chain_id(), JudgingView { node, judges: seat.is_some(), judged });
    }
}

fn valid(own: &OwnBlock) -> ValidBlock {
    let header = CertifiedHeader::stated(own.block, own.state_root, own.time_ms.0 / 1000);
    ValidBlock { header, messages: own.messages.clone() }
}
