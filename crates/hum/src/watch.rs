//! `hum watch`: the watcher's role, and what it has seen and done.
//!
//! ```text
//! DIR/role.json, keys/ ─▶ network, L1 ─▶ watcher ─▶ API ◀─ hum watch show
//! ```

use crate::{
    network::{Client, block_on},
    output,
    role::{Reported, RoleArguments, THREADS, transport},
};
use clap::Subcommand;
use commonware_runtime::Supervisor as _;
use eyre::{WrapErr as _, bail, eyre};
use hum_chain::{
    Chain,
    rpc::{RpcChain, RpcLimits, RpcSubmit, SubmitPolicy},
};
use hum_consensus::real;
use hum_node::{
    api,
    config::{KeyName, Member, Network, NetworkFile, PeerRole, RoleDirectory, WatcherConfig},
    watcher::{self, CaseView, Defendant, Judges, L1, Stage, WatcherParts, WatcherSettings, WatcherView},
    wire::Wires,
};
use hum_types::{ChainId, SequencerKey};
use serde_json::json;
use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, sync::Arc};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct WatchArguments {
    #[command(subcommand)]
    command: Option<WatchCommand>,
    #[command(flatten)]
    role: Option<RoleArguments>,
}

#[derive(Debug, Subcommand)]
enum WatchCommand {
    /// Who was accused of what, and how far it is; fails while anything was refused or waits for people.
    Show(ShowArguments),
}

#[derive(Debug, clap::Args)]
struct ShowArguments {
    /// The watcher's directory. Without it, every watcher of the network is asked.
    #[arg(long, conflicts_with = "network")]
    dir: Option<PathBuf>,
    /// The network file that `hum up` wrote.
    #[arg(long, env = "HUM_NETWORK", default_value = "hum-local/network.json")]
    network: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl WatchArguments {
    /// Whether the role itself runs.
    pub(crate) const fn is_role(&self) -> bool {
        self.command.is_none()
    }

    pub(crate) fn run(&self) -> eyre::Result<ExitCode> {
        match (&self.command, &self.role) {
            (Some(WatchCommand::Show(arguments)), _) => show(arguments),
            (None, Some(arguments)) => watch(arguments),
            (None, None) => bail!("give --dir, or a subcommand"),
        }
    }
}

/// Our service manager and its judges, as the network file has them.
fn l1(network: &Network, chain: RpcChain, submit: RpcSubmit) -> Option<L1> {
    let restaking = network.restaking.as_ref()?;
    let judges = restaking.judges;
    Some(L1 {
        chain: Arc::new(chain),
        submit: Arc::new(submit),
        service_manager: network.service_manager,
        judges: Judges {
            attestation: judges.attestation,
            settlement: judges.settlement,
            table_adapter: judges.table_adapter,
            batch_adapter: judges.batch_adapter,
            claim: judges.claim,
            lane: judges.lane,
            state_root: judges.state_root,
            rollup_registry: restaking.rollup_registry,
            batch_inbox: restaking.batch_inbox,
        },
    })
}

/// The members' nodes, as the role's file has them, or else the network file.
fn rollups(network: &Network, config: &WatcherConfig) -> eyre::Result<BTreeMap<ChainId, Arc<dyn Chain>>> {
    let members = network.members().into_iter();
    members.map(|member| Ok((member.entry.chain_id, node(&member, &config.rollup_rpcs)?))).collect()
}

/// A member's node, as the role's file has it, or else the network file or the member's profile.
fn node(member: &Member, rpcs: &BTreeMap<ChainId, String>) -> eyre::Result<Arc<dyn Chain>> {
    let chain_id = member.entry.chain_id;
    let url = rpcs.get(&chain_id).unwrap_or(&member.entry.rpc);
    let chain = RpcChain::new(url, chain_id, RpcLimits::default());
    Ok(Arc::new(chain.wrap_err_with(|| format!("the URL of chain {chain_id}"))?))
}

fn watch(arguments: &RoleArguments) -> eyre::Result<ExitCode> {
    let directory = arguments.hold()?;
    let config = WatcherConfig::load(&directory)?;
    let network = NetworkFile::load(&config.network)?;
    let network_key = directory.network_key()?;
    let account = directory.read_key(KeyName::Account)?;
    let no_key = || eyre!("keys/account.key is no secp256k1 key");
    let paying = SequencerKey::from_secret(account).ok_or_else(no_key)?.address();
    let url = config.l1_rpc.clone().unwrap_or_else(|| network.l1.rpc.clone());
    let chain = RpcChain::new(&url, network.l1.chain_id, RpcLimits::default()).wrap_err("the L1's URL")?;
    let submit =
        RpcSubmit::new(chain.clone(), account, SubmitPolicy { in_flight_max: 4, ..SubmitPolicy::default() })
            .ok_or_else(no_key)?;
    arguments.run(THREADS, move |context| async move {
        tracing::info!(
            network = %network.name,
            l1 = %chain.endpoint(),
            account = %paying,
            listen = %config.listen,
            api = %config.api,
            "watcher starts"
        );
        let l1 = l1(&network, chain, submit);
        if l1.is_none() {
            tracing::warn!(
                "the network file names no contracts for restaking: evidence is kept and shown, not submitted"
            );
        }
        let settings = WatcherSettings::new(&network, &config);
        let rollups = rollups(&network, &config)?;
        let transport = transport(&network, network_key, config.listen, config.private_addresses)?;
        let joined = real::join(context.child("network"), transport)?;
        let wires = Wires::try_from(joined.wires)?;
        let connect: watcher::Connect = Box::new(move |member| {
            let reached = node(member, &config.rollup_rpcs);
            let chain_id = member.entry.chain_id;
            reached.inspect_err(|error| tracing::warn!(%chain_id, %error, "heads are not looked at")).ok()
        });
        let parts = WatcherParts {
            l1,
            rollups,
            joining: Some((network.members.clone(), connect)),
            peers: Some(joined.peers),
            fetch: wires.fetch,
            feed: wires.feed,
        };
        let watcher = watcher::start(&context.child("hum"), settings, parts).await?;
        let view = watcher.watch();
        let status = move || json!(view());
        let reports = Arc::new(Reported { status, context: context.child("api") });
        tokio::select! {
            _ = joined.handle => bail!("the network stopped; the log says why"),
            ended = watcher.ended() => match ended {
                Some(error) => Err(error.into()),
                None => bail!("the watcher was aborted"),
            },
            served = api::serve(config.api, reports) => Ok(served?),
        }
    })
}

fn show(arguments: &ShowArguments) -> eyre::Result<ExitCode> {
    block_on(async {
        let (path, own) = match &arguments.dir {
            Some(dir) => {
                let config = WatcherConfig::load(&RoleDirectory::new(dir))?;
                (config.network, Some(format!("http://{}", config.api)))
            }
            None => (arguments.network.clone(), None),
        };
        let client = Client::open(&path)?;
        let watchers = || client.network.peers.iter().filter(|(peer, _)| peer.role == PeerRole::Watcher);
        let apis: Vec<String> = own
            .map_or_else(|| watchers().filter_map(|(peer, _)| peer.api.clone()).collect(), |api| vec![api]);
        if apis.is_empty() {
            bail!("no watcher of {} has an api in the network file; give --dir", client.network.name);
        }
        let mut views = Vec::new();
        for api in &apis {
            let view: WatcherView =
                client.ask_one(api, "/status").await.wrap_err_with(|| format!("the watcher at {api}"))?;
            views.push(view);
        }
        if arguments.json {
            output::json(&json!({ "watchers": views }))?;
        } else {
            views.iter().zip(&apis).for_each(|(view, api)| print(view, api));
        }
        let waits = |case: &CaseView| matches!(case.stage, Stage::Refused { .. } | Stage::NoJudge);
        let bad = views.iter().flat_map(|view| &view.evidence).any(waits);
        Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    })
}

fn print(view: &WatcherView, api: &str) {
    println!(
        "watcher  {api}  certified {}, epoch {}, heard {} attestations, took {} snapshots",
        view.certified, view.epoch, view.attestations, view.snapshots
    );
    for (operator, count) in &view.wrong_attestations {
        println!("  operator {operator} attested {count} headers that were not finalised or are false");
    }
    for (fault, count) in &view.false_attestations {
        println!("  {count} attestations of {fault}");
    }
    if view.bonds_out_wei != "0" || view.bonds_lost_wei != "0" {
        println!(
            "  bonds of challenges: {} wei are out, {} wei were lost",
            view.bonds_out_wei, view.bonds_lost_wei
        );
    }
    for case in &view.evidence {
        let who = match case.defendant {
            Defendant::Operator(operator) => format!("operator {operator}"),
            Defendant::Sequencer(registration) => format!("sequencer of {registration}"),
        };
        println!("  {:>4}  {who}: {} at {}", case.number.0, case.fault, case.position);
        println!("        {}", stage(&case.stage));
    }
    if view.evidence.is_empty() {
        println!("  no evidence");
    }
    if let Some(error) = &view.last_error {
        println!("  L1 last failed: {error}");
    }
}

fn stage(stage: &Stage) -> String {
    match stage {
        Stage::Seen => "seen, on disk, to be submitted".to_owned(),
        Stage::Incomplete => "seen, on disk; the certified header is not known yet".to_owned(),
        Stage::NoJudge => "seen, on disk; no contract judges it".to_owned(),
        Stage::Submitted => "submitted".to_owned(),
        Stage::Challenged => "challenged; there is time to answer".to_owned(),
        Stage::Acquitted { bond_lost: false } => "the claim was shown: no fault".to_owned(),
        Stage::Acquitted { bond_lost: true } => {
            "the challenge was answered: no fault, the bond is lost".to_owned()
        }
        Stage::Punished { tx_hash: Some(tx_hash) } => format!("punished in {tx_hash}"),
        Stage::Punished { tx_hash: None } => "punished by another's transaction".to_owned(),
        Stage::Refused { why, given_up: true } => format!("refused, given up: {why}"),
        Stage::Refused { why, given_up: false } => format!("refused, will be tried again: {why}"),
    }
}
