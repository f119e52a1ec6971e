//! `hum message list|show`: where messages are.

use crate::{
    network::{Client, NetworkArgument, block_on},
    output,
};
use alloy_primitives::U256;
use alloy_sol_types::{SolCall as _, SolValue as _};
use eyre::eyre;
use hum_chain::{At, Chain as _, LogQuery, contracts::Gateway};
use hum_node::{api::MessageView, config::PeerRole, publisher::BlockTimes};
use hum_types::{B256, Bytes, ChainId, Confidence, TimeMs};
use std::{collections::BTreeMap, process::ExitCode, time::Duration};

/// Selector of the ERC-7786 attribute `minGasLimit(uint256)`.
const MIN_GAS_LIMIT: [u8; 4] = [0x39, 0xf8, 0x7b, 0xa1];

#[derive(Debug, clap::Subcommand)]
pub(crate) enum MessageCommand {
    /// The newest messages, newest first.
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
    /// One message: its stages with their times, and what it waits for.
    Show {
        #[command(flatten)]
        network: NetworkArgument,
        /// Its id.
        id: B256,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(command: &MessageCommand) -> eyre::Result<ExitCode> {
    block_on(async {
        match command {
            MessageCommand::List { network, limit, json } => list(&network.open()?, *limit, *json).await,
            MessageCommand::Show { network, id, json } => show(&network.open()?, *id, *json).await,
        }
    })
}

async fn list(client: &Client, limit: u32, json: bool) -> eyre::Result<ExitCode> {
    client.learn().await;
    let mut views: Vec<MessageView> =
        client.ask(&format!("/messages?limit={limit}")).await?.unwrap_or_default();
    for view in &mut views {
        add_execution(client, view).await?;
    }
    if json {
        output::json(&views)?;
        return Ok(ExitCode::SUCCESS);
    }
    if views.is_empty() {
        println!("no messages yet; `hum send` sends one");
    }
    for view in views {
        println!(
            "{}  {} → {} #{}  {}  {}",
            view.id,
            client.name_of(view.source),
            client.name_of(view.lane),
            view.index,
            view.confidence,
            view.stage
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(client: &Client, id: B256, json: bool) -> eyre::Result<ExitCode> {
    let view = look_up(client, id).await?.ok_or_else(|| {
        eyre!("no operator knows message {id} yet; it appears once a checkpoint with its block is finalised")
    })?;
    if json {
        output::json(&view)?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("message    {}", view.id);
    println!(
        "lane       {} → {}, index {}",
        client.name_of(view.source),
        client.name_of(view.lane),
        view.index
    );
    println!("confidence {}, generation {}", view.confidence, view.generation);
    println!("from       {} to {}, {} bytes", view.sender, view.recipient, view.payload_bytes);
    let stages = [
        ("sent", view.times_ms.sent),
        ("finalised", view.times_ms.finalised),
        ("certified", view.times_ms.certified),
        ("executed", view.times_ms.executed),
    ];
    for (stage, time) in stages {
        let after = time.zip(view.times_ms.sent).map(|(at, sent)| at.0.saturating_sub(sent.0));
        println!("{stage:<10} {}", after.map_or_else(|| "-".to_owned(), |ms| format!("+{ms} ms")));
    }
    if !view.waiting_for.is_empty() {
        println!("waits for  {}", view.waiting_for);
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a message was run at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Executed {
    No,
    Failed,
    Yes,
}

impl Executed {
    pub(crate) fn of(view: &MessageView) -> Self {
        match view.stage.as_str() {
            "executed" => Self::Yes,
            "failed" => Self::Failed,
            _ => Self::No,
        }
    }
}

/// A message with what its destination says of it.
pub(crate) async fn look_up(client: &Client, id: B256) -> eyre::Result<Option<MessageView>> {
    let Some(mut view) = client.ask::<MessageView>(&format!("/messages/{id}")).await? else {
        return Ok(None);
    };
    add_execution(client, &mut view).await?;
    Ok(Some(view))
}

async fn add_execution(client: &Client, view: &mut MessageView) -> eyre::Result<()> {
    let (Some(source), Some(destination)) =
        (client.network.member(view.source), client.network.member(view.lane))
    else {
        return Ok(());
    };
    let chain = client.chain(&destination.entry)?;
    if let Some(seen) = seen(client, view.source, view.block.number).await {
        view.times_ms.sent = Some(seen);
    }
    let status = Gateway::statusOfCall {
        registration: source.entry.registration.0,
        generation: view.generation.0,
        index: view.index.0,
    };
    let word = chain.call(view.facade, status.abi_encode().into(), At::LATEST).await?;
    match U256::abi_decode(&word).ok().map(|status| status.saturating_to::<u8>()) {
        Some(2) => {
            "executed".clone_into(&mut view.stage);
            view.waiting_for.clear();
            view.times_ms.executed = execution_time(client, &chain, view).await?;
        }
        Some(1) => {
            "failed".clone_into(&mut view.stage);
            "anyone's retry: the recipient refused it".clone_into(&mut view.waiting_for);
        }
        _ => {}
    }
    Ok(())
}

/// When the block that ran it was first seen, if that was recently.
async fn execution_time(
    client: &Client,
    chain: &hum_chain::rpc::RpcChain,
    view: &MessageView,
) -> eyre::Result<Option<TimeMs>> {
    const BLOCKS_BACK: u64 = 2_000;
    let head = chain.head(Confidence::Latest).await?.number;
    let query = LogQuery {
        from: head.saturating_sub(BLOCKS_BACK),
        to: head,
        addresses: vec![view.facade],
        topics: vec![<Gateway::Delivered as alloy_sol_types::SolEvent>::SIGNATURE_HASH],
    };
    let logs = chain.logs(query).await?;
    let Some(log) = logs.iter().find(|log| log.topics.get(1) == Some(&view.id)) else { return Ok(None) };
    if let Some(seen) = seen(client, view.lane, log.block.number).await {
        return Ok(Some(seen));
    }
    Ok(chain.block(At::Number(log.block.number)).await?.map(|block| block.time_ms))
}

/// When the rollup's publisher first saw the block: block timestamps count whole seconds. `None` where no publisher tells.
async fn seen(client: &Client, chain_id: ChainId, number: u64) -> Option<TimeMs> {
    const ATTEMPTS: usize = 5;
    const POLL: Duration = Duration::from_millis(50);
    let publisher = client.network.peers().into_iter().find(|(peer, _)| {
        peer.role == PeerRole::Publisher && peer.chain_id == Some(chain_id) && peer.api.is_some()
    });
    let api = publisher?.0.api?;
    for _ in 0..ATTEMPTS {
        let times: BTreeMap<u64, BlockTimes> =
            client.ask_one(&api, &format!("/blocks?from={number}")).await.ok()?;
        if let Some(seen) = times.get(&number).and_then(|times| times.seen_ms) {
            return Some(seen);
        }
        // The block is newer than the publisher's last look, or older than what it remembers.
        if times.keys().next().is_some_and(|oldest| *oldest > number) {
            return None;
        }
        tokio::time::sleep(POLL).await;
    }
    None
}

/// The ERC-7786 attribute that asks for this much gas.
pub(crate) fn gas_attribute(gas: u32) -> Bytes {
    [&MIN_GAS_LIMIT[..], &U256::from(gas).abi_encode()].concat().into()
}

/// A confidence by its name.
pub(crate) fn confidence(name: &str) -> Result<Confidence, String> {
    Confidence::ALL
        .into_iter()
        .find(|confidence| confidence.to_string().eq_ignore_ascii_case(name))
        .ok_or_else(|| format!("no confidence is called {name}; there are latest, safe and finalized"))
}
