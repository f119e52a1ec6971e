//! A block as a judge takes it from a node of its own: what is claimed for it, and what it says.
//!
//! | stack | hash that is claimed | state root |
//! |---|---|---|
//! | hash binds everything (Nitro) | the block's | the block's |
//! | hash binds less (ZKsync) | of the block's hash and the state root together | of the batch that the block is in, once that is sealed |

use super::{Binding, Stack, StackBlock, read_block, read_receipts, wire, zksync};
use crate::{At, Chain, Log, LogQuery, RawBlock, RawWitness, ReadError, StateProof, rpc::RpcChain};
use alloy_primitives::U256;
use futures::future::{BoxFuture, FutureExt};
use hum_types::{Address, B256, BlockRef, Bytes, ChainId, Confidence, TimeMs, bound_hash};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// A block of a chain that judges follow, read from one node and held against its hash as far as that binds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnBlock {
    /// Number, and the hash that is claimed.
    pub block: BlockRef,
    /// The hash that the chain itself gives it.
    pub own_hash: B256,
    /// The block below, by the hash that is claimed for that.
    pub parent: B256,
    /// State root, or what stands for one.
    pub state_root: B256,
    /// Its time.
    pub time_ms: TimeMs,
    /// All its receipts, in order.
    pub receipts: Vec<wire::Receipt>,
    /// The batch that it is in, where its stack's blocks name one.
    pub batch: Option<u64>,
}

/// What is claimed for a block: number and hash, and the state root behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Claimed {
    block: BlockRef,
    state_root: B256,
    batch: Option<u64>,
}

/// Read a block as it is claimed; `None` while the node does not have it, or its batch is not sealed.
pub async fn read_own(
    stack: &dyn Stack,
    node: &RpcChain,
    number: u64,
) -> Result<Option<OwnBlock>, ReadError> {
    let Some(block) = read_block(stack, node, At::Number(number)).await? else { return Ok(None) };
    let Some(claimed) = claimed(node, &block).await? else { return Ok(None) };
    let parent = if block.binding.needs_commitment() {
        let below = number.checked_sub(1).ok_or_else(|| missing("block below the first"))?;
        let Some(below) = read_block(stack, node, At::Number(below)).await? else { return Ok(None) };
        same("parent's hash", block.parent_hash, below.block.hash)?;
        let Some(below) = self::claimed(node, &below).await? else { return Ok(None) };
        below.block.hash
    } else {
        block.parent_hash
    };
    let receipts = read_receipts(stack, node, &block).await?;
    Ok(Some(OwnBlock {
        block: claimed.block,
        own_hash: block.block.hash,
        parent,
        state_root: claimed.state_root,
        time_ms: block.time_ms,
        receipts,
        batch: claimed.batch,
    }))
}

/// Number and hash that are claimed for a node's block, without its receipts: enough for an anchor.
pub async fn read_anchor(
    stack: &dyn Stack,
    node: &RpcChain,
    number: u64,
) -> Result<Option<(BlockRef, B256, TimeMs)>, ReadError> {
    let Some(block) = read_block(stack, node, At::Number(number)).await? else { return Ok(None) };
    let claimed = claimed(node, &block).await?;
    Ok(claimed.map(|claimed| (claimed.block, claimed.state_root, block.time_ms)))
}

async fn claimed(node: &RpcChain, block: &StackBlock) -> Result<Option<Claimed>, ReadError> {
    let number = block.block.number;
    if let Binding::Contents { state_root, .. } = &block.binding {
        return Ok(Some(Claimed { block: block.block, state_root: *state_root, batch: None }));
    }
    let batch = match block.batch {
        Some(batch) => batch,
        None => {
            let details = zksync::BlockDetails::read(node, number).await?;
            // Of a block, the root is its hash.
            if let Some(hash) = details.progress.root_hash {
                same("block's hash", block.block.hash, hash)?;
            }
            details.l1_batch_number
        }
    };
    let details = zksync::BatchDetails::read(node, batch).await?;
    same("batch's number", batch, details.number)?;
    let Some(state_root) = details.state_commitment() else { return Ok(None) };
    let (first, last) = zksync::BatchDetails::blocks(node, batch).await?;
    if !(first..=last).contains(&number) {
        return Err(ReadError::Mismatch {
            method: "zks_getL1BatchBlockRange",
            field: "blocks of the batch",
            declared: format!("{first} to {last}"),
            computed: number.to_string(),
        });
    }
    let hash = bound_hash(block.block.hash, state_root);
    Ok(Some(Claimed { block: BlockRef { number, hash }, state_root, batch: Some(batch) }))
}

fn missing(what: &str) -> ReadError {
    ReadError::Missing { method: "eth_getBlockByNumber", what: what.to_owned() }
}

fn same<T: PartialEq + ToString>(field: &'static str, declared: T, computed: T) -> Result<(), ReadError> {
    if declared == computed {
        return Ok(());
    }
    let (declared, computed) = (declared.to_string(), computed.to_string());
    Err(ReadError::Mismatch { method: "eth_getBlockByNumber", field, declared, computed })
}

/// What a node calls itself. Its word, and often the only way to know a stand-in.
pub async fn client_of(node: &RpcChain) -> Result<String, ReadError> {
    node.ask("web3_clientVersion", serde_json::json!([])).await
}

/// Batches that are looked at for one that is sealed.
const BATCHES_BACK: u64 = 8;
/// Hashes that are remembered by number: more than any publisher has under way.
const REMEMBERED: usize = 1_024;

/// A node of such a chain, as the chain's own publisher takes it: blocks under the hashes that are claimed, without bytes
/// and without witness, because nobody re-executes them.
#[derive(Debug)]
pub struct OwnChain {
    stack: Box<dyn Stack>,
    node: Arc<RpcChain>,
    /// What was claimed can be asked for again by its hash.
    seen: Mutex<BTreeMap<B256, u64>>,
}

impl OwnChain {
    /// A publisher's view of a node.
    #[must_use]
    pub fn new(stack: Box<dyn Stack>, node: Arc<RpcChain>) -> Self {
        Self { stack, node, seen: Mutex::new(BTreeMap::new()) }
    }

    async fn at(&self, number: u64) -> Result<Option<RawBlock>, ReadError> {
        let Some(own) = read_own(&*self.stack, &self.node, number).await? else { return Ok(None) };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(own.block.hash, number);
        if seen.len() > REMEMBERED
            && let Some(oldest) = seen.iter().min_by_key(|(_, number)| **number).map(|(hash, _)| *hash)
        {
            seen.remove(&oldest);
        }
        let OwnBlock { block, parent: parent_hash, state_root, time_ms, .. } = own;
        Ok(Some(RawBlock { block, parent_hash, state_root, time_ms, rlp: Bytes::new() }))
    }

    /// The newest block at or below a number for which something can be claimed.
    async fn claimable(&self, number: u64) -> Result<BlockRef, ReadError> {
        if let Some((block, ..)) = read_anchor(&*self.stack, &self.node, number).await? {
            return Ok(block);
        }
        let newest = zksync::BatchDetails::newest(&self.node).await?;
        for batch in (newest.saturating_sub(BATCHES_BACK)..=newest).rev() {
            let (_, last) = zksync::BatchDetails::blocks(&self.node, batch).await?;
            if let Some((block, ..)) = read_anchor(&*self.stack, &self.node, last.min(number)).await? {
                return Ok(block);
            }
        }
        Err(missing("block of a sealed batch"))
    }
}

impl Chain for OwnChain {
    fn chain_id(&self) -> ChainId {
        Chain::chain_id(&*self.node)
    }

    fn head(&self, tag: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        async move {
            let heads = self.stack.heads(&self.node).await?;
            let head = match tag {
                Confidence::Latest => Some(heads.latest),
                Confidence::Safe => heads.safe,
                Confidence::Finalized => heads.finalized,
            };
            self.claimable(head.ok_or_else(|| missing("such a head"))?.number).await
        }
        .boxed()
    }

    fn block(&self, at: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        async move {
            match at {
                At::Number(number) => self.at(number).await,
                At::Hash(hash) => {
                    let number = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&hash).copied();
                    let Some(number) = number else { return Ok(None) };
                    Ok(self.at(number).await?.filter(|block| block.block.hash == hash))
                }
                At::Tag(tag) => {
                    let head = self.head(tag).await?;
                    self.at(head.number).await
                }
            }
        }
        .boxed()
    }

    fn witness(&self, _block: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        // Nobody re-executes: there is nothing to witness.
        std::future::ready(Ok(RawWitness::Encoded(Bytes::new()))).boxed()
    }

    fn logs(&self, query: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        self.node.logs(query)
    }

    fn call(&self, to: Address, data: Bytes, at: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        self.node.call(to, data, at)
    }

    fn storage(&self, account: Address, slot: B256, at: At) -> BoxFuture<'_, Result<B256, ReadError>> {
        self.node.storage(account, slot, at)
    }

    fn proof(
        &self,
        account: Address,
        slots: Vec<B256>,
        at: At,
    ) -> BoxFuture<'_, Result<StateProof, ReadError>> {
        self.node.proof(account, slots, at)
    }

    fn code(&self, account: Address, at: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        self.node.code(account, at)
    }

    fn balance(&self, account: Address) -> BoxFuture<'_, Result<U256, ReadError>> {
        self.node.balance(account)
    }

    fn nonce(&self, account: Address) -> BoxFuture<'_, Result<u64, ReadError>> {
        self.node.nonce(account)
    }
}
