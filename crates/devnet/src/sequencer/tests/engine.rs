//! The Engine API, against the embedded client's own handlers behind a token check of ours.

use super::*;
use crate::endpoint::{Answers, Target};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use ethrex_blockchain::Blockchain;
use ethrex_p2p::{
    network::P2PContext,
    peer_handler::PeerHandler,
    peer_table::{PeerTableServer, TARGET_PEERS},
    rlpx::initiator::RLPxInitiator,
    sync::SyncMode,
    sync_manager::SyncManager,
    types::{NetworkConfig, Node},
};
use ethrex_rpc::{RpcApiContext, rpc, rpc_response, start_block_executor, utils::RpcRequest};
use ethrex_storage::{EngineType, Store};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::json;
use std::{
    path::PathBuf,
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const SECRET: B256 = B256::repeat_byte(0x77);

/// Changes what a method answers.
type Twist = Box<dyn Fn(&mut Value) + Send>;

/// An execution client with both its endpoints.
struct Outside {
    chain: DevChain,
    url: String,
    /// The methods that were asked, and the one whose answer is changed.
    served: Arc<Served>,
    server: JoinHandle<()>,
}

struct Served {
    context: RpcApiContext,
    asked: Mutex<Vec<String>>,
    twist: Mutex<Option<(&'static str, Twist)>>,
}

impl Outside {
    async fn start(genesis: &PathBuf) -> Self {
        let genesis = std::fs::read_to_string(genesis).unwrap();
        let chain = DevChain::start_from(settings(1_000), &genesis).await.unwrap();
        let Target(Answers::Ethereum(context, _)) = Target::from(&chain) else { panic!() };
        let context = RpcApiContext {
            syncer: Some(Arc::new(syncer(&context.storage, &context.blockchain).await)),
            block_worker_channel: start_block_executor(context.blockchain.clone()),
            ..*context
        };
        let served = Arc::new(Served { context, asked: Mutex::default(), twist: Mutex::default() });
        let routes = Router::new().route("/", post(answer)).with_state(served.clone());
        let listener = TcpListener::bind(any_port()).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { chain, url, served, server }
    }

    fn config(&self, dir: &Path, config: &SequencerConfig) -> SequencerConfig {
        let jwt = dir.join("jwt.hex");
        std::fs::write(&jwt, format!("{SECRET}\n")).unwrap();
        let engine = EngineConfig {
            url: self.url.clone(),
            jwt,
            rpc: self.chain.rpc_url(),
            fee_recipient: Address::repeat_byte(0xee),
            build_ms: 20,
        };
        SequencerConfig { engine: Some(engine), ..config.clone() }
    }

    fn twist(&self, method: &'static str, how: impl Fn(&mut Value) + Send + 'static) {
        *self.served.twist.lock().unwrap() = Some((method, Box::new(how)));
    }

    async fn stop(self) {
        self.server.abort();
        self.chain.shutdown().await;
    }
}

/// The client's handlers want someone who would fetch blocks from peers; this one has none.
async fn syncer(store: &Store, blockchain: &Arc<Blockchain>) -> SyncManager {
    let node = Node::new(Ipv4Addr::LOCALHOST.into(), 0, 0, ethrex_common::H512::zero());
    let peers = PeerTableServer::spawn(ethrex_common::H256::zero(), TARGET_PEERS, store.clone());
    let context = P2PContext::new(
        node.clone(),
        NetworkConfig::from_node(&node),
        TaskTracker::default(),
        secp256k1::SecretKey::from_byte_array(&[0xcd; 32]).unwrap(),
        peers.clone(),
        Store::new("", EngineType::InMemory).unwrap(),
        blockchain.clone(),
        String::new(),
        None,
        1_000,
        100.0,
    )
    .unwrap();
    let handler = PeerHandler::new(peers, RLPxInitiator::spawn_on_thread(context));
    let stop = CancellationToken::new();
    SyncManager::new(handler, &SyncMode::Full, stop, blockchain.clone(), store.clone(), ".".into()).await
}

/// Whether the header carries a token of ours that is not older than a minute.
fn admitted(headers: &HeaderMap) -> bool {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    validation.set_required_spec_claims(&["iat"]);
    let key = DecodingKey::from_secret(SECRET.as_slice());
    let claims = token.and_then(|token| jsonwebtoken::decode::<Value>(token, &key, &validation).ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    claims.and_then(|claims| claims.claims["iat"].as_u64()).is_some_and(|iat| iat.abs_diff(now) <= 60)
}

async fn answer(
    State(served): State<Arc<Served>>,
    headers: HeaderMap,
    Json(request): Json<RpcRequest>,
) -> Result<Json<Value>, StatusCode> {
    if !admitted(&headers) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let mut result = Box::pin(rpc::map_authrpc_requests(&request, served.context.clone())).await;
    if let Ok(value) = &mut result
        && let Some((method, twist)) = &*served.twist.lock().unwrap()
        && *method == request.method
    {
        twist(value);
    }
    served.asked.lock().unwrap().push(request.method);
    Ok(Json(rpc_response(request.id, result).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_built_through_the_engine_api() {
    let dir = tempfile::tempdir().unwrap();
    let (directory, config) = directory(dir.path(), 1_000).await;
    let outside = Outside::start(&config.genesis).await;
    let config = outside.config(dir.path(), &config);
    let mut node = SequencerNode::start(&directory, &config).await.unwrap();
    let mut blocks = Vec::new();
    for round in 0..6 {
        if round % 2 == 0 {
            traffic(node.rpc_url()).await;
        }
        let block = node.step().await.unwrap();
        assert_eq!(outside.chain.block(round + 1).unwrap(), block);
        blocks.push(block);
    }
    let rpc = provider(node.rpc_url());
    assert_eq!(rpc.get_storage_at(COUNTER, U256::ZERO).await.unwrap(), U256::from(3));
    let tagged = async |tag| rpc.get_block_by_number(tag).await.unwrap().unwrap().header;
    assert_eq!(tagged(alloy::eips::BlockNumberOrTag::Safe).await.hash, blocks[3].hash);
    assert_eq!(tagged(alloy::eips::BlockNumberOrTag::Finalized).await.hash, blocks[1].hash);
    assert_eq!(tagged(alloy::eips::BlockNumberOrTag::Latest).await.beneficiary, Address::repeat_byte(0xee));
    check_witness(node.rpc_url(), 5).await;
    let asked = outside.served.asked.lock().unwrap().clone();
    for method in ["engine_forkchoiceUpdatedV3", "engine_getPayloadV5", "engine_newPayloadV4"] {
        assert!(asked.iter().any(|asked| asked == method), "{method}");
    }
    node.close().await;
    outside.stop().await;

    // Another client that knows nothing of it gets every block from the log.
    let fresh = Outside::start(&config.genesis).await;
    let config = fresh.config(dir.path(), &config);
    let mut node = SequencerNode::start(&directory, &config).await.unwrap();
    assert_eq!((node.head(), node.watch()().replayed), (blocks[5], 6));
    for block in &blocks {
        assert_eq!(fresh.chain.block(block.number).unwrap(), *block);
    }
    assert_eq!(node.step().await.unwrap().number, 7);
    node.close().await;
    // And one that has them all gets none.
    let node = SequencerNode::start(&directory, &config).await.unwrap();
    assert_eq!((node.head().number, node.watch()().replayed), (7, 0));
    node.close().await;
    fresh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_answers_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let (directory, config) = directory(dir.path(), 1_000).await;
    let outside = Outside::start(&config.genesis).await;
    let config = outside.config(dir.path(), &config);
    let mut node = SequencerNode::start(&directory, &config).await.unwrap();
    let log = directory.data().join("blocks.log");
    let empty = std::fs::metadata(&log).unwrap().len();
    let refused = async |node: &mut SequencerNode| match node.step().await {
        Err(SequencerError::Client(ClientError::Engine(error))) => error,
        other => panic!("{other:?}"),
    };
    // One field of the payload is another: it is not the block that it names.
    for field in ["stateRoot", "receiptsRoot", "prevRandao"] {
        outside.twist("engine_getPayloadV5", move |value| {
            value["executionPayload"][field] = json!(B256::repeat_byte(5));
        });
        let error = refused(&mut node).await;
        assert!(matches!(error, EngineError::OtherBlock { .. }), "{field}: {error}");
    }
    outside.twist("engine_newPayloadV4", |value| value["status"] = json!("SYNCING"));
    let error = refused(&mut node).await;
    assert!(matches!(error, EngineError::NotValid { method: "engine_newPayloadV4", .. }), "{error}");
    outside.twist("engine_forkchoiceUpdatedV3", |value| value["payloadStatus"]["status"] = json!("SYNCING"));
    let error = refused(&mut node).await;
    assert!(matches!(error, EngineError::NotValid { method: "engine_forkchoiceUpdatedV3", .. }), "{error}");
    outside.twist("engine_forkchoiceUpdatedV3", |value| value["payloadId"] = Value::Null);
    let error = refused(&mut node).await;
    assert!(matches!(error, EngineError::NoPayload { .. }), "{error}");
    assert!(node.watch()().waits_for.is_some());
    // Nothing of all that was kept or shown.
    assert_eq!((std::fs::metadata(&log).unwrap().len(), node.head().number), (empty, 0));
    assert_eq!(outside.chain.head().number, 0);
    outside.twist("none", |_| {});
    assert_eq!(node.step().await.unwrap().number, 1);
    assert_eq!(node.watch()().waits_for, None);
    node.close().await;

    // The head of a client that somebody else drives is none of ours.
    let foreign = outside.chain.produce_block().await.unwrap();
    match SequencerNode::start(&directory, &config).await {
        Err(NodeError::Sequencer(SequencerError::Foreign { head, last })) => {
            assert_eq!((head, last.number), (foreign, 1));
        }
        other => panic!("{other:?}"),
    }
    // Without the secret nothing goes.
    let engine = config.engine.clone().unwrap();
    std::fs::write(&engine.jwt, format!("{}\n", B256::repeat_byte(1))).unwrap();
    match SequencerNode::start(&directory, &config).await {
        Err(NodeError::Client(ClientError::Engine(EngineError::Transport { source, .. }))) => {
            assert_eq!(source.status().map(|status| status.as_u16()), Some(401))
        }
        other => panic!("{other:?}"),
    }
    std::fs::write(&engine.jwt, "0x1234").unwrap();
    assert!(matches!(SequencerNode::start(&directory, &config).await, Err(NodeError::Secret { .. })));
    let fast = SequencerConfig { block_time_ms: 250, ..config };
    assert!(matches!(SequencerNode::start(&directory, &fast).await, Err(NodeError::TooFast { .. })));
    outside.stop().await;
}
