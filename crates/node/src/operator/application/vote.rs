//! Judging a proposal.

use super::{Inner, states::NoState};
use crate::{
    operator::blocks::{Judged, LaneCounts, claim_of},
    runtime::{Runtime, moment},
    wire::Gossip,
};
use commonware_macros::select;
use futures::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, join_all, join4},
    stream::FuturesUnordered,
};
use hum_consensus::{Ordered, PublicKey, Recipients};
use hum_ledger::{Rollup, State};
use hum_types::{
    Advance, AdvancedBlock, AuthenticClaim, Body, ChainId, Change, Checkpoint, Class, Decode as _,
    Encode as _, Evidence, InvalidReason, SignedClaim, TimeMs,
};
use std::{collections::BTreeMap, fmt::Display, sync::Arc};
use tracing::info;

/// Whether a rollup's part of a proposal holds.
type Part = BoxFuture<'static, (ChainId, bool)>;

impl<E: Runtime> Inner<E> {
    pub(super) async fn verify(self: &Arc<Self>, ancestors: &[Ordered], block: Ordered) -> bool {
        let Ordered { digest, parent, height, view, proposer, payload } = block;
        let reject = |reason: &(dyn Display + Sync)| {
            info!(view, height, %proposer, %reason, "voted against a proposal");
            self.reporter.metrics().rejections.inc();
            false
        };
        let before = match self.states.after(&parent, ancestors) {
            Ok(state) => state,
            // Nothing is known against it.
            Err(NoState::Unknown) => return std::future::pending().await,
            Err(error) => return reject(&error),
        };
        let checkpoint = match Checkpoint::decode(&payload) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return reject(&error),
        };
        let after = match before.check(&checkpoint) {
            Ok(after) => after,
            Err(refusal) => return reject(&refusal),
        };
        if checkpoint.header.height.0 != height {
            return reject(&"its height is not the block's");
        }
        self.states.insert(digest, after);
        if checkpoint.header.l1_origin != before.header().l1_origin {
            self.restaking.tried(height, view);
        }
        self.settling.tried(height, view, &checkpoint.body);
        self.membership.tried(height, view, &before, &checkpoint.body);
        self.sleep_until(TimeMs(checkpoint.header.time_ms.0.saturating_sub(self.pace.drift_ms))).await;
        let Some(parts) = self.parts(&before, &checkpoint, &proposer) else {
            return reject(&"its changes do not follow one by one");
        };
        let next = checkpoint.body.next_committee();
        let committee = self.restaking.agrees(&before, &checkpoint.header, next);
        let settled = self.settling.agrees(&before, &checkpoint.body);
        let moved = self.membership.agrees(&before, &checkpoint.body);
        match join4(self.all_hold(parts, view, &proposer), committee, settled, moved).await {
            (Err(chain_id), ..) => reject(&format!("our verdict on chain {chain_id} is another")),
            (Ok(()), false, ..) => reject(&"our L1 node says otherwise of the next committee"),
            (Ok(()), true, Err(why), _) | (Ok(()), true, Ok(()), Err(why)) => reject(&why),
            (Ok(()), true, Ok(()), Ok(())) => true,
        }
    }

    /// Wait for every part, and tell the proposer which rollups keep us waiting.
    async fn all_hold(
        &self,
        parts: Vec<(ChainId, Part)>,
        view: u64,
        proposer: &PublicKey,
    ) -> Result<(), ChainId> {
        let mut open: BTreeMap<ChainId, usize> = BTreeMap::new();
        for (chain_id, _) in &parts {
            *open.entry(*chain_id).or_default() += 1;
        }
        let mut parts: FuturesUnordered<Part> = parts.into_iter().map(|(_, part)| part).collect();
        let stalled = TimeMs(self.now().0 + self.pace.stall_ms);
        let mut patient = true;
        while !parts.is_empty() {
            let until = if patient { stalled } else { TimeMs(u64::MAX >> 8) };
            let sleep = self.clock.sleep_until(moment(until));
            select! {
                part = parts.next() => match part {
                    Some((chain_id, true)) => {
                        if let Some(left) = open.get_mut(&chain_id) {
                            *left -= 1;
                        }
                    }
                    Some((chain_id, false)) => return Err(chain_id),
                    None => break,
                },
                _ = sleep => {
                    patient = false;
                    let chains = open.iter().filter(|(_, left)| **left > 0).map(|(chain_id, _)| *chain_id).collect();
                    self.complain(view, proposer, chains);
                },
            }
        }
        Ok(())
    }

    fn complain(&self, view: u64, proposer: &PublicKey, chains: Vec<ChainId>) {
        self.reporter.metrics().stalls.inc();
        let waited: Vec<String> = chains.iter().map(ChainId::to_string).collect();
        let what = format!("blocks of chain {} that stand in a proposal", waited.join(", "));
        self.reporter.handle().board().waits_for(what, self.now());
        if let Some(gossip) = self.gossip.get() {
            let message = Gossip::Stalled { view, chains }.encode();
            gossip.send(Recipients::One(proposer.clone()), message.into(), false);
        }
    }

    /// What has to be judged in a proposal that the ledger has accepted; `None` when its changes cannot be replayed.
    fn parts(
        self: &Arc<Self>,
        before: &State,
        checkpoint: &Checkpoint,
        proposer: &PublicKey,
    ) -> Option<Vec<(ChainId, Part)>> {
        let mut parts = Vec::new();
        let (time_ms, origin) = (checkpoint.header.time_ms, checkpoint.header.l1_origin);
        let mut applied = Body::default();
        let mut middle = before.clone();
        let changes = checkpoint.body.changes.iter();
        for change in changes.filter(|change| !matches!(change, Change::NextCommittee { .. })) {
            if let Change::Quarantine { evidence: Evidence::InvalidBlock { claim, reason } } = change {
                let rollup = middle.rollup(claim.claim.chain_id)?.clone();
                parts.push((claim.claim.chain_id, self.invalid(rollup, claim, *reason, proposer)?));
            }
            applied.changes.push(change.clone());
            middle = before.seal(&applied, time_ms, origin).ok()?.1;
        }
        for advance in &checkpoint.body.advances {
            let rollup = middle.rollup(advance.chain_id)?.clone();
            // Nobody re-executes it: the ledger has checked that its judges signed, and that is all there is to check.
            if rollup.params().class == Class::OwnNode {
                continue;
            }
            parts.push((advance.chain_id, self.advance(rollup, advance, proposer)?));
        }
        Some(parts)
    }

    /// The claimed block must be invalid on the head for the reason given.
    fn invalid(
        self: &Arc<Self>,
        rollup: Rollup,
        claim: &SignedClaim,
        reason: InvalidReason,
        proposer: &PublicKey,
    ) -> Option<Part> {
        let claim = claim.authenticate(self.network.domain, rollup.params().sequencer).ok()?;
        let (inner, proposer) = (self.clone(), proposer.clone());
        let part = async move {
            let (chain_id, parent) = (claim.get().chain_id, rollup.head().block.hash);
            let agreed = match inner.blocks.ensure(claim, parent, proposer).await {
                Some(Judged::Invalid(ours)) => ours == reason,
                Some(Judged::Valid(valid)) => LaneCounts::default().follow(&rollup, &valid) == Err(reason),
                None => std::future::pending().await,
            };
            (chain_id, agreed)
        };
        Some(part.boxed())
    }

    /// Every block must be valid on the one below, with this state root, time and messages.
    fn advance(self: &Arc<Self>, rollup: Rollup, advance: &Advance, proposer: &PublicKey) -> Option<Part> {
        let mut parent = rollup.head().block.hash;
        let mut claims: Vec<(AuthenticClaim, hum_types::B256)> = Vec::with_capacity(advance.blocks.len());
        for block in &advance.blocks {
            let claim = claim_of(
                advance.chain_id,
                rollup.params(),
                rollup.generation(),
                block.block,
                block.signature,
            );
            claims.push((claim.authenticate(self.network.domain, rollup.params().sequencer).ok()?, parent));
            parent = block.block.hash;
        }
        let (inner, proposer, advance) = (self.clone(), proposer.clone(), advance.clone());
        let part = async move {
            let verdicts = claims
                .into_iter()
                .map(|(claim, parent)| inner.blocks.ensure(claim, parent, proposer.clone()));
            let verdicts = join_all(verdicts).await;
            let mut counts = LaneCounts::default();
            for (block, judged) in advance.blocks.iter().zip(verdicts) {
                let holds = match judged {
                    Some(judged) => says(&rollup, &mut counts, block, &judged),
                    None => std::future::pending().await,
                };
                if !holds {
                    return (advance.chain_id, false);
                }
            }
            (advance.chain_id, true)
        };
        Some(part.boxed())
    }
}

/// Whether our verdict says what the proposal says.
fn says(rollup: &Rollup, counts: &mut LaneCounts, block: &AdvancedBlock, judged: &Judged) -> bool {
    let Judged::Valid(valid) = judged else { return false };
    let header = valid.header.header();
    header.state_root == block.state_root
        && TimeMs(header.timestamp.saturating_mul(1000)) == block.time_ms
        && counts.follow(rollup, valid).is_ok_and(|messages| messages == block.messages)
}
