//! Websockets: what names no tag goes through to the node's websocket; the rest is answered as over HTTP.

use super::{
    server::Shared,
    treat::{self, Body},
};
use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use std::sync::Arc;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, mpsc},
    task::JoinSet,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{self, protocol::WebSocketConfig},
};

/// Requests of one client that are answered at once; the next waits until one is done.
const ANSWERED_AT_ONCE: usize = 64;

type Upstream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Take a websocket, if there is room for one more.
pub(super) fn accept(shared: Arc<Shared>, upgrade: WebSocketUpgrade) -> Response {
    let Ok(permit) = shared.websockets.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many websockets").into_response();
    };
    let limit = shared.settings.request_bytes_max;
    upgrade
        .max_message_size(limit)
        .max_frame_size(limit)
        .on_upgrade(move |client| serve(shared, client, permit))
}

async fn serve(shared: Arc<Shared>, mut client: WebSocket, _permit: OwnedSemaphorePermit) {
    let upstream = match connect(&shared).await {
        Ok(upstream) => upstream,
        Err(reason) => {
            tracing::warn!(%reason, "the node's websocket cannot be reached");
            let frame = CloseFrame {
                code: close_code::ERROR,
                reason: "the node's websocket cannot be reached".into(),
            };
            let _ = client.send(Message::Close(Some(frame))).await;
            return;
        }
    };
    if let Err(reason) = relay(&shared, &mut client, upstream).await {
        tracing::debug!(%reason, "a websocket ended");
    }
}

async fn connect(shared: &Shared) -> Result<Option<Upstream>, String> {
    let Some(url) = shared.settings.ws.as_deref() else { return Ok(None) };
    let limit = shared.settings.answer_bytes_max;
    let config = WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit));
    let connected = connect_async_with_config(url, Some(config), true);
    match tokio::time::timeout(shared.settings.timeout, connected).await {
        Err(_) => Err(format!("no answer within {:?}", shared.settings.timeout)),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok((upstream, _))) => Ok(Some(upstream)),
    }
}

/// A message as it came: the answer goes back in a frame of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

async fn relay(
    shared: &Arc<Shared>,
    client: &mut WebSocket,
    mut upstream: Option<Upstream>,
) -> Result<(), String> {
    let (answered, mut answers) = mpsc::channel::<(Kind, Bytes)>(ANSWERED_AT_ONCE);
    // Ends with this function: nobody answers a client that left.
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            from_client = client.recv(), if tasks.len() < ANSWERED_AT_ONCE => {
                let Some(message) = from_client else { return Ok(()) };
                let (kind, body) = match message.map_err(|error| error.to_string())? {
                    Message::Text(text) => (Kind::Text, Bytes::from(text)),
                    Message::Binary(body) => (Kind::Binary, body),
                    // Pings are answered below us; each side has its own.
                    Message::Ping(_) | Message::Pong(_) => continue,
                    Message::Close(_) => return Ok(()),
                };
                match (upstream.as_mut(), treat::read(&body)) {
                    (Some(node), Body::Plain) => {
                        shared.counts.requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        node.send(to_node(kind, body)?).await.map_err(|error| error.to_string())?;
                    }
                    _ => {
                        let (shared, answered) = (shared.clone(), answered.clone());
                        tasks.spawn(async move {
                            let answer = shared.treat(body, &json_headers()).await;
                            if !answer.body.is_empty() {
                                let _ = answered.send((kind, answer.body)).await;
                            }
                        });
                    }
                }
            }
            from_node = next(&mut upstream) => {
                let message = match from_node {
                    None => return close(client, "the node closed its websocket").await,
                    Some(Err(error)) => return close(client, &error.to_string()).await,
                    Some(Ok(message)) => message,
                };
                let message = match message {
                    tungstenite::Message::Text(text) => Message::Text(text.as_str().into()),
                    tungstenite::Message::Binary(body) => Message::Binary(body),
                    tungstenite::Message::Close(_) => return close(client, "the node closed its websocket").await,
                    tungstenite::Message::Ping(_) | tungstenite::Message::Pong(_) | tungstenite::Message::Frame(_) => continue,
                };
                client.send(message).await.map_err(|error| error.to_string())?;
            }
            Some((kind, body)) = answers.recv() => {
                let message = match kind {
                    Kind::Text => Message::Text(String::from_utf8_lossy(&body).as_ref().into()),
                    Kind::Binary => Message::Binary(body),
                };
                client.send(message).await.map_err(|error| error.to_string())?;
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// The node's next message; never when it has no websocket.
async fn next(upstream: &mut Option<Upstream>) -> Option<Result<tungstenite::Message, tungstenite::Error>> {
    match upstream {
        Some(upstream) => upstream.next().await,
        None => std::future::pending().await,
    }
}

fn to_node(kind: Kind, body: Bytes) -> Result<tungstenite::Message, String> {
    match kind {
        Kind::Binary => Ok(tungstenite::Message::Binary(body)),
        Kind::Text => tungstenite::Utf8Bytes::try_from(body)
            .map(tungstenite::Message::Text)
            .map_err(|error| error.to_string()),
    }
}

async fn close(client: &mut WebSocket, reason: &str) -> Result<(), String> {
    // A close frame holds little.
    let reason: String = reason.chars().take(100).collect();
    let frame = CloseFrame { code: close_code::AWAY, reason: reason.into() };
    client.send(Message::Close(Some(frame))).await.map_err(|error| error.to_string())
}

fn json_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers
}
