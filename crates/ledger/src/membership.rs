//! Rollups that come in and go while the network runs.

use crate::{Refusal, Rollup, RollupParams, State};
use hum_bls::OperatorId;
use hum_types::{ChainId, Height, Join, L1Origin, ROLLUPS_MAX, RollupStatus};
use std::sync::Arc;

/// The highest block that a rollup can join at: above it every number that follows from one still fits.
pub const ANCHOR_NUMBER_MAX: u64 = u64::MAX >> 1;

impl From<&Join> for RollupParams {
    fn from(join: &Join) -> Self {
        Self {
            chain_id: join.chain_id,
            registration: join.registration(),
            sequencer: join.sequencer,
            facades: join.facades,
            class: join.class,
            judges: join.judges.iter().copied().map(OperatorId).collect(),
            anchor: join.anchor,
            anchor_state_root: join.anchor_state_root,
        }
    }
}

impl Rollup {
    /// Its chain id, while it has not left.
    pub(crate) fn present(&self) -> Result<ChainId, Refusal> {
        let chain_id = self.params.chain_id;
        if self.status == RollupStatus::Left { Err(Refusal::Left { chain_id }) } else { Ok(chain_id) }
    }
}

impl State {
    /// Take a rollup in at its anchor. `origin` is the L1 origin of the header at `height`.
    pub(crate) fn join(&mut self, height: Height, origin: L1Origin, join: &Join) -> Result<(), Refusal> {
        let chain_id = join.chain_id;
        if let Some(rollup) = self.rollup(chain_id) {
            return Err(Refusal::KnownRollup { chain_id, status: rollup.status() });
        }
        let (members, most) = (self.rollups.len(), ROLLUPS_MAX);
        if members >= most {
            return Err(Refusal::TooManyRollups { chain_id, members, most });
        }
        let (declared, most) = (join.anchor.number, ANCHOR_NUMBER_MAX);
        if declared > most {
            return Err(Refusal::AnchorNumber { chain_id, declared, most });
        }
        seen_since(origin, chain_id, join.l1)?;
        let params = RollupParams::from(join);
        params.check_judges()?;
        self.rollups.insert(chain_id, Arc::new(Rollup::at_anchor(params, height)));
        Ok(())
    }

    /// Let a rollup go. Its leaf stays.
    pub(crate) fn leave(&mut self, origin: L1Origin, chain_id: ChainId, l1: L1Origin) -> Result<(), Refusal> {
        let rollup = self.rollup_mut(chain_id)?;
        rollup.present()?;
        seen_since(origin, chain_id, l1)?;
        rollup.status = RollupStatus::Left;
        Ok(())
    }
}

/// Memberships are as of the header's L1 origin or a later block: whoever votes has not forgotten it.
fn seen_since(header: L1Origin, chain_id: ChainId, declared: L1Origin) -> Result<(), Refusal> {
    if declared.number > header.number || declared == header {
        Ok(())
    } else {
        Err(Refusal::MembershipOrigin { chain_id, declared, header })
    }
}
