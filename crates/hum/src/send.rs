//! `hum send`: one message, followed to its end.

use crate::{
    message::{self, Executed},
    network::{Client, NetworkArgument, block_on},
    output,
};
use alloy_primitives::hex;
use alloy_sol_types::{SolCall as _, SolError as _, SolEvent as _};
use eyre::{WrapErr as _, bail, ensure, eyre};
use hum_chain::{
    Call, Submit as _, SubmitError,
    contracts::{Gateway, inbox_address},
    rpc::{RpcSubmit, SubmitPolicy},
};
use hum_node::api::MessageView;
use hum_types::{Address, B256, Bytes, Confidence, InteropAddress, PAYLOAD_BYTES_MAX};
use serde::Serialize;
use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

/// How often a message that is waited for is looked at.
const POLL: Duration = Duration::from_millis(50);

#[derive(Debug, clap::Args)]
pub(crate) struct SendArguments {
    #[command(flatten)]
    network: NetworkArgument,
    /// Source rollup, by name or chain id.
    #[arg(long)]
    from: String,
    /// Destination rollup, by name or chain id.
    #[arg(long)]
    to: String,
    /// Contract that receives it; the demo inbox when missing.
    #[arg(long)]
    recipient: Option<Address>,
    /// How settled the source block must be before the message is delivered.
    #[arg(long, default_value = "latest", value_name = "latest|safe|finalized", value_parser = message::confidence)]
    confidence: Confidence,
    /// Gas for the recipient; the gateway's default when missing.
    #[arg(long)]
    min_gas_limit: Option<u32>,
    /// File with the secret of the account that pays; the local network's dev key when missing.
    #[arg(long)]
    key_file: Option<PathBuf>,
    /// Follow the message until it is executed.
    #[arg(long)]
    wait: bool,
    /// Give up waiting after this many seconds.
    #[arg(long, default_value_t = 60)]
    timeout_s: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// The payload: text, or bytes in hex after 0x.
    payload: String,
}

#[derive(Debug, Serialize)]
struct Sent {
    id: B256,
    tx_hash: B256,
    block: u64,
    gas_used: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<MessageView>,
}

pub(crate) fn run(arguments: &SendArguments) -> eyre::Result<ExitCode> {
    block_on(send(arguments))
}

async fn send(arguments: &SendArguments) -> eyre::Result<ExitCode> {
    let client = arguments.network.open()?;
    client.learn().await;
    let (from, to) = (client.rollup(&arguments.from)?, client.rollup(&arguments.to)?);
    ensure!(
        from.chain_id != to.chain_id,
        "a message to the same rollup needs no gateway; choose another --to"
    );
    let payload = payload(&arguments.payload)?;
    let recipient = arguments.recipient.unwrap_or_else(|| inbox_address(to.gateways.facades()));
    let secret = match &arguments.key_file {
        Some(path) => std::fs::read_to_string(path)
            .wrap_err_with(|| format!("cannot read {}", path.display()))?
            .trim()
            .parse()
            .map_err(|_| eyre!("{} does not hold a secret of 32 bytes in hex", path.display()))?,
        None => client.dev_secret()?,
    };
    let submit = RpcSubmit::new(client.chain(&from)?, secret, SubmitPolicy::default())
        .ok_or_else(|| eyre!("the secret is no secp256k1 key"))?;
    let call = Gateway::sendMessageCall {
        recipient: InteropAddress { chain_id: to.chain_id, address: recipient }.encode().into(),
        payload,
        attributes: arguments.min_gas_limit.map(message::gas_attribute).into_iter().collect(),
    };
    ensure!(
        arguments.confidence == Confidence::Latest || from.settlement.is_some(),
        "{} settles nothing on L1, so it has no {} heads; only --confidence latest is delivered",
        from.name,
        arguments.confidence
    );
    let gateway = from.gateways.facades()[arguments.confidence as usize];
    let begun = Instant::now();
    let outcome = submit
        .send(Call::new(gateway, call.abi_encode().into()))
        .await
        .map_err(|error| refused(error, &from.name, &to.name))?;
    ensure!(outcome.success, "the transaction {} reverted", outcome.tx_hash);
    let id = outcome
        .logs
        .iter()
        .find(|log| {
            log.address == gateway && log.topics.first() == Some(&Gateway::MessageSent::SIGNATURE_HASH)
        })
        .and_then(|log| log.topics.get(1).copied())
        .ok_or_else(|| eyre!("the gateway emitted no message; is {gateway} a gateway?"))?;
    let mut sent = Sent {
        id,
        tx_hash: outcome.tx_hash,
        block: outcome.block.number,
        gas_used: outcome.gas_used,
        message: None,
    };
    if !arguments.json {
        println!("message {id}\nsent in block {} of {}, {} gas", sent.block, from.name, sent.gas_used);
    }
    if arguments.wait {
        let limit = Duration::from_secs(arguments.timeout_s);
        let followed =
            tokio::time::timeout(limit, follow(&client, id, (!arguments.json).then_some(begun))).await;
        let view = followed.map_err(|_| {
            eyre!(
                "not executed within {} s; `hum message show {id}` says what it waits for",
                arguments.timeout_s
            )
        })??;
        sent.message = Some(view);
    }
    if arguments.json {
        output::json(&sent)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Why a gateway did not take a message, in words where we know them.
fn refused(error: SubmitError, from: &str, to: &str) -> eyre::Report {
    let closed = matches!(&error, SubmitError::Rejected { data, .. } if data.starts_with(&Gateway::LaneClosed::SELECTOR));
    let report = eyre::Report::new(error);
    let report =
        if closed { report.wrap_err(format!("its governor has closed the lane to {to}")) } else { report };
    report.wrap_err(format!("{from} did not take the message"))
}

fn payload(text: &str) -> eyre::Result<Bytes> {
    let bytes = match text.strip_prefix("0x") {
        Some(digits) => hex::decode(digits).wrap_err("the payload after 0x is no hex")?,
        None => text.as_bytes().to_vec(),
    };
    let found = bytes.len();
    ensure!(
        found <= PAYLOAD_BYTES_MAX,
        "the payload has {found} bytes, a message carries {PAYLOAD_BYTES_MAX}"
    );
    Ok(bytes.into())
}

/// Wait until the message was executed, telling each stage once, with the time since `begun`.
async fn follow(client: &Client, id: B256, begun: Option<Instant>) -> eyre::Result<MessageView> {
    let mut told = String::new();
    loop {
        if let Some(view) = message::look_up(client, id).await? {
            if let Some(begun) = begun.filter(|_| view.stage != told) {
                println!("{} {} ms after sending", view.stage, begun.elapsed().as_millis());
            }
            match Executed::of(&view) {
                Executed::Yes => return Ok(view),
                Executed::Failed => bail!(
                    "the recipient refused the message; it can be retried: `hum message show {id}` says how far it is"
                ),
                Executed::No => {}
            }
            told = view.stage;
        }
        tokio::time::sleep(POLL).await;
    }
}
