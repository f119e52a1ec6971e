//! Every fault, made for real: files, sockets, a full device, a node that answers on a socket.

mod node;

use super::*;
use alloy_primitives::{Address, B256, U256};
use hum_bls::{Committee, PossessedKey, SecretKey};
use hum_consensus::Signer as _;
use hum_node::config::{
    CommitteeEntry, Deployment, Gateways, KdfCost, KeyForm, KeyName, L1Entry, NETWORK_VERSION, NetworkFile,
    OperatorConfig, OperatorEntry, Password, ROLE_VERSION, RestakingEntry, RollupEntry, RollupLimits,
};
use hum_types::{
    ChainId, Class, Domain, Encode as _, Epoch, L1Origin, RegistrationId, SequencerKey, Stake, TimeMs, TimeS,
};
use hum_verify::{CertifiedHeader, ChainSpec};
use node::{L1, Node};
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicU16, Ordering},
};

/// An operator in good order on a node that says so.
struct Operator {
    dir: tempfile::TempDir,
    node: Node,
    config: OperatorConfig,
    file: NetworkFile,
}

fn account() -> B256 {
    B256::left_padding_from(&[0x11; 8])
}

fn operator_address() -> Address {
    SequencerKey::from_secret(account()).unwrap().address()
}

fn bls_secret() -> SecretKey {
    SecretKey::from_seed(b"doctor")
}

/// An address of this machine that nobody else uses: connections that go out take ports of 127.0.0.1.
fn free() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [_, pid, ..] = std::process::id().to_le_bytes();
    ([127, 77, pid, std::process::id() as u8], 20_000 + NEXT.fetch_add(1, Ordering::Relaxed)).into()
}

fn rollup() -> RollupEntry {
    let chain_id = ChainId(901);
    let anchor = alloy::consensus::Header { number: 1, timestamp: 1, ..Default::default() };
    let spec: ChainSpec = serde_json::from_value(serde_json::json!({
        "chainId": 901, "cancunTime": 0, "pragueTime": 0, "osakaTime": 0,
    }))
    .unwrap();
    let sequencer = Address::repeat_byte(0x5e);
    let hash = CertifiedHeader::from_anchor(anchor.clone()).hash();
    let gateway = |byte| Address::repeat_byte(byte);
    RollupEntry {
        name: "a".to_owned(),
        chain_id,
        rpc: "http://127.0.0.1:1".to_owned(),
        gateways: Gateways { latest: gateway(1), safe: gateway(2), finalized: gateway(3) },
        light_client: gateway(4),
        registration: RegistrationId::derive(chain_id, sequencer, hash, spec.hash()),
        sequencer,
        class: Class::Reexecuted,
        spec,
        anchor: alloy::rlp::encode(&anchor).into(),
        own_node: None,
        limits: RollupLimits::default(),
        settlement: None,
        block_time_ms: 1000,
    }
}

fn network(rpc: &str, network_key: B256, listen: SocketAddr) -> NetworkFile {
    let deployment = Deployment { service_manager: node::SERVICE_MANAGER, operator_set: 0 };
    let domain = Domain::new(L1, deployment.service_manager, 0);
    let key = bls_secret();
    let possession = key.prove_possession(domain, operator_address());
    let member = PossessedKey::check(domain, key.public_key(), operator_address(), &possession).unwrap();
    let committee = Committee::new(Epoch(0), TimeS(4_000_000_000), vec![(member, Stake(100))]).unwrap();
    NetworkFile {
        version: NETWORK_VERSION,
        name: "test".to_owned(),
        deployment,
        domain,
        genesis_time_ms: TimeMs(1),
        l1: L1Entry {
            chain_id: L1,
            rpc: rpc.to_owned(),
            beacon: None,
            origin: L1Origin { number: 5, hash: B256::repeat_byte(5) },
        },
        rollups: vec![rollup()],
        term_heights: 16,
        seats_max: 100,
        operators_max: 200,
        restaking: Some(RestakingEntry {
            allocation_manager: node::ALLOCATION_MANAGER,
            delegation_manager: node::DELEGATION_MANAGER,
            strategy_manager: node::STRATEGY_MANAGER,
            strategies: vec![node::STRATEGY],
            judges: Default::default(),
            rollup_registry: None,
            batch_inbox: None,
            rollup_profiles: None,
        }),
        operators: vec![OperatorEntry {
            name: None,
            id: member.operator_id(),
            operator: operator_address(),
            bls_key: key.public_key(),
            possession,
            stake: Stake(100),
            api: "http://127.0.0.1:1".to_owned(),
            key: network_key,
            address: listen,
        }],
        committee: CommitteeEntry {
            epoch: Epoch(0),
            valid_until: committee.table().valid_until(),
            table: committee.table().encode().into(),
        },
        peers: vec![],
    }
}

impl Operator {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let directory = RoleDirectory::new(dir.path());
        let node = Node::default();
        let rpc = node.serve().await;
        let config = OperatorConfig {
            version: ROLE_VERSION,
            network: dir.path().join("network.json"),
            listen: free(),
            endpoint: None,
            l1_rpc: None,
            l1_beacon: None,
            api: free(),
            nodes: Default::default(),
            threads: 2,
            private_addresses: true,
        };
        directory.write(&config).unwrap();
        directory.write_key(KeyName::Network, B256::repeat_byte(3)).unwrap();
        directory.write_key(KeyName::Bls, bls_secret().expose_secret()).unwrap();
        directory.write_key(KeyName::Account, account()).unwrap();
        let network_key = B256::from_slice(directory.network_key().unwrap().public_key().as_ref());
        let file = network(&rpc, network_key, config.listen);
        node.change(|world| {
            world.domain = file.domain.0;
            world.operator = operator_address();
            world.id = file.operators[0].id.0;
            world.network_key = network_key;
            world.endpoint = config.listen.to_string();
        });
        let operator = Self { dir, node, config, file };
        operator.write();
        operator
    }

    fn directory(&self) -> RoleDirectory {
        RoleDirectory::new(self.dir.path())
    }

    /// Write the files as they are meant.
    fn write(&self) {
        self.directory().write(&self.config).unwrap();
        fs::write(&self.config.network, serde_json::to_vec(&self.file).unwrap()).unwrap();
    }

    fn key(&self, name: KeyName) -> std::path::PathBuf {
        self.directory().key_path(name, KeyForm::Plain)
    }

    async fn findings(&self) -> Vec<Finding> {
        examine(&self.directory()).await
    }

    async fn faults(&self) -> Vec<&'static str> {
        faults(&self.findings().await)
    }
}

fn faults(findings: &[Finding]) -> Vec<&'static str> {
    let faults: Vec<_> = findings.iter().filter(|finding| finding.health == Health::Fault).collect();
    for finding in &faults {
        assert!(finding.next.as_ref().is_some_and(|next| !next.is_empty()), "{finding:?} has no next step");
    }
    faults.into_iter().filter_map(|finding| finding.fault).collect()
}

#[tokio::test]
async fn an_operator_in_good_order_has_no_fault() {
    let operator = Operator::new().await;
    let findings = operator.findings().await;
    assert_eq!(faults(&findings), [""; 0], "{findings:#?}");
    for check in [
        "role file",
        "network file",
        "secrets",
        "disk",
        "process",
        "port",
        "clock",
        "L1 node",
        "account",
        "registration",
    ] {
        assert!(findings.iter().any(|finding| finding.check == check), "{check} was looked at");
    }
    assert!(!operator.directory().data().join("doctor.probe").exists());
}

#[tokio::test]
async fn files_that_are_missing_or_of_another_version() {
    let operator = Operator::new().await;
    assert_eq!(
        faults(&examine(&RoleDirectory::new(operator.dir.path().join("nowhere"))).await),
        ["role-file"]
    );
    fs::write(operator.directory().file(), "{").unwrap();
    assert_eq!(operator.faults().await, ["role-file"]);
    operator.directory().write(&OperatorConfig { version: 9, ..operator.config.clone() }).unwrap();
    assert_eq!(operator.faults().await, ["role-file"]);

    operator.write();
    fs::write(&operator.config.network, "not json").unwrap();
    assert_eq!(operator.faults().await, ["network-file"]);
    fs::remove_file(&operator.config.network).unwrap();
    assert_eq!(operator.faults().await, ["network-file"]);
    let mut other = operator.file.clone();
    other.version += 1;
    fs::write(&operator.config.network, serde_json::to_vec(&other).unwrap()).unwrap();
    assert_eq!(operator.faults().await, ["network-version"]);
}

#[tokio::test]
async fn secrets_that_are_missing_exposed_or_locked() {
    let operator = Operator::new().await;
    let path = operator.key(KeyName::Bls);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(operator.faults().await, ["key-exposed"]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "garbage").unwrap();
    assert_eq!(operator.faults().await, ["key-unreadable"]);
    fs::remove_file(&path).unwrap();
    assert_eq!(operator.faults().await, ["key-missing"]);

    let right = Password::new("right".to_owned());
    operator
        .directory()
        .write_keystore(KeyName::Bls, bls_secret().expose_secret(), &right, KdfCost::Light)
        .unwrap();
    assert_eq!(operator.faults().await, [""; 0], "without a password the rest is looked at all the same");
    let with = |text: &str| operator.directory().unlock(Password::new(text.to_owned()));
    assert_eq!(faults(&examine(&with("wrong")).await), ["key-password"]);
    assert_eq!(faults(&examine(&with("right")).await), [""; 0]);
    fs::write(&path, "0x01").unwrap();
    assert_eq!(operator.faults().await, ["key-twice"]);
}

#[tokio::test]
async fn a_full_disk_and_one_that_takes_nothing() {
    let operator = Operator::new().await;
    // The kernel's own full device.
    std::os::unix::fs::symlink("/dev/full", operator.directory().data().join("doctor.probe")).unwrap();
    assert_eq!(operator.faults().await, ["disk-full"]);
    assert_eq!(operator.faults().await, [""; 0], "the probe is gone");
    fs::remove_dir(operator.directory().data()).unwrap();
    fs::write(operator.directory().data(), "a file where the directory should be").unwrap();
    assert_eq!(operator.faults().await, ["disk-not-writable"]);
}

#[tokio::test]
async fn a_broken_index() {
    let operator = Operator::new().await;
    fs::write(operator.dir.path().join("index.sqlite"), vec![0x42; 4096]).unwrap();
    assert_eq!(operator.faults().await, ["index-broken"]);
}

#[tokio::test]
async fn ports_that_are_taken_closed_or_not_ours() {
    let mut operator = Operator::new().await;
    let other = TcpListener::bind(operator.config.listen).unwrap();
    assert_eq!(operator.faults().await, ["port-taken"]);
    drop(other);
    let other = TcpListener::bind(operator.config.api).unwrap();
    assert_eq!(operator.faults().await, ["port-taken"]);
    drop(other);

    // As if it ran, but nothing listens for peers.
    let lock = operator.directory().lock().unwrap();
    node::serve_status(operator.config.api, "operator").await;
    assert_eq!(operator.faults().await, ["port-closed"]);
    let listening = TcpListener::bind(operator.config.listen).unwrap();
    assert_eq!(operator.faults().await, [""; 0]);
    drop((listening, lock));

    // An address of nobody here: TEST-NET-1.
    operator.config.endpoint = Some(operator.config.listen);
    operator.config.listen = ([192, 0, 2, 1], 9000).into();
    operator.config.api = free();
    operator.write();
    assert_eq!(operator.faults().await, ["port-unusable"]);
}

#[tokio::test]
async fn another_process_holds_the_directory() {
    let operator = Operator::new().await;
    let lock = operator.directory().lock().unwrap();
    let findings = operator.findings().await;
    assert_eq!(faults(&findings), ["directory-held"]);
    let held = findings.iter().find(|finding| finding.fault == Some("directory-held")).unwrap();
    assert!(held.what.contains(&std::process::id().to_string()), "{}", held.what);
    drop(lock);
    assert_eq!(operator.faults().await, [""; 0]);
}

#[tokio::test]
async fn an_l1_node_that_is_wrong() {
    let mut operator = Operator::new().await;
    operator.node.change(|world| world.chain_id = 5);
    assert_eq!(operator.faults().await, ["l1-wrong-chain"]);
    operator.node.change(|world| {
        world.chain_id = L1.0;
        world.head_age_s = 3_600;
    });
    assert_eq!(operator.faults().await, ["l1-stale"]);
    operator.node.change(|world| {
        world.head_age_s = 0;
        world.finalised = false;
    });
    assert_eq!(operator.faults().await, ["l1-not-final"]);
    operator.node.change(|world| world.finalised = true);
    operator.node.change(|world| world.domain = B256::ZERO);
    assert_eq!(operator.faults().await, ["contracts-differ"]);
    operator.node.change(|world| world.contracts = false);
    assert_eq!(operator.faults().await, ["contracts-missing"]);

    operator.config.l1_rpc = Some(format!("http://{}", free()));
    operator.write();
    let findings = operator.findings().await;
    assert_eq!(faults(&findings), ["l1-unreachable"]);
    assert!(
        findings.iter().any(|finding| finding.next.as_ref().is_some_and(|next| next.contains("role.json")))
    );
}

#[tokio::test]
async fn a_clock_that_is_wrong() {
    let operator = Operator::new().await;
    for skew_s in [-60, 60] {
        operator.node.change(|world| world.clock_skew_s = skew_s);
        assert_eq!(operator.faults().await, ["clock-skew"]);
    }
    operator.node.change(|world| world.clock_skew_s = 1);
    assert_eq!(operator.faults().await, [""; 0]);
}

#[tokio::test]
async fn every_gap_between_an_operator_and_its_seat() {
    let operator = Operator::new().await;
    type Spoil = fn(&mut node::World);
    let table: [(&str, Spoil); 14] = [
        ("balance-none", |world| world.balance = U256::ZERO),
        ("not-an-operator", |world| world.is_operator = false),
        ("stake-none", |world| world.shares = U256::ZERO),
        ("allocation-none", |world| world.allocated = 0),
        ("allocation-pending", |world| {
            world.allocated = 0;
            world.pending = 1_000_000_000_000_000_000;
        }),
        ("key-differs", |world| world.id = B256::repeat_byte(9)),
        ("key-of-another", |world| {
            world.registered = false;
            world.holder = Address::repeat_byte(9);
        }),
        ("key-not-registered", |world| world.registered = false),
        ("not-in-set", |world| world.is_member = false),
        ("bond-missing", |world| {
            world.is_member = false;
            world.bond = U256::ZERO;
        }),
        ("jailed", |world| world.is_jailed = true),
        ("network-key-differs", |world| world.network_key = B256::repeat_byte(9)),
        ("endpoint-differs", |world| world.endpoint = "192.0.2.7:9000".to_owned()),
        ("l1-unreadable", |world| world.garbled = true),
    ];
    for (fault, change) in table {
        let before = operator.node.change(|world| {
            let before = world.clone();
            change(world);
            before
        });
        let found = operator.faults().await;
        // Whoever has not even a bond is not in the set either.
        let expected = if fault == "bond-missing" { vec![fault, "not-in-set"] } else { vec![fault] };
        assert_eq!(found, expected, "{fault}");
        operator.node.change(|world| *world = before);
    }
    assert_eq!(operator.faults().await, [""; 0]);
}
