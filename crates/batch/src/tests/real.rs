//! Blocks of public chains.

use super::*;
use alloy_consensus::Header;
use alloy_rlp::Decodable as _;
use hum_types::keccak256;
use std::path::Path;

/// File names and block hashes, as testdata/README.md states them.
const BLOCKS: [(&str, &str); 5] = [
    ("hoodi-1265656", "ac77c202b2b33da757f785a4c240333c7d148bc2558f19c483e42fe3ca1ce6db"),
    ("hoodi-1281069", "ce2b5b0438d17545a2a90e9139dccc4bbea27e2fdfbcba29f0d4759f6a09e8ef"),
    ("mainnet-21688509", "c19ed13283a0ccd0015cf8baf764f89b7e4ce60c452913f666b2381d4d6f3198"),
    ("op-sepolia-26207960", "db32d9ddfa5fd26c9fb0260bbfa53da88326aa2a465e34d75180564aa31b851e"),
    ("op-sepolia-26207961", "163f974efd18250b43c4eb16c9d4f638cf25e4fe7d8b444db58916d62404d4a5"),
];

fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(format!("{name}.rlp"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn header(rlp: &[u8]) -> Header {
    let mut block = alloy_rlp::Header::decode_bytes(&mut &*rlp, true).unwrap();
    Header::decode(&mut block).unwrap()
}

#[test]
fn each_comes_back_with_its_hash() {
    for (name, hash) in BLOCKS {
        let rlp = read(name);
        let batch = there_and_back(header(&rlp).parent_hash, std::slice::from_ref(&rlp));
        assert_eq!(alloy_primitives::hex::encode(batch.last().hash), hash, "{name}");
        println!("{name}: {} bytes, in a batch {}", rlp.len(), batch.data().len());
    }
}

#[test]
fn two_that_stand_on_each_other() {
    let blocks = ["op-sepolia-26207960", "op-sepolia-26207961"].map(read);
    let batch = there_and_back(header(&blocks[0]).parent_hash, &blocks);
    assert_eq!((batch.first(), batch.last().number), (26_207_960, 26_207_961));
    let apart = pack(header(&blocks[0]).parent_hash, &[blocks[1].clone()]);
    let computed = header(&blocks[0]).parent_hash;
    let declared = batch.last();
    assert_eq!(
        apart,
        Err(PackError::ParentHash {
            number: declared.number,
            declared: header(&blocks[1]).parent_hash,
            computed
        })
    );
}

#[test]
fn one_bit_of_a_transaction_is_another_block() {
    let rlp = read("op-sepolia-26207961");
    let batch = pack(header(&rlp).parent_hash, std::slice::from_ref(&rlp)).unwrap();
    let mut bytes = payload(&batch);
    // Far behind the header: inside a transaction.
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    let other = Batch::decode(&posted(&bytes)).expect("transactions are not looked into").last();
    assert_ne!(other.hash, batch.last().hash);
    let (_, after) = (other, keccak256(&rlp));
    let other = Batch::decode(&posted(&bytes)).unwrap();
    assert_ne!(keccak256(&other.blocks[0].rlp), after);
}
