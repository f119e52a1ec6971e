//! Real sockets on the loopback interface, real disk.

use super::recorder::{Conduct, Record, Recorder, Schedule, keys};
use crate::{
    Committee, PeersError, PrivateKey, Recipients, Running, Signer as _, Tuning,
    real::{self, JoinError, Network, Peer},
};
use bytes::Bytes;
use commonware_runtime::{Clock as _, Runner as _, Supervisor as _, tokio::Context};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::{Duration, Instant, UNIX_EPOCH},
};

/// The tests run through several terms.
const TERM_HEIGHTS: u64 = 11;

/// The term in which a newcomer gets its seat.
const JOINS: u64 = 3;

fn peer((key, address): &(PrivateKey, SocketAddr)) -> Peer {
    Peer { key: key.public_key(), address: *address }
}

struct Loopback {
    /// Four, or five of which the last is not registered at the start.
    operators: Vec<(PrivateKey, SocketAddr)>,
    publisher: (PrivateKey, SocketAddr),
}

impl Loopback {
    fn new() -> Self {
        Self::of(4)
    }

    fn with_newcomer() -> Self {
        Self::of(5)
    }

    fn of(operators: u64) -> Self {
        // All held at once, so that all differ.
        let listeners: Vec<_> =
            (0..=operators).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
        let mut addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        let publisher = (PrivateKey::from_seed(900), addresses.pop().unwrap());
        Self { operators: keys(100, operators).into_iter().zip(addresses).collect(), publisher }
    }

    fn committee(&self) -> Committee {
        self.seats(0)
    }

    fn seats(&self, term: u64) -> Committee {
        let first = usize::from(self.operators.len() > 4 && term >= JOINS);
        let seated = &self.operators[first..first + 4];
        Committee::new([5; 32], seated.iter().map(|(key, _)| key.public_key())).unwrap()
    }

    fn network(&self, (key, listen): &(PrivateKey, SocketAddr)) -> Network {
        Network {
            key: key.clone(),
            listen: *listen,
            genesis: self.committee(),
            term_heights: TERM_HEIGHTS,
            operators_max: 5,
            operators: self.operators[..4].iter().map(peer).collect(),
            others: vec![peer(&self.publisher)],
            wires: vec![NonZeroU32::new(64).unwrap(); 2],
            private_addresses: true,
        }
    }

    async fn start(&self, context: &Context, index: usize, run: u64, record: &Arc<Mutex<Record>>) -> Running {
        let context = context.child("operator").with_attribute("index", index).with_attribute("run", run);
        let interval = Duration::from_millis(200);
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let clock = context.child("application");
            let committees = [0, JOINS].map(|term| self.seats(term));
            let schedule =
                Schedule::rotating(TERM_HEIGHTS, move |term| committees[usize::from(term >= JOINS)].clone());
            let schedule = Arc::new(schedule);
            let (record, conduct) = (record.clone(), Conduct::Honest);
            let recorder = Recorder { clock, interval, conduct, record, index, schedule };
            let network = self.network(&self.operators[index]);
            let partition = format!("operator-{index}");
            let started = real::start(
                context.child("process"),
                network,
                partition,
                Tuning::default(),
                Arc::new(recorder),
            );
            match started.await {
                Ok(running) => return running,
                // The aborted predecessor still holds the port.
                Err(JoinError::Listen { .. }) if Instant::now() < deadline => {
                    context.sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

async fn reach(context: &Context, height: u64, records: &[Arc<Mutex<Record>>]) {
    let deadline = Instant::now() + Duration::from_secs(120);
    let reached = |record: &Arc<Mutex<Record>>| record.lock().unwrap().chain.contains_key(&height);
    while !records.iter().all(reached) {
        assert!(Instant::now() < deadline, "height {height} was not reached");
        context.sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn operators_order_a_publisher_submits_and_a_restart_resumes() {
    let directory = std::env::temp_dir().join(format!("hum-consensus-loopback-{}", std::process::id()));
    real::runner(&directory, 2).start(|context| async move {
        let loopback = Loopback::new();
        let records: Vec<Arc<Mutex<Record>>> = (0..4).map(|_| Arc::default()).collect();
        let mut running = Vec::new();
        let begun = Instant::now();
        for (index, record) in records.iter().enumerate() {
            running.push(loopback.start(&context, index, 0, record).await);
        }
        reach(&context, 1, &records).await;
        println!("first height after {} ms", begun.elapsed().as_millis());

        let publisher =
            real::join(context.child("publisher"), loopback.network(&loopback.publisher)).unwrap();
        let message = Bytes::from(vec![6; 4 << 20]);
        let everyone: Vec<_> = loopback.operators.iter().map(|(key, _)| key.public_key()).collect();
        // The publisher connects in its own time: repeat until it is there.
        for (index, operator) in running.iter_mut().enumerate() {
            let sent = Instant::now();
            loop {
                let to = Recipients::One(everyone[index].clone());
                publisher.wires[1].sender.send(to, message.clone(), false);
                let received = operator.wires[1].receiver.recv();
                let pause = context.sleep(Duration::from_millis(500));
                futures::pin_mut!(received, pause);
                if let futures::future::Either::Left((Some((from, got)), _)) =
                    futures::future::select(received, pause).await
                {
                    assert!(from == loopback.publisher.0.public_key() && got == message);
                    break;
                }
            }
            println!("4 MiB to operator {index} within {} ms", sent.elapsed().as_millis());
        }

        reach(&context, 30, &records).await;
        running.remove(3).abort();
        let before = records[3].lock().unwrap().deliveries.len();
        let last = records[3].lock().unwrap().deliveries[before - 1];
        reach(&context, last + 10, &records[..3]).await;
        let restarted = Instant::now();
        let again = loopback.start(&context, 3, 1, &records[3]).await;
        reach(&context, last + 10, &records[3..]).await;
        println!("restarted operator caught up 10 heights within {} ms", restarted.elapsed().as_millis());
        reach(&context, last + 30, &records).await;
        let first = records[3].lock().unwrap().deliveries[before];
        assert!(first <= last + 1 && first + 16 > last, "resumed at {first} after {last}");
        assert!(again.archive.block(1).await.is_some());

        let mut chain = Vec::new();
        for record in &records {
            let record = record.lock().unwrap();
            let upto: Vec<_> = record.chain.values().take(last as usize + 30).cloned().collect();
            if chain.is_empty() {
                chain = upto;
            } else {
                assert!(chain == upto, "operators disagree");
            }
        }
        let mut latencies: Vec<u128> = Vec::new();
        let first_delivered = records[0].lock().unwrap();
        for block in chain.iter().skip(4) {
            let text = String::from_utf8(block.payload.to_vec()).unwrap();
            let proposed: u128 = text.rsplit(' ').next().unwrap().parse().unwrap();
            let delivered =
                first_delivered.times[&block.height].duration_since(UNIX_EPOCH).unwrap().as_micros();
            latencies.push(delivered.saturating_sub(proposed));
        }
        latencies.sort_unstable();
        let at = |per_cent: usize| latencies[latencies.len() * per_cent / 100] as f64 / 1_000.0;
        println!("proposed to finalised at one operator: p50 {:.1} ms, p95 {:.1} ms", at(50), at(95));
    });
    let _ = std::fs::remove_dir_all(directory);
}

/// A fifth operator registers while the network runs, gets a seat, and one of the first loses its own.
#[test]
fn an_operator_that_registers_later_gets_a_seat_over_sockets() {
    let directory = std::env::temp_dir().join(format!("hum-consensus-joins-{}", std::process::id()));
    real::runner(&directory, 2).start(|context| async move {
        let loopback = Loopback::with_newcomer();
        let records: Vec<Arc<Mutex<Record>>> = (0..5).map(|_| Arc::default()).collect();
        let mut running = Vec::new();
        for (index, record) in records.iter().enumerate().take(4) {
            running.push(loopback.start(&context, index, 0, record).await);
        }
        reach(&context, 5, &records[..4]).await;
        running.push(loopback.start(&context, 4, 0, &records[4]).await);
        let all: Vec<Peer> = loopback.operators.iter().map(peer).collect();
        for running in &running {
            running.peers.set_operators(all.clone()).unwrap();
        }
        let begun = Instant::now();
        let goal = 6 * TERM_HEIGHTS;
        reach(&context, goal, &records).await;
        println!("height {goal} after {} ms", begun.elapsed().as_millis());
        let record = records[1].lock().unwrap();
        let led = |index: usize, heights: std::ops::Range<u64>| {
            let key = loopback.operators[index].0.public_key();
            record.chain.range(heights).any(|(_, block)| block.proposer == key)
        };
        let switch = JOINS * TERM_HEIGHTS;
        assert!(!led(4, 0..switch) && led(4, switch..goal), "the fifth leads once it has a seat");
        assert!(led(0, 0..switch) && !led(0, switch..goal), "the first follows without one");
    });
    // Bounded disk: files of a term do not outlive it by more than two.
    let mut terms = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(&directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with("operator-1-simplex-") || name.starts_with("operator-1-cache-") {
            terms.insert(name);
        }
    }
    println!("files of terms: {terms:?}");
    assert!(terms.iter().filter(|name| name.contains("simplex")).count() <= 3, "{terms:?}");
    assert!(terms.len() <= 3 + 3 * 10 + 1, "{terms:?}");
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn a_process_that_is_not_listed_or_cannot_listen_is_told_so() {
    let directory = std::env::temp_dir().join(format!("hum-consensus-refused-{}", std::process::id()));
    real::runner(&directory, 1).start(|context| async move {
        let loopback = Loopback::new();
        let network = loopback.network(&loopback.publisher);

        let mut stranger = network.clone();
        stranger.key = PrivateKey::from_seed(901);
        let refused = real::join(context.child("stranger"), stranger);
        assert!(matches!(refused, Err(JoinError::Stranger(_))));

        let mut twice = network.clone();
        twice.others.push(twice.operators[0].clone());
        let refused = real::join(context.child("twice"), twice);
        assert!(matches!(refused, Err(JoinError::DuplicatePeer(_))));

        let mut short = network.clone();
        short.term_heights = 3;
        let refused = real::join(context.child("short"), short);
        assert!(matches!(refused, Err(JoinError::Term { given: 3 })));

        let mut crowded = network.clone();
        crowded.operators_max = 3;
        let refused = real::join(context.child("crowded"), crowded);
        assert!(matches!(refused, Err(JoinError::Peers(PeersError::TooMany { given: 4, max: 3 }))));

        let mut nobody = network.clone();
        (nobody.operators_max, nobody.operators) = (0, Vec::new());
        let refused = real::join(context.child("nobody"), nobody);
        assert!(matches!(refused, Err(JoinError::NoOperators)));

        let taken = TcpListener::bind(network.listen).unwrap();
        let refused = real::join(context.child("taken"), network.clone());
        assert!(matches!(refused, Err(JoinError::Listen { address, .. }) if address == network.listen));
        drop(taken);
    });
    let _ = std::fs::remove_dir_all(directory);
}
