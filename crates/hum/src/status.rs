//! `hum status`: what each process last did and what it waits for.

use crate::{
    network::{Client, NetworkArgument, block_on},
    output,
};
use hum_node::{
    api::OperatorStatus,
    config::PeerRole,
    publisher::{PublisherView, Stage, batcher::BatcherView},
    relayer::RelayerView,
    status::RoleStatus,
};
use hum_types::BlockRef;
use serde::{Serialize, de::DeserializeOwned};
use std::{process::ExitCode, time::SystemTime};

#[derive(Debug, clap::Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    network: NetworkArgument,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Answer {
    operators: Vec<Process<OperatorStatus>>,
    publishers: Vec<Process<PublisherView>>,
    relayers: Vec<Process<RelayerView>>,
}

/// A process, and what it says of itself.
#[derive(Debug, Serialize)]
struct Process<T> {
    name: String,
    api: String,
    /// Missing when it does not answer; then `error` says why.
    status: Option<T>,
    error: Option<String>,
}

impl<T: DeserializeOwned> Process<T> {
    async fn ask(client: &Client, name: String, api: String) -> Self {
        let (status, error) = match client.ask_one(&api, "/status").await {
            Ok(status) => (Some(status), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self { name, api, status, error }
    }

    /// Print it: one line of its own, then its own words. `alarms` says how many of the newest are shown.
    fn print(&self, headline: impl Fn(&T) -> String, role: impl Fn(&T) -> &RoleStatus) {
        let (name, api) = (&self.name, &self.api);
        let Some(status) = &self.status else {
            let why = self.error.as_deref().unwrap_or("no reason given");
            println!("{name:<18} {api}  does not answer: {why}");
            return;
        };
        println!("{name:<18} {api}  {}", headline(status));
        let role = role(status);
        if let Some(last) = &role.last {
            println!("  last did  {} ({} ago)", last.what, ago(last.at_ms.0));
        }
        if let Some(waiting) = &role.waiting_for {
            println!("  waits for {}", waiting.what);
        }
        for alarm in role.alarms.iter().rev().take(ALARMS_SHOWN).rev() {
            println!("  alarm     {} ({} ago)", alarm.what, ago(alarm.at_ms.0));
        }
        if role.alarms_total > ALARMS_SHOWN as u64 {
            println!("  alarms    {} so far", role.alarms_total);
        }
    }
}

/// Newest alarms of a process that are shown to people; programs get all that it remembers.
const ALARMS_SHOWN: usize = 3;

pub(crate) fn run(arguments: &StatusArguments) -> eyre::Result<ExitCode> {
    block_on(async {
        let client = arguments.network.open()?;
        client.learn().await;
        let answer = ask(&client).await;
        let alive = answer.operators.iter().filter(|operator| operator.status.is_some()).count();
        if arguments.json {
            output::json(&answer)?;
        } else {
            print(&answer);
        }
        // A network without a quorum of operators certifies nothing: scripts should notice.
        let quorum = alive * 3 >= answer.operators.len() * 2;
        Ok(if quorum { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

async fn ask(client: &Client) -> Answer {
    let peers = |role: PeerRole| {
        let peers = client.network.peers().into_iter().map(|(peer, _)| peer);
        let peers = peers.filter(move |peer| peer.role == role);
        peers.filter_map(|peer| Some((peer.name, peer.api?)))
    };
    // In the order of their names, as `hum up` lists them; the network has them in the order of the committee.
    let mut seats: Vec<_> = client.network.operators.iter().collect();
    seats.sort_by_key(|seat| (seat.entry.label().len(), seat.entry.label()));
    let operators =
        seats.into_iter().map(|seat| Process::ask(client, seat.entry.label(), seat.entry.api.clone()));
    let publishers = peers(PeerRole::Publisher).map(|(name, api)| Process::ask(client, name, api));
    let relayers = peers(PeerRole::Relayer).map(|(name, api)| Process::ask(client, name, api));
    use futures::future::{join_all, join3};
    let (operators, publishers, relayers) =
        join3(join_all(operators), join_all(publishers), join_all(relayers)).await;
    Answer { operators, publishers, relayers }
}

fn print_batcher(batcher: &BatcherView) {
    match &batcher.posted {
        Some(posted) => println!("  batches   up to block {} on L1", posted.last.number),
        None => println!("  batches   none on L1"),
    }
    if let Some(last) = &batcher.role.last {
        println!("            last did  {} ({} ago)", last.what, ago(last.at_ms.0));
    }
    if let Some(waiting) = &batcher.role.waiting_for {
        println!("            waits for {}", waiting.what);
    }
    for alarm in batcher.role.alarms.iter().rev().take(ALARMS_SHOWN).rev() {
        println!("            alarm     {} ({} ago)", alarm.what, ago(alarm.at_ms.0));
    }
}

fn print(answer: &Answer) {
    for operator in &answer.operators {
        operator.print(
            |status| format!("finalised {}, certified {}", status.finalised, status.certified),
            |status| &status.role,
        );
    }
    for publisher in &answer.publishers {
        publisher.print(
            |view| {
                let stage = match view.stage {
                    Stage::Joining => "joining",
                    Stage::Publishing => "publishing",
                    Stage::Stopped => "STOPPED",
                };
                let head = view.head.map_or_else(|| "unknown".to_owned(), |head| head.number.to_string());
                let claimed = view.claimed.number;
                format!("{stage}, node's head {head}, claimed {claimed}, finalised {}", view.settled)
            },
            |view| &view.role,
        );
        if let Some(batcher) = publisher.status.as_ref().and_then(|view| view.batcher.as_ref()) {
            print_batcher(batcher);
        }
    }
    for relayer in &answer.relayers {
        relayer.print(
            |view| {
                let delivered: u64 = view.destinations.values().map(|to| to.counts.delivered).sum();
                let open: u64 = view.destinations.values().map(|to| to.counts.open).sum();
                format!("certified {}, delivered {delivered} messages, watches {open}", view.certified)
            },
            |view| &view.role,
        );
        for (chain_id, to) in relayer.status.iter().flat_map(|view| &view.destinations) {
            if let Some(error) = &to.last_error {
                println!("  chain {chain_id} last failed: {error}");
            }
        }
    }
    let all = || {
        let answered = answer.operators.iter().filter_map(|operator| operator.status.as_ref());
        answered.flat_map(|status| &status.rollups)
    };
    let newest =
        answer.operators.iter().filter_map(|operator| operator.status.as_ref()).max_by_key(|s| s.finalised);
    for rollup in newest.iter().flat_map(|status| &status.rollups) {
        println!(
            "rollup {:<10} {}  {}  generation {}  block {}, certified {}, safe {}, finalized {}",
            rollup.name,
            rollup.status,
            rollup.known_by(all()),
            rollup.generation,
            rollup.latest.number,
            rollup.certified,
            number(rollup.safe),
            number(rollup.finalized)
        );
    }
}

/// How long ago a time was, for people.
fn ago(at_ms: u64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let passed = now.saturating_sub(std::time::Duration::from_millis(at_ms));
    match passed.as_secs() {
        0 => format!("{} ms", passed.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

fn number(head: Option<BlockRef>) -> String {
    head.map_or_else(|| "-".to_owned(), |head| head.number.to_string())
}
