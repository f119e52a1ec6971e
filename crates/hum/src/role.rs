//! `hum operator|publisher|relayer|watch`: a role in this process, from the files in its directory.
//!
//! ```text
//! DIR/role.json, keys/ ─▶ runtime ─▶ network ─▶ role ─▶ API
//!                            └── ends with the role, on Ctrl-C, or when standard input closes (--until-stdin-closes)
//! ```

use crate::{password::PasswordArgument, twin};
use commonware_runtime::{Metrics as _, Runner as _, Supervisor as _, tokio::Context};
use eyre::{WrapErr as _, bail, eyre};
use hum_bls::{OperatorId, PublicKey, SecretKey};
use hum_chain::{
    HeadSigner, LocalKey,
    beacon::BeaconNode,
    rpc::{FeePolicy, RpcChain, RpcLimits, RpcSubmit, SubmitPolicy},
    sequencer::RemoteSequencer,
};
use hum_consensus::{CommitteeError, PrivateKey, Signer as _, Tuning, real};
use hum_node::{
    api::{
        self, CommitteeView, Index, LeafProof, MemberView, OperatorStatus, OwnNodeView, Reports, RollupView,
        confidence_of,
    },
    config::{
        BatchData, DirectoryLock, KeyName, Member, MemberFile, Network, NetworkFile, OperatorConfig,
        PublisherConfig, RelayerConfig, RoleDirectory, SettlementEntry,
    },
    lookout::Lookout,
    membership::{L1Memberships, Memberships},
    operator::{Event, Events, OperatorHandle, Pace, Prepared, Reexecution, Setup, consensus_committee},
    own_node::{OwnNodes, StackNodes, publisher_source},
    publisher::{
        self, Identity, PublisherParts, PublisherSettings,
        batcher::{BatcherParts, BatcherSettings},
    },
    registry::{L1Registry, Registry},
    relayer::{self, Connect, Destination, RelayerParts, RelayerSettings},
    settlement::{L1Settlement, RpcNodes, Settlement},
    wire::{QUOTAS, Wires},
};
use hum_relay::Policy;
use hum_types::{B256, BlockRef, Confidence, RollupLeaf, SequencerKey, TimeMs};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap, io::Read as _, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc,
};
use tokio::signal::unix::{SignalKind, signal};

/// Threads of a publisher's, a relayer's and a watcher's runtime.
pub(crate) const THREADS: usize = 1;
/// The longest wait of a batcher between two attempts that fail.
const BATCHER_RETRY_MOST_MS: u64 = 30_000;

#[derive(Debug, clap::Args)]
pub(crate) struct RoleArguments {
    /// The role's directory: role.json, keys/, data/.
    #[arg(long)]
    dir: PathBuf,
    /// End when standard input closes: how a parent process makes sure that nothing outlives it.
    #[arg(long)]
    until_stdin_closes: bool,
    /// The file whose first line opens the keystores; asked for at a terminal when absent.
    // Not a flattened PasswordArgument: clap takes optional arguments for absent that have others flattened in them.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// A role's directory, taken by this process until it is dropped.
pub(crate) struct HeldDirectory {
    directory: RoleDirectory,
    _lock: DirectoryLock,
}

impl std::ops::Deref for HeldDirectory {
    type Target = RoleDirectory;

    fn deref(&self) -> &RoleDirectory {
        &self.directory
    }
}

impl RoleArguments {
    fn directory(&self) -> RoleDirectory {
        RoleDirectory::new(&self.dir)
    }

    /// Take the directory, before anything in it is touched, and open its keystores.
    pub(crate) fn hold(&self) -> eyre::Result<HeldDirectory> {
        let directory = self.directory();
        let lock = directory.lock()?;
        let password = PasswordArgument { password_file: self.password_file.clone() };
        Ok(HeldDirectory { directory: password.unlock(directory)?, _lock: lock })
    }

    /// Run until the role fails, Ctrl-C, SIGTERM, or the end of standard input.
    pub(crate) fn run<T>(
        &self,
        threads: usize,
        role: impl FnOnce(Context) -> T + Send + 'static,
    ) -> eyre::Result<ExitCode>
    where
        T: Future<Output = eyre::Result<()>> + Send + 'static,
    {
        let tied = self.until_stdin_closes;
        real::runner(&self.directory().data(), threads).start(|context| async move {
            let stdin = async {
                if !tied {
                    return std::future::pending().await;
                }
                // A thread, because reading standard input cannot be cancelled.
                let (closed, wait) = tokio::sync::oneshot::channel();
                std::thread::spawn(move || {
                    let _ = std::io::stdin().read_to_end(&mut Vec::new());
                    let _ = closed.send(());
                });
                let _ = wait.await;
            };
            let mut terminated = signal(SignalKind::terminate())?;
            let why = tokio::select! {
                ended = role(context) => {
                    if let Err(error) = &ended {
                        tracing::error!(%error, "ends");
                    }
                    ended?;
                    "its work has ended"
                }
                () = stdin => "its parent has gone",
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted?;
                    "Ctrl-C"
                }
                _ = terminated.recv() => "SIGTERM",
            };
            tracing::info!(why, "stops");
            Ok(ExitCode::SUCCESS)
        })
    }
}

pub(crate) fn transport(
    network: &Network,
    key: PrivateKey,
    listen: SocketAddr,
    private_addresses: bool,
) -> Result<real::Network, CommitteeError> {
    Ok(real::Network {
        key,
        listen,
        genesis: consensus_committee(network)?,
        term_heights: network.genesis.terms.heights(),
        operators: network
            .operators
            .iter()
            .map(|operator| real::Peer { key: operator.key.clone(), address: operator.entry.address })
            .collect(),
        operators_max: usize::from(network.operators_max),
        others: network
            .peers()
            .into_iter()
            .map(|(peer, key)| real::Peer { key, address: peer.address })
            .collect(),
        wires: QUOTAS.to_vec(),
        private_addresses,
    })
}

/// What a role says of itself, with the runtime's metrics.
pub(crate) struct Reported<F> {
    pub(crate) status: F,
    pub(crate) context: Context,
}

impl<F: Fn() -> Value + Send + Sync + 'static> Reports for Reported<F> {
    fn status(&self) -> Value {
        (self.status)()
    }

    fn metrics(&self) -> String {
        self.context.encode()
    }
}

pub(crate) fn operator(arguments: &RoleArguments) -> eyre::Result<ExitCode> {
    let directory = arguments.hold()?;
    let config = OperatorConfig::load(&directory)?;
    let network = Arc::new(NetworkFile::load(&config.network)?);
    let network_key = directory.network_key()?;
    let key = SecretKey::from_secret(directory.read_key(KeyName::Bls)?).wrap_err("keys/bls.key")?;
    let index = Arc::new(Index::open(&directory.path().join("index.sqlite"))?);
    arguments.run(config.threads, move |context| async move {
        let judge = Arc::new(Reexecution::new(&network));
        let me = network_key.public_key();
        tracing::info!(
            network = %network.name,
            domain = %network.domain.0,
            key = %me,
            listen = %config.listen,
            api = %config.api,
            operators = network.operators.len(),
            rollups = network.members().len(),
            "operator starts"
        );
        let own = key.public_key();
        let setup = Setup {
            network: network.clone(),
            me: me.clone(),
            key,
            registry: registry(&network, config.l1_rpc.as_deref())?,
            settlement: settlement(&network, &config)?,
            memberships: memberships(&network, config.l1_rpc.as_deref())?,
            judge,
            nodes: own_nodes(&network, &config)?,
            partition: "operator".to_owned(),
            pace: Pace::default(),
        };
        let prepared = Prepared::new(context.child("hum"), setup).await?;
        let handle = prepared.handle();
        // Before anything happens: what the disk has is told again at the start, and the index must hear it.
        let events = handle.subscribe();
        let indexing = tokio::spawn(index_events(handle.clone(), events, network.clone(), index.clone()));
        let transport = transport(&network, network_key, config.listen, config.private_addresses)?;
        let running = real::start(
            context.child("network"),
            transport,
            "consensus".to_owned(),
            Tuning::default(),
            prepared.application(),
        )
        .await?;
        let (peers, presence) = (running.peers.clone(), running.presence.clone());
        let (archive, wires, consensus) = running.into_parts();
        let operator = prepared.run(archive, peers, Wires::try_from(wires)?);
        let status = {
            let (handle, network) = (handle.clone(), network.clone());
            move || status_of(&handle, &network, &own)
        };
        let reports = Arc::new(Reported { status, context: context.child("api") });
        let proofs: api::Proofs = {
            let (handle, domain) = (handle.clone(), network.domain);
            Arc::new(move |chain_id| LeafProof::newest(&handle, domain, chain_id))
        };
        let members: api::MembersFrom = {
            let (handle, network) = (handle.clone(), network.clone());
            Arc::new(move || {
                let known = handle.rollups().into_iter();
                let known = known.filter_map(|leaf| Some((network.member(leaf.chain_id)?, leaf.status)));
                known.map(|(member, status)| MemberView::new(&member, status)).collect()
            })
        };
        let apis: Vec<String> = network.operators.iter().map(|operator| operator.entry.api.clone()).collect();
        tokio::select! {
            _ = consensus => match presence.twin() {
                Some(twin) => Err(twin::sentence(&me, twin)),
                None => bail!("consensus stopped; the log says why"),
            },
            () = twin::look(&presence, &me, &apis) => bail!("nobody can be asked any more"),
            _ = operator.task => bail!("a part of the operator stopped; the log says which"),
            served = api::serve_operator(config.api, reports, index, presence.clone(), proofs, members) => Ok(served?),
            indexed = indexing => indexed?,
        }
    })
}

/// An operator's own nodes of rollups that nobody re-executes, where its file names any.
fn own_nodes(network: &Network, config: &OperatorConfig) -> eyre::Result<Option<Arc<dyn OwnNodes>>> {
    if config.nodes.is_empty() {
        return Ok(None);
    }
    let l1 = RpcChain::new(
        config.l1_rpc.as_deref().unwrap_or(&network.l1.rpc),
        network.l1.chain_id,
        RpcLimits::default(),
    )
    .wrap_err("RPC URL of the L1 node")?;
    let nodes = StackNodes::new(&config.nodes, Some(Arc::new(l1))).wrap_err("`nodes` of the role file")?;
    Ok(Some(Arc::new(nodes)))
}

/// A role's own L1 node, where the network has restaking contracts.
fn registry(network: &Network, rpc: Option<&str>) -> eyre::Result<Option<Arc<dyn Registry>>> {
    if network.restaking.is_none() {
        return Ok(None);
    }
    let chain = RpcChain::new(rpc.unwrap_or(&network.l1.rpc), network.l1.chain_id, RpcLimits::default())
        .wrap_err("RPC URL of the L1 node")?;
    Ok(Some(Arc::new(L1Registry::new(Arc::new(chain), network.service_manager, network.domain))))
}

/// Who joins and leaves on L1, as an operator's own node shows it, where the network names profiles of rollups.
fn memberships(network: &Network, rpc: Option<&str>) -> eyre::Result<Option<Arc<dyn Memberships>>> {
    let chain = RpcChain::new(rpc.unwrap_or(&network.l1.rpc), network.l1.chain_id, RpcLimits::default())
        .wrap_err("RPC URL of the L1 node")?;
    let memberships = L1Memberships::new(Arc::new(chain), network);
    Ok(memberships.map(|memberships| Arc::new(memberships) as Arc<dyn Memberships>))
}

/// What rollups settle on L1, as an operator's own node shows it, where any does or can come to.
fn settlement(network: &Network, config: &OperatorConfig) -> eyre::Result<Option<Arc<dyn Settlement>>> {
    let open = network.restaking.as_ref().is_some_and(|restaking| restaking.rollup_profiles.is_some());
    if !open && network.members().iter().all(|member| member.entry.settlement.is_none()) {
        return Ok(None);
    }
    let rpc = config.l1_rpc.as_ref().unwrap_or(&network.l1.rpc);
    let chain =
        RpcChain::new(rpc, network.l1.chain_id, RpcLimits::default()).wrap_err("RPC URL of the L1 node")?;
    let own = config.nodes.iter().map(|(chain_id, node)| (*chain_id, node.rpc().to_owned())).collect();
    let mut source = L1Settlement::new(Arc::new(chain), network).with_nodes(Arc::new(RpcNodes::new(own)));
    if let Some(url) = config.l1_beacon.as_ref().or(network.l1.beacon.as_ref()) {
        let beacon =
            BeaconNode::new(url, RpcLimits::default()).wrap_err("URL of the L1's beacon node (l1_beacon)")?;
        source = source.with_blobs(Arc::new(beacon));
    }
    Ok(Some(Arc::new(source)))
}

fn status_of(handle: &OperatorHandle, network: &Network, own: &PublicKey) -> Value {
    let certified = handle.certified();
    let certified_heads = handle.archive(|archive| {
        archive.state_at(certified).map(|state| {
            state
                .rollups()
                .map(|rollup| (rollup.params().chain_id, rollup.head().block.number))
                .collect::<std::collections::BTreeMap<_, _>>()
        })
    });
    let certified_heads = certified_heads.unwrap_or_default();
    let judging = handle.judging();
    let rollups: Vec<_> = handle
        .rollups()
        .into_iter()
        .map(|leaf| RollupView {
            chain_id: leaf.chain_id,
            name: network.member(leaf.chain_id).map(|member| member.entry.name.clone()).unwrap_or_default(),
            status: leaf.status,
            generation: leaf.generation,
            class: leaf.class,
            latest: leaf.heads[0].block,
            safe: settled(&leaf, Confidence::Safe),
            finalized: settled(&leaf, Confidence::Finalized),
            certified: certified_heads.get(&leaf.chain_id).copied().unwrap_or_default(),
            own_node: network
                .member(leaf.chain_id)
                .and_then(|member| OwnNodeView::new(&member, judging.get(&leaf.chain_id).cloned())),
        })
        .collect();
    let status = OperatorStatus {
        role: handle.status(),
        id: OperatorId::of(own.g1()),
        committee: CommitteeView::new(handle.seated().committee(), own, network.restaking.is_none()),
        finalised: handle.header().height,
        certified,
        rollups,
    };
    json!(status)
}

/// A head that L1 holds, when there is one: the part of a head that nobody has settled is all zero.
fn settled(leaf: &RollupLeaf, confidence: Confidence) -> Option<BlockRef> {
    let block = leaf.heads[confidence as usize].block;
    (block != BlockRef::default()).then_some(block)
}

/// Write what happens into the index, for people; after a gap, read what was missed.
async fn index_events(
    handle: OperatorHandle,
    mut events: Events,
    network: Arc<Network>,
    index: Arc<Index>,
) -> eyre::Result<()> {
    let mut certified = false;
    loop {
        while let Some(event) = events.recv().await {
            match event {
                Event::Finalised { checkpoint, messages, at } => {
                    let times = |number: u64, chain_id| {
                        let advance =
                            checkpoint.body.advances.iter().find(|advance| advance.chain_id == chain_id)?;
                        Some(advance.blocks.iter().find(|block| block.block.number == number)?.time_ms)
                    };
                    let rows: Vec<_> = messages
                        .iter()
                        .filter_map(|message| {
                            let member = network.member(message.source)?;
                            let confidence = confidence_of(&member.entry, message.lane.facade)?;
                            let sent: TimeMs = times(message.block.number, message.source)?;
                            Some((message.clone(), confidence, sent))
                        })
                        .collect();
                    index.finalised(&checkpoint, &rows, at)?;
                }
                Event::Certified { certificate, at } => {
                    if !std::mem::replace(&mut certified, true) {
                        tracing::info!(height = %certificate.height, "first certificate since the start");
                    }
                    index.certified(&certificate, at)?;
                }
                Event::Claimed { .. }
                | Event::Judged { .. }
                | Event::Attested { .. }
                | Event::Contradicted { .. }
                | Event::Signed { .. }
                | Event::Alarm { .. } => {}
            }
        }
        tracing::warn!("the index fell behind the operator and has a gap; it is filled at the next start");
        events = handle.subscribe();
    }
}

pub(crate) fn publisher(arguments: &RoleArguments) -> eyre::Result<ExitCode> {
    let directory = arguments.hold()?;
    let config = PublisherConfig::load(&directory)?;
    let network = NetworkFile::load(&config.network)?;
    if let Some(path) = &config.member {
        MemberFile::tell(path, &network).wrap_err_with(|| path.display().to_string())?;
    }
    let network_key = directory.network_key()?;
    let member = network
        .member(config.chain_id)
        .ok_or_else(|| eyre!("chain {} is no member of {}", config.chain_id, config.network.display()))?;
    let sequencer = member.entry.sequencer;
    let signer: Arc<dyn HeadSigner> = match &config.sequencer {
        Some(desk) => {
            let token = directory.read_key(KeyName::Desk)?;
            Arc::new(RemoteSequencer::new(desk, token.as_slice(), sequencer, network.domain)?)
        }
        None => {
            let key = SequencerKey::from_secret(directory.read_key(KeyName::Sequencer)?)
                .ok_or_else(|| eyre!("keys/sequencer.key is no secp256k1 key"))?;
            Arc::new(LocalKey::new(key, network.domain))
        }
    };
    let source =
        RpcChain::new(&config.rpc, config.chain_id, RpcLimits::default()).wrap_err("rpc in role.json")?;
    let batcher = batcher(&directory, &config, &network, member.entry.settlement)?;
    arguments.run(THREADS, move |context| async move {
        tracing::info!(
            network = %network.name,
            rollup = %member.entry.name,
            chain_id = %config.chain_id,
            node = %source.endpoint(),
            listen = %config.listen,
            api = %config.api,
            "publisher starts"
        );
        let transport = transport(&network, network_key, config.listen, config.private_addresses)?;
        let joined = real::join(context.child("network"), transport)?;
        let wires = Wires::try_from(joined.wires)?;
        let identity = Identity {
            chain_id: config.chain_id,
            registration: member.entry.registration,
            anchor: member.anchor.block(),
        };
        let operators = network.operators.iter().map(|operator| operator.key.clone()).collect();
        let settings = PublisherSettings::new(identity, operators);
        let registry = registry(&network, config.l1_rpc.as_deref())?;
        let lookout = Some(Lookout::new(&network, registry, Some(joined.peers)));
        let sources: Vec<Arc<dyn hum_chain::Chain>> = vec![publisher_source(&member, Arc::new(source))];
        let parts = PublisherParts { sources, signer, wire: wires.submit, lookout, batcher };
        let publisher = publisher::start(context.child("hum"), settings, parts).await?;
        let (view, times) = (publisher.watch(), publisher.watch_times());
        let status = move || json!(view());
        let reports = Arc::new(Reported { status, context: context.child("api") });
        tokio::select! {
            _ = joined.handle => bail!("the network stopped; the log says why"),
            ended = publisher.ended() => match ended {
                Some(error) => Err(error.into()),
                None => bail!("the publisher was aborted"),
            },
            served = api::serve_publisher(config.api, reports, Arc::new(times)) => Ok(served?),
        }
    })
}

/// What posts the rollup's batches, where the publisher's file says how.
fn batcher(
    directory: &RoleDirectory,
    config: &PublisherConfig,
    network: &Network,
    settlement: Option<SettlementEntry>,
) -> eyre::Result<Option<BatcherParts>> {
    let Some(batcher) = &config.batcher else { return Ok(None) };
    let Some(SettlementEntry::Batches { inbox, .. }) = settlement else {
        bail!("role.json has a batcher, but nothing says where the rollup's batches go");
    };
    let url = batcher.l1_rpc.as_ref().or(config.l1_rpc.as_ref()).unwrap_or(&network.l1.rpc);
    let l1 =
        RpcChain::new(url, network.l1.chain_id, RpcLimits::default()).wrap_err("the batcher's L1 URL")?;
    let submit = RpcSubmit::new(l1.clone(), directory.read_key(KeyName::Batcher)?, SubmitPolicy::default())
        .ok_or_else(|| eyre!("keys/batcher.key is no secp256k1 key"))?;
    // Who posts where nobody knows how to read it settles nothing.
    let data = match batcher.data {
        BatchData::Auto if network.l1.beacon.is_none() => BatchData::Calldata,
        chosen => chosen,
    };
    let settings = BatcherSettings {
        inbox,
        data,
        interval_ms: batcher.interval_ms,
        data_bytes_max: batcher.data_bytes_max,
        depth: batcher.depth,
        spend_cap_wei: batcher.spend_cap_wei,
        low_balance_wei: batcher.low_balance_wei,
        retry_most_ms: BATCHER_RETRY_MOST_MS,
    };
    Ok(Some(BatcherParts { settings, l1: Arc::new(l1), submit: Arc::new(submit) }))
}

/// A member's chain as a relayer's account reaches it.
fn destination(member: &Member, account: B256, in_flight_max: usize) -> eyre::Result<Destination> {
    let entry = &member.entry;
    let chain = RpcChain::new(&entry.rpc, entry.chain_id, RpcLimits::default())
        .wrap_err_with(|| format!("the RPC URL of {}", entry.name))?;
    let submit_policy = SubmitPolicy { fees: FeePolicy::default(), in_flight_max, ..SubmitPolicy::default() };
    let submit = RpcSubmit::new(chain.clone(), account, submit_policy)
        .ok_or_else(|| eyre!("keys/account.key is no secp256k1 key"))?;
    Ok(Destination { chain: Arc::new(chain), submit: Arc::new(submit) })
}

pub(crate) fn relayer(arguments: &RoleArguments) -> eyre::Result<ExitCode> {
    let directory = arguments.hold()?;
    let config = RelayerConfig::load(&directory)?;
    let network = NetworkFile::load(&config.network)?;
    let network_key = directory.network_key()?;
    let account = directory.read_key(KeyName::Account)?;
    let policy = Policy {
        spend_cap_wei: config.spend_cap_wei,
        low_balance_wei: config.low_balance_wei,
        ..Policy::default()
    };
    let paying = SequencerKey::from_secret(account)
        .ok_or_else(|| eyre!("keys/account.key is no secp256k1 key"))?
        .address();
    for path in &config.members {
        MemberFile::tell(path, &network).wrap_err_with(|| path.display().to_string())?;
    }
    let (in_flight_max, wanted) = (policy.in_flight_max, config.destinations.clone());
    let mut destinations = BTreeMap::new();
    for member in network.members() {
        let chain_id = member.entry.chain_id;
        if wanted.as_ref().is_none_or(|wanted| wanted.contains(&chain_id)) {
            destinations.insert(chain_id, destination(&member, account, in_flight_max)?);
        }
    }
    if let Some(unknown) = wanted.iter().flatten().find(|id| !destinations.contains_key(*id)) {
        tracing::warn!(chain_id = %unknown, "no member yet: delivered to once it has joined");
    }
    let connect: Connect = Box::new(move |member| {
        let chain_id = member.entry.chain_id;
        if wanted.as_ref().is_some_and(|wanted| !wanted.contains(&chain_id)) {
            return None;
        }
        let connected = destination(member, account, in_flight_max);
        connected.inspect_err(|error| tracing::warn!(%chain_id, %error, "not delivered to")).ok()
    });
    arguments.run(THREADS, move |context| async move {
        tracing::info!(
            network = %network.name,
            destinations = destinations.len(),
            account = %paying,
            listen = %config.listen,
            api = %config.api,
            "relayer starts"
        );
        let transport = transport(&network, network_key, config.listen, config.private_addresses)?;
        let joined = real::join(context.child("network"), transport)?;
        let wires = Wires::try_from(joined.wires)?;
        let settings = RelayerSettings::new(&network, policy);
        let registry = registry(&network, config.l1_rpc.as_deref())?;
        let lookout = Some(Lookout::new(&network, registry, Some(joined.peers)));
        let parts = RelayerParts {
            destinations,
            connect: Some(connect),
            fetch: wires.fetch,
            feed: wires.feed,
            lookout,
        };
        let relayer = relayer::start(&context.child("hum"), settings, parts)?;
        let view = relayer.watch();
        let status = move || json!(view());
        let reports = Arc::new(Reported { status, context: context.child("api") });
        tokio::select! {
            _ = joined.handle => bail!("the network stopped; the log says why"),
            ended = relayer.ended() => match ended {
                Some(error) => Err(error.into()),
                None => bail!("the relayer was aborted"),
            },
            served = api::serve(config.api, reports) => Ok(served?),
        }
    })
}
