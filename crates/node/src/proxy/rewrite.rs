//! Where JSON-RPC methods take a block, and what becomes of `safe` and `finalized` there.

use hum_types::Confidence;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Where a method takes blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A block in this parameter: a tag, a number, or an object with `blockNumber`.
    Block(usize),
    /// A filter in this parameter: an object with `fromBlock` and `toBlock`.
    Filter(usize),
    /// Blocks in these two parameters.
    Range(usize, usize),
}

/// Methods whose names say where they take blocks.
const PLACES: [(&str, Place); 40] = [
    ("eth_call", Place::Block(1)),
    ("eth_callMany", Place::Block(1)),
    ("eth_createAccessList", Place::Block(1)),
    ("eth_estimateGas", Place::Block(1)),
    ("eth_feeHistory", Place::Block(1)),
    ("eth_getAccount", Place::Block(1)),
    ("eth_getAccountInfo", Place::Block(1)),
    ("eth_getBalance", Place::Block(1)),
    ("eth_getBlockAccessList", Place::Block(0)),
    ("eth_getBlockByNumber", Place::Block(0)),
    ("eth_getBlockReceipts", Place::Block(0)),
    ("eth_getBlockTransactionCountByNumber", Place::Block(0)),
    ("eth_getCode", Place::Block(1)),
    ("eth_getHeaderByNumber", Place::Block(0)),
    ("eth_getLogs", Place::Filter(0)),
    ("eth_getProof", Place::Block(2)),
    ("eth_getRawTransactionByBlockNumberAndIndex", Place::Block(0)),
    ("eth_getStorageAt", Place::Block(2)),
    ("eth_getStorageValues", Place::Block(1)),
    ("eth_getTransactionByBlockNumberAndIndex", Place::Block(0)),
    ("eth_getTransactionCount", Place::Block(1)),
    ("eth_getUncleByBlockNumberAndIndex", Place::Block(0)),
    ("eth_getUncleCountByBlockNumber", Place::Block(0)),
    ("eth_newFilter", Place::Filter(0)),
    ("eth_simulateV1", Place::Block(1)),
    ("debug_accountRange", Place::Block(0)),
    ("debug_dumpBlock", Place::Block(0)),
    ("debug_executionWitness", Place::Range(0, 1)),
    ("debug_getRawBlock", Place::Block(0)),
    ("debug_getRawHeader", Place::Block(0)),
    ("debug_getRawReceipts", Place::Block(0)),
    ("debug_intermediateRoots", Place::Block(0)),
    ("debug_traceBlockByNumber", Place::Block(0)),
    ("debug_traceCall", Place::Block(1)),
    ("trace_block", Place::Block(0)),
    ("trace_call", Place::Block(2)),
    ("trace_callMany", Place::Block(1)),
    ("trace_filter", Place::Filter(0)),
    ("trace_replayBlockTransactions", Place::Block(0)),
    ("erigon_getHeaderByNumber", Place::Block(0)),
];

/// Namespaces that read the chain: a method of theirs that is not in the table takes a block wherever a tag stands.
const NAMESPACES: [&str; 9] =
    ["eth_", "debug_", "trace_", "arbtrace_", "erigon_", "ots_", "parity_", "zks_", "optimism_"];

/// Fields of an object that hold blocks.
const FIELDS: [&str; 3] = ["fromBlock", "toBlock", "blockNumber"];

/// A request names a tag in parameters that are no list, where its place cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{method}: parameters that name {tag} must be a list")]
pub struct NotPositional {
    /// The method.
    pub method: String,
    /// The tag.
    pub tag: &'static str,
}

/// The confidence that a tag asks for.
fn tag(raw: &RawValue) -> Option<Confidence> {
    if !raw.get().starts_with('"') {
        return None;
    }
    // Decoded first: escapes can spell a tag too. Some nodes forgive case and spaces.
    let text: String = serde_json::from_str(raw.get()).ok()?;
    let text = text.trim();
    if text.eq_ignore_ascii_case("safe") {
        Some(Confidence::Safe)
    } else if text.eq_ignore_ascii_case("finalized") {
        Some(Confidence::Finalized)
    } else {
        None
    }
}

/// The tag of a confidence; `Latest` heads have a method and no tag.
pub(super) const fn tag_of(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Latest => "latest",
        Confidence::Safe => "safe",
        Confidence::Finalized => "finalized",
    }
}

fn raw(text: String) -> Option<Box<RawValue>> {
    RawValue::from_string(text).ok()
}

type Fields = BTreeMap<String, Box<RawValue>>;

/// A name as servers read it that do not mind letter case: Go's take even these two letters for `s` and `k`.
pub(super) fn folded(name: &str) -> String {
    name.replace('\u{17f}', "s").replace('\u{212a}', "k").to_ascii_lowercase()
}

/// Replace tags in one parameter; `None` when there are none. `whole` says whether the parameter itself may be a block.
fn parameter(
    value: &RawValue,
    whole: bool,
    number: &mut dyn FnMut(Confidence) -> u64,
) -> Option<Box<RawValue>> {
    if whole && let Some(confidence) = tag(value) {
        return raw(format!("\"{:#x}\"", number(confidence)));
    }
    if !value.get().starts_with('{') {
        return None;
    }
    let mut fields: Fields = serde_json::from_str(value.get()).ok()?;
    let mut found = false;
    for (name, held) in &mut fields {
        if !FIELDS.iter().any(|field| folded(field) == folded(name)) {
            continue;
        }
        let Some(confidence) = tag(held) else { continue };
        if let Some(block) = raw(format!("\"{:#x}\"", number(confidence))) {
            *held = block;
            found = true;
        }
    }
    if found { serde_json::value::to_raw_value(&fields).ok() } else { None }
}

/// The parameters with numbers in place of tags; `None` when there is no tag where the method takes a block. `number`
/// is asked once for each.
pub fn rewritten(
    method: &str,
    params: &RawValue,
    number: &mut dyn FnMut(Confidence) -> u64,
) -> Result<Option<Box<RawValue>>, NotPositional> {
    let place = PLACES.iter().find(|(name, _)| *name == method).map(|(_, place)| *place);
    // Topics of subscriptions and such have no range of blocks.
    let reads = NAMESPACES.iter().any(|namespace| method.starts_with(namespace))
        && method != "eth_subscribe"
        && method != "eth_unsubscribe";
    if place.is_none() && !reads {
        return Ok(None);
    }
    let Ok(mut list) = Vec::<Box<RawValue>>::deserialize(params) else {
        // No standard method takes named parameters; a node that does must not be shown the tag.
        let fields: Fields = serde_json::from_str(params.get()).unwrap_or_default();
        let mut named = None;
        for value in fields.values() {
            parameter(value, true, &mut |confidence| {
                named = Some(confidence);
                0
            });
        }
        return match named {
            Some(confidence) => Err(NotPositional { method: method.to_owned(), tag: tag_of(confidence) }),
            None => Ok(None),
        };
    };
    let mut found = false;
    for (index, value) in list.iter_mut().enumerate() {
        let (here, whole) = match place {
            Some(Place::Block(at)) => (index == at, true),
            Some(Place::Filter(at)) => (index == at, false),
            Some(Place::Range(from, to)) => (index == from || index == to, true),
            None => (true, true),
        };
        if !here {
            continue;
        }
        if let Some(replaced) = parameter(value, whole, number) {
            *value = replaced;
            found = true;
        }
    }
    Ok(if found { serde_json::value::to_raw_value(&list).ok() } else { None })
}

#[cfg(test)]
mod tests;
