//! Recorded answers of real nodes, held against their hashes; L1 contracts' storage, built with their layouts.

mod corrupted;
mod hashes;
mod lossless;
mod made;
mod registrars;
mod replayed;
mod settled;

use super::{Stack, StackKind, wire};
use flate2::read::GzDecoder;
use serde_json::Value;
use std::{collections::BTreeMap, fs, io::Read, path::Path};

/// Files of one folder of `testdata`, by name.
pub(super) fn folder(name: &str) -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let bytes = fs::read(&path).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let value = if name.ends_with(".gz") {
                let mut text = String::new();
                GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
                serde_json::from_str(&text).unwrap()
            } else {
                serde_json::from_slice(&bytes).unwrap()
            };
            (name, value)
        })
        .collect()
}

pub(super) fn file(folder_name: &str, name: &str) -> Value {
    let mut files = folder(folder_name);
    files.remove(name).or_else(|| files.remove(&format!("{name}.gz"))).unwrap()
}

/// The result of a recorded exchange.
pub(super) fn result(folder_name: &str, name: &str) -> Value {
    file(folder_name, name)["response"]["result"].clone()
}

pub(super) const FOLDERS: [(&str, StackKind); 3] =
    [("op", StackKind::OpStack), ("arbitrum", StackKind::Nitro), ("zksync", StackKind::ZkSync)];

pub(super) fn is_block(value: &Value) -> bool {
    value.get("parentHash").is_some() && value.get("transactionsRoot").is_some()
}

pub(super) fn is_receipt(value: &Value) -> bool {
    value.get("cumulativeGasUsed").is_some()
}

pub(super) fn is_transaction(value: &Value) -> bool {
    value.get("input").is_some() && value.get("hash").is_some()
}

pub(super) fn block(value: &Value) -> wire::Block {
    serde_json::from_value(value.clone()).unwrap()
}

pub(super) fn receipts(value: &Value) -> Vec<wire::Receipt> {
    serde_json::from_value(value.clone()).unwrap()
}

pub(super) fn adapter(kind: StackKind) -> Box<dyn Stack> {
    kind.adapter()
}
