//! The base fee: numbers that op-geth's tests state for these parents.

use super::*;
use crate::spec::{ChainSpec, Rules};
use serde_json::json;

/// Canyon at 10, Holocene at 12, Jovian at 14.
fn next(parent: &Header) -> Result<u64, Verdict> {
    let spec = ChainSpec::from_rollup_config(&json!({
        "l2_chain_id": 7, "canyon_time": 10, "ecotone_time": 12, "fjord_time": 12, "granite_time": 12,
        "holocene_time": 12, "isthmus_time": 14, "jovian_time": 14,
        "chain_op_config": {
            "eip1559Elasticity": 6, "eip1559Denominator": 50, "eip1559DenominatorCanyon": 250,
        },
    }));
    let spec = spec.unwrap();
    let Rules::OpStack(rules) = spec.rules() else { panic!() };
    next_base_fee(rules, parent, parent.timestamp + 2)
}

fn parent(timestamp: u64, base_fee: u64, gas_used: u64) -> Header {
    Header {
        timestamp,
        base_fee_per_gas: Some(base_fee),
        gas_used,
        gas_limit: 30_000_000,
        ..Default::default()
    }
}

#[test]
fn until_holocene_the_configuration_moves_it() {
    const GWEI: u64 = 1_000_000_000;
    for (gas_used, before_canyon, after) in [
        (5_000_000, GWEI, GWEI),
        (4_000_000, 996_000_000, 999_200_000),
        (10_000_000, 1_020_000_000, 1_004_000_000),
    ] {
        assert_eq!(next(&parent(6, GWEI, gas_used)), Ok(before_canyon));
        // The child's time counts: at 8 the child is the first under Canyon.
        assert_eq!(next(&parent(8, GWEI, gas_used)), Ok(after));
        // The first block of Holocene has a parent that says nothing.
        assert_eq!(next(&parent(10, GWEI, gas_used)), Ok(after));
    }
}

#[test]
fn from_holocene_on_the_parent_moves_it() {
    for (gas_used, expected, denominator, elasticity) in [
        (15_000_000, 10_000_000, 10, 2),
        (10_000_000, 9_666_667, 10, 2),
        (20_000_000, 10_333_333, 10, 2),
        (3_000_000, 10_000_000, 2, 10),
        (1_000_000, 6_666_667, 2, 10),
        (30_000_000, 55_000_000, 2, 10),
    ] {
        let mut parent = parent(12, 10_000_000, gas_used);
        parent.extra_data = vec![0, 0, 0, 0, denominator, 0, 0, 0, elasticity].into();
        assert_eq!(next(&parent), Ok(expected));
    }
}

fn jovian(base_fee: u64, gas_used: u64, base_fee_min: u64) -> Header {
    let mut parent = parent(14, base_fee, gas_used);
    parent.blob_gas_used = Some(0);
    let mut extra_data = vec![1, 0, 0, 0, 50, 0, 0, 0, 3];
    extra_data.extend(base_fee_min.to_be_bytes());
    parent.extra_data = extra_data.into();
    parent
}

#[test]
fn from_jovian_on_it_has_a_least_value() {
    for (base_fee, gas_used, expected, least) in [
        (1, 10_000_000, 1_000_000_000, 1_000_000_000),
        (1, 11_000_000, 1_000_000_000, 1_000_000_000),
        (2_000_000_000, 20_000_000, 2_040_000_000, 1_000_000_000),
        (1, 9_000_000, 1_000_000_000, 1_000_000_000),
        (2_097_152, 9_000_000, 2_092_958, 2_000_000),
    ] {
        assert_eq!(next(&jovian(base_fee, gas_used, least)), Ok(expected));
    }
}

/// Jovian: the footprint of data counts where it is more than the gas.
#[test]
fn from_jovian_on_data_move_it() {
    let mut parent = jovian(2_000_000_000, 9_000_000, 0);
    parent.blob_gas_used = Some(20_000_000);
    assert_eq!(next(&parent), Ok(2_040_000_000));
    parent.blob_gas_used = Some(8_000_000);
    assert_eq!(next(&parent), next(&jovian(2_000_000_000, 9_000_000, 0)));
}

/// What a certified parent cannot have, a stranger's anchor may: no judgement, and no division by zero.
#[test]
fn a_parent_that_moves_it_nowhere_is_undecided() {
    let undecided = |parent: &Header| matches!(next(parent), Err(Verdict::Undecided(_)));
    let mut odd = jovian(1, 1, 0);
    odd.extra_data = vec![1, 0, 0, 0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].into();
    assert!(undecided(&odd), "an elasticity of zero");
    odd.extra_data = vec![1].into();
    assert!(undecided(&odd), "no parameters");
    let mut odd = jovian(1, 1, 0);
    odd.gas_limit = 2;
    assert!(undecided(&odd), "a target of zero");
    let mut odd = jovian(1, 1, 0);
    odd.base_fee_per_gas = None;
    assert!(undecided(&odd), "no base fee");
    assert!(undecided(&jovian(u64::MAX, 1, 0)), "a fee past our arithmetic");
}
