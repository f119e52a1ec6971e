//! The contract on L1, read and written.

use alloy_primitives::U256;
use alloy_sol_types::{SolCall as _, SolError as _};
use hum_batch::{Batch, BlobError, to_blobs};
use hum_chain::{At, Call, Chain, ReadError, SubmitError, contracts::BatchInbox};
use hum_types::{Address, BlockRef, Bytes, Confidence, RegistrationId};
use serde::{Deserialize, Serialize};

/// The newest batch that L1 has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostedBatch {
    /// Its position among the rollup's batches, from 0.
    pub index: u64,
    /// Its last block.
    pub last: BlockRef,
    /// The L1 block that has it.
    pub l1_block: u64,
}

/// What L1 has of a rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// L1's head when it was looked at.
    pub(super) head: BlockRef,
    /// The newest batch, when there is any.
    pub(super) newest: Option<PostedBatch>,
}

/// What a refusal by the contract means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// L1 has moved on: look again.
    NotNext,
    /// Our account may not post.
    NotBatcher,
    /// The registration has gone.
    Gone,
    /// Anything else.
    Other,
}

fn garbage(method: &'static str, error: impl ToString) -> ReadError {
    ReadError::Garbage { method, detail: error.to_string() }
}

/// What of the rollup stands at the head of L1.
pub(super) async fn look(
    l1: &dyn Chain,
    inbox: Address,
    registration: RegistrationId,
) -> Result<Seen, ReadError> {
    let head = l1.head(Confidence::Latest).await?;
    let (at, registration) = (At::Number(head.number), registration.0);
    let call = BatchInbox::batchCountCall { registration }.abi_encode();
    let answer = l1.call(inbox, call.into(), at).await?;
    let count = BatchInbox::batchCountCall::abi_decode_returns(&answer)
        .map_err(|error| garbage("batchCount", error))?;
    let Some(index) = count.checked_sub(U256::ONE) else { return Ok(Seen { head, newest: None }) };
    let call = BatchInbox::batchAtCall { registration, index }.abi_encode();
    let answer = l1.call(inbox, call.into(), at).await?;
    let batch =
        BatchInbox::batchAtCall::abi_decode_returns(&answer).map_err(|error| garbage("batchAt", error))?;
    let last = BlockRef { number: batch.last, hash: batch.lastHash };
    let index = index.saturating_to();
    Ok(Seen { head, newest: Some(PostedBatch { index, last, l1_block: batch.l1Block }) })
}

/// Where the first batch starts, at `head`.
pub(super) async fn first(
    l1: &dyn Chain,
    inbox: Address,
    registration: RegistrationId,
    head: BlockRef,
) -> Result<u64, ReadError> {
    let call = BatchInbox::batchAtCall { registration: registration.0, index: U256::ZERO }.abi_encode();
    let answer = l1.call(inbox, call.into(), At::Number(head.number)).await?;
    let batch =
        BatchInbox::batchAtCall::abi_decode_returns(&answer).map_err(|error| garbage("batchAt", error))?;
    Ok(batch.first)
}

/// The call that posts a batch in its blobs.
pub(super) fn post_blobs(
    inbox: Address,
    registration: RegistrationId,
    batch: &Batch,
) -> Result<Call, BlobError> {
    let (registration, first, last) = (registration.0, batch.first(), batch.last());
    let call = BatchInbox::postBlobsCall { registration, first, last: last.number, lastHash: last.hash }
        .abi_encode();
    Ok(Call { blobs: to_blobs(batch.data())?, ..Call::new(inbox, call.into()) })
}

/// The call that posts a batch in its calldata.
pub(super) fn post(inbox: Address, registration: RegistrationId, batch: &Batch) -> Call {
    // The contract gives its last parameter no name.
    let (last, data) = (batch.last(), batch.data().clone());
    let call = BatchInbox::postCall::new((registration.0, batch.first(), last.number, last.hash, data));
    Call::new(inbox, call.abi_encode().into())
}

/// Why the contract would revert; `None` when the error is another.
pub(super) fn refusal(error: &SubmitError) -> Option<Refusal> {
    let SubmitError::Rejected { data, .. } = error else { return None };
    Some(refusal_in(data))
}

fn refusal_in(data: &Bytes) -> Refusal {
    let selector = data.get(..4).unwrap_or_default();
    if selector == BatchInbox::BatchNotNext::SELECTOR {
        Refusal::NotNext
    } else if selector == BatchInbox::NotBatcher::SELECTOR {
        Refusal::NotBatcher
    } else if selector == BatchInbox::RegistrationGone::SELECTOR {
        Refusal::Gone
    } else {
        Refusal::Other
    }
}
