//! From every state that a registration can be in, exactly what is missing.

use super::*;

const ETHER: u64 = 1_000_000_000_000_000_000;
const OWNER: Address = Address::repeat_byte(0x0e);
const ME: Address = Address::repeat_byte(0x3e);
const BATCHER: Address = Address::repeat_byte(0xba);

fn place() -> Registry {
    let limits = hum_chain::rpc::RpcLimits::default();
    Registry {
        l1: RpcChain::new("http://127.0.0.1:9", ChainId(900), limits).unwrap(),
        registry: Address::repeat_byte(1),
        profiles: Address::repeat_byte(2),
        inbox: Address::repeat_byte(3),
    }
}

fn entry() -> Entry {
    Entry {
        chain_id: ChainId(7),
        sequencer: Address::repeat_byte(0x5e),
        anchor_hash: B256::repeat_byte(0xaa),
        governor: Address::repeat_byte(0x90),
        profile: b"{}".into(),
        registrant: ME,
        bond_wei: None,
        batcher: Some((BATCHER, U256::from(ETHER))),
    }
}

/// A chain id that nobody registered, and an account with ether.
fn fresh() -> RegistrationView {
    RegistrationView {
        block: 100,
        time_s: 1_000,
        owner: OWNER,
        bond_min_wei: U256::from(10) * U256::from(ETHER),
        authorisation: Authorisation::default(),
        standing: RegistrationId::default(),
        rollup: None,
        published_at: 0,
        batcher: Address::ZERO,
        batcher_wei: U256::ZERO,
        registrant_wei: U256::from(20) * U256::from(ETHER),
    }
}

/// The same with everything done.
fn registered() -> RegistrationView {
    RegistrationView {
        standing: entry().registration(),
        rollup: Some(Rollup { registrant: ME, bond_wei: fresh().bond_min_wei, exit_at: 0, punished: false }),
        published_at: 99,
        batcher: BATCHER,
        batcher_wei: U256::from(ETHER),
        ..fresh()
    }
}

fn words(steps: &[Step]) -> Vec<&str> {
    let word = |step: &'_ Step| match step {
        Step::Done { .. } => None,
        Step::Send(transaction) => Some(transaction.function.split(['(', ':']).next().unwrap_or_default()),
        Step::Wait(_) => Some("wait"),
        Step::Note { .. } => Some("note"),
        Step::Refused { .. } => Some("refused"),
    };
    steps.iter().filter_map(word).collect()
}

type Change = fn(&mut RegistrationView);

#[test]
fn from_nothing_to_a_registration() {
    let all = ["authorise", "register", "publish", "setBatcher", "none"];
    let steps = to_register(&fresh(), &place(), &entry(), Some(OWNER));
    assert_eq!(words(&steps), all);
    let by: Vec<_> = steps
        .iter()
        .filter_map(|step| if let Step::Send(transaction) = step { Some(transaction.by) } else { None })
        .collect();
    assert_eq!(by, [AUTHORITY, ACCOUNT, ACCOUNT, ACCOUNT, ACCOUNT]);
    assert!(words(&to_register(&registered(), &place(), &entry(), None)).is_empty());
    let none = Entry { batcher: None, ..entry() };
    assert_eq!(words(&to_register(&fresh(), &place(), &none, Some(OWNER))), all[..3]);
}

#[test]
fn each_step_is_left_out_once_it_is_done() {
    let table: [(&str, Change, &[&str]); 7] = [
        ("profile", |v| v.published_at = 0, &["publish"]),
        ("batcher", |v| v.batcher = ME, &["setBatcher"]),
        ("batcher's ether", |v| v.batcher_wei = U256::from(ETHER / 2), &["none"]),
        (
            "authorised",
            |v| {
                *v = fresh();
                v.authorisation = Authorisation { account: ME, active_at: 1_000 };
            },
            &["register", "publish", "setBatcher", "none"],
        ),
        (
            "authorised, not yet in force",
            |v| {
                *v = fresh();
                v.authorisation = Authorisation { account: ME, active_at: 1_001 };
            },
            &["wait", "register", "publish", "setBatcher", "none"],
        ),
        ("nobody authorised", |v| *v = fresh(), &["wait", "register", "publish", "setBatcher", "none"]),
        (
            "another authorised",
            |v| {
                *v = fresh();
                v.authorisation = Authorisation { account: OWNER, active_at: 1 };
            },
            &["wait", "register", "publish", "setBatcher", "none"],
        ),
    ];
    for (name, change, expected) in table {
        let mut view = registered();
        change(&mut view);
        assert_eq!(words(&to_register(&view, &place(), &entry(), None)), expected, "{name}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_the_next_step() {
    fn mine(view: &mut RegistrationView) -> &mut Rollup {
        view.rollup.as_mut().unwrap()
    }
    let table: [(&str, Change, &str); 6] = [
        ("punished", |v| mine(v).punished = true, "another directory"),
        ("leaving", |v| mine(v).exit_at = 5, "does not come back"),
        ("another's", |v| mine(v).registrant = OWNER, "--account"),
        (
            "taken",
            |v| {
                *v = fresh();
                v.standing = RegistrationId(B256::repeat_byte(9));
            },
            "registered already",
        ),
        (
            "poor",
            |v| {
                *v = fresh();
                v.registrant_wei = U256::from(ETHER);
            },
            "send",
        ),
        (
            "not the owner",
            |v| {
                *v = fresh();
                v.owner = ME;
            },
            "--authority",
        ),
    ];
    for (name, change, expected) in table {
        let mut view = registered();
        change(&mut view);
        let steps = to_register(&view, &place(), &entry(), Some(OWNER));
        let refused = steps.iter().find_map(|step| match step {
            Step::Refused { what, next } => Some(format!("{what}; {next}")),
            _ => None,
        });
        assert!(refused.as_ref().is_some_and(|text| text.contains(expected)), "{name}: {refused:?}");
    }
    let small = Entry { bond_wei: Some(U256::from(ETHER)), ..entry() };
    assert!(words(&to_register(&fresh(), &place(), &small, Some(OWNER))).contains(&"refused"));
}

#[test]
fn out_step_by_step() {
    let exit = |change: Change| {
        let mut view = registered();
        change(&mut view);
        to_exit(&view, &place(), &entry())
    };
    assert_eq!(words(&exit(|_| ())), ["announceExit"]);
    assert_eq!(words(&exit(|v| v.rollup.as_mut().unwrap().exit_at = 2_000)), ["wait", "withdrawBond"]);
    assert_eq!(words(&exit(|v| v.rollup.as_mut().unwrap().exit_at = 1_000)), ["withdrawBond"]);
    assert!(words(&exit(|v| v.rollup.as_mut().unwrap().bond_wei = U256::ZERO)).is_empty());
    assert!(words(&exit(|v| v.rollup = None)).is_empty());
    assert_eq!(words(&exit(|v| v.rollup.as_mut().unwrap().registrant = OWNER)), ["refused"]);
}

#[test]
fn the_registration_commits_to_governor_and_profile() {
    let id = entry().registration();
    assert_ne!(id, Entry { governor: OWNER, ..entry() }.registration());
    assert_ne!(id, Entry { profile: b"{ }".into(), ..entry() }.registration());
    assert_eq!(id, Entry { registrant: OWNER, ..entry() }.registration());
}
