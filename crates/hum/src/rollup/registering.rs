//! A rollup's way into the registry on L1, and out of it: authorisation, bond, profile, batcher; exit, bond back.
//!
//! ```text
//! Entry (what is registered) + RegistrationView (what L1 says) ─▶ to_register, to_exit: Step…
//! ```
//!
//! Everything here is seen on L1 and nowhere else: whatever was done, by whomever, is not done again.

mod view;

pub(super) use view::{Authorisation, RegistrationView, Rollup, ask};

use crate::{
    amount,
    plan::{Step, Transaction, Wait},
};
use alloy_primitives::U256;
use eyre::eyre;
use hum_chain::{contracts::BatchInbox, rpc::RpcChain};
use hum_node::config::{Network, RollupProfile};
use hum_types::{Address, B256, Bytes, ChainId, RegistrationId, profile_spec_hash};

/// Pays on L1 for the rollup: its registrant.
pub(super) const ACCOUNT: &str = "account on L1";
/// The registry's owner, where whoever joins has its key: on a local network.
pub(super) const AUTHORITY: &str = "authority";

alloy_sol_types::sol! {
    #[derive(Debug, PartialEq, Eq)]
    interface IRollupRegistry {
        struct Rollup {
            uint64 chainId; address sequencer; address registrant; bytes32 anchorHash; bytes32 specHash;
            uint256 bondWei; uint64 exitAt; bool punished;
        }
        error RegistrationUnknown(bytes32 registration);

        function OWNER() external view returns (address);
        function BOND_MIN_WEI() external view returns (uint256);
        function authorisationOf(uint64 chainId) external view returns (address account, uint64 activeAt);
        function registrationOf(uint64 chainId) external view returns (bytes32);
        function rollup(bytes32 registration) external view returns (Rollup);
        function authorise(uint64 chainId, address account) external;
        function register(uint64 chainId, address sequencer, bytes32 anchorHash, bytes32 specHash)
            external payable returns (bytes32);
        function registerOwnNode(uint64 chainId, address sequencer, bytes32 anchorHash, bytes32 specHash)
            external payable returns (bytes32);
        function announceExit(bytes32 registration) external;
        function withdrawBond(bytes32 registration) external;
    }

    #[derive(Debug, PartialEq, Eq)]
    interface IRollupProfiles {
        function publish(bytes32 registration, address governor, bytes profile) external;
        function publishedAt(bytes32 registration) external view returns (uint64);
    }
}

/// Where rollups register.
#[derive(Debug, Clone)]
pub(super) struct Registry {
    /// A node of the L1.
    pub(super) l1: RpcChain,
    pub(super) registry: Address,
    pub(super) profiles: Address,
    pub(super) inbox: Address,
}

impl Registry {
    /// Where the network's rollups register, as its file says.
    pub(super) fn of(network: &Network, l1: RpcChain) -> eyre::Result<Self> {
        let entry = network.restaking.as_ref();
        let missing = |what| eyre!("the network file names no {what}: no rollup can join this network");
        Ok(Self {
            l1,
            registry: entry
                .and_then(|entry| entry.rollup_registry)
                .ok_or_else(|| missing("rollup registry"))?,
            profiles: entry
                .and_then(|entry| entry.rollup_profiles)
                .ok_or_else(|| missing("rollup profiles"))?,
            inbox: entry.and_then(|entry| entry.batch_inbox).ok_or_else(|| missing("batch inbox"))?,
        })
    }
}

/// What is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) chain_id: ChainId,
    /// Whose claims count.
    pub(super) sequencer: Address,
    pub(super) anchor_hash: B256,
    /// Who decides on the rollup whom it listens to.
    pub(super) governor: Address,
    /// The profile's bytes, as published.
    pub(super) profile: Bytes,
    /// Who registers, and gets the bond back.
    pub(super) registrant: Address,
    /// What is put down; the registry's least when absent.
    pub(super) bond_wei: Option<U256>,
    /// Who posts batches, and what its account on L1 shall have at least; nobody where none are posted.
    pub(super) batcher: Option<(Address, U256)>,
}

impl Entry {
    /// What a rollup's directory says, for `registrant`; no batcher.
    pub(super) fn of(place: &super::home::Place, registrant: Address) -> Self {
        Self {
            chain_id: place.file.chain_id,
            sequencer: place.member_file.sequencer,
            anchor_hash: place.member.anchor.hash(),
            governor: place.member_file.governor,
            profile: place.member_file.bytes(),
            registrant,
            bond_wei: None,
            batcher: None,
        }
    }

    pub(super) fn spec_hash(&self) -> B256 {
        profile_spec_hash(self.governor, &self.profile)
    }

    pub(super) fn registration(&self) -> RegistrationId {
        RegistrationId::derive(self.chain_id, self.sequencer, self.anchor_hash, self.spec_hash())
    }
}

/// Everything between the present state and a registration that operators find. `authority` is the account whose key is at hand
/// to authorise with.
pub(super) fn to_register(
    view: &RegistrationView,
    place: &Registry,
    entry: &Entry,
    authority: Option<Address>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    match &view.rollup {
        Some(rollup) => {
            if let Some(refused) = unfit(rollup, entry) {
                return vec![refused];
            }
            steps.push(Step::done(format!(
                "registered with a bond of {} ether",
                amount::show(rollup.bond_wei, amount::ETHER)
            )));
        }
        None if view.standing != RegistrationId::default() => {
            return vec![Step::refused(
                format!("chain id {} is registered already, as {}", entry.chain_id, view.standing),
                "go on with the directory that it was registered from; a chain has one registration at a time",
            )];
        }
        None => {
            authorise(view, place, entry, authority, &mut steps);
            register(view, place, entry, &mut steps);
        }
    }
    let registration = entry.registration();
    if view.published_at == 0 {
        let call = IRollupProfiles::publishCall {
            registration: registration.0,
            governor: entry.governor,
            profile: entry.profile.clone(),
        };
        let arguments = vec![
            ("registration", registration.to_string()),
            ("governor", entry.governor.to_string()),
            ("profile", format!("{} bytes", entry.profile.len())),
        ];
        let gas = 70_000 + 60 * entry.profile.len() as u64;
        let to = ("RollupProfiles", place.profiles);
        let what = "publish the profile, which operators read";
        steps.push(Step::Send(Transaction::new(what, ACCOUNT, to, &call, arguments, gas)));
    } else {
        steps.push(Step::done(format!("profile published in L1 block {}", view.published_at)));
    }
    batcher(view, place, entry, &mut steps);
    steps
}

/// Why what stands already cannot be gone on with.
fn unfit(rollup: &Rollup, entry: &Entry) -> Option<Step> {
    let another = "choose another directory, and so another sequencer's key, to register anew";
    if rollup.punished {
        return Some(Step::refused(
            "the bond of this registration was taken: its sequencer signed a lie",
            another,
        ));
    }
    if rollup.exit_at != 0 {
        return Some(Step::refused(
            "this registration announced its exit, and a chain that left does not come back",
            another,
        ));
    }
    if rollup.registrant != entry.registrant {
        return Some(Step::refused(
            format!("{} registered this, the account here is {}", rollup.registrant, entry.registrant),
            "pass the key of that account with --account",
        ));
    }
    None
}

fn authorise(
    view: &RegistrationView,
    place: &Registry,
    entry: &Entry,
    authority: Option<Address>,
    steps: &mut Vec<Step>,
) {
    let (chain_id, account) = (entry.chain_id, entry.registrant);
    let Authorisation { account: authorised, active_at } = view.authorisation;
    if authorised == account {
        if active_at > view.time_s {
            let what = format!(
                "the authorisation for chain id {chain_id} counts in {} s",
                active_at.saturating_sub(view.time_s)
            );
            steps.push(Step::Wait(Wait::open(what)));
        } else {
            steps.push(Step::done(format!("{account} is authorised for chain id {chain_id}")));
        }
        return;
    }
    match authority {
        Some(authority) if authority == view.owner => {
            let call = IRollupRegistry::authoriseCall { chainId: chain_id.0, account };
            let arguments = vec![("chainId", chain_id.to_string()), ("account", account.to_string())];
            let to = ("RollupRegistry", place.registry);
            let what = format!("authorise {account} for chain id {chain_id}");
            steps.push(Step::Send(Transaction::new(what, AUTHORITY, to, &call, arguments, 80_000)));
        }
        Some(authority) => steps.push(Step::refused(
            format!("the authority given is {authority}, the registry's owner is {}", view.owner),
            "pass the owner's key with --authority, or none and have the owner authorise",
        )),
        None => steps.push(Step::Wait(Wait::open(format!(
            "{} has to call authorise({chain_id}, {account}) on the rollup registry {}",
            view.owner, place.registry
        )))),
    }
}

fn register(view: &RegistrationView, place: &Registry, entry: &Entry, steps: &mut Vec<Step>) {
    let bond = entry.bond_wei.unwrap_or(view.bond_min_wei);
    let ether = |wei| amount::show(wei, amount::ETHER);
    if bond < view.bond_min_wei {
        steps.push(Step::refused(
            format!("a bond of {} ether is below the registry's {}", ether(bond), ether(view.bond_min_wei)),
            "ask for more with --bond, or leave it out",
        ));
    }
    if view.registrant_wei < bond {
        let Entry { registrant, .. } = entry;
        steps.push(Step::refused(
            format!(
                "{registrant} has {} ether on L1, the bond is {}",
                ether(view.registrant_wei),
                ether(bond)
            ),
            format!("send {registrant} the rest and something for gas, or pass an account with --account"),
        ));
    }
    let spec_hash = entry.spec_hash();
    let call = IRollupRegistry::registerCall {
        chainId: entry.chain_id.0,
        sequencer: entry.sequencer,
        anchorHash: entry.anchor_hash,
        specHash: spec_hash,
    };
    let arguments = vec![
        ("chainId", entry.chain_id.to_string()),
        ("sequencer", entry.sequencer.to_string()),
        ("anchorHash", entry.anchor_hash.to_string()),
        ("specHash", format!("{spec_hash}, of governor and profile")),
    ];
    let to = ("RollupRegistry", place.registry);
    let what = "register, with the bond that stands for what the sequencer signs";
    // Judges on L1 tell the two apart by this, not by what a leaf says.
    let own_node = RollupProfile::parse(&entry.profile).is_ok_and(|profile| profile.own_node.is_some());
    let transaction = if own_node {
        let IRollupRegistry::registerCall { chainId, sequencer, anchorHash, specHash } = call;
        let call = IRollupRegistry::registerOwnNodeCall { chainId, sequencer, anchorHash, specHash };
        Transaction::new(what, ACCOUNT, to, &call, arguments, 250_000)
    } else {
        Transaction::new(what, ACCOUNT, to, &call, arguments, 220_000)
    };
    steps.push(Step::Send(transaction.paying(bond)));
}

fn batcher(view: &RegistrationView, place: &Registry, entry: &Entry, steps: &mut Vec<Step>) {
    let Some((account, least)) = entry.batcher else { return };
    if view.batcher == account {
        steps.push(Step::done(format!("{account} posts the batches")));
    } else {
        let call = BatchInbox::setBatcherCall { registration: entry.registration().0, account };
        let arguments =
            vec![("registration", entry.registration().to_string()), ("account", account.to_string())];
        let to = ("BatchInbox", place.inbox);
        let what = "name the account that posts the batches";
        steps.push(Step::Send(Transaction::new(what, ACCOUNT, to, &call, arguments, 100_000)));
    }
    if view.batcher_wei < least {
        let missing = least - view.batcher_wei;
        let what = "give the batcher's account what batches cost";
        steps.push(Step::Send(Transaction::transfer(what, ACCOUNT, account, missing)));
    }
}

/// Everything between a registration that stands and its bond back.
pub(super) fn to_exit(view: &RegistrationView, place: &Registry, entry: &Entry) -> Vec<Step> {
    let registration = entry.registration();
    let Some(rollup) = &view.rollup else {
        return vec![Step::done("not registered")];
    };
    if rollup.punished || rollup.bond_wei.is_zero() {
        return vec![Step::done("no bond is held")];
    }
    if rollup.registrant != entry.registrant {
        return vec![Step::refused(
            format!("{} registered this, the account here is {}", rollup.registrant, entry.registrant),
            "pass the key of that account with --account",
        )];
    }
    let arguments = vec![("registration", registration.to_string())];
    let to = ("RollupRegistry", place.registry);
    if rollup.exit_at == 0 {
        let call = IRollupRegistry::announceExitCall { registration: registration.0 };
        let what = "announce the exit; the bond stays liable for a while";
        return vec![Step::Send(Transaction::new(what, ACCOUNT, to, &call, arguments, 60_000))];
    }
    let mut steps = vec![Step::done("exit announced")];
    if rollup.exit_at > view.time_s {
        let seconds = rollup.exit_at - view.time_s;
        steps.push(Step::Wait(Wait::open(format!("the bond stays liable for {seconds} s more"))));
    }
    let call = IRollupRegistry::withdrawBondCall { registration: registration.0 };
    let what = format!("take back the bond of {} ether", amount::show(rollup.bond_wei, amount::ETHER));
    steps.push(Step::Send(Transaction::new(what, ACCOUNT, to, &call, arguments, 60_000)));
    steps
}

#[cfg(test)]
mod tests;
