//! What is missing for a seat, or for leaving one: a pure function of what L1 says.
//!
//! A plan is the whole way from the present state; whoever carries it out does the first thing that is not done, reads L1 again, and
//! plans again.

use super::{proceed::OPERATOR, site::Identity};
use crate::{
    amount,
    plan::{Step, Transaction, Wait},
};
use alloy_primitives::U256;
use alloy_sol_types::{SolCall, SolValue as _};
use hum_chain::restaking::{
    Contracts, IAllocationManager, IDelegationManager, IErc20, IServiceManager, IStrategyManager,
    OperatorView, StrategyView,
};
use hum_types::{Address, Domain, Encode as _};

/// Our only operator set.
const OPERATOR_SET: u32 = 0;

/// What a core that is newer than the one that Hum's own networks run tells an operator.
const NEWER_CORE: &str = "EigenLayer's core here is newer than v1.3: Hum ran against what releases since v1.5 changed on a \
    stand-in of its own only, never on those releases";

/// What the operator wants beside the seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// Tokens that the operator's own deposit should reach, in the token's smallest unit.
    pub(super) deposit: Option<U256>,
    /// Percent of its magnitude to allocate; all that is free when absent.
    pub(super) allocate_percent: Option<u8>,
    /// Blocks until its allocations count.
    pub(super) allocation_delay_blocks: u32,
    /// Where people find a description of the operator.
    pub(super) metadata_uri: String,
}

fn call<C: SolCall>(
    what: impl Into<String>,
    to: (&'static str, Address),
    call: &C,
    arguments: Vec<(&'static str, String)>,
    typical_gas: u64,
) -> Transaction {
    Transaction::new(what, OPERATOR, to, call, arguments, typical_gas)
}

fn done(what: impl Into<String>) -> Step {
    Step::done(what)
}

/// Everything between the present state and a seat.
pub(super) fn to_register(
    view: &OperatorView,
    contracts: &Contracts,
    domain: Domain,
    identity: &Identity,
    wish: &Wish,
) -> Vec<Step> {
    if let Some(refused) = impossible(view, contracts, identity) {
        return vec![refused];
    }
    let mut steps = Vec::new();
    if view.core.is_newer && !view.is_member {
        steps.push(Step::Note { what: NEWER_CORE.to_owned() });
    }
    deposit(view, contracts, wish, &mut steps);
    if view.is_operator {
        steps.push(done("registered as an operator of EigenLayer"));
    } else {
        steps.push(Step::Send(register_as_operator(contracts, wish)));
    }
    // From v1.9 on, whoever registers has its first delay at once.
    if view.allocation_delay_blocks.is_none() && (view.is_operator || view.core.slasher.is_none()) {
        steps.push(Step::Wait(Wait {
            what: "EigenLayer lets a new operator allocate after its configuration delay".to_owned(),
            until_block: None,
            blocks_max: Some(u64::from(view.configuration_delay_blocks) + 1),
        }));
    }
    allocate(view, contracts, wish, &mut steps);
    let missing = view.bond_needed_wei.saturating_sub(view.bond_wei);
    if missing.is_zero() || view.is_member {
        steps.push(done(format!("bond of {} ether posted", amount::show(view.bond_wei, amount::ETHER))));
    } else {
        let post = IServiceManager::postBondCall { operator: view.operator };
        let arguments = vec![("operator", view.operator.to_string())];
        let to = ("ServiceManager", contracts.service_manager);
        let transaction =
            call("post the bond, which whoever proves a fault of yours earns", to, &post, arguments, 50_000);
        steps.push(Step::Send(transaction.paying(missing)));
    }
    if !view.is_member && view.is_slashable {
        steps.push(Step::Wait(Wait {
            what: "EigenLayer lets whoever left come back when it can no longer be slashed for before"
                .to_owned(),
            until_block: None,
            blocks_max: Some(u64::from(view.deallocation_delay_blocks) + 1),
        }));
    }
    steps.push(join(view, contracts, domain, identity));
    steps
}

/// What no transaction can mend.
fn impossible(view: &OperatorView, contracts: &Contracts, identity: &Identity) -> Option<Step> {
    let refused = |what: String, next: &str| Some(Step::Refused { what, next: next.to_owned() });
    if let Some(slasher) = view.core.slasher.filter(|slasher| *slasher != contracts.service_manager) {
        return refused(
            format!(
                "EigenLayer's core lets {slasher} slash the operator set, not the service manager {}",
                contracts.service_manager
            ),
            "restake nothing here, and ask whoever gave you the network file",
        );
    }
    if view.is_jailed {
        return refused(
            format!("{} was slashed and cannot come back", view.operator),
            "take the stake out with `hum operator exit`; another account with another key may register",
        );
    }
    match (view.registration.id, view.registration.holder) {
        (Some(id), _) if id != identity.id() => refused(
            format!(
                "{} registered the BLS key of operator id {id}, the directory has {}",
                view.operator,
                identity.id()
            ),
            "a key is an operator's for ever: bring the old one back with `hum operator keys import bls`",
        ),
        (None, Some(holder)) => refused(
            format!("the directory's BLS key is registered to {holder}, not to {}", view.operator),
            "use that account, or make another key with `hum operator keys new bls`",
        ),
        _ => None,
    }
}

fn deposit(view: &OperatorView, contracts: &Contracts, wish: &Wish, steps: &mut Vec<Step>) {
    let Some(strategy) = view.strategies.first() else { return };
    let show = |units| format!("{} {}", amount::show(units, strategy.decimals), strategy.symbol);
    let Some(wanted) = wish.deposit else {
        if view.strategies.iter().all(|strategy| strategy.shares.is_zero() && strategy.deposited.is_zero()) {
            steps.push(Step::Note {
                what: format!(
                    "no stake: without shares in {} there is no seat; --deposit AMOUNT brings your own, or have others delegate to you",
                    strategy.strategy
                ),
            });
        }
        return;
    };
    // Shares round down: a millionth less than asked is what was asked.
    let missing = wanted.saturating_sub(strategy.deposited);
    if missing <= wanted / U256::from(1_000_000) {
        steps.push(done(format!("{} deposited", show(strategy.deposited))));
        return;
    }
    if strategy.balance < missing {
        steps.push(Step::Refused {
            what: format!(
                "{} has {}, the deposit needs {}",
                view.operator,
                show(strategy.balance),
                show(missing)
            ),
            next: format!("send it the rest; the token is {}", strategy.token),
        });
        return;
    }
    if strategy.allowance < missing {
        let approve = IErc20::approveCall { spender: contracts.strategy_manager, amount: missing };
        let arguments =
            vec![("spender", contracts.strategy_manager.to_string()), ("amount", missing.to_string())];
        let what = format!("let EigenLayer take {}", show(missing));
        steps.push(Step::Send(call(what, ("token", strategy.token), &approve, arguments, 50_000)));
    }
    let put = IStrategyManager::depositIntoStrategyCall {
        strategy: strategy.strategy,
        token: strategy.token,
        amount: missing,
    };
    let arguments = vec![
        ("strategy", strategy.strategy.to_string()),
        ("token", strategy.token.to_string()),
        ("amount", missing.to_string()),
    ];
    let to = ("StrategyManager", contracts.strategy_manager);
    steps.push(Step::Send(call(format!("deposit {}", show(missing)), to, &put, arguments, 257_000)));
}

fn register_as_operator(contracts: &Contracts, wish: &Wish) -> Transaction {
    let register = IDelegationManager::registerAsOperatorCall {
        initDelegationApprover: Address::ZERO,
        allocationDelay: wish.allocation_delay_blocks,
        metadataURI: wish.metadata_uri.clone(),
    };
    let arguments = vec![
        ("initDelegationApprover", "none: anyone may delegate".to_owned()),
        ("allocationDelay", format!("{} blocks", wish.allocation_delay_blocks)),
        ("metadataURI", wish.metadata_uri.clone()),
    ];
    let to = ("DelegationManager", contracts.delegation_manager);
    call("become an operator of EigenLayer", to, &register, arguments, 175_000)
}

/// The magnitude that a strategy's allocation should have.
fn target(strategy: &StrategyView, wish: &Wish) -> u64 {
    let allocation = strategy.allocation;
    match wish.allocate_percent {
        Some(percent) => {
            let share = u128::from(allocation.max) * u128::from(percent.min(100)) / 100;
            u64::try_from(share).unwrap_or(allocation.max)
        }
        None if allocation.next > 0 => allocation.next,
        None => allocation.allocatable,
    }
}

fn allocate(view: &OperatorView, contracts: &Contracts, wish: &Wish, steps: &mut Vec<Step>) {
    let mut changes = Vec::new();
    for strategy in &view.strategies {
        let (allocation, wanted) = (strategy.allocation, target(strategy, wish));
        let name = strategy.strategy;
        if allocation.next == wanted && wanted > 0 {
            let pending = if allocation.is_pending() {
                format!(", in force from L1 block {}", allocation.effect_block)
            } else {
                String::new()
            };
            steps.push(done(format!("{} of strategy {name} allocated{pending}", amount::percent(wanted))));
        } else if allocation.is_pending() {
            steps.push(Step::Wait(pending(name, view, allocation.effect_block)));
        } else if wanted == 0 {
            steps.push(Step::Refused {
                what: format!("strategy {name}: nothing of its magnitude is free for this set"),
                next: "take an allocation back from another set first (EigenLayer's own tools do that)"
                    .to_owned(),
            });
        } else if wanted.saturating_sub(allocation.current) > allocation.allocatable {
            steps.push(Step::Refused {
                what: format!(
                    "strategy {name}: {} is wanted, {} is free beside the {} that the set has",
                    amount::percent(wanted),
                    amount::percent(allocation.allocatable),
                    amount::percent(allocation.current)
                ),
                next: "ask for less with --allocate, or take an allocation back from another set".to_owned(),
            });
        } else {
            changes.push((name, wanted));
        }
    }
    if !changes.is_empty() {
        steps.push(Step::Send(modify(view.operator, contracts, &changes)));
    }
}

fn pending(strategy: Address, view: &OperatorView, effect_block: u32) -> Wait {
    Wait {
        what: format!("an earlier change of the allocation of strategy {strategy} is not in force yet"),
        until_block: Some(u64::from(effect_block)),
        blocks_max: Some(u64::from(effect_block).saturating_sub(view.block.number)),
    }
}

/// One transaction for all strategies.
fn modify(operator: Address, contracts: &Contracts, changes: &[(Address, u64)]) -> Transaction {
    let params = IAllocationManager::AllocateParams {
        operatorSet: IAllocationManager::OperatorSet { avs: contracts.service_manager, id: OPERATOR_SET },
        strategies: changes.iter().map(|change| change.0).collect(),
        newMagnitudes: changes.iter().map(|change| change.1).collect(),
    };
    let shares: Vec<_> = changes
        .iter()
        .map(|(strategy, magnitude)| format!("{strategy}: {}", amount::percent(*magnitude)))
        .collect();
    let what = if changes.iter().all(|change| change.1 == 0) {
        "take the allocation back"
    } else {
        "allocate stake to Hum's operator set: from then on it can be slashed"
    };
    let arguments = vec![
        ("operator", operator.to_string()),
        ("operatorSet", format!("{} / {OPERATOR_SET}", contracts.service_manager)),
        ("newMagnitudes", shares.join(", ")),
    ];
    let modify = IAllocationManager::modifyAllocationsCall { operator, params: vec![params] };
    let gas = 230_000_u64.saturating_add(25_000 * changes.len() as u64);
    call(what, ("AllocationManager", contracts.allocation_manager), &modify, arguments, gas)
}

/// Join the set, or correct what peers are told.
fn join(view: &OperatorView, contracts: &Contracts, domain: Domain, identity: &Identity) -> Step {
    let endpoint = identity.endpoint.to_string();
    let network_key = identity.network_key;
    if view.is_member {
        let same = view.registration.network_key == network_key
            && view.registration.endpoint.as_bytes() == endpoint.as_bytes();
        if same {
            return done("registered for the operator set, with this directory's keys and endpoint");
        }
        let set = IServiceManager::setEndpointCall { networkKey: network_key, endpoint: endpoint.clone() };
        let arguments = vec![("networkKey", network_key.to_string()), ("endpoint", endpoint)];
        let to = ("ServiceManager", contracts.service_manager);
        return Step::Send(call("correct network key and endpoint", to, &set, arguments, 60_000));
    }
    let key = identity.key.public_key();
    let possession = identity.key.prove_possession(domain, view.operator);
    let (g1, g2, proof) = (key.g1().encode(), key.g2().encode(), possession.encode());
    let registration = IServiceManager::Registration {
        key: IServiceManager::G1::from_bytes(&fixed(&g1)),
        keyG2: IServiceManager::G2::from_bytes(&fixed(&g2)),
        possession: IServiceManager::G1::from_bytes(&fixed(&proof)),
        networkKey: network_key,
        endpoint: endpoint.clone(),
    };
    let params = IAllocationManager::RegisterParams {
        avs: contracts.service_manager,
        operatorSetIds: vec![OPERATOR_SET],
        data: registration.abi_encode().into(),
    };
    let arguments = vec![
        ("operator", view.operator.to_string()),
        ("avs", contracts.service_manager.to_string()),
        ("operatorSetIds", OPERATOR_SET.to_string()),
        ("BLS key", key.g1().to_string()),
        ("possession", possession.to_string()),
        ("network key", network_key.to_string()),
        ("endpoint", endpoint),
    ];
    let register = IAllocationManager::registerForOperatorSetsCall { operator: view.operator, params };
    let to = ("AllocationManager", contracts.allocation_manager);
    Step::Send(call(
        "join Hum's operator set with key, proof of possession and endpoint",
        to,
        &register,
        arguments,
        900_000,
    ))
}

fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    array
}

/// Everything between the present state and having left with stake and bond.
pub(super) fn to_exit(view: &OperatorView, contracts: &Contracts) -> Vec<Step> {
    let mut steps = Vec::new();
    if view.is_member {
        let leave = IAllocationManager::deregisterFromOperatorSetsCall {
            params: IAllocationManager::DeregisterParams {
                operator: view.operator,
                avs: contracts.service_manager,
                operatorSetIds: vec![OPERATOR_SET],
            },
        };
        let arguments = vec![
            ("operator", view.operator.to_string()),
            ("avs", contracts.service_manager.to_string()),
            ("operatorSetIds", OPERATOR_SET.to_string()),
        ];
        let to = ("AllocationManager", contracts.allocation_manager);
        let what = "leave the operator set; keep running until the next committee has taken over";
        steps.push(Step::Send(call(what, to, &leave, arguments, 120_000)));
    } else {
        steps.push(done("not registered for the operator set"));
    }
    let mut back = Vec::new();
    for strategy in &view.strategies {
        let allocation = strategy.allocation;
        if allocation.next == 0 && allocation.is_pending() {
            steps.push(done(format!(
                "allocation of strategy {} is coming back; slashable until L1 block {}",
                strategy.strategy, allocation.effect_block
            )));
        } else if allocation.next == 0 {
            steps.push(done(format!("nothing of strategy {} is allocated", strategy.strategy)));
        } else if allocation.is_pending() {
            steps.push(Step::Wait(pending(strategy.strategy, view, allocation.effect_block)));
        } else {
            back.push((strategy.strategy, 0));
        }
    }
    if !back.is_empty() {
        steps.push(Step::Send(modify(view.operator, contracts, &back)));
    }
    let last = view.strategies.iter().map(|strategy| u64::from(strategy.allocation.effect_block)).max();
    let coming = last.filter(|block| *block > view.block.number);
    if view.is_member || view.is_slashable || coming.is_some() || !back.is_empty() {
        steps.push(Step::Wait(Wait {
            what: "what was signed can still be punished: stake and bond stay until the deallocation delay is over"
                .to_owned(),
            until_block: coming.filter(|_| !view.is_member && back.is_empty()),
            blocks_max: Some(u64::from(view.deallocation_delay_blocks) + 1),
        }));
    }
    if view.bond_wei.is_zero() {
        steps.push(done("no bond is held"));
    } else {
        let to = ("ServiceManager", contracts.service_manager);
        let what = format!("take back the bond of {} ether", amount::show(view.bond_wei, amount::ETHER));
        steps.push(Step::Send(call(what, to, &IServiceManager::withdrawBondCall {}, Vec::new(), 45_000)));
    }
    steps
}

#[cfg(test)]
mod tests;
