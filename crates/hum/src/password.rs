//! The password that opens keystores: from a file, or typed.

use eyre::{WrapErr as _, ensure};
use hum_node::config::{Password, RoleDirectory, read_password};
use std::{io::IsTerminal as _, path::PathBuf};

/// How keystores are opened; every command that needs secrets takes this.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PasswordArgument {
    /// The file whose first line opens the keystores; asked for at a terminal when absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

impl PasswordArgument {
    /// `directory`, able to open its keystores. Without keystores nothing is asked; without file and terminal they stay
    /// closed, and reading one says so.
    pub(crate) fn unlock(&self, directory: RoleDirectory) -> eyre::Result<RoleDirectory> {
        if !directory.needs_password()? {
            return Ok(directory);
        }
        match &self.password_file {
            Some(path) => Ok(directory.unlock(read_password(path)?)),
            None if std::io::stdin().is_terminal() => {
                let question = format!("Password of {}: ", directory.path().display());
                Ok(directory.unlock(ask(&question)?))
            }
            None => Ok(directory),
        }
    }

    /// A password for something new: typed twice.
    pub(crate) fn choose(&self) -> eyre::Result<Password> {
        if let Some(path) = &self.password_file {
            let password = read_password(path)?;
            ensure!(!password.is_empty(), "the first line of {} is empty", path.display());
            return Ok(password);
        }
        ensure!(
            std::io::stdin().is_terminal(),
            "a password is needed: pass --password-file, or run this from a terminal; --plain keeps the secret unencrypted"
        );
        let password = ask("New password: ")?;
        ensure!(!password.is_empty(), "an empty password protects nothing; --plain says that openly");
        ensure!(ask("Once more: ")? == password, "the two passwords differ; nothing was written");
        Ok(password)
    }
}

fn ask(question: &str) -> eyre::Result<Password> {
    rpassword::prompt_password(question).map(Password::new).wrap_err("the terminal gave no password")
}
