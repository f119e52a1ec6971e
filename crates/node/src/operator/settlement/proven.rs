//! Rollups that their stack's own contracts settle: what these hold at final L1 blocks, and what of it can be settled here.
//!
//! ```text
//! Settlement::proven ─▶ heads ─▶ the newest known block of our ledger that is not above ─▶ proposal, vote
//!                                 (by headers, where that is not the head itself)
//! ```
//!
//! Only `Finalized`: nothing short of a finished challenge, or a proof, says on L1 that such a chain's block is so.

use super::{
    line::stands,
    track::Head,
    view::{AGAIN_MS, Answer, Claimed, Settling, What},
};
use crate::{
    config::{Member, SettlementEntry},
    runtime::{Runtime, now},
    settlement::{Proven, Settlement},
};
use hum_chain::{Disposition, ReadError};
use hum_ledger::{Rollup, State};
use hum_types::{BlockRef, ChainId, Change, Confidence, L1Origin, RollupStatus, TimeMs};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use tracing::debug;

/// Heads that are remembered.
const HEADS_MAX: usize = 64;
/// Answers of L1, and blocks below heads, that are remembered.
const CACHED_MAX: usize = 64;
/// Pause after what could not be read.
const LATER_MS: u64 = 10_000;

/// One rollup.
#[derive(Debug, Clone)]
pub(super) struct ProvenLine {
    /// The first L1 block that is looked at.
    from: u64,
    anchor: BlockRef,
    /// What was found, with the final L1 block under which it was proven first.
    heads: VecDeque<Head>,
    /// The final L1 block that was asked about last.
    asked: L1Origin,
    /// Nothing is asked before.
    due: TimeMs,
    /// What L1 held at other blocks that proposals named.
    answers: BTreeMap<u64, (L1Origin, BlockRef)>,
    /// Blocks that heads stand on.
    below: BTreeMap<(BlockRef, u64), BlockRef>,
    /// What people were told last.
    told: Option<String>,
}

impl ProvenLine {
    /// The line of a member that contracts of its own settle.
    pub(super) fn of(member: &Member) -> Option<(ChainId, Self)> {
        let settlement = member.entry.settlement?;
        if matches!(settlement, SettlementEntry::Batches { .. }) {
            return None;
        }
        let line = Self {
            from: settlement.from_block(),
            anchor: member.anchor.block(),
            heads: VecDeque::new(),
            asked: L1Origin::default(),
            due: TimeMs(0),
            answers: BTreeMap::new(),
            below: BTreeMap::new(),
            told: None,
        };
        Some((member.entry.chain_id, line))
    }

    /// The newest head that was proven under an L1 block up to that one.
    fn newest(&self, l1_number: u64) -> Option<&Head> {
        self.heads.iter().rev().find(|head| head.l1.number <= l1_number)
    }

    /// A head that was proven under an L1 block up to that one, and is not below that number.
    fn reaching(&self, number: u64, l1: L1Origin) -> Option<(BlockRef, L1Origin)> {
        let head = self.newest(l1.number).map(|head| (head.block, head.l1));
        let asked = self.answers.get(&l1.number).filter(|(at, _)| *at == l1).map(|(at, head)| (*head, *at));
        head.into_iter().chain(asked).find(|(head, _)| head.number >= number)
    }

    /// The block with this number below a head, as far as it is known.
    fn under(&self, head: BlockRef, number: u64) -> Option<BlockRef> {
        if head.number == number { Some(head) } else { self.below.get(&(head, number)).copied() }
    }

    fn found(&mut self, head: BlockRef, l1: L1Origin, seen: TimeMs) {
        let below = self.heads.back().map_or(self.anchor, |last| last.block);
        if head.number <= below.number {
            return;
        }
        self.heads.push_back(Head { block: head, below, l1, seen });
        if self.heads.len() > HEADS_MAX {
            self.heads.pop_front();
        }
    }

    /// What can be settled by what L1 held at its block `l1_number`: the newest block that our ledger still knows.
    fn target(&self, rollup: &Rollup, l1_number: u64) -> Option<(Head, u64)> {
        let head = *self.newest(l1_number)?;
        let known = rollup.known_below(head.block.number)?.block.number;
        let floor = rollup.finalized().map_or(self.anchor, |settled| settled.block.block).number;
        (known > floor).then_some((head, known))
    }

    /// What is settled next.
    pub(super) fn change(&self, rollup: &Rollup, origin: L1Origin, seen_before: TimeMs) -> Option<Change> {
        let (head, number) = self.target(rollup, origin.number)?;
        let block = self.under(head.block, number)?;
        if head.seen > seen_before || !stands(rollup, block) {
            return None;
        }
        let chain_id = rollup.params().chain_id;
        Some(Change::Settle { chain_id, confidence: Confidence::Finalized, head: block, l1: origin })
    }
}

impl<E: Runtime> Settling<E> {
    /// Look at what contracts hold at our node's final block. What cannot be read or opened keeps nothing else waiting.
    pub(super) async fn refresh_proven(&self, source: &Arc<dyn Settlement>) {
        let at = now(&self.clock);
        let (finalized, open): (L1Origin, Vec<ChainId>) = {
            let known = self.known.lock();
            if known.ledger.is_none() {
                return;
            }
            let finalized = known.finalized;
            let due = known.proven.iter().filter(|(_, line)| line.due <= at && line.from <= finalized.number);
            (finalized, due.map(|(chain_id, _)| *chain_id).collect())
        };
        for chain_id in open {
            if let Err(error) = self.look_at(source, chain_id, finalized).await {
                self.reporter.metrics().l1_errors.inc();
                debug!(%chain_id, %error, "what L1 holds cannot be opened");
                if error.disposition() == Disposition::Distrust {
                    self.tell(chain_id, format!("what L1 holds of it does not open: {error}"));
                }
                if let Some(line) = self.known.lock().proven.get_mut(&chain_id) {
                    line.due = TimeMs(now(&self.clock).0 + LATER_MS);
                }
            }
        }
    }

    async fn look_at(
        &self,
        source: &Arc<dyn Settlement>,
        chain_id: ChainId,
        finalized: L1Origin,
    ) -> Result<(), ReadError> {
        let asked = self.known.lock().proven.get(&chain_id).is_none_or(|line| line.asked == finalized);
        if !asked {
            let found = source.proven(chain_id, finalized).await?;
            if let Proven::Nothing(why) = &found {
                self.tell(chain_id, why.clone());
            }
            let seen = now(&self.clock);
            if let Some(line) = self.known.lock().proven.get_mut(&chain_id) {
                line.asked = finalized;
                if let Proven::Head(head) = found {
                    line.found(head, finalized, seen);
                }
            }
        }
        let target = {
            let known = self.known.lock();
            let state = known.ledger.as_ref();
            state.and_then(|state| {
                let rollup = state.rollup(chain_id)?;
                let line = known.proven.get(&chain_id)?;
                let (head, number) = line.target(rollup, state.header().l1_origin.number)?;
                Some((head, number, line.under(head.block, number).is_some(), rollup.clone()))
            })
        };
        let Some((head, number, known, rollup)) = target else { return Ok(()) };
        let block = if known && head.block.number == number {
            head.block
        } else {
            self.under(source, chain_id, head.block, number).await?
        };
        if !stands(&rollup, block) {
            let what = format!(
                "L1 block {} holds {} as settled, which stands on {block}; certified is another block",
                head.l1, head.block
            );
            self.tell(chain_id, what);
        }
        Ok(())
    }

    /// The block with this number that a settled head stands on.
    async fn under(
        &self,
        source: &Arc<dyn Settlement>,
        chain_id: ChainId,
        head: BlockRef,
        number: u64,
    ) -> Result<BlockRef, ReadError> {
        let known = self.known.lock().proven.get(&chain_id).and_then(|line| line.under(head, number));
        if let Some(block) = known {
            return Ok(block);
        }
        let block = source.below(chain_id, head, number).await?;
        if let Some(line) = self.known.lock().proven.get_mut(&chain_id) {
            line.below.insert((head, number), block);
            if line.below.len() > CACHED_MAX {
                line.below.pop_first();
            }
        }
        Ok(block)
    }

    /// Tell people once.
    fn tell(&self, chain_id: ChainId, what: String) {
        let mut known = self.known.lock();
        let Some(line) = known.proven.get_mut(&chain_id) else { return };
        if line.told.as_ref() != Some(&what) {
            self.reporter.alarm(format!("chain {chain_id} settles no further: {what}"), now(&self.clock));
            line.told = Some(what);
        }
    }

    /// Whether contracts on our own L1 hold what is claimed; `None` when the rollup is none of those.
    pub(super) async fn look_proven(
        &self,
        source: &Arc<dyn Settlement>,
        before: &State,
        claimed: Claimed,
    ) -> Option<Answer> {
        let Claimed { chain_id, head, l1, what } = claimed;
        let found = self.known.lock().proven.get(&chain_id)?.reaching(head.number, l1);
        if !matches!(what, What::Settles(Confidence::Finalized)) {
            let why =
                format!("contracts of its own settle chain {chain_id}: it has Finalized heads and no others");
            return Some(Answer::Contradicted(why));
        }
        let rollup = before.rollup(chain_id)?;
        if rollup.status() == RollupStatus::Left {
            return Some(Answer::Contradicted(format!("chain {chain_id} has left")));
        }
        let looked = async {
            let (settled, at) = match found {
                Some(found) => found,
                None => match self.held_at(source, chain_id, l1).await? {
                    Ok(settled) => (settled, l1),
                    Err(answer) => return Ok(answer),
                },
            };
            if settled.number < head.number {
                return Ok(Answer::Contradicted(format!(
                    "own L1 holds {settled} of chain {chain_id} at {l1}, proposed is {head}"
                )));
            }
            let own = self.under(source, chain_id, settled, head.number).await?;
            if own != head {
                return Ok(Answer::Contradicted(format!(
                    "what own L1 holds of chain {chain_id}, {settled}, stands on {own}, proposed is {head}"
                )));
            }
            Ok::<_, ReadError>(Answer::Found(at))
        };
        Some(looked.await.unwrap_or_else(|error| {
            debug!(%chain_id, %error, "what L1 holds cannot be opened");
            Answer::Behind(format!(
                "what L1 holds of chain {chain_id} to be opened ({error}), again in {AGAIN_MS} ms"
            ))
        }))
    }

    /// What contracts hold at a block that a proposal names, once our own chain is seen to have it.
    async fn held_at(
        &self,
        source: &Arc<dyn Settlement>,
        chain_id: ChainId,
        l1: L1Origin,
    ) -> Result<Result<BlockRef, Answer>, ReadError> {
        match source.hash_of(l1.number).await? {
            Some(hash) if hash == l1.hash => {}
            Some(hash) => {
                let number = l1.number;
                let why = format!("own L1 has block {hash} at {number}, proposed is {}", l1.hash);
                return Ok(Err(Answer::Contradicted(why)));
            }
            None => return Ok(Err(Answer::Behind(format!("own L1 node to show block {}", l1.number)))),
        }
        match source.proven(chain_id, l1).await? {
            Proven::Head(head) => {
                if let Some(line) = self.known.lock().proven.get_mut(&chain_id) {
                    line.answers.insert(l1.number, (l1, head));
                    if line.answers.len() > CACHED_MAX {
                        line.answers.pop_first();
                    }
                }
                Ok(Ok(head))
            }
            Proven::Nothing(why) => Ok(Err(Answer::Contradicted(format!("chain {chain_id}: {why}")))),
        }
    }
}
