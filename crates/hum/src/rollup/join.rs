//! `hum rollup join`: from a node's URL to a member whose blocks are certified.
//!
//! ```text
//! scout the node ─▶ decide (anchor, keys, profile) ─▶ deploy on the rollup ─▶ register on L1 ─▶ start publisher and relayer
//!                                                                                    └─▶ members hear it ─▶ certified
//!                                               governor claims its policy, hears the members ◀──────────────┘
//! ```
//!
//! Every part looks at what the chains show and does what is missing: the command may end at any point and be run again.

use super::{
    deploying::{DeployView, GOVERNOR, Wanted, deployment_of, probe, to_deploy},
    home::{Home, HomeFile, Keeping, address_of, l1, secret_in},
    members,
    prepare::{self, Choice, Decided},
    registering::{ACCOUNT, AUTHORITY, Entry, RegistrationView, Registry, to_register},
    roles, scouting,
    waiting::{self, Membership},
};
use crate::{
    amount,
    network::Client,
    output,
    plan::{Purse, Purses, Sent, Wait, carry_out, describe, price},
};
use eyre::ensure;
use hum_chain::contracts::{Deployment, Feature, Probe};
use hum_node::config::read_password;
use hum_types::{B256, Encode as _};
use serde_json::{Value, json};
use std::{net::IpAddr, path::PathBuf, process::ExitCode, time::Instant};

#[derive(Debug, clap::Args)]
pub(crate) struct JoinArguments {
    /// JSON-RPC of the rollup's own node.
    #[arg(long, value_name = "URL")]
    pub(super) rpc: String,
    /// The network file.
    #[arg(long, env = "HUM_NETWORK", default_value = "hum-local/network.json")]
    pub(super) network: PathBuf,
    /// Where keys, decisions and roles go; the same directory goes on where it stopped.
    #[arg(long, default_value = "hum-rollup")]
    pub(super) dir: PathBuf,
    /// What people call the rollup; its chain id when absent.
    #[arg(long)]
    pub(super) name: Option<String>,
    /// JSON-RPC of your own L1 node; the network file's when absent.
    #[arg(long, value_name = "URL")]
    pub(super) l1_rpc: Option<String>,
    /// File with the secret of the account on L1 that registers, pays the bond, and gets it back. When absent: a local network's
    /// dev key, else a new one, which you have to fund.
    #[arg(long, value_name = "FILE")]
    pub(super) account: Option<PathBuf>,
    /// File with the secret of the account on the rollup that deploys and governs; that of --account when absent.
    #[arg(long, value_name = "FILE")]
    pub(super) rollup_account: Option<PathBuf>,
    /// File with the secret of the registry's owner, who authorises: a local network has it. When absent, whom to ask is printed.
    #[arg(long, value_name = "FILE")]
    pub(super) authority: Option<PathBuf>,
    /// Ether that stand for what the sequencer signs; the registry's least when absent.
    #[arg(long, value_name = "ETHER")]
    pub(super) bond: Option<String>,
    /// Ether that the batcher's account on L1 shall have.
    #[arg(long, value_name = "ETHER", default_value = "1")]
    pub(super) batcher_ether: String,
    /// Ether that the relayer's account on the rollup shall have.
    #[arg(long, value_name = "ETHER", default_value = "1")]
    pub(super) relayer_ether: String,
    /// The block that verification starts from; a recent one when absent.
    #[arg(long, value_name = "NUMBER")]
    pub(super) anchor: Option<u64>,
    /// The chain configuration of a node that does not tell it.
    #[arg(long, value_name = "FILE")]
    pub(super) spec: Option<PathBuf>,
    /// File with the sequencer's secret; a new one is made when absent.
    #[arg(long, value_name = "FILE")]
    pub(super) sequencer: Option<PathBuf>,
    /// The address of this machine at which operators reach publisher and relayer.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(super) host: IpAddr,
    /// Post no batches: the rollup has no Safe and no Finalized heads then.
    #[arg(long)]
    pub(super) no_batches: bool,
    /// Encrypt the secrets that are made with the first line of this file, and have the roles open them with it.
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
    /// Print what the node can do and every transaction with its gas and cost; write and send nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Say what is waited for and end, instead of waiting.
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) no_wait: bool,
    /// Run publisher and relayer in this process' foreground, until Ctrl-C.
    #[arg(long, conflicts_with_all = ["dry_run", "no_wait"])]
    pub(super) foreground: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
    /// When a command began that this one is a part of.
    #[arg(skip)]
    pub(super) begun: Option<Instant>,
}

/// Everything at hand before anything is sent.
struct Ready {
    client: Client,
    home: Home,
    file: HomeFile,
    deployment: Deployment,
    probe: Option<Probe>,
    place: Registry,
    secrets: prepare::Secrets,
    authority: Option<B256>,
    choice: Choice,
}

pub(super) async fn run(arguments: &JoinArguments) -> eyre::Result<ExitCode> {
    let begun = arguments.begun.unwrap_or_else(Instant::now);
    let tell = |line: &str| {
        if !arguments.json {
            println!("{line}");
        }
    };
    let scouted = scouting::scout(&arguments.rpc, arguments.spec.as_deref()).await?;
    if !arguments.json {
        scouted.print();
    }
    scouted.check()?;
    let ready = ready(arguments, &scouted, &tell).await?;
    if arguments.dry_run {
        return dry_run(arguments, &scouted, &ready).await;
    }
    if ready.home.read()?.is_none() {
        ready.home.write(&ready.file)?;
    }
    let mut sent = Vec::new();
    let answer = |sent: &[Sent], waiting: Option<&Wait>, more: Value| -> eyre::Result<ExitCode> {
        if arguments.json {
            let mut line = json!({
                "chain_id": ready.file.chain_id, "stack": scouted.detected.stack, "class": scouted.class(),
                "dir": arguments.dir, "sent": sent, "done": waiting.is_none(), "waiting_for": waiting,
            });
            if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object()) {
                line.extend(more.clone());
            }
            output::json(&line)?;
        } else if let Some(wait) = waiting {
            println!("wait {}\nrun the same command again then", describe(wait));
        }
        Ok(ExitCode::SUCCESS)
    };

    // On the rollup. The anchor is chosen before the contracts stand, so that no message can lie before it.
    let purses = purses(&ready, &scouted)?;
    let mut member = prepare::decided(&ready.home, &ready.client)?;
    if member.is_none() {
        let wanted = wanted(&ready, true)?;
        let look = async || DeployView::read(&scouted.node, &wanted).await;
        let first = |view: &DeployView| {
            to_deploy(view, &wanted).into_iter().take_while(|_| view.head == 0).take(1).collect()
        };
        sent.extend(carry_out(&purses, false, tell, look, first).await?.sent);
        member = Some(
            prepare::decide(&ready.home, &ready.client, &scouted, &ready.secrets, &ready.choice, true)
                .await?,
        );
    }
    let Some(Decided { file: member_file, member, ports }) = member else { unreachable!("decided above") };
    tell(&format!(
        "ok   anchor is block {}, registration {}",
        member.anchor.block().number,
        member_file.registration
    ));
    let wanted = wanted(&ready, false)?;
    let look = async || DeployView::read(&scouted.node, &wanted).await;
    let done = carry_out(&purses, true, tell, look, |view| to_deploy(view, &wanted)).await?;
    sent.extend(done.sent);

    // On L1.
    let entry = entry(&ready, &member_file, member.anchor.hash())?;
    let authority = ready.authority.map(address_of).transpose()?;
    let look = async || RegistrationView::read(&ready.place, &entry).await;
    let plan = |view: &RegistrationView| to_register(view, &ready.place, &entry, authority);
    let done = carry_out(&purses, !arguments.no_wait, tell, look, plan).await?;
    sent.extend(done.sent);
    if done.waiting.is_some() {
        return answer(&sent, done.waiting.as_ref(), Value::Null);
    }

    // The roles, and the members that are to hear the newcomer.
    roles::write(&ready.home, &ready.file, ports, !arguments.no_batches)?;
    let password_file = arguments.password_file.as_deref();
    let staying = roles::Staying::begin(&ready.home, password_file, arguments.foreground)?;
    for line in &staying.lines {
        tell(&format!("ok   {line}"));
    }
    let heard = members::hear(&ready.client, &member, ready.authority, &tell);
    let watched = waiting::certified(&ready.client, &member, !arguments.no_wait, &tell);
    let (heard, watched) = futures::join!(heard, watched);
    sent.extend(heard?);
    let Membership::Certified { number, .. } = watched? else {
        let wait = Wait::open("the operators take the rollup in, and certify a block of it");
        return answer(&sent, Some(&wait), Value::Null);
    };
    let joined_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    tell(&format!("ok   operators have certified block {number}, {joined_ms} ms after the command began"));

    // Its own word, now that its registration is certified.
    let edges = members::govern(
        &ready.client,
        &scouted.node,
        &member_file,
        &member,
        &purses,
        arguments.no_wait,
        &tell,
    );
    let governed = edges.await?;
    sent.extend(governed.sent);
    let join_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let more = json!({
        "registration": member_file.registration, "anchor": member.anchor.block(), "certified": number,
        "certified_ms": joined_ms, "join_ms": join_ms,
    });
    let code = answer(&sent, governed.waiting.as_ref(), more)?;
    if governed.waiting.is_none() {
        tell(&format!(
            "done: chain {} is a member after {join_ms} ms; `hum rollup status --dir {}` says how it is",
            ready.file.chain_id,
            arguments.dir.display()
        ));
    }
    staying.stay().await?;
    Ok(code)
}

async fn ready(
    arguments: &JoinArguments,
    scouted: &scouting::Scouted,
    tell: &impl Fn(&str),
) -> eyre::Result<Ready> {
    let network = std::path::absolute(&arguments.network)?;
    let client = Client::open(&network)?;
    client.learn().await;
    let chain_id = scouted.detected.chain_id;
    let home = Home::new(&arguments.dir);
    let decided = home.read()?;
    if decided.is_none() {
        ensure!(
            client.network.members().iter().all(|member| member.entry.chain_id != chain_id),
            "chain {chain_id} is a member of this network already; choose another chain id for the rollup"
        );
    }
    let l1_rpc = arguments.l1_rpc.clone();
    let file = match decided {
        Some(file) => {
            ensure!(
                file.chain_id == chain_id,
                "{} is the directory of chain {}, the node serves chain {chain_id}; choose another --dir",
                home.path().display(),
                file.chain_id
            );
            ensure!(
                file.network == network,
                "{} is of the network in {}, not of {}",
                home.path().display(),
                file.network.display(),
                network.display()
            );
            file
        }
        None => {
            HomeFile::new(network.clone(), l1_rpc, arguments.rpc.clone(), chain_id, scouted.detected.stack)
        }
    };
    let password = arguments.password_file.as_deref().map(read_password).transpose()?;
    let keeping = Keeping { password, dry_run: arguments.dry_run };
    let local = |name: &str| Some(network.with_file_name(name)).filter(|path| path.exists());
    let authority = arguments.authority.clone().or_else(|| local("owner.key"));
    if arguments.authority.is_none()
        && let Some(path) = &authority
    {
        tell(&format!("note the network is local: its owner's key in {} authorises", path.display()));
    }
    let authority = authority.as_deref().map(secret_in).transpose()?;
    let secrets = prepare::Secrets::open(
        &home,
        &keeping,
        arguments.account.as_deref(),
        local("dev.key").as_deref(),
        arguments.rollup_account.as_deref(),
        arguments.sequencer.as_deref(),
    )?;
    let l1 = l1(&client, file.l1_rpc.as_deref())?;
    let place = Registry::of(&client.network, l1)?;
    let deployment = deployment_of(&client).await?;
    let probe = probe(&scouted.node).await?;
    if let Some(probe) = &probe {
        tell(probe.to_string().trim_end());
    }
    let ether = |text: &str| amount::parse(text, amount::ETHER);
    let choice = Choice {
        name: arguments.name.clone(),
        anchor: arguments.anchor,
        host: arguments.host,
        batches: !arguments.no_batches,
        addresses: deployment.addresses(),
        bond_wei: arguments.bond.as_deref().map(ether).transpose()?,
        batcher_wei: ether(&arguments.batcher_ether)?,
        relayer_wei: ether(&arguments.relayer_ether)?,
        l1: place.clone(),
    };
    Ok(Ready { client, home, file, deployment, probe, place, secrets, authority, choice })
}

fn purses(ready: &Ready, scouted: &scouting::Scouted) -> eyre::Result<Purses> {
    let mut purses = vec![
        Purse::new(GOVERNOR, &scouted.node, ready.secrets.governor)?,
        Purse::new(ACCOUNT, &ready.place.l1, ready.secrets.registrant)?,
    ];
    if let Some(secret) = ready.authority {
        purses.push(Purse::new(AUTHORITY, &ready.place.l1, secret)?);
    }
    Ok(Purses(purses))
}

fn wanted(ready: &Ready, needs_block: bool) -> eyre::Result<Wanted<'_>> {
    let table = ready.client.network.committee.table();
    Ok(Wanted {
        deployment: &ready.deployment,
        reads_code: ready.probe.as_ref().is_none_or(|probe| probe.has(Feature::ReadCode)),
        table: table.encode().into(),
        governor: address_of(ready.secrets.governor)?,
        relayer: (address_of(ready.secrets.relayer)?, ready.choice.relayer_wei),
        needs_block,
        valid_until_s: table.valid_until().0,
    })
}

fn entry(ready: &Ready, member: &hum_node::config::MemberFile, anchor: B256) -> eyre::Result<Entry> {
    Ok(Entry {
        chain_id: member.chain_id,
        sequencer: member.sequencer,
        anchor_hash: anchor,
        governor: member.governor,
        profile: member.bytes(),
        registrant: address_of(ready.secrets.registrant)?,
        bond_wei: ready.choice.bond_wei,
        batcher: if ready.choice.batches {
            Some((address_of(ready.secrets.batcher)?, ready.choice.batcher_wei))
        } else {
            None
        },
    })
}

/// Every transaction with its price; nothing is written or sent.
async fn dry_run(
    arguments: &JoinArguments,
    scouted: &scouting::Scouted,
    ready: &Ready,
) -> eyre::Result<ExitCode> {
    let decided = match prepare::decided(&ready.home, &ready.client)? {
        Some(decided) => decided,
        None => {
            prepare::decide(&ready.home, &ready.client, scouted, &ready.secrets, &ready.choice, false).await?
        }
    };
    let wanted = wanted(ready, ready.home.read_member()?.is_none())?;
    let mut steps = to_deploy(&DeployView::read(&scouted.node, &wanted).await?, &wanted);
    let entry = entry(ready, &decided.file, decided.member.anchor.hash())?;
    let authority = ready.authority.map(address_of).transpose()?;
    steps.extend(to_register(
        &RegistrationView::read(&ready.place, &entry).await?,
        &ready.place,
        &entry,
        authority,
    ));
    steps.extend(members::expected(&ready.client, &decided.member, &decided.file, ready.deployment).await?);
    let prices = price(&purses(ready, scouted)?, steps).await?;
    let enough = prices.suffice();
    if arguments.json {
        output::json(&json!({
            "chain_id": ready.file.chain_id, "stack": scouted.detected.stack, "class": scouted.class(),
            "abilities": scouted.abilities, "dry_run": true, "steps": prices.steps, "bills": prices.bills,
            "balances_suffice": enough,
        }))?;
    } else {
        prices.print();
        println!("nothing was written or sent");
    }
    Ok(ExitCode::from(u8::from(prices.refused || !enough)))
}
