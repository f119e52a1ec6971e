//! Signed things that cannot all be honest, with one byte encoding.
//!
//! Decoding says nothing of truth: [`FaultEvidence::check`] does, against the committees of the epochs that it names.

mod head;
mod statement;

#[cfg(test)]
pub(crate) use head::lane_slot;
pub use head::{Charge, HeadError, HeadStatement, LaneCharge, LaneStatement, WordProof};
pub(crate) use head::{header_fields, header_of};
pub use statement::{Signed, Statement, StatementError};

use super::committees::Committees;
use hum_bls::{OperatorId, Seat};
use hum_types::{
    Address, B256, ClaimError, Decode, DecodeError, Domain, Encode, Epoch, Height, Reader, RegistrationId,
    SignedClaim, keccak256,
};

/// Which rule was broken, as the judges on L1 number them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Fault {
    /// One key attested two headers of one height.
    DoubleAttestation = 1,
    /// A closing header announces another table than L1 had at its origin, or a settled head is not settled there.
    Settlement = 2,
    /// A `Latest` head was attested that its sequencer never claimed.
    NoClaim = 3,
    /// An attested lane is not what the façade's slot holds under the attested state root.
    Lane = 4,
    /// A sequencer claimed two blocks with one number in one generation.
    DoubleClaim = 5,
    /// An attested head's number or state root is not in the block whose hash was attested.
    StateRoot = 6,
    /// A sequencer claimed a block in whose place its rollup put another one on L1; no operator is accused of it.
    FalseClaim = 8,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::DoubleAttestation => "two attestations for one height",
            Self::Settlement => "a table or a settled head that L1 does not have",
            Self::NoClaim => "a head that nobody claimed",
            Self::Lane => "a lane that its slot contradicts",
            Self::DoubleClaim => "two claims for one block number",
            Self::StateRoot => "a state root that is not its block's",
            Self::FalseClaim => "a claim that L1 contradicts",
        })
    }
}

/// The newest snapshot at an L1 origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DueTable {
    /// Its index on L1; [`DueTable::NONE`] when there was none.
    pub index: u64,
    /// Its table's hash; zero when there was none.
    pub hash: B256,
}

impl DueTable {
    /// No snapshot had been taken.
    pub const NONE: Self = Self { index: u64::MAX, hash: B256::ZERO };
}

/// Evidence of one fault, whole: with the committees' keys nothing else is needed to judge it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultEvidence {
    /// Two statements on two headers of one height; whoever signed both lied.
    DoubleAttestation {
        /// One of them.
        one: Statement,
        /// The other.
        other: Statement,
    },
    /// A signed closing header that announces another table than the newest snapshot at its L1 origin.
    FalseTable {
        /// The header, and who signed it.
        statement: Statement,
        /// What L1 had at the header's origin, as the watcher's own node says.
        expected: DueTable,
    },
    /// A signed header with a head, advanced at its own height, that is false.
    FalseHead {
        /// The header, and who signed it.
        statement: Statement,
        /// The head.
        head: HeadStatement,
        /// Why it is false.
        charge: Charge,
    },
    /// Two claims for one number in one generation.
    DoubleClaim {
        /// One of them.
        one: SignedClaim,
        /// The other.
        other: SignedClaim,
    },
    /// A claim in whose place the rollup put another block on L1, as the watcher's own node says of its final blocks.
    FalseClaim {
        /// The claim.
        claim: SignedClaim,
    },
}

/// Why evidence proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The two statements name different heights.
    #[error("statements are of heights {one} and {other}")]
    Heights {
        /// Of the first.
        one: Height,
        /// Of the second.
        other: Height,
    },
    /// Both say the same.
    #[error("both statements are on header {0}")]
    SameHeader(B256),
    /// No key signed both.
    #[error("no key signed both statements of height {0}")]
    NobodyTwice(Height),
    /// The header itself is not there.
    #[error("the header of height {0} is not known")]
    HeaderMissing(Height),
    /// The header announces no table, or the right one.
    #[error("header announces table {declared}, L1 had {expected}")]
    Table {
        /// In the header.
        declared: B256,
        /// On L1.
        expected: B256,
    },
    /// A statement is not its signers'.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The head is not in the header, or what is said of it is no fault.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The claims are compatible.
    #[error("the claims do not contradict each other")]
    Compatible,
    /// A claim is not the sequencer's.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// It accuses a sequencer where an operator was asked about, or the other way round.
    #[error("evidence of {0} says nothing about that")]
    Other(Fault),
}

/// An operator whom evidence accuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccusedOperator {
    /// Its account on L1.
    pub operator: Address,
    /// Its seat in the first statement's committee.
    pub seat: Seat,
    /// Its seat in the second statement's committee; the same as `seat` when there is one statement.
    pub other_seat: Seat,
}

impl FaultEvidence {
    /// The rule that was broken.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::DoubleAttestation { .. } => Fault::DoubleAttestation,
            Self::FalseTable { .. } => Fault::Settlement,
            Self::FalseHead { charge, .. } => charge.fault(),
            Self::DoubleClaim { .. } => Fault::DoubleClaim,
            Self::FalseClaim { .. } => Fault::FalseClaim,
        }
    }

    /// The height that was signed for, or the claimed block's number.
    #[must_use]
    pub const fn position(&self) -> u64 {
        match self {
            Self::DoubleAttestation { one: statement, .. }
            | Self::FalseTable { statement, .. }
            | Self::FalseHead { statement, .. } => statement.height().0,
            Self::DoubleClaim { one: claim, .. } | Self::FalseClaim { claim } => claim.claim.block.number,
        }
    }

    /// Epochs whose committees it names, ascending.
    #[must_use]
    pub fn epochs(&self) -> Vec<Epoch> {
        match self {
            Self::DoubleAttestation { one, other } => {
                let (one, other) = (one.epoch(), other.epoch());
                if one == other { vec![one] } else { vec![one.min(other), one.max(other)] }
            }
            Self::FalseTable { statement, .. } | Self::FalseHead { statement, .. } => {
                vec![statement.epoch()]
            }
            Self::DoubleClaim { .. } | Self::FalseClaim { .. } => Vec::new(),
        }
    }

    /// Whether judges on L1 can read it as it is.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        match self {
            Self::DoubleAttestation { one, other } => one.is_whole() && other.is_whole(),
            Self::FalseTable { statement, .. } | Self::FalseHead { statement, .. } => {
                statement.header.is_some()
            }
            Self::DoubleClaim { .. } | Self::FalseClaim { .. } => true,
        }
    }

    /// Operators whom it accuses, by their seat in the first statement.
    #[must_use]
    pub fn accused(&self, committees: &Committees) -> Vec<AccusedOperator> {
        let member = |epoch: Epoch, seat: Seat| -> Option<(OperatorId, Address)> {
            let member = committees.get(epoch)?.members().get(usize::from(seat.0))?;
            Some((member.operator_id(), member.operator()))
        };
        match self {
            Self::DoubleAttestation { one, other } => {
                let others: Vec<(OperatorId, Seat)> = other
                    .seats()
                    .into_iter()
                    .filter_map(|seat| Some((member(other.epoch(), seat)?.0, seat)))
                    .collect();
                one.seats()
                    .into_iter()
                    .filter_map(|seat| {
                        let (id, operator) = member(one.epoch(), seat)?;
                        let (_, other_seat) = others.iter().find(|(other, _)| *other == id)?;
                        Some(AccusedOperator { operator, seat, other_seat: *other_seat })
                    })
                    .collect()
            }
            Self::FalseTable { statement, .. } | Self::FalseHead { statement, .. } => statement
                .seats()
                .into_iter()
                .filter_map(|seat| {
                    let (_, operator) = member(statement.epoch(), seat)?;
                    Some(AccusedOperator { operator, seat, other_seat: seat })
                })
                .collect(),
            Self::DoubleClaim { .. } | Self::FalseClaim { .. } => Vec::new(),
        }
    }

    /// Hash of the bytes: names it in logs and files.
    #[must_use]
    pub fn id(&self) -> B256 {
        keccak256(self.encode())
    }

    /// Check evidence against operators. What L1 says of tables is taken from the evidence, and that nobody has a claim.
    pub fn check(&self, committees: &Committees, domain: Domain) -> Result<(), EvidenceError> {
        match self {
            Self::DoubleAttestation { one, other } => {
                if one.height() != other.height() {
                    return Err(EvidenceError::Heights { one: one.height(), other: other.height() });
                }
                if one.header_hash() == other.header_hash() {
                    return Err(EvidenceError::SameHeader(one.header_hash()));
                }
                one.verify(committees, domain)?;
                other.verify(committees, domain)?;
                if self.accused(committees).is_empty() {
                    return Err(EvidenceError::NobodyTwice(one.height()));
                }
                Ok(())
            }
            Self::FalseTable { statement, expected } => {
                let header =
                    statement.header.ok_or_else(|| EvidenceError::HeaderMissing(statement.height()))?;
                statement.verify(committees, domain)?;
                let (declared, expected) = (header.next_table_hash, expected.hash);
                if declared == B256::ZERO || declared == expected {
                    return Err(EvidenceError::Table { declared, expected });
                }
                Ok(())
            }
            Self::FalseHead { statement, head, charge } => {
                let header =
                    statement.header.ok_or_else(|| EvidenceError::HeaderMissing(statement.height()))?;
                statement.verify(committees, domain)?;
                head.check(&header, charge.confidence())?;
                Ok(charge.check(head)?)
            }
            Self::DoubleClaim { .. } | Self::FalseClaim { .. } => Err(EvidenceError::Other(self.fault())),
        }
    }

    /// The sequencer's registration, of evidence against one.
    #[must_use]
    pub const fn registration(&self) -> Option<RegistrationId> {
        match self {
            Self::DoubleClaim { one: claim, .. } | Self::FalseClaim { claim } => {
                Some(claim.claim.registration)
            }
            _ => None,
        }
    }

    /// Check evidence against a sequencer. What L1 holds in a claim's place is taken from whoever found it.
    pub fn check_claims(&self, sequencer: Address, domain: Domain) -> Result<(), EvidenceError> {
        if let Self::FalseClaim { claim } = self {
            claim.authenticate(domain, sequencer)?;
            return Ok(());
        }
        let Self::DoubleClaim { one, other } = self else { return Err(EvidenceError::Other(self.fault())) };
        let place = |signed: &SignedClaim| {
            let claim = signed.claim;
            (claim.chain_id, claim.registration, claim.generation, claim.block.number)
        };
        if place(one) != place(other) || one.claim.block.hash == other.claim.block.hash {
            return Err(EvidenceError::Compatible);
        }
        one.authenticate(domain, sequencer)?;
        other.authenticate(domain, sequencer)?;
        Ok(())
    }
}

impl Encode for FaultEvidence {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::FalseHead { charge: Charge::Settled { .. }, .. } => head::SETTLED,
            _ => self.fault() as u8,
        });
        match self {
            Self::DoubleAttestation { one, other } => {
                one.encode_to(out);
                other.encode_to(out);
            }
            Self::FalseTable { statement, expected } => {
                statement.encode_to(out);
                out.extend_from_slice(&expected.index.to_be_bytes());
                out.extend_from_slice(expected.hash.as_slice());
            }
            Self::FalseHead { statement, head, charge } => {
                statement.encode_to(out);
                head.encode_to(out);
                charge.encode_to(out);
            }
            Self::DoubleClaim { one, other } => {
                one.encode_to(out);
                other.encode_to(out);
            }
            Self::FalseClaim { claim } => claim.encode_to(out),
        }
    }
}

impl Decode for FaultEvidence {
    const WHAT: &'static str = "fault evidence";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("fault")? {
            1 => Self::DoubleAttestation {
                one: Statement::decode_from(reader)?,
                other: Statement::decode_from(reader)?,
            },
            2 => Self::FalseTable {
                statement: Statement::decode_from(reader)?,
                expected: DueTable {
                    index: reader.u64("snapshot index")?,
                    hash: reader.b256("table on L1")?,
                },
            },
            5 => Self::DoubleClaim {
                one: SignedClaim::decode_from(reader)?,
                other: SignedClaim::decode_from(reader)?,
            },
            8 => Self::FalseClaim { claim: SignedClaim::decode_from(reader)? },
            fault @ (3 | 4 | 6 | head::SETTLED) => Self::FalseHead {
                statement: Statement::decode_from(reader)?,
                head: HeadStatement::decode_from(reader)?,
                charge: Charge::decode_as(fault, reader)?,
            },
            value => return Err(DecodeError::Value { field: "fault", value: value.into() }),
        })
    }
}
