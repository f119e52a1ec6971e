//! The whole stack, generic over the runtime: marshal, broadcast, backfill, archives, and Simplex term by term.

use crate::{
    Application, Archive, Committee, Digest, PrivateKey, PublicKey, Signer as _, Tuning, Wire,
    adapter::Adapter,
    block::Block,
    delivery::Delivery,
    peers::Peers,
    recall::{self, Presence, Recall},
    schemes::Schemes,
    terms::Terms,
};
use commonware_broadcast::buffered;
use commonware_consensus::{
    marshal::{
        self,
        core::Actor as Marshal,
        resolver::p2p as backfill,
        standard::{Deferred, Standard},
    },
    simplex::{self, scheme::ed25519::Scheme},
    types::{FixedEpocher, ViewDelta},
};
use commonware_cryptography::{Digested, certificate::Verifier as _};
use commonware_p2p::{
    Blocker, Receiver, Sender,
    utils::mux::{self, Builder as _, Muxer},
};
use commonware_parallel::Sequential;
use commonware_runtime::{Clock, Handle, Metrics, Spawner, Storage, buffer::paged::CacheRef};
use commonware_storage::{archive::prunable, translator::EightCap};
use commonware_utils::{NZU16, NZU32, NZU64, NZUsize, NonZeroDuration, channel::mpsc};
use rand_core::CryptoRng;
use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use thiserror::Error;

/// Channels of the engine, in the order of [`Channels`]' fields, with the messages per second and peer on each. Mailboxes
/// are allocated for a burst from every peer at once, so these are a few times what a view or a node that catches up
/// needs, not more.
pub(crate) const CHANNELS: [(u64, NonZeroU32); 6] = [
    (0, NZU32!(128)),
    (1, NZU32!(128)),
    (2, NZU32!(128)),
    (3, NZU32!(256)),
    (4, NZU32!(64)),
    (5, NZU32!(32)),
];

/// Heights in one file of the archive: about five hours at three blocks a second. Files stay open, so not fewer.
pub(crate) const ARCHIVE_SECTION: NonZeroU64 = NZU64!(65_536);

/// Views in one file of the short-lived caches.
const CACHE_SECTION: NonZeroU64 = NZU64!(256);

/// Blocks handed to the application before it has acknowledged the first of them.
const PENDING_ACKNOWLEDGEMENTS: usize = 16;

pub(crate) const MAILBOX: usize = 1_024;

/// Peers heard of in later terms that wait to be asked.
const AHEAD_MAX: usize = 64;

/// The channels of the engine.
pub(crate) struct Channels<S, R> {
    pub(crate) votes: (S, R),
    pub(crate) certificates: (S, R),
    pub(crate) resolver: (S, R),
    pub(crate) backfill: (S, R),
    pub(crate) broadcast: (S, R),
    pub(crate) recall: (S, R),
}

/// Fewest heights of a term: room for more than the closing height.
pub const TERM_HEIGHTS_MIN: u64 = 4;

/// What an engine needs besides its network.
pub(crate) struct Setup {
    pub(crate) genesis: Committee,
    pub(crate) term_heights: u64,
    pub(crate) peers: Peers,
    pub(crate) key: PrivateKey,
    pub(crate) partition: String,
    pub(crate) tuning: Tuning,
    pub(crate) application: Arc<dyn Application>,
}

/// A running operator. Dropping it leaves the tasks alive; [`Running::abort`] ends them all.
pub struct Running {
    /// Finalised blocks.
    pub archive: Archive,
    /// The operators that this one is connected with.
    pub peers: Peers,
    /// Who else runs under this key.
    pub presence: Presence,
    /// The node's own channels, in the order of the quotas it gave.
    pub wires: Vec<Wire>,
    pub(crate) handle: Handle<()>,
}

impl Running {
    /// Ends every task of this operator at its next `await`, as a crash would; what was not synced may be lost.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// Parts that different owners hold: archive, wires and a future that resolves when the engine has stopped. In a healthy
    /// operator it never has: the process should then exit and start anew.
    pub fn into_parts(self) -> (Archive, Vec<Wire>, Handle<()>) {
        (self.archive, self.wires, self.handle)
    }
}

/// Largest message that the network must carry.
pub(crate) fn max_message(seats: usize) -> u32 {
    let seats = u32::try_from(seats).unwrap_or(u32::MAX);
    commonware_p2p::max_message_size(&[
        // Muxed by term.
        mux::prefixed(simplex::max_payload_size::<Scheme, Digest>(seats)),
        marshal::max_payload_size::<Standard<Block>, Scheme>(seats, &()),
        crate::MAX_MESSAGE,
    ])
}

pub(crate) fn milliseconds(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// At least one millisecond: a zero would be a configuration that asks for the impossible.
pub(crate) fn positive(ms: u64) -> NonZeroDuration {
    NonZeroDuration::new_panic(milliseconds(ms.max(1)))
}

fn archive_config<C>(
    prefix: &str,
    name: &str,
    cache: CacheRef,
    codec_config: C,
) -> prunable::Config<EightCap, C> {
    prunable::Config {
        translator: EightCap,
        metadata_partition: format!("{prefix}-{name}-metadata"),
        key_partition: format!("{prefix}-{name}-key"),
        key_page_cache: cache,
        value_partition: format!("{prefix}-{name}-value"),
        compression: None,
        codec_config,
        items_per_section: ARCHIVE_SECTION,
        key_write_buffer: NZUsize!(1 << 16),
        value_write_buffer: NZUsize!(1 << 18),
        replay_buffer: NZUsize!(1 << 16),
    }
}

/// Why an engine cannot start.
#[derive(Debug, Error)]
#[error("cannot open the archive of {name} in partition {partition}: {source}")]
pub struct StorageError {
    /// Which archive.
    pub name: &'static str,
    /// The files' common prefix.
    pub partition: String,
    /// What the storage said.
    pub source: Box<commonware_storage::archive::Error>,
}

fn storage_error(
    name: &'static str,
    partition: &str,
    source: commonware_storage::archive::Error,
) -> StorageError {
    StorageError { name, partition: partition.to_owned(), source: Box::new(source) }
}

/// Starts everything as children of `context`; returns what others hold of it and the engine's handle. Files that marshal or
/// Simplex itself cannot read end the task with a panic: an operator that forgot its votes must not vote.
pub(crate) async fn start<E, B, S, R>(
    context: &E,
    setup: Setup,
    blocker: B,
    channels: Channels<S, R>,
) -> Result<(Archive, Presence, Handle<()>), StorageError>
where
    E: Clock + CryptoRng + Spawner + Storage + Metrics + Send + Sync + 'static,
    B: Blocker<PublicKey = PublicKey> + Sync,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    let Setup { genesis, term_heights, peers, key, partition, tuning, application } = setup;
    let me = key.public_key();
    let seats = peers.seats();
    let pages = CacheRef::new(NZU16!(4_096), NZUsize!(1_024));

    let resolver = backfill::init(
        context.child("backfill"),
        backfill::Config {
            public_key: me.clone(),
            peer_provider: seats.clone(),
            blocker: blocker.clone(),
            mailbox_size: NZUsize!(MAILBOX),
            fetch_timeout: positive(tuning.fetch_timeout_ms),
            fetch_retry_delay: milliseconds(tuning.fetch_retry_ms),
            priority_requests: false,
            priority_responses: false,
        },
        seats.narrow(&me, channels.backfill),
    );
    let (broadcast, buffer) = buffered::Engine::new(
        context.child("broadcast"),
        buffered::Config {
            public_key: me.clone(),
            mailbox_size: NZUsize!(MAILBOX),
            deque_size: 16,
            // Consensus must not queue behind a publisher's witness.
            priority: true,
            codec_config: (),
            peer_provider: seats.clone(),
            strategy: Sequential,
        },
    );
    broadcast.start(seats.narrow(&me, channels.broadcast));

    let finalizations = prunable::Archive::init(
        context.child("finalizations"),
        archive_config(
            &partition,
            "finalizations",
            pages.clone(),
            Scheme::certificate_codec_config_unbounded(),
        ),
    )
    .await
    .map_err(|source| storage_error("finalizations", &partition, source))?;
    let blocks = prunable::Archive::init(
        context.child("blocks"),
        archive_config(&partition, "blocks", pages.clone(), ()),
    )
    .await
    .map_err(|source| storage_error("blocks", &partition, source))?;

    let (genesis_block, genesis_digest) = (genesis.genesis_block(), genesis.genesis());
    let epocher = FixedEpocher::new(
        NonZeroU64::new(term_heights.max(TERM_HEIGHTS_MIN)).expect("the minimum is positive"),
    );
    let schemes = Schemes::default();
    let (marshal, mailbox, floor) = Marshal::<_, Standard<Block>, _, _, _, _, _>::init(
        context.child("marshal"),
        finalizations,
        blocks,
        marshal::Config {
            provider: schemes.clone(),
            epocher: epocher.clone(),
            start: marshal::Start::Genesis(Digested::precomputed(genesis_block, genesis_digest)),
            partition_prefix: partition.clone(),
            mailbox_size: NZUsize!(MAILBOX),
            // What it reaches back into earlier terms it counts in whole terms, each with files of its own.
            view_retention: ViewDelta::new(tuning.retained_views.min(term_heights / 2)),
            prunable_items_per_section: CACHE_SECTION,
            page_cache: pages.clone(),
            replay_buffer: NZUsize!(1 << 16),
            key_write_buffer: NZUsize!(1 << 16),
            value_write_buffer: NZUsize!(1 << 18),
            block_codec_config: (),
            max_repair: NZUsize!(32),
            max_pending_acks: NZUsize!(PENDING_ACKNOWLEDGEMENTS),
            strategy: Sequential,
        },
    )
    .await;
    let processed = floor.processed().map_or(0, |processed| processed.height().get());
    let (tip, delivered) = (Arc::new(AtomicU64::new(processed)), Arc::new(AtomicU64::new(0)));
    let archive = Archive::new(mailbox.clone(), tip.clone(), delivered.clone());
    let (delivery, _) =
        Delivery::start(context.child("delivery"), application.clone(), tip.clone(), delivered);
    let deferred =
        Deferred::new(context.child("deferred"), Adapter(application.clone()), mailbox.clone(), epocher);
    marshal.start(delivery, buffer, resolver);

    let muxed = |name, channel| {
        let (sender, receiver) = seats.narrow(&me, channel);
        Muxer::builder(context.child(name), sender, receiver)
    };
    let (votes_mux, votes, astray) = muxed("votes", channels.votes).with_backup().build();
    let (certificates_mux, certificates) = muxed("certificates", channels.certificates).build();
    let (resolver_mux, resolver) = muxed("resolver", channels.resolver).build();
    votes_mux.start();
    certificates_mux.start();
    resolver_mux.start();

    let (ahead, spoken) = mpsc::channel(AHEAD_MAX);
    let clock = context.child("presence");
    let Wire { sender: wire, receiver: heard } = Wire::new(seats.narrow(&me, channels.recall));
    let mut random = context.child("instance");
    let instance = random.next_u64();
    let recall = Recall::new(recall::Parts {
        namespace: genesis.namespace(b"hum/presence/1"),
        instance,
        now: Box::new(move || clock.current()),
        seats_max: peers.max(),
        key: key.clone(),
        wire,
        ahead,
    });
    let presence = Presence(recall.clone());
    let serving = recall.clone();
    context.child("recall").spawn(move |clock| serving.serve(clock, heard));

    let terms = context.child("terms").spawn(move |context| {
        let terms = Terms {
            recall,
            engines: 0,
            spoken,
            context,
            blocker,
            key,
            genesis,
            term_heights,
            partition,
            tuning,
            application,
            peers,
            schemes,
            marshal: mailbox,
            deferred,
            pages,
            tip,
            votes,
            certificates,
            resolver,
            astray,
        };
        terms.run(processed)
    });
    Ok((archive, presence, terms))
}
