//! What a running network's rollups post to L1, in blobs, and what can be rebuilt from there.

use crate::{Up, hum, json, text};
use serde_json::{Value, json as object};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

/// How long batches may take to get to L1.
const POSTED: Duration = Duration::from_secs(20);

/// One question to a node.
pub(crate) fn ask(url: &str, method: &str, parameters: Value) -> Value {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let body = object!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters }).to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    let answer: Value = serde_json::from_str(body).expect("JSON");
    answer["result"].clone()
}

/// The rollup's batches rebuild, from L1 alone, the very blocks that its node has.
pub(crate) fn rebuild(up: &Up) {
    let network: Value = serde_json::from_slice(&fs::read(&up.network).unwrap()).unwrap();
    let rollup =
        network["rollups"].as_array().unwrap().iter().find(|rollup| rollup["name"] == "alpha").unwrap();
    let field = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value} in {rollup}")).to_owned();
    let (rpc, registration) = (field(&rollup["rpc"]), field(&rollup["registration"]));
    let (l1, inbox) = (field(&network["l1"]["rpc"]), field(&rollup["settlement"]["inbox"]));
    let stranger = format!("0x{}", "17".repeat(32));
    let beacon = field(&network["l1"]["beacon"]);
    let blind = ["rollup", "derive", "--l1-rpc", &l1, "--inbox", &inbox, "--json", "--registration"];
    let derive = [&["rollup", "derive", "--beacon", &beacon], &blind[2..]].concat();
    let with = |registration| [&derive[..], &[registration]].concat();

    let deadline = Instant::now() + POSTED;
    let derived = loop {
        let derived = json(&with(&registration));
        if derived["batches"].as_u64().unwrap() >= 2 {
            break derived;
        }
        assert!(Instant::now() < deadline, "{derived}");
        std::thread::sleep(Duration::from_millis(200));
    };
    let (first, last) = (&derived["first"], &derived["last"]);
    let number = |block: &Value| block["number"].as_u64().unwrap();
    assert_eq!(derived["blocks"].as_u64().unwrap(), number(last) - number(first) + 1, "{derived}");
    for block in [first, last] {
        let asked = object!([format!("{:#x}", number(block)), false]);
        assert_eq!(ask(&rpc, "eth_getBlockByNumber", asked)["hash"], block["hash"], "{derived}");
    }

    let blind = hum(&[&blind[..], &[&registration]].concat());
    let said = text(&blind.stderr);
    assert!(!blind.status.success() && said.contains("its data are in blobs"), "{said}");
    let unknown = hum(&with(&stranger));
    let said = text(&unknown.stderr);
    assert!(!unknown.status.success() && said.contains("is unknown to the registry"), "{said}");
    let genesis = up.dir.path().join("genesis.json");
    fs::write(&genesis, "{}").unwrap();
    let wrong = hum(&[&with(&registration)[..], &["--genesis", genesis.to_str().unwrap()]].concat());
    let said = text(&wrong.stderr);
    assert!(!wrong.status.success() && said.contains("is no genesis that can be started from"), "{said}");
}
