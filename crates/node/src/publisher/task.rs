//! What a publisher asks nodes and signer, one task at a time, without touching its own state.

use crate::wire::Submission;
use futures::future::try_join;
use hum_chain::{At, Chain, Disposition, HeadSigner, RawBlock, RawWitness, ReadError, SignError};
use hum_types::{
    BlockRef, Bytes, Confidence, Generation, HeadClaim, Retraction, SignedClaim, SignedRetraction,
};
use hum_verify::{Witness, WitnessLimits, dialect::parse_witness};
use std::sync::Arc;

use super::{
    Identity,
    claimed::{Claimed, Posted},
};

/// Why a task gave nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// A node.
    #[error("node: {0}")]
    Read(#[from] ReadError),
    /// The sequencer.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The witness is none.
    #[error("witness of block {number} not readable: {detail}")]
    Witness {
        /// The block.
        number: u64,
        /// What is wrong.
        detail: String,
    },
    /// The block cannot be carried.
    #[error("block {number} with its witness has {bytes} bytes, a message carries {most}")]
    TooLarge {
        /// The block.
        number: u64,
        /// What it has.
        bytes: usize,
        /// What fits.
        most: usize,
    },
    /// What would have to be taken back is safe.
    #[error("the chain dropped blocks down to {kept}, but {safe} was safe: not retracted")]
    BelowSafe {
        /// What would be kept.
        kept: u64,
        /// What was safe.
        safe: u64,
    },
    /// What would have to be taken back stands on L1, or may stand there soon.
    #[error("the chain dropped blocks down to {kept}, but blocks up to {posted} are posted: not retracted")]
    BelowPosted {
        /// What would be kept.
        kept: u64,
        /// What is posted.
        posted: u64,
    },
    /// Whether what would have to be taken back stands on L1 is not known.
    #[error("the chain dropped blocks down to {kept}; L1 must say first what is posted")]
    PostedUnknown {
        /// What would be kept.
        kept: u64,
    },
    /// The node has not caught up with what was claimed.
    #[error("the node does not have block {number} yet")]
    NodeBehind {
        /// The block.
        number: u64,
    },
}

impl Trouble {
    /// Whether somebody said what cannot be true, or the sequencer does not stand by what a node serves.
    pub(super) fn is_alarm(&self) -> bool {
        match self {
            Self::Read(error) | Self::Sign(SignError::Unreachable(error)) => {
                error.disposition() == Disposition::Distrust
            }
            Self::Sign(_)
            | Self::Witness { .. }
            | Self::BelowSafe { .. }
            | Self::BelowPosted { .. }
            | Self::TooLarge { .. } => true,
            Self::NodeBehind { .. } | Self::PostedUnknown { .. } => false,
        }
    }
}

/// What a task found.
#[derive(Debug)]
pub(super) enum Found {
    /// No new block.
    Quiet,
    /// The block above the mark can be claimed.
    Ahead,
    /// The next block, claimed; not yet on disk.
    Claimed(SignedClaim, Submission),
    /// An old claim's block, fetched again.
    Rebuilt(Submission),
    /// The chain no longer holds what was claimed.
    Diverged,
    /// A signed retraction; not yet on disk.
    Retracted(SignedRetraction),
    /// Where the network's blocks stand in our chain.
    Located {
        /// The highest of them that our chain holds.
        held: Option<BlockRef>,
    },
}

/// A task's end.
#[derive(Debug)]
pub(super) struct Done {
    /// The node's head, when it was asked.
    pub(super) head: Option<BlockRef>,
    /// The node's safe head, when it was asked.
    pub(super) safe: Option<BlockRef>,
    /// The rest.
    pub(super) result: Result<Found, Trouble>,
}

impl Done {
    pub(super) const fn only(result: Result<Found, Trouble>) -> Self {
        Self { head: None, safe: None, result }
    }
}

/// What tasks work with.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) identity: Identity,
    /// The node in use first.
    pub(super) sources: Vec<Arc<dyn Chain>>,
    pub(super) signer: Arc<dyn HeadSigner>,
    /// What a retraction must agree with.
    pub(super) claimed: Claimed,
}

impl Tools {
    /// Look whether there is a block above `mark`, up to `most`.
    pub(super) async fn look(self, mark: BlockRef, ask_safe: bool, most: u64) -> Done {
        let mut done = Done::only(Ok(Found::Quiet));
        let Some(source) = self.sources.first() else { return done };
        match source.head(Confidence::Latest).await {
            Ok(head) => done.head = Some(head),
            Err(error) => return Done::only(Err(error.into())),
        }
        if ask_safe {
            // A node without a safe head yet is no trouble.
            done.safe = source.head(Confidence::Safe).await.ok();
        }
        let number = mark.number.saturating_add(1);
        if done.head.is_some_and(|head| head.number >= number) && number <= most {
            done.result = Ok(Found::Ahead);
        }
        done
    }

    /// Claim the block above `mark`.
    pub(super) async fn claim(self, mark: BlockRef, generation: Generation) -> Done {
        Done::only(self.claimed(mark, generation).await)
    }

    async fn claimed(&self, mark: BlockRef, generation: Generation) -> Result<Found, Trouble> {
        let (number, Some(source)) = (mark.number.saturating_add(1), self.sources.first()) else {
            return Ok(Found::Quiet);
        };
        let Some(block) = source.block(At::Number(number)).await? else { return Ok(Found::Quiet) };
        if block.parent_hash != mark.hash {
            return Ok(Found::Diverged);
        }
        let Identity { chain_id, registration, .. } = self.identity;
        let claim = HeadClaim { chain_id, registration, generation, block: block.block };
        let (signed, witness) =
            try_join(async { Ok(self.signer.sign_claim(claim).await?) }, self.witness(block.block)).await?;
        Ok(Found::Claimed(signed, submission(signed, block, witness)?))
    }

    /// Fetch block and witness of an old claim.
    pub(super) async fn rebuild(self, signed: SignedClaim) -> Done {
        Done::only(self.rebuilt(signed).await)
    }

    async fn rebuilt(&self, signed: SignedClaim) -> Result<Found, Trouble> {
        let wanted = signed.claim.block;
        let mut trouble = Trouble::NodeBehind { number: wanted.number };
        for source in &self.sources {
            match source.block(At::Hash(wanted.hash)).await {
                Ok(Some(block)) => {
                    let witness = self.witness(wanted).await?;
                    return Ok(Found::Rebuilt(submission(signed, block, witness)?));
                }
                // A node that does not know its blocks by the hashes that are claimed for them has them by number.
                Ok(None) => match source.block(At::Number(wanted.number)).await {
                    Ok(Some(block)) if block.block == wanted => {
                        let witness = self.witness(wanted).await?;
                        return Ok(Found::Rebuilt(submission(signed, block, witness)?));
                    }
                    Ok(_) => {}
                    Err(error) => trouble = error.into(),
                },
                Err(error) => trouble = error.into(),
            }
        }
        Err(trouble)
    }

    /// The witness, from the first node that has one: a wrong one is noticed by whoever re-executes.
    async fn witness(&self, block: BlockRef) -> Result<Bytes, Trouble> {
        let mut trouble = Trouble::NodeBehind { number: block.number };
        for source in &self.sources {
            match source.witness(block).await {
                Ok(RawWitness::Encoded(bytes)) => {
                    let detail = |error: hum_verify::WitnessDecodeError| error.to_string();
                    match Witness::decode(&bytes, &WitnessLimits::default()).map_err(detail) {
                        Ok(_) => return Ok(bytes),
                        Err(detail) => trouble = Trouble::Witness { number: block.number, detail },
                    }
                }
                Ok(RawWitness::Json(text)) => match read_json(&text) {
                    Ok(bytes) => return Ok(bytes),
                    Err(detail) => trouble = Trouble::Witness { number: block.number, detail },
                },
                Err(error) => trouble = error.into(),
            }
        }
        Err(trouble)
    }

    /// Sign away what the chain dropped of `known` (ascending), keeping at most `settled`.
    pub(super) async fn retract(
        self,
        known: Vec<BlockRef>,
        settled: u64,
        safe: Option<u64>,
        generation: Generation,
    ) -> Done {
        Done::only(self.retracted(&known, settled, safe, generation).await)
    }

    async fn retracted(
        &self,
        known: &[BlockRef],
        settled: u64,
        safe: Option<u64>,
        generation: Generation,
    ) -> Result<Found, Trouble> {
        let common = self.last_common(known).await?;
        let kept = common.and_then(|common| {
            let keep = common.number.min(settled);
            known.iter().rev().find(|block| block.number <= keep).copied()
        });
        let kept = match kept {
            Some(kept) => kept,
            None => self.below(known.first().copied()).await?,
        };
        // Blocks that stand but were not finalised are claimed again, the same ones: only what the chain dropped counts.
        let standing = common.map_or(kept.number, |common| common.number);
        if let Some(safe) = safe.filter(|safe| standing < *safe) {
            return Err(Trouble::BelowSafe { kept: standing, safe });
        }
        // Somebody posted another chain than we claimed, and ours is that one now: nothing that is posted is taken back.
        let on_l1 = match self.claimed.on_l1().filter(|block| block.number > standing) {
            Some(block) if self.holds(block).await? => block.number,
            _ => standing,
        };
        self.claimed.take_back(on_l1).map_err(|posted| match posted {
            Posted::UpTo(posted) => Trouble::BelowPosted { kept: standing, posted },
            Posted::Unknown => Trouble::PostedUnknown { kept: standing },
        })?;
        let Identity { chain_id, registration, .. } = self.identity;
        let retraction = Retraction { chain_id, registration, generation, kept };
        Ok(Found::Retracted(self.signer.sign_retraction(retraction).await?))
    }

    /// The highest of `known` that the chain holds. A chain holds all below what it holds, so this is a bisection.
    async fn last_common(&self, known: &[BlockRef]) -> Result<Option<BlockRef>, Trouble> {
        let (mut standing, mut gone) = (0, known.len());
        while standing < gone {
            let middle = usize::midpoint(standing, gone);
            let Some(block) = known.get(middle) else { break };
            if self.holds(*block).await? {
                standing = middle + 1;
            } else {
                gone = middle;
            }
        }
        Ok(standing.checked_sub(1).and_then(|last| known.get(last)).copied())
    }

    async fn holds(&self, block: BlockRef) -> Result<bool, Trouble> {
        let Some(source) = self.sources.first() else { return Ok(false) };
        Ok(source.block(At::Number(block.number)).await?.is_some_and(|own| own.block == block))
    }

    /// Where nothing that we remember is left: the node's safe head, or the anchor.
    async fn below(&self, floor: Option<BlockRef>) -> Result<BlockRef, Trouble> {
        let anchor = self.identity.anchor;
        let Some(source) = self.sources.first() else { return Ok(anchor) };
        match source.head(Confidence::Safe).await {
            Ok(safe)
                if safe.number >= anchor.number && floor.is_none_or(|floor| safe.number < floor.number) =>
            {
                Ok(safe)
            }
            Ok(_) | Err(ReadError::Missing { .. }) => Ok(anchor),
            Err(error) => Err(error.into()),
        }
    }

    /// Where the chain holds the blocks that operators report.
    pub(super) async fn locate(self, reported: Vec<BlockRef>, needed: u64) -> Done {
        Done::only(self.located(&reported, needed).await)
    }

    async fn located(&self, reported: &[BlockRef], needed: u64) -> Result<Found, Trouble> {
        let Some(source) = self.sources.first() else { return Ok(Found::Quiet) };
        let head = source.head(Confidence::Latest).await?;
        if head.number < needed {
            return Err(Trouble::NodeBehind { number: needed });
        }
        let mut held = None;
        for block in reported {
            if block.number <= head.number && self.holds(*block).await? {
                held = held.max(Some(*block));
            }
        }
        Ok(Found::Located { held })
    }
}

fn read_json(text: &[u8]) -> Result<Bytes, String> {
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    parse_witness(text).map(|witness| witness.encode().into()).map_err(|error| error.to_string())
}

fn submission(claim: SignedClaim, block: RawBlock, witness: Bytes) -> Result<Submission, Trouble> {
    let submission = Submission { claim, block: block.rlp, witness };
    if submission.fits() {
        return Ok(submission);
    }
    Err(Trouble::TooLarge {
        number: claim.claim.block.number,
        bytes: submission.byte_len(),
        most: crate::wire::SUBMISSION_BYTES_MAX,
    })
}
