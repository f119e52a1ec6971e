//! The two things a relayer does at a destination: look, and send.

use super::Destination;
use futures::future::{join_all, try_join, try_join_all, try_join3};
use hum_chain::{At, Call, Disposition, ReadError, SubmitError};
use hum_relay::{
    Calldata, Input, LaneQuery, LaneSeen, Observation, Outcome, Query, TransactionId,
    storage::{
        STATUSES_PER_WORD, checkpoint_slot, client, epoch_slot, lane_record, newest_epoch, newest_epoch_slot,
        progress_slot, source_slot, status, status_in_log, statuses_slot,
    },
};
use hum_types::{Address, B256, ChainId, Confidence, Generation, Height, LaneIndex, RegistrationId};
use std::collections::{BTreeMap, BTreeSet};

/// What a wei amount becomes when it has more than 128 bits.
fn narrow(wei: alloy_primitives::U256) -> u128 {
    u128::try_from(wei).unwrap_or(u128::MAX)
}

/// A query with what is needed to read its answer.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) query: Query,
    pub(super) light_client: Address,
    /// What the light client holds when it knows the checkpoint.
    pub(super) checkpoint: Option<(Height, B256)>,
    pub(super) registrations: BTreeMap<ChainId, RegistrationId>,
}

impl Look {
    /// Read everything. Any failure fails the whole: half an answer could pass for a change.
    pub(super) async fn run(self, at: Destination) -> (ChainId, Result<Observation, ReadError>, u64) {
        let (destination, sequence) = (self.query.destination, self.query.sequence);
        (destination, self.read(&at).await, sequence)
    }

    async fn read(&self, at: &Destination) -> Result<Observation, ReadError> {
        let (head, price, balance) =
            try_join3(at.chain.head(Confidence::Latest), at.submit.gas_price(), at.submit.balance()).await?;
        let held = async {
            let Some((height, word)) = self.checkpoint else { return Ok(None) };
            let found = at.chain.storage(self.light_client, checkpoint_slot(height), At::LATEST).await?;
            Ok((found == word).then_some(height))
        };
        let lanes = try_join_all(self.query.lanes.iter().filter_map(|lane| {
            let registration = *self.registrations.get(&lane.key.source)?;
            Some(read_lane(at, lane, registration))
        }));
        let followed = async {
            let newest = at.chain.storage(self.light_client, newest_epoch_slot(), At::LATEST).await?;
            let slot = epoch_slot(newest_epoch(newest).0);
            Ok(client(newest, at.chain.storage(self.light_client, slot, At::LATEST).await?))
        };
        let (checkpoint, client, lanes) = try_join3(held, followed, lanes).await?;
        Ok(Observation {
            destination: self.query.destination,
            sequence: self.query.sequence,
            block: head.number,
            checkpoint,
            client,
            // What a transaction may pay is twice today's price, so that it outlives a few full blocks.
            gas_price_wei: price.saturating_mul(2),
            balance_wei: narrow(balance),
            lanes,
        })
    }
}

async fn read_lane(
    at: &Destination,
    lane: &LaneQuery,
    registration: RegistrationId,
) -> Result<LaneSeen, ReadError> {
    let facade = lane.key.lane.facade;
    let groups: BTreeSet<(Generation, u64)> =
        lane.messages.iter().map(|(generation, index)| (*generation, index.0 / STATUSES_PER_WORD)).collect();
    let words = join_all(groups.into_iter().map(|(generation, group)| async move {
        let slot = statuses_slot(registration, generation, group);
        let word = at.chain.storage(facade, slot, At::LATEST).await?;
        Ok::<_, ReadError>(((generation, group), word))
    }));
    let record = try_join(
        at.chain.storage(facade, source_slot(registration), At::LATEST),
        at.chain.storage(facade, progress_slot(registration), At::LATEST),
    );
    let (words, record) = futures::future::join(words, record).await;
    let (source, progress) = record?;
    let words: BTreeMap<(Generation, u64), B256> = words.into_iter().collect::<Result<_, _>>()?;
    let (allowed, record) = lane_record(source, progress);
    let statuses = lane.messages.iter().filter_map(|(generation, index)| {
        let word = words.get(&(*generation, index.0 / STATUSES_PER_WORD))?;
        Some((*generation, *index, status(*word, *index)?))
    });
    Ok(LaneSeen { key: lane.key, allowed, record, statuses: statuses.collect() })
}

/// A transaction ready to be sent.
#[derive(Debug)]
pub(super) struct Send {
    pub(super) id: TransactionId,
    /// What it brings, for people.
    pub(super) what: String,
    pub(super) calldata: Calldata,
    /// `None` to try it on the node first.
    pub(super) gas_limit: Option<u64>,
    /// The messages' ids, to find them in logs.
    pub(super) messages: BTreeMap<B256, LaneIndex>,
}

/// What a person may want to know of a transaction's end.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) destination: ChainId,
    pub(super) input: Input,
    pub(super) told: String,
    pub(super) error: Option<SubmitError>,
}

impl Send {
    /// Send it and wait for its end.
    pub(super) async fn run(self, at: Destination) -> Sent {
        let Self { id, what, calldata, gas_limit, messages } = self;
        let destination = at.submit.chain_id();
        let Calldata { to, data } = calldata;
        let call = Call { gas_limit, ..Call::new(to, data) };
        let (outcome, told, error) = match at.submit.send(call).await {
            Ok(outcome) => {
                let statuses = outcome
                    .logs
                    .iter()
                    .filter(|log| log.address == to)
                    .filter_map(|log| status_in_log(&log.topics))
                    .filter_map(|(message, status)| Some((*messages.get(&message)?, status)))
                    .collect();
                let did = if outcome.success { "included" } else { "reverted" };
                let told = format!(
                    "transaction {} with {what} to {destination} {did} in block {}",
                    outcome.tx_hash, outcome.block.number
                );
                let fee_wei = narrow(outcome.fee);
                let (success, block) = (outcome.success, outcome.block.number);
                (Outcome::Included { success, fee_wei, block, statuses }, told, None)
            }
            Err(error) => {
                let outcome = match &error {
                    SubmitError::Rejected { .. } => Outcome::WouldRevert,
                    SubmitError::Underfunded { .. }
                    | SubmitError::TooExpensive { .. }
                    | SubmitError::Replaced { .. } => Outcome::NotSent,
                    // The node refused the bytes as they are: they are not in its pool.
                    SubmitError::Read(read) if read.disposition() == Disposition::Refused => Outcome::NotSent,
                    SubmitError::Read(_) | SubmitError::Unknown { .. } => Outcome::Unknown,
                };
                let told = format!("transaction with {what} to {destination} failed: {error}");
                (outcome, told, Some(error))
            }
        };
        Sent { destination, input: Input::Finished { id, outcome }, told, error }
    }
}
