//! What the fixtures' own checker found, found again: hashes, roots, packed fields.

use super::{super::nitro::*, super::op_stack::*, super::*, *};
use crate::{BlockBytesError, RawBlock};
use alloy_primitives::{hex, keccak256};
use alloy_rlp::Decodable;
use hum_types::{B256, Bytes};

fn bytes(value: &Value) -> Bytes {
    serde_json::from_value(value.clone()).unwrap()
}

fn hash(value: &Value) -> B256 {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn blocks_hash_and_bind_as_their_readme_says() {
    let mut whole = 0;
    let mut bindings = [0; 3];
    for (folder_name, kind) in FOLDERS {
        for (name, file) in folder(folder_name) {
            let result = &file["response"]["result"];
            if !is_block(result) {
                continue;
            }
            let json = block(result);
            if json.transactions.hashes().is_empty() || kind == StackKind::ZkSync || name.contains("number") {
                let genesis = json.header.number == 0;
                let found = adapter(kind).block(&json);
                if matches!(found, Err(StackError::OnlyHashes { .. })) {
                    continue;
                }
                let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(found.block.hash, json.hash, "{name}");
                assert_eq!(found.block.number == 0, genesis);
                bindings[match found.binding {
                    Binding::Contents { .. } => 0,
                    Binding::Transactions => 1,
                    Binding::Number => 2,
                }] += 1;
                assert_eq!(found.binding.needs_commitment(), kind == StackKind::ZkSync);
                if let Some(rlp) = found.rlp.clone() {
                    let raw = RawBlock::from_rlp(rlp).unwrap();
                    assert_eq!(Some(raw), found.raw());
                    whole += 1;
                }
            }
        }
    }
    assert_eq!(whole, bindings[0]);
    assert_eq!(bindings, [3, 1, 5]);
}

#[test]
fn zksync_blocks_early_and_late() {
    for (name, binding) in [
        ("viem-block-1.json", Binding::Number),
        ("viem-block-2.json", Binding::Number),
        ("era-eth_getblockbynumber.json", Binding::Number),
        ("docs-eth_getBlockByNumber.json", Binding::Transactions),
    ] {
        let found = zksync::ZkSync::default().block(&block(&result("zksync", name))).unwrap();
        assert_eq!(found.binding, binding, "{name}");
    }
}

#[test]
fn headers_hash_even_where_only_transaction_hashes_are_given() {
    for (folder_name, kind) in FOLDERS {
        for (name, file) in folder(folder_name) {
            let result = &file["response"]["result"];
            if is_block(result) && kind != StackKind::ZkSync {
                let json = block(result);
                assert_eq!(json.header.hash_slow(), json.hash, "{name}");
            }
        }
    }
}

#[test]
fn nitro_blocks_carry_sends_and_l1_block() {
    let json = block(&result("arbitrum", "arb-sepolia-eth_getBlockByNumber-03.json"));
    let found = Nitro::default().block(&json).unwrap();
    assert_eq!(found.l1_block, Some(0x89_7f00));
    assert_eq!(found.send_root, json.nitro.send_root);
    assert_eq!(
        Packed::of(json.header.mix_hash),
        Packed { send_count: 0x1a7e4, l1_block_number: 0x89_7f00, arbos_version: 40 }
    );
    let all = receipts(&result("arbitrum", "arb-sepolia-eth_getBlockReceipts-01.json"));
    Nitro::default().receipts(&found, &all).unwrap();
}

#[test]
fn op_blocks_carry_their_l1_origin() {
    let json = block(&result("op", "base-eth_getblockbynumber.json"));
    let found = OpStack::default().block(&json).unwrap();
    assert_eq!(found.l1_block, Some(0x8c_ed53));
    assert_eq!(found.tx_hashes.len(), json.transactions.hashes().len());
    let packed: wire::Transaction =
        serde_json::from_value(result("op", "unichain-eth_gettransactionbyhash.json")).unwrap();
    let origin = L1Origin::decode(&packed.input).unwrap();
    assert_eq!((origin.number, origin.sequence_number), (0x69_b0cf, 0));
    assert_eq!(&origin.hash.0[..4], hex!("33b80ed6"));
    assert_eq!(L1Origin::decode(&packed.input[..120]), None);
    assert_eq!(L1Origin::decode(b"none"), None);
}

#[test]
fn op_blocks_from_bytes() {
    for name in ["op-sepolia-26207960-block.json", "op-sepolia-26207963-block.json"] {
        let file = file("op", name);
        let raw = RawBlock::from_rlp(bytes(&file["rlp"])).unwrap();
        assert_eq!(raw.block.hash, hash(&file["expected_block_hash"]));
    }
}

#[test]
fn transactions_hash_to_their_hash() {
    let mut seen = 0;
    for (folder_name, kind) in FOLDERS {
        for (name, file) in folder(folder_name) {
            let result = &file["response"]["result"];
            if kind == StackKind::ZkSync || !is_transaction(result) || is_receipt(result) {
                continue;
            }
            let transaction: wire::Transaction = serde_json::from_value(result.clone()).unwrap();
            assert_eq!(transaction.computed_hash().unwrap(), Some(transaction.hash), "{name}");
            seen += 1;
        }
    }
    assert_eq!(seen, 13);
}

#[test]
fn retryable_tickets_of_arbitrum_one_from_bytes() {
    for name in ["arb-one-raw-submit-retryable-0x69.json", "arb-one-submit-retryable-0x19f98fc8.json"] {
        let file = file("arbitrum", name);
        let raw = bytes(&file["raw"]);
        assert_eq!(keccak256(&raw), hash(&file["hash"]));
        let ticket = NitroTransaction::decode(&raw).unwrap();
        assert_eq!(ticket.envelope(), raw);
        // The same ticket as a node would write it.
        let parts = &file["decoded_here"];
        let json = serde_json::json!({
            "type": "0x69", "hash": file["hash"], "from": parts["from"], "nonce": "0x0", "value": "0x0",
            "gas": parts["gas"], "input": "0x", "to": "0x000000000000000000000000000000000000006e",
            "chainId": parts["chainId"], "requestId": parts["requestId"], "l1BaseFee": parts["l1BaseFee"],
            "depositValue": parts["depositValue"], "maxFeePerGas": parts["gasFeeCap"],
            "retryTo": parts["retryTo"], "retryValue": parts["retryValue"],
            "beneficiary": parts["beneficiary"], "maxSubmissionFee": parts["maxSubmissionFee"],
            "refundTo": parts["feeRefundAddr"], "retryData": parts["retryData"],
        });
        let json: wire::Transaction = serde_json::from_value(json).unwrap();
        assert_eq!(NitroTransaction::from_json(&json).unwrap(), ticket);
        assert_eq!(json.computed_hash().unwrap(), Some(json.hash));
    }
}

#[test]
fn third_party_vectors_of_every_nitro_type() {
    let file = file("arbitrum", "third-party-nitro-tx-vectors.json");
    let mut kinds = Vec::new();
    for vector in file["vectors"].as_array().unwrap() {
        let raw = bytes(&vector["raw"]);
        assert_eq!(keccak256(&raw), hash(&vector["hash"]));
        let transaction = NitroTransaction::decode(&raw).unwrap();
        assert_eq!(transaction.envelope(), raw, "{}", vector["name"]);
        kinds.push(transaction.kind());
        for cut in 0..raw.len() {
            assert!(NitroTransaction::decode(&raw[..cut]).is_err());
        }
        let longer = [raw.as_ref(), &[0]].concat();
        assert!(NitroTransaction::decode(&longer).is_err());
        let mut other = raw.to_vec();
        other[0] = 0x67;
        assert!(matches!(NitroTransaction::decode(&other), Err(StackError::Rlp { kind: 0x67, .. })));
    }
    kinds.sort_unstable();
    assert_eq!(kinds, KINDS);
}

/// A vector's receipt, written as a node would, encodes to the vector's bytes.
#[test]
fn third_party_receipt_vectors() {
    let file = file("arbitrum", "third-party-nitro-receipt-vectors.json");
    for vector in file["vectors"].as_array().unwrap() {
        let raw = bytes(&vector["raw"]);
        let (kind, mut rest): (u8, &[u8]) = if raw[0] >= 0xc0 { (0, &raw) } else { (raw[0], &raw[1..]) };
        let mut fields = alloy_rlp::Header::decode_bytes(&mut rest, true).unwrap();
        let status = u64::decode(&mut fields).unwrap();
        let cumulative = u64::decode(&mut fields).unwrap();
        let bloom = alloy_primitives::Bloom::decode(&mut fields).unwrap();
        let logs = Vec::<alloy_primitives::Log>::decode(&mut fields).unwrap();
        let place = serde_json::json!({
            "transactionHash": B256::ZERO, "transactionIndex": "0x0", "blockHash": B256::ZERO,
            "blockNumber": "0x0",
        });
        let logs: Vec<Value> = logs
            .iter()
            .map(|log| {
                let mut json = place.clone();
                json["address"] = serde_json::json!(log.address);
                json["topics"] = serde_json::json!(log.topics());
                json["data"] = serde_json::json!(log.data.data);
                json["logIndex"] = "0x0".into();
                json
            })
            .collect();
        let mut json = place.clone();
        json["type"] = serde_json::json!(alloy_primitives::U64::from(kind));
        json["from"] = serde_json::json!(hum_types::Address::ZERO);
        json["status"] = serde_json::json!(alloy_primitives::U64::from(status));
        json["cumulativeGasUsed"] = serde_json::json!(alloy_primitives::U64::from(cumulative));
        json["gasUsed"] = "0x0".into();
        json["logsBloom"] = serde_json::json!(bloom);
        json["logs"] = logs.into();
        let receipt: wire::Receipt = serde_json::from_value(json).unwrap();
        assert_eq!(receipt.envelope().unwrap(), raw, "{}", vector["name"]);
    }
}

/// Before Canyon the trie's receipt leaves the nonce out; from Canyon on it has nonce and version.
#[test]
fn deposit_receipts_before_and_after_canyon() {
    let mut before: wire::Receipt =
        serde_json::from_value(result("op", "base-eth_gettransactionreceipt.json")).unwrap();
    let after: wire::Receipt =
        serde_json::from_value(result("op", "unichain-eth_gettransactionreceipt.json")).unwrap();
    let fields = |envelope: &[u8]| {
        let mut rest = &envelope[1..];
        let mut fields = alloy_rlp::Header::decode_bytes(&mut rest, true).unwrap();
        let mut count = 0;
        while !fields.is_empty() {
            let header = alloy_rlp::Header::decode(&mut fields).unwrap();
            fields = &fields[header.payload_length..];
            count += 1;
        }
        count
    };
    assert_eq!(fields(&before.envelope().unwrap()), 4);
    assert_eq!(fields(&after.envelope().unwrap()), 6);
    before.op.deposit_receipt_version = Some(alloy_primitives::U64::from(1));
    before.op.deposit_nonce = None;
    assert!(matches!(before.envelope(), Err(StackError::Absent { field: "depositNonce", .. })));
}

#[test]
fn the_output_root_is_that_of_its_parts() {
    let output: OutputAtBlock =
        serde_json::from_value(result("op", "nethermind-optimism_outputAtBlock.json")).unwrap();
    output.check().unwrap();
    let changes: [fn(&mut OutputAtBlock); 5] = [
        |output| output.version.0[0] ^= 1,
        |output| output.output_root.0[0] ^= 1,
        |output| output.state_root.0[0] ^= 1,
        |output| output.withdrawal_storage_root.0[0] ^= 1,
        |output| output.block_ref.hash.0[0] ^= 1,
    ];
    for change in changes {
        let mut changed = output.clone();
        change(&mut changed);
        assert!(matches!(changed.check(), Err(StackError::Hash { .. })));
    }
}

#[test]
fn nitro_validation_input_opens_its_start_block() {
    let file = file("arbitrum", "nitro-devchain-validation-input-7.json.gz");
    let start = hash(&file["start_state"]["BlockHash"]);
    let header = bytes(&file["preimages_by_type"]["0"][start.to_string()]);
    assert_eq!(keccak256(&header), start);
    let header = alloy_consensus::Header::decode(&mut header.as_ref()).unwrap();
    assert_eq!(header.extra_data.as_ref(), hash(&file["start_state"]["SendRoot"]).as_slice());
    assert!(Packed::of(header.mix_hash).arbos_version > 0);
}

/// From Isthmus on the header has the message passer's storage root where withdrawals would be.
#[test]
fn isthmus_headers_have_another_withdrawals_root() {
    let json = block(&result("op", "base-eth_getblockbynumber.json"));
    let mut isthmus = json.clone();
    isthmus.header.withdrawals_root = Some(B256::repeat_byte(7));
    isthmus.withdrawals = Some(Vec::new());
    isthmus.hash = isthmus.header.hash_slow();
    if let wire::Transactions::Full(transactions) = &mut isthmus.transactions {
        transactions.iter_mut().for_each(|transaction| transaction.block_hash = Some(isthmus.hash));
    }
    let found = OpStack::default().block(&isthmus).unwrap();
    assert_eq!(RawBlock::from_rlp(found.rlp.clone().unwrap()).unwrap(), found.raw().unwrap());
    // Without a deposit in front it is no such block.
    if let wire::Transactions::Full(transactions) = &mut isthmus.transactions {
        transactions.clear();
    }
    isthmus.header.transactions_root = alloy_trie::EMPTY_ROOT_HASH;
    isthmus.hash = isthmus.header.hash_slow();
    let found = OpStack::default().block(&isthmus).unwrap();
    let error = RawBlock::from_rlp(found.rlp.unwrap()).unwrap_err();
    assert!(matches!(error, BlockBytesError::Root { field: "withdrawals root", .. }));
    assert!(matches!(Ethereum.block(&isthmus), Err(StackError::Hash { .. })));
}
