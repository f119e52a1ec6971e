//! Asking for a witness in whichever form the node understands.
//!
//! Nodes answer in three dialects; reading those is the verifier's business. Here is only how to ask:
//!
//! | form | nodes |
//! |---|---|
//! | `debug_executionWitnessByBlockHash(hash)` | Reth, newer ethrex |
//! | `debug_executionWitness(number)` | all |
//! | `debug_executionWitness(number, "canonical")` | those that want the mode named |
//! | none of these: built from traces and proofs | anvil 1.7 |

mod traced;
mod trie;

use super::{RpcChain, differs};
use crate::{At, RawWitness, ReadError};
use alloy_primitives::U64;
use hum_types::{BlockRef, Bytes};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

const BY_HASH: &str = "debug_executionWitnessByBlockHash";
const BY_NUMBER: &str = "debug_executionWitness";
const INVALID_PARAMS: i64 = -32602;

#[derive(Debug, Clone, Copy)]
enum Form {
    Hash,
    Number,
    Canonical,
    Traced,
}

const FORMS: [Form; 4] = [Form::Hash, Form::Number, Form::Canonical, Form::Traced];

/// Remembers the form that worked.
#[derive(Debug, Default)]
pub(super) struct WitnessRequest(AtomicUsize);

impl RpcChain {
    pub(super) async fn read_witness(&self, block: BlockRef) -> Result<RawWitness, ReadError> {
        let known = self.0.witness.0.load(Ordering::Relaxed);
        let mut last = None;
        for step in 0..FORMS.len() {
            let position = (known + step) % FORMS.len();
            let form = FORMS[position];
            match self.witness_as(form, block).await {
                Ok(text) => {
                    self.0.witness.0.store(position, Ordering::Relaxed);
                    return Ok(text);
                }
                Err(error) if not_this_form(&error) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        // Forms were refused for their parameters or their name; when all were, the method itself is what lacks.
        Err(match last {
            Some(error @ ReadError::Node { .. }) => error,
            _ => ReadError::Unsupported {
                method: BY_NUMBER,
                advice: "use a node with debug_executionWitness (Reth, Geth, Nethermind, ethrex), or one with debug_traceBlockByNumber and eth_getProof (anvil), and enable its debug namespace",
            },
        })
    }

    async fn witness_as(&self, form: Form, block: BlockRef) -> Result<RawWitness, ReadError> {
        let (method, params) = match form {
            Form::Hash => (BY_HASH, json!([block.hash])),
            Form::Number => (BY_NUMBER, json!([U64::from(block.number)])),
            Form::Canonical => (BY_NUMBER, json!([U64::from(block.number), "canonical"])),
            Form::Traced => return self.traced_witness(block).await,
        };
        self.ready().await?;
        let answer = self.note(self.0.client.ask_text(method, params, self.0.limits.witness()).await)?;
        let text = answer
            .ok_or_else(|| ReadError::Missing { method, what: format!("a witness of {}", block.hash) })?;
        if !matches!(form, Form::Hash) {
            self.still_canonical(method, block).await?;
        }
        Ok(RawWitness::Json(Bytes::from(Box::<str>::from(text).into_string().into_bytes())))
    }

    /// A witness asked for by number is of whichever block has the number then.
    async fn still_canonical(&self, method: &'static str, block: BlockRef) -> Result<(), ReadError> {
        match self.light(At::Number(block.number)).await? {
            Some(found) if found.hash == block.hash => Ok(()),
            Some(found) => Err(differs(method, "canonical block", block.hash, found.hash)),
            None => Err(ReadError::Missing { method, what: format!("block {}", block.hash) }),
        }
    }
}

const fn not_this_form(error: &ReadError) -> bool {
    matches!(error, ReadError::Unsupported { .. } | ReadError::Node { code: INVALID_PARAMS, .. })
}

#[cfg(test)]
mod tests;
