use super::*;
use commonware_runtime::{Runner as _, deterministic};
use futures::{FutureExt as _, future::BoxFuture};
use hum_bls::OperatorId;
use hum_chain::ReadError;
use hum_consensus::{PrivateKey, Signer as _};
use hum_types::{Address, B256, RosterEntry, Stake, TimeS};

use crate::registry::SnapshotRecord;

#[derive(Debug, Default)]
struct Page {
    block: u64,
    /// Numbers of snapshots rise from 0.
    snapshot: u64,
    seats: Vec<u64>,
    registered: Vec<u64>,
    down: bool,
}

/// An L1 node that shows what a test wrote down. Operators are the seeds of their keys.
#[derive(Debug, Default)]
pub(crate) struct FakeL1(Mutex<Page>);

impl FakeL1 {
    pub(crate) fn new(seats: impl IntoIterator<Item = u64>) -> Arc<Self> {
        let l1 = Self::default();
        let seats: Vec<u64> = seats.into_iter().collect();
        *l1.0.lock() = Page { block: 1, registered: seats.clone(), seats, ..Page::default() };
        Arc::new(l1)
    }

    fn turn(&self, change: impl FnOnce(&mut Page)) {
        let mut page = self.0.lock();
        page.block += 1;
        change(&mut page);
    }

    /// Everyone who is registered, seats or not.
    pub(crate) fn register(&self, registered: impl IntoIterator<Item = u64>) {
        self.turn(|page| page.registered = registered.into_iter().collect());
    }

    /// The committee of a new snapshot.
    pub(crate) fn select(&self, seats: impl IntoIterator<Item = u64>) {
        self.turn(|page| {
            page.snapshot += 1;
            page.seats = seats.into_iter().collect();
        });
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.0.lock().down = down;
    }

    fn page<T>(&self, read: impl FnOnce(&Page) -> T) -> BoxFuture<'_, Result<T, RestakingError>>
    where
        T: Send + 'static,
    {
        let page = self.0.lock();
        let down = ReadError::Timeout { method: "any", after_ms: 1 };
        let answer = if page.down { Err(down.into()) } else { Ok(read(&page)) };
        async { answer }.boxed()
    }
}

pub(crate) fn key(seed: u64) -> PublicKey {
    PrivateKey::from_seed(seed).public_key()
}

fn endpoint(seed: u64) -> SocketAddr {
    ([127, 0, 0, 1], 10_000 + u16::try_from(seed).unwrap()).into()
}

fn network_key(seed: u64) -> B256 {
    B256::from_slice(key(seed).as_ref())
}

fn roster(seats: &[u64]) -> Roster {
    let entry = |seed: &u64| RosterEntry {
        operator: Address::ZERO,
        key_g1: alloy_primitives::FixedBytes::ZERO,
        key_g2: alloy_primitives::FixedBytes::ZERO,
        possession: alloy_primitives::FixedBytes::ZERO,
        network_key: network_key(*seed),
        endpoint: endpoint(*seed).into(),
        stake: Stake(1),
    };
    Roster { valid_until: TimeS(1), entries: seats.iter().map(entry).collect() }
}

impl Registry for FakeL1 {
    fn finalised(&self) -> BoxFuture<'_, Result<L1Origin, RestakingError>> {
        self.page(|page| L1Origin { number: page.block, hash: B256::with_last_byte(page.block as u8) })
    }

    fn hash_of(&self, _: u64) -> BoxFuture<'_, Result<Option<B256>, RestakingError>> {
        self.page(|_| None)
    }

    fn newest(&self, _: L1Origin) -> BoxFuture<'_, Result<Option<SnapshotRecord>, RestakingError>> {
        self.page(|page| {
            (!page.seats.is_empty()).then_some(SnapshotRecord {
                index: page.snapshot,
                table_hash: B256::ZERO,
                l1_block: page.block,
                valid_until: TimeS(1),
                seats: page.seats.len() as u16,
            })
        })
    }

    fn roster(&self, _: SnapshotRecord, _: L1Origin) -> BoxFuture<'_, Result<Roster, RestakingError>> {
        self.page(|page| roster(&page.seats))
    }

    fn registered(&self, _: L1Origin) -> BoxFuture<'_, Result<Vec<Registered>, RestakingError>> {
        self.page(|page| {
            let entry = |seed: &u64| Registered {
                operator: Address::ZERO,
                id: OperatorId(B256::ZERO),
                network_key: network_key(*seed),
                endpoint: endpoint(*seed).into(),
            };
            page.registered.iter().map(entry).collect()
        })
    }
}

/// What a lingering operator is given in tests.
pub(crate) const LINGER_MS: u64 = 20_000;

/// A lookout that begins with these operators.
pub(crate) fn lookout(first: impl IntoIterator<Item = u64>, l1: &Arc<FakeL1>) -> Lookout {
    let first = first.into_iter().map(|seed| (key(seed), endpoint(seed))).collect();
    Lookout::of(first, 6, Some(l1.clone()), None, LINGER_MS)
}

fn keys(seeds: impl IntoIterator<Item = u64>) -> BTreeSet<PublicKey> {
    seeds.into_iter().map(key).collect()
}

fn all(lookout: &Lookout) -> BTreeSet<PublicKey> {
    lookout.everyone().into_iter().collect()
}

fn run<F: Future<Output = ()>>(test: impl FnOnce(deterministic::Context) -> F) {
    deterministic::Runner::timed(Duration::from_secs(3_600)).start(test);
}

async fn wait(context: &deterministic::Context, ms: u64) {
    context.sleep(Duration::from_millis(ms)).await;
}

#[test]
fn who_joins_is_found_and_who_leaves_lingers_for_a_while() {
    run(|context| async move {
        let l1 = FakeL1::new(0..4);
        let lookout = lookout(0..4, &l1);
        lookout.start(&context);
        wait(&context, 100).await;
        let version = lookout.version();
        assert!(lookout.is_ready());

        l1.register(0..5);
        wait(&context, LOOK_EVERY_MS).await;
        assert_eq!((all(&lookout), lookout.seats()), (keys(0..5), keys(0..4)), "registered, not seated");
        assert!(lookout.version() > version);

        l1.register(1..5);
        wait(&context, LOOK_EVERY_MS).await;
        assert_eq!(all(&lookout), keys(0..5), "the newest committee still has it");
        l1.select(1..5);
        wait(&context, LOOK_EVERY_MS).await;
        assert_eq!((all(&lookout), lookout.seats()), (keys(0..5), keys(1..5)), "its term may not be over");
        wait(&context, LINGER_MS).await;
        l1.register(1..5);
        wait(&context, LOOK_EVERY_MS).await;
        assert_eq!(all(&lookout), keys(1..5));
    });
}

#[test]
fn who_signs_stays_and_comes_first() {
    run(|context| async move {
        let l1 = FakeL1::new(4..6);
        let lookout = lookout(0..4, &l1);
        lookout.sign([&roster(&[0, 1])]);
        lookout.start(&context);
        wait(&context, LINGER_MS).await;
        l1.register([4, 5, 9]);
        wait(&context, 2 * LOOK_EVERY_MS).await;
        assert_eq!(all(&lookout), keys([0, 1, 4, 5, 9]));
        assert_eq!(lookout.everyone().last(), Some(&key(9)));
        lookout.sign([&roster(&[4, 5])]);
        assert_eq!(all(&lookout), keys([4, 5, 9]));
    });
}

#[test]
fn an_l1_node_that_fails_takes_nobody_away() {
    run(|context| async move {
        let l1 = FakeL1::new(0..4);
        l1.set_down(true);
        let lookout = lookout(0..4, &l1);
        lookout.start(&context);
        wait(&context, FIRST_LOOK_MS - LOOK_EVERY_MS).await;
        assert!(!lookout.is_ready());
        wait(&context, 2 * LOOK_EVERY_MS).await;
        assert!(lookout.is_ready(), "not waited for any longer");
        assert_eq!((all(&lookout), lookout.take_trouble()), (keys(0..4), None));
        wait(&context, SILENCE_MS).await;
        assert!(lookout.take_trouble().is_some_and(|what| what.contains("has not answered")));
        wait(&context, SILENCE_MS).await;
        assert_eq!(lookout.take_trouble(), None, "said once");

        l1.set_down(false);
        l1.register(0..5);
        wait(&context, LOOK_EVERY_MS).await;
        assert_eq!(all(&lookout), keys(0..5));
        l1.register([7]);
        l1.set_down(true);
        wait(&context, 10 * LINGER_MS).await;
        assert_eq!(all(&lookout), keys(0..5), "the last known");
    });
}

#[test]
fn an_l1_node_that_shows_nobody_takes_nobody_away() {
    run(|context| async move {
        let l1 = FakeL1::new([]);
        let lookout = lookout(0..4, &l1);
        lookout.start(&context);
        wait(&context, 3 * LINGER_MS).await;
        assert_eq!((all(&lookout), lookout.seats()), (keys(0..4), keys(0..4)));
    });
}

#[test]
fn those_who_left_make_room() {
    run(|context| async move {
        let l1 = FakeL1::new(2..6);
        let lookout = lookout(0..4, &l1);
        lookout.start(&context);
        wait(&context, 100).await;
        assert_eq!(all(&lookout), keys(0..6), "six have room");
        l1.register(2..7);
        wait(&context, LOOK_EVERY_MS).await;
        let now = all(&lookout);
        assert!(now.len() == 6 && now.is_superset(&keys(2..7)), "{now:?}");
    });
}
