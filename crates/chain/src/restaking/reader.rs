//! Committees and members as L1 shows them at a block.

use super::{IServiceManager, RestakingError};
use crate::{At, Chain, LogQuery};
use alloy_primitives::{FixedBytes, U256};
use alloy_sol_types::{SolCall, SolEvent as _};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use hum_bls::{Committee, OperatorId, PossessedKey, PublicKey, Signature};
use hum_types::{
    Address, B256, BlockRef, Confidence, Decode as _, Domain, Encode as _, Endpoint, Epoch, Roster,
    RosterEntry, Stake, TimeS,
};
use std::sync::Arc;

/// Calls that wait for the node at the same time: 100 operators take seven rounds.
const CALLS_IN_FLIGHT: usize = 32;

/// Reads our service manager through one L1 node.
#[derive(Debug, Clone)]
pub struct Reader {
    chain: Arc<dyn Chain>,
    service_manager: Address,
    domain: Domain,
}

/// What the service manager stores of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotRecord {
    /// Its place among all, from 0.
    pub index: u64,
    /// Hash of the committee's table.
    pub table_hash: B256,
    /// The L1 block in which it was taken.
    pub l1_block: u64,
    /// Until when the table is believed, in seconds since 1970.
    pub valid_until: TimeS,
    /// How many seats it has.
    pub seats: u16,
}

/// A snapshot with its seats, checked: the roster gives the table of the record, and every key in it is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// As stored.
    pub record: SnapshotRecord,
    /// Who sits where.
    pub roster: Roster,
}

/// An operator that is registered for the set, with or without a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its account.
    pub operator: Address,
    /// Hash of its BLS key.
    pub id: OperatorId,
    /// Its ed25519 key.
    pub network_key: B256,
    /// Where it accepts connections.
    pub endpoint: Endpoint,
}

/// An operator's keys as L1 shows them.
struct Keys {
    key: PublicKey,
    member: PossessedKey,
    possession: Signature,
}

impl Reader {
    /// Read `service_manager`, whose signatures belong to `domain`, through `chain`.
    #[must_use]
    pub fn new(chain: Arc<dyn Chain>, service_manager: Address, domain: Domain) -> Self {
        Self { chain, service_manager, domain }
    }

    /// The node's finalised block.
    pub async fn finalised(&self) -> Result<BlockRef, RestakingError> {
        Ok(self.chain.head(Confidence::Finalized).await?)
    }

    /// The newest snapshot that `at` knows; `None` when none was ever taken.
    pub async fn newest(&self, at: At) -> Result<Option<SnapshotRecord>, RestakingError> {
        let count = self.ask(IServiceManager::snapshotCountCall {}, at).await?;
        let Some(index) = count.checked_sub(U256::ONE) else { return Ok(None) };
        let record = self.ask(IServiceManager::snapshotAtCall { index }, at).await?;
        let index = u64::try_from(index).map_err(|_| RestakingError::Answer {
            function: IServiceManager::snapshotCountCall::SIGNATURE,
            contract: self.service_manager,
            detail: format!("{count} snapshots"),
        })?;
        Ok(Some(SnapshotRecord {
            index,
            table_hash: record.tableHash,
            l1_block: record.l1Block,
            valid_until: TimeS(record.validUntil),
            seats: record.seats,
        }))
    }

    /// The newest snapshot that `at` knows, with its seats: keys and stakes as of the snapshot, network keys and
    /// endpoints as of `at`.
    pub async fn snapshot_at(&self, at: At) -> Result<Option<Snapshot>, RestakingError> {
        match self.newest(at).await? {
            Some(record) => self.seats_of(record, at).await.map(Some),
            None => Ok(None),
        }
    }

    /// The seats of a snapshot, with network keys and endpoints as of `at`.
    pub async fn seats_of(&self, record: SnapshotRecord, at: At) -> Result<Snapshot, RestakingError> {
        let seats = self.seats_in_event(record).await?;
        let read = seats.into_iter().map(|(operator, stake)| async move {
            let (keys, (network_key, endpoint)) =
                futures::try_join!(self.keys(operator, at), self.endpoint(operator, at))?;
            let entry = RosterEntry {
                operator,
                key_g1: FixedBytes::from_slice(&keys.key.g1().encode()),
                key_g2: FixedBytes::from_slice(&keys.key.g2().encode()),
                possession: FixedBytes::from_slice(&keys.possession.encode()),
                network_key,
                endpoint,
                stake,
            };
            Ok::<_, RestakingError>((entry, keys.member))
        });
        let read: Vec<_> = stream::iter(read).buffered(CALLS_IN_FLIGHT / 2).try_collect().await?;
        let members = read.iter().map(|(entry, member)| (*member, entry.stake)).collect();
        let index = record.index;
        // A table does not say its epoch.
        let committee = Committee::new(Epoch(0), record.valid_until, members).map_err(|error| {
            RestakingError::Event { index, l1_block: record.l1_block, detail: error.to_string() }
        })?;
        let computed = committee.table().hash();
        if computed != record.table_hash {
            return Err(RestakingError::Table { index, declared: record.table_hash, computed });
        }
        let entries = read.into_iter().map(|(entry, _)| entry).collect();
        Ok(Snapshot { record, roster: Roster::new(record.valid_until, entries) })
    }

    /// Everyone who is registered for the set.
    pub async fn registered(&self, at: At) -> Result<Vec<Registered>, RestakingError> {
        let members = self.ask(IServiceManager::membersCall {}, at).await?;
        let read = members.into_iter().map(|operator| async move {
            let id = IServiceManager::operatorIdOfCall { operator };
            let (id, (network_key, endpoint)) =
                futures::try_join!(self.ask(id, at), self.endpoint(operator, at))?;
            Ok(Registered { operator, id: OperatorId(id), network_key, endpoint })
        });
        stream::iter(read).buffered(CALLS_IN_FLIGHT / 2).try_collect().await
    }

    async fn ask<C: SolCall>(&self, call: C, at: At) -> Result<C::Return, RestakingError> {
        ask(&*self.chain, self.service_manager, call, at).await
    }

    /// Operators and stakes by seat, from the event in the record's block.
    async fn seats_in_event(&self, record: SnapshotRecord) -> Result<Vec<(Address, Stake)>, RestakingError> {
        let SnapshotRecord { index, l1_block, .. } = record;
        let wrong = |detail: String| RestakingError::Event { index, l1_block, detail };
        let query = LogQuery {
            from: l1_block,
            to: l1_block,
            addresses: vec![self.service_manager],
            topics: vec![IServiceManager::SnapshotTaken::SIGNATURE_HASH],
        };
        let logs = self.chain.logs(query).await?;
        let topic = B256::from(U256::from(index));
        let log = logs
            .iter()
            .find(|log| log.topics.get(1) == Some(&topic))
            .ok_or_else(|| wrong("there is none".to_owned()))?;
        let event = IServiceManager::SnapshotTaken::decode_raw_log(log.topics.iter().copied(), &log.data)
            .map_err(|error| wrong(error.to_string()))?;
        let (seats, stakes) = (event.seats.len(), event.stakes.len());
        if event.tableHash != record.table_hash
            || event.validUntil != record.valid_until.0
            || seats != usize::from(record.seats)
            || stakes != seats
        {
            return Err(wrong(format!(
                "it has table {}, {seats} seats, {stakes} stakes, valid until {}",
                event.tableHash, event.validUntil
            )));
        }
        Ok(event.seats.into_iter().zip(event.stakes.into_iter().map(Stake)).collect())
    }

    async fn keys(&self, operator: Address, at: At) -> Result<Keys, RestakingError> {
        let found = self.ask(IServiceManager::keyOfCall { operator }, at).await?;
        let wrong = |detail: String| RestakingError::Key { operator, detail };
        let bytes = [found.key.bytes().as_slice(), &found.keyG2.bytes()].concat();
        let key = PublicKey::decode(&bytes).map_err(|error| wrong(error.to_string()))?;
        let possession =
            Signature::decode(&found.possession.bytes()).map_err(|error| wrong(error.to_string()))?;
        let member = PossessedKey::check(self.domain, key, operator, &possession)
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Keys { key, member, possession })
    }

    async fn endpoint(&self, operator: Address, at: At) -> Result<(B256, Endpoint), RestakingError> {
        let call = IServiceManager::endpointOfCall { operator };
        let found = self.ask(call, at).await?;
        let endpoint = Endpoint::new(found.endpoint.to_vec()).map_err(|error| RestakingError::Answer {
            function: IServiceManager::endpointOfCall::SIGNATURE,
            contract: self.service_manager,
            detail: error.to_string(),
        })?;
        Ok((found.networkKey, endpoint))
    }
}

/// The domain that a service manager computed for itself.
pub async fn domain_of(
    chain: &dyn Chain,
    service_manager: Address,
    at: At,
) -> Result<Domain, RestakingError> {
    Ok(Domain(ask(chain, service_manager, IServiceManager::DOMAINCall {}, at).await?))
}

/// Whose BLS key that is; `None` when nobody's.
pub async fn holder_of(
    chain: &dyn Chain,
    service_manager: Address,
    id: OperatorId,
    at: At,
) -> Result<Option<Address>, RestakingError> {
    let call = IServiceManager::operatorOfCall { operatorId: id.0 };
    Ok(Some(ask(chain, service_manager, call, at).await?).filter(|holder| !holder.is_zero()))
}

/// Call a view function and read what it returns.
pub(super) async fn ask<C: SolCall>(
    chain: &dyn Chain,
    contract: Address,
    call: C,
    at: At,
) -> Result<C::Return, RestakingError> {
    let answer = chain.call(contract, call.abi_encode().into(), at).await?;
    let unreadable = |detail: String| RestakingError::Answer { function: C::SIGNATURE, contract, detail };
    if answer.is_empty() {
        return Err(unreadable("nothing; there may be no such contract at this address".to_owned()));
    }
    C::abi_decode_returns(&answer).map_err(|error| unreadable(error.to_string()))
}
