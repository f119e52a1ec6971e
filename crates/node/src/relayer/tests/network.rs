//! Operators that certify whatever one sequencer signs, and answer questions about it.

use crate::wire::{Answer, FeedEvent, FeedRequest, FetchMessage, Question};
use commonware_runtime::Spawner;
use futures::FutureExt;
use hum_bls::{Aggregator, Certificate, Committee, PublicKey as BlsKey, Seat, SecretKey};
use hum_consensus::{PublicKey, Recipients, Wire, WireSender};
use hum_ledger::{Genesis, RollupParams, SeatedRoster, State, roster_entry};
use hum_types::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

pub(super) const SOURCE: ChainId = ChainId(901);
pub(super) const DESTINATION: ChainId = ChainId(903);
pub(super) const FACADE: Address = Address::repeat_byte(0xa1);
pub(super) const LIGHT_CLIENT: Address = Address::repeat_byte(0x1c);
pub(super) const LANE: LaneId = LaneId { facade: FACADE, destination: DESTINATION };
pub(super) const OPERATORS: u16 = 4;
pub(super) const VALID_UNTIL: TimeS = TimeS(4_000_000_000);

/// What the operators have finalised and certified, and how the first of them lies.
pub(super) struct Script {
    pub(super) genesis: Genesis,
    /// Of every epoch, by seat.
    keys: BTreeMap<Epoch, (Arc<Committee>, Vec<SecretKey>)>,
    state: State,
    checkpoints: Vec<Checkpoint>,
    certificates: BTreeMap<Height, Certificate>,
    followers: BTreeMap<u16, BTreeSet<PublicKey>>,
    feeds: BTreeMap<u16, WireSender>,
    /// The first operator answers and feeds forged checkpoints.
    pub(super) liar: bool,
    /// Operators that say nothing.
    pub(super) silent: BTreeSet<u16>,
    pub(super) asked: u64,
    /// Who was asked something.
    pub(super) asked_of: BTreeSet<u16>,
}

pub(super) type Shared = Arc<Mutex<Script>>;

pub(super) fn lock(script: &Shared) -> MutexGuard<'_, Script> {
    script.lock().expect("no test panics while it holds the script")
}

fn sequencer() -> SequencerKey {
    SequencerKey::from_secret(B256::repeat_byte(5)).expect("a key")
}

fn seed(n: u16) -> SecretKey {
    SecretKey::from_seed(&n.to_be_bytes())
}

/// Four operators from `first` on.
fn roster(domain: Domain, first: u16) -> Roster {
    let seats = (first..first + OPERATORS).map(|n| {
        let (key, operator) = (seed(n), Address::with_last_byte(n as u8 + 1));
        let proof = key.prove_possession(domain, operator);
        let network = (B256::with_last_byte(n as u8 + 1), Endpoint::default());
        roster_entry(operator, key.public_key(), &proof, network, Stake(100))
    });
    Roster::new(VALID_UNTIL, seats.collect())
}

fn keys_of(committee: &Committee) -> Vec<SecretKey> {
    let holder = |key: &BlsKey| (0..64).map(seed).find(|secret| secret.public_key() == *key);
    committee.members().iter().map(|member| holder(member.key()).expect("one of ours")).collect()
}

impl Script {
    pub(super) fn new(time_ms: u64) -> Self {
        let domain = Domain::new(ChainId(1), Address::repeat_byte(0x5e), 0);
        let seated = SeatedRoster::check(domain, Epoch(0), roster(domain, 0), None).expect("a committee");
        let committee = seated.committee().clone();
        let keys = BTreeMap::from([(Epoch(0), (committee.clone(), keys_of(&committee)))]);
        let params = |chain_id: ChainId| RollupParams {
            chain_id,
            registration: RegistrationId(keccak256(chain_id.0.to_be_bytes())),
            sequencer: sequencer().address(),
            facades: [FACADE, Address::repeat_byte(0xa2), Address::repeat_byte(0xa3)],
            class: Class::Reexecuted,
            judges: Vec::new(),
            anchor: BlockRef { number: 10, hash: B256::repeat_byte(10) },
            anchor_state_root: B256::repeat_byte(11),
        };
        let genesis = Genesis {
            domain,
            seated: Arc::new(seated),
            terms: Terms::of(16).expect("long enough"),
            time_ms: TimeMs(time_ms),
            l1_origin: L1Origin { number: 3, hash: B256::repeat_byte(3) },
            rollups: vec![params(SOURCE), params(DESTINATION)],
        };
        let state = State::genesis(&genesis);
        Self {
            genesis,
            keys,
            state,
            checkpoints: Vec::new(),
            certificates: BTreeMap::new(),
            followers: BTreeMap::new(),
            feeds: BTreeMap::new(),
            liar: false,
            silent: BTreeSet::new(),
            asked: 0,
            asked_of: BTreeSet::new(),
        }
    }

    pub(super) fn registration(&self) -> RegistrationId {
        self.genesis.rollups[0].registration
    }

    /// Finalise a block with `count` messages, and certify it if `certified`.
    pub(super) fn advance(&mut self, count: usize, certified: bool, time_ms: u64) {
        let rollup = self.state.rollup(SOURCE).expect("a member");
        let number = rollup.head().block.number + 1;
        let sent = rollup.lane_count(&LANE);
        let block = BlockRef { number, hash: keccak256(number.to_be_bytes()) };
        let generation = rollup.generation();
        let claim = HeadClaim { chain_id: SOURCE, registration: self.registration(), generation, block };
        let signature = claim.sign(self.genesis.domain, &sequencer()).signature;
        let messages = (sent..).take(count).map(|n| LaneMessage {
            lane: LANE,
            message: Message {
                sender: Address::repeat_byte(1),
                recipient: Address::repeat_byte(2),
                min_gas_limit: GAS_LIMIT_DEFAULT,
                payload: n.to_be_bytes().to_vec().into(),
            },
        });
        let (state_root, messages) = (keccak256(block.hash), messages.collect());
        let block = AdvancedBlock { block, state_root, time_ms: TimeMs(time_ms), signature, messages };
        let body = Body {
            changes: vec![],
            advances: vec![Advance { chain_id: SOURCE, blocks: vec![block], judgements: vec![] }],
        };
        self.finalise(body, self.state.header().l1_origin, certified, time_ms);
    }

    /// Go to the end of the term, without certificates, and hand over to operators from `first` on, with one.
    pub(super) fn rotate(&mut self, first: u16, time_ms: u64) {
        while !self.state.closes_next() {
            self.advance(0, false, time_ms);
        }
        let roster = roster(self.genesis.domain, first);
        let L1Origin { number, .. } = self.state.header().l1_origin;
        let origin = L1Origin { number: number + 1, hash: keccak256(number.to_be_bytes()) };
        let body = Body { changes: vec![Change::NextCommittee { roster }], advances: vec![] };
        self.finalise(body, origin, true, time_ms);
        let committee = self.state.committee().clone();
        self.keys.insert(self.state.epoch(), (committee.clone(), keys_of(&committee)));
    }

    fn finalise(&mut self, body: Body, origin: L1Origin, certified: bool, time_ms: u64) {
        let time = TimeMs(time_ms.max(self.state.header().time_ms.0 + 1));
        let (header, state) = self.state.seal(&body, time, origin).expect("a valid body");
        self.state = state;
        let checkpoint = Checkpoint { header, body };
        self.checkpoints.push(checkpoint.clone());
        self.feed(&FeedEvent::Finalised(checkpoint));
        if certified {
            let certificate = self.certificate(&header);
            self.certificates.insert(header.height, certificate.clone());
            self.feed(&FeedEvent::Certified(certificate));
        }
    }

    fn certificate(&self, header: &Header) -> Certificate {
        let (domain, hash) = (self.genesis.domain, header.hash());
        let (committee, keys) = &self.keys[&header.epoch];
        let mut aggregator = Aggregator::new(committee.clone(), domain, header.height, hash);
        for (seat, key) in (0..).map(Seat).zip(keys).skip(1) {
            let attestation = key.attest(domain, header.epoch, header.height, hash, seat);
            aggregator.add(&attestation).expect("an honest attestation");
        }
        aggregator.aggregate().certificate.expect("a quorum")
    }

    fn feed(&self, event: &FeedEvent) {
        for (operator, followers) in &self.followers {
            if self.silent.contains(operator) {
                continue;
            }
            let event = self.forge(*operator, event.clone());
            let to = Recipients::Some(followers.iter().cloned().collect());
            self.feeds[operator].send(to, event.encode().into(), true);
        }
    }

    fn forge(&self, operator: u16, event: FeedEvent) -> FeedEvent {
        match event {
            FeedEvent::Finalised(checkpoint) if self.liar && operator == 0 => {
                FeedEvent::Finalised(forged(checkpoint))
            }
            FeedEvent::Certified(mut certificate) if self.liar && operator == 0 => {
                certificate.header_hash = B256::repeat_byte(0xbb);
                FeedEvent::Certified(certificate)
            }
            event => event,
        }
    }

    fn answer(&mut self, operator: u16, question: Question) -> Option<Answer> {
        self.asked += 1;
        self.asked_of.insert(operator);
        if self.silent.contains(&operator) {
            return None;
        }
        Some(match question {
            Question::Checkpoints { from, count } => {
                let from = usize::try_from(from.0).expect("small").saturating_sub(1);
                let page = self.checkpoints.iter().skip(from).take(usize::from(count)).cloned();
                let lies = self.liar && operator == 0;
                Answer::Checkpoints(
                    page.map(|checkpoint| if lies { forged(checkpoint) } else { checkpoint }).collect(),
                )
            }
            Question::Certificate { .. } if self.liar && operator == 0 => {
                Answer::Certificate(self.certificates.values().next_back().map(|held| {
                    Box::new(Certificate { header_hash: B256::repeat_byte(0xbb), ..held.clone() })
                }))
            }
            Question::Certificate { at_or_above } => Answer::Certificate(
                self.certificates.range(at_or_above..).next().map(|(_, held)| Box::new(held.clone())),
            ),
            _ => Answer::Busy,
        })
    }
}

/// Well formed, consistent with its own body, and untrue.
fn forged(mut checkpoint: Checkpoint) -> Checkpoint {
    for block in checkpoint.body.advances.iter_mut().flat_map(|advance| &mut advance.blocks) {
        block.state_root = B256::repeat_byte(0xff);
    }
    checkpoint.header.body_hash = checkpoint.body.hash();
    checkpoint
}

/// Serve one operator's fetch and feed wires.
pub(super) fn serve<E: Spawner>(
    context: &E,
    script: &Shared,
    operator: u16,
    mut fetch: Wire,
    mut feed: Wire,
) {
    let script = script.clone();
    lock(&script).feeds.insert(operator, feed.sender.clone());
    context.child("operator").spawn(move |_| async move {
        loop {
            futures::select_biased! {
                message = fetch.receiver.recv().fuse() => {
                    let Some((from, bytes)) = message else { return };
                    let Ok(FetchMessage::Ask { id, question }) = FetchMessage::decode(&bytes) else { continue };
                    let Some(answer) = lock(&script).answer(operator, question) else { continue };
                    fetch.sender.send(Recipients::One(from), FetchMessage::Tell { id, answer }.encode().into(), true);
                }
                message = feed.receiver.recv().fuse() => {
                    let Some((from, bytes)) = message else { return };
                    let Ok(FeedRequest::Follow) = FeedRequest::decode(&bytes) else { continue };
                    lock(&script).followers.entry(operator).or_default().insert(from);
                }
            }
        }
    });
}
