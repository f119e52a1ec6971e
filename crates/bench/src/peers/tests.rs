//! Figures against those that another harness took of the same packages, on another EVM with its own recipients.

use super::*;

/// Within a fiftieth of each other: other names and ids, and a recipient of Hyperlane's that leaves the choice of what
/// secures it to the mailbox (about 1,500 gas more).
fn near(found: u64, expected: u64) -> bool {
    found.abs_diff(expected) <= expected / 50
}

#[test]
#[ignore = "needs what scripts/peers fetches"]
fn figures_are_what_another_harness_measured() {
    let packages = std::env::var("HUM_PEERS").unwrap_or_else(|_| "../../target/peers".to_owned());
    let figures = run(Path::new(&packages)).expect("packages, and transactions that succeed");
    let expected: [(&str, u64, Vec<Vec<u64>>); 2] = [
        ("Hyperlane", 82_013, vec![vec![91_758], vec![103_655], vec![115_496]]),
        ("Axelar Amplifier", 37_111, vec![vec![224_293, 99_195, 86_874], vec![495_324, 126_329, 89_634]]),
    ];
    for (peer, (name, send, settings)) in figures.iter().zip(expected) {
        assert_eq!(peer.peer, name);
        assert!(near(peer.send, send), "{name}: send {}, expected {send}", peer.send);
        for (setting, expected) in peer.settings.iter().zip(settings) {
            let found: Vec<u64> = setting.delivered.iter().map(|delivered| delivered.gas_each).collect();
            assert_eq!(found.len(), expected.len());
            let all = found.iter().zip(&expected).all(|(found, expected)| near(*found, *expected));
            assert!(all, "{name}, {}: {found:?}, expected {expected:?}", setting.configuration);
        }
    }
}

#[test]
fn a_missing_package_and_another_version_are_said_so() {
    let empty = Path::new("/nonexistent");
    assert!(matches!(run(empty), Err(PeerError::Package(PackageError::Read { .. }))));
    let dir = std::env::temp_dir().join(format!("hum-peers-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("hyperlane")).expect("a directory");
    let other = r#"{"name": "@hyperlane-xyz/core", "version": "12.1.1"}"#;
    std::fs::write(dir.join("hyperlane/package.json"), other).expect("a file");
    let found = run(&dir).expect_err("another version").to_string();
    assert!(found.contains("is @hyperlane-xyz/core@12.1.1"), "{found}");
    std::fs::remove_dir_all(dir).expect("no directory");
}
