//! What processes read at start: the network file, which all share, and one small file for each role.
//!
//! ```text
//! network.json ─NetworkFile─check()─▶ Network      the only form that roles use
//! DIR/role.json, DIR/keys/, DIR/data/              a role's own
//! ```
//!
//! Everything is checked here once, with a reason that names the field; what [`NetworkFile::check`] returns can be
//! used without asking again.

mod directory;
mod keystore;
mod network;
mod profile;
mod roles;

pub use directory::{DirectoryError, DirectoryLock, KeyForm, KeyName, RoleDirectory, read_password};
pub use keystore::{KdfCost, Keystore, KeystoreError, Password};
pub use network::{
    CommitteeEntry, Deployment, Gateways, JudgesEntry, L1Entry, Member, NETWORK_VERSION, Network,
    NetworkError, NetworkFile, OperatorEntry, OperatorSeat, OwnNodeEntry, PeerEntry, PeerRole,
    RestakingEntry, RollupEntry, RollupLimits, SettlementEntry, StackContracts, stated_anchor,
};
pub use profile::{MemberFile, PROFILE_PEERS_MAX, ProfileError, PublishedProfile, Registrant, RollupProfile};
pub use roles::{
    BatchData, BatcherConfig, OperatorConfig, PublisherConfig, ROLE_VERSION, RelayerConfig, WatcherConfig,
};

#[cfg(test)]
pub(crate) mod tests;
