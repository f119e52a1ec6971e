//! What an operator asks its own L1 node about rollups: which have published their profiles, and which announced that they go.
//!
//! ```text
//! L1 node ─▶ Memberships::moved ─▶ operator: joins and leaves, in proposals and votes
//! ```
//!
//! Nothing of it is taken from a peer. Only what the node calls final counts.

use crate::config::{Member, Network, ProfileError, Registrant, RollupProfile};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use futures::{FutureExt as _, future::BoxFuture};
use hum_chain::{
    At, Chain, Log, LogQuery, ReadError,
    contracts::{RollupProfiles, RollupRegistry},
};
use hum_types::{Address, B256, Bytes, ChainId, Class, Confidence, L1Origin, RegistrationId};
use std::{fmt::Debug, sync::Arc};

/// What happened to a registration.
#[derive(Debug, Clone)]
pub enum Movement {
    /// It stands and has its profile: the member that this makes, or why it makes none.
    Published {
        /// The chain id that it is registered for.
        chain_id: ChainId,
        /// The member.
        member: Result<Arc<Member>, String>,
    },
    /// It has announced its exit.
    Exit,
    /// Its bond was taken: it cannot join any more.
    Punished,
}

/// Something that happened to a registration, and where.
#[derive(Debug, Clone)]
pub struct Moved {
    /// The registration.
    pub registration: RegistrationId,
    /// The L1 block that has it.
    pub l1: L1Origin,
    /// What happened.
    pub what: Movement,
}

/// L1 as one node shows it. Every question may be asked again after an error.
pub trait Memberships: Debug + Send + Sync + 'static {
    /// The node's newest finalised block.
    fn finalised(&self) -> BoxFuture<'_, Result<L1Origin, ReadError>>;

    /// Hash of the node's block with this number; `None` when it has none.
    fn hash_of(&self, number: u64) -> BoxFuture<'_, Result<Option<B256>, ReadError>>;

    /// What happened in L1 blocks `from..=to` of the node's chain, in chain order.
    fn moved(&self, from: u64, to: u64) -> BoxFuture<'_, Result<Vec<Moved>, ReadError>>;
}

/// The registry of rollups and their profiles behind an L1 node.
#[derive(Debug)]
pub struct L1Memberships {
    chain: Arc<dyn Chain>,
    registry: Address,
    profiles: Address,
    inbox: Option<Address>,
    facades: Option<[Address; 3]>,
}

impl L1Memberships {
    /// Read what `network` names through `chain`; `None` where it names no registry or no profiles: nobody joins or leaves.
    #[must_use]
    pub fn new(chain: Arc<dyn Chain>, network: &Network) -> Option<Self> {
        let restaking = network.restaking.as_ref()?;
        let (registry, profiles) = (restaking.rollup_registry?, restaking.rollup_profiles?);
        let members = network.members();
        let facades = members.iter().find(|member| member.entry.class == Class::Reexecuted);
        let facades = facades.map(|member| member.entry.gateways.facades());
        Some(Self { chain, registry, profiles, inbox: network.batch_inbox(), facades })
    }

    async fn read(&self, from: u64, to: u64) -> Result<Vec<Moved>, ReadError> {
        let topics = vec![
            RollupProfiles::ProfilePublished::SIGNATURE_HASH,
            RollupRegistry::ExitAnnounced::SIGNATURE_HASH,
            RollupRegistry::BondTaken::SIGNATURE_HASH,
        ];
        let addresses = vec![self.registry, self.profiles];
        let logs = self.chain.logs(LogQuery { from, to, addresses, topics }).await?;
        let mut moved = Vec::with_capacity(logs.len());
        for log in &logs {
            if let Some((registration, what)) = self.movement(log).await? {
                let l1 = L1Origin { number: log.block.number, hash: log.block.hash };
                moved.push(Moved { registration: RegistrationId(registration), l1, what });
            }
        }
        Ok(moved)
    }

    async fn movement(&self, log: &Log) -> Result<Option<(B256, Movement)>, ReadError> {
        let unreadable =
            |error: alloy_sol_types::Error| garbage(format!("event in transaction {}: {error}", log.tx_hash));
        let (topics, data) = (log.topics.iter().copied(), &log.data);
        let first = log.topics.first().copied().unwrap_or_default();
        if log.address == self.profiles && first == RollupProfiles::ProfilePublished::SIGNATURE_HASH {
            let event = RollupProfiles::ProfilePublished::decode_raw_log(topics, data).map_err(unreadable)?;
            let what = self.published(event.registration, event.governor, event.profile).await?;
            return Ok(Some((event.registration, what)));
        }
        if log.address != self.registry {
            return Ok(None);
        }
        if first == RollupRegistry::ExitAnnounced::SIGNATURE_HASH {
            let event = RollupRegistry::ExitAnnounced::decode_raw_log(topics, data).map_err(unreadable)?;
            return Ok(Some((event.registration, Movement::Exit)));
        }
        if first == RollupRegistry::BondTaken::SIGNATURE_HASH {
            let event = RollupRegistry::BondTaken::decode_raw_log(topics, data).map_err(unreadable)?;
            return Ok(Some((event.registration, Movement::Punished)));
        }
        Ok(None)
    }

    /// The member that a profile makes with what the registry has of it. What is asked for there never changes, so that the
    /// newest final state is as good as that of the event.
    async fn published(
        &self,
        registration: B256,
        governor: Address,
        profile: Bytes,
    ) -> Result<Movement, ReadError> {
        let call = RollupRegistry::rollupCall { registration }.abi_encode();
        let at = At::Tag(Confidence::Finalized);
        let answer = self.chain.call(self.registry, call.into(), at).await?;
        let entry = RollupRegistry::rollupCall::abi_decode_returns_validate(&answer)
            .map_err(|error| garbage(format!("rollup {registration}: {error}")))?;
        let chain_id = ChainId(entry.chainId);
        let registrant = Registrant { chain_id, sequencer: entry.sequencer, governor };
        let member = RollupProfile::member(&profile, registrant, self.inbox);
        let member = checked(member, RegistrationId(registration), self.facades);
        // Judges on L1 slash nobody for what an own-node rollup's state says, and tell it by how it was registered.
        let call = RollupRegistry::isReexecutedCall { registration }.abi_encode();
        let answer = self.chain.call(self.registry, call.into(), at).await?;
        let reexecuted = RollupRegistry::isReexecutedCall::abi_decode_returns_validate(&answer)
            .map_err(|error| garbage(format!("class of {registration}: {error}")))?;
        let member = member.and_then(|member| {
            let fits = reexecuted == (member.entry.class == Class::Reexecuted);
            let why = || format!("it is {}, and not registered as such", member.entry.class);
            if fits { Ok(member) } else { Err(why()) }
        });
        Ok(Movement::Published { chain_id, member })
    }
}

/// The member that was published, when it is the one that was registered: an anchor or a spec of another gives another id. What is
/// re-executed sends through the deployment's own gateways, `facades`: other code may send events that its slots do not count, and
/// whoever attests the lanes of such events is slashed (docs/faults.md).
fn checked(
    member: Result<Member, ProfileError>,
    registration: RegistrationId,
    facades: Option<[Address; 3]>,
) -> Result<Arc<Member>, String> {
    match member {
        Ok(Member { entry, .. })
            if entry.class == Class::Reexecuted
                && facades.is_some_and(|facades| facades != entry.gateways.facades()) =>
        {
            Err("its gateways are not this deployment's".to_owned())
        }
        Ok(member) if member.entry.registration == registration => Ok(Arc::new(member)),
        Ok(member) => Err(format!("it makes registration {}", member.entry.registration)),
        Err(error) => Err(error.to_string()),
    }
}

fn garbage(detail: String) -> ReadError {
    ReadError::Garbage { method: "moved", detail }
}

impl Memberships for L1Memberships {
    fn finalised(&self) -> BoxFuture<'_, Result<L1Origin, ReadError>> {
        async move {
            let block = self.chain.head(Confidence::Finalized).await?;
            Ok(L1Origin { number: block.number, hash: block.hash })
        }
        .boxed()
    }

    fn hash_of(&self, number: u64) -> BoxFuture<'_, Result<Option<B256>, ReadError>> {
        async move {
            let block = self.chain.block(At::Number(number)).await?;
            Ok(block.map(|block| block.block.hash))
        }
        .boxed()
    }

    fn moved(&self, from: u64, to: u64) -> BoxFuture<'_, Result<Vec<Moved>, ReadError>> {
        self.read(from, to).boxed()
    }
}

#[cfg(test)]
mod own_gateways;
#[cfg(test)]
mod tests;
