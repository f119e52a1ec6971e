//! Disk, index, ports, and other processes.

use super::{
    files::{Files, RoleFile},
    finding::Finding,
};
use alloy::transports::http::reqwest;
use hum_node::{
    api::Index,
    config::{DirectoryError, RoleDirectory},
};
use serde_json::Value;
use std::{
    fs,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    time::Duration,
};

/// What a role writes in an hour or two at its busiest; with less room than that somebody should act now.
const ROOM_BYTES: usize = 16 << 20;
/// How long a process on this machine may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Write some megabytes and remove them.
pub(super) fn disk(directory: &RoleDirectory, findings: &mut Vec<Finding>) {
    const CHECK: &str = "disk";
    let data = directory.data();
    if !directory.path().is_dir() {
        return;
    }
    let path = data.join("doctor.probe");
    let written = fs::create_dir_all(&data).and_then(|()| probe(&path));
    // Whatever was written must not make a full disk fuller.
    let _ = fs::remove_file(&path);
    findings.push(match written {
        Ok(()) => Finding::good(CHECK, format!("{} takes what is written", data.display())),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Finding::fault(
            CHECK,
            "disk-full",
            format!("less than {} MiB are free at {}", ROOM_BYTES >> 20, data.display()),
            "make room; what the role keeps must not be deleted",
        ),
        Err(error) => Finding::fault(
            CHECK,
            "disk-not-writable",
            format!("{} cannot be written: {error}", data.display()),
            "give the directory to the user that runs the role, on a disk that is mounted for writing",
        ),
    });
}

fn probe(path: &Path) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    let chunk = [0_u8; 1 << 16];
    for _ in 0..ROOM_BYTES / chunk.len() {
        file.write_all(&chunk)?;
    }
    // A device takes no sync and needs none.
    if file.metadata()?.is_file() { file.sync_all() } else { Ok(()) }
}

/// The operator's index for people.
pub(super) fn index(directory: &RoleDirectory, files: &Files, findings: &mut Vec<Finding>) {
    const CHECK: &str = "index";
    let path = directory.path().join("index.sqlite");
    let is_operator = files.role.as_ref().is_some_and(|role| role.operator.is_some());
    if !is_operator || !path.exists() {
        return;
    }
    let read = Index::open(&path).and_then(|index| {
        index.newest()?;
        index.checkpoints(8)?;
        index.messages(8)
    });
    findings.push(match read {
        Ok(_) => Finding::good(CHECK, "readable"),
        Err(error) => Finding::fault(
            CHECK,
            "index-broken",
            format!("{}: {error}", path.display()),
            "stop the operator and delete it: it is for people only, and begins again with what comes",
        ),
    });
}

/// Whether the role runs here, and whether its ports are its own.
pub(super) async fn process(directory: &RoleDirectory, role: &RoleFile, findings: &mut Vec<Finding>) {
    const CHECK: &str = "process";
    match directory.lock() {
        Ok(lock) => {
            drop(lock);
            findings.push(Finding::good(CHECK, "nobody runs from this directory"));
            for (what, address) in [("peers", role.listen), ("the API", role.api)] {
                findings.push(port_is_free(what, address));
            }
        }
        Err(DirectoryError::Held { holder, .. }) => {
            let status = status(role.api).await;
            let says = status.as_ref().and_then(|status| status["role"].as_str());
            if says == Some(role.role) {
                findings.push(Finding::good(CHECK, format!("{holder} runs the {} from here", role.role)));
                findings.push(port_is_open(role.listen));
            } else {
                findings.push(Finding::fault(
                    CHECK,
                    "directory-held",
                    format!(
                        "{holder} holds this directory, and no {} answers at http://{}",
                        role.role, role.api
                    ),
                    "see what that process is; end it, or wait for it, before you start the role",
                ));
            }
        }
        Err(error) => findings.push(Finding::fault(
            CHECK,
            "disk-not-writable",
            error.to_string(),
            "give the directory to the user that runs the role",
        )),
    }
}

async fn status(api: SocketAddr) -> Option<Value> {
    let http = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).build().ok()?;
    http.get(format!("http://{}/status", local(api))).send().await.ok()?.json().await.ok()
}

/// Where this machine reaches what listens on `address`.
fn local(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}

fn port_is_free(what: &str, address: SocketAddr) -> Finding {
    const CHECK: &str = "port";
    match TcpListener::bind(address) {
        Ok(_) => Finding::good(CHECK, format!("{address} is free for {what}")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Finding::fault(
            CHECK,
            "port-taken",
            format!("another process has {address}, which is for {what}"),
            format!(
                "see which one with `ss -ltnp 'sport = :{}'`; end it, or choose another port in role.json",
                address.port()
            ),
        ),
        Err(error) => Finding::fault(
            CHECK,
            "port-unusable",
            format!("{address}, which is for {what}, cannot be listened on: {error}"),
            "listen on an address of this machine; say with `endpoint` where peers reach it from outside",
        ),
    }
}

fn port_is_open(address: SocketAddr) -> Finding {
    const CHECK: &str = "port";
    match TcpStream::connect_timeout(&local(address), ANSWER_TIMEOUT) {
        Ok(_) => Finding::good(CHECK, format!("{address} accepts connections")),
        Err(error) => Finding::fault(
            CHECK,
            "port-closed",
            format!("the role runs, and {address} accepts no connection: {error}"),
            "look into its log for why it does not listen; a firewall on this machine may also refuse",
        ),
    }
}
