//! A beacon node's REST interface, as far as blobs need it.
//!
//! ```text
//! genesis, config/spec ─▶ slot of an L1 block ─▶ blobs/{slot}, or blob_sidecars/{slot} where a node has no blobs yet
//! ```

use crate::{
    Blobs, ReadError,
    blobs::versioned_hash,
    rpc::{Client, RpcLimits},
};
use alloy_eips::eip4844::kzg_to_versioned_hash;
use futures::future::{BoxFuture, FutureExt as _};
use hum_types::{B256, Bytes, TimeMs};
use serde::{Deserialize, de::DeserializeOwned};
use std::sync::{Mutex, PoisonError};

const GENESIS: &str = "beacon/genesis";
const SPEC: &str = "config/spec";
const BLOBS: &str = "beacon/blobs";
const SIDECARS: &str = "beacon/blob_sidecars";

/// One beacon node of an L1.
#[derive(Debug)]
pub struct BeaconNode {
    client: Client,
    limits: RpcLimits,
    slots: Mutex<Option<Slots>>,
}

/// Which slot a time is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slots {
    genesis_ms: u64,
    slot_ms: u64,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Genesis {
    genesis_time: String,
}

#[derive(Deserialize)]
struct Spec {
    #[serde(rename = "SECONDS_PER_SLOT")]
    seconds: Option<String>,
    /// What replaces it.
    #[serde(rename = "SLOT_DURATION_MS")]
    milliseconds: Option<String>,
}

#[derive(Deserialize)]
struct Sidecar {
    blob: Bytes,
    kzg_commitment: Bytes,
}

fn garbage(method: &'static str, detail: impl ToString) -> ReadError {
    ReadError::Garbage { method, detail: detail.to_string() }
}

fn number(method: &'static str, text: &str) -> Result<u64, ReadError> {
    text.parse().map_err(|error| garbage(method, format!("number {text:?}: {error}")))
}

impl Slots {
    fn new(genesis: &Genesis, spec: &Spec) -> Result<Self, ReadError> {
        let genesis_ms = number(GENESIS, &genesis.genesis_time)?.saturating_mul(1_000);
        let slot_ms = match (&spec.seconds, &spec.milliseconds) {
            (Some(seconds), _) => number(SPEC, seconds)?.saturating_mul(1_000),
            (None, Some(milliseconds)) => number(SPEC, milliseconds)?,
            (None, None) => return Err(garbage(SPEC, "no duration of a slot")),
        };
        if slot_ms == 0 {
            return Err(garbage(SPEC, "slots of no duration"));
        }
        Ok(Self { genesis_ms, slot_ms })
    }

    fn of(self, time: TimeMs) -> Result<u64, ReadError> {
        let since = time.0.checked_sub(self.genesis_ms).ok_or_else(|| ReadError::Mismatch {
            method: GENESIS,
            field: "time of the L1 block",
            declared: format!("{} ms", time.0),
            computed: format!("a chain that begins at {} ms", self.genesis_ms),
        })?;
        Ok(since / self.slot_ms)
    }
}

impl BeaconNode {
    /// The node at `endpoint`. Nothing is asked yet.
    pub fn new(endpoint: &str, limits: RpcLimits) -> Result<Self, ReadError> {
        Ok(Self { client: Client::new(endpoint)?, limits, slots: Mutex::new(None) })
    }

    /// Host and port of the node, for people.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.client.endpoint()
    }

    async fn get<T: DeserializeOwned>(
        &self,
        method: &'static str,
        of: Option<u64>,
        query: &[(&'static str, String)],
    ) -> Result<T, ReadError> {
        let path = of.map_or_else(|| format!("eth/v1/{method}"), |of| format!("eth/v1/{method}/{of}"));
        let body = self.client.get(method, &path, query, self.limits.block()).await?;
        let answer: Answer<T> = serde_json::from_slice(&body).map_err(|error| garbage(method, error))?;
        Ok(answer.data)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Slots>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn slots(&self) -> Result<Slots, ReadError> {
        if let Some(slots) = *self.held() {
            return Ok(slots);
        }
        let genesis: Genesis = self.get(GENESIS, None, &[]).await?;
        let spec: Spec = self.get(SPEC, None, &[]).await?;
        let slots = Slots::new(&genesis, &spec)?;
        *self.held() = Some(slots);
        Ok(slots)
    }

    async fn read(&self, time: TimeMs, hashes: Vec<B256>) -> Result<Vec<Bytes>, ReadError> {
        let slot = self.slots().await?.of(time)?;
        let query: Vec<_> = hashes.iter().map(|hash| ("versioned_hashes", hash.to_string())).collect();
        let (method, found) = match self.get::<Vec<Bytes>>(BLOBS, Some(slot), &query).await {
            Ok(found) => (BLOBS, found),
            // Either it does not have that slot, or not that question.
            Err(ReadError::Missing { .. } | ReadError::Unsupported { .. }) => {
                let sidecars: Vec<Sidecar> = self.get(SIDECARS, Some(slot), &[]).await?;
                // What it says of the commitment only spares work: the blob is held against its hash.
                let wanted =
                    |sidecar: &Sidecar| hashes.contains(&kzg_to_versioned_hash(&sidecar.kzg_commitment));
                (SIDECARS, sidecars.into_iter().filter(wanted).map(|sidecar| sidecar.blob).collect())
            }
            Err(error) => return Err(error),
        };
        let check = move || pick(method, slot, &hashes, found);
        tokio::task::spawn_blocking(check).await.map_err(|error| garbage(method, error))?
    }
}

/// The blobs with these hashes, among those that a node gave.
fn pick(
    method: &'static str,
    slot: u64,
    hashes: &[B256],
    found: Vec<Bytes>,
) -> Result<Vec<Bytes>, ReadError> {
    let mut given: Vec<(B256, Bytes)> = Vec::new();
    for blob in found {
        if hashes.iter().all(|wanted| given.iter().any(|(hash, _)| hash == wanted)) {
            break;
        }
        let hash = versioned_hash(&blob).map_err(|error| garbage(method, error))?;
        given.push((hash, blob));
    }
    let of = |wanted: &B256| {
        let blob = given.iter().find(|(hash, _)| hash == wanted).map(|(_, blob)| blob.clone());
        blob.ok_or_else(|| match given.iter().find(|(hash, _)| !hashes.contains(hash)) {
            // Another blob in the place of the one that was asked for.
            Some((other, _)) => ReadError::Mismatch {
                method,
                field: "blob's versioned hash",
                declared: wanted.to_string(),
                computed: other.to_string(),
            },
            None => ReadError::Missing { method, what: format!("blob {wanted} of slot {slot}") },
        })
    };
    hashes.iter().map(of).collect()
}

impl Blobs for BeaconNode {
    fn blobs(&self, time_ms: TimeMs, hashes: Vec<B256>) -> BoxFuture<'_, Result<Vec<Bytes>, ReadError>> {
        async move {
            let read = self.read(time_ms, hashes).await;
            if read.is_err() {
                // Another chain's node may have stood there before.
                *self.held() = None;
            }
            read
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
