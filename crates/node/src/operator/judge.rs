//! Who judges a block: the verifier itself, or something in front of it.

use crate::{config::Network, members::Members};
use commonware_utils::sync::Mutex;
use hum_types::{BlockRef, Bytes, ChainId};
use hum_verify::{CertifiedHeader, Missing, Verdict, Verifier, Witness, WitnessLimits};
use std::{collections::BTreeMap, sync::Arc};

/// A block to judge.
#[derive(Debug, Clone)]
pub struct Task {
    /// The rollup.
    pub chain_id: ChainId,
    /// The block below, from our own verified chain.
    pub parent: CertifiedHeader,
    /// What was claimed.
    pub claimed: BlockRef,
    /// The whole block, RLP.
    pub block: Bytes,
    /// The witness, encoded.
    pub witness: Bytes,
}

/// Judges blocks. Equal tasks get equal verdicts, so that a verdict may be remembered.
pub trait Judge: Send + Sync + 'static {
    /// Judge one block. May take as long as its execution does.
    fn judge(&self, task: &Task) -> Verdict;
}

/// Re-executes every block, those of newcomers too.
#[derive(Debug)]
pub struct Reexecution {
    members: Members,
    verifiers: Mutex<BTreeMap<ChainId, Arc<(Verifier, WitnessLimits)>>>,
}

impl Reexecution {
    /// A judge for all members of a network.
    #[must_use]
    pub fn new(network: &Network) -> Self {
        Self { members: network.members.clone(), verifiers: Mutex::default() }
    }

    fn verifier(&self, chain_id: ChainId) -> Option<Arc<(Verifier, WitnessLimits)>> {
        if let Some(known) = self.verifiers.lock().get(&chain_id) {
            return Some(known.clone());
        }
        let member = self.members.get(chain_id)?;
        let (facades, limits) = (member.entry.gateways.facades().to_vec(), member.limits());
        let verifier = Verifier::new(member.entry.spec.clone(), facades, limits);
        Some(self.verifiers.lock().entry(chain_id).or_insert(Arc::new((verifier, limits.witness))).clone())
    }
}

impl Judge for Reexecution {
    fn judge(&self, task: &Task) -> Verdict {
        let Some(known) = self.verifier(task.chain_id) else {
            return Verdict::Undecided(Missing::Verifier(format!(
                "no member has chain id {}",
                task.chain_id
            )));
        };
        let (verifier, limits) = &*known;
        match Witness::decode(&task.witness, limits) {
            Ok(witness) => verifier.verify(&task.parent, task.claimed.hash, &task.block, &witness),
            Err(error) => {
                Verdict::Undecided(Missing::Verifier(format!("the witness does not decode: {error}")))
            }
        }
    }
}
