//! Two processes with one operator's keys: the first goes on, the second ends and says why.

use crate::{HUM, alone, up::Up};
use serde_json::Value;
use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// The height that operator 0 has finalised.
fn height(up: &Up) -> u64 {
    let output = Command::new(HUM)
        .args(["status", "--json", "--network"])
        .arg(&up.network)
        .output()
        .expect("hum status runs");
    let status: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    status["operators"][0]["status"]["finalised"].as_u64().unwrap_or_else(|| panic!("{status}"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy(&path, &target);
        } else {
            // Files come and go while the first one runs: what a careless copy gets.
            let _ = fs::copy(&path, &target);
        }
    }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Runs an operator until it ends by itself; what it printed, and how long it took.
fn run(dir: &Path, limit: Duration) -> (ExitStatus, String, Duration) {
    let (begun, log) = (Instant::now(), dir.join("second.log"));
    let mut child = Command::new(HUM)
        .args(["operator", "--dir"])
        .arg(dir)
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    while begun.elapsed() < limit {
        if let Some(status) = child.try_wait().unwrap() {
            return (status, fs::read_to_string(&log).unwrap(), begun.elapsed());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
    panic!("still running after {limit:?}: {}", fs::read_to_string(&log).unwrap());
}

fn goes_on(up: &Up) {
    let before = height(up);
    std::thread::sleep(Duration::from_secs(3));
    let after = height(up);
    assert!(after >= before + 5, "the first went from {before} to {after}");
}

#[test]
fn a_directory_is_held_by_one_process_and_a_copy_of_a_running_operator_stops() {
    let _alone = alone();
    let up = Up::start(&["--block-time", "500"]);
    goes_on(&up);

    let (status, words, took) = run(&up.role("operator-0"), Duration::from_secs(10));
    assert!(!status.success() && took < Duration::from_secs(5), "{took:?}: {words}");
    println!("same directory, after {took:?}: {}", words.trim());
    assert!(words.contains("is held by process") && words.contains("stop that one first"), "{words}");
    goes_on(&up);

    // The same keys and data, another directory, other ports.
    let twin = up.dir.path().join("twin");
    copy(&up.role("operator-0"), &twin);
    let role = twin.join("role.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&role).unwrap()).unwrap();
    config["listen"] = free_address().into();
    config["api"] = free_address().into();
    fs::write(&role, config.to_string()).unwrap();
    let (status, words, took) = run(&twin, Duration::from_secs(30));
    println!("a copy, after {took:?}: {}", words.lines().last().unwrap_or_default());
    assert!(!status.success(), "{words}");
    assert!(words.contains("another process runs with this operator's network key"), "{words}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    goes_on(&up);
}
