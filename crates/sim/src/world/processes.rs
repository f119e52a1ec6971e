//! Starting, ending and troubling the processes of a world.

use super::{
    Action, ChainFault, Context, Process, Stage, World, WorldError,
    cast::{OWNER, Rollup, relayer_name},
    config::Dice,
    l1::{self, L1Node},
    skew::Skewed,
};
use crate::chain::{SimAccount, SimNode, dev_key};
use commonware_runtime::{Clock as _, Handle, Spawner as _, Supervisor as _};
use futures::future::try_join_all;
use hum_chain::LocalKey;
use hum_consensus::{PrivateKey, PublicKey, Recipients, Signer as _, Tuning, WireSender, simulated};
use hum_node::{
    lookout::Lookout,
    membership::Memberships,
    operator::{Operator, OperatorHandle, Pace, Prepared, Setup, consensus_committee},
    publisher::{self, Identity, PublisherHandle, PublisherParts, PublisherSettings},
    registry::Registry,
    relayer::{self, Destination, RelayerParts, RelayerSettings},
    runtime,
    settlement::Settlement,
    wire::{PublisherMessage, QUOTAS, Submission, Wires},
};
use hum_relay::Policy;
use hum_types::{ChainId, Encode as _, HeadClaim};
use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

pub(super) struct RunningOperator {
    pub(super) operator: Operator,
    pub(super) engine: Handle<()>,
}

pub(super) struct RunningPublisher {
    pub(super) handle: PublisherHandle,
    /// To say something in its name.
    mouth: WireSender,
}

impl World {
    /// Make the network, deploy the contracts unless an earlier run did, and start every process.
    pub(super) async fn start(context: Context, stage: Arc<Stage>) -> Result<Self, WorldError> {
        let (cast, config) = (&stage.cast, &stage.config);
        let committee = consensus_committee(&cast.network)
            .map_err(|error| WorldError::Operator { index: 0, source: Box::new(error.into()) })?;
        let layout = simulated::Layout {
            operators: cast.operator_keys(),
            operators_max: usize::from(cast.network.operators_max),
            term_heights: cast.network.genesis.terms.heights(),
            ..simulated::Layout::fixed(committee, cast.others(), QUOTAS.to_vec(), config.link)
        };
        let net = simulated::World::new(&context, layout).await?;
        let mut world = Self {
            operators: (0..config.operators).map(|_| None).collect(),
            publishers: (0..config.rollups).map(|_| None).collect(),
            relayers: (0..config.relayers).map(|_| None).collect(),
            idle: Vec::new(),
            context,
            stage: stage.clone(),
            net,
        };
        for index in 0..cast.rollups.len() {
            world.start_chain(index);
            world.start_poster(index);
        }
        if stage.begun_ms.load(Ordering::Relaxed) == 0 {
            world.deploy().await?;
        }
        for process in world.processes().into_iter().filter(|process| !config.absent.contains(process)) {
            world.start_process(process).await?;
        }
        Ok(world)
    }

    fn processes(&self) -> Vec<Process> {
        let operators = (0..self.operators.len()).map(Process::Operator);
        let publishers = (0..self.publishers.len()).map(Process::Publisher);
        let relayers = (0..self.relayers.len()).map(Process::Relayer);
        operators.chain(publishers).chain(relayers).collect()
    }

    /// Do what the plan says.
    pub(super) async fn act(&mut self, action: Action) -> Result<(), WorldError> {
        match action {
            Action::Kill(process) => self.kill(process),
            Action::Start(process) => self.start_process(process).await?,
            Action::LoseDisk(process) => *self.lost_disks().entry(process).or_default() += 1,
            Action::RestoreDisk(process) => {
                let mut lost = self.lost_disks();
                let disk = lost.entry(process).or_default();
                *disk = disk.saturating_sub(1);
            }
            Action::CutOff(process) => self.net.isolate(&self.key(process)).await?,
            Action::Reconnect(process) => {
                self.net.reconnect(&self.key(process), self.stage.config.link).await?;
            }
            Action::Chain(index, fault) => self.disturb(index, fault),
            // The world's owner sees to it.
            Action::PowerCut => {}
        }
        Ok(())
    }

    fn key(&self, process: Process) -> PublicKey {
        let cast = &self.stage.cast;
        match process {
            Process::Operator(index) => &cast.operators[index].network,
            Process::Publisher(index) => &cast.rollups[index].publisher,
            Process::Relayer(index) => &cast.relayers[index],
        }
        .public_key()
    }

    /// End a process as a crash would.
    fn kill(&mut self, process: Process) {
        match process {
            Process::Operator(index) => {
                if let Some(running) = self.operators[index].take() {
                    running.engine.abort();
                    running.operator.abort();
                }
            }
            Process::Publisher(index) => {
                drop(self.publishers[index].take().inspect(|running| running.handle.abort()))
            }
            Process::Relayer(index) => drop(self.relayers[index].take().inspect(|running| running.abort())),
        }
    }

    async fn start_process(&mut self, process: Process) -> Result<(), WorldError> {
        match process {
            Process::Operator(index) => self.start_operator(index).await,
            Process::Publisher(index) => self.start_publisher(index).await,
            Process::Relayer(index) => self.start_relayer(index).await,
        }
    }

    /// A context and a name for one run of a process.
    fn run_of(&self, process: Process) -> (Context, String) {
        let run = self.stage.runs.fetch_add(1, Ordering::Relaxed);
        let (kind, index) = match process {
            Process::Operator(index) => ("operator", index),
            Process::Publisher(index) => ("publisher", index),
            Process::Relayer(index) => ("relayer", index),
        };
        let context = self.context.child(kind).with_attribute("index", index).with_attribute("run", run);
        self.stage.trace.note(&context, format_args!("{process} starts"));
        (context, format!("{process}, run {run}"))
    }

    fn lost_disks(&self) -> MutexGuard<'_, BTreeMap<Process, u64>> {
        self.stage.lost_disks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a process keeps what it must not forget.
    fn disk(&self, process: Process) -> String {
        let lost = self.lost_disks().get(&process).copied().unwrap_or(0);
        format!("{process}-{lost}").replace(' ', "-")
    }

    async fn start_operator(&mut self, index: usize) -> Result<(), WorldError> {
        let process = Process::Operator(index);
        let (context, who) = self.run_of(process);
        let stage = self.stage.clone();
        let keys = &stage.cast.operators[index];
        let disk = self.disk(process);
        let registry = self.registry(&context, Some(index));
        let setup = Setup {
            memberships: self.memberships(&context, index),
            // Nobody learns of a member through the memory of another process.
            network: Arc::new(stage.cast.network.apart()),
            me: keys.network.public_key(),
            key: keys.bls.clone(),
            registry,
            settlement: self.settlement(&context, index),
            judge: stage.judge.clone(),
            nodes: None,
            partition: disk.clone(),
            pace: Pace::default(),
        };
        let skew = stage.config.skewed.iter().find(|(operator, _)| *operator == index);
        let clock = Skewed::new(context.child("node"), skew.map_or(0, |(_, ahead_ms)| *ahead_ms));
        let prepared = Prepared::new(clock, setup)
            .await
            .map_err(|source| WorldError::Operator { index, source: Box::new(source) })?;
        let events = prepared.handle().subscribe();
        stage.books.follow(context.child("books"), who.clone(), events, stage.trace.clone());
        let (key, partition) = (keys.network.clone(), format!("{disk}-consensus"));
        let (application, tuning) = (prepared.application(), Tuning::default());
        let running = self.net.start(context.child("engine"), key, partition, tuning, application).await?;
        let peers = running.peers.clone();
        let (archive, wires, engine) = running.into_parts();
        let mut wires = Wires::try_from(wires)?;
        wires.gossip = wires.gossip.tapped(stage.books.hear_operator(who, index));
        let operator = prepared.run(archive, peers, wires);
        self.operators[index] = Some(RunningOperator { operator, engine });
        Ok(())
    }

    async fn start_publisher(&mut self, index: usize) -> Result<(), WorldError> {
        let process = Process::Publisher(index);
        let (context, who) = self.run_of(process);
        let stage = self.stage.clone();
        let rollup = &stage.cast.rollups[index];
        let wires = self.join(&rollup.publisher).await?;
        let mouth = wires.submit.sender.clone();
        let identity = Identity {
            chain_id: rollup.chain.chain_id(),
            registration: rollup.registration,
            anchor: rollup.chain.genesis_block(),
        };
        let parts = PublisherParts {
            sources: vec![Arc::new(self.node(rollup, &context))],
            signer: Arc::new(LocalKey::new(rollup.sequencer.clone(), stage.cast.network.domain)),
            wire: wires.submit.tapped(stage.books.hear_publisher(who)),
            lookout: self.lookout(&context),
            batcher: None,
        };
        let first = stage.cast.network.operators.iter().map(|seat| seat.key.clone()).collect();
        let mut settings = PublisherSettings::new(identity, first);
        settings.partition = self.disk(process);
        let handle = publisher::start(context, settings, parts)
            .await
            .map_err(|source| WorldError::Publisher { index, source: Box::new(source) })?;
        self.publishers[index] = Some(RunningPublisher { handle, mouth });
        self.idle.extend([wires.gossip, wires.fetch, wires.feed]);
        Ok(())
    }

    async fn start_relayer(&mut self, index: usize) -> Result<(), WorldError> {
        let (context, _) = self.run_of(Process::Relayer(index));
        let stage = self.stage.clone();
        let wires = self.join(&stage.cast.relayers[index]).await?;
        let name = relayer_name(index);
        let destinations = stage.cast.rollups.iter().map(|rollup| {
            let chain = Arc::new(self.node(rollup, &context));
            let submit = Arc::new(self.account(rollup, &name, &context));
            (rollup.chain.chain_id(), Destination { chain, submit })
        });
        let destinations: BTreeMap<ChainId, Destination> = destinations.collect();
        let settings = RelayerSettings::new(&stage.cast.told(), Policy::default());
        let lookout = self.lookout(&context);
        let parts =
            RelayerParts { destinations, connect: None, fetch: wires.fetch, feed: wires.feed, lookout };
        self.relayers[index] = Some(relayer::start(&context, settings, parts)?);
        self.idle.extend([wires.submit, wires.gossip]);
        Ok(())
    }

    /// The L1 node of an operator, or of a process that does not order.
    fn registry(&self, context: &Context, operator: Option<usize>) -> Option<Arc<dyn Registry>> {
        let (stage, clock) = (self.stage.clone(), context.child("l1"));
        self.stage.cast.network.restaking.as_ref()?;
        Some(Arc::new(L1Node { stage, clock, operator }))
    }

    /// The same node, asked for what rollups post.
    fn settlement(&self, context: &Context, operator: usize) -> Option<Arc<dyn Settlement>> {
        let (stage, clock) = (self.stage.clone(), context.child("posted"));
        self.stage.config.posting.as_ref()?;
        Some(Arc::new(L1Node { stage, clock, operator: Some(operator) }))
    }

    /// The same node, asked for who comes and goes.
    fn memberships(&self, context: &Context, operator: usize) -> Option<Arc<dyn Memberships>> {
        let (stage, clock) = (self.stage.clone(), context.child("moved"));
        self.stage.config.joining.as_ref()?;
        Some(Arc::new(L1Node { stage, clock, operator: Some(operator) }))
    }

    /// Let a rollup post its blocks, out of step with the others, unless it is one that does not.
    fn start_poster(&self, index: usize) {
        let stage = self.stage.clone();
        let Some(posting) = stage.config.posting.clone().filter(|posting| !posting.silent.contains(&index))
        else {
            return;
        };
        let offset = Dice(stage.config.seed).below(&format!("offset of poster {index}"), posting.every_ms);
        let context = self.context.child("poster").with_attribute("index", index);
        context.spawn(move |context| async move {
            context.sleep(Duration::from_millis(offset)).await;
            loop {
                if let Some(last) = l1::post(&stage, index, &context, posting.depth) {
                    stage.trace.note(&context, format_args!("chain {index} posted up to {last}"));
                }
                context.sleep(Duration::from_millis(posting.every_ms)).await;
            }
        });
    }

    /// Who the operators are, for a process that does not order. The simulated network connects everybody.
    fn lookout(&self, context: &Context) -> Option<Lookout> {
        Some(Lookout::new(&self.stage.cast.network, self.registry(context, None), None))
    }

    async fn join(&self, key: &PrivateKey) -> Result<Wires, WorldError> {
        Ok(Wires::try_from(self.net.join(&key.public_key()).await?)?)
    }

    fn latency(&self) -> Duration {
        Duration::from_millis(self.stage.config.node_latency_ms)
    }

    fn node(&self, rollup: &Rollup, context: &Context) -> SimNode<Context> {
        SimNode::new(rollup.chain.clone(), context.child("rpc"), self.latency())
    }

    pub(super) fn account(&self, rollup: &Rollup, name: &str, context: &Context) -> SimAccount<Context> {
        SimAccount::new(rollup.chain.clone(), dev_key(name), context.child("account"), self.latency())
    }

    fn operator_keys(&self) -> Vec<PublicKey> {
        self.stage.cast.operator_keys()
    }

    /// Let a chain make blocks, out of step with the others.
    fn start_chain(&self, index: usize) {
        let stage = self.stage.clone();
        let (chain, time_ms) = (stage.cast.rollups[index].chain.clone(), stage.config.block_time_ms);
        let offset = Dice(stage.config.seed).below(&format!("offset of chain {index}"), time_ms);
        let context = self.context.child("chain").with_attribute("index", index);
        context.spawn(move |context| async move {
            context.sleep(Duration::from_millis(offset)).await;
            loop {
                let block = chain.produce(runtime::now(&context).0 / 1_000).expect("the block builder works");
                stage.trace.note(&context, format_args!("chain {index} made {block:?}"));
                context.sleep(Duration::from_millis(time_ms)).await;
            }
        });
    }

    async fn deploy(&self) -> Result<(), WorldError> {
        let cast = &self.stage.cast;
        let all: Vec<_> =
            cast.rollups.iter().map(|rollup| (rollup.chain.chain_id(), rollup.registration)).collect();
        let sites: Vec<_> = cast
            .rollups
            .iter()
            .map(|rollup| {
                let mut sources = all.clone();
                sources.retain(|(chain_id, _)| *chain_id != rollup.chain.chain_id());
                (self.node(rollup, &self.context), self.account(rollup, OWNER, &self.context), sources)
            })
            .collect();
        let deployments = sites
            .iter()
            .map(|(node, owner, sources)| cast.deployment.deploy(node, owner, &cast.table, sources));
        try_join_all(deployments).await.map_err(Box::new)?;
        self.stage.trace.note(&self.context, "contracts deployed");
        Ok(())
    }

    fn disturb(&self, index: usize, fault: ChainFault) {
        let chain = &self.stage.cast.rollups[index].chain;
        match fault {
            ChainFault::Stall => chain.stall(true),
            ChainFault::Resume => chain.stall(false),
            ChainFault::Reorg(depth) => drop(chain.reorg(depth)),
            ChainFault::LieAboutState => chain.lie_about_state(),
            ChainFault::TakeBackLies => drop(chain.take_back_lies()),
            ChainFault::Equivocate => self.equivocate(index, false),
            ChainFault::EquivocateLate => self.equivocate(index, true),
            ChainFault::Garble(reads) => chain.garble(reads),
        }
    }

    /// Sign a sibling of the newest block, or of the newest finalised one, and send it to everyone.
    fn equivocate(&self, index: usize, late: bool) {
        let rollup = &self.stage.cast.rollups[index];
        let (chain_id, registration) = (rollup.chain.chain_id(), rollup.registration);
        let leaves = self.handles().flat_map(|handle| handle.rollups());
        let leaf =
            leaves.filter(|leaf| leaf.chain_id == chain_id).max_by_key(|leaf| leaf.heads[0].block.number);
        let finalised = leaf.as_ref().map_or(0, |leaf| leaf.heads[0].block.number);
        let number = if late { finalised } else { rollup.chain.head().number };
        let sibling = rollup.chain.equivocate(number).expect("the block builder works");
        if let (Some(leaf), Some(made), Some(publisher)) = (leaf, sibling, &self.publishers[index]) {
            let claim = HeadClaim { chain_id, registration, generation: leaf.generation, block: made.block };
            let submission = Submission {
                claim: claim.sign(self.stage.cast.network.domain, &rollup.sequencer),
                block: made.rlp,
                witness: made.witness.encode().into(),
            };
            let message = PublisherMessage::Submit(submission).encode();
            publisher.mouth.send(Recipients::Some(self.operator_keys()), message.into(), true);
        }
    }

    pub(super) fn handles(&self) -> impl Iterator<Item = OperatorHandle> + '_ {
        self.operators.iter().flatten().map(|running| running.operator.handle.clone())
    }

    /// What every process says of itself, for whoever looks into a run that went wrong.
    pub(super) fn statuses(&self) -> Vec<String> {
        let operators = self.handles().map(|handle| format!("{:?}", handle.status()));
        let publishers =
            self.publishers.iter().flatten().map(|running| format!("{:?}", running.handle.view()));
        let relayers = self.relayers.iter().flatten().map(|relayer| format!("{:?}", relayer.view()));
        operators.chain(publishers).chain(relayers).collect()
    }
}
