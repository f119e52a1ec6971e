use super::*;
use commonware_runtime::Metrics as _;
use hum_chain::RawWitness;
use hum_types::Bytes;
use hum_verify::{Witness, WitnessLimits};

#[test]
fn every_block_reaches_every_operator_in_time() {
    run(|context| async move {
        let source = Script::new(0, 0);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        let publisher = bench.start_local(&source).await;
        for head in 1..=20 {
            source.extend(head, 0);
            bench.wait(250).await;
        }
        assert!(bench.operators.heads().iter().all(|head| *head == source.at(20)));
        let view = publisher.view();
        assert_eq!((view.stage, view.claimed, view.role.alarms_total), (Stage::Publishing, source.at(20), 0));
        for (number, times) in publisher.times(2) {
            let (seen, accepted) = (times.seen_ms.unwrap().0, times.accepted_ms.unwrap().0);
            assert!(times.sent_ms.unwrap().0 >= seen, "block {number}");
            assert!(accepted - seen <= 150, "block {number} took {} ms", accepted - seen);
        }
    });
}

#[test]
fn lost_messages_are_sent_again() {
    run(|context| async move {
        let source = Script::new(30, 0);
        let link = Link { lost_per_mille: 300, ..Link::default() };
        let operators = Operators::new(4);
        // What is finalised by some is theirs to pass on; so nobody finalises here.
        operators.each(|operator| operator.finalises = false);
        let mut bench = Bench::new(context, operators, link).await;
        bench.start_local(&source).await;
        bench.wait(60_000).await;
        bench.operators.each(|operator| assert_eq!(operator.run(), source.at(30)));
    });
}

#[test]
fn a_backlog_is_caught_up_and_an_operator_that_was_away_too() {
    run(|context| async move {
        let source = Script::new(300, 0);
        let operators = Operators::new(4);
        let mut bench = Bench::new(context, operators, Link::default()).await;
        let away = bench.operators.keys[3].public_key();
        bench.world.isolate(&away).await.unwrap();
        bench.start_local(&source).await;
        bench.wait(20_000).await;
        let heads = bench.operators.heads();
        assert_eq!(heads[..3], [source.at(300); 3]);
        assert_eq!(heads[3].number, 0);

        // What others have finalised it gets from them; what is new, from us.
        bench.world.reconnect(&away, Link::default()).await.unwrap();
        bench.operators.states[3].lock().unwrap().chain = vec![source.at(300)];
        source.extend(310, 0);
        bench.wait(10_000).await;
        assert_eq!(bench.operators.heads()[3], source.at(310));
    });
}

#[test]
fn claims_stay_within_the_window_of_what_is_finalised() {
    run(|context| async move {
        let source = Script::new(200, 0);
        let operators = Operators::new(4);
        operators.each(|operator| operator.finalises = false);
        let mut bench = Bench::new(context, operators, Link::default()).await;
        let publisher = bench.start_local(&source).await;
        bench.wait(10_000).await;
        assert_eq!(publisher.view().claimed.number, 64);
        assert_eq!(bench.operators.court.highest(), 64);

        bench.operators.each(|operator| {
            operator.finalises = true;
            operator.settle();
        });
        bench.wait(20_000).await;
        assert_eq!(publisher.view().claimed.number, 200);
    });
}

#[test]
fn nothing_is_signed_before_enough_operators_have_spoken() {
    run(|context| async move {
        let source = Script::new(5, 0);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        for away in [2, 3] {
            let key = bench.operators.keys[away].public_key();
            bench.world.isolate(&key).await.unwrap();
        }
        let publisher = bench.start_local(&source).await;
        bench.wait(5_000).await;
        assert_eq!(publisher.view().stage, Stage::Joining);
        assert_eq!(bench.operators.court.highest(), 0);
        let back = bench.operators.keys[2].public_key();
        bench.world.reconnect(&back, Link::default()).await.unwrap();
        bench.wait(5_000).await;
        assert_eq!(publisher.view().claimed.number, 5);
    });
}

#[test]
fn a_witness_that_does_not_do_is_fetched_again_from_the_next_node() {
    run(|context| async move {
        let (first, second) = (Script::new(3, 0), Script::new(3, 0));
        first.set_witness(script::witness(1));
        second.set_witness(script::witness(2));
        let operators = Operators::new(4);
        operators.states[1].lock().unwrap().wants_once = Some(2);
        let mut bench = Bench::new(context, operators, Link::default()).await;
        let settings = bench.settings();
        bench.start(settings, vec![first, second], local()).await;
        bench.wait(10_000).await;
        let RawWitness::Encoded(expected) = script::witness(2) else { unreachable!() };
        let state = bench.operators.states[1].lock().unwrap();
        assert_eq!(state.witnesses[&2], expected.to_vec());
        assert_eq!(state.head().number, 3);
    });
}

#[test]
fn a_node_whose_witness_is_garbage_is_passed_over() {
    run(|context| async move {
        let (first, second) = (Script::new(3, 0), Script::new(3, 0));
        first.set_witness(RawWitness::Json(Bytes::from_static(b"{\"state\": 7}")));
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        let settings = bench.settings();
        bench.start(settings, vec![Arc::clone(&first), second], local()).await;
        bench.wait(5_000).await;
        assert_eq!(bench.operators.heads(), vec![first.at(3); 4]);
    });
}

/// Geth's, Reth's and the `canonical` form's answers for one block, from hive's tests.
const DIALECTS: [&str; 3] = [
    include_str!("../../../../verify/testdata/hive-debug_executionWitness-144.json"),
    include_str!("../../../../verify/testdata/hive-debug_executionWitness-244.json"),
    include_str!("../../../../verify/testdata/hive-debug_executionWitness-344.json"),
];

#[test]
fn operators_get_the_same_witness_whichever_dialect_the_node_speaks() {
    let mut published = Vec::new();
    for file in DIALECTS {
        let json: serde_json::Value = serde_json::from_str(file).unwrap();
        let answer = json["response"]["result"].to_string();
        let seen = run(|context| async move {
            let source = Script::new(1, 0);
            source.set_witness(RawWitness::Json(Bytes::from(answer.into_bytes())));
            let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
            let publisher = bench.start_local(&source).await;
            bench.wait(2_000).await;
            assert_eq!((publisher.view().claimed.number, publisher.view().role.alarms_total), (1, 0));
            bench.operators.states[2].lock().unwrap().witnesses[&1].clone()
        });
        let mut witness = Witness::decode(&seen.into(), &WitnessLimits::default()).unwrap();
        // Which order, and how often, is each node's own.
        for list in [&mut witness.state, &mut witness.codes, &mut witness.headers] {
            list.sort_unstable();
            list.dedup();
        }
        published.push((witness.state.len() > 3, witness.headers));
    }
    assert!(published.iter().all(|(states, _)| *states));
    assert!(published.windows(2).all(|pair| pair[0] == pair[1]), "the same parent header in each");
}

#[test]
fn a_node_that_is_away_is_waited_for() {
    run(|context| async move {
        let source = Script::new(3, 0);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        let publisher = bench.start_local(&source).await;
        bench.wait(2_000).await;
        source.set_down(true);
        bench.wait(60_000).await;
        let role = publisher.view().role;
        assert!(role.waits().contains("down"), "{role:?}");
        assert_eq!(role.alarms_total, 1, "said once: {role:?}");
        assert!(role.last_alarm().is_some_and(|what| what.contains("5 times in a row")), "{role:?}");
        let metrics = bench.context.encode();
        let counter = |line: &&str| !line.starts_with('#') && line.contains("publisher_failures_total");
        let line = metrics.lines().find(counter).expect("a counter");
        let failures: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert!((5..60).contains(&failures), "{failures} failures in a minute: it waits longer each time");
        source.set_down(false);
        source.extend(6, 0);
        bench.wait(6_000).await;
        assert_eq!(bench.operators.heads(), vec![source.at(6); 4]);
    });
}

#[test]
fn strangers_and_garbage_on_the_wire_change_nothing() {
    run(|context| async move {
        let source = Script::new(3, 0);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        bench.operators.states[0].lock().unwrap().lies = Some((Generation(40), script::block(u64::MAX, 9)));
        let publisher = bench.start_local(&source).await;
        bench.wait(10_000).await;
        assert_eq!(publisher.view().claimed, source.at(3));
        assert_eq!(publisher.view().generation, Generation(0));
    });
}
