//! Two processes of one key, and peers that see one of them each.

use super::{presence::Alive, *};
use crate::Digest as BlockDigest;
use commonware_codec::Read as _;
use commonware_consensus::simplex::types::Notarize;
use std::{collections::VecDeque, time::UNIX_EPOCH};

type Sent = Arc<Mutex<VecDeque<(usize, Recipients, Bytes)>>>;

/// Processes by place; `links` says whose sessions each keeps.
struct Town {
    sent: Sent,
    clock: Arc<Mutex<SystemTime>>,
    processes: Vec<(PublicKey, Recall)>,
    links: Vec<(usize, usize)>,
}

impl Town {
    fn new() -> Self {
        let clock = Arc::new(Mutex::new(UNIX_EPOCH + Duration::from_secs(1_000_000)));
        Self { sent: Sent::default(), clock, processes: Vec::new(), links: Vec::new() }
    }

    /// Starts a process of the key from this seed, and returns its place.
    fn start(&mut self, seed: u64, links: &[usize]) -> usize {
        let place = self.processes.len();
        let (sent, clock) = (self.sent.clone(), self.clock.clone());
        let key = PrivateKey::from_seed(seed);
        let recall = Recall::new(Parts {
            namespace: b"town".to_vec(),
            instance: 1_000 - place as u64,
            now: Box::new(move || *clock.lock()),
            seats_max: 4,
            wire: WireSender::caught(move |to, message| sent.lock().push_back((place, to, message))),
            ahead: mpsc::channel(4).0,
            key: key.clone(),
        });
        self.processes.push((key.public_key(), recall));
        self.links.extend(links.iter().map(|other| (place, *other)));
        place
    }

    fn end(&mut self, place: usize) {
        self.links.retain(|(one, other)| *one != place && *other != place);
    }

    fn linked(&self, one: usize, other: usize) -> bool {
        self.links.contains(&(one, other)) || self.links.contains(&(other, one))
    }

    /// Time passes, and everybody hears what is said.
    fn pass(&mut self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(BEAT);
            left -= step;
            *self.clock.lock() += step;
            for (_, recall) in &self.processes {
                recall.beat();
            }
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        for turn in 0.. {
            let Some((from, to, message)) = self.sent.lock().pop_front() else { return };
            assert!(turn < 10_000, "a storm");
            for (place, (key, recall)) in self.processes.iter().enumerate() {
                let meant = match &to {
                    Recipients::All => true,
                    Recipients::One(one) => one == key,
                    Recipients::Some(some) => some.contains(key),
                };
                if meant && self.linked(from, place) {
                    recall.hear(&self.processes[from].0, Message::decode(message.clone(), 4).unwrap());
                }
            }
        }
    }

    fn twin(&self, place: usize) -> Option<Twin> {
        Presence(self.processes[place].1.clone()).twin()
    }
}

#[test]
fn of_two_processes_with_one_key_the_younger_stops_whichever_peers_they_reach() {
    // The second reaches a peer that the first does not, or one that it does reach too.
    for reached in [1, 0] {
        let mut town = Town::new();
        let first_peer = town.start(1, &[]);
        let second_peer = town.start(2, &[first_peer]);
        let old = town.start(9, &[first_peer]);
        town.pass(Duration::from_secs(60));
        assert_eq!(town.twin(old), None);
        let young = town.start(9, &[[first_peer, second_peer][reached]]);
        town.pass(Duration::from_secs(10));
        let twin = town.twin(young).expect("it knows");
        assert!(twin.up >= Duration::from_secs(60), "{twin:?}");
        assert_eq!((town.twin(old), town.twin(first_peer), town.twin(second_peer)), (None, None, None));
    }
}

#[test]
fn processes_that_start_together_do_not_both_stop() {
    let mut town = Town::new();
    let (one_peer, other_peer) = (town.start(1, &[]), town.start(2, &[0]));
    let (one, other) = (town.start(9, &[one_peer]), town.start(9, &[other_peer]));
    town.pass(Duration::from_secs(10));
    assert!(town.twin(one).is_some() != town.twin(other).is_some());
}

#[test]
fn a_process_that_ended_stops_nobody() {
    let mut town = Town::new();
    let (one_peer, other_peer) = (town.start(1, &[]), town.start(2, &[0]));
    let old = town.start(9, &[one_peer, other_peer]);
    town.pass(Duration::from_secs(30));
    // Peers still take its connection for alive.
    town.end(old);
    let new = town.start(9, &[one_peer, other_peer]);
    town.pass(Duration::from_secs(30));
    assert_eq!(town.twin(new), None);
}

#[test]
fn a_sign_comes_over_any_way_and_only_for_who_asked() {
    let mut town = Town::new();
    let peer = town.start(1, &[]);
    let old = town.start(9, &[peer]);
    town.pass(Duration::from_secs(60));
    let young = town.start(9, &[]);
    let (presence, asked) =
        (Presence(town.processes[young].1.clone()), Presence(town.processes[peer].1.clone()));
    assert!(presence.alone() && !asked.alone());
    let key = PrivateKey::from_seed(9).public_key();
    let mut call = Box::pin(asked.call(key.clone(), presence.instance()));
    assert!((&mut call).now_or_never().is_none());
    town.deliver();
    let sign = call.now_or_never().expect("an answer").expect("a sign");
    // Somebody else's sign, or one for another process, is none.
    let (stranger, other) = (town.start(8, &[]), town.start(9, &[]));
    let stranger = Presence(town.processes[stranger].1.clone());
    stranger.hear(sign.clone());
    let other = Presence(town.processes[other].1.clone());
    other.hear(sign.clone());
    assert!(stranger.twin().is_none() && other.twin().is_none());
    for place in 0..sign.len() {
        let mut bad = sign.to_vec();
        bad[place] ^= 1;
        presence.hear(bad.into());
        assert_eq!(presence.twin(), None, "byte {place}");
    }
    presence.hear(sign.slice(1..));
    presence.hear(Bytes::new());
    assert_eq!(presence.twin(), None);
    presence.hear(sign);
    assert!(presence.twin().is_some());
    assert_eq!(town.twin(old), None);
    // Its own API can be asked as well.
    let own = Presence(town.processes[old].1.clone());
    town.pass(Duration::from_secs(1));
    assert!(own.call(key, 5).now_or_never().flatten().is_some());
}

#[test]
fn a_flood_of_calls_makes_no_larger_one() {
    let mut town = Town::new();
    let peer = town.start(1, &[]);
    let victim = town.start(9, &[peer]);
    town.pass(Duration::from_secs(4));
    let key = town.processes[victim].0.clone();
    for instance in 0..1_000 {
        let attacker = PrivateKey::from_seed(3).public_key();
        town.processes[peer].1.hear(&attacker, Message::Call { key: key.clone(), instance });
        town.processes[victim].1.hear(&attacker, Message::Call { key: key.clone(), instance });
    }
    assert!(town.sent.lock().len() <= 3, "{} messages", town.sent.lock().len());
}

#[test]
fn a_message_survives_its_encoding_and_nothing_else_does() {
    let key = PrivateKey::from_seed(9);
    let messages = [
        Message::Ask { term: 7, instance: 8 },
        Message::Call { key: key.public_key(), instance: 3 },
        Message::Alive(Alive::sign(b"town", &key, 1, Duration::from_secs(2), 3)),
        Message::Answer(Box::new(Answer {
            asked: 7,
            present: 8,
            whole: true,
            votes: Vec::new(),
            certificate: None,
            finalization: None,
        })),
    ];
    for message in messages {
        let bytes = message.encode();
        let again = Message::decode(bytes.clone(), 4).unwrap();
        assert_eq!(format!("{again:?}"), format!("{message:?}"));
        assert!(Message::decode(bytes.slice(..bytes.len() - 1), 4).is_err());
        assert!(Message::decode([bytes.as_ref(), &[0]].concat().into(), 4).is_err());
    }
    assert!(Message::decode(vec![9].into(), 4).is_err());
    assert!(Message::decode(vec![0; (1 << 18) + 1].into(), 4).is_err());
    assert!(Notarize::<Scheme, BlockDigest>::read_cfg(&mut Bytes::new(), &()).is_err());
}
