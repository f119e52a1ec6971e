//! Answers of a Nitro and a ZKsync node: recorded ones, and made-up ones where the recordings end.

use crate::{
    config::{
        Gateways, Member, OwnNodeEntry, RollupEntry, RollupLimits, stated_anchor,
        tests::fixture::{sequencer, spec},
    },
    operator::tests::A,
    own_node::{NodeClient, OwnBlock, OwnNodes as _, StackNodes},
};
use alloy_consensus::proofs::ordered_trie_root_with_encoder;
use alloy_primitives::{Bloom, U64};
use alloy_sol_types::SolEvent as _;
use axum::{Json, Router, extract::State, routing::post};
use hum_bls::OperatorId;
use hum_chain::{
    contracts::Gateway,
    replay::Recording,
    stack::{
        StackKind,
        wire::{Block, Receipt, Transactions},
        zksync,
    },
};
use hum_types::{
    Address, B256, BlockRef, ChainId, Class, GAS_LIMIT_DEFAULT, InteropAddress, LaneId, LaneIndex, Message,
    RegistrationId, TimeMs,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, ops::RangeInclusive, path::Path, sync::Arc};

pub(super) const NITRO: ChainId = ChainId(421_614);
pub(super) const ERA: ChainId = ChainId(324);

/// What the nodes answered.
pub(super) struct Replayed {
    pub(super) blocks: BTreeMap<(ChainId, u64), OwnBlock>,
    pub(super) clients: BTreeMap<ChainId, NodeClient>,
    anchors: BTreeMap<ChainId, (BlockRef, B256)>,
}

impl Replayed {
    /// Numbers of a chain's blocks above its anchor.
    pub(super) fn numbers(&self, chain_id: ChainId) -> RangeInclusive<u64> {
        let numbers = self.blocks.keys().filter(|(of, _)| *of == chain_id).map(|(_, number)| *number);
        let all: Vec<u64> = numbers.collect();
        all[0]..=all[all.len() - 1]
    }

    /// Both rollups as the network file lists them.
    pub(super) fn entries(&self, judges: &[OperatorId]) -> Vec<RollupEntry> {
        let stacks = [(NITRO, StackKind::Nitro), (ERA, StackKind::ZkSync)];
        stacks.map(|(chain_id, stack)| self.entry(chain_id, stack, judges)).into()
    }

    fn entry(&self, chain_id: ChainId, stack: StackKind, judges: &[OperatorId]) -> RollupEntry {
        let (block, state_root) = self.anchors[&chain_id];
        let mut entry = entry(chain_id, stack, judges);
        entry.anchor = stated_anchor(block, state_root, 1);
        let spec_hash = entry.own_node.as_ref().unwrap().spec_hash(chain_id);
        entry.registration =
            RegistrationId::derive(chain_id, sequencer(chain_id).address(), block.hash, spec_hash);
        entry
    }
}

fn entry(chain_id: ChainId, stack: StackKind, judges: &[OperatorId]) -> RollupEntry {
    RollupEntry {
        name: stack.to_string(),
        chain_id,
        rpc: "http://127.0.0.1:8545".to_owned(),
        gateways: Gateways {
            latest: Address::repeat_byte(0xa1),
            safe: Address::repeat_byte(0xa2),
            finalized: Address::repeat_byte(0xa3),
        },
        light_client: Address::repeat_byte(0xb1),
        registration: RegistrationId::default(),
        sequencer: sequencer(chain_id).address(),
        class: Class::OwnNode,
        spec: spec(chain_id),
        anchor: Default::default(),
        own_node: Some(OwnNodeEntry { stack, judges: judges.to_vec(), contracts: None }),
        limits: RollupLimits::default(),
        settlement: None,
        block_time_ms: 250,
    }
}

fn recorded(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../chain/testdata").join(name);
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["response"]["result"].clone()
}

/// The log of the `Latest` gateway for the message with this index from a chain to [`A`].
fn put_log(receipt: &mut Receipt, chain_id: ChainId, index: u64) {
    let (facade, sender, recipient) =
        (Address::repeat_byte(0xa1), Address::repeat_byte(1), Address::repeat_byte(2));
    let payload = format!("message {index} of {chain_id}").into_bytes();
    let lane = LaneId { facade, destination: A };
    let message =
        Message { sender, recipient, min_gas_limit: GAS_LIMIT_DEFAULT, payload: payload.clone().into() };
    let event = Gateway::MessageSent {
        sendId: lane.message_id(chain_id, LaneIndex(index), message.hash()),
        sender: InteropAddress { chain_id, address: sender }.encode().into(),
        recipient: InteropAddress { chain_id: A, address: recipient }.encode().into(),
        payload: payload.into(),
        value: Default::default(),
        attributes: Vec::new(),
    };
    let data = event.encode_log_data();
    let log = receipt.logs.first_mut().unwrap();
    (log.address, log.topics, log.data) = (facade, data.topics().to_vec(), data.data.clone());
    log.log_index = U64::ZERO;
    receipt.logs.truncate(1);
    let mut bloom = Bloom::ZERO;
    bloom.accrue_raw_log(facade, data.topics());
    receipt.logs_bloom = bloom;
}

/// Say in a receipt where it is.
fn place(receipt: &mut Receipt, block: BlockRef, transaction: B256) {
    receipt.transaction_hash = transaction;
    (receipt.block_hash, receipt.block_number) = (block.hash, U64::from(block.number));
    receipt.transaction_index = U64::ZERO;
    for log in &mut receipt.logs {
        (log.transaction_hash, log.transaction_index) = (transaction, U64::ZERO);
        (log.block_hash, log.block_number) = (block.hash, U64::from(block.number));
    }
}

fn root(item: &[u8]) -> B256 {
    ordered_trie_root_with_encoder(&[item], |item, out| out.extend_from_slice(item))
}

/// A block by Nitro's rules on another: one transaction, one message.
fn nitro_on(parent: BlockRef, index: u64) -> (Value, Value, BlockRef) {
    let mut block: Block =
        serde_json::from_value(recorded("arbitrum/arb-sepolia-eth_getBlockByNumber-03.json")).unwrap();
    let mut receipt: Receipt =
        serde_json::from_value(recorded("arbitrum/arb-sepolia-eth_getBlockReceipts-01.json")[1].clone())
            .unwrap();
    let Transactions::Full(transactions) = &mut block.transactions else { panic!("whole transactions") };
    let mut transaction = transactions.remove(1);
    put_log(&mut receipt, NITRO, index);
    receipt.cumulative_gas_used = receipt.gas_used;
    block.header.number = parent.number + 1;
    block.header.parent_hash = parent.hash;
    block.header.timestamp += index + 1;
    block.header.state_root = hum_types::keccak256(index.to_be_bytes());
    block.header.gas_used = receipt.gas_used.to();
    block.header.logs_bloom = receipt.logs_bloom;
    block.header.transactions_root = root(&transaction.envelope().unwrap().unwrap());
    block.header.receipts_root = root(&receipt.envelope().unwrap());
    block.hash = block.header.hash_slow();
    let own = BlockRef { number: block.header.number, hash: block.hash };
    (transaction.block_hash, transaction.block_number) = (Some(own.hash), Some(U64::from(own.number)));
    transaction.transaction_index = Some(U64::ZERO);
    place(&mut receipt, own, transaction.hash);
    block.transactions = Transactions::Full(vec![transaction]);
    (json!(block), json!([receipt]), own)
}

/// A later block by ZKsync's rules on another: one transaction, one message.
fn era_on(parent: BlockRef, batch: u64, index: u64) -> (Value, Value, BlockRef) {
    let mut block: Block = serde_json::from_value(recorded("zksync/viem-block-2.json")).unwrap();
    let mut receipt: Receipt =
        serde_json::from_value(recorded("zksync/viem-transactionReceipt-1.json")).unwrap();
    let transaction = hum_types::keccak256(index.to_be_bytes());
    block.header.number = parent.number + 1;
    block.header.parent_hash = parent.hash;
    block.header.timestamp += index + 1;
    block.hash = zksync::late_hash(block.header.number, block.header.timestamp, parent.hash, &[transaction]);
    block.zksync.l1_batch_number = Some(U64::from(batch));
    block.transactions = Transactions::Hashes(vec![transaction]);
    let own = BlockRef { number: block.header.number, hash: block.hash };
    put_log(&mut receipt, ERA, index);
    place(&mut receipt, own, transaction);
    receipt.zksync.l1_batch_number = Some(U64::from(batch));
    receipt.zksync.l2_to_l1_logs = None;
    receipt.root = Some(own.hash);
    (json!(block), json!(receipt), own)
}

/// A batch's answers: made from the recorded ones of another batch.
fn batch(recording: &mut Recording, number: u64, root: Option<B256>, blocks: (u64, u64)) {
    let mut details = recorded("zksync/era-zks_getl1batchdetails.json");
    details["number"] = json!(number);
    details["rootHash"] = json!(root);
    answer(recording, "zks_getL1BatchDetails", json!([number]), details);
    let range = json!([U64::from(blocks.0), U64::from(blocks.1)]);
    answer(recording, "zks_getL1BatchBlockRange", json!([number]), range);
}

fn answer(recording: &mut Recording, method: &str, params: Value, result: Value) {
    let request = json!({ "method": method, "params": params });
    recording.add(&json!({ "request": request, "response": { "result": result } })).unwrap();
}

fn put(recording: &mut Recording, result: Value) {
    recording.add(&json!({ "response": { "result": result } })).unwrap();
}

/// The recorded block 185,232,421 with its receipts, and three made-up ones on it.
fn nitro() -> (Recording, (BlockRef, B256), u64) {
    let mut recording = Recording::new(NITRO);
    let block = recorded("arbitrum/arb-sepolia-eth_getBlockByNumber-03.json");
    let first: Block = serde_json::from_value(block.clone()).unwrap();
    put(&mut recording, block);
    put(&mut recording, recorded("arbitrum/arb-sepolia-eth_getBlockReceipts-01.json"));
    let mut parent = BlockRef { number: first.header.number, hash: first.hash };
    for index in 0..3 {
        let (block, receipts, own) = nitro_on(parent, index);
        put(&mut recording, block);
        put(&mut recording, receipts);
        parent = own;
    }
    // Nobody recorded the block below: only its hash is known.
    let anchor = BlockRef { number: first.header.number - 1, hash: first.header.parent_hash };
    (recording, (anchor, B256::ZERO), parent.number)
}

/// The recorded early block 35,533 with its receipt, the block below it, and two later ones on it; the batch of a fourth is
/// not sealed.
fn era() -> (Recording, (BlockRef, B256), u64) {
    let mut recording = Recording::new(ERA);
    let block = recorded("zksync/viem-block-2.json");
    let first: Block = serde_json::from_value(block.clone()).unwrap();
    let number = first.header.number;
    let mut below = block.clone();
    below["number"] = json!(U64::from(number - 1));
    below["hash"] = json!(zksync::early_hash(number - 1));
    below["parentHash"] = json!(zksync::early_hash(number - 2));
    below["transactions"] = json!([]);
    put(&mut recording, below);
    put(&mut recording, block);
    put(&mut recording, recorded("zksync/viem-transactionReceipt-1.json"));
    let sealed = first.zksync.l1_batch_number.unwrap().to::<u64>();
    let roots = [1, 2].map(B256::repeat_byte);
    batch(&mut recording, sealed, Some(roots[0]), (number - 1, number));
    batch(&mut recording, sealed + 1, Some(roots[1]), (number + 1, number + 2));
    batch(&mut recording, sealed + 2, None, (number + 3, number + 3));
    let mut parent = BlockRef { number, hash: first.hash };
    for (index, batch) in [(0, sealed + 1), (1, sealed + 1), (2, sealed + 2)] {
        let (block, receipt, own) = era_on(parent, batch, index);
        put(&mut recording, block);
        put(&mut recording, receipt);
        parent = own;
    }
    let own = zksync::early_hash(number - 1).unwrap();
    let anchor = BlockRef { number: number - 1, hash: hum_types::bound_hash(own, roots[0]) };
    (recording, (anchor, roots[0]), number + 2)
}

/// Serve both over HTTP and read every block as an operator's own nodes do.
pub(super) fn replayed() -> Replayed {
    // Apart from the test's own runtime.
    let reading = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(read())
    });
    reading.join().unwrap()
}

async fn read() -> Replayed {
    let mut replayed =
        Replayed { blocks: BTreeMap::new(), clients: BTreeMap::new(), anchors: BTreeMap::new() };
    for (chain_id, stack, (recording, anchor, last)) in
        [(NITRO, StackKind::Nitro, nitro()), (ERA, StackKind::ZkSync, era())]
    {
        let url = serve(recording).await;
        let nodes =
            StackNodes::new(&[(chain_id, crate::own_node::NodeEntry::Url(url))].into(), None).unwrap();
        replayed.anchors.insert(chain_id, anchor);
        let member = Arc::new(Member {
            entry: entry(chain_id, stack, &[]),
            anchor: hum_verify::CertifiedHeader::stated(anchor.0, anchor.1, 1),
            spec_hash: B256::ZERO,
            peers: Vec::new(),
            judges: Vec::new(),
            profile: None,
        });
        replayed.clients.insert(chain_id, nodes.client(member.clone()).await.unwrap());
        let mut parent = anchor.0.hash;
        for number in anchor.0.number + 1..=last {
            let block = nodes.block(member.clone(), number).await.unwrap().unwrap();
            assert_eq!((block.block.number, block.parent), (number, parent));
            assert!(block.time_ms > TimeMs(0));
            parent = block.block.hash;
            replayed.blocks.insert((chain_id, number), block);
        }
        // What is not recorded, or not sealed, is no block.
        assert!(!matches!(nodes.block(member, last + 1).await, Ok(Some(_))));
    }
    replayed
}

async fn serve(recording: Recording) -> String {
    async fn reply(State(recording): State<Arc<Recording>>, Json(request): Json<Value>) -> Json<Value> {
        Json(recording.answer(&request))
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().route("/", post(reply)).with_state(Arc::new(recording));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}
