//! Carrying an operator's plan out, and saying so.

use super::site::{Secrets, Site};
use crate::{
    output,
    plan::{HowArguments, Purses, Step, carry_out, describe, price},
};
use hum_chain::restaking::OperatorView;
use std::process::ExitCode;

/// Who pays for every step.
pub(super) const OPERATOR: &str = "operator";

/// Do everything that `plan` says, or say what it would do.
pub(super) async fn proceed(
    site: &Site,
    secrets: &Secrets,
    how: &HowArguments,
    plan: impl Fn(&OperatorView) -> Vec<Step>,
) -> eyre::Result<ExitCode> {
    site.check().await?;
    let purses = Purses(vec![secrets.purse(&site.chain)?]);
    if how.dry_run {
        return dry_run(site, &purses, how, plan(&site.view().await?)).await;
    }
    let tell = |line: &str| {
        if !how.json {
            println!("{line}");
        }
    };
    let look = async || Ok(site.view().await?);
    let done = carry_out(&purses, how.wait, tell, look, plan).await?;
    if how.json {
        output::json(&serde_json::json!({
            "operator": done.view.operator, "l1_block": done.view.block.number, "sent": done.sent,
            "done": done.waiting.is_none(), "waiting_for": done.waiting,
        }))?;
    } else if let Some(wait) = done.waiting {
        println!("wait {}\nrun the same command again then, or with --wait", describe(&wait));
    } else {
        println!("done at L1 block {}", done.view.block.number);
    }
    Ok(ExitCode::SUCCESS)
}

async fn dry_run(
    site: &Site,
    purses: &Purses,
    how: &HowArguments,
    steps: Vec<Step>,
) -> eyre::Result<ExitCode> {
    let prices = price(purses, steps).await?;
    let enough = prices.suffice();
    if how.json {
        let bill = prices.bills.get(OPERATOR);
        output::json(&serde_json::json!({
            "operator": site.operator, "dry_run": true, "steps": prices.steps,
            "gas_price_wei": bill.map(|bill| bill.gas_price_wei.to_string()),
            "cost_wei": bill.map(|bill| bill.cost_wei), "balance_wei": bill.map(|bill| bill.balance_wei),
            "balance_suffices": enough,
        }))?;
    } else {
        prices.print();
    }
    Ok(ExitCode::from(u8::from(prices.refused || !enough)))
}
