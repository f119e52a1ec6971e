//! A committee as nodes hold it, and its table as chains hold it.

use crate::{G1, G2, PossessedKey, PublicKey, Signers, point::pairs_equal};
use alloy_primitives::U256;
use ark_bn254::{G1Affine, G1Projective, G2Projective};
use ark_ec::AffineRepr;
use hum_types::{Address, B256, Decode, DecodeError, Encode, Epoch, Reader, Stake, TimeS, keccak256};
use serde::{Deserialize, Serialize};

/// The most operators that a committee can have.
pub const OPERATORS_MAX: usize = 256;

/// Bytes of a table's entry 0, and of each operator's entry.
const HEAD_BYTES: usize = G1::BYTES + G2::BYTES + 16 + 8;
const ENTRY_BYTES: usize = G1::BYTES + 16;

/// An operator's place in its committee's table, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seat(pub u16);

impl std::fmt::Display for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// `H(G1 key)`: names an operator's key and orders the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperatorId(pub B256);

impl OperatorId {
    /// The id of the operator with this key.
    #[must_use]
    pub fn of(key: G1) -> Self {
        Self(keccak256(key.encode()))
    }
}

impl std::fmt::Display for OperatorId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Why members are no committee.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitteeError {
    /// Nobody, or more than [`OPERATORS_MAX`].
    #[error("a committee has 1 to {OPERATORS_MAX} operators, {found} given")]
    Size {
        /// Members given.
        found: usize,
    },
    /// One key holds two seats.
    #[error("key of operator {0} holds two seats")]
    KeyTwice(OperatorId),
    /// One operator address holds two seats.
    #[error("operator address {0} holds two seats")]
    OperatorTwice(Address),
    /// All stakes are zero: nothing could ever be certified.
    #[error("the committee has no stake")]
    NoStake,
    /// The stakes do not add up within 128 bits.
    #[error("stake {stake} of operator {operator} takes the total above 128 bits from {before}")]
    StakeOverflow {
        /// The operator whose stake is too much.
        operator: OperatorId,
        /// Its stake.
        stake: Stake,
        /// The total of those before it.
        before: Stake,
    },
    /// The keys cancel each other.
    #[error("the sum of all keys is the identity")]
    IdentitySum,
}

/// Why bytes are not the table that was promised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Not a length that a table of 1 to [`OPERATORS_MAX`] operators has.
    #[error(
        "a table has {HEAD_BYTES} + {ENTRY_BYTES} bytes for each of 1 to {OPERATORS_MAX} operators, {found} given"
    )]
    Length {
        /// Bytes given.
        found: usize,
    },
    /// The bytes hash to something else.
    #[error("table hashes to {computed}, expected {expected}")]
    Hash {
        /// Hash of the bytes.
        computed: B256,
        /// Hash that was certified.
        expected: B256,
    },
    /// A field does not decode.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Operators do not ascend by id.
    #[error("operator {id} at seat {seat} does not come after {previous}")]
    Order {
        /// The seat out of order.
        seat: Seat,
        /// Its operator.
        id: OperatorId,
        /// The operator before it.
        previous: OperatorId,
    },
    /// The entries make no committee.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// Entry 0 declares another sum of G1 keys.
    #[error("G1 key sum is {declared}, the keys add up to {computed}")]
    SumG1 {
        /// What entry 0 says.
        declared: Box<G1>,
        /// Sum over the entries.
        computed: Box<G1>,
    },
    /// Entry 0's G2 sum does not belong to the G1 sum.
    #[error("G2 key sum {declared} does not belong to the G1 key sum {computed}")]
    SumG2 {
        /// What entry 0 says.
        declared: Box<G2>,
        /// Sum of G1 keys over the entries.
        computed: Box<G1>,
    },
    /// Entry 0 declares another total.
    #[error("total stake is {declared}, the stakes add up to {computed}")]
    TotalStake {
        /// What entry 0 says.
        declared: Stake,
        /// Sum over the entries.
        computed: Stake,
    },
}

/// One operator in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableEntry {
    /// Its key in G1.
    pub key: G1,
    /// Its stake.
    pub stake: Stake,
}

/// What a chain knows of a committee: enough to check a certificate, which brings its signers' G2 sum.
///
/// The bytes carry no proofs of possession: whoever certified their hash has checked those.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitteeTable {
    epoch: Epoch,
    entries: Vec<TableEntry>,
    sum_g1: G1,
    sum_g2: G2,
    total: Stake,
    valid_until: TimeS,
}

impl CommitteeTable {
    /// Read the table of `epoch` whose hash is known to be `expected`.
    pub fn from_bytes(epoch: Epoch, bytes: &[u8], expected: B256) -> Result<Self, TableError> {
        let operators = bytes.len().saturating_sub(HEAD_BYTES) / ENTRY_BYTES;
        if !(1..=OPERATORS_MAX).contains(&operators) || bytes.len() != HEAD_BYTES + ENTRY_BYTES * operators {
            return Err(TableError::Length { found: bytes.len() });
        }
        let computed = keccak256(bytes);
        if computed != expected {
            return Err(TableError::Hash { computed, expected });
        }
        let mut reader = Reader::new(bytes);
        let declared_g1 = G1::read(&mut reader, "G1 key sum")?;
        let declared_g2 = G2::read(&mut reader, "G2 key sum")?;
        let declared_total = Stake::decode_from(&mut reader)?;
        let valid_until = TimeS::decode_from(&mut reader)?;
        let mut entries = Vec::with_capacity(operators);
        let mut previous: Option<OperatorId> = None;
        for seat in (0..).map(Seat).take(operators) {
            let key = G1::read(&mut reader, "operator key")?;
            let id = OperatorId::of(key);
            if let Some(previous) = previous.filter(|previous| *previous >= id) {
                return Err(TableError::Order { seat, id, previous });
            }
            previous = Some(id);
            entries.push(TableEntry { key, stake: Stake::decode_from(&mut reader)? });
        }
        reader.finish("committee table")?;

        let total = total_stake(&entries)?;
        if declared_total != total {
            return Err(TableError::TotalStake { declared: declared_total, computed: total });
        }
        let sum_g1 = sum_g1(entries.iter().map(|entry| entry.key)).ok_or(CommitteeError::IdentitySum)?;
        if declared_g1 != sum_g1 {
            return Err(TableError::SumG1 { declared: declared_g1.into(), computed: sum_g1.into() });
        }
        if !pairs_equal(sum_g1.0, G1Affine::generator(), declared_g2.0) {
            return Err(TableError::SumG2 { declared: declared_g2.into(), computed: sum_g1.into() });
        }
        Ok(Self { epoch, entries, sum_g1, sum_g2: declared_g2, total, valid_until })
    }

    /// The epoch that it is for.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Operators, by seat.
    #[must_use]
    pub fn entries(&self) -> &[TableEntry] {
        &self.entries
    }

    /// How many operators there are: 1 to [`OPERATORS_MAX`].
    #[must_use]
    pub fn operators(&self) -> u16 {
        u16::try_from(self.entries.len()).expect("a committee is bounded when it is made")
    }

    /// Sum of all keys in G1.
    #[must_use]
    pub const fn sum_g1(&self) -> G1 {
        self.sum_g1
    }

    /// Sum of all keys in G2.
    #[must_use]
    pub const fn sum_g2(&self) -> G2 {
        self.sum_g2
    }

    /// Total stake.
    #[must_use]
    pub const fn total_stake(&self) -> Stake {
        self.total
    }

    /// Until when chains believe it: its stake can be slashed for that long, and a margin for evidence more.
    #[must_use]
    pub const fn valid_until(&self) -> TimeS {
        self.valid_until
    }

    /// Stake of one seat.
    #[must_use]
    pub fn stake(&self, seat: Seat) -> Option<Stake> {
        self.entries.get(usize::from(seat.0)).map(|entry| entry.stake)
    }

    /// Stake of those who signed.
    #[must_use]
    pub fn signed_stake(&self, signers: &Signers) -> Stake {
        // A part of a total that fits 128 bits fits too.
        Stake(signers.present().filter_map(|seat| self.stake(seat)).map(|stake| stake.0).sum())
    }

    /// Whether this much signed stake certifies: signed × 3 ≥ total × 2.
    #[must_use]
    pub fn is_quorum(&self, signed: Stake) -> bool {
        U256::from(signed.0) * U256::from(3) >= U256::from(self.total.0) * U256::from(2)
    }

    /// Sum of the signers' keys in G1; `None` when it is the identity.
    pub(crate) fn signers_sum(&self, signers: &Signers) -> Option<G1> {
        sum_g1(
            signers.present().filter_map(|seat| self.entries.get(usize::from(seat.0))).map(|entry| entry.key),
        )
    }

    /// Hash of the bytes: what a closing header commits to.
    #[must_use]
    pub fn hash(&self) -> B256 {
        keccak256(self.encode())
    }
}

impl Encode for CommitteeTable {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.sum_g1.encode_to(out);
        self.sum_g2.encode_to(out);
        self.total.encode_to(out);
        self.valid_until.encode_to(out);
        for entry in &self.entries {
            entry.key.encode_to(out);
            entry.stake.encode_to(out);
        }
    }
}

/// A committee with everything that its own nodes know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committee {
    table: CommitteeTable,
    /// By seat.
    members: Vec<PossessedKey>,
}

impl Committee {
    /// The committee of `epoch`, seated by ascending operator id whatever the order given.
    pub fn new(
        epoch: Epoch,
        valid_until: TimeS,
        members: Vec<(PossessedKey, Stake)>,
    ) -> Result<Self, CommitteeError> {
        if !(1..=OPERATORS_MAX).contains(&members.len()) {
            return Err(CommitteeError::Size { found: members.len() });
        }
        let mut members: Vec<_> =
            members.into_iter().map(|(member, stake)| (member.operator_id(), member, stake)).collect();
        members.sort_by_key(|(id, ..)| *id);
        if let Some(pair) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(CommitteeError::KeyTwice(pair[0].0));
        }
        let mut addresses: Vec<_> = members.iter().map(|(_, member, _)| member.operator()).collect();
        addresses.sort();
        if let Some(pair) = addresses.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(CommitteeError::OperatorTwice(pair[0]));
        }
        let entries: Vec<_> = members
            .iter()
            .map(|(_, member, stake)| TableEntry { key: member.key().g1(), stake: *stake })
            .collect();
        let members: Vec<_> = members.into_iter().map(|(_, member, _)| member).collect();
        let total = total_stake(&entries)?;
        let sum_g1 = sum_g1(entries.iter().map(|entry| entry.key)).ok_or(CommitteeError::IdentitySum)?;
        let sum_g2: G2Projective = members.iter().map(|member| member.key().g2().0).sum();
        let sum_g2 = G2::new(sum_g2).ok_or(CommitteeError::IdentitySum)?;
        let table = CommitteeTable { epoch, entries, sum_g1, sum_g2, total, valid_until };
        Ok(Self { table, members })
    }

    /// What chains know of it.
    #[must_use]
    pub const fn table(&self) -> &CommitteeTable {
        &self.table
    }

    /// Members, by seat.
    #[must_use]
    pub fn members(&self) -> &[PossessedKey] {
        &self.members
    }

    /// The key at a seat.
    #[must_use]
    pub fn key(&self, seat: Seat) -> Option<&PublicKey> {
        self.members.get(usize::from(seat.0)).map(PossessedKey::key)
    }

    /// The seat of a key.
    #[must_use]
    pub fn seat_of(&self, key: &PublicKey) -> Option<Seat> {
        (0..).map(Seat).zip(&self.members).find(|(_, member)| member.key() == key).map(|(seat, _)| seat)
    }
}

fn total_stake(entries: &[TableEntry]) -> Result<Stake, CommitteeError> {
    let mut total = 0_u128;
    for entry in entries {
        total = total.checked_add(entry.stake.0).ok_or_else(|| CommitteeError::StakeOverflow {
            operator: OperatorId::of(entry.key),
            stake: entry.stake,
            before: Stake(total),
        })?;
    }
    if total == 0 { Err(CommitteeError::NoStake) } else { Ok(Stake(total)) }
}

fn sum_g1(keys: impl Iterator<Item = G1>) -> Option<G1> {
    let sum: G1Projective = keys.map(|key| key.0).sum();
    G1::new(sum)
}
