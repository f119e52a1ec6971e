//! What the chain makes is what the verifier accepts, and its lies are what the verifier names.

use super::*;
use alloy_sol_types::SolCall as _;
use commonware_runtime::{Clock as _, Runner as _, Spawner as _, Supervisor as _, deterministic};
use futures::future::join_all;
use hum_chain::{
    At, Call, Chain, LogQuery, RawBlock, RawWitness, ReadError, Submit, SubmitError,
    contracts::{Answer, DeployError, Deployment, Gateway, Inbox, Probe},
};
use hum_types::{Confidence, Domain, Epoch, InteropAddress, RegistrationId, TimeMs};
use hum_verify::{CertifiedHeader, Limits, MESSAGE_SENT, Reason, Verdict, Verifier, WitnessLimits};
use std::time::{Duration, UNIX_EPOCH};

type Context = deterministic::Context;

const START: u64 = 1_000_000;
const LATENCY: Duration = Duration::from_millis(3);

fn genesis() -> Genesis {
    let funded = ["alice", "bob"].map(|name| Address::from_private_key(&dev_key(name)));
    Genesis::new(ChainId(7_001), START, funded.to_vec())
}

/// Blocks each second for as long as the test runs.
fn run<T>(genesis: &Genesis, test: impl AsyncFnOnce(SimChain, Context) -> T) -> T {
    let chain = SimChain::new(genesis).unwrap();
    let config =
        deterministic::Config::new().with_seed(1).with_start_time(UNIX_EPOCH + Duration::from_secs(START));
    deterministic::Runner::new(config).start(|context| async move {
        let ticking = chain.clone();
        context.child("chain").spawn(move |context| async move {
            loop {
                context.sleep(Duration::from_secs(1)).await;
                let now = context.current().duration_since(UNIX_EPOCH).unwrap();
                ticking.produce(now.as_secs()).unwrap();
            }
        });
        test(chain, context).await
    })
}

fn account(chain: &SimChain, context: &Context, name: &str) -> SimAccount<Context> {
    SimAccount::new(chain.clone(), dev_key(name), context.child("account"), LATENCY)
}

fn judge(chain: &SimChain, facades: Vec<Address>) -> Vec<Verdict> {
    let verifier = Verifier::new(chain.spec(), facades, Limits::default());
    let mut parent = CertifiedHeader::from_anchor(chain.evidence(0).unwrap().header);
    let mut verdicts = Vec::new();
    for number in 1..=chain.head().number {
        let made = chain.evidence(number).unwrap();
        let verdict = verifier.verify(&parent, made.block.hash, &made.rlp, &made.witness);
        verdicts.push(verdict);
        parent = CertifiedHeader::from_anchor(made.header);
    }
    verdicts
}

fn transfer(to: Address, value: u64) -> Call {
    Call { value: U256::from(value), ..Call::new(to, Bytes::new()) }
}

use alloy_primitives::U256;

#[test]
fn deployments_sends_and_transfers_are_judged_valid() {
    run(&genesis(), async |chain, context| {
        let (alice, bob) = (account(&chain, &context, "alice"), account(&chain, &context, "bob"));
        let node = SimNode::new(chain.clone(), context.child("node"), LATENCY);
        // Keys that nobody checks, and stakes that add up.
        let entries = [&[7; 64][..], &5_u128.to_be_bytes()].concat().repeat(4);
        let table =
            Bytes::from([&[7; 192][..], &20_u128.to_be_bytes(), &u64::MAX.to_be_bytes(), &entries].concat());
        let probe = Probe::of(&node).await.unwrap();
        assert!(probe.answers.iter().all(|(_, answer)| *answer == Answer::Works), "{probe}");
        let deployment = Deployment {
            domain: Domain(B256::repeat_byte(1)),
            epoch: Epoch(0),
            table_hash: hum_types::keccak256(&table),
            bootstrap: alice.sender(),
            reanchor_delay_s: 0,
            policy_delay_s: 0,
        };
        let sources = [(ChainId(9), RegistrationId(B256::repeat_byte(9)))];
        let addresses = deployment.deploy(&node, &alice, &table, &sources).await.unwrap();
        assert_eq!(addresses, deployment.addresses());
        assert_eq!(Deployment::read(&node, addresses.policy).await.unwrap(), deployment);
        let elsewhere = Deployment::read(&node, addresses.light_client).await;
        assert!(
            matches!(elsewhere, Err(DeployError::NoPolicy { .. } | DeployError::Read { .. })),
            "{elsewhere:?}"
        );
        for creation in deployment.creations(true) {
            assert!(!node.code(creation.address, At::LATEST).await.unwrap().is_empty());
        }
        // A second time there is nothing to do.
        let before = chain.head();
        assert_eq!(deployment.deploy(&node, &alice, &table, &sources).await.unwrap(), addresses);
        let nonce = node.nonce(alice.sender()).await.unwrap();
        assert_eq!((chain.head().number >= before.number, nonce), (true, 10));
        assert!(!node.code(addresses.inbox, At::LATEST).await.unwrap().is_empty());

        let recipient = InteropAddress { chain_id: ChainId(9), address: addresses.inbox }.encode();
        let send = |payload: u8| {
            let call = Gateway::sendMessageCall {
                recipient: recipient.clone().into(),
                payload: vec![payload].into(),
                attributes: vec![],
            };
            bob.send(Call::new(addresses.gateways[0], call.abi_encode().into()))
        };
        let first = chain.head().number;
        let outcomes = join_all([send(1), send(2), bob.send(transfer(alice.sender(), 5)), send(3)]).await;
        for outcome in outcomes {
            assert!(outcome.unwrap().success);
        }
        let query = LogQuery {
            from: first,
            to: u64::MAX,
            addresses: addresses.gateways.to_vec(),
            topics: vec![MESSAGE_SENT],
        };
        assert_eq!(node.logs(query).await.unwrap().len(), 3);
        let count = Inbox::countCall {}.abi_encode();
        let count = node.call(addresses.inbox, count.into(), At::LATEST).await.unwrap();
        assert!(count.iter().all(|byte| *byte == 0));

        let verdicts = judge(&chain, addresses.gateways.to_vec());
        let mut messages = 0;
        for verdict in &verdicts {
            let Verdict::Valid(summary) = verdict else { panic!("{verdict:?}") };
            assert!(summary.malformed_gateway_logs.is_empty());
            messages += summary.messages.len();
        }
        assert_eq!(messages, 3);
        assert!(verdicts.len() >= 3);
    });
}

#[test]
fn equal_timestamps_only_where_the_rules_allow_them() {
    let mut genesis = genesis();
    for (equal, expected) in [(false, [START + 1, START + 2]), (true, [START, START])] {
        genesis.equal_timestamps = equal;
        let chain = SimChain::new(&genesis).unwrap();
        for (number, timestamp) in (1..).zip(expected) {
            chain.produce(START).unwrap();
            assert_eq!(chain.evidence(number).unwrap().header.timestamp, timestamp);
        }
        assert!(judge(&chain, vec![]).iter().all(|verdict| matches!(verdict, Verdict::Valid(_))));
    }
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    run(&genesis(), async |chain, context| {
        let alice = account(&chain, &context, "alice");
        let poor = account(&chain, &context, "nobody");
        assert!(matches!(poor.send(transfer(alice.sender(), 0)).await, Err(SubmitError::Underfunded { .. })));
        // The deployer gives up on calldata without a salt.
        let broken = Call::new(hum_chain::contracts::CREATE2_DEPLOYER, vec![1].into());
        assert!(matches!(alice.send(broken.clone()).await, Err(SubmitError::Rejected { .. })));
        let forced = alice.send(Call { gas_limit: Some(100_000), ..broken }).await.unwrap();
        assert!(!forced.success);
        assert_eq!(alice.estimate(transfer(poor.sender(), 1)).await.unwrap(), 21_000);
        let node = SimNode::new(chain, context.child("node"), LATENCY);
        let ahead = node.head(Confidence::Latest).await.unwrap().number + 1;
        assert_eq!(node.block(At::Number(ahead)).await.unwrap(), None);
        assert_eq!(node.nonce(alice.sender()).await.unwrap(), 1);
    });
}

#[test]
fn a_stalled_chain_makes_no_blocks_and_goes_on() {
    run(&genesis(), async |chain, context| {
        context.sleep(Duration::from_millis(2_500)).await;
        chain.stall(true);
        let at = chain.head();
        context.sleep(Duration::from_secs(5)).await;
        assert_eq!(chain.head(), at);
        chain.stall(false);
        context.sleep(Duration::from_secs(2)).await;
        assert!(chain.head().number >= at.number + 2);
    });
}

#[test]
fn a_reorganisation_drops_blocks_and_keeps_transactions() {
    run(&genesis(), async |chain, context| {
        let alice = account(&chain, &context, "alice");
        let before = alice.send(transfer(Address::repeat_byte(1), 1)).await.unwrap();
        let reorg = chain.reorg(1);
        assert_eq!(reorg.dropped, [before.block]);
        assert_eq!(reorg.kept, chain.head());
        let after = alice.send(transfer(Address::repeat_byte(2), 1)).await.unwrap();
        let included: Vec<B256> =
            (1..=chain.head().number).flat_map(|number| chain.outcomes(number)).map(|o| o.tx_hash).collect();
        assert_eq!(included, [before.tx_hash, after.tx_hash]);
        assert!(judge(&chain, vec![]).iter().all(|verdict| matches!(verdict, Verdict::Valid(_))));
        assert_eq!(chain.reorg(u64::MAX).kept.number, 0);
    });
}

#[test]
fn lies_are_judged_as_what_they_are() {
    let chain = SimChain::new(&genesis()).unwrap();
    chain.produce(START + 1).unwrap();
    chain.lie_about_state();
    chain.produce(START + 2).unwrap();
    chain.produce(START + 3).unwrap();
    let verdicts = judge(&chain, vec![]);
    assert!(matches!(verdicts[0], Verdict::Valid(_)));
    assert!(
        matches!(&verdicts[1], Verdict::Invalid(Reason::Hash { field: "state root", .. })),
        "{:?}",
        verdicts[1]
    );

    let own = chain.evidence(3).unwrap();
    let sibling = chain.equivocate(3).unwrap().unwrap();
    assert_eq!(sibling.header.parent_hash, own.header.parent_hash);
    assert_ne!(sibling.block.hash, own.block.hash);
    assert_eq!(chain.head(), own.block);
}

#[test]
fn garbage_is_served_as_often_as_asked_for() {
    run(&genesis(), async |chain, context| {
        chain.produce(START + 1).unwrap();
        let made = chain.evidence(1).unwrap();
        let node = SimNode::new(chain.clone(), context.child("node"), LATENCY);
        chain.garble(2);
        assert!(matches!(node.block(At::Number(1)).await, Err(ReadError::Garbage { .. })));
        let decode = |witness| match witness {
            RawWitness::Encoded(bytes) => Witness::decode(&bytes, &WitnessLimits::default()).unwrap(),
            RawWitness::Json(_) => panic!("another dialect"),
        };
        assert_ne!(decode(node.witness(made.block).await.unwrap()), made.witness);
        assert_eq!(decode(node.witness(made.block).await.unwrap()), made.witness);
        let read = node.block(At::Hash(made.block.hash)).await.unwrap().unwrap();
        let parsed = RawBlock::from_rlp(made.rlp).unwrap();
        assert_eq!(read, RawBlock { time_ms: TimeMs((START + 1) * 1_000), ..parsed });
    });
}
