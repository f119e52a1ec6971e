//! A publisher with scripted nodes and operators in virtual time.

mod crashes;
mod followers;
mod forks;
mod publishing;
mod script;

use super::*;
use crate::wire::{PublisherMessage, PublisherReply, PublisherStatus, QUOTAS, RefusalKind, Wires};
use commonware_runtime::{Runner as _, Supervisor as _, deterministic};
use hum_consensus::{
    Committee, PrivateKey, Recipients, Signer as _,
    simulated::{Layout, Link, World},
};
use hum_types::{
    B256, BlockRef, ChainId, Decode, Domain, Encode, Generation, HeadClaim, Height, RegistrationId,
    RollupStatus, SequencerKey, keccak256,
};
use script::Script;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

pub(super) const CHAIN: ChainId = ChainId(7);
pub(super) const DOMAIN: Domain = Domain(B256::repeat_byte(0xd0));
pub(super) const REGISTRATION: RegistrationId = RegistrationId(B256::repeat_byte(0xe0));

pub(super) fn key() -> SequencerKey {
    SequencerKey::from_secret(B256::repeat_byte(0x11)).unwrap()
}

pub(super) fn identity() -> Identity {
    Identity { chain_id: CHAIN, registration: REGISTRATION, anchor: script::block(0, 0) }
}

/// Hashes by generation and number.
type Claimed = BTreeMap<(Generation, u64), BTreeSet<B256>>;

/// Everything that was ever signed and sent, across crashes: what a slashing court would see.
#[derive(Debug, Default, Clone)]
pub(super) struct Court(Arc<Mutex<Claimed>>);

impl Court {
    fn lock(&self) -> MutexGuard<'_, Claimed> {
        self.0.lock().unwrap()
    }

    pub(super) fn hear(&self, claim: &HeadClaim) {
        self.lock().entry((claim.generation, claim.block.number)).or_default().insert(claim.block.hash);
    }

    pub(super) fn equivocations(&self) -> usize {
        self.lock().values().filter(|hashes| hashes.len() > 1).count()
    }

    pub(super) fn heard(&self, generation: u32, block: BlockRef) -> bool {
        let key = (Generation(generation), block.number);
        self.lock().get(&key).is_some_and(|hashes| hashes.contains(&block.hash))
    }

    pub(super) fn hashes(&self) -> BTreeSet<B256> {
        self.lock().values().flatten().copied().collect()
    }

    pub(super) fn highest(&self) -> u64 {
        self.lock().keys().map(|(_, number)| *number).max().unwrap_or(0)
    }
}

/// An operator that believes every signature and finalises at once, when it does.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) generation: Generation,
    pub(super) chain: Vec<BlockRef>,
    held: BTreeMap<u64, BlockRef>,
    pub(super) finalises: bool,
    pub(super) status: RollupStatus,
    pub(super) wants_once: Option<u64>,
    /// Overrides what it says about itself.
    pub(super) lies: Option<(Generation, BlockRef)>,
    pub(super) witnesses: BTreeMap<u64, Vec<u8>>,
}

impl Operator {
    fn head(&self) -> BlockRef {
        *self.chain.last().unwrap()
    }

    fn run(&self) -> BlockRef {
        let mut top = self.head();
        while let Some(next) = self.held.get(&(top.number + 1)) {
            top = *next;
        }
        top
    }

    fn settle(&mut self) {
        while self.finalises
            && let Some(next) = self.held.remove(&(self.head().number + 1))
        {
            self.chain.push(next);
        }
    }

    fn answer(&mut self, message: PublisherMessage, court: &Court) -> Vec<PublisherReply> {
        let refused = |generation, block, kind| {
            vec![PublisherReply::Refused { chain_id: CHAIN, generation, block, kind }]
        };
        match message {
            PublisherMessage::Submit(submission) => {
                let signed =
                    submission.claim.authenticate(DOMAIN, key().address()).expect("the sequencer signed");
                let claim = *signed.get();
                court.hear(&claim);
                let block = claim.block;
                if claim.generation != self.generation {
                    return refused(claim.generation, block, RefusalKind::Generation);
                }
                self.witnesses.insert(block.number, submission.witness.to_vec());
                if self.wants_once == Some(block.number) {
                    self.wants_once = None;
                    return vec![PublisherReply::Wanted { chain_id: CHAIN, block }];
                }
                if block.number <= self.head().number {
                    return refused(claim.generation, block, RefusalKind::Settled);
                }
                self.held.insert(block.number, block);
                self.settle();
                vec![PublisherReply::Accepted { chain_id: CHAIN, generation: claim.generation, block }]
            }
            PublisherMessage::Retract(signed) => {
                let signed = signed.authenticate(DOMAIN, key().address()).expect("the sequencer signed");
                let (generation, kept) = (signed.get().generation, signed.get().kept);
                if generation <= self.generation {
                    return refused(generation, kept, RefusalKind::Generation);
                }
                if !self.chain.contains(&kept) {
                    return refused(generation, kept, RefusalKind::Kept);
                }
                self.generation = generation;
                self.chain.retain(|block| block.number <= kept.number);
                self.held.clear();
                self.status = RollupStatus::Active;
                vec![PublisherReply::Retracting { chain_id: CHAIN, generation }]
            }
            PublisherMessage::Ask { chain_id } => {
                let (generation, head) = self.lies.unwrap_or((self.generation, self.head()));
                let held = if self.lies.is_some() { head } else { self.run() };
                vec![PublisherReply::Status(PublisherStatus {
                    chain_id,
                    generation,
                    status: self.status,
                    head,
                    height: Height(head.number),
                    held,
                })]
            }
        }
    }
}

/// Operators, and what they remember when the publisher (or the whole runtime) dies.
#[derive(Debug, Clone)]
pub(super) struct Operators {
    pub(super) keys: Vec<PrivateKey>,
    pub(super) states: Vec<Arc<Mutex<Operator>>>,
    pub(super) court: Court,
}

impl Operators {
    pub(super) fn new(count: u64) -> Self {
        let state = || Operator {
            generation: Generation(0),
            chain: vec![identity().anchor],
            held: BTreeMap::new(),
            finalises: true,
            status: RollupStatus::Active,
            wants_once: None,
            lies: None,
            witnesses: BTreeMap::new(),
        };
        Self {
            keys: (0..count).map(PrivateKey::from_seed).collect(),
            states: (0..count).map(|_| Arc::new(Mutex::new(state()))).collect(),
            court: Court::default(),
        }
    }

    pub(super) fn each(&self, change: impl Fn(&mut Operator)) {
        self.states.iter().for_each(|state| change(&mut state.lock().unwrap()));
    }

    pub(super) fn heads(&self) -> Vec<BlockRef> {
        self.states.iter().map(|state| state.lock().unwrap().head()).collect()
    }

    /// What operators do among themselves: one that is behind takes over what two others have finalised.
    fn sync(&self, behind: &Mutex<Operator>) {
        let finalised = |state: &Arc<Mutex<Operator>>| {
            let state = state.lock().unwrap();
            (state.generation, state.chain.clone())
        };
        let mut others: Vec<_> = self.states.iter().map(finalised).collect();
        others.sort_by_key(|(generation, chain)| (*generation, chain.len()));
        let Some((generation, chain)) = others.into_iter().rev().nth(1) else { return };
        let mut own = behind.lock().unwrap();
        if own.finalises && (own.generation, own.chain.len()) < (generation, chain.len()) {
            if generation > own.generation {
                own.status = RollupStatus::Active;
            }
            own.generation = generation;
            own.chain = chain;
            let head = own.head().number;
            own.held.retain(|number, _| *number > head);
        }
    }

    pub(super) fn public(&self) -> Vec<PublicKey> {
        self.keys.iter().map(|key| key.public_key()).collect()
    }
}

/// One network in one runtime.
pub(super) struct Bench {
    pub(super) context: deterministic::Context,
    pub(super) world: World,
    pub(super) operators: Operators,
    pub(super) publisher: PrivateKey,
    starts: u64,
    /// What the publishers that start from now on look at.
    pub(super) lookout: Option<Lookout>,
    /// What posts batches for the publishers that start from now on.
    pub(super) batcher: Option<BatcherParts>,
}

impl Bench {
    pub(super) async fn new(context: deterministic::Context, operators: Operators, link: Link) -> Self {
        let publisher = PrivateKey::from_seed(1_000);
        let committee = Committee::new(DOMAIN.0.0, operators.public()).unwrap();
        let layout = Layout::fixed(committee, vec![publisher.public_key()], QUOTAS.to_vec(), link);
        let world = World::new(&context, layout).await.unwrap();
        for (key, state) in operators.keys.iter().zip(&operators.states) {
            let Wires { mut submit, .. } = world.join(&key.public_key()).await.unwrap().try_into().unwrap();
            let (state, all) = (Arc::clone(state), operators.clone());
            context.child("operator").spawn(move |_| async move {
                while let Some((from, bytes)) = submit.receiver.recv().await {
                    let message = PublisherMessage::decode(&bytes).expect("a publisher encodes");
                    all.sync(&state);
                    for reply in state.lock().unwrap().answer(message, &all.court) {
                        submit.sender.send(Recipients::One(from.clone()), reply.encode().into(), false);
                    }
                }
            });
        }
        Self { context, world, operators, publisher, starts: 0, lookout: None, batcher: None }
    }

    pub(super) fn settings(&self) -> PublisherSettings {
        PublisherSettings::new(identity(), self.operators.public())
    }

    pub(super) async fn start(
        &mut self,
        settings: PublisherSettings,
        sources: Vec<Arc<impl Chain>>,
        signer: Arc<dyn HeadSigner>,
    ) -> PublisherHandle {
        self.starts += 1;
        let wires = self.world.join(&self.publisher.public_key()).await.unwrap();
        let Wires { submit, .. } = wires.try_into().unwrap();
        let sources = sources.into_iter().map(|source| source as Arc<dyn Chain>).collect();
        let context = self.context.child("publisher").with_attribute("start", self.starts);
        let (lookout, batcher) = (self.lookout.clone(), self.batcher.clone());
        let parts = PublisherParts { sources, signer, wire: submit, lookout, batcher };
        super::start(context, settings, parts).await.unwrap()
    }

    /// Start as usual: one node, the key at hand.
    pub(super) async fn start_local(&mut self, source: &Arc<impl Chain>) -> PublisherHandle {
        let settings = self.settings();
        self.start(settings, vec![Arc::clone(source)], local()).await
    }

    pub(super) async fn wait(&self, ms: u64) {
        self.context.sleep(Duration::from_millis(ms)).await;
    }
}

pub(super) fn local() -> Arc<dyn HeadSigner> {
    Arc::new(hum_chain::LocalKey::new(key(), DOMAIN))
}

pub(super) fn desk(chain: &Arc<Script>) -> Arc<dyn HeadSigner> {
    let chain = Arc::clone(chain) as Arc<dyn Chain>;
    Arc::new(hum_chain::sequencer::SequencerDesk::new(
        hum_chain::LocalKey::new(key(), DOMAIN),
        chain,
        REGISTRATION,
    ))
}

pub(super) fn run<F: Future>(test: impl FnOnce(deterministic::Context) -> F) -> F::Output {
    deterministic::Runner::new(
        deterministic::Config::new().with_seed(7).with_timeout(Some(Duration::from_secs(3_600))),
    )
    .start(test)
}
