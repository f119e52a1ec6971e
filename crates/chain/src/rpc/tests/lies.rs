//! Nodes that lie, stall, answer garbage or disappear.

use super::*;
use crate::Disposition;

async fn head_error(reply: Reply) -> ReadError {
    let node = Node::new();
    node.replies("eth_getBlockByNumber", reply);
    node.chain().await.head(Confidence::Latest).await.unwrap_err()
}

#[tokio::test]
async fn a_stalled_answer_times_out() {
    let error = head_error(Reply::Stall).await;
    assert!(matches!(error, ReadError::Timeout { after_ms: 300, .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::Retry);
}

#[tokio::test]
async fn a_long_answer_is_cut_off() {
    let error = head_error(Reply::Long(20_000)).await;
    assert!(matches!(error, ReadError::TooLarge { bound: 10_000, .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::Distrust);
}

#[tokio::test]
async fn garbage_is_told_from_silence() {
    for body in ["", "not json", "[]", r#"{"id":7,"result":3}"#, r#"{"result":{"number":"0x1"}}"#] {
        let error = head_error(Reply::Body(body)).await;
        assert!(matches!(error, ReadError::Garbage { .. } | ReadError::Mismatch { .. }), "{body}: {error}");
        assert_eq!(error.disposition(), Disposition::Distrust, "{body}");
    }
}

#[tokio::test]
async fn an_answer_to_another_question_is_refused() {
    let error = head_error(Reply::Body(r#"{"id":999999,"result":null}"#)).await;
    assert!(matches!(error, ReadError::Mismatch { field: "answer id", .. }), "{error}");
}

#[tokio::test]
async fn an_error_status_is_a_transport_failure() {
    let error = head_error(Reply::Status(503)).await;
    assert!(matches!(error, ReadError::Transport { .. }), "{error}");
    assert!(error.to_string().contains("503"));
}

#[tokio::test]
async fn a_node_that_is_gone_is_a_transport_failure_without_its_secrets() {
    let chain = RpcChain::new("http://user:secret@127.0.0.1:1/key", CHAIN, limits()).unwrap();
    let error = chain.head(Confidence::Latest).await.unwrap_err();
    assert!(matches!(error, ReadError::Transport { .. }), "{error}");
    assert!(!error.to_string().contains("secret") && !error.to_string().contains("key"), "{error}");
    assert!(!format!("{chain:?}").contains("secret"));
}

#[tokio::test]
async fn another_chain_is_refused_also_after_a_break() {
    let node = Node::new();
    node.says("eth_getBlockByNumber", head(raw().block));
    let chain = node.chain().await;
    assert!(chain.head(Confidence::Latest).await.is_ok());
    assert_eq!(node.asked("eth_chainId"), 1);

    node.replies("eth_getBlockByNumber", Reply::Status(502));
    assert!(chain.head(Confidence::Latest).await.is_err());
    node.says("eth_chainId", json!("0x8"));
    node.says("eth_getBlockByNumber", head(raw().block));
    let error = chain.head(Confidence::Latest).await.unwrap_err();
    assert_eq!(error, ReadError::WrongChain { found: ChainId(8), expected: CHAIN });

    node.says("eth_chainId", json!("0x9"));
    assert!(chain.head(Confidence::Latest).await.is_ok());
}

#[tokio::test]
async fn a_raw_block_is_taken_only_under_its_own_hash() {
    let node = Node::new();
    let block = raw();
    node.says("eth_getBlockByNumber", head(block.block));
    node.says("debug_getRawBlock", json!(block.rlp));
    let chain = node.chain().await;
    assert_eq!(chain.block(At::Number(12)).await.unwrap(), Some(block.clone()));

    let forged = BlockRef { hash: B256::repeat_byte(9), ..block.block };
    node.says("eth_getBlockByNumber", head(forged));
    let error = chain.block(At::Number(12)).await.unwrap_err();
    assert!(matches!(error, ReadError::Mismatch { field: "block hash", .. }), "{error}");

    let other = BlockRef { number: 13, ..block.block };
    node.says("eth_getBlockByNumber", head(other));
    let error = chain.block(At::Number(13)).await.unwrap_err();
    assert!(matches!(error, ReadError::Mismatch { field: "block number", .. }), "{error}");
}

#[tokio::test]
async fn a_raw_block_with_another_body_is_refused() {
    let node = Node::new();
    let block = raw();
    let mut fewer = crate::block::tests::block();
    fewer.body.transactions.pop();
    node.says("eth_getBlockByNumber", head(block.block));
    node.says("debug_getRawBlock", json!(Bytes::from(alloy_rlp::encode(fewer))));
    let error = node.chain().await.block(At::LATEST).await.unwrap_err();
    assert!(error.to_string().contains("transactions root"), "{error}");
    assert_eq!(error.disposition(), Disposition::Distrust);
}

#[tokio::test]
async fn a_missing_block_is_none() {
    let node = Node::new();
    node.says("eth_getBlockByNumber", Value::Null);
    node.says("eth_getBlockByHash", Value::Null);
    let chain = node.chain().await;
    assert_eq!(chain.block(At::Number(5)).await.unwrap(), None);
    assert_eq!(chain.block(At::Hash(B256::ZERO)).await.unwrap(), None);
    assert!(matches!(chain.head(Confidence::Safe).await, Err(ReadError::Missing { .. })));
}

#[tokio::test]
async fn without_raw_blocks_the_json_is_rebuilt_and_must_hash() {
    let node = Node::new();
    node.on("eth_getBlockByNumber", |params| {
        Reply::Result(if params[1] == json!(true) { full_json() } else { head(raw().block) })
    });
    let chain = node.chain().await;
    assert_eq!(chain.block(At::Number(12)).await.unwrap(), Some(raw()));
    assert_eq!(chain.block(At::Number(12)).await.unwrap(), Some(raw()));
    assert_eq!(node.asked("debug_getRawBlock"), 1, "asked again for what the node does not offer");

    for field in ["stateRoot", "parentHash", "timestamp", "hash"] {
        let node = Node::new();
        node.on("eth_getBlockByNumber", move |params| {
            let mut block = full_json();
            block[field] = if field == "timestamp" { json!("0x5") } else { json!(B256::repeat_byte(3)) };
            Reply::Result(if params[1] == json!(true) { block } else { head(raw().block) })
        });
        let error = node.chain().await.block(At::Number(12)).await.unwrap_err();
        assert!(matches!(error, ReadError::Mismatch { field: "block hash", .. }), "{field}: {error}");
    }
}

#[tokio::test]
async fn a_block_asked_by_hash_must_have_it() {
    let node = Node::new();
    let wanted = B256::repeat_byte(5);
    node.says("eth_getBlockByHash", full_json());
    let error = node.chain().await.block(At::Hash(wanted)).await.unwrap_err();
    assert!(matches!(error, ReadError::Mismatch { field: "block hash", .. }), "{error}");
}

#[tokio::test]
async fn witnesses_are_asked_for_in_the_form_that_the_node_knows() {
    let block = raw().block;
    let witness = json!({ "state": ["0x80"], "codes": [], "headers": [] });
    for (form, params) in [
        ("debug_executionWitnessByBlockHash", json!([block.hash])),
        ("debug_executionWitness", json!(["0xc"])),
        ("debug_executionWitness", json!(["0xc", "canonical"])),
    ] {
        let node = Node::new();
        node.says("eth_getBlockByNumber", head(block));
        let (expected, answer) = (params.clone(), witness.clone());
        node.on(form, move |params| {
            if *params == expected {
                Reply::Result(answer.clone())
            } else {
                Reply::Error(-32602, "missing value for required argument", Value::Null)
            }
        });
        let chain = node.chain().await;
        for _ in 0..2 {
            let RawWitness::Json(text) = chain.witness(block).await.unwrap() else { panic!("not JSON") };
            assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), witness, "{params}");
        }
        let other = node.asked("debug_executionWitnessByBlockHash") + node.asked("debug_executionWitness");
        assert!(other <= 4, "the form that worked is remembered: {other} requests");
    }
}

#[tokio::test]
async fn a_node_without_witnesses_is_named() {
    let node = Node::new();
    let error = node.chain().await.witness(raw().block).await.unwrap_err();
    assert!(matches!(error, ReadError::Unsupported { method: "debug_executionWitness", .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::Refused);
}

#[tokio::test]
async fn a_witness_by_number_is_refused_when_the_number_has_another_block_by_then() {
    let node = Node::new();
    node.says("debug_executionWitness", json!({ "state": [] }));
    node.says("eth_getBlockByNumber", head(BlockRef { number: 12, hash: B256::repeat_byte(4) }));
    let error = node.chain().await.witness(raw().block).await.unwrap_err();
    assert!(matches!(error, ReadError::Mismatch { field: "canonical block", .. }), "{error}");
}

fn log() -> Value {
    json!({
        "address": Address::repeat_byte(1), "topics": [B256::repeat_byte(2)], "data": "0x03",
        "blockNumber": "0x5", "blockHash": B256::repeat_byte(6), "transactionHash": B256::repeat_byte(7),
        "transactionIndex": "0x0", "logIndex": "0x1", "removed": false,
    })
}

#[tokio::test]
async fn logs_that_were_not_asked_for_are_refused() {
    let query = LogQuery {
        from: 4,
        to: 6,
        addresses: vec![Address::repeat_byte(1)],
        topics: vec![B256::repeat_byte(2)],
    };
    let node = Node::new();
    node.says("eth_getLogs", json!([log()]));
    let chain = node.chain().await;
    let logs = chain.logs(query.clone()).await.unwrap();
    assert_eq!((logs.len(), logs[0].block.number, logs[0].index), (1, 5, 1));

    for (field, value, named) in [
        ("blockNumber", json!("0x7"), "log's block"),
        ("address", json!(Address::repeat_byte(8)), "log's emitter"),
        ("topics", json!([B256::repeat_byte(8)]), "log's first topic"),
    ] {
        let mut wrong = log();
        wrong[field] = value;
        node.says("eth_getLogs", json!([wrong]));
        let error = chain.logs(query.clone()).await.unwrap_err();
        assert!(matches!(error, ReadError::Mismatch { field, .. } if field == named), "{field}: {error}");
    }
}

#[tokio::test]
async fn a_reverted_call_carries_its_data() {
    for data in [json!("0xdeadbeef"), json!({ "data": "0xdeadbeef" })] {
        let node = Node::new();
        node.replies("eth_call", Reply::Error(3, "execution reverted", data));
        let error = node.chain().await.call(Address::ZERO, Bytes::new(), At::LATEST).await.unwrap_err();
        assert!(
            matches!(&error, ReadError::Reverted { data, .. } if data.as_ref() == [0xde, 0xad, 0xbe, 0xef])
        );
    }
}
