//! Getting the certificate of a header that closes an epoch, when it is not made here.

use hum_consensus::PublicKey;
use hum_types::{Height, TimeMs};

/// Time in which the certificate usually comes by itself.
const PATIENCE_MS: u64 = 250;
/// Pause before the next peer is asked.
const NEXT_MS: u64 = 250;
/// Questions are numbered apart from those for blocks.
const FIRST_ID: u64 = 1 << 63;

/// The one certificate that the next term waits for.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    wanted: Option<(Height, TimeMs)>,
    asked: u64,
    /// To whom the last question went.
    peer: Option<PublicKey>,
}

impl Handover {
    /// The newest handover, when it was finalised.
    pub(crate) fn want(&mut self, height: Height, now: TimeMs) {
        if self.wanted.is_none_or(|(wanted, _)| wanted < height) {
            self.wanted = Some((height, TimeMs(now.0 + PATIENCE_MS)));
        }
    }

    /// When [`Self::tick`] has something to do next.
    pub(crate) fn next_due(&self) -> Option<TimeMs> {
        self.wanted.map(|(_, due)| due)
    }

    /// Whom to ask now, under which number, for which height. Peers are asked in turn.
    pub(crate) fn tick(
        &mut self,
        others: &[PublicKey],
        is_certified: impl FnOnce(Height) -> bool,
        now: TimeMs,
    ) -> Option<(PublicKey, u64, Height)> {
        let (height, due) = self.wanted.filter(|(_, due)| *due <= now)?;
        if is_certified(height) {
            self.wanted = None;
            return None;
        }
        self.wanted = Some((height, TimeMs(due.0.max(now.0) + NEXT_MS)));
        let count = u64::try_from(others.len()).unwrap_or(u64::MAX);
        let place = usize::try_from(height.0.wrapping_add(self.asked) % count.max(1)).unwrap_or(0);
        let peer = others.get(place)?.clone();
        self.asked = self.asked.wrapping_add(1) & (FIRST_ID - 1);
        self.peer = Some(peer.clone());
        Some((peer, FIRST_ID + self.asked, height))
    }

    /// The height that this answer may be about.
    pub(crate) fn answered(&mut self, id: u64, from: &PublicKey) -> Option<Height> {
        let (height, _) = self.wanted?;
        (id == FIRST_ID + self.asked && self.peer.take_if(|peer| peer == from).is_some()).then_some(height)
    }
}
