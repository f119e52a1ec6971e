//! A rollup's node whose blocks are real enough to be packed.

use super::identity;
use alloy_consensus::{Block, BlockBody, EthereumTxEnvelope, Header, TxEip4844};
use futures::future::{BoxFuture, FutureExt, ready};
use hum_chain::{At, Chain, Log, LogQuery, RawBlock, RawWitness, ReadError};
use hum_types::{Address, B256, BlockRef, Bytes, ChainId, Confidence, TimeMs, keccak256};
use hum_verify::Witness;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

#[derive(Debug, Default)]
struct State {
    canonical: Vec<B256>,
    /// Dropped ones too, as nodes have them for a while.
    blocks: BTreeMap<B256, RawBlock>,
    down: bool,
    reads: u64,
}

#[derive(Debug)]
pub(super) struct Node(Mutex<State>);

impl Node {
    pub(super) fn new() -> Arc<Self> {
        let anchor = identity().anchor;
        let block = RawBlock {
            block: anchor,
            parent_hash: B256::ZERO,
            state_root: B256::ZERO,
            time_ms: TimeMs(0),
            rlp: Bytes::new(),
        };
        let blocks = BTreeMap::from([(anchor.hash, block)]);
        Arc::new(Self(Mutex::new(State { canonical: vec![anchor.hash], blocks, ..State::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Make blocks up to `head`, of fork `fork`, each with that many bytes that do not compress.
    pub(super) fn extend(&self, head: u64, fork: u8, weight: usize) {
        let mut state = self.lock();
        while (state.canonical.len() as u64) <= head {
            let (number, parent) = (state.canonical.len() as u64, *state.canonical.last().unwrap());
            let noise = |n: u64| keccak256([number.to_be_bytes(), n.to_be_bytes()].concat());
            let noise = (0..weight.div_ceil(32) as u64).flat_map(|n| noise(n).0);
            let extra: Vec<u8> = [fork].into_iter().chain(noise).collect();
            let header = Header {
                parent_hash: parent,
                number,
                timestamp: number,
                extra_data: extra.into(),
                ..Header::default()
            };
            let block = BlockRef { number, hash: header.hash_slow() };
            let body = BlockBody::default();
            let rlp = alloy_rlp::encode(Block::<EthereumTxEnvelope<TxEip4844>> { header, body });
            let raw = RawBlock {
                block,
                parent_hash: parent,
                state_root: B256::ZERO,
                time_ms: TimeMs(number * 1_000),
                rlp: rlp.into(),
            };
            state.canonical.push(block.hash);
            state.blocks.insert(block.hash, raw);
        }
    }

    /// Drop the blocks above `kept`, then make others up to `head`.
    pub(super) fn rebuild(&self, kept: u64, head: u64, fork: u8) {
        self.lock().canonical.truncate(kept as usize + 1);
        self.extend(head, fork, 0);
    }

    pub(super) fn head_number(&self) -> u64 {
        self.lock().canonical.len() as u64 - 1
    }

    pub(super) fn at(&self, number: u64) -> BlockRef {
        BlockRef { number, hash: self.lock().canonical[number as usize] }
    }

    pub(super) fn rlp(&self, number: u64) -> Bytes {
        let hash = self.at(number).hash;
        self.lock().blocks[&hash].rlp.clone()
    }

    pub(super) fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    pub(super) fn reads(&self) -> u64 {
        self.lock().reads
    }

    /// Forget a block altogether.
    pub(super) fn prune(&self, hash: B256) {
        self.lock().blocks.remove(&hash);
    }

    fn read(&self) -> Result<MutexGuard<'_, State>, ReadError> {
        let mut state = self.lock();
        state.reads += 1;
        if state.down {
            let (endpoint, detail) = ("node".into(), "down".into());
            return Err(ReadError::Transport { method: "node", endpoint, detail });
        }
        Ok(state)
    }
}

impl Chain for Node {
    fn chain_id(&self) -> ChainId {
        identity().chain_id
    }

    fn head(&self, tag: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        async move {
            let state = self.read()?;
            if tag != Confidence::Latest {
                return Err(ReadError::Missing { method: "node", what: "a safe block".to_owned() });
            }
            let number = state.canonical.len() as u64 - 1;
            Ok(BlockRef { number, hash: state.canonical[number as usize] })
        }
        .boxed()
    }

    fn block(&self, at: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        async move {
            let state = self.read()?;
            let hash = match at {
                At::Hash(hash) => Some(hash),
                At::Number(number) => state.canonical.get(number as usize).copied(),
                At::Tag(_) => state.canonical.last().copied(),
            };
            Ok(hash.and_then(|hash| state.blocks.get(&hash)).cloned())
        }
        .boxed()
    }

    fn witness(&self, _: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        ready(Ok(RawWitness::Encoded(Witness::default().encode().into()))).boxed()
    }

    fn logs(&self, _: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        ready(Ok(Vec::new())).boxed()
    }

    fn call(&self, _: Address, _: Bytes, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        ready(Ok(Bytes::new())).boxed()
    }

    fn storage(&self, _: Address, _: B256, _: At) -> BoxFuture<'_, Result<B256, ReadError>> {
        ready(Ok(B256::ZERO)).boxed()
    }

    fn code(&self, _: Address, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        ready(Ok(Bytes::new())).boxed()
    }

    fn balance(&self, _: Address) -> BoxFuture<'_, Result<alloy_primitives::U256, ReadError>> {
        ready(Ok(alloy_primitives::U256::ZERO)).boxed()
    }

    fn nonce(&self, _: Address) -> BoxFuture<'_, Result<u64, ReadError>> {
        ready(Ok(0)).boxed()
    }
}
