//! `hum rollup leave`: nothing more is sent, what is under way ends, then the rollup goes.
//!
//! ```text
//! close the lanes ─▶ wait until what was sent is executed ─▶ list what cannot be ─▶ announce the exit on L1
//!                                    stop publisher and relayer ◀── the operators certify that it left ◀┘
//! ```

use super::{
    deploying::GOVERNOR,
    governing::{LaneView, PolicyView, to_pause},
    home::{Place, address_of, secret_in},
    members::others,
    prepare::{Secrets, opened},
    registering::{ACCOUNT, AUTHORITY, Entry, RegistrationView, Registry, to_exit},
    roles,
    underway::{Books, Tally},
    waiting::{Membership, membership, newest},
};
use crate::{
    output,
    plan::{Purse, Purses, Sent, carry_out, describe},
};
use eyre::{bail, ensure};
use hum_node::config::{Member, read_password};
use hum_types::{B256, ChainId};
use serde_json::json;
use std::{
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(crate) struct LeaveArguments {
    /// The directory that `hum rollup join` made.
    #[arg(long, default_value = "hum-rollup")]
    pub(super) dir: PathBuf,
    /// File with the secret of the members' governor, which closes their lanes to here: a local network has it. When absent, others
    /// can send until the rollup has left.
    #[arg(long, value_name = "FILE")]
    pub(super) authority: Option<PathBuf>,
    /// Seconds for which what is under way is waited for; after that the command ends, and nothing has left.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(super) patience_s: u64,
    /// Stay until the bond is paid back.
    #[arg(long)]
    pub(super) wait: bool,
    /// The file whose first line opens the keystores.
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(arguments: &LeaveArguments) -> eyre::Result<ExitCode> {
    let tell = |line: &str| {
        if !arguments.json {
            println!("{line}");
        }
    };
    let place = Place::open(&arguments.dir).await?;
    let password = arguments.password_file.as_deref().map(read_password).transpose()?;
    let secrets = opened(&place, password)?;
    let registry = Registry::of(&place.client.network, place.l1.clone())?;
    let entry = Entry::of(&place, address_of(secrets.registrant)?);
    let view = RegistrationView::read(&registry, &entry).await?;
    ensure!(view.rollup.is_some(), "this rollup never registered: there is nothing to leave");
    let leaving = view.rollup.is_some_and(|rollup| rollup.exit_at != 0);
    let mut sent = Vec::new();
    let (mut in_flight, mut tally) = (0, Tally::default());
    if !leaving {
        let authority = authority(arguments, &place, &tell)?;
        let others = others(&place.client, &place.member).await?;
        let mut books = Books::new(&place.client, &place.member, &place.node, &others)?;
        let before = books.read().await?.open;
        sent.extend(close(&place, &secrets, authority, &tell).await?);
        tally = books.read().await?;
        in_flight = before.max(tally.open);
        tell(&format!("ok   {} messages went to and from here, {in_flight} were under way", tally.sent));
        tally = drain(&mut books, tally, Duration::from_secs(arguments.patience_s), &tell).await?;
        for stranded in &tally.stranded {
            let message = stranded.message;
            tell(&format!(
                "note {} from chain {} to chain {} at {} is not executed: {}",
                message.id, message.source, message.destination, message.confidence, stranded.reason
            ));
        }
    }

    let purses = Purses(vec![Purse::new(ACCOUNT, &place.l1, secrets.registrant)?]);
    let look = async || RegistrationView::read(&registry, &entry).await;
    let plan = |view: &RegistrationView| to_exit(view, &registry, &entry);
    let announced = carry_out(&purses, false, tell, look, plan).await?;
    sent.extend(announced.sent);
    let chain_id = place.file.chain_id;
    tell("wait the operators certify that the rollup has left");
    let height = left(&place, chain_id).await?;
    tell("ok   the operators have certified that it left: no head of it moves any more");
    for (name, directory) in [("publisher", place.home.publisher()), ("relayer", place.home.relayer())] {
        if roles::stop(&directory)? {
            tell(&format!("ok   the {name} has stopped"));
        }
    }
    let mut waiting = announced.waiting;
    let mut view = announced.view;
    if arguments.wait && waiting.is_some() {
        let look = async || RegistrationView::read(&registry, &entry).await;
        let done = carry_out(&purses, true, tell, look, plan).await?;
        sent.extend(done.sent);
        (waiting, view) = (done.waiting, done.view);
    }
    let exit_at = view.rollup.map_or(0, |rollup| rollup.exit_at);
    if arguments.json {
        output::json(&json!({
            "chain_id": chain_id, "registration": place.member_file.registration, "in_flight": in_flight,
            "messages": tally.sent, "executed": tally.executed, "stranded": tally.stranded, "left_at": height,
            "bond_from_s": exit_at, "sent": sent, "done": waiting.is_none(), "waiting_for": waiting,
        }))?;
    } else if let Some(wait) = waiting {
        println!("wait {}\nrun the same command again then, for the bond", describe(&wait));
    } else {
        println!("done: chain {chain_id} has left, and its bond is paid back");
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn authority(
    arguments: &LeaveArguments,
    place: &Place,
    tell: &impl Fn(&str),
) -> eyre::Result<Option<B256>> {
    let local = Some(place.file.network.with_file_name("owner.key")).filter(|path| path.exists());
    if let (None, Some(path)) = (&arguments.authority, &local) {
        tell(&format!(
            "note the network is local: its owner's key in {} closes the members' lanes",
            path.display()
        ));
    }
    arguments.authority.as_ref().or(local.as_ref()).map(|path| secret_in(path)).transpose()
}

/// Close the lanes out of the rollup, and those to it as far as the authority goes.
pub(super) async fn close(
    place: &Place,
    secrets: &Secrets,
    authority: Option<B256>,
    tell: &impl Fn(&str),
) -> eyre::Result<Vec<Sent>> {
    let others = others(&place.client, &place.member).await?;
    let destinations: Vec<ChainId> = others.iter().map(|member| member.entry.chain_id).collect();
    let purses = Purses(vec![Purse::new(GOVERNOR, &place.node, secrets.governor)?]);
    let gateways = &place.member.entry.gateways;
    let look = async || {
        let mut lanes = Vec::with_capacity(destinations.len());
        for destination in &destinations {
            lanes.push(LaneView::read(&place.node, gateways, *destination).await?);
        }
        Ok((PolicyView::read(&place.node, gateways).await?, lanes))
    };
    let (policy, lanes) = look().await?;
    let governor = address_of(secrets.governor)?;
    ensure!(
        policy.owner == governor || lanes.iter().all(LaneView::is_closed),
        "{} decides on the rollup's lanes, the account here is {governor}: finish `hum rollup join` first, which hands them over",
        policy.owner
    );
    let plan = |(policy, lanes): &(PolicyView, Vec<LaneView>)| to_pause(policy, lanes, GOVERNOR);
    let mut sent = carry_out(&purses, true, tell, look, plan).await?.sent;
    let each = others.iter().map(|member| close_at(place, member, authority, tell));
    for done in futures::future::join_all(each).await {
        sent.extend(done?);
    }
    Ok(sent)
}

async fn close_at(
    place: &Place,
    member: &Arc<Member>,
    authority: Option<B256>,
    tell: &impl Fn(&str),
) -> eyre::Result<Vec<Sent>> {
    let (name, gateways) = (&member.entry.name, &member.entry.gateways);
    let chain = place.client.chain(&member.entry)?;
    let own = place.file.chain_id;
    let look = async || {
        let lanes = vec![LaneView::read(&chain, gateways, own).await?];
        Ok((PolicyView::read(&chain, gateways).await?, lanes))
    };
    let (policy, lanes) = match look().await {
        Ok(found) => found,
        Err(error) => {
            tell(&format!("note {name} cannot be asked about its lanes to here: {error:#}"));
            return Ok(Vec::new());
        }
    };
    if lanes.iter().all(LaneView::is_closed) {
        return Ok(Vec::new());
    }
    let owner = authority.filter(|secret| address_of(*secret).is_ok_and(|address| address == policy.owner));
    let Some(secret) = owner else {
        tell(&format!(
            "note {name} can send to here until the rollup has left; its governor is {}",
            policy.owner
        ));
        return Ok(Vec::new());
    };
    let purses = Purses(vec![Purse::new(AUTHORITY, &chain, secret)?]);
    let plan = |(policy, lanes): &(PolicyView, Vec<LaneView>)| to_pause(policy, lanes, AUTHORITY);
    let done = carry_out(&purses, true, |_| (), look, plan).await?;
    tell(&format!("ok   {name} sends nothing more to here"));
    Ok(done.sent)
}

/// Wait until nothing is under way that can still be delivered.
pub(super) async fn drain(
    books: &mut Books,
    mut tally: Tally,
    patience: Duration,
    tell: &impl Fn(&str),
) -> eyre::Result<Tally> {
    let begun = Instant::now();
    let mut told = usize::MAX;
    while tally.open > 0 {
        if tally.open < told {
            tell(&format!("wait {} messages are executed", tally.open));
            told = tally.open;
        }
        if begun.elapsed() > patience {
            bail!(
                "{} messages are not executed after {} s, and nothing has left: the lanes stay closed; `hum rollup resume` opens them, the same command goes on",
                tally.open,
                patience.as_secs()
            );
        }
        tokio::time::sleep(POLL).await;
        tally = books.read().await?;
    }
    tell(&format!("ok   {} of {} messages are executed, none is under way", tally.executed, tally.sent));
    Ok(tally)
}

/// Wait until a certified checkpoint has the rollup as gone; its height, as far as the operators tell it.
async fn left(place: &Place, chain_id: ChainId) -> eyre::Result<u64> {
    loop {
        match membership(&place.client, chain_id, place.member.anchor.block().number).await? {
            Membership::Left => {
                // What is finalised becomes certified, or a later height covers it.
                let finalised = newest(&place.client).await?.finalised;
                while newest(&place.client).await?.certified < finalised {
                    tokio::time::sleep(POLL).await;
                }
                return Ok(finalised.0);
            }
            Membership::Unknown => bail!("the operators never took this rollup in"),
            Membership::Member | Membership::Certified { .. } => tokio::time::sleep(POLL).await,
        }
    }
}
