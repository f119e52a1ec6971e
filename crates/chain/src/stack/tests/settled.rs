//! Settled heads from proven storage. No live L1: the storage is built here, with the contracts' layouts.

use super::super::{
    nitro::{Assertion, NitroContracts},
    op_stack::{AnchorGame, OpContracts, OutputProposal},
    zksync::{StoredBatch, ZkContracts},
    *,
};
use crate::{ProvenSlot, StateProof};
use alloy_primitives::U256;
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, Nibbles, TrieAccount, proof::ProofRetainer};
use hum_types::{Address, B256, BlockRef, Bytes, ChainId, keccak256};
use std::collections::BTreeMap;

type Words = BTreeMap<B256, U256>;

/// A trie's root, and the nodes that prove `key` in it.
fn prove(leaves: &BTreeMap<B256, Vec<u8>>, key: B256) -> (B256, Vec<Bytes>) {
    let target = Nibbles::unpack(key);
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(vec![target]));
    for (key, value) in leaves {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    let root = builder.root();
    let nodes = builder.take_proof_nodes().into_nodes_sorted();
    (root, nodes.into_iter().map(|(_, node)| node).collect())
}

/// L1's state as contracts with storage, some strangers, and proofs of what is asked.
struct L1(BTreeMap<Address, Words>);

impl L1 {
    fn words(&self, account: Address) -> BTreeMap<B256, Vec<u8>> {
        let words = self.0.get(&account).into_iter().flatten();
        let set = words.filter(|(_, word)| !word.is_zero());
        set.map(|(slot, word)| (keccak256(slot), alloy_rlp::encode(word))).collect()
    }

    fn storage_root(&self, account: Address) -> B256 {
        let words = self.words(account);
        if words.is_empty() { EMPTY_ROOT_HASH } else { prove(&words, B256::ZERO).0 }
    }

    fn accounts(&self) -> BTreeMap<B256, Vec<u8>> {
        let strangers = (100..140).map(Address::with_last_byte);
        let all = self.0.keys().copied().chain(strangers);
        all.map(|account| {
            let storage_root = self.storage_root(account);
            let leaf = TrieAccount { storage_root, nonce: 1, ..Default::default() };
            (keccak256(account), alloy_rlp::encode(leaf))
        })
        .collect()
    }

    fn proofs(&self, queries: &[SlotQuery]) -> (B256, Vec<StateProof>) {
        let accounts = self.accounts();
        let proofs = queries.iter().map(|SlotQuery { account, slots }| {
            let words = self.words(*account);
            let slots = slots.iter().map(|slot| ProvenSlot {
                slot: *slot,
                word: self
                    .0
                    .get(account)
                    .and_then(|words| words.get(slot))
                    .copied()
                    .unwrap_or_default()
                    .into(),
                nodes: if words.is_empty() { Vec::new() } else { prove(&words, keccak256(slot)).1 },
            });
            StateProof {
                account: *account,
                nodes: prove(&accounts, keccak256(account)).1,
                slots: slots.collect(),
            }
        });
        (prove(&accounts, B256::ZERO).0, proofs.collect())
    }

    fn settled(&self, settlement: &dyn Settlement, opening: &Opening) -> Result<Settled, SettlementError> {
        let (root, proofs) = self.proofs(&settlement.slots(opening)?);
        settlement.settled(opening, &ProvenL1::verify(AT, root, &proofs)?)
    }

    fn set(&mut self, account: Address, slot: B256, word: U256) {
        self.0.entry(account).or_default().insert(slot, word);
    }
}

const AT: BlockRef = BlockRef { number: 77, hash: B256::repeat_byte(0x77) };

fn account(byte: u8) -> Address {
    Address::with_last_byte(byte)
}

fn word(byte: u8) -> B256 {
    B256::repeat_byte(byte)
}

const OP: OpContracts = OpContracts {
    system_config: Address::with_last_byte(1),
    anchor_registry: Address::with_last_byte(2),
    game_factory: Address::with_last_byte(3),
};

fn output() -> OutputProposal {
    OutputProposal {
        version: B256::ZERO,
        state_root: word(1),
        message_passer_root: word(2),
        block_hash: word(3),
    }
}

fn game() -> AnchorGame {
    AnchorGame { game: Some(account(9)), game_type: 8, l2_block_number: 1_234_567, output: output() }
}

/// Storage as the contracts have it when the game has become the anchor; written out apart from the adapter's code.
fn op_l1(status: u8) -> L1 {
    let game = game();
    let mut uuid = Vec::new();
    uuid.extend(U256::from(game.game_type).to_be_bytes::<32>());
    uuid.extend(game.output.root().0);
    uuid.extend(U256::from(0x60).to_be_bytes::<32>());
    uuid.extend(U256::from(0x20).to_be_bytes::<32>());
    uuid.extend(U256::from(game.l2_block_number).to_be_bytes::<32>());
    let entry = keccak256([keccak256(uuid).0, U256::from(103).to_be_bytes::<32>()].concat());
    let id = (U256::from(8) << 224) | (U256::from(1_700_000_000_u64) << 160) | U256::from(9);
    let state = U256::from(1_700_000_000_u64)
        | (U256::from(1_700_300_000_u64) << 64)
        | (U256::from(status) << 128)
        | (U256::from(1) << 136);
    let mut l1 = L1(BTreeMap::new());
    l1.set(OP.anchor_registry, slot(0), U256::from(0xbeef_0001_u64));
    l1.set(OP.anchor_registry, slot(1), U256::from(3));
    l1.set(OP.anchor_registry, slot(2), U256::from(9));
    l1.set(OP.game_factory, entry, id);
    l1.set(OP.game_factory, slot(104), U256::from(12));
    l1.set(account(9), slot(0), state);
    l1
}

#[test]
fn the_op_stacks_anchor() {
    let l1 = op_l1(2);
    let opening = Opening::Anchor(Box::new(game()));
    let settled = l1.settled(&OP, &opening).unwrap();
    assert_eq!(settled.head, Some(BlockRef { number: 1_234_567, hash: word(3) }));
    assert_eq!((settled.state_root, settled.message_root, settled.l1), (word(1), word(2), AT));
    assert!(!settled.unproven.is_empty());

    let changes: [fn(&mut AnchorGame); 7] = [
        |game| game.game = Some(account(10)),
        |game| game.game = None,
        |game| game.game_type = 7,
        |game| game.l2_block_number += 1,
        |game| game.output.state_root = word(9),
        |game| game.output.message_passer_root = word(9),
        |game| game.output.block_hash = word(9),
    ];
    for change in changes {
        let mut other = game();
        change(&mut other);
        let opening = Opening::Anchor(Box::new(other));
        let error = l1.settled(&OP, &opening).unwrap_err();
        assert!(matches!(error, SettlementError::Differs { .. }), "{error}");
    }
    for status in [0, 1] {
        let error = op_l1(status).settled(&OP, &opening).unwrap_err();
        assert!(matches!(error, SettlementError::NotFinal { needed: 2, .. }), "{error}");
    }
    let mut other = op_l1(2);
    other.set(OP.anchor_registry, slot(1), U256::from(4));
    let error = other.settled(&OP, &opening).unwrap_err();
    assert!(matches!(error, SettlementError::Differs { field: "dispute game factory", .. }));
}

#[test]
fn the_op_stacks_starting_anchor() {
    let opening = Opening::Anchor(Box::new(AnchorGame { game: None, ..game() }));
    let mut l1 = L1(BTreeMap::new());
    l1.set(OP.anchor_registry, slot(1), U256::from(3));
    l1.set(OP.anchor_registry, slot(3), output().root().into());
    l1.set(OP.anchor_registry, slot(4), U256::from(1_234_567));
    assert_eq!(l1.settled(&OP, &opening).unwrap().head.unwrap().number, 1_234_567);
    l1.set(OP.anchor_registry, slot(4), U256::from(1_234_568));
    let error = l1.settled(&OP, &opening).unwrap_err();
    assert!(matches!(error, SettlementError::Differs { field: "starting anchor block", .. }));
}

const NITRO: NitroContracts =
    NitroContracts { rollup: Address::with_last_byte(5), chain_id: ChainId(421_614) };

fn assertion() -> Assertion {
    let json = super::block(&super::result("arbitrum", "arb-sepolia-eth_getBlockByNumber-03.json"));
    Assertion {
        parent: word(1),
        block_hash: json.hash,
        send_root: json.nitro.send_root.unwrap(),
        batch: 5,
        position_in_batch: 0,
        machine_status: 1,
        end_history_root: word(4),
        inbox_accumulator: word(5),
        header: alloy_rlp::encode(&json.header).into(),
    }
}

fn nitro_l1(assertion: &Assertion, status: u8) -> L1 {
    let mut state = Vec::new();
    state.extend(assertion.block_hash.0);
    state.extend(assertion.send_root.0);
    state.extend(U256::from(5).to_be_bytes::<32>());
    state.extend(U256::ZERO.to_be_bytes::<32>());
    state.extend(U256::from(assertion.machine_status).to_be_bytes::<32>());
    state.extend(word(4).0);
    let hash = keccak256([word(1).0, keccak256(state).0, word(5).0].concat());
    let entry = keccak256([hash.0, U256::from(117).to_be_bytes::<32>()].concat());
    let node = (U256::from(status) << 200)
        | (U256::from(1) << 192)
        | (U256::from(300) << 128)
        | (U256::from(200) << 64)
        | U256::from(100);
    let mut l1 = L1(BTreeMap::new());
    l1.set(NITRO.rollup, slot(101), U256::from(421_614));
    l1.set(NITRO.rollup, slot(116), hash.into());
    l1.set(NITRO.rollup, entry, node);
    l1
}

#[test]
fn nitros_confirmed_assertion() {
    let sound = assertion();
    let l1 = nitro_l1(&sound, 2);
    let settled = l1.settled(&NITRO, &Opening::Assertion(Box::new(sound.clone()))).unwrap();
    assert_eq!(settled.head, Some(BlockRef { number: 0xb0a_6c25, hash: sound.block_hash }));
    assert_eq!((settled.message_root, settled.batch), (sound.send_root, Some(5)));

    let changes: [fn(&mut Assertion); 9] = [
        |assertion| assertion.parent = word(9),
        |assertion| assertion.block_hash = word(9),
        |assertion| assertion.send_root = word(9),
        |assertion| assertion.batch += 1,
        |assertion| assertion.position_in_batch += 1,
        |assertion| assertion.machine_status = 2,
        |assertion| assertion.end_history_root = word(9),
        |assertion| assertion.inbox_accumulator = word(9),
        |assertion| assertion.header = Bytes::from_static(b"\xc0"),
    ];
    for change in changes {
        let mut other = sound.clone();
        change(&mut other);
        let error = l1.settled(&NITRO, &Opening::Assertion(Box::new(other))).unwrap_err();
        assert!(matches!(error, SettlementError::Differs { .. }), "{error}");
    }
    let opening = Opening::Assertion(Box::new(sound.clone()));
    let error = nitro_l1(&sound, 1).settled(&NITRO, &opening).unwrap_err();
    assert!(matches!(error, SettlementError::NotFinal { found: 1, needed: 2, .. }));
    let mut stuck = sound.clone();
    stuck.machine_status = 2;
    let error = nitro_l1(&stuck, 2).settled(&NITRO, &Opening::Assertion(Box::new(stuck))).unwrap_err();
    assert!(matches!(error, SettlementError::NotFinal { what: "the machine", .. }));
    let other = NitroContracts { chain_id: ChainId(42_161), ..NITRO };
    let error = l1.settled(&other, &opening).unwrap_err();
    assert!(matches!(error, SettlementError::Differs { field: "chain id", .. }));
}

const ZK: ZkContracts = ZkContracts {
    bridgehub: Address::with_last_byte(6),
    diamond: Address::with_last_byte(7),
    chain_id: ChainId(324),
};

fn batch() -> StoredBatch {
    StoredBatch {
        number: 468_355,
        state_root: word(1),
        index_repeated_storage_changes: 7,
        l1_transactions: U256::from(1),
        priority_operations_hash: word(2),
        dependency_roots_hash: None,
        logs_root: word(3),
        timestamp: U256::from(1_711_649_164_u64),
        commitment: word(4),
    }
}

fn zk_l1(batch: &StoredBatch, executed: u64) -> L1 {
    let mut info = Vec::new();
    info.extend(U256::from(batch.number).to_be_bytes::<32>());
    info.extend(batch.state_root.0);
    info.extend(U256::from(7).to_be_bytes::<32>());
    info.extend(U256::from(1).to_be_bytes::<32>());
    info.extend(word(2).0);
    info.extend(batch.dependency_roots_hash.iter().flat_map(|hash| hash.0));
    info.extend(word(3).0);
    info.extend(batch.timestamp.to_be_bytes::<32>());
    info.extend(word(4).0);
    let key = U256::from(batch.number).to_be_bytes::<32>();
    let entry = keccak256([key, U256::from(14).to_be_bytes::<32>()].concat());
    let mut l1 = L1(BTreeMap::new());
    l1.set(ZK.diamond, slot(11), U256::from(executed));
    l1.set(ZK.diamond, slot(40), U256::from(324));
    l1.set(ZK.diamond, entry, keccak256(info).into());
    l1
}

#[test]
fn zksyncs_executed_batch() {
    let newer = StoredBatch { dependency_roots_hash: Some(word(8)), ..batch() };
    for batch in [batch(), newer] {
        let settled = zk_l1(&batch, 468_400).settled(&ZK, &Opening::Batch(Box::new(batch.clone()))).unwrap();
        assert_eq!((settled.head, settled.batch), (None, Some(468_355)));
        assert_eq!((settled.state_root, settled.message_root), (word(1), word(3)));
    }
    let l1 = zk_l1(&batch(), 468_400);
    let changes: [fn(&mut StoredBatch); 9] = [
        |batch| batch.number -= 1,
        |batch| batch.state_root = word(9),
        |batch| batch.index_repeated_storage_changes += 1,
        |batch| batch.l1_transactions += U256::from(1),
        |batch| batch.priority_operations_hash = word(9),
        |batch| batch.dependency_roots_hash = Some(word(9)),
        |batch| batch.logs_root = word(9),
        |batch| batch.timestamp += U256::from(1),
        |batch| batch.commitment = word(9),
    ];
    for change in changes {
        let mut other = batch();
        change(&mut other);
        let error = l1.settled(&ZK, &Opening::Batch(Box::new(other))).unwrap_err();
        assert!(matches!(error, SettlementError::Differs { field: "batch hash", .. }), "{error}");
    }
    let opening = Opening::Batch(Box::new(batch()));
    let error = zk_l1(&batch(), 468_354).settled(&ZK, &opening).unwrap_err();
    assert!(matches!(error, SettlementError::NotFinal { found: 468_354, .. }));
    let mut elsewhere = zk_l1(&batch(), 468_400);
    elsewhere.set(ZK.diamond, slot(50), U256::from(1));
    let error = elsewhere.settled(&ZK, &opening).unwrap_err();
    assert!(matches!(error, SettlementError::Differs { field: "settlement layer", .. }));
    let mut other = zk_l1(&batch(), 468_400);
    other.set(ZK.diamond, slot(40), U256::from(325));
    let error = other.settled(&ZK, &opening).unwrap_err();
    assert!(matches!(error, SettlementError::Differs { field: "chain id", .. }));
}

#[test]
fn an_opening_of_another_stack_and_a_proof_without_the_word() {
    let l1 = zk_l1(&batch(), 468_400);
    let opening = Opening::Batch(Box::new(batch()));
    assert_eq!(l1.settled(&NITRO, &opening), Err(SettlementError::Stack { expected: "nitro" }));
    assert_eq!(l1.settled(&OP, &opening), Err(SettlementError::Stack { expected: "op-stack" }));
    let assertion = Opening::Assertion(Box::new(assertion()));
    assert_eq!(l1.settled(&ZK, &assertion), Err(SettlementError::Stack { expected: "zksync" }));

    let queries = ZK.slots(&opening).unwrap();
    let (root, mut proofs) = l1.proofs(&queries);
    let dropped = proofs[0].slots.remove(0);
    let proven = ProvenL1::verify(AT, root, &proofs).unwrap();
    let unproven = SettlementError::Unproven { account: ZK.diamond, slot: dropped.slot };
    assert!(
        ZK.settled(&opening, &proven).is_err_and(|error| matches!(error, SettlementError::Unproven { .. }))
    );
    assert_eq!(unproven.to_string(), format!("slot {} of {} is not in the proof", dropped.slot, ZK.diamond));

    let (root, mut proofs) = l1.proofs(&queries);
    proofs[0].slots[0].word = word(1);
    assert!(ProvenL1::verify(AT, root, &proofs).is_err());
    assert!(ProvenL1::verify(AT, word(1), &l1.proofs(&queries).1).is_err());
}
