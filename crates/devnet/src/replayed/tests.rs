use super::*;
use hum_chain::{
    rpc::{RpcChain, RpcLimits},
    stack::{StackKind, detect, read_block, read_receipts},
};

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../chain/testdata").join(name)
}

#[tokio::test]
async fn a_nitro_node_is_stood_in_for() {
    let chain_id = ChainId(421_614);
    let recording = load(&folder("arbitrum"), chain_id, 0xb0a_6c25, true).unwrap();
    let node = ReplayedNode::serve(recording).await.unwrap();
    let chain = RpcChain::new(node.url(), chain_id, RpcLimits::default()).unwrap();
    let found = detect(&chain).await.unwrap();
    assert_eq!(found.stack, StackKind::Nitro);
    assert!(found.evidence[0].found.contains(hum_chain::replay::LABEL));
    let stack = found.stack.adapter();
    let heads = stack.heads(&chain).await.unwrap();
    assert_eq!(heads.finalized, Some(heads.latest));
    let block = read_block(&*stack, &chain, hum_chain::At::LATEST).await.unwrap().unwrap();
    assert!(!read_receipts(&*stack, &chain, &block).await.unwrap().is_empty());
}

#[test]
fn a_folder_or_a_head_that_is_not_there() {
    let nowhere = load(Path::new("nowhere"), ChainId(1), 1, false);
    assert!(matches!(nowhere, Err(ReplayedError::Io { .. })));
    let headless = load(&folder("zksync"), ChainId(324), 1, false);
    assert!(matches!(headless, Err(ReplayedError::Recording(RecordingError::NoBlock { number: 1 }))));
}
