//! Header rules that need no execution.

use crate::header::{FEE_MAX, GAS_LIMIT_MAX, GAS_LIMIT_MIN, absent, hash, present, quantity, range};
use crate::spec::OpRules;
use crate::verdict::{Missing, Reason, Verdict};
use alloy_consensus::Header;
use alloy_eips::{eip1559::BaseFeeParams, eip7685::EMPTY_REQUESTS_HASH};
use alloy_op_hardforks::OpHardfork;
use alloy_primitives::{Address, address};
use alloy_trie::EMPTY_ROOT_HASH;

#[cfg(test)]
mod tests;

/// Where the fees of every block go: the vault that pays the sequencer.
const FEE_RECIPIENT: Address = address!("0x4200000000000000000000000000000000000011");
/// The first byte of extra data from Holocene on.
const HOLOCENE_VERSION: u8 = 0;
/// The first byte of extra data from Jovian on.
const JOVIAN_VERSION: u8 = 1;

/// How a block says that the base fee moves after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Declared {
    denominator: u32,
    elasticity: u32,
    /// From Jovian on; no limit before.
    base_fee_min: u64,
}

/// What extra data say, from Holocene on.
fn declared(rules: &OpRules, header: &Header) -> Result<Declared, &'static str> {
    let mut rest = &header.extra_data[..];
    let jovian = rules.is_active(OpHardfork::Jovian, header.timestamp);
    let version = if jovian { JOVIAN_VERSION } else { HOLOCENE_VERSION };
    if take::<1>(&mut rest)? != [version] {
        return Err("another version than this fork's");
    }
    let denominator = u32::from_be_bytes(take(&mut rest)?);
    let elasticity = u32::from_be_bytes(take(&mut rest)?);
    let base_fee_min = if jovian { u64::from_be_bytes(take(&mut rest)?) } else { 0 };
    if !rest.is_empty() {
        return Err("more bytes than this fork's");
    }
    if denominator == 0 {
        return Err("a denominator of zero");
    }
    Ok(Declared { denominator, elasticity, base_fee_min })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], &'static str> {
    let (bytes, after) = rest.split_first_chunk().ok_or("fewer bytes than this fork's")?;
    *rest = after;
    Ok(*bytes)
}

/// Hold a header against its parent and the rules. Number, time and what Ethereum shares have been held already.
pub(crate) fn check(rules: &OpRules, parent: &Header, header: &Header) -> Result<(), Verdict> {
    let active = |fork| rules.is_active(fork, header.timestamp);
    if header.number < rules.bedrock_block() {
        return Err(Verdict::Undecided(Missing::Fork { timestamp: header.timestamp }));
    }
    if header.beneficiary != FEE_RECIPIENT {
        let (declared, computed) = (header.beneficiary, FEE_RECIPIENT);
        return Err(Verdict::Invalid(Reason::FeeRecipient { declared, computed }));
    }
    if active(OpHardfork::Holocene) {
        declared(rules, header).map_err(|what| Verdict::Invalid(Reason::ExtraData(what)))?;
    } else if !header.extra_data.is_empty() {
        return Err(Verdict::Invalid(Reason::ExtraData("not empty before Holocene")));
    }
    // L1 sets the limit, and may move it by any step.
    range("gas limit", header.gas_limit, GAS_LIMIT_MIN, GAS_LIMIT_MAX)?;
    range("gas used", header.gas_used, 0, header.gas_limit)?;
    let base_fee = present("base fee", header.base_fee_per_gas)?;
    quantity("base fee", base_fee, next_base_fee(rules, parent, header.timestamp)?)?;

    if active(OpHardfork::Canyon) {
        let root = present("withdrawals root", header.withdrawals_root)?;
        if !active(OpHardfork::Isthmus) {
            hash("withdrawals root", root, EMPTY_ROOT_HASH)?;
        }
    } else {
        absent("withdrawals root", header.withdrawals_root)?;
    }
    if active(OpHardfork::Ecotone) {
        present("parent beacon block root", header.parent_beacon_block_root)?;
        quantity("excess blob gas", present("excess blob gas", header.excess_blob_gas)?, 0)?;
        let used = present("blob gas used", header.blob_gas_used)?;
        // From Jovian on it is the footprint of the block's data, which execution tells, bounded as gas is.
        let most = if active(OpHardfork::Jovian) { header.gas_limit } else { 0 };
        range("blob gas used", used, 0, most)?;
    } else {
        absent("parent beacon block root", header.parent_beacon_block_root)?;
        absent("excess blob gas", header.excess_blob_gas)?;
        absent("blob gas used", header.blob_gas_used)?;
    }
    if active(OpHardfork::Isthmus) {
        hash("requests hash", present("requests hash", header.requests_hash)?, EMPTY_REQUESTS_HASH)
    } else {
        absent("requests hash", header.requests_hash)
    }
}

/// The base fee of a block at `timestamp` on `parent`.
fn next_base_fee(rules: &OpRules, parent: &Header, timestamp: u64) -> Result<u64, Verdict> {
    let undecided = |what: &str| Verdict::Undecided(Missing::Verifier(what.to_owned()));
    let base_fee =
        parent.base_fee_per_gas.ok_or(Verdict::Undecided(Missing::Fork { timestamp: parent.timestamp }))?;
    if base_fee > FEE_MAX {
        return Err(undecided("base fee past our arithmetic"));
    }
    let (params, least) = if rules.is_active(OpHardfork::Holocene, parent.timestamp) {
        let declared =
            declared(rules, parent).map_err(|what| undecided(&format!("the parent's extra data: {what}")))?;
        let params = BaseFeeParams::new(declared.denominator.into(), declared.elasticity.into());
        (params, declared.base_fee_min)
    } else {
        (rules.base_fee_params(timestamp), 0)
    };
    if params.elasticity_multiplier == 0 || u128::from(parent.gas_limit) < params.elasticity_multiplier {
        // The stack's own client cannot go on from such a parent.
        return Err(undecided("the parent's gas target is zero"));
    }
    let mut metered = parent.gas_used;
    if rules.is_active(OpHardfork::Jovian, parent.timestamp) {
        metered = metered.max(parent.blob_gas_used.unwrap_or(0));
    }
    let moved = alloy_eips::eip1559::calc_next_block_base_fee(metered, parent.gas_limit, base_fee, params);
    Ok(moved.max(least))
}
