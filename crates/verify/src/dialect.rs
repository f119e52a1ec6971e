//! The forms in which nodes answer `debug_executionWitness`.
//!
//! Geth gives headers as JSON objects and `keys: null`; Reth (and Geth's `canonical` form) gives them as RLP strings
//! and fills `keys`, which nobody needs; lists may be null or missing. Errors name what could not be read.

use crate::witness::Witness;
use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes};
use serde::Deserialize;

#[derive(Deserialize)]
struct WitnessJson {
    state: Option<Vec<Bytes>>,
    codes: Option<Vec<Bytes>>,
    headers: Option<Vec<HeaderJson>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum HeaderJson {
    Rlp(Bytes),
    Object(Box<HeaderObject>),
}

#[derive(Deserialize)]
struct HeaderObject {
    hash: Option<B256>,
    #[serde(flatten)]
    header: Header,
}

/// Why an answer is not a witness.
#[derive(Debug, thiserror::Error)]
pub enum DialectError {
    /// Not the JSON of any dialect that we know.
    #[error("not a witness in any known dialect: {0}")]
    Json(#[from] serde_json::Error),
    /// A header given as an object has fields that we do not know: our encoding of it has another hash.
    #[error("header {number} has hash {declared} but encodes to {computed}")]
    HeaderHash {
        /// The header's number.
        number: u64,
        /// In the answer.
        declared: B256,
        /// Of our encoding.
        computed: B256,
    },
}

/// Read the `result` of `debug_executionWitness`, whichever node gave it.
pub fn parse_witness(json: &str) -> Result<Witness, DialectError> {
    from_json(serde_json::from_str(json)?)
}

/// As [`parse_witness`], from a value that has been read already.
pub fn witness_from_value(json: serde_json::Value) -> Result<Witness, DialectError> {
    from_json(serde_json::from_value(json)?)
}

fn from_json(json: WitnessJson) -> Result<Witness, DialectError> {
    let headers = json.headers.unwrap_or_default().into_iter().map(header_rlp).collect::<Result<_, _>>()?;
    Ok(Witness { state: json.state.unwrap_or_default(), codes: json.codes.unwrap_or_default(), headers })
}

fn header_rlp(header: HeaderJson) -> Result<Bytes, DialectError> {
    match header {
        HeaderJson::Rlp(rlp) => Ok(rlp),
        HeaderJson::Object(object) => {
            let HeaderObject { hash, header } = *object;
            let computed = header.hash_slow();
            match hash {
                Some(declared) if declared != computed => {
                    Err(DialectError::HeaderHash { number: header.number, declared, computed })
                }
                _ => Ok(alloy_rlp::encode(&header).into()),
            }
        }
    }
}
