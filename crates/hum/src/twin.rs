//! A second process under the keys of a running operator: how it finds out when no peer lets it in.
//!
//! Peers keep the first session of a key. Whoever they refuse asks the operators' APIs for a sign of the other process,
//! which only that process can make, and only now ([`hum_consensus::Presence`]).

use alloy::{primitives::Bytes, transports::http::reqwest};
use hum_consensus::{Presence, PublicKey, Twin};
use serde::Deserialize;
use std::time::Duration;

/// How long peers may take to say something before others are asked.
const ALONE: Duration = Duration::from_millis(1_500);
/// How long an API may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);

#[derive(Deserialize)]
struct Answer {
    sign: Bytes,
}

/// What the process that was started later says at its end.
pub(crate) fn sentence(key: &PublicKey, twin: Twin) -> eyre::Report {
    eyre::eyre!(
        "another process runs with this operator's network key ({key}) and has for {} s: this one stops and leaves it \
         alone. Run one process for each key; to move an operator, end the old process first",
        twin.up.as_secs()
    )
}

/// While no peer says anything, ask all APIs again and again. Never ends: consensus does, when there is a sign.
pub(crate) async fn look(presence: &Presence, me: &PublicKey, apis: &[String]) {
    let client = match reqwest::Client::builder().timeout(ANSWER_TIMEOUT).build() {
        Ok(client) => client,
        Err(error) => {
            tracing::warn!(%error, "operators' APIs cannot be asked");
            return std::future::pending().await;
        }
    };
    let path = format!("/presence/0x{me}/{}", presence.instance());
    loop {
        tokio::time::sleep(ALONE).await;
        if !presence.alone() {
            continue;
        }
        let asked = apis.iter().map(|api| {
            let request = client.get(format!("{api}{path}"));
            async move { request.send().await.ok()?.error_for_status().ok()?.json::<Answer>().await.ok() }
        });
        for answer in futures::future::join_all(asked).await.into_iter().flatten() {
            presence.hear(answer.sign.0);
        }
    }
}
