//! A witness for nodes that trace and prove but write none: anvil 1.7 is one.
//!
//! ```text
//! prestate traces ─▶ accounts and slots that transactions touch ─┐
//! header ─▶ what the block itself touches (system contracts) ────┤
//!                                                                ▼
//!                        eth_getProof on the parent ─▶ nodes, checked against the parent's state root
//!                        eth_getProof on the block ──▶ what was deleted ─▶ siblings that a collapse needs
//! ```
//!
//! It is more than a minimal witness and needs no trust: each node is checked here, and counts for the verifier only
//! under its hash. When something is missing all the same, the verdict is `Undecided`.

use super::trie::{Known, Sibling};
use crate::{
    At, Chain, ProvenSlot, RawWitness, ReadError, StateProof,
    rpc::{RpcChain, differs},
    stack::wire::{Block, Transactions},
};
use alloy_consensus::Header;
use alloy_eips::{
    eip2935::{HISTORY_SERVE_WINDOW, HISTORY_STORAGE_ADDRESS},
    eip4788::BEACON_ROOTS_ADDRESS,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
};
use alloy_primitives::{U64, U256};
use alloy_rlp::Decodable;
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, TrieAccount, nodes::TrieNode};
use futures::{StreamExt, TryStreamExt, stream};
use hum_types::{Address, B256, BlockRef, Bytes, keccak256};
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const TRACE_BLOCK: &str = "debug_traceBlockByNumber";
const TRACE_TRANSACTION: &str = "debug_traceTransaction";
/// Accounts of one block that are proven.
const ACCOUNTS_MAX: usize = 20_000;
/// Requests under way at a time.
const REQUESTS: usize = 16;
/// Slots of EIP-4788's ring.
const BEACON_ROOTS_WINDOW: u64 = 8191;
/// Headers that BLOCKHASH reaches.
const HEADERS: u64 = 256;
const BLOCKHASH: u8 = 0x40;
const PUSH1: u8 = 0x60;
const PUSH32: u8 = 0x7f;
/// Nibbles of a path for which a key is searched: a million hashes on average.
const SEARCH_NIBBLES: usize = 5;

/// An account as the prestate tracer shows it; what it holds is proven, not read here.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Prestate {
    #[serde(default)]
    code: Option<Bytes>,
    #[serde(default)]
    storage: BTreeMap<B256, serde_json::Value>,
}

pub(super) type Trace = BTreeMap<Address, Prestate>;

#[derive(Debug, Deserialize)]
struct TracedTransaction {
    result: Trace,
}

/// What a block touches.
#[derive(Debug, Default)]
struct Touched {
    slots: BTreeMap<Address, BTreeSet<B256>>,
    codes: BTreeMap<B256, Bytes>,
}

impl Touched {
    fn add(&mut self, account: Address, slots: impl IntoIterator<Item = B256>) {
        self.slots.entry(account).or_default().extend(slots);
    }

    fn code(&mut self, code: Bytes) {
        if !code.is_empty() {
            self.codes.insert(keccak256(&code), code);
        }
    }
}

impl RpcChain {
    /// Build the witness of a block from traces and proofs.
    pub(super) async fn traced_witness(&self, block: BlockRef) -> Result<RawWitness, ReadError> {
        let (json, parent) = self.block_and_parent(block).await?;
        let mut touched = Touched::default();
        for trace in self.prestates(&json).await? {
            for (account, Prestate { code, storage }) in trace {
                touched.add(account, storage.into_keys());
                touched.code(code.unwrap_or_default());
            }
        }
        // A trace by number is of whichever block has the number then.
        self.still_canonical(TRACE_BLOCK, block).await?;
        self.touch_by_rule(&json, &parent, &mut touched).await?;
        let accounts = touched.slots.len();
        if accounts > ACCOUNTS_MAX {
            return Err(differs(
                TRACE_BLOCK,
                "accounts touched",
                format!("at most {ACCOUNTS_MAX}"),
                accounts,
            ));
        }

        let before = self.proofs(&touched, &parent).await?;
        let after = self.proofs(&touched, &json.header).await?;
        let mut nodes: BTreeSet<Bytes> = BTreeSet::new();
        let mut state = Known::default();
        let mut gone = Vec::new();
        for (before, after) in before.iter().zip(&after) {
            state.extend(&before.nodes);
            let leaf = account_in(before);
            if leaf.is_some() && account_in(after).is_none() {
                gone.push((before.account, &after.nodes));
            }
            let root = leaf.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
            nodes.extend(self.storage_nodes(root, before, after, parent.number).await?);
        }
        let deleted: Vec<Nibbles> = gone.iter().map(|(account, _)| path_of(account)).collect();
        for sibling in state.siblings(parent.state_root, &deleted) {
            let absence = gone.iter().find(|(account, _)| path_of(account) == sibling.beside);
            if let Some(node) = absence.and_then(|(_, nodes)| sibling.rebuilt_by_absence(nodes)) {
                state.insert(node);
            } else if let Some(address) = found_key(&sibling, Address::from_word).await {
                state.extend(&self.proof(address, Vec::new(), At::Number(parent.number)).await?.nodes);
            }
        }
        nodes.extend(state.into_nodes());

        let headers = self.ancestors(&json, &parent, &touched).await?;
        let codes: Vec<Bytes> = touched.codes.into_values().collect();
        let witness = json!({ "state": nodes, "codes": codes, "headers": headers });
        Ok(RawWitness::Json(witness.to_string().into_bytes().into()))
    }

    async fn block_and_parent(&self, block: BlockRef) -> Result<(Block, Header), ReadError> {
        const METHOD: &str = "eth_getBlockByHash";
        let absent = |hash: B256| ReadError::Missing { method: METHOD, what: format!("block {hash}") };
        let json = self.wire_block(At::Hash(block.hash), true).await?.ok_or_else(|| absent(block.hash))?;
        let found = json.header.hash_slow();
        if found != block.hash {
            return Err(differs(METHOD, "block hash", block.hash, found));
        }
        let hash = json.header.parent_hash;
        let parent = self.wire_block(At::Hash(hash), false).await?.ok_or_else(|| absent(hash))?.header;
        let found = parent.hash_slow();
        if found != hash {
            return Err(differs(METHOD, "block hash", hash, found));
        }
        Ok((json, parent))
    }

    async fn prestates(&self, json: &Block) -> Result<Vec<Trace>, ReadError> {
        let hashes = json.transactions.hashes();
        match self.prestates_by_block(json.header.number, hashes.len()).await {
            Err(ReadError::Unsupported { .. }) => self.prestates_one_by_one(hashes).await,
            found => found,
        }
    }

    pub(super) async fn prestates_by_block(
        &self,
        number: u64,
        transactions: usize,
    ) -> Result<Vec<Trace>, ReadError> {
        let params = json!([U64::from(number), { "tracer": "prestateTracer" }]);
        let found = self.maybe(TRACE_BLOCK, params, self.0.limits.witness()).await?;
        let found: Vec<TracedTransaction> = found
            .ok_or_else(|| ReadError::Missing { method: TRACE_BLOCK, what: format!("traces of {number}") })?;
        if found.len() != transactions {
            return Err(differs(TRACE_BLOCK, "number of traces", transactions, found.len()));
        }
        Ok(found.into_iter().map(|traced| traced.result).collect())
    }

    pub(super) async fn prestates_one_by_one(&self, hashes: Vec<B256>) -> Result<Vec<Trace>, ReadError> {
        let traced = hashes.into_iter().map(|hash| async move {
            let params = json!([hash, { "tracer": "prestateTracer" }]);
            let found = self.maybe(TRACE_TRANSACTION, params, self.0.limits.witness()).await?;
            found.ok_or_else(|| ReadError::Missing {
                method: TRACE_TRANSACTION,
                what: format!("a trace of {hash}"),
            })
        });
        stream::iter(traced).buffered(REQUESTS).try_collect().await
    }

    /// What the block touches beside its transactions' code: senders, system contracts, beneficiary, withdrawals.
    async fn touch_by_rule(
        &self,
        json: &Block,
        parent: &Header,
        touched: &mut Touched,
    ) -> Result<(), ReadError> {
        touched.add(json.header.beneficiary, []);
        for withdrawal in json.withdrawals.iter().flatten() {
            touched.add(withdrawal.address, []);
        }
        if let Transactions::Full(transactions) = &json.transactions {
            for transaction in transactions {
                touched.add(transaction.from, []);
                touched.add(
                    transaction.to.unwrap_or_else(|| transaction.from.create(transaction.nonce.to())),
                    [],
                );
                for item in transaction.access_list.iter().flat_map(|list| &list.0) {
                    touched.add(item.address, item.storage_keys.iter().copied());
                }
                for authority in transaction.authorization_list.iter().flatten() {
                    touched.add(*authority.address(), []);
                }
            }
        }
        let word = |number: u64| B256::from(U256::from(number));
        let beacon = json.header.timestamp % BEACON_ROOTS_WINDOW;
        let history = parent.number % HISTORY_SERVE_WINDOW as u64;
        let mut system = vec![
            (BEACON_ROOTS_ADDRESS, vec![word(beacon), word(beacon + BEACON_ROOTS_WINDOW)]),
            (HISTORY_STORAGE_ADDRESS, vec![word(history)]),
        ];
        for (queue, words_each, most) in
            [(WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, 3, 16), (CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, 4, 2)]
        {
            system.push((queue, self.queued(queue, parent, words_each, most).await?));
        }
        for (contract, slots) in system {
            touched.add(contract, slots);
            touched.code(self.code(contract, At::Number(parent.number)).await?);
        }
        Ok(())
    }

    /// Slots of a request queue (EIP-7002, EIP-7251): excess, count, head, tail, and the entries that a block takes.
    async fn queued(
        &self,
        queue: Address,
        parent: &Header,
        words_each: u64,
        most: u64,
    ) -> Result<Vec<B256>, ReadError> {
        let at = At::Number(parent.number);
        let read = async |slot: u64| -> Result<u64, ReadError> {
            let word = self.storage(queue, U256::from(slot).into(), at).await?;
            Ok(U256::from_be_bytes(word.0).saturating_to())
        };
        let (head, tail) = (read(2).await?, read(3).await?);
        let last = tail.min(head.saturating_add(most));
        let entries = head.saturating_mul(words_each)..last.saturating_mul(words_each);
        let slots = (0..4).chain(entries.map(|slot| slot.saturating_add(4)));
        Ok(slots.map(|slot| U256::from(slot).into()).collect())
    }

    async fn proofs(&self, touched: &Touched, header: &Header) -> Result<Vec<StateProof>, ReadError> {
        const METHOD: &str = "eth_getProof";
        let accounts: Vec<(Address, Vec<B256>)> = touched
            .slots
            .iter()
            .map(|(account, slots)| (*account, slots.iter().copied().collect()))
            .collect();
        let (number, state_root) = (header.number, header.state_root);
        let asked = accounts.into_iter().map(|(account, slots)| async move {
            let proof = self.proof(account, slots, At::Number(number)).await?;
            proof.check(state_root).map_err(|error| ReadError::Garbage {
                method: METHOD,
                detail: format!("block {number}: {error}"),
            })?;
            Ok(proof)
        });
        stream::iter(asked).buffered(REQUESTS).try_collect().await
    }

    /// Nodes of an account's storage before the block, with the siblings that deletions need.
    async fn storage_nodes(
        &self,
        root: B256,
        before: &StateProof,
        after: &StateProof,
        parent: u64,
    ) -> Result<Vec<Bytes>, ReadError> {
        let mut known = Known::default();
        for slot in &before.slots {
            known.extend(&slot.nodes);
        }
        let cleared = |(before, after): &(&ProvenSlot, &ProvenSlot)| {
            value_in(before.slot, &before.nodes).is_some() && value_in(after.slot, &after.nodes).is_none()
        };
        let gone: Vec<&ProvenSlot> =
            before.slots.iter().zip(&after.slots).filter(cleared).map(|(_, after)| after).collect();
        let deleted: Vec<Nibbles> = gone.iter().map(|slot| path_of(slot.slot)).collect();
        for sibling in known.siblings(root, &deleted) {
            let absence = gone.iter().find(|slot| path_of(slot.slot) == sibling.beside);
            if let Some(node) = absence.and_then(|slot| sibling.rebuilt_by_absence(&slot.nodes)) {
                known.insert(node);
            } else if let Some(slot) = found_key(&sibling, |slot| slot).await {
                let proof = self.proof(before.account, vec![slot], At::Number(parent)).await?;
                proof.slots.iter().for_each(|slot| known.extend(&slot.nodes));
            }
        }
        Ok(known.into_nodes().collect())
    }

    /// The parent's header, and all that BLOCKHASH reaches when some code has it.
    async fn ancestors(
        &self,
        json: &Block,
        parent: &Header,
        touched: &Touched,
    ) -> Result<Vec<Bytes>, ReadError> {
        let mut headers = vec![Bytes::from(alloy_rlp::encode(parent))];
        let created = match &json.transactions {
            Transactions::Full(transactions) => transactions.as_slice(),
            Transactions::Hashes(_) => &[],
        };
        let created = created.iter().filter(|transaction| transaction.to.is_none());
        let mut codes = touched.codes.values().chain(created.map(|transaction| &transaction.input));
        if !codes.any(|code| asks_for_hashes(code)) {
            return Ok(headers);
        }
        let mut below = parent.parent_hash;
        for number in (json.header.number.saturating_sub(HEADERS)..parent.number).rev() {
            let header = self.wire_block(At::Number(number), false).await?.map(|json| json.header);
            let header = header.ok_or_else(|| ReadError::Missing {
                method: "eth_getBlockByNumber",
                what: format!("block {number}"),
            })?;
            let found = header.hash_slow();
            if found != below {
                return Err(differs("eth_getBlockByNumber", "block hash", below, found));
            }
            below = header.parent_hash;
            headers.push(alloy_rlp::encode(&header).into());
        }
        Ok(headers)
    }
}

/// Whether code may run BLOCKHASH: data behind a push does not count.
fn asks_for_hashes(code: &[u8]) -> bool {
    let mut bytes = code.iter();
    while let Some(byte) = bytes.next() {
        match *byte {
            BLOCKHASH => return true,
            push @ PUSH1..=PUSH32 => {
                bytes.nth(usize::from(push - PUSH1));
            }
            _ => {}
        }
    }
    false
}

fn path_of(key: impl AsRef<[u8]>) -> Nibbles {
    Nibbles::unpack(keccak256(key))
}

/// The value that a checked proof of `key` ends with; `None` when it proves absence.
fn value_in(key: impl AsRef<[u8]>, nodes: &[Bytes]) -> Option<Vec<u8>> {
    let mut rest: &[u8] = nodes.last()?;
    let TrieNode::Leaf(leaf) = TrieNode::decode(&mut rest).ok()? else { return None };
    path_of(key).ends_with(&leaf.key).then_some(leaf.value)
}

fn account_in(proof: &StateProof) -> Option<TrieAccount> {
    TrieAccount::decode(&mut value_in(proof.account, &proof.nodes)?.as_slice()).ok()
}

/// A key whose path leads to the sibling: its proof shows the node. Searched for off the runtime's threads.
async fn found_key<K>(sibling: &Sibling, key: fn(B256) -> K) -> Option<K>
where
    K: AsRef<[u8]> + Send + 'static,
{
    let path = sibling.path;
    if path.len() > SEARCH_NIBBLES {
        return None;
    }
    // A miss in sixteen times the average is one in ten million.
    let tries = 16_u64.pow(path.len() as u32 + 1);
    let search = move || {
        (0..tries).map(|number| key(U256::from(number).into())).find(|key| path_of(key).starts_with(&path))
    };
    tokio::task::spawn_blocking(search).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::hex;

    #[tokio::test]
    async fn a_key_is_found_for_a_short_path_and_none_for_a_long_one() {
        let whole = path_of(B256::repeat_byte(5));
        let sibling = |length: usize| Sibling {
            path: whole.slice(..length),
            hash: B256::ZERO,
            beside: Nibbles::default(),
        };
        for length in [0, 1, 3, 4] {
            let found = found_key(&sibling(length), Address::from_word).await.unwrap();
            assert!(path_of(found).starts_with(&whole.slice(..length)));
        }
        assert_eq!(found_key(&sibling(SEARCH_NIBBLES + 1), |slot| slot).await, None);
    }

    #[test]
    fn blockhash_counts_only_where_it_is_code() {
        assert!(asks_for_hashes(&hex!("60014060025f55")));
        assert!(!asks_for_hashes(&hex!("6040604060405f52")));
        assert!(!asks_for_hashes(&hex!(
            "7f4040404040404040404040404040404040404040404040404040404040404040"
        )));
        assert!(asks_for_hashes(&hex!("61404040")));
        assert!(!asks_for_hashes(&hex!("6140")));
        assert!(!asks_for_hashes(&[]));
    }
}
