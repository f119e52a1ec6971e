//! The batcher's one loop.

use super::{
    BatcherParts, BatcherSettings, Shared,
    inbox::{self, Refusal, Seen},
    lineage::{Lineage, LineageError},
};
use crate::{
    config::BatchData,
    publisher::{
        Identity,
        claimed::{Claimed, End},
    },
    runtime::now,
};
use alloy_primitives::U256;
use commonware_runtime::Clock;
use hum_batch::{BLOB_DATA_BYTES_MAX, Batch, BlobError, PackError, pack_fitting};
use hum_chain::{At, Backoff, Chain, Disposition, GAS_PER_BLOB, Outcome, ReadError, Submit, SubmitError};
use hum_relay::SpendBook;
use hum_types::{Address, B256, BlockRef, Generation, TimeMs};
use std::{sync::Arc, time::Duration};

/// Milliseconds of the period that the spend cap is for.
const PERIOD_MS: u64 = 3_600_000;
/// Failures in a row after which people should look.
const FAILURES_ALARM: u32 = 5;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There is more to post already.
    More,
    /// All there was is posted, or nothing is ready.
    Done,
}

/// Why a step came to nothing.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("L1: {0}")]
    L1(ReadError),
    #[error("L1: {0}")]
    Submit(SubmitError),
    #[error(transparent)]
    Lineage(#[from] LineageError),
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error("{0}; in blobs (`data` of the batcher's file) there is room for {BLOB_DATA_BYTES_MAX}")]
    TooLargeForCalldata(PackError),
    #[error(transparent)]
    Blobs(#[from] BlobError),
    #[error("L1 has batches up to block {number}, {posted}, but the claimed block is {claimed}")]
    OtherChain { number: u64, posted: B256, claimed: B256 },
    #[error("the first batch on L1 starts at block {found}, the anchor is {anchor}: nobody settles by it")]
    NotFromAnchor { found: u64, anchor: u64 },
    #[error("posting costs up to {cost_wei} wei, {left_wei} of this hour's are left")]
    Cap { cost_wei: u128, left_wei: u128 },
    #[error("account {account} may not post for this rollup: the registrant names it on L1 (setBatcher)")]
    NotBatcher { account: Address },
    #[error("the rollup's registration is gone from L1")]
    Gone,
    #[error("the batch of blocks {first} to {last} reverted on L1 in transaction {tx_hash}")]
    Reverted { first: u64, last: u64, tx_hash: B256 },
    #[error("L1 refuses the batch of blocks {first} to {last}: it has another meanwhile")]
    NotNext { first: u64, last: u64 },
}

impl Trouble {
    /// Whether it does not pass by itself.
    fn is_alarm(&self) -> bool {
        match self {
            Self::L1(error) | Self::Lineage(LineageError::Read(error)) => {
                error.disposition() == Disposition::Distrust
            }
            Self::Submit(error) => {
                matches!(error, SubmitError::Underfunded { .. } | SubmitError::Rejected { .. })
                    || error.disposition() == Disposition::Distrust
            }
            Self::Pack(_)
            | Self::TooLargeForCalldata(_)
            | Self::Blobs(_)
            | Self::OtherChain { .. }
            | Self::NotFromAnchor { .. }
            | Self::Cap { .. }
            | Self::NotBatcher { .. }
            | Self::Gone
            | Self::Reverted { .. } => true,
            Self::Lineage(_) | Self::NotNext { .. } => false,
        }
    }
}

#[derive(Debug)]
pub(in crate::publisher) struct Actor {
    settings: BatcherSettings,
    identity: Identity,
    node: Arc<dyn Chain>,
    l1: Arc<dyn Chain>,
    submit: Arc<dyn Submit>,
    claimed: Claimed,
    shared: Shared,
    lineage: Lineage,
    spend: SpendBook,
    backoff: Backoff,
    /// The first batch on L1 starts above the anchor.
    from_anchor: bool,
    /// Whether the L1 has blobs, once it was looked up.
    l1_has_blobs: Option<bool>,
    /// The account had little left when last looked at.
    low: bool,
    now: TimeMs,
}

impl Actor {
    pub(in crate::publisher) fn new(
        parts: BatcherParts,
        identity: Identity,
        node: Arc<dyn Chain>,
        claimed: Claimed,
        shared: Shared,
    ) -> Self {
        let BatcherParts { settings, l1, submit } = parts;
        let first = Duration::from_millis(settings.interval_ms.max(1));
        Self {
            spend: SpendBook::new(settings.spend_cap_wei, PERIOD_MS),
            backoff: Backoff::new(first, Duration::from_millis(settings.retry_most_ms)),
            settings,
            identity,
            node,
            l1,
            submit,
            claimed,
            shared,
            lineage: Lineage::default(),
            from_anchor: false,
            l1_has_blobs: None,
            low: false,
            now: TimeMs(0),
        }
    }

    /// Work until aborted.
    pub(in crate::publisher) async fn run(mut self, clock: impl Clock) {
        loop {
            self.now = now(&clock);
            let wait = match self.step().await {
                Ok(step) => {
                    self.backoff.reset();
                    match step {
                        Step::More => continue,
                        Step::Done => Duration::from_millis(self.settings.interval_ms.max(1)),
                    }
                }
                Err(trouble) => {
                    self.now = now(&clock);
                    self.suffer(&trouble)
                }
            };
            clock.sleep(wait).await;
        }
    }

    fn suffer(&mut self, trouble: &Trouble) -> Duration {
        self.shared.failed();
        self.shared.waits(trouble.to_string(), self.now);
        // Somebody else posted, or the way down goes on: no reason to wait long.
        if matches!(trouble, Trouble::NotNext { .. } | Trouble::Lineage(LineageError::FarBehind { .. })) {
            return Duration::from_millis(1);
        }
        let wait = self.backoff.next_wait();
        if trouble.is_alarm() {
            self.shared.alarm(&trouble.to_string(), self.now);
        } else if self.backoff.failures() == FAILURES_ALARM {
            self.shared.alarm(&format!("failed {FAILURES_ALARM} times in a row: {trouble}"), self.now);
        }
        wait
    }

    /// Look at L1 and post what is ready.
    async fn step(&mut self) -> Result<Step, Trouble> {
        let Identity { registration, anchor, .. } = self.identity;
        let seen = inbox::look(&*self.l1, self.settings.inbox, registration).await.map_err(Trouble::L1)?;
        self.shared.saw(seen.newest);
        let posted = seen.newest.map_or(anchor, |batch| batch.last);
        self.claimed.saw(posted.number, self.now.0);
        self.claimed.holds_on_l1(posted);
        self.check_balance().await?;
        if seen.newest.is_some() && !self.from_anchor {
            let first = inbox::first(&*self.l1, self.settings.inbox, registration, seen.head);
            let (found, anchor) = (first.await.map_err(Trouble::L1)?, anchor.number);
            if anchor.checked_add(1) != Some(found) {
                return Err(Trouble::NotFromAnchor { found, anchor });
            }
            self.from_anchor = true;
        }

        let claimed = self.claimed.chain();
        let Some((newest, _)) = claimed.blocks.last_key_value() else { return Ok(Step::Done) };
        if posted.number > *newest {
            self.shared.waits(format!("claims to reach block {}, which is posted", posted.number), self.now);
            return Ok(Step::Done);
        }
        self.lineage.follow(&claimed, posted.number);
        if let Some(own) = self.lineage.at(posted.number) {
            same(posted, own)?;
        }
        let target = newest.saturating_sub(self.settings.depth);
        let first = posted.number.saturating_add(1);
        if target < first {
            let next = first.saturating_add(self.settings.depth);
            self.shared.waits(format!("block {next} to be claimed"), self.now);
            return Ok(Step::Done);
        }
        let in_blobs = self.in_blobs(seen).await?;
        let bytes_max = if in_blobs { BLOB_DATA_BYTES_MAX } else { self.settings.data_bytes_max };
        let line = self.lineage.read(&self.node, first, target, bytes_max).await?;
        same(posted, BlockRef { hash: line.parent, ..posted })?;
        let batch = match pack_fitting(posted.hash, &line.blocks, bytes_max) {
            Err(error @ PackError::TooLarge { .. }) if !in_blobs => {
                return Err(Trouble::TooLargeForCalldata(error));
            }
            packed => packed?,
        };
        let posted = self.post(claimed.generation, &batch, in_blobs, seen).await?;
        Ok(if posted && batch.last().number < target { Step::More } else { Step::Done })
    }

    /// Whether the next batch goes into blobs.
    async fn in_blobs(&mut self, seen: Seen) -> Result<bool, Trouble> {
        match (self.settings.data, self.l1_has_blobs) {
            (BatchData::Calldata, _) => Ok(false),
            (BatchData::Blobs, _) => Ok(true),
            (BatchData::Auto, Some(known)) => Ok(known),
            (BatchData::Auto, None) => {
                let number = seen.head.number;
                let head = self.l1.block(At::Number(number)).await.map_err(Trouble::L1)?;
                let missing = || ReadError::Missing { method: "block", what: format!("block {number}") };
                let known = head.ok_or_else(missing).map_err(Trouble::L1)?.has_blob_gas();
                self.l1_has_blobs = Some(known);
                Ok(known)
            }
        }
    }

    async fn check_balance(&mut self) -> Result<(), Trouble> {
        let balance = self.submit.balance().await.map_err(Trouble::L1)?;
        let low = self.settings.low_balance_wei;
        let was_low = std::mem::replace(&mut self.low, balance < U256::from(low));
        if self.low && !was_low {
            let (account, balance) = (self.submit.sender(), narrow(balance));
            self.shared
                .alarm(&format!("account {account} has {balance} wei left, less than {low}"), self.now);
        }
        Ok(())
    }

    /// Post it, or find out why not; `false` when its blocks are being taken back.
    async fn post(
        &mut self,
        generation: Generation,
        batch: &Batch,
        in_blobs: bool,
        seen: Seen,
    ) -> Result<bool, Trouble> {
        let (first, last) = (batch.first(), batch.last());
        let (inbox, registration) = (self.settings.inbox, self.identity.registration);
        let mut call = if in_blobs {
            inbox::post_blobs(inbox, registration, batch)?
        } else {
            inbox::post(inbox, registration, batch)
        };
        let blobs = call.blobs.len() as u64;
        let gas = match self.submit.estimate(call.clone()).await {
            Ok(gas) => gas,
            Err(error) => return Err(self.refused(error, first, last)),
        };
        // Room for what the contract's storage costs when another block is below it.
        let gas_limit = gas.saturating_add(gas / 8);
        call.gas_limit = Some(gas_limit);
        let price = self.submit.gas_price().await.map_err(Trouble::L1)?;
        let mut cost_wei = price.saturating_mul(u128::from(gas_limit));
        if blobs > 0 {
            let price = self.submit.blob_gas_price().await.map_err(Trouble::L1)?;
            let gas = blobs.saturating_mul(GAS_PER_BLOB);
            cost_wei = cost_wei.saturating_add(price.saturating_mul(u128::from(gas)));
        }
        // A transaction may pay twice today's prices, so that it outlives a few full blocks.
        let cost_wei = cost_wei.saturating_mul(2);
        let left_wei = self.spend.left_wei(self.now.0);
        if cost_wei > left_wei {
            return Err(Trouble::Cap { cost_wei, left_wei });
        }
        if !self.claimed.begin(generation, last) {
            self.shared.waits("blocks to be taken back", self.now);
            return Ok(false);
        }
        let period = self.spend.reserve(self.now.0, cost_wei);
        self.shared.waits(format!("L1 to include blocks {first} to {}", last.number), self.now);
        let sent = self.submit.send(call).await;
        let (end, fee_wei) = match &sent {
            Ok(outcome) => (End::Included, narrow(outcome.fee)),
            Err(error) if never_left(error) => (End::NotSent, 0),
            Err(_) => (End::Unknown, cost_wei),
        };
        self.claimed.end(end);
        self.spend.settle(period, cost_wei, fee_wei);
        match sent {
            Ok(Outcome { success: true, block, .. }) => {
                let blocks = batch.blocks();
                let bytes = batch.data().len();
                self.shared.posted(bytes, blobs, self.spend.total_wei());
                let carried = if blobs > 0 { format!(", {blobs} blobs") } else { String::new() };
                let what = format!(
                    "posted blocks {first} to {} ({blocks} in {bytes} bytes{carried}) in L1 block {}",
                    last.number, block.number
                );
                tracing::info!(l1_head = seen.head.number, "{what}");
                self.shared.did(what, self.now);
                self.shared.waits("the next blocks", self.now);
                Ok(true)
            }
            Ok(outcome) => Err(Trouble::Reverted { first, last: last.number, tx_hash: outcome.tx_hash }),
            Err(error) => Err(self.refused(error, first, last)),
        }
    }

    fn refused(&self, error: SubmitError, first: u64, last: BlockRef) -> Trouble {
        match inbox::refusal(&error) {
            Some(Refusal::NotNext) => Trouble::NotNext { first, last: last.number },
            Some(Refusal::NotBatcher) => Trouble::NotBatcher { account: self.submit.sender() },
            Some(Refusal::Gone) => Trouble::Gone,
            Some(Refusal::Other) | None => Trouble::Submit(error),
        }
    }
}

/// Whether the transaction is surely not in any pool.
fn never_left(error: &SubmitError) -> bool {
    match error {
        SubmitError::Rejected { .. } | SubmitError::Underfunded { .. } | SubmitError::TooExpensive { .. } => {
            true
        }
        // The node refused the bytes as they are.
        SubmitError::Read(read) => read.disposition() == Disposition::Refused,
        // A nonce that is taken may be this very transaction's, seen at a node that is ahead of the one asked for it.
        SubmitError::Unknown { .. } | SubmitError::Replaced { .. } => false,
    }
}

fn same(posted: BlockRef, own: BlockRef) -> Result<(), Trouble> {
    if posted == own {
        return Ok(());
    }
    Err(Trouble::OtherChain { number: posted.number, posted: posted.hash, claimed: own.hash })
}

/// What a wei amount becomes when it has more than 128 bits.
fn narrow(wei: U256) -> u128 {
    u128::try_from(wei).unwrap_or(u128::MAX)
}
