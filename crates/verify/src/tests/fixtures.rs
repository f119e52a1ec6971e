//! Real chain data: the committed few, and the whole collection where it lies beside the checkout.

use crate::*;
use crate::{
    dialect::parse_witness,
    file::{BlockFile, FileError},
    trie::Trie,
};
use alloy_consensus::Header;
use alloy_primitives::{B256, b256};
use alloy_rlp::Decodable;
use flate2::read::GzDecoder;
use std::{
    io::Read,
    path::{Path, PathBuf},
};

/// The collection, where it is there.
fn collection() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/ethereum");
    path.is_dir().then_some(path)
}

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn read(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    text
}

pub(super) fn mainnet_block() -> BlockFile {
    BlockFile::parse(&read(&committed().join("mainnet-21688509.json.gz"))).unwrap()
}

/// A committed block.
pub(super) fn block(name: &str) -> BlockFile {
    BlockFile::parse(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A committed file.
pub(super) fn text(name: &str) -> String {
    read(&committed().join(format!("{name}.json.gz")))
}

/// The committed blocks, without the one that is known to be incomplete.
pub(super) fn valid_blocks() -> Vec<(&'static str, BlockFile)> {
    const NAMES: [&str; 8] = [
        "mainnet-21688509",
        "hoodi-1265656",
        "hoodi-1281069",
        "op-sepolia-26207960",
        "op-sepolia-26207961",
        "op-sepolia-26207963",
        "op-sepolia-26208858",
        "op-sepolia-26208927",
    ];
    NAMES.map(|name| (name, block(name))).into()
}

pub(super) fn judge(file: &BlockFile) -> Verdict {
    verifier(file).verify(&file.parent, file.claimed, &file.block, &file.witness)
}

pub(super) fn verifier(file: &BlockFile) -> Verifier {
    Verifier::new(file.spec.clone(), vec![], Limits::default())
}

#[test]
fn a_mainnet_block_is_valid() {
    let file = mainnet_block();
    let Verdict::Valid(summary) = judge(&file) else { panic!("{:?}", judge(&file)) };
    assert_eq!(
        summary.header.hash(),
        b256!("c19ed13283a0ccd0015cf8baf764f89b7e4ce60c452913f666b2381d4d6f3198")
    );
    assert_eq!((summary.header.block().number, summary.transactions), (21_688_509, 8));
    assert!(summary.messages.is_empty() && summary.malformed_gateway_logs.is_empty());
}

/// Hoodi's blocks are under Prague's rules. One lists nodes twice and nodes that no rule needs; the other has no path for
/// the caller of system contracts.
#[test]
fn every_complete_block_is_valid() {
    for (name, file) in valid_blocks() {
        let Verdict::Valid(summary) = judge(&file) else { panic!("{name}: {:?}", judge(&file)) };
        assert_eq!(summary.header.hash(), file.claimed, "{name}");
    }
}

/// This witness lacks the path of an account that a blob transaction pays.
#[test]
fn a_block_whose_witness_is_incomplete_is_undecided() {
    let missing = b256!("8a3d287b464732615d9fbbb597e156d4b694c3634d77b057bc2965d61c99a32b");
    assert_eq!(judge(&block("mainnet-22188088")), Verdict::Undecided(Missing::Node(missing)));
}

/// The three dialects give the same blocks the same witness (hive's tests x44 are of one block); Geth's witness-only
/// files are readable and carry the parent's state root.
#[test]
fn every_dialect_is_read() {
    let result = |path: &Path| {
        let json: serde_json::Value = serde_json::from_str(&read(path)).unwrap();
        let witness = json.get("witness").unwrap_or_else(|| &json["response"]["result"]);
        parse_witness(&witness.to_string()).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    };
    let mut roots = Vec::new();
    for test in ["144", "244", "344"] {
        let witness = result(&committed().join(format!("hive-debug_executionWitness-{test}.json")));
        let parent = Header::decode(&mut &witness.headers[0][..]).unwrap();
        roots.push((parent.hash_slow(), walk(&witness, parent.state_root)));
    }
    assert!(roots.windows(2).all(|pair| pair[0] == pair[1]), "{roots:?}");

    let Some(collection) = collection() else { return };
    for entry in std::fs::read_dir(collection).unwrap() {
        let path = entry.unwrap().path();
        let witness = result(&path);
        let parent = witness.headers.iter().map(|raw| Header::decode(&mut &raw[..]).unwrap());
        let parent = parent.max_by_key(|header| header.number).unwrap();
        assert!(walk(&witness, parent.state_root), "{path:?} does not hold the root of its parent's state");
    }
}

/// Whether the witness holds the root node of the parent's state.
fn walk(witness: &Witness, root: B256) -> bool {
    let mut nodes = crate::trie::NodeSet::default();
    for node in &witness.state {
        nodes.insert(node.clone());
    }
    // The path of the zero key may be cut below the root, but not at it.
    !matches!(Trie::from_root(root).get(&B256::ZERO, &nodes), Err(trie::TrieError::Missing(hash)) if hash == root)
}

/// No witness node can be taken away, none changed, so that a valid block is called invalid.
#[test]
fn a_poorer_witness_never_makes_a_block_invalid() {
    let file = mainnet_block();
    let verifier = verifier(&file);
    let (mut undecided, mut valid) = (0, 0);
    for index in (0..file.witness.state.len()).step_by(7) {
        let mut witness = file.witness.clone();
        let lost = alloy_primitives::keccak256(witness.state.swap_remove(index));
        match verifier.verify(&file.parent, file.claimed, &file.block, &witness) {
            Verdict::Undecided(Missing::Node(missing)) => {
                assert_eq!(missing, lost);
                undecided += 1;
            }
            Verdict::Valid(_) => valid += 1,
            verdict => panic!("without node {index}: {verdict:?}"),
        }
    }
    // This file's source lists some nodes that no rule needs.
    assert!(undecided > 10 * valid, "{undecided} {valid}");
    for index in 0..file.witness.codes.len() {
        let mut witness = file.witness.clone();
        let lost = alloy_primitives::keccak256(witness.codes.swap_remove(index));
        match verifier.verify(&file.parent, file.claimed, &file.block, &witness) {
            Verdict::Undecided(Missing::Code(missing)) => assert_eq!(missing, lost),
            Verdict::Valid(_) => {}
            verdict => panic!("without code {index}: {verdict:?}"),
        }
    }
}

#[test]
fn a_file_that_is_not_what_it_says_is_refused() {
    let text = read(&committed().join("mainnet-21688509.json.gz"));
    let changed = |from: &str, to: &str| BlockFile::parse(&text.replacen(from, to, 1)).unwrap_err();
    assert!(matches!(changed("ethereum-stateless-block", "raw-transaction"), FileError::Kind { .. }));
    assert!(matches!(changed("\"chain_id\":1,", "\"chain_id\":5,"), FileError::Chain(_)));
    assert!(matches!(changed("\"hash\":\"0x", "\"hash\":\"0xz"), FileError::Json(_)));
    assert!(matches!(changed("\"rlp\":\"0xf9", "\"rlp\":\"0xf8"), FileError::ParentHash { .. }));
    assert!(matches!(changed("\"state\":[", "\"state\":[1,"), FileError::Witness(_)));
    let config = "\"chain_id\":1,\"chain_config\":{\"chainId\":2,\"cancunTime\":0,\"terminalTotalDifficultyPassed\":true},";
    assert!(matches!(changed("\"chain_id\":1,", config), FileError::ConfigChain { .. }));
}
