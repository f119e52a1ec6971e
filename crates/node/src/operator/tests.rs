//! Whole operators on a simulated network, with scripted rollups.

mod chain;
mod faults;
mod flow;
mod judging;
mod settlement;

use super::*;
use crate::{
    config::{
        NetworkFile, PeerRole,
        tests::fixture::{bls_key, network_file, network_key, publisher_key},
    },
    wire::{PublisherMessage, PublisherReply, QUOTAS, Submission},
};
use chain::{Believer, Chain};
use commonware_runtime::{Clock as _, Metrics as _, Runner as _, Supervisor as _, deterministic};
use hum_consensus::{
    PrivateKey, Recipients, Signer as _, Tuning,
    simulated::{Layout, Link, World},
};
use hum_types::{ChainId, Encode as _, Height, RollupStatus};
use std::{collections::BTreeMap, time::Duration};

const A: ChainId = ChainId(901);
const B: ChainId = ChainId(902);

/// Operators, their world, and a publisher that does as it is told.
struct Net {
    context: deterministic::Context,
    world: World,
    network: Arc<Network>,
    keys: Vec<PrivateKey>,
    running: Vec<Option<(Handle<()>, Operator)>>,
    submit: hum_consensus::Wire,
    /// Where rollups settle, when they do.
    l1: Option<Arc<settlement::ScriptedL1>>,
    /// Own nodes of rollups that nobody re-executes, of the operators that have some.
    nodes: BTreeMap<usize, Arc<dyn OwnNodes>>,
    starts: u64,
}

impl Net {
    async fn new(context: deterministic::Context, operators: usize, link: Link) -> Self {
        Self::of(context, operators, link, |_| ()).await
    }

    /// With another network file.
    async fn of(
        context: deterministic::Context,
        operators: usize,
        link: Link,
        change: impl FnOnce(&mut NetworkFile),
    ) -> Self {
        let mut file = network_file(operators, &[A, B]);
        change(&mut file);
        Self::on(context, file.check().unwrap(), link, None).await
    }

    async fn on(
        context: deterministic::Context,
        network: Network,
        link: Link,
        l1: Option<Arc<settlement::ScriptedL1>>,
    ) -> Self {
        Self::with(context, network, link, l1, BTreeMap::new()).await
    }

    async fn with(
        context: deterministic::Context,
        network: Network,
        link: Link,
        l1: Option<Arc<settlement::ScriptedL1>>,
        nodes: BTreeMap<usize, Arc<dyn OwnNodes>>,
    ) -> Self {
        let operators = network.operators.len();
        let network = Arc::new(network);
        let committee = consensus_committee(&network).unwrap();
        let others = network.peers.iter().map(|(_, key)| key.clone()).collect();
        let layout = Layout {
            term_heights: network.genesis.terms.heights(),
            ..Layout::fixed(committee, others, QUOTAS.to_vec(), link)
        };
        let world = World::new(&context, layout).await.unwrap();
        let wires = world.join(&publisher_key().public_key()).await.unwrap();
        let Wires { submit, .. } = wires.try_into().unwrap();
        let keys = (0..operators).map(network_key).collect();
        let running = (0..operators).map(|_| None).collect();
        let mut net = Self { context, world, network, keys, running, submit, l1, nodes, starts: 0 };
        for index in 0..operators {
            net.start(index).await;
        }
        net
    }

    async fn start(&mut self, index: usize) {
        self.starts += 1;
        let context =
            self.context.child("node").with_attribute("index", index).with_attribute("start", self.starts);
        let setup = Setup {
            memberships: None,
            network: self.network.clone(),
            me: self.keys[index].public_key(),
            key: bls_key(index),
            registry: None,
            settlement: self.l1.as_ref().map(|l1| l1.node(index)),
            judge: Arc::new(Believer),
            nodes: self.nodes.get(&index).cloned(),
            partition: format!("operator-{index}"),
            pace: Pace::default(),
        };
        let prepared = Prepared::new(context.child("hum"), setup).await.unwrap();
        let running = self
            .world
            .start(
                context.child("engine"),
                self.keys[index].clone(),
                format!("engine-{index}"),
                Tuning::default(),
                prepared.application(),
            )
            .await
            .unwrap();
        let peers = running.peers.clone();
        let (archive, wires, engine) = running.into_parts();
        let operator = prepared.run(archive, peers, wires.try_into().unwrap());
        self.running[index] = Some((engine, operator));
    }

    /// Kill an operator: nothing that was not synced is sure to survive.
    fn kill(&mut self, index: usize) {
        let (engine, operator) = self.running[index].take().unwrap();
        engine.abort();
        operator.abort();
    }

    fn handle(&self, index: usize) -> &OperatorHandle {
        &self.running[index].as_ref().unwrap().1.handle
    }

    fn alive(&self) -> Vec<usize> {
        (0..self.keys.len()).filter(|index| self.running[*index].is_some()).collect()
    }

    fn chain(&self, chain_id: ChainId) -> Chain {
        let member = self.network.member(chain_id).unwrap();
        Chain::new(chain_id, self.network.domain, member.entry.registration)
    }

    fn tell(&self, index: usize, message: &PublisherMessage) {
        let to = Recipients::One(self.keys[index].public_key());
        self.submit.sender.send(to, message.encode().into(), false);
    }

    /// Send a submission to all operators.
    fn publish(&self, submission: &Submission) {
        for index in 0..self.keys.len() {
            self.tell(index, &PublisherMessage::Submit(submission.clone()));
        }
    }

    fn retract(&self, retraction: hum_types::SignedRetraction) {
        for index in 0..self.keys.len() {
            self.tell(index, &PublisherMessage::Retract(retraction));
        }
    }

    async fn wait(&self, ms: u64) {
        self.context.sleep(Duration::from_millis(ms)).await;
    }

    /// Let time pass until `reached` holds for every living operator.
    async fn until(&self, what: &str, reached: impl Fn(&OperatorHandle) -> bool) {
        for _ in 0..30_000 {
            if self.alive().into_iter().all(|index| reached(self.handle(index))) {
                return;
            }
            self.wait(2).await;
        }
        let states: Vec<_> = self
            .alive()
            .into_iter()
            .map(|index| (self.handle(index).node_status(), self.handle(index).status()))
            .collect();
        panic!("a minute passed before {what}: {states:#?}");
    }

    async fn until_head(&self, chain: &Chain) {
        let (chain_id, head) = (chain.chain_id, chain.head());
        self.until(&format!("{head:?} of {chain_id}"), |handle| latest(handle, chain_id) == head).await;
    }

    async fn until_status(&self, chain_id: ChainId, status: RollupStatus) {
        self.until(&format!("{chain_id} is {status}"), |handle| {
            handle.rollups().iter().any(|leaf| leaf.chain_id == chain_id && leaf.status == status)
        })
        .await;
    }

    /// Let time pass until the newest height is certified everywhere, and check all certificates and headers.
    async fn until_certified(&self) {
        let newest = self.alive().into_iter().map(|index| self.handle(index).header().height).max().unwrap();
        self.until(&format!("height {newest} is certified"), |handle| handle.certified() >= newest).await;
        self.agree();
    }

    /// Nobody disagrees on a header, and every certificate holds and is about the header of its height.
    fn agree(&self) {
        let mut headers: BTreeMap<Height, hum_types::B256> = BTreeMap::new();
        for index in self.alive() {
            for checkpoint in self.handle(index).checkpoints(Height(1), usize::MAX) {
                let hash = checkpoint.header.hash();
                assert_eq!(*headers.entry(checkpoint.header.height).or_insert(hash), hash);
            }
        }
        let table = self.network.committee.table();
        for index in self.alive() {
            let mut from = Height(0);
            while let Some(certificate) = self.handle(index).certificate(from) {
                from = Height(certificate.height.0 + 1);
                assert_eq!(headers.get(&certificate.height), Some(&certificate.header_hash));
                (*certificate).clone().verify(table, self.network.domain).unwrap();
            }
        }
    }

    /// Replies to the publisher so far.
    async fn replies(&mut self) -> Vec<PublisherReply> {
        use hum_types::Decode as _;
        let mut replies = Vec::new();
        let mut receiving = true;
        while receiving {
            let pause = self.context.sleep(Duration::from_millis(1));
            commonware_macros::select! {
                message = self.submit.receiver.recv() => {
                    let (_, bytes) = message.unwrap();
                    replies.push(PublisherReply::decode(&bytes).unwrap());
                },
                _ = pause => receiving = false,
            }
        }
        replies
    }
}

fn latest(handle: &OperatorHandle, chain_id: ChainId) -> hum_types::BlockRef {
    handle.rollups().iter().find(|leaf| leaf.chain_id == chain_id).unwrap().heads[0].block
}

fn run<F: Future>(seed: u64, test: impl FnOnce(deterministic::Context) -> F) -> F::Output {
    deterministic::Runner::new(
        deterministic::Config::new().with_seed(seed).with_timeout(Some(Duration::from_secs(3_600))),
    )
    .start(test)
}
