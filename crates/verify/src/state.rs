//! A state that answers the EVM from evidence, and takes its changes back into the trie.

use crate::kept::Kept;
use crate::trie::{NodeSource, Trie, TrieError};
use alloy_primitives::{
    Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256,
    map::{AddressMap, U256Map, hash_map::Entry},
};
use alloy_rlp::Decodable;
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use revm::{
    Database,
    bytecode::Bytecode,
    database::{TransitionAccount, TransitionState},
    database_interface::DBErrorMarker,
    state::AccountInfo,
};
use std::{cell::RefCell, collections::BTreeSet};

/// Where the state's pieces are found by hash. Whoever implements it vouches for the hashes.
pub trait Source: NodeSource + std::fmt::Debug {
    /// A contract's code.
    fn code(&self, hash: &B256) -> Option<Bytes>;
    /// The hash of an ancestor.
    fn block_hash(&self, number: u64) -> Option<B256>;
}

/// Why the state has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A path cannot be followed.
    #[error(transparent)]
    Trie(#[from] TrieError),
    /// A leaf's value is not what belongs there.
    #[error("{what} of {address} is malformed: {error}")]
    Value {
        /// What should stand there.
        what: &'static str,
        /// Whose it is.
        address: Address,
        /// What the decoder says.
        error: alloy_rlp::Error,
    },
    /// A code is not there.
    #[error("code {0} is missing")]
    Code(B256),
    /// An ancestor's hash is not there.
    #[error("hash of block {0} is missing")]
    Ancestor(u64),
}

impl DBErrorMarker for StateError {}

#[derive(Debug)]
struct Loaded {
    key: B256,
    account: Option<TrieAccount>,
    storage: Trie,
    slot_keys: U256Map<B256>,
}

impl Loaded {
    fn slot_key(&mut self, slot: U256) -> B256 {
        *self.slot_keys.entry(slot).or_insert_with(|| keccak256(slot.to_be_bytes::<32>()))
    }
}

/// The state under one root, read through a [`Source`].
///
/// The first error stays in [`StateDb::fault`], typed: what the EVM makes of it on the way up does not matter.
#[derive(Debug)]
pub struct StateDb<S> {
    source: S,
    accounts: Trie,
    loaded: AddressMap<Loaded>,
    fault: Option<StateError>,
}

impl<S: Source> StateDb<S> {
    /// The state with this root.
    #[must_use]
    pub fn new(root: B256, source: S) -> Self {
        Self { source, accounts: Trie::from_root(root), loaded: AddressMap::default(), fault: None }
    }

    /// The first error that a read ran into.
    #[must_use]
    pub const fn fault(&self) -> Option<&StateError> {
        self.fault.as_ref()
    }

    /// Where reads are answered from.
    #[must_use]
    pub const fn source(&self) -> &S {
        &self.source
    }

    fn load(&mut self, address: Address) -> Result<&mut Loaded, StateError> {
        match self.loaded.entry(address) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let key = keccak256(address);
                let account = match self.accounts.get(&key, &self.source)? {
                    None => None,
                    Some(value) => Some(decode_exact::<TrieAccount>(value, "account", address)?),
                };
                let storage = Trie::from_root(account.map_or(EMPTY_ROOT_HASH, |a| a.storage_root));
                Ok(entry.insert(Loaded { key, account, storage, slot_keys: U256Map::default() }))
            }
        }
    }

    fn read_slot(&mut self, address: Address, slot: U256) -> Result<U256, StateError> {
        self.load(address)?;
        let Some(loaded) = self.loaded.get_mut(&address) else { return Ok(U256::ZERO) };
        let key = loaded.slot_key(slot);
        match loaded.storage.get(&key, &self.source)? {
            None => Ok(U256::ZERO),
            Some(value) => decode_exact(value, "storage slot", address),
        }
    }

    fn read_code(&self, hash: B256) -> Result<Bytecode, StateError> {
        if hash == KECCAK256_EMPTY {
            return Ok(Bytecode::default());
        }
        let code = self.source.code(&hash).ok_or(StateError::Code(hash))?;
        // Code that starts like a delegation but is none (only a genesis can hold it) runs into an invalid opcode.
        Ok(Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code)))
    }

    fn stash<T>(&mut self, result: Result<T, StateError>) -> Result<T, StateError> {
        if let Err(error) = &result {
            self.fault.get_or_insert_with(|| error.clone());
        }
        result
    }

    /// Take what a block changed and return the new root. All cores take part.
    pub fn apply(&mut self, changes: TransitionState) -> Result<B256, StateError> {
        self.update(changes, None, &mut Trie::root)
    }

    /// As [`Self::apply`], where the state keeps what is empty.
    pub(crate) fn apply_keeping(
        &mut self,
        changes: TransitionState,
        kept: &Kept,
    ) -> Result<B256, StateError> {
        self.update(changes, Some(kept), &mut Trie::root)
    }

    /// The root of an account's storage, after whatever was applied. The empty root for an account that is not there.
    pub fn storage_root(&mut self, address: Address) -> Result<B256, StateError> {
        Ok(self.load(address)?.account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root))
    }

    /// As [`Self::apply`], handing each new node to `keep`.
    pub fn commit(
        &mut self,
        changes: TransitionState,
        keep: &mut impl FnMut(B256, &[u8]),
    ) -> Result<B256, StateError> {
        self.update(changes, None, &mut |trie| trie.commit(keep))
    }

    /// Insertions come first and removals last, in each trie: that order needs the fewest nodes.
    fn update(
        &mut self,
        changes: TransitionState,
        kept: Option<&Kept>,
        root: &mut impl FnMut(&mut Trie) -> B256,
    ) -> Result<B256, StateError> {
        // Sorted, so that errors do not depend on a hash map's order.
        let mut changed: Vec<(Address, TransitionAccount)> = changes.transitions.into_iter().collect();
        changed.sort_unstable_by_key(|(address, _)| *address);
        let mut removed = Vec::new();
        for (address, change) in changed {
            self.load(address)?;
            let Some(loaded) = self.loaded.get_mut(&address) else { continue };
            let Some(info) = change.info.as_ref().filter(|info| !info.is_empty()) else {
                // What is kept is only emptied: taking it out and back in could need a node that no witness has to have.
                let stays = kept.is_some_and(|kept| kept.contains_key(&address));
                if loaded.account.take().is_some() && !stays {
                    removed.push(loaded.key);
                }
                loaded.storage = Trie::empty();
                continue;
            };
            let storage_root = update_storage(loaded, &change, kept.is_some(), &self.source, root)?;
            let account = TrieAccount {
                nonce: info.nonce,
                balance: info.balance,
                storage_root,
                code_hash: info.code_hash,
            };
            if loaded.account != Some(account) {
                self.accounts.insert(&loaded.key, alloy_rlp::encode(account), &self.source)?;
                loaded.account = Some(account);
            }
        }
        for key in removed {
            self.accounts.remove(&key, &self.source)?;
        }
        if let Some(kept) = kept {
            self.keep(kept, root)?;
        }
        Ok(root(&mut self.accounts))
    }

    /// Put what is empty, and kept, where it is not yet.
    fn keep(&mut self, kept: &Kept, root: &mut impl FnMut(&mut Trie) -> B256) -> Result<(), StateError> {
        for (address, slots) in kept {
            self.load(*address)?;
            let Some(loaded) = self.loaded.get_mut(address) else { continue };
            for slot in slots {
                let key = loaded.slot_key(*slot);
                if loaded.storage.get(&key, &self.source)?.is_none() {
                    loaded.storage.insert(&key, alloy_rlp::encode(U256::ZERO), &self.source)?;
                }
            }
            let storage_root = root(&mut loaded.storage);
            let account = TrieAccount { storage_root, ..loaded.account.unwrap_or_default() };
            if loaded.account != Some(account) {
                self.accounts.insert(&loaded.key, alloy_rlp::encode(account), &self.source)?;
                loaded.account = Some(account);
            }
        }
        Ok(())
    }
}

fn update_storage(
    loaded: &mut Loaded,
    change: &TransitionAccount,
    keep_zero: bool,
    source: &impl NodeSource,
    root: &mut impl FnMut(&mut Trie) -> B256,
) -> Result<B256, StateError> {
    if change.storage_was_destroyed {
        loaded.storage = Trie::empty();
    }
    let mut slots: Vec<(B256, U256)> = change
        .storage
        .iter()
        .filter(|(_, slot)| change.storage_was_destroyed || slot.is_changed())
        .map(|(slot, value)| (loaded.slot_key(*slot), value.present_value))
        .collect();
    slots.sort_unstable_by_key(|(key, _)| *key);
    let removed = |value: &U256| value.is_zero() && !keep_zero;
    for (key, value) in slots.iter().filter(|(_, value)| !removed(value)) {
        loaded.storage.insert(key, alloy_rlp::encode(value), source)?;
    }
    for (key, _) in slots.iter().filter(|(_, value)| removed(value)) {
        loaded.storage.remove(key, source)?;
    }
    Ok(root(&mut loaded.storage))
}

fn decode_exact<T: Decodable>(
    mut value: &[u8],
    what: &'static str,
    address: Address,
) -> Result<T, StateError> {
    let decoded = T::decode(&mut value).map_err(|error| StateError::Value { what, address, error })?;
    if !value.is_empty() {
        return Err(StateError::Value { what, address, error: alloy_rlp::Error::UnexpectedLength });
    }
    Ok(decoded)
}

impl<S: Source> Database for StateDb<S> {
    type Error = StateError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        let account = self.load(address).map(|loaded| loaded.account);
        Ok(self.stash(account)?.map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            // The default is empty code, with which every contract would do nothing.
            code: None,
            account_id: None,
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, StateError> {
        let code = self.read_code(hash);
        self.stash(code)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, StateError> {
        let value = self.read_slot(address, slot);
        self.stash(value)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, StateError> {
        let hash = self.source.block_hash(number).ok_or(StateError::Ancestor(number));
        self.stash(hash)
    }
}

/// A source that remembers what was asked of it: how a block builder makes a witness.
#[derive(Debug)]
pub struct Recorder<S> {
    source: S,
    nodes: RefCell<BTreeSet<B256>>,
    codes: RefCell<BTreeSet<B256>>,
    oldest: RefCell<Option<u64>>,
}

impl<S: Source> Recorder<S> {
    /// Remember what is asked of `source`.
    pub const fn new(source: S) -> Self {
        Self {
            source,
            nodes: RefCell::new(BTreeSet::new()),
            codes: RefCell::new(BTreeSet::new()),
            oldest: RefCell::new(None),
        }
    }

    /// The nodes that were asked for and found, by ascending hash.
    #[must_use]
    pub fn nodes(&self) -> Vec<Bytes> {
        let nodes = self.nodes.borrow();
        nodes.iter().filter_map(|hash| self.source.node(hash)).map(Bytes::copy_from_slice).collect()
    }

    /// The codes that were asked for and found, by ascending hash.
    #[must_use]
    pub fn codes(&self) -> Vec<Bytes> {
        self.codes.borrow().iter().filter_map(|hash| self.source.code(hash)).collect()
    }

    /// The lowest block whose hash was asked for. A witness must hold the headers of all blocks from the one after it to
    /// the parent's parent.
    #[must_use]
    pub fn oldest_block(&self) -> Option<u64> {
        *self.oldest.borrow()
    }
}

impl<S: Source> NodeSource for Recorder<S> {
    fn node(&self, hash: &B256) -> Option<&[u8]> {
        self.nodes.borrow_mut().insert(*hash);
        self.source.node(hash)
    }
}

impl<S: Source> Source for Recorder<S> {
    fn code(&self, hash: &B256) -> Option<Bytes> {
        self.codes.borrow_mut().insert(*hash);
        self.source.code(hash)
    }

    fn block_hash(&self, number: u64) -> Option<B256> {
        let mut oldest = self.oldest.borrow_mut();
        *oldest = Some(oldest.map_or(number, |known| known.min(number)));
        self.source.block_hash(number)
    }
}
