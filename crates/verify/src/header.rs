//! Header rules that need no execution.

use crate::op;
use crate::spec::{ChainSpec, Rules};
use crate::verdict::{CertifiedHeader, Missing, Reason, Verdict};
use alloy_consensus::{Header, constants::EMPTY_OMMER_ROOT_HASH};
use alloy_eips::{eip1559::BaseFeeParams, eip4844::DATA_GAS_PER_BLOB};
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::B256;

/// Bytes of `extraData`.
const EXTRA_DATA_MAX: u64 = 32;
/// Least gas limit of a block.
pub(crate) const GAS_LIMIT_MIN: u64 = 5_000;
/// Most: clients take it for a signed number.
pub(crate) const GAS_LIMIT_MAX: u64 = i64::MAX as u64;
/// A block's gas limit differs from its parent's by less than this part of it.
const GAS_LIMIT_STEP: u64 = 1_024;
/// Fees above this are past any balance, and near the end of the arithmetic that the rules are written in.
pub(crate) const FEE_MAX: u64 = u64::MAX / 4;

pub(crate) fn quantity(field: &'static str, declared: u64, computed: u64) -> Result<(), Verdict> {
    if declared == computed {
        return Ok(());
    }
    Err(Verdict::Invalid(Reason::Quantity { field, declared, computed }))
}

pub(crate) fn range(field: &'static str, declared: u64, least: u64, most: u64) -> Result<(), Verdict> {
    if (least..=most).contains(&declared) {
        return Ok(());
    }
    Err(Verdict::Invalid(Reason::Range { field, declared, least, most }))
}

pub(crate) fn hash(field: &'static str, declared: B256, computed: B256) -> Result<(), Verdict> {
    if declared == computed {
        return Ok(());
    }
    Err(Verdict::Invalid(Reason::Hash { field, declared, computed }))
}

pub(crate) fn present<T>(field: &'static str, value: Option<T>) -> Result<T, Verdict> {
    value.ok_or(Verdict::Invalid(Reason::FieldMissing(field)))
}

pub(crate) fn absent<T>(field: &'static str, value: Option<T>) -> Result<(), Verdict> {
    if value.is_none() { Ok(()) } else { Err(Verdict::Invalid(Reason::FieldUnexpected(field))) }
}

/// Hold a header against its parent and the rules.
pub(crate) fn check(spec: &ChainSpec, parent: &CertifiedHeader, header: &Header) -> Result<(), Verdict> {
    let (parent_hash, parent) = (parent.hash(), parent.header());
    if header.parent_hash != parent_hash {
        let (declared, computed) = (header.parent_hash, parent_hash);
        return Err(Verdict::Invalid(Reason::ParentHash { declared, computed }));
    }
    quantity("number", header.number, parent.number.saturating_add(1))?;
    let earliest = parent.timestamp.saturating_add(u64::from(!spec.allow_equal_timestamps()));
    range("timestamp", header.timestamp, earliest, u64::MAX)?;
    if !spec.supports(header.timestamp) {
        return Err(Verdict::Undecided(Missing::Fork { timestamp: header.timestamp }));
    }
    range("extra data length", header.extra_data.len() as u64, 0, EXTRA_DATA_MAX)?;
    quantity("difficulty", header.difficulty.saturating_to(), 0)?;
    quantity("nonce", header.nonce.into(), 0)?;
    hash("ommers hash", header.ommers_hash, EMPTY_OMMER_ROOT_HASH)?;
    absent("block access list hash", header.block_access_list_hash)?;
    absent("slot number", header.slot_number)?;
    match spec.rules() {
        Rules::Ethereum(_) => check_ethereum(spec, parent, header),
        Rules::OpStack(rules) => op::check_header(rules, parent, header),
    }
}

fn check_ethereum(spec: &ChainSpec, parent: &Header, header: &Header) -> Result<(), Verdict> {
    let step = (parent.gas_limit / GAS_LIMIT_STEP).saturating_sub(1);
    let least = parent.gas_limit.saturating_sub(step).max(GAS_LIMIT_MIN);
    let most = parent.gas_limit.saturating_add(step).min(GAS_LIMIT_MAX);
    range("gas limit", header.gas_limit, least, most)?;
    range("gas used", header.gas_used, 0, header.gas_limit)?;

    check_base_fee(parent, header)?;
    present("withdrawals root", header.withdrawals_root)?;
    present("parent beacon block root", header.parent_beacon_block_root)?;
    check_blob_gas(spec, parent, header)?;
    if spec.is_prague_active_at_timestamp(header.timestamp) {
        present("requests hash", header.requests_hash)?;
        Ok(())
    } else {
        absent("requests hash", header.requests_hash)
    }
}

fn check_base_fee(parent: &Header, header: &Header) -> Result<(), Verdict> {
    let declared = present("base fee", header.base_fee_per_gas)?;
    if parent.base_fee_per_gas.is_some_and(|fee| fee > FEE_MAX) {
        return Err(Verdict::Undecided(Missing::Verifier("base fee past our arithmetic".to_owned())));
    }
    let Some(computed) = parent.next_block_base_fee(BaseFeeParams::ethereum()) else {
        return Err(Verdict::Undecided(Missing::Fork { timestamp: parent.timestamp }));
    };
    quantity("base fee", declared, computed)
}

fn check_blob_gas(spec: &ChainSpec, parent: &Header, header: &Header) -> Result<(), Verdict> {
    let Some(params) = spec.blob_params(header.timestamp) else {
        return Err(Verdict::Undecided(Missing::Fork { timestamp: header.timestamp }));
    };
    let used = present("blob gas used", header.blob_gas_used)?;
    range("blob gas used", used, 0, params.max_blob_gas_per_block())?;
    quantity("blob gas used", used, used - used % DATA_GAS_PER_BLOB)?;
    let declared = present("excess blob gas", header.excess_blob_gas)?;
    if parent.excess_blob_gas.is_some_and(|excess| excess > FEE_MAX) {
        return Err(Verdict::Undecided(Missing::Verifier("blob fee past our arithmetic".to_owned())));
    }
    // The first block with blobs has a parent that knows none: excess starts at zero.
    let computed = parent.next_block_excess_blob_gas(params).unwrap_or(0);
    quantity("excess blob gas", declared, computed)
}
