//! `hum proxy` before a rollup of a running network, used by viem.

use crate::{HUM, STOP, Up, batches, ended, hum, signal, text};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long L1 may take to hold a batch for good, and operators to certify that.
const SETTLED: Duration = Duration::from_secs(40);

/// A proxy that ends with the test.
struct Proxy {
    child: Child,
    http: String,
    ws: String,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Proxy {
    fn start(up: &Up) -> Self {
        let mut child = Command::new(HUM)
            .args(["proxy", "--rollup", "alpha", "--listen", "127.0.0.1:0", "--network", &up.network])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        let field = |name: &str| ready[name].as_str().unwrap().to_owned();
        Self { http: field("url"), ws: field("ws"), child }
    }
}

/// Tags are certified heads, the certificate can be checked, and viem reads all of it.
pub(crate) fn fast_finality(up: &Up) {
    let network: Value = serde_json::from_slice(&fs::read(&up.network).unwrap()).unwrap();
    let rollups = network["rollups"].as_array().unwrap();
    let rollup = rollups.iter().find(|rollup| rollup["name"] == "alpha").unwrap();
    let node = rollup["rpc"].as_str().unwrap();
    let mut proxy = Proxy::start(up);

    let deadline = Instant::now() + SETTLED;
    let head = |confidence: &str| batches::ask(&proxy.http, "hum_certifiedHead", json!([confidence]));
    let finalized = loop {
        let head = head("finalized");
        if head.is_object() {
            break head;
        }
        assert!(Instant::now() < deadline, "nothing is certified as finalized: {}", text_of(&proxy.http));
        std::thread::sleep(Duration::from_millis(100));
    };
    // The very block of the node's chain, and not the one that the node calls finalized.
    let at = batches::ask(node, "eth_getBlockByNumber", json!([finalized["number"], false]));
    assert_eq!((&at["hash"], &at["stateRoot"]), (&finalized["hash"], &finalized["stateRoot"]), "{finalized}");
    assert_eq!(finalized["class"], "reexecuted", "{finalized}");
    let number =
        |value: &Value| u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    let tagged = batches::ask(&proxy.http, "eth_getBlockByNumber", json!(["finalized", false]));
    assert!(number(&tagged["number"]) >= number(&finalized["number"]), "{tagged} {finalized}");
    let latest = head("latest");
    assert!(number(&latest["number"]) >= number(&tagged["number"]), "{latest}");

    let file = up.dir.path().join("proxy-certificate.json");
    fs::write(&file, batches::ask(&proxy.http, "hum_certificate", json!([])).to_string()).unwrap();
    let verified = hum(&["certificate", "verify", file.to_str().unwrap(), "--network", &up.network]);
    assert!(verified.status.success(), "{}", text(&verified.stdout));

    viem(&proxy);
    signal(&proxy.child, "INT");
    assert!(ended(&mut proxy.child, STOP).success());
}

fn text_of(url: &str) -> String {
    batches::ask(url, "hum_certifiedHead", json!(["latest"])).to_string()
}

/// With the viem that `npm ci` puts beside the contracts.
fn viem(proxy: &Proxy) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contracts = root.join("../../contracts");
    if !contracts.join("node_modules/viem").exists() {
        eprintln!("viem is not installed: `npm ci` in contracts/; its part of this test is left out");
        return;
    }
    let output = Command::new("node")
        .arg(root.join("tests/network/proxy.mjs"))
        .args([contracts.as_os_str(), proxy.http.as_ref(), proxy.ws.as_ref()])
        .output()
        .expect("node runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let number = |field: &str| said[field]["number"].as_u64().unwrap_or_else(|| panic!("{field} in {said}"));
    assert!(number("finalized") <= number("safe") && number("safe") <= number("safeOverSocket"), "{said}");
    let blocks: Vec<u64> =
        said["blocks"].as_array().unwrap().iter().filter_map(|block| block["number"].as_u64()).collect();
    assert!(blocks.len() == 3 && blocks.is_sorted() && blocks[2] > number("finalized"), "{said}");
    assert_eq!(said["certified"]["confidence"], "latest", "{said}");
}
