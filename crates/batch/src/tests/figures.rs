//! What a block and a transfer cost in a batch.

use super::*;
use alloy_consensus::{
    EthereumTxEnvelope, Header, SignableTransaction as _, TxEip1559, TxEip4844,
    constants::EMPTY_OMMER_ROOT_HASH,
    proofs::{calculate_transaction_root, calculate_withdrawals_root},
};
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{Address, Signature, U256};
use hum_types::keccak256;

type Transaction = EthereumTxEnvelope<TxEip4844>;

/// Bytes that do not compress.
fn noise(of: &str, number: u64) -> B256 {
    keccak256(format!("{of} {number}"))
}

/// A transfer from one of a few accounts to another; its signature is as long as a real one.
fn transfer(number: u64) -> Transaction {
    let transaction = TxEip1559 {
        chain_id: 901,
        nonce: number,
        gas_limit: 21_000,
        max_fee_per_gas: 2_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: Address::from_word(noise("to", number)).into(),
        value: U256::from(1_000_000_000_000_000_u64 + number),
        ..TxEip1559::default()
    };
    let scalar = |of| U256::from_be_bytes(noise(of, number).0) >> 1;
    transaction.into_signed(Signature::new(scalar("r"), scalar("s"), number.is_multiple_of(2))).into()
}

/// `count` blocks as the embedded client makes them, with `transfers` each.
fn blocks(count: u64, transfers: u64) -> Vec<Vec<u8>> {
    let mut parent = B256::ZERO;
    (1..=count)
        .map(|number| {
            let transactions: Vec<_> = (0..transfers).map(|n| transfer(number * transfers + n)).collect();
            let header = Header {
                parent_hash: parent,
                ommers_hash: EMPTY_OMMER_ROOT_HASH,
                state_root: noise("state", number),
                transactions_root: calculate_transaction_root(&transactions),
                receipts_root: if transfers == 0 {
                    alloy_consensus::EMPTY_ROOT_HASH
                } else {
                    noise("receipts", number)
                },
                withdrawals_root: Some(calculate_withdrawals_root(&[])),
                number,
                gas_limit: 30_000_000,
                gas_used: 21_000 * transfers,
                timestamp: 1_790_000_000 + number,
                base_fee_per_gas: Some(7),
                blob_gas_used: Some(0),
                excess_blob_gas: Some(0),
                parent_beacon_block_root: Some(B256::ZERO),
                requests_hash: Some(alloy_consensus::constants::EMPTY_WITHDRAWALS),
                ..Header::default()
            };
            parent = header.hash_slow();
            let withdrawals = Some(Withdrawals::default());
            let body = alloy_consensus::BlockBody { transactions, ommers: Vec::new(), withdrawals };
            alloy_rlp::encode(alloy_consensus::Block::<Transaction> { header, body })
        })
        .collect()
}

fn sizes(count: u64, transfers: u64) -> (usize, usize) {
    let rlps = blocks(count, transfers);
    let raw = rlps.iter().map(Vec::len).sum();
    (raw, there_and_back(B256::ZERO, &rlps).data().len())
}

#[test]
fn bytes_of_empty_blocks_and_of_transfers() {
    let (raw, packed) = sizes(100, 0);
    println!("an empty block: {} bytes of RLP, {} in a batch of 100", raw / 100, packed / 100);
    assert!(packed * 8 < raw, "{packed} of {raw}");
    let (filled_raw, filled) = sizes(100, 10);
    let per = |whole: usize, empty: usize| (whole - empty) / 1_000;
    println!("a transfer: {} bytes of RLP, {} in a batch of 1000", per(filled_raw, raw), per(filled, packed));
    // Signature, recipient and what differs in value and nonce do not compress.
    assert!(per(filled, packed) < per(filled_raw, raw), "{filled} of {filled_raw}");
    println!("1000 transfers in 100 blocks: {filled_raw} bytes of RLP, {filled} in a batch");
}
