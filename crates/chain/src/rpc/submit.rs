//! Sending one account's transactions through a node: nonces, fees, dropped transactions.
//!
//! ```text
//! send ─▶ estimate ─▶ [nonce lock: sign, broadcast] ─▶ wait: receipt? ─▶ Outcome
//!                                                        │ no, for a while
//!                                                        └─▶ same nonce, higher fee ─▶ wait
//! ```
//!
//! The nonce lock is held until the node has the transaction (or could not be asked), so nonces leave no gaps. The
//! state that matters is the chain's: after a restart the next nonce is read from the node.

mod tracking;

use super::RpcChain;
use crate::{Call, Chain, Outcome, ReadError, Submit, SubmitError};
use alloy::signers::{SignerSync, local::PrivateKeySigner};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{TxKind, U64, U256};
use futures::future::{BoxFuture, FutureExt};
use hum_types::{Address, B256, Bytes, ChainId};
use serde_json::json;
use std::{sync::Arc, time::Duration};
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
}

impl Default for FeePolicy {
    fn default() -> Self {
        Self { gas_price_max: 500_000_000_000, gas_margin_percent: 25, gas_limit_max: 1 << 24 }
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
    slots: Semaphore,
}

/// The price of one gas in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fees {
    most: u128,
    tip: u128,
}

impl Fees {
    /// Nodes take a replacement only when both prices rise by a tenth (Geth) or an eighth (others); `None` when the
    /// cap leaves no room.
    fn raised(self, cap: u128) -> Option<Self> {
        let up = |price: u128| price.saturating_add(price / 8).saturating_add(1);
        let raised = Self { most: up(self.most), tip: up(self.tip) };
        (raised.most <= cap).then_some(raised)
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

    async fn fees(&self) -> Result<Fees, SubmitError> {
        let cap = self.policy.fees.gas_price_max;
        let price = self.price().await?;
        if price > cap {
            return Err(SubmitError::TooExpensive { price, cap });
        }
        // Twice the price outlives six full blocks of rising base fee.
        let most = price.saturating_mul(2).min(cap).max(1);
        let tip = match self.chain.ask::<U256>("eth_maxPriorityFeePerGas", json!([])).await {
            Ok(tip) => tip.try_into().unwrap_or(u128::MAX),
            Err(ReadError::Unsupported { .. }) => 1,
            Err(error) => return Err(error.into()),
        };
        Ok(Fees { most, tip: tip.min(most) })
    }

    async fn estimate(&self, call: &Call) -> Result<u64, SubmitError> {
        let request = json!({
            "from": self.signer.address(), "to": call.to, "data": call.data, "value": call.value,
        });
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

    fn sign(&self, call: &Call, nonce: u64, gas_limit: u64, fees: Fees) -> Result<Signed, SubmitError> {
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
        let signature = self.signer.sign_hash_sync(&transaction.signature_hash()).map_err(|error| {
            SubmitError::Rejected { data: Bytes::new(), message: format!("signing failed: {error}") }
        })?;
        let envelope = TxEnvelope::from(transaction.into_signed(signature));
        Ok(Signed { hash: *envelope.tx_hash(), raw: envelope.encoded_2718().into() })
    }

    const fn poll_interval(&self) -> Duration {
        Duration::from_millis(self.policy.poll_interval_ms)
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
