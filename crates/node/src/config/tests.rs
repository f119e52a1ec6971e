//! Each field of the network file that can be wrong, wrong on its own.

mod directory;
pub(crate) mod fixture;

use super::*;
use fixture::{bls_key, network_file, publisher_key};
use hum_ledger::RosterError;
use hum_types::{Address, B256, ChainId, RegistrationId};

const CHAINS: [ChainId; 2] = [ChainId(901), ChainId(902)];

fn file() -> NetworkFile {
    network_file(4, &CHAINS)
}

fn refused(change: impl FnOnce(&mut NetworkFile)) -> NetworkError {
    let mut file = file();
    change(&mut file);
    file.check().unwrap_err()
}

#[test]
fn a_network_file_is_read_back_as_written() {
    let json = serde_json::to_string_pretty(&file()).unwrap();
    assert_eq!(serde_json::from_str::<NetworkFile>(&json).unwrap(), file());
    let network = file().check().unwrap();
    assert_eq!(network.members().len(), 2);
    assert!(network.operators.windows(2).all(|pair| pair[0].seat < pair[1].seat));
    for operator in &network.operators {
        assert_eq!(network.committee.seat_of(&operator.entry.bls_key), Some(operator.seat));
    }
    assert_eq!(network.anchor(CHAINS[0]).unwrap().number, fixture::ANCHOR_NUMBER);
    assert_eq!(network.peers[0].1, hum_consensus::Signer::public_key(&publisher_key()));
}

#[test]
fn the_keys_that_tools_read_are_there() {
    let json = serde_json::to_value(file()).unwrap();
    assert!(json["l1"].is_object() && json["committee"].is_object());
    let rollup = &json["rollups"][0];
    for key in ["name", "chain_id", "rpc", "gateways", "light_client"] {
        assert!(!rollup[key].is_null(), "{key}");
    }
    for key in ["latest", "safe", "finalized"] {
        assert!(rollup["gateways"][key].is_string(), "{key}");
    }
    assert!(json["operators"][0]["id"].is_string() && json["operators"][0]["api"].is_string());
}

#[test]
fn an_unknown_key_is_refused() {
    let mut json = serde_json::to_value(file()).unwrap();
    json["rollups"][0]["colour"] = "red".into();
    assert!(serde_json::from_value::<NetworkFile>(json).unwrap_err().to_string().contains("colour"));
}

#[test]
fn each_wrong_field_is_named() {
    assert!(matches!(refused(|file| file.version = 2), NetworkError::Version { found: 2, .. }));
    assert!(matches!(refused(|file| file.domain.0 = B256::ZERO), NetworkError::Domain { .. }));
    assert!(matches!(refused(|file| file.deployment.operator_set = 1), NetworkError::Domain { .. }));
    assert!(matches!(refused(|file| file.rollups.clear()), NetworkError::Empty { what: "rollups" }));
    assert!(matches!(refused(|file| file.rollups.reverse()), NetworkError::Order { .. }));
    assert!(matches!(
        refused(|file| file.rollups[1] = file.rollups[0].clone()),
        NetworkError::Order { previous: ChainId(901), next: ChainId(901) }
    ));
    assert!(matches!(
        refused(|file| file.rollups[0].spec = fixture::spec(ChainId(7))),
        NetworkError::Spec { found: ChainId(7), .. }
    ));
    assert!(matches!(
        refused(|file| file.rollups[0].gateways.safe = Address::ZERO),
        NetworkError::Gateways { .. }
    ));
    assert!(matches!(
        refused(|file| file.rollups[0].gateways.safe = file.rollups[0].gateways.latest),
        NetworkError::Gateways { .. }
    ));
    assert!(matches!(
        refused(|file| file.rollups[0].anchor = vec![1, 2, 3].into()),
        NetworkError::Anchor { .. }
    ));
    assert!(matches!(
        refused(|file| file.rollups[0].registration = RegistrationId(B256::ZERO)),
        NetworkError::Registration { .. }
    ));
    assert!(matches!(
        refused(|file| file.rollups[0].sequencer = Address::ZERO),
        NetworkError::Registration { .. }
    ));
    assert!(matches!(
        refused(|file| file.rollups[0].limits.block_bytes = 0),
        NetworkError::Limit { what: "block_bytes", .. }
    ));
    assert!(matches!(
        refused(|file| file.rollups[0].limits.witness_bytes = usize::MAX),
        NetworkError::Limit { what: "witness_bytes", .. }
    ));
    assert!(matches!(
        refused(|file| file.rollups[0].limits.gas_per_second = 0),
        NetworkError::Limit { what: "gas_per_second", .. }
    ));
}

#[test]
fn batches_are_posted_where_the_judges_look() {
    let inbox = Address::repeat_byte(0xd1);
    let with = |declared, expected| {
        let mut file = file();
        file.rollups[1].settlement = Some(SettlementEntry::Batches { inbox: declared, from_block: 3 });
        file.restaking = Some(RestakingEntry {
            allocation_manager: Address::ZERO,
            delegation_manager: Address::ZERO,
            strategy_manager: Address::ZERO,
            strategies: Vec::new(),
            judges: Default::default(),
            rollup_registry: None,
            batch_inbox: expected,
            rollup_profiles: None,
        });
        file.check()
    };
    let found = with(inbox, Some(inbox)).unwrap().member(CHAINS[1]).unwrap().entry.settlement;
    assert_eq!(found, Some(SettlementEntry::Batches { inbox, from_block: 3 }));
    assert!(with(inbox, None).is_ok(), "settled, though nobody judges it");
    assert!(matches!(
        with(Address::repeat_byte(0xd2), Some(inbox)),
        Err(NetworkError::Inbox { chain_id: ChainId(902), expected, .. }) if expected == inbox
    ));
    assert!(matches!(with(Address::ZERO, None), Err(NetworkError::InboxZero { chain_id: ChainId(902) })));
    let json = serde_json::json!({"kind": "batches", "inbox": inbox, "from_block": 3});
    assert_eq!(serde_json::from_value::<SettlementEntry>(json.clone()).ok(), found);
    for (key, value) in [("kind", "blobs"), ("depth", "2")] {
        let mut json = json.clone();
        json[key] = value.into();
        assert!(serde_json::from_value::<SettlementEntry>(json).is_err(), "{key}");
    }
}

#[test]
fn other_stacks_contracts_settle_rollups_of_their_stack() {
    let contract = Address::repeat_byte(0xd1);
    let op = |anchor_registry, game_factory| SettlementEntry::OpStack {
        anchor_registry,
        game_factory,
        from_block: 3,
    };
    let with = |settlement| {
        let mut file = file();
        file.rollups[1].settlement = Some(settlement);
        file.check()
    };
    let found = with(op(contract, contract)).unwrap().member(CHAINS[1]).unwrap().entry.settlement;
    let json = serde_json::json!({
        "kind": "op_stack", "anchor_registry": contract, "game_factory": contract, "from_block": 3
    });
    assert_eq!(serde_json::from_value::<SettlementEntry>(json).ok(), found);
    let json = serde_json::json!({"kind": "nitro", "rollup": contract, "from_block": 3});
    let nitro = SettlementEntry::Nitro { rollup: contract, from_block: 3 };
    assert_eq!(serde_json::from_value::<SettlementEntry>(json).ok(), Some(nitro));
    for (zero, named) in [
        (op(Address::ZERO, contract), "anchor registry"),
        (op(contract, Address::ZERO), "game factory"),
        (SettlementEntry::Nitro { rollup: Address::ZERO, from_block: 3 }, "rollup"),
    ] {
        assert!(
            matches!(with(zero), Err(NetworkError::ContractZero { chain_id: ChainId(902), contract }) if contract == named)
        );
    }
    assert!(matches!(with(nitro), Err(NetworkError::SettlementClass { chain_id: ChainId(902), .. })));
}

#[test]
fn operators_that_are_no_committee_are_refused() {
    assert!(matches!(refused(|file| file.operators.clear()), NetworkError::Roster(_)));
    assert!(matches!(
        refused(|file| file.operators[0].id = file.operators[1].id),
        NetworkError::OperatorId { .. }
    ));
    assert!(matches!(
        refused(|file| file.operators[0].bls_key = bls_key(9).public_key()),
        NetworkError::OperatorId { .. }
    ));
    assert!(matches!(
        refused(|file| file.operators[0].operator = Address::repeat_byte(0x77)),
        NetworkError::Roster(RosterError::Possession { .. })
    ));
    assert!(matches!(
        refused(|file| file.operators[0].possession = file.operators[1].possession),
        NetworkError::Roster(RosterError::Possession { .. })
    ));
    assert!(matches!(refused(|file| file.term_heights = 3), NetworkError::Terms(_)));
    assert!(matches!(
        refused(|file| file.seats_max = 3),
        NetworkError::TooMany { what: "seats of the committee", found: 4, most: 3 }
    ));
    assert!(matches!(
        refused(|file| file.operators_max = 3),
        NetworkError::TooMany { what: "operators", found: 4, most: 3 }
    ));
    assert!(matches!(refused(|file| file.operators[0].stake.0 = 1), NetworkError::Table { .. }));
    assert!(matches!(refused(|file| file.committee.table = Default::default()), NetworkError::Table { .. }));
    assert!(matches!(
        refused(|file| file.operators[0].key = file.operators[1].key),
        NetworkError::KeyTwice { .. }
    ));
    assert!(matches!(
        refused(|file| file.peers[0].key = file.operators[1].key),
        NetworkError::KeyTwice { .. }
    ));
    assert!(matches!(refused(|file| file.peers[0].key = B256::repeat_byte(2)), NetworkError::Key { .. }));
}

#[test]
fn a_publisher_is_of_a_rollup_of_the_network() {
    let with = |chain_id: Option<ChainId>| {
        let mut file = file();
        file.peers[0].chain_id = chain_id;
        file.check()
    };
    assert!(with(Some(CHAINS[1])).unwrap().peers[0].0.publishes(CHAINS[1]));
    assert!(!with(Some(CHAINS[1])).unwrap().peers[0].0.publishes(CHAINS[0]));
    assert!(with(None).unwrap().peers[0].0.publishes(CHAINS[0]));
    let stranger = ChainId(7);
    assert!(matches!(
        with(Some(stranger)),
        Err(NetworkError::NotAMember { chain_id, .. }) if chain_id == stranger
    ));
}

#[test]
fn what_older_files_do_not_say_is_absent() {
    let json = serde_json::to_value(file()).unwrap();
    assert!(json["peers"][0].get("api").is_none() && json["peers"][0].get("chain_id").is_none());
    assert_eq!(serde_json::from_value::<NetworkFile>(json).unwrap().peers[0].api, None);
}

#[test]
fn a_missing_file_says_what_to_do() {
    let error = NetworkFile::load(std::path::Path::new("/nowhere/network.json")).unwrap_err();
    assert!(error.to_string().contains("hum up"), "{error}");
}

#[test]
fn a_role_keeps_its_keys_and_its_version() {
    let root = std::env::temp_dir().join(format!("hum-role-{}", std::process::id()));
    let directory = RoleDirectory::new(&root);
    let config = OperatorConfig {
        version: ROLE_VERSION,
        network: "network.json".into(),
        listen: ([127, 0, 0, 1], 1).into(),
        endpoint: None,
        l1_rpc: None,
        l1_beacon: None,
        api: ([127, 0, 0, 1], 2).into(),
        nodes: Default::default(),
        threads: 2,
        private_addresses: true,
    };
    directory.write(&config).unwrap();
    assert_eq!(OperatorConfig::load(&directory).unwrap(), config);
    let secret = B256::repeat_byte(3);
    directory.write_key(KeyName::Bls, secret).unwrap();
    assert_eq!(directory.read_key(KeyName::Bls).unwrap(), secret);
    assert!(directory.write_key(KeyName::Bls, secret).is_err(), "a key is never overwritten");
    assert!(matches!(directory.read_key(KeyName::Network), Err(DirectoryError::Io { .. })));
    directory.write(&OperatorConfig { version: 9, ..config }).unwrap();
    assert!(matches!(OperatorConfig::load(&directory), Err(DirectoryError::Version { found: 9, .. })));
    std::fs::remove_dir_all(root).unwrap();
}
