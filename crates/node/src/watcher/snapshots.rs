//! Takes the snapshots that make the next committee, when they are due. Anyone may; somebody has to.

use super::{court::L1, docket::Verdict};
use alloy_sol_types::SolCall as _;
use hum_bls::{Committee, CommitteeError, PossessedKey, PossessionError, PublicKey, Signature};
use hum_chain::{At, ReadError, restaking::IServiceManager};
use hum_types::{Address, B256, Decode as _, DecodeError, Domain, Encode as _, Epoch, Stake, TimeMs, TimeS};
use std::collections::BTreeMap;

/// Keys of operators, read once: a key stays its operator's for ever.
pub(crate) type Keys = BTreeMap<Address, PossessedKey>;

/// What came of a look at whether a snapshot is due.
#[derive(Debug)]
pub(crate) struct Looked {
    /// What was learned of operators' keys.
    pub(crate) keys: Keys,
    /// Fees paid, in wei.
    pub(crate) spent_wei: u128,
    pub(crate) outcome: Result<Option<B256>, SnapshotError>,
}

/// Why a snapshot that is due was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// L1 could not be asked.
    #[error("L1 cannot be read: {0}")]
    Read(#[from] ReadError),
    /// A member's key does not decode.
    #[error("key of {operator} on L1: {source}")]
    Key {
        /// The member.
        operator: Address,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// A member's key is not proven.
    #[error("key of {operator} on L1 is not proven: {source}")]
    Possession {
        /// The member.
        operator: Address,
        /// What is wrong with the proof.
        source: Box<PossessionError>,
    },
    /// The seats form no committee.
    #[error("the seats make no committee: {0}")]
    Committee(#[from] CommitteeError),
    /// The preview contradicts itself.
    #[error("a preview with {seats} seats and {stakes} stakes")]
    Preview {
        /// Seats in it.
        seats: usize,
        /// Stakes in it.
        stakes: usize,
    },
    /// The transaction was not included, or reverted.
    #[error("{0}")]
    NotTaken(String),
}

impl L1 {
    /// Take a snapshot if one is due, whatever it costs; its transaction's hash.
    pub async fn take_snapshot(&self, domain: Domain) -> Result<Option<B256>, SnapshotError> {
        self.take(domain, u128::MAX, &mut Keys::new(), &mut 0).await
    }

    /// Take a snapshot if one is due.
    pub(crate) async fn snapshot(self, domain: Domain, keys: Keys, allowance_wei: u128) -> Looked {
        let mut looked = Looked { keys, spent_wei: 0, outcome: Ok(None) };
        looked.outcome = self.take(domain, allowance_wei, &mut looked.keys, &mut looked.spent_wei).await;
        looked
    }

    async fn take(
        &self,
        domain: Domain,
        allowance_wei: u128,
        keys: &mut Keys,
        spent_wei: &mut u128,
    ) -> Result<Option<B256>, SnapshotError> {
        let manager = self.service_manager;
        let preview = self.view(manager, IServiceManager::previewCall {}, At::LATEST).await?;
        if !preview.due || preview.seats.is_empty() {
            return Ok(None);
        }
        let (seats, stakes) = (preview.seats.len(), preview.stakes.len());
        if seats != stakes {
            return Err(SnapshotError::Preview { seats, stakes });
        }
        let mut members = Vec::with_capacity(seats);
        for (operator, stake) in preview.seats.into_iter().zip(preview.stakes) {
            let key = match keys.get(&operator) {
                Some(key) => *key,
                None => {
                    let key = self.key(domain, operator).await?;
                    keys.insert(operator, key);
                    key
                }
            };
            members.push((key, Stake(stake)));
        }
        let committee = Committee::new(Epoch(0), TimeS(0), members)?;
        let bytes = committee.table().sum_g2().encode();
        let mut key_sum = [0; 128];
        key_sum.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        let call = IServiceManager::takeSnapshotCall { keySum: IServiceManager::G2::from_bytes(&key_sum) };
        match self.send(manager, call.abi_encode().into(), allowance_wei, spent_wei).await {
            Ok(tx_hash) => Ok(Some(tx_hash)),
            Err(Verdict::Refused(why) | Verdict::Failed(why)) => Err(SnapshotError::NotTaken(why)),
            Err(_) => Ok(None),
        }
    }

    async fn key(&self, domain: Domain, operator: Address) -> Result<PossessedKey, SnapshotError> {
        let call = IServiceManager::keyOfCall { operator };
        let found = self.view(self.service_manager, call, At::LATEST).await?;
        let wrong = |source| SnapshotError::Key { operator, source };
        let bytes = [found.key.bytes().as_slice(), &found.keyG2.bytes()].concat();
        let key = PublicKey::decode(&bytes).map_err(wrong)?;
        let proof = Signature::decode(&found.possession.bytes()).map_err(wrong)?;
        PossessedKey::check(domain, key, operator, &proof)
            .map_err(|source| SnapshotError::Possession { operator, source: Box::new(source) })
    }
}

/// When to look whether a snapshot is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    every_ms: u64,
    next: TimeMs,
}

impl Timing {
    pub(crate) const fn every(every_ms: u64) -> Self {
        Self { every_ms, next: TimeMs(0) }
    }

    /// Whether it is time; if so, the next time is later.
    pub(crate) fn is_due(&mut self, now: TimeMs) -> bool {
        let due = now >= self.next;
        if due {
            self.next = TimeMs(now.0.saturating_add(self.every_ms));
        }
        due
    }
}
