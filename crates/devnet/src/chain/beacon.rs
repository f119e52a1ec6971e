//! The blobs of a chain's blocks, and the part of a beacon node's REST interface by which they are read.
//!
//! A slot is a second: blocks carry whole seconds, and those that share one share a slot.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alloy::primitives::{B256, Bytes};
use axum::http::StatusCode;
use ethrex_blockchain::mempool::Mempool;
use ethrex_common::types::{Block, Transaction};
use ethrex_crypto::NativeCrypto;
use serde_json::{Value, json};

use super::convert;

/// Blobs that are kept, the newest: 64 MiB of them.
const KEPT_MAX: usize = 512;

/// What every path begins with.
pub(crate) const ROOT: &str = "/eth/v1/{*path}";

/// What a chain's beacon node would know. Cloning shares it.
#[derive(Debug, Clone)]
pub(crate) struct Beacon {
    genesis_time: u64,
    kept: Arc<Mutex<VecDeque<Kept>>>,
}

#[derive(Debug, Clone)]
struct Kept {
    time: u64,
    hash: B256,
    blob: Bytes,
}

impl Beacon {
    pub(super) fn new(genesis_time: u64) -> Self {
        Self { genesis_time, kept: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        // Every change leaves a whole queue.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keep the blobs of a block that was just built, before the pool forgets them.
    pub(super) fn keep(&self, block: &Block, pool: &Mempool) {
        let time = block.header.timestamp;
        for transaction in &block.body.transactions {
            let Transaction::EIP4844Transaction(inner) = transaction else { continue };
            // What was given without its blobs is a copy of another chain's block.
            let Ok(Some(bundle)) = pool.get_blobs_bundle(transaction.hash(&NativeCrypto)) else { continue };
            for (hash, blob) in inner.blob_versioned_hashes.iter().zip(&bundle.blobs) {
                self.push(Kept { time, hash: convert::hash_out(*hash), blob: Bytes::copy_from_slice(blob) });
            }
        }
    }

    fn push(&self, new: Kept) {
        let mut kept = self.lock();
        if !kept.iter().any(|kept| kept.time == new.time && kept.hash == new.hash) {
            kept.push_back(new);
        }
        while kept.len() > KEPT_MAX {
            kept.pop_front();
        }
    }

    /// Take over what another chain keeps, whose blocks are copied.
    pub(super) fn copy(&self, other: &Self) {
        let kept = other.lock().clone();
        *self.lock() = kept;
    }

    /// Change a byte of every blob that is kept, as a node that lies would.
    pub(super) fn corrupt(&self) {
        for kept in self.lock().iter_mut() {
            let mut blob = kept.blob.to_vec();
            // Not the first of its field element: it stays one.
            if let Some(byte) = blob.get_mut(31) {
                *byte ^= 1;
            }
            kept.blob = blob.into();
        }
    }

    /// Forget every blob, as a node does in time.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    /// The answer to a path below [`ROOT`].
    pub(crate) fn answer(&self, path: &str, query: &str) -> (StatusCode, Value) {
        let found = |data: Value| (StatusCode::OK, json!({ "data": data }));
        let refused =
            |code: StatusCode, message: &str| (code, json!({ "code": code.as_u16(), "message": message }));
        match path {
            "beacon/genesis" => {
                let (root, version) = (B256::ZERO, "0x00000000");
                found(json!({
                    "genesis_time": self.genesis_time.to_string(),
                    "genesis_validators_root": root,
                    "genesis_fork_version": version,
                }))
            }
            "config/spec" => found(json!({ "SECONDS_PER_SLOT": "1", "SLOT_DURATION_MS": "1000" })),
            _ => match path.strip_prefix("beacon/blobs/").map(str::parse::<u64>) {
                Some(Ok(slot)) => {
                    let time = self.genesis_time.saturating_add(slot);
                    let wanted = wanted(query);
                    let kept = self.lock();
                    let blobs = kept.iter().filter(|kept| kept.time == time);
                    let blobs = blobs.filter(|kept| wanted.is_empty() || wanted.contains(&kept.hash));
                    found(blobs.map(|kept| json!(kept.blob)).collect())
                }
                Some(Err(_)) => refused(StatusCode::BAD_REQUEST, "blocks are named by their slots here"),
                None => refused(StatusCode::NOT_FOUND, "nothing but blobs is served here"),
            },
        }
    }
}

/// The versioned hashes of a query, given once each or in a list.
fn wanted(query: &str) -> Vec<B256> {
    let values = query.split('&').filter_map(|pair| pair.strip_prefix("versioned_hashes="));
    values.flat_map(|values| values.split(',')).filter_map(|hash| hash.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_each_once() {
        let beacon = Beacon::new(100);
        let hash = |number: u64| B256::left_padding_from(&number.to_be_bytes());
        for number in 0..KEPT_MAX as u64 + 2 {
            for _ in 0..2 {
                beacon.push(Kept { time: 100 + number, hash: hash(number), blob: Bytes::new() });
            }
        }
        let ask = |path: &str, query: &str| beacon.answer(path, query);
        assert_eq!(ask("beacon/blobs/1", ""), (StatusCode::OK, json!({ "data": [] })), "the oldest is gone");
        assert_eq!(ask("beacon/blobs/2", "").1, json!({ "data": ["0x"] }), "once");
        assert_eq!(
            ask("beacon/blobs/2", &format!("versioned_hashes={}", hash(2))).1,
            json!({ "data": ["0x"] })
        );
        assert_eq!(ask("beacon/blobs/2", &format!("versioned_hashes={}", hash(3))).1, json!({ "data": [] }));
        assert_eq!(ask("beacon/blobs/head", "").0, StatusCode::BAD_REQUEST);
        assert_eq!(ask("node/version", "").0, StatusCode::NOT_FOUND);
        assert_eq!(ask("beacon/genesis", "").1["data"]["genesis_time"], "100");
    }
}
