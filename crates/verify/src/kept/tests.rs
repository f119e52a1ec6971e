use super::Kept;
use crate::{
    ChainSpec,
    state::{Source, StateDb},
    trie::{NodeSource, Trie},
};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::TrieAccount;
use revm::database::{TransitionAccount, TransitionState};
use serde_json::json;
use std::collections::BTreeMap;

fn spec(keep: bool, equal: bool) -> ChainSpec {
    let config = json!({
        "chainId": 5, "cancunTime": 0, "pragueTime": 0, "terminalTotalDifficulty": 0,
        "depositContractAddress": "0x0000000000000000000000000000000000000000",
        "keepEmptyState": keep, "allowEqualTimestamps": equal,
    });
    serde_json::from_value(config).unwrap()
}

#[test]
fn the_rule_is_part_of_what_a_registration_commits_to() {
    let mut hashes: Vec<_> =
        [(false, false), (false, true), (true, false), (true, true)].map(|(k, e)| spec(k, e).hash()).to_vec();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 4);
    for keep in [false, true] {
        let written = serde_json::to_value(spec(keep, true)).unwrap();
        let read: ChainSpec = serde_json::from_value(written).unwrap();
        assert_eq!(read, spec(keep, true));
        assert_eq!(read.keep_empty_state(), keep);
    }
}

#[test]
fn the_op_stack_has_no_such_rule() {
    let mut config =
        serde_json::to_value(ChainSpec::preset(hum_types::ChainId(11_155_420)).unwrap()).unwrap();
    serde_json::from_value::<ChainSpec>(config.clone()).unwrap();
    config["keepEmptyState"] = json!(true);
    assert!(serde_json::from_value::<ChainSpec>(config).is_err());
}

#[derive(Debug)]
struct Nodes(BTreeMap<B256, Vec<u8>>);

impl NodeSource for Nodes {
    fn node(&self, hash: &B256) -> Option<&[u8]> {
        self.0.get(hash).map(Vec::as_slice)
    }
}

impl Source for Nodes {
    fn code(&self, _: &B256) -> Option<Bytes> {
        None
    }

    fn block_hash(&self, _: u64) -> Option<B256> {
        None
    }
}

/// A precompile that was called before is there, empty, and is called again: what lies beside it is nobody's business.
#[test]
fn an_empty_account_that_is_touched_again_needs_no_node_beside_it() {
    let touched = Address::with_last_byte(8);
    let first_nibble = |address: Address| keccak256(address)[0] >> 4;
    let beside =
        (9..).map(Address::with_last_byte).find(|a| first_nibble(*a) != first_nibble(touched)).unwrap();
    let rich = alloy_rlp::encode(TrieAccount { balance: U256::from(1), ..Default::default() });
    let mut trie = Trie::empty();
    trie.insert(&keccak256(touched), alloy_rlp::encode(TrieAccount::default()), &()).unwrap();
    trie.insert(&keccak256(beside), rich.clone(), &()).unwrap();
    let mut nodes = BTreeMap::new();
    let root = trie.commit(&mut |hash, node: &[u8]| {
        nodes.insert(hash, node.to_vec());
    });
    // The leaf beside it is in no witness of this block.
    nodes.retain(|_, node| !node.windows(rich.len()).any(|part| part == rich));
    let mut state = StateDb::new(root, Nodes(nodes));
    let emptied = TransitionAccount::new_empty_eip161(Default::default());
    let changes = TransitionState { transitions: [(touched, emptied)].into_iter().collect() };
    let kept = Kept::from([(touched, Default::default())]);
    assert_eq!(state.apply_keeping(changes, &kept), Ok(root));
}
