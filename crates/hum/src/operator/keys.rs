//! `hum operator keys`: make, import and list the secrets of a directory.

use crate::{output, password::PasswordArgument};
use alloy_primitives::B256;
use eyre::{WrapErr as _, ensure, eyre};
use hum_node::config::{KdfCost, KeyForm, KeyName, Keystore, RoleDirectory, read_password};
use serde::Serialize;
use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum KeysCommand {
    /// Make the secrets that are missing, at random.
    New {
        #[command(flatten)]
        target: Target,
        /// Which: all that an operator needs when absent.
        names: Vec<Name>,
    },
    /// Take a secret from a keystore, or from a file with 32 bytes in hex (- for standard input).
    Import {
        #[command(flatten)]
        target: Target,
        /// Which.
        name: Name,
        /// Where from.
        file: PathBuf,
        /// The file whose first line opens the keystore that is imported, when it is not --password-file.
        #[arg(long, value_name = "FILE")]
        from_password_file: Option<PathBuf>,
    },
    /// Which secrets are there, and their public halves.
    List {
        /// The role's directory.
        #[arg(long)]
        dir: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// The role's directory.
    #[arg(long)]
    dir: PathBuf,
    #[command(flatten)]
    password: PasswordArgument,
    /// Do not encrypt: for local networks.
    #[arg(long)]
    plain: bool,
    /// Encrypt with little work, so that it opens at once: for tests.
    #[arg(long, conflicts_with = "plain")]
    light_kdf: bool,
}

/// Secrets of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Name {
    /// ed25519: identity on the network, vote in consensus.
    Network,
    /// BN254: attestations.
    Bls,
    /// secp256k1: the operator's account on L1.
    Account,
}

impl Name {
    const ALL: [Self; 3] = [Self::Network, Self::Bls, Self::Account];

    const fn key(self) -> KeyName {
        match self {
            Self::Network => KeyName::Network,
            Self::Bls => KeyName::Bls,
            Self::Account => KeyName::Account,
        }
    }
}

#[derive(Debug, Serialize)]
struct Listed {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    public: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

impl Target {
    fn write(&self, secrets: &[(KeyName, B256)]) -> eyre::Result<()> {
        let directory = RoleDirectory::new(&self.dir);
        let password = if self.plain { None } else { Some(self.password.choose()?) };
        let cost = if self.light_kdf { KdfCost::Light } else { KdfCost::Standard };
        for (name, secret) in secrets {
            match &password {
                Some(password) => directory.write_keystore(*name, *secret, password, cost)?,
                None => directory.write_key(*name, *secret)?,
            }
            let public = name.public_of(*secret).unwrap_or_default();
            println!("{:<8} {public}", name.stem());
        }
        Ok(())
    }
}

pub(super) fn run(command: &KeysCommand) -> eyre::Result<ExitCode> {
    match command {
        KeysCommand::New { target, names } => new(target, names),
        KeysCommand::Import { target, name, file, from_password_file } => {
            import(target, *name, file, from_password_file.as_deref())
        }
        KeysCommand::List { dir, json } => list(dir, *json),
    }
}

fn new(target: &Target, names: &[Name]) -> eyre::Result<ExitCode> {
    let directory = RoleDirectory::new(&target.dir);
    let mut secrets = Vec::new();
    for name in if names.is_empty() { &Name::ALL } else { names } {
        let key = name.key();
        if let Some(form) = directory.form_of(key)? {
            ensure!(names.is_empty(), "{} is there already", directory.key_path(key, form).display());
            continue;
        }
        secrets.push((key, key.random()));
    }
    if secrets.is_empty() {
        println!("every secret is there already");
        return Ok(ExitCode::SUCCESS);
    }
    target.write(&secrets)?;
    println!(
        "keep a copy of {} somewhere safe: nobody can make these again",
        target.dir.join("keys").display()
    );
    Ok(ExitCode::SUCCESS)
}

fn import(target: &Target, name: Name, file: &Path, from_password: Option<&Path>) -> eyre::Result<ExitCode> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().take(1 << 20).read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(file).wrap_err_with(|| format!("cannot read {}", file.display()))?;
    }
    let text = String::from_utf8_lossy(&bytes);
    let secret: B256 = if text.trim_start().starts_with('{') {
        let keystore = Keystore::parse(&bytes).wrap_err_with(|| file.display().to_string())?;
        let password = match from_password.or(target.password.password_file.as_deref()) {
            Some(path) => read_password(path)?,
            None => rpassword::prompt_password(format!("Password of {}: ", file.display()))
                .map(hum_node::config::Password::new)
                .wrap_err("pass --from-password-file, or run this from a terminal")?,
        };
        keystore.decrypt(&password).wrap_err_with(|| file.display().to_string())?
    } else {
        text.trim()
            .parse()
            .map_err(|_| eyre!("{} is neither a keystore nor 32 bytes in hex", file.display()))?
    };
    let key = name.key();
    ensure!(
        key.public_of(secret).is_some(),
        "{} holds no secret of the kind that {} needs",
        file.display(),
        key.stem()
    );
    target.write(&[(key, secret)])?;
    Ok(ExitCode::SUCCESS)
}

fn list(dir: &Path, json: bool) -> eyre::Result<ExitCode> {
    let directory = RoleDirectory::new(dir);
    ensure!(dir.is_dir(), "there is no directory {}", dir.display());
    let mut listed = Vec::new();
    for name in KeyName::ALL {
        let (form, fault) = match directory.form_of(name) {
            Ok(form) => (form, None),
            Err(error) => (None, Some(error.to_string())),
        };
        if form.is_none() && fault.is_none() {
            continue;
        }
        let (public, unreadable) = match directory.public_of(name) {
            Ok(public) => (public.filter(|public| !public.is_empty()), None),
            Err(error) => (None, Some(error.to_string())),
        };
        listed.push(Listed {
            name: name.stem(),
            public,
            encrypted: form.map(|form| form == KeyForm::Encrypted),
            fault: fault.or(unreadable),
        });
    }
    if json {
        output::json(&serde_json::json!({ "keys": listed }))?;
    } else {
        for key in &listed {
            let form = if key.encrypted == Some(true) { "encrypted" } else { "plain" };
            let public = key.fault.as_deref().or(key.public.as_deref()).unwrap_or_default();
            println!("{:<10} {form:<10} {public}", key.name);
        }
    }
    Ok(ExitCode::from(u8::from(listed.iter().any(|key| key.fault.is_some()))))
}
