//! Nitro, ZKsync and OP Stack nodes stood in for by what real ones once answered: replayed, not joined live.

use super::{super::op_stack::*, super::zksync::*, super::*, *};
use crate::{
    Chain,
    replay::{LABEL, Recording, RecordingError},
    rpc::{RpcChain, RpcLimits},
};
use axum::{Json, Router, extract::State, routing::post};
use hum_types::{ChainId, Confidence};
use serde_json::json;

/// Everything of a folder that belongs to a chain, with one block as its head.
fn recording(folder_name: &str, chain: u64, head: u64) -> Recording {
    let mut recording = Recording::new(ChainId(chain));
    for file in folder(folder_name).into_values() {
        if file["chain"]["chain_id"] == chain {
            recording.add(&file).ok();
        }
    }
    recording.set_head(Confidence::Latest, head).unwrap();
    recording
}

async fn node(recording: Recording, chain: u64) -> RpcChain {
    async fn answer(State(recording): State<Recording>, Json(request): Json<Value>) -> Json<Value> {
        Json(recording.answer(&request))
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().route("/", post(answer)).with_state(recording);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    RpcChain::new(&endpoint, ChainId(chain), RpcLimits::default()).unwrap()
}

const ARBITRUM_SEPOLIA: u64 = 421_614;
const ERA: u64 = 324;
const BASE: u64 = 8453;

#[tokio::test]
async fn a_nitro_node() {
    let number = 0xb0a_6c25;
    let node = node(recording("arbitrum", ARBITRUM_SEPOLIA, number), ARBITRUM_SEPOLIA).await;
    let found = detect(&node).await.unwrap();
    assert_eq!((found.stack, found.chain_id), (StackKind::Nitro, ChainId(ARBITRUM_SEPOLIA)));
    assert_eq!(found.stack.class(), Class::OwnNode);
    assert!(found.evidence[0].found.contains(LABEL));

    let stack = found.stack.adapter();
    let heads = stack.heads(&node).await.unwrap();
    assert_eq!((heads.latest.number, heads.safe, heads.finalized), (number, None, None));
    let block = read_block(&*stack, &node, At::Hash(heads.latest.hash)).await.unwrap().unwrap();
    assert!(block.send_root.is_some() && !block.binding.needs_commitment());
    let receipts = read_receipts(&*stack, &node, &block).await.unwrap();
    assert_eq!(receipts.len(), block.tx_hashes.len());
    // The block as bytes, from a node without raw blocks.
    assert_eq!(node.block(At::Number(number)).await.unwrap(), block.raw());
    let error = read_block(&*stack, &node, At::Number(1)).await.unwrap_err();
    assert!(matches!(error, ReadError::Node { code: -32000, .. }), "{error}");
    let error = node.balance(hum_types::Address::ZERO).await.unwrap_err();
    assert!(matches!(error, ReadError::Unsupported { .. }), "{error}");
}

#[tokio::test]
async fn a_zksync_node() {
    let node = node(recording("zksync", ERA, 9_627_753), ERA).await;
    let found = detect(&node).await.unwrap();
    assert_eq!(found.stack, StackKind::ZkSync);
    assert_eq!(found.stack.class(), Class::OwnNode);
    let stack = found.stack.adapter();
    let early = read_block(&*stack, &node, At::LATEST).await.unwrap().unwrap();
    assert_eq!(early.binding, Binding::Number);
    let late = read_block(&*stack, &node, At::Number(30_496_030)).await.unwrap().unwrap();
    assert_eq!((late.raw(), &late.binding), (None, &Binding::Transactions));
    // One receipt of eleven was recorded: the others are refused, not made up.
    assert!(read_receipts(&*stack, &node, &late).await.is_err());

    let details = BlockDetails::read(&node, 140_599).await.unwrap();
    assert_eq!(details.l1_batch_number, 1617);
    let batch = BatchDetails::read(&node, 468_355).await.unwrap();
    assert_eq!(batch.status, BatchStatus::Verified);
    assert_eq!(BatchDetails::blocks(&node, 12_345).await.unwrap(), (0x11_6fec, 0x11_7015));
    assert!(BatchDetails::newest(&node).await.unwrap() > 0);
}

#[tokio::test]
async fn an_op_stack_node() {
    let number = 0x5f_1dae;
    let node = node(recording("op", BASE, number), BASE).await;
    let found = detect(&node).await.unwrap();
    assert_eq!((found.stack, found.stack.class()), (StackKind::OpStack, Class::Reexecuted));
    let stack = found.stack.adapter();
    // No op-node there: the tags of the execution client.
    assert_eq!(stack.heads(&node).await.unwrap().latest.number, number);
    let block = read_block(&*stack, &node, At::Number(number)).await.unwrap().unwrap();
    assert_eq!(node.block(At::Hash(block.block.hash)).await.unwrap(), block.raw());
}

#[tokio::test]
async fn op_nodes_status_comes_first() {
    let mut recording = recording("op", BASE, 0x5f_1dae);
    let status = result("op", "docs-optimism_syncStatus.json");
    let exchange =
        json!({ "request": { "method": "optimism_syncStatus" }, "response": { "result": status } });
    recording.add(&exchange).unwrap();
    let node = node(recording, BASE).await;
    let heads = OpStack::default().heads(&node).await.unwrap();
    assert_eq!((heads.latest.number, heads.finalized.unwrap().number), (2_338_094, 2_337_942));
}

#[tokio::test]
async fn nothing_fits() {
    let sound = recording("op", BASE, 0x5f_1dae);
    let mut forged = sound.clone();
    let mut block = result("op", "base-eth_getblockbynumber.json");
    block["stateRoot"] = json!(hum_types::B256::repeat_byte(1));
    forged.add(&json!({ "response": { "result": block } })).unwrap();
    forged.set_head(Confidence::Latest, 0x5f_1dae).unwrap();
    let error = detect(&node(forged, BASE).await).await.unwrap_err();
    let DetectError::NoFit(evidence) = &error else { panic!("{error}") };
    assert!(evidence.len() >= 6 && error.to_string().contains("hash of block"));

    let mut celo = sound;
    let token = "0x471ece3750da237f93b8e339c536989b8978a438";
    let request = json!({ "method": "eth_getCode", "params": [token, "latest"] });
    celo.add(&json!({ "request": request, "response": { "result": "0x6001" } })).unwrap();
    let error = detect(&node(celo, BASE).await).await.unwrap_err();
    assert!(error.to_string().contains("code of Celo's token: true"), "{error}");
}

#[test]
fn a_recording_refuses_what_it_has_not() {
    let mut recording = Recording::new(ChainId(BASE));
    let ask = |recording: &Recording, request: Value| recording.answer(&request);
    let answer = ask(&recording, json!({ "id": 7, "method": "eth_chainId", "params": [] }));
    assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 7, "result": "0x2105" }));
    assert_eq!(ask(&recording, json!({ "id": 7, "method": "eth_gasPrice" }))["error"]["code"], -32601);
    assert_eq!(ask(&recording, json!({ "id": 7 }))["error"]["code"], -32600);
    let wrong = RecordingError::WrongChain { found: 1, expected: ChainId(BASE) };
    assert_eq!(recording.add(&json!({ "chain": { "chain_id": 1 } })), Err(wrong));
    assert_eq!(recording.add(&json!({})), Err(RecordingError::NoResult));
    assert_eq!(recording.add(&json!({ "response": { "result": 1 } })), Err(RecordingError::NoRequest));
    assert_eq!(recording.set_head(Confidence::Safe, 5), Err(RecordingError::NoBlock { number: 5 }));
    recording.add(&file("op", "base-eth_getblockbynumber.json")).unwrap();
    recording.set_head(Confidence::Safe, 0x5f_1dae).unwrap();
    let light = json!([{ "id": 1, "method": "eth_getBlockByNumber", "params": ["safe", false] }]);
    let answers = ask(&recording, light);
    assert!(answers[0]["result"]["transactions"][0].is_string());
    let other = json!({ "id": 1, "method": "eth_getBlockByNumber", "params": ["0x1", false] });
    assert_eq!(ask(&recording, other)["error"]["code"], -32000);
}
