//! An application that writes down what it is given.

use crate::{Application, Committee, Digest, Fault, Ordered, PrivateKey, Recalling, Signer as _, Slot};
use bytes::Bytes;
use commonware_runtime::Clock;
use futures::{
    FutureExt as _,
    channel::oneshot,
    future::{self, BoxFuture},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How an operator behaves when it leads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Conduct {
    Honest,
    /// Honest, with large payloads.
    Laden,
    /// Passes every turn.
    Silent,
    /// Proposes what nobody accepts.
    Garbage,
    /// Leads honestly, but never has the data to judge what the others propose.
    Undecided,
}

/// A checkpoint with a few hundred heads.
const LADEN_BYTES: usize = 100_000;

pub(super) const GARBAGE: &[u8] = b"garbage";

/// What survives a restart, and what was seen.
#[derive(Default)]
pub(super) struct Record {
    pub(super) chain: BTreeMap<u64, Ordered>,
    /// When each height was first delivered.
    pub(super) times: BTreeMap<u64, SystemTime>,
    /// Heights in the order of delivery, repetitions included.
    pub(super) deliveries: Vec<u64>,
    pub(super) faults: Vec<Fault>,
    pub(super) recalled: Vec<Recalling>,
    pub(super) proposed: BTreeMap<u64, SystemTime>,
    pub(super) verified: BTreeSet<Digest>,
    /// Most ancestors handed over in one call.
    pub(super) ancestors: usize,
    /// Who waits for which height to be delivered.
    waiting: Vec<(u64, oneshot::Sender<()>)>,
}

/// Who holds seats when, and when that becomes known.
pub(super) struct Schedule {
    pub(super) term_heights: u64,
    pub(super) committee: Box<dyn Fn(u64) -> Committee + Send + Sync>,
    /// How long after the end of the term before an operator (by index) learns of a term's committee.
    pub(super) delay: Box<dyn Fn(usize, u64) -> Duration + Send + Sync>,
}

impl Schedule {
    /// The same seats in every term, known at once.
    pub(super) fn fixed(committee: Committee, term_heights: u64) -> Self {
        Self::rotating(term_heights, move |_| committee.clone())
    }

    /// Other seats in every term, known at once.
    pub(super) fn rotating(
        term_heights: u64,
        committee: impl Fn(u64) -> Committee + Send + Sync + 'static,
    ) -> Self {
        let delay = Box::new(|_, _| Duration::ZERO);
        Self { term_heights, committee: Box::new(committee), delay }
    }
}

pub(super) struct Recorder<E> {
    pub(super) clock: E,
    pub(super) interval: Duration,
    pub(super) conduct: Conduct,
    pub(super) record: Arc<Mutex<Record>>,
    pub(super) index: usize,
    pub(super) schedule: Arc<Schedule>,
}

impl<E> Recorder<E> {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap()
    }

    fn check_ancestors(&self, ancestors: &[Ordered], parent: Digest, height: u64) {
        let mut record = self.record();
        record.ancestors = record.ancestors.max(ancestors.len());
        for pair in ancestors.windows(2) {
            assert_eq!((pair[1].parent, pair[1].height), (pair[0].digest, pair[0].height + 1));
        }
        match ancestors.last() {
            Some(last) => assert_eq!((parent, height), (last.digest, last.height + 1)),
            None => assert!(height == 1 || record.verified.contains(&parent)),
        }
        if let Some(first) = ancestors.first() {
            assert!(first.height == 1 || record.verified.contains(&first.parent));
        }
    }
}

impl<E: Clock + Send + Sync + 'static> Application for Recorder<E>
where
    E: commonware_runtime::Supervisor,
{
    fn propose(&self, slot: Slot, ancestors: Vec<Ordered>) -> BoxFuture<'static, Option<Bytes>> {
        self.check_ancestors(&ancestors, slot.parent, slot.height);
        let clock = self.clock.child("propose");
        let (interval, conduct, record) = (self.interval, self.conduct, self.record.clone());
        async move {
            clock.sleep(interval).await;
            let now = clock.current();
            match conduct {
                Conduct::Honest | Conduct::Laden | Conduct::Undecided => {
                    record.lock().unwrap().proposed.insert(slot.height, now);
                    let since = now.duration_since(UNIX_EPOCH).unwrap().as_micros();
                    let mut payload = format!("{} {} {since}", slot.height, slot.view).into_bytes();
                    if conduct == Conduct::Laden {
                        payload.resize(LADEN_BYTES, b' ');
                    }
                    Some(payload.into())
                }
                Conduct::Silent => None,
                Conduct::Garbage => Some(Bytes::from_static(GARBAGE)),
            }
        }
        .boxed()
    }

    fn verify(&self, ancestors: Vec<Ordered>, block: Ordered) -> BoxFuture<'static, bool> {
        self.check_ancestors(&ancestors, block.parent, block.height);
        let valid = block.payload != GARBAGE;
        if valid {
            let mut record = self.record();
            record.verified.extend(ancestors.iter().map(|ancestor| ancestor.digest));
            record.verified.insert(block.digest);
        }
        if self.conduct == Conduct::Undecided {
            return future::pending().boxed();
        }
        async move { valid }.boxed()
    }

    fn known(&self, digest: &Digest) -> bool {
        self.record().verified.contains(digest)
    }

    fn finalized(&self, block: Ordered) -> BoxFuture<'static, ()> {
        let (clock, record) = (self.clock.child("finalized"), self.record.clone());
        async move {
            let mut record = record.lock().unwrap();
            if let Some(seen) = record.chain.get(&block.height) {
                assert_eq!(seen, &block, "two blocks at one height");
            }
            let now = clock.current();
            record.deliveries.push(block.height);
            record.times.entry(block.height).or_insert(now);
            record.verified.insert(block.digest);
            let height = block.height;
            record.chain.insert(height, block);
            record.waiting.retain(|(waits_for, _)| *waits_for > height);
        }
        .boxed()
    }

    fn term(&self, term: u64) -> BoxFuture<'static, Committee> {
        let (schedule, clock) = (self.schedule.clone(), self.clock.child("term"));
        let delay = (schedule.delay)(self.index, term);
        let delivered = {
            let mut record = self.record();
            let closing = (term * schedule.term_heights).saturating_sub(1);
            (closing > 0 && !record.chain.contains_key(&closing)).then(|| {
                let (sender, delivered) = oneshot::channel();
                record.waiting.push((closing, sender));
                delivered
            })
        };
        async move {
            if let Some(delivered) = delivered {
                // Dropped when the height is delivered.
                let _ = delivered.await;
            }
            if !delay.is_zero() {
                clock.sleep(delay).await;
            }
            (schedule.committee)(term)
        }
        .boxed()
    }

    fn fault(&self, fault: Fault) {
        self.record().faults.push(fault);
    }

    fn recalling(&self, stands: Recalling) {
        self.record().recalled.push(stands);
    }
}

/// Keys of `count` processes, ascending by public key.
pub(super) fn keys(first_seed: u64, count: u64) -> Vec<PrivateKey> {
    let mut keys: Vec<PrivateKey> = (first_seed..first_seed + count).map(PrivateKey::from_seed).collect();
    keys.sort_by_key(|key| key.public_key());
    keys
}
