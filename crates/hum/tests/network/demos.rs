//! Every demonstration: whatever it promises happens, and nothing of it is left behind.

use crate::{HUM, alone, last_line, no_process_of, text};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Play a demonstration; its report when everything that it promises happened.
fn demo(name: &str, arguments: &[&str]) -> Value {
    let _alone = alone();
    let temporary = tempfile::tempdir().unwrap();
    let output = Command::new(HUM)
        .args(["demo", name, "--json", "--seed", "7"])
        .args(arguments)
        .env("TMPDIR", temporary.path())
        .env("HUM_ANVIL", anvil())
        .output()
        .unwrap();
    let (story, report) = (text(&output.stderr), last_line(&output.stdout));
    assert!(output.status.success(), "{report}\n{story}");
    assert_eq!(text(&output.stdout).lines().count(), 1, "the report is all that stdout gets");
    assert_eq!((&report["demo"], &report["seed"]), (&Value::from(name), &Value::from(7)), "{report}");
    assert_eq!(report["ok"], true, "{report}");
    assert_eq!(report["violations"], Value::Array(Vec::new()), "{report}");
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0, "its directory is gone");
    no_process_of(temporary.path());
    report
}

/// The anvil that `npm ci` puts beside the contracts.
fn anvil() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/node_modules/.bin/anvil")
}

fn has_anvil() -> bool {
    let there = anvil().exists();
    if !there {
        eprintln!("not run: no anvil beside the contracts; `npm ci` in contracts/ puts it there");
    }
    there
}

fn number(report: &Value, field: &str) -> u64 {
    report.pointer(field).and_then(Value::as_u64).unwrap_or_else(|| panic!("{field} in {report}"))
}

#[test]
fn demo_hello_carries_every_message_once() {
    let report = demo("hello", &["--block-time", "250"]);
    assert_eq!(["/sent", "/executed", "/duplicates"].map(|field| number(&report, field)), [120, 120, 0]);
    for part in ["certified_ms/p50", "certified_ms/p95", "certified_ms/p99", "executed_ms/p50"] {
        assert!(number(&report, &format!("/{part}")) > 0, "{report}");
    }
    for part in
        ["executed_ms/p95", "executed_ms/p99", "claim_to_certificate_ms/p50", "claim_to_certificate_ms/p99"]
    {
        assert!(number(&report, &format!("/{part}")) > 0, "{report}");
    }
}

#[test]
fn demo_liar_certifies_and_delivers_nothing_false() {
    let report = demo("liar", &[]);
    let fields = ["/certified_invalid", "/delivered_invalid", "/quarantined"];
    assert_eq!(fields.map(|field| number(&report, field)), [0, 0, 3]);
    assert!(number(&report, "/others_executed") > 0 && number(&report, "/others_p50_ms") > 0, "{report}");
}

#[test]
fn demo_crash_loses_and_doubles_nothing() {
    let report = demo("crash", &[]);
    assert_eq!(number(&report, "/sent"), number(&report, "/executed"));
    assert_eq!(number(&report, "/duplicates"), 0);
    assert!(number(&report, "/kills") >= 3, "{report}");
}

#[test]
fn demo_poison_forges_no_certificate_and_is_noticed() {
    let report = demo("poison", &[]);
    assert_eq!(number(&report, "/forged_certificates"), 0);
    assert!(number(&report, "/alarms") > 0, "{report}");
}

#[test]
fn demo_reorg_resumes_one_and_sets_the_other_aside() {
    let report = demo("reorg", &[]);
    let fields = ["/resumed", "/quarantined", "/duplicates"];
    assert_eq!(fields.map(|field| number(&report, field)), [1, 1, 0]);
    assert!(number(&report, "/others_executed") > 0, "{report}");
}

#[test]
fn demo_rotate_changes_committees_without_stopping() {
    let report = demo("rotate", &[]);
    assert!(number(&report, "/epochs") >= 3, "{report}");
    assert_eq!(["/joined", "/left"].map(|field| number(&report, field)), [2, 1]);
    assert_eq!(number(&report, "/sent"), number(&report, "/executed"));
    assert_eq!(number(&report, "/duplicates"), 0);
    assert!(number(&report, "/max_gap_ms") > 0, "{report}");
    assert_eq!(report["slept_light_client_caught_up"], true, "{report}");
}

#[test]
fn demo_slash_takes_stake_and_seat_of_who_attests_twice() {
    let report = demo("slash", &[]);
    assert!(number(&report, "/evidence_to_slash_ms") <= 5_000, "{report}");
    assert_eq!(report["stake_before"], "32000000000000000000", "{report}");
    assert_eq!((&report["stake_after"], &report["left_committee"]), (&"0".into(), &true.into()), "{report}");
}

#[test]
fn demo_sequencer_equivocation_takes_the_bond() {
    let report = demo("sequencer-equivocation", &[]);
    assert_eq!((&report["bond_taken"], number(&report, "/quarantined")), (&true.into(), 1), "{report}");
    assert!(number(&report, "/others_executed") > 0, "{report}");
}

#[test]
fn demo_triangle_connects_rollups_of_different_rules_and_clocks() {
    let report = demo("triangle", &[]);
    assert_eq!(
        ["/lanes", "/sent", "/executed", "/duplicates"].map(|field| number(&report, field)),
        [6, 60, 60, 0]
    );
    assert_eq!(report["deposited"], true, "{report}");
    assert!(number(&report, "/equal_timestamps") > 0, "{report}");
    // Whoever reads the report sees that these blocks prove nothing about the EVM.
    assert!(
        report["rollups"][0]
            .as_str()
            .unwrap()
            .contains("op-stack rules, 1000 ms, blocks by op-revm, the verifier's own EVM")
    );
}

#[test]
fn demo_launch_makes_a_member_that_l1_rebuilds_and_keeps() {
    let report = demo("launch", &[]);
    assert_eq!(number(&report, "/sent"), number(&report, "/executed"));
    assert_eq!(number(&report, "/duplicates"), 0);
    assert!(number(&report, "/launch_to_certified_ms") <= 20_000, "{report}");
    assert_eq!(report["derived_equal"], true, "{report}");
    assert!(number(&report, "/derived_blocks") > 0 && number(&report, "/retired_at") > 0, "{report}");
}

#[test]
fn demo_join_makes_a_foreign_chain_a_member_that_talks() {
    if !has_anvil() {
        return;
    }
    let report = demo("join", &[]);
    assert_eq!(["/sent", "/executed", "/duplicates"].map(|field| number(&report, field)), [80, 80, 0]);
    assert!(number(&report, "/join_ms") <= 60_000, "{report}");
}

#[test]
fn demo_leave_loses_none_of_a_thousand_messages() {
    if !has_anvil() {
        return;
    }
    let report = demo("leave", &[]);
    assert!(number(&report, "/in_flight") >= 1_000, "{report}");
    assert_eq!(["/lost", "/duplicates"].map(|field| number(&report, field)), [0, 0]);
    assert_eq!(number(&report, "/sent"), number(&report, "/executed"));
}
