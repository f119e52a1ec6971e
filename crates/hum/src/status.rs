//! `hum status`: what each process last did and what it waits for.

use crate::{
    network::{NetworkArgument, block_on},
    output,
};
use hum_node::api::OperatorStatus;
use serde::Serialize;
use std::process::ExitCode;

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
    operators: Vec<Operator>,
}

#[derive(Debug, Serialize)]
struct Operator {
    api: String,
    /// Missing when it does not answer; then `error` says why.
    status: Option<OperatorStatus>,
    error: Option<String>,
}

pub(crate) fn run(arguments: &StatusArguments) -> eyre::Result<ExitCode> {
    block_on(async {
        let client = arguments.network.open()?;
        let mut answer = Answer { operators: Vec::new() };
        for seat in &client.network.operators {
            let api = seat.entry.api.clone();
            let (status, error) = match client.ask_one(&api, "/status").await {
                Ok(status) => (Some(status), None),
                Err(error) => (None, Some(error.to_string())),
            };
            answer.operators.push(Operator { api, status, error });
        }
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

fn print(answer: &Answer) {
    for operator in &answer.operators {
        match (&operator.status, &operator.error) {
            (Some(status), _) => {
                println!(
                    "operator {}  finalised {}, certified {}",
                    operator.api, status.finalised, status.certified
                );
                if let Some(last) = &status.role.last {
                    println!("  last did  {}", last.what);
                }
                if let Some(waiting) = &status.role.waiting_for {
                    println!("  waits for {}", waiting.what);
                }
                for alarm in &status.role.alarms {
                    println!("  alarm     {}", alarm.what);
                }
            }
            (None, error) => {
                println!(
                    "operator {}  does not answer: {}",
                    operator.api,
                    error.as_deref().unwrap_or("no reason given")
                );
            }
        }
    }
    let newest =
        answer.operators.iter().filter_map(|operator| operator.status.as_ref()).max_by_key(|s| s.finalised);
    for rollup in newest.iter().flat_map(|status| &status.rollups) {
        println!(
            "rollup {:<10} {}  generation {}  block {}, certified {}",
            rollup.name, rollup.status, rollup.generation, rollup.latest.number, rollup.certified
        );
    }
}
