use super::*;

#[test]
fn a_rebuilt_chain_is_retracted_to_the_last_common_block_and_goes_on() {
    run(|context| async move {
        let source = Script::new(20, 0);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        let publisher = bench.start_local(&source).await;
        bench.wait(5_000).await;
        source.rebuild(17, 25, 1);
        bench.wait(5_000).await;
        let view = publisher.view();
        assert_eq!(
            (view.generation, view.claimed, view.role.alarms_total),
            (Generation(1), source.at(25), 0)
        );
        assert_eq!(bench.operators.heads(), vec![source.at(25); 4]);
        assert!(bench.operators.court.heard(1, source.at(18)));
        assert!(!bench.operators.court.heard(1, source.at(17)), "what is kept is not claimed again");
        assert_eq!(bench.operators.court.equivocations(), 0);

        // Again, this time to a lower head than was claimed.
        source.rebuild(20, 21, 2);
        bench.wait(5_000).await;
        assert_eq!(bench.operators.heads(), vec![source.at(21); 4]);
        assert_eq!(bench.operators.court.equivocations(), 0);
    });
}

#[test]
fn what_is_not_yet_finalised_is_kept_no_higher_than_it_is() {
    run(|context| async move {
        let source = Script::new(10, 0);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        bench.start_local(&source).await;
        bench.wait(3_000).await;
        bench.operators.each(|operator| operator.finalises = false);
        source.extend(20, 0);
        bench.wait(3_000).await;
        // Operators are at 10 and hold up to 20; 16 to 20 are dropped.
        source.rebuild(15, 22, 1);
        bench.operators.each(|operator| operator.finalises = true);
        bench.wait(5_000).await;
        assert_eq!(bench.operators.heads(), vec![source.at(22); 4]);
        assert!(bench.operators.court.heard(1, source.at(11)));
        assert_eq!(bench.operators.court.equivocations(), 0);
    });
}

#[test]
fn a_retraction_that_is_lost_is_sent_again() {
    run(|context| async move {
        let source = Script::new(10, 0);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        bench.start_local(&source).await;
        bench.wait(3_000).await;
        let keys: Vec<_> = bench.operators.public();
        for key in &keys {
            bench.world.isolate(key).await.unwrap();
        }
        source.rebuild(8, 12, 1);
        bench.wait(3_000).await;
        for key in &keys {
            bench.world.reconnect(key, Link::default()).await.unwrap();
        }
        bench.wait(5_000).await;
        assert_eq!(bench.operators.heads(), vec![source.at(12); 4]);
    });
}

#[test]
fn safe_blocks_are_never_retracted() {
    run(|context| async move {
        let source = Script::new(20, 0);
        source.set_safe(18);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        let publisher = bench.start_local(&source).await;
        bench.wait(5_000).await;
        source.rebuild(16, 25, 1);
        source.set_safe(10);
        bench.wait(5_000).await;
        let view = publisher.view();
        assert_eq!((view.stage, view.generation), (Stage::Stopped, Generation(0)));
        assert!(view.role.alarms_total > 0 && view.role.last_alarm().unwrap().contains("18 was safe"));
        assert!(!bench.operators.court.hashes().contains(&source.at(17).hash));

        // The node comes to its senses: nobody has to start anything again.
        source.rebuild(16, 26, 0);
        bench.wait(20_000).await;
        assert_eq!(bench.operators.heads(), vec![source.at(26); 4]);
        assert_eq!(publisher.view().stage, Stage::Publishing);
    });
}

#[test]
fn without_permission_it_stops_says_so_and_resumes_when_the_chain_does() {
    run(|context| async move {
        let source = Script::new(10, 0);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        let settings = PublisherSettings { auto_retract: false, ..bench.settings() };
        let publisher = bench.start(settings, vec![Arc::clone(&source)], local()).await;
        bench.wait(3_000).await;
        source.rebuild(8, 12, 1);
        bench.wait(3_000).await;
        assert_eq!(publisher.view().stage, Stage::Stopped);
        assert!(publisher.view().role.waits().contains("permission to retract"));
        assert_eq!(bench.operators.court.highest(), 10);
        source.rebuild(8, 13, 0);
        bench.wait(10_000).await;
        assert_eq!(bench.operators.heads(), vec![source.at(13); 4]);
    });
}

#[test]
fn a_poisoned_node_gets_no_claim_and_another_node_takes_over() {
    run(|context| async move {
        let sequencer = Script::new(10, 0);
        let (poisoned, honest) = (Script::new(10, 0), Script::new(10, 0));
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        let settings = bench.settings();
        let sources = vec![Arc::clone(&poisoned), Arc::clone(&honest)];
        let publisher = bench.start(settings, sources, desk(&sequencer)).await;
        bench.wait(3_000).await;

        // New blocks of a fork, then a fork below what was claimed.
        for kept in [10, 7] {
            poisoned.rebuild(kept, 40, 66);
            for head in [15, 20] {
                let head = head + 10 * (10 - kept);
                sequencer.extend(head, 0);
                honest.extend(head, 0);
                bench.wait(15_000).await;
                assert_eq!(bench.operators.heads(), vec![sequencer.at(head); 4], "kept {kept}");
            }
        }
        let court = bench.operators.court.hashes();
        assert!(
            (0..=40).all(|number| !court.contains(&script::block(number, 66).hash)),
            "a forged claim got out"
        );
        let view = publisher.view();
        assert!(view.role.alarms_total > 0);
        assert_eq!(view.generation, Generation(0), "nothing was retracted");
    });
}

#[test]
fn with_poisoned_nodes_only_it_waits_and_resumes() {
    run(|context| async move {
        let sequencer = Script::new(10, 0);
        let source = Script::new(10, 0);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        let settings = bench.settings();
        let publisher = bench.start(settings, vec![Arc::clone(&source)], desk(&sequencer)).await;
        bench.wait(3_000).await;
        sequencer.extend(20, 0);
        source.rebuild(9, 30, 66);
        bench.wait(30_000).await;
        let first = publisher.view();
        assert_eq!((first.stage, first.claimed), (Stage::Stopped, sequencer.at(10)));
        bench.wait(30_000).await;
        assert!(
            publisher.view().role.alarms_total > first.role.alarms_total,
            "alarms grow while the cause lasts"
        );

        source.rebuild(9, 20, 0);
        bench.wait(10_000).await;
        assert_eq!(bench.operators.heads(), vec![sequencer.at(20); 4]);
        assert_eq!(publisher.view().stage, Stage::Publishing);
    });
}

#[test]
fn a_sequencer_that_rebuilds_lets_its_desk_retract() {
    run(|context| async move {
        let sequencer = Script::new(10, 0);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        let settings = bench.settings();
        let publisher = bench.start(settings, vec![Arc::clone(&sequencer)], desk(&sequencer)).await;
        bench.wait(3_000).await;
        sequencer.rebuild(6, 14, 1);
        bench.wait(5_000).await;
        assert_eq!(bench.operators.heads(), vec![sequencer.at(14); 4]);
        assert_eq!((publisher.view().generation, publisher.view().role.alarms_total), (Generation(1), 0));
        assert_eq!(bench.operators.court.equivocations(), 0);
    });
}

#[test]
fn a_quarantined_rollup_resumes_when_its_chain_is_rebuilt() {
    run(|context| async move {
        let source = Script::new(10, 0);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        let publisher = bench.start_local(&source).await;
        bench.wait(3_000).await;
        bench.operators.each(|operator| {
            operator.finalises = false;
            operator.status = RollupStatus::Quarantined;
        });
        source.extend(12, 66);
        bench.wait(3_000).await;
        assert!(publisher.view().quarantined);
        bench.operators.each(|operator| operator.finalises = true);
        source.rebuild(10, 14, 0);
        bench.wait(5_000).await;
        assert_eq!(bench.operators.heads(), vec![source.at(14); 4]);
        assert!(!publisher.view().quarantined);
    });
}
