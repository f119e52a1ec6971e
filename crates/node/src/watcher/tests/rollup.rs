//! A rollup's node whose blocks are headers over real tries.

use super::params;
use crate::watcher::{evidence::lane_slot, tests::fixture::ROLLUP};
use alloy_primitives::U256;
use alloy_trie::{HashBuilder, Nibbles, TrieAccount, proof::ProofRetainer};
use futures::future::{BoxFuture, FutureExt as _, ready};
use hum_chain::*;
use hum_types::*;
use std::collections::BTreeMap;

/// A trie of these entries, with the proof of one key.
fn trie(entries: BTreeMap<B256, Vec<u8>>, key: B256) -> (B256, Vec<Bytes>) {
    let retainer = ProofRetainer::new(vec![Nibbles::unpack(key)]);
    let mut builder = HashBuilder::default().with_proof_retainer(retainer);
    for (key, value) in entries {
        builder.add_leaf(Nibbles::unpack(key), &value);
    }
    let root = builder.root();
    let nodes = builder.take_proof_nodes().into_nodes_sorted();
    (root, nodes.into_iter().map(|(_, node)| node).filter(|node| node.as_ref() != [0x80]).collect())
}

/// What the façade's lane to chain 902 holds in a block; nothing at all is there when it is `None`.
type Slot = Option<LaneSlot>;

fn storage(slot: Slot, asked: B256) -> (B256, Vec<Bytes>) {
    let words = slot.into_iter().map(|slot| {
        let word = U256::from_be_bytes(slot.to_word().0);
        (keccak256(lane_slot(ChainId(902))), alloy_rlp::encode(word))
    });
    trie(words.collect(), keccak256(asked))
}

fn state(slot: Slot, asked: Address, asked_slot: B256) -> (B256, Vec<Bytes>, Vec<Bytes>) {
    let (storage_root, storage) = storage(slot, asked_slot);
    let mut accounts: BTreeMap<B256, Vec<u8>> =
        (1..9_u8).map(|n| (keccak256([n]), alloy_rlp::encode(TrieAccount::default()))).collect();
    if slot.is_some() {
        let facade = TrieAccount { storage_root, nonce: 1, ..TrieAccount::default() };
        accounts.insert(keccak256(params().facades[0]), alloy_rlp::encode(facade));
    }
    let (root, nodes) = trie(accounts, keccak256(asked));
    (root, nodes, if slot.is_some() { storage } else { Vec::new() })
}

/// The chain: a block from 10, the anchor, on for each slot.
#[derive(Debug, Clone)]
pub(super) struct Rollup(pub(super) Vec<Slot>);

impl Rollup {
    /// A block's header.
    pub(super) fn header(&self, number: u64) -> (B256, alloy_consensus::Header) {
        let slot = self.0.get(number as usize - 10).expect("a block");
        let (state_root, ..) = state(*slot, Address::ZERO, B256::ZERO);
        let header = alloy_consensus::Header { number, state_root, timestamp: number, ..Default::default() };
        (header.hash_slow(), header)
    }

    pub(super) fn block(&self, number: u64) -> BlockRef {
        BlockRef { number, hash: self.header(number).0 }
    }

    pub(super) fn state_root(&self, number: u64) -> B256 {
        self.header(number).1.state_root
    }

    fn number(&self, hash: B256) -> Option<u64> {
        (10..10 + self.0.len() as u64).find(|number| self.header(*number).0 == hash)
    }
}

fn missing<T: Send + 'static>(method: &'static str) -> BoxFuture<'static, Result<T, ReadError>> {
    ready(Err(ReadError::Missing { method, what: "that".into() })).boxed()
}

impl Chain for Rollup {
    fn chain_id(&self) -> ChainId {
        ROLLUP
    }

    fn head(&self, _: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        missing("head")
    }

    fn block(&self, at: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        let At::Hash(hash) = at else { return missing("block") };
        let block = self.number(hash).map(|number| {
            let (hash, header) = self.header(number);
            let (mut payload, mut rlp) = (alloy_rlp::encode(&header), Vec::new());
            payload.extend_from_slice(&[0xc0, 0xc0]);
            alloy_rlp::Header { list: true, payload_length: payload.len() }.encode(&mut rlp);
            rlp.extend_from_slice(&payload);
            RawBlock {
                block: BlockRef { number, hash },
                parent_hash: header.parent_hash,
                state_root: header.state_root,
                time_ms: TimeMs(number),
                rlp: rlp.into(),
            }
        });
        ready(Ok(block)).boxed()
    }

    fn witness(&self, _: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        missing("witness")
    }

    fn logs(&self, _: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        missing("logs")
    }

    fn call(&self, _: Address, _: Bytes, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        missing("call")
    }

    fn storage(&self, _: Address, _: B256, _: At) -> BoxFuture<'_, Result<B256, ReadError>> {
        missing("storage")
    }

    fn proof(
        &self,
        account: Address,
        slots: Vec<B256>,
        at: At,
    ) -> BoxFuture<'_, Result<StateProof, ReadError>> {
        let At::Hash(hash) = at else { return missing("proof") };
        let Some(number) = self.number(hash) else { return missing("proof") };
        let held = self.0[number as usize - 10];
        let (mut nodes, mut proven) = (Vec::new(), Vec::new());
        for slot in slots {
            let (_, account_nodes, storage) = state(held, account, slot);
            nodes = account_nodes;
            let own = held.filter(|_| slot == lane_slot(ChainId(902)));
            let word = own.map_or(B256::ZERO, |slot| slot.to_word());
            proven.push(ProvenSlot { slot, word, nodes: storage });
        }
        ready(Ok(StateProof { account, nodes, slots: proven })).boxed()
    }

    fn code(&self, _: Address, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        missing("code")
    }

    fn balance(&self, _: Address) -> BoxFuture<'_, Result<U256, ReadError>> {
        missing("balance")
    }

    fn nonce(&self, _: Address) -> BoxFuture<'_, Result<u64, ReadError>> {
        missing("nonce")
    }
}
