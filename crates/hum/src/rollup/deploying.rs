//! The contracts on a rollup that joins: at the addresses that they have on every member, or not at all.

use super::registering::ask;
use crate::{
    amount,
    network::Client,
    plan::{Step, Transaction},
};
use alloy_primitives::U256;
use eyre::{WrapErr as _, bail, ensure};
use hum_chain::{
    At, Chain as _, LogQuery,
    contracts::{CREATE2_DEPLOYER, Creation, Deployment, Gateway, LightClient, Probe},
    rpc::RpcChain,
};
use hum_node::config::RollupEntry;
use hum_types::{Address, B256, Bytes, Confidence};
use std::time::{SystemTime, UNIX_EPOCH};

/// Pays on the rollup for what its owner does: deploys, decides, gives its relayer what deliveries cost.
pub(super) const GOVERNOR: &str = "account on the rollup";
/// Gas that installing a table usually takes.
const TABLE_GAS: u64 = 400_000;

/// The deployment whose addresses the network's members have, read from one of them. Nobody need be believed: other answers give other
/// addresses.
pub(super) async fn deployment_of(client: &Client) -> eyre::Result<Deployment> {
    let mut failures = Vec::new();
    for member in client.network.members() {
        match read_from(client, &member.entry).await {
            Ok(deployment) => return Ok(deployment),
            Err(error) => failures.push(format!("{}: {error:#}", member.entry.name)),
        }
    }
    bail!("no member shows what its contracts are made from: {}", failures.join("; "))
}

async fn read_from(client: &Client, entry: &RollupEntry) -> eyre::Result<Deployment> {
    let chain = client.chain(entry)?;
    let policy = ask(&chain, entry.gateways.latest, &Gateway::OWNERCall {}).await?;
    let deployment = Deployment::read(&chain, policy).await?;
    let (declared, computed) = (entry.gateways.facades(), deployment.addresses().gateways);
    ensure!(
        declared == computed,
        "its gateways stand at {declared:?}, this binary's contracts would stand at {computed:?}: it is of another version"
    );
    ensure!(deployment.domain == client.network.domain, "its contracts are of another network");
    Ok(deployment)
}

/// What the rollup's machine can do of what the contracts use; nothing while it lacks the deterministic deployer.
pub(super) async fn probe(node: &RpcChain) -> eyre::Result<Option<Probe>> {
    if node.code(CREATE2_DEPLOYER, At::LATEST).await?.is_empty() {
        return Ok(None);
    }
    let probe = Probe::of(node).await?;
    if let Some(feature) = probe.lacking().next() {
        bail!("the rollup lacks {}, which the contracts need:\n{probe}", feature.name());
    }
    Ok(Some(probe))
}

/// What the rollup has of it.
#[derive(Debug, Clone)]
pub(super) struct DeployView {
    pub(super) head: u64,
    /// Whether the deterministic deployer stands.
    pub(super) has_deployer: bool,
    /// What does not stand yet, in an order that works.
    pub(super) missing: Vec<Creation>,
    /// Whether the first committee's table is installed.
    pub(super) has_table: bool,
    pub(super) governor_wei: U256,
    pub(super) relayer_wei: U256,
}

/// What the governor's account does on the rollup before anything is registered.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'a> {
    pub(super) deployment: &'a Deployment,
    /// Whether contracts there can read code.
    pub(super) reads_code: bool,
    /// The first committee's table.
    pub(super) table: Bytes,
    pub(super) governor: Address,
    /// The relayer's account, and what it shall have at least.
    pub(super) relayer: (Address, U256),
    /// Whether nothing above the genesis is there to start from: then a block is made first.
    pub(super) needs_block: bool,
    /// Until when the first committee is believed, seconds since 1970.
    pub(super) valid_until_s: u64,
}

impl DeployView {
    pub(super) async fn read(node: &RpcChain, wanted: &Wanted<'_>) -> eyre::Result<Self> {
        let has_code = async |account: Address| -> eyre::Result<bool> {
            Ok(!node.code(account, At::LATEST).await?.is_empty())
        };
        let mut missing = Vec::new();
        for creation in wanted.deployment.creations(wanted.reads_code) {
            if !has_code(creation.address).await? {
                missing.push(creation);
            }
        }
        let light_client = wanted.deployment.addresses().light_client;
        let has_table = if missing.iter().any(|creation| creation.address == light_client) {
            false
        } else {
            // The first table that is installed says until when it is good, however tables are kept.
            ask(node, light_client, &LightClient::usableUntilCall {}).await? != 0
        };
        Ok(Self {
            head: node.head(Confidence::Latest).await?.number,
            has_deployer: has_code(CREATE2_DEPLOYER).await?,
            missing,
            has_table,
            governor_wei: node.balance(wanted.governor).await?,
            relayer_wei: node.balance(wanted.relayer.0).await?,
        })
    }
}

/// Everything between the present state and contracts that stand.
pub(super) fn to_deploy(view: &DeployView, wanted: &Wanted<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    if !view.has_deployer {
        return vec![Step::refused(
            format!("the rollup has no deterministic deployer at {CREATE2_DEPLOYER}"),
            "send its public, pre-signed transaction first (github.com/Arachnid/deterministic-deployment-proxy)",
        )];
    }
    let nothing_to_pay = view.missing.is_empty() && view.has_table && view.relayer_wei >= wanted.relayer.1;
    if view.governor_wei.is_zero() && !nothing_to_pay {
        steps.push(Step::refused(
            format!("{} has no ether on the rollup", wanted.governor),
            "send it some, or pass an account that has some with --rollup-account FILE",
        ));
    }
    if wanted.needs_block && view.head == 0 {
        let what = "make a first block: verification starts above the genesis";
        steps.push(Step::Send(Transaction::transfer(what, GOVERNOR, wanted.governor, U256::ZERO)));
    }
    if view.missing.is_empty() {
        steps.push(Step::done("the contracts stand on the rollup"));
    }
    for creation in &view.missing {
        steps.push(Step::Send(create(creation, wanted.deployment)));
    }
    if view.has_table {
        steps.push(Step::done("the first committee's table is installed"));
    } else if wanted.valid_until_s <= now_s() {
        steps.push(Step::refused(
            "the first committee's time is over, and a new light client knows no other",
            "the network's owner has to name it a living one (EdgePolicy.announceAnchor, then LightClient.anchor)",
        ));
    } else {
        let addresses = wanted.deployment.addresses();
        let call =
            LightClient::installTableCall { epoch: wanted.deployment.epoch.0, table: wanted.table.clone() };
        let arguments = vec![
            ("epoch", wanted.deployment.epoch.to_string()),
            ("table", format!("{} bytes", wanted.table.len())),
        ];
        let to = ("LightClient", addresses.light_client);
        let what = "install the first committee's table";
        steps.push(Step::Send(Transaction::new(what, GOVERNOR, to, &call, arguments, TABLE_GAS)));
    }
    let (relayer, least) = wanted.relayer;
    if view.relayer_wei < least {
        let missing = least - view.relayer_wei;
        let what = "give the relayer's account what deliveries cost";
        steps.push(Step::Send(Transaction::transfer(what, GOVERNOR, relayer, missing)));
    } else {
        let has = amount::show(view.relayer_wei, amount::ETHER);
        steps.push(Step::done(format!("the relayer's account has {has} ether on the rollup")));
    }
    steps
}

fn create(creation: &Creation, deployment: &Deployment) -> Transaction {
    let addresses = deployment.addresses();
    let name = if creation.address == addresses.policy {
        "policy".to_owned()
    } else if creation.address == addresses.light_client {
        "light client".to_owned()
    } else if creation.address == addresses.inbox {
        "demo recipient".to_owned()
    } else {
        let place = addresses.gateways.iter().position(|gateway| *gateway == creation.address);
        let confidence = place.and_then(|place| Confidence::ALL.get(place));
        confidence.map_or_else(|| "contract".to_owned(), |confidence| format!("gateway {confidence}"))
    };
    let by_policy = creation.to == addresses.policy;
    Transaction {
        what: format!("deploy the {name} at {}", creation.address),
        by: GOVERNOR,
        contract: if by_policy { "EdgePolicy" } else { "deterministic deployer" },
        to: creation.to,
        function: match (by_policy, creation.address == addresses.light_client) {
            (true, true) => "createLightClient(bytes)",
            (true, false) => "createGateway(uint8,bytes)",
            (false, _) => "none: salt and code",
        },
        arguments: vec![("code", format!("{} bytes", creation.data.len()))],
        value_wei: U256::ZERO,
        data: creation.data.clone(),
        // Above what any of them takes: 200 gas a byte of code, what calldata costs, and the constructor.
        typical_gas: 300_000 + 240 * creation.data.len() as u64,
    }
}

/// Refuse an anchor up to which messages were sent: operators count a lane from the anchor on, the gateway from its first message.
pub(super) async fn check_unused(node: &RpcChain, gateways: [Address; 3], anchor: u64) -> eyre::Result<()> {
    let mut used = Vec::new();
    for gateway in gateways {
        if !node.code(gateway, At::Number(anchor)).await.wrap_err("the state of the anchor")?.is_empty() {
            used.push(gateway);
        }
    }
    if used.is_empty() {
        return Ok(());
    }
    let topics: Vec<B256> = vec![<Gateway::MessageSent as alloy_sol_types::SolEvent>::SIGNATURE_HASH];
    let logs = node.logs(LogQuery { from: 0, to: anchor, addresses: used, topics }).await?;
    ensure!(
        logs.is_empty(),
        "{} messages were sent up to block {anchor}: the anchor must come before them (--anchor)",
        logs.len()
    );
    Ok(())
}

pub(super) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
