//! What a plan costs, without sending anything.

use super::{Purses, Step, carry::in_words, describe};
use crate::amount;
use alloy_primitives::U256;
use eyre::WrapErr as _;
use hum_chain::{At, Chain as _, ReadError, Submit as _, SubmitError};
use hum_types::{Address, ChainId};
use serde::Serialize;
use std::collections::BTreeMap;

/// A step that was not carried out.
#[derive(Debug, Serialize)]
pub(crate) struct Priced {
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

/// What one account pays in all.
#[derive(Debug, Serialize)]
pub(crate) struct Bill {
    pub(crate) account: Address,
    pub(crate) chain_id: ChainId,
    #[serde(serialize_with = "as_text")]
    pub(crate) gas_price_wei: u128,
    pub(crate) cost_wei: U256,
    pub(crate) balance_wei: U256,
}

/// A plan with its price.
#[derive(Debug, Serialize)]
pub(crate) struct Prices {
    pub(crate) steps: Vec<Priced>,
    /// By purse.
    pub(crate) bills: BTreeMap<&'static str, Bill>,
    /// Whether a step is refused.
    #[serde(skip)]
    pub(crate) refused: bool,
}

fn as_text<S: serde::Serializer>(number: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&number.to_string())
}

/// Price every step. What has no purse is priced with nobody's money: as usual, without a bill.
pub(crate) async fn price(purses: &Purses, steps: Vec<Step>) -> eyre::Result<Prices> {
    let mut bills = BTreeMap::new();
    for purse in &purses.0 {
        let name = purse.name;
        let bill = Bill {
            account: purse.submit.sender(),
            chain_id: purse.submit.chain_id(),
            gas_price_wei: purse
                .submit
                .gas_price()
                .await
                .wrap_err_with(|| format!("the gas price for the {name}"))?,
            cost_wei: U256::ZERO,
            balance_wei: purse
                .submit
                .balance()
                .await
                .wrap_err_with(|| format!("the balance of the {name}"))?,
        };
        bills.insert(name, bill);
    }
    let mut prices = Prices { steps: Vec::new(), bills, refused: false };
    let mut earlier = false;
    for step in steps {
        let Step::Send(transaction) = &step else {
            prices.refused |= matches!(step, Step::Refused { .. });
            earlier |= matches!(step, Step::Wait(_) | Step::Refused { .. });
            prices.steps.push(Priced { step, gas: None, estimated: None, cost_wei: None });
            continue;
        };
        let (Some(purse), Some(bill)) =
            (purses.get(transaction.by).ok(), prices.bills.get_mut(transaction.by))
        else {
            let (gas, estimated) = (Some(transaction.typical_gas), Some(false));
            prices.steps.push(Priced { step, gas, estimated, cost_wei: None });
            earlier = true;
            continue;
        };
        // A call to what does not stand yet does nothing, and would cost next to nothing.
        let stands = transaction.data.is_empty()
            || !purse.chain.code(transaction.to, At::LATEST).await.unwrap_or_default().is_empty();
        let estimate = match stands {
            true => purse.submit.estimate(transaction.call()).await.map(Some),
            false => Ok(None),
        };
        let (gas, estimated) = match estimate {
            Ok(Some(gas)) => (gas, true),
            Ok(None) => (transaction.typical_gas, false),
            // It may need what the ones before it would do, or ether that is still to come.
            Err(SubmitError::Rejected { .. } | SubmitError::Read(ReadError::Node { .. }))
                if earlier || bill.balance_wei < transaction.value_wei || bill.balance_wei.is_zero() =>
            {
                (transaction.typical_gas, false)
            }
            Err(error) => return Err(in_words(error, transaction)),
        };
        let cost = U256::from(gas) * U256::from(bill.gas_price_wei) + transaction.value_wei;
        bill.cost_wei += cost;
        earlier = true;
        prices.steps.push(Priced { step, gas: Some(gas), estimated: Some(estimated), cost_wei: Some(cost) });
    }
    Ok(prices)
}

impl Prices {
    /// Whether every account has enough.
    pub(crate) fn suffice(&self) -> bool {
        self.bills.values().all(|bill| bill.cost_wei <= bill.balance_wei)
    }

    /// For people.
    pub(crate) fn print(&self) {
        for item in &self.steps {
            item.print();
        }
        let ether = |wei| amount::show(wei, amount::ETHER);
        for (name, Bill { account, chain_id, cost_wei, balance_wei, .. }) in &self.bills {
            println!(
                "in all about {} ether of the {name} on chain {chain_id}; {account} has {}",
                ether(*cost_wei),
                ether(*balance_wei)
            );
            if cost_wei > balance_wei {
                println!("that is not enough: fund the account first");
            }
        }
    }
}

impl Priced {
    fn print(&self) {
        match &self.step {
            Step::Done { what } => println!("ok    {what}"),
            Step::Note { what } => println!("note  {what}"),
            Step::Wait(wait) => println!("wait  {}", describe(wait)),
            Step::Refused { what, next } => println!("stop  {what}; {next}"),
            Step::Send(transaction) => {
                println!("send  {}", transaction.what);
                println!("        by       the {}", transaction.by);
                println!("        to       {} ({})", transaction.to, transaction.contract);
                println!("        function {}", transaction.function);
                for (name, value) in &transaction.arguments {
                    println!("          {name}: {value}");
                }
                if !transaction.value_wei.is_zero() {
                    println!("        value    {} ether", amount::show(transaction.value_wei, amount::ETHER));
                }
                let how = if self.estimated == Some(true) {
                    "estimated"
                } else {
                    "usual; not to be estimated before the steps above"
                };
                let cost = self.cost_wei.map_or_else(String::new, |cost| {
                    format!(", {} ether in all", amount::show(cost, amount::ETHER))
                });
                println!("        gas      {} ({how}){cost}", self.gas.unwrap_or_default());
            }
        }
    }
}
