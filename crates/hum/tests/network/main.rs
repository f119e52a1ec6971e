//! The binary as people use it: whole networks on this machine, and every demonstration.
//!
//! One network at a time: they share the processors, and some of what is checked is when things happen.
#![cfg(feature = "devnet")]

mod batches;
mod committees;
mod demos;
mod operator;
mod proxy;
mod second_process;
mod up;

use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use up::{STOP, Up};

const HUM: &str = env!("CARGO_BIN_EXE_hum");
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hum(arguments: &[&str]) -> Output {
    Command::new(HUM).args(arguments).stdin(Stdio::null()).output().expect("hum runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The JSON that a command prints; it must succeed.
fn json(arguments: &[&str]) -> Value {
    let output = hum(arguments);
    assert!(output.status.success(), "hum {arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON value")
}

fn last_line(output: &[u8]) -> Value {
    let text = text(output);
    serde_json::from_str(text.lines().last().expect("a last line")).expect("JSON on the last line")
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status();
    assert!(sent.expect("sh runs").success());
}

fn ended(child: &mut Child, limit: Duration) -> ExitStatus {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("the child can be asked") {
            return status;
        }
        assert!(Instant::now() < deadline, "still running after {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn nobody_listens(addresses: &[SocketAddr]) {
    let deadline = Instant::now() + STOP;
    for address in addresses {
        while TcpStream::connect_timeout(address, Duration::from_millis(200)).is_ok() {
            assert!(Instant::now() < deadline, "{address} still answers");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Processes whose command line names this directory, where the system tells.
fn no_process_of(dir: &Path) {
    let wanted = dir.display().to_string();
    let deadline = Instant::now() + STOP;
    loop {
        let running: Vec<PathBuf> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| fs::read(path.join("cmdline")).is_ok_and(|line| text(&line).contains(&wanted)))
            .collect();
        if running.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "left behind: {running:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_message_crosses_and_anyone_can_check_why() {
    let _alone = alone();
    let mut up = Up::start(&["--block-time", "250", "--blobs"]);
    let network = ["--network", &up.network.clone()];
    let with = |arguments: &[&str]| json(&[arguments, &network, &["--json"]].concat());

    let sent = with(&["send", "--from", "alpha", "--to", "beta", "--wait", "hello"]);
    let id = sent["id"].as_str().unwrap().to_owned();
    assert_eq!(sent["message"]["stage"], "executed", "{sent}");

    let listed = with(&["message", "list"]);
    let listed =
        listed.as_array().unwrap().iter().find(|message| message["id"] == id.as_str()).unwrap().clone();
    let shown = with(&["message", "show", &id]);
    for field in ["id", "lane", "index", "confidence", "stage", "times_ms", "waiting_for"] {
        assert!(listed.get(field).is_some() && shown.get(field).is_some(), "{field}: {listed} {shown}");
    }
    assert_eq!(shown["stage"], "executed");
    let times = ["sent", "finalised", "certified", "executed"].map(|stage| shown["times_ms"][stage].as_u64());
    assert!(times.iter().all(Option::is_some) && times.is_sorted(), "{times:?}");
    let stranger = hum(&[&["message", "show", &format!("0x{}", "17".repeat(32))], &network[..]].concat());
    assert!(!stranger.status.success() && !stranger.stderr.is_empty());

    let height = shown["height"].as_u64().unwrap().to_string();
    let checkpoints = with(&["checkpoint", "list", "--limit", "50"]);
    assert!(!checkpoints.as_array().unwrap().is_empty());
    let checkpoint = with(&["checkpoint", "show", &height]);
    assert!(checkpoint["messages"].as_u64().unwrap() >= 1, "{checkpoint}");
    assert!(checkpoint["certified_by"].is_u64(), "{checkpoint}");
    assert!(with(&["status"]).to_string().contains("operator"));
    certificates(&up, &height);
    batches::rebuild(&up);
    proxy::fast_finality(&up);

    let addresses = up.addresses();
    signal(&up.child, "INT");
    assert!(ended(&mut up.child, STOP).success());
    nobody_listens(&addresses);
    no_process_of(up.dir.path());
}

/// Offline: a good certificate, one with a single byte changed, in each field, and no certificate at all.
fn certificates(up: &Up, height: &str) {
    let shown = hum(&["certificate", "show", height, "--network", &up.network]);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let file = up.dir.path().join("certificate.json");
    let verify = |contents: &[u8]| {
        fs::write(&file, contents).unwrap();
        let output =
            hum(&["certificate", "verify", file.to_str().unwrap(), "--network", &up.network, "--json"]);
        (output.status.code(), last_line(&output.stdout))
    };
    let (code, answer) = verify(&shown.stdout);
    assert_eq!((code, &answer["valid"]), (Some(0), &Value::Bool(true)), "{answer}");

    let good: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let length = good["certificate"].as_str().unwrap().len();
    // Every seventh digit: bytes of the scheme, epoch, height, hash, signers, signature and key are among them.
    let places = (2..length).step_by(7).chain([length - 1]).map(|place| ("/certificate", place));
    let fields = ["parent", "rollups_root", "body_hash", "domain", "next_table_hash"];
    let fields = fields.map(|field| format!("/header/{field}"));
    for (part, place) in fields.iter().map(|field| (field.as_str(), 20)).chain(places) {
        let mut bad = good.clone();
        let hex = bad.pointer_mut(part).unwrap_or_else(|| panic!("{part} in {good}"));
        let mut digits: Vec<char> = hex.as_str().unwrap().chars().collect();
        digits[place] = if digits[place] == '0' { '1' } else { '0' };
        *hex = digits.into_iter().collect::<String>().into();
        let (code, answer) = verify(bad.to_string().as_bytes());
        assert_eq!((code, &answer["valid"]), (Some(1), &Value::Bool(false)), "{part} {place}: {answer}");
        assert!(answer["reason"].is_string(), "{answer}");
    }
    let mut short = good.clone();
    short["certificate"] = good["certificate"].as_str().unwrap()[..40].into();
    assert_eq!(verify(short.to_string().as_bytes()).0, Some(1));
    for garbage in [&b"no certificate"[..], b"{}", b"", b"\xff\xfe", &shown.stdout[..50]] {
        assert_eq!(verify(garbage).0, Some(2));
    }
    let missing = hum(&["certificate", "verify", "no-such-file", "--network", &up.network]);
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn a_network_whose_parent_is_killed_leaves_nothing_running() {
    let _alone = alone();
    let mut up = Up::start(&["--block-time", "250"]);
    let addresses = up.addresses();
    signal(&up.child, "KILL");
    assert!(!ended(&mut up.child, STOP).success());
    nobody_listens(&addresses);
    no_process_of(up.dir.path());
}

#[test]
fn an_interrupted_demonstration_leaves_nothing_behind() {
    let _alone = alone();
    let temporary = tempfile::tempdir().unwrap();
    let mut child = Command::new(HUM)
        .args(["demo", "hello", "--json", "--seed", "5"])
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut story = BufReader::new(child.stderr.take().unwrap()).lines();
    let sending = story.by_ref().map_while(Result::ok).any(|line| line.contains("sending"));
    assert!(sending, "it got as far as sending messages");
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    let report = last_line(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{report}");
    assert_eq!((&report["ok"], &report["seed"]), (&Value::Bool(false), &Value::from(5)));
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0, "its directory is gone");
    no_process_of(temporary.path());
}

#[test]
fn an_unknown_demonstration_is_refused_with_the_list() {
    let output = hum(&["demo", "dance"]);
    assert!(!output.status.success());
    let words = text(&output.stderr);
    for name in [
        "dance",
        "hello",
        "liar",
        "crash",
        "poison",
        "reorg",
        "rotate",
        "slash",
        "sequencer-equivocation",
        "triangle",
    ] {
        assert!(words.contains(name), "{words}");
    }
}

#[test]
fn whose_contracts_run_on_l1_is_said_without_a_network() {
    let eigenlayer = json(&["up", "--licences", "--json"]);
    assert_eq!(eigenlayer["eigenlayer"]["licence"], "BUSL-1.1", "{eigenlayer}");
    let words = text(&hum(&["up", "--licences"]).stdout);
    assert!(words.contains("Business Source License 1.1") && words.contains("non-production use"), "{words}");
}
