//! A node on a real port that answers what a real one once answered: [`hum_chain::replay::LABEL`].
//!
//! For stacks whose nodes cannot run here. What is shown by way of it must carry the label.

use axum::{Json, Router, extract::State, routing::post};
use hum_chain::replay::{Recording, RecordingError};
use hum_types::{ChainId, Confidence};
use serde_json::Value;
use std::{fs, io, net::Ipv4Addr, path::Path, sync::Arc};
use tokio::{net::TcpListener, task::JoinHandle};

/// Why no recorded node could be started.
#[derive(Debug, thiserror::Error)]
pub enum ReplayedError {
    /// A file or the port.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file that is no JSON.
    #[error("{file}: {source}")]
    Json {
        /// The file.
        file: String,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// The recording lacks the block that was to be its head.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// A recorded node; it ends when this is dropped.
#[derive(Debug)]
pub struct ReplayedNode {
    url: String,
    server: JoinHandle<()>,
}

impl ReplayedNode {
    /// Serve a recording on a port of its own.
    pub async fn serve(recording: Recording) -> Result<Self, ReplayedError> {
        let failed = |source| ReplayedError::Io { what: "a port of its own".to_owned(), source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let routes = Router::new().route("/", post(answer)).with_state(Arc::new(recording));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "recorded node ended");
            }
        });
        Ok(Self { url, server })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for ReplayedNode {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(recording): State<Arc<Recording>>, Json(request): Json<Value>) -> Json<Value> {
    Json(recording.answer(&request))
}

/// Read the exchanges of one chain among the `.json` files of a folder. Block `head` stands for the newest, and for
/// `safe` and `finalized` too when the chain is to look settled.
pub fn load(folder: &Path, chain_id: ChainId, head: u64, settled: bool) -> Result<Recording, ReplayedError> {
    let io = |what: &Path| {
        let what = what.display().to_string();
        |source| ReplayedError::Io { what, source }
    };
    let mut recording = Recording::new(chain_id);
    let mut files: Vec<_> = fs::read_dir(folder)
        .map_err(io(folder))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    for path in files {
        let text = fs::read_to_string(&path).map_err(io(&path))?;
        let exchange: Value = serde_json::from_str(&text)
            .map_err(|source| ReplayedError::Json { file: path.display().to_string(), source })?;
        // Other chains and other shapes lie in the same folder; what a recording cannot use, it leaves out.
        if exchange["chain"]["chain_id"] == chain_id.0 {
            match recording.add(&exchange) {
                Ok(()) | Err(RecordingError::NoRequest | RecordingError::NoResult) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    recording.set_head(Confidence::Latest, head)?;
    if settled {
        recording.set_head(Confidence::Safe, head)?;
        recording.set_head(Confidence::Finalized, head)?;
    }
    Ok(recording)
}

#[cfg(test)]
mod tests;
