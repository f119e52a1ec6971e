//! The proxy's own methods: what is certified, in words and as evidence.

use super::{Heads, rewrite::tag_of};
use hum_types::Confidence;
use serde_json::{Value, json, value::RawValue};

/// The certified head of a confidence.
const HEAD: &str = "hum_certifiedHead";
/// The newest certificate with its header.
const CERTIFICATE: &str = "hum_certificate";

/// One of the proxy's own methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Head,
    Certificate,
}

impl Own {
    pub(super) fn of(method: &str) -> Option<Self> {
        match method {
            HEAD => Some(Self::Head),
            CERTIFICATE => Some(Self::Certificate),
            _ => None,
        }
    }

    /// The result, `null` when nothing is certified yet; or why the parameters say nothing.
    pub(super) fn answer(self, params: Option<&RawValue>, heads: &Heads) -> Result<Value, String> {
        let params: Vec<Value> = match params.map(RawValue::get) {
            None | Some("null") => Vec::new(),
            Some(text) => serde_json::from_str(text).map_err(|error| format!("params: {error}"))?,
        };
        match self {
            Self::Head => {
                let confidence = match params.as_slice() {
                    [] => Confidence::Latest,
                    [name] => serde_json::from_value(name.clone())
                        .map_err(|_| format!("{HEAD} takes latest, safe or finalized, not {name}"))?,
                    _ => return Err(format!("{HEAD} takes one confidence at most, not {}", params.len())),
                };
                Ok(head(confidence, heads))
            }
            Self::Certificate if params.is_empty() => Ok(json!(heads.certificate)),
            Self::Certificate => Err(format!("{CERTIFICATE} takes no parameters, not {}", params.len())),
        }
    }
}

fn head(confidence: Confidence, heads: &Heads) -> Value {
    let Some((head, file)) = heads.heads.get(&confidence).zip(heads.certificate.as_ref()) else {
        return Value::Null;
    };
    json!({
        "chainId": quantity(heads.chain_id.0),
        "confidence": tag_of(confidence),
        "number": quantity(head.block.number),
        "hash": head.block.hash,
        "stateRoot": head.state_root,
        "height": quantity(head.height.0),
        "class": heads.class,
        "status": heads.status,
        "generation": quantity(heads.generation.0.into()),
        "certificateHeight": quantity(file.header.height.0),
        "certificateTimeMs": quantity(file.header.time_ms.0),
    })
}

fn quantity(number: u64) -> String {
    format!("{number:#x}")
}
