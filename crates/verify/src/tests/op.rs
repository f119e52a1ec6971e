//! Real blocks of OP Stack chains, and what becomes of each when one thing about it changes.

use super::fixtures::{block, judge, text, verifier};
use crate::{file::FileError, trie::NodeSet, trie::Trie, *};
use alloy_consensus::{Block, Header};
use alloy_eips::eip2718::Encodable2718;
use alloy_op_hardforks::OpHardfork;
use alloy_primitives::{Address, B64, B256, Bytes, U256, b256, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::root::ordered_trie_root_encoded;
use hum_types::{ChainId, InvalidReason};
use op_alloy_consensus::{OpTxEnvelope, TxDeposit};

const NAMES: [&str; 5] = [
    "op-sepolia-26207960",
    "op-sepolia-26207961",
    "op-sepolia-26207963",
    "op-sepolia-26208858",
    "op-sepolia-26208927",
];

type OpBlock = Block<OpTxEnvelope, Header>;

/// The verdict after `change`, signed for again; the transactions root follows the transactions.
fn changed(name: &str, change: impl FnOnce(&mut OpBlock)) -> Verdict {
    let file = block(name);
    let mut block = OpBlock::decode(&mut &file.block[..]).unwrap();
    change(&mut block);
    let raw: Vec<Vec<u8>> = block.body.transactions.iter().map(Encodable2718::encoded_2718).collect();
    block.header.transactions_root = ordered_trie_root_encoded(&raw);
    verifier(&file).verify(&file.parent, block.header.hash_slow(), &alloy_rlp::encode(&block), &file.witness)
}

fn reason(change: impl FnOnce(&mut OpBlock)) -> Reason {
    match changed(NAMES[0], change) {
        Verdict::Invalid(reason) => reason,
        verdict => panic!("{verdict:?}"),
    }
}

fn field(change: impl FnOnce(&mut Header)) -> &'static str {
    match reason(|block| change(&mut block.header)) {
        Reason::Quantity { field, .. } | Reason::Range { field, .. } | Reason::Hash { field, .. } => field,
        Reason::FieldMissing(field) | Reason::FieldUnexpected(field) => field,
        reason => panic!("{reason:?}"),
    }
}

fn deposit(transaction: &mut OpTxEnvelope, change: impl FnOnce(&mut TxDeposit)) {
    let OpTxEnvelope::Deposit(sealed) = transaction else { panic!("{transaction:?}") };
    let mut deposit = sealed.inner().clone();
    change(&mut deposit);
    *transaction = deposit.into();
}

#[test]
fn op_sepolia_blocks_are_valid() {
    for name in NAMES {
        let file = block(name);
        let Verdict::Valid(summary) = judge(&file) else { panic!("{name}: {:?}", judge(&file)) };
        assert_eq!(summary.header.hash(), file.claimed);
        assert_eq!(name, format!("op-sepolia-{}", summary.header.block().number));
    }
}

/// Every field of the header that rules or execution determine, each alone.
#[test]
fn every_header_field_is_held() {
    assert!(matches!(reason(|b| b.header.parent_hash.0[0] ^= 1), Reason::ParentHash { .. }));
    assert_eq!(field(|h| h.ommers_hash.0[0] ^= 1), "ommers hash");
    assert!(matches!(reason(|b| b.header.beneficiary.0[0] ^= 1), Reason::FeeRecipient { .. }));
    assert_eq!(field(|h| h.state_root.0[0] ^= 1), "state root");
    assert_eq!(field(|h| h.receipts_root.0[0] ^= 1), "receipts root");
    assert_eq!(reason(|b| b.header.logs_bloom.0[0] ^= 1), Reason::LogsBloom);
    assert_eq!(field(|h| h.difficulty = U256::ONE), "difficulty");
    assert_eq!(field(|h| h.number += 1), "number");
    assert_eq!(field(|h| h.gas_limit = 4_999), "gas limit");
    assert_eq!(field(|h| h.gas_limit = u64::MAX), "gas limit");
    assert_eq!(field(|h| h.gas_limit = h.gas_used - 1), "gas used");
    assert_eq!(field(|h| h.gas_used += 1), "gas used");
    assert_eq!(field(|h| h.timestamp -= 2), "timestamp");
    // Another time is another entry in the ring of beacon roots (EIP-4788), which the witness does not lead to.
    let later = changed(NAMES[0], |block| block.header.timestamp += 2);
    assert!(matches!(later, Verdict::Undecided(Missing::Node(_))), "{later:?}");
    assert_eq!(field(|h| h.nonce = B64::with_last_byte(1)), "nonce");
    assert_eq!(field(|h| *h.base_fee_per_gas.as_mut().unwrap() += 1), "base fee");
    assert_eq!(field(|h| h.withdrawals_root = Some(B256::ZERO)), "withdrawals root");
    assert_eq!(field(|h| h.blob_gas_used = Some(1)), "blob gas used");
    assert_eq!(field(|h| h.excess_blob_gas = Some(1)), "excess blob gas");
    assert_eq!(field(|h| h.parent_beacon_block_root = Some(B256::ZERO)), "state root");
    assert_eq!(field(|h| h.requests_hash = Some(B256::ZERO)), "requests hash");
    assert_eq!(field(|h| h.parent_beacon_block_root = None), "parent beacon block root");
    for raw in ["", "000000", "00000000fa0000000600", "01000000fa00000006", "000000000000000006"] {
        let raw: Bytes = format!("0x{raw}").parse().unwrap();
        let found = reason(|b| b.header.extra_data = raw.clone());
        assert!(matches!(found, Reason::ExtraData(_)), "{raw}: {found:?}");
        assert_eq!(found.class(), InvalidReason::Header);
    }
}

/// L1 sets the gas limit and how the base fee moves after a block. A block alone does not tell whether it did: what the
/// header commits to is another block, which is as good by the rules of execution, and is told from the real one where
/// batches are derived.
#[test]
fn what_only_l1_determines_makes_another_block() {
    let other = |change: fn(&mut Header)| {
        let verdict = changed(NAMES[0], |block| change(&mut block.header));
        let Verdict::Valid(summary) = verdict else { panic!("{verdict:?}") };
        assert_ne!(summary.header.hash(), block(NAMES[0]).claimed);
    };
    other(|h| h.gas_limit += 1);
    other(|h| h.extra_data = Bytes::from_static(&[0, 0, 0, 0, 251, 0, 0, 0, 6]));
}

/// What is served is not what was signed for: nobody's fault, and never accepted.
#[test]
fn no_field_can_be_changed_under_the_signed_hash() {
    let file = block(NAMES[0]);
    let verifier = verifier(&file);
    let real = OpBlock::decode(&mut &file.block[..]).unwrap();
    let changes: [fn(&mut Header); 12] = [
        |h| h.state_root.0[0] ^= 1,
        |h| h.receipts_root.0[0] ^= 1,
        |h| h.transactions_root.0[0] ^= 1,
        |h| h.logs_bloom.0[0] ^= 1,
        |h| h.gas_used += 1,
        |h| h.gas_limit += 1,
        |h| *h.base_fee_per_gas.as_mut().unwrap() += 1,
        |h| h.extra_data = Bytes::from_static(&[0, 0, 0, 0, 251, 0, 0, 0, 6]),
        |h| h.parent_beacon_block_root = Some(B256::ZERO),
        |h| h.withdrawals_root = Some(B256::ZERO),
        |h| h.mix_hash.0[0] ^= 1,
        |h| h.timestamp += 2,
    ];
    for change in changes {
        let mut served = real.clone();
        change(&mut served.header);
        let rlp = alloy_rlp::encode(&served);
        let verdict = verifier.verify(&file.parent, file.claimed, &rlp, &file.witness);
        assert!(matches!(verdict, Verdict::Undecided(Missing::Block { .. })), "{verdict:?}");
    }
    let body = |change: &dyn Fn(&mut OpBlock)| {
        let mut served = real.clone();
        change(&mut served);
        let rlp = alloy_rlp::encode(&served);
        match verifier.verify(&file.parent, file.claimed, &rlp, &file.witness) {
            Verdict::Undecided(Missing::Body { part, .. }) => part,
            verdict => panic!("{verdict:?}"),
        }
    };
    assert_eq!(body(&|block| block.body.transactions.swap(0, 1)), "transactions");
    assert_eq!(body(&|block| _ = block.body.transactions.pop()), "transactions");
    let mint = |block: &mut OpBlock| deposit(&mut block.body.transactions[0], |deposit| deposit.mint = 1);
    assert_eq!(body(&mint), "transactions");
}

/// Where deposits stand, and what the first of them must be.
#[test]
fn deposits_stand_where_derivation_puts_them() {
    let place = |change: &dyn Fn(&mut Vec<OpTxEnvelope>)| {
        let found = reason(|block| change(&mut block.body.transactions));
        assert_eq!(found.class(), InvalidReason::Transaction);
        match found {
            Reason::Place { index, rule } => (index, rule),
            reason => panic!("{reason:?}"),
        }
    };
    let begins = (0, "a block begins with the deposit of the L1 information");
    assert_eq!(place(&|list| list.swap(0, 1)), begins);
    assert_eq!(place(&|list| _ = list.remove(0)), begins);
    assert_eq!(place(&Vec::clear), begins);
    let first = |change: &dyn Fn(&mut TxDeposit)| {
        let (index, rule) = place(&|list| deposit(&mut list[0], change));
        assert_eq!(index, 0);
        rule
    };
    let sent = "not sent as the L1 information is";
    assert_eq!(first(&|deposit| deposit.mint = 1), sent);
    assert_eq!(first(&|deposit| deposit.value = U256::ONE), sent);
    assert_eq!(first(&|deposit| deposit.from = Address::ZERO), sent);
    assert_eq!(first(&|deposit| deposit.to = Address::ZERO.into()), sent);
    assert_eq!(first(&|deposit| deposit.gas_limit -= 1), sent);
    assert_eq!(first(&|deposit| deposit.is_system_transaction = true), sent);
    let source = "the source hash is not that of the L1 information";
    assert_eq!(first(&|deposit| deposit.source_hash.0[0] ^= 1), source);
    let call = |at: usize, flip: u8| {
        move |deposit: &mut TxDeposit| {
            let mut input = deposit.input.to_vec();
            input[at] ^= flip;
            deposit.input = input.into();
        }
    };
    assert_eq!(first(&call(0, 1)), "not this fork's call with the L1 information");
    assert_eq!(first(&call(100, 1)), source, "the L1 block's hash");
    let longer = |deposit: &mut TxDeposit| deposit.input = [&deposit.input[..], &[0]].concat().into();
    assert_eq!(first(&longer), "data that the call with the L1 information does not take");

    // This second block is not the first on its L1 block: L1 forces nothing into it.
    let user: OpTxEnvelope = TxDeposit { gas_limit: 21_000, mint: 1, ..Default::default() }.into();
    let verdict = changed(NAMES[1], |block| block.body.transactions.insert(1, user.clone()));
    let rule = "a deposit in a block in which L1 forces none";
    assert_eq!(verdict, Verdict::Invalid(Reason::Place { index: 1, rule }));
    // This one is: what L1 forces is executed, and its sender is not in the witness.
    let verdict = changed(NAMES[0], |block| block.body.transactions.insert(1, user.clone()));
    assert!(matches!(verdict, Verdict::Undecided(Missing::Node(_))), "{verdict:?}");
    let behind = place(&|list| list.push(user.clone()));
    assert_eq!(behind, (10, "a deposit stands behind what the sequencer took"));
}

/// What the L1 information says is paid for: another base fee of L1 is another fee of each transaction.
#[test]
fn the_l1_fee_is_charged() {
    let dearer = reason(|block| {
        deposit(&mut block.body.transactions[0], |deposit| {
            let mut input = deposit.input.to_vec();
            // The low byte of the L1 base fee.
            input[67] ^= 1;
            deposit.input = input.into();
        });
    });
    assert!(matches!(dearer, Reason::Hash { field: "state root", .. }), "{dearer:?}");
}

/// Without any one node or code the block is undecided, or as valid as it was.
#[test]
fn a_poorer_witness_never_makes_a_block_invalid() {
    let file = block(NAMES[0]);
    let verifier = verifier(&file);
    let mut undecided = 0;
    for index in 0..file.witness.state.len() {
        let mut witness = file.witness.clone();
        let lost = keccak256(witness.state.swap_remove(index));
        match verifier.verify(&file.parent, file.claimed, &file.block, &witness) {
            Verdict::Undecided(Missing::Node(missing)) => {
                assert_eq!(missing, lost);
                undecided += 1;
            }
            Verdict::Valid(_) => {}
            verdict => panic!("without node {index}: {verdict:?}"),
        }
    }
    assert!(undecided > 300, "{undecided}");
    for index in 0..file.witness.codes.len() {
        let mut witness = file.witness.clone();
        let lost = keccak256(witness.codes.swap_remove(index));
        match verifier.verify(&file.parent, file.claimed, &file.block, &witness) {
            Verdict::Undecided(Missing::Code(missing)) => assert_eq!(missing, lost),
            Verdict::Valid(_) => {}
            verdict => panic!("without code {index}: {verdict:?}"),
        }
    }
}

/// The rules of other forks, and other rules, on these blocks.
#[test]
fn rules_of_another_time_refuse() {
    let file = block(NAMES[0]);
    let under = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut config: serde_json::Value = serde_json::from_str(&text(NAMES[0])).unwrap();
        let config = &mut config["rollup_config"];
        change(config);
        let spec = ChainSpec::from_rollup_config(config).unwrap();
        Verifier::new(spec, vec![], Limits::default()).verify(
            &file.parent,
            file.claimed,
            &file.block,
            &file.witness,
        )
    };
    let isthmus = under(&|config| config["isthmus_time"] = 1_733_000_000.into());
    assert_eq!(isthmus, Verdict::Invalid(Reason::FieldMissing("requests hash")));
    let before_holocene = under(&|config| {
        config["holocene_time"] = u32::MAX.into();
        config["isthmus_time"] = u32::MAX.into();
    });
    assert!(matches!(before_holocene, Verdict::Invalid(Reason::ExtraData(_))));
    let interop = under(&|config| config["interop_time"] = 1_700_000_000.into());
    assert!(matches!(interop, Verdict::Undecided(Missing::Fork { .. })));
}

/// Celo's clients change the rules: there is no spec of such a chain here, so no block of it is ever valid.
#[test]
fn celo_blocks_are_never_valid() {
    for name in CELO {
        let error = file::BlockFile::parse(&text(name)).unwrap_err();
        let own_rules = SpecError::OwnRules { chain_id: ChainId(11_142_220) };
        match error {
            FileError::Spec(error) => assert_eq!(error, own_rules, "{name}"),
            // One file names its chain in words.
            error => assert!(matches!(error, FileError::Json(_)), "{name}: {error}"),
        }
        let named: serde_json::Value = serde_json::from_str(&text(name)).unwrap();
        let mut config = named["rollup_config"].clone();
        config["l2_chain_id"] = 11_142_220.into();
        assert_eq!(ChainSpec::from_rollup_config(&config).unwrap_err(), own_rules);
    }
}

/// The same blocks as if they were another chain's: what is not the OP Stack's does not decode, the witness can be walked,
/// and plain rules make a block with another hash.
///
/// But one: the first block of Jovian has only deposits, in which Celo changes nothing. It is the one real block after
/// Holocene that we have, and plain rules give it the hash that it had: information of Isthmus' form, five deposits of
/// the fork, extra data of Jovian, no footprint, the message passer's storage root, no requests.
#[test]
fn plain_rules_make_other_blocks_than_celo_did() {
    for (name, foreign) in CELO.into_iter().zip([true, false, false]) {
        let made = celo::made(name);
        let root = made.file.parent.header().state_root;
        let mut nodes = NodeSet::default();
        for node in &made.file.witness.state {
            nodes.insert(node.clone());
        }
        let mut trie = Trie::from_root(root);
        let missing = trie.get(&B256::ZERO, &nodes);
        assert!(!matches!(missing, Err(trie::TrieError::Missing(hash)) if hash == root), "{name}");

        let claimed = made.file.claimed;
        if foreign {
            // Under the hash that commits to them, the transactions are none of these rules'.
            let mut own = made.file.clone();
            own.claimed = made.header.hash_slow();
            let verdict = judge(&own);
            assert!(matches!(verdict, Verdict::Invalid(Reason::TransactionMalformed { .. })), "{verdict:?}");
            continue;
        }
        let own = celo::executed(&made);
        assert!(matches!(judge(&own), Verdict::Valid(_)), "{name}: {:?}", judge(&own));
        assert_eq!(own.claimed == claimed, name == CELO[2], "{name}");
        if own.claimed == claimed {
            let real = OpBlock::decode(&mut &own.block[..]).unwrap();
            assert_eq!((real.body.transactions.len(), real.header.extra_data.len()), (6, 17));
        }
    }
}

const CELO: [&str; 3] = [
    "celo-sepolia-cip64-native-tx_block-2346490",
    "celo-sepolia-l1-to-l2-bridge-tx_block-1022860",
    "celo-sepolia-post-jovian-basefee-change_block-20465049",
];

/// Blocks made of Celo's payload attributes.
mod celo {
    use super::*;
    use crate::{
        block::{RawBlock, senders},
        execute::{Checked, execute},
        file::BlockFile,
        receipts::ReceiptTrie,
        state::StateDb,
        witness::WitnessIndex,
    };
    use alloy_consensus::constants::EMPTY_OMMER_ROOT_HASH;
    use serde_json::{Value, json};

    pub(super) struct FromAttributes {
        pub(super) file: BlockFile,
        pub(super) header: Header,
        pub(super) transactions: Vec<Bytes>,
    }

    /// The block of these attributes with what execution gives left empty, on a chain of another id.
    pub(super) fn made(name: &str) -> FromAttributes {
        let mut json: Value = serde_json::from_str(&text(name)).unwrap();
        for id in ["/chain_id", "/rollup_config/l2_chain_id"] {
            *json.pointer_mut(id).unwrap() = 7.into();
        }
        let attributes = json["payload_attributes"].clone();
        let bytes = |value: &Value| value.as_str().unwrap().parse::<Bytes>().unwrap();
        let number = |value: &Value| {
            u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
        };
        let transactions: Vec<Bytes> =
            attributes["transactions"].as_array().unwrap().iter().map(bytes).collect();
        let parent = Header::decode(&mut &bytes(&json["parent_header"]["rlp"])[..]).unwrap();
        let spec = ChainSpec::from_rollup_config(&json["rollup_config"]).unwrap();
        let Rules::OpStack(rules) = spec.rules() else { panic!() };
        let timestamp = number(&attributes["timestamp"]);
        let jovian = rules.is_active(OpHardfork::Jovian, timestamp);
        let mut extra_data = vec![u8::from(jovian)];
        extra_data.extend(bytes(&attributes["eip1559Params"]));
        if jovian {
            extra_data.extend([0; 8]);
        }
        let header = Header {
            parent_hash: parent.hash_slow(),
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: Address::from_slice(&bytes(&attributes["suggestedFeeRecipient"])),
            transactions_root: ordered_trie_root_encoded(&transactions),
            number: parent.number + 1,
            gas_limit: number(&attributes["gasLimit"]),
            timestamp,
            extra_data: extra_data.into(),
            mix_hash: B256::from_slice(&bytes(&attributes["prevRandao"])),
            base_fee_per_gas: parent.base_fee_per_gas,
            withdrawals_root: parent.withdrawals_root,
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::from_slice(&bytes(&attributes["parentBeaconBlockRoot"]))),
            requests_hash: parent.requests_hash,
            ..Default::default()
        };
        let mut header = header;
        json["block"] = json!({ "rlp": Bytes::from(rlp(&header, &transactions)) });
        let mut file = BlockFile::parse(&json.to_string()).unwrap();
        // A judgement tells the fee that plain rules give.
        let declared = BlockFile { claimed: header.hash_slow(), ..file.clone() };
        if let Verdict::Invalid(Reason::Quantity { field: "base fee", computed, .. }) = judge(&declared) {
            header.base_fee_per_gas = Some(computed);
            file.block = rlp(&header, &transactions).into();
        }
        FromAttributes { file, header, transactions }
    }

    fn rlp(header: &Header, transactions: &[Bytes]) -> Vec<u8> {
        let mut list = Vec::new();
        for raw in transactions {
            alloy_rlp::Encodable::encode(raw, &mut list);
        }
        let mut payload = alloy_rlp::encode(header);
        alloy_rlp::Header { list: true, payload_length: list.len() }.encode(&mut payload);
        payload.extend(list);
        payload.extend([0xc0, 0xc0]);
        let mut block = Vec::new();
        alloy_rlp::Header { list: true, payload_length: payload.len() }.encode(&mut block);
        block.extend(payload);
        block
    }

    /// The same block with what the OP Stack's rules give it.
    pub(super) fn executed(made: &FromAttributes) -> BlockFile {
        let mut file = made.file.clone();
        let mut header = made.header.clone();
        let raw = RawBlock::split(&file.block).unwrap();
        let transactions = raw.transactions(file.spec.rules()).unwrap();
        let senders = senders(&transactions).unwrap();
        let checked = Checked { header: header.clone(), transactions, withdrawals: None };
        let index = WitnessIndex::new(&file.witness, &file.parent);
        let database = StateDb::new(file.parent.header().state_root, index);
        let mut state = revm::database::State::builder().with_database(database).with_bundle_update().build();
        let receipts = ReceiptTrie::new(senders.len());
        let outcome =
            execute(&file.spec, &checked, &senders, &mut state, |start, chunk| receipts.hash(start, &chunk))
                .unwrap();
        (header.receipts_root, header.logs_bloom) = receipts.finish();
        (header.gas_used, header.blob_gas_used) = (outcome.gas_used, Some(outcome.blob_gas_used));
        let changes = state.transition_state.take().unwrap();
        header.state_root = state.database.apply(changes).unwrap();
        let passer = op_alloy_consensus::L2_TO_L1_MESSAGE_PASSER_ADDRESS;
        header.withdrawals_root = Some(state.database.storage_root(passer).unwrap());
        drop(state);
        file.block = rlp(&header, &made.transactions).into();
        file.claimed = header.hash_slow();
        file
    }
}

/// The information in the deposit of a real block, read and written again.
#[test]
fn l1_information_survives_its_packing() {
    let file = block(NAMES[0]);
    let Rules::OpStack(rules) = file.spec.rules() else { panic!() };
    let real = OpBlock::decode(&mut &file.block[..]).unwrap();
    let OpTxEnvelope::Deposit(sealed) = &real.body.transactions[0] else { panic!() };
    let times = (file.parent.header().timestamp, real.header.timestamp);
    let info = L1Info::from_deposit(rules, times.0, times.1, sealed.inner()).unwrap();
    assert_eq!(info.deposit(rules, times.0, times.1), *sealed.inner());
    assert!(info.number > 8_000_000 && info.base_fee > U256::ZERO && info.batcher != B256::ZERO);
    assert_eq!(info.sequence_number, 0);
    assert_eq!((info.operator_fee_scalar, info.da_footprint_gas_scalar), (0, 0));
}

/// The nonce in a deposit's receipt counts from Canyon on, with the version beside it.
#[test]
fn receipts_of_deposits_carry_the_nonce_from_canyon_on() {
    use alloy_op_evm::block::receipt_builder::OpReceiptBuilder as _;
    let receipt = |deposit_nonce, deposit_receipt_version| {
        let inner = op_alloy_consensus::OpDepositReceipt {
            deposit_nonce,
            deposit_receipt_version,
            ..Default::default()
        };
        crate::op::Receipts.build_deposit_receipt(inner)
    };
    assert_eq!(receipt(Some(3), None), receipt(None, None));
    assert_ne!(receipt(Some(3), Some(1)), receipt(Some(4), Some(1)));
}

#[test]
fn a_spec_survives_json_and_every_rule_is_in_its_hash() {
    let mut hashes = Vec::new();
    for chain in [10, 8_453, 84_532, 11_155_420] {
        let spec = ChainSpec::preset(ChainId(chain)).unwrap();
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<ChainSpec>(&json).unwrap(), spec, "{json}");
        hashes.push(spec.hash());
    }
    let base = serde_json::json!({
        "l2_chain_id": 7, "canyon_time": 1, "ecotone_time": 2, "fjord_time": 3, "granite_time": 4,
        "holocene_time": 5, "isthmus_time": 6, "jovian_time": 7, "interop_time": 8,
        "chain_op_config": {
            "eip1559Elasticity": 6, "eip1559Denominator": 50, "eip1559DenominatorCanyon": 250,
        },
    });
    let spec = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut config = base.clone();
        change(&mut config);
        ChainSpec::from_rollup_config(&config)
    };
    hashes.push(spec(&|_| {}).unwrap().hash());
    hashes.push(spec(&|config| config["l2_chain_id"] = 8.into()).unwrap().hash());
    hashes.push(spec(&|config| config["regolith_time"] = 1.into()).unwrap().hash());
    hashes.push(spec(&|config| config["canyon_time"] = 0.into()).unwrap().hash());
    hashes.push(spec(&|config| config["jovian_time"] = 8.into()).unwrap().hash());
    hashes.push(spec(&|config| config["jovian_time"] = serde_json::Value::Null).unwrap().hash());
    hashes.push(spec(&|config| config["interop_time"] = 9.into()).unwrap().hash());
    hashes.push(spec(&|config| config["karst_time"] = 7.into()).unwrap().hash());
    // A fork that nobody here has heard of ends the known rules like one that is known by name.
    let unheard = spec(&|config| config["quaternary_time"] = 4.into()).unwrap();
    assert!(unheard.supports(3) && !unheard.supports(4));
    hashes.push(unheard.hash());
    let no_fork = spec(&|config| config["block_time"] = 2.into()).unwrap();
    assert_eq!(Some(&no_fork.hash()), hashes.iter().find(|hash| **hash == spec(&|_| {}).unwrap().hash()));
    for key in ["eip1559Elasticity", "eip1559Denominator", "eip1559DenominatorCanyon"] {
        hashes.push(spec(&|config| config["chain_op_config"][key] = 7.into()).unwrap().hash());
        let zero = spec(&|config| config["chain_op_config"][key] = 0.into()).unwrap_err();
        assert_eq!(zero, SpecError::Field { field: key });
    }
    let all = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), all);
    // Stable across versions: registrations commit to it.
    let hash = ChainSpec::preset(ChainId(10)).unwrap().hash();
    assert_eq!(hash, b256!("8093b7bc30cfeeb28e2ab9b3e1f4627322a452c3f17643a8eb4b8e5e0752d5f7"));

    let order = SpecError::Order { fork: "fjord", time: 1, previous: "ecotone", previous_time: 2 };
    assert_eq!(spec(&|config| config["fjord_time"] = 1.into()).unwrap_err(), order);
    let gap = spec(&|config| config["granite_time"] = serde_json::Value::Null).unwrap_err();
    assert_eq!(gap, SpecError::NoTime { fork: "granite" });
    let text = spec(&|config| config["l2_chain_id"] = "celo-sepolia".into()).unwrap_err();
    assert_eq!(text, SpecError::Field { field: "l2_chain_id" });
}
