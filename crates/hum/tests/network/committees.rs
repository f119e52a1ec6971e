//! Committees as time passes: renewed when nobody moves, and followed by those who do not order.

use crate::{alone, json, up::Up};
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

/// How often what is waited for is looked at.
const POLL: Duration = Duration::from_millis(250);

/// The committee as the first operator sees it.
fn committee(up: &Up) -> Value {
    let status = json(&["status", "--json", "--network", &up.network]);
    status["operators"][0]["status"]["committee"].clone()
}

fn wait<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        std::thread::sleep(POLL);
    }
}

fn send(up: &Up, payload: &str) {
    let sent = json(&[
        "send",
        "--json",
        "--network",
        &up.network,
        "--from",
        "alpha",
        "--to",
        "beta",
        "--wait",
        payload,
    ]);
    assert_eq!(sent["message"]["stage"], "executed", "{sent}");
}

#[test]
fn a_committee_is_renewed_though_nobody_moves() {
    let _alone = alone();
    let up = Up::start(&["--rollups", "2", "--block-time", "500", "--snapshot-interval", "12"]);
    let first = committee(&up);
    assert_eq!(first["epoch"], 0, "{first}");
    send(&up, "before");
    let renewed = wait(Duration::from_secs(30), "a renewal", || {
        let now = committee(&up);
        send(&up, "meanwhile");
        (now["epoch"].as_u64() >= Some(1)).then_some(now)
    });
    assert_eq!(renewed["seats"], first["seats"], "{first} {renewed}");
    assert!(renewed["valid_until"].as_u64() > first["valid_until"].as_u64(), "{first} {renewed}");
    send(&up, "after");
}

/// A publisher's or relayer's metrics.
struct Metrics(String);

impl Metrics {
    fn read(role: &Value) -> Self {
        let mut stream = TcpStream::connect(role["api"].as_str().unwrap()).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        Self(answer)
    }

    /// The value of the lookout's `what`.
    fn lookout(&self, what: &str) -> u64 {
        let wanted = format!("_lookout_{what} ");
        let value =
            self.0.lines().filter(|line| !line.starts_with('#')).find_map(|line| line.split_once(&wanted));
        value.unwrap_or_else(|| panic!("{wanted}: {}", self.0)).1.parse().unwrap()
    }

    fn is_connected(&self, key: &str) -> bool {
        let connected = "network_network_tracker_directory_connected{";
        self.0.lines().any(|line| line.starts_with(connected) && line.contains(key))
    }
}

/// Ten minutes because a committee that somebody left may have its term for that long: run by hand.
#[test]
#[ignore = "takes eleven minutes"]
fn who_left_is_forgotten_by_those_who_do_not_order() {
    let _alone = alone();
    let up = Up::start(&["--rollups", "2"]);
    let network: Value = serde_json::from_slice(&std::fs::read(&up.network).unwrap()).unwrap();
    let key = network["operators"][1]["key"].as_str().unwrap().trim_start_matches("0x").to_owned();
    let roles = up.roles();
    let others = || {
        let others =
            roles.iter().filter(|(name, _)| name.starts_with("publisher") || name.starts_with("relayer"));
        others.map(|(name, role)| (name.as_str(), Metrics::read(role)))
    };
    assert_eq!(others().count(), 3, "two publishers and a relayer");
    let all = |limit, what: &str, has: &dyn Fn(&Metrics) -> bool| {
        wait(limit, what, || others().all(|(_, metrics)| has(&metrics)).then_some(()));
    };
    let minute = Duration::from_secs(60);
    all(minute, "four operators", &|m| {
        (m.lookout("operators"), m.lookout("seats")) == (4, 4) && m.is_connected(&key)
    });

    let leaver = up.role("operator-1").display().to_string();
    json(&["operator", "exit", "--json", "--dir", &leaver]);
    let left = Instant::now();
    all(minute, "three seats", &|m| (m.lookout("operators"), m.lookout("seats")) == (4, 3));
    println!("three seats after {:?}", left.elapsed());
    send(&up, "without it");
    // Its process goes on all the time: that nobody is connected with it is the others' doing.
    all(12 * minute, "three operators", &|m| m.lookout("operators") == 3 && !m.is_connected(&key));
    println!("forgotten after {:?}", left.elapsed());
    assert!(left.elapsed() > 9 * minute, "{:?}", left.elapsed());
    assert_eq!(
        json(&["status", "--json", "--network", &up.network])["operators"][1]["status"]["committee"]["own_seat"],
        Value::Null
    );
    send(&up, "and afterwards");
}
