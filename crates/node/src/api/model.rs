//! What the API says, in the shape that commands read back.

use super::OwnNodeView;
use crate::{
    config::{Gateways, Member, MemberFile, RollupEntry},
    status::RoleStatus,
};
use hum_bls::{Certificate, Committee, OperatorId, PublicKey, Seat};
use hum_types::{
    Address, B256, BlockRef, ChainId, Change, Checkpoint, Class, Confidence, Epoch, Generation, Header,
    Height, LaneIndex, RegistrationId, RollupStatus, TimeMs, TimeS,
};
use serde::{Deserialize, Serialize};

/// An operator at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorStatus {
    /// What it last did, what it waits for, its alarms.
    #[serde(flatten)]
    pub role: RoleStatus,
    /// Hash of its BLS key.
    pub id: OperatorId,
    /// The committee of the height after the newest finalised one.
    pub committee: CommitteeView,
    /// The newest finalised height.
    pub finalised: Height,
    /// The newest certified height; zero while there is none.
    pub certified: Height,
    /// The members as the newest finalised checkpoint has them.
    pub rollups: Vec<RollupView>,
}

/// A committee as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitteeView {
    /// Its epoch.
    pub epoch: Epoch,
    /// How many seats it has.
    pub seats: usize,
    /// The operator's own seat; absent while it only follows.
    pub own_seat: Option<Seat>,
    /// Until when chains believe it.
    pub valid_until: TimeS,
    /// Whether the network has no restaking contracts: then this committee stays for ever.
    pub fixed: bool,
}

impl CommitteeView {
    /// This committee, seen by the operator with this key.
    #[must_use]
    pub fn new(committee: &Committee, own: &PublicKey, fixed: bool) -> Self {
        let table = committee.table();
        Self {
            epoch: table.epoch(),
            seats: table.entries().len(),
            own_seat: committee.seat_of(own),
            valid_until: table.valid_until(),
            fixed,
        }
    }
}

/// What a member is like: what its profile, or the network file, says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    /// Its chain.
    pub chain_id: ChainId,
    /// Its entry in the registry.
    pub registration: RegistrationId,
    /// Its standing in the newest finalised checkpoint.
    pub status: RollupStatus,
    /// What people call it.
    pub name: String,
    /// JSON-RPC URL, for people and tools.
    pub rpc: String,
    /// Its gateways.
    pub gateways: Gateways,
    /// The light client under them.
    pub light_client: Address,
    /// Whose claims count.
    pub sequencer: Address,
    /// How operators know its heads.
    pub class: Class,
    /// The block that it began at.
    pub anchor: BlockRef,
    /// Usual time between blocks, in milliseconds.
    pub block_time_ms: u64,
    /// Who decides for it whom it listens to; absent for a member of the network file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governor: Option<Address>,
    /// All that it joined with, for whoever wants to check it; absent for a member of the network file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<MemberFile>,
}

impl MemberView {
    /// A member with this standing.
    #[must_use]
    pub fn new(member: &Member, status: RollupStatus) -> Self {
        let entry = &member.entry;
        Self {
            chain_id: entry.chain_id,
            registration: entry.registration,
            status,
            name: entry.name.clone(),
            rpc: entry.rpc.clone(),
            gateways: entry.gateways,
            light_client: entry.light_client,
            sequencer: entry.sequencer,
            class: entry.class,
            anchor: member.anchor.block(),
            block_time_ms: entry.block_time_ms,
            governor: member.profile.as_ref().map(|profile| profile.governor),
            joined: member.file(),
        }
    }
}

/// A member as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupView {
    /// Its chain.
    pub chain_id: ChainId,
    /// What people call it.
    pub name: String,
    /// Whether its messages are accepted at `Latest`.
    pub status: RollupStatus,
    /// Its generation.
    pub generation: Generation,
    /// How operators know its heads.
    pub class: Class,
    /// Its `Latest` head.
    pub latest: BlockRef,
    /// Its `Safe` head; absent while nothing of it stands on L1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe: Option<BlockRef>,
    /// Its `Finalized` head; absent while nothing of it is final on L1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalized: Option<BlockRef>,
    /// Number of its head in the newest certified checkpoint.
    pub certified: u64,
    /// Who judges it, where nobody re-executes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_node: Option<OwnNodeView>,
}

/// A checkpoint, with what is known of its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointView {
    /// Hash of the header: what is attested.
    pub hash: B256,
    /// The header.
    pub header: Header,
    /// Rollups that it advanced, with the number of blocks and the new head.
    pub advances: Vec<(ChainId, usize, BlockRef)>,
    /// Messages that it carries.
    pub messages: usize,
    /// Quarantines and retractions, with their evidence.
    pub changes: Vec<Change>,
    /// When this operator saw it finalised.
    pub finalised_ms: TimeMs,
    /// The lowest certified height at or above it.
    pub certified_by: Option<Height>,
    /// When this operator first had that certificate.
    pub certified_ms: Option<TimeMs>,
}

impl CheckpointView {
    pub(super) fn new(
        checkpoint: &Checkpoint,
        finalised_ms: TimeMs,
        certificate: Option<(Height, TimeMs)>,
    ) -> Self {
        let blocks = || checkpoint.body.advances.iter().flat_map(|advance| &advance.blocks);
        Self {
            hash: checkpoint.header.hash(),
            header: checkpoint.header,
            advances: checkpoint
                .body
                .advances
                .iter()
                .filter_map(|a| Some((a.chain_id, a.blocks.len(), a.blocks.last()?.block)))
                .collect(),
            messages: blocks().map(|block| block.messages.len()).sum(),
            changes: checkpoint.body.changes.clone(),
            finalised_ms,
            certified_by: certificate.map(|(height, _)| height),
            certified_ms: certificate.map(|(_, time)| time),
        }
    }
}

/// When a message reached a stage, in milliseconds since 1970, by the clocks of this machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageTimes {
    /// Its block was made, by the block's own timestamp. Whoever asks the source's publisher has the time at which that saw it.
    pub sent: Option<TimeMs>,
    /// A checkpoint with it was finalised.
    pub finalised: Option<TimeMs>,
    /// That checkpoint, or a later one, was certified.
    pub certified: Option<TimeMs>,
    /// The destination ran it. Filled in by whoever asks the destination.
    pub executed: Option<TimeMs>,
}

/// A message, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageView {
    /// `sendId` and `receiveId`.
    pub id: B256,
    /// Source chain.
    pub source: ChainId,
    /// Destination chain.
    pub lane: ChainId,
    /// The façade that it was sent through.
    pub facade: Address,
    /// Its place in the lane.
    pub index: LaneIndex,
    /// The generation that its leaf carries.
    pub generation: Generation,
    /// The confidence of its façade.
    pub confidence: Confidence,
    /// Who sent it.
    pub sender: Address,
    /// Who receives it.
    pub recipient: Address,
    /// Bytes of its payload.
    pub payload_bytes: usize,
    /// The block that sent it.
    pub block: BlockRef,
    /// The checkpoint that carries it.
    pub height: Height,
    /// `finalised`, `certified`; whoever asks the destination adds `executed` and `failed`.
    pub stage: String,
    /// When it reached each stage.
    pub times_ms: StageTimes,
    /// What it waits for.
    pub waiting_for: String,
}

/// The confidence of the façade at `facade`.
#[must_use]
pub fn confidence_of(rollup: &RollupEntry, facade: Address) -> Option<Confidence> {
    let position = rollup.gateways.facades().iter().position(|address| *address == facade)?;
    Confidence::ALL.get(position).copied()
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// How many at most; newest first.
    #[serde(default = "Page::usual")]
    pub limit: u32,
}

impl Page {
    const fn usual() -> u32 {
        20
    }
}

/// A certificate with the header that it is about: enough, with the committee's table, to check it anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateFile {
    /// The header.
    pub header: Header,
    /// The certificate.
    pub certificate: Certificate,
}
