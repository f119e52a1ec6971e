//! A sequencer's desk behind HTTP.

use super::*;
use crate::sequencer::{HeadSigner, LocalKey, RemoteSequencer, SIGN_CLAIM, SequencerDesk, SignError};
use hum_types::{Domain, Generation, HeadClaim, RegistrationId, Retraction, SequencerKey};

const TOKEN: &[u8] = b"shared secret";
const DOMAIN: Domain = Domain(B256::repeat_byte(0xd0));
const REGISTRATION: RegistrationId = RegistrationId(B256::repeat_byte(0xe0));

fn key() -> SequencerKey {
    SequencerKey::from_secret(B256::repeat_byte(0x11)).unwrap()
}

/// A node whose chain holds [`raw`] at its number.
fn own_node() -> Node {
    let node = Node::new();
    let block = raw();
    node.on("eth_getBlockByNumber", move |params| {
        Reply::Result(if params[0] == json!("0xc") { head(block.block) } else { Value::Null })
    });
    node.says("debug_getRawBlock", json!(raw().rlp));
    node
}

async fn desk() -> SequencerDesk {
    SequencerDesk::new(LocalKey::new(key(), DOMAIN), Arc::new(own_node().chain().await), REGISTRATION)
}

fn claim(block: BlockRef) -> HeadClaim {
    HeadClaim { chain_id: CHAIN, registration: REGISTRATION, generation: Generation(0), block }
}

#[tokio::test]
async fn a_desk_signs_its_own_blocks_and_no_others() {
    let desk = desk().await;
    let own = claim(raw().block);
    let signed = desk.sign_claim(own).await.unwrap();
    assert!(signed.authenticate(DOMAIN, key().address()).is_ok());
    assert_eq!(desk.sign_claim(own).await.unwrap(), signed, "the same claim, the same signature");

    let fork = BlockRef { hash: B256::repeat_byte(0xbb), ..own.block };
    for wrong in [
        claim(fork),
        claim(BlockRef { number: 13, ..own.block }),
        HeadClaim { chain_id: ChainId(8), ..own },
        HeadClaim { registration: RegistrationId(B256::ZERO), ..own },
    ] {
        let error = desk.sign_claim(wrong).await.unwrap_err();
        assert!(matches!(error, SignError::NotOurs { .. }), "{wrong:?}: {error}");
    }
}

#[tokio::test]
async fn a_desk_does_not_take_back_what_it_stands_by() {
    let desk = desk().await;
    let kept = raw().block;
    let retraction =
        Retraction { chain_id: CHAIN, registration: REGISTRATION, generation: Generation(1), kept };
    // Nothing claimed above it: a publisher that lost its journal may start over.
    assert!(desk.sign_retraction(retraction).await.is_ok());
    let fork = Retraction { kept: BlockRef { hash: B256::ZERO, ..kept }, ..retraction };
    assert!(matches!(desk.sign_retraction(fork).await, Err(SignError::NotOurs { .. })));

    desk.sign_claim(claim(kept)).await.unwrap();
    // Block 11 is not on this node, so keeping it is refused for that; keeping 12 takes nothing claimed back.
    assert!(desk.sign_retraction(retraction).await.is_ok());
}

async fn remote(desk: SequencerDesk, token: &[u8]) -> RemoteSequencer {
    let desk = Arc::new(desk);
    let routes = Router::new().route(
        "/",
        post(move |headers: axum::http::HeaderMap, body: String| {
            let desk = Arc::clone(&desk);
            async move {
                let request: Value = serde_json::from_str(&body).unwrap();
                let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
                let method = request["method"].as_str().unwrap();
                let mut answer = json!({ "jsonrpc": "2.0", "id": request["id"] });
                match desk.answer(TOKEN, authorization, method, &request["params"]).await {
                    Ok(result) => answer["result"] = result,
                    Err(refusal) => {
                        answer["error"] = json!({ "code": refusal.code, "message": refusal.message })
                    }
                }
                answer.to_string()
            }
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    RemoteSequencer::new(&endpoint, token, key().address(), DOMAIN).unwrap()
}

#[tokio::test]
async fn a_publisher_gets_signatures_over_http_with_the_token_only() {
    let own = claim(raw().block);
    let signer = remote(desk().await, TOKEN).await;
    assert!(signer.sign_claim(own).await.unwrap().authenticate(DOMAIN, key().address()).is_ok());
    let fork = claim(BlockRef { hash: B256::repeat_byte(0xbb), ..own.block });
    assert!(matches!(signer.sign_claim(fork).await, Err(SignError::NotOurs { .. })));

    let stranger = remote(desk().await, b"guess").await;
    assert!(matches!(stranger.sign_claim(own).await, Err(SignError::Unreachable(_))));
}

#[tokio::test]
async fn a_signature_of_another_key_or_on_something_else_is_refused() {
    let own = claim(raw().block);
    let other_key = SequencerKey::from_secret(B256::repeat_byte(0x22)).unwrap();
    let other_claim = HeadClaim { generation: Generation(1), ..own };
    let node = Node::new();
    let signer = RemoteSequencer::new(&node.serve().await, TOKEN, key().address(), DOMAIN).unwrap();

    node.says(SIGN_CLAIM, serde_json::to_value(own.sign(DOMAIN, &other_key)).unwrap());
    assert!(matches!(signer.sign_claim(own).await, Err(SignError::Forged(_))));
    node.says(SIGN_CLAIM, serde_json::to_value(other_claim.sign(DOMAIN, &key())).unwrap());
    assert_eq!(signer.sign_claim(own).await, Err(SignError::OtherStatement));
    node.says(SIGN_CLAIM, serde_json::to_value(own.sign(Domain(B256::ZERO), &key())).unwrap());
    assert!(matches!(signer.sign_claim(own).await, Err(SignError::Forged(_))));
}
