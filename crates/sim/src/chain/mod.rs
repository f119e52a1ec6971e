//! A rollup's chain in memory: blocks made by the EVM that also judges them, with exact witnesses, and the faults that
//! a sequencer or its node can have.
//!
//! ```text
//! SimAccount ─Submit─▶ mempool ─produce(timestamp)─▶ block ─▶ Chain ◀─ SimNode (latency, garbage)
//! ```
//!
//! It makes a block only when told to, so the clock is whoever tells it.

mod account;
mod block;
mod genesis;
mod mempool;
mod node;
#[cfg(test)]
mod tests;

pub use account::{SimAccount, dev_key};
pub use block::BuildError;
pub use genesis::Genesis;
pub use node::SimNode;

use alloy_consensus::{Header, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes};
use block::{Made, Past, Sealed, Template};
use futures::channel::oneshot;
use genesis::Pieces;
use hum_chain::{Log, Outcome};
use hum_types::{BlockRef, ChainId};
use hum_verify::{ChainSpec, SpecError, Witness};
use mempool::{Mempool, Pending};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A chain; clones are the same one.
#[derive(Clone)]
pub struct SimChain(Arc<Mutex<Core>>);

/// What a reorganisation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reorg {
    /// The last block kept.
    pub kept: BlockRef,
    /// The blocks dropped, oldest first. Their transactions wait for a block again.
    pub dropped: Vec<BlockRef>,
}

/// A block with its evidence, as a sequencer holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockEvidence {
    /// The header.
    pub header: Header,
    /// Number and hash.
    pub block: BlockRef,
    /// The whole block, RLP.
    pub rlp: Bytes,
    /// What re-executing it reads.
    pub witness: Witness,
}

#[derive(Debug, Default)]
struct Faults {
    stalled: bool,
    wrong_state_root: bool,
    garbled_reads: u32,
}

struct Core {
    spec: ChainSpec,
    pieces: Pieces,
    behind: [u64; 3],
    /// Every block that was ever made.
    blocks: BTreeMap<B256, Sealed>,
    /// Hashes of the canonical chain, by number.
    canonical: Vec<B256>,
    /// Blocks that reorganisations took off it.
    dropped: BTreeSet<BlockRef>,
    mempool: Mempool,
    waiting: BTreeMap<B256, Vec<oneshot::Sender<Outcome>>>,
    faults: Faults,
    /// Marks the blocks of a branch, so that two branches never hold the same block by accident.
    branch: u64,
}

impl fmt::Debug for SimChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let core = self.lock();
        write!(f, "SimChain({} at {})", core.spec.chain_id(), core.head().block.number)
    }
}

impl SimChain {
    /// A chain of one block.
    pub fn new(genesis: &Genesis) -> Result<Self, SpecError> {
        let spec = genesis.spec()?;
        let (header, pieces) = genesis.seal();
        let first = Sealed::genesis(header);
        let core = Core {
            spec,
            pieces,
            behind: genesis.behind,
            canonical: vec![first.block.hash],
            blocks: BTreeMap::from([(first.block.hash, first)]),
            dropped: BTreeSet::new(),
            mempool: Mempool::default(),
            waiting: BTreeMap::new(),
            faults: Faults::default(),
            branch: 0,
        };
        Ok(Self(Arc::new(Mutex::new(core))))
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The chain.
    #[must_use]
    pub fn chain_id(&self) -> ChainId {
        self.lock().spec.chain_id()
    }

    /// Its rules.
    #[must_use]
    pub fn spec(&self) -> ChainSpec {
        self.lock().spec.clone()
    }

    /// The newest block.
    #[must_use]
    pub fn head(&self) -> BlockRef {
        self.lock().head().block
    }

    /// The first block's header.
    #[must_use]
    pub fn genesis_header(&self) -> Header {
        self.lock().first().header.clone()
    }

    /// The first block.
    #[must_use]
    pub fn genesis_block(&self) -> BlockRef {
        self.lock().first().block
    }

    /// A block of the canonical chain.
    #[must_use]
    pub fn evidence(&self, number: u64) -> Option<BlockEvidence> {
        self.lock().numbered(number).map(evidence)
    }

    /// The state root that executing a block gives, whatever its header says; for any block that was ever made.
    #[must_use]
    pub fn state_after(&self, block: BlockRef) -> Option<B256> {
        let core = self.lock();
        core.blocks.get(&block.hash).filter(|sealed| sealed.block == block).map(|sealed| sealed.state_root)
    }

    /// Whether the block is on the canonical chain, or was until a reorganisation.
    #[must_use]
    pub fn adopted(&self, block: BlockRef) -> bool {
        let core = self.lock();
        core.is_canonical(block) || core.dropped.contains(&block)
    }

    /// Whether the block is on the canonical chain.
    #[must_use]
    pub fn is_canonical(&self, block: BlockRef) -> bool {
        self.lock().is_canonical(block)
    }

    /// What became of the transactions of a canonical block, in order.
    #[must_use]
    pub fn outcomes(&self, number: u64) -> Vec<Outcome> {
        self.lock().numbered(number).map(|sealed| sealed.outcomes.clone()).unwrap_or_default()
    }

    /// The logs of a canonical block, in order.
    #[must_use]
    pub fn logs(&self, number: u64) -> Vec<Log> {
        self.outcomes(number).into_iter().flat_map(|outcome| outcome.logs).collect()
    }

    /// Make the next block; `None` while stalled. A timestamp (seconds) that the rules do not allow is moved up to the
    /// first that they do.
    pub fn produce(&self, timestamp: u64) -> Result<Option<BlockRef>, BuildError> {
        let mut core = self.lock();
        if core.faults.stalled { Ok(None) } else { core.produce(timestamp).map(Some) }
    }

    /// Hand in a signed transaction. The outcome comes when a block has it, and never when it cannot be executed.
    pub fn hand_in(&self, transaction: TxEnvelope, sender: Address) -> oneshot::Receiver<Outcome> {
        let (included, outcome) = oneshot::channel();
        let mut core = self.lock();
        core.waiting.entry(*transaction.tx_hash()).or_default().push(included);
        core.mempool.add(transaction, sender);
        outcome
    }

    // ---- Faults

    /// Stop making blocks, or go on.
    pub fn stall(&self, stalled: bool) {
        self.lock().faults.stalled = stalled;
    }

    /// Drop the newest `depth` blocks, never the first one. The next block opens a branch of its own.
    pub fn reorg(&self, depth: u64) -> Reorg {
        self.lock().reorg(depth)
    }

    /// Drop all blocks from the first on that declares a state root which execution does not give.
    pub fn take_back_lies(&self) -> Reorg {
        let mut core = self.lock();
        let honest = core.canonical.iter().filter_map(|hash| core.blocks.get(hash));
        let honest = honest.take_while(|sealed| sealed.header.state_root == sealed.state_root).count();
        let depth = core.canonical.len() - honest;
        core.reorg(depth as u64)
    }

    /// Let the next block declare a state root that execution does not give.
    pub fn lie_about_state(&self) {
        self.lock().faults.wrong_state_root = true;
    }

    /// Make a sibling of a canonical block, without transactions, that the chain does not adopt. `None` at genesis and
    /// above the head.
    pub fn equivocate(&self, number: u64) -> Result<Option<BlockEvidence>, BuildError> {
        self.lock().equivocate(number)
    }

    /// Let every node of the chain answer the next `reads` questions for blocks and witnesses with garbage.
    pub fn garble(&self, reads: u32) {
        self.lock().faults.garbled_reads = reads;
    }
}

fn evidence(sealed: &Sealed) -> BlockEvidence {
    let Sealed { header, block, rlp, witness, .. } = sealed.clone();
    BlockEvidence { header, block, rlp, witness }
}

impl Core {
    fn past(&self, upto: usize) -> Past<'_> {
        let hashes = self.canonical.get(..=upto).unwrap_or(&self.canonical);
        Past { pieces: &self.pieces, blocks: &self.blocks, hashes }
    }

    fn first(&self) -> &Sealed {
        self.canonical.first().and_then(|hash| self.blocks.get(hash)).expect("a chain has its first block")
    }

    fn head(&self) -> &Sealed {
        self.canonical.last().and_then(|hash| self.blocks.get(hash)).expect("a chain has its first block")
    }

    fn numbered(&self, number: u64) -> Option<&Sealed> {
        self.blocks.get(self.canonical.get(usize::try_from(number).ok()?)?)
    }

    fn is_canonical(&self, block: BlockRef) -> bool {
        self.numbered(block.number).is_some_and(|sealed| sealed.block == block)
    }

    fn nonce(&self, account: Address) -> u64 {
        self.past(usize::MAX).account(account).map_or(0, |(nonce, _)| nonce)
    }

    fn template(&self, parent: &Sealed, timestamp: u64) -> Template {
        let earliest = parent.header.timestamp + u64::from(!self.spec.allow_equal_timestamps());
        let extra_data = if self.branch == 0 { Bytes::new() } else { self.branch.to_be_bytes().into() };
        Template { timestamp: timestamp.max(earliest), extra_data, wrong_state_root: false }
    }

    fn keep(&mut self, made: Made) -> BlockRef {
        for (hash, node) in made.nodes {
            self.pieces.nodes.insert_hashed(hash, node);
        }
        self.pieces.codes.extend(made.codes);
        let block = made.sealed.block;
        self.blocks.insert(block.hash, made.sealed);
        block
    }

    fn produce(&mut self, timestamp: u64) -> Result<BlockRef, BuildError> {
        let wrong_state_root = std::mem::take(&mut self.faults.wrong_state_root);
        let template = Template { wrong_state_root, ..self.template(self.head(), timestamp) };
        let candidates = self.mempool.ready(|account| self.nonce(account));
        let mut made = block::make(&self.spec, self.past(usize::MAX), template, candidates)?;
        let (refused, outcomes) = (std::mem::take(&mut made.refused), made.sealed.outcomes.clone());
        let block = self.keep(made);
        self.canonical.push(block.hash);
        for outcome in outcomes {
            for included in self.waiting.remove(&outcome.tx_hash).unwrap_or_default() {
                // Whoever asked may have stopped waiting.
                let _ = included.send(outcome.clone());
            }
        }
        self.forget(&refused);
        Ok(block)
    }

    /// Drop what can never be included, and what is.
    fn forget(&mut self, refused: &[Pending]) {
        let mut mempool = std::mem::take(&mut self.mempool);
        refused.iter().for_each(|pending| mempool.remove(pending));
        let gone = mempool.prune(|account| self.nonce(account));
        self.mempool = mempool;
        for pending in refused.iter().chain(&gone) {
            self.waiting.remove(pending.transaction.tx_hash());
        }
    }

    fn reorg(&mut self, depth: u64) -> Reorg {
        let most = self.canonical.len() - 1;
        let depth = usize::try_from(depth).unwrap_or(most).min(most);
        let dropped = self.canonical.split_off(self.canonical.len() - depth);
        self.branch += 1;
        let mut blocks = Vec::with_capacity(depth);
        for sealed in dropped.iter().filter_map(|hash| self.blocks.get(hash)) {
            blocks.push(sealed.block);
            for pending in &sealed.transactions {
                self.mempool.add(pending.transaction.clone(), pending.sender);
            }
        }
        self.dropped.extend(&blocks);
        Reorg { kept: self.head().block, dropped: blocks }
    }

    fn equivocate(&mut self, number: u64) -> Result<Option<BlockEvidence>, BuildError> {
        let (Some(parent), Some(own)) = (number.checked_sub(1), self.numbered(number)) else {
            return Ok(None);
        };
        let timestamp = own.header.timestamp;
        self.branch += 1;
        let Some(below) = self.numbered(parent) else { return Ok(None) };
        let past = self.past(usize::try_from(parent).unwrap_or(usize::MAX));
        let made = block::make(&self.spec, past, self.template(below, timestamp), Vec::new())?;
        let sibling = evidence(&made.sealed);
        self.keep(made);
        Ok(Some(sibling))
    }
}
