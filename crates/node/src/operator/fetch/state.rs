//! What we have asked whom, and how much others may ask us.

use super::Want;
use hum_consensus::PublicKey;
use hum_types::{B256, BlockRef, ChainId, TimeMs};
use std::collections::{BTreeMap, VecDeque};

/// Pause before the next peer is asked too; the first one may still answer.
const HEDGE_MS: u64 = 250;
/// After this a question is forgotten.
const FORGET_MS: u64 = 8_000;
/// Blocks that are being fetched at the same time.
const WANTS_MAX: usize = 1024;

/// A question to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) id: u64,
    pub(crate) peer: PublicKey,
    pub(crate) chain_id: ChainId,
    pub(crate) block: BlockRef,
}

struct Search {
    block: BlockRef,
    left: VecDeque<PublicKey>,
    hedge_at: TimeMs,
    until: TimeMs,
}

/// Blocks being fetched.
pub(crate) struct Searches {
    others: Vec<PublicKey>,
    searches: BTreeMap<(ChainId, B256), Search>,
    asked: BTreeMap<u64, (PublicKey, ChainId, BlockRef)>,
    next_id: u64,
}

impl Searches {
    pub(crate) const fn new() -> Self {
        Self { others: Vec::new(), searches: BTreeMap::new(), asked: BTreeMap::new(), next_id: 0 }
    }

    /// Start to look for a block, or look at one more place. `others` are the other operators.
    pub(crate) fn want(&mut self, want: Want, others: Vec<PublicKey>, now: TimeMs) -> Option<Ask> {
        self.others = others;
        let Want { chain_id, block, from } = want;
        let from = from.filter(|peer| self.others.contains(peer));
        let place = (chain_id, block.hash);
        if let Some(search) = self.searches.get_mut(&place) {
            if let Some(from) = from
                && search.left.contains(&from)
            {
                search.left.retain(|peer| *peer != from);
                search.left.push_front(from);
                search.hedge_at = now;
            }
            return self.go_on(place, now);
        }
        if self.searches.len() >= WANTS_MAX || self.others.is_empty() {
            return None;
        }
        // Start at a place that depends on the block, so that not everyone asks the same operator.
        let start = usize::from(block.hash.0[0]) % self.others.len();
        let mut left: VecDeque<PublicKey> =
            self.others.iter().cycle().skip(start).take(self.others.len()).cloned().collect();
        if let Some(from) = from {
            left.retain(|peer| *peer != from);
            left.push_front(from);
        }
        let search = Search { block, left, hedge_at: now, until: TimeMs(now.0 + FORGET_MS) };
        self.searches.insert(place, search);
        self.go_on(place, now)
    }

    /// Ask the next peer for a block, if it is time to.
    fn go_on(&mut self, place: (ChainId, B256), now: TimeMs) -> Option<Ask> {
        let search = self.searches.get_mut(&place).filter(|search| search.hedge_at <= now)?;
        let peer = search.left.pop_front()?;
        search.hedge_at = TimeMs(now.0 + HEDGE_MS);
        let (id, block) = (self.next_id, search.block);
        self.next_id += 1;
        self.asked.insert(id, (peer.clone(), place.0, block));
        Some(Ask { id, peer, chain_id: place.0, block })
    }

    /// Which block this peer was asked for under this id. A question is answered once.
    pub(crate) fn answered(&mut self, id: u64, peer: &PublicKey) -> Option<(ChainId, BlockRef)> {
        let (asked, chain_id, block) = self.asked.get(&id).cloned()?;
        if asked != *peer {
            return None;
        }
        self.asked.remove(&id);
        Some((chain_id, block))
    }

    /// The block is here.
    pub(crate) fn found(&mut self, chain_id: ChainId, hash: B256) {
        self.searches.remove(&(chain_id, hash));
    }

    /// This answer was no use: ask the next peer at once.
    pub(crate) fn failed(&mut self, chain_id: ChainId, hash: B256, now: TimeMs) -> Option<Ask> {
        let search = self.searches.get_mut(&(chain_id, hash))?;
        search.hedge_at = now;
        self.go_on((chain_id, hash), now)
    }

    /// Questions whose time has come.
    pub(crate) fn tick(&mut self, now: TimeMs) -> Vec<Ask> {
        self.searches.retain(|_, search| search.until > now);
        let searches = &self.searches;
        self.asked.retain(|_, (_, chain_id, block)| searches.contains_key(&(*chain_id, block.hash)));
        let places: Vec<_> = self.searches.keys().copied().collect();
        places.into_iter().filter_map(|place| self.go_on(place, now)).collect()
    }

    /// When [`Self::tick`] has something to do next.
    pub(crate) fn next_due(&self) -> Option<TimeMs> {
        self.searches
            .values()
            .map(
                |search| {
                    if search.left.is_empty() { search.until } else { search.hedge_at.min(search.until) }
                },
            )
            .min()
    }
}
