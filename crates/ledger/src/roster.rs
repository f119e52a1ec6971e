//! A roster whose keys are proven, and the committee that it makes.

use alloy_primitives::FixedBytes;
use hum_bls::{
    Committee, CommitteeError, OperatorId, PossessedKey, PossessionError, PublicKey, Seat, Signature,
};
use hum_types::{
    Address, B256, Decode as _, DecodeError, Domain, Encode as _, Endpoint, Epoch, Roster, RosterEntry,
    Stake, keccak256,
};
use std::{collections::BTreeMap, sync::Arc};

/// Why a roster makes no committee.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// A seat's key or proof is none.
    #[error("seat {seat}: {source}")]
    Key {
        /// The seat.
        seat: Seat,
        /// What is wrong with the bytes.
        source: DecodeError,
    },
    /// A seat's key is not proven to be its operator's.
    #[error("seat {seat}: {source}")]
    Possession {
        /// The seat.
        seat: Seat,
        /// What is wrong.
        source: Box<PossessionError>,
    },
    /// Seats do not ascend by operator id.
    #[error("operator {id} at seat {seat} does not come after {previous}")]
    Order {
        /// The seat out of order.
        seat: Seat,
        /// Its operator.
        id: OperatorId,
        /// The operator before it.
        previous: OperatorId,
    },
    /// The seats make no committee.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
}

/// What a roster says of an operator whose key and proof are at hand.
#[must_use]
pub fn roster_entry(
    operator: Address,
    key: PublicKey,
    possession: &Signature,
    (network_key, endpoint): (B256, Endpoint),
    stake: Stake,
) -> RosterEntry {
    RosterEntry {
        operator,
        key_g1: FixedBytes::from_slice(&key.g1().encode()),
        key_g2: FixedBytes::from_slice(&key.g2().encode()),
        possession: FixedBytes::from_slice(&possession.encode()),
        network_key,
        endpoint,
        stake,
    }
}

/// A roster, checked, with the committee of one epoch that it makes. Made only by [`SeatedRoster::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatedRoster {
    roster: Roster,
    committee: Arc<Committee>,
}

impl SeatedRoster {
    /// Check every seat and the order of seats. Keys that `present` has under the same operator were proven before and
    /// are not checked again, which costs more than a millisecond each.
    pub fn check(
        domain: Domain,
        epoch: Epoch,
        roster: Roster,
        present: Option<&Self>,
    ) -> Result<Self, RosterError> {
        let proven: BTreeMap<_, _> = present
            .into_iter()
            .flat_map(|present| present.roster.entries.iter().zip(present.committee.members()))
            .map(|(entry, member)| (entry.key_g1, (entry, member)))
            .collect();
        let mut previous: Option<OperatorId> = None;
        let mut members = Vec::with_capacity(roster.entries.len());
        for (seat, entry) in (0..).map(Seat).zip(&roster.entries) {
            let id = OperatorId(keccak256(entry.key_g1));
            if let Some(previous) = previous.filter(|previous| *previous >= id) {
                return Err(RosterError::Order { seat, id, previous });
            }
            previous = Some(id);
            let member = match proven.get(&entry.key_g1).filter(|(known, _)| same_proof(known, entry)) {
                Some((_, member)) => **member,
                None => possessed(domain, seat, entry)?,
            };
            members.push((member, entry.stake));
        }
        let committee = Committee::new(epoch, roster.valid_until, members)?;
        Ok(Self { roster, committee: Arc::new(committee) })
    }

    /// The roster; its entries are by seat.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The committee.
    #[must_use]
    pub const fn committee(&self) -> &Arc<Committee> {
        &self.committee
    }

    /// The epoch that it signs in.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.committee.table().epoch()
    }

    /// What the roster says of a seat.
    #[must_use]
    pub fn entry(&self, seat: Seat) -> Option<&RosterEntry> {
        self.roster.entries.get(usize::from(seat.0))
    }
}

fn same_proof(one: &RosterEntry, other: &RosterEntry) -> bool {
    (one.operator, one.key_g1, one.key_g2, one.possession)
        == (other.operator, other.key_g1, other.key_g2, other.possession)
}

fn possessed(domain: Domain, seat: Seat, entry: &RosterEntry) -> Result<PossessedKey, RosterError> {
    let key = PublicKey::decode(&[entry.key_g1.as_slice(), entry.key_g2.as_slice()].concat())
        .map_err(|source| RosterError::Key { seat, source })?;
    let proof =
        Signature::decode(entry.possession.as_slice()).map_err(|source| RosterError::Key { seat, source })?;
    PossessedKey::check(domain, key, entry.operator, &proof)
        .map_err(|source| RosterError::Possession { seat, source: Box::new(source) })
}
