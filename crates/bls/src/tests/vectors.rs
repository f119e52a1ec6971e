//! The files of `vectors/`: those that another implementation made are checked, those that Solidity checks are made here.
//!
//! `cargo test -p hum-bls write_vectors -- --ignored` writes the latter.

use super::*;
use alloy_primitives::hex;
use hum_types::{
    BlockRef, ChainId, Class, Generation, HeadPart, Header, InteropAddress, L1Origin, LaneId, LaneIndex,
    LaneLeaf, LaneSlot, Message, RegistrationId, RollupLeaf, RollupStatus, TimeMs, message_leaf, tree::Tree,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::PathBuf};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(name)
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    let text = fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn hex(value: &impl Encode) -> String {
    hex::encode_prefixed(value.encode())
}

// ---- bn254.json and committee.json: made by py_ecc

#[derive(Deserialize)]
struct Curve {
    domain: DomainVector,
    hash_to_g1: Vec<HashVector>,
    attestation: AttestationVector,
    keys: Vec<KeyVector>,
    sum_of_last_three: SumVector,
}

#[derive(Deserialize)]
struct DomainVector {
    l1_chain_id: ChainId,
    service_manager: Address,
    operator_set: u32,
    hash: Domain,
}

#[derive(Deserialize)]
struct HashVector {
    digest: B256,
    point: G1,
    step: u16,
    root: B256,
}

#[derive(Deserialize)]
struct AttestationVector {
    epoch: Epoch,
    height: Height,
    subject: B256,
    digest: B256,
}

#[derive(Deserialize)]
struct KeyVector {
    secret: B256,
    g1: G1,
    g2: G2,
    operator_id: OperatorId,
    signature: Signature,
    operator: Address,
    possession_digest: B256,
    possession: Signature,
}

#[derive(Deserialize)]
struct SumVector {
    g1: G1,
    g2: G2,
    signature: Signature,
}

#[test]
fn hashed_points_are_those_of_another_implementation() {
    for vector in read::<Curve>("bn254.json").hash_to_g1 {
        let HashVector { digest, point, step, root } = vector;
        assert_eq!(hints(digest), Hints { point, step, root });
        assert_eq!(hash_to_g1(digest), point);
    }
}

#[test]
fn keys_and_signatures_are_those_of_another_implementation() {
    let curve: Curve = read("bn254.json");
    let DomainVector { l1_chain_id, service_manager, operator_set, hash: domain } = curve.domain;
    assert_eq!(Domain::new(l1_chain_id, service_manager, operator_set), domain);
    let AttestationVector { epoch, height, subject, digest } = curve.attestation;
    let statement = crate::attestation::statement(domain, epoch, height, subject);
    assert_eq!(statement.digest(), digest);

    for vector in &curve.keys {
        let secret = SecretKey::from_secret(vector.secret).unwrap();
        let key = secret.public_key();
        assert_eq!(PublicKey::new(vector.g1, vector.g2), Ok(key));
        assert_eq!(OperatorId::of(key.g1()), vector.operator_id);
        assert_eq!(secret.attest(domain, epoch, height, subject, Seat(0)).signature, vector.signature);
        assert!(key.verifies(&statement, &vector.signature));
        assert_eq!(secret.prove_possession(domain, vector.operator), vector.possession);
        assert!(PossessedKey::check(domain, key, vector.operator, &vector.possession).is_ok());
        let possession = hum_types::SignedSubject {
            domain,
            kind: hum_types::Kind::Possession,
            epoch: Epoch(0),
            height: Height(0),
            subject: possession_subject(key.g1(), vector.operator),
        };
        assert_eq!(possession.digest(), vector.possession_digest);
    }
    let SumVector { g1, g2, signature } = curve.sum_of_last_three;
    assert!(PublicKey::new(g1, g2).unwrap().verifies(&statement, &signature));
}

#[derive(Deserialize)]
struct CommitteeVector {
    secrets: Vec<B256>,
    stakes: Vec<u128>,
    valid_until: TimeS,
    table: alloy_primitives::Bytes,
    table_hash: B256,
    absent: Vec<AbsentVector>,
}

#[derive(Deserialize)]
struct AbsentVector {
    indexes: Vec<u16>,
    signers_g2: G2,
}

fn committee(name: &str) -> (CommitteeVector, Operators) {
    let mut all: BTreeMap<String, Value> = read("committee.json");
    let vector: CommitteeVector = serde_json::from_value(all.remove(name).unwrap()).unwrap();
    let secrets = vector.secrets.iter().map(|secret| SecretKey::from_secret(*secret).unwrap()).collect();
    let operators = Operators::of(secrets, &vector.stakes);
    (vector, operators)
}

#[test]
fn tables_and_key_sums_are_those_of_another_implementation() {
    for name in ["one", "three", "four", "uneven", "hundred"] {
        let (vector, operators) = committee(name);
        let table = operators.committee.table();
        assert_eq!(table.encode(), vector.table, "{name}");
        assert_eq!(table.hash(), vector.table_hash, "{name}");
        assert_eq!(table.valid_until(), vector.valid_until, "{name}");
        assert_eq!(CommitteeTable::from_bytes(EPOCH, &vector.table, vector.table_hash).as_ref(), Ok(table));
        for AbsentVector { indexes, signers_g2 } in vector.absent {
            let mut aggregator = operators.aggregator();
            for seat in (0..table.operators()).filter(|seat| !indexes.contains(seat)) {
                aggregator.add(&operators.attestation(seat)).unwrap();
            }
            // Some sets leave too little stake; the others' certificates carry the sum.
            if let Some(certificate) = aggregator.aggregate().certificate {
                assert_eq!(certificate.key_sum, signers_g2, "{name} without {indexes:?}");
            }
        }
    }
}

// ---- What Solidity checks

fn certificates() -> Value {
    let certificate = |name: &str, operators: &Operators, height: u64, absent: Vec<u16>| {
        let header = Header {
            domain: domain(),
            epoch: EPOCH,
            height: Height(height),
            time_ms: TimeMs(1_000_000 + height),
            l1_origin: L1Origin { number: 77, hash: keccak256("origin") },
            parent: keccak256("parent"),
            rollups_root: keccak256("rollups"),
            body_hash: keccak256("body"),
            next_table_hash: B256::ZERO,
        };
        let table = operators.committee.table();
        let mut aggregator =
            Aggregator::new(operators.committee.clone(), domain(), header.height, header.hash());
        for seat in (0..table.operators()).filter(|seat| !absent.contains(seat)) {
            let secret = &operators.secrets[usize::from(seat)];
            aggregator
                .add(&secret.attest(domain(), EPOCH, header.height, header.hash(), Seat(seat)))
                .unwrap();
        }
        let certificate = aggregator.aggregate().certificate.unwrap();
        let verified = certificate.clone().verify(table, domain()).unwrap();
        let digest = certificate.digest(domain());
        let hints = hints(digest);
        json!({
            "committee": name,
            "absent": absent,
            "height": height,
            "time_ms": header.time_ms,
            "rollups_root": header.rollups_root,
            "header": hex(&header),
            "header_hash": header.hash(),
            "digest": digest,
            "hashed_point": hints.point,
            "step": hints.step,
            "root_hint": hints.root,
            "certificate": certificate,
            "submission": hex::encode_prefixed(verified.submission(&header).unwrap()),
        })
    };
    let (four, hundred) = (committee("four").1, committee("hundred").1);
    json!({
        "note": "made by crates/bls; committees are those of committee.json",
        "domain": domain(),
        "epoch": EPOCH,
        "certificates": [
            certificate("four", &four, 1, vec![]),
            certificate("four", &four, 2, vec![2]),
            certificate("hundred", &hundred, 3, vec![]),
            certificate("hundred", &hundred, 4, (1..99).step_by(3).collect()),
        ],
    })
}

fn messages() -> Value {
    let (source, registration) = (ChainId(1001), RegistrationId(keccak256("registration")));
    let lane = LaneId { facade: Address::repeat_byte(0xfa), destination: ChainId(70_002) };
    let mut slot = LaneSlot::default();
    let mut tree = Tree::default();
    let mut listed = Vec::new();
    for (index, (generation, payload)) in
        [(0, vec![]), (0, vec![7; 64]), (2, (0..=255).collect::<Vec<u8>>())].into_iter().enumerate()
    {
        let index = LaneIndex(index as u64);
        let message = Message {
            sender: Address::repeat_byte(0x51),
            recipient: Address::repeat_byte(0x52 + index.0 as u8),
            min_gas_limit: 200_000 + index.0 as u32,
            payload: payload.into(),
        };
        let hash = message.hash();
        slot = slot.push(hash).unwrap();
        let leaf = message_leaf(Generation(generation), index, hash);
        tree.push(leaf);
        listed.push(json!({
            "sender": message.sender,
            "recipient": message.recipient,
            "min_gas_limit": message.min_gas_limit,
            "payload": message.payload,
            "hash": hash,
            "index": index,
            "generation": generation,
            "id": lane.message_id(source, index, hash),
            "slot_after": slot.to_word(),
            "leaf": leaf,
        }));
    }
    let lane_leaf = LaneLeaf { lane, generation: Generation(2), slot, root: tree.root() };
    json!({
        "note": "made by crates/bls",
        "source_chain_id": source,
        "registration": registration,
        "facade": lane.facade,
        "destination_chain_id": lane.destination,
        "messages": listed,
        "lane": {
            "generation": 2,
            "slot": slot.to_word(),
            "root": tree.root(),
            "leaf_preimage": hex(&lane_leaf),
            "leaf": lane_leaf.hash(),
        },
    })
}

fn trees() -> Value {
    let runs: [(u64, &[(u64, u64)]); 7] = [
        (1, &[(0, 1)]),
        (2, &[(0, 1), (1, 1), (0, 2)]),
        (3, &[(2, 1), (1, 2), (0, 3)]),
        (5, &[(4, 1), (3, 2), (1, 3), (0, 5)]),
        (8, &[(0, 8), (3, 4), (7, 1)]),
        (11, &[(10, 1), (3, 3), (2, 9), (0, 11)]),
        (100, &[(0, 100), (37, 20), (99, 1), (63, 2)]),
    ];
    let mut tree = Tree::default();
    let mut listed = Vec::new();
    for (count, runs) in runs {
        while tree.count() < count {
            tree.push(keccak256(tree.count().to_be_bytes()));
        }
        let proofs: Vec<_> = runs
            .iter()
            .map(|(start, length)| {
                json!({
                    "start": start,
                    "length": length,
                    "siblings": tree.prove(count, *start, *length).unwrap(),
                })
            })
            .collect();
        listed.push(json!({ "count": count, "root": tree.root(), "proofs": proofs }));
    }
    json!({ "note": "made by crates/bls; leaf i is keccak256(i as 8 bytes)", "trees": listed })
}

fn header() -> Value {
    let header = Header {
        domain: domain(),
        epoch: Epoch(3),
        height: Height(0x0102_0304),
        time_ms: TimeMs(1_700_000_000_123),
        l1_origin: L1Origin { number: 20_000_001, hash: keccak256("l1 origin") },
        parent: keccak256("parent"),
        rollups_root: keccak256("rollups"),
        body_hash: keccak256("body"),
        next_table_hash: keccak256("next table"),
    };
    let head = |name: &str, number: u64| HeadPart {
        block: BlockRef { number, hash: keccak256(format!("{name} block")) },
        state_root: keccak256(format!("{name} state")),
        advanced_at: Height(number * 2),
        lanes_root: keccak256(format!("{name} lanes")),
    };
    let leaf = RollupLeaf {
        chain_id: ChainId(1001),
        registration: RegistrationId(keccak256("registration")),
        generation: Generation(4),
        status: RollupStatus::Quarantined,
        class: Class::OwnNode,
        heads: [head("latest", 30), head("safe", 20), HeadPart::default()],
    };
    let parts: Vec<_> =
        leaf.heads.iter().map(|head| json!({ "bytes": hex(head), "hash": head.hash() })).collect();
    json!({
        "note": "made by crates/bls",
        "header": {
            "domain": header.domain,
            "epoch": header.epoch,
            "height": header.height,
            "time_ms": header.time_ms,
            "l1_origin_number": header.l1_origin.number,
            "l1_origin_hash": header.l1_origin.hash,
            "parent": header.parent,
            "rollups_root": header.rollups_root,
            "body_hash": header.body_hash,
            "next_table_hash": header.next_table_hash,
            "bytes": hex(&header),
            "hash": header.hash(),
        },
        "head_parts": parts,
        "rollup_leaf": {
            "chain_id": leaf.chain_id,
            "registration": leaf.registration,
            "generation": leaf.generation,
            "status": leaf.status as u8,
            "class": leaf.class as u8,
            "preimage": hex::encode_prefixed(leaf.preimage()),
            "hash": leaf.hash(),
        },
    })
}

fn interop_addresses() -> Value {
    let account = Address::repeat_byte(0x5a);
    let chain_ids = (0..8).flat_map(|bytes| [1_u64 << (8 * bytes), u64::MAX >> (56 - 8 * bytes)]);
    let accepted: Vec<_> = [1001, 70_002]
        .into_iter()
        .chain(chain_ids)
        .map(|chain_id| {
            let address = InteropAddress { chain_id: ChainId(chain_id), address: account };
            let bytes = address.encode();
            assert_eq!(InteropAddress::try_from(&bytes[..]), Ok(address));
            json!({ "chain_id": hex::encode_prefixed(chain_id.to_be_bytes()), "bytes": hex::encode_prefixed(bytes) })
        })
        .collect();
    let tail = format!("14{}", hex::encode(account));
    let refused: Vec<_> = [
        ("empty", String::new()),
        ("only the version", "0001".into()),
        ("only the prefix", "00010000".into()),
        ("version 0", format!("000000000203e9{tail}")),
        ("version 2", format!("000200000203e9{tail}")),
        ("another chain type", format!("000100020203e9{tail}")),
        ("no chain id", format!("0001000000{tail}")),
        ("chain id zero", format!("000100000100{tail}")),
        ("leading zero", format!("00010000030003e9{tail}")),
        ("chain id of nine bytes", format!("0001000009010203040506070809{tail}")),
        ("chain without account", "000100000203e900".into()),
        ("account of 19 bytes", format!("000100000203e913{}", hex::encode([0x5a; 19]))),
        ("account of 21 bytes", format!("000100000203e915{}", hex::encode([0x5a; 21]))),
        ("length 19, 20 bytes there", format!("000100000203e913{}", hex::encode([0x5a; 20]))),
        ("a byte short", format!("000100000203e914{}", hex::encode([0x5a; 19]))),
        ("a trailing byte", format!("000100000203e9{tail}00")),
    ]
    .into_iter()
    .map(|(what, text)| {
        let bytes = hex::decode(&text).unwrap();
        assert!(InteropAddress::try_from(&bytes[..]).is_err(), "{what}");
        json!({ "what": what, "bytes": format!("0x{text}") })
    })
    .collect();
    json!({ "note": "made by crates/bls", "account": account, "accepted": accepted, "refused": refused })
}

fn made_here() -> [(&'static str, Value); 5] {
    [
        ("interop_address.json", interop_addresses()),
        ("certificates.json", certificates()),
        ("messages.json", messages()),
        ("tree.json", trees()),
        ("header.json", header()),
    ]
}

#[test]
fn committed_vectors_are_what_is_computed() {
    for (name, computed) in made_here() {
        assert!(read::<Value>(name) == computed, "{name} differs: see the top of this file");
    }
}

#[test]
#[ignore = "writes vectors/"]
fn write_vectors() {
    for (name, computed) in made_here() {
        fs::write(path(name), format!("{computed:#}\n")).unwrap();
    }
}
