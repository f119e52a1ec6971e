//! A network that `hum up` started, and that ends with the test, whatever fails.

use crate::{HUM, text};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a network may take until it is ready.
const READY: Duration = Duration::from_secs(15);
/// How long a network may take to stop.
pub(crate) const STOP: Duration = Duration::from_secs(15);
/// Lines of each log that are shown when a network does not get ready.
const LAST_LINES: usize = 8;

pub(crate) struct Up {
    pub(crate) child: Child,
    pub(crate) dir: TempDir,
    /// The network file.
    pub(crate) network: String,
}

impl Up {
    /// Start a network and wait until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let errors = fs::File::create(dir.path().join("up.log")).unwrap();
        let child = Command::new(HUM)
            .args(["up", "--json"])
            .args(arguments)
            .arg("--dir")
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            // A group of its own: its children can be ended with it.
            .process_group(0)
            .spawn()
            .unwrap();
        // Owned before anything can fail: whoever panics below still ends the processes.
        let mut up = Self { child, dir, network: String::new() };
        let ready = up.ready().unwrap_or_else(|problem| panic!("{problem}\n{}", up.last_words()));
        up.network = ready["network"].as_str().expect("the network file's path").to_owned();
        up
    }

    fn ready(&mut self) -> Result<Value, String> {
        let stdout = self.child.stdout.take().ok_or("its output is read already")?;
        let (sender, events) = mpsc::channel();
        // A thread reads, so that a silent network is noticed; it ends with the network.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let deadline = Instant::now() + READY;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line =
                events.recv_timeout(left).map_err(|error| format!("hum up did not get ready: {error}"))?;
            let event: Value =
                serde_json::from_str(&line).map_err(|error| format!("hum up said {line:?}: {error}"))?;
            if event["event"] == "ready" {
                return Ok(event);
            }
        }
    }

    /// The ends of all logs.
    fn last_words(&self) -> String {
        let mut logs = vec![self.dir.path().join("up.log")];
        let roles = fs::read_dir(self.dir.path()).into_iter().flatten().flatten();
        logs.extend(roles.map(|role| role.path().join("log")).filter(|log| log.exists()));
        logs.sort();
        let end = |log: PathBuf| {
            let contents = text(&fs::read(&log).unwrap_or_default());
            let lines: Vec<&str> = contents.lines().collect();
            let from = lines.len().saturating_sub(LAST_LINES);
            format!("== {}\n{}\n", log.display(), lines.get(from..).unwrap_or_default().join("\n"))
        };
        logs.into_iter().map(end).collect()
    }

    /// A role's directory.
    pub(crate) fn role(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What `role.json` says, for every role by name.
    pub(crate) fn roles(&self) -> Vec<(String, Value)> {
        let read = |path: &Path| serde_json::from_slice(&fs::read(path.join("role.json")).ok()?).ok();
        let entries = fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap());
        let named =
            entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, read(&entry.path())?)));
        named.collect()
    }

    /// Where its roles listen: nobody does once they have ended.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for (_, config) in self.roles() {
            let at = |field: &str| config[field].as_str().unwrap().parse::<SocketAddr>().unwrap();
            addresses.extend([at("api"), at("listen")]);
        }
        assert_eq!(
            addresses.len(),
            2 * (4 + 3 + 1 + 1),
            "four operators, three publishers, a relayer, a watcher"
        );
        addresses
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Politely first; then everyone who is left in the group, the parent's children too.
        if matches!(self.child.try_wait(), Ok(None)) {
            kill(&["-INT", &self.child.id().to_string()]);
            let deadline = Instant::now() + STOP;
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        kill(&["-KILL", "--", &format!("-{}", self.child.id())]);
        let _ = self.child.wait();
    }
}

/// The shell's `kill`; that nobody is left is no failure.
fn kill(arguments: &[&str]) {
    let command = format!("kill {}", arguments.join(" "));
    let _ = Command::new("sh").args(["-c", &command]).stderr(Stdio::null()).status();
}
