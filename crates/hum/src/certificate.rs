//! `hum certificate show|verify`: fetch a certificate, and check one without asking anybody.

use crate::{
    network::{NetworkArgument, block_on},
    output,
};
use eyre::eyre;
use hum_bls::Certificate;
use hum_node::{
    api::{CertificateFile, class_in_words},
    config::{Network, NetworkFile},
};
use hum_types::{Bytes, ChainId, Class, Decode as _, Header};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum CertificateCommand {
    /// The certificate that covers HEIGHT, as a file that `verify` reads.
    Show {
        #[command(flatten)]
        network: NetworkArgument,
        /// The checkpoint's height.
        height: u64,
    },
    /// Check the certificate in FILE against the committee in the network file, offline; exit 0 valid, 1 invalid, 2
    /// unreadable.
    Verify {
        /// A file that `hum certificate show` wrote.
        file: PathBuf,
        /// The network file with the committee.
        #[arg(long, env = "HUM_NETWORK", default_value = "hum-local/network.json")]
        network: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Serialize)]
struct Answer {
    valid: bool,
    reason: Option<String>,
    height: Option<u64>,
    epoch: Option<u64>,
    header_hash: Option<String>,
    signers: Option<usize>,
    signed_stake: Option<String>,
    total_stake: Option<String>,
    /// What the header commits to, by the network file: never one class as the other.
    rollups: Vec<Covered>,
}

/// A rollup that headers commit to, and how its heads are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Covered {
    chain_id: ChainId,
    name: String,
    class: Class,
    known_by: &'static str,
}

impl Covered {
    fn new(chain_id: ChainId, name: &str, class: Class) -> Self {
        Self { chain_id, name: name.to_owned(), class, known_by: class_in_words(class) }
    }

    fn all(network: &Network) -> Vec<Self> {
        let members = network.members();
        let entries = members.iter().map(|member| &member.entry);
        entries.map(|entry| Self::new(entry.chain_id, &entry.name, entry.class)).collect()
    }
}

impl std::fmt::Display for Covered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rollup {} (chain {}): {}", self.name, self.chain_id, self.known_by)
    }
}

pub(crate) fn run(command: &CertificateCommand) -> eyre::Result<ExitCode> {
    match command {
        CertificateCommand::Show { network, height } => block_on(async {
            let client = network.open()?;
            let file: CertificateFile = client.ask(&format!("/certificates/{height}")).await?.ok_or_else(|| {
                eyre!("no certificate covers height {height} yet; `hum checkpoint list` shows which are certified")
            })?;
            output::json(&file)?;
            // Beside the file, not in it: whoever checks the file has a network file, too.
            for covered in Covered::all(&client.network) {
                eprintln!("{covered}");
            }
            Ok(ExitCode::SUCCESS)
        }),
        CertificateCommand::Verify { file, network, json } => verify(file, network, *json),
    }
}

fn verify(file: &Path, network: &Path, json: bool) -> eyre::Result<ExitCode> {
    let (answer, code) = match read(file, network) {
        Ok((header, certificate, network)) => match Certificate::decode(&certificate) {
            Ok(certificate) => judge(&CertificateFile { header, certificate }, &network),
            Err(error) => (refusal(format!("certificate: {error}")), 1),
        },
        Err(reason) => (refusal(reason.to_string()), 2),
    };
    if json {
        output::json(&answer)?;
    } else {
        match (&answer.reason, &answer.height, &answer.signed_stake, &answer.total_stake) {
            (None, Some(height), Some(signed), Some(total)) => {
                println!(
                    "valid: height {height}, {} signers with {signed} of {total} stake",
                    answer.signers.unwrap_or_default()
                );
                for covered in &answer.rollups {
                    println!("{covered}");
                }
            }
            (reason, ..) => {
                let word = if code == 2 { "unreadable" } else { "invalid" };
                println!("{word}: {}", reason.as_deref().unwrap_or_default());
            }
        }
    }
    Ok(ExitCode::from(code))
}

/// The parts of a [`CertificateFile`], the certificate still as bytes: those that are no certificate make it invalid,
/// not unreadable.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    header: Header,
    certificate: Bytes,
}

fn read(file: &Path, network: &Path) -> eyre::Result<(Header, Bytes, Network)> {
    let text = std::fs::read_to_string(file).map_err(|error| eyre!("{}: {error}", file.display()))?;
    let Parts { header, certificate } =
        serde_json::from_str(&text).map_err(|error| eyre!("{}: {error}", file.display()))?;
    Ok((header, certificate, NetworkFile::load(network)?))
}

fn judge(file: &CertificateFile, network: &Network) -> (Answer, u8) {
    let (header, certificate) = (file.header, &file.certificate);
    let hash = header.hash();
    if certificate.header_hash != hash {
        return (
            refusal(format!(
                "the certificate is about {}, the header hashes to {hash}",
                certificate.header_hash
            )),
            1,
        );
    }
    if (certificate.height, certificate.epoch, header.domain) != (header.height, header.epoch, network.domain)
    {
        return (refusal("height, epoch or domain of header, certificate and network differ".to_owned()), 1);
    }
    match certificate.clone().verify(network.committee.table(), network.domain) {
        Ok(verified) => {
            let table = network.committee.table();
            let answer = Answer {
                valid: true,
                reason: None,
                height: Some(header.height.0),
                epoch: Some(header.epoch.0),
                header_hash: Some(hash.to_string()),
                signers: Some(verified.certificate().signers.count()),
                signed_stake: Some(table.signed_stake(&verified.certificate().signers).to_string()),
                total_stake: Some(table.total_stake().to_string()),
                rollups: Covered::all(network),
            };
            (answer, 0)
        }
        Err(error) => (refusal(error.to_string()), 1),
    }
}

const fn refusal(reason: String) -> Answer {
    Answer {
        valid: false,
        reason: Some(reason),
        height: None,
        epoch: None,
        header_hash: None,
        signers: None,
        signed_stake: None,
        total_stake: None,
        rollups: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
