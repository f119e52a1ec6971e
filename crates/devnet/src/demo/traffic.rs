//! Messages between rollups at times that a seed chooses.

use super::scene::{Pair, Scene, Site};
use alloy::sol_types::SolCall as _;
use hum_chain::{Call, Submit as _, contracts::Gateway};
use hum_types::{Bytes, InteropAddress};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Gas for sending a message with a short payload to a new lane, with room.
const SEND_GAS: u64 = 150_000;
/// Length of a payload.
const PAYLOAD_BYTES: usize = 64;

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Planned {
    pair: Pair,
    after: Duration,
    payload: Bytes,
}

/// Messages on their way to their source chains.
pub(super) struct Traffic {
    tasks: JoinSet<Result<(), String>>,
    /// How many there are.
    pub(super) count: usize,
}

impl Traffic {
    /// Send `each` messages between each of these pairs: one at some moment of every `gap`.
    pub(super) fn start(scene: &mut Scene, pairs: &[Pair], each: u32, gap: Duration) -> Self {
        let mut planned = Vec::new();
        for &pair in pairs {
            for turn in 0..each {
                let within = scene.dice.below(u64::try_from(gap.as_micros()).unwrap_or(u64::MAX));
                let after = gap * turn + Duration::from_micros(within);
                let mut payload =
                    format!("{} to {} #{turn} ", scene.name(pair.0), scene.name(pair.1)).into_bytes();
                while payload.len() < PAYLOAD_BYTES {
                    payload.extend_from_slice(&scene.dice.next().to_be_bytes());
                }
                payload.truncate(PAYLOAD_BYTES);
                planned.push(Planned { pair, after, payload: payload.into() });
            }
        }
        let count = planned.len();
        let mut tasks = JoinSet::new();
        for message in planned {
            let sites = Arc::clone(&scene.sites);
            tasks.spawn(async move {
                tokio::time::sleep(message.after).await;
                send(&sites, message.pair, message.payload).await
            });
        }
        Self { tasks, count }
    }

    /// Wait until every message is in a block; what became of those that are not.
    pub(super) async fn included(mut self) -> Vec<String> {
        let mut lost = Vec::new();
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(why)) => lost.push(why),
                Err(error) => lost.push(format!("a sending task ended: {error}")),
            }
        }
        lost
    }
}

/// Send one message to the demo recipient.
pub(super) async fn send(sites: &[Site], (from, to): Pair, payload: Bytes) -> Result<(), String> {
    let (Some(from), Some(to)) = (sites.get(from), sites.get(to)) else {
        return Err("no such rollup".to_owned());
    };
    let sent = from.submit.send(call(from, to, payload)).await;
    let lost = |why: String| format!("message from {} to {} not sent: {why}", from.name, to.name);
    match sent {
        Ok(outcome) if outcome.success => Ok(()),
        Ok(outcome) => Err(lost(format!("transaction {} reverted", outcome.tx_hash))),
        Err(error) => Err(lost(error.to_string())),
    }
}

/// The transaction that sends a message to the demo recipient.
pub(super) fn call(from: &Site, to: &Site, payload: Bytes) -> Call {
    let recipient = InteropAddress { chain_id: to.chain_id, address: to.inbox }.encode();
    let message = Gateway::sendMessageCall { recipient: recipient.into(), payload, attributes: Vec::new() };
    Call { gas_limit: Some(SEND_GAS), ..Call::new(from.gateway, message.abi_encode().into()) }
}
