//! Members, operators and checkpoints, with what a relayer makes of them.

use super::{DESTINATION, EPOCH, GasError, OPERATORS, Run, evm::Evm, noise};
use alloy_primitives::{Address, B256, Bytes, U256, uint};
use hum_bls::{Certificate, Committee, Seat, SecretKey, Signers};
use hum_ledger::{Archive, Genesis, RollupParams, SeatedRoster, State, roster_entry};
use hum_types::{
    Advance, AdvancedBlock, BlockRef, Body, ChainId, Checkpoint, Class, Domain, Encode, Endpoint,
    GAS_LIMIT_DEFAULT, Generation, HeadClaim, Header, L1Origin, LaneId, LaneIndex, LaneMessage, Message,
    RegistrationId, Roster, SequencerKey, Stake, Terms, TimeMs, TimeS,
};
use std::sync::Arc;

pub(super) const PAYLOAD_BYTES: usize = 64;
/// Members, the destination among them.
const ROLLUPS: u64 = 32;
const START: TimeMs = TimeMs(1_700_000_000_000);
/// Ten years after [`START`].
const VALID_UNTIL: TimeS = TimeS(START.0 / 1_000 + 10 * 365 * 86_400);
const INTERVAL_MS: u64 = 200;
const GROUP_ORDER: U256 =
    uint!(21888242871839275222246405745257275088548364400416034343698204186575808495617_U256);

/// Everything off chain.
#[derive(Debug)]
pub(super) struct Network {
    archive: Archive,
    /// By seat.
    secrets: Vec<SecretKey>,
    committee: Arc<Committee>,
    sources: Vec<RollupParams>,
    lane_sizes: Vec<u64>,
}

fn sequencer(chain: ChainId) -> SequencerKey {
    SequencerKey::from_secret(noise("sequencer", chain.0)).expect("a hash is below the group order")
}

pub(super) fn payload(index: u64) -> Bytes {
    [noise("payload", index), noise("payload, second half", index)].concat().into()
}

impl Network {
    /// A network whose first members have lanes of these sizes to the destination.
    pub(super) fn new(lane_sizes: &[u64]) -> Self {
        let domain = Domain(noise("domain", 0));
        let mut secrets: Vec<_> =
            (0..OPERATORS).map(|n| SecretKey::from_seed(format!("bench {n}").as_bytes())).collect();
        secrets.sort_by_key(|secret| hum_bls::OperatorId::of(secret.public_key().g1()));
        let seats = secrets.iter().zip(0..).map(|(secret, n)| {
            let operator = Address::from_slice(&noise("operator", n)[12..]);
            let proof = secret.prove_possession(domain, operator);
            let network = (noise("network key", n), Endpoint::default());
            roster_entry(operator, secret.public_key(), &proof, network, Stake(32_000_000_000_000_000_000))
        });
        let roster = Roster::new(VALID_UNTIL, seats.collect());
        let seated = Arc::new(SeatedRoster::check(domain, EPOCH, roster, None).expect("our own proofs"));
        let committee = seated.committee().clone();

        let sources: Vec<_> = (0..ROLLUPS - 1).map(|n| member(ChainId(40_001 + n))).collect();
        let rollups = sources.iter().cloned().chain([member(DESTINATION)]).collect();
        let l1_origin = L1Origin { number: 21_000_000, hash: noise("l1", 0) };
        // Long enough that no height of a benchmark closes a term.
        let terms = Terms::of(1 << 32).expect("long enough");
        let genesis = State::genesis(&Genesis { domain, seated, terms, time_ms: START, l1_origin, rollups });
        Self { archive: Archive::new(genesis), secrets, committee, sources, lane_sizes: lane_sizes.to_vec() }
    }

    pub(super) const fn rollups(&self) -> u64 {
        ROLLUPS
    }

    /// All members but the destination.
    pub(super) fn sources(&self) -> &[RollupParams] {
        &self.sources
    }

    pub(super) fn domain(&self) -> Domain {
        self.archive.newest().header().domain
    }

    pub(super) fn table(&self) -> Bytes {
        self.committee.table().encode().into()
    }

    pub(super) fn gateway(&self) -> Address {
        gateway()
    }

    pub(super) fn recipient(&self) -> Address {
        recipient()
    }

    /// A checkpoint in which every member's first block fills its lanes.
    pub(super) fn advance(&mut self) -> Result<Header, GasError> {
        let domain = self.domain();
        let mut advances = Vec::new();
        for (position, source) in self.sources.iter().enumerate() {
            let size = self.lane_sizes.get(position).copied().unwrap_or(1);
            let others = self.sources.iter().filter(|other| other.chain_id != source.chain_id);
            let messages = others
                .map(|other| (other.chain_id, 0))
                .chain((0..size).map(|index| (DESTINATION, index)))
                .map(|(destination, index)| message(destination, index));
            let block = BlockRef { number: 1, hash: noise("block", source.chain_id.0) };
            let claim = HeadClaim {
                chain_id: source.chain_id,
                registration: source.registration,
                generation: Generation(0),
                block,
            };
            advances.push(Advance {
                chain_id: source.chain_id,
                blocks: vec![AdvancedBlock {
                    block,
                    state_root: noise("state", source.chain_id.0),
                    time_ms: START,
                    signature: claim.sign(domain, &sequencer(source.chain_id)).signature,
                    messages: messages.collect(),
                }],
                judgements: Vec::new(),
            });
        }
        self.seal(Body { changes: Vec::new(), advances })
    }

    /// A checkpoint that says nothing new.
    pub(super) fn heartbeat(&mut self) -> Result<Header, GasError> {
        self.seal(Body::default())
    }

    fn seal(&mut self, body: Body) -> Result<Header, GasError> {
        let parent = *self.archive.newest().header();
        let time_ms = TimeMs(parent.time_ms.0 + INTERVAL_MS);
        let (header, _) = self.archive.newest().seal(&body, time_ms, parent.l1_origin)?;
        self.archive.apply(&Checkpoint { header, body })?;
        Ok(header)
    }

    /// What `LightClient.submit` takes when `absent` operators, chosen by the header, do not sign.
    pub(super) fn certificate(&self, header: &Header, absent: u16) -> Result<Vec<u8>, GasError> {
        let operators = self.committee.table().operators();
        let mut seats: Vec<_> = (0..operators).map(Seat).collect();
        let hash = header.hash();
        seats.sort_by_key(|seat| noise(&hash.to_string(), seat.0.into()));
        let mut signers = Signers::none(operators);
        let mut sum = U256::ZERO;
        for seat in seats.split_off(usize::from(absent)) {
            signers.insert(seat);
            let secret = self.secrets[usize::from(seat.0)].expose_secret();
            sum = sum.add_mod(U256::from_be_bytes(secret.0), GROUP_ORDER);
        }
        // Signing is linear: the sum of the signers' secrets makes the sum of their signatures.
        let sum = SecretKey::from_secret(B256::from(sum)).expect("the signers' keys do not cancel out");
        let attestation = sum.attest(header.domain, header.epoch, header.height, hash, Seat(0));
        let certificate = Certificate {
            epoch: header.epoch,
            height: header.height,
            header_hash: hash,
            signers,
            signature: attestation.signature,
            key_sum: sum.public_key().g2(),
        };
        Ok(certificate.verify(self.committee.table(), header.domain)?.submission(header)?)
    }

    /// What `recordLane` takes for the lane from `source`.
    pub(super) fn lane(&self, header: &Header, source: ChainId) -> Result<Vec<u8>, GasError> {
        Ok(hum_relay::lane_proof(header, &self.archive.prove_lane(header.height, source, lane())?)?)
    }

    /// What `deliver` takes for messages of the lane from `source`, which holds `count`.
    pub(super) fn run(&self, source: ChainId, count: u64, start: u64, length: u64) -> Result<Run, GasError> {
        let proof = self.archive.prove_run_in(source, lane(), count, LaneIndex(start), length)?;
        let bytes = hum_relay::run(member(source).registration, source, &proof)?.into();
        Ok(Run { bytes, length })
    }
}

/// The account's first contract is the light client, then gateway and recipient.
fn gateway() -> Address {
    Evm::address(1)
}

fn recipient() -> Address {
    Evm::address(2)
}

fn lane() -> LaneId {
    LaneId { facade: gateway(), destination: DESTINATION }
}

fn member(chain_id: ChainId) -> RollupParams {
    let other = |name: &str| Address::from_slice(&noise(name, chain_id.0)[12..]);
    RollupParams {
        chain_id,
        registration: RegistrationId(noise("registration", chain_id.0)),
        sequencer: sequencer(chain_id).address(),
        facades: [gateway(), other("safe"), other("finalized")],
        class: Class::Reexecuted,
        judges: Vec::new(),
        anchor: BlockRef { number: 0, hash: noise("anchor", chain_id.0) },
        anchor_state_root: noise("anchor state", chain_id.0),
    }
}

fn message(destination: ChainId, index: u64) -> LaneMessage {
    LaneMessage {
        lane: LaneId { facade: gateway(), destination },
        message: Message {
            sender: Address::from_slice(&noise("sender", 0)[12..]),
            recipient: recipient(),
            min_gas_limit: GAS_LIMIT_DEFAULT,
            payload: payload(index),
        },
    }
}
