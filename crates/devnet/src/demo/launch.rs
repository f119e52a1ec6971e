//! A new rollup, a member from its first block; rebuilt from L1 alone; and retired.

use super::{
    DemoError, Figures,
    scene::{Scene, Shape, Site, until},
    traffic::Traffic,
};
use hum_chain::{
    At, Chain as _,
    contracts::inbox_address,
    rpc::{RpcChain, RpcLimits, RpcSubmit, SubmitPolicy},
};
use hum_node::config::{Member, MemberFile, PublisherConfig, RoleDirectory, SettlementEntry};
use hum_types::{B256, BlockRef, Confidence};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{path::PathBuf, process::Stdio, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
};

pub(super) const SHAPE: Shape = Shape::new(2);
/// What the rollup is called.
const NAME: &str = "nova";
/// Messages along each lane.
const EACH: u32 = 20;
/// How long the last message may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long launching may take at most.
const LAUNCH: Duration = Duration::from_secs(180);
/// What launching may take until a first block is certified.
const LAUNCH_MS_MAX: u64 = 20_000;
/// How long the last block may take to stand on L1.
const POSTED: Duration = Duration::from_secs(60);
/// How long retiring may take.
const RETIRE: Duration = Duration::from_secs(240);

/// What `hum rollup derive` rebuilt.
#[derive(Debug, Deserialize)]
struct Derived {
    batches: u64,
    blocks: u64,
    first: Option<BlockRef>,
    last: Option<BlockRef>,
    executed: Option<u64>,
}

/// A rollup that was launched, and the command that keeps its processes running.
struct Launched {
    dir: PathBuf,
    member: Member,
    reader: RpcChain,
    said: Value,
    command: Child,
}

pub(super) async fn play(scene: &mut Scene) -> Result<Figures, DemoError> {
    let mut launched = Launched::launch(scene).await?;
    let launch_ms = launched.said.get("certified_ms").and_then(Value::as_u64).unwrap_or_default();
    let all_ms = launched.said.get("join_ms").and_then(Value::as_u64).unwrap_or_default();
    scene.tell(format!(
        "hum rollup launch made {NAME}: its first block was certified after {launch_ms} ms, everything was done after {all_ms} ms"
    ));
    scene.demand(launch_ms > 0 && launch_ms <= LAUNCH_MS_MAX, || {
        format!("the first certified block took {launch_ms} ms, {LAUNCH_MS_MAX} are allowed")
    });
    scene.demand(launched.member.anchor.block().number == 0, || "its anchor is not its genesis".to_owned());

    let site = scene.sites.len() - 1;
    let pairs: Vec<_> =
        scene.pairs(|_| true).into_iter().filter(|(from, to)| *from == site || *to == site).collect();
    let traffic = Traffic::start(scene, &pairs, EACH, scene.block_time);
    let planned = traffic.count;
    scene.tell(format!("sending {EACH} messages along each of its {} lanes", pairs.len()));
    for lost in traffic.included().await {
        scene.violation(lost);
    }
    let books = scene.settle(&pairs, PATIENCE).await?;
    let tally = books.tally(&pairs);
    scene.tell(format!("{} of {planned} messages are executed", tally.executed));
    scene.demand(tally.sent == planned && tally.executed == planned, || {
        format!("{} of {planned} messages were sent, {} executed", tally.sent, tally.executed)
    });
    books.report(scene);

    let head = launched.head().await?;
    let (derived, equal) = launched.derived(scene, head).await?;
    scene.tell(format!(
        "rebuilt {} blocks from {} batches on L1 alone, executed again from genesis: {}",
        derived.blocks,
        derived.batches,
        if equal { "every hash is the same" } else { "NOT the same" }
    ));
    scene.demand(equal, || format!("what L1 has is not what the rollup made: {derived:?}"));

    let retired = launched.retire(scene).await?;
    let last = retired.get("final_number").and_then(Value::as_u64).unwrap_or_default();
    scene.tell(format!("retired: L1 keeps block {last}, the sequencer has stopped"));
    scene.demand(last >= head.number, || {
        format!("L1 keeps block {last}, block {} had everything that came of messages", head.number)
    });
    scene.demand(launched.head().await.is_err(), || "the sequencer still serves".to_owned());
    launched.stop().await;
    Ok(Figures::from_iter([
        ("sent".to_owned(), json!(tally.sent)),
        ("executed".to_owned(), json!(tally.executed)),
        ("duplicates".to_owned(), json!(tally.duplicates)),
        ("launch_to_certified_ms".to_owned(), json!(launch_ms)),
        ("launch_ms".to_owned(), json!(all_ms)),
        ("derived_equal".to_owned(), json!(equal)),
        ("derived_blocks".to_owned(), json!(derived.blocks)),
        ("retired_at".to_owned(), json!(last)),
    ]))
}

fn failed(what: &str, problem: impl ToString) -> DemoError {
    DemoError::Role { what: what.to_owned(), problem: problem.to_string() }
}

impl Launched {
    /// Launch; the scene has one more site from then on.
    async fn launch(scene: &mut Scene) -> Result<Self, DemoError> {
        const WHAT: &str = "hum rollup launch";
        let root = scene.network.path().with_file_name("");
        let dir = root.join(NAME);
        let secret: B256 = scene.network.dev_secret();
        let write = |name: &str, secret: B256| {
            let path = root.join(name);
            std::fs::write(&path, secret.to_string()).map_err(|error| failed("write a key", error))?;
            Ok::<_, DemoError>(path)
        };
        let account = write("launcher.key", secret)?;
        let owner = write("owner.key", scene.network.owner_secret())?;
        let mut command = Command::new(scene.network.hum());
        command.args(["rollup", "launch", NAME, "--json", "--foreground", "--block-time", "1000"]);
        for (flag, path) in [
            ("--network", scene.network.path()),
            ("--dir", dir.clone()),
            ("--account", account),
            ("--authority", owner),
        ] {
            command.arg(flag).arg(path);
        }
        let mut command = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(WHAT, error))?;
        let stdout = command.stdout.take().ok_or_else(|| failed(WHAT, "it has no output"))?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(LAUNCH, lines.next_line()).await;
        let Some(line) = line.ok().and_then(Result::ok).flatten() else {
            let _ = command.start_kill();
            let mut text = String::new();
            if let Some(mut stderr) = command.stderr.take() {
                let _ = stderr.read_to_string(&mut text).await;
            }
            return Err(failed(WHAT, text.trim()));
        };
        let said: Value = serde_json::from_str(&line).map_err(|error| failed(WHAT, error))?;

        let file = MemberFile::read(&dir.join("member.json")).map_err(|error| failed(WHAT, error))?;
        let member = file.member(&scene.checked).map_err(|error| failed(WHAT, error))?;
        let entry = &member.entry;
        let reader = RpcChain::new(&entry.rpc, entry.chain_id, RpcLimits::default())
            .map_err(|error| failed(WHAT, error))?;
        // The launcher's account has ether from genesis on.
        let policy = SubmitPolicy { in_flight_max: 1_024, poll_interval_ms: 500, ..SubmitPolicy::default() };
        let submit = RpcSubmit::new(reader.clone(), secret, policy)
            .ok_or_else(|| failed("use the dev account", "its secret is no key"))?;
        let publisher = PublisherConfig::load(&RoleDirectory::new(dir.join("publisher")))
            .map_err(|error| failed(WHAT, error))?;
        let facades = entry.gateways.facades();
        let site = Site {
            name: entry.name.clone(),
            chain_id: entry.chain_id,
            registration: entry.registration,
            reader: reader.clone(),
            submit,
            gateway: facades[scene.confidence as usize],
            inbox: inbox_address(facades),
            publisher_api: format!("http://{}", publisher.api),
        };
        let sites = Arc::get_mut(&mut scene.sites);
        sites.ok_or_else(|| failed("add the rollup", "somebody still sends messages"))?.push(site);
        Ok(Self { dir, member, reader, said, command })
    }

    async fn head(&self) -> Result<BlockRef, DemoError> {
        let read = |source| DemoError::Read { name: NAME.to_owned(), source };
        self.reader.head(Confidence::Latest).await.map_err(read)
    }

    /// Rebuild it from L1, once L1 has everything up to `head`; whether every hash is the chain's own.
    async fn derived(&self, scene: &Scene, head: BlockRef) -> Result<(Derived, bool), DemoError> {
        let entry = &self.member.entry;
        let Some(SettlementEntry::Batches { inbox, .. }) = entry.settlement else {
            return Err(failed("derive", "its profile names no inbox"));
        };
        let (inbox, registration) = (inbox.to_string(), entry.registration.0.to_string());
        let beacon = scene.network.l1.beacon_url();
        let (l1, genesis) = (scene.network.l1.rpc_url(), self.dir.join("genesis.json").display().to_string());
        let arguments = [
            "derive",
            "--json",
            "--l1-rpc",
            &l1,
            "--beacon",
            &beacon,
            "--inbox",
            &inbox,
            "--registration",
            &registration,
            "--genesis",
            &genesis,
        ];
        let derived = until(POSTED, async || {
            let derived: Derived = serde_json::from_value(rollup(scene, &arguments).await?)
                .map_err(|error| failed("hum rollup derive", error))?;
            let whole = derived.last.is_some_and(|last| last.number >= head.number);
            Ok(whole.then_some(derived))
        })
        .await?;
        let waited =
            || DemoError::Waited { what: format!("block {} on L1", head.number), seconds: POSTED.as_secs() };
        let derived = derived.ok_or_else(waited)?;
        // Every block hangs on the one before, down to the genesis: the last one's hash says it of all.
        let mut equal = derived.first.is_some_and(|first| first.number == 1)
            && derived.executed == derived.last.map(|last| last.number);
        for block in derived.first.into_iter().chain(derived.last) {
            let own = self.reader.block(At::Number(block.number)).await;
            let own = own.map_err(|source| DemoError::Read { name: NAME.to_owned(), source })?;
            equal &= own.is_some_and(|own| own.block == block);
        }
        Ok((derived, equal))
    }

    /// Retire; what the command said last.
    async fn retire(&mut self, scene: &Scene) -> Result<Value, DemoError> {
        let dir = self.dir.display().to_string();
        let arguments = ["retire", "--json", "--dir", &dir];
        let retiring = rollup(scene, &arguments);
        tokio::time::timeout(RETIRE, retiring).await.map_err(|_| DemoError::Waited {
            what: "hum rollup retire".to_owned(),
            seconds: RETIRE.as_secs(),
        })?
    }

    async fn stop(mut self) {
        let _ = self.command.start_kill();
        let _ = self.command.wait().await;
    }
}

/// A `hum rollup` command's last line.
async fn rollup(scene: &Scene, arguments: &[&str]) -> Result<Value, DemoError> {
    let mut command = Command::new(scene.network.hum());
    command.arg("rollup").args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let what = format!("hum rollup {}", arguments.first().copied().unwrap_or_default());
    let output = command.output().await.map_err(|error| failed(&what, error))?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    match stdout.trim().lines().last() {
        Some(line) if output.status.success() => {
            serde_json::from_str(line).map_err(|error| failed(&what, format!("{error}: {line}")))
        }
        _ => Err(failed(&what, String::from_utf8_lossy(&output.stderr).trim())),
    }
}
