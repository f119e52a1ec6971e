use super::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn number(confidence: Confidence) -> u64 {
    match confidence {
        Confidence::Latest => 0,
        Confidence::Safe => 0x5a,
        Confidence::Finalized => 0xf1,
    }
}

fn text(method: &str, params: &str) -> Result<Option<String>, NotPositional> {
    let params = RawValue::from_string(params.to_owned()).unwrap();
    let rewritten = rewritten(method, &params, &mut number)?;
    Ok(rewritten.map(|params| params.get().to_owned()))
}

fn changed(method: &str, params: &Value) -> Option<Value> {
    text(method, &params.to_string()).unwrap().map(|params| serde_json::from_str(&params).unwrap())
}

/// Parameters of a call with this block at its place.
fn with(place: Place, block: &Value) -> Value {
    let fill = |at: usize, value: Value| {
        let mut list = vec![json!("0x01"); at];
        list.extend([value, json!({ "other": true }), json!("0x02")]);
        Value::Array(list)
    };
    match place {
        Place::Block(at) => fill(at, block.clone()),
        Place::Filter(at) => fill(at, json!({ "fromBlock": block, "toBlock": block, "topics": [null] })),
        Place::Range(_, _) => json!([block, block]),
    }
}

#[test]
fn every_method_of_the_table_gets_numbers_for_both_tags_and_keeps_the_rest() {
    let names: BTreeSet<&str> = PLACES.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), PLACES.len(), "one row a method");
    for (method, place) in PLACES {
        for (tag, block) in [("safe", "0x5a"), ("finalized", "0xf1")] {
            let expected = with(place, &json!(block));
            assert_eq!(changed(method, &with(place, &json!(tag))), Some(expected), "{method} {tag}");
        }
        for other in ["latest", "earliest", "pending", "0x10", "0x"] {
            assert_eq!(changed(method, &with(place, &json!(other))), None, "{method} {other}");
        }
    }
}

#[test]
fn a_block_given_as_an_object_is_rewritten_too() {
    let params = json!([{ "to": "0x00" }, { "blockNumber": "finalized", "requireCanonical": true }]);
    let expected = json!([{ "to": "0x00" }, { "blockNumber": "0xf1", "requireCanonical": true }]);
    assert_eq!(changed("eth_call", &params), Some(expected));
    let hash = json!([{ "to": "0x00" }, { "blockHash": "0x12" }]);
    assert_eq!(changed("eth_call", &hash), None);
}

#[test]
fn one_end_of_a_filter_may_be_a_tag() {
    let params = json!([{ "fromBlock": "0x1", "toBlock": "finalized" }]);
    assert_eq!(changed("eth_getLogs", &params), Some(json!([{ "fromBlock": "0x1", "toBlock": "0xf1" }])));
    let params = json!([{ "fromBlock": "safe", "toBlock": "latest" }]);
    assert_eq!(
        changed("eth_newFilter", &params),
        Some(json!([{ "fromBlock": "0x5a", "toBlock": "latest" }]))
    );
}

#[test]
fn a_tag_where_no_block_is_taken_stays() {
    for (method, params) in [
        ("eth_call", json!([{ "data": "safe" }, "latest"])),
        ("eth_getBalance", json!(["finalized", "latest"])),
        ("eth_getLogs", json!(["safe"])),
        ("eth_subscribe", json!(["logs", { "fromBlock": "safe" }])),
        ("personal_unlockAccount", json!(["0x00", "safe"])),
        ("web3_sha3", json!(["finalized"])),
        ("eth_getBlockByNumber", json!([])),
        ("eth_getBlockByNumber", json!([null, "safe"])),
        ("eth_blockNumber", json!(null)),
    ] {
        assert_eq!(changed(method, &params), None, "{method} {params}");
    }
}

#[test]
fn methods_that_the_table_lacks_are_rewritten_where_a_tag_stands() {
    assert_eq!(changed("debug_traceSomethingByNumber", &json!(["safe", {}])), Some(json!(["0x5a", {}])));
    assert_eq!(changed("ots_getBlockDetails", &json!(["finalized"])), Some(json!(["0xf1"])));
    assert_eq!(
        changed("eth_new", &json!([1, { "toBlock": "safe" }])),
        Some(json!([1, { "toBlock": "0x5a" }]))
    );
}

#[test]
fn a_tag_may_be_spelt_in_any_way_that_a_node_could_read() {
    for spelt in [r#""s\u0061fe""#, r#""SAFE""#, r#"" safe ""#, r#""\u0073\u0061\u0066\u0065""#] {
        let params = format!("[{spelt}, false]");
        assert_eq!(
            text("eth_getBlockByNumber", &params),
            Ok(Some(r#"["0x5a",false]"#.to_owned())),
            "{spelt}"
        );
    }
}

#[test]
fn what_stands_beside_a_tag_keeps_its_bytes() {
    let params = r#"[ {"to":"0x0" , "gas": 123456789012345678901234567890, "x":1.50}, "safe" ]"#;
    let expected = r#"[{"to":"0x0" , "gas": 123456789012345678901234567890, "x":1.50},"0x5a"]"#;
    assert_eq!(text("eth_call", params), Ok(Some(expected.to_owned())));
}

#[test]
fn a_tag_among_named_parameters_is_refused() {
    let refused = NotPositional { method: "eth_getBlockByNumber".to_owned(), tag: "finalized" };
    assert_eq!(text("eth_getBlockByNumber", r#"{"block":"finalized"}"#), Err(refused));
    assert_eq!(text("eth_getBlockByNumber", r#"{"block":"latest"}"#), Ok(None));
    assert_eq!(text("eth_getBlockByNumber", "7"), Ok(None));
}

#[test]
fn a_tag_deep_among_named_parameters_is_refused() {
    let refused = NotPositional { method: "eth_getLogs".to_owned(), tag: "safe" };
    assert_eq!(text("eth_getLogs", r#"{"filter":{"fromBlock":"safe"}}"#), Err(refused));
}

#[test]
fn members_are_found_in_any_letters_that_a_server_takes_for_them() {
    for name in ["FromBlock", "FROMBLOCK", "fromBloc\u{212a}"] {
        let params = format!(r#"[{{"{name}":"safe"}}]"#);
        let expected = format!(r#"[{{"{name}":"0x5a"}}]"#);
        assert_eq!(text("eth_getLogs", &params), Ok(Some(expected)));
    }
}
