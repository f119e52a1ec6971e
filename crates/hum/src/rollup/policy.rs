//! `hum rollup policy`, `pause`, `resume`: whom a rollup hears, and whom it sends to.

use super::{
    deploying::GOVERNOR,
    governing::{Edge, EdgeView, LaneView, PolicyView, to_allow, to_deny, to_pause, to_resume},
    home::{Place, secret_in},
    prepare::opened,
};
use crate::{
    message,
    network::Client,
    output,
    plan::{HowArguments, Purse, Purses, Step, carry_out, describe, price},
};
use eyre::eyre;
use hum_chain::rpc::RpcChain;
use hum_node::config::{Gateways, RollupEntry, read_password};
use hum_types::{B256, Confidence};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

/// Whose policy.
#[derive(Debug, clap::Args)]
pub(crate) struct WhoseArguments {
    /// The directory of a rollup that joined.
    #[arg(long, default_value = "hum-rollup", conflicts_with = "of")]
    dir: PathBuf,
    /// A member by name or chain id, instead of a directory.
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
    /// The network file, with --of.
    #[arg(long, env = "HUM_NETWORK", default_value = "hum-local/network.json")]
    network: PathBuf,
    /// File with the secret of the policy's owner; with --dir the governor's, with --of a local network's owner's when absent.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The file whose first line opens the keystores.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum PolicyCommand {
    /// Who decides, who is heard, and what waits.
    Show {
        #[command(flatten)]
        whose: WhoseArguments,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Hear a member: announced, then in force after the policy's delay; at once where no governor has taken over yet.
    Allow {
        #[command(flatten)]
        edge: EdgeArguments,
    },
    /// Hear a member no more, at once.
    Deny {
        #[command(flatten)]
        edge: EdgeArguments,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct EdgeArguments {
    #[command(flatten)]
    whose: WhoseArguments,
    /// The member, by name or chain id.
    #[arg(long, value_name = "NAME")]
    source: String,
    /// At which confidence; all when absent.
    #[arg(long, value_name = "latest|safe|finalized", value_parser = message::confidence)]
    confidence: Option<Confidence>,
    #[command(flatten)]
    how: HowArguments,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LanesArguments {
    #[command(flatten)]
    whose: WhoseArguments,
    /// Members to which the lanes lead, by name or chain id; all when absent.
    #[arg(long, value_name = "NAME")]
    to: Vec<String>,
    #[command(flatten)]
    how: HowArguments,
}

/// A policy with connections.
struct Opened {
    client: Client,
    entry: RollupEntry,
    chain: RpcChain,
    secret: Option<B256>,
}

impl WhoseArguments {
    async fn open(&self) -> eyre::Result<Opened> {
        let given = self.key_file.as_deref().map(secret_in).transpose()?;
        if let Some(name) = &self.of {
            let client = Client::open(&self.network)?;
            client.learn().await;
            let entry = client.rollup(name)?;
            let local = Some(self.network.with_file_name("owner.key")).filter(|path| path.exists());
            let secret = match given {
                Some(secret) => Some(secret),
                None => local.as_deref().map(secret_in).transpose()?,
            };
            let chain = client.chain(&entry)?;
            return Ok(Opened { client, entry, chain, secret });
        }
        let place = Place::open(&self.dir).await?;
        let password = self.password_file.as_deref().map(read_password).transpose()?;
        let secret = match given {
            Some(secret) => secret,
            None => opened(&place, password)?.governor,
        };
        let Place { client, member, node, .. } = place;
        Ok(Opened { client, entry: member.entry, chain: node, secret: Some(secret) })
    }
}

impl Opened {
    fn purses(&self) -> eyre::Result<Purses> {
        let secret = self.secret.ok_or_else(|| eyre!("no key is given; pass --key-file"))?;
        Ok(Purses(vec![Purse::new(GOVERNOR, &self.chain, secret)?]))
    }

    fn gateways(&self) -> &Gateways {
        &self.entry.gateways
    }

    fn others(&self, named: &[String]) -> eyre::Result<Vec<RollupEntry>> {
        if named.is_empty() {
            let members = self.client.network.members();
            let entries = members.iter().map(|member| member.entry.clone());
            return Ok(entries.filter(|entry| entry.chain_id != self.entry.chain_id).collect());
        }
        named.iter().map(|name| self.client.rollup(name)).collect()
    }

    async fn edges(
        &self,
        sources: &[RollupEntry],
        confidence: Option<Confidence>,
    ) -> eyre::Result<(PolicyView, Vec<(Edge, EdgeView)>)> {
        let policy = PolicyView::read(&self.chain, self.gateways()).await?;
        let mut found = Vec::new();
        for source in sources {
            for confidence in
                Confidence::ALL.into_iter().filter(|each| confidence.is_none_or(|only| only == *each))
            {
                let edge = Edge { source: source.chain_id, registration: source.registration, confidence };
                let view = policy.edge(&self.chain, self.gateways(), source.chain_id, confidence).await?;
                found.push((edge, view));
            }
        }
        Ok((policy, found))
    }

    async fn lanes(&self, named: &[String]) -> eyre::Result<(PolicyView, Vec<LaneView>)> {
        let mut lanes = Vec::new();
        for destination in self.others(named)? {
            lanes.push(LaneView::read(&self.chain, self.gateways(), destination.chain_id).await?);
        }
        Ok((PolicyView::read(&self.chain, self.gateways()).await?, lanes))
    }

    /// Do everything that `plan` says, or say what it would do.
    async fn proceed<V>(
        &self,
        how: HowArguments,
        look: impl AsyncFn() -> eyre::Result<V>,
        plan: impl Fn(&V) -> Vec<Step>,
    ) -> eyre::Result<ExitCode> {
        let purses = self.purses()?;
        if how.dry_run {
            let prices = price(&purses, plan(&look().await?)).await?;
            if how.json {
                output::json(&json!({ "dry_run": true, "steps": prices.steps, "bills": prices.bills }))?;
            } else {
                prices.print();
            }
            return Ok(ExitCode::from(u8::from(prices.refused || !prices.suffice())));
        }
        let tell = |line: &str| {
            if !how.json {
                println!("{line}");
            }
        };
        let done = carry_out(&purses, how.wait, tell, look, plan).await?;
        if how.json {
            output::json(&json!({
                "chain_id": self.entry.chain_id, "sent": done.sent, "done": done.waiting.is_none(),
                "waiting_for": done.waiting,
            }))?;
        } else if let Some(wait) = done.waiting {
            println!("wait {}\nrun the same command again then, or with --wait", describe(&wait));
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) async fn run(command: &PolicyCommand) -> eyre::Result<ExitCode> {
    match command {
        PolicyCommand::Show { whose, json } => show(&whose.open().await?, *json).await,
        PolicyCommand::Allow { edge } => word(edge, to_allow).await,
        PolicyCommand::Deny { edge } => word(edge, to_deny).await,
    }
}

/// What is to be done about some edges, by whose key.
type Planner = fn(&PolicyView, &[(Edge, EdgeView)], &'static str) -> Vec<Step>;

async fn word(arguments: &EdgeArguments, plan: Planner) -> eyre::Result<ExitCode> {
    let opened = arguments.whose.open().await?;
    let sources = opened.others(std::slice::from_ref(&arguments.source))?;
    let look = async || opened.edges(&sources, arguments.confidence).await;
    opened.proceed(arguments.how, look, |(view, edges)| plan(view, edges, GOVERNOR)).await
}

/// Close lanes, or open them again.
pub(super) async fn lanes(arguments: &LanesArguments, close: bool) -> eyre::Result<ExitCode> {
    let opened = arguments.whose.open().await?;
    let plan = if close { to_pause } else { to_resume };
    let look = async || opened.lanes(&arguments.to).await;
    opened.proceed(arguments.how, look, |(view, lanes)| plan(view, lanes, GOVERNOR)).await
}

async fn show(opened: &Opened, json: bool) -> eyre::Result<ExitCode> {
    let (policy, edges) = opened.edges(&opened.others(&[])?, None).await?;
    let (_, lanes) = opened.lanes(&[]).await?;
    let state = |edge: &Edge, view: &EdgeView| {
        if view.heard == edge.registration {
            "heard".to_owned()
        } else if view.announced.0 == edge.registration && view.announced.1 != 0 {
            format!("announced, in force from {} on", view.announced.1)
        } else {
            "not heard".to_owned()
        }
    };
    if json {
        let edges: Vec<_> = edges
            .iter()
            .map(|(edge, view)| {
                json!({
                    "source": edge.source, "registration": edge.registration, "confidence": edge.confidence,
                    "heard": view.heard == edge.registration, "ready_at_s": view.announced.1,
                })
            })
            .collect();
        let lanes: Vec<_> = lanes
            .iter()
            .map(|lane| json!({ "destination": lane.destination, "closed": lane.closed, "sent": lane.sent }))
            .collect();
        output::json(&json!({
            "chain_id": opened.entry.chain_id, "policy": policy.policy, "owner": policy.owner,
            "claimed": policy.claimed, "delay_s": policy.delay_s, "sources": edges, "lanes": lanes,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let who =
        if policy.claimed { "its own governor" } else { "the network's owner, until its governor claims it" };
    println!("policy {} of {}: {} decides ({who})", policy.policy, opened.entry.name, policy.owner);
    println!("a source that is announced is heard {} s later", policy.delay_s);
    for (edge, view) in &edges {
        let name = opened.client.name_of(edge.source);
        println!("from {name:<12} {:<10} {}", edge.confidence.to_string(), state(edge, view));
    }
    for lane in &lanes {
        let name = opened.client.name_of(lane.destination);
        for ((confidence, closed), sent) in Confidence::ALL.into_iter().zip(lane.closed).zip(lane.sent) {
            let word = if closed { "closed" } else { "open" };
            println!("to   {name:<12} {:<10} {word}, {sent} messages sent", confidence.to_string());
        }
    }
    Ok(ExitCode::SUCCESS)
}
