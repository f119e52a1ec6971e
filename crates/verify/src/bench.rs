//! The same block, judged and merely executed: what verification costs beyond the EVM. The clock is the caller's.

use crate::block::senders;
use crate::execute::{Checked, execute};
use crate::state::{StateDb, StateError};
use crate::verdict::{CertifiedHeader, Verdict};
use crate::verifier::Verifier;
use crate::witness::{Witness, WitnessIndex};
use alloy_primitives::{Address, B256, U256};
use revm::{
    Database,
    bytecode::Bytecode,
    database::{InMemoryDB, State, WrapDatabaseRef},
    state::AccountInfo,
};

/// A block with everything at hand that is not to be measured.
#[derive(Debug)]
pub struct Prepared<'a> {
    verifier: &'a Verifier,
    parent: &'a CertifiedHeader,
    claimed: B256,
    raw: &'a [u8],
    witness: &'a Witness,
    block: Checked,
    senders: Vec<Address>,
    cache: InMemoryDB,
}

impl<'a> Prepared<'a> {
    /// Recover senders and load all that the block reads into a cache. The verdict, when it is not `Valid`.
    pub fn new(
        verifier: &'a Verifier,
        parent: &'a CertifiedHeader,
        claimed: B256,
        raw: &'a [u8],
        witness: &'a Witness,
    ) -> Result<Self, Box<Verdict>> {
        let verdict = verifier.verify(parent, claimed, raw, witness);
        if !matches!(verdict, Verdict::Valid(_)) {
            return Err(Box::new(verdict));
        }
        let (opened, header) = verifier.open(parent, claimed, raw, witness)?;
        let block = verifier.body(parent, &opened, header, raw.len())?;
        let senders = senders(&block.transactions).map_err(Verdict::Invalid)?;
        let database = StateDb::new(parent.header().state_root, WitnessIndex::new(witness, parent));
        let copying = Copying { database, cache: InMemoryDB::default() };
        let mut state = State::builder().with_database(copying).with_bundle_update().build();
        execute(verifier.spec(), &block, &senders, &mut state, |_, _| {})?;
        let cache = state.database.cache;
        Ok(Self { verifier, parent, claimed, raw, witness, block, senders, cache })
    }

    /// Gas that the block uses.
    #[must_use]
    pub const fn gas_used(&self) -> u64 {
        self.block.header.gas_used
    }

    /// Judge the block, all but the recovery of senders.
    #[must_use]
    pub fn verify(&self) -> Verdict {
        let (opened, header) = match self.verifier.open(self.parent, self.claimed, self.raw, self.witness) {
            Ok(opened) => opened,
            Err(verdict) => return verdict,
        };
        let (body, index) = rayon::join(
            || self.verifier.body(self.parent, &opened, header, self.raw.len()),
            || WitnessIndex::new(self.witness, self.parent),
        );
        match body {
            Ok(block) => self.verifier.run(self.parent, block, &self.senders, index),
            Err(verdict) => verdict,
        }
    }

    /// Recover the senders.
    #[must_use]
    pub fn recover_senders(&self) -> usize {
        senders(&self.block.transactions).map_or(0, |senders| senders.len())
    }

    /// Execute the block with plain revm over the cache; the gas it uses.
    #[must_use]
    pub fn plain(&self) -> u64 {
        let database = WrapDatabaseRef(&self.cache);
        let mut state = State::builder().with_database(database).with_bundle_update().build();
        execute(self.verifier.spec(), &self.block, &self.senders, &mut state, |_, _| {})
            .map_or(0, |outcome| outcome.gas_used)
    }
}

/// Copies every answer into a cache.
#[derive(Debug)]
struct Copying<'a> {
    database: StateDb<WitnessIndex<'a>>,
    cache: InMemoryDB,
}

impl Database for Copying<'_> {
    type Error = StateError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        let info = self.database.basic(address)?;
        if let Some(info) = &info {
            self.cache.insert_account_info(address, info.clone());
        }
        Ok(info)
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, StateError> {
        let code = self.database.code_by_hash(hash)?;
        self.cache.cache.contracts.insert(hash, code.clone());
        Ok(code)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, StateError> {
        let value = self.database.storage(address, slot)?;
        self.cache.cache.accounts.entry(address).or_default().storage.insert(slot, value);
        Ok(value)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, StateError> {
        let hash = self.database.block_hash(number)?;
        self.cache.cache.block_hashes.insert(U256::from(number), hash);
        Ok(hash)
    }
}
