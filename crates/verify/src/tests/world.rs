//! A chain in memory that makes blocks with exact witnesses, by the same executor that judges them.

use crate::{
    block::{Transaction, Transactions},
    execute::{Checked, execute},
    receipts::ReceiptTrie,
    state::{Recorder, Source, StateDb},
    trie::{NodeSet, NodeSource, Trie},
    *,
};
use alloy_consensus::{
    Block, BlockBody, Header, SignableTransaction, TxEip1559, TxEip4844, constants::EMPTY_OMMER_ROOT_HASH,
    transaction::SignerRecoverable,
};
use alloy_eips::{
    eip1559::BaseFeeParams,
    eip2718::Encodable2718,
    eip2935, eip4788,
    eip4895::{Withdrawal, Withdrawals},
    eip7002, eip7251,
};
use alloy_genesis::ChainConfig;
use alloy_primitives::{
    Address, B256, Bytes, Signature, TxKind, U256, address, bytes, hex, keccak256, map::B256Map,
};
use alloy_trie::{TrieAccount, root::ordered_trie_root_encoded};
use k256::ecdsa::SigningKey;
use revm::database::State;

pub(super) const TOKEN: Address = address!("00000000000000000000000000000000000000a1");
pub(super) const GATEWAY: Address = address!("00000000000000000000000000000000000000a2");
pub(super) const STORE: Address = address!("00000000000000000000000000000000000000a3");
pub(super) const LOOKBACK: Address = address!("00000000000000000000000000000000000000a4");

/// `transfer(address,uint256)`, whatever the selector: two balances keyed as Solidity does, one `Transfer` log.
const TOKEN_CODE: Bytes = bytes!(
    "335f525f60205260243560405260405f208054604051900390556004355f5260405f2080546040510190555f51\
     337fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef60206040a300"
);
/// Logs `MessageSent` with the first word as the id and the rest as the data.
const GATEWAY_CODE: Bytes = bytes!(
    "6020360360205f375f357f7446eaa0a0dda80670b3bfe972bfbefab659bcfb67abad4e0b64dc4630a704816020\
     36035fa200"
);
/// Stores the second word at the slot named by the first, for each pair of words.
const STORE_CODE: Bytes = bytes!("5f5b80361460165780602001358135556040016001565b00");
/// Stores the hash of the block whose number is the first word.
const LOOKBACK_CODE: Bytes = bytes!("5f35405f5500");

/// What an account starts with.
#[derive(Debug, Clone, Default)]
pub(super) struct Start {
    pub(super) balance: U256,
    pub(super) code: Bytes,
    pub(super) storage: Vec<(B256, U256)>,
}

#[derive(Debug, Default)]
struct Store {
    nodes: NodeSet,
    codes: B256Map<Bytes>,
    headers: Vec<Header>,
}

impl NodeSource for &Store {
    fn node(&self, hash: &B256) -> Option<&[u8]> {
        self.nodes.node(hash)
    }
}

impl Source for &Store {
    fn code(&self, hash: &B256) -> Option<Bytes> {
        self.codes.get(hash).cloned()
    }

    fn block_hash(&self, number: u64) -> Option<B256> {
        self.headers.get(usize::try_from(number).ok()?).map(Header::hash_slow)
    }
}

/// A block and its evidence.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) parent: CertifiedHeader,
    pub(super) header: Header,
    pub(super) body: BlockBody<Transaction>,
    pub(super) witness: Witness,
}

impl Made {
    pub(super) fn rlp(&self) -> Vec<u8> {
        alloy_rlp::encode(Block { header: self.header.clone(), body: self.body.clone() })
    }

    pub(super) fn judge(&self, verifier: &Verifier) -> Verdict {
        verifier.verify(&self.parent, self.header.hash_slow(), &self.rlp(), &self.witness)
    }
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) spec: ChainSpec,
    store: Store,
    nonces: std::collections::BTreeMap<Address, u64>,
    pub(super) gas_limit: u64,
}

pub(super) fn config() -> ChainConfig {
    ChainConfig {
        chain_id: 4_242,
        cancun_time: Some(0),
        prague_time: Some(0),
        osaka_time: Some(0),
        ..Default::default()
    }
}

pub(super) fn key(seed: u32) -> SigningKey {
    SigningKey::from_slice(keccak256(seed.to_be_bytes()).as_slice()).unwrap()
}

pub(super) fn address_of(key: &SigningKey) -> Address {
    Address::from_private_key(key)
}

/// The slot of an account's balance in [`TOKEN`].
pub(super) fn balance_slot(account: Address) -> B256 {
    let mut bytes = [0; 64];
    bytes[12..32].copy_from_slice(account.as_slice());
    keccak256(bytes)
}

impl World {
    /// `keys` funded accounts, all with tokens; the four contracts; the system contracts.
    pub(super) fn new(spec: ChainSpec, keys: u32) -> Self {
        let mut alloc: Vec<(Address, Start)> = vec![
            (GATEWAY, Start { code: GATEWAY_CODE, ..Default::default() }),
            (STORE, Start { code: STORE_CODE, ..Default::default() }),
            (LOOKBACK, Start { code: LOOKBACK_CODE, ..Default::default() }),
            (
                eip4788::BEACON_ROOTS_ADDRESS,
                Start { code: eip4788::BEACON_ROOTS_CODE.clone(), ..Default::default() },
            ),
            (
                eip2935::HISTORY_STORAGE_ADDRESS,
                Start { code: eip2935::HISTORY_STORAGE_CODE.clone(), ..Default::default() },
            ),
            (
                eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
                Start { code: eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE.clone(), ..Default::default() },
            ),
            (
                eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
                Start { code: eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_CODE.clone(), ..Default::default() },
            ),
        ];
        let mut balances = Vec::new();
        for seed in 0..keys {
            let account = address_of(&key(seed));
            alloc
                .push((account, Start { balance: U256::from(10).pow(U256::from(24)), ..Default::default() }));
            balances.push((balance_slot(account), U256::from(1_000_000_000)));
        }
        alloc.push((TOKEN, Start { code: TOKEN_CODE, storage: balances, ..Default::default() }));

        let (mut store, mut accounts) = (Store::default(), Trie::empty());
        for (address, start) in alloc {
            let mut storage = Trie::empty();
            for (slot, value) in start.storage {
                storage.insert(&keccak256(slot), alloy_rlp::encode(value), &()).unwrap();
            }
            let storage_root = storage
                .commit(&mut |hash, node| store.nodes.insert_hashed(hash, Bytes::copy_from_slice(node)));
            let code_hash = keccak256(&start.code);
            store.codes.insert(code_hash, start.code.clone());
            let nonce = u64::from(!start.code.is_empty());
            let account = TrieAccount { nonce, balance: start.balance, storage_root, code_hash };
            accounts.insert(&keccak256(address), alloy_rlp::encode(account), &()).unwrap();
        }
        let state_root =
            accounts.commit(&mut |hash, node| store.nodes.insert_hashed(hash, Bytes::copy_from_slice(node)));
        let gas_limit = 60_000_000;
        store.headers.push(Header {
            state_root,
            gas_limit,
            timestamp: 1_000,
            base_fee_per_gas: Some(1_000_000_000),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            ..Default::default()
        });
        Self { spec, store, nonces: Default::default(), gas_limit }
    }

    pub(super) fn verifier(&self) -> Verifier {
        Verifier::new(self.spec.clone(), vec![GATEWAY], Limits::default())
    }

    /// A transaction signed by `seed`'s key, with its next nonce.
    pub(super) fn transaction(&mut self, seed: u32, to: TxKind, value: u64, input: Bytes) -> Transaction {
        let key = key(seed);
        let nonce = self.nonces.entry(address_of(&key)).or_default();
        let transaction = TxEip1559 {
            chain_id: self.spec.chain_id().0,
            nonce: *nonce,
            gas_limit: 200_000 + 50_000 * (input.len() / 64) as u64,
            max_fee_per_gas: 100_000_000_000,
            max_priority_fee_per_gas: 1,
            to,
            value: U256::from(value),
            input,
            access_list: Default::default(),
        };
        *nonce += 1;
        sign(&key, transaction)
    }

    /// A token transfer.
    pub(super) fn transfer(&mut self, seed: u32, to: Address, amount: u64) -> Transaction {
        let mut input = hex!("a9059cbb").to_vec();
        input.extend_from_slice(to.into_word().as_slice());
        input.extend_from_slice(&U256::from(amount).to_be_bytes::<32>());
        self.transaction(seed, TxKind::Call(TOKEN), 0, input.into())
    }

    /// Write slots of [`STORE`].
    pub(super) fn write(&mut self, seed: u32, slots: &[(u64, u64)]) -> Transaction {
        let words = slots.iter().flat_map(|(slot, value)| [U256::from(*slot), U256::from(*value)]);
        let input: Vec<u8> = words.flat_map(|word| word.to_be_bytes::<32>()).collect();
        self.transaction(seed, TxKind::Call(STORE), 0, input.into())
    }

    /// Make the next block.
    pub(super) fn make(&mut self, transactions: Vec<Transaction>, withdrawals: Vec<Withdrawal>) -> Made {
        let parent = CertifiedHeader::from_anchor(self.store.headers.last().unwrap().clone());
        let timestamp = parent.header().timestamp + 1;
        let params = self.spec.blob_params(timestamp).unwrap();
        let raw: Vec<Vec<u8>> = transactions.iter().map(Encodable2718::encoded_2718).collect();
        let raw_withdrawals: Vec<Vec<u8>> = withdrawals.iter().map(alloy_rlp::encode).collect();
        let mut header = Header {
            parent_hash: parent.hash(),
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: Address::repeat_byte(0xcb),
            transactions_root: ordered_trie_root_encoded(&raw),
            withdrawals_root: Some(ordered_trie_root_encoded(&raw_withdrawals)),
            number: parent.header().number + 1,
            gas_limit: self.gas_limit,
            timestamp,
            base_fee_per_gas: parent.header().next_block_base_fee(BaseFeeParams::ethereum()),
            excess_blob_gas: parent.header().next_block_excess_blob_gas(params),
            parent_beacon_block_root: Some(B256::repeat_byte(0xbe)),
            ..Default::default()
        };
        let senders: Vec<Address> = transactions.iter().map(|t| t.recover_signer().unwrap()).collect();
        let transactions = Transactions::Ethereum(transactions);
        let checked = Checked { header: header.clone(), transactions, withdrawals: Some(withdrawals) };

        let database = StateDb::new(parent.header().state_root, Recorder::new(&self.store));
        let mut state = State::builder().with_database(database).with_bundle_update().build();
        let trie = ReceiptTrie::new(checked.transactions.len());
        let outcome =
            execute(&self.spec, &checked, &senders, &mut state, |start, chunk| trie.hash(start, &chunk))
                .unwrap();
        let changes = state.transition_state.take().unwrap();
        let new_codes: Vec<(B256, Bytes)> =
            state.cache.contracts.iter().map(|(hash, code)| (*hash, code.original_bytes())).collect();
        let mut new_nodes = Vec::new();
        header.state_root = state
            .database
            .commit(changes, &mut |hash, node| new_nodes.push((hash, Bytes::copy_from_slice(node))))
            .unwrap();
        (header.receipts_root, header.logs_bloom) = trie.finish();
        header.gas_used = outcome.gas_used;
        header.blob_gas_used = Some(outcome.blob_gas_used);
        header.requests_hash = Some(outcome.requests.requests_hash());

        let recorder = state.database.source();
        let needed = recorder.oldest_block().map_or(usize::MAX, |oldest| oldest as usize + 1);
        let headers = self.store.headers.get(needed..self.store.headers.len() - 1).unwrap_or_default();
        let headers = headers.iter().map(|header| alloy_rlp::encode(header).into()).collect();
        let witness = Witness { state: recorder.nodes(), codes: recorder.codes(), headers };
        drop(state);
        for (hash, node) in new_nodes {
            self.store.nodes.insert_hashed(hash, node);
        }
        self.store.codes.extend(new_codes);
        self.store.headers.push(header.clone());
        let Transactions::Ethereum(transactions) = checked.transactions else { unreachable!() };
        let body = BlockBody {
            transactions,
            ommers: vec![],
            withdrawals: checked.withdrawals.map(Withdrawals::new),
        };
        Made { parent, header, body, witness }
    }
}

pub(super) fn sign(
    key: &SigningKey,
    transaction: impl SignableTransaction<Signature> + Into<Unsigned>,
) -> Transaction {
    let (signature, recovery) =
        key.sign_prehash_recoverable(transaction.signature_hash().as_slice()).unwrap();
    let signature = Signature::from((signature, recovery));
    match transaction.into() {
        Unsigned::Fee(transaction) => transaction.into_signed(signature).into(),
        Unsigned::Blob(transaction) => transaction.into_signed(signature).into(),
    }
}

/// The kinds of transaction that tests sign.
pub(super) enum Unsigned {
    Fee(TxEip1559),
    Blob(TxEip4844),
}

impl From<TxEip1559> for Unsigned {
    fn from(transaction: TxEip1559) -> Self {
        Self::Fee(transaction)
    }
}

impl From<TxEip4844> for Unsigned {
    fn from(transaction: TxEip4844) -> Self {
        Self::Blob(transaction)
    }
}
