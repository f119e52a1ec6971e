//! What operators certified, held against the chains' own blocks.

use super::{DemoError, scene::Scene};
use hum_node::api::CheckpointView;
use hum_types::{ChainId, Change, Evidence, Height};
use std::collections::{BTreeMap, BTreeSet};

/// Checkpoints that are asked for at once.
const PAGE: usize = 1_000;

/// What the operators' checkpoints hold.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// Certified heads that were compared with the chain.
    pub(super) heads: usize,
    /// Certified heads that are no block of the chain: rollup and number.
    pub(super) foreign: BTreeSet<(ChainId, u64)>,
    /// Rollups that were set aside, at which height, and why.
    pub(super) quarantines: BTreeMap<(ChainId, Height), String>,
}

impl Audit {
    /// Ask every operator for everything.
    pub(super) async fn read(scene: &Scene) -> Result<Self, DemoError> {
        let mut audit = Self::default();
        for api in scene.operators() {
            let mut views: Vec<CheckpointView> =
                scene.ask(&api, &format!("/checkpoints?limit={PAGE}")).await?;
            let lowest = views.iter().map(|view| view.header.height.0).min().unwrap_or(1);
            for height in 1..lowest {
                views.push(scene.ask(&api, &format!("/checkpoints/{height}")).await?);
            }
            for view in &views {
                audit.check(scene, view);
            }
        }
        Ok(audit)
    }

    fn check(&mut self, scene: &Scene, view: &CheckpointView) {
        for change in &view.changes {
            let Change::Quarantine { evidence } = change else { continue };
            let (chain_id, why) = match evidence {
                Evidence::Equivocation { one, .. } => {
                    (one.claim.chain_id, "two claims for one block".to_owned())
                }
                Evidence::InvalidBlock { claim, reason } => (claim.claim.chain_id, reason.to_string()),
            };
            self.quarantines.insert((chain_id, view.header.height), why);
        }
        if view.certified_by.is_none() {
            return;
        }
        for (chain_id, _, head) in &view.advances {
            self.heads += 1;
            let rollup =
                scene.network.rollups.iter().find(|rollup| rollup.chain.config().chain_id == *chain_id);
            let own = rollup.and_then(|rollup| rollup.chain.block(head.number).ok());
            if own != Some(*head) {
                self.foreign.insert((*chain_id, head.number));
            }
        }
    }
}
