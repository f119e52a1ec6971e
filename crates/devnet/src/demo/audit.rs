//! What operators certified, replayed from their checkpoints' bytes and held against the chains' own blocks.
//!
//! ```text
//! certificates ─ checked against the committee ─▶ headers ◀─ replayed ─ checkpoints' bytes ─▶ every advanced block ⇄ the chain
//! ```

use super::{DemoError, scene::Scene};
use hum_ledger::State;
use hum_node::api::{CertificateFile, CheckpointView};
use hum_types::{
    B256, BlockRef, Bytes, ChainId, Change, Checkpoint, Decode as _, Evidence, Height, InvalidReason,
};
use std::collections::{BTreeMap, BTreeSet};

/// Checkpoints that are asked for at once.
const PAGE: usize = 1_000;

/// Why a rollup was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It claimed two blocks for one number.
    Equivocation,
    /// It claimed a block that breaks this rule.
    Invalid(InvalidReason),
}

/// What the operators' checkpoints hold.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// Certificates that were checked.
    pub(super) certificates: usize,
    /// Certified blocks that were compared with the chain.
    pub(super) blocks: usize,
    /// Certified blocks that are no block of the chain: rollup and number.
    pub(super) foreign: BTreeSet<(ChainId, u64)>,
    /// Rollups that were set aside, at which height, and why.
    pub(super) quarantines: BTreeMap<(ChainId, Height), Fault>,
    /// What cannot be: a certificate that does not verify, a checkpoint that does not follow, two for one height.
    pub(super) impossible: Vec<String>,
}

impl Audit {
    /// Read everything that is certified by now. `known` are true blocks that the chain has dropped since, with its
    /// sequencer's word for them.
    pub(super) async fn read(scene: &Scene, known: &[(ChainId, BlockRef)]) -> Result<Self, DemoError> {
        let mut audit = Self::default();
        let certified = audit.certificates(scene).await?;
        let newest = certified.keys().next_back().copied().unwrap_or_default();
        let mut state = State::genesis(&scene.checked.genesis);
        let mut hashes = BTreeMap::new();
        for height in (1..=newest.0).map(Height) {
            let bytes: Bytes = scene.ask_any(&format!("/checkpoints/{height}/bytes")).await?;
            let Some(checkpoint) = audit.replayed(&mut state, height, &bytes) else { return Ok(audit) };
            let hash = checkpoint.header.hash();
            hashes.insert(height, hash);
            if certified.get(&height).is_some_and(|certified| *certified != hash) {
                audit
                    .impossible
                    .push(format!("another header than the replayed one is certified at height {height}"));
            }
            audit.compare(scene, known, &checkpoint);
        }
        audit.agree(scene, &hashes).await?;
        Ok(audit)
    }

    /// Tell the scene of everything that must not be.
    pub(super) fn report(&self, scene: &mut Scene) {
        scene.tell(format!(
            "{} certificates hold, and {} of {} certified blocks are the chains'",
            self.certificates,
            self.blocks - self.foreign.len().min(self.blocks),
            self.blocks
        ));
        for what in &self.impossible {
            scene.violation(what.clone());
        }
        for (chain_id, number) in &self.foreign {
            scene.violation(format!(
                "block {number} of chain {chain_id} was certified and is not the chain's"
            ));
        }
        scene.demand(self.certificates > 0 && self.blocks > 0, || "nothing was certified".to_owned());
    }

    /// Check every certificate; the hash of the header at each certified height.
    async fn certificates(&mut self, scene: &Scene) -> Result<BTreeMap<Height, B256>, DemoError> {
        let statuses = scene.statuses().await;
        let newest = statuses.iter().map(|status| status.certified).max().unwrap_or_default();
        let (table, domain) = (scene.checked.committee.table(), scene.checked.domain);
        let mut certified = BTreeMap::new();
        let mut next = Height(1);
        while next <= newest {
            let CertificateFile { header, certificate } =
                scene.ask_any(&format!("/certificates/{next}")).await?;
            if header.height < next {
                self.impossible.push(format!("height {next} is said to be covered by {}", header.height));
                break;
            }
            let height = header.height;
            let about = (certificate.height, certificate.header_hash) == (height, header.hash());
            match certificate.verify(table, domain) {
                Ok(_) if about => self.certificates += 1,
                Ok(_) => self
                    .impossible
                    .push(format!("the certificate at height {height} is about another header")),
                Err(error) => self.impossible.push(format!("the certificate at height {height}: {error}")),
            }
            certified.insert(height, header.hash());
            next = Height(height.0 + 1);
        }
        Ok(certified)
    }

    fn replayed(&mut self, state: &mut State, height: Height, bytes: &Bytes) -> Option<Checkpoint> {
        let checkpoint = match Checkpoint::decode(bytes) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                self.impossible.push(format!("checkpoint {height} does not decode: {error}"));
                return None;
            }
        };
        match state.check(&checkpoint) {
            Ok(after) => *state = after,
            Err(refusal) => {
                self.impossible
                    .push(format!("checkpoint {height} does not follow from the one below: {refusal}"));
                return None;
            }
        }
        Some(checkpoint)
    }

    fn compare(&mut self, scene: &Scene, known: &[(ChainId, BlockRef)], checkpoint: &Checkpoint) {
        for change in &checkpoint.body.changes {
            let Change::Quarantine { evidence } = change else { continue };
            let (chain_id, fault) = match evidence {
                Evidence::Equivocation { one, .. } => (one.claim.chain_id, Fault::Equivocation),
                Evidence::InvalidBlock { claim, reason } => (claim.claim.chain_id, Fault::Invalid(*reason)),
            };
            self.quarantines.insert((chain_id, checkpoint.header.height), fault);
        }
        for advance in &checkpoint.body.advances {
            let chain_id = advance.chain_id;
            let rollup =
                scene.network.rollups.iter().find(|rollup| rollup.chain.config().chain_id == chain_id);
            for block in advance.blocks.iter().map(|advanced| advanced.block) {
                self.blocks += 1;
                let own = rollup.and_then(|rollup| rollup.chain.block(block.number).ok());
                if own != Some(block) && !known.contains(&(chain_id, block)) {
                    self.foreign.insert((chain_id, block.number));
                }
            }
        }
    }

    /// No operator may hold another checkpoint than the replayed one at any height.
    async fn agree(&mut self, scene: &Scene, replayed: &BTreeMap<Height, B256>) -> Result<(), DemoError> {
        for api in scene.operators() {
            let views: Vec<CheckpointView> = scene.ask(&api, &format!("/checkpoints?limit={PAGE}")).await?;
            for view in views {
                let height = view.header.height;
                if replayed.get(&height).is_some_and(|hash| *hash != view.hash) {
                    self.impossible
                        .push(format!("{api} finalised another checkpoint {height} than its peers"));
                }
            }
        }
        Ok(())
    }
}
