use super::*;
use alloy::signers::{SignerSync, local::PrivateKeySigner};
use alloy_consensus::{
    BlockBody, Header as BlockHeader, SignableTransaction, TxEip1559, TxEnvelope, TxLegacy,
    constants::EMPTY_OMMER_ROOT_HASH, proofs,
};
use alloy_eips::eip4895::{Withdrawal, Withdrawals};
use alloy_primitives::{TxKind, U256};

type Block = alloy_consensus::Block<TxEnvelope>;

/// A block with one legacy and one typed transaction and a withdrawal.
pub(crate) fn block() -> Block {
    let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
    let legacy =
        TxLegacy { nonce: 1, gas_price: 5, gas_limit: 21_000, to: TxKind::Create, ..Default::default() };
    let typed =
        TxEip1559 { chain_id: 9, nonce: 2, gas_limit: 50_000, value: U256::from(3), ..Default::default() };
    let signature = |hash| signer.sign_hash_sync(&hash).unwrap();
    let legacy = legacy.clone().into_signed(signature(legacy.signature_hash()));
    let typed = typed.clone().into_signed(signature(typed.signature_hash()));
    let transactions: Vec<TxEnvelope> = vec![legacy.into(), typed.into()];
    let withdrawals =
        Withdrawals::new(vec![Withdrawal { index: 1, validator_index: 2, amount: 3, ..Default::default() }]);
    let header = BlockHeader {
        number: 12,
        timestamp: 1_700,
        parent_hash: B256::repeat_byte(1),
        state_root: B256::repeat_byte(2),
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        transactions_root: proofs::calculate_transaction_root(&transactions),
        withdrawals_root: Some(proofs::calculate_withdrawals_root(&withdrawals)),
        base_fee_per_gas: Some(7),
        ..Default::default()
    };
    Block { header, body: BlockBody { transactions, ommers: Vec::new(), withdrawals: Some(withdrawals) } }
}

fn read(block: &Block) -> Result<RawBlock, BlockBytesError> {
    RawBlock::from_rlp(alloy_rlp::encode(block).into())
}

fn root_refused(block: &Block) -> &'static str {
    match read(block) {
        Err(BlockBytesError::Root { field, .. }) => field,
        other => panic!("not refused for a root: {other:?}"),
    }
}

#[test]
fn a_block_says_what_its_header_says() {
    let block = block();
    let raw = read(&block).unwrap();
    assert_eq!(raw.block, BlockRef { number: 12, hash: block.header.hash_slow() });
    assert_eq!(raw.parent_hash, block.header.parent_hash);
    assert_eq!(raw.state_root, block.header.state_root);
    assert_eq!(raw.time_ms, TimeMs(1_700_000));
}

#[test]
fn a_header_before_withdrawals_has_no_list_of_them() {
    let mut block = block();
    block.header.withdrawals_root = None;
    block.body.withdrawals = None;
    assert_eq!(read(&block).unwrap().block.hash, block.header.hash_slow());
}

#[test]
fn another_body_under_the_same_header_is_refused() {
    let mut fewer = block();
    fewer.body.transactions.pop();
    assert_eq!(root_refused(&fewer), "transactions root");

    let mut swapped = block();
    swapped.body.transactions.swap(0, 1);
    assert_eq!(root_refused(&swapped), "transactions root");

    let mut ommers = block();
    ommers.body.ommers.push(BlockHeader::default());
    assert_eq!(root_refused(&ommers), "ommers hash");

    let mut withdrawals = block();
    withdrawals.body.withdrawals.as_mut().unwrap()[0].amount += 1;
    assert_eq!(root_refused(&withdrawals), "withdrawals root");
}

#[test]
fn an_emptied_list_of_withdrawals_is_refused() {
    let mut emptied = block();
    emptied.body.withdrawals = Some(Withdrawals::default());
    assert_eq!(root_refused(&emptied), "withdrawals root");
}

#[test]
fn bytes_after_the_block_are_refused() {
    let mut bytes = alloy_rlp::encode(block());
    bytes.push(0);
    assert_eq!(RawBlock::from_rlp(bytes.into()), Err(BlockBytesError::Trailing { left: 1 }));
}

#[test]
fn every_truncation_is_refused() {
    let bytes = alloy_rlp::encode(block());
    for end in 0..bytes.len() {
        assert!(RawBlock::from_rlp(bytes[..end].to_vec().into()).is_err(), "{end} bytes were taken");
    }
}

#[test]
fn no_single_byte_change_keeps_the_hash() {
    let bytes = alloy_rlp::encode(block());
    let hash = read(&block()).unwrap().block.hash;
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let kept = RawBlock::from_rlp(changed.into()).is_ok_and(|raw| raw.block.hash == hash);
        assert!(!kept, "byte {at} can be changed");
    }
}

/// The leaf of the transactions' trie is the same, and so are root and hash.
#[test]
fn a_legacy_transaction_wrapped_in_a_string_is_no_second_form_of_the_block() {
    let block = block();
    let listed = |items: &[Vec<u8>]| {
        let mut out = Vec::new();
        Header { list: true, payload_length: items.iter().map(Vec::len).sum() }.encode(&mut out);
        items.iter().for_each(|item| out.extend_from_slice(item));
        out
    };
    let with = |first: Vec<u8>| {
        let transactions = listed(&[first, alloy_rlp::encode(&block.body.transactions[1])]);
        let (header, withdrawals) =
            (alloy_rlp::encode(&block.header), alloy_rlp::encode(block.body.withdrawals.clone().unwrap()));
        RawBlock::from_rlp(listed(&[header, transactions, listed(&[]), withdrawals]).into())
    };
    let legacy = alloy_rlp::encode(&block.body.transactions[0]);
    assert_eq!(with(legacy.clone()).unwrap().block.hash, block.header.hash_slow());
    let wrapped = with(alloy_rlp::encode(Bytes::from(legacy)));
    assert!(matches!(wrapped, Err(BlockBytesError::Field { field: "transactions", .. })), "{wrapped:?}");
}
