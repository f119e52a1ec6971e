//! `hum rollup status`: what a rollup is in the network, and what is waited for.

use super::{
    home::{Home, HomeFile, Place},
    registering::{Entry, RegistrationView, Registry},
    roles,
    scouting::{class_in_words, is_replayed},
    waiting::newest,
};
use crate::{amount, output};
use hum_chain::{
    rpc::{RpcChain, RpcLimits},
    stack::StackKind,
};
use hum_node::{api::RollupView, publisher::PublisherView, relayer::RelayerView};
use hum_types::{BlockRef, ChainId, Class, Confidence, RegistrationId, RollupStatus};
use serde::Serialize;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(crate) struct StatusArguments {
    /// The directory that `hum rollup join` made.
    #[arg(long, default_value = "hum-rollup")]
    dir: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// How a node's chain is joined.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Joined {
    /// The node serves a chain.
    Live,
    /// It answers from a recording.
    Replayed,
}

#[derive(Debug, Serialize)]
struct Answer {
    chain_id: ChainId,
    name: String,
    stack: StackKind,
    class: Class,
    joined: Option<Joined>,
    node: Node,
    registration: RegistrationId,
    /// What L1 says.
    l1: Option<Registered>,
    /// What the operators say; missing while they do not know it.
    member: Option<RollupView>,
    publisher: Role,
    relayer: Role,
    /// What stops it from being a member whose messages move, if something does.
    waiting_for: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct Node {
    rpc: String,
    latest: Option<BlockRef>,
    safe: Option<BlockRef>,
    finalized: Option<BlockRef>,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Registered {
    bond_wei: String,
    profile_published_in: u64,
    /// When the bond may be paid back; 0 while it does not leave.
    exit_at_s: u64,
    punished: bool,
}

#[derive(Debug, Default, Serialize)]
struct Role {
    process: Option<u32>,
    last_did: Option<String>,
    waiting_for: Option<String>,
    alarms: u64,
}

pub(super) async fn run(arguments: &StatusArguments) -> eyre::Result<ExitCode> {
    let home = Home::new(&arguments.dir);
    let file = home.load()?;
    if home.read_member()?.is_none() {
        return undecided(arguments, &file).await;
    }
    let place = Place::open(&arguments.dir).await?;
    let answer = read(&place).await?;
    if arguments.json {
        output::json(&answer)?;
    } else {
        answer.print();
    }
    Ok(ExitCode::SUCCESS)
}

async fn undecided(arguments: &StatusArguments, file: &HomeFile) -> eyre::Result<ExitCode> {
    let waiting = "nothing is decided yet: `hum rollup join` goes on";
    let node = RpcChain::new(&file.rpc, file.chain_id, RpcLimits::default())?;
    let replayed = is_replayed(&node).await;
    if arguments.json {
        output::json(&serde_json::json!({
            "chain_id": file.chain_id, "stack": file.stack, "class": file.stack.class(),
            "joined": replayed.map(joined), "waiting_for": [waiting],
        }))?;
    } else {
        println!("chain {} runs {}: {}", file.chain_id, file.stack, class_in_words(file.stack.class()));
        if replayed == Some(true) {
            println!("its node answers from a recording: replayed, not joined live");
        }
        println!("waits for {waiting}");
    }
    Ok(ExitCode::SUCCESS)
}

const fn joined(replayed: bool) -> Joined {
    if replayed { Joined::Replayed } else { Joined::Live }
}

async fn read(place: &Place) -> eyre::Result<Answer> {
    let mut waiting_for = Vec::new();
    let node = heads(place).await;
    waiting_for.extend(node.error.clone());
    let l1 = match registered(place).await {
        Ok(Some(found)) => {
            if found.profile_published_in == 0 {
                waiting_for.push("its profile is not published on L1".to_owned());
            }
            Some(found)
        }
        Ok(None) => {
            waiting_for.push("it is not registered on L1".to_owned());
            None
        }
        Err(error) => {
            waiting_for.push(format!("L1 cannot be read: {error:#}"));
            None
        }
    };
    let member = match newest(&place.client).await {
        Ok(status) => status.rollups.into_iter().find(|rollup| rollup.chain_id == place.file.chain_id),
        Err(error) => {
            waiting_for.push(format!("{error:#}"));
            None
        }
    };
    if member.is_none() {
        waiting_for.push("the operators have not taken it in".to_owned());
    }
    let publisher = publisher(place).await?;
    let relayer = relayer(place).await?;
    let left = member.as_ref().is_some_and(|member| member.status == RollupStatus::Left);
    for (name, role) in [("publisher", &publisher), ("relayer", &relayer)].into_iter().filter(|_| !left) {
        if role.process.is_none() {
            waiting_for.push(format!(
                "the {name} does not run: `hum {name} --dir {}/{name}`",
                place.home.path().display()
            ));
        }
        waiting_for.extend(role.waiting_for.as_ref().map(|waiting| format!("{name}: {waiting}")));
    }
    Ok(Answer {
        chain_id: place.file.chain_id,
        name: place.member.entry.name.clone(),
        stack: place.file.stack,
        class: place.member.entry.class,
        joined: is_replayed(&place.node).await.map(joined),
        node,
        registration: place.member_file.registration,
        l1,
        member,
        publisher,
        relayer,
        waiting_for,
    })
}

async fn heads(place: &Place) -> Node {
    let rpc = place.file.rpc.clone();
    match place.file.stack.adapter().heads(&place.node).await {
        Ok(heads) => Node {
            rpc,
            latest: Some(heads.latest),
            safe: heads.safe,
            finalized: heads.finalized,
            error: None,
        },
        Err(error) => Node { rpc, error: Some(error.to_string()), ..Node::default() },
    }
}

async fn registered(place: &Place) -> eyre::Result<Option<Registered>> {
    let registry = Registry::of(&place.client.network, place.l1.clone())?;
    let entry = Entry::of(place, Default::default());
    let view = RegistrationView::read(&registry, &entry).await?;
    Ok(view.rollup.map(|rollup| Registered {
        bond_wei: rollup.bond_wei.to_string(),
        profile_published_in: view.published_at,
        exit_at_s: rollup.exit_at,
        punished: rollup.punished,
    }))
}

async fn publisher(place: &Place) -> eyre::Result<Role> {
    let directory = place.home.publisher();
    let Some(process) = roles::running(&directory)? else { return Ok(Role::default()) };
    let api = format!("http://{}", roles::api_of("publisher", &directory)?);
    let status = place.client.ask_one::<PublisherView>(&api, "/status").await.ok().map(|view| view.role);
    Ok(Role::of(process, status))
}

async fn relayer(place: &Place) -> eyre::Result<Role> {
    let directory = place.home.relayer();
    let Some(process) = roles::running(&directory)? else { return Ok(Role::default()) };
    let api = format!("http://{}", roles::api_of("relayer", &directory)?);
    let status = place.client.ask_one::<RelayerView>(&api, "/status").await.ok().map(|view| view.role);
    Ok(Role::of(process, status))
}

impl Role {
    fn of(process: u32, status: Option<hum_node::status::RoleStatus>) -> Self {
        Self {
            process: Some(process),
            last_did: status.as_ref().and_then(|status| Some(status.last.as_ref()?.what.clone())),
            waiting_for: status.as_ref().and_then(|status| Some(status.waiting_for.as_ref()?.what.clone())),
            alarms: status.map_or(0, |status| status.alarms_total),
        }
    }

    fn print(&self, name: &str) {
        let Some(process) = self.process else {
            println!("{name:<10} does not run");
            return;
        };
        let last = self.last_did.as_deref().unwrap_or("nothing yet");
        println!("{name:<10} process {process}, last did {last}; {} alarms", self.alarms);
    }
}

impl Answer {
    fn print(&self) {
        let number =
            |head: Option<BlockRef>| head.map_or_else(|| "-".to_owned(), |head| head.number.to_string());
        println!(
            "{} (chain {}) runs {}: {}",
            self.name,
            self.chain_id,
            self.stack,
            class_in_words(self.class)
        );
        match self.joined {
            Some(Joined::Replayed) => {
                println!("its node answers from a recording: replayed, not joined live")
            }
            Some(Joined::Live) | None => {}
        }
        let node = &self.node;
        println!(
            "node       {}: block {}, safe {}, finalized {}",
            node.rpc,
            number(node.latest),
            number(node.safe),
            number(node.finalized)
        );
        println!("registered {}", self.registration);
        if let Some(l1) = &self.l1 {
            let bond = l1.bond_wei.parse().unwrap_or_default();
            println!(
                "           bond {} ether, profile in L1 block {}",
                amount::show(bond, amount::ETHER),
                l1.profile_published_in
            );
            if l1.exit_at_s != 0 {
                println!("           exit announced; the bond may be taken back from {} on", l1.exit_at_s);
            }
        }
        match &self.member {
            None => println!("member     no"),
            Some(member) => println!(
                "member     {}, generation {}; {} {}, certified {}, {} {}, {} {}",
                member.status,
                member.generation,
                Confidence::Latest,
                member.latest.number,
                member.certified,
                Confidence::Safe,
                number(member.safe),
                Confidence::Finalized,
                number(member.finalized)
            ),
        }
        self.publisher.print("publisher");
        self.relayer.print("relayer");
        for waiting in &self.waiting_for {
            println!("waits for  {waiting}");
        }
    }
}
