use crate::ChainSpec;
use serde_json::json;

fn spec(keep: bool, equal: bool) -> ChainSpec {
    let config = json!({
        "chainId": 5, "cancunTime": 0, "pragueTime": 0, "terminalTotalDifficulty": 0,
        "depositContractAddress": "0x0000000000000000000000000000000000000000",
        "keepEmptyState": keep, "allowEqualTimestamps": equal,
    });
    serde_json::from_value(config).unwrap()
}

#[test]
fn the_rule_is_part_of_what_a_registration_commits_to() {
    let mut hashes: Vec<_> =
        [(false, false), (false, true), (true, false), (true, true)].map(|(k, e)| spec(k, e).hash()).to_vec();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 4);
    for keep in [false, true] {
        let written = serde_json::to_value(spec(keep, true)).unwrap();
        let read: ChainSpec = serde_json::from_value(written).unwrap();
        assert_eq!(read, spec(keep, true));
        assert_eq!(read.keep_empty_state(), keep);
    }
}

#[test]
fn the_op_stack_has_no_such_rule() {
    let mut config =
        serde_json::to_value(ChainSpec::preset(hum_types::ChainId(11_155_420)).unwrap()).unwrap();
    serde_json::from_value::<ChainSpec>(config.clone()).unwrap();
    config["keepEmptyState"] = json!(true);
    assert!(serde_json::from_value::<ChainSpec>(config).is_err());
}
