//! Waiting for what the operators finalise.

use crate::network::Client;
use hum_node::{api::OperatorStatus, config::Member};
use hum_types::{ChainId, Height, RollupStatus};
use std::time::Duration;

const POLL: Duration = Duration::from_millis(200);

/// How far a rollup is in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    /// The operators do not know it.
    Unknown,
    /// They do, and certified nothing of it above its anchor.
    Member,
    /// The newest certified block, and the newest certified checkpoint.
    Certified { number: u64, height: Height },
    /// It left.
    Left,
}

/// What the operator that has certified most says.
pub(super) async fn newest(client: &Client) -> eyre::Result<OperatorStatus> {
    let mut found: Option<OperatorStatus> = None;
    let mut failed = None;
    for operator in &client.network.operators {
        match client.ask_one::<OperatorStatus>(&operator.entry.api, "/status").await {
            Ok(status) if found.as_ref().is_none_or(|best| best.certified < status.certified) => {
                found = Some(status);
            }
            Ok(_) => {}
            Err(error) => failed = Some(error),
        }
    }
    match (found, failed) {
        (Some(status), _) => Ok(status),
        (None, Some(error)) => Err(error.wrap_err("no operator answers; is the network running?")),
        (None, None) => Err(eyre::eyre!("the network file names no operator")),
    }
}

/// How far a rollup whose anchor is block `anchor` is.
pub(super) async fn membership(client: &Client, chain_id: ChainId, anchor: u64) -> eyre::Result<Membership> {
    let status = newest(client).await?;
    let rollup = status.rollups.iter().find(|rollup| rollup.chain_id == chain_id);
    Ok(match rollup {
        None => Membership::Unknown,
        Some(rollup) if rollup.status == RollupStatus::Left => Membership::Left,
        Some(rollup) if rollup.certified > anchor => {
            Membership::Certified { number: rollup.certified, height: status.certified }
        }
        Some(_) => Membership::Member,
    })
}

/// Wait until a block of the rollup is certified, or look once.
pub(super) async fn certified(
    client: &Client,
    member: &Member,
    wait: bool,
    tell: &impl Fn(&str),
) -> eyre::Result<Membership> {
    let (chain_id, anchor) = (member.entry.chain_id, member.anchor.block().number);
    let mut told = None;
    loop {
        let found = membership(client, chain_id, anchor).await?;
        if told != Some(found) {
            match found {
                Membership::Unknown => {
                    tell("wait the operators see the registration at their own final L1 blocks")
                }
                Membership::Member => tell(
                    "ok   the operators have taken the rollup in\nwait its first block is judged and certified",
                ),
                Membership::Certified { .. } | Membership::Left => {}
            }
            told = Some(found);
        }
        match found {
            Membership::Certified { .. } => return Ok(found),
            Membership::Left => eyre::bail!("chain {chain_id} has left the network, and does not come back"),
            Membership::Unknown | Membership::Member if wait => tokio::time::sleep(POLL).await,
            Membership::Unknown | Membership::Member => return Ok(found),
        }
    }
}
