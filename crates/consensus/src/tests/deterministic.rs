//! Networks in virtual time.

use super::recorder::{Conduct, GARBAGE, Record, Recorder, Schedule, keys};
use crate::{
    Committee, MAX_MESSAGE, PrivateKey, PublicKey, Recipients, Running, Signer as _, Tuning,
    simulated::{Layout, Link, World},
};
use bytes::Bytes;
use commonware_runtime::{
    Clock as _, Runner as _, Supervisor as _,
    deterministic::{Context, Runner},
};
use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

pub(super) const INTERVAL: Duration = Duration::from_millis(200);

/// Four operators and what each wrote down; records outlive restarts.
pub(super) struct Net {
    pub(super) context: Context,
    pub(super) world: World,
    pub(super) keys: Vec<PrivateKey>,
    pub(super) records: Vec<Arc<Mutex<Record>>>,
    pub(super) running: Vec<Option<Running>>,
    pub(super) schedule: Arc<Schedule>,
    /// Which of its disks each operator runs on.
    pub(super) disks: Vec<u64>,
    runs: u64,
}

impl Net {
    pub(super) async fn new(context: Context, link: Link, others: Vec<PublicKey>) -> Self {
        let keys = keys(100, 4);
        // Not a multiple of anything that the tests count.
        let schedule = Schedule::fixed(seats(&keys), 17);
        Self::with(context, link, others, keys, schedule).await
    }

    /// Operators of which some may have no seat.
    pub(super) async fn with(
        context: Context,
        link: Link,
        others: Vec<PublicKey>,
        keys: Vec<PrivateKey>,
        schedule: Schedule,
    ) -> Self {
        let layout = layout(link, others, &keys, keys.len(), &schedule);
        Self::laid_out(context, keys, schedule, layout).await
    }

    /// Operators of which only the first `known` are registered at the start.
    pub(super) async fn of_first(
        context: Context,
        link: Link,
        keys: Vec<PrivateKey>,
        known: usize,
        schedule: Schedule,
    ) -> Self {
        let layout = layout(link, vec![], &keys, known, &schedule);
        Self::laid_out(context, keys, schedule, layout).await
    }

    async fn laid_out(context: Context, keys: Vec<PrivateKey>, schedule: Schedule, layout: Layout) -> Self {
        let world = World::new(&context, layout).await.unwrap();
        let records = keys.iter().map(|_| Arc::default()).collect();
        let running = keys.iter().map(|_| None).collect();
        let disks = vec![0; keys.len()];
        Self { context, world, keys, records, running, schedule: Arc::new(schedule), disks, runs: 0 }
    }

    pub(super) async fn start(&mut self, index: usize, conduct: Conduct) {
        self.runs += 1;
        let context =
            self.context.child("operator").with_attribute("index", index).with_attribute("run", self.runs);
        let recorder = Recorder {
            clock: context.child("application"),
            interval: INTERVAL,
            conduct,
            record: self.records[index].clone(),
            index,
            schedule: self.schedule.clone(),
        };
        let running = self
            .world
            .start(
                context,
                self.keys[index].clone(),
                self.partition(index),
                Tuning::default(),
                Arc::new(recorder),
            )
            .await
            .unwrap();
        self.running[index] = Some(running);
    }

    fn partition(&self, index: usize) -> String {
        match self.disks[index] {
            0 => format!("operator-{index}"),
            disk => format!("operator-{index}-disk-{disk}"),
        }
    }

    pub(super) async fn start_all(&mut self) {
        for index in 0..self.keys.len() {
            self.start(index, Conduct::Honest).await;
        }
    }

    pub(super) fn kill(&mut self, index: usize) {
        self.running[index].take().unwrap().abort();
    }

    pub(super) fn height(&self, index: usize) -> u64 {
        self.records[index].lock().unwrap().chain.last_key_value().map_or(0, |(height, _)| *height)
    }

    /// Lets virtual time pass until the operators named have delivered `height`.
    pub(super) async fn reach(&self, height: u64, indices: &[usize]) {
        for _ in 0..60_000 {
            if indices.iter().all(|index| self.height(*index) >= height) {
                return;
            }
            self.context.sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "ten minutes passed before height {height}: {:?}",
            (0..self.keys.len()).map(|i| self.height(i)).collect::<Vec<_>>()
        );
    }

    /// Asserts that nobody has a gap and that all agree as far as they got.
    pub(super) fn agree(&self) {
        let records: Vec<_> = self.records.iter().map(|record| record.lock().unwrap()).collect();
        let longest = records.iter().max_by_key(|record| record.chain.len()).unwrap();
        for record in &records {
            assert!(record.chain.keys().copied().eq(1..=record.chain.len() as u64), "a gap in the chain");
            for (height, block) in &record.chain {
                assert_eq!(block, &longest.chain[height]);
            }
        }
    }
}

fn layout(
    link: Link,
    others: Vec<PublicKey>,
    keys: &[PrivateKey],
    known: usize,
    schedule: &Schedule,
) -> Layout {
    Layout {
        genesis: (schedule.committee)(0),
        term_heights: schedule.term_heights,
        operators: keys[..known].iter().map(|key| key.public_key()).collect(),
        operators_max: keys.len(),
        others,
        wires: vec![NonZeroU32::new(64).unwrap(); 2],
        link,
    }
}

/// Every key has a seat.
pub(super) fn seats(keys: &[PrivateKey]) -> Committee {
    Committee::new([3; 32], keys.iter().map(|key| key.public_key())).unwrap()
}

pub(super) fn lossy() -> Link {
    Link { latency_ms: 20, jitter_ms: 5, lost_per_mille: 50 }
}

/// Runs a network with loss and one crash; returns the runtime's trace and the last payload.
fn crash(seed: u64) -> (String, Bytes) {
    Runner::seeded(seed).start(|context| async move {
        let mut net = Net::new(context, lossy(), vec![]).await;
        net.start_all().await;
        net.reach(10, &[0, 1, 2, 3]).await;
        net.kill(3);
        net.context.sleep(Duration::from_millis(100)).await;
        let last = net.height(3);
        net.reach(last + 15, &[0, 1, 2]).await;
        assert_eq!(net.height(3), last, "a killed operator still delivers");

        let before = net.records[3].lock().unwrap().deliveries.len();
        net.start(3, Conduct::Honest).await;
        net.reach(last + 30, &[0, 1, 2, 3]).await;
        net.agree();
        let record = net.records[3].lock().unwrap();
        let again = &record.deliveries[before..];
        assert!(again[0] <= last + 1, "resumed at {} after {last}", again[0]);
        assert!(again[0] + 16 > last, "{} delivered again after {last}", again[0]);
        assert!(again.windows(2).all(|pair| pair[1] == pair[0] + 1), "out of order: {again:?}");
        let rejoined = record
            .chain
            .values()
            .any(|block| block.height > last + 15 && block.proposer == net.keys[3].public_key());
        assert!(rejoined, "the restarted operator leads again");
        let payload = record.chain[&(last + 30)].payload.clone();
        drop(record);
        (net.context.auditor().state(), payload)
    })
}

#[test]
fn an_operator_that_crashed_rejoins_from_its_disk() {
    crash(1);
}

#[test]
fn one_seed_gives_one_run() {
    assert_eq!(crash(2), crash(2));
    assert_ne!(crash(2).0, crash(3).0);
}

#[test]
fn all_operators_lead_and_agree_over_lossy_links() {
    Runner::seeded(4).start(|context| async move {
        let mut net = Net::new(context, lossy(), vec![]).await;
        net.start_all().await;
        net.reach(40, &[0, 1, 2, 3]).await;
        net.agree();
        for (index, key) in net.keys.iter().enumerate() {
            let record = net.records[index].lock().unwrap();
            let led = record.chain.values().filter(|block| block.proposer == key.public_key()).count();
            assert!(led > 4, "operator {index} led {led} of 40");
            assert!(record.faults.is_empty());
        }
    });
}

#[test]
fn an_operator_that_was_away_long_catches_up_from_its_peers() {
    Runner::seeded(5).start(|context| async move {
        let mut net = Net::new(context, Link::default(), vec![]).await;
        for index in 0..3 {
            net.start(index, Conduct::Honest).await;
        }
        net.reach(150, &[0, 1, 2]).await;
        let begun = net.context.current();
        net.start(3, Conduct::Honest).await;
        net.reach(150, &[3]).await;
        let took = net.context.current().duration_since(begun).unwrap();
        assert!(took < Duration::from_secs(15), "150 heights took {took:?}");
        net.reach(170, &[0, 1, 2, 3]).await;
        net.agree();
        let late = net.running[3].as_ref().unwrap();
        let expected = net.records[0].lock().unwrap().chain[&75].clone();
        assert_eq!(late.archive.block(75).await, Some(expected.clone()));
        assert_eq!(late.archive.block_by_digest(&expected.digest).await, Some(expected));
        assert_eq!(late.archive.block(0).await, None);
        assert_eq!(late.archive.block(100_000).await, None);
        assert!(late.archive.tip() >= late.archive.delivered() && late.archive.delivered() >= 170);
        assert!(late.archive.certificate(late.archive.delivered()).await.is_some());
        let led = net.records[0]
            .lock()
            .unwrap()
            .chain
            .range(151..)
            .any(|(_, block)| block.proposer == net.keys[3].public_key());
        assert!(led, "the late operator leads");
    });
}

#[test]
fn proposers_without_a_valid_payload_stop_nobody() {
    Runner::seeded(6).start(|context| async move {
        let mut net = Net::new(context, Link::default(), vec![]).await;
        net.start(0, Conduct::Honest).await;
        net.start(1, Conduct::Garbage).await;
        net.start(2, Conduct::Honest).await;
        net.start(3, Conduct::Honest).await;
        net.reach(15, &[0, 1, 2, 3]).await;
        net.kill(3);
        net.context.sleep(Duration::from_millis(10)).await;
        net.start(3, Conduct::Silent).await;
        net.reach(40, &[0, 1, 2, 3]).await;
        net.agree();
        let record = net.records[0].lock().unwrap();
        assert!(record.chain.values().all(|block| block.payload != GARBAGE));
        assert!(record.chain.values().all(|block| block.proposer != net.keys[1].public_key()));
    });
}

#[test]
fn a_dead_leader_costs_one_wait() {
    Runner::seeded(7).start(|context| async move {
        // One term: the next one's engine has to find out for itself.
        let keys = keys(100, 4);
        let schedule = Schedule::fixed(seats(&keys), 1_000);
        let mut net = Net::with(context, Link::default(), vec![], keys, schedule).await;
        net.start_all().await;
        net.reach(20, &[0, 1, 2, 3]).await;
        net.kill(3);
        let from = net.height(0);
        net.reach(from + 40, &[0, 1, 2]).await;
        let record = net.records[0].lock().unwrap();
        let gaps: Vec<u64> = record
            .times
            .range(from..)
            .zip(record.times.range(from + 1..))
            .map(|(a, b)| b.1.duration_since(*a.1).unwrap().as_millis() as u64)
            .collect();
        let usual = gaps.iter().copied().min().unwrap();
        println!("ms between heights after a leader died: {gaps:?}");
        let costs: Vec<u64> = gaps.iter().map(|gap| gap - usual).collect();
        assert!(costs.iter().all(|cost| *cost <= 600), "{costs:?}");
        assert!(costs.iter().filter(|cost| **cost > 100).count() <= 1, "{costs:?}");
        assert!(gaps.iter().sum::<u64>() > 40 * 200, "the interval is kept: {gaps:?}");
    });
}

#[test]
fn an_operator_without_data_stops_nobody_and_follows() {
    Runner::seeded(12).start(|context| async move {
        let mut net = Net::new(context, Link::default(), vec![]).await;
        for index in 0..3 {
            net.start(index, Conduct::Honest).await;
        }
        net.start(3, Conduct::Undecided).await;
        net.reach(30, &[0, 1, 2, 3]).await;
        net.agree();
    });
}

#[test]
fn views_without_enough_verdicts_are_given_up_and_the_chain_goes_on() {
    Runner::seeded(13).start(|context| async move {
        let mut net = Net::new(context, Link::default(), vec![]).await;
        net.start(0, Conduct::Honest).await;
        net.start(1, Conduct::Honest).await;
        net.start(2, Conduct::Undecided).await;
        net.start(3, Conduct::Undecided).await;
        // A leader has judged what it proposes: until one of the first two leads, there are three verdicts.
        net.context.sleep(Duration::from_secs(5)).await;
        let stopped = net.height(0);
        net.context.sleep(Duration::from_secs(10)).await;
        assert_eq!(net.height(0), stopped, "two of four verdicts finalise nothing");
        net.kill(3);
        net.context.sleep(Duration::from_millis(10)).await;
        net.start(3, Conduct::Honest).await;
        let begun = net.context.current();
        net.reach(stopped + 5, &[0, 1, 2, 3]).await;
        let took = net.context.current().duration_since(begun).unwrap();
        assert!(took < Duration::from_secs(10), "resuming took {took:?}");
        net.agree();
    });
}

#[test]
fn a_power_cut_of_all_operators_loses_nothing_that_was_acknowledged() {
    let records: Vec<Arc<Mutex<Record>>> = (0..4).map(|_| Arc::default()).collect();
    let before = records.clone();
    let (_, mut checkpoint) = Runner::seeded(14).start_and_recover(|context| async move {
        let mut net = Net::new(context, lossy(), vec![]).await;
        net.records = before;
        net.start_all().await;
        net.reach(13, &[0, 1, 2, 3]).await;
    });
    for round in 2..5_u64 {
        let last: Vec<u64> = records.iter().map(|record| record.lock().unwrap().chain.len() as u64).collect();
        let delivered: Vec<usize> =
            records.iter().map(|record| record.lock().unwrap().deliveries.len()).collect();
        let before = records.clone();
        ((), checkpoint) = Runner::from(checkpoint).start_and_recover(|context| async move {
            let mut net = Net::new(context, lossy(), vec![]).await;
            net.records = before;
            net.start_all().await;
            net.reach(13 * round, &[0, 1, 2, 3]).await;
            net.agree();
        });
        for (index, record) in records.iter().enumerate() {
            let again = record.lock().unwrap().deliveries[delivered[index]];
            assert!(
                again <= last[index] + 1 && again + 16 > last[index],
                "resumed at {again} after {}",
                last[index]
            );
        }
    }
}

#[test]
fn wires_connect_publishers_with_operators() {
    Runner::seeded(8).start(|context| async move {
        let publisher = PrivateKey::from_seed(900).public_key();
        let mut net = Net::new(context, Link::default(), vec![publisher.clone()]).await;
        net.start_all().await;
        let mut publisher_wires = net.world.join(&publisher).await.unwrap();
        // Votes flow by now; none may reach the publisher, which listens to its wires only.
        net.reach(3, &[0, 1, 2, 3]).await;

        let large = Bytes::from(vec![7; MAX_MESSAGE]);
        let sent = publisher_wires[1].sender.send(Recipients::All, large.clone(), false);
        assert_eq!(sent.len(), 4);
        for running in net.running.iter_mut().flatten() {
            let (from, message) = running.wires[1].receiver.recv().await.unwrap();
            assert!(from == publisher && message == large);
        }

        let answer = Bytes::from_static(b"answer");
        let operator = net.running[2].as_ref().unwrap();
        assert_eq!(
            operator.wires[0].sender.send(Recipients::One(publisher.clone()), answer.clone(), true).len(),
            1
        );
        let (from, message) = publisher_wires[0].receiver.recv().await.unwrap();
        assert!(from == net.keys[2].public_key() && message == answer);

        let excessive = Bytes::from(vec![7; MAX_MESSAGE + 1]);
        assert!(publisher_wires[1].sender.send(Recipients::All, excessive, false).is_empty());
        let height = net.height(0);
        net.reach(height + 5, &[0, 1, 2, 3]).await;
    });
}

#[test]
fn a_partition_stops_the_minority_and_heals() {
    Runner::seeded(10).start(|context| async move {
        let mut net = Net::new(context, Link::default(), vec![]).await;
        net.start_all().await;
        net.reach(10, &[0, 1, 2, 3]).await;
        let lost = net.keys[1].public_key();
        net.world.isolate(&lost).await.unwrap();
        net.context.sleep(Duration::from_millis(500)).await;
        let stuck = net.height(1);
        net.reach(stuck + 20, &[0, 2, 3]).await;
        assert_eq!(net.height(1), stuck);
        net.world.reconnect(&lost, Link::default()).await.unwrap();
        net.reach(stuck + 40, &[0, 1, 2, 3]).await;
        net.agree();
    });
}
