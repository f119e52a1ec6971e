//! An operator's whole life with the commands that operators use, on EigenLayer's own core and on the stand-in for newer ones.

mod stage;

use super::{seat::to_exit, status};
use crate::plan::Step;
use alloy_primitives::U256;
use alloy_sol_types::SolCall as _;
use hum_chain::{
    At, Call, Chain as _, LogQuery, Submit as _, SubmitError,
    restaking::{CoreRules, IErc20, IServiceManager, explain_revert},
};
use hum_devnet::restaking::CoreLine;
use hum_types::{B256, Encode as _, Epoch, Height, Stake, keccak256};
use stage::{FOUNDERS, Stage, stand_in};

/// Who stays honest and leaves.
const HONEST: usize = FOUNDERS;
/// Who attests two headers.
const LIAR: usize = FOUNDERS + 1;
const ETHER: u64 = 1_000_000_000_000_000_000;
/// What each restakes, in whole tokens.
const DEPOSIT: &str = "32";

alloy_sol_types::sol! {
    struct G1 { uint256 x; uint256 y; }
    struct Attested { uint64 epoch; bytes32 headerHash; G1 signature; }
    function slashSingles(address operator, uint64 height, Attested one, Attested other) external;

    struct OperatorSet { address avs; uint32 id; }
    /// The second step of a slash, which only cores from v1.5 on have.
    function clearBurnOrRedistributableShares(OperatorSet operatorSet, uint256 slashId) external;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_on_eigenlayers_own_core() {
    let stage = Stage::set(&CoreLine::EigenLayer, 2).await;
    let burned = CoreRules::default();
    live(&stage, burned).await;
    assert_eq!(fund(&stage).await, U256::ZERO, "this core burns");
    stage.l1.chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_on_the_stand_in_for_newer_cores() {
    let stage = Stage::set(&stand_in(), 2).await;
    let restaking = &stage.l1.restaking;
    let avs = restaking.contracts.service_manager;
    let rules = CoreRules { is_newer: true, slasher: Some(avs), recipient: Some(restaking.victims_fund) };
    live(&stage, rules).await;
    // Anyone brings what was slashed to where it goes.
    assert_eq!(fund(&stage).await, U256::ZERO);
    let clear =
        clearBurnOrRedistributableSharesCall { operatorSet: OperatorSet { avs, id: 0 }, slashId: U256::ONE };
    send(&stage, Call::new(restaking.contracts.allocation_manager, clear.abi_encode().into())).await;
    assert_eq!(fund(&stage).await, tokens());
    stage.l1.chain.shutdown().await;
}

fn tokens() -> U256 {
    U256::from(32) * U256::from(ETHER)
}

/// Tokens that the victims' fund has.
async fn fund(stage: &Stage) -> U256 {
    let restaking = &stage.l1.restaking;
    let call = IErc20::balanceOfCall { account: restaking.victims_fund };
    let answer = stage.chain.call(restaking.token, call.abi_encode().into(), At::LATEST).await.unwrap();
    IErc20::balanceOfCall::abi_decode_returns(&answer).unwrap()
}

/// A transaction of a founder's.
async fn send(stage: &Stage, call: Call) {
    assert!(stage.submit(0).send(call).await.unwrap().success);
}

async fn live(stage: &Stage, rules: CoreRules) {
    futures::join!(join(stage, HONEST, rules), join(stage, LIAR, rules));
    let snapshot = stage.take_snapshot().await;
    assert_eq!(snapshot.roster.entries.len(), FOUNDERS + 2);
    assert_eq!(stage.reader().registered(At::LATEST).await.unwrap().len(), FOUNDERS + 2);
    for operator in [HONEST, LIAR] {
        let address = stage.address(operator);
        let entry = snapshot.roster.entries.iter().find(|entry| entry.operator == address).unwrap();
        assert_eq!(entry.stake, Stake(tokens().to()));
        assert_eq!(entry.key_g1.as_slice(), stage.l1.bls(operator).public_key().g1().encode());
        let (site, _) = stage.site(operator);
        let view = site.view().await.unwrap();
        let seated = status::seated(&site, &view).await.unwrap().unwrap();
        let status = status::as_json(&site, &view, Some(&seated), None, None);
        assert_eq!(status["newest_snapshot"]["stake"], tokens().to_string(), "{status}");
        assert_eq!(status["core"]["newer_than_v1_3"], rules.is_newer);
        stage.hum(operator, &["status"]).await.unwrap();
    }
    be_slashed(stage).await;
    leave(stage).await;
}

/// From nothing to a member.
async fn join(stage: &Stage, operator: usize, rules: CoreRules) {
    let register = ["register", "--deposit", DEPOSIT];
    stage.hum(operator, &[&register[..], &["--dry-run"]].concat()).await.unwrap();
    let view = stage.view(operator).await;
    assert!(!view.is_operator && !view.is_member, "a dry run does nothing");
    assert_eq!((view.core, stage.sent(operator).await), (rules, 0));

    stage.hum(operator, &[&register[..], &["--wait"]].concat()).await.unwrap();
    let view = stage.view(operator).await;
    assert!(view.is_operator && view.is_member && view.is_slashable && !view.is_jailed);
    assert_eq!((view.bond_wei, view.bond_needed_wei), (U256::from(ETHER), U256::from(ETHER)));
    let strategy = &view.strategies[0];
    assert_eq!((strategy.deposited, strategy.shares, strategy.slashable), (tokens(), tokens(), tokens()));
    assert_eq!((strategy.allocation.current, strategy.allocation.allocatable), (ETHER, 0));
    assert_eq!(stage.sent(operator).await, 6);
    stage.hum(operator, &register).await.unwrap();
    assert_eq!(stage.sent(operator).await, 6, "what is done is not done again");
}

/// Two attestations for one height: the stake, the bond and the seat are gone, and there is no way back.
async fn be_slashed(stage: &Stage) {
    let restaking = &stage.l1.restaking;
    let (operator, key) = (stage.address(LIAR), stage.l1.bls(LIAR));
    let attest = |header: &str| {
        let seat = hum_bls::Seat(0);
        let signed = key.attest(restaking.domain, Epoch(1), Height(7), keccak256(header.as_bytes()), seat);
        let signature = IServiceManager::G1::from_bytes(&signed.signature.encode().try_into().unwrap());
        let signature = G1 { x: signature.x, y: signature.y };
        Attested { epoch: 1, headerHash: signed.header_hash, signature }
    };
    let call = slashSinglesCall { operator, height: 7, one: attest("one"), other: attest("another") };
    send(stage, Call::new(restaking.judges.attestation, call.abi_encode().into())).await;
    let view = stage.view(LIAR).await;
    assert!(view.is_jailed && !view.is_member);
    let strategy = &view.strategies[0];
    assert_eq!((strategy.shares, strategy.slashable, strategy.allocation.max), (U256::ZERO, U256::ZERO, 0));
    assert_eq!(view.bond_wei, U256::ZERO);

    let seats = stage.take_snapshot().await.roster.entries;
    assert!(seats.len() == FOUNDERS + 1 && seats.iter().all(|entry| entry.operator != operator));
    let refused = stage.hum(LIAR, &["register"]).await.unwrap_err();
    assert!(refused.to_string().contains("was slashed and cannot come back"), "{refused}");
    let before = stage.sent(LIAR).await;
    stage.hum(LIAR, &["exit"]).await.unwrap();
    stage.hum(LIAR, &["status"]).await.unwrap();
    assert_eq!(stage.sent(LIAR).await, before, "the core put it out, and nothing is left to take back");
}

/// Out of the set, and the bond back: not a block before what was signed can no longer be punished.
async fn leave(stage: &Stage) {
    let (site, _) = stage.site(HONEST);
    let chain = &stage.l1.chain;
    stage.hum(HONEST, &["exit"]).await.unwrap();
    chain.pause().await;
    let view = stage.view(HONEST).await;
    assert!(!view.is_member && view.is_slashable);
    assert_eq!((stage.sent(HONEST).await, view.bond_wei), (8, U256::from(ETHER)));
    let back_at = u64::from(view.strategies[0].allocation.effect_block);
    let waits = to_exit(&view, &site.contracts).into_iter().find_map(|step| match step {
        Step::Wait(wait) => Some(wait.until_block),
        _ => None,
    });
    assert_eq!(waits, Some(Some(back_at)));

    // The last block in which the core would still have it slashed: the service manager keeps the bond.
    let last = left_at(stage).await + u64::from(view.deallocation_delay_blocks);
    assert!(last < back_at);
    chain.mine(last - chain.head().number).await.unwrap();
    let withdraw = || {
        let call = IServiceManager::withdrawBondCall {}.abi_encode();
        Call::new(site.contracts.service_manager, call.into())
    };
    let submit = stage.submit(HONEST);
    match submit.send(withdraw()).await {
        Err(SubmitError::Rejected { data, .. }) => {
            assert!(explain_revert(&data).unwrap().starts_with("BondLocked"), "{data}");
        }
        other => panic!("sent a block early: {other:?}"),
    }
    chain.mine(1).await.unwrap();
    submit.estimate(withdraw()).await.unwrap();

    // A block before the allocation is back, `exit` still waits.
    chain.mine(back_at - 1 - chain.head().number).await.unwrap();
    stage.hum(HONEST, &["exit"]).await.unwrap();
    assert_eq!(stage.sent(HONEST).await, 8);
    chain.mine(1).await.unwrap();
    let before = stage.view(HONEST).await;
    assert!(!before.is_slashable && before.block.number == back_at);
    assert_eq!(before.strategies[0].allocation.allocatable, ETHER);
    chain.resume();
    stage.hum(HONEST, &["exit"]).await.unwrap();
    let after = stage.view(HONEST).await;
    assert_eq!((stage.sent(HONEST).await, after.bond_wei), (9, U256::ZERO));
    let (bond, gained) = (U256::from(ETHER), after.balance_wei - before.balance_wei);
    let fee_max = U256::from(ETHER / 1_000);
    assert!(gained < bond && gained > bond - fee_max, "the bond less the fee: {gained} wei");
    assert!(to_exit(&after, &site.contracts).iter().all(|step| matches!(step, Step::Done { .. })));
    stage.hum(HONEST, &["exit"]).await.unwrap();
    assert_eq!(stage.sent(HONEST).await, 9);

    let seats = stage.take_snapshot().await.roster.entries;
    assert_eq!(seats.len(), FOUNDERS);
    assert_eq!(stage.reader().registered(At::LATEST).await.unwrap().len(), FOUNDERS);
}

/// The L1 block in which the honest one left.
async fn left_at(stage: &Stage) -> u64 {
    let query = LogQuery {
        from: 1,
        to: stage.l1.chain.head().number,
        addresses: vec![stage.l1.restaking.contracts.service_manager],
        topics: vec![keccak256("MembershipChanged(address,bool)")],
    };
    let logs = stage.chain.logs(query).await.unwrap();
    let (operator, left): (B256, _) = (stage.address(HONEST).into_word(), B256::ZERO);
    let log =
        logs.iter().find(|log| log.topics.get(1) == Some(&operator) && log.data.as_ref() == left.as_slice());
    log.unwrap().block.number
}
