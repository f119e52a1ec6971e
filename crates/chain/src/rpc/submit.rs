//! Sending one account's transactions through a node: nonces, fees, dropped transactions.
//!
//! ```text
//! send ─▶ estimate ─▶ [nonce lock: sign, broadcast] ─▶ wait: receipt? ─▶ Outcome
//!                                                        │ no, for a while
//!                                                        └─▶ same nonce, higher fee ─▶ wait
//! ```
//!
//! A call with blobs goes the same way in a transaction of its own kind (EIP-4844), with the proofs that the L1's nodes want.
//! The nonce lock is held until the node has the transaction (or could not be asked), so nonces leave no gaps. The
//! state that matters is the chain's: after a restart the next nonce is read from the node.

mod tracking;

use super::RpcChain;
use crate::{
    BlobBytesError, Call, Chain, Outcome, ReadError, Submit, SubmitError,
    blobs::{Proofs, Sidecar, versioned_hashes},
};
use alloy::signers::{SignerSync, local::PrivateKeySigner};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEip4844, TxEip4844WithSidecar, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{TxKind, U64, U256};
use futures::future::{BoxFuture, FutureExt};
use hum_types::{Address, B256, Bytes, ChainId};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Mutex, Semaphore};

/// What gas may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeePolicy {
    /// The most that is paid for one gas, in wei.
    pub gas_price_max: u128,
    /// Added to an estimate, in percent of it: gas that a sibling transaction may make the call need.
    pub gas_margin_percent: u64,
    /// The most gas that one transaction may have (EIP-7825 allows 2²⁴).
    pub gas_limit_max: u64,
    /// The most that is paid for one gas of blobs, in wei.
    pub blob_gas_price_max: u128,
}

impl Default for FeePolicy {
    fn default() -> Self {
        Self {
            gas_price_max: 500_000_000_000,
            gas_margin_percent: 25,
            gas_limit_max: 1 << 24,
            blob_gas_price_max: 500_000_000_000,
        }
    }
}

/// How transactions are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubmitPolicy {
    /// Fees.
    pub fees: FeePolicy,
    /// Transactions that may wait for a block at the same time.
    pub in_flight_max: usize,
    /// How often a receipt is asked for.
    pub poll_interval_ms: u64,
    /// How long a transaction may wait before its fee is raised.
    pub resend_after_ms: u64,
    /// How long it is followed at all.
    pub give_up_after_ms: u64,
}

impl Default for SubmitPolicy {
    fn default() -> Self {
        Self {
            fees: FeePolicy::default(),
            in_flight_max: 1,
            poll_interval_ms: 50,
            resend_after_ms: 15_000,
            give_up_after_ms: 180_000,
        }
    }
}

/// Sends transactions of one key through one node. Cloning shares the queue; two queues for one key do no harm but
/// replace each other's transactions.
#[derive(Debug, Clone)]
pub struct RpcSubmit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    chain: RpcChain,
    signer: PrivateKeySigner,
    policy: SubmitPolicy,
    /// The nonce of the next transaction; `None` when the node must be asked.
    next_nonce: Mutex<Option<u64>>,
    /// Cleared when the node turns out to want one proof for each blob.
    cell_proofs: AtomicBool,
    slots: Semaphore,
}

/// The prices of one gas in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fees {
    most: u128,
    tip: u128,
    /// Of blobs, where it has any.
    blob: Option<u128>,
}

impl Fees {
    /// Nodes take a replacement only when both prices rise by a tenth (Geth) or an eighth (others), and one with blobs only
    /// when all three double; `None` when a cap leaves no room.
    fn raised(self, policy: FeePolicy) -> Option<Self> {
        let up = |price: u128| match self.blob {
            Some(_) => price.saturating_mul(2).max(1),
            None => price.saturating_add(price / 8).saturating_add(1),
        };
        let raised = Self { most: up(self.most), tip: up(self.tip), blob: self.blob.map(up) };
        let within = raised.most <= policy.gas_price_max
            && raised.blob.is_none_or(|price| price <= policy.blob_gas_price_max);
        within.then_some(raised)
    }
}

/// A transaction as it was signed.
#[derive(Debug, Clone)]
struct Signed {
    hash: B256,
    raw: Bytes,
}

impl RpcSubmit {
    /// Send with the secp256k1 key `secret` through `chain`. `None` when the secret is no key.
    #[must_use]
    pub fn new(chain: RpcChain, secret: B256, policy: SubmitPolicy) -> Option<Self> {
        let signer = PrivateKeySigner::from_bytes(&secret).ok()?;
        Some(Self(Arc::new(Inner {
            chain,
            signer,
            next_nonce: Mutex::new(None),
            cell_proofs: AtomicBool::new(true),
            slots: Semaphore::new(policy.in_flight_max.max(1)),
            policy,
        })))
    }
}

impl Inner {
    async fn price(&self) -> Result<u128, ReadError> {
        let price: U256 = self.chain.ask("eth_gasPrice", json!([])).await?;
        Ok(price.try_into().unwrap_or(u128::MAX))
    }

    async fn blob_price(&self) -> Result<u128, ReadError> {
        let price: U256 = self.chain.ask("eth_blobBaseFee", json!([])).await?;
        // The protocol knows no lower one.
        Ok(price.try_into().unwrap_or(u128::MAX).max(1))
    }

    async fn fees(&self, blobs: bool) -> Result<Fees, SubmitError> {
        // Twice the price outlives six full blocks of rising base fee, of either kind.
        let room = |price: u128, cap: u128| {
            let room = price.saturating_mul(2).min(cap).max(1);
            if price > cap { Err(SubmitError::TooExpensive { price, cap }) } else { Ok(room) }
        };
        let most = room(self.price().await?, self.policy.fees.gas_price_max)?;
        let blob = if blobs {
            Some(room(self.blob_price().await?, self.policy.fees.blob_gas_price_max)?)
        } else {
            None
        };
        let tip = match self.chain.ask::<U256>("eth_maxPriorityFeePerGas", json!([])).await {
            Ok(tip) => tip.try_into().unwrap_or(u128::MAX),
            Err(ReadError::Unsupported { .. }) => 1,
            Err(error) => return Err(error.into()),
        };
        Ok(Fees { most, tip: tip.min(most), blob })
    }

    async fn estimate(&self, call: &Call) -> Result<u64, SubmitError> {
        let mut request = json!({
            "from": self.signer.address(), "to": call.to, "data": call.data, "value": call.value,
        });
        if !call.blobs.is_empty() {
            let blobs = call.blobs.clone();
            request["blobVersionedHashes"] = json!(on_a_thread(move || versioned_hashes(&blobs)).await?);
            let most = self.blob_price().await?.saturating_mul(2);
            request["maxFeePerBlobGas"] = json!(U256::from(most));
        }
        match self.chain.ask::<U64>("eth_estimateGas", json!([request])).await {
            Ok(gas) => Ok(gas.to()),
            Err(ReadError::Reverted { data, message }) => Err(SubmitError::Rejected { data, message }),
            Err(error) => Err(error.into()),
        }
    }

    async fn gas_limit(&self, call: &Call) -> Result<u64, SubmitError> {
        let fees = self.policy.fees;
        if let Some(limit) = call.gas_limit {
            return Ok(limit.min(fees.gas_limit_max));
        }
        let estimate = self.estimate(call).await?;
        let margin = estimate.saturating_mul(fees.gas_margin_percent) / 100;
        Ok(estimate.saturating_add(margin).min(fees.gas_limit_max))
    }

    /// What goes with the call's blobs; nothing without any.
    async fn sidecar(&self, call: &Call) -> Result<Option<Arc<Sidecar>>, SubmitError> {
        if call.blobs.is_empty() {
            return Ok(None);
        }
        let proofs = if self.cell_proofs.load(Ordering::Relaxed) { Proofs::Cells } else { Proofs::Blobs };
        let blobs = call.blobs.clone();
        on_a_thread(move || Sidecar::new(&blobs, proofs)).await.map(|sidecar| Some(Arc::new(sidecar)))
    }

    fn sign(
        &self,
        call: &Call,
        sidecar: Option<&Sidecar>,
        nonce: u64,
        gas_limit: u64,
        fees: Fees,
    ) -> Result<Signed, SubmitError> {
        let signature = |hash: B256| {
            self.signer.sign_hash_sync(&hash).map_err(|error| unsent(format!("signing failed: {error}")))
        };
        let envelope = if let Some(sidecar) = sidecar {
            let transaction = TxEip4844 {
                chain_id: self.chain.chain_id().0,
                nonce,
                gas_limit,
                max_fee_per_gas: fees.most,
                max_priority_fee_per_gas: fees.tip,
                max_fee_per_blob_gas: fees.blob.unwrap_or(1),
                to: call.to,
                value: call.value,
                access_list: Default::default(),
                blob_versioned_hashes: sidecar.hashes.clone(),
                input: call.data.clone(),
            };
            let signature = signature(transaction.signature_hash())?;
            let transaction = TxEip4844WithSidecar::from_tx_and_sidecar(transaction, sidecar.wire.clone());
            TxEnvelope::Eip4844(transaction.into_signed(signature).into())
        } else {
            let transaction = TxEip1559 {
                chain_id: self.chain.chain_id().0,
                nonce,
                gas_limit,
                max_fee_per_gas: fees.most,
                max_priority_fee_per_gas: fees.tip,
                to: TxKind::Call(call.to),
                value: call.value,
                access_list: Default::default(),
                input: call.data.clone(),
            };
            let signature = signature(transaction.signature_hash())?;
            TxEnvelope::from(transaction.into_signed(signature))
        };
        Ok(Signed { hash: *envelope.tx_hash(), raw: envelope.encoded_2718().into() })
    }

    const fn poll_interval(&self) -> Duration {
        Duration::from_millis(self.policy.poll_interval_ms)
    }
}

fn unsent(message: String) -> SubmitError {
    SubmitError::Rejected { data: Bytes::new(), message }
}

/// What takes long, off the runtime's own threads.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobBytesError> + Send + 'static,
) -> Result<T, SubmitError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| unsent(format!("blobs: {error}"))),
        Err(error) => Err(unsent(format!("blobs: {error}"))),
    }
}

impl Submit for RpcSubmit {
    fn chain_id(&self) -> ChainId {
        self.0.chain.chain_id()
    }

    fn sender(&self) -> Address {
        self.0.signer.address()
    }

    fn balance(&self) -> BoxFuture<'_, Result<U256, ReadError>> {
        self.0.chain.balance(self.sender())
    }

    fn gas_price(&self) -> BoxFuture<'_, Result<u128, ReadError>> {
        async move { Ok(self.0.price().await?.min(self.0.policy.fees.gas_price_max)) }.boxed()
    }

    fn blob_gas_price(&self) -> BoxFuture<'_, Result<u128, ReadError>> {
        async move { Ok(self.0.blob_price().await?.min(self.0.policy.fees.blob_gas_price_max)) }.boxed()
    }

    fn estimate(&self, call: Call) -> BoxFuture<'_, Result<u64, SubmitError>> {
        async move { self.0.estimate(&call).await }.boxed()
    }

    fn send(&self, call: Call) -> BoxFuture<'_, Result<Outcome, SubmitError>> {
        let inner = Arc::clone(&self.0);
        async move {
            // In a task of its own: whoever stops waiting must not leave a nonce half used.
            match tokio::spawn(inner.follow(call)).await {
                Ok(outcome) => outcome,
                Err(error) => Err(SubmitError::Read(ReadError::Transport {
                    method: "send",
                    endpoint: self.0.chain.endpoint(),
                    detail: format!("sending task ended: {error}"),
                })),
            }
        }
        .boxed()
    }
}
