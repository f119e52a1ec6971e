//! From every state that an operator can be in, exactly what is missing.

use super::*;
use hum_bls::{OperatorId, SecretKey};
use hum_chain::restaking::{Allocation, BlsRegistration, CoreRules};
use hum_types::{B256, BlockRef, Endpoint};

const ALL: u64 = 1_000_000_000_000_000_000;
const OPERATOR: Address = Address::repeat_byte(0x0b);
const STRATEGY: Address = Address::repeat_byte(0x57);
const DOMAIN: Domain = Domain(B256::repeat_byte(0xd0));

fn contracts() -> Contracts {
    Contracts {
        service_manager: Address::repeat_byte(1),
        allocation_manager: Address::repeat_byte(2),
        delegation_manager: Address::repeat_byte(3),
        strategy_manager: Address::repeat_byte(4),
        strategies: vec![STRATEGY],
    }
}

fn identity() -> Identity {
    Identity {
        operator: OPERATOR,
        key: SecretKey::from_seed(b"plan"),
        network_key: B256::repeat_byte(7),
        endpoint: ([192, 0, 2, 1], 9000).into(),
    }
}

fn wish() -> Wish {
    Wish {
        deposit: Some(U256::from(1_000_000_000)),
        allocate_percent: None,
        allocation_delay_blocks: 1,
        metadata_uri: "https://operator.example".to_owned(),
    }
}

/// An account with tokens and nothing else.
fn fresh() -> OperatorView {
    OperatorView {
        operator: OPERATOR,
        block: BlockRef { number: 100, hash: B256::ZERO },
        balance_wei: U256::from(ALL),
        is_operator: false,
        allocation_delay_blocks: None,
        configuration_delay_blocks: 20,
        deallocation_delay_blocks: 50,
        core: CoreRules::default(),
        strategies: vec![StrategyView {
            strategy: STRATEGY,
            token: Address::repeat_byte(0x70),
            symbol: "TKN".to_owned(),
            decimals: 6,
            balance: U256::from(5_000_000_000_u64),
            allowance: U256::ZERO,
            deposited: U256::ZERO,
            shares: U256::ZERO,
            allocation: Allocation { allocatable: ALL, max: ALL, ..Default::default() },
            slashable: U256::ZERO,
        }],
        is_member: false,
        is_slashable: false,
        is_jailed: false,
        bond_wei: U256::ZERO,
        bond_needed_wei: U256::from(500),
        registration: BlsRegistration {
            id: None,
            holder: None,
            network_key: B256::ZERO,
            endpoint: Endpoint::default(),
        },
        newest: None,
    }
}

/// The same with everything done.
fn seated() -> OperatorView {
    let mut view = fresh();
    view.is_operator = true;
    view.allocation_delay_blocks = Some(1);
    view.is_member = true;
    view.is_slashable = true;
    view.bond_wei = U256::from(500);
    let strategy = &mut view.strategies[0];
    strategy.deposited = U256::from(1_000_000_000);
    strategy.shares = U256::from(1_000_000_000);
    strategy.allocation = Allocation { current: ALL, next: ALL, max: ALL, ..Default::default() };
    view.registration = BlsRegistration {
        id: Some(identity().id()),
        holder: Some(OPERATOR),
        network_key: B256::repeat_byte(7),
        endpoint: Endpoint::from(identity().endpoint),
    };
    view
}

fn register(view: &OperatorView) -> Vec<Step> {
    to_register(view, &contracts(), DOMAIN, &identity(), &wish())
}

/// What a plan does, one word a step; done things left out.
fn words(steps: &[Step]) -> Vec<String> {
    steps
        .iter()
        .filter_map(|step| match step {
            Step::Done { .. } => None,
            Step::Send(transaction) => {
                Some(transaction.function.split('(').next().unwrap_or_default().to_owned())
            }
            Step::Wait(_) => Some("wait".to_owned()),
            Step::Note { .. } => Some("note".to_owned()),
            Step::Refused { .. } => Some("refused".to_owned()),
        })
        .collect()
}

/// What makes an operator's state another one.
type Change = fn(&mut OperatorView);

#[test]
fn from_nothing_to_a_seat() {
    assert_eq!(
        words(&register(&fresh())),
        [
            "approve",
            "depositIntoStrategy",
            "registerAsOperator",
            "wait",
            "modifyAllocations",
            "postBond",
            "registerForOperatorSets"
        ]
    );
    assert!(words(&register(&seated())).is_empty());
}

/// What a core of v1.9 says of a set that the service manager made.
fn newer() -> CoreRules {
    let slasher = Some(contracts().service_manager);
    CoreRules { is_newer: true, slasher, recipient: None }
}

#[test]
fn a_newer_core_is_named_and_lets_a_new_operator_allocate_at_once() {
    let mut view = fresh();
    view.core = newer();
    assert_eq!(
        words(&register(&view)),
        [
            "note",
            "approve",
            "depositIntoStrategy",
            "registerAsOperator",
            "modifyAllocations",
            "postBond",
            "registerForOperatorSets"
        ]
    );
    // Whoever is an operator without a delay set one, and that waits on every core.
    view.is_operator = true;
    assert_eq!(words(&register(&view))[3..5], ["wait", "modifyAllocations"]);
    // v1.5 to v1.8 redistribute, and have a new operator wait.
    let mut view = fresh();
    view.core = CoreRules { slasher: None, ..newer() };
    assert_eq!(words(&register(&view))[4], "wait");
    let mut view = seated();
    view.core = newer();
    assert!(words(&register(&view)).is_empty());
}

#[test]
fn each_step_is_left_out_once_it_is_done() {
    let table: [(&str, Change, &[&str]); 14] = [
        ("deposited", |v| v.strategies[0].deposited = U256::ZERO, &["approve", "depositIntoStrategy"]),
        (
            "approved",
            |v| {
                v.strategies[0].deposited = U256::from(400_000_000);
                v.strategies[0].allowance = U256::from(600_000_000);
            },
            &["depositIntoStrategy"],
        ),
        ("rounding", |v| v.strategies[0].deposited = U256::from(999_999_999), &[]),
        ("no operator", |v| v.is_operator = false, &["registerAsOperator"]),
        ("delay not in force", |v| v.allocation_delay_blocks = None, &["wait"]),
        (
            "not allocated",
            |v| {
                v.strategies[0].allocation = Allocation { allocatable: ALL, max: ALL, ..Default::default() };
            },
            &["modifyAllocations"],
        ),
        (
            "allocation pending",
            |v| {
                v.strategies[0].allocation =
                    Allocation { next: ALL, effect_block: 120, max: ALL, ..Default::default() };
            },
            &[],
        ),
        (
            "taking back",
            |v| {
                v.strategies[0].allocation =
                    Allocation { current: ALL, next: 0, effect_block: 120, allocatable: ALL, max: ALL };
            },
            &["wait"],
        ),
        ("left a moment ago", |v| v.is_member = false, &["wait", "registerForOperatorSets"]),
        (
            "left with everything",
            |v| {
                v.is_member = false;
                v.strategies[0].allocation =
                    Allocation { current: ALL, next: 0, effect_block: 120, allocatable: 0, max: ALL };
            },
            &["wait", "wait", "registerForOperatorSets"],
        ),
        (
            "left",
            |v| {
                v.is_member = false;
                v.is_slashable = false;
            },
            &["registerForOperatorSets"],
        ),
        (
            "left, bond taken back",
            |v| {
                v.is_member = false;
                v.is_slashable = false;
                v.bond_wei = U256::from(100);
            },
            &["postBond", "registerForOperatorSets"],
        ),
        ("moved", |v| v.registration.endpoint = Endpoint::new("192.0.2.1:1").unwrap(), &["setEndpoint"]),
        ("other network key", |v| v.registration.network_key = B256::ZERO, &["setEndpoint"]),
    ];
    for (name, change, expected) in table {
        let mut view = seated();
        change(&mut view);
        assert_eq!(words(&register(&view)), expected, "{name}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_the_next_step() {
    let table: [(&str, Change, &str); 7] = [
        (
            "another slasher",
            |v| v.core = CoreRules { slasher: Some(Address::repeat_byte(0xbd)), ..newer() },
            "restake nothing here",
        ),
        ("jailed", |v| v.is_jailed = true, "cannot come back"),
        ("another key", |v| v.registration.id = Some(OperatorId(B256::ZERO)), "bring the old one back"),
        (
            "key of another",
            |v| {
                v.registration.id = None;
                v.registration.holder = Some(Address::ZERO);
            },
            "make another key",
        ),
        (
            "too few tokens",
            |v| {
                v.strategies[0].deposited = U256::ZERO;
                v.strategies[0].balance = U256::from(5);
            },
            "send it the rest",
        ),
        (
            "all allocated elsewhere",
            |v| v.strategies[0].allocation = Allocation { max: ALL, ..Default::default() },
            "take an allocation back",
        ),
        (
            "slashed to nothing",
            |v| v.strategies[0].allocation = Allocation::default(),
            "take an allocation back",
        ),
    ];
    for (name, change, expected) in table {
        let mut view = seated();
        change(&mut view);
        let refused = register(&view).into_iter().find_map(|step| match step {
            Step::Refused { what, next } => Some(format!("{what}; {next}")),
            _ => None,
        });
        assert!(refused.as_ref().is_some_and(|text| text.contains(expected)), "{name}: {refused:?}");
    }
}

#[test]
fn percent_of_what_slashing_left() {
    let mut view = seated();
    view.strategies[0].allocation = Allocation { allocatable: ALL / 2, max: ALL / 2, ..Default::default() };
    let plan = |percent| {
        let wish = Wish { allocate_percent: percent, ..wish() };
        to_register(&view, &contracts(), DOMAIN, &identity(), &wish)
    };
    let magnitude = |steps: Vec<Step>| {
        steps.into_iter().find_map(|step| match step {
            Step::Send(transaction) if transaction.function.starts_with("modify") => {
                let call = IAllocationManager::modifyAllocationsCall::abi_decode(&transaction.data).unwrap();
                Some(call.params[0].newMagnitudes[0])
            }
            _ => None,
        })
    };
    assert_eq!(magnitude(plan(Some(60))), Some(ALL / 10 * 3));
    assert_eq!(magnitude(plan(Some(100))), Some(ALL / 2));
    assert_eq!(magnitude(plan(None)), Some(ALL / 2));
    view.strategies[0].allocation.allocatable = ALL / 4;
    let wish = Wish { allocate_percent: Some(60), ..wish() };
    assert_eq!(words(&to_register(&view, &contracts(), DOMAIN, &identity(), &wish)), ["refused"]);
}

#[test]
fn without_a_deposit_an_operator_without_stake_is_told() {
    let wish = Wish { deposit: None, ..wish() };
    let plan = |view: &OperatorView| words(&to_register(view, &contracts(), DOMAIN, &identity(), &wish));
    assert_eq!(plan(&fresh())[0], "note");
    assert!(plan(&seated()).is_empty());
}

#[test]
fn the_registration_that_is_sent_holds_on_chain() {
    let mut view = seated();
    view.is_member = false;
    let Some(Step::Send(transaction)) = register(&view).pop() else { panic!("a transaction") };
    assert_eq!(transaction.to, contracts().allocation_manager);
    let call = IAllocationManager::registerForOperatorSetsCall::abi_decode(&transaction.data).unwrap();
    assert_eq!((call.operator, call.params.avs), (OPERATOR, contracts().service_manager));
    assert_eq!(call.params.operatorSetIds, [0]);
    let sent = IServiceManager::Registration::abi_decode(&call.params.data).unwrap();
    let key = identity().key.public_key();
    assert_eq!(sent.key.bytes().as_slice(), key.g1().encode());
    assert_eq!(sent.keyG2.bytes().as_slice(), key.g2().encode());
    assert_eq!(sent.endpoint, "192.0.2.1:9000");
    let proof = hum_types::Decode::decode(&sent.possession.bytes()).unwrap();
    hum_bls::PossessedKey::check(DOMAIN, key, OPERATOR, &proof).unwrap();
    // For another account or another network the same key proves nothing.
    assert!(hum_bls::PossessedKey::check(DOMAIN, key, Address::ZERO, &proof).is_err());
    assert!(hum_bls::PossessedKey::check(Domain(B256::ZERO), key, OPERATOR, &proof).is_err());
}

#[test]
fn out_step_by_step() {
    let plan = |change: fn(&mut OperatorView)| {
        let mut view = seated();
        change(&mut view);
        to_exit(&view, &contracts())
    };
    assert_eq!(
        words(&plan(|_| ())),
        ["deregisterFromOperatorSets", "modifyAllocations", "wait", "withdrawBond"]
    );
    assert_eq!(words(&plan(|v| v.is_member = false)), ["modifyAllocations", "wait", "withdrawBond"]);
    let coming = plan(|v| {
        v.is_member = false;
        v.strategies[0].allocation =
            Allocation { current: ALL, next: 0, effect_block: 151, allocatable: 0, max: ALL };
    });
    assert_eq!(words(&coming), ["wait", "withdrawBond"]);
    let wait = coming.iter().find_map(|step| match step {
        Step::Wait(wait) => wait.until_block,
        _ => None,
    });
    assert_eq!(wait, Some(151));
    let over = plan(|v| {
        v.is_member = false;
        v.is_slashable = false;
        v.strategies[0].allocation = Allocation { allocatable: ALL, max: ALL, ..Default::default() };
    });
    assert_eq!(words(&over), ["withdrawBond"]);
    let gone = plan(|v| {
        v.is_member = false;
        v.is_slashable = false;
        v.bond_wei = U256::ZERO;
        v.strategies[0].allocation = Allocation { allocatable: ALL, max: ALL, ..Default::default() };
    });
    assert!(words(&gone).is_empty());
    let growing = plan(|v| {
        v.strategies[0].allocation =
            Allocation { current: 0, next: ALL, effect_block: 110, allocatable: 0, max: ALL };
    });
    assert_eq!(words(&growing), ["deregisterFromOperatorSets", "wait", "wait", "withdrawBond"]);
}
