//! Operators that come and go while a publisher runs.

use super::*;
use crate::lookout::tests::{FakeL1, LINGER_MS, lookout};

/// A network of eight, four of which are in the network file.
async fn bench(context: deterministic::Context, l1: &Arc<FakeL1>) -> Bench {
    let mut bench = Bench::new(context, Operators::new(8), Link::default()).await;
    bench.lookout = Some(lookout(0..4, l1));
    bench
}

fn founders(bench: &Bench) -> PublisherSettings {
    PublisherSettings::new(identity(), bench.operators.public()[..4].to_vec())
}

/// The blocks that an operator was sent.
fn got(bench: &Bench, operator: usize) -> Vec<u64> {
    bench.operators.states[operator].lock().unwrap().witnesses.keys().copied().collect()
}

#[test]
fn who_joins_gets_the_blocks_that_are_not_settled_and_then_every_new_one() {
    run(|context| async move {
        let (source, l1) = (Script::new(10, 0), FakeL1::new(0..4));
        let mut bench = bench(context, &l1).await;
        bench.operators.each(|operator| operator.finalises = false);
        let settings = founders(&bench);
        let publisher = bench.start(settings, vec![source.clone()], local()).await;
        bench.wait(10_000).await;
        assert_eq!((publisher.view().claimed, got(&bench, 4)), (source.at(10), Vec::new()));

        l1.register(0..5);
        bench.wait(10_000).await;
        assert_eq!(got(&bench, 4), (1..=10).collect::<Vec<_>>());
        source.extend(12, 0);
        bench.wait(1_000).await;
        assert_eq!(got(&bench, 4), (1..=12).collect::<Vec<_>>());
        assert!(got(&bench, 5).is_empty(), "nobody listed it");
        assert_eq!(publisher.view().role.alarms_total, 0);
    });
}

#[test]
fn when_all_founders_have_left_their_successors_go_on() {
    run(|context| async move {
        let (source, l1) = (Script::new(5, 0), FakeL1::new(0..4));
        let mut bench = bench(context, &l1).await;
        let settings = founders(&bench);
        let publisher = bench.start(settings.clone(), vec![source.clone()], local()).await;
        bench.wait(5_000).await;
        l1.register(0..8);
        bench.wait(5_000).await;
        l1.register(4..8);
        l1.select(4..8);
        bench.wait(5_000).await;
        let left: Vec<PublicKey> = bench.operators.public()[..4].to_vec();
        for key in &left {
            bench.world.isolate(key).await.unwrap();
        }
        source.extend(15, 0);
        bench.wait(10_000).await;
        assert_eq!(bench.operators.heads()[4..], [source.at(15); 4]);
        assert_eq!(publisher.view().claimed, source.at(15));

        // Forgotten: reached again, they are sent nothing.
        bench.wait(LINGER_MS).await;
        l1.register(4..8);
        bench.wait(5_000).await;
        for key in &left {
            bench.world.reconnect(key, Link::default()).await.unwrap();
        }
        let before = got(&bench, 0);
        source.extend(20, 0);
        bench.wait(5_000).await;
        assert_eq!((bench.operators.heads()[4], got(&bench, 0)), (source.at(20), before));

        // Started anew, with a network file that names founders only.
        publisher.abort();
        for key in &left {
            bench.world.isolate(key).await.unwrap();
        }
        bench.lookout = Some(lookout(0..4, &l1));
        let publisher = bench.start(settings, vec![source.clone()], local()).await;
        source.extend(25, 0);
        bench.wait(10_000).await;
        assert_eq!((bench.operators.heads()[4], publisher.view().claimed), (source.at(25), source.at(25)));
        assert_eq!(bench.operators.court.equivocations(), 0);
    });
}

#[test]
fn without_l1_it_goes_on_with_whom_it_knows() {
    run(|context| async move {
        let (source, l1) = (Script::new(5, 0), FakeL1::new(0..4));
        let mut bench = bench(context, &l1).await;
        l1.set_down(true);
        let settings = founders(&bench);
        let publisher = bench.start(settings, vec![source.clone()], local()).await;
        bench.wait(20_000).await;
        assert_eq!(publisher.view().stage, Stage::Joining, "L1 is waited for at first");
        bench.wait(20_000).await;
        assert_eq!(bench.operators.heads()[..4], [source.at(5); 4]);
        bench.wait(30_000).await;
        let alarm = publisher.view().role.last_alarm().map(str::to_owned);
        assert!(alarm.is_some_and(|what| what.contains("own L1 node")));

        l1.set_down(false);
        l1.register(0..5);
        bench.wait(10_000).await;
        l1.set_down(true);
        l1.register(6..8);
        source.extend(9, 0);
        bench.wait(60_000).await;
        assert_eq!(bench.operators.heads()[..5], [source.at(9); 5]);
        assert!(got(&bench, 6).is_empty());
    });
}
