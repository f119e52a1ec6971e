//! What must be true at the end of every run.

use super::{
    Beat, START, Stage, World,
    l1::{l1_block, safe_block},
    plan::{ChainFault, Process},
};
use alloy_primitives::{B256, keccak256};
use alloy_sol_types::SolEvent as _;
use futures::FutureExt as _;
use hum_chain::contracts::{Gateway, Inbox};
use hum_ledger::SeatedRoster;
use hum_node::operator::OperatorHandle;
use hum_types::{
    BlockRef, ChainId, Change, Checkpoint, Confidence, Encode as _, Epoch, Height, L1Origin, RollupStatus,
    Roster,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, atomic::Ordering},
};

/// Virtual time by which what operators have of a chain may be behind its head at the end, in milliseconds.
const BEHIND_MS: u64 = 2_000;

/// What a run amounts to.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Equal for equal runs: the runtime's audit of every step, and our own events.
    pub trace_hash: B256,
    /// Messages that the source chains hold.
    pub sent: usize,
    /// Messages that their recipients got.
    pub executed: usize,
    /// Times that a recipient got a message again.
    pub duplicates: usize,
    /// What must not be, in words: contradictions, lies that were certified, processes that ended by themselves. What
    /// was sent and not executed is for [`Self::unfinished`] to tell.
    pub violations: Vec<String>,
    /// What should have come to its end, in words.
    pub unfinished: Vec<String>,
    /// Alarms that operators raised.
    pub alarms: Vec<String>,
    /// Every finalised checkpoint.
    pub beats: Vec<Beat>,
    /// How the relayers ended.
    pub relayers: Vec<RelayerEnd>,
    /// Rollups that are set aside in the newest checkpoint.
    pub set_aside: Vec<ChainId>,
    /// When the first message could be sent, in milliseconds since the world began.
    pub begun_ms: u64,
    /// Virtual time that passed, in milliseconds.
    pub took_ms: u64,
    /// What every process said of itself at the end.
    pub statuses: Vec<String>,
}

/// What a relayer did, over all destinations, since it was last started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayerEnd {
    /// Messages that its calls executed.
    pub delivered: u64,
    /// Transactions that it sent.
    pub transactions: u64,
    /// Transactions that reverted, or would have.
    pub reverted: u64,
}

impl Report {
    /// The newest height that was finalised.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.beats.last().map_or(0, |beat| beat.height.0)
    }

    /// Whether nothing is wrong and everything came to its end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let all = self.sent > 0 && self.executed == self.sent && self.duplicates == 0;
        all && self.violations.is_empty() && self.unfinished.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seed, height, took_ms) = (self.seed, self.height(), self.took_ms);
        write!(
            f,
            "seed {seed}: {} of {} messages executed, {} twice; ",
            self.executed, self.sent, self.duplicates
        )?;
        write!(f, "height {height} after {took_ms} ms; trace {}", self.trace_hash)
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{self}")?;
        for (name, lines) in [
            ("violation", &self.violations),
            ("unfinished", &self.unfinished),
            ("alarm", &self.alarms),
            ("status", &self.statuses),
        ] {
            lines.iter().try_for_each(|line| writeln!(f, "  {name}: {line}"))?;
        }
        writeln!(f, "  set aside: {:?}, relayers: {:?}", self.set_aside, self.relayers)
    }
}

/// Messages by what the chains hold at the moment.
#[derive(Debug, Default)]
pub(super) struct Tally {
    sent: BTreeSet<B256>,
    executed: BTreeMap<B256, usize>,
}

impl Tally {
    pub(super) fn of(stage: &Stage) -> Self {
        let mut tally = Self::default();
        let (gateways, inbox) = (stage.cast.addresses.gateways, stage.cast.addresses.inbox);
        for rollup in &stage.cast.rollups {
            for log in (0..=rollup.chain.head().number).flat_map(|number| rollup.chain.logs(number)) {
                let Some(id) = log.topics.get(1).copied() else { continue };
                let topic = log.topics[0];
                if gateways.contains(&log.address) && topic == Gateway::MessageSent::SIGNATURE_HASH {
                    tally.sent.insert(id);
                } else if log.address == inbox && topic == Inbox::Received::SIGNATURE_HASH {
                    *tally.executed.entry(id).or_default() += 1;
                }
            }
        }
        tally
    }

    /// Whether every message has arrived.
    pub(super) fn complete(&self) -> bool {
        self.sent.iter().all(|id| self.executed.contains_key(id))
    }
}

/// Look at everything, and end the world.
pub(super) fn report(mut world: World) -> Report {
    let stage = world.stage.clone();
    let tally = Tally::of(&stage);
    let statuses = world.statuses();
    let mut violations = stage.books.violations();
    let mut unfinished = Vec::new();
    count_messages(&stage, &tally, &mut violations, &mut unfinished);

    let handles: Vec<OperatorHandle> = world.handles().collect();
    let checkpoints = stage.books.checkpoints();
    remembered(&handles, &checkpoints, &mut violations);
    let running =
        world.operators.iter().enumerate().filter_map(|(index, running)| Some((index, running.as_ref()?)));
    let running: BTreeMap<usize, OperatorHandle> =
        running.map(|(index, running)| (index, running.operator.handle.clone())).collect();
    let set_aside = stands(&stage, &running, &mut violations, &mut unfinished);
    advances_are_real(&stage, &checkpoints, &mut violations);
    settled_is_posted(&stage, &handles, &checkpoints, &mut violations);
    certificates_hold(&stage, &handles, &checkpoints, &mut violations);
    seats_are_held(&stage, &handles, &mut violations);
    let relayers = world.relayers.iter().flatten().map(|relayer| {
        relayer.view().destinations.values().fold(RelayerEnd::default(), |sum, at| RelayerEnd {
            delivered: sum.delivered + at.counts.delivered,
            transactions: sum.transactions + at.counts.transactions,
            reverted: sum.reverted + at.counts.reverted,
        })
    });
    let relayers = relayers.collect();
    ended(&mut world, &mut violations);

    let mut trace = stage.trace.hash().to_vec();
    trace.extend_from_slice(world.context.auditor().state().as_bytes());
    for checkpoint in &checkpoints {
        trace.extend_from_slice(checkpoint.header.hash().as_slice());
    }
    Report {
        seed: stage.config.seed,
        trace_hash: keccak256(trace),
        sent: tally.sent.len(),
        executed: tally.sent.iter().filter(|id| tally.executed.contains_key(*id)).count(),
        duplicates: tally.executed.values().map(|times| times - 1).sum(),
        violations,
        unfinished,
        alarms: stage.books.alarms(),
        beats: stage.books.beats(),
        relayers,
        set_aside,
        begun_ms: stage.begun_ms.load(Ordering::Relaxed),
        took_ms: world.elapsed_ms(),
        statuses,
    }
}

fn count_messages(stage: &Stage, tally: &Tally, violations: &mut Vec<String>, unfinished: &mut Vec<String>) {
    let (rollups, doubts) = (stage.cast.rollups.len(), stage.progress.doubts());
    let least = rollups * (rollups - 1) * stage.config.messages;
    if !(least..=least + doubts).contains(&tally.sent.len()) {
        let found = tally.sent.len();
        unfinished
            .push(format!("{found} messages were sent; {least} should have been, and {doubts} more perhaps"));
    }
    for id in tally.sent.iter().filter(|id| !tally.executed.contains_key(*id)) {
        unfinished.push(format!("message {id} was not executed"));
    }
    for (id, times) in &tally.executed {
        if !tally.sent.contains(id) {
            violations.push(format!("message {id} was executed but is on no chain"));
        }
        if *times > 1 {
            violations.push(format!("message {id} was executed {times} times"));
        }
    }
}

/// Operators remember what was finalised, all the same.
fn remembered(handles: &[OperatorHandle], checkpoints: &[Arc<Checkpoint>], violations: &mut Vec<String>) {
    for (expected, checkpoint) in (1..).map(Height).zip(checkpoints) {
        if checkpoint.header.height != expected {
            violations
                .push(format!("height {expected} was never finalised, {} was", checkpoint.header.height));
            return;
        }
    }
    for (index, handle) in handles.iter().enumerate() {
        let newest = handle.header().height;
        for checkpoint in checkpoints.iter().take_while(|checkpoint| checkpoint.header.height <= newest) {
            let at = checkpoint.header.height;
            match handle.checkpoint(at) {
                Some(own) if own.header == checkpoint.header => {}
                Some(_) => violations.push(format!("operator {index} has another checkpoint at height {at}")),
                // Only the newest are kept in memory.
                None => {}
            }
        }
    }
}

/// Where operators are with each rollup; the rollups that are set aside. Whom L1 no longer lists may be switched off.
fn stands(
    stage: &Stage,
    running: &BTreeMap<usize, OperatorHandle>,
    violations: &mut Vec<String>,
    unfinished: &mut Vec<String>,
) -> Vec<ChainId> {
    let listed = (0..stage.config.operators).filter(|index| stage.config.lists(*index));
    violations.extend(
        listed
            .filter(|index| !running.contains_key(index))
            .map(|index| format!("operator {index} has ended")),
    );
    let mut set_aside = BTreeSet::new();
    let behind = 2 + BEHIND_MS / stage.config.block_time_ms.max(1);
    for (index, handle) in running.iter().filter(|(index, _)| stage.config.lists(**index)) {
        for leaf in handle.rollups() {
            if leaf.status != RollupStatus::Active {
                set_aside.insert(leaf.chain_id);
                continue;
            }
            let rollup = stage.cast.rollups.iter().find(|rollup| rollup.chain.chain_id() == leaf.chain_id);
            let Some(chain) = rollup.map(|rollup| &rollup.chain) else { continue };
            let (own, head) = (leaf.heads[0].block, chain.head());
            if own.number + behind < head.number {
                unfinished
                    .push(format!("operator {index} has {own:?} of chain {}, at {head:?}", leaf.chain_id));
            }
            if !chain.is_canonical(own) {
                violations
                    .push(format!("operator {index} holds {own:?}, which chain {} has not", leaf.chain_id));
            }
        }
    }
    set_aside.into_iter().collect()
}

/// Every block that a checkpoint advanced is one that its chain adopted, with the state that execution gives.
fn advances_are_real(stage: &Stage, checkpoints: &[Arc<Checkpoint>], violations: &mut Vec<String>) {
    let chains: BTreeMap<ChainId, _> =
        stage.cast.rollups.iter().map(|rollup| (rollup.chain.chain_id(), &rollup.chain)).collect();
    // Whoever signs two blocks for one number may see either of them finalised.
    let equivocates = |fault: &ChainFault| *fault == ChainFault::Equivocate;
    let equivocators = stage.config.plan.chain_faults().filter(|(_, fault)| equivocates(fault));
    let equivocators: BTreeSet<ChainId> =
        equivocators.map(|(index, _)| stage.cast.rollups[index].chain.chain_id()).collect();
    for checkpoint in checkpoints {
        let at = checkpoint.header.height;
        for advance in &checkpoint.body.advances {
            let chain = chains.get(&advance.chain_id);
            for block in &advance.blocks {
                let computed = chain.and_then(|chain| chain.state_after(block.block));
                if computed != Some(block.state_root) {
                    let declared = (block.block, block.state_root);
                    violations
                        .push(format!("height {at} advances to {declared:?}, execution gives {computed:?}"));
                }
                let adopted = chain.is_some_and(|chain| chain.adopted(block.block));
                if !adopted && !equivocators.contains(&advance.chain_id) {
                    let chain_id = advance.chain_id;
                    violations.push(format!(
                        "height {at} advances to {:?}, never on chain {chain_id}",
                        block.block
                    ));
                }
            }
        }
    }
}

/// What the judge of settled heads says on L1: whether whoever attested this head under a header of this origin lied.
fn is_slashable(
    batches: &[(BlockRef, L1Origin)],
    confidence: Confidence,
    head: BlockRef,
    origin: L1Origin,
) -> bool {
    let reached = batches.iter().find(|(last, _)| last.number >= head.number);
    match reached.filter(|(_, l1)| l1.number <= origin.number) {
        Some((last, _)) => *last != head,
        None => confidence == Confidence::Finalized,
    }
}

/// Every head that was settled is the end of a batch which L1 held by then, and nobody can be slashed for one.
fn settled_is_posted(
    stage: &Stage,
    handles: &[OperatorHandle],
    checkpoints: &[Arc<Checkpoint>],
    violations: &mut Vec<String>,
) {
    let batches_of = |chain_id| stage.inbox.batches(chain_id);
    for checkpoint in checkpoints {
        let header = &checkpoint.header;
        for change in &checkpoint.body.changes {
            let Change::Settle { chain_id, confidence, head, l1 } = change else { continue };
            let what = format!("height {} settles {head} of {chain_id} at {confidence}", header.height);
            let batches = batches_of(*chain_id);
            let Some((_, held)) = batches.iter().find(|(last, _)| last == head) else {
                violations.push(format!("{what}, where no batch ends"));
                continue;
            };
            let safe = safe_block(header.time_ms.0 - START * 1_000);
            if held.number > l1.number || l1.number > safe {
                violations.push(format!("{what}: posted in {held}, declared {l1}, safe is {safe}"));
            }
            if *l1 != l1_block(stage.config.seed, l1.number) {
                violations.push(format!("{what} at {l1}, which L1 has not"));
            }
            // A finalized head above the safe one lifts it.
            let both = [*confidence, Confidence::Safe];
            for confidence in both {
                if is_slashable(&batches, confidence, *head, header.l1_origin) {
                    violations.push(format!("{what}: L1 slashes for it, as {confidence}"));
                }
            }
        }
    }
    for (index, handle) in handles.iter().enumerate() {
        for leaf in handle.rollups() {
            let batches = batches_of(leaf.chain_id);
            for confidence in [Confidence::Safe, Confidence::Finalized] {
                let head = leaf.heads[confidence as usize].block;
                if head != BlockRef::default() && !batches.iter().any(|(last, _)| *last == head) {
                    violations.push(format!("operator {index} holds {head} as {confidence}, never posted"));
                }
            }
            if leaf.heads[2].block.number > leaf.heads[1].block.number {
                violations
                    .push(format!("operator {index} holds {} as final, not as safe", leaf.heads[2].block));
            }
        }
    }
}

/// Every certificate that an operator serves holds, and is one for the header that was finalised.
fn certificates_hold(
    stage: &Stage,
    handles: &[OperatorHandle],
    checkpoints: &[Arc<Checkpoint>],
    violations: &mut Vec<String>,
) {
    let domain = stage.cast.network.domain;
    let mut held = BTreeSet::new();
    for handle in handles {
        for checkpoint in checkpoints {
            let at = checkpoint.header.height;
            let Some(certificate) = handle.certificate(at).filter(|certificate| certificate.height == at)
            else {
                continue;
            };
            if certificate.header_hash != checkpoint.header.hash() {
                violations.push(format!("the certificate of height {at} is for another header"));
            }
            if !held.insert(keccak256(certificate.encode())) {
                continue;
            }
            let epoch = handle.archive(|archive| archive.epoch_at(at).cloned());
            let Some(epoch) = epoch.filter(|epoch| epoch.seated.epoch() == checkpoint.header.epoch) else {
                violations.push(format!("height {at} lies in another epoch than its header says"));
                continue;
            };
            if let Err(error) = (*certificate).clone().verify(epoch.seated.committee().table(), domain) {
                violations.push(format!("the certificate of height {at} does not hold: {error}"));
            }
        }
    }
    if !checkpoints.is_empty() && held.is_empty() {
        violations.push("nothing was certified".into());
    }
}

/// Operators sign in the seats that their epochs give them, and epochs are what L1 has selected.
fn seats_are_held(stage: &Stage, handles: &[OperatorHandle], violations: &mut Vec<String>) {
    let longest = handles.iter().max_by_key(|handle| handle.header().height);
    let Some(handle) = longest else { return };
    let epochs: BTreeMap<Epoch, Arc<SeatedRoster>> = handle.archive(|archive| {
        archive.epochs().map(|record| (record.seated.epoch(), record.seated.clone())).collect()
    });
    for (who, height, epoch, seat) in stage.books.attested() {
        let key = stage.cast.operators[who].bls.public_key();
        let sits = epochs.get(&epoch).is_some_and(|seated| seated.committee().key(seat) == Some(&key));
        if !sits {
            violations.push(format!("operator {who} signed height {height} in seat {seat} of epoch {epoch}"));
        }
    }
    let planned = stage.config.snapshots.iter().map(Some).chain([None]);
    let rosters: Vec<Roster> = planned.map(|snapshot| stage.cast.roster(snapshot)).collect();
    for seated in epochs.values().filter(|seated| !rosters.contains(seated.roster())) {
        violations.push(format!("epoch {} has a committee that L1 never selected", seated.epoch()));
    }
}

/// No process has ended by itself.
fn ended(world: &mut World, violations: &mut Vec<String>) {
    let mut gone = Vec::new();
    for (index, running) in world.operators.iter_mut().enumerate() {
        if let Some(running) = running
            && ((&mut running.engine).now_or_never().is_some()
                || (&mut running.operator.task).now_or_never().is_some())
        {
            gone.push(Process::Operator(index));
        }
    }
    for (index, running) in world.publishers.iter_mut().enumerate() {
        if running.take().is_some_and(|running| running.handle.ended().now_or_never().is_some()) {
            gone.push(Process::Publisher(index));
        }
    }
    for (index, running) in world.relayers.iter_mut().enumerate() {
        if running.take().is_some_and(|running| running.ended().now_or_never().is_some()) {
            gone.push(Process::Relayer(index));
        }
    }
    violations.extend(gone.into_iter().map(|process| format!("{process} has ended by itself")));
}
