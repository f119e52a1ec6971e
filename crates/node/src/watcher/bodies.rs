//! What sequencers signed in checkpoints' bodies, until it is known which of them were finalised.

use hum_ledger::State;
use hum_types::{
    B256, BlockRef, Body, ChainId, Change, Checkpoint, Evidence, HeadClaim, Header, Height,
    SequencerSignature, SignedClaim, SignedRetraction,
};
use std::collections::BTreeMap;

/// Signatures that are held.
const SIGNATURES_MAX: usize = 262_144;

/// The signatures of one body.
#[derive(Debug, Default)]
struct Signatures {
    advanced: Vec<(ChainId, BlockRef, SequencerSignature)>,
    claims: Vec<SignedClaim>,
    retractions: Vec<SignedRetraction>,
}

impl Signatures {
    fn of(body: &Body) -> Self {
        let mut signatures = Self::default();
        for change in &body.changes {
            match change {
                Change::Quarantine { evidence: Evidence::Equivocation { one, other } } => {
                    signatures.claims.extend([*one, *other]);
                }
                Change::Retract { retraction } => signatures.retractions.push(*retraction),
                _ => {}
            }
        }
        for advance in &body.advances {
            let blocks = advance.blocks.iter();
            signatures.advanced.extend(blocks.map(|block| (advance.chain_id, block.block, block.signature)));
        }
        signatures
    }

    /// In the generations that the body led to.
    fn in_state(self, state: &State) -> (Vec<SignedClaim>, Vec<SignedRetraction>) {
        let Self { advanced, mut claims, retractions } = self;
        claims.extend(advanced.into_iter().filter_map(|(chain_id, block, signature)| {
            // Changes come before advances, so a body's advances are in the generation after it.
            let rollup = state.rollup(chain_id)?;
            let (registration, generation) = (rollup.params().registration, rollup.generation());
            Some(SignedClaim { claim: HeadClaim { chain_id, registration, generation, block }, signature })
        }));
        (claims, retractions)
    }

    const fn len(&self) -> usize {
        self.advanced.len() + self.claims.len() + self.retractions.len()
    }
}

/// Bodies by height and hash of their header; the farthest ones are not kept when there are too many.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    held: BTreeMap<(Height, B256), Signatures>,
    total: usize,
}

impl Bodies {
    /// Somebody sent this checkpoint.
    pub(crate) fn offer(&mut self, checkpoint: &Checkpoint) {
        let key = (checkpoint.header.height, checkpoint.header.hash());
        if self.held.contains_key(&key) || checkpoint.header.body_hash != checkpoint.body.hash() {
            return;
        }
        let signatures = Signatures::of(&checkpoint.body);
        self.total += signatures.len();
        self.held.insert(key, signatures);
        while self.total > SIGNATURES_MAX {
            let Some((_, dropped)) = self.held.pop_last() else { break };
            self.total -= dropped.len();
        }
    }

    /// The header was finalised and led to `state`: what its body holds, in the generations that it has there. Everything
    /// up to its height is forgotten.
    pub(crate) fn finalised(
        &mut self,
        header: &Header,
        state: &State,
    ) -> (Vec<SignedClaim>, Vec<SignedRetraction>) {
        let own = self.held.remove(&(header.height, header.hash())).unwrap_or_default();
        self.total -= own.len();
        while let Some(entry) = self.held.first_entry().filter(|entry| entry.key().0 <= header.height) {
            self.total -= entry.remove().len();
        }
        own.in_state(state)
    }
}

/// What sequencers are said to have signed in a body that led to `state`; unchecked.
pub(crate) fn signatures(body: &Body, state: &State) -> (Vec<SignedClaim>, Vec<SignedRetraction>) {
    Signatures::of(body).in_state(state)
}

#[cfg(test)]
mod tests;
