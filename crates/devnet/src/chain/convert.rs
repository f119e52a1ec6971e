//! The same values in the two type families: alloy's in our interface, ethrex's inside.

use alloy::primitives::{Address, B256, Bytes, U256};
use ethrex_common::types::Receipt;
use ethrex_common::{Address as EthrexAddress, H256, U256 as EthrexU256};

pub(super) fn address(address: Address) -> EthrexAddress {
    EthrexAddress::from(address.0.0)
}

pub(super) fn hash(hash: B256) -> H256 {
    H256::from(hash.0)
}

pub(super) fn hash_out(hash: H256) -> B256 {
    B256::from(hash.0)
}

pub(super) fn number(value: U256) -> EthrexU256 {
    word(&value.to_be_bytes::<32>())
}

pub(super) fn word(bytes: &[u8; 32]) -> EthrexU256 {
    EthrexU256::from_big_endian(bytes)
}

/// EIP-2718 encoding with its bloom: what the receipts root is over.
pub(super) fn receipt(receipt: &Receipt) -> Bytes {
    receipt.encode_inner_with_bloom(&ethrex_crypto::NativeCrypto).into()
}
