//! Many transactions in few blocks: nonces are counted here, so addresses are known before anything runs.

use super::RestakingError;
use crate::DevChain;
use alloy::eips::eip2718::Encodable2718;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::signers::{SignerSync, local::PrivateKeySigner};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};

/// The most that local transactions pay for one gas, in wei: what sixty full blocks in a row make of the genesis price.
const GAS_PRICE_MAX: u128 = 1_000_000_000_000;
/// Gas that a block is filled with at most; below every local chain's limit.
const BLOCK_GAS: u64 = 50_000_000;
/// EIP-7825's cap of a transaction.
const TRANSACTION_GAS: u64 = 1 << 24;
/// Gas of a creation beside what its bytes cost: the transaction itself and what a constructor stores.
const CREATE_GAS: u64 = 1_000_000;
/// Gas for a byte of creation code: 200 to keep it, up to 40 to send it, and what its memory takes.
const CREATE_GAS_PER_BYTE: u64 = 245;
/// Gas of a call that stores a few dozen words.
const CALL_GAS: u64 = 3_000_000;

/// An account whose nonces are counted here while it is used.
#[derive(Debug)]
pub(crate) struct Author {
    signer: PrivateKeySigner,
    nonce: u64,
}

/// Transactions that wait for their block.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    chain: &'a DevChain,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    what: String,
    gas: u64,
    raw: Bytes,
}

impl Author {
    /// The account of a secret that has sent `nonce` transactions so far.
    pub(crate) fn new(secret: B256, nonce: u64) -> Result<Self, RestakingError> {
        let signer = PrivateKeySigner::from_bytes(&secret).map_err(|_| RestakingError::Secret)?;
        Ok(Self { signer, nonce })
    }

    pub(crate) const fn address(&self) -> Address {
        self.signer.address()
    }

    /// Where its `later`th creation from now on will stand.
    pub(crate) fn creates(&self, later: u64) -> Address {
        self.address().create(self.nonce + later)
    }
}

impl<'a> Draft<'a> {
    pub(crate) const fn new(chain: &'a DevChain) -> Self {
        Self { chain, waiting: Vec::new() }
    }

    /// Create a contract; where it will stand.
    pub(crate) fn create(
        &mut self,
        author: &mut Author,
        what: &str,
        code: Bytes,
    ) -> Result<Address, RestakingError> {
        let address = author.creates(0);
        let gas = CREATE_GAS + CREATE_GAS_PER_BYTE * code.len() as u64;
        self.push(author, what, TxKind::Create, U256::ZERO, code, gas)?;
        Ok(address)
    }

    /// Call a contract.
    pub(crate) fn call(
        &mut self,
        author: &mut Author,
        what: &str,
        to: Address,
        data: Vec<u8>,
    ) -> Result<(), RestakingError> {
        // Code in calldata is what the deterministic deployer is given.
        let gas = CALL_GAS + CREATE_GAS_PER_BYTE * data.len() as u64;
        self.push(author, what, TxKind::Call(to), U256::ZERO, data.into(), gas)
    }

    /// Call a contract, or pay an account, with ether.
    pub(crate) fn pay(
        &mut self,
        author: &mut Author,
        what: &str,
        to: Address,
        data: Vec<u8>,
        value: U256,
    ) -> Result<(), RestakingError> {
        self.push(author, what, TxKind::Call(to), value, data.into(), CALL_GAS)
    }

    fn push(
        &mut self,
        author: &mut Author,
        what: &str,
        to: TxKind,
        value: U256,
        input: Bytes,
        gas: u64,
    ) -> Result<(), RestakingError> {
        let transaction = TxEip1559 {
            chain_id: self.chain.config().chain_id.0,
            nonce: author.nonce,
            gas_limit: gas.min(TRANSACTION_GAS),
            max_fee_per_gas: GAS_PRICE_MAX,
            max_priority_fee_per_gas: 1,
            to,
            value,
            access_list: Default::default(),
            input,
        };
        let signature = author
            .signer
            .sign_hash_sync(&transaction.signature_hash())
            .map_err(|error| RestakingError::Sign(error.to_string()))?;
        author.nonce += 1;
        let gas = transaction.gas_limit;
        let raw = TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into();
        self.waiting.push(Waiting { what: what.to_owned(), gas, raw });
        Ok(())
    }

    /// Put everything that waits into as few blocks as it takes. All must succeed.
    pub(crate) async fn mine(&mut self) -> Result<(), RestakingError> {
        let mut block: Vec<Waiting> = Vec::new();
        let mut gas = 0;
        for next in std::mem::take(&mut self.waiting) {
            if gas + next.gas > BLOCK_GAS {
                self.seal(std::mem::take(&mut block)).await?;
                gas = 0;
            }
            gas += next.gas;
            block.push(next);
        }
        self.seal(block).await
    }

    async fn seal(&self, block: Vec<Waiting>) -> Result<(), RestakingError> {
        let raw: Vec<Bytes> = block.iter().map(|waiting| waiting.raw.clone()).collect();
        let (made, succeeded) = self.chain.produce_block_with(&raw).await?;
        let failed = block.iter().zip(&succeeded).find(|(_, succeeded)| !**succeeded);
        match failed {
            Some((Waiting { what, .. }, _)) => {
                Err(RestakingError::Reverted { what: what.clone(), block: made.number })
            }
            None => Ok(()),
        }
    }
}
