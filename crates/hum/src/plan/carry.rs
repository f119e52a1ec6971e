//! Carrying a plan out: one transaction, look again, next.

use super::{POLL, Purse, Purses, Step, Transaction, Wait};
use alloy_primitives::U256;
use eyre::{bail, ensure};
use hum_chain::{Chain as _, Submit as _, SubmitError, restaking::explain_revert};
use hum_types::{B256, Confidence};
use serde::Serialize;

/// The most transactions that a plan can take: more means that the chains do not change as they should.
const TRANSACTIONS_MAX: usize = 512;
/// How often a node that took a transaction is asked whether it shows the block.
const SHOWN_TRIES: u32 = 30;

/// A transaction that a block has.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sent {
    pub(crate) what: String,
    pub(crate) function: &'static str,
    pub(crate) tx_hash: B256,
    pub(crate) block: u64,
    pub(crate) gas_used: u64,
    pub(crate) fee_wei: U256,
}

/// How far a plan was carried out.
#[derive(Debug)]
pub(crate) struct Carried<V> {
    /// What the chains said last.
    pub(crate) view: V,
    /// What was sent.
    pub(crate) sent: Vec<Sent>,
    /// What has to be waited for; nothing when all is done.
    pub(crate) waiting: Option<Wait>,
}

/// Do everything that `plan` says; with `wait`, through every wait. `tell` hears each line of the story.
pub(crate) async fn carry_out<V>(
    purses: &Purses,
    wait: bool,
    tell: impl Fn(&str),
    look: impl AsyncFn() -> eyre::Result<V>,
    plan: impl Fn(&V) -> Vec<Step>,
) -> eyre::Result<Carried<V>> {
    let mut sent: Vec<Sent> = Vec::new();
    let mut told = Vec::new();
    let mut view = look().await?;
    loop {
        let steps = plan(&view);
        for step in &steps {
            let (Step::Done { what } | Step::Note { what }) = step else { break };
            if !told.contains(what) {
                tell(&format!("{} {what}", if matches!(step, Step::Done { .. }) { "ok  " } else { "note" }));
                told.push(what.clone());
            }
        }
        match next_of(&steps).cloned() {
            None | Some(Step::Done { .. } | Step::Note { .. }) => {
                return Ok(Carried { view, sent, waiting: None });
            }
            Some(Step::Refused { what, next }) => bail!("{what}; {next}"),
            Some(Step::Send(transaction)) => {
                ensure!(
                    sent.len() < TRANSACTIONS_MAX,
                    "{TRANSACTIONS_MAX} transactions did not do it; it is still missing to {}",
                    transaction.what
                );
                let again = sent.last().is_some_and(|last| last.what == transaction.what);
                ensure!(
                    !again,
                    "a block has the transaction to {}, and it changed nothing",
                    transaction.what
                );
                let purse = purses.get(transaction.by)?;
                let outcome = match send(purse, &transaction).await {
                    Ok(outcome) => outcome,
                    // Somebody may have done it meanwhile: an earlier run that ended before a block had its transaction.
                    Err(error) => {
                        tokio::time::sleep(POLL).await;
                        view = look().await?;
                        if next_of(&plan(&view)) == Some(&Step::Send(transaction)) {
                            return Err(error);
                        }
                        continue;
                    }
                };
                tell(&format!(
                    "sent {}\n     {} in block {}, {} gas",
                    outcome.what, outcome.tx_hash, outcome.block, outcome.gas_used
                ));
                // The node that took it may show it a moment later.
                shown(purse, outcome.block).await?;
                view = look().await?;
                sent.push(outcome);
            }
            Some(Step::Wait(pause)) if wait => {
                if !told.contains(&pause.what) {
                    tell(&format!("wait {}", describe(&pause)));
                    told.push(pause.what.clone());
                }
                tokio::time::sleep(POLL).await;
                view = look().await?;
            }
            Some(Step::Wait(pause)) => return Ok(Carried { view, sent, waiting: Some(pause) }),
        }
    }
}

/// The first step that is not done.
fn next_of(steps: &[Step]) -> Option<&Step> {
    steps.iter().find(|step| !matches!(step, Step::Done { .. } | Step::Note { .. }))
}

async fn shown(purse: &Purse, block: u64) -> eyre::Result<()> {
    for _ in 0..SHOWN_TRIES {
        if purse.chain.head(Confidence::Latest).await?.number >= block {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// A wait in words.
pub(crate) fn describe(wait: &Wait) -> String {
    match (wait.until_block, wait.blocks_max) {
        (Some(block), _) => format!("{}: until L1 block {block}", wait.what),
        (None, Some(blocks)) => format!("{}: {blocks} blocks at most", wait.what),
        (None, None) => wait.what.clone(),
    }
}

/// What a refusal says, in words where we know them.
pub(super) fn in_words(error: SubmitError, transaction: &Transaction) -> eyre::Report {
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

async fn send(purse: &Purse, transaction: &Transaction) -> eyre::Result<Sent> {
    let sending = purse.submit.send(transaction.call());
    let outcome = sending.await.map_err(|error| in_words(error, transaction))?;
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
