use super::*;
use crate::rpc::tests::{Node, Reply};
use hum_verify::ChainSpec;

#[tokio::test]
async fn anvil_by_its_hard_fork_and_version() {
    for (fork, forks) in [("Cancun", 1), ("Prague", 2), ("Bpo1", 4), ("Bpo2", 5)] {
        let node = Node::new();
        node.says(ANVIL, json!({ "hardFork": fork }));
        node.says("web3_clientVersion", json!("anvil/v1.7.1"));
        let config = chain_config(&node.chain().await, StackKind::Ethereum).await.unwrap().unwrap();
        let times = FORKS.iter().filter(|fork| config.get(format!("{fork}Time")).is_some()).count();
        assert_eq!(times, forks);
        let spec: ChainSpec = serde_json::from_value(config).unwrap();
        assert!(spec.keep_empty_state() && spec.allow_equal_timestamps());
        assert_eq!(spec.chain_id().0, 9);
    }
    let node = Node::new();
    node.says(ANVIL, json!({ "hardFork": "Shanghai" }));
    let error = chain_config(&node.chain().await, StackKind::Ethereum).await.unwrap_err();
    assert!(matches!(error, ReadError::Garbage { method: ANVIL, .. }), "{error}");
}

#[test]
fn versions_of_anvil() {
    for (client, keeps) in [
        ("anvil/v1.7.1", true),
        ("anvil/v1.5.0-stable+abc", true),
        ("anvil/v1.7.2", false),
        ("anvil/v1.8.0-nightly", false),
        ("anvil/v2.0.0", false),
        ("anvil", true),
        ("anvil/vx", true),
    ] {
        assert_eq!(keeps_empty_state(client), keeps, "{client}");
    }
}

#[tokio::test]
async fn the_nodes_own_words_where_it_has_them() {
    let node = Node::new();
    node.says("debug_chainConfig", json!({ "chainId": 9 }));
    node.says("optimism_rollupConfig", json!({ "l2_chain_id": 9 }));
    let chain = node.chain().await;
    let ask = async |stack| chain_config(&chain, stack).await.unwrap();
    assert_eq!(ask(StackKind::Ethereum).await, Some(json!({ "chainId": 9 })));
    assert_eq!(ask(StackKind::OpStack).await, Some(json!({ "l2_chain_id": 9 })));
    assert_eq!(ask(StackKind::Nitro).await, None);
    assert_eq!(ask(StackKind::ZkSync).await, None);
    let silent = Node::new().chain().await;
    assert_eq!(chain_config(&silent, StackKind::Ethereum).await.unwrap(), None);
    let failing = Node::new();
    failing.replies("debug_chainConfig", Reply::Error(-32000, "busy", Value::Null));
    let error = chain_config(&failing.chain().await, StackKind::Ethereum).await.unwrap_err();
    assert!(matches!(error, ReadError::Node { code: -32000, .. }), "{error}");
}
