//! Blocks by the OP Stack's rules, made here and judged by `hum-verify`: fees, forms and roots that no real block at hand
//! has, and what becomes of each when one thing about it changes.

use super::*;
use crate::chain::Predeploy;
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::signers::{SignerSync as _, local::PrivateKeySigner};
use alloy_consensus::{Block, SignableTransaction as _, TxEip1559};
use alloy_primitives::{B64, address, keccak256};
use alloy_rlp::Decodable as _;
use alloy_trie::root::ordered_trie_root_encoded;
use hum_types::ChainId;
use hum_verify::{
    CertifiedHeader, L1Info, Limits, MESSAGE_SENT, Missing, Reason, Rules, Verdict, Verifier, Witness,
};
use op_alloy_consensus::{OpReceiptEnvelope, TxDeposit, UserDepositSource};

const CHAIN: ChainId = ChainId(4_243);
const ETHER: u64 = 1_000_000_000_000_000_000;
const SEQUENCER_VAULT: Address = address!("0x4200000000000000000000000000000000000011");
const BASE_FEE_VAULT: Address = address!("0x4200000000000000000000000000000000000019");
const L1_FEE_VAULT: Address = address!("0x420000000000000000000000000000000000001A");
const OPERATOR_FEE_VAULT: Address = address!("0x420000000000000000000000000000000000001B");
const GATEWAY: Address = address!("0x00000000000000000000000000000000000000a2");
/// Reads an ancestor's hash, whose number is the first word.
const LOOKBACK: Address = address!("0x00000000000000000000000000000000000000a4");

fn user() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&keccak256("a user of an OP chain")).unwrap()
}

fn genesis(forks: OpForks) -> OpGenesis {
    // Logs `MessageSent` with what it is called with: not what a gateway writes.
    let mut gateway = vec![0x36, 0x60, 0, 0x60, 0, 0x37, 0x60, 0, 0x7f];
    gateway.extend(MESSAGE_SENT);
    gateway.extend([0x36, 0x60, 0, 0xa2, 0]);
    let contract = |address, code| Predeploy { address, code, ..Default::default() };
    OpGenesis {
        forks,
        prefunded: vec![(user().address(), U256::from(1_000) * U256::from(ETHER))],
        predeploys: vec![
            contract(GATEWAY, gateway.into()),
            contract(LOOKBACK, Bytes::from_static(&[0x60, 0, 0x35, 0x40, 0x60, 0, 0x55, 0])),
        ],
        ..OpGenesis::new(CHAIN, 1_000)
    }
}

fn l1(number: u64, sequence_number: u64) -> L1Info {
    L1Info {
        number,
        timestamp: 900 + number,
        base_fee: U256::from(10_000_000_000_u64),
        blob_base_fee: U256::from(7),
        hash: keccak256(number.to_be_bytes()),
        sequence_number,
        batcher: Address::repeat_byte(0xba).into_word(),
        base_fee_scalar: U256::from(1_000),
        blob_base_fee_scalar: U256::from(2_000),
        operator_fee_scalar: 3_000,
        operator_fee_constant: 5_555,
        da_footprint_gas_scalar: 400,
    }
}

struct Network {
    chain: OpChain,
    nonce: u64,
    head: CertifiedHeader,
}

impl Network {
    fn new(forks: OpForks) -> Self {
        let chain = OpChain::new(&genesis(forks)).unwrap();
        let head = CertifiedHeader::from_anchor(chain.head().unwrap().clone());
        Self { chain, nonce: 0, head }
    }

    fn transaction(&mut self, to: Address, value: u64, input: impl Into<Bytes>) -> OpTxEnvelope {
        let transaction = TxEip1559 {
            chain_id: CHAIN.0,
            nonce: self.nonce,
            gas_limit: 100_000,
            max_fee_per_gas: 100_000_000_000,
            max_priority_fee_per_gas: 1_000,
            to: TxKind::Call(to),
            value: U256::from(value),
            access_list: Default::default(),
            input: input.into(),
        };
        self.nonce += 1;
        let signature = user().sign_hash_sync(&transaction.signature_hash()).unwrap();
        transaction.into_signed(signature).into()
    }

    fn attributes(&self) -> Attributes {
        let parent = self.chain.head().unwrap();
        Attributes::after(parent, parent.timestamp + 2, l1(1 + parent.number / 3, parent.number % 3))
    }

    fn verifier(&self) -> Verifier {
        Verifier::new(self.chain.spec().clone(), vec![GATEWAY], Limits::default())
    }

    /// Make a block and judge it under what was judged before; its parent and itself.
    fn step(
        &mut self,
        attributes: &Attributes,
        candidates: Vec<OpTxEnvelope>,
    ) -> (CertifiedHeader, OpSealed) {
        let sealed = self.chain.make(attributes, candidates).unwrap().clone();
        let parent = self.head.clone();
        let verdict = self.verifier().verify(&parent, sealed.hash, &sealed.rlp, &sealed.witness);
        let Verdict::Valid(summary) = verdict else { panic!("{}: {verdict:?}", sealed.header.number) };
        self.head = summary.header;
        (parent, sealed)
    }

    fn balance(&self, number: u64, account: Address) -> u128 {
        self.chain.account(number, account).unwrap().balance.to()
    }
}

/// A bit of everything: L1 forces a mint, a failing call and a contract; the user pays, writes, looks back and sends.
fn busy(network: &mut Network) -> (CertifiedHeader, OpSealed) {
    let mut attributes = network.attributes();
    if attributes.l1.sequence_number == 0 {
        let source_hash = |log_index| UserDepositSource::new(attributes.l1.hash, log_index).source_hash();
        let from = Address::repeat_byte(0xf0);
        let deposit = |log_index, to, gas_limit, input: &'static [u8]| TxDeposit {
            source_hash: source_hash(log_index),
            from,
            to,
            mint: 1_000_000,
            value: U256::from(1_000),
            gas_limit,
            is_system_transaction: false,
            input: Bytes::from_static(input),
        };
        attributes.deposits = vec![
            deposit(0, TxKind::Call(Address::repeat_byte(0xf1)), 50_000, &[]),
            // Less gas than any call needs: it fails, and what it mints stays.
            deposit(1, TxKind::Call(Address::repeat_byte(0xf2)), 100, &[]),
            deposit(2, TxKind::Create, 200_000, &[0x60, 1, 0x60, 1, 0x55, 0x60, 1, 0x60, 0x5f, 0xf3]),
        ];
    }
    let number = network.chain.head().unwrap().number;
    let candidates = vec![
        network.transaction(Address::repeat_byte(0xe0), 5, Bytes::new()),
        network.transaction(Address::repeat_byte(number as u8), 7, Bytes::new()),
        network.transaction(contracts::MESSAGE_PASSER, 0, number.to_be_bytes().to_vec()),
        network.transaction(GATEWAY, 0, vec![1; 40]),
        network.transaction(LOOKBACK, 0, U256::from(number.saturating_sub(4)).to_be_bytes::<32>().to_vec()),
    ];
    network.step(&attributes, candidates)
}

/// What holds until the first of these times that is not over, or in the end.
fn by_time(time: u64, steps: &[(u64, usize)], last: usize) -> usize {
    steps.iter().find(|(until, _)| time < *until).map_or(last, |(_, bytes)| *bytes)
}

/// Every fork from Canyon to Jovian begins while the chain runs, and each block is valid under the verdict before it.
#[test]
fn a_chain_is_valid_through_every_fork() {
    let mut network = Network::new(OpForks {
        ecotone: Some(1_010),
        granite: Some(1_016),
        holocene: Some(1_022),
        isthmus: Some(1_028),
        jovian: Some(1_034),
    });
    for _ in 0..24 {
        let (parent, sealed) = busy(&mut network);
        let header = &sealed.header;
        let time = header.timestamp;
        assert_eq!(header.parent_beacon_block_root.is_some(), time >= 1_010);
        assert_eq!(header.extra_data.len(), by_time(time, &[(1_022, 0), (1_034, 9)], 17));
        assert_eq!(header.requests_hash.is_some(), time >= 1_028);
        // The first block of Jovian knows no scalar yet: its users pay for no data.
        assert_eq!(header.blob_gas_used.is_some_and(|used| used > 0), parent.header().timestamp >= 1_034);
        // Forms of the information about L1 lag a block: 260 bytes, then packed.
        let OpTxEnvelope::Deposit(first) = &sealed.transactions[0] else { panic!() };
        let forms = [(1_010, 260), (1_028, 164), (1_034, 176)];
        let bytes = by_time(parent.header().timestamp, &forms, 178);
        assert_eq!(first.inner().input.len(), bytes);
    }
}

/// What a transfer pays beyond its gas, by the formulas of the specification.
#[test]
fn fees_arrive_where_the_specification_says() {
    for (jovian, operator) in [
        // gas * scalar / 10^6 + constant
        (None, 21_000 * 3_000 / 1_000_000 + 5_555),
        // gas * scalar * 100 + constant
        (Some(0), 21_000 * 3_000 * 100 + 5_555),
    ] {
        let mut network = Network::new(OpForks { jovian, ..OpForks::JOVIAN });
        let attributes = network.attributes();
        let payment = network.transaction(Address::repeat_byte(0xe0), 5, Bytes::new());
        assert!(payment.encoded_2718().len() < 160, "its data are of the least size that is charged");
        let (_, sealed) = network.step(&attributes, vec![payment]);
        let base_fee = u128::from(sealed.header.base_fee_per_gas.unwrap());
        // The least size is 100 bytes: 100 * 10^6 * (16 * 10^10 * 1,000 + 7 * 2,000) / 10^12.
        let l1_fee = 100_000_000 * (16 * 10_000_000_000 * 1_000 + 7 * 2_000) / 1_000_000_000_000_u128;
        assert_eq!(network.balance(1, L1_FEE_VAULT), l1_fee);
        assert_eq!(network.balance(1, OPERATOR_FEE_VAULT), operator);
        assert_eq!(network.balance(1, BASE_FEE_VAULT), 21_000 * base_fee);
        assert_eq!(network.balance(1, SEQUENCER_VAULT), 21_000 * 1_000);
        let before = network.balance(0, user().address());
        let paid = 5 + 21_000 * (base_fee + 1_000) + l1_fee + operator;
        assert_eq!(network.balance(1, user().address()), before - paid);
    }
}

/// Jovian: the footprint of data stands where Ethereum counts blobs, bounds the block and moves the base fee.
#[test]
fn data_have_a_footprint() {
    let mut network = Network::new(OpForks::JOVIAN);
    let attributes = network.attributes();
    let payments: Vec<OpTxEnvelope> =
        (0..3).map(|_| network.transaction(Address::repeat_byte(0xe0), 1, Bytes::new())).collect();
    let (_, sealed) = network.step(&attributes, payments);
    // Three times the least size by gas of 400 a byte; deposits count nothing.
    assert_eq!(sealed.header.blob_gas_used, Some(3 * 100 * 400));

    // A byte that stands for so much gas that the footprint is more than the gas, and more than the target.
    let mut attributes = network.attributes();
    attributes.l1.da_footprint_gas_scalar = u16::MAX;
    let payments: Vec<OpTxEnvelope> =
        (0..9).map(|_| network.transaction(Address::repeat_byte(0xe0), 1, Bytes::new())).collect();
    let (_, sealed) = network.step(&attributes, payments);
    // 60 Mgas hold nine times 6,553,500.
    assert_eq!(sealed.header.blob_gas_used, Some(9 * 100 * 65_535));
    assert!(sealed.header.gas_used < 1_000_000);
    let before = sealed.header.base_fee_per_gas.unwrap();
    let attributes = network.attributes();
    let (_, next) = network.step(&attributes, vec![]);
    assert!(next.header.base_fee_per_gas.unwrap() > before, "the footprint is above the target");

    // A tenth has no place.
    let mut attributes = network.attributes();
    attributes.l1.da_footprint_gas_scalar = u16::MAX;
    let payments: Vec<OpTxEnvelope> =
        (0..10).map(|_| network.transaction(Address::repeat_byte(0xe0), 1, Bytes::new())).collect();
    let (_, sealed) = network.step(&attributes, payments);
    assert_eq!(sealed.transactions.len(), 1 + 9);
}

/// Jovian: the base fee does not fall below what the parent says.
#[test]
fn the_base_fee_has_a_least_value() {
    let mut network = Network::new(OpForks::JOVIAN);
    let mut attributes = network.attributes();
    attributes.base_fee_min = 3_000_000_000;
    attributes.fee_params = B64::from([0, 0, 0, 8, 0, 0, 0, 2]);
    network.step(&attributes, vec![]);
    let attributes = network.attributes();
    let (_, next) = network.step(&attributes, vec![]);
    assert_eq!(next.header.base_fee_per_gas, Some(3_000_000_000));
}

#[test]
fn deposits_mint_fail_and_leave_their_nonce() {
    let mut network = Network::new(OpForks::JOVIAN);
    let (_, sealed) = busy(&mut network);
    let OpReceiptEnvelope::Deposit(failed) = &sealed.receipts[2] else { panic!() };
    assert!(!failed.receipt.inner.status.coerce_status());
    assert_eq!((failed.receipt.deposit_nonce, failed.receipt.deposit_receipt_version), (Some(1), Some(1)));
    // Three mints; two values went on their way, the third with the call that failed did not.
    assert_eq!(network.balance(1, Address::repeat_byte(0xf0)), 3_000_000 - 2_000);
    assert_eq!(network.balance(1, Address::repeat_byte(0xf2)), 0);
}

/// Isthmus: the withdrawals root is that of the message passer's storage.
#[test]
fn messages_to_l1_are_in_the_withdrawals_root() {
    let mut network = Network::new(OpForks::JOVIAN);
    let attributes = network.attributes();
    let (_, quiet) = network.step(&attributes, vec![]);
    let call = network.transaction(contracts::MESSAGE_PASSER, 0, vec![7]);
    let attributes = network.attributes();
    let (_, sealed) = network.step(&attributes, vec![call]);
    let roots = [&quiet, &sealed].map(|block| block.header.withdrawals_root.unwrap());
    assert_ne!(roots[0], roots[1]);
    assert_eq!(network.chain.storage_root(2, contracts::MESSAGE_PASSER).unwrap(), roots[1]);
    let slot = U256::from_be_bytes(keccak256([7]).0);
    assert_eq!(network.chain.slot(2, contracts::MESSAGE_PASSER, slot).unwrap(), U256::from(1));
}

/// A gateway's logs are read out of receipts as on any other rollup.
#[test]
fn what_a_gateway_logs_is_seen() {
    let mut network = Network::new(OpForks::JOVIAN);
    let attributes = network.attributes();
    let call = network.transaction(GATEWAY, 0, vec![1; 40]);
    let sealed = network.chain.make(&attributes, vec![call]).unwrap().clone();
    let verdict = network.verifier().verify(&network.head, sealed.hash, &sealed.rlp, &sealed.witness);
    let Verdict::Valid(summary) = verdict else { panic!("{verdict:?}") };
    assert_eq!(summary.malformed_gateway_logs.len(), 1);
    assert_eq!(summary.malformed_gateway_logs[0].transaction, 1);
}

mod follows_l1;
mod over_rpc;

type OpBlock = Block<OpTxEnvelope, Header>;

/// The verdict on a busy block of Jovian after `change`, signed for again; the transactions root follows.
fn changed(change: impl FnOnce(&mut OpBlock, &mut Witness)) -> Verdict {
    let mut network = Network::new(OpForks::JOVIAN);
    let (parent, mut sealed) = busy(&mut network);
    let mut block = OpBlock::decode(&mut &sealed.rlp[..]).unwrap();
    change(&mut block, &mut sealed.witness);
    let raw: Vec<Vec<u8>> = block.body.transactions.iter().map(|tx| tx.encoded_2718()).collect();
    block.header.transactions_root = ordered_trie_root_encoded(&raw);
    let hash = block.header.hash_slow();
    network.verifier().verify(&parent, hash, &alloy_rlp::encode(&block), &sealed.witness)
}

fn field(change: impl FnOnce(&mut Header)) -> &'static str {
    match changed(|block, _| change(&mut block.header)) {
        Verdict::Invalid(
            Reason::Quantity { field, .. } | Reason::Range { field, .. } | Reason::Hash { field, .. },
        ) => field,
        Verdict::Invalid(Reason::FieldMissing(field) | Reason::FieldUnexpected(field)) => field,
        Verdict::Invalid(Reason::ExtraData(_)) => "extra data",
        Verdict::Invalid(Reason::LogsBloom) => "logs bloom",
        verdict => panic!("{verdict:?}"),
    }
}

#[test]
fn every_header_field_of_jovian_is_held() {
    assert!(matches!(changed(|_, _| {}), Verdict::Valid(_)));
    assert_eq!(field(|h| h.state_root.0[0] ^= 1), "state root");
    assert_eq!(field(|h| h.receipts_root.0[0] ^= 1), "receipts root");
    assert_eq!(field(|h| h.logs_bloom.0[0] ^= 1), "logs bloom");
    assert_eq!(field(|h| h.gas_used += 1), "gas used");
    assert_eq!(field(|h| *h.base_fee_per_gas.as_mut().unwrap() -= 1), "base fee");
    assert_eq!(field(|h| h.withdrawals_root.as_mut().unwrap().0[0] ^= 1), "withdrawals root");
    assert_eq!(field(|h| *h.blob_gas_used.as_mut().unwrap() += 1), "blob gas used");
    assert_eq!(field(|h| h.blob_gas_used = Some(h.gas_limit + 1)), "blob gas used");
    assert_eq!(field(|h| h.excess_blob_gas = Some(1)), "excess blob gas");
    assert_eq!(field(|h| h.requests_hash = Some(B256::ZERO)), "requests hash");
    assert_eq!(field(|h| h.requests_hash = None), "requests hash");
    assert_eq!(field(|h| h.parent_beacon_block_root = Some(B256::repeat_byte(1))), "state root");
    // The forms of Holocene, of a later version, and with a denominator of zero.
    assert_eq!(field(|h| h.extra_data = h.extra_data.slice(..9)), "extra data");
    for at in [0, 4] {
        let odd = |h: &mut Header| {
            let mut extra_data = h.extra_data.to_vec();
            extra_data[at] = if at == 0 { 2 } else { 0 };
            h.extra_data = extra_data.into();
        };
        assert_eq!(field(odd), "extra data");
    }
}

#[test]
fn what_l1_forces_is_held() {
    let deposit = |block: &mut OpBlock, at: usize, change: &dyn Fn(&mut TxDeposit)| {
        let OpTxEnvelope::Deposit(sealed) = &block.body.transactions[at] else { panic!() };
        let mut deposit = sealed.inner().clone();
        change(&mut deposit);
        block.body.transactions[at] = deposit.into();
    };
    let minted = changed(|block, _| deposit(block, 1, &|deposit| deposit.mint += 1));
    assert!(matches!(minted, Verdict::Invalid(Reason::Hash { field: "state root", .. })), "{minted:?}");
    let swapped = changed(|block, _| block.body.transactions.swap(3, 4));
    assert!(matches!(swapped, Verdict::Invalid(Reason::Place { index: 4, .. })), "{swapped:?}");
    // A mark that only Bedrock knew.
    let system = changed(|block, _| deposit(block, 1, &|deposit| deposit.is_system_transaction = true));
    assert!(matches!(system, Verdict::Invalid(_)), "{system:?}");
    let dearer = changed(|block, _| {
        deposit(block, 0, &|deposit| {
            let mut input = deposit.input.to_vec();
            // The low byte of the operator fee's constant.
            input[175] ^= 1;
            deposit.input = input.into();
        });
    });
    assert!(matches!(dearer, Verdict::Invalid(Reason::Hash { field: "state root", .. })), "{dearer:?}");
}

#[test]
fn withdrawals_have_no_place_in_the_body() {
    let verdict = changed(|block, _| {
        block.body.withdrawals = Some(vec![Default::default()].into());
    });
    assert!(matches!(verdict, Verdict::Undecided(Missing::BlockMalformed(_))), "{verdict:?}");
}

#[test]
fn every_piece_of_an_exact_witness_is_needed() {
    let mut network = Network::new(OpForks::JOVIAN);
    let verifier = network.verifier();
    for round in 0..6 {
        let (parent, sealed) = busy(&mut network);
        let judge = |witness: &Witness| verifier.verify(&parent, sealed.hash, &sealed.rlp, witness);
        for index in 0..sealed.witness.state.len() {
            let mut poorer = sealed.witness.clone();
            let lost = keccak256(poorer.state.swap_remove(index));
            assert_eq!(judge(&poorer), Verdict::Undecided(Missing::Node(lost)), "{round}");
        }
        for index in 0..sealed.witness.codes.len() {
            let mut poorer = sealed.witness.clone();
            let lost = keccak256(poorer.codes.swap_remove(index));
            assert_eq!(judge(&poorer), Verdict::Undecided(Missing::Code(lost)), "{round}");
        }
        for index in 0..sealed.witness.headers.len() {
            let mut poorer = sealed.witness.clone();
            poorer.headers.remove(index);
            assert!(matches!(judge(&poorer), Verdict::Undecided(Missing::Ancestor(_))), "{round}");
        }
    }
}

/// Blocks of one fork are not blocks of another.
#[test]
fn another_forks_rules_refuse() {
    let mut network = Network::new(OpForks::JOVIAN);
    let (parent, sealed) = busy(&mut network);
    let under = |forks| {
        let verifier = Verifier::new(genesis(forks).spec().unwrap(), vec![], Limits::default());
        verifier.verify(&parent, sealed.hash, &sealed.rlp, &sealed.witness)
    };
    let isthmus = under(OpForks { jovian: None, ..OpForks::JOVIAN });
    assert!(matches!(isthmus, Verdict::Invalid(Reason::ExtraData(_))), "{isthmus:?}");
    let holocene = under(OpForks { jovian: None, isthmus: None, ..OpForks::JOVIAN });
    assert!(matches!(holocene, Verdict::Invalid(_)), "{holocene:?}");
}

/// Calls see the state of the block that they name, and leave nothing behind.
#[test]
fn calls_read_any_block() {
    let mut network = Network::new(OpForks::JOVIAN);
    busy(&mut network);
    busy(&mut network);
    let Rules::OpStack(_) = network.chain.spec().rules() else { panic!() };
    let slot = |number| network.chain.slot(number, contracts::L1_BLOCK, U256::ZERO).unwrap();
    assert_eq!(slot(0), U256::ZERO);
    // Number and time of the L1 block, in one slot.
    assert_eq!(slot(1), (U256::from(901) << 64) | U256::from(1));
    let call = network.chain.call(
        2,
        user().address(),
        TxKind::Call(contracts::MESSAGE_PASSER),
        Bytes::from_static(&[9]),
        U256::ZERO,
    );
    assert!(call.unwrap().is_success());
    assert_eq!(network.chain.blocks().len(), 3);
}
