//! Fast finality for people who change nothing: in front of a rollup's JSON-RPC, `safe` and `finalized` mean the heads
//! that are certified at that confidence.
//!
//! ```text
//! operators' APIs ─checkpoints, certificates─▶ follow ─checked, replayed─▶ Heads ─┐
//!                                                                                ▼
//! client ─HTTP, websocket─▶ server ─▶ rewrite: tags become numbers ─▶ breaker: has the node that block? ─▶ node
//! ```
//!
//! Invariants: no operator's word is believed, certificates are; a tag never reaches the node; what names no tag passes
//! through byte for byte. This module runs on tokio only: it is an edge, like the API.

mod breaker;
mod follow;
mod heads;
mod own;
mod rewrite;
mod server;
mod treat;
mod upstream;
mod websocket;

pub use breaker::{Breaker, Finding, Refused, Turn};
pub use follow::{FollowSettings, follow};
pub use heads::{Head, Heads};
pub use rewrite::{NotPositional, rewritten};
pub use server::{Proxy, ProxyError, ProxySettings, ProxyView};
pub use upstream::UpstreamError;

#[cfg(test)]
mod tests;
