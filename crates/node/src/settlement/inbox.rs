//! Batches in the inbox on L1.

use super::{Place, Posted, Settlement, Span};
use crate::{
    config::{Network, SettlementEntry},
    members::Members,
};
use alloy_consensus::{Block, Transaction as _, TxEnvelope};
use alloy_rlp::Decodable as _;
use alloy_sol_types::{SolCall as _, SolEvent as _};
use futures::{FutureExt as _, future::BoxFuture};
use hum_batch::Batch;
use hum_chain::{At, Chain, Log, LogQuery, ReadError, contracts::BatchInbox};
use hum_types::{Address, B256, BlockRef, ChainId, Confidence, L1Origin};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The inboxes of a network's members behind an L1 node.
#[derive(Debug)]
pub struct L1Settlement {
    chain: Arc<dyn Chain>,
    members: Members,
}

impl L1Settlement {
    /// Read the inboxes that `network` names through `chain`.
    #[must_use]
    pub fn new(chain: Arc<dyn Chain>, network: &Network) -> Self {
        Self { members: network.members.clone(), chain }
    }

    /// The members of the moment, by where and as what they post.
    fn posting(&self) -> BTreeMap<(Address, B256), ChainId> {
        let all = self.members.all();
        let posting = all.iter().filter_map(|member| match member.entry.settlement? {
            SettlementEntry::Batches { inbox, .. } => {
                Some(((inbox, member.entry.registration.0), member.entry.chain_id))
            }
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
        let mut held: Option<(B256, BTreeMap<B256, TxEnvelope>)> = None;
        for log in &logs {
            let event = BatchInbox::BatchPosted::decode_raw_log(log.topics.iter().copied(), &log.data)
                .map_err(|error| garbage(format!("BatchPosted in transaction {}: {error}", log.tx_hash)))?;
            let Some(chain_id) = posting.get(&(log.address, event.registration)) else { continue };
            let transactions = match &held {
                Some((block, transactions)) if *block == log.block.hash => transactions,
                _ => &held.insert((log.block.hash, self.transactions(log.block.hash).await?)).1,
            };
            let index = u64::try_from(event.index)
                .map_err(|_| garbage(format!("batch index {} in {}", event.index, log.tx_hash)))?;
            let said = BlockRef { number: event.last, hash: event.lastHash };
            posted.push(Posted {
                chain_id: *chain_id,
                index,
                l1: L1Origin { number: log.block.number, hash: log.block.hash },
                span: span(log, transactions.get(&log.tx_hash), event.registration, event.first, said),
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

    /// An L1 block's transactions by hash. Its bytes are checked against the block's hash.
    async fn transactions(&self, block: B256) -> Result<BTreeMap<B256, TxEnvelope>, ReadError> {
        let missing = || ReadError::Missing { method: "block", what: format!("L1 block {block}") };
        let raw = self.chain.block(At::Hash(block)).await?.ok_or_else(missing)?;
        let decoded = Block::<TxEnvelope>::decode(&mut raw.rlp.as_ref())
            .map_err(|error| garbage(format!("L1 block {block}: {error}")))?;
        Ok(decoded
            .body
            .transactions
            .into_iter()
            .map(|transaction| (*transaction.hash(), transaction))
            .collect())
    }
}

fn garbage(detail: String) -> ReadError {
    ReadError::Garbage { method: "posted", detail }
}

/// What the calldata of a post hold.
fn span(
    log: &Log,
    transaction: Option<&TxEnvelope>,
    registration: B256,
    first: u64,
    said: BlockRef,
) -> Result<Span, String> {
    let tx_hash = log.tx_hash;
    let transaction = transaction.ok_or_else(|| format!("its block has no transaction {tx_hash}"))?;
    if transaction.to() != Some(log.address) {
        return Err(format!(
            "transaction {tx_hash} does not go to the inbox itself: its data are not looked for"
        ));
    }
    let post = BatchInbox::postCall::abi_decode_validate(transaction.input())
        .map_err(|error| format!("transaction {tx_hash}: {error}"))?;
    if post.registration != registration {
        return Err(format!(
            "transaction {tx_hash} posts for {}, its event says {registration}",
            post.registration
        ));
    }
    // The contract does not look at the data, so they have no name there.
    let blocks = Batch::decode(&post._4).map_err(|error| error.to_string())?;
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
}

#[cfg(test)]
mod tests;
