use super::*;
use hum_chain::RawWitness;
use hum_types::Bytes;

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

#[test]
fn a_node_that_is_away_is_waited_for() {
    run(|context| async move {
        let source = Script::new(3, 0);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        let publisher = bench.start_local(&source).await;
        bench.wait(2_000).await;
        source.set_down(true);
        bench.wait(60_000).await;
        assert!(publisher.view().role.waits().contains("down"), "{}", publisher.view().role.waits());
        source.set_down(false);
        source.extend(6, 0);
        bench.wait(6_000).await;
        assert_eq!(bench.operators.heads(), vec![source.at(6); 4]);
        assert_eq!(publisher.view().role.alarms_total, 0);
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
