//! A node that tells the truth, and one that changes exactly one thing.

mod selectors;

use super::*;
use crate::{At, Chain, Log, LogQuery, RawBlock, RawWitness};
use alloy_primitives::{Bytes, U256};
use alloy_sol_types::{SolCall, SolEvent as _, SolValue as _};
use futures::{
    executor::block_on,
    future::{BoxFuture, FutureExt as _, ready},
};
use hum_bls::{Committee, OperatorId, PossessedKey, SecretKey};
use hum_types::{BlockRef, ChainId, Confidence, Domain, Encode as _, Epoch, Stake, TimeS};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

const SERVICE_MANAGER: Address = Address::repeat_byte(0x5e);
const DOMAIN: Domain = Domain(B256::repeat_byte(0xd0));
const TAKEN_AT: u64 = 40;
const HEAD: BlockRef = BlockRef { number: 50, hash: B256::repeat_byte(0xbb) };

/// A service manager with members and one snapshot of all of them, and the node that shows it.
#[derive(Debug, Clone)]
struct World {
    /// By seat: address, secret, stake.
    members: Vec<(Address, SecretKey, u128)>,
    table_hash: B256,
    valid_until: u64,
    /// Indices above the newest that the count claims.
    snapshots: u64,
    /// What the event says, when it differs from the truth.
    event: Option<IServiceManager::SnapshotTaken>,
    logs: bool,
    /// Whose key is shown for everybody.
    key_of: Option<usize>,
    endpoint: Bytes,
    answer: Option<Bytes>,
    asked: Arc<AtomicUsize>,
}

impl World {
    fn new(members: usize) -> Self {
        let mut members: Vec<_> = (0..members)
            .map(|i| {
                let seed = u64::try_from(i).unwrap().to_be_bytes();
                let address = Address::from_word(hum_types::keccak256(seed));
                (address, SecretKey::from_seed(&seed), 1_000 + i as u128)
            })
            .collect();
        members.sort_by_key(|(_, key, _)| OperatorId::of(key.public_key().g1()));
        let seats = members
            .iter()
            .map(|(address, key, stake)| {
                let proof = key.prove_possession(DOMAIN, *address);
                let member = PossessedKey::check(DOMAIN, key.public_key(), *address, &proof).unwrap();
                (member, Stake(*stake))
            })
            .collect();
        let committee = Committee::new(Epoch(0), TimeS(900), seats).unwrap();
        Self {
            members,
            table_hash: committee.table().hash(),
            valid_until: 900,
            snapshots: 1,
            event: None,
            logs: true,
            key_of: None,
            endpoint: Bytes::from_static(b"192.0.2.1:9000"),
            answer: None,
            asked: Arc::default(),
        }
    }

    fn event(&self) -> IServiceManager::SnapshotTaken {
        IServiceManager::SnapshotTaken {
            index: U256::from(self.snapshots.saturating_sub(1)),
            tableHash: self.table_hash,
            validUntil: self.valid_until,
            seats: self.members.iter().map(|member| member.0).collect(),
            stakes: self.members.iter().map(|member| member.2).collect(),
        }
    }

    fn reader(self) -> Reader {
        Reader::new(Arc::new(self), SERVICE_MANAGER, DOMAIN)
    }

    fn snapshot(self) -> Result<Option<Snapshot>, RestakingError> {
        block_on(self.reader().snapshot_at(At::Hash(HEAD.hash)))
    }

    fn lie(change: impl FnOnce(&mut Self)) -> RestakingError {
        let mut world = Self::new(4);
        change(&mut world);
        let error = world.snapshot().unwrap_err();
        assert_eq!(error.disposition(), crate::Disposition::Distrust, "{error}");
        error
    }

    fn answer(&self, data: &Bytes) -> Bytes {
        use IServiceManager as S;
        self.asked.fetch_add(1, Ordering::Relaxed);
        let selector: [u8; 4] = data[..4].try_into().unwrap();
        let member = |operator: Address| {
            let found = self.members.iter().find(|member| member.0 == operator);
            self.key_of.map_or_else(|| found.unwrap(), |index| &self.members[index])
        };
        match selector {
            S::snapshotCountCall::SELECTOR => U256::from(self.snapshots).abi_encode(),
            S::snapshotAtCall::SELECTOR => S::SnapshotRecord {
                tableHash: self.table_hash,
                l1Block: TAKEN_AT,
                validUntil: self.valid_until,
                seats: u16::try_from(self.members.len()).unwrap(),
            }
            .abi_encode(),
            S::membersCall::SELECTOR => {
                self.members.iter().map(|member| member.0).collect::<Vec<_>>().abi_encode()
            }
            S::keyOfCall::SELECTOR => {
                let (address, key, _) = member(S::keyOfCall::abi_decode(data).unwrap().operator);
                let possession = key.prove_possession(DOMAIN, *address);
                let bytes = [key.public_key().encode(), possession.encode()].concat();
                // All of it is static words: the encoding is what EVM contracts return.
                return bytes.into();
            }
            S::operatorIdOfCall::SELECTOR => {
                let (_, key, _) = member(S::operatorIdOfCall::abi_decode(data).unwrap().operator);
                OperatorId::of(key.public_key().g1()).0.abi_encode()
            }
            S::endpointOfCall::SELECTOR => (B256::repeat_byte(7), self.endpoint.clone()).abi_encode_params(),
            other => panic!("unexpected call {other:?}"),
        }
        .into()
    }
}

impl Chain for World {
    fn chain_id(&self) -> ChainId {
        ChainId(1)
    }

    fn head(&self, _: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        ready(Ok(HEAD)).boxed()
    }

    fn block(&self, _: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        ready(Ok(None)).boxed()
    }

    fn witness(&self, _: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        unimplemented!("not asked")
    }

    fn logs(&self, query: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        assert_eq!((query.from, query.to), (TAKEN_AT, TAKEN_AT));
        assert_eq!(query.addresses, [SERVICE_MANAGER]);
        let event = self.event.clone().unwrap_or_else(|| self.event());
        let data = event.encode_log_data();
        let log = Log {
            address: SERVICE_MANAGER,
            topics: data.topics().to_vec(),
            data: data.data,
            block: BlockRef { number: TAKEN_AT, hash: B256::ZERO },
            tx_hash: B256::ZERO,
            index: 0,
        };
        ready(Ok(if self.logs { vec![log] } else { vec![] })).boxed()
    }

    fn call(&self, to: Address, data: Bytes, at: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        assert_eq!((to, at), (SERVICE_MANAGER, At::Hash(HEAD.hash)));
        ready(Ok(self.answer.clone().unwrap_or_else(|| self.answer(&data)))).boxed()
    }

    fn storage(&self, _: Address, _: B256, _: At) -> BoxFuture<'_, Result<B256, ReadError>> {
        unimplemented!("not asked")
    }

    fn code(&self, _: Address, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        unimplemented!("not asked")
    }

    fn balance(&self, _: Address) -> BoxFuture<'_, Result<U256, ReadError>> {
        unimplemented!("not asked")
    }

    fn nonce(&self, _: Address) -> BoxFuture<'_, Result<u64, ReadError>> {
        unimplemented!("not asked")
    }
}

#[test]
fn a_snapshot_is_read_with_everything_that_a_committee_needs() {
    let world = World::new(4);
    let snapshot = world.clone().snapshot().unwrap().unwrap();
    assert_eq!(snapshot.record.index, 0);
    assert_eq!(snapshot.record.l1_block, TAKEN_AT);
    assert_eq!(snapshot.roster.valid_until, TimeS(900));
    for (entry, (address, key, stake)) in snapshot.roster.entries.iter().zip(&world.members) {
        assert_eq!((entry.operator, entry.stake), (*address, Stake(*stake)));
        assert_eq!(entry.key_g1.as_slice(), key.public_key().g1().encode());
        assert_eq!(entry.key_g2.as_slice(), key.public_key().g2().encode());
        assert_eq!(entry.endpoint.as_bytes(), b"192.0.2.1:9000");
    }
    let none = World { snapshots: 0, ..world };
    assert_eq!(none.snapshot().unwrap(), None);
}

#[test]
fn a_hundred_operators_are_a_few_hundred_calls() {
    let world = World::new(100);
    let asked = world.asked.clone();
    assert_eq!(world.snapshot().unwrap().unwrap().roster.entries.len(), 100);
    assert_eq!(asked.load(Ordering::Relaxed), 202);
}

#[test]
fn the_registered_are_listed_with_their_addresses() {
    let world = World::new(3);
    let ids: Vec<_> = world.members.iter().map(|member| OperatorId::of(member.1.public_key().g1())).collect();
    let registered = block_on(world.reader().registered(At::Hash(HEAD.hash))).unwrap();
    assert_eq!(registered.iter().map(|one| one.id).collect::<Vec<_>>(), ids);
    assert!(registered.iter().all(|one| one.network_key == B256::repeat_byte(7)));
}

#[test]
fn each_lie_about_a_snapshot_is_caught() {
    let event = |change: fn(&mut IServiceManager::SnapshotTaken)| {
        World::lie(|world| {
            let mut event = world.event();
            change(&mut event);
            world.event = Some(event);
        })
    };
    assert!(matches!(event(|event| event.stakes[1] += 1), RestakingError::Table { .. }));
    assert!(matches!(event(|event| event.tableHash.0[0] ^= 1), RestakingError::Event { .. }));
    assert!(matches!(event(|event| event.validUntil += 1), RestakingError::Event { .. }));
    assert!(matches!(event(|event| event.index += U256::ONE), RestakingError::Event { .. }));
    assert!(matches!(event(|event| event.seats.truncate(3)), RestakingError::Event { .. }));
    assert!(matches!(event(|event| event.stakes.truncate(3)), RestakingError::Event { .. }));
    assert!(matches!(
        event(|event| {
            event.seats[0] = event.seats[1];
        }),
        RestakingError::Event { .. }
    ));
    assert!(matches!(World::lie(|world| world.logs = false), RestakingError::Event { .. }));
    assert!(matches!(World::lie(|world| world.table_hash.0[5] ^= 1), RestakingError::Table { .. }));
    assert!(matches!(World::lie(|world| world.valid_until += 1), RestakingError::Table { .. }));
    assert!(matches!(World::lie(|world| world.key_of = Some(1)), RestakingError::Key { .. }));
    let long = World::lie(|world| world.endpoint = vec![b'1'; 65].into());
    assert!(matches!(long, RestakingError::Answer { .. }));
    assert!(matches!(World::lie(|world| world.answer = Some(Bytes::new())), RestakingError::Answer { .. }));
    assert!(matches!(
        World::lie(|world| world.answer = Some(vec![0xff; 31].into())),
        RestakingError::Answer { .. }
    ));
}

#[test]
fn an_endpoint_that_is_no_address_stops_nobody() {
    let world = World { endpoint: Bytes::from_static(b"\xff\xfe not an address"), ..World::new(2) };
    let snapshot = world.snapshot().unwrap().unwrap();
    assert_eq!(snapshot.roster.entries[0].endpoint.address(), None);
}

#[test]
fn known_reverts_are_put_in_words() {
    use alloy_sol_types::SolError as _;
    let pending = IAllocationManager::ModificationAlreadyPending {}.abi_encode();
    assert_eq!(explain_revert(&pending).unwrap(), "ModificationAlreadyPending(ModificationAlreadyPending)");
    let jailed = IServiceManager::OperatorJailed { operator: SERVICE_MANAGER }.abi_encode();
    assert!(explain_revert(&jailed).unwrap().contains("5e5e"));
    assert_eq!(explain_revert(&[1, 2, 3, 4]), None);
    assert_eq!(explain_revert(&[]), None);
}
