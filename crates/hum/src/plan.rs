//! Transactions on the way to a goal: a plan of what is missing, its price, and carrying it out.
//!
//! ```text
//! look at the chains ─▶ view ─▶ plan(view): Step… ─▶ price           (--dry-run: nothing is sent)
//!        ▲                             └─▶ carry_out: the first step that is not done ─┐
//!        └──────────────────────── sent, and a block has it ◀──────────────────────────┘
//! ```
//!
//! A plan is a pure function of what the chains say, and the whole way from the present state. So every command may be repeated at any
//! point: what is done is seen and not done again.

mod carry;
mod price;

pub(crate) use carry::{Carried, Sent, carry_out, describe};
pub(crate) use price::price;

use alloy_primitives::{Bytes, U256};
use alloy_sol_types::SolCall;
use eyre::eyre;
use hum_chain::{
    Call,
    rpc::{FeePolicy, RpcChain, RpcSubmit, SubmitPolicy},
};
use hum_types::{Address, B256};
use serde::Serialize;
use std::time::Duration;

/// How often a chain is asked while something is waited for.
const POLL: Duration = Duration::from_secs(1);

/// How a plan is carried out.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct HowArguments {
    /// Print every transaction with its gas and cost; send none.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Stay until every wait is over, instead of saying what is waited for and ending.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) wait: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(crate) enum Step {
    /// Nothing to do here.
    Done { what: String },
    /// A transaction.
    Send(Transaction),
    /// Nothing can be sent before that.
    Wait(Wait),
    /// It goes on, but somebody should know.
    Note { what: String },
    /// It cannot go on, and what to do.
    Refused { what: String, next: String },
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Transaction {
    pub(crate) what: String,
    /// The purse that pays.
    pub(crate) by: &'static str,
    /// The contract's name.
    pub(crate) contract: &'static str,
    pub(crate) to: Address,
    pub(crate) function: &'static str,
    /// Names and values.
    pub(crate) arguments: Vec<(&'static str, String)>,
    pub(crate) value_wei: U256,
    pub(crate) data: Bytes,
    /// Gas as measured elsewhere, for when it cannot be estimated yet.
    pub(crate) typical_gas: u64,
}

/// A wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Wait {
    pub(crate) what: String,
    /// Over from this L1 block on, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until_block: Option<u64>,
    /// Blocks that it takes at most, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) blocks_max: Option<u64>,
}

impl Wait {
    /// A wait whose end nobody knows.
    pub(crate) fn open(what: impl Into<String>) -> Self {
        Self { what: what.into(), until_block: None, blocks_max: None }
    }
}

impl Step {
    pub(crate) fn done(what: impl Into<String>) -> Self {
        Self::Done { what: what.into() }
    }

    pub(crate) fn refused(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), next: next.into() }
    }
}

impl Transaction {
    /// A call without value, paid for by the purse `by`.
    pub(crate) fn new<C: SolCall>(
        what: impl Into<String>,
        by: &'static str,
        (contract, to): (&'static str, Address),
        call: &C,
        arguments: Vec<(&'static str, String)>,
        typical_gas: u64,
    ) -> Self {
        Self {
            what: what.into(),
            by,
            contract,
            to,
            function: C::SIGNATURE,
            arguments,
            value_wei: U256::ZERO,
            data: call.abi_encode().into(),
            typical_gas,
        }
    }

    /// Ether from a purse to an account.
    pub(crate) fn transfer(what: impl Into<String>, by: &'static str, to: Address, value_wei: U256) -> Self {
        Self {
            what: what.into(),
            by,
            contract: "an account",
            to,
            function: "none: a transfer",
            arguments: Vec::new(),
            value_wei,
            data: Bytes::new(),
            typical_gas: 21_000,
        }
    }

    /// The same, paying as much.
    pub(crate) fn paying(self, value_wei: U256) -> Self {
        Self { value_wei, ..self }
    }

    fn call(&self) -> Call {
        Call { value: self.value_wei, ..Call::new(self.to, self.data.clone()) }
    }
}

/// An account on one chain, which pays for steps.
#[derive(Debug, Clone)]
pub(crate) struct Purse {
    /// What steps call it.
    pub(crate) name: &'static str,
    /// The chain.
    pub(crate) chain: RpcChain,
    submit: RpcSubmit,
}

impl Purse {
    /// The account of `secret`.
    pub(crate) fn new(name: &'static str, chain: &RpcChain, secret: B256) -> eyre::Result<Self> {
        let policy =
            SubmitPolicy { fees: FeePolicy::default(), poll_interval_ms: 200, ..SubmitPolicy::default() };
        let submit = RpcSubmit::new(chain.clone(), secret, policy)
            .ok_or_else(|| eyre!("the secret of the {name} is no secp256k1 key"))?;
        Ok(Self { name, chain: chain.clone(), submit })
    }
}

/// Every account that pays for a plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct Purses(pub(crate) Vec<Purse>);

impl Purses {
    fn get(&self, name: &str) -> eyre::Result<&Purse> {
        self.0.iter().find(|purse| purse.name == name).ok_or_else(|| eyre!("no key of the {name} is given"))
    }
}
