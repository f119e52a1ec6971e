//! Who may register a chain, and what L1 has of it, asked of contracts that answer as the stacks' do.

use super::super::{nitro::*, op_stack::*, zksync::*, *};
use crate::rpc::tests::{Node, Reply};
use hum_types::ChainId;
use serde_json::{Value, json};

const OWNER: Address = Address::with_last_byte(0xaa);
const SIGNER: Address = Address::with_last_byte(0xbb);
const CONTRACT: Address = Address::with_last_byte(0x01);
const DIAMOND: Address = Address::with_last_byte(0x02);
const HUB: Address = Address::with_last_byte(0x03);

fn selector(function: &str) -> String {
    format!("0x{}", alloy_primitives::hex::encode(&keccak256(function)[..4]))
}

/// Contracts that answer functions by selector.
async fn l1(answers: &[(Address, &'static str, Address)]) -> RpcChain {
    let node = Node::new();
    let answers = answers.to_vec();
    node.on("eth_call", move |params: &Value| {
        let to: Address = serde_json::from_value(params[0]["to"].clone()).unwrap();
        let data = params[0]["data"].as_str().unwrap();
        let found = answers
            .iter()
            .find(|(contract, function, _)| *contract == to && data.starts_with(&selector(function)));
        match found {
            Some((_, _, address)) => Reply::Result(json!(address.into_word())),
            None => Reply::Error(3, "execution reverted", Value::Null),
        }
    });
    node.chain().await
}

#[tokio::test]
async fn the_op_stacks_owner_and_signer() {
    let contracts = OpContracts { system_config: CONTRACT, anchor_registry: DIAMOND, game_factory: HUB };
    let chain = l1(&[
        (CONTRACT, "owner()", OWNER),
        (CONTRACT, "unsafeBlockSigner()", SIGNER),
        (CONTRACT, "optimismPortal()", SIGNER),
        (SIGNER, "anchorStateRegistry()", DIAMOND),
        (SIGNER, "disputeGameFactory()", HUB),
    ])
    .await;
    assert_eq!(OpContracts::discover(&chain, CONTRACT).await.unwrap(), contracts);
    let found = OpStack { contracts: Some(contracts) }.registrar(&chain).await.unwrap();
    let expected =
        Registrar::L1 { contract: CONTRACT, getter: "owner()", owner: OWNER, signer: Some(SIGNER) };
    assert_eq!(found, expected);
    assert_eq!(OpStack::default().registrar(&chain).await.unwrap(), Registrar::Unknown);
    assert_eq!(Ethereum.registrar(&chain).await.unwrap(), Registrar::Registry);
}

#[tokio::test]
async fn nitros_owner() {
    let contracts = NitroContracts { rollup: CONTRACT, chain_id: ChainId(42_161) };
    let stack = Nitro { contracts: Some(contracts) };
    let found = stack.registrar(&l1(&[(CONTRACT, "owner()", OWNER)]).await).await.unwrap();
    let expected = Registrar::L1 { contract: CONTRACT, getter: "owner()", owner: OWNER, signer: None };
    assert_eq!(found, expected);
    let error = stack.registrar(&l1(&[]).await).await.unwrap_err();
    assert!(matches!(error, ReadError::Reverted { .. }), "{error}");
    let error = stack.registrar(&l1(&[(CONTRACT, "owner()", Address::ZERO)]).await).await.unwrap_err();
    assert!(matches!(error, ReadError::Garbage { .. }), "{error}");
}

#[tokio::test]
async fn zksyncs_admin_of_the_diamond_that_the_bridgehub_names() {
    let contracts = ZkContracts { bridgehub: HUB, diamond: DIAMOND, chain_id: ChainId(324) };
    let stack = ZkSync { contracts: Some(contracts) };
    let chain = l1(&[(HUB, "getZKChain(uint256)", DIAMOND), (DIAMOND, "getAdmin()", OWNER)]).await;
    let found = stack.registrar(&chain).await.unwrap();
    let expected = Registrar::L1 { contract: DIAMOND, getter: "getAdmin()", owner: OWNER, signer: None };
    assert_eq!(found, expected);
    let chain = l1(&[(HUB, "getZKChain(uint256)", CONTRACT), (DIAMOND, "getAdmin()", OWNER)]).await;
    let error = stack.registrar(&chain).await.unwrap_err();
    assert!(
        matches!(error, ReadError::Mismatch { field: "diamond that the Bridgehub names", .. }),
        "{error}"
    );
}

#[test]
fn a_word_is_an_address_or_nothing() {
    assert_eq!(word_as_address(OWNER.into_word().as_slice()).unwrap(), OWNER);
    for bad in [vec![], vec![0; 31], vec![0; 33], vec![0; 32], vec![0xff; 32]] {
        assert!(matches!(word_as_address(&bad), Err(ReadError::Garbage { .. })));
    }
}

const NODE_INTERFACE: Address = Address::with_last_byte(0xc8);

#[tokio::test]
async fn nitros_batches_on_l1() {
    let contracts = NitroContracts { rollup: CONTRACT, chain_id: ChainId(42_161) };
    let l1 = l1(&[
        (CONTRACT, "sequencerInbox()", HUB),
        (HUB, "batchCount()", Address::with_last_byte(8)),
        // A word is a word: the same contract stands in for the node of another chain, and names batch 7.
        (NODE_INTERFACE, "findBatchContainingBlock(uint64)", Address::with_last_byte(7)),
    ])
    .await;
    let found = contracts.inclusion(&l1, &l1, 5, At::LATEST).await.unwrap();
    assert_eq!(found, Some(Inclusion { batch: 7, on_l1: 8, included: true }));
    let behind = Node::new().chain().await;
    assert!(contracts.inclusion(&l1, &behind, 5, At::LATEST).await.is_err());
}

#[tokio::test]
async fn a_batch_that_l1_has_not() {
    let contracts = NitroContracts { rollup: CONTRACT, chain_id: ChainId(42_161) };
    let chain = l1(&[
        (CONTRACT, "sequencerInbox()", HUB),
        (HUB, "batchCount()", Address::with_last_byte(7)),
        (NODE_INTERFACE, "findBatchContainingBlock(uint64)", Address::with_last_byte(7)),
    ])
    .await;
    let found = contracts.inclusion(&chain, &chain, 5, At::LATEST).await.unwrap();
    assert_eq!(found, Some(Inclusion { batch: 7, on_l1: 7, included: false }));
    let unposted = l1(&[(CONTRACT, "sequencerInbox()", HUB)]).await;
    assert_eq!(contracts.inclusion(&unposted, &unposted, 5, At::LATEST).await.unwrap(), None);

    let contracts = ZkContracts { bridgehub: HUB, diamond: DIAMOND, chain_id: ChainId(324) };
    let chain = l1(&[(DIAMOND, "getTotalBatchesCommitted()", Address::with_last_byte(9))]).await;
    for (batch, included) in [(8, true), (9, true), (10, false)] {
        let found = contracts.inclusion(&chain, batch, At::LATEST).await.unwrap();
        assert_eq!(found, Inclusion { batch, on_l1: 9, included });
    }
}
