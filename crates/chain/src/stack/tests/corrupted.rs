//! One member changed, one refusal.

use super::{super::*, *};
use serde_json::json;

/// Change what a JSON value says without changing its shape.
fn change(value: &Value) -> Option<Value> {
    Some(match value {
        Value::String(text) if text.starts_with("0x") && text.len() > 2 => {
            // The last digit, and the first too where zeros may lead.
            let last = if text.ends_with('1') { '2' } else { '1' };
            json!(format!("{}{last}", &text[..text.len() - 1]))
        }
        Value::String(text) if text == "0x" => json!("0x01"),
        Value::Bool(bool) => json!(!bool),
        _ => return None,
    })
}

/// Members that nothing binds: neither the hash nor another part of the answer.
const BLOCK_FREE: [&str; 3] = ["size", "totalDifficulty", "l1BatchTimestamp"];
const TRANSACTION_FREE: [&str; 5] = ["from", "gasPrice", "blockTimestamp", "nonce", "yParity"];

#[test]
fn every_member_of_a_block_that_its_hash_binds() {
    for (folder_name, name, kind) in [
        ("op", "base-eth_getblockbynumber.json", StackKind::OpStack),
        ("arbitrum", "arb-sepolia-eth_getBlockByNumber-03.json", StackKind::Nitro),
    ] {
        let sound = result(folder_name, name);
        adapter(kind).block(&block(&sound)).unwrap();
        for (key, value) in sound.as_object().unwrap() {
            let Some(changed) = change(value).filter(|_| !BLOCK_FREE.contains(&key.as_str())) else {
                continue;
            };
            let mut lie = sound.clone();
            lie[key] = changed;
            let Ok(json) = serde_json::from_value(lie) else { continue };
            assert!(adapter(kind).block(&json).is_err(), "{name}: {key}");
        }
    }
}

#[test]
fn every_member_of_a_transaction_that_its_hash_binds() {
    for (folder_name, name, kind) in [
        ("op", "base-eth_getblockbynumber.json", StackKind::OpStack),
        ("arbitrum", "arb-sepolia-eth_getBlockByNumber-03.json", StackKind::Nitro),
    ] {
        let sound = result(folder_name, name);
        for index in [0, 1] {
            for (key, value) in sound["transactions"][index].as_object().unwrap() {
                let kind_of = sound["transactions"][index]["type"].as_str().unwrap();
                let free = match (kind_of, key.as_str()) {
                    // A deposit's nonce is given, not sent, and it has no signature; its sender is in its envelope.
                    ("0x7e", "from") => false,
                    ("0x7e" | "0x6a", "v" | "r" | "s") => true,
                    // ArbOS's own transaction is its chain id and its data.
                    ("0x6a", "to" | "value" | "gas") => true,
                    ("0x2", "nonce" | "yParity") => false,
                    (_, key) => TRANSACTION_FREE.contains(&key),
                };
                let Some(changed) = change(value).filter(|_| !free) else { continue };
                let mut lie = sound.clone();
                lie["transactions"][index][key] = changed;
                let Ok(json) = serde_json::from_value(lie) else { continue };
                assert!(adapter(kind).block(&json).is_err(), "{name}: transaction {index}: {key}");
            }
        }
    }
}

#[test]
fn every_member_of_a_receipt_that_the_root_binds() {
    let block = Stack::block(
        &nitro::Nitro::default(),
        &block(&result("arbitrum", "arb-sepolia-eth_getBlockByNumber-03.json")),
    )
    .unwrap();
    let sound = result("arbitrum", "arb-sepolia-eth_getBlockReceipts-01.json");
    let check = |json: &Value| {
        let Ok(receipts) = serde_json::from_value::<Vec<wire::Receipt>>(json.clone()) else { return false };
        nitro::Nitro::default().receipts(&block, &receipts).is_ok()
    };
    assert!(check(&sound));
    let free = ["from", "to", "effectiveGasPrice", "gasUsedForL1", "contractAddress"];
    for index in [0, 1] {
        for (key, value) in sound[index].as_object().unwrap() {
            let Some(changed) = change(value).filter(|_| !free.contains(&key.as_str())) else { continue };
            let mut lie = sound.clone();
            lie[index][key] = changed;
            assert!(!check(&lie), "receipt {index}: {key}");
        }
    }
    for (key, value) in sound[1]["logs"][0].as_object().unwrap() {
        let Some(changed) = change(value) else { continue };
        let mut lie = sound.clone();
        lie[1]["logs"][0][key] = changed;
        assert!(!check(&lie), "log: {key}");
    }
    let mut lie = sound.clone();
    lie.as_array_mut().unwrap().pop();
    assert!(!check(&lie), "one receipt less");
}

#[test]
fn members_of_zksync_blocks_that_their_hash_binds() {
    let stack = zksync::ZkSync::default();
    let late = result("zksync", "docs-eth_getBlockByNumber.json");
    for key in ["hash", "parentHash", "number", "timestamp"] {
        let mut lie = late.clone();
        lie[key] = change(&late[key]).unwrap();
        let error = stack.block(&block(&lie)).unwrap_err();
        assert!(matches!(error, StackError::Hash { .. }), "{key}");
    }
    let mut lie = late.clone();
    lie["transactions"][3] = change(&late["transactions"][3]).unwrap();
    assert!(stack.block(&block(&lie)).is_err(), "a transaction's hash");

    let early = result("zksync", "viem-block-1.json");
    for key in ["hash", "parentHash", "number"] {
        let mut lie = early.clone();
        lie[key] = change(&early[key]).unwrap();
        assert!(stack.block(&block(&lie)).is_err(), "{key}");
    }
    // The hash of an early block says nothing of these: hence the commitment that a claim must bind.
    let mut free = early.clone();
    free["timestamp"] = change(&early["timestamp"]).unwrap();
    free["transactions"] = json!([]);
    let found = stack.block(&block(&free)).unwrap();
    assert!(found.binding.needs_commitment());
}

#[test]
fn members_of_zksync_receipts_that_name_their_block() {
    let stack = zksync::ZkSync::default();
    let sound = stack.block(&block(&result("zksync", "viem-block-2.json"))).unwrap();
    let receipt = result("zksync", "viem-transactionReceipt-1.json");
    let check = |json: &Value| {
        let all = std::slice::from_ref(json);
        let Ok(receipts) = serde_json::from_value::<Vec<wire::Receipt>>(json!(all)) else { return false };
        stack.receipts(&sound, &receipts).is_ok()
    };
    assert!(check(&receipt));
    for key in ["transactionHash", "transactionIndex", "blockHash", "blockNumber", "l1BatchNumber", "root"] {
        let mut lie = receipt.clone();
        lie[key] = change(&receipt[key]).unwrap();
        assert!(!check(&lie), "{key}");
    }
}

#[test]
fn a_stack_refuses_the_transactions_of_another() {
    let op = block(&result("op", "base-eth_getblockbynumber.json"));
    let nitro = block(&result("arbitrum", "arb-sepolia-eth_getBlockByNumber-03.json"));
    for (kind, json, found) in [
        (StackKind::Ethereum, &op, 0x7e),
        (StackKind::Nitro, &op, 0x7e),
        (StackKind::Ethereum, &nitro, 0x6a),
        (StackKind::OpStack, &nitro, 0x6a),
    ] {
        let error = adapter(kind).block(json).unwrap_err();
        assert_eq!(error, StackError::Kind { index: 0, found, stack: kind });
    }
    for json in [&op, &nitro] {
        assert!(matches!(adapter(StackKind::ZkSync).block(json), Err(StackError::Hash { .. })));
    }
}

#[test]
fn hashes_alone_are_not_enough() {
    let hashes = block(&result("op", "base-eth_getblockbyhash.json"));
    let error = adapter(StackKind::OpStack).block(&hashes).unwrap_err();
    assert!(matches!(error, StackError::OnlyHashes { .. }));
}
