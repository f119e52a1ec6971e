//! How much each peer may still ask of us.

use hum_consensus::PublicKey;
use hum_types::TimeMs;
use std::collections::BTreeMap;

/// Seconds' worth that may pass at once.
const BURST_MS: u64 = 2_000;

/// One account a peer, in bytes; a message costs some even if it is short. Peers are those of the network, so accounts
/// are few.
pub(crate) struct Allowances {
    bytes_per_second: u64,
    message_bytes: u64,
    paid_until: BTreeMap<PublicKey, TimeMs>,
}

impl Allowances {
    /// Each peer gets so many bytes a second, and so many messages of no length.
    pub(crate) fn new(bytes_per_second: u64, messages_per_second: u64) -> Self {
        Self {
            bytes_per_second: bytes_per_second.max(1),
            message_bytes: bytes_per_second / messages_per_second.max(1),
            paid_until: BTreeMap::new(),
        }
    }

    /// Whether this peer may send a message now; it is charged what any message costs.
    pub(crate) fn take(&mut self, peer: &PublicKey, now: TimeMs) -> bool {
        let paid_until = self.paid_until.entry(peer.clone()).or_default();
        if paid_until.0 > now.0 {
            return false;
        }
        *paid_until = TimeMs(paid_until.0.max(now.0.saturating_sub(BURST_MS)));
        self.charge(peer, self.message_bytes);
        true
    }

    /// Charge bytes beyond what a message costs by itself.
    pub(crate) fn charge(&mut self, peer: &PublicKey, bytes: u64) {
        if let Some(paid_until) = self.paid_until.get_mut(peer) {
            let took_ms = bytes.saturating_mul(1000) / self.bytes_per_second;
            paid_until.0 = paid_until.0.saturating_add(took_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hum_consensus::{PrivateKey, Signer as _};

    #[test]
    fn a_peer_that_takes_too_much_waits_and_others_do_not() {
        let peers = [1, 2].map(|seed| PrivateKey::from_seed(seed).public_key());
        let mut allowances = Allowances::new(1_000, 10);
        let now = TimeMs(1_000_000);
        let taken = (0..100).filter(|_| allowances.take(&peers[0], now)).count();
        assert_eq!(taken, 21, "two seconds' worth at once, and the one that overdraws");
        assert!(allowances.take(&peers[1], now));
        assert!(!allowances.take(&peers[0], TimeMs(now.0 + 99)));
        assert!(allowances.take(&peers[0], TimeMs(now.0 + 100)), "what it gets in a tenth of a second");
        allowances.charge(&peers[0], 5_000);
        assert!(!allowances.take(&peers[0], TimeMs(now.0 + 5_000)));
        assert!(allowances.take(&peers[0], TimeMs(now.0 + 5_200)));
    }
}
