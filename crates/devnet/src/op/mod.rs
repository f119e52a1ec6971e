//! A chain in memory that makes blocks by the OP Stack's rules.
//!
//! It executes with op-revm, **the same EVM that judges its blocks** (`crates/verify`): a fault of op-revm would show in neither.
//! What it holds up is everything around the EVM: forms of headers and deposits, roots, fees that arrive where they should,
//! and witnesses. It stands where a demo needs an OP Stack rollup and no client of that stack can run.
//!
//! ```text
//! OpGenesis ─▶ OpChain ── make(Attributes, candidates) ─▶ OpSealed: header, RLP, receipts, witness
//!                 └── call, account, slot, proof: any block's state
//! OpNode: a clock, an L1 that it follows ─▶ OpChain ─▶ JSON-RPC on 127.0.0.1
//! ```
//!
//! The predeploys are as little as the rules read: `L1Block` in the storage layout that fees are read from, a message
//! passer that stores a mark, the two system contracts, the CREATE2 deployer. Nothing is upgraded at forks.
//!
//! Invariant: every block in the chain was executed; nothing is dropped or replaced.

mod build;
mod contracts;
mod genesis;
mod l1;
mod node;
mod rpc;
#[cfg(test)]
mod tests;

pub use build::{Attributes, OpBuildError, OpSealed};
pub use genesis::{OpForks, OpGenesis};
pub use l1::{OpL1, portal};
pub(crate) use node::Answers;
pub use node::{OpNode, OpNodeConfig, OpNodeError};

use alloy_consensus::{Header, Transaction as _, transaction::SignerRecoverable as _};
use alloy_evm::{Evm as _, EvmFactory as _, IntoTxEnv as _};
use alloy_op_evm::{OpEvmFactory, OpTx, evm_env_for_op_block};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256, map::B256Map};
use alloy_rlp::Decodable as _;
use alloy_trie::TrieAccount;
use hum_verify::{
    ChainSpec, L1Info, Rules,
    state::{Source, StateDb, StateError},
    trie::{NodeSet, NodeSource, Trie},
};
use op_alloy_consensus::OpTxEnvelope;
use op_revm::{OpHaltReason, OpTransaction};
use revm::{
    Database as _,
    context::{TxEnv, result::ExecutionResult},
    state::AccountInfo,
};
use std::cell::RefCell;

/// An OP Stack chain in memory.
#[derive(Debug)]
pub struct OpChain {
    spec: ChainSpec,
    store: Store,
}

/// Everything that ever was, by hash; blocks by number.
#[derive(Debug, Default)]
struct Store {
    nodes: NodeSet,
    codes: B256Map<Bytes>,
    blocks: Vec<OpSealed>,
    /// Where blocks stand, and in which block a transaction does.
    places: B256Map<(usize, usize)>,
}

impl Store {
    fn push(&mut self, sealed: OpSealed) {
        let block = self.blocks.len();
        self.places.insert(sealed.hash, (block, 0));
        for (index, transaction) in sealed.transactions.iter().enumerate() {
            self.places.insert(transaction.tx_hash(), (block, index));
        }
        self.blocks.push(sealed);
    }
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
        self.blocks.get(usize::try_from(number).ok()?).map(|block| block.hash)
    }
}

/// An account with the nodes that prove it.
#[derive(Debug, Clone)]
pub struct AccountProof {
    /// The account; the default where there is none.
    pub account: TrieAccount,
    /// From the root down.
    pub nodes: Vec<Bytes>,
}

/// Remembers what a path asks for, in its order.
struct Asked<'a> {
    store: &'a Store,
    nodes: RefCell<Vec<Bytes>>,
}

impl NodeSource for Asked<'_> {
    fn node(&self, hash: &B256) -> Option<&[u8]> {
        let node = self.store.nodes.get(hash)?;
        self.nodes.borrow_mut().push(node.clone());
        Some(node)
    }
}

impl OpChain {
    /// A chain with only its genesis block.
    pub fn new(genesis: &OpGenesis) -> Result<Self, OpBuildError> {
        let spec = genesis.spec()?;
        let mut store = Store::default();
        let header = genesis.lay_out(&mut store.nodes, &mut store.codes)?;
        store.push(OpSealed::genesis(header));
        Ok(Self { spec, store })
    }

    /// Its rules.
    #[must_use]
    pub const fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// Its blocks by number, the genesis block first.
    #[must_use]
    pub fn blocks(&self) -> &[OpSealed] {
        &self.store.blocks
    }

    /// The block with this hash.
    #[must_use]
    pub fn by_hash(&self, hash: &B256) -> Option<&OpSealed> {
        let (block, _) = self.store.places.get(hash)?;
        self.store.blocks.get(*block).filter(|block| block.hash == *hash)
    }

    /// The block that has this transaction, and its place there.
    #[must_use]
    pub fn transaction(&self, hash: &B256) -> Option<(&OpSealed, usize)> {
        let (block, index) = *self.store.places.get(hash)?;
        let block = self.store.blocks.get(block).filter(|block| block.hash != *hash)?;
        Some((block, index))
    }

    /// The newest header.
    pub fn head(&self) -> Result<&Header, OpBuildError> {
        let newest = self.store.blocks.last().ok_or_else(|| OpBuildError::new("no genesis block"))?;
        Ok(&newest.header)
    }

    /// Make the next block: the information about L1, the deposits, then those of the candidates that can be executed, in
    /// their order. Those that cannot are left out.
    pub fn make(
        &mut self,
        attributes: &Attributes,
        candidates: Vec<OpTxEnvelope>,
    ) -> Result<&OpSealed, OpBuildError> {
        let made = build::make(&self.spec, &self.store, self.head()?, attributes, candidates)?;
        for (hash, node) in made.nodes {
            self.store.nodes.insert_hashed(hash, node);
        }
        self.store.codes.extend(made.codes);
        self.store.push(made.sealed);
        self.store.blocks.last().ok_or_else(|| OpBuildError::new("no block"))
    }

    /// The state after a block.
    fn state_after(&self, number: u64) -> Result<(&Header, StateDb<&Store>), OpBuildError> {
        let block = usize::try_from(number).ok().and_then(|at| self.store.blocks.get(at));
        let header = &block.ok_or_else(|| OpBuildError::new(format!("no block {number}")))?.header;
        Ok((header, StateDb::new(header.state_root, &self.store)))
    }

    /// An account after a block.
    pub fn account(&self, number: u64, address: Address) -> Result<AccountInfo, OpBuildError> {
        let (_, mut state) = self.state_after(number)?;
        Ok(state.basic(address).map_err(OpBuildError::new)?.unwrap_or_default())
    }

    /// The code that stands at an address after a block.
    pub fn code(&self, number: u64, address: Address) -> Result<Bytes, OpBuildError> {
        let hash = self.account(number, address)?.code_hash;
        Ok((&self.store).code(&hash).unwrap_or_default())
    }

    /// A slot of an account's storage after a block.
    pub fn slot(&self, number: u64, address: Address, slot: U256) -> Result<U256, OpBuildError> {
        let (_, mut state) = self.state_after(number)?;
        state.storage(address, slot).map_err(OpBuildError::new)
    }

    /// The root of an account's storage after a block.
    pub fn storage_root(&self, number: u64, address: Address) -> Result<B256, OpBuildError> {
        let (_, mut state) = self.state_after(number)?;
        state.storage_root(address).map_err(|error: StateError| OpBuildError::new(error))
    }

    /// What the newest block says of L1; none before the first block.
    pub fn l1_info(&self) -> Result<Option<L1Info>, OpBuildError> {
        let Rules::OpStack(rules) = self.spec.rules() else { return Ok(None) };
        let [.., parent, newest] = &self.store.blocks[..] else { return Ok(None) };
        let Some(OpTxEnvelope::Deposit(deposit)) = newest.transactions.first() else { return Ok(None) };
        let (before, at) = (parent.header.timestamp, newest.header.timestamp);
        L1Info::from_deposit(rules, before, at, deposit.inner()).map(Some).map_err(OpBuildError::new)
    }

    /// Whether a transaction that was not taken may be taken later: its nonce is not used up.
    pub(super) fn may_come(&self, transaction: &OpTxEnvelope) -> bool {
        let Ok(sender) = transaction.recover_signer() else { return false };
        let used = self.head().and_then(|head| self.account(head.number, sender)).map(|a| a.nonce);
        used.is_ok_and(|used| transaction.nonce() >= used)
    }

    /// An account after a block, and the nodes from the state root down to it.
    pub fn proof(&self, number: u64, address: Address) -> Result<AccountProof, OpBuildError> {
        let (header, _) = self.state_after(number)?;
        let (value, nodes) = self.path(header.state_root, keccak256(address))?;
        let account = match value {
            Some(value) => TrieAccount::decode(&mut &value[..]).map_err(OpBuildError::new)?,
            None => TrieAccount::default(),
        };
        Ok(AccountProof { account, nodes })
    }

    /// A slot after a block, and the nodes from the storage root down to it.
    pub fn slot_proof(
        &self,
        number: u64,
        address: Address,
        slot: U256,
    ) -> Result<(U256, Vec<Bytes>), OpBuildError> {
        let root = self.storage_root(number, address)?;
        let (value, nodes) = self.path(root, keccak256(slot.to_be_bytes::<32>()))?;
        let value = match value {
            Some(value) => U256::decode(&mut &value[..]).map_err(OpBuildError::new)?,
            None => U256::ZERO,
        };
        Ok((value, nodes))
    }

    /// What stands under a key, and the nodes that were asked for on the way: from the root down.
    fn path(&self, root: B256, key: B256) -> Result<(Option<Vec<u8>>, Vec<Bytes>), OpBuildError> {
        let asked = Asked { store: &self.store, nodes: RefCell::default() };
        let mut trie = Trie::from_root(root);
        let value = trie.get(&key, &asked).map_err(OpBuildError::new)?.map(<[u8]>::to_vec);
        Ok((value, asked.nodes.into_inner()))
    }

    /// Run a call on the state after a block, in that block's own environment. Gas costs nothing, and nothing stays.
    pub fn call(
        &self,
        number: u64,
        from: Address,
        to: TxKind,
        input: Bytes,
        value: U256,
    ) -> Result<ExecutionResult<OpHaltReason>, OpBuildError> {
        let (header, state) = self.state_after(number)?;
        let mut environment = evm_env_for_op_block(header, &self.spec, self.spec.chain_id().0);
        environment.block_env.basefee = 0;
        environment.cfg_env.disable_nonce_check = true;
        let base = TxEnv {
            caller: from,
            gas_limit: header.gas_limit,
            kind: to,
            value,
            data: input,
            chain_id: Some(self.spec.chain_id().0),
            ..Default::default()
        };
        // No bytes that would have to be posted: no fee for L1, none for the operator.
        let call =
            OpTx(OpTransaction { base, enveloped_tx: Some(Bytes::new()), deposit: Default::default() });
        let mut evm = OpEvmFactory::<OpTx>::default().create_evm(state, environment);
        Ok(evm.transact_raw(call.into_tx_env()).map_err(OpBuildError::new)?.result)
    }
}
