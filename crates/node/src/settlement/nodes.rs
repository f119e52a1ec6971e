//! Nodes of rollups over JSON-RPC.

use super::Nodes;
use crate::config::Member;
use commonware_utils::sync::Mutex;
use hum_chain::{
    Chain,
    rpc::{RpcChain, RpcLimits},
};
use hum_types::ChainId;
use std::{collections::BTreeMap, sync::Arc};
use tracing::warn;

/// A node of each rollup: the operator's own where its file names one, else the one that the rollup names for everybody.
#[derive(Debug, Default)]
pub struct RpcNodes {
    own: BTreeMap<ChainId, String>,
    open: Mutex<BTreeMap<ChainId, Arc<dyn Chain>>>,
}

impl RpcNodes {
    /// With these JSON-RPC URLs of the operator's own nodes.
    #[must_use]
    pub fn new(own: BTreeMap<ChainId, String>) -> Self {
        Self { own, open: Mutex::default() }
    }
}

impl Nodes for RpcNodes {
    fn node(&self, member: &Member) -> Option<Arc<dyn Chain>> {
        let chain_id = member.entry.chain_id;
        let mut open = self.open.lock();
        if let Some(node) = open.get(&chain_id) {
            return Some(node.clone());
        }
        let url = self.own.get(&chain_id).unwrap_or(&member.entry.rpc);
        match RpcChain::new(url, chain_id, RpcLimits::default()) {
            Ok(node) => Some(open.entry(chain_id).or_insert(Arc::new(node)).clone()),
            Err(error) => {
                warn!(%chain_id, %error, "no node to open what L1 holds");
                None
            }
        }
    }
}
