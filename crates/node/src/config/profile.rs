//! What a rollup that joins publishes of itself on L1, and the file that its own publisher and relayer are given.

use super::{
    Gateways, Member, Network, NetworkError, OwnNodeEntry, PeerEntry, PeerRole, RollupEntry, RollupLimits,
    SettlementEntry, network::check_rollup,
};
use crate::registry::network_key;
use hum_ledger::{ANCHOR_NUMBER_MAX, Refusal};
use hum_types::{
    Address, B256, Bytes, ChainId, Class, Join, L1Origin, PROFILE_BYTES_MAX, RegistrationId,
    profile_spec_hash,
};
use hum_verify::ChainSpec;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, path::Path, sync::Arc};

/// Processes of its own that a rollup's profile can name.
pub const PROFILE_PEERS_MAX: usize = 4;
/// Bytes that a name or a URL in a profile can have.
const TEXT_BYTES_MAX: usize = 256;

/// A rollup's profile: JSON, published once, byte for byte what its registration commits to. All of it is the rollup's own
/// word. Chain id, sequencer and governor stand beside it on L1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollupProfile {
    /// What people call it.
    pub name: String,
    /// JSON-RPC URL, for people and tools; roles use their own.
    pub rpc: String,
    /// Its gateways.
    pub gateways: Gateways,
    /// The light client under them.
    pub light_client: Address,
    /// How operators know its heads.
    pub class: Class,
    /// The rules that its blocks are judged by: a chain configuration.
    pub spec: ChainSpec,
    /// The header, RLP, of the block that verification starts from.
    pub anchor: Bytes,
    /// Who judges it, by nodes of which stack: where its class asks for judges, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_node: Option<OwnNodeEntry>,
    /// Bounds on the work that a block may cause, none above what a network allows by default.
    #[serde(default)]
    pub limits: RollupLimits,
    /// How it is settled; when absent, it has no `Safe` and no `Finalized` heads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settlement: Option<SettlementEntry>,
    /// Usual time between blocks, in milliseconds; for displays only.
    pub block_time_ms: u64,
    /// Its own processes, which operators let connect; at most [`PROFILE_PEERS_MAX`]. Publishers among them serve it alone.
    #[serde(default)]
    pub peers: Vec<PeerEntry>,
}

/// Why a profile makes no member.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Longer than the protocol allows.
    #[error("the profile has {found} bytes, at most {most} are allowed")]
    TooLong {
        /// Bytes that it has.
        found: usize,
        /// Bytes that it can have.
        most: usize,
    },
    /// It is no profile.
    #[error("it is no profile: {0}")]
    Json(#[from] serde_json::Error),
    /// A name or URL that is too long, or has control characters.
    #[error("{what} is longer than {most} bytes, or has control characters")]
    Text {
        /// Which.
        what: &'static str,
        /// Bytes that it can have.
        most: usize,
    },
    /// More processes than it can name.
    #[error("it names {found} peers, at most {most} are allowed")]
    Peers {
        /// How many it names.
        found: usize,
        /// How many it can.
        most: usize,
    },
    /// A peer's key is none, or there twice.
    #[error("key {key} of peer {whose} is no ed25519 key, or there twice")]
    PeerKey {
        /// Whose it is.
        whose: String,
        /// The key.
        key: B256,
    },
    /// A publisher of another rollup.
    #[error("peer {whose} publishes chain {found}, the profile is of {chain_id}")]
    PeerChain {
        /// The publisher.
        whose: String,
        /// The chain that it is said to publish.
        found: ChainId,
        /// The rollup.
        chain_id: ChainId,
    },
    /// More work than a network allows by default.
    #[error("{what} is {found}, at most {most} is allowed")]
    Limit {
        /// Which limit.
        what: &'static str,
        /// In the profile.
        found: u64,
        /// The most that can be.
        most: u64,
    },
    /// An anchor so high that numbers would run out.
    #[error("the anchor is block {found}, at most {most} is possible")]
    Anchor {
        /// In the profile.
        found: u64,
        /// The highest that there can be.
        most: u64,
    },
    /// Anything that would be wrong in the network file, too.
    #[error(transparent)]
    Member(#[from] NetworkError),
    /// Judges where there are none, or the other way round.
    #[error(transparent)]
    Judges(Box<Refusal>),
    /// A join says something else than its profile.
    #[error("the join of chain {chain_id} has another {what} than its profile")]
    Join {
        /// The rollup.
        chain_id: ChainId,
        /// What differs.
        what: &'static str,
    },
    /// A member file names another registration than what is in it gives.
    #[error("the member file names registration {declared}, what is in it gives {computed}")]
    Registration {
        /// In the file.
        declared: RegistrationId,
        /// From what is in it.
        computed: RegistrationId,
    },
    /// The chain id is taken.
    #[error("chain {chain_id} is known already, as registration {known}")]
    Known {
        /// The chain.
        chain_id: ChainId,
        /// Its registration.
        known: RegistrationId,
    },
    /// The member file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What L1 has beside the profile's bytes of a rollup that joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registrant {
    /// Its chain id.
    pub chain_id: ChainId,
    /// Whose claims count.
    pub sequencer: Address,
    /// Who decides for the rollup whom it listens to.
    pub governor: Address,
}

impl RollupProfile {
    /// Read and check a profile. Nothing that depends on L1 or on the network is looked at.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProfileError> {
        let (found, most) = (bytes.len(), PROFILE_BYTES_MAX);
        if found > most {
            return Err(ProfileError::TooLong { found, most });
        }
        let profile: Self = serde_json::from_slice(bytes)?;
        for (what, text) in [("its name", &profile.name), ("its RPC URL", &profile.rpc)] {
            check_text(what, text)?;
        }
        for peer in &profile.peers {
            check_text("a peer's name", &peer.name)?;
            check_text("a peer's API", peer.api.as_deref().unwrap_or_default())?;
        }
        let (found, most) = (profile.peers.len(), PROFILE_PEERS_MAX);
        if found > most {
            return Err(ProfileError::Peers { found, most });
        }
        let (limits, most) = (profile.limits, RollupLimits::default());
        let bounds = [
            ("block_gas", limits.block_gas, most.block_gas),
            ("gas_per_second", limits.gas_per_second, most.gas_per_second),
        ];
        for (what, found, most) in bounds {
            if found > most {
                return Err(ProfileError::Limit { what, found, most });
            }
        }
        Ok(profile)
    }

    /// The bytes that are published and registered.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("a profile has no map with keys that are no strings").into()
    }

    /// The member that these bytes make. `inbox` is where the deployment's batches go, when it says.
    pub fn member(
        bytes: &Bytes,
        registrant: Registrant,
        inbox: Option<Address>,
    ) -> Result<Member, ProfileError> {
        let profile = Self::parse(bytes)?;
        let Registrant { chain_id, sequencer, governor } = registrant;
        let mut keys = BTreeSet::new();
        let mut peers = Vec::with_capacity(profile.peers.len());
        for mut peer in profile.peers {
            let key = network_key(peer.key).filter(|_| keys.insert(peer.key));
            let Some(key) = key else {
                return Err(ProfileError::PeerKey { whose: peer.name, key: peer.key });
            };
            if let Some(found) = peer.chain_id.filter(|found| *found != chain_id) {
                return Err(ProfileError::PeerChain { whose: peer.name, found, chain_id });
            }
            peer.chain_id = (peer.role == PeerRole::Publisher).then_some(chain_id);
            peers.push((peer, key));
        }
        let spec_hash = profile_spec_hash(governor, bytes);
        let mut entry = RollupEntry {
            name: profile.name,
            chain_id,
            rpc: profile.rpc,
            gateways: profile.gateways,
            light_client: profile.light_client,
            registration: RegistrationId::default(),
            sequencer,
            class: profile.class,
            spec: profile.spec,
            anchor: profile.anchor,
            own_node: profile.own_node,
            limits: profile.limits,
            settlement: profile.settlement,
            block_time_ms: profile.block_time_ms,
        };
        let anchor = check_rollup(&entry, inbox)?;
        let (found, most) = (anchor.header().number, ANCHOR_NUMBER_MAX);
        if found > most {
            return Err(ProfileError::Anchor { found, most });
        }
        entry.registration = RegistrationId::derive(chain_id, sequencer, anchor.hash(), spec_hash);
        let published = Some(PublishedProfile { governor, bytes: bytes.clone() });
        let judges = entry.own_node.as_ref().map_or_else(Vec::new, |own| own.judges.clone());
        let member = Member { entry, anchor, spec_hash, peers, judges, profile: published };
        member.params().check_judges().map_err(|refusal| ProfileError::Judges(Box::new(refusal)))?;
        Ok(member)
    }
}

fn check_text(what: &'static str, text: &str) -> Result<(), ProfileError> {
    let most = TEXT_BYTES_MAX;
    if text.len() > most || text.chars().any(char::is_control) {
        return Err(ProfileError::Text { what, most });
    }
    Ok(())
}

/// What a member that joined has on L1, and one of the network file has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedProfile {
    /// Who decides for the rollup whom it listens to.
    pub governor: Address,
    /// The profile's bytes.
    pub bytes: Bytes,
}

impl Member {
    /// The change that takes it in, as of an L1 block; `None` for a member of the network file.
    #[must_use]
    pub fn join(&self, l1: L1Origin) -> Option<Join> {
        let profile = self.profile.as_ref()?;
        Some(Join {
            chain_id: self.entry.chain_id,
            sequencer: self.entry.sequencer,
            facades: self.entry.gateways.facades(),
            class: self.entry.class,
            judges: self.judges.iter().map(|judge| judge.0).collect(),
            anchor: self.anchor.block(),
            anchor_state_root: self.anchor.header().state_root,
            governor: profile.governor,
            profile: profile.bytes.clone(),
            l1,
        })
    }

    /// The file by which others know it; `None` for a member of the network file.
    #[must_use]
    pub fn file(&self) -> Option<MemberFile> {
        let profile = self.profile.as_ref()?;
        Some(MemberFile {
            chain_id: self.entry.chain_id,
            sequencer: self.entry.sequencer,
            governor: profile.governor,
            registration: self.entry.registration,
            profile: String::from_utf8(profile.bytes.to_vec()).ok()?,
        })
    }

    /// The member that a join takes in: what its profile makes, when the join says the same.
    pub fn joined(join: &Join, inbox: Option<Address>) -> Result<Self, ProfileError> {
        let Join { chain_id, sequencer, governor, .. } = *join;
        let member =
            RollupProfile::member(&join.profile, Registrant { chain_id, sequencer, governor }, inbox)?;
        let differs = [
            ("gateways", join.facades != member.entry.gateways.facades()),
            ("class", join.class != member.entry.class),
            ("judges", !join.judges.iter().eq(member.judges.iter().map(|judge| &judge.0))),
            ("anchor", join.anchor != member.anchor.block()),
            ("anchor state root", join.anchor_state_root != member.anchor.header().state_root),
        ];
        match differs.into_iter().find(|(_, differs)| *differs) {
            Some((what, _)) => Err(ProfileError::Join { chain_id, what }),
            None => Ok(member),
        }
    }
}

/// The file by which a publisher or relayer knows a rollup that is not in the network file: JSON, as `hum rollup join` writes
/// it. `PublisherConfig::member` and `RelayerConfig::members` name such files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberFile {
    /// Its chain id.
    pub chain_id: ChainId,
    /// Whose claims count.
    pub sequencer: Address,
    /// Who decides for the rollup whom it listens to.
    pub governor: Address,
    /// Its entry in the registry on L1; must follow from the rest.
    pub registration: RegistrationId,
    /// The profile's JSON text, byte for byte as it is published: a string, because another spelling is another registration.
    pub profile: String,
}

impl MemberFile {
    /// The file of a rollup with this profile.
    pub fn new(registrant: Registrant, profile: &RollupProfile) -> Result<Self, ProfileError> {
        let bytes = profile.encode();
        let member = RollupProfile::member(&bytes, registrant, None)?;
        let Registrant { chain_id, sequencer, governor } = registrant;
        let profile = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Self { chain_id, sequencer, governor, registration: member.entry.registration, profile })
    }

    /// Read a member file without checking it.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let text = std::fs::read(path)
            .map_err(|source| ProfileError::Read { path: path.display().to_string(), source })?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Read a member file, and make the rollup known in a network that does not list it.
    pub fn tell(path: &Path, network: &Network) -> Result<Arc<Member>, ProfileError> {
        network.members.insert(Self::read(path)?.member(network)?)
    }

    /// The bytes that are published.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.profile.clone().into_bytes().into()
    }

    /// The member that it makes in a network.
    pub fn member(&self, network: &Network) -> Result<Member, ProfileError> {
        let Self { chain_id, sequencer, governor, registration: declared, profile: _ } = *self;
        let registrant = Registrant { chain_id, sequencer, governor };
        let member = RollupProfile::member(&self.bytes(), registrant, network.batch_inbox())?;
        let computed = member.entry.registration;
        if computed == declared { Ok(member) } else { Err(ProfileError::Registration { declared, computed }) }
    }
}
