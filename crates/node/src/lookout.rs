//! Who the operators are now, for roles that do not order: publishers and relayers.
//!
//! ```text
//! network file ──first──▶ ┌─────────┐ ──everyone──▶ transport: whom to be connected with
//! own L1 node ──listed──▶ │ Lookout │ ──everyone──▶ role: whom to send to, whom to ask
//! replay ──────signing──▶ └─────────┘ ──seats─────▶ publisher: whose word counts
//! ```
//!
//! Invariants: there is always somebody; an L1 node that does not answer, or answers with nobody, takes nobody away; who
//! signs stays, listed or not; a peer adds nobody.

use crate::{
    config::Network,
    registry::{self, Registered, Registry, RestakingError},
    runtime::now,
};
use commonware_runtime::{
    Clock, Handle, Metrics, Spawner,
    telemetry::metrics::{Gauge, MetricsExt as _},
};
use commonware_utils::sync::Mutex;
use hum_consensus::{Peer, Peers, PublicKey};
use hum_types::{L1Origin, Roster, TimeMs};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

/// Time between two looks at L1.
const LOOK_EVERY_MS: u64 = 4_000;
/// How long an operator stays that L1 no longer lists: its committee may have its term until then.
const LINGER_MS: u64 = 600_000;
/// How long the first look may fail until the network file's operators are good enough to begin with.
const FIRST_LOOK_MS: u64 = 30_000;
/// Time without an answer after which people should look.
const SILENCE_MS: u64 = 60_000;

type Addresses = BTreeMap<PublicKey, SocketAddr>;

/// The operators of the moment. Clones are the same.
#[derive(Debug, Clone)]
pub struct Lookout(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Option<Arc<dyn Registry>>,
    peers: Option<Peers>,
    operators_max: usize,
    linger_ms: u64,
    state: Mutex<State>,
}

/// How many there are, for people.
#[derive(Debug)]
struct Gauges {
    operators: Gauge,
    seats: Gauge,
}

#[derive(Debug)]
struct State {
    /// Rises with every change.
    version: u64,
    /// Whether L1 was asked, or is not worth waiting for.
    ready: bool,
    /// The seats that L1 selected last; before it was asked, those of the network file.
    seats: Addresses,
    /// Everyone whom L1 listed last, seated or registered.
    listed: Addresses,
    /// Who was listed before, and since when no more.
    gone: BTreeMap<PublicKey, (SocketAddr, TimeMs)>,
    /// Of the committees that sign, as replayed.
    signing: Addresses,
    /// What went wrong and nobody was told yet.
    trouble: Option<String>,
    /// Once it looks at L1.
    gauges: Option<Gauges>,
}

impl State {
    /// Let people see how many there are.
    fn show(&self) {
        if let Some(gauges) = &self.gauges {
            let clamp = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
            gauges.operators.set(clamp(self.everyone().len()));
            gauges.seats.set(clamp(self.seats.len()));
        }
    }

    fn everyone(&self) -> Addresses {
        let gone = self.gone.iter().map(|(key, (address, _))| (key.clone(), *address));
        let mut all: Addresses = gone.collect();
        // The newest word on an address counts, which is L1's.
        all.extend(self.signing.clone());
        all.extend(self.seats.clone());
        all.extend(self.listed.clone());
        all
    }
}

/// The block and the snapshot that were looked at last.
#[derive(Debug, Clone, Copy)]
struct Known {
    head: L1Origin,
    snapshot: Option<u64>,
}

/// What one look at L1 showed.
struct Look {
    known: Known,
    registered: Vec<Registered>,
    /// The newest snapshot, when it is another than the one known.
    selected: Option<Roster>,
}

impl Lookout {
    /// The network file's operators to begin with; then those that `registry`, the role's own L1 node, lists, and `peers`
    /// is kept connected with them. Without a registry they stay for ever.
    #[must_use]
    pub fn new(network: &Network, registry: Option<Arc<dyn Registry>>, peers: Option<Peers>) -> Self {
        let first = network.operators.iter().map(|seat| (seat.key.clone(), seat.entry.address)).collect();
        Self::of(first, usize::from(network.operators_max), registry, peers, LINGER_MS)
    }

    fn of(
        first: Addresses,
        operators_max: usize,
        registry: Option<Arc<dyn Registry>>,
        peers: Option<Peers>,
        linger_ms: u64,
    ) -> Self {
        let state = State {
            version: 0,
            ready: registry.is_none(),
            seats: first,
            listed: Addresses::new(),
            gone: BTreeMap::new(),
            signing: Addresses::new(),
            trouble: None,
            gauges: None,
        };
        Self(Arc::new(Inner { registry, peers, operators_max, linger_ms, state: Mutex::new(state) }))
    }

    /// Rises whenever [`Self::everyone`] or [`Self::seats`] changes.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.state.lock().version
    }

    /// Whether L1 was asked who the operators are, or has failed for so long that it is not waited for any more.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.state.lock().ready
    }

    /// Everyone to be connected with: those who sign or were selected first, then all others. Anybody can register, so
    /// nothing follows from being among them.
    #[must_use]
    pub fn everyone(&self) -> Vec<PublicKey> {
        let state = self.0.state.lock();
        let first: BTreeSet<&PublicKey> = state.signing.keys().chain(state.seats.keys()).collect();
        let all = state.everyone();
        let others = all.keys().filter(|key| !first.contains(key));
        first.iter().copied().chain(others).cloned().collect()
    }

    /// The seats that L1 selected last.
    #[must_use]
    pub fn seats(&self) -> BTreeSet<PublicKey> {
        self.0.state.lock().seats.keys().cloned().collect()
    }

    /// What went wrong since this was last asked, for people.
    pub(crate) fn take_trouble(&self) -> Option<String> {
        self.0.state.lock().trouble.take()
    }

    /// These committees sign, or have just signed: they stay, whatever L1 says.
    pub fn sign<'a>(&self, rosters: impl IntoIterator<Item = &'a Roster>) {
        let signing = rosters.into_iter().flat_map(addresses_of).collect();
        self.change(|state| state.signing = signing);
    }

    /// Look at L1 for ever, as a child of `context`. Without a registry there is nothing to do.
    pub(crate) fn start<E: Spawner + Clock + Metrics>(&self, context: &E) -> Option<Handle<()>> {
        let registry = self.0.registry.clone()?;
        let lookout = self.clone();
        Some(context.child("lookout").spawn(move |context| lookout.look_out(context, registry)))
    }

    async fn look_out<E: Clock + Metrics>(self, context: E, registry: Arc<dyn Registry>) {
        let operators = context.gauge("operators", "operators to be connected with, who left lately too");
        let seats = context.gauge("seats", "seats that L1 selected last");
        {
            let mut state = self.0.state.lock();
            state.gauges = Some(Gauges { operators, seats });
            state.show();
        }
        let (mut known, mut answered, mut down) = (None, now(&context), false);
        let began = answered;
        loop {
            match look(registry.as_ref(), known).await {
                Ok(look) => {
                    (answered, down) = (now(&context), false);
                    self.0.state.lock().ready = true;
                    if let Some(look) = look {
                        known = Some(look.known);
                        self.list(look, answered);
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "own L1 node");
                    let at = now(&context);
                    let mut state = self.0.state.lock();
                    state.ready |= at.0.saturating_sub(began.0) >= FIRST_LOOK_MS;
                    if !down && at.0.saturating_sub(answered.0) >= SILENCE_MS {
                        down = true;
                        let what =
                            "own L1 node has not answered for a minute: operators that join are not found";
                        state.trouble = Some(format!("{what}: {error}"));
                    }
                }
            }
            context.sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
        }
    }

    /// Take in what L1 showed.
    fn list(&self, look: Look, at: TimeMs) {
        let registered: Addresses = look
            .registered
            .iter()
            .filter_map(|entry| registry::peer(entry.network_key, &entry.endpoint))
            .map(|peer| (peer.key, peer.address))
            .collect();
        let selected = look.selected.map(|roster| addresses_of(&roster).collect::<Addresses>());
        let selected = selected.filter(|selected| !selected.is_empty());
        let linger_ms = self.0.linger_ms;
        self.change(|state| {
            let mut before = std::mem::take(&mut state.listed);
            before.extend(state.seats.clone());
            state.seats = selected.unwrap_or_else(|| std::mem::take(&mut state.seats));
            // An operator that moved is registered with its new address, whatever the snapshot was read with.
            state.listed = state.seats.clone();
            state.listed.extend(registered);
            for (key, address) in before {
                state.gone.entry(key).or_insert((address, at));
            }
            let listed = &state.listed;
            state.gone.retain(|key, (_, since)| {
                !listed.contains_key(key) && at.0.saturating_sub(since.0) < linger_ms
            });
        });
    }

    /// Change something; tell the transport when that changes who is an operator.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.state.lock();
        let before = (state.everyone(), state.seats.clone());
        change(&mut state);
        // There is no room for those who left when there is none for those who are here.
        while state.everyone().len() > self.0.operators_max
            && let Some(key) =
                state.gone.iter().min_by_key(|(_, (_, since))| *since).map(|(key, _)| key.clone())
        {
            state.gone.remove(&key);
        }
        let everyone = state.everyone();
        if (&everyone, &state.seats) == (&before.0, &before.1) {
            return;
        }
        state.version += 1;
        state.show();
        tracing::info!(operators = everyone.len(), seats = state.seats.len(), "operators have changed");
        if let Some(peers) = &self.0.peers {
            let everyone = everyone.into_iter().map(|(key, address)| Peer { key, address });
            if let Err(error) = peers.set_operators(everyone.collect()) {
                state.trouble = Some(format!("not connected with every operator: {error}"));
            }
        }
    }
}

/// Ask L1 who is an operator; `None` when it has nothing newer than what is known, or nobody.
async fn look(registry: &dyn Registry, known: Option<Known>) -> Result<Option<Look>, RestakingError> {
    let head = registry.finalised().await?;
    if known.is_some_and(|known| head.number <= known.head.number) {
        return Ok(None);
    }
    let registered = registry.registered(head).await?;
    let newest = registry.newest(head).await?;
    let before = known.and_then(|known| known.snapshot);
    let selected = match newest.filter(|newest| before != Some(newest.index)) {
        Some(newest) => Some(registry.roster(newest, head).await?),
        None => None,
    };
    if registered.is_empty() && newest.is_none() {
        return Ok(None);
    }
    let known = Known { head, snapshot: newest.map(|newest| newest.index).or(before) };
    Ok(Some(Look { known, registered, selected }))
}

fn addresses_of(roster: &Roster) -> impl Iterator<Item = (PublicKey, SocketAddr)> + '_ {
    let peers = roster.entries.iter().filter_map(|entry| registry::peer(entry.network_key, &entry.endpoint));
    peers.map(|peer| (peer.key, peer.address))
}

#[cfg(test)]
pub(crate) mod tests;
