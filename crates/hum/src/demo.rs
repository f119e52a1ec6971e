//! `hum demo`: a scenario on a throw-away network, told as it goes, judged at the end.

use crate::{message, output};
use eyre::{WrapErr as _, bail, ensure};
use hum_devnet::demo::{self, DemoConfig, Report, Scenario};
use hum_types::Confidence;
use serde_json::{Value, json};
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::signal::unix::{SignalKind, signal};

/// How long processes that were told to end may still write into the directory that is removed.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(5);
/// What shells report for a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[derive(Debug, clap::Args)]
pub(crate) struct DemoArguments {
    /// hello: messages between all rollups, and how long they take. liar: sequencers that sign false blocks. crash:
    /// processes killed under load. poison: nodes that serve a fork which nobody signed. reorg: a sequencer that takes
    /// blocks back, and one that contradicts itself. rotate: operators join and leave, a light client sleeps. slash: an
    /// operator attests two headers and loses its stake. sequencer-equivocation: a sequencer loses its bond.
    /// triangle: an OP-rules rollup, an Ethereum-rules one and one with four blocks a second.
    /// join: anvil becomes a member of a running network. leave: it goes again with a thousand messages under way.
    /// launch: a new rollup that is a member from its first block, rebuilt from L1 alone, and retired.
    #[arg(value_parser = scenario, value_name = "hello|liar|crash|poison|reorg|rotate|slash|sequencer-equivocation|triangle|join|leave|launch")]
    name: Scenario,
    /// Chooses payloads, times and victims; printed back. Chosen by the clock when missing.
    #[arg(long)]
    seed: Option<u64>,
    /// Milliseconds between blocks; one value for all rollups, or one for each, with commas.
    #[arg(long, default_value = "1000", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(50..=60_000))]
    block_time: Vec<u64>,
    /// Which gateway hello sends through: how settled a source block must be before its messages are delivered.
    #[arg(long, default_value = "latest", value_name = "latest|safe|finalized", value_parser = message::confidence)]
    confidence: Confidence,
    /// Print only one JSON object; the story goes to stderr.
    #[arg(long)]
    json: bool,
}

fn scenario(name: &str) -> Result<Scenario, String> {
    Scenario::ALL.into_iter().find(|scenario| scenario.name() == name).ok_or_else(|| {
        let known = Scenario::ALL.map(Scenario::name).join(", ");
        format!("no demonstration is called {name}; there are {known}")
    })
}

pub(crate) fn run(arguments: &DemoArguments) -> eyre::Result<ExitCode> {
    ensure!(
        arguments.confidence == Confidence::Latest || arguments.name == Scenario::Hello,
        "{} is about messages at latest; only hello takes --confidence {}",
        arguments.name.name(),
        arguments.confidence
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let code = runtime.block_on(play(arguments));
    // Chains keep threads of their own; what they still do is of no use to anybody.
    runtime.shutdown_background();
    code
}

/// How a demonstration came to its end.
enum Ended {
    Judged(Report),
    Failed(eyre::Report),
    Interrupted,
}

async fn play(arguments: &DemoArguments) -> eyre::Result<ExitCode> {
    let (name, start, json) = (arguments.name.name(), Instant::now(), arguments.json);
    let seed = arguments.seed.unwrap_or_else(clock_seed);
    let unfinished = |why: String| {
        let ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        json!({ "demo": name, "ok": false, "violations": [why], "seed": seed, "ms": ms })
    };
    let dir = match throw_away(name) {
        Ok(dir) => dir,
        Err(error) => {
            output::json(&unfinished(format!("not carried out: {}", in_one_line(&error))))?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let tell = Arc::new(move |line: &str| {
        let line = format!("{:>6.1} s  {line}", start.elapsed().as_secs_f64());
        if json { eprintln!("{line}") } else { println!("{line}") }
    });
    tell(&format!("{name}, seed {seed}"));
    let config = DemoConfig {
        dir: dir.clone(),
        hum: std::env::current_exe().wrap_err("cannot find my own binary")?,
        seed,
        block_time_ms: arguments.block_time.clone(),
        confidence: arguments.confidence,
        tell: tell.clone(),
    };
    let mut terminated = signal(SignalKind::terminate())?;
    let ended = tokio::select! {
        played = demo::run(arguments.name, config) => match played {
            Ok(report) => Ended::Judged(report),
            Err(error) => Ended::Failed(error.into()),
        },
        // What was started ends with the scene that is dropped here.
        interrupted = tokio::signal::ctrl_c() => { interrupted?; Ended::Interrupted }
        _ = terminated.recv() => Ended::Interrupted,
    };
    let kept = match &ended {
        Ended::Judged(report) => !report.ok,
        Ended::Failed(_) => true,
        Ended::Interrupted => false,
    };
    if kept {
        tell(&format!("it did not go as it must; the logs are under {}", dir.display()));
    } else {
        remove(&dir).await?;
    }
    let (mut line, code) = match ended {
        Ended::Judged(report) => (serde_json::to_value(&report)?, u8::from(!report.ok)),
        Ended::Failed(error) => (unfinished(format!("not carried out: {}", in_one_line(&error))), 1),
        Ended::Interrupted => (unfinished("interrupted before its end".to_owned()), INTERRUPTED),
    };
    if kept && let Some(fields) = line.as_object_mut() {
        fields.insert("logs".to_owned(), Value::from(dir.display().to_string()));
    }
    output::json(&line)?;
    Ok(ExitCode::from(code))
}

/// An error and its causes.
fn in_one_line(error: &eyre::Report) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn clock_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // Short enough to be typed again.
    since.as_micros().try_into().unwrap_or(u64::MAX) % 1_000_000_000
}

/// A new directory that nobody else uses.
fn throw_away(name: &str) -> eyre::Result<PathBuf> {
    for attempt in 0..100 {
        let dir = std::env::temp_dir().join(format!("hum-demo-{name}-{}-{attempt}", std::process::id()));
        match fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).wrap_err_with(|| format!("cannot make {}", dir.display())),
        }
    }
    bail!("{} is full of earlier demonstrations; remove hum-demo-*", std::env::temp_dir().display())
}

/// Remove a directory into which processes that end may still write.
async fn remove(dir: &Path) -> eyre::Result<()> {
    let deadline = Instant::now() + REMOVE_TIMEOUT;
    loop {
        match fs::remove_dir_all(dir) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                ensure!(Instant::now() < deadline, "cannot remove {}: {error}", dir.display());
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
