//! Follows the operators' APIs, and believes what a certificate covers.

use super::Heads;
use crate::api::CertificateFile;
use alloy::transports::http::reqwest;
use futures::future::try_join_all;
use hum_bls::Certificate;
use hum_ledger::Genesis;
use hum_relay::{CertifiedChain, OfferError, Offered};
use hum_types::{Bytes, ChainId, Checkpoint, Decode as _, Height};
use serde::de::DeserializeOwned;
use std::{collections::BTreeSet, time::Duration};
use tokio::sync::watch;

/// A gap above this many heights is closed by certificates in between.
const STRIDE: u64 = 256;
/// Checkpoints that are asked for at once.
const ASKED_AT_ONCE: u64 = 16;
/// A certificate farther above than this is of no use: checkpoints up there are not held.
const AHEAD_MAX: u64 = 1024;
/// The most bytes of one answer: a checkpoint's bytes as hexadecimal digits, with room to spare.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Whom to follow, and how.
#[derive(Debug, Clone)]
pub struct FollowSettings {
    /// Where the network begins.
    pub genesis: Genesis,
    /// Whose heads to follow.
    pub chain_id: ChainId,
    /// The operators' APIs; asked in turn.
    pub apis: Vec<String>,
    /// How long an operator may take to answer.
    pub answer_timeout: Duration,
    /// How soon to ask again when there was nothing new.
    pub pause: Duration,
}

/// Why an operator's answer led nowhere.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error("{api} does not answer: {source}")]
    Silent { api: String, source: reqwest::Error },
    #[error("{api} answers with more than {limit} bytes")]
    Long { api: String, limit: usize },
    #[error("{api} answers with what is no {what}: {reason}")]
    Unreadable { api: String, what: &'static str, reason: String },
    #[error("{api}: {source}")]
    Offer { api: String, source: OfferError },
    #[error("{api} lacks what is needed to go on from height {height}")]
    Lacks { api: String, height: Height },
}

struct Follower {
    http: reqwest::Client,
    chain: CertifiedChain,
}

/// Follow until the process ends. Heads are published with every newer certificate; once the committee is found to
/// have lied, its lie is, and nothing else any more.
pub async fn follow(settings: FollowSettings, http: reqwest::Client, heads: watch::Sender<Heads>) {
    let FollowSettings { genesis, chain_id, apis, answer_timeout, pause } = settings;
    // No messages are kept: nothing is delivered from here.
    let mut follower = Follower { http, chain: CertifiedChain::new(&genesis, BTreeSet::new()) };
    let mut turn = 0_usize;
    let mut silent = false;
    loop {
        let api = apis.get(turn % apis.len().max(1)).map_or("", String::as_str);
        match follower.step(api, answer_timeout).await {
            Ok(advanced) => {
                silent = false;
                if advanced {
                    if let Some(now) = Heads::of(&follower.chain, chain_id) {
                        heads.send_replace(now);
                    }
                    continue;
                }
                // It may lag or be stuck: the next may have more.
                turn = turn.wrapping_add(1);
            }
            Err(FollowError::Offer { source, .. }) if source.is_committees() => {
                tracing::error!(error = %source, "the committee certified a lie: no head is believed any more");
                heads.send_modify(|heads| heads.lie = Some(source.to_string()));
                return;
            }
            Err(error) => {
                // Once for each silence: who is asked next may do better.
                if !silent {
                    tracing::warn!(%error, "an operator does not lead on; the next is asked");
                }
                silent = true;
                turn = turn.wrapping_add(1);
            }
        }
        tokio::time::sleep(pause).await;
    }
}

impl Follower {
    /// Ask one operator for the next certificate and for what it covers. Whether the chain advanced.
    async fn step(&mut self, api: &str, timeout: Duration) -> Result<bool, FollowError> {
        let offer = |source| FollowError::Offer { api: api.to_owned(), source };
        let mut advanced = false;
        // What an operator before this one left open comes first.
        if self.chain.missing().is_none() {
            let Some(certificate) = self.certificate(api, timeout).await? else { return Ok(false) };
            advanced = self.chain.certify(certificate).map_err(offer)? == Offered::Advanced;
        }
        while let Some((from, to)) = self.chain.missing() {
            let page = Height(to.0.saturating_sub(ASKED_AT_ONCE - 1)).max(from);
            // From the top: what stands right below a certificate can be told from what does not.
            let heights = (page.0..=to.0).rev().map(Height);
            let asked = heights.map(|height| checkpoint(&self.http, api, height, timeout));
            for checkpoint in try_join_all(asked).await? {
                advanced |= self.chain.offer(checkpoint).map_err(offer)? == Offered::Advanced;
            }
            // An operator that serves other checkpoints than the certificate's leaves the gap as it was.
            if self.chain.missing() == Some((from, to)) {
                return Err(FollowError::Lacks { api: api.to_owned(), height: to });
            }
        }
        Ok(advanced)
    }

    /// The certificate that leads on: one far above, or else the next.
    async fn certificate(&self, api: &str, timeout: Duration) -> Result<Option<Certificate>, FollowError> {
        let newest = self.chain.header().height;
        let state = self.chain.archive().newest();
        let terms = state.terms();
        // Above the end of an epoch sign those whom we do not know yet; epochs end with terms.
        let closing = terms.closing_of(terms.term_of(state.next_height()));
        let far = Height(newest.0.saturating_add(STRIDE)).min(closing);
        for at_or_above in [far, Height(newest.0.saturating_add(1))] {
            let path = format!("/certificates/{at_or_above}");
            let file: Option<CertificateFile> = ask(&self.http, api, &path, "certificate", timeout).await?;
            let usable = |certificate: &Certificate| {
                certificate.epoch <= state.epoch()
                    && certificate.height.0 <= newest.0.saturating_add(AHEAD_MAX)
            };
            if let Some(certificate) = file.map(|file| file.certificate).filter(usable) {
                return Ok(Some(certificate));
            }
        }
        Ok(None)
    }
}

/// The checkpoint of a height as this operator has it.
async fn checkpoint(
    http: &reqwest::Client,
    api: &str,
    height: Height,
    timeout: Duration,
) -> Result<Checkpoint, FollowError> {
    let path = format!("/checkpoints/{height}/bytes");
    let bytes: Option<Bytes> = ask(http, api, &path, "checkpoint", timeout).await?;
    let bytes = bytes.ok_or_else(|| FollowError::Lacks { api: api.to_owned(), height })?;
    Checkpoint::decode(&bytes).map_err(|error| FollowError::Unreadable {
        api: api.to_owned(),
        what: "checkpoint",
        reason: error.to_string(),
    })
}

/// One question to one operator; `None` when it does not have it.
async fn ask<T: DeserializeOwned>(
    http: &reqwest::Client,
    api: &str,
    path: &str,
    what: &'static str,
    timeout: Duration,
) -> Result<Option<T>, FollowError> {
    let silent = |source| FollowError::Silent { api: api.to_owned(), source };
    let mut answer = http.get(format!("{api}{path}")).timeout(timeout).send().await.map_err(silent)?;
    if answer.status() == reqwest::StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if let Err(source) = answer.error_for_status_ref() {
        return Err(silent(source));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(silent)? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(FollowError::Long { api: api.to_owned(), limit: ANSWER_BYTES_MAX });
        }
        bytes.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| FollowError::Unreadable {
        api: api.to_owned(),
        what,
        reason: error.to_string(),
    })
}
