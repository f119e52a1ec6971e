//! A beacon node on a real socket that answers whatever a test tells it to.

use super::*;
use crate::rpc::tests::limits;
use alloy_eips::eip4844::BYTES_PER_BLOB;
use axum::{Router, extract::State, http::StatusCode, http::Uri, response::IntoResponse};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Answers by path, without the query; what has none is not found.
#[derive(Debug, Clone, Default)]
struct Node {
    answers: Arc<Mutex<BTreeMap<String, String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Node {
    fn says(&self, path: &str, data: Value) {
        let body = json!({ "execution_optimistic": false, "finalized": true, "data": data }).to_string();
        self.answers.lock().unwrap().insert(format!("/key/eth/v1/{path}"), body);
    }

    fn blob_node() -> Self {
        let node = Self::default();
        node.says("beacon/genesis", json!({ "genesis_time": "1000", "genesis_fork_version": "0x00" }));
        node.says("config/spec", json!({ "SECONDS_PER_SLOT": "12", "SLOT_DURATION_MS": "12000" }));
        node
    }

    async fn beacon(&self) -> BeaconNode {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/key/", listener.local_addr().unwrap());
        let routes = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let limits = RpcLimits { block_bytes: 3 << 20, timeout_ms: 2_000, ..limits() };
        BeaconNode::new(&endpoint, limits).unwrap()
    }
}

async fn answer(State(node): State<Node>, uri: Uri) -> axum::response::Response {
    node.asked.lock().unwrap().push(uri.to_string());
    let body = node.answers.lock().unwrap().get(uri.path()).cloned();
    match body.as_deref() {
        Some("stall") => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            StatusCode::OK.into_response()
        }
        Some(body) => body.to_owned().into_response(),
        None => (StatusCode::NOT_FOUND, r#"{"code":404,"message":"no"}"#).into_response(),
    }
}

fn blob(byte: u8) -> Bytes {
    let mut blob = vec![0; BYTES_PER_BLOB];
    blob[1] = byte;
    blob.into()
}

fn hash(blob: &Bytes) -> B256 {
    versioned_hash(blob).unwrap()
}

/// The block of slot 5.
const TIME: TimeMs = TimeMs(1_060_000);

#[tokio::test]
async fn blobs_come_in_the_order_that_was_asked_for() {
    let node = Node::blob_node();
    node.says("beacon/blobs/5", json!([blob(1), blob(2)]));
    let beacon = node.beacon().await;
    let (one, two) = (hash(&blob(1)), hash(&blob(2)));
    assert_eq!(beacon.blobs(TIME, vec![two, one, two]).await, Ok(vec![blob(2), blob(1), blob(2)]));
    assert_eq!(beacon.blobs(TIME, vec![one]).await, Ok(vec![blob(1)]));
    let asked = node.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 4, "genesis and rules once: {asked:?}");
    assert_eq!(asked[3], format!("/key/eth/v1/beacon/blobs/5?versioned_hashes={one}"));
    assert!(asked[2].contains(&format!("versioned_hashes={two}&versioned_hashes={one}")));
}

#[tokio::test]
async fn a_node_without_that_question_is_asked_for_sidecars() {
    let node = Node::blob_node();
    let commitment = |blob: &Bytes| {
        let read = c_kzg::Blob::from_bytes(blob).unwrap();
        let found = c_kzg::ethereum_kzg_settings(0).blob_to_kzg_commitment(&read).unwrap();
        Bytes::from(found.to_bytes().into_inner().to_vec())
    };
    let sidecar = |of: u8, given: u8| json!({ "index": "0", "blob": blob(given), "kzg_commitment": commitment(&blob(of)) });
    node.says("beacon/blob_sidecars/5", json!([sidecar(1, 1), sidecar(2, 2), sidecar(3, 3)]));
    let beacon = node.beacon().await;
    let two = hash(&blob(2));
    assert_eq!(beacon.blobs(TIME, vec![two]).await, Ok(vec![blob(2)]));
    // Another blob under that commitment.
    node.says("beacon/blob_sidecars/5", json!([sidecar(1, 1), sidecar(2, 3)]));
    let error = beacon.blobs(TIME, vec![two]).await.unwrap_err();
    assert!(matches!(error, ReadError::Mismatch { field: "blob's versioned hash", .. }), "{error}");
    node.says("beacon/blob_sidecars/5", json!([]));
    let error = beacon.blobs(TIME, vec![two]).await.unwrap_err();
    assert!(matches!(error, ReadError::Missing { .. }), "{error}");
}

#[tokio::test]
async fn each_lie_is_refused() {
    let node = Node::blob_node();
    let beacon = node.beacon().await;
    let wanted = vec![hash(&blob(1))];
    let ask = async || beacon.blobs(TIME, wanted.clone()).await.unwrap_err();

    assert!(matches!(ask().await, ReadError::Missing { method: SIDECARS, .. }), "neither is there");
    node.says("beacon/blobs/5", json!([]));
    assert!(matches!(ask().await, ReadError::Missing { method: BLOBS, .. }), "none");
    node.says("beacon/blobs/5", json!([blob(2)]));
    assert!(matches!(ask().await, ReadError::Mismatch { .. }), "another one");
    node.says("beacon/blobs/5", json!([blob(1).slice(1..)]));
    assert!(matches!(ask().await, ReadError::Garbage { .. }), "a short one");
    node.says("beacon/blobs/5", json!([Bytes::from(vec![0xff; BYTES_PER_BLOB])]));
    assert!(matches!(ask().await, ReadError::Garbage { .. }), "no field elements");
    node.says("beacon/blobs/5", json!("blobs"));
    assert!(matches!(ask().await, ReadError::Garbage { .. }), "no list");
    node.says("beacon/blobs/5", json!(vec![blob(1); 13]));
    assert!(matches!(ask().await, ReadError::TooLarge { .. }), "too many");
    node.answers.lock().unwrap().insert("/key/eth/v1/beacon/blobs/5".into(), "stall".into());
    assert!(matches!(ask().await, ReadError::Timeout { .. }), "no answer");
    node.says("beacon/blobs/5", json!([blob(1)]));

    for spec in [json!({}), json!({ "SECONDS_PER_SLOT": "0" }), json!({ "SECONDS_PER_SLOT": "twelve" })] {
        node.says("config/spec", spec);
        assert!(matches!(ask().await, ReadError::Garbage { method: SPEC, .. }));
    }
    node.says("config/spec", json!({ "SLOT_DURATION_MS": "12000" }));
    node.says("beacon/genesis", json!({ "genesis_time": "1061" }));
    assert!(matches!(ask().await, ReadError::Mismatch { method: GENESIS, .. }), "begins later");
    node.says("beacon/genesis", json!({ "genesis_time": "1000" }));
    assert_eq!(beacon.blobs(TIME, wanted.clone()).await, Ok(vec![blob(1)]));
}
