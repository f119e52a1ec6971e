//! Members and types that no recorded answer has, in JSON written here after the stacks' sources.

use super::{super::nitro::*, *};
use alloy_primitives::{TxKind, U64, U256};
use hum_types::{Address, B256, Bytes};
use serde_json::json;

fn lossless<T: serde::Serialize + serde::de::DeserializeOwned>(json: &Value) -> T {
    let typed: T = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(&serde_json::to_value(&typed).unwrap(), json);
    typed
}

/// Fees of the OP Stack from Bedrock to Jovian; each fork adds members to a receipt.
#[test]
fn fees_in_receipts_of_the_op_stack() {
    let base = result("op", "unichain-eth_gettransactionreceipt.json");
    let mut json = base.clone();
    json.as_object_mut().unwrap().remove("contractAddress");
    json.as_object_mut().unwrap().remove("depositNonce");
    json.as_object_mut().unwrap().remove("depositReceiptVersion");
    json["type"] = json!("0x2");
    let plain: wire::Receipt = lossless(&json);
    for (key, value) in [
        ("l1GasPrice", "0x9a3b1c"),
        ("l1GasUsed", "0x640"),
        ("l1Fee", "0x1d4c3f"),
        ("l1FeeScalar", "0.684"),
        ("l1BlobBaseFee", "0x1"),
        ("l1BaseFeeScalar", "0x7d0"),
        ("l1BlobBaseFeeScalar", "0xdbba0"),
        ("operatorFeeScalar", "0x5"),
        ("operatorFeeConstant", "0x9"),
        ("daFootprintGasScalar", "0x190"),
        ("blobGasUsed", "0x2000"),
        ("blockTimestamp", "0x67186621"),
    ] {
        json[key] = json!(value);
        let receipt: wire::Receipt = lossless(&json);
        assert!(receipt.rest.is_empty(), "{key}");
        // None of them is in the receipts trie.
        assert_eq!(receipt.envelope().unwrap(), plain.envelope().unwrap());
    }
    json["somethingNew"] = json!({ "kept": [1, 2] });
    let receipt: wire::Receipt = lossless(&json);
    assert_eq!(receipt.rest.len(), 1);
}

fn call(to: TxKind) -> Value {
    to.to().map_or(Value::Null, |to| json!(to))
}

/// A Nitro transaction as its node writes it.
fn as_json(transaction: &NitroTransaction) -> Value {
    let quantity = |value: U256| json!(value);
    let mut json = json!({
        "type": U64::from(transaction.kind()),
        "hash": alloy_primitives::keccak256(transaction.envelope()),
        "from": Address::ZERO, "nonce": "0x0", "value": "0x0", "gas": "0x0", "input": "0x",
    });
    let mut set = |key: &str, value: Value| json[key] = value;
    match transaction {
        NitroTransaction::Deposit(tx) => {
            set("chainId", quantity(tx.chain_id));
            set("requestId", json!(tx.request_id));
            set("from", json!(tx.from));
            set("to", json!(tx.to));
            set("value", quantity(tx.value));
        }
        NitroTransaction::Unsigned(tx) => {
            set("chainId", quantity(tx.chain_id));
            set("from", json!(tx.from));
            set("nonce", json!(U64::from(tx.nonce)));
            set("gasPrice", quantity(tx.gas_fee_cap));
            set("gas", json!(U64::from(tx.gas)));
            set("to", call(tx.to));
            set("value", quantity(tx.value));
            set("input", json!(tx.input));
        }
        NitroTransaction::Contract(tx) => {
            set("chainId", quantity(tx.chain_id));
            set("requestId", json!(tx.request_id));
            set("from", json!(tx.from));
            set("gasPrice", quantity(tx.gas_fee_cap));
            set("gas", json!(U64::from(tx.gas)));
            set("to", call(tx.to));
            set("value", quantity(tx.value));
            set("input", json!(tx.input));
        }
        NitroTransaction::Retry(tx) => {
            set("chainId", quantity(tx.chain_id));
            set("nonce", json!(U64::from(tx.nonce)));
            set("from", json!(tx.from));
            set("maxFeePerGas", quantity(tx.gas_fee_cap));
            set("gas", json!(U64::from(tx.gas)));
            set("to", call(tx.to));
            set("value", quantity(tx.value));
            set("input", json!(tx.input));
            set("ticketId", json!(tx.ticket_id));
            set("refundTo", json!(tx.refund_to));
            set("maxRefund", quantity(tx.max_refund));
            set("submissionFeeRefund", quantity(tx.submission_fee_refund));
        }
        NitroTransaction::SubmitRetryable(tx) => {
            set("chainId", quantity(tx.chain_id));
            set("requestId", json!(tx.request_id));
            set("from", json!(tx.from));
            set("l1BaseFee", quantity(tx.l1_base_fee));
            set("depositValue", quantity(tx.deposit_value));
            set("maxFeePerGas", quantity(tx.gas_fee_cap));
            set("gas", json!(U64::from(tx.gas)));
            set("retryTo", call(tx.retry_to));
            set("retryValue", quantity(tx.retry_value));
            set("beneficiary", json!(tx.beneficiary));
            set("maxSubmissionFee", quantity(tx.max_submission_fee));
            set("refundTo", json!(tx.refund_to));
            set("retryData", json!(tx.retry_data));
        }
        NitroTransaction::Internal(tx) => {
            set("chainId", quantity(tx.chain_id));
            set("input", json!(tx.data));
        }
    }
    json
}

#[test]
fn every_nitro_type_from_json_and_each_member_counts() {
    let file = file("arbitrum", "third-party-nitro-tx-vectors.json");
    for vector in file["vectors"].as_array().unwrap() {
        let raw: Bytes = serde_json::from_value(vector["raw"].clone()).unwrap();
        let hash: B256 = serde_json::from_value(vector["hash"].clone()).unwrap();
        let transaction = NitroTransaction::decode(&raw).unwrap();
        let json = as_json(&transaction);
        let read: wire::Transaction = lossless(&json);
        assert!(read.rest.is_empty());
        assert_eq!(read.computed_hash().unwrap(), Some(hash), "{}", vector["name"]);
        for key in json.as_object().unwrap().keys() {
            // What the type has not in its envelope stands here as a default.
            let default = [json!(Address::ZERO), json!("0x0"), json!("0x")].contains(&json[key]);
            if default || ["type", "hash"].contains(&key.as_str()) {
                continue;
            }
            let mut without = json.clone();
            without.as_object_mut().unwrap().remove(key);
            let Ok(read) = serde_json::from_value::<wire::Transaction>(without) else { continue };
            assert_ne!(read.computed_hash().ok().flatten(), Some(hash), "{} without {key}", vector["name"]);
        }
    }
}
