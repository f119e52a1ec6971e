//! What a node of an OP Stack chain takes from its L1: for each L1 block what is said of it, and the deposits in it.

use super::contracts;
use crate::chain::Predeploy;
use alloy::eips::eip7840::BlobParams;
use alloy_consensus::{Block, Header, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, b256, keccak256};
use alloy_rlp::Decodable as _;
use hum_chain::{At, Chain, Log, LogQuery};
use hum_types::{BlockRef, ChainId};
use hum_verify::L1Info;
use op_alloy_consensus::{TxDeposit, UserDepositSource};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::watch;

/// `TransactionDeposited(address,address,uint256,bytes)`.
pub(super) const DEPOSITED: B256 = b256!("b3813568d9991fc951961fcb4c784893574240a28925604d09fc577c55bb7c32");
/// Seconds between the blocks of the L1 that is made up.
const L1_BLOCK_S: u64 = 12;
/// Pause after an L1 node that did not answer.
const AGAIN: Duration = Duration::from_millis(200);

/// The L1 that a node follows. It must not be reorganised.
#[derive(Debug)]
pub struct OpL1 {
    /// A node of it.
    pub chain: Arc<dyn Chain>,
    /// Its heads.
    pub heads: watch::Receiver<BlockRef>,
    /// Where ether for the rollup is left: see [`portal`].
    pub portal: Address,
    /// Who posts the rollup's batches.
    pub batcher: Address,
}

/// A contract for the L1's genesis: ether sent to it appears in the rollup, at the sender's address. As the OP Stack's
/// portal takes ether; there is no other way in, and none out.
#[must_use]
pub fn portal(rollup: ChainId) -> Predeploy {
    let name = ["hum/devnet/portal".as_bytes(), &rollup.0.to_be_bytes()].concat();
    Predeploy {
        address: Address::from_word(keccak256(name)),
        code: contracts::portal(),
        ..Default::default()
    }
}

/// An L1 block, as blocks of the rollup are built on it.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) info: L1Info,
    pub(super) deposits: Vec<TxDeposit>,
    pub(super) randao: B256,
    pub(super) beacon_root: B256,
}

impl Origin {
    fn new(header: &Header, hash: B256, batcher: Address, deposits: Vec<TxDeposit>) -> Self {
        let blob_base_fee = header.blob_fee(BlobParams::osaka()).unwrap_or(1);
        let info = L1Info {
            number: header.number,
            timestamp: header.timestamp,
            base_fee: U256::from(header.base_fee_per_gas.unwrap_or_default()),
            blob_base_fee: U256::from(blob_base_fee),
            hash,
            batcher: batcher.into_word(),
            ..fees()
        };
        let beacon_root = header.parent_beacon_block_root.unwrap_or_default();
        Self { info, deposits, randao: header.mix_hash, beacon_root }
    }

    /// A block of an L1 that is not there: one each 12 s, fees that do not move.
    fn made_up(timestamp: u64) -> Self {
        let number = timestamp / L1_BLOCK_S;
        let info = L1Info {
            number,
            timestamp: number * L1_BLOCK_S,
            base_fee: U256::from(1_000_000_000_u64),
            blob_base_fee: U256::from(1),
            hash: keccak256(number.to_be_bytes()),
            ..fees()
        };
        Self { info, deposits: Vec::new(), randao: B256::ZERO, beacon_root: B256::ZERO }
    }
}

/// What the rollup's configuration on L1 would say of fees.
fn fees() -> L1Info {
    L1Info {
        base_fee_scalar: U256::from(1_000),
        blob_base_fee_scalar: U256::from(1_000),
        operator_fee_scalar: 100,
        operator_fee_constant: 1_000,
        da_footprint_gas_scalar: 400,
        ..L1Info::default()
    }
}

/// What a chain knows of its L1.
#[derive(Debug)]
pub(super) enum Origins {
    /// Nothing: it makes one up from its clock.
    MadeUp,
    /// What was read so far and is not built on yet.
    Read { present: Option<Box<Origin>>, next: VecDeque<Origin> },
}

impl Origins {
    pub(super) const fn unread() -> Self {
        Self::Read { present: None, next: VecDeque::new() }
    }

    /// What a block at `timestamp` is built on: the next L1 block when it is there and not of a later time, with its
    /// deposits; else the one that `before` was built on, without. None before the first L1 block is known.
    pub(super) fn at(&self, before: Option<L1Info>, timestamp: u64) -> Option<Origin> {
        let again = |origin: &Origin, sequence_number| {
            let info = L1Info { sequence_number, ..origin.info };
            Origin { info, deposits: Vec::new(), ..origin.clone() }
        };
        match self {
            Self::MadeUp => {
                let origin = Origin::made_up(timestamp);
                let sequence_number = match before {
                    Some(before) if before.number == origin.info.number => before.sequence_number + 1,
                    _ => 0,
                };
                Some(again(&origin, sequence_number))
            }
            Self::Read { present, next } => match (present, next.front()) {
                (None, next) => next.cloned(),
                (Some(_), Some(next)) if next.info.timestamp <= timestamp => Some(next.clone()),
                (Some(present), _) => {
                    Some(again(present, before.map_or(0, |before| before.sequence_number + 1)))
                }
            },
        }
    }

    /// A block was built on this L1 block.
    pub(super) fn built_on(&mut self, number: u64) {
        if let Self::Read { present, next } = self
            && next.front().is_some_and(|origin| origin.info.number == number)
        {
            *present = next.pop_front().map(Box::new);
        }
    }

    fn push(&mut self, origin: Origin) {
        if let Self::Read { next, .. } = self {
            next.push_back(origin);
        }
    }
}

/// Read every L1 block from the present one on, until the L1 is gone.
pub(super) async fn follow(mut l1: OpL1, put: impl Fn(&mut dyn FnMut(&mut Origins))) {
    let mut number = l1.heads.borrow().number;
    let mut below = None;
    loop {
        let head = l1.heads.borrow_and_update().number;
        while number <= head {
            match read(&l1, number).await {
                Ok((origin, parent)) if below.is_none_or(|below| below == parent) => {
                    below = Some(origin.info.hash);
                    put(&mut |origins: &mut Origins| origins.push(origin.clone()));
                    number += 1;
                }
                Ok(_) => {
                    tracing::error!(number, "the L1 was reorganised: no block is built on it any more");
                    return;
                }
                Err(problem) => {
                    tracing::warn!(number, %problem, "an L1 block cannot be read; trying again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
        if l1.heads.changed().await.is_err() {
            return;
        }
    }
}

/// An L1 block as an origin, and its parent's hash.
async fn read(l1: &OpL1, number: u64) -> Result<(Origin, B256), String> {
    let block = l1.chain.block(At::Number(number)).await.map_err(|error| error.to_string())?;
    let block = block.ok_or_else(|| "the node lacks it".to_owned())?;
    let decoded =
        Block::<TxEnvelope>::decode(&mut &block.rlp[..]).map_err(|error| format!("not a block: {error}"))?;
    let query = LogQuery { from: number, to: number, addresses: vec![l1.portal], topics: vec![DEPOSITED] };
    let logs = l1.chain.logs(query).await.map_err(|error| error.to_string())?;
    let logs = logs.iter().filter(|log| log.block == block.block);
    let deposits = logs.map(|log| deposit(log).ok_or_else(|| format!("log {} is no deposit", log.index)));
    let deposits = deposits.collect::<Result<_, _>>()?;
    Ok((Origin::new(&decoded.header, block.block.hash, l1.batcher, deposits), block.parent_hash))
}

/// The deposit that a log of the portal announces: `TransactionDeposited` of version 0, whose data are
/// `mint 32 ‖ value 32 ‖ gas limit 8 ‖ creation 1 ‖ input`.
pub(super) fn deposit(log: &Log) -> Option<TxDeposit> {
    let [DEPOSITED, from, to, B256::ZERO] = log.topics[..] else { return None };
    let word = |at: usize| Some(U256::from_be_slice(log.data.get(at..at + 32)?));
    let length = usize::try_from(word(32)?).ok().filter(|_| word(0) == Some(U256::from(32)))?;
    let data = log.data.get(64..)?.get(..length)?;
    let (mint, rest) = data.split_first_chunk::<32>()?;
    let (value, rest) = rest.split_first_chunk::<32>()?;
    let (gas_limit, rest) = rest.split_first_chunk::<8>()?;
    let (creation, input) = rest.split_first()?;
    Some(TxDeposit {
        source_hash: UserDepositSource::new(log.block.hash, log.index).source_hash(),
        from: Address::from_word(from),
        to: if *creation == 0 { TxKind::Call(Address::from_word(to)) } else { TxKind::Create },
        mint: u128::try_from(U256::from_be_bytes(*mint)).ok()?,
        value: U256::from_be_bytes(*value),
        gas_limit: u64::from_be_bytes(*gas_limit),
        is_system_transaction: false,
        input: Bytes::copy_from_slice(input),
    })
}
