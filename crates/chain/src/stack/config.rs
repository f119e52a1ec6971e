//! The rules that a node says it runs, as the chain configuration that the verifier reads.
//!
//! A node's word, to start from: a registration commits to the rules, and blocks that follow others are invalid.

use super::StackKind;
use crate::{Chain, ReadError, rpc::RpcChain};
use hum_types::Address;
use serde_json::{Value, json};

/// Forks of a chain configuration that the verifier knows, in order.
const FORKS: [&str; 5] = ["cancun", "prague", "osaka", "bpo1", "bpo2"];
/// The last version of anvil whose state keeps what is empty.
const KEEPS_EMPTY_UP_TO: [u64; 3] = [1, 7, 1];
const ANVIL: &str = "anvil_nodeInfo";

/// Ask a node for its rules: `optimism_rollupConfig` of an OP Stack's node, `debug_chainConfig` or `anvil_nodeInfo` of
/// one with Ethereum's rules. `None` when it has none of these, and for stacks that are not re-executed.
pub async fn chain_config(node: &RpcChain, stack: StackKind) -> Result<Option<Value>, ReadError> {
    match stack {
        StackKind::Nitro | StackKind::ZkSync => Ok(None),
        StackKind::OpStack => served(node.ask("optimism_rollupConfig", json!([])).await),
        StackKind::Ethereum => match served(node.ask("debug_chainConfig", json!([])).await)? {
            Some(config) => Ok(Some(config)),
            None => of_anvil(node).await,
        },
    }
}

/// `None` for a method that the node does not offer.
fn served(answer: Result<Value, ReadError>) -> Result<Option<Value>, ReadError> {
    match answer {
        Ok(config) => Ok(Some(config)),
        Err(ReadError::Unsupported { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn of_anvil(node: &RpcChain) -> Result<Option<Value>, ReadError> {
    let Some(info) = served(node.ask(ANVIL, json!([])).await)? else { return Ok(None) };
    let garbage = |detail: &str| ReadError::Garbage { method: ANVIL, detail: detail.to_owned() };
    let fork = info["hardFork"].as_str().ok_or_else(|| garbage("no hard fork"))?.to_ascii_lowercase();
    let newest = FORKS
        .iter()
        .position(|known| *known == fork)
        .ok_or_else(|| garbage(&format!("hard fork {fork} is not one that Hum judges by")))?;
    let version: String = node.ask("web3_clientVersion", json!([])).await?;
    let mut config = json!({
        "chainId": node.chain_id().0,
        "terminalTotalDifficulty": 0,
        "depositContractAddress": Address::ZERO,
        "allowEqualTimestamps": true,
        "keepEmptyState": keeps_empty_state(&version),
    });
    for fork in FORKS.iter().take(newest + 1) {
        config[format!("{fork}Time")] = json!(0);
    }
    Ok(Some(config))
}

/// Whether an anvil of this name keeps empty state: `anvil/v1.7.1`, with or without a suffix. One that does not say its
/// version is taken for the newest that npm has, which does.
fn keeps_empty_state(client: &str) -> bool {
    let version = client.split('/').nth(1).unwrap_or_default().trim_start_matches('v');
    let release = version.split(['-', '+']).next().unwrap_or_default();
    let parts: Option<Vec<u64>> = release.split('.').map(|part| part.parse().ok()).collect();
    match parts.as_deref() {
        Some(parts @ [_, _, _]) => parts <= KEEPS_EMPTY_UP_TO.as_slice(),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
