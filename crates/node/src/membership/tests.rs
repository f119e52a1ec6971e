//! Reading memberships from a scripted L1.

use super::*;
use crate::{
    config::{Network, NetworkFile, RestakingEntry, tests::fixture},
    members::tests::{C, GOVERNOR, profile},
};
use alloy_primitives::U256;
use alloy_sol_types::SolEvent;
use futures::executor::block_on;
use hum_chain::{RawBlock, RawWitness, contracts::IRollupRegistry};
use hum_types::{BlockRef, profile_spec_hash};

const REGISTRY: Address = Address::repeat_byte(0xe1);
const PROFILES: Address = Address::repeat_byte(0xe2);

/// An L1 that has one registration and these logs.
#[derive(Debug)]
struct Scripted {
    logs: Vec<Log>,
    answer: Bytes,
}

fn none<T: Send + 'static>() -> BoxFuture<'static, Result<T, ReadError>> {
    Box::pin(std::future::ready(Err(ReadError::Unsupported { method: "none", advice: "nobody asks" })))
}

impl Chain for Scripted {
    fn chain_id(&self) -> ChainId {
        fixture::L1
    }

    fn head(&self, tag: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        assert_eq!(tag, Confidence::Finalized, "only what is final counts");
        async { Ok(BlockRef { number: 20, hash: B256::repeat_byte(20) }) }.boxed()
    }

    fn block(&self, _: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        async { Ok(None) }.boxed()
    }

    fn witness(&self, _: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        none()
    }

    fn logs(&self, query: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        assert_eq!(query.addresses, [REGISTRY, PROFILES]);
        let wanted = |log: &&Log| (query.from..=query.to).contains(&log.block.number);
        let logs = self.logs.iter().filter(wanted).cloned().collect();
        async move { Ok(logs) }.boxed()
    }

    fn call(&self, to: Address, data: Bytes, at: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        assert_eq!((to, at), (REGISTRY, At::Tag(Confidence::Finalized)));
        let kind = data.starts_with(&RollupRegistry::isReexecutedCall::SELECTOR);
        let answer = if kind { vec![0; 31].into_iter().chain([1]).collect() } else { self.answer.clone() };
        async { Ok(answer) }.boxed()
    }

    fn storage(&self, _: Address, _: B256, _: At) -> BoxFuture<'_, Result<B256, ReadError>> {
        none()
    }

    fn code(&self, _: Address, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        none()
    }

    fn balance(&self, _: Address) -> BoxFuture<'_, Result<U256, ReadError>> {
        none()
    }

    fn nonce(&self, _: Address) -> BoxFuture<'_, Result<u64, ReadError>> {
        none()
    }
}

fn network(profiles: Option<Address>) -> Network {
    let mut file: NetworkFile = fixture::network_file(1, &[ChainId(901)]);
    file.restaking = Some(RestakingEntry {
        allocation_manager: Address::ZERO,
        delegation_manager: Address::ZERO,
        strategy_manager: Address::ZERO,
        strategies: Vec::new(),
        judges: Default::default(),
        rollup_registry: Some(REGISTRY),
        batch_inbox: None,
        rollup_profiles: profiles,
    });
    file.check().unwrap()
}

/// The registration of a profile, as the registry computes it, with its entry.
fn registered(sequencer: Address) -> (RegistrationId, Bytes) {
    let bytes = profile(C).encode();
    let anchor = hum_verify::CertifiedHeader::from_anchor(fixture::anchor(C)).hash();
    let spec_hash = profile_spec_hash(GOVERNOR, &bytes);
    let entry = IRollupRegistry::Rollup {
        chainId: C.0,
        sequencer,
        registrant: Address::ZERO,
        anchorHash: anchor,
        specHash: spec_hash,
        bondWei: U256::ZERO,
        exitAt: 0,
        punished: false,
    };
    let registration = RegistrationId::derive(C, sequencer, anchor, spec_hash);
    (registration, RollupRegistry::rollupCall::abi_encode_returns(&entry).into())
}

fn log<T: SolEvent>(address: Address, number: u64, event: &T) -> Log {
    let data = event.encode_log_data();
    Log {
        address,
        topics: data.topics().to_vec(),
        data: data.data,
        block: BlockRef { number, hash: B256::repeat_byte(number as u8) },
        tx_hash: B256::ZERO,
        index: 0,
    }
}

fn published(registration: RegistrationId, profile: Bytes) -> RollupProfiles::ProfilePublished {
    RollupProfiles::ProfilePublished { registration: registration.0, governor: GOVERNOR, profile }
}

fn read(logs: Vec<Log>, answer: Bytes) -> Result<Vec<Moved>, ReadError> {
    let source = L1Memberships::new(Arc::new(Scripted { logs, answer }), &network(Some(PROFILES))).unwrap();
    block_on(source.moved(1, 20))
}

#[test]
fn profiles_exits_and_losses_are_read_from_their_events() {
    let (registration, entry) = registered(fixture::sequencer(C).address());
    let exit = RollupRegistry::ExitAnnounced { registration: registration.0, exitAt: 9 };
    let loss = RollupRegistry::BondTaken {
        registration: registration.0,
        generation: 0,
        number: 1,
        reporter: Address::ZERO,
        rewardWei: U256::ZERO,
        fundWei: U256::ZERO,
    };
    let publication = published(registration, profile(C).encode());
    let logs = vec![
        log(PROFILES, 7, &publication),
        // The right events of the wrong contracts mean nothing.
        log(REGISTRY, 8, &publication),
        log(PROFILES, 8, &exit),
        log(REGISTRY, 9, &exit),
        log(REGISTRY, 10, &loss),
    ];
    let moved = read(logs, entry).unwrap();
    assert!(moved.iter().all(|moved| moved.registration == registration));
    assert_eq!(moved.iter().map(|moved| moved.l1.number).collect::<Vec<_>>(), [7, 9, 10]);
    let Movement::Published { chain_id: C, member: Ok(member) } = &moved[0].what else {
        panic!("{:?}", moved[0]);
    };
    assert_eq!(member.entry.registration, registration);
    assert_eq!(member.profile.as_ref().unwrap().governor, GOVERNOR);
    assert!(matches!((&moved[1].what, &moved[2].what), (Movement::Exit, Movement::Punished)));
}

#[test]
fn a_profile_of_another_registration_makes_no_member() {
    let (registration, _) = registered(fixture::sequencer(C).address());
    let (_, other) = registered(Address::repeat_byte(9));
    let log = log(PROFILES, 7, &published(registration, profile(C).encode()));
    let moved = read(vec![log], other).unwrap();
    assert!(matches!(&moved[0].what, Movement::Published { chain_id: C, member: Err(_) }));
}

#[test]
fn a_profile_that_is_none_is_told_and_nothing_more() {
    let (registration, entry) = registered(fixture::sequencer(C).address());
    let log = log(PROFILES, 7, &published(registration, Bytes::from_static(b"{}")));
    let moved = read(vec![log], entry).unwrap();
    assert!(
        matches!(&moved[0].what, Movement::Published { member: Err(why), .. } if why.contains("profile"))
    );
}

#[test]
fn an_answer_that_is_none_is_asked_for_again() {
    let (registration, _) = registered(fixture::sequencer(C).address());
    let log = log(PROFILES, 7, &published(registration, profile(C).encode()));
    assert!(matches!(read(vec![log], Bytes::new()), Err(ReadError::Garbage { .. })));
}

#[test]
fn where_there_are_no_profiles_nobody_moves() {
    let chain = Arc::new(Scripted { logs: Vec::new(), answer: Bytes::new() });
    assert!(L1Memberships::new(chain, &network(None)).is_none());
}
