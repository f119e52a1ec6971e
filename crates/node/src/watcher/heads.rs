//! Attested heads against their own chains: is the state root in the block, are the lanes what the slots hold?
//!
//! What a rollup's node says is checked before it counts: a header must hash to the attested hash, a slot must be proven under
//! the attested state root. A node that lies, or is away, hides a fault; it cannot make one.

use super::evidence::{
    Charge, HeadStatement, LaneCharge, LaneStatement, WordProof, header_fields, header_of,
};
use hum_chain::{At, Chain, ReadError};
use hum_ledger::State;
use hum_types::{B256, BlockRef, Bytes, ChainId, Class, Confidence, Header, LaneLeaf, TimeMs, keccak256};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Heads of one chain that wait; when its node is too slow the oldest are passed over.
const WAITING_MAX: usize = 256;
/// Pause after a failure.
const AGAIN_MS: u64 = 1_000;
/// Failures after which a head is passed over.
const FAILURES_MAX: u32 = 10;

/// A head to hold against its chain.
#[derive(Debug, Clone)]
pub(crate) struct HeadCheck {
    pub(crate) header: Header,
    pub(crate) head: HeadStatement,
    lanes: Vec<LaneLeaf>,
    anchor: BlockRef,
}

impl HeadCheck {
    /// The heads that the header of this state advanced and whose blocks are Ethereum's: no other can be judged.
    pub(crate) fn all(state: &State) -> Vec<Self> {
        let header = *state.header();
        let judged = state.rollups().filter(|rollup| {
            let params = rollup.params();
            params.class == Class::Reexecuted
                && rollup.latest().advanced_at == header.height
                && rollup.latest().block != params.anchor
        });
        let checks = judged.filter_map(|rollup| {
            let head = HeadStatement::of(state, rollup.params().chain_id, Confidence::Latest)?;
            Some(Self {
                header,
                head,
                lanes: rollup.lanes(Confidence::Latest),
                anchor: rollup.params().anchor,
            })
        });
        checks.collect()
    }

    pub(crate) fn chain_id(&self) -> ChainId {
        self.head.chain_id()
    }

    /// What the chain contradicts, if anything.
    pub(crate) async fn run(&self, chain: &dyn Chain) -> Result<Option<Charge>, ReadError> {
        let part = self.head.part;
        let block_header = header_at(chain, part.block.hash).await?;
        let (number, state_root) = header_fields(&block_header)
            .ok_or(garbage("eth_getBlockByHash", "a header without number or state root"))?;
        if (number, state_root) != (part.block.number, part.state_root) {
            return Ok(Some(Charge::StateRoot { block_header }));
        }
        for (at, leaf) in self.lanes.iter().enumerate() {
            let Some(lane) = LaneStatement::of(&self.lanes, at) else { continue };
            let slot = word(chain, &lane, part.block.hash, part.state_root).await?;
            if slot.lane() == leaf.slot.to_word() {
                continue;
            }
            let anchor = header_at(chain, self.anchor.hash).await?;
            let (_, anchor_root) = header_fields(&anchor)
                .ok_or(garbage("eth_getBlockByHash", "an anchor without number or state root"))?;
            let at_anchor = word(chain, &lane, self.anchor.hash, anchor_root).await?;
            // Whoever counts from the anchor cannot know what was there before.
            if at_anchor.lane() == B256::ZERO {
                return Ok(Some(Charge::Lane(Box::new(LaneCharge { lane, slot, anchor, at_anchor }))));
            }
        }
        Ok(None)
    }
}

fn garbage(method: &'static str, detail: &str) -> ReadError {
    ReadError::Garbage { method, detail: detail.into() }
}

/// A block's header, which hashes to `hash`.
async fn header_at(chain: &dyn Chain, hash: B256) -> Result<Bytes, ReadError> {
    let method = "eth_getBlockByHash";
    let missing = || ReadError::Missing { method, what: hash.to_string() };
    let block = chain.block(At::Hash(hash)).await?.ok_or_else(missing)?;
    let header = header_of(&block.rlp).ok_or(garbage(method, "a block without header"))?;
    let computed = keccak256(&header);
    if computed == hash {
        return Ok(header);
    }
    let (declared, computed) = (hash.to_string(), computed.to_string());
    Err(ReadError::Mismatch { method, field: "block hash", declared, computed })
}

/// A lane's slot, proven under a state root.
async fn word(
    chain: &dyn Chain,
    lane: &LaneStatement,
    block: B256,
    state_root: B256,
) -> Result<WordProof, ReadError> {
    let proof = chain.proof(lane.facade(), vec![lane.slot()], At::Hash(block)).await?;
    proof.check(state_root).map_err(|error| garbage("eth_getProof", &error.to_string()))?;
    let asked = (proof.account, lane.slot());
    let mut slots = proof.slots.into_iter();
    let slot = slots.next().filter(|slot| asked == (lane.facade(), slot.slot));
    let slot = slot.ok_or(garbage("eth_getProof", "another slot than the one asked for"))?;
    Ok(WordProof { word: slot.word, account: proof.nodes, storage: slot.nodes })
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<HeadCheck>,
    out: bool,
    failures: u32,
    due: TimeMs,
}

/// Which heads wait, by chain; one of each chain is under way at a time.
#[derive(Debug, Default)]
pub(crate) struct HeadBook {
    chains: BTreeMap<ChainId, Arc<dyn Chain>>,
    queues: BTreeMap<ChainId, Queue>,
    passed_over: u64,
}

impl HeadBook {
    /// Heads of these chains can be looked at.
    pub(crate) fn new(chains: BTreeMap<ChainId, Arc<dyn Chain>>) -> Self {
        Self { chains, ..Self::default() }
    }

    /// Heads of one more chain can be looked at.
    pub(crate) fn admit(&mut self, chain_id: ChainId, chain: Arc<dyn Chain>) {
        self.chains.entry(chain_id).or_insert(chain);
    }

    /// Heads were attested, or soon will be.
    pub(crate) fn add(&mut self, checks: Vec<HeadCheck>) {
        for check in checks {
            let chain_id = check.chain_id();
            if !self.chains.contains_key(&chain_id) {
                continue;
            }
            let queue = self.queues.entry(chain_id).or_default();
            queue.waiting.push_back(check);
            if queue.waiting.len() > WAITING_MAX {
                queue.waiting.pop_front();
                self.passed_over += 1;
            }
        }
    }

    /// The next one to look at, with its chain.
    pub(crate) fn next(&mut self, now: TimeMs) -> Option<(HeadCheck, Arc<dyn Chain>)> {
        let ready = |queue: &Queue| !queue.out && queue.due <= now && !queue.waiting.is_empty();
        let (chain_id, queue) = self.queues.iter_mut().find(|(_, queue)| ready(queue))?;
        let chain = self.chains.get(chain_id)?.clone();
        queue.out = true;
        Some((queue.waiting.pop_front()?, chain))
    }

    /// It was told.
    pub(crate) fn done(&mut self, chain_id: ChainId) {
        if let Some(queue) = self.queues.get_mut(&chain_id) {
            (queue.out, queue.failures) = (false, 0);
        }
    }

    /// It could not be told: once more later, unless it failed too often. `false` when it is passed over.
    pub(crate) fn again(&mut self, check: HeadCheck, now: TimeMs) -> bool {
        let Some(queue) = self.queues.get_mut(&check.chain_id()) else { return false };
        (queue.out, queue.due) = (false, TimeMs(now.0.saturating_add(AGAIN_MS)));
        queue.failures += 1;
        if queue.failures < FAILURES_MAX {
            queue.waiting.push_front(check);
            return true;
        }
        queue.failures = 0;
        self.passed_over += 1;
        false
    }

    /// Heads that nobody looked at, because a node was away or too slow.
    pub(crate) const fn passed_over(&self) -> u64 {
        self.passed_over
    }
}
