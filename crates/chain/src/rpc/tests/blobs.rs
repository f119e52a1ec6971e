//! Calls with blobs through a pool that wants them its way.

use super::{
    sending::{Pool, policy, submit},
    *,
};
use crate::{Call, Submit, SubmitError, versioned_hash};
use alloy_consensus::{Transaction, TxEip4844Variant};
use alloy_eips::eip7594::BlobTransactionSidecarVariant;

fn blob(byte: u8) -> Bytes {
    let mut blob = vec![0; 131_072];
    blob[1] = byte;
    blob.into()
}

fn call(blobs: Vec<Bytes>) -> Call {
    Call { blobs, ..Call::new(Address::repeat_byte(3), Bytes::from_static(b"x")) }
}

fn sidecar(transaction: &TxEnvelope) -> BlobTransactionSidecarVariant {
    let TxEnvelope::Eip4844(signed) = transaction else { panic!("no blobs: {transaction:?}") };
    match signed.tx() {
        TxEip4844Variant::TxEip4844WithSidecar(with) => with.sidecar().clone(),
        TxEip4844Variant::TxEip4844(_) => panic!("without its blobs"),
    }
}

fn node(pool: &Pool) -> Node {
    let node = pool.node();
    node.says("eth_blobBaseFee", json!("0x7"));
    node
}

#[tokio::test]
async fn blobs_go_with_cell_proofs_and_their_gas_is_paid() {
    let pool = Pool::default();
    let node = node(&pool);
    let estimated = Arc::new(Mutex::new(Value::Null));
    let seen = Arc::clone(&estimated);
    node.on("eth_estimateGas", move |params| {
        *seen.lock().unwrap() = params[0].clone();
        Reply::Result(json!("0x5208"))
    });
    let outcome = submit(&node).await.send(call(vec![blob(1), blob(2)])).await.unwrap();
    let hashes: Vec<B256> = [blob(1), blob(2)].iter().map(|blob| versioned_hash(blob).unwrap()).collect();
    let included = pool.lock().included[0].clone();
    assert_eq!(included.blob_versioned_hashes(), Some(&hashes[..]));
    assert_eq!(included.max_fee_per_blob_gas(), Some(14));
    match sidecar(&included) {
        BlobTransactionSidecarVariant::Eip7594(sidecar) => {
            assert_eq!((sidecar.blobs.len(), sidecar.cell_proofs.len()), (2, 256));
        }
        BlobTransactionSidecarVariant::Eip4844(_) => panic!("one proof for each blob"),
    }
    assert_eq!(outcome.fee, U256::from(42_000 + 2 * 131_072 * 3), "blob gas at the receipt's price");
    let estimated = estimated.lock().unwrap();
    assert_eq!(estimated["blobVersionedHashes"], json!(hashes));
    assert_eq!(estimated["maxFeePerBlobGas"], json!("0xe"));
}

#[tokio::test]
async fn a_dropped_one_is_replaced_at_twice_all_three_prices() {
    let pool = Pool::default();
    let node = node(&pool);
    // Somebody else's under our nonce, forgotten by a restart.
    pool.lock().hold = true;
    let before = submit(&node).await;
    let waiting = tokio::spawn(async move { before.send(call(vec![blob(1)])).await });
    pool.until(|state| !state.pending.is_empty()).await;
    waiting.abort();
    let first = pool.lock().pending[0].clone();
    let after = submit(&node).await;
    let again = tokio::spawn(async move { after.send(call(vec![blob(2)])).await });
    pool.until(|state| state.pending.iter().any(|tx| tx.tx_hash() != first.tx_hash())).await;
    let second = pool.lock().pending[0].clone();
    assert!(second.max_fee_per_gas() >= 2 * first.max_fee_per_gas());
    assert!(second.max_priority_fee_per_gas() >= first.max_priority_fee_per_gas().map(|tip| tip * 2));
    assert!(second.max_fee_per_blob_gas() >= first.max_fee_per_blob_gas().map(|price| price * 2));
    pool.lock().hold = false;
    assert!(again.await.unwrap().unwrap().success);
}

#[tokio::test]
async fn nodes_of_before_osaka_get_one_proof_for_each_blob() {
    let pool = Pool::default();
    let node = node(&pool);
    let inner = pool.clone();
    node.on("eth_sendRawTransaction", move |params| {
        let raw: Bytes = serde_json::from_value(params[0].clone()).unwrap();
        let transaction = alloy_eips::eip2718::Decodable2718::decode_2718(&mut &raw[..]).unwrap();
        match sidecar(&transaction) {
            BlobTransactionSidecarVariant::Eip7594(_) => {
                Reply::Error(-32000, "unexpected sidecar version, want: 0, got: 1", Value::Null)
            }
            BlobTransactionSidecarVariant::Eip4844(_) => inner.take(&params[0]),
        }
    });
    let submit = submit(&node).await;
    assert!(submit.send(call(vec![blob(1)])).await.unwrap().success);
    assert!(submit.send(call(vec![blob(2)])).await.unwrap().success);
    assert_eq!(node.asked("eth_sendRawTransaction"), 3, "which form it wants is asked once");
}

#[tokio::test]
async fn what_is_refused_is_not_sent() {
    let pool = Pool::default();
    let node = node(&pool);
    let error = submit(&node).await.send(call(vec![blob(1).slice(1..)])).await.unwrap_err();
    assert!(matches!(&error, SubmitError::Rejected { message, .. } if message.contains("131071")), "{error}");
    node.says("eth_blobBaseFee", json!("0x2711"));
    let fees = FeePolicy { blob_gas_price_max: 10_000, ..policy().fees };
    let capped = SubmitPolicy { fees, ..policy() };
    let submit = RpcSubmit::new(node.chain().await, B256::repeat_byte(1), capped).unwrap();
    let error = submit.send(call(vec![blob(1)])).await.unwrap_err();
    assert_eq!(error, SubmitError::TooExpensive { price: 10_001, cap: 10_000 });
    assert!(pool.lock().seen.is_empty());
    let chain = node.chain().await;
    assert_eq!(
        RpcSubmit::new(chain, B256::repeat_byte(1), policy()).unwrap().blob_gas_price().await,
        Ok(10_001)
    );
}
