//! An operator's way in and out, on EigenLayer's own core, with the commands that operators use.

use crate::{alone, hum, text, up::Up};
use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolCall as _;
use hum_chain::{
    Call, Submit as _,
    rpc::{RpcChain, RpcLimits, RpcSubmit, SubmitPolicy},
};
use hum_types::ChainId;
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

/// What a newcomer restakes, in whole tokens.
const STAKE: &str = "32";
const ETHER: u64 = 1_000_000_000_000_000_000;

alloy_sol_types::sol! {
    function transfer(address to, uint256 amount) external returns (bool);
}

/// The JSON that a command prints, and whether it succeeded.
fn answer(arguments: &[&str]) -> (bool, Value) {
    let output = hum(arguments);
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("hum {arguments:?}: {error}: {} {}", text(&output.stdout), text(&output.stderr))
    });
    (output.status.success(), json)
}

fn good(arguments: &[&str]) -> Value {
    let (success, json) = answer(arguments);
    assert!(success, "hum {arguments:?}: {json}");
    json
}

/// Give the account tokens to stake and ether for gas and bond, out of an operator's own.
pub(crate) fn fund(up: &Up, account: Address) {
    let network: Value = serde_json::from_slice(&fs::read(&up.network).unwrap()).unwrap();
    let giver = up.role("operator-0").display().to_string();
    let status = good(&["operator", "status", "--json", "--dir", &giver]);
    let token: Address = status["strategies"][0]["token"].as_str().unwrap().parse().unwrap();
    let secret = fs::read_to_string(Path::new(&giver).join("keys/account.key")).unwrap();
    let secret: B256 = secret.trim().parse().unwrap();
    let chain = ChainId(network["l1"]["chain_id"].as_u64().unwrap());
    let rpc = RpcChain::new(network["l1"]["rpc"].as_str().unwrap(), chain, RpcLimits::default()).unwrap();
    let submit = RpcSubmit::new(rpc, secret, SubmitPolicy::default()).unwrap();
    let amount = U256::from(32) * U256::from(ETHER);
    let tokens = Call::new(token, transferCall { to: account, amount }.abi_encode().into());
    let ether = Call { value: U256::from(3) * U256::from(ETHER), ..Call::new(account, Default::default()) };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        for call in [tokens, ether] {
            assert!(submit.send(call).await.unwrap().success);
        }
    });
}

fn secret_file(path: &Path, contents: &str) -> String {
    use std::io::Write as _;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(contents.as_bytes()).unwrap();
    path.display().to_string()
}

fn names<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let of = |item: &'a Value| item[field].as_str().map(|text| text.split('(').next().unwrap_or(text));
    list.as_array().unwrap().iter().filter_map(of).collect()
}

#[test]
fn from_nothing_to_a_seat_and_out_again() {
    let _alone = alone();
    let up = Up::start(&["--rollups", "2"]);
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("newcomer").display().to_string();
    let password = secret_file(&home.path().join("password"), "correct horse\n");
    let wrong = secret_file(&home.path().join("wrong"), "battery staple\n");
    let listen = "127.9.8.7:19000";
    let network = up.network.clone();

    let made = hum(&[
        "operator",
        "init",
        "--dir",
        &dir,
        "--network",
        &network,
        "--listen",
        listen,
        "--api",
        "127.9.8.7:19001",
        "--private-addresses",
    ]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let keys = ["operator", "keys", "new", "--dir", &dir, "--light-kdf", "--password-file", &password];
    let made = hum(&keys);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let listed = good(&["operator", "keys", "list", "--json", "--dir", &dir]);
    assert_eq!(names(&listed["keys"], "name"), ["network", "bls", "account"]);
    assert!(listed["keys"].as_array().unwrap().iter().all(|key| key["encrypted"] == true));
    let account: Address = listed["keys"][2]["public"].as_str().unwrap().parse().unwrap();
    let with = |command: &[&str]| {
        let site = ["--json", "--dir", &dir, "--password-file", &password];
        [command, &site].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |command: &[&str]| {
        let arguments = with(command);
        answer(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };

    // Before anything: everything is missing, and the doctor says so in order.
    let (healthy, report) = run(&["doctor"]);
    assert!(!healthy);
    assert_eq!(
        names(&report["findings"], "fault"),
        [
            "balance-none",
            "not-an-operator",
            "stake-none",
            "allocation-none",
            "key-not-registered",
            "bond-missing",
            "not-in-set"
        ],
        "{report}"
    );
    let (enough, _) = run(&["operator", "register", "--dry-run"]);
    assert!(!enough, "the account has no ether");

    fund(&up, account);
    let register = ["operator", "register", "--deposit", STAKE];
    let (_, plan) = run(&[&register[..], &["--dry-run"]].concat());
    assert_eq!(
        names(&plan["steps"], "function"),
        [
            "approve",
            "depositIntoStrategy",
            "registerAsOperator",
            "modifyAllocations",
            "postBond",
            "registerForOperatorSets"
        ]
    );
    assert_eq!(plan["balance_suffices"], true, "{plan}");
    let (_, status) = run(&["operator", "status"]);
    assert_eq!((&status["eigenlayer_operator"], &status["in_operator_set"]), (&false.into(), &false.into()));
    assert_eq!(status["balance_wei"], (3 * ETHER).to_string(), "a dry run costs nothing");

    let refused = hum(&["operator", "register", "--dir", &dir, "--password-file", &wrong]);
    assert!(text(&refused.stderr).contains("wrong password"), "{}", text(&refused.stderr));

    let (success, done) = run(&[&register[..], &["--wait"]].concat());
    assert!(success && done["done"] == true, "{done}");
    assert_eq!(names(&done["sent"], "function"), names(&plan["steps"], "function"), "{done}");
    let (_, again) = run(&register);
    assert_eq!((names(&again["sent"], "function"), &again["done"]), (vec![], &true.into()), "{again}");

    let (_, status) = run(&["operator", "status"]);
    for (field, expected) in [("eigenlayer_operator", true), ("in_operator_set", true), ("jailed", false)] {
        assert_eq!(status[field], expected, "{field}: {status}");
    }
    assert_eq!(status["registered_endpoint"], listen);
    assert_eq!(status["strategies"][0]["slashable"], format!("{STAKE}{}", "0".repeat(18)));
    let (healthy, report) = run(&["doctor"]);
    assert!(healthy, "{report}");

    // Moving: one transaction.
    let role = Path::new(&dir).join("role.json");
    let moved = fs::read_to_string(&role).unwrap().replace("127.9.8.7:19000", "127.9.8.7:19002");
    fs::write(&role, moved).unwrap();
    let (_, report) = run(&["doctor"]);
    assert_eq!(names(&report["findings"], "fault"), ["endpoint-differs"]);
    let (_, done) = run(&register);
    assert_eq!(names(&done["sent"], "function"), ["setEndpoint"]);

    // Out: the stake stays liable, and the command says until when.
    let (_, left) = run(&["operator", "exit"]);
    assert_eq!(names(&left["sent"], "function"), ["deregisterFromOperatorSets", "modifyAllocations"]);
    let until = left["waiting_for"]["until_block"].as_u64().expect("a block");
    assert!(until > left["l1_block"].as_u64().unwrap() + 1_000, "{left}");
    let (_, again) = run(&["operator", "exit"]);
    assert_eq!((names(&again["sent"], "function"), &again["done"]), (vec![], &false.into()));
    let (_, status) = run(&["operator", "status"]);
    assert_eq!((&status["in_operator_set"], &status["slashable"]), (&false.into(), &true.into()));
    assert_eq!(status["bond_wei"], ETHER.to_string());

    // A founder's directory is taken, and its process says so.
    let founder = up.role("operator-0").display().to_string();
    let second = hum(&["operator", "--dir", &founder]);
    assert!(!second.status.success());
    assert!(text(&second.stderr).contains("is held by process"), "{}", text(&second.stderr));
    let (healthy, report) = answer(&["doctor", "--json", "--dir", &founder]);
    assert!(healthy, "{report}");
    let exposed = Path::new(&founder).join("keys/bls.key");
    fs::set_permissions(&exposed, fs::Permissions::from_mode(0o644)).unwrap();
    let (_, report) = answer(&["doctor", "--json", "--dir", &founder]);
    assert_eq!(names(&report["findings"], "fault"), ["key-exposed"]);
}
