//! `hum rollup launch`: a new rollup, a member from its first block.
//!
//! ```text
//! keys ─▶ genesis with the contracts in it ─▶ profile (anchor: the genesis block) ─▶ `hum sequencer` runs ─▶ `hum rollup join`
//! ```
//!
//! From there on it is a rollup that joins, whose contracts stand already. Every part is done once and seen afterwards: the
//! command may end at any point and be run again.

use super::{
    deploying::deployment_of,
    home::{Home, HomeFile, Keeping, address_of, l1},
    join::{self, JoinArguments},
    prepare::Secrets,
    registering::Registry,
    roles,
    sequencing::{self, SequencerProcess},
};
use crate::{amount, network::Client};
use alloy_primitives::U256;
use eyre::{WrapErr as _, ensure, eyre};
use hum_chain::{Chain as _, stack::StackKind};
use hum_devnet::{
    ChainConfig,
    sequencer::{EngineConfig, LaunchGenesis, Member as GenesisMember, SequencerConfig},
};
use hum_node::config::{
    Gateways, KeyName, MemberFile, PeerRole, ROLE_VERSION, Registrant, RollupLimits, RollupProfile,
    SettlementEntry, read_password,
};
use hum_types::{Address, B256, ChainId, Class, Confidence, Domain, Encode as _, keccak256};
use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

/// Ether that the governor's account has at genesis.
const GOVERNOR_ETHER: u64 = 1_000_000;
/// Chain ids that are made up begin here: far above those that people choose.
const CHAIN_IDS_FROM: u64 = 0x7000_0000;
/// Blocks that the node's own `safe` and `finalized` tags stay behind; what is settled is read from L1.
const DEPTHS: (u64, u64) = (2, 4);

#[derive(Debug, clap::Args)]
pub(crate) struct LaunchArguments {
    /// What people call the rollup.
    name: String,
    /// The network file.
    #[arg(long, env = "HUM_NETWORK", default_value = "hum-local/network.json")]
    network: PathBuf,
    /// Where everything of it goes; hum-NAME when absent. The same directory goes on where it stopped.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Its chain id; made from network and name when absent.
    #[arg(long, value_name = "NUMBER")]
    chain_id: Option<u64>,
    /// Milliseconds between blocks. Below 1,000 neighbours share a timestamp.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    block_time: u64,
    /// Gas of a block.
    #[arg(long, value_name = "GAS", default_value_t = 60_000_000)]
    gas_limit: u64,
    /// An account with ether at genesis, beside the governor's and the relayer's; may be repeated.
    #[arg(long, value_name = "ADDRESS=ETHER", value_parser = prefund)]
    prefund: Vec<(Address, U256)>,
    /// Where its JSON-RPC is served; a free port of --host when absent.
    #[arg(long, value_name = "IP:PORT", conflicts_with = "engine")]
    rpc: Option<SocketAddr>,
    /// URL of the Engine API of an execution client, started from DIR/genesis.json, that builds the blocks in place of the embedded
    /// one.
    #[arg(long, value_name = "URL", requires = "jwt", requires = "engine_rpc")]
    engine: Option<String>,
    /// File with the secret that the client shares: 32 bytes in hex.
    #[arg(long, value_name = "FILE", requires = "engine")]
    jwt: Option<PathBuf>,
    /// URL of the client's ordinary JSON-RPC.
    #[arg(long, value_name = "URL", requires = "engine")]
    engine_rpc: Option<String>,
    /// Write keys, genesis and profile, and end: to start a client of your own from DIR/genesis.json.
    #[arg(long)]
    prepare: bool,
    /// JSON-RPC of your own L1 node; the network file's when absent.
    #[arg(long, value_name = "URL")]
    l1_rpc: Option<String>,
    /// File with the secret of the account on L1 that registers, pays the bond, and gets it back. When absent: a local network's dev
    /// key, else a new one, which you have to fund.
    #[arg(long, value_name = "FILE")]
    account: Option<PathBuf>,
    /// File with the secret of the registry's owner, who authorises: a local network has it.
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    /// Ether that stand for what the sequencer signs; the registry's least when absent.
    #[arg(long, value_name = "ETHER")]
    bond: Option<String>,
    /// Ether that the batcher's account on L1 shall have.
    #[arg(long, value_name = "ETHER", default_value = "1")]
    batcher_ether: String,
    /// The address of this machine at which operators reach publisher and relayer.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    host: IpAddr,
    /// Run all its processes as children of this one, until Ctrl-C.
    #[arg(long)]
    foreground: bool,
    /// Encrypt the secrets that are made with the first line of this file, and have the roles open them with it.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

fn prefund(text: &str) -> Result<(Address, U256), String> {
    let (account, ether) = text.split_once('=').ok_or("it is ADDRESS=ETHER")?;
    let account = account.parse().map_err(|_| format!("{account} is no address"))?;
    let wei = amount::parse(ether, amount::ETHER).map_err(|error| error.to_string())?;
    Ok((account, wei))
}

pub(super) async fn run(arguments: &LaunchArguments) -> eyre::Result<ExitCode> {
    let begun = Instant::now();
    let tell = |line: &str| {
        if !arguments.json {
            println!("{line}");
        }
    };
    let dir = arguments.dir.clone().unwrap_or_else(|| format!("hum-{}", arguments.name).into());
    let home = Home::new(&dir);
    if home.read_member()?.is_none() {
        make(arguments, &home).await?;
    }
    let member = home.load_member()?;
    let sequencer = home.sequencer();
    let config = SequencerConfig::load(&sequencer)?;
    let genesis = config.genesis.display();
    tell(&format!(
        "ok   chain {}, genesis {} in {genesis}; registration {}",
        member.chain_id, config.genesis_hash, member.registration
    ));
    if arguments.prepare {
        tell("start the client from that file, then run the same command without --prepare");
        return Ok(ExitCode::SUCCESS);
    }
    let password_file = arguments.password_file.as_deref();
    let process = SequencerProcess::begin(&sequencer, config.api, password_file, arguments.foreground)?;
    tell(&format!("ok   {}", process.line));
    let file = home.load()?;
    // Nothing to look at before the first block.
    sequencing::first_block(&file.rpc, file.chain_id).await?;
    let code = join::run(&JoinArguments {
        rpc: file.rpc,
        network: file.network,
        dir,
        name: Some(arguments.name.clone()),
        l1_rpc: file.l1_rpc,
        account: None,
        rollup_account: None,
        authority: arguments.authority.clone(),
        bond: arguments.bond.clone(),
        batcher_ether: arguments.batcher_ether.clone(),
        relayer_ether: "1".to_owned(),
        anchor: None,
        spec: Some(home.spec_file()),
        sequencer: None,
        host: arguments.host,
        no_batches: false,
        password_file: arguments.password_file.clone(),
        dry_run: false,
        no_wait: false,
        foreground: arguments.foreground,
        json: arguments.json,
        begun: Some(begun),
    })
    .await?;
    process.end();
    Ok(code)
}

/// Decide everything that a registration commits to, and write it down; the profile last, by which it is seen to be done.
async fn make(arguments: &LaunchArguments, home: &Home) -> eyre::Result<()> {
    ensure!(arguments.block_time > 0, "--block-time is 0");
    ensure!(
        arguments.engine.is_none() || arguments.block_time >= 1_000,
        "--block-time {}: through the Engine API blocks are at least 1,000 ms apart",
        arguments.block_time
    );
    let network = std::path::absolute(&arguments.network)?;
    let client = Client::open(&network)?;
    client.learn().await;
    let members = client.network.members();
    let chain_id = match arguments.chain_id {
        Some(chain_id) => ChainId(chain_id),
        None => made_up(client.network.domain, &arguments.name),
    };
    ensure!(chain_id != ChainId(0), "--chain-id is 0");
    ensure!(
        chain_id != client.network.l1.chain_id
            && members.iter().all(|member| member.entry.chain_id != chain_id),
        "chain id {chain_id} is taken in this network; choose another with --chain-id"
    );
    let name = &arguments.name;
    ensure!(
        members.iter().all(|member| member.entry.name != *name),
        "the network has a rollup called {name}; choose another name"
    );

    let password = arguments.password_file.as_deref().map(read_password).transpose()?;
    let keeping = Keeping { password, dry_run: false };
    let local = Some(network.with_file_name("dev.key")).filter(|path| path.exists());
    let directory = home.sequencer();
    std::fs::create_dir_all(directory.path())
        .wrap_err_with(|| format!("cannot make {}", directory.path().display()))?;
    let secrets = Secrets::open(home, &keeping, arguments.account.as_deref(), local.as_deref(), None, None)?;
    let token = keeping.key(directory.clone(), KeyName::Desk, || Ok(KeyName::Desk.random()))?;
    keeping.key(home.publisher(), KeyName::Desk, || Ok(token))?;

    let genesis = home.path().join("genesis.json");
    let (governor, relayer) = (address_of(secrets.governor)?, address_of(secrets.relayer)?);
    let ether = |ether: u64| U256::from(ether) * U256::from(10).pow(U256::from(18));
    let mut prefunded = arguments.prefund.clone();
    prefunded.extend([(governor, ether(GOVERNOR_ETHER)), (relayer, ether(GOVERNOR_ETHER))]);
    let config = ChainConfig {
        block_time_ms: arguments.block_time,
        gas_limit: arguments.gas_limit,
        prefunded,
        ..ChainConfig::new(name, chain_id)
    };
    let deployment = deployment_of(&client).await?;
    let table = client.network.committee.table();
    let sources = members.iter().map(|member| (member.entry.chain_id, member.entry.registration)).collect();
    let contracts = GenesisMember { deployment, table: table.encode().into(), sources };
    let made = LaunchGenesis::new(&config, &contracts).await?;
    write(&genesis, made.json.as_bytes())?;
    write(&home.spec_file(), &serde_json::to_vec_pretty(&made.spec)?)?;

    let l1 = l1(&client, arguments.l1_rpc.as_deref())?;
    let registry = Registry::of(&client.network, l1)?;
    // Whoever posts comes after the registration, which is not there yet.
    let from_block = registry.l1.head(Confidence::Latest).await?.number;
    let ports = roles::free_ports(arguments.host)?;
    let [mut served, desk] = roles::free_ports(arguments.host)?;
    served.peer = arguments.rpc.unwrap_or(served.peer);
    let rpc = match &arguments.engine_rpc {
        Some(rpc) => rpc.clone(),
        None => format!("http://{}", served.peer),
    };
    let public = |secret: B256| -> eyre::Result<B256> {
        let public = KeyName::Network.public_of(secret).and_then(|text| text.parse().ok());
        public.ok_or_else(|| eyre!("a network key is no ed25519 key"))
    };
    let [latest, safe, finalized] = made.addresses.gateways;
    let profile = RollupProfile {
        name: name.clone(),
        rpc: rpc.clone(),
        gateways: Gateways { latest, safe, finalized },
        light_client: made.addresses.light_client,
        class: Class::Reexecuted,
        spec: made.spec,
        anchor: made.header,
        own_node: None,
        limits: RollupLimits::default(),
        settlement: Some(SettlementEntry::Batches { inbox: registry.inbox, from_block }),
        block_time_ms: arguments.block_time,
        peers: vec![
            roles::peer(PeerRole::Publisher, name, public(secrets.publisher_network)?, ports[0], chain_id),
            roles::peer(PeerRole::Relayer, name, public(secrets.relayer_network)?, ports[1], chain_id),
        ],
    };
    let registrant = Registrant { chain_id, sequencer: address_of(secrets.sequencer)?, governor };
    let member = MemberFile::new(registrant, &profile)?;

    let engine = match (&arguments.engine, &arguments.jwt) {
        (Some(url), Some(jwt)) => {
            Some(EngineConfig::new(url.clone(), std::path::absolute(jwt)?, rpc.clone()))
        }
        _ => None,
    };
    directory.write(&SequencerConfig {
        version: ROLE_VERSION,
        name: name.clone(),
        domain: client.network.domain,
        registration: member.registration,
        genesis: std::path::absolute(&genesis)?,
        genesis_hash: made.hash,
        block_time_ms: arguments.block_time,
        safe_depth: DEPTHS.0,
        finalized_depth: DEPTHS.1,
        rpc: served.peer,
        desk: desk.api,
        api: served.api,
        engine,
    })?;
    let file = HomeFile::new(network, arguments.l1_rpc.clone(), rpc, chain_id, StackKind::Ethereum);
    home.write(&file)?;
    sequencing::write_roles(home, &file, ports, format!("http://{}", desk.api))?;
    home.write_member(&member)
}

/// A chain id that only this network's rollup of this name has, as far as chance goes.
fn made_up(domain: Domain, name: &str) -> ChainId {
    let hash = keccak256([b"hum/chain-id/1".as_slice(), domain.0.as_slice(), name.as_bytes()].concat());
    let [a, b, c, d, ..] = hash.0;
    ChainId(CHAIN_IDS_FROM + u64::from(u32::from_be_bytes([a & 0x0f, b, c, d])))
}

fn write(path: &Path, bytes: &[u8]) -> eyre::Result<()> {
    std::fs::write(path, bytes).wrap_err_with(|| format!("cannot write {}", path.display()))
}
