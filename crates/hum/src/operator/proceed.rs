//! Carrying a plan out: one transaction, look again, next.

use super::{
    amount,
    plan::{Step, Transaction, Wait},
    site::{Secrets, Site},
};
use crate::output;
use alloy_primitives::U256;
use eyre::{WrapErr as _, bail, ensure};
use hum_chain::{
    Call, Chain as _, ReadError, Submit as _, SubmitError,
    restaking::{OperatorView, explain_revert},
    rpc::RpcSubmit,
};
use hum_types::{B256, Confidence};
use serde::Serialize;
use std::{process::ExitCode, time::Duration};

/// How often L1 is asked while a block is waited for.
const POLL: Duration = Duration::from_secs(1);
/// The most transactions that a plan can take: more means that L1 does not change as it should.
const TRANSACTIONS_MAX: usize = 16;

/// How a plan is carried out.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct HowArguments {
    /// Print every transaction with its gas and cost; send none.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Stay until every wait is over, instead of saying what is waited for and ending.
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) wait: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

/// A transaction that a block has.
#[derive(Debug, Serialize)]
struct Sent {
    what: String,
    function: &'static str,
    tx_hash: B256,
    block: u64,
    gas_used: u64,
    fee_wei: U256,
}

/// A transaction that was not sent.
#[derive(Debug, Serialize)]
struct Priced {
    #[serde(flatten)]
    step: Step,
    #[serde(skip_serializing_if = "Option::is_none")]
    gas: Option<u64>,
    /// Whether the node estimated it, or it is what the call usually takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_wei: Option<U256>,
}

/// Do everything that `plan` says, or say what it would do.
pub(super) async fn proceed(
    site: &Site,
    secrets: &Secrets,
    how: &HowArguments,
    plan: impl Fn(&OperatorView) -> Vec<Step>,
) -> eyre::Result<ExitCode> {
    site.check().await?;
    let submit = secrets.submit(&site.chain)?;
    if how.dry_run {
        return dry_run(site, &submit, how, plan(&site.view().await?)).await;
    }
    let mut sent: Vec<Sent> = Vec::new();
    let mut told = Vec::new();
    let mut view = site.view().await?;
    let waiting = loop {
        let steps = plan(&view);
        for step in &steps {
            let (Step::Done { what } | Step::Note { what }) = step else { break };
            if !told.contains(what) {
                if !how.json {
                    println!("{} {what}", if matches!(step, Step::Done { .. }) { "ok  " } else { "note" });
                }
                told.push(what.clone());
            }
        }
        let next = steps.into_iter().find(|step| !matches!(step, Step::Done { .. } | Step::Note { .. }));
        match next {
            None => break None,
            Some(Step::Refused { what, next }) => bail!("{what}; {next}"),
            Some(Step::Send(transaction)) => {
                ensure!(
                    sent.len() < TRANSACTIONS_MAX,
                    "{TRANSACTIONS_MAX} transactions did not do it; L1 still asks to {}",
                    transaction.what
                );
                let outcome = send(&submit, &transaction).await?;
                if !how.json {
                    println!(
                        "sent {}\n     {} in block {}, {} gas",
                        outcome.what, outcome.tx_hash, outcome.block, outcome.gas_used
                    );
                }
                // The node that took it may show it a moment later.
                view = view_from(site, outcome.block).await?;
                sent.push(outcome);
            }
            Some(Step::Wait(wait)) if how.wait => {
                if !how.json && !told.contains(&wait.what) {
                    println!("wait {}", describe(&wait));
                    told.push(wait.what.clone());
                }
                tokio::time::sleep(POLL).await;
                view = site.view().await?;
            }
            Some(Step::Wait(wait)) => break Some(wait),
            Some(Step::Done { .. } | Step::Note { .. }) => unreachable!("left out above"),
        }
    };
    if how.json {
        output::json(&serde_json::json!({
            "operator": view.operator, "l1_block": view.block.number, "sent": sent,
            "done": waiting.is_none(), "waiting_for": waiting,
        }))?;
    } else if let Some(wait) = waiting {
        println!("wait {}\nrun the same command again then, or with --wait", describe(&wait));
    } else {
        println!("done at L1 block {}", view.block.number);
    }
    Ok(ExitCode::SUCCESS)
}

async fn view_from(site: &Site, block: u64) -> eyre::Result<OperatorView> {
    for _ in 0..30 {
        if site.chain.head(Confidence::Latest).await?.number >= block {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(site.view().await?)
}

fn describe(wait: &Wait) -> String {
    match wait.until_block {
        Some(block) => format!("{}: until L1 block {block}", wait.what),
        None => format!("{}: {} blocks at most", wait.what, wait.blocks_max),
    }
}

fn as_call(transaction: &Transaction) -> Call {
    Call { value: transaction.value_wei, ..Call::new(transaction.to, transaction.data.clone()) }
}

/// What a refusal says, in words where we know them.
fn in_words(error: SubmitError, transaction: &Transaction) -> eyre::Report {
    let known = match &error {
        SubmitError::Rejected { data, .. } => explain_revert(data),
        _ => None,
    };
    let report = eyre::Report::new(error);
    let report = match known {
        Some(known) => report.wrap_err(known),
        None => report,
    };
    report.wrap_err(format!("cannot {}", transaction.what))
}

async fn send(submit: &RpcSubmit, transaction: &Transaction) -> eyre::Result<Sent> {
    let outcome = submit.send(as_call(transaction)).await.map_err(|error| in_words(error, transaction))?;
    ensure!(
        outcome.success,
        "{} reverted in transaction {}; what came before it stays done",
        transaction.function,
        outcome.tx_hash
    );
    Ok(Sent {
        what: transaction.what.clone(),
        function: transaction.function,
        tx_hash: outcome.tx_hash,
        block: outcome.block.number,
        gas_used: outcome.gas_used,
        fee_wei: outcome.fee,
    })
}

async fn dry_run(
    site: &Site,
    submit: &RpcSubmit,
    how: &HowArguments,
    steps: Vec<Step>,
) -> eyre::Result<ExitCode> {
    let price = submit.gas_price().await.wrap_err("L1's gas price")?;
    let balance = submit.balance().await.wrap_err("the account's balance")?;
    let mut priced = Vec::new();
    let (mut earlier, mut total, mut refused) = (false, U256::ZERO, false);
    for step in steps {
        let Step::Send(transaction) = &step else {
            refused |= matches!(step, Step::Refused { .. });
            earlier |= matches!(step, Step::Wait(_));
            priced.push(Priced { step, gas: None, estimated: None, cost_wei: None });
            continue;
        };
        let (gas, estimated) = match submit.estimate(as_call(transaction)).await {
            Ok(gas) => (gas, true),
            // It may need what the ones before it would do, or ether that is still to come.
            Err(SubmitError::Rejected { .. } | SubmitError::Read(ReadError::Node { .. }))
                if earlier || balance < transaction.value_wei =>
            {
                (transaction.typical_gas, false)
            }
            Err(error) => return Err(in_words(error, transaction)),
        };
        let cost = U256::from(gas) * U256::from(price) + transaction.value_wei;
        total += cost;
        earlier = true;
        priced.push(Priced { step, gas: Some(gas), estimated: Some(estimated), cost_wei: Some(cost) });
    }
    let enough = total <= balance;
    if how.json {
        output::json(&serde_json::json!({
            "operator": site.operator, "dry_run": true, "steps": priced, "gas_price_wei": price.to_string(),
            "cost_wei": total, "balance_wei": balance, "balance_suffices": enough,
        }))?;
    } else {
        for item in &priced {
            print_priced(item);
        }
        let ether = |wei| amount::show(wei, amount::ETHER);
        println!("in all about {} ether; {} has {}", ether(total), site.operator, ether(balance));
        if !enough {
            println!("that is not enough: fund the account first");
        }
    }
    Ok(ExitCode::from(u8::from(refused || !enough)))
}

fn print_priced(item: &Priced) {
    match &item.step {
        Step::Done { what } => println!("ok    {what}"),
        Step::Note { what } => println!("note  {what}"),
        Step::Wait(wait) => println!("wait  {}", describe(wait)),
        Step::Refused { what, next } => println!("stop  {what}; {next}"),
        Step::Send(transaction) => {
            println!("send  {}", transaction.what);
            println!("        to       {} ({})", transaction.to, transaction.contract);
            println!("        function {}", transaction.function);
            for (name, value) in &transaction.arguments {
                println!("          {name}: {value}");
            }
            if !transaction.value_wei.is_zero() {
                println!("        value    {} ether", amount::show(transaction.value_wei, amount::ETHER));
            }
            let how = if item.estimated == Some(true) {
                "estimated"
            } else {
                "usual; not to be estimated before the steps above"
            };
            let cost = amount::show(item.cost_wei.unwrap_or_default(), amount::ETHER);
            println!("        gas      {} ({how}), {cost} ether in all", item.gas.unwrap_or_default());
        }
    }
}
