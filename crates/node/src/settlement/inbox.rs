//! Batches in the inbox on L1.

use super::{
    Nodes, Place, Posted, Proven, Settlement, Span, Unread,
    posting::{BlobSource, Post},
};
use crate::{
    config::{Network, SettlementEntry},
    members::Members,
};
use alloy_consensus::{Block, Transaction as _, TxEnvelope};
use alloy_rlp::Decodable as _;
use alloy_sol_types::{SolCall as _, SolEvent as _};
use futures::{FutureExt as _, future::BoxFuture};
use hum_batch::Batch;
use hum_chain::{At, Blobs, Chain, Log, LogQuery, ReadError, contracts::BatchInbox};
use hum_types::{Address, B256, BlockRef, ChainId, Confidence, L1Origin, TimeMs};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The inboxes of a network's members behind an L1 node.
#[derive(Debug)]
pub struct L1Settlement {
    pub(super) chain: Arc<dyn Chain>,
    pub(super) members: Members,
    /// The deployment's, which a member that is settled otherwise must not post to.
    pub(super) inbox: Option<Address>,
    pub(super) nodes: Option<Arc<dyn Nodes>>,
    blobs: BlobSource,
}

impl L1Settlement {
    /// Read the inboxes that `network` names through `chain`.
    #[must_use]
    pub fn new(chain: Arc<dyn Chain>, network: &Network) -> Self {
        let (members, inbox) = (network.members.clone(), network.batch_inbox());
        Self { members, inbox, chain, nodes: None, blobs: BlobSource::default() }
    }

    /// Open what stacks' own contracts hold by way of these nodes.
    #[must_use]
    pub fn with_nodes(self, nodes: Arc<dyn Nodes>) -> Self {
        Self { nodes: Some(nodes), ..self }
    }

    /// Read what is posted in blobs from this node.
    #[must_use]
    pub fn with_blobs(self, blobs: Arc<dyn Blobs>) -> Self {
        Self { blobs: BlobSource::new(blobs), ..self }
    }

    /// The members of the moment, by where and as what they post.
    fn posting(&self) -> BTreeMap<(Address, B256), ChainId> {
        let all = self.members.all();
        let posting = all.iter().filter_map(|member| match member.entry.settlement? {
            SettlementEntry::Batches { inbox, .. } => {
                Some(((inbox, member.entry.registration.0), member.entry.chain_id))
            }
            SettlementEntry::OpStack { .. } | SettlementEntry::Nitro { .. } => None,
        });
        posting.collect()
    }

    async fn read(&self, from: u64, to: u64) -> Result<Vec<Posted>, ReadError> {
        let posting = self.posting();
        let inboxes: BTreeSet<Address> = posting.keys().map(|(inbox, _)| *inbox).collect();
        if inboxes.is_empty() {
            return Ok(Vec::new());
        }
        let topics = vec![BatchInbox::BatchPosted::SIGNATURE_HASH];
        let addresses = inboxes.into_iter().collect();
        let logs = self.chain.logs(LogQuery { from, to, addresses, topics }).await?;
        let mut posted = Vec::new();
        let mut held: Option<L1Block> = None;
        for log in &logs {
            let event = BatchInbox::BatchPosted::decode_raw_log(log.topics.iter().copied(), &log.data)
                .map_err(|error| garbage(format!("BatchPosted in transaction {}: {error}", log.tx_hash)))?;
            let Some(chain_id) = posting.get(&(log.address, event.registration)) else { continue };
            let block = match &held {
                Some(block) if block.hash == log.block.hash => block,
                _ => held.insert(self.l1_block(log.block.hash).await?),
            };
            let index = u64::try_from(event.index)
                .map_err(|_| garbage(format!("batch index {} in {}", event.index, log.tx_hash)))?;
            let said = BlockRef { number: event.last, hash: event.lastHash };
            posted.push(Posted {
                chain_id: *chain_id,
                index,
                l1: L1Origin { number: log.block.number, hash: log.block.hash },
                span: self.span(log, block, event.registration, event.first, said).await,
            });
        }
        Ok(posted)
    }

    /// The inbox keeps where each batch ends: what comes after one needs no reading of those before it.
    async fn placed(
        &self,
        chain_id: ChainId,
        head: BlockRef,
        l1_number: u64,
    ) -> Result<Option<Place>, ReadError> {
        let Some(member) = self.members.get(chain_id) else { return Ok(None) };
        let Some(SettlementEntry::Batches { inbox, .. }) = member.entry.settlement else { return Ok(None) };
        let (registration, at) = (member.entry.registration.0, At::Number(l1_number));
        let bad = |error: alloy_sol_types::Error| garbage(format!("inbox {inbox}: {error}"));
        let call = BatchInbox::batchOfCall { registration, number: head.number }.abi_encode();
        let answer = self.chain.call(inbox, call.into(), at).await?;
        let index = BatchInbox::batchOfCall::abi_decode_returns_validate(&answer).map_err(bad)?;
        let call = BatchInbox::batchCountCall { registration }.abi_encode();
        let answer = self.chain.call(inbox, call.into(), at).await?;
        if index >= BatchInbox::batchCountCall::abi_decode_returns_validate(&answer).map_err(bad)? {
            return Ok(None);
        }
        let call = BatchInbox::batchAtCall { registration, index }.abi_encode();
        let answer = self.chain.call(inbox, call.into(), at).await?;
        let batch = BatchInbox::batchAtCall::abi_decode_returns_validate(&answer).map_err(bad)?;
        if (batch.last, batch.lastHash) != (head.number, head.hash) {
            return Ok(None);
        }
        // The next one may stand in the same L1 block.
        let next = u64::try_from(index).ok().and_then(|index| index.checked_add(1));
        let next = next.ok_or_else(|| garbage(format!("inbox {inbox}: batch {index}")))?;
        Ok(Some(Place { next, l1_block: batch.l1Block }))
    }

    /// An L1 block's transactions. Its bytes are checked against the block's hash.
    async fn l1_block(&self, hash: B256) -> Result<L1Block, ReadError> {
        let missing = || ReadError::Missing { method: "block", what: format!("L1 block {hash}") };
        let raw = self.chain.block(At::Hash(hash)).await?.ok_or_else(missing)?;
        let decoded = Block::<TxEnvelope>::decode(&mut raw.rlp.as_ref())
            .map_err(|error| garbage(format!("L1 block {hash}: {error}")))?;
        let transactions = decoded.body.transactions.into_iter();
        let transactions = transactions.map(|transaction| (*transaction.hash(), transaction)).collect();
        Ok(L1Block { hash, time_ms: raw.time_ms, transactions })
    }

    /// What the data of a post hold.
    async fn span(
        &self,
        log: &Log,
        block: &L1Block,
        registration: B256,
        first: u64,
        said: BlockRef,
    ) -> Result<Span, Unread> {
        let post = post_of(log, block, registration).map_err(Unread::Broken)?;
        let data = self.blobs.data(&post.data, block.time_ms).await?;
        span_of(&data, first, said).map_err(Unread::Broken)
    }
}

/// What is needed of an L1 block.
#[derive(Debug)]
struct L1Block {
    hash: B256,
    time_ms: TimeMs,
    transactions: BTreeMap<B256, TxEnvelope>,
}

fn garbage(detail: String) -> ReadError {
    ReadError::Garbage { method: "posted", detail }
}

/// The post that an event is of.
fn post_of(log: &Log, block: &L1Block, registration: B256) -> Result<Post, String> {
    let tx_hash = log.tx_hash;
    let transaction = block.transactions.get(&tx_hash);
    let transaction = transaction.ok_or_else(|| format!("its block has no transaction {tx_hash}"))?;
    if transaction.to() != Some(log.address) {
        return Err(format!(
            "transaction {tx_hash} does not go to the inbox itself: its data are not looked for"
        ));
    }
    let post = Post::read(transaction).map_err(|error| format!("transaction {tx_hash}: {error}"))?;
    if post.registration != registration {
        return Err(format!(
            "transaction {tx_hash} posts for {}, its event says {registration}",
            post.registration
        ));
    }
    Ok(post)
}

/// What the data of a post hold.
fn span_of(data: &[u8], first: u64, said: BlockRef) -> Result<Span, String> {
    let blocks = Batch::decode(data).map_err(|error| error.to_string())?;
    let hashes = blocks.blocks.iter().map(|block| block.block.hash).collect();
    let span = Span { first: blocks.first().number, parent: blocks.parent, last: blocks.last(), hashes };
    if span.first != first || span.last != said {
        let (begins, ends) = (span.first, span.last);
        return Err(format!("its data are blocks {begins} to {ends}, it says {first} to {said}"));
    }
    Ok(span)
}

impl Settlement for L1Settlement {
    fn head(&self, tag: Confidence) -> BoxFuture<'_, Result<L1Origin, ReadError>> {
        async move {
            let block = self.chain.head(tag).await?;
            Ok(L1Origin { number: block.number, hash: block.hash })
        }
        .boxed()
    }

    fn hash_of(&self, number: u64) -> BoxFuture<'_, Result<Option<B256>, ReadError>> {
        async move {
            let block = self.chain.block(At::Number(number)).await?;
            Ok(block.map(|block| block.block.hash))
        }
        .boxed()
    }

    fn posted(&self, from: u64, to: u64) -> BoxFuture<'_, Result<Vec<Posted>, ReadError>> {
        self.read(from, to).boxed()
    }

    fn place(
        &self,
        chain_id: ChainId,
        head: BlockRef,
        l1_number: u64,
    ) -> BoxFuture<'_, Result<Option<Place>, ReadError>> {
        self.placed(chain_id, head, l1_number).boxed()
    }

    fn proven(&self, chain_id: ChainId, at: L1Origin) -> BoxFuture<'_, Result<Proven, ReadError>> {
        self.proven_at(chain_id, at).boxed()
    }

    fn below(
        &self,
        chain_id: ChainId,
        from: BlockRef,
        number: u64,
    ) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        L1Settlement::below(self, chain_id, from, number).boxed()
    }
}

#[cfg(test)]
mod tests;
