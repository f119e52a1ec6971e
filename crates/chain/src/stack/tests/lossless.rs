//! Every recorded answer, read into types and written again, is the same JSON, and no member is a stranger.

use super::{super::op_stack::*, super::wire::*, super::zksync::*, *};
use alloy_primitives::U64;
use hum_types::{Address, B256};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

/// `null` and absent are the same; one source writes a block number in decimal, and blob gas as numbers.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| {
                let decimal = match key.as_str() {
                    "blockNumber" => value.as_str().and_then(|text| text.parse().ok()),
                    "blobGasUsed" | "blobGasPrice" => value.as_u64(),
                    _ => None,
                };
                (key.clone(), decimal.map_or_else(|| normal(value), |number: u64| json!(U64::from(number))))
            })
            .collect(),
        Value::Array(items) => items.iter().map(normal).collect(),
        value => value.clone(),
    }
}

#[track_caller]
fn same<T: Serialize + DeserializeOwned>(name: &str, value: &Value) -> T {
    let typed: T = serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(normal(&serde_json::to_value(&typed).unwrap()), normal(value), "{name}");
    typed
}

fn known_logs(name: &str, receipt: &Receipt) {
    assert!(receipt.rest.is_empty(), "{name}: {:?}", receipt.rest);
    for log in &receipt.logs {
        assert!(log.rest.is_empty(), "{name}: {:?}", log.rest);
    }
    for log in receipt.zksync.l2_to_l1_logs.iter().flatten() {
        assert!(log.rest.is_empty(), "{name}: {:?}", log.rest);
    }
}

#[test]
fn blocks_transactions_and_receipts_of_all_stacks() {
    let mut seen = [0; 3];
    for (folder_name, _) in FOLDERS {
        for (name, file) in folder(folder_name) {
            let result = &file["response"]["result"];
            let items =
                if result.is_array() { result.as_array().unwrap().clone() } else { vec![result.clone()] };
            for item in &items {
                if is_block(item) {
                    let block: Block = same(&name, item);
                    assert!(block.rest.is_empty(), "{name}: {:?}", block.rest);
                    if let Transactions::Full(transactions) = &block.transactions {
                        for transaction in transactions {
                            assert!(transaction.rest.is_empty(), "{name}: {:?}", transaction.rest);
                        }
                    }
                    seen[0] += 1;
                } else if is_receipt(item) {
                    known_logs(&name, &same(&name, item));
                    seen[1] += 1;
                } else if is_transaction(item) {
                    let transaction: Transaction = same(&name, item);
                    assert!(transaction.rest.is_empty(), "{name}: {:?}", transaction.rest);
                    seen[2] += 1;
                } else if item.get("logIndex").is_some() {
                    let log: LogEntry = same(&name, item);
                    assert!(log.rest.is_empty(), "{name}: {:?}", log.rest);
                }
            }
        }
    }
    assert_eq!(seen, [13, 15, 19]);
}

#[test]
fn status_of_op_node() {
    let status: SyncStatus = same("syncStatus", &result("op", "docs-optimism_syncStatus.json"));
    assert!(status.rest.is_empty(), "{:?}", status.rest);
    assert_eq!(status.heads().latest.number, 2_338_094);
    assert_eq!(status.heads().finalized.unwrap().number, 2_337_942);
    let output: OutputAtBlock = same("output", &result("op", "nethermind-optimism_outputAtBlock.json"));
    assert!(output.rest.is_empty() && output.sync_status.rest.is_empty());
    let config: RollupConfig = same("config", &result("op", "docs-optimism_rollupConfig.json"));
    assert_eq!((config.l2_chain_id, config.block_time), (11_155_420, 2));
    let old: [B256; 2] = same("output v0", &result("op", "docs-optimism_outputAtBlock-legacy-v0.json"));
    assert_eq!(old[0], B256::ZERO);
    let _: String = same("version", &result("op", "docs-optimism_version.json"));
}

#[test]
fn status_of_zksync() {
    for name in ["docs-zks_getBlockDetails.json", "era-zks_getblockdetails.json"] {
        let details: BlockDetails = same(name, &result("zksync", name));
        assert_eq!(details.progress.status, BatchStatus::Verified);
        assert!(details.progress.rest.is_empty(), "{:?}", details.progress.rest);
    }
    for name in ["docs-zks_getL1BatchDetails.json", "era-zks_getl1batchdetails.json"] {
        let details: BatchDetails = same(name, &result("zksync", name));
        assert!(details.executed_at.is_some() && details.rest.is_empty(), "{:?}", details.rest);
    }
    for name in ["docs-zks_L1BatchNumber.json", "era-zks_l1batchnumber.json", "era-zks_l1chainid.json"] {
        let _: U64 = same(name, &result("zksync", name));
    }
    for name in ["docs-zks_getL1BatchBlockRange.json", "era-zks_getl1batchblockrange.json"] {
        let (first, last): (U64, U64) = same(name, &result("zksync", name));
        assert!(first < last);
    }
    for name in ["docs-zks_getBridgehubContract.json", "era-zks_getmaincontract.json"] {
        let _: Address = same(name, &result("zksync", name));
    }
}

/// What Hum has no type for is at least JSON that is passed on whole.
#[test]
fn the_rest_is_accounted_for() {
    let untyped = [
        "docs-zks_getBlockMetadataByNumber.json",
        "docs-zks_getBridgeContracts.json",
        "docs-zks_getFeeParams.json",
        "docs-zks_getL2ToL1LogProof.json",
        "docs-zks_getTransactionDetails.json",
        "era-zks_getbridgecontracts.json",
        "era-zks_getl2tol1logproof.json",
        "era-zks_getl2tol1msgproof.json",
        "era-zks_getrawblocktransactions.json",
        "era-zks_gettransactiondetails.json",
    ];
    let typed = |result: &Value| {
        let first = result.get(0).unwrap_or(result);
        is_block(first) || is_receipt(first) || is_transaction(first)
    };
    for (name, file) in folder("zksync") {
        let result = &file["response"]["result"];
        let status = name.contains("zks_") && !untyped.contains(&name.as_str());
        assert!(typed(result) || status || untyped.contains(&name.as_str()), "{name}");
    }
}

/// Answers of `debug_executionWitness` in the three dialects: headers as objects, as RLP, and by the extra parameter.
#[test]
fn witnesses_of_every_dialect() {
    let files = folder("ethereum");
    assert_eq!(files.len(), 6);
    for (name, file) in files {
        let json = file["response"]["result"].to_string();
        let witness =
            hum_verify::dialect::parse_witness(&json).unwrap_or_else(|error| panic!("{name}: {error}"));
        let count = |key: &str| file["response"]["result"][key].as_array().map_or(0, Vec::len);
        assert_eq!(witness.state.len(), count("state"), "{name}");
        assert_eq!(witness.codes.len(), count("codes"), "{name}");
        assert_eq!(witness.headers.len(), count("headers"), "{name}");
    }
}
