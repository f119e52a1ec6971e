//! A relayer with scripted operators and a scripted destination in virtual time.

mod followers;
mod network;
mod rollup;

use super::*;
use crate::{
    members::Members,
    wire::{QUOTAS, Wires},
};
use commonware_runtime::{Runner as _, Supervisor as _, deterministic};
use hum_consensus::{
    Committee, PrivateKey, Signer as _,
    simulated::{Layout, Link, World},
};
use hum_types::Epoch;
use network::{DESTINATION, LIGHT_CLIENT, OPERATORS, Script, Shared, lock, serve};
use rollup::{Faults, Rollup};
use std::{
    future::Future,
    sync::Mutex,
    time::{Duration, UNIX_EPOCH},
};

const BLOCK_MS: u64 = 1_000;

/// Everything but the relayers.
struct Bed {
    context: deterministic::Context,
    world: World,
    operators: Vec<PublicKey>,
    relayers: Vec<PrivateKey>,
    script: Shared,
    rollup: Rollup,
    block_due_ms: u64,
    /// What relayers that start from now on look at.
    lookout: Option<Lookout>,
}

fn run<F: Future<Output = ()>>(seed: u64, link: Link, test: impl FnOnce(Bed) -> F) -> String {
    let config = deterministic::Config::new().with_seed(seed).with_timeout(Some(Duration::from_secs(3_600)));
    deterministic::Runner::new(config).start(|context| async move {
        let keys: Vec<PrivateKey> = (0..u64::from(OPERATORS)).map(PrivateKey::from_seed).collect();
        let relayers: Vec<PrivateKey> = (100..104).map(PrivateKey::from_seed).collect();
        let operators: Vec<PublicKey> = keys.iter().map(PrivateKey::public_key).collect();
        let committee = Committee::new([7; 32], operators.clone()).expect("a committee");
        let others = relayers.iter().map(PrivateKey::public_key).collect();
        let world = World::new(&context, Layout::fixed(committee, others, QUOTAS.to_vec(), link))
            .await
            .expect("a network");
        let script = Arc::new(Mutex::new(Script::new(now_ms(&context))));
        for (operator, key) in (0..).zip(&operators) {
            let wires = Wires::try_from(world.join(key).await.expect("wires")).expect("as many as asked for");
            serve(&context, &script, operator, wires.fetch, wires.feed);
        }
        let registration = lock(&script).registration();
        let rollup = Rollup::new(registration);
        let block_due_ms = now_ms(&context) + BLOCK_MS;
        let auditor = context.child("auditor");
        test(Bed { context, world, operators, relayers, script, rollup, block_due_ms, lookout: None }).await;
        auditor.auditor().state()
    })
}

fn now_ms(context: &deterministic::Context) -> u64 {
    let since = context.current().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("in this age")
}

impl Bed {
    /// Start the relayer number `which`; each can be started once, as each has one identity.
    async fn start(&self, which: usize, policy: Policy) -> RelayerHandle {
        let key = self.relayers[which].public_key();
        let wires =
            Wires::try_from(self.world.join(&key).await.expect("wires")).expect("as many as asked for");
        let settings = {
            let script = lock(&self.script);
            RelayerSettings {
                genesis: script.genesis.clone(),
                operators: self.operators.clone(),
                light_clients: BTreeMap::from([(DESTINATION, LIGHT_CLIENT)]),
                members: Members::new([], None),
                policy,
                follow: 2,
                answer_timeout_ms: 500,
                quiet_ms: 500,
            }
        };
        let at = Destination { chain: Arc::new(self.rollup.clone()), submit: Arc::new(self.rollup.clone()) };
        let parts = RelayerParts {
            destinations: BTreeMap::from([(DESTINATION, at)]),
            connect: None,
            fetch: wires.fetch,
            feed: wires.feed,
            lookout: self.lookout.clone(),
        };
        let context = self.context.child("role").with_attribute("which", which);
        start(&context, settings, parts).expect("the relayer starts")
    }

    fn send(&self, count: usize) {
        lock(&self.script).advance(count, true, now_ms(&self.context));
    }

    /// Let time pass; the destination makes a block every second.
    async fn pass(&mut self, ms: u64) {
        let end_ms = now_ms(&self.context) + ms;
        while self.block_due_ms <= end_ms {
            let wait_ms = self.block_due_ms.saturating_sub(now_ms(&self.context));
            self.context.sleep(Duration::from_millis(wait_ms)).await;
            self.rollup.block(self.block_due_ms);
            self.block_due_ms += BLOCK_MS;
        }
        let left_ms = end_ms.saturating_sub(now_ms(&self.context));
        self.context.sleep(Duration::from_millis(left_ms)).await;
    }

    fn check(&self, messages: usize) {
        assert_eq!(self.rollup.executed(), (messages, false));
    }
}

#[test]
fn a_certified_message_is_in_the_pool_within_a_few_network_delays() {
    run(1, Link::default(), |mut bed| async move {
        let relayer = bed.start(0, Policy::default()).await;
        bed.send(1);
        bed.pass(3_000).await;
        bed.check(1);
        bed.send(1);
        bed.context.sleep(Duration::from_millis(60)).await;
        assert_eq!(bed.rollup.waiting(), 1, "{:?}", relayer.view());
        bed.pass(2_000).await;
        bed.check(2);
        let view = relayer.view();
        let counts = view.destinations[&DESTINATION].counts;
        assert_eq!((counts.delivered, counts.reverted, view.role.alarms_total), (2, 0, 0), "{view:?}");
        assert!(view.role.last_did().contains("included"), "{view:?}");
    });
}

#[test]
fn a_relayer_that_comes_late_catches_up() {
    run(2, Link::default(), |mut bed| async move {
        // Every fifth height has a certificate of its own.
        for n in 0..700 {
            lock(&bed.script).advance(usize::from(n % 50 == 0), n % 5 == 4, now_ms(&bed.context));
        }
        let relayer = bed.start(0, Policy::default()).await;
        bed.pass(10_000).await;
        bed.check(14);
        assert_eq!(relayer.view().certified, hum_types::Height(700));
        assert!(lock(&bed.script).asked < 60, "asked {} questions", lock(&bed.script).asked);
    });
}

#[test]
fn deliveries_go_on_across_epochs() {
    run(10, Link::default(), |mut bed| async move {
        let relayer = bed.start(0, Policy::default()).await;
        for epoch in 1..4_u16 {
            bed.send(2);
            bed.pass(1_500).await;
            lock(&bed.script).rotate(2 * epoch, now_ms(&bed.context));
            bed.send(1);
            bed.pass(3_500).await;
            assert_eq!(bed.rollup.epoch(), (Epoch(u64::from(epoch)), true));
        }
        bed.check(9);
        let view = relayer.view();
        let counts = view.destinations[&DESTINATION].counts;
        assert_eq!((counts.delivered, counts.led, counts.reverted), (9, 6, 0), "{view:?}");
        assert_eq!(view.role.alarms_total, 0, "{view:?}");
    });
}

#[test]
fn a_relayer_that_comes_late_leads_a_light_client_that_slept() {
    run(11, Link::default(), |mut bed| async move {
        for epoch in 1..6_u16 {
            bed.send(2);
            for _ in 0..100 {
                lock(&bed.script).advance(0, false, now_ms(&bed.context));
            }
            lock(&bed.script).rotate(2 * epoch, now_ms(&bed.context));
        }
        bed.send(3);
        let relayer = bed.start(0, Policy::default()).await;
        bed.pass(20_000).await;
        assert_eq!(bed.rollup.epoch(), (Epoch(5), true), "{:?}", relayer.view());
        bed.check(13);
        assert!(lock(&bed.script).asked < 150, "asked {} questions", lock(&bed.script).asked);
        assert_eq!(relayer.view().role.alarms_total, 0);
    });
}

#[test]
fn killed_while_a_light_client_catches_up_nothing_is_lost_or_doubled() {
    for kill_after_ms in [500, 1_100, 2_300, 3_050, 4_700, 5_990, 8_010] {
        run(kill_after_ms, Link::default(), |mut bed| async move {
            for epoch in 1..4_u16 {
                bed.send(2);
                lock(&bed.script).rotate(2 * epoch, now_ms(&bed.context));
            }
            let first = bed.start(0, Policy::default()).await;
            bed.pass(kill_after_ms).await;
            first.abort();
            bed.send(1);
            bed.pass(700).await;
            let second = bed.start(1, Policy::default()).await;
            bed.pass(1_000).await;
            bed.send(1);
            bed.pass(14_000).await;
            assert_eq!(bed.rollup.epoch(), (Epoch(3), true), "{:?}", second.view());
            bed.check(8);
        });
    }
}

#[test]
fn a_lying_operator_is_heard_by_nobody() {
    run(3, Link::default(), |mut bed| async move {
        for _ in 0..20 {
            bed.send(1);
        }
        lock(&bed.script).liar = true;
        let relayer = bed.start(0, Policy::default()).await;
        bed.pass(5_000).await;
        bed.check(20);
        for _ in 0..5 {
            bed.send(2);
            bed.pass(1_000).await;
        }
        bed.pass(3_000).await;
        bed.check(30);
        let view = relayer.view();
        assert!(
            view.role.alarms_total > 0 && view.destinations[&DESTINATION].counts.reverted == 0,
            "{view:?}"
        );
    });
}

#[test]
fn silent_operators_cost_a_moment() {
    run(4, Link::default(), |mut bed| async move {
        lock(&bed.script).silent = [0, 1, 2].into();
        let _relayer = bed.start(0, Policy::default()).await;
        bed.send(3);
        bed.pass(8_000).await;
        bed.check(3);
    });
}

#[test]
fn lost_network_messages_lose_no_hum_message() {
    let link = Link { lost_per_mille: 200, ..Link::default() };
    for seed in 0..5 {
        run(seed, link, |mut bed| async move {
            let _relayer = bed.start(0, Policy::default()).await;
            for _ in 0..20 {
                bed.send(3);
                bed.pass(500).await;
            }
            bed.pass(15_000).await;
            bed.check(60);
        });
    }
}

#[test]
fn killed_at_any_moment_nothing_is_lost_or_doubled() {
    for kill_after_ms in [0, 5, 40, 90, 300, 700, 995, 1_001, 1_300] {
        run(kill_after_ms, Link::default(), |mut bed| async move {
            let first = bed.start(0, Policy::default()).await;
            bed.send(5);
            bed.pass(2_500).await;
            bed.send(4);
            bed.pass(kill_after_ms).await;
            first.abort();
            bed.send(2);
            bed.pass(700).await;
            let second = bed.start(1, Policy::default()).await;
            bed.pass(400).await;
            bed.send(1);
            bed.pass(5_000).await;
            bed.check(12);
            assert_eq!(second.view().destinations[&DESTINATION].counts.reverted, 0);
        });
    }
}

#[test]
fn two_relayers_do_no_harm() {
    run(5, Link::default(), |mut bed| async move {
        let one = bed.start(0, Policy::default()).await;
        let two = bed.start(1, Policy::default()).await;
        for _ in 0..5 {
            bed.send(4);
            bed.pass(700).await;
        }
        bed.pass(4_000).await;
        bed.check(20);
        assert_eq!((one.view().role.alarms_total, two.view().role.alarms_total), (0, 0));
    });
}

#[test]
fn a_destination_that_fails_for_a_while_gets_everything_afterwards() {
    let faults = [
        Faults { unreadable: true, ..Faults::default() },
        Faults { silent: true, ..Faults::default() },
        Faults { reverts: 5, ..Faults::default() },
        Faults { closed: true, ..Faults::default() },
    ];
    for fault in faults {
        run(6, Link::default(), |mut bed| async move {
            let relayer = bed.start(0, Policy::default()).await;
            bed.send(2);
            bed.pass(3_000).await;
            bed.rollup.set_faults(fault);
            for _ in 0..6 {
                bed.send(3);
                bed.pass(1_000).await;
            }
            bed.rollup.set_faults(Faults::default());
            for _ in 0..20 {
                bed.send(0);
                bed.pass(1_000).await;
            }
            bed.check(20);
            let view = relayer.view();
            assert_eq!(view.destinations[&DESTINATION].counts.in_flight, 0, "{view:?}");
        });
    }
}

#[test]
fn nothing_moves_without_news_and_nothing_is_sent_for_it() {
    run(7, Link::default(), |mut bed| async move {
        let relayer = bed.start(0, Policy::default()).await;
        bed.send(1);
        bed.pass(60_000).await;
        assert_eq!(bed.rollup.transactions(), 1);
        let view = relayer.view();
        assert_eq!(view.role.waits(), "new messages");
        // What people and programs read: amounts above 64 bits, too.
        let json = serde_json::to_value(&view).unwrap();
        let counts = &json["destinations"]["903"]["counts"];
        assert_eq!((json["role"].as_str(), counts["spent_wei"].as_str()), (Some("relayer"), Some("100000")));
        assert!(counts["balance_wei"].as_str().is_some_and(|wei| wei.len() > 19), "{counts}");
        assert_eq!(serde_json::from_value::<RelayerView>(json).unwrap(), view);
    });
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let once = || {
        let link = Link { lost_per_mille: 100, ..Link::default() };
        run(8, link, |mut bed| async move {
            let _relayer = bed.start(0, Policy::default()).await;
            for _ in 0..5 {
                bed.send(3);
                bed.pass(700).await;
            }
            bed.pass(3_000).await;
        })
    };
    assert_eq!(once(), once());
}

#[test]
fn wrong_parts_are_refused() {
    run(9, Link::default(), |bed| async move {
        let key = bed.relayers[0].public_key();
        let settings = {
            let script = lock(&bed.script);
            RelayerSettings {
                genesis: script.genesis.clone(),
                operators: bed.operators.clone(),
                light_clients: BTreeMap::from([(DESTINATION, LIGHT_CLIENT)]),
                members: Members::new([], None),
                policy: Policy::default(),
                follow: 2,
                answer_timeout_ms: 500,
                quiet_ms: 500,
            }
        };
        let at = Destination { chain: Arc::new(bed.rollup.clone()), submit: Arc::new(bed.rollup.clone()) };
        let other = ChainId(1);
        let with =
            |operators: Vec<PublicKey>, light_clients: BTreeMap<ChainId, Address>, ids: Vec<ChainId>| {
                let (settings, at, world, key, context) =
                    (settings.clone(), at.clone(), &bed.world, &key, &bed.context);
                async move {
                    let wires = Wires::try_from(world.join(key).await.expect("wires")).expect("as many");
                    let destinations = ids.into_iter().map(|id| (id, at.clone())).collect();
                    let parts = RelayerParts {
                        destinations,
                        connect: None,
                        fetch: wires.fetch,
                        feed: wires.feed,
                        lookout: None,
                    };
                    let settings = RelayerSettings { operators, light_clients, ..settings };
                    start(&context.child("refused"), settings, parts).err()
                }
            };
        let (all, clients) = (bed.operators.clone(), settings.light_clients.clone());
        let wrong = BTreeMap::from([(other, LIGHT_CLIENT)]);
        assert_eq!(with(all.clone(), clients.clone(), vec![]).await, Some(RelayerError::NoDestination));
        assert_eq!(with(vec![], clients, vec![DESTINATION]).await, Some(RelayerError::NoOperator));
        assert_eq!(
            with(all.clone(), wrong.clone(), vec![DESTINATION]).await,
            Some(RelayerError::NotAMember(DESTINATION))
        );
        assert_eq!(
            with(all, wrong, vec![other]).await,
            Some(RelayerError::OtherChain { expected: other, found: DESTINATION })
        );
    });
}
