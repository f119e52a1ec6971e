//! The network file: who is in the network and what all of them agree on.

mod check;

pub use check::NetworkError;
pub(super) use check::check_rollup;

use super::PublishedProfile;
use crate::members::Members;
use hum_bls::{Committee, OperatorId, Seat, Signature};
use hum_chain::stack::StackKind;
use hum_consensus::PublicKey;
use hum_ledger::{Genesis, RollupParams, roster_entry};
use hum_types::{
    Address, B256, BlockRef, Bytes, ChainId, Class, Domain, Encode as _, Epoch, L1Origin, RegistrationId,
    RosterEntry, Stake, TimeMs, TimeS, keccak256, put_list,
};
use hum_verify::{CertifiedHeader, ChainSpec};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

/// The version that this binary writes and reads.
pub const NETWORK_VERSION: u32 = 1;

/// The network file as it stands on disk. Believed only after [`NetworkFile::check`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFile {
    /// [`NETWORK_VERSION`].
    pub version: u32,
    /// What people call it.
    pub name: String,
    /// The contracts that make up the deployment on L1.
    pub deployment: Deployment,
    /// What keeps signatures of different deployments apart; follows from `l1` and `deployment`.
    pub domain: Domain,
    /// When the chain of checkpoints starts.
    pub genesis_time_ms: TimeMs,
    /// The L1.
    pub l1: L1Entry,
    /// The members, by ascending chain id.
    pub rollups: Vec<RollupEntry>,
    /// Heights of a term: a committee changes only between two terms.
    pub term_heights: u64,
    /// Most seats that a committee has.
    pub seats_max: u16,
    /// Most operators that are registered at once, seated or not.
    pub operators_max: u16,
    /// Where committees come from; when absent, the first one stays for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restaking: Option<RestakingEntry>,
    /// The operators with a seat in the first committee, in any order.
    pub operators: Vec<OperatorEntry>,
    /// The first committee, which they form.
    pub committee: CommitteeEntry,
    /// Publishers, relayers and watchers that may connect.
    pub peers: Vec<PeerEntry>,
}

/// Where Hum is deployed on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The service manager.
    pub service_manager: Address,
    /// The operator set.
    pub operator_set: u32,
}

/// The contracts on L1 that decide who has a seat, beside the service manager of [`Deployment`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestakingEntry {
    /// EigenLayer's allocation manager.
    pub allocation_manager: Address,
    /// EigenLayer's delegation manager.
    pub delegation_manager: Address,
    /// EigenLayer's strategy manager.
    pub strategy_manager: Address,
    /// Strategies whose stake counts.
    pub strategies: Vec<Address>,
    /// Contracts that may order slashing, by fault.
    #[serde(default)]
    pub judges: JudgesEntry,
    /// The registry of rollups and their bonds; absent while rollups are registered in this file only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollup_registry: Option<Address>,
    /// Where rollups post their batches; absent while nothing judges what is settled by them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_inbox: Option<Address>,
    /// Where profiles of registered rollups are published; absent while no rollup can join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollup_profiles: Option<Address>,
}

/// The judges; absent ones do not stand yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JudgesEntry {
    /// Of two attestations for one height.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attestation: Option<Address>,
    /// Of attested heads that nobody claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<Address>,
    /// Of lane roots that contradict an attested state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<Address>,
    /// Of attested heads and tables that contradict L1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settlement: Option<Address>,
    /// What tells that judge of tables: the adapter that knows snapshots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_adapter: Option<Address>,
    /// Of state roots that are not in the block whose hash was attested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_root: Option<Address>,
    /// Where committee tables lie that all of them read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_store: Option<Address>,
    /// What tells that judge, and the registry of rollups, of batches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_adapter: Option<Address>,
}

/// The L1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct L1Entry {
    /// Its chain id.
    pub chain_id: ChainId,
    /// JSON-RPC URL, for people and tools; roles use their own.
    pub rpc: String,
    /// URL of a beacon node of it that serves blobs, for people and tools; operators use their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beacon: Option<String>,
    /// The finalised block at which committee and members were read.
    pub origin: L1Origin,
}

/// A rollup's gateways, at the same addresses on every member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateways {
    /// Backed by the sequencer's bond and the operators.
    pub latest: Address,
    /// For messages whose data are on L1.
    pub safe: Address,
    /// For messages that are final.
    pub finalized: Address,
}

impl Gateways {
    /// In the order of [`hum_types::Confidence::ALL`].
    #[must_use]
    pub const fn facades(&self) -> [Address; 3] {
        [self.latest, self.safe, self.finalized]
    }
}

/// The work that one block of a rollup may cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RollupLimits {
    /// Bytes of a block.
    pub block_bytes: usize,
    /// Bytes of its witness.
    pub witness_bytes: usize,
    /// A block's gas limit.
    pub block_gas: u64,
    /// Gas that is re-executed in a second, over time; bursts of ten seconds' worth pass at once.
    pub gas_per_second: u64,
}

impl Default for RollupLimits {
    fn default() -> Self {
        let limits = hum_verify::Limits::default();
        Self {
            block_bytes: crate::wire::SUBMISSION_BYTES_MAX,
            witness_bytes: crate::wire::SUBMISSION_BYTES_MAX,
            block_gas: limits.block_gas,
            gas_per_second: 100_000_000,
        }
    }
}

/// How operators learn from L1 what of a rollup is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SettlementEntry {
    /// By batches of its blocks on L1.
    Batches {
        /// The contract that they are posted to.
        inbox: Address,
        /// The first L1 block that may hold one.
        from_block: u64,
    },
    /// By the OP Stack's dispute games: `Finalized` is what their anchor holds.
    OpStack {
        /// The chain's `AnchorStateRegistry`.
        anchor_registry: Address,
        /// The chain's `DisputeGameFactory`.
        game_factory: Address,
        /// The first L1 block that is looked at.
        from_block: u64,
    },
    /// By Nitro's assertions (BoLD): `Finalized` is what the newest confirmed one holds.
    Nitro {
        /// The chain's rollup contract.
        rollup: Address,
        /// The first L1 block that is looked at.
        from_block: u64,
    },
}

impl SettlementEntry {
    /// The first L1 block that may hold something of it.
    #[must_use]
    pub const fn from_block(&self) -> u64 {
        match self {
            Self::Batches { from_block, .. }
            | Self::OpStack { from_block, .. }
            | Self::Nitro { from_block, .. } => *from_block,
        }
    }
}

/// A rollup that nobody re-executes: who judges it, by nodes of which stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnNodeEntry {
    /// The stack: `nitro` or `zksync`.
    pub stack: StackKind,
    /// The operators that run a node of it and judge, by ascending id. Their stake in the committee of the moment counts.
    pub judges: Vec<OperatorId>,
    /// The stack's contracts on L1, against which judges hold batches; absent where they are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contracts: Option<StackContracts>,
}

/// A chain's own contracts on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stack", rename_all = "lowercase", deny_unknown_fields)]
pub enum StackContracts {
    /// Nitro's.
    Nitro {
        /// The rollup.
        rollup: Address,
    },
    /// ZKsync's.
    ZkSync {
        /// The Bridgehub.
        bridgehub: Address,
        /// The chain's diamond.
        diamond: Address,
    },
}

impl OwnNodeEntry {
    /// What stands in a registration for the hash of a chain spec, for a member of the network file.
    #[must_use]
    pub fn spec_hash(&self, chain_id: ChainId) -> B256 {
        let mut bytes = b"hum/own-node/1".to_vec();
        chain_id.encode_to(&mut bytes);
        bytes.push(match self.stack {
            StackKind::Nitro => 1,
            StackKind::ZkSync => 2,
            StackKind::Ethereum => 3,
            StackKind::OpStack => 4,
        });
        put_list(&mut bytes, &self.judges.iter().map(|judge| judge.0).collect::<Vec<_>>());
        keccak256(bytes)
    }
}

/// The block that judging starts from: `number 8 ‖ hash 32 ‖ state root 32 ‖ seconds 8`, the hash as it is claimed.
#[must_use]
pub fn stated_anchor(block: BlockRef, state_root: B256, timestamp: u64) -> Bytes {
    let mut bytes = block.encode();
    bytes.extend_from_slice(state_root.as_slice());
    bytes.extend_from_slice(&timestamp.to_be_bytes());
    bytes.into()
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollupEntry {
    /// What people call it.
    pub name: String,
    /// Its chain id.
    pub chain_id: ChainId,
    /// JSON-RPC URL, for people and tools; roles use their own.
    pub rpc: String,
    /// Its gateways.
    pub gateways: Gateways,
    /// The light client under them.
    pub light_client: Address,
    /// Its entry in the registry.
    pub registration: RegistrationId,
    /// Whose claims count.
    pub sequencer: Address,
    /// How operators know its heads.
    pub class: Class,
    /// The rules that its blocks are judged by: a chain configuration.
    pub spec: ChainSpec,
    /// The header, RLP, of the block that verification starts from; of an own-node rollup [`stated_anchor`].
    pub anchor: Bytes,
    /// Who judges it, where its class asks for judges, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_node: Option<OwnNodeEntry>,
    /// Bounds on the work that a block may cause.
    #[serde(default)]
    pub limits: RollupLimits,
    /// How it is settled; when absent, it has no `Safe` and no `Finalized` heads. By a stack's own contracts there are
    /// `Finalized` heads only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settlement: Option<SettlementEntry>,
    /// Usual time between blocks, in milliseconds; for displays only.
    pub block_time_ms: u64,
}

/// An operator as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorEntry {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Hash of its BLS key in G1.
    pub id: OperatorId,
    /// Its account on L1.
    pub operator: Address,
    /// Its BLS key.
    pub bls_key: hum_bls::PublicKey,
    /// Its proof that it holds the secret of that key.
    pub possession: Signature,
    /// Its stake.
    pub stake: Stake,
    /// URL of its HTTP API.
    pub api: String,
    /// Its ed25519 key: identity on the network, vote in consensus.
    pub key: B256,
    /// Where it accepts connections.
    pub address: SocketAddr,
}

impl OperatorEntry {
    /// What people call it, or the beginning of its id.
    #[must_use]
    pub fn label(&self) -> String {
        let short = || format!("operator {}", self.id.to_string().chars().take(10).collect::<String>());
        self.name.clone().unwrap_or_else(short)
    }

    /// What the first committee's roster says of it.
    #[must_use]
    pub fn seat(&self) -> RosterEntry {
        let network = (self.key, self.address.into());
        roster_entry(self.operator, self.bls_key, &self.possession, network, self.stake)
    }
}

/// The committee's table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitteeEntry {
    /// Its epoch.
    pub epoch: Epoch,
    /// Until when chains believe it.
    pub valid_until: TimeS,
    /// The table, as contracts store it.
    pub table: Bytes,
}

/// What a process that is no operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeerRole {
    /// Signs claims and sends blocks.
    Publisher,
    /// Delivers messages.
    Relayer,
    /// Looks on.
    Watcher,
}

/// A process that is no operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerEntry {
    /// What people call it.
    pub name: String,
    /// What it does.
    pub role: PeerRole,
    /// Its ed25519 key.
    pub key: B256,
    /// Where it accepts connections.
    pub address: SocketAddr,
    /// The rollup that a publisher serves: operators take no other rollup's blocks from it. Any, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<ChainId>,
    /// URL of its status and metrics; absent where they are nobody else's business.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
}

impl PeerEntry {
    /// Whether this peer may send blocks of the rollup.
    #[must_use]
    pub fn publishes(&self, chain_id: ChainId) -> bool {
        self.role == PeerRole::Publisher && self.chain_id.is_none_or(|own| own == chain_id)
    }
}

/// A member, checked.
#[derive(Debug, Clone)]
pub struct Member {
    /// The entry it was made from.
    pub entry: RollupEntry,
    /// The header that verification starts from.
    pub anchor: CertifiedHeader,
    /// What its registration commits to beside chain id, sequencer and anchor.
    pub spec_hash: B256,
    /// Its own processes, which operators let connect: those of its profile.
    pub peers: Vec<(PeerEntry, PublicKey)>,
    /// Whose word it is that its blocks follow, by ascending id, where nobody re-executes them.
    pub judges: Vec<OperatorId>,
    /// What it joined with; a member of the network file has none.
    pub profile: Option<PublishedProfile>,
}

impl Member {
    /// What the ledger needs to know.
    #[must_use]
    pub fn params(&self) -> RollupParams {
        RollupParams {
            chain_id: self.entry.chain_id,
            registration: self.entry.registration,
            sequencer: self.entry.sequencer,
            facades: self.entry.gateways.facades(),
            class: self.entry.class,
            judges: self.judges.clone(),
            anchor: self.anchor.block(),
            anchor_state_root: self.anchor.header().state_root,
        }
    }

    /// Bounds on the work that a block may cause.
    #[must_use]
    pub fn limits(&self) -> hum_verify::Limits {
        let RollupLimits { block_bytes, witness_bytes, block_gas, gas_per_second: _ } = self.entry.limits;
        let witness = hum_verify::WitnessLimits { bytes: witness_bytes, ..Default::default() };
        hum_verify::Limits { block_bytes, block_gas, witness }
    }
}

/// An operator, checked.
#[derive(Debug, Clone)]
pub struct OperatorSeat {
    /// The entry it was made from.
    pub entry: OperatorEntry,
    /// Its identity on the network.
    pub key: PublicKey,
    /// Its place in the committee's table.
    pub seat: Seat,
}

/// The network, checked.
#[derive(Debug, Clone)]
pub struct Network {
    /// What people call it.
    pub name: String,
    /// What keeps signatures of different deployments apart.
    pub domain: Domain,
    /// Our AVS on L1.
    pub service_manager: Address,
    /// The state that every replay starts from.
    pub genesis: Genesis,
    /// The L1.
    pub l1: L1Entry,
    /// The members: those of the file, and whoever joins. Shared by all clones.
    pub members: Members,
    /// Most seats that a committee has.
    pub seats_max: u16,
    /// Most operators that are registered at once, seated or not.
    pub operators_max: u16,
    /// Where committees come from; when absent, the first one stays for ever.
    pub restaking: Option<RestakingEntry>,
    /// The operators of the first committee, by seat.
    pub operators: Vec<OperatorSeat>,
    /// The first committee.
    pub committee: Arc<Committee>,
    /// Everyone else in the file who may connect, with their keys; [`Self::peers`] for all.
    pub peers: Vec<(PeerEntry, PublicKey)>,
}

impl Network {
    /// A member, also one that left.
    #[must_use]
    pub fn member(&self, chain_id: ChainId) -> Option<Arc<Member>> {
        self.members.get(chain_id)
    }

    /// The members of the moment, by ascending chain id; those that left, too.
    #[must_use]
    pub fn members(&self) -> Vec<Arc<Member>> {
        self.members.all()
    }

    /// The same network, whose members come and go without this one's.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { members: self.members.apart(), ..self.clone() }
    }

    /// Everyone but operators who may connect, with their keys: those of the file, then those of members that joined. Nobody
    /// gets another's key by naming it in a profile.
    #[must_use]
    pub fn peers(&self) -> Vec<(PeerEntry, PublicKey)> {
        let mut taken: BTreeSet<PublicKey> = self.operators.iter().map(|seat| seat.key.clone()).collect();
        let all = self.peers.iter().cloned().chain(self.members.peers());
        all.filter(|(_, key)| taken.insert(key.clone())).collect()
    }

    /// Where the deployment's batches go, when it says.
    #[must_use]
    pub fn batch_inbox(&self) -> Option<Address> {
        self.restaking.as_ref()?.batch_inbox
    }

    /// Number and hash of a member's anchor.
    #[must_use]
    pub fn anchor(&self, chain_id: ChainId) -> Option<BlockRef> {
        self.member(chain_id).map(|member| member.anchor.block())
    }
}
