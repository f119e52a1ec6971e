//! An account with a key, which sends transactions to the chain.

use super::{SimChain, block, node::CALL_GAS};
use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip1559::BaseFeeParams;
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256, keccak256};
use commonware_runtime::Clock;
use futures::{
    channel::oneshot,
    future::{BoxFuture, Either, FutureExt as _, select},
};
use hum_chain::{Call, Outcome, ReadError, Submit, SubmitError};
use hum_types::ChainId;
use k256::ecdsa::SigningKey;
use revm::context::result::ExecutionResult;
use std::{fmt, pin::pin, sync::Arc, time::Duration};

/// How long a transaction is waited for.
const GIVE_UP_AFTER: Duration = Duration::from_secs(180);
/// Added to an estimate, in percent of it.
const MARGIN_PERCENT: u64 = 25;
/// Wei on top of the base fee.
const TIP: u128 = 1;

/// The key that a name stands for in simulations.
#[must_use]
pub fn dev_key(name: &str) -> SigningKey {
    SigningKey::from_slice(keccak256(name).as_slice()).expect("a hash is a secret but for one in 2^127")
}

/// Sends one key's transactions. Clones share the key; nonces are counted by the chain.
#[derive(Clone)]
pub struct SimAccount<E> {
    chain: SimChain,
    clock: Arc<E>,
    latency: Duration,
    key: SigningKey,
    address: Address,
}

impl<E> fmt::Debug for SimAccount<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimAccount({} on {:?})", self.address, self.chain)
    }
}

impl<E: Clock> SimAccount<E> {
    /// The account of `key` on `chain`, at a node whose answers take `latency`.
    #[must_use]
    pub fn new(chain: SimChain, key: SigningKey, clock: E, latency: Duration) -> Self {
        let address = Address::from_private_key(&key);
        Self { chain, clock: Arc::new(clock), latency, key, address }
    }

    fn base_fee(&self) -> u128 {
        self.chain.lock().head().header.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or(0).into()
    }

    /// Sign a call and hand it in; the outcome comes with its block.
    fn hand_in(
        &self,
        call: Call,
        gas_limit: u64,
    ) -> Result<(TxEnvelope, oneshot::Receiver<Outcome>), SubmitError> {
        let most = self.base_fee().saturating_mul(2).saturating_add(TIP);
        let (transaction, balance) = {
            let core = self.chain.lock();
            let (nonce, balance) = core.past(usize::MAX).account(self.address).map_err(defect)?;
            let nonce = core.mempool.next_nonce(self.address).unwrap_or(nonce).max(nonce);
            let transaction = TxEip1559 {
                chain_id: core.spec.chain_id().0,
                nonce,
                gas_limit,
                max_fee_per_gas: most,
                max_priority_fee_per_gas: TIP,
                to: TxKind::Call(call.to),
                value: call.value,
                access_list: Default::default(),
                input: call.data,
            };
            (transaction, balance)
        };
        let needed = U256::from(gas_limit).saturating_mul(U256::from(most)).saturating_add(transaction.value);
        if balance < needed {
            return Err(SubmitError::Underfunded { balance, needed });
        }
        let digest = transaction.signature_hash();
        let (signature, recovery) =
            self.key.sign_prehash_recoverable(digest.as_slice()).expect("a 32-byte digest can be signed");
        let signed = TxEnvelope::from(transaction.into_signed(Signature::from((signature, recovery))));
        let outcome = self.chain.hand_in(signed.clone(), self.address);
        Ok((signed, outcome))
    }

    /// Gas that the call needs, within 1.5 %.
    fn gas_needed(&self, call: &Call) -> Result<u64, SubmitError> {
        let core = self.chain.lock();
        let run = |gas_limit| {
            block::call(&core.spec, core.past(usize::MAX), self.address, call, gas_limit).map_err(defect)
        };
        let first = run(CALL_GAS)?;
        let mut high = match &first {
            ExecutionResult::Success { gas, .. } => gas.total_gas_spent().max(first.tx_gas_used()),
            ExecutionResult::Revert { output, .. } => {
                return Err(SubmitError::Rejected { data: output.clone(), message: "reverted".into() });
            }
            ExecutionResult::Halt { reason, .. } => {
                return Err(SubmitError::Rejected { data: Bytes::new(), message: format!("{reason:?}") });
            }
        };
        // Most calls need what they spend; some ask for more to be there than they use.
        if !run(high)?.is_success() {
            let mut low = std::mem::replace(&mut high, CALL_GAS);
            let guess = low + low / 32 + 100_000;
            if guess < high && run(guess)?.is_success() {
                high = guess;
            }
            while high - low > high / 64 {
                let middle = u64::midpoint(low, high);
                if run(middle)?.is_success() {
                    high = middle;
                } else {
                    low = middle;
                }
            }
        }
        Ok(high)
    }
}

fn defect(error: impl fmt::Display) -> SubmitError {
    SubmitError::Read(ReadError::Node { method: "submit", code: -32_000, message: error.to_string() })
}

impl<E: Clock> Submit for SimAccount<E> {
    fn chain_id(&self) -> ChainId {
        self.chain.chain_id()
    }

    fn sender(&self) -> Address {
        self.address
    }

    fn balance(&self) -> BoxFuture<'_, Result<U256, ReadError>> {
        async move {
            self.clock.sleep(self.latency).await;
            let found = self.chain.lock().past(usize::MAX).account(self.address);
            found.map(|(_, balance)| balance).map_err(|error| ReadError::Node {
                method: "balance",
                code: -32_000,
                message: error.to_string(),
            })
        }
        .boxed()
    }

    fn gas_price(&self) -> BoxFuture<'_, Result<u128, ReadError>> {
        async move {
            self.clock.sleep(self.latency).await;
            Ok(self.base_fee() + TIP)
        }
        .boxed()
    }

    fn estimate(&self, call: Call) -> BoxFuture<'_, Result<u64, SubmitError>> {
        async move {
            self.clock.sleep(self.latency).await;
            self.gas_needed(&call)
        }
        .boxed()
    }

    fn send(&self, call: Call) -> BoxFuture<'_, Result<Outcome, SubmitError>> {
        async move {
            self.clock.sleep(self.latency).await;
            let gas_limit = match call.gas_limit {
                Some(limit) => limit.min(CALL_GAS),
                None => {
                    let needed = self.gas_needed(&call)?;
                    (needed + needed * MARGIN_PERCENT / 100).min(CALL_GAS)
                }
            };
            let (transaction, outcome) = self.hand_in(call, gas_limit)?;
            let tx_hash = *transaction.tx_hash();
            match select(outcome, pin!(self.clock.sleep(GIVE_UP_AFTER))).await {
                Either::Left((Ok(outcome), _)) => {
                    // The receipt is asked for as well.
                    self.clock.sleep(self.latency).await;
                    Ok(outcome)
                }
                Either::Left((Err(oneshot::Canceled), _)) => {
                    Err(SubmitError::Replaced { nonce: nonce(&transaction), tx_hash })
                }
                Either::Right(_) => Err(SubmitError::Unknown {
                    tx_hash,
                    after_ms: u64::try_from(GIVE_UP_AFTER.as_millis()).unwrap_or(u64::MAX),
                }),
            }
        }
        .boxed()
    }
}

fn nonce(transaction: &TxEnvelope) -> u64 {
    alloy_consensus::Transaction::nonce(transaction)
}
