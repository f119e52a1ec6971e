use std::time::{Duration, Instant};

use alloy::eips::BlockNumberOrTag;
use alloy::network::TransactionBuilder;
use alloy::primitives::{U256, address, bytes, keccak256};
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use alloy::rpc::types::TransactionRequest;
use alloy::signers::local::PrivateKeySigner;
use hum_types::ChainId;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

mod blobs;
mod judged;
mod replayed;

const SOMEBODY: Address = address!("00000000000000000000000000000000deadbeef");
/// Runtime code that adds one to slot 0 and logs the new value with topic 7.
const COUNTER: Address = address!("c000000000000000000000000000000000000001");

fn signer() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&keccak256("hum-devnet tests")).unwrap()
}

fn counter() -> Predeploy {
    let code = bytes!("600054600101806000556000526007602060 00a100");
    let storage = [(B256::ZERO, B256::with_last_byte(41))].into();
    Predeploy { address: COUNTER, code, balance: U256::from(5), storage }
}

fn settings(block_time_ms: u64) -> ChainConfig {
    ChainConfig {
        block_time_ms,
        prefunded: vec![(signer().address(), U256::from(10).pow(U256::from(20)))],
        predeploys: vec![counter()],
        ..ChainConfig::new("test", ChainId(4_242))
    }
}

async fn reach(chain: &DevChain, number: u64) {
    let mut heads = chain.heads();
    let wait = heads.wait_for(|head| head.number >= number);
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("blocks in time").unwrap();
}

/// A chain that stands still after its first block.
async fn still(config: ChainConfig) -> DevChain {
    let chain = DevChain::start(config).await.unwrap();
    reach(&chain, 1).await;
    chain.pause().await;
    chain
}

fn provider(url: &str) -> DynProvider {
    ProviderBuilder::new().wallet(signer()).connect_http(url.parse().unwrap()).erased()
}

async fn send(chain: &DevChain, request: TransactionRequest) -> B256 {
    *provider(&chain.rpc_url()).send_transaction(request).await.unwrap().tx_hash()
}

fn transfer(value: u64) -> TransactionRequest {
    TransactionRequest::default().with_to(SOMEBODY).with_value(U256::from(value))
}

async fn post_raw(address: std::net::SocketAddr, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server may refuse and hang up before it has read everything.
    let _ = stream.write_all(body).await;
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply).await;
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n").expect("reply has a head");
    let status = std::str::from_utf8(&reply[9..12]).unwrap().parse().unwrap();
    (status, reply[end + 4..].to_vec())
}

async fn post(chain: &DevChain, body: Value) -> Value {
    let (status, reply) = post_raw(chain.endpoint().address(), body.to_string().as_bytes()).await;
    assert_eq!(status, 200);
    serde_json::from_slice(&reply).unwrap()
}

async fn ask(chain: &DevChain, method: &str, params: Value) -> Value {
    let reply = post(chain, json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})).await;
    assert!(reply["error"].is_null(), "{method}: {reply}");
    reply["result"].clone()
}

fn timestamp(chain: &DevChain, number: u64) -> u64 {
    chain.core.header(number).unwrap().timestamp
}

fn from_hex(value: &Value) -> Bytes {
    value.as_str().unwrap().parse().unwrap()
}

/// The witness must at least open the parent's state.
async fn check_witness(chain: &DevChain, number: u64) {
    let tag = format!("0x{number:x}");
    let witness = ask(chain, "debug_executionWitness", json!([tag])).await;
    let parent = ask(chain, "eth_getBlockByNumber", json!([format!("0x{:x}", number - 1), false])).await;
    let root: B256 = parent["stateRoot"].as_str().unwrap().parse().unwrap();
    let nodes = witness["state"].as_array().unwrap();
    assert!(
        nodes.iter().any(|node| keccak256(from_hex(node)) == root),
        "block {number}: no node hashes to the parent's state root"
    );
    let headers = witness["headers"].as_array().unwrap();
    let parent_hash: B256 = parent["hash"].as_str().unwrap().parse().unwrap();
    assert!(
        headers.iter().any(|header| keccak256(from_hex(header)) == parent_hash),
        "block {number}: no parent header"
    );
    let raw = from_hex(&ask(chain, "debug_getRawBlock", json!([tag])).await);
    assert_eq!(raw, chain.raw_block(number).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn boots_with_osaka_rules_and_predeploys() {
    let chain = still(settings(1_000)).await;
    let rpc = provider(&chain.rpc_url());
    assert_eq!(rpc.get_chain_id().await.unwrap(), 4_242);
    for system in [
        alloy::eips::eip4788::BEACON_ROOTS_ADDRESS,
        alloy::eips::eip2935::HISTORY_STORAGE_ADDRESS,
        alloy::eips::eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
        alloy::eips::eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
        CREATE2_DEPLOYER,
    ] {
        assert!(!rpc.get_code_at(system).await.unwrap().is_empty(), "{system}");
    }
    assert_eq!(rpc.get_code_at(COUNTER).await.unwrap(), counter().code);
    assert_eq!(rpc.get_balance(COUNTER).await.unwrap(), U256::from(5));
    assert_eq!(rpc.get_storage_at(COUNTER, U256::ZERO).await.unwrap(), U256::from(41));
    let config = ask(&chain, "debug_chainConfig", json!([])).await;
    assert_eq!(config["osakaTime"], json!(0));
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_are_mined_at_block_time() {
    let chain = DevChain::start(settings(1_000)).await.unwrap();
    reach(&chain, 1).await;
    let started = Instant::now();
    let hash = send(&chain, transfer(77)).await;
    reach(&chain, chain.head().number + 2).await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let rpc = provider(&chain.rpc_url());
    let receipt = rpc.get_transaction_receipt(hash).await.unwrap().expect("mined");
    assert!(receipt.status());
    assert_eq!(rpc.get_balance(SOMEBODY).await.unwrap(), U256::from(77));
    for number in 1..=chain.head().number {
        assert!(timestamp(&chain, number) > timestamp(&chain, number - 1));
        check_witness(&chain, number).await;
    }
    assert_eq!(ask(&chain, "txpool_status", json!([])).await["pending"], json!("0x0"));
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_receipt_of_a_full_block_is_read_back() {
    const SENT: usize = 5;
    let chain = still(settings(1_000)).await;
    let sender = provider(&chain.rpc_url());
    for _ in 0..SENT {
        let call = TransactionRequest::default().with_to(COUNTER).with_gas_limit(100_000);
        let _ = sender.send_transaction(call).await.unwrap();
    }
    let number = chain.produce_block().await.unwrap().number;
    // The client moves what it has made from a buffer to its store soon after a block.
    for _ in 0..3 {
        chain.produce_block().await.unwrap();
    }
    let tag = format!("0x{number:x}");
    let receipts = ask(&chain, "eth_getBlockReceipts", json!([tag])).await;
    let receipts = receipts.as_array().unwrap();
    assert_eq!(receipts.len(), SENT);
    let logs = ask(&chain, "eth_getLogs", json!([{"fromBlock": "0x0", "address": COUNTER}])).await;
    assert_eq!(logs.as_array().unwrap().len(), SENT);
    for (index, receipt) in receipts.iter().enumerate() {
        assert_eq!(receipt["transactionIndex"], format!("0x{index:x}"));
        assert_eq!(receipt["logs"][0], logs[index]);
        assert_eq!(receipt["logs"][0]["logIndex"], format!("0x{index:x}"));
        assert_eq!(
            &ask(&chain, "eth_getTransactionReceipt", json!([receipt["transactionHash"]])).await,
            receipt
        );
    }
    let none = ask(&chain, "eth_getLogs", json!([{"fromBlock": "0x0", "address": SOMEBODY}])).await;
    assert_eq!(none, json!([]));
    let raw = ask(&chain, "debug_getRawReceipts", json!([tag])).await;
    assert_eq!(raw, json!(chain.raw_receipts(number).await.unwrap()));
    assert_eq!(raw.as_array().unwrap().len(), SENT);
}

/// Whoever pays for bytes that do not compress fills no block with more than a post takes, and does not stop the others.
#[tokio::test(flavor = "multi_thread")]
async fn no_block_has_more_bytes_than_a_post_takes() {
    let most = POSTED_TRANSACTIONS_BYTES_MAX;
    let chain = still(ChainConfig { transactions_bytes_max: Some(most), ..settings(1_000) }).await;
    let with = |length: usize| {
        let noise = (0_u64..).flat_map(|word| keccak256(word.to_be_bytes()).0).take(length);
        let input: Vec<u8> = noise.collect();
        let request = TransactionRequest::default().with_to(SOMEBODY).with_gas_limit(6_000_000);
        request.with_input(input)
    };
    let mut hashes = Vec::new();
    for length in [50_000, 50_000, 50_000, 115_000] {
        hashes.push(send(&chain, with(length)).await);
    }
    let block_of = async |hash: B256| {
        ask(&chain, "eth_getTransactionByHash", json!([hash])).await["blockNumber"].clone()
    };
    for taken in [2, 1, 0] {
        let number = chain.produce_block().await.unwrap().number;
        let block = ask(&chain, "eth_getBlockByNumber", json!([format!("0x{number:x}"), false])).await;
        assert_eq!(block["transactions"].as_array().unwrap().len(), taken);
        assert!(chain.raw_block(number).await.unwrap().len() < 120_000);
    }
    let [.., third, dropped] = hashes[..] else { panic!() };
    assert!(block_of(third).await.is_string());
    assert!(block_of(dropped).await.is_null(), "too long for any block");
    // Its place is free for another.
    let transfer = send(&chain, transfer(7)).await;
    chain.produce_block().await.unwrap();
    assert!(block_of(transfer).await.is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn quarter_second_blocks_share_timestamps_and_have_witnesses() {
    let chain = still(settings(250)).await;
    let mut hashes = Vec::new();
    for value in 1..=6 {
        hashes.push(send(&chain, transfer(value)).await);
        send(&chain, TransactionRequest::default().with_to(COUNTER)).await;
        chain.produce_block().await.unwrap();
    }
    // On a busy machine the six blocks may all have fallen into different seconds.
    loop {
        let next = chain.produce_block().await.unwrap().number;
        if timestamp(&chain, next) == timestamp(&chain, next - 1) {
            break;
        }
    }
    let head = chain.head().number;
    assert!((1..=head).all(|number| timestamp(&chain, number - 1) <= timestamp(&chain, number)));
    assert!(timestamp(&chain, head) <= config::now_seconds(), "blocks run ahead of the clock");
    for number in 1..=chain.head().number {
        check_witness(&chain, number).await;
    }
    let rpc = provider(&chain.rpc_url());
    for hash in hashes {
        assert!(rpc.get_transaction_receipt(hash).await.unwrap().expect("mined").status());
    }
    assert_eq!(rpc.get_storage_at(COUNTER, U256::ZERO).await.unwrap(), U256::from(47));
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quarter_second_blocks_keep_their_pace() {
    let chain = DevChain::start(settings(250)).await.unwrap();
    reach(&chain, 1).await;
    let started = Instant::now();
    reach(&chain, 9).await;
    let took = started.elapsed();
    assert!(
        took > Duration::from_millis(1_500) && took < Duration::from_secs(8),
        "8 blocks of 250 ms took {took:?}"
    );
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn safe_and_finalized_lag() {
    let chain = still(ChainConfig { safe_depth: 1, finalized_depth: 3, ..settings(1_000) }).await;
    let rpc = provider(&chain.rpc_url());
    for _ in 0..5 {
        let head = chain.head().number;
        for (tag, depth) in
            [(BlockNumberOrTag::Latest, 0), (BlockNumberOrTag::Safe, 1), (BlockNumberOrTag::Finalized, 3)]
        {
            let block = rpc.get_block_by_number(tag).await.unwrap().expect("tagged block");
            assert_eq!(block.header.number, head.saturating_sub(depth), "{tag} at head {head}");
        }
        chain.produce_block().await.unwrap();
    }
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reorg_switches_the_canonical_chain_and_requeues() {
    for block_time_ms in [1_000, 250] {
        let chain = still(settings(block_time_ms)).await;
        let rpc = provider(&chain.rpc_url());
        chain.produce_block().await.unwrap();
        let hash = send(&chain, transfer(5)).await;
        for _ in 0..4 {
            chain.produce_block().await.unwrap();
        }
        let old = chain.head();
        let reorg = chain.reorg(4, DroppedTransactions::Requeue).await.unwrap();
        assert_eq!((reorg.kept.number, reorg.dropped.len(), reorg.requeued), (old.number - 4, 4, 1));
        assert_eq!(reorg.dropped.last(), Some(&old));
        assert_eq!(chain.head(), reorg.head);
        assert_eq!(reorg.head.number, old.number - 3);
        assert_ne!(reorg.head.hash, reorg.dropped[0].hash);
        assert!(
            rpc.get_block_by_number(old.number.into()).await.unwrap().is_none(),
            "dropped numbers are empty"
        );
        assert!(
            rpc.get_block_by_hash(reorg.dropped[0].hash).await.unwrap().is_none(),
            "dropped hashes are unknown"
        );
        let by_hash = rpc.get_block_by_hash(reorg.head.hash).await.unwrap().expect("the head has its hash");
        assert_eq!(by_hash.header.number, reorg.head.number);
        assert_eq!(rpc.get_balance(SOMEBODY).await.unwrap(), U256::ZERO);
        chain.produce_block().await.unwrap();
        let receipt = rpc.get_transaction_receipt(hash).await.unwrap().expect("mined again");
        assert_eq!(receipt.block_number, Some(reorg.head.number + 1));
        assert_eq!(rpc.get_balance(SOMEBODY).await.unwrap(), U256::from(5));
        for _ in 0..4 {
            chain.produce_block().await.unwrap();
        }
        for number in 1..=chain.head().number {
            check_witness(&chain, number).await;
        }
        let finalized = rpc.get_block_by_number(BlockNumberOrTag::Finalized).await.unwrap().unwrap();
        assert_eq!(finalized.header.hash, chain.block(chain.head().number - 4).unwrap().hash);
        chain.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reorg_discards_on_request() {
    let chain = still(settings(250)).await;
    let hash = send(&chain, transfer(5)).await;
    chain.produce_block().await.unwrap();
    let reorg = chain.reorg(1, DroppedTransactions::Discard).await.unwrap();
    assert_eq!(reorg.requeued, 0);
    chain.produce_block().await.unwrap();
    let rpc = provider(&chain.rpc_url());
    assert!(rpc.get_transaction_receipt(hash).await.unwrap().is_none());
    assert_eq!(rpc.get_balance(SOMEBODY).await.unwrap(), U256::ZERO);
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reorg_of_nothing_or_of_genesis_is_refused() {
    let chain = still(settings(250)).await;
    let head = chain.head();
    for depth in [0, head.number + 1] {
        let refused = chain.reorg(depth, DroppedTransactions::Requeue).await;
        assert!(matches!(refused, Err(DevChainError::ReorgDepth { .. })), "{refused:?}");
    }
    assert_eq!(chain.head(), head);
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn create2_deploys_to_the_same_address_everywhere() {
    let salt = keccak256("salt");
    // Returns the one byte 0x00 as runtime code.
    let init = bytes!("60016000f3");
    let expected = CREATE2_DEPLOYER.create2_from_code(salt, &init);
    let calldata = Bytes::from([salt.as_slice(), &init].concat());
    for chain_id in [ChainId(1), ChainId(2)] {
        let chain = still(ChainConfig { chain_id, ..settings(250) }).await;
        let hash = send(
            &chain,
            TransactionRequest::default().with_to(CREATE2_DEPLOYER).with_input(calldata.clone()),
        )
        .await;
        chain.produce_block().await.unwrap();
        let rpc = provider(&chain.rpc_url());
        assert!(rpc.get_transaction_receipt(hash).await.unwrap().expect("mined").status());
        assert_eq!(rpc.get_code_at(expected).await.unwrap(), bytes!("00"));
        chain.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fork_shares_history_and_then_diverges() {
    for block_time_ms in [1_000, 250] {
        let chain = still(settings(block_time_ms)).await;
        for value in 1..=3 {
            send(&chain, transfer(value)).await;
            chain.produce_block().await.unwrap();
        }
        let at = chain.head().number - 1;
        let fork = chain.fork(at, 0).await.unwrap();
        reach(&fork, at + 1).await;
        fork.pause().await;
        for number in 0..=at {
            assert_eq!(fork.block(number).unwrap(), chain.block(number).unwrap());
        }
        assert_ne!(fork.block(at + 1).unwrap().hash, chain.block(at + 1).unwrap().hash);
        check_witness(&fork, at + 1).await;

        let endpoint = Endpoint::open(&chain, 0).await.unwrap();
        let rpc = provider(&endpoint.url());
        let hash_at = |number: u64| {
            let rpc = rpc.clone();
            async move { rpc.get_block_by_number(number.into()).await.unwrap().unwrap().header.hash }
        };
        assert_eq!(hash_at(at + 1).await, chain.block(at + 1).unwrap().hash);
        endpoint.point_at(&fork);
        assert_eq!(hash_at(at + 1).await, fork.block(at + 1).unwrap().hash);
        endpoint.point_at(&chain);
        assert_eq!(hash_at(at + 1).await, chain.block(at + 1).unwrap().hash);
        endpoint.close().await;
        fork.shutdown().await;
        chain.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fork_of_the_future_is_refused() {
    let chain = still(settings(250)).await;
    let missing = chain.head().number + 1;
    let refused = chain.fork(missing, 0).await.err();
    assert!(
        matches!(refused, Some(DevChainError::MissingBlock { number }) if number == missing),
        "{refused:?}"
    );
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_slot_is_false_only_when_its_value_is() {
    let chain = still(settings(1_000)).await;
    send(&chain, TransactionRequest::default().with_to(COUNTER)).await;
    let number = chain.produce_block().await.unwrap().number;
    let truth = chain.forge_slot(number, COUNTER, B256::ZERO, B256::with_last_byte(42)).await;
    assert!(matches!(truth, Err(DevChainError::Lie(lies::LieError::Truth { .. }))), "{truth:?}");
    let lie = chain.forge_slot(number, COUNTER, B256::ZERO, B256::with_last_byte(43)).await.unwrap();
    assert_ne!(lie.hash, chain.block(number).unwrap().hash);

    let receipts = chain.raw_receipts(number).await.unwrap();
    let served = ask(&chain, "debug_getRawReceipts", json!([format!("0x{number:x}")])).await;
    let served: Vec<_> = served.as_array().unwrap().iter().map(from_hex).collect();
    assert_eq!(receipts, served);
    let raw = chain.raw_block(number).await.unwrap();
    let forged = lies::forged_receipt(&raw, &receipts, alloy::primitives::Log::empty()).unwrap();
    assert_ne!(forged.hash, chain.block(number).unwrap().hash);
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_answered_in_order() {
    let chain = still(settings(250)).await;
    let call = |id: u64, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": []});
    let reply =
        post(&chain, json!([call(5, "eth_chainId"), call(6, "nonsense"), call(7, "eth_blockNumber")])).await;
    assert_eq!(reply[0], json!({"jsonrpc": "2.0", "id": 5, "result": "0x1092"}));
    assert_eq!((&reply[1]["id"], reply[1]["error"].is_object()), (&json!(6), true));
    assert_eq!(reply[2]["result"], json!(format!("0x{:x}", chain.head().number)));
    let too_many: Vec<_> = (0..=MAX_BATCH as u64).map(|id| call(id, "eth_chainId")).collect();
    assert_eq!(post(&chain, too_many.into()).await["error"]["code"], json!(-32_600));
    assert_eq!(post(&chain, json!([])).await["error"]["code"], json!(-32_600));
    assert_eq!(post(&chain, json!({"id": 1})).await["error"]["code"], json!(-32_600));
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_change_nothing() {
    let chain = still(settings(250)).await;
    chain.produce_block().await.unwrap();
    let head = chain.head();
    let address = chain.endpoint().address();
    let (status, reply) = post_raw(address, b"\xff{not json").await;
    let reply: Value = serde_json::from_slice(&reply).unwrap();
    assert_eq!((status, &reply["error"]["code"]), (200, &json!(-32_700)));
    let (status, _) = post_raw(address, &vec![b' '; MAX_BODY_BYTES + 1]).await;
    assert_eq!(status, 413);
    let rewind =
        post(&chain, json!({"jsonrpc": "2.0", "id": 1, "method": "debug_setHead", "params": ["0x0"]})).await;
    assert_eq!(rewind["error"]["code"], json!(-32_601));
    assert_eq!(chain.head(), head);
    assert_eq!(ask(&chain, "eth_blockNumber", json!([])).await, json!(format!("0x{:x}", head.number)));
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_leaves_nothing_behind() {
    let chain = DevChain::start(settings(250)).await.unwrap();
    reach(&chain, 2).await;
    // A connection that stays open and idle must not hold the endpoint back.
    let _idle = TcpStream::connect(chain.endpoint().address()).await.unwrap();
    let address = chain.endpoint().address();
    let client = Arc::downgrade(&chain.core.blockchain);
    let started = Instant::now();
    chain.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(TcpStream::connect(address).await.is_err());
    let head = chain.head();
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(chain.head(), head);
    drop(chain);
    assert!(client.upgrade().is_none(), "the client is still held");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_chain_stops() {
    let chain = DevChain::start(settings(250)).await.unwrap();
    reach(&chain, 1).await;
    let client = Arc::downgrade(&chain.core.blockchain);
    drop(chain);
    for _ in 0..100 {
        if client.upgrade().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the client is still held after 5 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_port_is_refused() {
    let chain = still(settings(250)).await;
    let port = chain.endpoint().address().port();
    let refused = DevChain::start(ChainConfig { port, ..settings(250) }).await.err();
    assert!(
        matches!(refused, Some(DevChainError::Bind { address, .. }) if address.port() == port),
        "{refused:?}"
    );
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_run_are_named() {
    for (config, wrong) in [
        (ChainConfig { chain_id: ChainId(0), ..settings(250) }, "chain_id"),
        (ChainConfig { block_time_ms: 0, ..settings(250) }, "block_time_ms"),
        (ChainConfig { gas_limit: 999_999, ..settings(250) }, "gas_limit"),
        (ChainConfig { finalized_depth: 1, ..settings(250) }, "finalized_depth"),
    ] {
        let refused = DevChain::start(config).await.err();
        assert!(
            matches!(refused, Some(DevChainError::Config { field, .. }) if field == wrong),
            "{wrong}: {refused:?}"
        );
    }
}

/// A chain that is as old as it says has blocks for all its seconds, and goes on from there by the clock.
#[tokio::test(flavor = "multi_thread")]
async fn an_aged_chain_has_a_past() {
    const AGE: u64 = 2_000;
    let config = ChainConfig { genesis_age_s: AGE, paused: true, ..settings(1_000) };
    let chain = DevChain::start(config).await.unwrap();
    let start = Instant::now();
    chain.mine(AGE - 2).await.unwrap();
    eprintln!("{} blocks in {:?}", AGE - 2, start.elapsed());
    let raw = Bytes::from(signed(0, U256::from(1)).await);
    let (block, succeeded) = chain.produce_block_with(std::slice::from_ref(&raw)).await.unwrap();
    assert_eq!((block.number, &succeeded[..]), (AGE - 1, &[true][..]));
    // Once in a chain, a transaction cannot stand in it again.
    assert!(chain.produce_block_with(&[raw]).await.is_err());
    assert!(chain.produce_block_with(&[Bytes::from_static(&[9])]).await.is_err());
    chain.resume();
    reach(&chain, AGE + 1).await;
    let provider = provider(&chain.rpc_url());
    let time = async |number: u64| {
        provider
            .get_block_by_number(BlockNumberOrTag::Number(number))
            .await
            .unwrap()
            .unwrap()
            .header
            .timestamp
    };
    assert_eq!(time(AGE - 1).await - time(0).await, AGE - 1);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(time(AGE + 1).await.abs_diff(now) <= 3);
    chain.shutdown().await;
}

async fn signed(nonce: u64, value: U256) -> Vec<u8> {
    use alloy::{
        eips::eip2718::Encodable2718,
        network::{EthereumWallet, NetworkTransactionBuilder},
    };
    let request = TransactionRequest::default()
        .with_to(SOMEBODY)
        .with_value(value)
        .with_nonce(nonce)
        .with_chain_id(4_242)
        .with_gas_limit(21_000)
        .with_max_fee_per_gas(10_000_000_000)
        .with_max_priority_fee_per_gas(1);
    request.build(&EthereumWallet::from(signer())).await.unwrap().encoded_2718()
}
