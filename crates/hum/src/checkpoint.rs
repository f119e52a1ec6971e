//! `hum checkpoint list|show`: what the operators finalised.

use crate::{
    network::{Client, NetworkArgument, block_on},
    output,
};
use eyre::eyre;
use hum_node::api::CheckpointView;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum CheckpointCommand {
    /// The newest checkpoints, newest first.
    List {
        #[command(flatten)]
        network: NetworkArgument,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Print one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// One checkpoint: its header, what it advanced, who was set aside.
    Show {
        #[command(flatten)]
        network: NetworkArgument,
        /// Its height.
        height: u64,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(command: &CheckpointCommand) -> eyre::Result<ExitCode> {
    block_on(async {
        match command {
            CheckpointCommand::List { network, limit, json } => list(&network.open()?, *limit, *json).await,
            CheckpointCommand::Show { network, height, json } => show(&network.open()?, *height, *json).await,
        }
    })
}

async fn list(client: &Client, limit: u32, json: bool) -> eyre::Result<ExitCode> {
    let views: Vec<CheckpointView> =
        client.ask(&format!("/checkpoints?limit={limit}")).await?.unwrap_or_default();
    if json {
        output::json(&views)?;
        return Ok(ExitCode::SUCCESS);
    }
    for view in views {
        let heads: Vec<_> = view
            .advances
            .iter()
            .map(|(chain_id, _, head)| format!("{} {}", client.name_of(*chain_id), head.number))
            .collect();
        let certified = view.certified_ms.map_or_else(
            || "not certified yet".to_owned(),
            |time| format!("certified +{} ms", time.0.saturating_sub(view.header.time_ms.0)),
        );
        println!(
            "{:>8}  {certified:<20} {} messages  {}",
            view.header.height,
            view.messages,
            heads.join(", ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(client: &Client, height: u64, json: bool) -> eyre::Result<ExitCode> {
    let view: CheckpointView = client.ask(&format!("/checkpoints/{height}")).await?.ok_or_else(|| {
        eyre!("no operator has checkpoint {height}; `hum checkpoint list` shows the newest")
    })?;
    if json {
        output::json(&view)?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("height        {} (epoch {})", view.header.height, view.header.epoch);
    println!("header hash   {}", view.hash);
    println!("parent        {}", view.header.parent);
    println!("time          {} ms", view.header.time_ms);
    println!("rollups root  {}", view.header.rollups_root);
    println!("messages      {}", view.messages);
    for (chain_id, blocks, head) in &view.advances {
        println!(
            "advanced      {} by {blocks} to block {} {}",
            client.name_of(*chain_id),
            head.number,
            head.hash
        );
    }
    for change in &view.changes {
        println!("change        {}", serde_json::to_string(change)?);
    }
    match (view.certified_by, view.certified_ms) {
        (Some(by), Some(time)) => {
            println!(
                "certified     by height {by}, {} ms after its time",
                time.0.saturating_sub(view.header.time_ms.0)
            );
        }
        _ => println!("certified     not yet: attestations of two thirds of the stake are missing"),
    }
    Ok(ExitCode::SUCCESS)
}
