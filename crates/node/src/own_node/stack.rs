//! Own nodes over JSON-RPC, one for each chain.

use super::{NodeClient, OwnBlock, OwnNodeError, OwnNodes};
use crate::config::{Member, StackContracts};
use alloy_primitives::{Log, LogData};
use futures::future::{BoxFuture, FutureExt as _};
use hum_chain::{
    At, Chain, Disposition, ReadError,
    replay::LABEL,
    rpc::{RpcChain, RpcLimits},
    stack::{self, OwnChain, nitro::NitroContracts, read_own, zksync::ZkContracts},
};
use hum_types::ChainId;
use hum_verify::messages_of;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A node of a chain in a role file: its URL, or URL and a second source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum NodeEntry {
    /// JSON-RPC URL.
    Url(String),
    /// With a second source.
    Pair {
        /// JSON-RPC URL of the own node.
        rpc: String,
        /// JSON-RPC URL of another node: where it disagrees, nothing is signed.
        second: String,
    },
}

impl NodeEntry {
    /// The JSON-RPC URL of the own node.
    #[must_use]
    pub fn rpc(&self) -> &str {
        self.urls().0
    }

    fn urls(&self) -> (&str, Option<&str>) {
        match self {
            Self::Url(rpc) => (rpc, None),
            Self::Pair { rpc, second } => (rpc, Some(second)),
        }
    }
}

#[derive(Debug)]
struct Sources {
    node: RpcChain,
    second: Option<RpcChain>,
}

/// Nodes of chains whose stacks [`hum_chain::stack`] knows.
#[derive(Debug)]
pub struct StackNodes {
    sources: BTreeMap<ChainId, Sources>,
    l1: Option<Arc<dyn Chain>>,
}

impl StackNodes {
    /// The nodes of a role file; `l1` is the operator's own L1 node.
    pub fn new(nodes: &BTreeMap<ChainId, NodeEntry>, l1: Option<Arc<dyn Chain>>) -> Result<Self, ReadError> {
        let open = |url: &str, chain_id: ChainId| RpcChain::new(url, chain_id, RpcLimits::default());
        let mut sources = BTreeMap::new();
        for (chain_id, entry) in nodes {
            let (rpc, second) = entry.urls();
            let second = second.map(|url| open(url, *chain_id)).transpose()?;
            sources.insert(*chain_id, Sources { node: open(rpc, *chain_id)?, second });
        }
        Ok(Self { sources, l1 })
    }

    fn sources(&self, chain_id: ChainId) -> Result<&Sources, OwnNodeError> {
        let none = || OwnNodeError::Unanswered(format!("no own node of chain {chain_id}"));
        self.sources.get(&chain_id).ok_or_else(none)
    }

    async fn read(&self, member: &Member, number: u64) -> Result<Option<OwnBlock>, OwnNodeError> {
        let chain_id = member.entry.chain_id;
        let Sources { node, second } = self.sources(chain_id)?;
        let Some(own) = &member.entry.own_node else {
            return Err(OwnNodeError::Contradiction(format!("chain {chain_id} is re-executed, not judged")));
        };
        let stack = own.stack.adapter();
        let Some(block) = read_own(&*stack, node, number).await.map_err(refused)? else { return Ok(None) };
        let mut warnings = Vec::new();
        if let Some(second) = second {
            match read_own(&*stack, second, number).await {
                Ok(Some(other)) if other == block => {}
                Ok(Some(other)) => {
                    return Err(OwnNodeError::Contradiction(format!(
                        "own node has block {} of chain {chain_id} with state {}, the second source {} with state {}",
                        block.block, block.state_root, other.block, other.state_root
                    )));
                }
                Ok(None) => return Ok(None),
                Err(error) => return Err(refused(error)),
            }
        }
        let logs: Vec<Log> = block.receipts.iter().flat_map(|receipt| &receipt.logs).map(log).collect();
        let messages = messages_of(&logs, &member.entry.gateways.facades(), chain_id).map_err(|error| {
            OwnNodeError::Contradiction(format!(
                "block {number} of chain {chain_id}: a gateway's log: {error}"
            ))
        })?;
        if let Some(warning) = self.missing_on_l1(own.contracts, node, chain_id, number, block.batch).await {
            warnings.push(warning);
        }
        let stack::OwnBlock { block, parent, state_root, time_ms, .. } = block;
        Ok(Some(OwnBlock { block, parent, state_root, time_ms, messages, warnings }))
    }

    /// A sentence when our own L1 node does not have a batch that the own node says it has. Newer blocks are in no batch
    /// yet; an L1 node that does not answer says nothing.
    async fn missing_on_l1(
        &self,
        contracts: Option<StackContracts>,
        node: &RpcChain,
        chain_id: ChainId,
        number: u64,
        batch: Option<u64>,
    ) -> Option<String> {
        let l1 = self.l1.as_deref()?;
        let found = match contracts? {
            StackContracts::Nitro { rollup } => {
                NitroContracts { rollup, chain_id }.inclusion(node, l1, number, At::LATEST).await.ok()??
            }
            StackContracts::ZkSync { bridgehub, diamond } => {
                // What the node calls executed, L1 has.
                let details = stack::zksync::BatchDetails::read(node, batch?).await.ok()?;
                details.execute_tx_hash?;
                ZkContracts { bridgehub, diamond, chain_id }.inclusion(l1, batch?, At::LATEST).await.ok()?
            }
        };
        (!found.included).then(|| {
            format!(
                "own node says that block {number} of chain {chain_id} is in batch {} on L1, own L1 node has {} batches",
                found.batch, found.on_l1
            )
        })
    }
}

fn log(entry: &stack::wire::LogEntry) -> Log {
    let data = LogData::new_unchecked(entry.topics.clone(), entry.data.clone());
    Log { address: entry.address, data }
}

fn refused(error: ReadError) -> OwnNodeError {
    match error.disposition() {
        Disposition::Distrust => OwnNodeError::Contradiction(error.to_string()),
        _ => OwnNodeError::Unanswered(error.to_string()),
    }
}

impl OwnNodes for StackNodes {
    fn chains(&self) -> BTreeSet<ChainId> {
        self.sources.keys().copied().collect()
    }

    fn client(&self, member: Arc<Member>) -> BoxFuture<'_, Result<NodeClient, OwnNodeError>> {
        async move {
            let node = &self.sources(member.entry.chain_id)?.node;
            let client = stack::client_of(node).await.map_err(refused)?;
            Ok(NodeClient { replayed: client.contains(LABEL), client })
        }
        .boxed()
    }

    fn block(
        &self,
        member: Arc<Member>,
        number: u64,
    ) -> BoxFuture<'_, Result<Option<OwnBlock>, OwnNodeError>> {
        async move { self.read(&member, number).await }.boxed()
    }
}

/// The node of a rollup as its publisher reads it: where judges follow it by nodes of their own, blocks come under the
/// hashes that are claimed.
#[must_use]
pub fn publisher_source(member: &Member, node: Arc<RpcChain>) -> Arc<dyn Chain> {
    match &member.entry.own_node {
        Some(own) => Arc::new(OwnChain::new(own.stack.adapter(), node)),
        None => node,
    }
}
