//! Whether the contracts have what our hand-written interfaces call.

use super::super::*;
use alloy_sol_types::{SolCall, SolInterface};
use serde_json::Value;
use std::path::Path;

fn json(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts").join(path);
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
}

/// Whether the code compares something with this selector (`PUSH4`).
fn has(code: &str, selector: [u8; 4]) -> bool {
    code.contains(&format!("63{}", alloy_primitives::hex::encode(selector)))
        // Leading zero bytes are pushed shorter.
        || (selector[0] == 0 && code.contains(&format!("62{}", alloy_primitives::hex::encode(&selector[1..]))))
}

fn all_in<I: SolInterface>(name: &str, code: &str) {
    let missing: Vec<_> =
        I::selectors().filter(|selector| !has(code, *selector)).map(alloy_primitives::hex::encode).collect();
    assert!(missing.is_empty(), "{name} lacks {missing:?}");
}

#[test]
fn the_oldest_core_that_we_serve_has_every_function_that_we_call() {
    let core = json("eigenlayer/core.json");
    let code = |name: &str| core["bytecode"][name].as_str().unwrap().to_lowercase();
    all_in::<IAllocationManager::IAllocationManagerCalls>("AllocationManager", &code("AllocationManager"));
    all_in::<IDelegationManager::IDelegationManagerCalls>("DelegationManager", &code("DelegationManager"));
    all_in::<IStrategyManager::IStrategyManagerCalls>("StrategyManager", &code("StrategyManager"));
    all_in::<IStrategy::IStrategyCalls>("StrategyBase", &code("StrategyBase"));
    assert!(!has(&code("AllocationManager"), [1, 2, 3, 4]));
}

#[test]
fn the_stand_in_for_newer_cores_has_them_all_and_what_newer_ones_have_beside() {
    let code = |name: &str| {
        let artifact = json(&format!("artifacts/{name}.json"));
        artifact["deployedBytecode"].as_str().unwrap().to_lowercase()
    };
    let core = code("NewerCore");
    all_in::<IAllocationManager::IAllocationManagerCalls>("NewerCore", &core);
    all_in::<IDelegationManager::IDelegationManagerCalls>("NewerCore", &core);
    all_in::<IStrategyManager::IStrategyManagerCalls>("NewerCore", &core);
    all_in::<INewerAllocationManager::INewerAllocationManagerCalls>("NewerCore", &core);
    all_in::<IStrategy::IStrategyCalls>("NewerStrategy", &code("NewerStrategy"));
    let oldest = json("eigenlayer/core.json");
    let oldest = oldest["bytecode"]["AllocationManager"].as_str().unwrap().to_lowercase();
    for selector in INewerAllocationManager::INewerAllocationManagerCalls::selectors() {
        assert!(!has(&oldest, selector), "v1.3 answers {selector:?}: it is not newer");
    }
}

#[test]
fn the_service_manager_has_every_function_that_we_call() {
    let artifact = json("artifacts/ServiceManager.json");
    let code = artifact["deployedBytecode"].as_str().unwrap().to_lowercase();
    all_in::<IServiceManager::IServiceManagerCalls>("ServiceManager", &code);
    assert_eq!(
        IServiceManager::takeSnapshotCall::SIGNATURE,
        "takeSnapshot((uint256,uint256,uint256,uint256))"
    );
}
