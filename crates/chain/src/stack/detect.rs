//! Which stack a node runs, by what its newest block hashes to and where code stands.
//!
//! The client's name is recorded, and proves nothing. A block that fits exactly one stack's rules, hash and all, does.

use super::{Stack, StackKind, nitro::Nitro, op_stack, wire, zksync::ZkSync};
use crate::{At, Chain, ReadError, rpc::RpcChain};
use alloy_primitives::address;
use hum_types::{Address, ChainId};
use serde_json::json;
use std::fmt;

/// Celo's native token as a contract: an OP Stack fork with rules of its own.
const CELO_TOKEN: Address = address!("0x471EcE3750Da237f93B8E339c536989b8978a438");

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What was looked at.
    pub what: &'static str,
    /// What was found.
    pub found: String,
}

/// What a node was found to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// The stack.
    pub stack: StackKind,
    /// The chain.
    pub chain_id: ChainId,
    /// Why.
    pub evidence: Vec<Evidence>,
}

/// Why no stack could be named.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The node could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was found fits no stack that we know.
    #[error("no stack fits: {}", Listed(.0))]
    NoFit(Vec<Evidence>),
    /// What was found contradicts itself.
    #[error("stacks contradict each other: {}", Listed(.0))]
    Contradiction(Vec<Evidence>),
}

struct Listed<'a>(&'a [Evidence]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, evidence) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "; " };
            write!(f, "{comma}{}: {}", evidence.what, evidence.found)?;
        }
        Ok(())
    }
}

/// Look at a node and name its stack.
pub async fn detect(node: &RpcChain) -> Result<Detected, DetectError> {
    let mut evidence = Vec::new();
    let mut note = |what, found: String| evidence.push(Evidence { what, found });
    let client = node.ask::<String>("web3_clientVersion", json!([])).await;
    note("client's name (a hint only)", client.unwrap_or_else(|error| error.to_string()));

    let json = node.wire_block(At::LATEST, true).await?;
    let json = json.ok_or_else(|| ReadError::Missing {
        method: "eth_getBlockByNumber",
        what: "a newest block".to_owned(),
    })?;
    let judged = |stack: &dyn Stack| match stack.block(&json) {
        Ok(block) => (true, format!("block {} fits", block.block.number)),
        Err(error) => (false, error.to_string()),
    };
    let (zksync, found) = judged(&ZkSync::default());
    note("hash by ZKsync's rule", found);
    let (nitro, found) = judged(&Nitro::default());
    note("hash, send root and packed fields by Nitro's rules", found);
    let (op, found) = judged(&op_stack::OpStack::default());
    note("hash by the OP Stack's rules", found);
    let (ethereum, found) = judged(&super::Ethereum);
    note("hash by Ethereum's rules", found);

    let deposit = matches!(&json.transactions, wire::Transactions::Full(transactions)
        if transactions.first().is_some_and(|first| first.kind_byte() == Some(op_stack::DEPOSIT)));
    note("deposit in front", deposit.to_string());
    let mut code = async |what, at: Address| -> Result<bool, ReadError> {
        let found = match node.code(at, At::LATEST).await {
            Ok(code) => !code.is_empty(),
            Err(ReadError::Unsupported { .. } | ReadError::Node { .. }) => false,
            Err(error) => return Err(error),
        };
        note(what, found.to_string());
        Ok(found)
    };
    let l1_block = code("code of the OP Stack's L1Block", op_stack::L1_BLOCK).await?;
    let celo = code("code of Celo's token", CELO_TOKEN).await?;

    let op = op && (deposit || (l1_block && json.header.number == 0));
    // A genesis without transactions fits Ethereum's rules on every stack but ZKsync.
    let ethereum = ethereum && !nitro && !op && !l1_block && json.nitro.send_root.is_none();
    let fits = [
        (StackKind::ZkSync, zksync),
        (StackKind::Nitro, nitro),
        (StackKind::OpStack, op && !celo),
        (StackKind::Ethereum, ethereum && !celo),
    ];
    let mut fits = fits.into_iter().filter(|(_, fits)| *fits).map(|(stack, _)| stack);
    match (fits.next(), fits.next()) {
        (Some(stack), None) => Ok(Detected { stack, chain_id: node.chain_id(), evidence }),
        (None, _) => Err(DetectError::NoFit(evidence)),
        (Some(_), Some(_)) => Err(DetectError::Contradiction(evidence)),
    }
}
