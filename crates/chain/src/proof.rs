//! Storage words under a state root, proven by trie nodes, present or absent.

use alloy_primitives::U256;
use alloy_rlp::{Decodable as _, EMPTY_STRING_CODE};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, TrieAccount, proof::verify_proof};
use hum_types::{Address, B256, Bytes, keccak256};

/// One storage word with its proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenSlot {
    /// The slot.
    pub slot: B256,
    /// What it holds; zero when nothing.
    pub word: B256,
    /// Nodes of the account's storage trie, from its root on; none where that trie is empty.
    pub nodes: Vec<Bytes>,
}

/// An account's storage words as a node proves them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateProof {
    /// The account.
    pub account: Address,
    /// Nodes of the state trie, from its root on.
    pub nodes: Vec<Bytes>,
    /// The words asked for.
    pub slots: Vec<ProvenSlot>,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateProofError {
    /// The nodes lead to another account, or nowhere.
    #[error("account {account} is not proven under state root {state_root}: {detail}")]
    Account {
        /// The account.
        account: Address,
        /// The state root asked about.
        state_root: B256,
        /// What the trie says.
        detail: String,
    },
    /// The nodes lead to another word, or nowhere.
    #[error("word {declared} in slot {slot} is not proven under storage root {storage_root}: {detail}")]
    Slot {
        /// The slot.
        slot: B256,
        /// The word that was declared.
        declared: B256,
        /// The account's storage root.
        storage_root: B256,
        /// What the trie says.
        detail: String,
    },
}

impl StateProof {
    /// Check account and words against a state root.
    pub fn check(&self, state_root: B256) -> Result<(), StateProofError> {
        let storage_root = self.storage_root(state_root)?;
        for ProvenSlot { slot, word, nodes } in &self.slots {
            let expected = (*word != B256::ZERO).then(|| alloy_rlp::encode(U256::from_be_bytes(word.0)));
            let result = if storage_root == EMPTY_ROOT_HASH && expected.is_none() && nodes.is_empty() {
                Ok(())
            } else {
                let path = Nibbles::unpack(keccak256(slot));
                // Anvil keeps zero as a value; it says the same as no value.
                let zero = || verify_proof(storage_root, path, Some(vec![EMPTY_STRING_CODE]), nodes);
                let absent = expected.is_none();
                verify_proof(storage_root, path, expected, nodes)
                    .or_else(|error| if absent { zero().map_err(|_| error) } else { Err(error) })
            };
            result.map_err(|error| StateProofError::Slot {
                slot: *slot,
                declared: *word,
                storage_root,
                detail: error.to_string(),
            })?;
        }
        Ok(())
    }

    /// The account's storage root; that of an empty trie when the account is proven absent.
    pub fn storage_root(&self, state_root: B256) -> Result<B256, StateProofError> {
        let account = self.account;
        let failed = |detail: String| StateProofError::Account { account, state_root, detail };
        let key = Nibbles::unpack(keccak256(account));
        // What stands in the last node is the account, if it is there at all; the walk below decides.
        let leaf = self.nodes.last().and_then(|node| leaf_value(node));
        let storage_root = match &leaf {
            Some(value) => TrieAccount::decode(&mut value.as_slice()).map(|found| found.storage_root).ok(),
            None => None,
        };
        if let (Some(value), Some(storage_root)) = (leaf, storage_root)
            && verify_proof(state_root, key, Some(value), &self.nodes).is_ok()
        {
            return Ok(storage_root);
        }
        verify_proof(state_root, key, None, &self.nodes).map_err(|error| failed(error.to_string()))?;
        Ok(EMPTY_ROOT_HASH)
    }
}

/// The value in a leaf node; `None` for any other node.
fn leaf_value(node: &[u8]) -> Option<Vec<u8>> {
    let mut rest = node;
    let mut payload = alloy_rlp::Header::decode_bytes(&mut rest, true).ok()?;
    let _path = alloy_rlp::Header::decode_bytes(&mut payload, false).ok()?;
    let value = alloy_rlp::Header::decode_bytes(&mut payload, false).ok()?;
    payload.is_empty().then(|| value.to_vec())
}

#[cfg(test)]
mod tests;
