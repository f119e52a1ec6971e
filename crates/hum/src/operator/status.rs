//! `hum operator status`: what L1 and the operator's own process say.

use super::site::{Site, SiteArgument};
use crate::{amount, network::block_on, output};
use alloy::transports::http::reqwest;
use hum_chain::{
    At,
    restaking::{OperatorView, Reader, StrategyView},
};
use hum_types::TimeS;
use serde::Serialize;
use serde_json::Value;
use std::{process::ExitCode, sync::Arc, time::Duration};

/// How long the operator's own process may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(super) struct StatusArguments {
    #[command(flatten)]
    site: SiteArgument,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The newest snapshot, and where the operator sits in it.
#[derive(Debug, Serialize)]
pub(super) struct Seated {
    snapshot: u64,
    l1_block: u64,
    valid_until: TimeS,
    seats: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    seat: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stake: Option<String>,
}

pub(super) fn run(arguments: &StatusArguments) -> eyre::Result<ExitCode> {
    block_on(async {
        let site = arguments.site.look().await?;
        let view = site.view().await?;
        let seated = seated(&site, &view).await?;
        let process = ask(&site, "/status").await;
        let epoch = ask(&site, "/checkpoints?limit=1").await.and_then(epoch_of);
        if arguments.json {
            output::json(&as_json(&site, &view, seated.as_ref(), epoch, process))?;
        } else {
            print(&site, &view, seated.as_ref(), epoch, process.as_ref());
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) async fn seated(site: &Site, view: &OperatorView) -> eyre::Result<Option<Seated>> {
    let Some(record) = view.newest else { return Ok(None) };
    let reader = Reader::new(Arc::new(site.chain.clone()), site.contracts.service_manager, site.domain());
    let snapshot = reader.seats_of(record, At::Hash(view.block.hash)).await?;
    let entries = &snapshot.roster.entries;
    let seat = entries.iter().position(|entry| entry.operator == view.operator);
    let stake = seat.and_then(|seat| entries.get(seat)).map(|entry| entry.stake.to_string());
    Ok(Some(Seated {
        snapshot: record.index,
        l1_block: record.l1_block,
        valid_until: record.valid_until,
        seats: record.seats,
        seat,
        stake,
    }))
}

/// The operator's own process; `None` when it does not answer.
async fn ask(site: &Site, path: &str) -> Option<Value> {
    let http = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).build().ok()?;
    let url = format!("http://{}{path}", site.config.api);
    http.get(url).send().await.ok()?.error_for_status().ok()?.json().await.ok()
}

fn epoch_of(checkpoints: Value) -> Option<u64> {
    checkpoints.get(0)?.get("header")?.get("epoch")?.as_u64()
}

fn strategy_json(strategy: &StrategyView) -> Value {
    let allocation = strategy.allocation;
    serde_json::json!({
        "strategy": strategy.strategy, "token": strategy.token, "symbol": strategy.symbol,
        "deposited": strategy.deposited.to_string(), "shares": strategy.shares.to_string(),
        "allocated": allocation.current.to_string(),
        "pending": allocation.is_pending().then(|| allocation.next.to_string()),
        "effective_block": allocation.is_pending().then_some(allocation.effect_block),
        "slashable": strategy.slashable.to_string(),
    })
}

pub(super) fn as_json(
    site: &Site,
    view: &OperatorView,
    seated: Option<&Seated>,
    epoch: Option<u64>,
    process: Option<Value>,
) -> Value {
    let registration = &view.registration;
    serde_json::json!({
        "operator": view.operator, "id": site.id, "l1_block": view.block.number,
        "balance_wei": view.balance_wei.to_string(), "eigenlayer_operator": view.is_operator,
        "allocation_delay_blocks": view.allocation_delay_blocks,
        "core": {
            "newer_than_v1_3": view.core.is_newer, "slasher": view.core.slasher,
            "slashed_stake_to": view.core.recipient,
        },
        "strategies": view.strategies.iter().map(strategy_json).collect::<Vec<_>>(),
        "bond_wei": view.bond_wei.to_string(), "bond_needed_wei": view.bond_needed_wei.to_string(),
        "in_operator_set": view.is_member, "slashable": view.is_slashable, "jailed": view.is_jailed,
        "registered_id": registration.id, "registered_network_key": registration.network_key,
        "registered_endpoint": registration.endpoint, "newest_snapshot": seated, "epoch": epoch,
        "process": process,
    })
}

fn print(
    site: &Site,
    view: &OperatorView,
    seated: Option<&Seated>,
    epoch: Option<u64>,
    process: Option<&Value>,
) {
    let line = |name: &str, text: String| println!("{name:<14} {text}");
    let ether = |wei| format!("{} ether", amount::show(wei, amount::ETHER));
    let word = |yes, one: &str, other: &str| if yes { one.to_owned() } else { other.to_owned() };
    line("operator", view.operator.to_string());
    line("id", site.id.to_string());
    line("L1 block", view.block.number.to_string());
    line("balance", ether(view.balance_wei));
    line("EigenLayer", word(view.is_operator, "operator", "not registered"));
    let stand_in = "newer than v1.3; Hum ran against such on a stand-in of its own only";
    line("  core", word(view.core.is_newer, stand_in, "as of v1.3"));
    if let Some(slasher) = view.core.slasher.filter(|slasher| *slasher != site.contracts.service_manager) {
        line("  slasher", format!("{slasher}, which is not the service manager"));
    }
    let burned = || "is burned".to_owned();
    line("  slashed", view.core.recipient.map_or_else(burned, |to| format!("goes to {to}")));
    for strategy in &view.strategies {
        let units = |amount| format!("{} {}", amount::show(amount, strategy.decimals), strategy.symbol);
        let allocation = strategy.allocation;
        line("strategy", strategy.strategy.to_string());
        line("  shares", format!("{}, own deposit {}", strategy.shares, units(strategy.deposited)));
        let pending = if allocation.is_pending() {
            format!(", {} from L1 block {}", amount::percent(allocation.next), allocation.effect_block)
        } else {
            String::new()
        };
        line("  allocated", format!("{}{pending}", amount::percent(allocation.current)));
        line("  slashable", units(strategy.slashable));
    }
    line("bond", format!("{} of {}", ether(view.bond_wei), ether(view.bond_needed_wei)));
    let member = match (view.is_member, view.is_slashable) {
        (true, _) => "member",
        (false, true) => "left, still slashable",
        (false, false) => "no member",
    };
    line("operator set", member.to_owned());
    if view.is_jailed {
        line("jailed", "slashed out for ever".to_owned());
    }
    let registered = view.registration.id.map_or_else(|| "none".to_owned(), |id| id.to_string());
    line("key on L1", registered);
    line("endpoint", view.registration.endpoint.to_string());
    match seated {
        None => line("committee", "no snapshot was taken yet".to_owned()),
        Some(seated) => {
            let Seated { snapshot, l1_block, seats, .. } = seated;
            let seat = seated.seat.map_or_else(
                || "no seat".to_owned(),
                |seat| format!("seat {seat}, stake {}", seated.stake.as_deref().unwrap_or_default()),
            );
            line("committee", format!("snapshot {snapshot} of L1 block {l1_block}, {seats} seats: {seat}"));
        }
    }
    if let Some(epoch) = epoch {
        line("epoch", epoch.to_string());
    }
    match process {
        None => line("process", format!("does not answer at http://{}", site.config.api)),
        Some(status) => {
            let what = |name: &str| status[name]["what"].as_str().unwrap_or("nothing").to_owned();
            line("process", format!("finalised {}, certified {}", status["finalised"], status["certified"]));
            line("  last", what("last"));
            line("  waits for", what("waiting_for"));
        }
    }
}
