//! A proxy before nodes that lie, lag, fail and recover.

use super::*;
use alloy::transports::http::reqwest;
use axum::{
    Router,
    body::Bytes,
    extract::{
        State,
        ws::{Message, WebSocketUpgrade},
    },
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use futures::{SinkExt as _, StreamExt as _};
use hum_types::{B256, BlockRef, ChainId, Class, Confidence, Generation, Height, RollupStatus};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_tungstenite::tungstenite;

/// The node: bodies as it got them, and the blocks that it says it has.
#[derive(Default)]
struct Upstream {
    got: Mutex<Vec<String>>,
    blocks: Mutex<BTreeMap<u64, B256>>,
    broken: Mutex<Option<(StatusCode, String)>>,
}

impl Upstream {
    fn has(&self, number: u64, hash: u8) {
        self.blocks.lock().unwrap().insert(number, B256::repeat_byte(hash));
    }

    /// What clients sent, without the proxy's own looks.
    fn got(&self) -> Vec<String> {
        let got = std::mem::take(&mut *self.got.lock().unwrap());
        got.into_iter().filter(|body| !body.contains(r#","false]"#) && !is_look(body)).collect()
    }

    fn answer(&self, call: &Value) -> Value {
        let result = if call["method"] == "eth_getBlockByNumber" {
            let number = call["params"][0].as_str().and_then(|text| text.strip_prefix("0x"));
            let number = number.and_then(|text| u64::from_str_radix(text, 16).ok());
            let blocks = self.blocks.lock().unwrap();
            number.and_then(|number| blocks.get(&number)).map_or(Value::Null, |hash| json!({ "hash": hash }))
        } else {
            json!({ "params": call["params"] })
        };
        json!({ "jsonrpc": "2.0", "id": call["id"], "result": result })
    }
}

/// The proxy asks with keys in this order, clients of these tests never with this id.
fn is_look(body: &str) -> bool {
    serde_json::from_str::<Value>(body).is_ok_and(|call| call["id"] == 1)
}

async fn node(State(upstream): State<Arc<Upstream>>, body: Bytes) -> Response {
    let text = String::from_utf8_lossy(&body).into_owned();
    upstream.got.lock().unwrap().push(text.clone());
    if let Some(broken) = upstream.broken.lock().unwrap().clone() {
        return broken.into_response();
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Array(calls)) => {
            Value::Array(calls.iter().map(|call| upstream.answer(call)).collect()).to_string().into_response()
        }
        Ok(call) => upstream.answer(&call).to_string().into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

/// Echoes, with a word in front.
async fn node_ws(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket| async move {
        while let Some(Ok(Message::Text(text))) = socket.recv().await {
            if socket.send(Message::Text(format!("node:{text}").into())).await.is_err() {
                return;
            }
        }
    })
}

struct World {
    upstream: Arc<Upstream>,
    heads: watch::Sender<Heads>,
    proxy: Proxy,
    address: SocketAddr,
    http: reqwest::Client,
}

fn head(number: u64, hash: u8) -> Head {
    let block = BlockRef { number, hash: B256::repeat_byte(hash) };
    Head { block, state_root: B256::repeat_byte(hash ^ 0xff), height: Height(3) }
}

fn heads(heads: BTreeMap<Confidence, Head>) -> Heads {
    Heads {
        chain_id: ChainId(7),
        class: Class::Reexecuted,
        status: RollupStatus::Active,
        generation: Generation(0),
        certificate: None,
        heads,
        lie: None,
    }
}

impl World {
    async fn new(with_ws: bool) -> Self {
        let upstream = Arc::new(Upstream::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let routes =
            Router::new().route("/", post(node)).route("/ws", get(node_ws)).with_state(upstream.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let mut settings =
            ProxySettings::new(ChainId(7), format!("http://{at}/"), with_ws.then(|| format!("ws://{at}/ws")));
        settings.request_bytes_max = 4_096;
        settings.timeout = Duration::from_secs(5);
        settings.check_again = Duration::from_millis(50);
        let two = [(Confidence::Safe, head(9, 9)), (Confidence::Finalized, head(5, 5))];
        let (sender, receiver) = watch::channel(heads(two.into()));
        upstream.has(9, 9);
        upstream.has(5, 5);
        let http = reqwest::Client::new();
        let proxy = Proxy::new(settings, http.clone(), receiver).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = proxy.clone();
        tokio::spawn(async move { served.serve(listener).await });
        Self { upstream, heads: sender, proxy, address, http }
    }

    async fn raw(&self, body: &str) -> (u16, String) {
        let answer =
            self.http.post(format!("http://{}/", self.address)).body(body.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 70, "method": method, "params": params });
        let (status, text) = self.raw(&body.to_string()).await;
        assert_eq!(status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["id"], 70, "{text}");
        answer
    }

    async fn until(&self, what: &str, holds: impl Fn(&ProxyView) -> bool) {
        for _ in 0..200 {
            if holds(&self.proxy.view()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{what}: {:?}", self.proxy.view());
    }
}

#[tokio::test]
async fn tags_mean_certified_blocks_and_the_rest_passes_byte_for_byte() {
    let world = World::new(false).await;
    let answer = world.ask("eth_getBlockByNumber", json!(["finalized", false])).await;
    assert_eq!(answer["result"]["hash"], json!(B256::repeat_byte(5)));
    let answer = world.ask("eth_call", json!([{}, "safe"])).await;
    assert_eq!(answer["result"]["params"], json!([{}, "0x9"]));
    world.upstream.got();
    let odd = r#" { "id" : 12345678901234567890123, "method":"eth_getBalance" , "params":["safe","latest"],"x":[ ] } "#;
    world.raw(odd).await;
    assert_eq!(world.upstream.got(), [odd]);
    let view = world.proxy.view();
    assert_eq!((view.requests, view.rewritten, view.refused), (3, 2, 0));
    assert!(
        world.proxy.metrics().contains("hum_proxy_head{confidence=\"safe\"} 9"),
        "{}",
        world.proxy.metrics()
    );
}

#[tokio::test]
async fn a_head_that_is_not_certified_is_an_unknown_block_and_never_the_nodes_own() {
    let world = World::new(false).await;
    world.heads.send_modify(|heads| {
        heads.heads.remove(&Confidence::Finalized);
    });
    world.upstream.got();
    let answer = world.ask("eth_getBalance", json!(["0x00", "finalized"])).await;
    assert_eq!(answer["error"]["code"], -39001, "{answer}");
    assert!(
        answer["error"]["message"].as_str().unwrap().starts_with("finalized block not found"),
        "{answer}"
    );
    let answer = world.ask("eth_getBalance", json!({ "block": "safe" })).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let (_, answer) = world.raw(r#"{"id":70,"method":"eth_getBalance","params":["0x","safe"],}"#).await;
    assert!(answer.contains("-32700"), "{answer}");
    assert!(world.upstream.got().is_empty(), "the node saw none of them");
    assert_eq!(world.ask("hum_certifiedHead", json!(["finalized"])).await["result"], Value::Null);
}

#[tokio::test]
async fn a_batch_is_answered_call_by_call() {
    let world = World::new(false).await;
    let batch = json!([
        { "jsonrpc": "2.0", "id": "a", "method": "eth_getBlockByNumber", "params": ["safe", false] },
        { "jsonrpc": "2.0", "id": "b", "method": "eth_chainId", "params": [] },
        { "jsonrpc": "2.0", "id": "c", "method": "hum_certificate" },
        { "jsonrpc": "2.0", "id": "d", "method": "eth_call", "params": { "block": "safe" } },
        { "jsonrpc": "2.0", "method": "eth_call", "params": { "block": "safe" } },
    ]);
    let (_, text) = world.raw(&batch.to_string()).await;
    let answers: Vec<Value> = serde_json::from_str(&text).unwrap();
    let by_id = |id: &str| answers.iter().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(answers.len(), 4, "{text}");
    assert_eq!(by_id("a")["result"]["hash"], json!(B256::repeat_byte(9)));
    assert!(by_id("b")["result"].is_object());
    assert_eq!(by_id("c")["result"], Value::Null);
    assert_eq!(by_id("d")["error"]["code"], -32602);
}

#[tokio::test]
async fn requests_that_share_an_id_raise_no_alarm() {
    let world = World::new(false).await;
    let batch = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["safe", false] },
        { "jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["finalized", false] },
        { "jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": [] },
        { "jsonrpc": "2.0", "id": "1", "method": "eth_getBlockByNumber", "params": ["safe", false] },
    ]);
    let (_, text) = world.raw(&batch.to_string()).await;
    let answers: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(answers.len(), 4, "{text}");
    let refused = answers.iter().filter(|answer| answer["error"]["code"] == -32600);
    assert_eq!(refused.filter(|answer| answer["id"] == 1).count(), 2, "{text}");
    let other = answers.iter().find(|answer| answer["id"] == "1").unwrap();
    assert_eq!(other["result"]["hash"], json!(B256::repeat_byte(9)), "{text}");
    assert_eq!(world.proxy.view().contradictions_total, 0);
}

#[tokio::test]
async fn what_some_servers_would_read_as_another_request_is_refused() {
    let world = World::new(false).await;
    for odd in [
        json!({ "id": 1, "Method": "eth_getBlockByNumber", "params": ["safe", false] }),
        json!({ "id": 1, "method": "eth_chainId", "METHOD": "eth_getBlockByNumber", "params": ["safe", false] }),
        json!({ "id": 1, "method": "eth_getBlockByNumber", "param\u{17f}": ["safe", false] }),
    ] {
        let (_, text) = world.raw(&odd.to_string()).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["error"]["code"], -32600, "{text}");
    }
    let one = json!({ "id": 1, "method": "hum_certificate" }).to_string();
    assert!(matches!(
        treat::read(format!("[{}]", vec![one.as_str(); 1_000].join(",")).as_bytes()),
        treat::Body::Batch(_)
    ));
    let long = treat::read(format!("[{}]", vec![one.as_str(); 1_001].join(",")).as_bytes());
    assert!(matches!(long, treat::Body::Broken(why) if why.contains("1000")));
    assert!(world.upstream.got().is_empty(), "the node saw none of them");
}

#[tokio::test]
async fn a_node_that_contradicts_a_certificate_is_refused_until_it_agrees_again() {
    let world = World::new(false).await;
    world.upstream.has(5, 0xee);
    world.until("seen though nobody asked", |view| view.contradictions.len() == 1).await;
    let answer = world.ask("eth_call", json!([{}, "finalized"])).await;
    let words = answer["error"]["message"].as_str().unwrap().to_owned();
    for hash in [5, 0xee] {
        assert!(words.contains(&B256::repeat_byte(hash).to_string()), "{words}");
    }
    assert!(world.ask("eth_call", json!([{}, "safe"])).await["result"].is_object(), "the other head stands");
    assert!(world.ask("eth_call", json!([{}, "latest"])).await["result"].is_object());
    assert!(world.proxy.metrics().contains("hum_proxy_contradicted{confidence=\"finalized\"} 1"));
    world.upstream.has(5, 5);
    assert!(world.ask("eth_call", json!([{}, "finalized"])).await["result"].is_object(), "at once");
    world.until("recovered", |view| view.contradictions.is_empty()).await;
    assert_eq!(world.proxy.view().contradictions_total, 1);
}

#[tokio::test]
async fn a_node_that_lacks_the_block_is_waited_for() {
    let world = World::new(false).await;
    world.heads.send_modify(|heads| {
        heads.heads.insert(Confidence::Safe, head(12, 12));
    });
    let answer = world.ask("eth_getBlockByNumber", json!(["safe", false])).await;
    assert_eq!(answer["error"]["code"], -39001, "{answer}");
    world.upstream.has(12, 12);
    let answer = world.ask("eth_getBlockByNumber", json!(["safe", false])).await;
    assert_eq!(answer["result"]["hash"], json!(B256::repeat_byte(12)));
    assert_eq!(world.proxy.view().contradictions_total, 0);
}

#[tokio::test]
async fn nothing_is_believed_after_the_committees_lie() {
    let world = World::new(false).await;
    world.heads.send_modify(|heads| heads.lie = Some("two chains".to_owned()));
    for (method, params) in [("eth_call", json!([{}, "safe"])), ("hum_certifiedHead", json!([]))] {
        let answer = world.ask(method, params).await;
        assert!(answer["error"]["message"].as_str().unwrap().contains("two chains"), "{answer}");
    }
}

#[tokio::test]
async fn what_the_node_says_instead_of_an_answer_is_passed_on() {
    let world = World::new(false).await;
    *world.upstream.broken.lock().unwrap() = Some((StatusCode::TOO_MANY_REQUESTS, "slower".to_owned()));
    assert_eq!(world.raw(r#"{"id":70,"method":"eth_chainId"}"#).await, (429, "slower".to_owned()));
    let long = format!(r#"{{"id":70,"method":"{}"}}"#, "x".repeat(5_000));
    assert_eq!(world.raw(&long).await.0, 413);
}

#[tokio::test]
async fn a_node_of_another_chain_and_odd_urls_are_refused() {
    let world = World::new(false).await;
    assert!(world.proxy.check_chain().await.is_ok(), "this one's answer is unreadable, and may get better");
    let (_sender, receiver) = watch::channel(heads(BTreeMap::new()));
    for (rpc, ws) in [("ftp://x", None), ("http://x", Some("wss://x")), ("x", None)] {
        let settings = ProxySettings::new(ChainId(7), rpc.to_owned(), ws.map(str::to_owned));
        let refused = Proxy::new(settings, reqwest::Client::new(), receiver.clone());
        assert!(matches!(refused, Err(ProxyError::Url { .. })), "{rpc} {ws:?}");
    }
}

async fn over_ws(world: &World, messages: &[&str]) -> Vec<String> {
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{}/", world.address)).await.unwrap();
    let mut answers = Vec::new();
    for message in messages {
        socket.send(tungstenite::Message::Text((*message).into())).await.unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(5), socket.next()).await.unwrap();
        answers.push(answer.unwrap().unwrap().into_text().unwrap().to_string());
    }
    answers
}

const SAFE: &str = r#"{"id":70,"method":"eth_call","params":[{},"safe"]}"#;
const SUBSCRIBE: &str = r#"{"id":71,"method":"eth_subscribe","params":["newHeads"]}"#;

#[tokio::test]
async fn websockets_pass_through_and_tags_in_them_are_rewritten() {
    let world = World::new(true).await;
    let answers = over_ws(&world, &[SUBSCRIBE, SAFE, SUBSCRIBE]).await;
    let passed = format!("node:{SUBSCRIBE}");
    assert_eq!((&answers[0], &answers[2]), (&passed, &passed));
    assert!(answers[1].contains("\"0x9\"") && !answers[1].contains("safe"), "{}", answers[1]);
}

#[tokio::test]
async fn without_a_websocket_at_the_node_requests_are_answered_over_http() {
    let world = World::new(false).await;
    let answers = over_ws(&world, &[SUBSCRIBE, SAFE]).await;
    assert!(answers[0].contains("newHeads"), "{}", answers[0]);
    assert!(answers[1].contains("\"0x9\""), "{}", answers[1]);
}
