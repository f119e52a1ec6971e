use crate::{
    config::{
        Member, MemberFile, Network, PROFILE_PEERS_MAX, PeerEntry, PeerRole, ProfileError, Registrant,
        RollupProfile, SettlementEntry,
        tests::fixture::{self, network_file},
    },
    members::Members,
};
use commonware_codec::Encode as _;
use hum_consensus::{PrivateKey, Signer as _};
use hum_types::{
    Address, B256, ChainId, Class, Join, L1Origin, PROFILE_BYTES_MAX, RegistrationId, profile_spec_hash,
};

const A: ChainId = ChainId(901);
/// Who joins.
pub(crate) const C: ChainId = ChainId(903);
pub(crate) const GOVERNOR: Address = Address::repeat_byte(0x60);
const L1: L1Origin = L1Origin { number: 9, hash: B256::repeat_byte(9) };

fn key(seed: u64) -> B256 {
    B256::from_slice(&PrivateKey::from_seed(seed).public_key().encode())
}

/// The profile of a rollup as a network file would have it, with one publisher.
pub(crate) fn profile(chain_id: ChainId) -> RollupProfile {
    let entry = network_file(1, &[chain_id]).rollups.remove(0);
    RollupProfile {
        name: entry.name,
        rpc: entry.rpc,
        gateways: entry.gateways,
        light_client: entry.light_client,
        class: entry.class,
        spec: entry.spec,
        anchor: entry.anchor,
        own_node: None,
        limits: entry.limits,
        settlement: None,
        block_time_ms: entry.block_time_ms,
        peers: vec![peer(2_000, PeerRole::Publisher)],
    }
}

fn peer(seed: u64, role: PeerRole) -> PeerEntry {
    PeerEntry {
        name: format!("peer {seed}"),
        role,
        key: key(seed),
        address: ([127, 0, 0, 1], 8_100).into(),
        chain_id: None,
        api: None,
    }
}

fn registrant(chain_id: ChainId) -> Registrant {
    Registrant { chain_id, sequencer: fixture::sequencer(chain_id).address(), governor: GOVERNOR }
}

pub(crate) fn member(profile: &RollupProfile, chain_id: ChainId) -> Result<Member, ProfileError> {
    RollupProfile::member(&profile.encode(), registrant(chain_id), None)
}

pub(crate) fn join(chain_id: ChainId, l1: L1Origin) -> Join {
    member(&profile(chain_id), chain_id).unwrap().join(l1).unwrap()
}

fn network() -> Network {
    network_file(4, &[A]).check().unwrap()
}

#[test]
fn a_profile_makes_the_member_that_its_registration_commits_to() {
    let own = profile(C);
    let made = member(&own, C).unwrap();
    let spec_hash = profile_spec_hash(GOVERNOR, &own.encode());
    let sequencer = fixture::sequencer(C).address();
    let expected = RegistrationId::derive(C, sequencer, made.anchor.hash(), spec_hash);
    assert_eq!((made.entry.registration, made.spec_hash), (expected, spec_hash));
    let join = made.join(L1).unwrap();
    assert_eq!(join.registration(), expected);
    assert_eq!(hum_ledger::RollupParams::from(&join), made.params());
    assert_eq!(Member::joined(&join, None).unwrap().entry, made.entry);
    assert_eq!(made.peers[0].0.chain_id, Some(C), "a publisher of a profile serves its rollup alone");
}

#[test]
fn each_wrong_field_of_a_profile_is_named() {
    let refused = |change: fn(&mut RollupProfile)| {
        let mut bad = profile(C);
        change(&mut bad);
        member(&bad, C).unwrap_err()
    };
    assert!(matches!(refused(|p| p.name = "x".repeat(300)), ProfileError::Text { what: "its name", .. }));
    assert!(matches!(refused(|p| p.rpc = "a\nb".into()), ProfileError::Text { what: "its RPC URL", .. }));
    assert!(matches!(refused(|p| p.peers[0].name = "\0".into()), ProfileError::Text { .. }));
    assert!(matches!(refused(|p| p.peers[0].api = Some("\t".into())), ProfileError::Text { .. }));
    assert!(matches!(
        refused(|p| p.peers = (0..=PROFILE_PEERS_MAX as u64).map(|i| peer(i, PeerRole::Relayer)).collect()),
        ProfileError::Peers { found: 5, most: PROFILE_PEERS_MAX }
    ));
    assert!(matches!(
        refused(|p| p.peers.push(peer(2_000, PeerRole::Relayer))),
        ProfileError::PeerKey { .. }
    ));
    assert!(matches!(refused(|p| p.peers[0].key = B256::repeat_byte(2)), ProfileError::PeerKey { .. }));
    assert!(matches!(
        refused(|p| p.peers[0].chain_id = Some(A)),
        ProfileError::PeerChain { found: A, chain_id: C, .. }
    ));
    assert!(matches!(refused(|p| p.limits.block_gas += 1), ProfileError::Limit { what: "block_gas", .. }));
    assert!(matches!(
        refused(|p| p.limits.gas_per_second += 1),
        ProfileError::Limit { what: "gas_per_second", .. }
    ));
    assert!(matches!(
        refused(|p| p.class = Class::OwnNode),
        ProfileError::Judges(_) | ProfileError::Member(_)
    ));
    assert!(matches!(refused(|p| p.spec = fixture::spec(A)), ProfileError::Member(_)));
    assert!(matches!(refused(|p| p.gateways.safe = Address::ZERO), ProfileError::Member(_)));
    assert!(matches!(refused(|p| p.anchor = vec![1].into()), ProfileError::Member(_)));
    let settlement = SettlementEntry::Batches { inbox: Address::repeat_byte(1), from_block: 0 };
    let other = RollupProfile { settlement: Some(settlement), ..profile(C) }.encode();
    let refused = RollupProfile::member(&other, registrant(C), Some(Address::repeat_byte(2)));
    assert!(matches!(refused, Err(ProfileError::Member(_))), "batches go where the judges look");
    let high = alloy_consensus::Header { number: u64::MAX, ..fixture::anchor(C) };
    let high = RollupProfile { anchor: alloy_rlp::encode(high).into(), ..profile(C) };
    assert!(matches!(member(&high, C), Err(ProfileError::Anchor { .. })));
}

#[test]
fn what_is_no_profile_is_refused() {
    let refused = |bytes: &[u8]| RollupProfile::parse(bytes).unwrap_err();
    assert!(matches!(refused(b"{}"), ProfileError::Json(_)));
    let mut json = serde_json::to_value(profile(C)).unwrap();
    json["colour"] = "red".into();
    assert!(matches!(refused(json.to_string().as_bytes()), ProfileError::Json(_)));
    let long = vec![b' '; PROFILE_BYTES_MAX + 1];
    assert!(matches!(refused(&long), ProfileError::TooLong { .. }));
}

#[test]
fn a_join_says_what_its_profile_says() {
    let good = join(C, L1);
    let members = network().members;
    let wrong = [
        Join { facades: [0xa1, 0xa2, 0xa4].map(Address::repeat_byte), ..good.clone() },
        Join { class: Class::OwnNode, ..good.clone() },
        Join { judges: vec![B256::ZERO], ..good.clone() },
        Join { anchor: Default::default(), ..good.clone() },
        Join { anchor_state_root: B256::ZERO, ..good.clone() },
    ];
    for (i, join) in wrong.iter().enumerate() {
        assert!(matches!(members.admit(join), Err(ProfileError::Join { chain_id: C, .. })), "case {i}");
    }
    assert!(members.get(C).is_none());
    members.admit(&good).unwrap();
}

#[test]
fn members_grow_for_everyone_who_holds_them_and_are_never_replaced() {
    let network = network();
    let (shared, apart) = (network.clone(), network.apart());
    let version = network.members.version();
    let made = network.members.admit(&join(C, L1)).unwrap();
    assert_eq!(shared.member(C).unwrap().entry, made.entry);
    assert_eq!(shared.members().iter().map(|m| m.entry.chain_id).collect::<Vec<_>>(), [A, C]);
    assert!(apart.member(C).is_none());
    assert_eq!(shared.members.version(), version + 1);
    // A replay tells it again.
    network.members.admit(&join(C, L1Origin { number: 10, ..L1 })).unwrap();
    assert_eq!(shared.members.version(), version + 1);
    let other = member(&RollupProfile { name: "other".into(), ..profile(C) }, C).unwrap();
    let refused = Members::insert(&network.members, other);
    assert!(matches!(refused, Err(ProfileError::Known { chain_id: C, .. })));
}

#[test]
fn the_processes_of_a_member_are_peers_until_it_leaves() {
    let network = network();
    let mut named = profile(C);
    // Keys that are somebody's already let nobody in.
    named.peers.push(PeerEntry { key: network.operators[0].entry.key, ..peer(1, PeerRole::Relayer) });
    named.peers.push(PeerEntry { key: network.peers[0].0.key, ..peer(1, PeerRole::Watcher) });
    let before = network.peers();
    network.members.admit(&member(&named, C).unwrap().join(L1).unwrap()).unwrap();
    let after = network.peers();
    assert_eq!(after[..before.len()], before);
    let new: Vec<_> = after[before.len()..].iter().map(|(peer, _)| (peer.key, peer.publishes(A))).collect();
    assert_eq!(new, [(key(2_000), false)]);
    assert!(after[before.len()].0.publishes(C));
    network.members.left(C);
    assert_eq!(network.peers(), before);
    assert!(network.member(C).is_some(), "what left stays known");
}

#[test]
fn a_member_file_tells_a_network_of_a_rollup_that_it_does_not_list() {
    let file = MemberFile::new(registrant(C), &profile(C)).unwrap();
    let json = serde_json::to_string(&file).unwrap();
    let path = std::env::temp_dir().join(format!("hum-member-{}.json", std::process::id()));
    std::fs::write(&path, json).unwrap();
    let network = network();
    let told = MemberFile::tell(&path, &network).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(network.member(C).unwrap().entry, told.entry);
    assert_eq!(told.file().unwrap(), file);
    // It joins later, as the same.
    network.members.admit(&join(C, L1)).unwrap();
    let wrong = [
        MemberFile { registration: RegistrationId::default(), ..file.clone() },
        MemberFile { governor: Address::ZERO, ..file.clone() },
        MemberFile { sequencer: Address::ZERO, ..file.clone() },
        MemberFile { profile: format!("{} ", file.profile), ..file },
    ];
    for file in wrong {
        assert!(matches!(file.member(&network), Err(ProfileError::Registration { .. })));
    }
    assert!(matches!(MemberFile::read(&path), Err(ProfileError::Read { .. })));
}
