use alloy::primitives::{Address, LogData, U256, keccak256};
use alloy_consensus::{BlockBody, Header};

use super::*;

fn truth() -> TrueBlock {
    let header =
        Header { number: 7, state_root: keccak256("state"), gas_limit: 30_000_000, ..Header::default() };
    TrueBlock { header, body: BlockBody { withdrawals: Some(Default::default()), ..BlockBody::default() } }
}

fn log() -> Log {
    Log {
        address: Address::repeat_byte(9),
        data: LogData::new_unchecked(vec![keccak256("Sent")], Bytes::from_static(b"data")),
    }
}

fn header_of(lie: &Lie) -> Header {
    let block = decode(&lie.block).expect("a lie is well-formed");
    assert_eq!(block.header.hash_slow(), lie.hash);
    block.header
}

#[test]
fn state_root_is_the_only_lie() {
    let block = alloy_rlp::encode(truth());
    let lie = wrong_state_root(&block, keccak256("elsewhere")).unwrap();
    let expected = Header { state_root: keccak256("elsewhere"), ..truth().header };
    assert_eq!(header_of(&lie), expected);
}

#[test]
fn true_state_root_is_refused() {
    let block = alloy_rlp::encode(truth());
    let root = keccak256("state");
    assert_eq!(wrong_state_root(&block, root), Err(LieError::Truth { field: "state root", value: root }));
}

#[test]
fn receipt_is_claimed_after_the_true_ones() {
    let block = alloy_rlp::encode(truth());
    let before = Log { address: Address::repeat_byte(1), data: LogData::default() };
    let real = Receipt {
        status: Eip658Value::Eip658(true),
        cumulative_gas_used: 21_000,
        logs: vec![before.clone()],
    };
    let raw: Bytes = alloy::eips::eip2718::Encodable2718::encoded_2718(&ReceiptEnvelope::Eip1559(
        real.clone().with_bloom(),
    ))
    .into();
    let header = header_of(&forged_receipt(&block, &[raw], log()).unwrap());
    let claimed = Receipt { logs: vec![before, log()], ..real };
    let claimed = ReceiptEnvelope::Eip1559(claimed.with_bloom());
    assert_eq!(header.receipts_root, calculate_receipt_root(std::slice::from_ref(&claimed)));
    assert_eq!(header.logs_bloom, *claimed.logs_bloom());
    assert_eq!(header.state_root, truth().header.state_root);
}

#[test]
fn receipt_is_claimed_without_a_transaction() {
    let block = alloy_rlp::encode(truth());
    let header = header_of(&forged_receipt(&block, &[], log()).unwrap());
    assert_ne!(header.receipts_root, truth().header.receipts_root);
    assert!(header.logs_bloom.contains_raw_log(log().address, log().topics()));
}

#[test]
fn malformed_receipt_is_named() {
    let block = alloy_rlp::encode(truth());
    let refused = forged_receipt(&block, &[Bytes::from_static(&[2, 0xc0])], log());
    assert!(matches!(refused, Err(LieError::Receipt { index: 0, .. })), "{refused:?}");
}

#[test]
fn trailing_byte_is_refused() {
    let mut block = alloy_rlp::encode(truth());
    block.push(0);
    assert_eq!(wrong_state_root(&block, B256::ZERO), Err(LieError::TrailingBytes(1)));
}

#[test]
fn truncated_block_is_refused() {
    let block = alloy_rlp::encode(truth());
    let refused = wrong_state_root(&block[..block.len() - 1], U256::ZERO.into());
    assert!(matches!(refused, Err(LieError::Block(_))), "{refused:?}");
}
