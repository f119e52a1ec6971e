//! Whether those who do not order have noticed who does: publishers and relayers, asked for their own counts.
//!
//! What counts is what their transport says of its connections, and how many seats they have read from their own L1 node.

use super::{DemoError, scene::Scene};
use crate::network::{LocalOperator, NetworkError};
use hum_consensus::Signer as _;
use hum_node::config::PeerRole;

/// Since when each peer is connected: the transport keeps a line for those who are.
const CONNECTED: &str = "network_network_tracker_directory_connected";
/// What peers have sent.
const RECEIVED: &str = "network_network_spawner_messages_received_total";

/// One of those who do not order, as it sees itself.
struct Follower {
    role: PeerRole,
    metrics: String,
}

/// How many have noticed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Noticed {
    pub(super) publishers: usize,
    pub(super) relayers: usize,
}

impl Noticed {
    pub(super) fn is_by_all(self, scene: &Scene) -> bool {
        let count = |role| scene.network.file().peers.iter().filter(|peer| peer.role == role).count();
        (self.publishers, self.relayers) == (count(PeerRole::Publisher), count(PeerRole::Relayer))
    }
}

/// Who is connected with an operator; publishers must have had an answer from it, too.
pub(super) async fn met(scene: &Scene, operator: &LocalOperator) -> Result<Noticed, DemoError> {
    let key = key(scene, operator)?;
    noticed(scene, |follower| {
        follower.is_connected(&key) && (follower.role != PeerRole::Publisher || follower.has_heard(&key))
    })
    .await
}

/// Who counts only so many seats.
pub(super) async fn count_seats(scene: &Scene, seats: usize) -> Result<Noticed, DemoError> {
    noticed(scene, |follower| follower.seats() == Some(seats)).await
}

/// Who has no connection with an operator.
pub(super) async fn parted(scene: &Scene, operator: &LocalOperator) -> Result<Noticed, DemoError> {
    let key = key(scene, operator)?;
    noticed(scene, |follower| !follower.is_connected(&key)).await
}

fn key(scene: &Scene, operator: &LocalOperator) -> Result<String, DemoError> {
    let key = scene.directory(&operator.name).network_key().map_err(NetworkError::from)?;
    Ok(key.public_key().to_string())
}

async fn noticed(scene: &Scene, has: impl Fn(&Follower) -> bool) -> Result<Noticed, DemoError> {
    let mut noticed = Noticed::default();
    for peer in &scene.network.file().peers {
        let count = match peer.role {
            PeerRole::Publisher => &mut noticed.publishers,
            PeerRole::Relayer => &mut noticed.relayers,
            PeerRole::Watcher => continue,
        };
        let Some(api) = &peer.api else { continue };
        let follower = Follower { role: peer.role, metrics: scene.metrics(api).await? };
        *count += usize::from(has(&follower));
    }
    Ok(noticed)
}

impl Follower {
    fn lines<'a>(&'a self, metric: &'a str) -> impl Iterator<Item = &'a str> {
        self.metrics.lines().filter_map(move |line| line.strip_prefix(metric))
    }

    fn is_connected(&self, key: &str) -> bool {
        self.lines(CONNECTED).any(|line| line.contains(key))
    }

    /// Whether the peer has sent anything on a channel of ours: keeping the connection alive is not one.
    fn has_heard(&self, key: &str) -> bool {
        let ours = |line: &&str| line.contains(key) && line.contains("message=\"data_");
        self.lines(RECEIVED).filter(ours).any(|line| !line.ends_with(" 0"))
    }

    /// Seats that it has read from L1 last.
    fn seats(&self) -> Option<usize> {
        let role = match self.role {
            PeerRole::Publisher => "publisher",
            PeerRole::Relayer => "relayer",
            PeerRole::Watcher => return None,
        };
        let metric = format!("hum_{role}_lookout_seats ");
        let line = self.metrics.lines().find_map(|line| line.strip_prefix(&metric))?;
        line.trim().parse().ok()
    }
}
