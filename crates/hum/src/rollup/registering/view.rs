//! What L1 says of a registration.

use super::{Entry, IRollupProfiles, IRollupRegistry, Registry};
use alloy_primitives::U256;
use alloy_sol_types::{SolCall, SolError as _};
use eyre::WrapErr as _;
use hum_chain::{At, Chain, ReadError, contracts::BatchInbox, rpc::RpcChain};
use hum_types::{Address, RegistrationId};

/// What a call without effect returns.
pub(in crate::rollup) async fn ask<C: SolCall>(
    chain: &RpcChain,
    to: Address,
    call: &C,
) -> eyre::Result<C::Return> {
    let answer = chain.call(to, call.abi_encode().into(), At::LATEST).await;
    let answer =
        answer.wrap_err_with(|| format!("{} of {to} on chain {}", C::SIGNATURE, chain.chain_id()))?;
    C::abi_decode_returns(&answer)
        .wrap_err_with(|| format!("{} of {to} on chain {} gives {answer}", C::SIGNATURE, chain.chain_id()))
}

/// Who may register a chain id, from when on (seconds since 1970).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::rollup) struct Authorisation {
    pub(in crate::rollup) account: Address,
    pub(in crate::rollup) active_at: u64,
}

/// A registration as the registry keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rollup) struct Rollup {
    pub(in crate::rollup) registrant: Address,
    pub(in crate::rollup) bond_wei: U256,
    /// When the bond may be paid back, seconds since 1970; 0 while it does not leave.
    pub(in crate::rollup) exit_at: u64,
    pub(in crate::rollup) punished: bool,
}

/// What L1's newest block says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rollup) struct RegistrationView {
    /// The newest block's number and time (seconds since 1970).
    pub(in crate::rollup) block: u64,
    pub(in crate::rollup) time_s: u64,
    /// Who authorises.
    pub(in crate::rollup) owner: Address,
    pub(in crate::rollup) bond_min_wei: U256,
    pub(in crate::rollup) authorisation: Authorisation,
    /// The chain id's registration, whosever it is; zero when it has none.
    pub(in crate::rollup) standing: RegistrationId,
    /// Our own, also after it left.
    pub(in crate::rollup) rollup: Option<Rollup>,
    /// The block that has our profile; 0 when none has.
    pub(in crate::rollup) published_at: u64,
    pub(in crate::rollup) batcher: Address,
    pub(in crate::rollup) batcher_wei: U256,
    pub(in crate::rollup) registrant_wei: U256,
}

impl RegistrationView {
    /// Ask for all of it.
    pub(in crate::rollup) async fn read(place: &Registry, entry: &Entry) -> eyre::Result<Self> {
        let l1 = &place.l1;
        let head = l1.block(At::LATEST).await.wrap_err("the L1 node")?;
        let head = head.ok_or_else(|| eyre::eyre!("the L1 node has no newest block"))?;
        let (registry, registration) = (place.registry, entry.registration().0);
        let chain_id = entry.chain_id.0;
        let authorisation =
            ask(l1, registry, &IRollupRegistry::authorisationOfCall { chainId: chain_id }).await?;
        let standing = ask(l1, registry, &IRollupRegistry::registrationOfCall { chainId: chain_id }).await?;
        let (batcher, batcher_wei) = match entry.batcher {
            Some((account, _)) => (
                ask(l1, place.inbox, &BatchInbox::batcherOfCall { registration }).await?,
                l1.balance(account).await?,
            ),
            None => (Address::ZERO, U256::ZERO),
        };
        Ok(Self {
            block: head.block.number,
            time_s: head.time_ms.0 / 1_000,
            owner: ask(l1, registry, &IRollupRegistry::OWNERCall {}).await?,
            bond_min_wei: ask(l1, registry, &IRollupRegistry::BOND_MIN_WEICall {}).await?,
            authorisation: Authorisation {
                account: authorisation.account,
                active_at: authorisation.activeAt,
            },
            standing: RegistrationId(standing),
            rollup: rollup(place, entry).await?,
            published_at: ask(l1, place.profiles, &IRollupProfiles::publishedAtCall { registration }).await?,
            batcher,
            batcher_wei,
            registrant_wei: l1.balance(entry.registrant).await?,
        })
    }
}

/// Our registration; `None` while the registry does not know it.
async fn rollup(place: &Registry, entry: &Entry) -> eyre::Result<Option<Rollup>> {
    let call = IRollupRegistry::rollupCall { registration: entry.registration().0 };
    let answer = place.l1.call(place.registry, call.abi_encode().into(), At::LATEST).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(ReadError::Reverted { data, .. })
            if data.starts_with(&IRollupRegistry::RegistrationUnknown::SELECTOR) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error).wrap_err("the rollup registry"),
    };
    let found = IRollupRegistry::rollupCall::abi_decode_returns(&answer).wrap_err("the rollup registry")?;
    Ok(Some(Rollup {
        registrant: found.registrant,
        bond_wei: found.bondWei,
        exit_at: found.exitAt,
        punished: found.punished,
    }))
}
