//! Evidence on disk: written and synced the moment it is found, before anything else is done with it.
//!
//! ```text
//! record = 1 ‖ first height 8 ‖ epoch 8 ‖ roster      a committee that evidence after it names
//!        | 2 ‖ number 4 ‖ found at, ms 8 ‖ evidence
//!        | 3 ‖ number 4 ‖ defendant ‖ tx flag 1 ‖ tx 32?   L1 has punished it
//!        | 4 ‖ number 4 ‖ bond, wei 16                     our challenge is open
//!        | 5 ‖ number 4 ‖ at, ms 8 ‖ lost bond, wei 16     it was answered: nobody is punished
//! ```
//!
//! Only ends are written down. What was under way when the power went is looked up on L1 and tried again: the contracts
//! punish an offence once.

use super::{
    committees::Committees,
    docket::{Defendant, EvidenceNumber},
    evidence::FaultEvidence,
};
use crate::{
    operator::{RecordsError, records::Records},
    runtime::Runtime,
};
use hum_ledger::{RosterError, SeatedRoster};
use hum_types::{
    B256, Decode, DecodeError, Domain, Encode, Epoch, Height, Reader, RegistrationId, Roster, TimeMs,
};
use std::{collections::BTreeSet, sync::Arc};

/// Bytes of the longest record, a roster with all seats.
const RECORD_BYTES_MAX: usize = 1 << 17;
/// Everything lies in one file: it is never pruned and stays small.
const FILE: Height = Height(0);

/// One thing that is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "records are rare and written one at a time")]
pub enum EvidenceRecord {
    /// A committee.
    Committee {
        /// The first height that it signs.
        first: Height,
        /// The epoch that it signs in.
        epoch: Epoch,
        /// Who is in it.
        roster: Roster,
    },
    /// Evidence, found.
    Found {
        /// Its number.
        number: EvidenceNumber,
        /// When it was found.
        at: TimeMs,
        /// The evidence.
        evidence: FaultEvidence,
    },
    /// Evidence of which a defendant was punished.
    Punished {
        /// The evidence.
        number: EvidenceNumber,
        /// Who was punished.
        defendant: Defendant,
        /// In which transaction of ours, if in one.
        tx_hash: Option<B256>,
    },
    /// A challenge of ours is open.
    Challenged {
        /// The evidence.
        number: EvidenceNumber,
        /// The bond, in wei.
        bond_wei: u128,
    },
    /// The sequencer's signature was shown.
    Acquitted {
        /// The evidence.
        number: EvidenceNumber,
        /// When that was seen.
        at: TimeMs,
        /// What it cost us, in wei.
        lost_wei: u128,
    },
}

impl Encode for EvidenceRecord {
    fn encode_to(&self, out: &mut Vec<u8>) {
        match self {
            Self::Committee { first, epoch, roster } => {
                out.push(1);
                first.encode_to(out);
                epoch.encode_to(out);
                roster.encode_to(out);
            }
            Self::Found { number, at, evidence } => {
                out.push(2);
                out.extend_from_slice(&number.0.to_be_bytes());
                at.encode_to(out);
                evidence.encode_to(out);
            }
            Self::Punished { number, defendant, tx_hash } => {
                out.push(3);
                out.extend_from_slice(&number.0.to_be_bytes());
                match defendant {
                    Defendant::Operator(operator) => {
                        out.push(0);
                        out.extend_from_slice(operator.as_slice());
                    }
                    Defendant::Sequencer(registration) => {
                        out.push(1);
                        out.extend_from_slice(registration.0.as_slice());
                    }
                }
                out.push(tx_hash.is_some().into());
                out.extend_from_slice(tx_hash.as_ref().map_or(&[], B256::as_slice));
            }
            Self::Challenged { number, bond_wei } => {
                out.push(4);
                out.extend_from_slice(&number.0.to_be_bytes());
                out.extend_from_slice(&bond_wei.to_be_bytes());
            }
            Self::Acquitted { number, at, lost_wei } => {
                out.push(5);
                out.extend_from_slice(&number.0.to_be_bytes());
                at.encode_to(out);
                out.extend_from_slice(&lost_wei.to_be_bytes());
            }
        }
    }
}

impl Decode for EvidenceRecord {
    const WHAT: &'static str = "evidence record";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.u8("record tag")? {
            1 => Self::Committee {
                first: Height::decode_from(reader)?,
                epoch: Epoch::decode_from(reader)?,
                roster: Roster::decode_from(reader)?,
            },
            2 => Self::Found {
                number: EvidenceNumber(reader.u32("evidence number")?),
                at: TimeMs::decode_from(reader)?,
                evidence: FaultEvidence::decode_from(reader)?,
            },
            3 => Self::Punished {
                number: EvidenceNumber(reader.u32("evidence number")?),
                defendant: match reader.u8("defendant tag")? {
                    0 => Defendant::Operator(reader.address("operator")?),
                    1 => Defendant::Sequencer(RegistrationId(reader.b256("registration")?)),
                    value => return Err(DecodeError::Value { field: "defendant tag", value: value.into() }),
                },
                tx_hash: match reader.u8("transaction flag")? {
                    0 => None,
                    1 => Some(reader.b256("transaction")?),
                    value => {
                        return Err(DecodeError::Value { field: "transaction flag", value: value.into() });
                    }
                },
            },
            4 => Self::Challenged {
                number: EvidenceNumber(reader.u32("evidence number")?),
                bond_wei: reader.u128("bond")?,
            },
            5 => Self::Acquitted {
                number: EvidenceNumber(reader.u32("evidence number")?),
                at: TimeMs::decode_from(reader)?,
                lost_wei: reader.u128("lost bond")?,
            },
            value => return Err(DecodeError::Value { field: "record tag", value: value.into() }),
        })
    }
}

/// Why evidence cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is at fault.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// A committee on disk is none.
    #[error("committee of epoch {epoch} on disk: {source}")]
    Committee {
        /// Its epoch.
        epoch: Epoch,
        /// Why.
        source: Box<RosterError>,
    },
}

/// What the disk held.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) committees: Committees,
    pub(crate) found: Vec<(EvidenceNumber, TimeMs, FaultEvidence)>,
    pub(crate) punished: Vec<(EvidenceNumber, Defendant, Option<B256>)>,
    pub(crate) challenged: Vec<(EvidenceNumber, u128)>,
    pub(crate) acquitted: Vec<(EvidenceNumber, TimeMs, u128)>,
}

/// The file of evidence.
pub(crate) struct Store<E: Runtime> {
    records: Records<E>,
    epochs: BTreeSet<Epoch>,
}

impl<E: Runtime> Store<E> {
    /// Open the file and read what it holds. A record that does not decode was being written when the power went.
    pub(crate) async fn open(
        context: E,
        partition: String,
        domain: Domain,
    ) -> Result<(Self, Held), StoreError> {
        let (records, read) = Records::open_with(context, partition, RECORD_BYTES_MAX).await?;
        let (mut held, mut epochs) = (Held::default(), BTreeSet::new());
        let mut before: Option<SeatedRoster> = None;
        for record in read {
            match EvidenceRecord::decode(&record) {
                Ok(EvidenceRecord::Committee { first, epoch, roster }) => {
                    let seated = SeatedRoster::check(domain, epoch, roster, before.as_ref())
                        .map_err(|source| StoreError::Committee { epoch, source: Box::new(source) })?;
                    held.committees.insert(seated.committee().clone(), first);
                    before = Some(seated);
                    epochs.insert(epoch);
                }
                Ok(EvidenceRecord::Found { number, at, evidence }) => held.found.push((number, at, evidence)),
                Ok(EvidenceRecord::Punished { number, defendant, tx_hash }) => {
                    held.punished.push((number, defendant, tx_hash));
                }
                Ok(EvidenceRecord::Challenged { number, bond_wei }) => {
                    held.challenged.push((number, bond_wei));
                }
                Ok(EvidenceRecord::Acquitted { number, at, lost_wei }) => {
                    held.acquitted.push((number, at, lost_wei));
                }
                Err(error) => tracing::warn!(%error, "a record of evidence does not decode"),
            }
        }
        Ok((Self { records, epochs }, held))
    }

    /// Keep evidence, and the committees that it names. On disk when this returns.
    pub(crate) async fn found(
        &mut self,
        number: EvidenceNumber,
        at: TimeMs,
        evidence: &FaultEvidence,
        committees: impl IntoIterator<Item = (Arc<SeatedRoster>, Height)>,
    ) -> Result<(), StoreError> {
        let named = evidence.epochs();
        for (seated, first) in committees {
            let epoch = seated.epoch();
            if named.contains(&epoch) && !self.epochs.contains(&epoch) {
                let roster = seated.roster().clone();
                self.append(&EvidenceRecord::Committee { first, epoch, roster }).await?;
                self.epochs.insert(epoch);
            }
        }
        self.append(&EvidenceRecord::Found { number, at, evidence: evidence.clone() }).await?;
        Ok(self.records.sync(FILE).await?)
    }

    /// Keep that a defendant was punished.
    pub(crate) async fn punished(
        &mut self,
        number: EvidenceNumber,
        defendant: Defendant,
        tx_hash: Option<B256>,
    ) -> Result<(), StoreError> {
        self.append(&EvidenceRecord::Punished { number, defendant, tx_hash }).await?;
        Ok(self.records.sync(FILE).await?)
    }

    /// Keep that a challenge is open.
    pub(crate) async fn challenged(
        &mut self,
        number: EvidenceNumber,
        bond_wei: u128,
    ) -> Result<(), StoreError> {
        self.append(&EvidenceRecord::Challenged { number, bond_wei }).await?;
        Ok(self.records.sync(FILE).await?)
    }

    /// Keep that nobody is punished.
    pub(crate) async fn acquitted(
        &mut self,
        number: EvidenceNumber,
        at: TimeMs,
        lost_wei: u128,
    ) -> Result<(), StoreError> {
        self.append(&EvidenceRecord::Acquitted { number, at, lost_wei }).await?;
        Ok(self.records.sync(FILE).await?)
    }

    async fn append(&mut self, record: &EvidenceRecord) -> Result<(), StoreError> {
        Ok(self.records.append(FILE, record.encode()).await?)
    }
}

#[cfg(test)]
mod tests;
