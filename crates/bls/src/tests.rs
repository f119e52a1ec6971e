use crate::*;
use hum_types::{Address, B256, Decode, Domain, Encode, Epoch, Height, Stake, TimeS, keccak256};
use std::sync::Arc;

mod aggregation;
mod certificates;
mod committees;
mod framing;
mod judgements;
mod points;
mod vectors;

const EPOCH: Epoch = Epoch(5);
const HEIGHT: Height = Height(9);
/// That of the committees in `vectors/committee.json`.
const VALID_UNTIL: TimeS = TimeS(4_000_000_000);

fn domain() -> Domain {
    Domain(keccak256("test domain"))
}

fn header_hash() -> B256 {
    keccak256("a header")
}

fn address(n: usize) -> Address {
    Address::left_padding_from(&(n as u64 + 1).to_be_bytes())
}

fn possessed(secret: &SecretKey, operator: Address) -> PossessedKey {
    let proof = secret.prove_possession(domain(), operator);
    PossessedKey::check(domain(), secret.public_key(), operator, &proof).unwrap()
}

/// Secrets by seat, and their committee.
struct Operators {
    secrets: Vec<SecretKey>,
    committee: Arc<Committee>,
}

impl Operators {
    fn new(stakes: &[u128]) -> Self {
        let seeds = (0..stakes.len()).map(|n| SecretKey::from_seed(format!("operator {n}").as_bytes()));
        Self::of(seeds.collect(), stakes)
    }

    /// `stakes` are by seat.
    fn of(mut secrets: Vec<SecretKey>, stakes: &[u128]) -> Self {
        secrets.sort_by_key(|secret| OperatorId::of(secret.public_key().g1()));
        let members = secrets.iter().enumerate().map(|(n, secret)| possessed(secret, address(n)));
        let members = members.zip(stakes.iter().copied().map(Stake)).collect();
        let committee = Arc::new(Committee::new(EPOCH, VALID_UNTIL, members).unwrap());
        Self { secrets, committee }
    }

    fn attestation(&self, seat: u16) -> Attestation {
        self.secrets[usize::from(seat)].attest(domain(), EPOCH, HEIGHT, header_hash(), Seat(seat))
    }

    fn aggregator(&self) -> Aggregator {
        Aggregator::new(self.committee.clone(), domain(), HEIGHT, header_hash())
    }

    fn certificate(&self, signers: impl IntoIterator<Item = u16>) -> Certificate {
        let mut aggregator = self.aggregator();
        for seat in signers {
            aggregator.add(&self.attestation(seat)).unwrap();
        }
        aggregator.aggregate().certificate.unwrap()
    }
}

/// The bytes with one bit flipped.
fn flip(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 1;
    bytes
}

/// A signature that is on the curve and nobody's.
fn rubbish(n: u16) -> Signature {
    Signature(hash_to_g1(keccak256(n.to_be_bytes())))
}
