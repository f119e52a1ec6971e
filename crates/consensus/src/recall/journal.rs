//! What this disk knows of a term: read before its engine runs.

use crate::Digest;
use commonware_codec::Encode as _;
use commonware_consensus::{
    Viewable as _,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Artifact, Certificate, Finalization, Vote},
    },
};
use commonware_cryptography::certificate::Verifier as _;
use commonware_runtime::{Metrics, ReadOptions, Storage, buffer::paged::CacheRef};
use commonware_storage::journal::{
    Error,
    segmented::variable::{Config, Journal},
};
use commonware_utils::NZUsize;

/// What the journal of a term holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    /// Whether it holds anything at all.
    pub(super) any: bool,
    /// The highest view in which it has a vote of ours; 0 for none.
    pub(super) voted: u64,
    /// The votes of that view.
    pub(super) votes: Vec<Vote<Scheme, Digest>>,
    /// The certificate of the highest view.
    pub(super) certificate: Option<Certificate<Scheme, Digest>>,
    /// The finalization of the highest view.
    pub(super) finalization: Option<Finalization<Scheme, Digest>>,
}

impl Own {
    /// No vote is ever cast at or below this view: the engine begins above what is final.
    pub(super) fn finalized(&self) -> u64 {
        self.finalization.as_ref().map_or(0, |finalization| finalization.view().get())
    }

    /// The highest view that the engine knows to be behind.
    pub(crate) fn highest(&self) -> u64 {
        self.voted.max(self.finalized())
    }

    /// Whether the engine that begins with this journal could contradict a vote.
    pub(super) fn endangers(&self, vote: &Vote<Scheme, Digest>) -> bool {
        let view = vote.view().get();
        view > self.finalized() && (view > self.voted || view == self.voted && !self.has(vote))
    }

    fn has(&self, vote: &Vote<Scheme, Digest>) -> bool {
        self.votes.iter().any(|own| own.encode() == vote.encode())
    }

    fn take(&mut self, artifact: Artifact<Scheme, Digest>) {
        self.any = true;
        match artifact {
            Artifact::Notarize(vote) => self.vote(Vote::Notarize(vote)),
            Artifact::Nullify(vote) => self.vote(Vote::Nullify(vote)),
            Artifact::Finalize(vote) => self.vote(Vote::Finalize(vote)),
            Artifact::Notarization(found) => self.certified(Certificate::Notarization(found)),
            Artifact::Nullification(found) => self.certified(Certificate::Nullification(found)),
            Artifact::Finalization(found) => {
                if found.view().get() > self.finalized() {
                    self.finalization = Some(found.clone());
                }
                self.certified(Certificate::Finalization(found));
            }
            Artifact::Certification(..) => {}
        }
    }

    fn vote(&mut self, vote: Vote<Scheme, Digest>) {
        let view = vote.view().get();
        if view > self.voted {
            (self.voted, self.votes) = (view, Vec::new());
        }
        if view == self.voted {
            self.votes.push(vote);
        }
    }

    fn certified(&mut self, found: Certificate<Scheme, Digest>) {
        if self.certificate.as_ref().is_none_or(|last| last.view() < found.view()) {
            self.certificate = Some(found);
        }
    }
}

/// Reads the journal in `partition`, as Simplex will. What is not there was never written.
pub(crate) async fn read<E: Storage + Metrics>(
    context: E,
    partition: String,
    scheme: &Scheme,
    pages: CacheRef,
) -> Result<Own, Error> {
    let mut own = Own::default();
    if context.scan(&partition).await.is_err() {
        return Ok(own);
    }
    let config = Config {
        partition,
        compression: None,
        codec_config: scheme.certificate_codec_config(),
        page_cache: pages,
        write_buffer: NZUsize!(1 << 16),
    };
    let journal = Journal::<_, Artifact<Scheme, Digest>>::init(context, config).await?;
    let mut replay = journal.replay(0, 0, NZUsize!(1 << 16), ReadOptions::DONT_CACHE).await?;
    while let Some(artifact) = replay.next().await {
        own.take(artifact?.3);
    }
    Ok(own)
}
