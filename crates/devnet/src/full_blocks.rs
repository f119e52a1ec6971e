//! Full blocks with all their evidence, to measure verification on.
//!
//! An embedded chain makes them, and they are read as a publisher reads them: block and witness over JSON-RPC.

use alloy::eips::eip2718::Encodable2718;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use alloy::providers::{Provider, ProviderBuilder};
use alloy::signers::{SignerSync, local::PrivateKeySigner};
use alloy::sol;
use alloy::sol_types::SolCall;
use alloy_consensus::{Block, SignableTransaction, TxEip1559, TxEnvelope};
use alloy_rlp::Decodable;
use hum_chain::rpc::{RpcChain, RpcLimits};
use hum_chain::{At, Chain, RawWitness, ReadError};
use hum_types::ChainId;
use hum_verify::file::BlockFile;
use hum_verify::{CertifiedHeader, ChainSpec, dialect};

use crate::{ChainConfig, DevChain, DevChainError, Predeploy};

sol!(
    #[allow(missing_docs)]
    BenchToken,
    "../../contracts/artifacts/BenchToken.json"
);

const CHAIN_ID: ChainId = ChainId(9_001);
const TOKEN: Address = Address::repeat_byte(0x70);
/// Where OpenZeppelin's ERC-20 keeps the mapping of balances.
const BALANCES_SLOT: U256 = U256::ZERO;
const FEE_WEI: u128 = 10_000_000_000;
const BUSY_SENDERS: u64 = 20;
const BUSY_RECEIVERS: u64 = 100;
/// The most that one transfer can use.
const TRANSFER_GAS: u64 = 60_000;

/// What the transactions of a block do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// ERC-20 transfers, each from another holder to an account that has none yet.
    TokenToNewHolders,
    /// ERC-20 transfers, each from another holder to another holder.
    TokenAmongHolders,
    /// ERC-20 transfers of a few busy holders to a few others, as an exchange makes them.
    TokenAmongBusy,
    /// Ether, each from another account to another account.
    Ether,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::TokenToNewHolders, Self::TokenAmongHolders, Self::TokenAmongBusy, Self::Ether];

    /// A name for people and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenToNewHolders => "token transfers to new holders",
            Self::TokenAmongHolders => "token transfers among holders",
            Self::TokenAmongBusy => "token transfers among busy holders",
            Self::Ether => "ether transfers",
        }
    }

    /// Gas that one transaction uses, about.
    const fn gas_each(self) -> u64 {
        match self {
            Self::TokenToNewHolders => 51_500,
            Self::TokenAmongHolders | Self::TokenAmongBusy => 34_400,
            Self::Ether => 21_000,
        }
    }

    /// Which account sends transaction `n`, and with which nonce.
    const fn sender(self, n: u64) -> (u64, u64) {
        match self {
            Self::TokenAmongBusy => (n % BUSY_SENDERS, n / BUSY_SENDERS),
            _ => (n, 0),
        }
    }

    fn call(self, n: u64, count: u64) -> (Address, Bytes) {
        let to = match self {
            Self::TokenAmongBusy => account(BUSY_SENDERS + n % BUSY_RECEIVERS).address(),
            Self::TokenToNewHolders => Address::from_word(keccak256(n.to_be_bytes())),
            Self::TokenAmongHolders | Self::Ether => account(count + n).address(),
        };
        match self {
            Self::Ether => (to, Bytes::new()),
            _ => (TOKEN, BenchToken::transferCall { to, value: U256::from(1) }.abi_encode().into()),
        }
    }
}

/// Why a full block could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FullBlockError {
    /// The chain failed.
    #[error(transparent)]
    Chain(#[from] DevChainError),
    /// The chain could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The chain did not take a transaction.
    #[error("transaction {n} was refused: {reason}")]
    Refused {
        /// Which.
        n: u64,
        /// What the node said.
        reason: String,
    },
    /// What the chain gave is not what it should be.
    #[error("{what} of the block: {problem}")]
    Evidence {
        /// Which part.
        what: &'static str,
        /// What is wrong.
        problem: String,
    },
}

fn evidence(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> FullBlockError {
    move |problem| FullBlockError::Evidence { what, problem: problem.to_string() }
}

/// A block of about `gas` gas.
pub async fn make(workload: Workload, gas: u64) -> Result<BlockFile, FullBlockError> {
    let count = gas.div_ceil(workload.gas_each());
    let accounts: Vec<_> = (0..(2 * count).max(BUSY_SENDERS + BUSY_RECEIVERS)).map(account).collect();
    let token = Predeploy {
        address: TOKEN,
        code: BenchToken::DEPLOYED_BYTECODE.clone(),
        storage: accounts
            .iter()
            .map(|holder| (balance_slot(holder.address()), B256::with_last_byte(100)))
            .collect(),
        ..Predeploy::default()
    };
    let config = ChainConfig {
        prefunded: accounts
            .iter()
            .map(|account| (account.address(), U256::from(10).pow(U256::from(18))))
            .collect(),
        predeploys: vec![token],
        gas_limit: 2 * gas + TRANSFER_GAS,
        ..ChainConfig::new(workload.name(), CHAIN_ID)
    };
    let chain = DevChain::start(config).await?;
    chain.pause().await;
    let made = fill(&chain, workload, count).await;
    chain.shutdown().await;
    made
}

async fn fill(chain: &DevChain, workload: Workload, count: u64) -> Result<BlockFile, FullBlockError> {
    let url = chain.rpc_url().parse().map_err(|error| evidence("endpoint")(&error))?;
    let node = ProviderBuilder::new().connect_http(url);
    for n in 0..count {
        let (sender, nonce) = workload.sender(n);
        let (to, input) = workload.call(n, count);
        let raw = signed(&account(sender), nonce, to, input)
            .map_err(|reason| FullBlockError::Refused { n, reason })?;
        // Nobody waits for it: the block is made when all are in the pool.
        let _ = node
            .send_raw_transaction(&raw)
            .await
            .map_err(|error| FullBlockError::Refused { n, reason: error.to_string() })?;
    }
    let made = chain.produce_block().await?;

    let reader = RpcChain::new(&chain.rpc_url(), CHAIN_ID, RpcLimits::default())?;
    let block = reader.block(At::Number(made.number)).await?;
    let parent = reader.block(At::Number(made.number - 1)).await?;
    let (block, parent) = block.zip(parent).ok_or(DevChainError::MissingBlock { number: made.number })?;
    let included = decode(&block.rlp)?.body.transactions.len() as u64;
    if included != count {
        let problem = format!("{included} are in it, {count} were sent");
        return Err(evidence("transactions")(&problem));
    }
    let RawWitness::Json(json) = reader.witness(made).await? else {
        return Err(evidence("witness")(&"not JSON"));
    };
    let json = std::str::from_utf8(&json).map_err(|error| evidence("witness")(&error))?;
    let rules: ChainSpec =
        serde_json::from_value(chain.rules()?).map_err(|error| evidence("rules")(&error))?;
    Ok(BlockFile {
        spec: rules,
        parent: CertifiedHeader::from_anchor(decode(&parent.rlp)?.header),
        claimed: made.hash,
        block: block.rlp,
        witness: dialect::parse_witness(json).map_err(|error| evidence("witness")(&error))?,
    })
}

fn decode(rlp: &Bytes) -> Result<Block<TxEnvelope>, FullBlockError> {
    Block::decode(&mut rlp.as_ref()).map_err(|error| evidence("bytes")(&error))
}

fn account(n: u64) -> PrivateKeySigner {
    let mut seed = B256::from(U256::from(n));
    loop {
        seed = keccak256(seed);
        // All but one in 2¹²⁸ words are keys.
        if let Ok(key) = PrivateKeySigner::from_bytes(&seed) {
            return key;
        }
    }
}

fn balance_slot(holder: Address) -> B256 {
    keccak256([holder.into_word(), BALANCES_SLOT.into()].concat())
}

fn signed(sender: &PrivateKeySigner, nonce: u64, to: Address, input: Bytes) -> Result<Vec<u8>, String> {
    let transaction = TxEip1559 {
        chain_id: CHAIN_ID.0,
        nonce,
        gas_limit: TRANSFER_GAS,
        max_fee_per_gas: FEE_WEI,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(to),
        value: U256::from(u64::from(input.is_empty())),
        access_list: Default::default(),
        input,
    };
    let signature =
        sender.sign_hash_sync(&transaction.signature_hash()).map_err(|error| error.to_string())?;
    Ok(TxEnvelope::from(transaction.into_signed(signature)).encoded_2718())
}
