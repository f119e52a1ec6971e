//! Creation code out of the packages that peers publish: unpacked npm archives, nothing of them in this repository.

use alloy_primitives::{Bytes, hex};
use std::path::{Path, PathBuf};

/// A package that does not hold what is looked for.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A file cannot be read.
    #[error("{path}: {source}; unpack the packages with scripts/peers first")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file without creation code, or with another package's version.
    #[error("{path}: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// One unpacked package.
#[derive(Debug)]
pub(super) struct Package {
    root: PathBuf,
    /// `name@version`.
    pub(super) version: String,
}

impl Package {
    /// The package in `packages/directory`, which must be `name` of exactly `version`.
    pub(super) fn open(
        packages: &Path,
        directory: &str,
        name: &str,
        version: &str,
    ) -> Result<Self, PackageError> {
        let root = packages.join(directory);
        let path = root.join("package.json");
        let json: serde_json::Value = serde_json::from_str(&read(&path)?)
            .map_err(|error| PackageError::Content { path: path.clone(), problem: error.to_string() })?;
        let field = |key: &str| json.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
        let (expected, found) =
            (format!("{name}@{version}"), format!("{}@{}", field("name"), field("version")));
        if found != expected {
            let problem = format!("is {found}, figures are for {expected}");
            return Err(PackageError::Content { path, problem });
        }
        Ok(Self { root, version: expected })
    }

    /// The `bytecode` of a compiler artifact.
    pub(super) fn artifact(&self, file: &str) -> Result<Bytes, PackageError> {
        let path = self.root.join(file);
        let json: serde_json::Value = serde_json::from_str(&read(&path)?)
            .map_err(|error| PackageError::Content { path: path.clone(), problem: error.to_string() })?;
        code(path, json.get("bytecode").and_then(serde_json::Value::as_str))
    }

    /// The `_bytecode` of a generated factory.
    pub(super) fn factory(&self, file: &str) -> Result<Bytes, PackageError> {
        let path = self.root.join(file);
        let text = read(&path)?;
        let code_in = text.split_once("_bytecode = \"").and_then(|(_, rest)| rest.split_once('"'));
        code(path, code_in.map(|(code, _)| code))
    }
}

fn read(path: &Path) -> Result<String, PackageError> {
    std::fs::read_to_string(path).map_err(|source| PackageError::Read { path: path.to_owned(), source })
}

fn code(path: PathBuf, text: Option<&str>) -> Result<Bytes, PackageError> {
    let content = |problem: String| PackageError::Content { path: path.clone(), problem };
    let text = text.ok_or_else(|| content("holds no creation code".to_owned()))?;
    let code = hex::decode(text.trim()).map_err(|error| content(format!("creation code: {error}")))?;
    if code.is_empty() {
        return Err(content("holds no creation code".to_owned()));
    }
    Ok(code.into())
}
