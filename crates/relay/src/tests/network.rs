//! Operators that certify whatever two sequencers sign.

use crate::{LaneKey, Policy};
use hum_bls::{Aggregator, Certificate, Committee, Seat, SecretKey};
use hum_ledger::{Genesis, RollupParams, SeatedRoster, State, roster_entry};
use hum_types::*;
use std::{collections::BTreeMap, sync::Arc};

pub(crate) const L1: ChainId = ChainId(1);
pub(crate) const SOURCES: [ChainId; 2] = [ChainId(901), ChainId(70_000)];
pub(crate) const DESTINATION: ChainId = ChainId(903);
pub(crate) const START_MS: u64 = 1_800_000_000_000;
const OPERATORS: u16 = 4;

pub(crate) struct Network {
    pub(crate) domain: Domain,
    pub(crate) genesis: Genesis,
    pub(crate) committee: Arc<Committee>,
    keys: Vec<SecretKey>,
    pub(crate) state: State,
    facade: Address,
    /// Blocks that retractions dropped make their numbers' next hashes different.
    fork: u8,
}

pub(crate) fn sequencer() -> SequencerKey {
    SequencerKey::from_secret(B256::repeat_byte(5)).expect("a key")
}

impl Network {
    /// A network whose `Latest` gateways stand at `facade`.
    pub(crate) fn new(facade: Address) -> Self {
        let domain = Domain::new(L1, Address::repeat_byte(0x5e), 0);
        let seeds: Vec<SecretKey> = (0..OPERATORS).map(|n| SecretKey::from_seed(&n.to_be_bytes())).collect();
        let seats = (0_u8..).zip(&seeds).map(|(n, key)| {
            let operator = Address::with_last_byte(n + 1);
            let proof = key.prove_possession(domain, operator);
            let network = (B256::with_last_byte(n + 1), Endpoint::default());
            roster_entry(operator, key.public_key(), &proof, network, Stake(100))
        });
        let roster = Roster::new(TimeS(4_000_000_000), seats.collect());
        let seated = SeatedRoster::check(domain, Epoch(0), roster, None).expect("a committee");
        let committee = seated.committee().clone();
        let keys = committee
            .members()
            .iter()
            .map(|member| {
                let holds = |key: &&SecretKey| key.public_key() == *member.key();
                seeds.iter().find(holds).expect("one of ours").clone()
            })
            .collect();
        let params = |chain_id: ChainId| RollupParams {
            chain_id,
            registration: RegistrationId(keccak256(chain_id.0.to_be_bytes())),
            sequencer: sequencer().address(),
            facades: [facade, Address::repeat_byte(0xa2), Address::repeat_byte(0xa3)],
            class: Class::Reexecuted,
            anchor: BlockRef { number: 10, hash: B256::repeat_byte(10) },
            anchor_state_root: B256::repeat_byte(11),
        };
        let mut rollups: Vec<RollupParams> = SOURCES.into_iter().chain([DESTINATION]).map(params).collect();
        rollups.sort_by_key(|rollup| rollup.chain_id);
        let genesis = Genesis {
            domain,
            seated: Arc::new(seated),
            terms: Terms::of(16).expect("long enough"),
            time_ms: TimeMs(START_MS),
            l1_origin: L1Origin { number: 3, hash: B256::repeat_byte(3) },
            rollups,
        };
        let state = State::genesis(&genesis);
        Self { domain, genesis, committee, keys, state, facade, fork: 0 }
    }

    pub(crate) fn lane(&self, source: ChainId) -> LaneKey {
        LaneKey { source, lane: LaneId { facade: self.facade, destination: DESTINATION } }
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
        Advance { chain_id, blocks: vec![AdvancedBlock { block, state_root, time_ms, signature, messages }] }
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
        let mut aggregator = Aggregator::new(self.committee.clone(), self.domain, header.height, hash);
        for seat in seats {
            let key = &self.keys[usize::from(*seat)];
            let attestation = key.attest(self.domain, header.epoch, header.height, hash, Seat(*seat));
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
