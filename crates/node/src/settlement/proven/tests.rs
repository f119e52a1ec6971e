//! No live L1: its state is built here with the contracts' recorded layouts, and proven by real tries.

use super::*;
use crate::{
    config::{Network, tests::fixture},
    settlement::Settlement,
};
use alloy_consensus::{Block, BlockBody, TxEnvelope};
use alloy_primitives::LogData;
use alloy_sol_types::SolValue as _;
use alloy_trie::{
    EMPTY_ROOT_HASH, HashBuilder, Nibbles, TrieAccount, proof::ProofRetainer, root::ordered_trie_root_encoded,
};
use futures::{FutureExt as _, executor::block_on, future::BoxFuture};
use hum_chain::{Log, ProvenSlot, RawBlock, RawWitness, StateProof};
use hum_types::Confidence;
use std::collections::BTreeMap;

const A: ChainId = ChainId(901);
const REGISTRY: Address = Address::with_last_byte(2);
const FACTORY: Address = Address::with_last_byte(3);
const GAME: Address = Address::with_last_byte(4);
const ROLLUP: Address = Address::with_last_byte(5);
const INBOX: Address = Address::with_last_byte(6);
/// The rollup's settled block.
const SETTLED: u64 = 30;
const CREATED: u64 = 17;

fn word(byte: u8) -> B256 {
    B256::repeat_byte(byte)
}

/// A trie's root, and the nodes that prove `key` in it.
fn prove(leaves: &BTreeMap<B256, Vec<u8>>, key: B256) -> (B256, Vec<Bytes>) {
    if leaves.is_empty() {
        return (EMPTY_ROOT_HASH, Vec::new());
    }
    let retainer = ProofRetainer::new(vec![Nibbles::unpack(key)]);
    let mut builder = HashBuilder::default().with_proof_retainer(retainer);
    leaves.iter().for_each(|(key, value)| builder.add_leaf(Nibbles::unpack(key), value));
    let root = builder.root();
    let nodes = builder.take_proof_nodes().into_nodes_sorted();
    (root, nodes.into_iter().map(|(_, node)| node).collect())
}

/// What a block of the OP Stack begins with, as far as anybody looks at it here. Only behind it may another root stand in
/// the place of the withdrawals'.
const DEPOSIT: [u8; 2] = [0x7e, 0xc0];

fn raw(header: &Header) -> RawBlock {
    let body = BlockBody::<TxEnvelope>::default();
    let plain = alloy_rlp::encode(Block { header: header.clone(), body });
    if header.withdrawals_root.is_none() {
        return RawBlock::from_rlp(plain.into()).unwrap();
    }
    let mut payload = alloy_rlp::encode(header);
    payload.extend(alloy_rlp::encode(vec![Bytes::from(DEPOSIT)]));
    payload.extend([0xc0, 0xc0]);
    let mut rlp = Vec::new();
    alloy_rlp::Header { list: true, payload_length: payload.len() }.encode(&mut rlp);
    rlp.extend(payload);
    RawBlock::from_rlp(rlp.into()).unwrap()
}

/// One chain, as a node of it shows it: L1, or the rollup.
#[derive(Debug, Clone, Default)]
struct Node {
    /// L1's storage.
    words: BTreeMap<(Address, B256), U256>,
    /// What the node says of words without proof, where it differs.
    said: BTreeMap<(Address, B256), U256>,
    answers: BTreeMap<(Address, [u8; 4]), Bytes>,
    logs: Vec<Log>,
    headers: Vec<Header>,
    /// Served in the place of the block of this hash.
    forged: BTreeMap<B256, Header>,
}

impl Node {
    fn set(&mut self, account: Address, slot: B256, word: U256) {
        self.words.insert((account, slot), word);
    }

    fn answer<C: SolCall>(&mut self, to: Address, answer: impl Into<U256>) {
        let answer: U256 = answer.into();
        self.answers.insert((to, C::SELECTOR), answer.to_be_bytes::<32>().to_vec().into());
    }

    fn storage_of(&self, account: Address) -> BTreeMap<B256, Vec<u8>> {
        let own = self.words.iter().filter(|((of, _), word)| *of == account && !word.is_zero());
        own.map(|((_, slot), word)| (keccak256(slot), alloy_rlp::encode(word))).collect()
    }

    fn accounts(&self) -> BTreeMap<B256, Vec<u8>> {
        let accounts =
            self.words.keys().map(|(account, _)| *account).chain((100..120).map(Address::with_last_byte));
        let leaf = |account| TrieAccount {
            nonce: 1,
            storage_root: prove(&self.storage_of(account), B256::ZERO).0,
            ..Default::default()
        };
        accounts.map(|account| (keccak256(account), alloy_rlp::encode(leaf(account)))).collect()
    }

    /// L1's final block: its header has the root of what stands in the storage now.
    fn seal(mut self) -> (Self, L1Origin) {
        let header =
            Header { number: 40, state_root: prove(&self.accounts(), B256::ZERO).0, ..Default::default() };
        let at = L1Origin { number: 40, hash: header.hash_slow() };
        self.headers.push(header);
        (self, at)
    }

    fn find(&self, at: At) -> Option<RawBlock> {
        let found = |hash: B256| self.headers.iter().find(|header| header.hash_slow() == hash);
        match at {
            At::Hash(hash) => self.forged.get(&hash).or_else(|| found(hash)),
            At::Number(number) => self.headers.iter().find(|header| header.number == number),
            At::Tag(_) => self.headers.last(),
        }
        .map(raw)
    }
}

impl Chain for Node {
    fn chain_id(&self) -> ChainId {
        ChainId(1)
    }

    fn head(&self, _: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        unreachable!("the caller names the block")
    }

    fn block(&self, at: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        async move { Ok(self.find(at)) }.boxed()
    }

    fn witness(&self, _: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        unreachable!("blocks are not executed")
    }

    fn logs(&self, query: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        let wanted = |log: &&Log| {
            (query.from..=query.to).contains(&log.block.number)
                && query.addresses.contains(&log.address)
                && log.topics.first().is_some_and(|topic| query.topics.contains(topic))
        };
        let logs = self.logs.iter().filter(wanted).cloned().collect();
        async { Ok(logs) }.boxed()
    }

    fn call(&self, to: Address, data: Bytes, at: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        assert_eq!(at, At::Number(40), "as of the block that was named");
        let selector = data.get(..4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        let answer = self.answers.get(&(to, selector)).cloned().unwrap_or_default();
        async { Ok(answer) }.boxed()
    }

    fn storage(&self, account: Address, slot: B256, at: At) -> BoxFuture<'_, Result<B256, ReadError>> {
        assert_eq!(at, At::Number(40), "as of the block that was named");
        let said = self.said.get(&(account, slot)).or_else(|| self.words.get(&(account, slot)));
        let word = said.copied().unwrap_or_default().into();
        async move { Ok(word) }.boxed()
    }

    fn proof(
        &self,
        account: Address,
        slots: Vec<B256>,
        _: At,
    ) -> BoxFuture<'_, Result<StateProof, ReadError>> {
        let words = self.storage_of(account);
        let slots = slots.into_iter().map(|slot| ProvenSlot {
            slot,
            word: self.words.get(&(account, slot)).copied().unwrap_or_default().into(),
            nodes: prove(&words, keccak256(slot)).1,
        });
        let nodes = prove(&self.accounts(), keccak256(account)).1;
        let proof = StateProof { account, nodes, slots: slots.collect() };
        async { Ok(proof) }.boxed()
    }

    fn code(&self, _: Address, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        unreachable!("code is not read")
    }

    fn balance(&self, _: Address) -> BoxFuture<'_, Result<U256, ReadError>> {
        unreachable!("nothing is paid")
    }

    fn nonce(&self, _: Address) -> BoxFuture<'_, Result<u64, ReadError>> {
        unreachable!("nothing is sent")
    }
}

#[derive(Debug)]
struct One(Arc<Node>);

impl Nodes for One {
    fn node(&self, member: &Member) -> Option<Arc<dyn Chain>> {
        (member.entry.chain_id == A).then(|| self.0.clone() as Arc<dyn Chain>)
    }
}

/// The rollup's blocks up to the settled one.
fn chain() -> Node {
    let mut headers: Vec<Header> = Vec::new();
    for number in 20..=SETTLED {
        headers.push(Header {
            number,
            parent_hash: headers.last().map_or(word(7), Header::hash_slow),
            state_root: word(1),
            base_fee_per_gas: Some(7),
            transactions_root: ordered_trie_root_encoded(&[DEPOSIT]),
            withdrawals_root: Some(word(2)),
            extra_data: word(3).to_vec().into(),
            ..Default::default()
        });
    }
    Node { headers, ..Node::default() }
}

fn settled_header() -> Header {
    chain().headers.pop().unwrap()
}

struct Scene {
    l1: Node,
    node: Node,
    settlement: SettlementEntry,
}

impl Scene {
    fn source(self) -> (L1Settlement, L1Origin) {
        let (l1, at) = self.l1.seal();
        let mut file = fixture::network_file(4, &[A, ChainId(902)]);
        file.rollups[0].settlement = None;
        let network: Network = file.check().unwrap();
        let member = network.member(A).unwrap();
        let entry = crate::config::RollupEntry { settlement: Some(self.settlement), ..member.entry.clone() };
        let members = crate::members::Members::new([Member { entry, ..Member::clone(&member) }], None);
        let mut source =
            L1Settlement::new(Arc::new(l1), &network).with_nodes(Arc::new(One(Arc::new(self.node))));
        (source.members, source.inbox) = (members, Some(INBOX));
        (source, at)
    }

    fn read(self) -> Result<Proven, ReadError> {
        let (source, at) = self.source();
        block_on(source.proven(A, at))
    }
}

/// Says why nothing is settled.
fn refused(scene: fn() -> Scene, change: impl FnOnce(&mut Scene)) -> String {
    let mut scene = scene();
    change(&mut scene);
    match scene.read() {
        Ok(Proven::Head(head)) => panic!("{head} is settled"),
        Ok(Proven::Nothing(why)) => why,
        Err(error) => error.to_string(),
    }
}

fn settled() -> BlockRef {
    BlockRef { number: SETTLED, hash: settled_header().hash_slow() }
}

fn game_entry() -> B256 {
    let output = OutputProposal {
        version: B256::ZERO,
        state_root: word(1),
        message_passer_root: word(2),
        block_hash: settled().hash,
    };
    let extra = Bytes::from(U256::from(SETTLED).to_be_bytes::<32>().to_vec());
    mapping_slot(keccak256((8_u32, output.root(), extra).abi_encode_params()), 103)
}

fn op() -> Scene {
    let mut l1 = Node::default();
    let address = |address: Address| U256::from_be_bytes(address.into_word().0);
    l1.set(REGISTRY, slot(1), address(FACTORY));
    l1.set(REGISTRY, slot(2), address(GAME));
    l1.set(FACTORY, game_entry(), (U256::from(8) << 224) | (U256::from(77) << 160) | address(GAME));
    l1.set(GAME, slot(0), U256::from(2) << 128);
    l1.answer::<gameTypeCall>(GAME, U256::from(8));
    l1.answer::<l2BlockNumberCall>(GAME, U256::from(SETTLED));
    l1.answer::<BatchInbox::openedAtCall>(INBOX, U256::ZERO);
    let settlement =
        SettlementEntry::OpStack { anchor_registry: REGISTRY, game_factory: FACTORY, from_block: 1 };
    Scene { l1, node: chain(), settlement }
}

#[test]
fn the_anchor_of_the_op_stack_is_settled_when_l1_proves_it() {
    assert_eq!(op().read().unwrap(), Proven::Head(settled()));
}

#[test]
fn no_field_of_the_op_stacks_can_be_another() {
    let no = |change: fn(&mut Scene)| refused(op, change);
    assert!(no(|scene| scene.l1.set(REGISTRY, slot(1), U256::from(9))).contains("dispute game factory"));
    assert!(no(|scene| scene.l1.set(REGISTRY, slot(2), U256::from(9))).contains("0x"));
    assert!(no(|scene| scene.l1.set(FACTORY, game_entry(), U256::ZERO)).contains("game of the claim"));
    let retyped = |scene: &mut Scene| {
        let entry = (U256::from(1) << 224) | U256::from(4);
        scene.l1.set(FACTORY, game_entry(), entry);
    };
    assert!(no(retyped).contains("type of the game"));
    assert!(no(|scene| scene.l1.set(GAME, slot(0), U256::from(1) << 128)).contains("has status 1"));
    assert!(no(|scene| scene.l1.answer::<gameTypeCall>(GAME, U256::from(1))).contains("game of the claim"));
    assert!(
        no(|scene| scene.l1.answer::<l2BlockNumberCall>(GAME, U256::from(29))).contains("game of the claim")
    );
    // The node of L1 says of a word what its state does not prove.
    let says = |scene: &mut Scene| {
        scene.l1.said.insert((REGISTRY, slot(2)), U256::from(9));
        scene.l1.answer::<gameTypeCall>(Address::with_last_byte(9), U256::from(8));
        scene.l1.answer::<l2BlockNumberCall>(Address::with_last_byte(9), U256::from(SETTLED));
    };
    assert!(no(says).contains("anchor game"));
}

#[test]
fn a_node_that_lies_about_openings_achieves_nothing() {
    let no = |change: fn(&mut Header)| refused(op, |scene| change(scene.node.headers.last_mut().unwrap()));
    let fields: [fn(&mut Header); 4] = [
        |header| header.state_root = word(9),
        |header| header.withdrawals_root = Some(word(9)),
        |header| header.parent_hash = word(9),
        |header| header.timestamp = 9,
    ];
    for field in fields {
        assert!(no(field).contains("game of the claim"), "{}", no(field));
    }
    assert!(refused(op, |scene| drop(scene.node.headers.pop())).contains("block"));
    // The same for Nitro: the header must be the one that the assertion names.
    let other = refused(nitro, |scene| {
        let forged = Header { timestamp: 9, ..settled_header() };
        scene.node.forged.insert(settled().hash, forged);
    });
    assert!(other.contains("block hash"), "{other}");
}

#[test]
fn the_block_must_be_the_one_that_was_named() {
    let (source, at) = op().source();
    let other = L1Origin { hash: word(9), ..at };
    assert!(block_on(source.proven(A, other)).is_err());
}

#[test]
fn who_posts_batches_is_settled_by_nothing_else() {
    for scene in [op, nitro] {
        let why = refused(scene, |scene| {
            scene.l1.answer::<BatchInbox::openedAtCall>(INBOX, U256::from(12));
        });
        assert!(why.contains("posts batches since L1 block 12"), "{why}");
    }
}

#[test]
fn what_is_settled_before_the_first_game() {
    let starting = || {
        let mut scene = op();
        let output = OutputProposal {
            version: B256::ZERO,
            state_root: word(1),
            message_passer_root: word(2),
            block_hash: settled().hash,
        };
        scene.l1.set(REGISTRY, slot(2), U256::ZERO);
        scene.l1.set(REGISTRY, slot(3), output.root().into());
        scene.l1.set(REGISTRY, slot(4), U256::from(SETTLED));
        scene
    };
    assert_eq!(starting().read().unwrap(), Proven::Head(settled()));
    let why = refused(starting, |scene| scene.l1.set(REGISTRY, slot(3), U256::from(9)));
    assert!(why.contains("starting anchor root"), "{why}");
}

/// The event of an assertion that ends with the settled block.
fn created() -> AssertionCreated {
    let state = |block_hash: B256| AssertionState {
        globalState: GlobalState { bytes32Vals: [block_hash, word(3)], u64Vals: [5, 1] },
        machineStatus: 1,
        endHistoryRoot: word(4),
    };
    let config = ConfigData {
        wasmModuleRoot: word(8),
        requiredStake: U256::from(1),
        challengeManager: Address::ZERO,
        confirmPeriodBlocks: 45_818,
        nextInboxPosition: 6,
    };
    let before =
        BeforeStateData { prevPrevAssertionHash: word(8), sequencerBatchAcc: word(8), configData: config };
    let inputs = AssertionInputs {
        beforeStateData: before,
        beforeState: state(word(8)),
        afterState: state(settled().hash),
    };
    AssertionCreated {
        assertionHash: assertion_hash(),
        parentAssertionHash: word(6),
        assertion: inputs,
        afterInboxBatchAcc: word(5),
        inboxMaxCount: U256::from(6),
        wasmModuleRoot: word(8),
        requiredStake: U256::from(1),
        challengeManager: Address::ZERO,
        confirmPeriodBlocks: 45_818,
    }
}

/// keccak256(parent, keccak256(state), inbox accumulator), written apart from the adapter.
fn assertion_hash() -> B256 {
    let words = [settled().hash, word(3), slot(5), slot(1), slot(1), word(4)];
    let state = keccak256(words.map(|word| word.0).concat());
    keccak256([word(6).0, state.0, word(5).0].concat())
}

fn log(event: &AssertionCreated) -> Log {
    let data: LogData = event.encode_log_data();
    Log {
        address: ROLLUP,
        topics: data.topics().to_vec(),
        data: data.data,
        block: BlockRef { number: CREATED, hash: word(1) },
        tx_hash: word(1),
        index: 0,
    }
}

fn nitro() -> Scene {
    let mut l1 = Node::default();
    l1.set(ROLLUP, slot(101), U256::from(A.0));
    l1.set(ROLLUP, slot(116), assertion_hash().into());
    l1.set(
        ROLLUP,
        mapping_slot(assertion_hash(), 117),
        (U256::from(2) << 200) | (U256::from(CREATED) << 128),
    );
    l1.answer::<BatchInbox::openedAtCall>(INBOX, U256::ZERO);
    l1.logs.push(log(&created()));
    Scene { l1, node: chain(), settlement: SettlementEntry::Nitro { rollup: ROLLUP, from_block: 1 } }
}

#[test]
fn nitros_confirmed_assertion_is_settled_when_l1_proves_it() {
    assert_eq!(nitro().read().unwrap(), Proven::Head(settled()));
}

#[test]
fn no_field_of_nitros_can_be_another() {
    let no = |change: fn(&mut Scene)| refused(nitro, change);
    assert!(no(|scene| scene.l1.set(ROLLUP, slot(101), U256::from(902))).contains("chain id"));
    assert!(no(|scene| scene.l1.set(ROLLUP, slot(116), U256::from(9))).contains("created no assertion"));
    let unconfirmed = |scene: &mut Scene| {
        let entry = (U256::from(1) << 200) | (U256::from(CREATED) << 128);
        scene.l1.set(ROLLUP, mapping_slot(assertion_hash(), 117), entry);
    };
    assert!(no(unconfirmed).contains("has status 1"));
    assert!(no(|scene| scene.l1.logs.clear()).contains("created no assertion"));
    let fields: [fn(&mut AssertionCreated); 7] = [
        |event| event.parentAssertionHash = word(9),
        |event| event.assertion.afterState.globalState.bytes32Vals[1] = word(9),
        |event| event.assertion.afterState.globalState.u64Vals[0] = 9,
        |event| event.assertion.afterState.globalState.u64Vals[1] = 9,
        |event| event.assertion.afterState.machineStatus = 2,
        |event| event.assertion.afterState.endHistoryRoot = word(9),
        |event| event.afterInboxBatchAcc = word(9),
    ];
    for field in fields {
        let why = refused(nitro, |scene| {
            let mut event = created();
            field(&mut event);
            scene.l1.logs = vec![log(&event)];
        });
        assert!(why.contains("confirmed assertion"), "{why}");
    }
}

#[test]
fn older_blocks_hang_on_a_settled_one_by_their_headers() {
    let below = |number: u64, change: &dyn Fn(&mut Node)| {
        let mut scene = op();
        change(&mut scene.node);
        let (source, _) = scene.source();
        block_on(Settlement::below(&source, A, settled(), number))
    };
    let expected = |number: u64| {
        let header = chain().headers.into_iter().find(|header| header.number == number).unwrap();
        BlockRef { number, hash: header.hash_slow() }
    };
    assert_eq!(below(SETTLED, &|_| {}).unwrap(), settled());
    assert_eq!(below(24, &|_| {}).unwrap(), expected(24));
    assert_eq!(below(19, &|_| {}).unwrap(), BlockRef { number: 19, hash: word(7) });
    assert!(below(18, &|_| {}).is_err(), "the node does not have it");
    assert!(below(SETTLED + 1, &|_| {}).is_err());
    let forged = below(24, &|node| {
        let middle = expected(27);
        let other = Header { number: 27, parent_hash: word(9), ..Default::default() };
        node.forged.insert(middle.hash, other);
    });
    assert!(forged.is_err(), "{forged:?}");
}
