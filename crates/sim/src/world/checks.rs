//! What must be true at the end of every run.

use super::World;
use alloy_primitives::{B256, keccak256};
use alloy_sol_types::SolEvent as _;
use hum_chain::contracts::{Gateway, Inbox};
use hum_node::operator::OperatorHandle;
use hum_types::{ChainId, Checkpoint, Height};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a run amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Changes of a rollup's standing in checkpoints: quarantines and retractions.
    pub changes: usize,
    /// What must not be, in words.
    pub violations: Vec<String>,
    /// The newest height that all operators finalised.
    pub height: u64,
    /// Virtual time that passed, in milliseconds.
    pub took_ms: u64,
}

/// Messages by what the chains hold at the moment.
#[derive(Debug, Default)]
pub(super) struct Tally {
    sent: BTreeSet<B256>,
    executed: BTreeMap<B256, usize>,
}

impl Tally {
    pub(super) fn of(world: &World) -> Self {
        let mut tally = Self::default();
        let (gateways, inbox) = (world.cast.addresses.gateways, world.cast.addresses.inbox);
        for rollup in &world.cast.rollups {
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

/// Look at everything.
pub(super) fn report(world: &World) -> Report {
    let tally = Tally::of(world);
    let mut violations = Vec::new();
    let expected = world.cast.rollups.len() * (world.cast.rollups.len() - 1) * world.config.messages;
    if tally.sent.len() != expected {
        violations.push(format!("{} messages were sent, {expected} should have been", tally.sent.len()));
    }
    for id in tally.sent.iter().filter(|id| !tally.executed.contains_key(*id)) {
        violations.push(format!("message {id} was not executed"));
    }
    for (id, times) in &tally.executed {
        if !tally.sent.contains(id) {
            violations.push(format!("message {id} was executed but never sent"));
        }
        if *times > 1 {
            violations.push(format!("message {id} was executed {times} times"));
        }
    }
    let handles: Vec<OperatorHandle> = world.handles().collect();
    let height = handles.iter().map(|handle| handle.header().height.0).min().unwrap_or(0);
    let checkpoints = agreed(&handles, height, &mut violations);
    if handles.len() != world.config.operators {
        violations.push(format!("{} operators run, {} should", handles.len(), world.config.operators));
    }
    advances_are_real(world, &checkpoints, &mut violations);
    certificates_hold(world, &handles, &checkpoints, &mut violations);

    let mut trace = world.trace.hash().to_vec();
    trace.extend_from_slice(world.context.auditor().state().as_bytes());
    for checkpoint in &checkpoints {
        trace.extend_from_slice(checkpoint.header.hash().as_slice());
    }
    Report {
        seed: world.config.seed,
        trace_hash: keccak256(trace),
        sent: tally.sent.len(),
        executed: tally.sent.iter().filter(|id| tally.executed.contains_key(*id)).count(),
        duplicates: tally.executed.values().map(|times| times - 1).sum(),
        changes: checkpoints.iter().map(|checkpoint| checkpoint.body.changes.len()).sum(),
        violations,
        height,
        took_ms: world.elapsed_ms(),
    }
}

/// The checkpoints up to `height`, on which all operators that remember them must agree.
fn agreed(handles: &[OperatorHandle], height: u64, violations: &mut Vec<String>) -> Vec<Arc<Checkpoint>> {
    let mut agreed: BTreeMap<Height, Arc<Checkpoint>> = BTreeMap::new();
    for (index, handle) in handles.iter().enumerate() {
        for at in (1..=height).map(Height) {
            let Some(checkpoint) = handle.checkpoint(at) else { continue };
            let known = agreed.entry(at).or_insert_with(|| checkpoint.clone());
            if known.header != checkpoint.header {
                violations.push(format!("operator {index} has another checkpoint at height {at}"));
            }
        }
    }
    if agreed.len() as u64 != height {
        violations.push(format!("{} of {height} checkpoints are remembered", agreed.len()));
    }
    agreed.into_values().collect()
}

/// Every block that a checkpoint advanced is one that its chain made, with the state that execution gives.
fn advances_are_real(world: &World, checkpoints: &[Arc<Checkpoint>], violations: &mut Vec<String>) {
    let chains: BTreeMap<ChainId, _> =
        world.cast.rollups.iter().map(|rollup| (rollup.chain.chain_id(), &rollup.chain)).collect();
    for checkpoint in checkpoints {
        let at = checkpoint.header.height;
        for advance in &checkpoint.body.advances {
            for block in &advance.blocks {
                let chain = chains.get(&advance.chain_id);
                let computed = chain.and_then(|chain| chain.state_after(block.block));
                if computed != Some(block.state_root) {
                    let declared = (block.block, block.state_root);
                    violations.push(format!("height {at} advances to {declared:?}, execution gives {computed:?}"));
                }
            }
        }
    }
}

/// Every certificate that an operator serves holds, and is one for the header that was finalised.
fn certificates_hold(
    world: &World,
    handles: &[OperatorHandle],
    checkpoints: &[Arc<Checkpoint>],
    violations: &mut Vec<String>,
) {
    let table = world.cast.network.committee.table();
    let mut held = BTreeSet::new();
    for handle in handles {
        for checkpoint in checkpoints {
            let at = checkpoint.header.height;
            let Some(certificate) = handle.certificate(at).filter(|certificate| certificate.height == at) else {
                continue;
            };
            if certificate.header_hash != checkpoint.header.hash() {
                violations.push(format!("the certificate of height {at} is for another header"));
            }
            let encoded = hum_types::Encode::encode(&*certificate);
            if held.insert(keccak256(&encoded))
                && let Err(error) = (*certificate).clone().verify(table, world.cast.network.domain)
            {
                violations.push(format!("the certificate of height {at} does not hold: {error}"));
            }
        }
    }
    if !checkpoints.is_empty() && held.is_empty() {
        violations.push("nothing was certified".into());
    }
}
