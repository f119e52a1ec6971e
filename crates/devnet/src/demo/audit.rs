//! What operators certified, replayed from their checkpoints' bytes and held against the chains' own blocks.
//!
//! ```text
//! certificates ─ checked against the committee ─▶ headers ◀─ replayed ─ checkpoints' bytes ─▶ every advanced block ⇄ the chain
//! ```

use super::{DemoError, scene::Scene};
use hum_bls::Committee;
use hum_ledger::State;
use hum_node::api::{CertificateFile, CheckpointView};
use hum_types::{
    B256, BlockRef, Bytes, ChainId, Change, Checkpoint, Decode as _, Epoch, Evidence, Height, InvalidReason,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
    /// The committee of every epoch that began.
    pub(super) committees: BTreeMap<Epoch, Arc<Committee>>,
    /// The height that closed each epoch that ended.
    pub(super) handovers: BTreeMap<Epoch, Height>,
    /// What cannot be: a certificate that does not verify, a checkpoint that does not follow, two for one height.
    pub(super) impossible: Vec<String>,
}

impl Audit {
    /// Read everything that is certified by now. `known` are true blocks that the chain has dropped since, with its
    /// sequencer's word for them.
    pub(super) async fn read(scene: &Scene, known: &[(ChainId, BlockRef)]) -> Result<Self, DemoError> {
        let mut audit = Self::default();
        let certificates = audit.certificates(scene).await?;
        let newest = certificates.last().map(|file| file.header.height).unwrap_or_default();
        let mut state = State::genesis(&scene.checked.genesis);
        audit.committees.insert(state.epoch(), state.committee().clone());
        let mut hashes = BTreeMap::new();
        for height in (1..=newest.0).map(Height) {
            let bytes: Bytes = scene.ask_any(&format!("/checkpoints/{height}/bytes")).await?;
            let Some(checkpoint) = audit.replayed(&mut state, height, &bytes) else { return Ok(audit) };
            hashes.insert(height, checkpoint.header.hash());
            if audit.committees.insert(state.epoch(), state.committee().clone()).is_none() {
                audit.handovers.insert(checkpoint.header.epoch, height);
            }
            audit.compare(scene, known, &checkpoint);
        }
        for file in certificates {
            audit.check(scene, &hashes, file);
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

    /// Every certificate that the operators have, by ascending height.
    async fn certificates(&mut self, scene: &Scene) -> Result<Vec<CertificateFile>, DemoError> {
        let statuses = scene.statuses().await;
        let newest = statuses.iter().map(|status| status.certified).max().unwrap_or_default();
        let mut certificates = Vec::new();
        let mut next = Height(1);
        while next <= newest {
            let file: CertificateFile = scene.ask_any(&format!("/certificates/{next}")).await?;
            let height = file.header.height;
            if height < next {
                self.impossible.push(format!("height {next} is said to be covered by {height}"));
                break;
            }
            certificates.push(file);
            next = Height(height.0 + 1);
        }
        Ok(certificates)
    }

    /// Hold a certificate against the committee of its epoch, and its header against the replayed one.
    fn check(&mut self, scene: &Scene, hashes: &BTreeMap<Height, B256>, file: CertificateFile) {
        let CertificateFile { header, certificate } = file;
        let height = header.height;
        let Some(committee) = self.committees.get(&header.epoch) else {
            self.impossible
                .push(format!("height {height} is certified in epoch {}, which never was", header.epoch));
            return;
        };
        let about = (certificate.height, certificate.header_hash) == (height, header.hash());
        match certificate.verify(committee.table(), scene.checked.domain) {
            Ok(_) if about => self.certificates += 1,
            Ok(_) => {
                self.impossible.push(format!("the certificate at height {height} is about another header"))
            }
            Err(error) => self.impossible.push(format!("the certificate at height {height}: {error}")),
        }
        if hashes.get(&height).is_some_and(|replayed| *replayed != header.hash()) {
            self.impossible
                .push(format!("another header than the replayed one is certified at height {height}"));
        }
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
            let rollup = scene.network.rollups.iter().find(|rollup| rollup.chain.chain_id() == chain_id);
            for block in advance.blocks.iter().map(|advanced| advanced.block) {
                self.blocks += 1;
                let own = rollup.and_then(|rollup| rollup.chain.block(block.number));
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
