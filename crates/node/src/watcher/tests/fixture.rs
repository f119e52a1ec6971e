//! Committees whose keys tests hold, and what they sign.

use crate::watcher::Committees;
use hum_bls::{Aggregator, Attestation, Certificate, Committee, PossessedKey, Seat, SecretKey};
use hum_ledger::{SeatedRoster, roster_entry};
use hum_types::*;
use std::sync::Arc;

pub(in crate::watcher) fn domain() -> Domain {
    Domain::new(ChainId(1), Address::repeat_byte(0x5e), 0)
}

/// A committee of four, by seat, with the secrets of its members.
#[derive(Clone)]
pub(in crate::watcher) struct Signers {
    pub(in crate::watcher) seated: Arc<SeatedRoster>,
    pub(in crate::watcher) keys: Vec<SecretKey>,
}

impl Signers {
    /// The committee of `epoch`, of operators with these numbers.
    pub(in crate::watcher) fn new(epoch: u64, operators: &[u8]) -> Self {
        let entries = operators.iter().map(|number| {
            let key = SecretKey::from_seed(&[*number]);
            let operator = Address::repeat_byte(*number);
            let proof = key.prove_possession(domain(), operator);
            let place = (B256::repeat_byte(*number), Endpoint::default());
            roster_entry(operator, key.public_key(), &proof, place, Stake(100))
        });
        let roster = Roster::new(TimeS(4_000_000_000), entries.collect());
        let seated = SeatedRoster::check(domain(), Epoch(epoch), roster, None).expect("a committee");
        let keys = seated.committee().members().iter().map(|member| {
            let secrets = operators.iter().map(|number| SecretKey::from_seed(&[*number]));
            let mut own = secrets.filter(|key| key.public_key() == *member.key());
            own.next().expect("one of ours")
        });
        let keys = keys.collect();
        Self { seated: Arc::new(seated), keys }
    }

    pub(in crate::watcher) fn committee(&self) -> &Arc<Committee> {
        self.seated.committee()
    }

    pub(in crate::watcher) fn operator(&self, seat: u16) -> Address {
        self.committee().members().get(usize::from(seat)).map(PossessedKey::operator).expect("a seat")
    }

    /// The seat of the operator with this number.
    pub(in crate::watcher) fn seat_of(&self, number: u8) -> u16 {
        let seat = self.committee().seat_of(&SecretKey::from_seed(&[number]).public_key());
        seat.expect("a member").0
    }

    pub(in crate::watcher) fn attest(&self, seat: u16, header: &Header) -> Attestation {
        let epoch = self.committee().table().epoch();
        self.keys[usize::from(seat)].attest(domain(), epoch, header.height, header.hash(), Seat(seat))
    }

    pub(in crate::watcher) fn certify(&self, seats: &[u16], header: &Header) -> Certificate {
        let mut aggregator =
            Aggregator::new(self.committee().clone(), domain(), header.height, header.hash());
        for seat in seats {
            aggregator.add(&self.attest(*seat, header)).expect("a seat");
        }
        aggregator.aggregate().certificate.expect("a quorum")
    }

    pub(in crate::watcher) fn committees(&self) -> Committees {
        let mut committees = Committees::default();
        committees.insert(self.committee().clone(), Height(1));
        committees
    }
}

/// A header of that height; `fork` tells it from others.
pub(in crate::watcher) fn header(epoch: u64, height: u64, fork: u8) -> Header {
    Header {
        domain: domain(),
        epoch: Epoch(epoch),
        height: Height(height),
        time_ms: TimeMs(height),
        l1_origin: L1Origin { number: 7, hash: B256::repeat_byte(7) },
        parent: B256::ZERO,
        rollups_root: B256::repeat_byte(fork),
        body_hash: B256::ZERO,
        next_table_hash: B256::ZERO,
    }
}

pub(in crate::watcher) const ROLLUP: ChainId = ChainId(901);
pub(in crate::watcher) const REGISTRATION: RegistrationId = RegistrationId(B256::repeat_byte(0x91));

pub(in crate::watcher) fn sequencer() -> SequencerKey {
    SequencerKey::from_secret(B256::repeat_byte(5)).expect("a key")
}

/// A claim for block `number`; `fork` tells its block from others.
pub(in crate::watcher) fn claim(generation: u32, number: u64, fork: u8) -> SignedClaim {
    let block = BlockRef { number, hash: B256::repeat_byte(fork) };
    let generation = Generation(generation);
    HeadClaim { chain_id: ROLLUP, registration: REGISTRATION, generation, block }.sign(domain(), &sequencer())
}
