//! Blocks built on an L1: what they say of it, and what it forces into them.

use super::*;
use crate::{
    chain::{ChainConfig, DevChain},
    op::l1::{DEPOSITED, Origin, Origins, deposit},
};
use hum_chain::{
    At, Call, Chain as _, Log, Submit as _,
    rpc::{RpcChain, RpcLimits, RpcSubmit, SubmitPolicy},
};
use hum_types::BlockRef;
use hum_verify::dialect::parse_witness;
use std::{sync::Arc, time::Duration};

const L1: ChainId = ChainId(900);
/// Sends what it gets on to the portal.
const FORWARDER: Address = address!("0x00000000000000000000000000000000000000a7");

fn origin(number: u64, timestamp: u64, deposits: usize) -> Origin {
    let info = L1Info { timestamp, ..l1(number, 0) };
    let deposits = vec![TxDeposit::default(); deposits];
    Origin { info, deposits, randao: B256::ZERO, beacon_root: B256::ZERO }
}

/// Each L1 block is built on once with its deposits, in order, and never by a block of an earlier time.
#[test]
fn every_l1_block_is_taken_once() {
    let mut origins = Origins::unread();
    assert!(origins.at(None, 100).is_none(), "nothing is known of L1 yet");
    let Origins::Read { next, .. } = &mut origins else { panic!() };
    next.extend([origin(7, 90, 1), origin(8, 102, 2), origin(9, 102, 0)]);
    let mut before = None;
    let mut built = Vec::new();
    for timestamp in [100, 101, 102, 102, 103] {
        let origin = origins.at(before, timestamp).unwrap();
        built.push((origin.info.number, origin.info.sequence_number, origin.deposits.len()));
        // Not made after all: it is the same again.
        assert_eq!(origins.at(before, timestamp).unwrap().info, origin.info);
        before = Some(origin.info);
        origins.built_on(origin.info.number);
    }
    assert_eq!(built, [(7, 0, 1), (7, 1, 0), (8, 0, 2), (9, 0, 0), (9, 1, 0)]);
}

#[test]
fn only_what_the_portal_says_is_a_deposit() {
    assert_eq!(DEPOSITED, keccak256("TransactionDeposited(address,address,uint256,bytes)"));
    let portal = crate::op::portal(CHAIN);
    let mut forward = vec![0x60, 0, 0x60, 0, 0x60, 0, 0x60, 0, 0x34, 0x73];
    forward.extend(portal.address);
    forward.extend([0x5a, 0xf1, 0x00]);
    let forwarder = Predeploy { address: FORWARDER, code: forward.into(), ..Default::default() };
    // Any chain's EVM will do to run the portal.
    let mut chain_of = genesis(OpForks::JOVIAN);
    chain_of.predeploys.extend([portal.clone(), forwarder]);
    let chain = OpChain::new(&chain_of).unwrap();
    let head = CertifiedHeader::from_anchor(chain.head().unwrap().clone());
    let mut network = Network { chain, nonce: 0, head };
    let sent =
        [(portal.address, 5), (FORWARDER, 6)].map(|(to, value)| network.transaction(to, value, vec![]));
    let (_, sealed) = network.step(&network.attributes(), sent.into());
    let logs = sealed.receipts.iter().flat_map(|receipt| receipt.as_receipt().unwrap().logs.clone());
    let logs: Vec<Log> = logs
        .map(|log| Log {
            address: log.address,
            topics: log.data.topics().to_vec(),
            data: log.data.data.clone(),
            block: BlockRef { number: 1, hash: sealed.hash },
            tx_hash: B256::ZERO,
            index: 3,
        })
        .collect();
    let [direct, forwarded] = &logs[..] else { panic!("{logs:?}") };
    assert_eq!(
        deposit(direct).unwrap(),
        TxDeposit {
            source_hash: UserDepositSource::new(sealed.hash, 3).source_hash(),
            from: user().address(),
            to: TxKind::Call(user().address()),
            mint: 5,
            value: U256::from(5),
            gas_limit: 100_000,
            is_system_transaction: false,
            input: Bytes::new(),
        }
    );
    let forwarded = deposit(forwarded).unwrap();
    assert_eq!(forwarded.from, address!("0x11110000000000000000000000000000000011b8"), "a contract's alias");
    assert_eq!((forwarded.to, forwarded.mint), (TxKind::Call(FORWARDER), 6));
    let spoilt = |spoil: &dyn Fn(&mut Log)| {
        let mut log = direct.clone();
        spoil(&mut log);
        deposit(&log)
    };
    assert_eq!(spoilt(&|log| log.topics[0].0[0] ^= 1), None);
    assert_eq!(spoilt(&|log| log.topics[3].0[31] = 1), None, "another version");
    assert_eq!(spoilt(&|log| _ = log.topics.pop()), None);
    assert_eq!(spoilt(&|log| log.data = log.data.slice(..100)), None);
    let set = |log: &mut Log, at: usize, byte: u8| {
        let mut data = log.data.to_vec();
        data[at] = byte;
        log.data = data.into();
    };
    assert_eq!(spoilt(&|log| set(log, 31, 0x21)), None, "bytes elsewhere");
    assert_eq!(spoilt(&|log| set(log, 63, 0xff)), None, "longer than the data");
    assert_eq!(spoilt(&|log| set(log, 64, 0xff)), None, "more than there can be");
}

/// Ether left on a running L1 arrives, and every block on the way is valid.
#[tokio::test(flavor = "multi_thread")]
async fn ether_left_on_l1_arrives() {
    let portal = crate::op::portal(CHAIN);
    let l1 = DevChain::start(ChainConfig {
        prefunded: vec![(user().address(), U256::from(ETHER))],
        predeploys: vec![portal.clone()],
        block_time_ms: 50,
        ..ChainConfig::new("l1", L1)
    })
    .await
    .unwrap();
    let genesis =
        OpGenesis { allow_equal_timestamps: true, prefunded: Vec::new(), ..OpGenesis::new(CHAIN, 1_000) };
    let config = OpNodeConfig { has_l1: true, ..OpNodeConfig::new("op", 50) };
    let node = OpNode::start(&genesis, config).await.unwrap();
    let reader = RpcChain::new(&l1.rpc_url(), L1, RpcLimits::default()).unwrap();
    let submit = RpcSubmit::new(reader.clone(), user().to_bytes(), SubmitPolicy::default()).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(node.head().number, 0, "no block before it knows its L1");
    let batcher = Address::repeat_byte(0xba);
    node.follow(OpL1 { chain: Arc::new(reader), heads: l1.heads(), portal: portal.address, batcher });
    let call = Call { value: U256::from(1_234), ..Call::new(portal.address, Bytes::new()) };
    let block = submit.send(call).await.unwrap().block;

    let rollup = RpcChain::new(&node.rpc_url(), CHAIN, RpcLimits::default()).unwrap();
    let arrived = async {
        while rollup.balance(user().address()).await.unwrap() != U256::from(1_234) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), arrived).await.unwrap();
    let verifier = Verifier::new(node.spec().clone(), vec![], Limits::default());
    let header = alloy_rlp::Decodable::decode(&mut &node.genesis_header()[..]).unwrap();
    let mut parent = CertifiedHeader::from_anchor(header);
    let mut deposits = Vec::new();
    for number in 1..=node.head().number {
        let raw = rollup.block(At::Number(number)).await.unwrap().unwrap();
        let hum_chain::RawWitness::Json(witness) = rollup.witness(raw.block).await.unwrap() else { panic!() };
        let witness = parse_witness(std::str::from_utf8(&witness).unwrap()).unwrap();
        let verdict = verifier.verify(&parent, raw.block.hash, &raw.rlp, &witness);
        let Verdict::Valid(summary) = verdict else { panic!("{number}: {verdict:?}") };
        parent = summary.header;
        let decoded = OpBlock::decode(&mut &raw.rlp[..]).unwrap();
        let [first, others @ ..] = &decoded.body.transactions[..] else { panic!() };
        let Rules::OpStack(rules) = node.spec().rules() else { panic!() };
        let OpTxEnvelope::Deposit(first) = first else { panic!() };
        let info = L1Info::from_deposit(rules, 1_000, decoded.header.timestamp, first.inner()).unwrap();
        assert_eq!(info.batcher, batcher.into_word());
        assert_eq!(l1.block(info.number).unwrap().hash, info.hash, "an L1 block that is there");
        deposits.extend(others.iter().map(|_| info.number));
    }
    assert_eq!(deposits, [block.number], "once, in the first block on the L1 block that has it");
    node.shutdown().await;
    l1.shutdown().await;
}
