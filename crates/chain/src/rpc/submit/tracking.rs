//! From a signed transaction to the block that has it.

use super::{Fees, Inner, Sidecar, Signed};
use crate::{
    Call, Chain, GAS_PER_BLOB, Outcome, ReadError, SubmitError,
    rpc::{differs, known_log},
};
use alloy::rpc::types::TransactionReceipt;
use alloy_primitives::{U64, U256};
use hum_types::{B256, BlockRef};
use serde_json::json;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

/// Nonces tried when the node says that ours is taken.
const NONCE_ATTEMPTS: usize = 8;
/// Raises tried at once when the node says that a transaction with our nonce pays more.
const RAISES_AT_ONCE: usize = 12;

/// A transaction that was handed to the node, in every form that it was sent.
#[derive(Debug)]
struct Sent {
    nonce: u64,
    gas_limit: u64,
    fees: Fees,
    sidecar: Option<Arc<Sidecar>>,
    /// Oldest first; any of them may be the one that is included. Never empty.
    forms: Vec<Signed>,
}

/// What a node's refusal of a raw transaction means. Nodes agree on the sense, not on the words.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Known,
    NonceTaken,
    Underpriced,
    Underfunded,
    /// The proofs of its blobs are of the other form.
    Proofs,
    Other,
}

fn meaning(message: &str) -> Refusal {
    let text = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["already known", "already imported", "already in", "known transaction"]) {
        Refusal::Known
    } else if says(&["underpriced", "fee too low", "replacement"]) {
        Refusal::Underpriced
    } else if says(&["nonce too low", "nonce for account too low", "nonce already used", "invalid nonce"]) {
        Refusal::NonceTaken
    } else if says(&["insufficient", "not have enough balance", "exceeds balance"]) {
        Refusal::Underfunded
    } else if says(&["sidecar", "cell proof", "wrapper version", "blob version", "blob proof"]) {
        Refusal::Proofs
    } else {
        Refusal::Other
    }
}

impl Inner {
    pub(super) async fn follow(self: Arc<Self>, call: Call) -> Result<Outcome, SubmitError> {
        // The semaphore is never closed; were it, sending without a slot would be harmless.
        let _slot = self.slots.acquire().await;
        let gas_limit = self.gas_limit(&call).await?;
        let sidecar = self.sidecar(&call).await?;
        let fees = self.fees(sidecar.is_some()).await?;
        let sent = self.broadcast_next(&call, sidecar, gas_limit, fees).await?;
        self.await_block(&call, sent).await
    }

    /// Take the next nonce and hand the transaction to the node.
    async fn broadcast_next(
        &self,
        call: &Call,
        mut sidecar: Option<Arc<Sidecar>>,
        gas_limit: u64,
        mut fees: Fees,
    ) -> Result<Sent, SubmitError> {
        let mut next = self.next_nonce.lock().await;
        let mut forms = Vec::new();
        let mut other_proofs = false;
        for _ in 0..NONCE_ATTEMPTS {
            let nonce = match *next {
                Some(nonce) => nonce,
                None => self.nonce_from_node().await?,
            };
            // Unknown until the node has answered.
            *next = None;
            for _ in 0..RAISES_AT_ONCE {
                let signed = self.sign(call, sidecar.as_deref(), nonce, gas_limit, fees)?;
                forms.push(signed.clone());
                match self.broadcast(&signed).await {
                    Ok(()) => {
                        *next = nonce.checked_add(1);
                        return Ok(Sent { nonce, gas_limit, fees, sidecar, forms });
                    }
                    Err(error @ ReadError::Node { .. }) => match refused(&error) {
                        Refusal::NonceTaken => break,
                        Refusal::Underpriced => {
                            let (policy, cap) = (self.policy.fees, self.policy.fees.gas_price_max);
                            fees = fees
                                .raised(policy)
                                .ok_or(SubmitError::TooExpensive { price: fees.most, cap })?;
                        }
                        Refusal::Proofs if sidecar.is_some() && !other_proofs => {
                            other_proofs = true;
                            self.cell_proofs.fetch_not(Ordering::Relaxed);
                            forms.clear();
                            sidecar = self.sidecar(call).await?;
                        }
                        Refusal::Underfunded => return Err(self.underfunded(call, gas_limit, fees).await),
                        Refusal::Known | Refusal::Proofs | Refusal::Other => return Err(error.into()),
                    },
                    // The node may have it all the same: follow it, and read the next nonce afresh.
                    Err(error) if uncertain(&error) => {
                        debug!(%error, nonce, "broadcast without an answer");
                        return Ok(Sent { nonce, gas_limit, fees, sidecar, forms });
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            // None of these can be included: their nonce belongs to another transaction.
            forms.clear();
        }
        Err(SubmitError::Replaced { nonce: self.nonce_from_node().await?, tx_hash: B256::ZERO })
    }

    async fn underfunded(&self, call: &Call, gas_limit: u64, fees: Fees) -> SubmitError {
        match self.chain.balance(self.signer.address()).await {
            Ok(balance) => SubmitError::Underfunded {
                balance,
                needed: U256::from(gas_limit)
                    .saturating_mul(U256::from(fees.most))
                    .saturating_add(blob_wei(call, fees))
                    .saturating_add(call.value),
            },
            Err(error) => error.into(),
        }
    }

    /// Transactions still in the node's pool count, where the node counts them.
    async fn nonce_from_node(&self) -> Result<u64, ReadError> {
        let account = self.signer.address();
        let included = self.chain.nonce(account).await?;
        let pending: U64 = self.chain.ask("eth_getTransactionCount", json!([account, "pending"])).await?;
        Ok(included.max(pending.to()))
    }

    async fn broadcast(&self, signed: &Signed) -> Result<(), ReadError> {
        let method = "eth_sendRawTransaction";
        match self.chain.ask::<B256>(method, json!([signed.raw])).await {
            Ok(hash) if hash == signed.hash => Ok(()),
            Ok(hash) => Err(differs(method, "transaction hash", signed.hash, hash)),
            Err(error) if refused(&error) == Refusal::Known => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn await_block(&self, call: &Call, mut sent: Sent) -> Result<Outcome, SubmitError> {
        let start = Instant::now();
        let mut last_sent = start;
        let give_up = Duration::from_millis(self.policy.give_up_after_ms);
        let resend = Duration::from_millis(self.policy.resend_after_ms);
        let mut lost = false;
        loop {
            match self.find_receipt(&sent).await {
                Ok(Some(outcome)) => return Ok(outcome),
                // Asked twice, with the nonce found used in between: another transaction has it.
                Ok(None) if lost => {
                    *self.next_nonce.lock().await = None;
                    return Err(SubmitError::Replaced { nonce: sent.nonce, tx_hash: newest(&sent) });
                }
                Ok(None) => {}
                Err(error) => debug!(%error, nonce = sent.nonce, "receipt not read"),
            }
            if start.elapsed() >= give_up {
                *self.next_nonce.lock().await = None;
                return Err(SubmitError::Unknown {
                    tx_hash: newest(&sent),
                    after_ms: self.policy.give_up_after_ms,
                });
            }
            if last_sent.elapsed() >= resend {
                last_sent = Instant::now();
                lost = self.resend(call, &mut sent).await;
            }
            sleep(self.poll_interval()).await;
        }
    }

    /// Send again, dearer where the cap allows. Whether the nonce turned out to be used.
    async fn resend(&self, call: &Call, sent: &mut Sent) -> bool {
        match self.chain.nonce(self.signer.address()).await {
            Ok(included) if included > sent.nonce => return true,
            Ok(_) => {}
            Err(error) => {
                debug!(%error, "nonce not read");
                return false;
            }
        }
        warn!(nonce = sent.nonce, tx_hash = %newest(sent), "transaction not in a block: sending it again");
        if let Some(fees) = sent.fees.raised(self.policy.fees)
            && let Ok(signed) = self.sign(call, sent.sidecar.as_deref(), sent.nonce, sent.gas_limit, fees)
        {
            sent.fees = fees;
            sent.forms.push(signed);
        }
        // The newest form last: a node that dropped them all keeps the dearest.
        for form in sent.forms.iter().rev().take(2).rev() {
            if let Err(error) = self.broadcast(form).await {
                debug!(%error, nonce = sent.nonce, "resent transaction not taken");
            }
        }
        false
    }

    async fn find_receipt(&self, sent: &Sent) -> Result<Option<Outcome>, ReadError> {
        for form in sent.forms.iter().rev() {
            if let Some(outcome) = self.receipt(form.hash).await? {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }

    async fn receipt(&self, tx_hash: B256) -> Result<Option<Outcome>, ReadError> {
        let method = "eth_getTransactionReceipt";
        let allowance = self.chain.0.limits.ordinary();
        let receipt: Option<TransactionReceipt> =
            self.chain.maybe(method, json!([tx_hash]), allowance).await?;
        let Some(receipt) = receipt else { return Ok(None) };
        if receipt.transaction_hash != tx_hash {
            return Err(differs(method, "transaction hash", tx_hash, receipt.transaction_hash));
        }
        // A receipt without a block is of a transaction that still waits.
        let (Some(number), Some(hash)) = (receipt.block_number, receipt.block_hash) else { return Ok(None) };
        let logs =
            receipt.logs().iter().cloned().map(|log| known_log(method, log)).collect::<Result<_, _>>()?;
        let blob_fee = U256::from(receipt.blob_gas_used.unwrap_or_default())
            .saturating_mul(U256::from(receipt.blob_gas_price.unwrap_or_default()));
        Ok(Some(Outcome {
            tx_hash,
            success: receipt.status(),
            gas_used: receipt.gas_used,
            fee: U256::from(receipt.gas_used)
                .saturating_mul(U256::from(receipt.effective_gas_price))
                .saturating_add(blob_fee),
            block: BlockRef { number, hash },
            logs,
        }))
    }
}

/// What the call's blobs may cost.
fn blob_wei(call: &Call, fees: Fees) -> U256 {
    let gas = GAS_PER_BLOB.saturating_mul(call.blobs.len() as u64);
    U256::from(gas).saturating_mul(U256::from(fees.blob.unwrap_or_default()))
}

fn newest(sent: &Sent) -> B256 {
    sent.forms.last().map_or(B256::ZERO, |form| form.hash)
}

fn refused(error: &ReadError) -> Refusal {
    match error {
        ReadError::Node { message, .. } => meaning(message),
        _ => Refusal::Other,
    }
}

/// Whether the node may have taken what it did not answer.
const fn uncertain(error: &ReadError) -> bool {
    matches!(
        error,
        ReadError::Transport { .. }
            | ReadError::Timeout { .. }
            | ReadError::Garbage { .. }
            | ReadError::TooLarge { .. }
            | ReadError::Mismatch { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_words_are_understood() {
        for (words, sense) in [
            ("already known", Refusal::Known),
            ("nonce too low: next nonce 5, tx nonce 4", Refusal::NonceTaken),
            ("Nonce for account too low", Refusal::NonceTaken),
            ("Nonce already used", Refusal::NonceTaken),
            ("replacement transaction underpriced", Refusal::Underpriced),
            ("insufficient funds for gas * price + value", Refusal::Underfunded),
            ("Account does not have enough balance to cover the tx cost", Refusal::Underfunded),
            ("Sender's cumulative pending-tx cost (2) exceeds balance (1)", Refusal::Underfunded),
            ("unexpected sidecar version, want: 1, got: 0", Refusal::Proofs),
            ("exceeds block gas limit", Refusal::Other),
        ] {
            assert_eq!(meaning(words), sense, "{words}");
        }
    }
}
