//! `hum doctor`: what is wrong with a role's directory, its machine, its L1 node and its registration, and what to do next.
//!
//! ```text
//! files ─▶ secrets ─▶ machine (disk, ports, clock, other processes) ─▶ L1 ─▶ registration
//! ```
//!
//! It changes nothing (a probe file is written and removed), looks at everything it can reach even after a fault, and
//! names each fault with one word that never changes.

mod clock;
mod files;
mod finding;
mod l1;
mod machine;

use crate::{network::block_on, output, password::PasswordArgument};
use files::Files;
use finding::{Finding, Health};
use hum_node::config::RoleDirectory;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArguments {
    /// The role's directory.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    password: PasswordArgument,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &DoctorArguments) -> eyre::Result<ExitCode> {
    let plain = RoleDirectory::new(&arguments.dir);
    // A directory whose secrets cannot even be listed is a finding, not an end.
    let (directory, closed) = match arguments.password.unlock(plain.clone()) {
        Ok(directory) => (directory, None),
        Err(error) => (plain, Some(format!("{error:#}"))),
    };
    let mut findings = block_on(async { Ok(examine(&directory).await) })?;
    findings.extend(closed.map(|what| {
        let next = "chmod 600 the password file, or name another one with --password-file";
        Finding::fault("password file", "password-file", what, next)
    }));
    let faults = findings.iter().filter(|finding| finding.health == Health::Fault).count();
    if arguments.json {
        output::json(&serde_json::json!({ "healthy": faults == 0, "faults": faults, "findings": findings }))?;
    } else {
        findings.iter().for_each(Finding::print);
        match faults {
            0 => println!("nothing is wrong"),
            1 => println!("1 fault"),
            _ => println!("{faults} faults"),
        }
    }
    Ok(ExitCode::from(u8::from(faults > 0)))
}

/// Everything, in an order in which the first fault is most often the cause of the others.
async fn examine(directory: &RoleDirectory) -> Vec<Finding> {
    let mut findings = Vec::new();
    let files = Files::read(directory, &mut findings);
    machine::disk(directory, &mut findings);
    machine::index(directory, &files, &mut findings);
    if let Some(role) = &files.role {
        machine::process(directory, role, &mut findings).await;
    }
    if let Some(network) = &files.network {
        clock::check(&files, network, &mut findings).await;
        l1::check(&files, network, &mut findings).await;
    }
    findings
}

#[cfg(test)]
mod tests;
