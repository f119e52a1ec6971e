//! A rollup's leaf under a certified checkpoint, as contracts take it.

use crate::operator::OperatorHandle;
use hum_relay::rollup_proof;
use hum_types::{Bytes, ChainId, Confidence, Domain, Height, LaneId, RollupLeaf};
use serde::{Deserialize, Serialize};

/// What proves a rollup's leaf to whoever has a light client. Nobody who gives it need be believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafProof {
    /// The height of the checkpoint.
    pub height: Height,
    /// The leaf.
    pub leaf: RollupLeaf,
    /// The checkpoint's certificate, as `LightClient.submit` takes it.
    pub certificate: Bytes,
    /// The proof, as `IGateway.recordRollup` takes it.
    pub proof: Bytes,
}

impl LeafProof {
    /// The rollup's leaf under the newest certified checkpoint of which everything is at hand.
    pub fn newest(handle: &OperatorHandle, domain: Domain, chain_id: ChainId) -> Option<Self> {
        let certificate = handle.certificate(handle.certified())?;
        let (header, head, table) = handle.archive(|archive| {
            let state = archive.state_at(certificate.height).ok()?;
            let facade = state.rollup(chain_id)?.params().facades[Confidence::Latest as usize];
            let lane = LaneId { facade, destination: chain_id };
            let head = archive.prove_head(certificate.height, chain_id, lane).ok()?;
            let epoch = archive.epoch_at(certificate.height)?;
            Some((*state.header(), head, epoch.seated.committee().clone()))
        })?;
        let verified = certificate.as_ref().clone().verify(table.table(), domain).ok()?;
        Some(Self {
            height: header.height,
            leaf: head.leaf,
            certificate: verified.submission(&header).ok()?.into(),
            proof: rollup_proof(&header, &head).ok()?.into(),
        })
    }
}
