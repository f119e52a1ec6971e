//! A pool that drops, refuses and forgets transactions.

use super::*;
use crate::{Call, Submit, SubmitError};
use alloy_consensus::Transaction;
use alloy_eips::eip2718::Decodable2718;

/// A pool and a chain of included transactions, one account.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Mutex<PoolState>>);

#[derive(Default)]
pub(super) struct PoolState {
    pub(super) included: Vec<TxEnvelope>,
    pub(super) pending: Vec<TxEnvelope>,
    /// Transactions swallowed before the pool starts to work.
    pub(super) dropped: usize,
    pub(super) seen: Vec<TxEnvelope>,
    /// Broadcasts answered with an error although taken.
    unanswered: usize,
    pub(super) hold: bool,
}

impl Pool {
    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, PoolState> {
        self.0.lock().unwrap()
    }

    pub(super) fn take(&self, raw: &Value) -> Reply {
        let bytes: Bytes = serde_json::from_value(raw.clone()).unwrap();
        let tx = TxEnvelope::decode_2718(&mut &bytes[..]).unwrap();
        let mut state = self.lock();
        state.seen.push(tx.clone());
        if tx.nonce() < state.included.len() as u64 {
            return Reply::Error(-32000, "nonce too low", Value::Null);
        }
        if state.pending.iter().any(|other| other.tx_hash() == tx.tx_hash()) {
            return Reply::Error(-32000, "already known", Value::Null);
        }
        if let Some(other) = state.pending.iter().position(|other| other.nonce() == tx.nonce()) {
            let old = &state.pending[other];
            let doubled =
                |price: fn(&TxEnvelope) -> Option<u128>| price(&tx) >= price(old).map(|price| price * 2);
            let dearer = match tx {
                TxEnvelope::Eip4844(_) => {
                    doubled(|tx| Some(tx.max_fee_per_gas()))
                        && doubled(Transaction::max_priority_fee_per_gas)
                        && doubled(Transaction::max_fee_per_blob_gas)
                }
                _ => tx.max_fee_per_gas() * 10 >= old.max_fee_per_gas() * 11,
            };
            if !dearer {
                return Reply::Error(-32000, "replacement transaction underpriced", Value::Null);
            }
            state.pending.remove(other);
        }
        if state.dropped > 0 {
            state.dropped -= 1;
        } else {
            state.pending.push(tx.clone());
        }
        if state.unanswered > 0 {
            state.unanswered -= 1;
            return Reply::Status(502);
        }
        Reply::Result(json!(tx.tx_hash()))
    }

    /// Wait until the pool is as `reached` wants it.
    pub(super) async fn until(&self, reached: impl Fn(&PoolState) -> bool) {
        let wait = async {
            while !reached(&self.lock()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the pool gets there");
    }

    fn include(&self) {
        let mut state = self.lock();
        if state.hold {
            return;
        }
        while let Some(at) = state.pending.iter().position(|tx| tx.nonce() == state.included.len() as u64) {
            let tx = state.pending.remove(at);
            state.included.push(tx);
        }
    }

    fn receipt(&self, hash: &Value) -> Reply {
        self.include();
        let hash: B256 = serde_json::from_value(hash.clone()).unwrap();
        let state = self.lock();
        let Some(tx) = state.included.iter().find(|tx| *tx.tx_hash() == hash) else {
            return Reply::Result(Value::Null);
        };
        Reply::Result(json!({
            "transactionHash": hash, "transactionIndex": "0x0", "blockHash": B256::repeat_byte(1),
            "blockNumber": U64::from(tx.nonce() + 1), "from": Address::ZERO, "to": Address::ZERO,
            "cumulativeGasUsed": "0x5208", "gasUsed": "0x5208", "contractAddress": null, "logs": [],
            "status": "0x1", "logsBloom": alloy_primitives::Bloom::ZERO, "type": "0x2", "effectiveGasPrice": "0x2",
            "blobGasUsed": tx.blob_gas_used().map(U64::from), "blobGasPrice": tx.blob_gas_used().map(|_| "0x3"),
        }))
    }

    pub(super) fn node(&self) -> Node {
        let node = Node::new();
        node.says("eth_gasPrice", json!("0x64"));
        node.says("eth_maxPriorityFeePerGas", json!("0x1"));
        node.says("eth_estimateGas", json!("0x5208"));
        node.says("eth_getBalance", json!("0x10"));
        let pool = self.clone();
        node.on("eth_sendRawTransaction", move |params| pool.take(&params[0]));
        let pool = self.clone();
        node.on("eth_getTransactionReceipt", move |params| pool.receipt(&params[0]));
        let pool = self.clone();
        node.on("eth_getTransactionCount", move |_| {
            pool.include();
            Reply::Result(json!(U64::from(pool.lock().included.len())))
        });
        node
    }
}

pub(super) fn policy() -> SubmitPolicy {
    SubmitPolicy {
        fees: FeePolicy { gas_price_max: 10_000, ..FeePolicy::default() },
        in_flight_max: 4,
        poll_interval_ms: 5,
        resend_after_ms: 60,
        give_up_after_ms: 1_500,
    }
}

pub(super) async fn submit(node: &Node) -> RpcSubmit {
    RpcSubmit::new(node.chain().await, B256::repeat_byte(1), policy()).unwrap()
}

fn call() -> Call {
    Call::new(Address::repeat_byte(3), Bytes::from_static(b"x"))
}

#[tokio::test]
async fn a_call_is_included_with_a_margin_of_gas() {
    let pool = Pool::default();
    let submit = submit(&pool.node()).await;
    let outcome = submit.send(call()).await.unwrap();
    assert!(outcome.success);
    assert_eq!((outcome.gas_used, outcome.fee, outcome.block.number), (21_000, U256::from(42_000), 1));
    assert_eq!(pool.lock().included[0].gas_limit(), 26_250);
}

#[tokio::test]
async fn calls_at_once_take_nonces_without_gaps() {
    let pool = Pool::default();
    let submit = submit(&pool.node()).await;
    let sent = futures::future::join_all((0..8).map(|_| submit.send(call()))).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    assert_eq!(
        pool.lock().included.iter().map(Transaction::nonce).collect::<Vec<_>>(),
        (0..8).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_dropped_transaction_is_sent_again_dearer() {
    let pool = Pool::default();
    pool.lock().dropped = 1;
    let submit = submit(&pool.node()).await;
    assert!(submit.send(call()).await.unwrap().success);
    let state = pool.lock();
    assert_eq!(state.included.len(), 1);
    assert!(state.seen.iter().all(|tx| tx.nonce() == 0));
}

#[tokio::test]
async fn a_broadcast_without_an_answer_is_followed_not_repeated_under_another_nonce() {
    let pool = Pool::default();
    pool.lock().unanswered = 1;
    let submit = submit(&pool.node()).await;
    assert!(submit.send(call()).await.unwrap().success);
    assert!(submit.send(call()).await.unwrap().success);
    assert_eq!(pool.lock().included.len(), 2);
}

#[tokio::test]
async fn a_nonce_taken_by_another_process_is_read_again() {
    let pool = Pool::default();
    let node = pool.node();
    let (first, second) = (submit(&node).await, submit(&node).await);
    assert!(first.send(call()).await.unwrap().success);
    assert!(second.send(call()).await.unwrap().success);
    assert!(first.send(call()).await.unwrap().success);
    assert_eq!(pool.lock().included.len(), 3);
}

#[tokio::test]
async fn a_forgotten_pending_transaction_is_replaced_after_a_restart() {
    let pool = Pool::default();
    let node = pool.node();
    pool.lock().hold = true;
    let before = submit(&node).await;
    // Stops waiting, as a crash would, with its transaction in the pool.
    let waiting = tokio::spawn(async move { before.send(call()).await });
    pool.until(|state| !state.pending.is_empty()).await;
    waiting.abort();
    let after = submit(&node).await;
    let other = Call { data: vec![7].into(), ..call() };
    let again = tokio::spawn(async move { after.send(other).await });
    pool.until(|state| state.pending.iter().any(|tx| tx.input()[..] == [7])).await;
    assert_eq!(pool.lock().pending.len(), 1, "one nonce, one transaction");
    pool.lock().hold = false;
    let outcome = again.await.unwrap();
    // Whichever of the two is included, the other learns that its nonce is taken.
    assert!(matches!(outcome, Ok(_) | Err(SubmitError::Replaced { nonce: 0, .. })), "{outcome:?}");
    assert_eq!(pool.lock().included.len(), 1);
}

#[tokio::test]
async fn a_call_that_would_revert_is_not_sent() {
    let pool = Pool::default();
    let node = pool.node();
    node.replies("eth_estimateGas", Reply::Error(3, "execution reverted", json!("0x1234")));
    let error = submit(&node).await.send(call()).await.unwrap_err();
    assert!(matches!(&error, SubmitError::Rejected { data, .. } if data.as_ref() == [0x12, 0x34]), "{error}");
    assert!(pool.lock().seen.is_empty());
}

#[tokio::test]
async fn gas_above_the_cap_is_not_paid() {
    let pool = Pool::default();
    let node = pool.node();
    node.says("eth_gasPrice", json!("0x2711"));
    let error = submit(&node).await.send(call()).await.unwrap_err();
    assert_eq!(error, SubmitError::TooExpensive { price: 10_001, cap: 10_000 });
    assert!(pool.lock().seen.is_empty());
}

#[tokio::test]
async fn an_account_that_cannot_pay_is_told_what_it_needs() {
    let pool = Pool::default();
    let node = pool.node();
    let refusal = "insufficient funds for gas * price + value";
    node.replies("eth_sendRawTransaction", Reply::Error(-32000, refusal, Value::Null));
    let error = submit(&node).await.send(call()).await.unwrap_err();
    assert_eq!(error, SubmitError::Underfunded { balance: U256::from(16), needed: U256::from(26_250 * 200) });
}

#[tokio::test]
async fn a_transaction_that_never_comes_is_unknown_not_failed() {
    let pool = Pool::default();
    pool.lock().hold = true;
    let error = submit(&pool.node()).await.send(call()).await.unwrap_err();
    assert!(matches!(error, SubmitError::Unknown { after_ms: 1_500, .. }), "{error}");
}

#[tokio::test]
async fn a_receipt_of_another_transaction_is_not_taken() {
    let pool = Pool::default();
    let node = pool.node();
    node.on("eth_getTransactionReceipt", |_| {
        Reply::Result(json!({
            "transactionHash": B256::repeat_byte(9), "transactionIndex": "0x0", "blockHash": B256::repeat_byte(1),
            "blockNumber": "0x1", "from": Address::ZERO, "to": Address::ZERO, "cumulativeGasUsed": "0x1",
            "gasUsed": "0x1", "contractAddress": null, "logs": [], "status": "0x1",
            "logsBloom": alloy_primitives::Bloom::ZERO, "type": "0x2", "effectiveGasPrice": "0x2",
        }))
    });
    let error = submit(&node).await.send(call()).await.unwrap_err();
    assert!(matches!(error, SubmitError::Unknown { .. }), "{error}");
}
