//! Operators that certify whatever two sequencers sign.

use crate::{LaneKey, Policy};
use hum_bls::{Aggregator, Certificate, Committee, PublicKey, Seat, SecretKey};
use hum_ledger::{Genesis, RollupParams, SeatedRoster, State, roster_entry};
use hum_types::*;
use std::{collections::BTreeMap, sync::Arc};

pub(crate) const L1: ChainId = ChainId(1);
pub(crate) const SOURCES: [ChainId; 2] = [ChainId(901), ChainId(70_000)];
pub(crate) const DESTINATION: ChainId = ChainId(903);
pub(crate) const START_MS: u64 = 1_800_000_000_000;
pub(crate) const TERM_HEIGHTS: u64 = 16;
pub(crate) const VALID_UNTIL: TimeS = TimeS(4_000_000_000);
const OPERATORS: u16 = 4;

pub(crate) struct Network {
    pub(crate) domain: Domain,
    pub(crate) genesis: Genesis,
    /// That of the genesis.
    pub(crate) committee: Arc<Committee>,
    /// Of every epoch, by seat.
    keys: BTreeMap<Epoch, (Arc<Committee>, Vec<SecretKey>)>,
    pub(crate) state: State,
    facades: [Address; 3],
    /// Blocks that retractions dropped make their numbers' next hashes different.
    fork: u8,
}

pub(crate) fn sequencer() -> SequencerKey {
    SequencerKey::from_secret(B256::repeat_byte(5)).expect("a key")
}

fn seed(n: u16) -> SecretKey {
    SecretKey::from_seed(&n.to_be_bytes())
}

fn roster(domain: Domain, operators: std::ops::Range<u16>, valid_until: TimeS) -> Roster {
    let seats = operators.map(|n| {
        let (key, operator) = (seed(n), Address::with_last_byte(n as u8 + 1));
        let proof = key.prove_possession(domain, operator);
        let network = (B256::with_last_byte(n as u8 + 1), Endpoint::default());
        roster_entry(operator, key.public_key(), &proof, network, Stake(100))
    });
    Roster::new(valid_until, seats.collect())
}

/// By seat.
fn keys_of(committee: &Committee) -> Vec<SecretKey> {
    let holder = |key: &PublicKey| (0..64).map(seed).find(|secret| secret.public_key() == *key);
    committee.members().iter().map(|member| holder(member.key()).expect("one of ours")).collect()
}

impl Network {
    /// A network whose `Latest` gateways stand at `facade`, and the others where nothing does.
    pub(crate) fn new(facade: Address) -> Self {
        Self::with([facade, Address::repeat_byte(0xa2), Address::repeat_byte(0xa3)])
    }

    /// A network whose gateways stand here.
    pub(crate) fn with(facades: [Address; 3]) -> Self {
        let domain = Domain::new(L1, Address::repeat_byte(0x5e), 0);
        let seated = SeatedRoster::check(domain, Epoch(0), roster(domain, 0..OPERATORS, VALID_UNTIL), None);
        let seated = seated.expect("a committee");
        let committee = seated.committee().clone();
        let keys = BTreeMap::from([(Epoch(0), (committee.clone(), keys_of(&committee)))]);
        let params = |chain_id: ChainId| RollupParams {
            chain_id,
            registration: RegistrationId(keccak256(chain_id.0.to_be_bytes())),
            sequencer: sequencer().address(),
            facades,
            class: Class::Reexecuted,
            judges: Vec::new(),
            anchor: BlockRef { number: 10, hash: B256::repeat_byte(10) },
            anchor_state_root: B256::repeat_byte(11),
        };
        let mut rollups: Vec<RollupParams> = SOURCES.into_iter().chain([DESTINATION]).map(params).collect();
        rollups.sort_by_key(|rollup| rollup.chain_id);
        let genesis = Genesis {
            domain,
            seated: Arc::new(seated),
            terms: Terms::of(TERM_HEIGHTS).expect("long enough"),
            time_ms: TimeMs(START_MS),
            l1_origin: L1Origin { number: 3, hash: B256::repeat_byte(3) },
            rollups,
        };
        let state = State::genesis(&genesis);
        Self { domain, genesis, committee, keys, state, facades, fork: 0 }
    }

    pub(crate) fn lane(&self, source: ChainId) -> LaneKey {
        self.lane_at(Confidence::Latest, source)
    }

    pub(crate) fn lane_at(&self, confidence: Confidence, source: ChainId) -> LaneKey {
        let facade = self.facades[confidence as usize];
        LaneKey { source, lane: LaneId { facade, destination: DESTINATION } }
    }

    pub(crate) fn registration(&self, chain_id: ChainId) -> RegistrationId {
        self.state.rollup(chain_id).expect("a member").params().registration
    }

    pub(crate) fn message(&self, source: ChainId, recipient: Address, payload: &[u8]) -> LaneMessage {
        let message = Message {
            sender: Address::repeat_byte(1),
            recipient,
            min_gas_limit: GAS_LIMIT_DEFAULT,
            payload: payload.to_vec().into(),
        };
        LaneMessage { lane: self.lane(source).lane, message }
    }

    /// One message through each gateway.
    pub(crate) fn through_all(&self, source: ChainId, recipient: Address) -> Vec<LaneMessage> {
        let through = |confidence: Confidence| LaneMessage {
            lane: self.lane_at(confidence, source).lane,
            ..self.message(source, recipient, confidence.to_string().as_bytes())
        };
        Confidence::ALL.map(through).to_vec()
    }

    /// The next block of a rollup, with these messages.
    pub(crate) fn block(&self, chain_id: ChainId, messages: Vec<LaneMessage>) -> Advance {
        let rollup = self.state.rollup(chain_id).expect("a member");
        let number = rollup.head().block.number + 1;
        let block = BlockRef { number, hash: keccak256([self.fork, number as u8]) };
        let claim = HeadClaim {
            chain_id,
            registration: rollup.params().registration,
            generation: rollup.generation(),
            block,
        };
        let signature = claim.sign(self.domain, &sequencer()).signature;
        let state_root = keccak256(block.hash);
        let time_ms = TimeMs(START_MS + number * 1_000);
        Advance {
            chain_id,
            blocks: vec![AdvancedBlock { block, state_root, time_ms, signature, messages }],
            judgements: vec![],
        }
    }

    /// Finalise a body `after_ms` after the last.
    pub(crate) fn finalise(&mut self, body: Body, after_ms: u64) -> Checkpoint {
        let time = TimeMs(self.state.header().time_ms.0 + after_ms);
        let (header, state) =
            self.state.seal(&body, time, self.state.header().l1_origin).expect("a valid body");
        self.state = state;
        Checkpoint { header, body }
    }

    pub(crate) fn advance(&mut self, mut advances: Vec<Advance>, after_ms: u64) -> Checkpoint {
        advances.sort_by_key(|advance| advance.chain_id);
        self.finalise(Body { changes: vec![], advances }, after_ms)
    }

    /// Heights without anything up to the next closing height, and that one, which hands over to operators
    /// `first .. first + 4`, whose table is good until then.
    pub(crate) fn rotate(&mut self, first: u16, valid_until: TimeS) -> Vec<Checkpoint> {
        let mut checkpoints = Vec::new();
        while !self.state.closes_next() {
            checkpoints.push(self.advance(vec![], 200));
        }
        let roster = roster(self.domain, first..first + OPERATORS, valid_until);
        let body = Body { changes: vec![Change::NextCommittee { roster }], advances: vec![] };
        let L1Origin { number, .. } = self.state.header().l1_origin;
        let origin = L1Origin { number: number + 1, hash: keccak256(number.to_be_bytes()) };
        let time = TimeMs(self.state.header().time_ms.0 + 200);
        let (header, state) = self.state.seal(&body, time, origin).expect("a valid body");
        self.state = state;
        let committee = self.state.committee().clone();
        self.keys.insert(self.state.epoch(), (committee.clone(), keys_of(&committee)));
        checkpoints.push(Checkpoint { header, body });
        checkpoints
    }

    /// Withdraw the newest blocks of a rollup down to `kept`.
    pub(crate) fn retract(&mut self, chain_id: ChainId, kept: BlockRef) -> Checkpoint {
        self.fork += 1;
        let rollup = self.state.rollup(chain_id).expect("a member");
        let generation = Generation(rollup.generation().0 + 1);
        let registration = rollup.params().registration;
        let retraction =
            Retraction { chain_id, registration, generation, kept }.sign(self.domain, &sequencer());
        self.finalise(Body { changes: vec![Change::Retract { retraction }], advances: vec![] }, 200)
    }

    /// L1 holds a rollup up to `head`.
    pub(crate) fn settle(&mut self, chain_id: ChainId, confidence: Confidence, head: BlockRef) -> Checkpoint {
        let l1 = self.state.header().l1_origin;
        let changes = vec![Change::Settle { chain_id, confidence, head, l1 }];
        self.finalise(Body { changes, advances: vec![] }, 200)
    }

    /// Set a rollup aside.
    pub(crate) fn quarantine(&mut self, chain_id: ChainId) -> Checkpoint {
        let rollup = self.state.rollup(chain_id).expect("a member");
        let claim = |hash: u8| {
            let block = BlockRef { number: 500, hash: B256::repeat_byte(hash) };
            let (registration, generation) = (rollup.params().registration, rollup.generation());
            HeadClaim { chain_id, registration, generation, block }.sign(self.domain, &sequencer())
        };
        let evidence = Evidence::Equivocation { one: claim(1), other: claim(2) };
        self.finalise(Body { changes: vec![Change::Quarantine { evidence }], advances: vec![] }, 200)
    }

    /// The certificate that these seats make on a header.
    pub(crate) fn certify(&self, header: &Header, seats: &[u16]) -> Certificate {
        let hash = header.hash();
        self.certify_in(header.epoch, header, hash, seats)
    }

    /// The certificate that these seats of an epoch's committee make on whatever hash.
    pub(crate) fn certify_in(&self, epoch: Epoch, header: &Header, hash: B256, seats: &[u16]) -> Certificate {
        let (committee, keys) = &self.keys[&epoch];
        let mut aggregator = Aggregator::new(committee.clone(), self.domain, header.height, hash);
        for seat in seats {
            let key = &keys[usize::from(*seat)];
            let attestation = key.attest(self.domain, epoch, header.height, hash, Seat(*seat));
            aggregator.add(&attestation).expect("an honest attestation");
        }
        aggregator.aggregate().certificate.expect("a quorum")
    }
}

/// A policy that tests reach the limits of.
pub(crate) fn policy() -> Policy {
    Policy { settle_blocks: 3, ..Policy::default() }
}

/// Heads by chain, to retract to.
pub(crate) fn heads(network: &Network) -> BTreeMap<ChainId, BlockRef> {
    network.state.rollups().map(|rollup| (rollup.params().chain_id, rollup.head().block)).collect()
}
