use super::*;
use commonware_runtime::{Storage as _, deterministic::Checkpoint};

/// Run for `ms`, then pull the plug: what was not synced is gone.
fn powered<F>(
    from: Option<Checkpoint>,
    ms: u64,
    operators: Operators,
    source: &Arc<Script>,
    seed: u64,
    also: F,
) -> Checkpoint
where
    F: AsyncFnOnce(&mut Bench) + 'static,
{
    let runner = match from {
        Some(checkpoint) => deterministic::Runner::from(checkpoint),
        None => deterministic::Runner::seeded(seed),
    };
    let source = Arc::clone(source);
    let ((), checkpoint) = runner.start_and_recover(|context| async move {
        let mut bench = Bench::new(context, operators, Link::default()).await;
        bench.start_local(&source).await;
        also(&mut bench).await;
        bench.wait(ms).await;
    });
    checkpoint
}

#[test]
fn no_crash_makes_it_sign_twice() {
    // The plug is pulled at every moment of the first blocks, and the chain that comes back is another one.
    for ms in (1..160).step_by(3) {
        let source = Script::new(6, 0);
        let operators = Operators::new(4);
        let checkpoint = powered(None, ms, operators.clone(), &source, ms, async |_| ());
        source.rebuild(ms % 6, 9, 1);
        let checkpoint = powered(Some(checkpoint), ms, operators.clone(), &source, ms, async |_| ());
        source.rebuild(ms % 4, 12, 2);
        powered(Some(checkpoint), 5_000, operators.clone(), &source, ms, async |_| ());
        assert_eq!(operators.court.equivocations(), 0, "crash after {ms} ms");
        assert_eq!(operators.heads(), vec![source.at(12); 4], "crash after {ms} ms");
    }
}

#[test]
fn what_was_recorded_but_not_sent_is_sent_after_the_restart() {
    let source = Script::new(5, 0);
    let operators = Operators::new(4);
    let node = Arc::clone(&source);
    let checkpoint = powered(None, 3_000, operators.clone(), &source, 1, async move |bench| {
        bench.wait(1_000).await;
        let keys = bench.operators.public();
        for key in &keys {
            bench.world.isolate(key).await.unwrap();
        }
        node.extend(8, 0);
    });
    assert_eq!(operators.heads(), vec![source.at(5); 4]);
    powered(Some(checkpoint), 5_000, operators.clone(), &source, 1, async |_| ());
    assert_eq!(operators.heads(), vec![source.at(8); 4]);
}

#[test]
fn a_lost_journal_opens_a_generation_in_which_nothing_was_signed() {
    run(|context| async move {
        let source = Script::new(10, 0);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        let publisher = bench.start_local(&source).await;
        bench.wait(3_000).await;
        // Three claims reach one operator only, which does not finalise; then the journal is lost with them.
        bench.operators.each(|operator| operator.finalises = false);
        for away in [0, 1, 2] {
            let key = bench.operators.keys[away].public_key();
            bench.world.isolate(&key).await.unwrap();
        }
        source.extend(13, 0);
        bench.wait(3_000).await;
        publisher.abort();
        bench.context.remove("publisher-7", None).await.unwrap();
        for away in [0, 1, 2] {
            let key = bench.operators.keys[away].public_key();
            bench.world.reconnect(&key, Link::default()).await.unwrap();
        }
        bench.operators.each(|operator| operator.finalises = true);
        source.rebuild(11, 15, 1);
        let publisher = bench.start_local(&source).await;
        bench.wait(10_000).await;
        assert_eq!(bench.operators.court.equivocations(), 0);
        assert_eq!(bench.operators.heads(), vec![source.at(15); 4]);
        assert_eq!(publisher.view().generation, Generation(1));
        assert!(publisher.view().role.alarms_total > 0);
    });
}

#[test]
fn a_lost_journal_beside_a_desk_takes_over_where_the_network_is() {
    run(|context| async move {
        let sequencer = Script::new(10, 0);
        let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
        let (settings, signer) = (bench.settings(), desk(&sequencer));
        let publisher =
            bench.start(settings.clone(), vec![Arc::clone(&sequencer)], Arc::clone(&signer)).await;
        bench.wait(3_000).await;
        publisher.abort();
        bench.context.remove("publisher-7", None).await.unwrap();
        sequencer.extend(15, 0);
        let publisher = bench.start(settings, vec![Arc::clone(&sequencer)], signer).await;
        bench.wait(5_000).await;
        assert_eq!(bench.operators.heads(), vec![sequencer.at(15); 4]);
        assert_eq!(publisher.view().generation, Generation(0));
    });
}

/// Whatever nodes answer: up, down, on this fork or that, at any height.
#[test]
fn no_answers_of_a_node_make_it_sign_twice() {
    for seed in 0..24_u64 {
        let operators = Operators::new(4);
        let source = Script::new(0, 0);
        let mut checkpoint = None;
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        for life in 0..4_u64 {
            let script: Vec<[u64; 4]> =
                (0..12).map(|_| [random(8), random(6), random(10), random(400)]).collect();
            let (node, ms) = (Arc::clone(&source), random(50));
            checkpoint =
                Some(powered(checkpoint, ms, operators.clone(), &source, seed, async move |bench| {
                    for [what, depth, length, ms] in script {
                        let head = node.at_head();
                        match what {
                            0 => node.set_down(true),
                            1 | 2 => node.set_down(false),
                            3 => node.rebuild(
                                head.saturating_sub(depth),
                                head.saturating_sub(depth) + length,
                                depth as u8 + 1,
                            ),
                            _ => node.extend(head + length, node.fork_at_head()),
                        }
                        bench.wait(ms).await;
                    }
                }));
            assert_eq!(operators.court.equivocations(), 0, "seed {seed}, life {life}");
        }
        source.set_down(false);
        powered(checkpoint, 20_000, operators.clone(), &source, seed, async |_| ());
        assert_eq!(operators.court.equivocations(), 0, "seed {seed}");
        let head = source.at(source.at_head());
        assert_eq!(operators.heads(), vec![head; 4], "seed {seed}: it resumes");
    }
}
