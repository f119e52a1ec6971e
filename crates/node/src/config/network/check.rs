//! Reading a network file, and everything that can be wrong with one.

use super::*;
use alloy_consensus::Header;
use alloy_rlp::Decodable as _;
use commonware_codec::DecodeExt as _;
use hum_chain::stack::StackKind;
use hum_ledger::{RosterError, SeatedRoster};
use hum_types::{Decode as _, Reader, Roster, Terms, TooShort};
use std::{collections::BTreeSet, path::Path};

/// Why a network file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; start a network with `hum up`, or name its file")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A publisher serves a chain that is no rollup of the network.
    #[error("{whose} publishes chain {chain_id}, which is no rollup of this network")]
    NotAMember {
        /// The publisher.
        whose: String,
        /// The chain.
        chain_id: ChainId,
    },
    /// The file is not a network file.
    #[error("{path} is no network file: {source}")]
    Json {
        /// The file.
        path: String,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// Written by another version.
    #[error("network file has version {found}, this binary reads {expected}; use the binary that wrote it")]
    Version {
        /// In the file.
        found: u32,
        /// What this binary reads.
        expected: u32,
    },
    /// The domain does not follow from the deployment.
    #[error("domain is {declared}, the deployment gives {computed}")]
    Domain {
        /// In the file.
        declared: B256,
        /// From `l1` and `deployment`.
        computed: B256,
    },
    /// A list that must not be empty is.
    #[error("{what} is empty")]
    Empty {
        /// Which list.
        what: &'static str,
    },
    /// More entries than the protocol allows.
    #[error("{what} has {found} entries, at most {most} are allowed")]
    TooMany {
        /// Which list.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many may be.
        most: usize,
    },
    /// Chain ids do not ascend.
    #[error("rollup {next} comes after {previous}; list them by ascending chain id, each once")]
    Order {
        /// The earlier entry.
        previous: ChainId,
        /// The later entry.
        next: ChainId,
    },
    /// The chain spec is another chain's.
    #[error("rollup {chain_id} has the chain spec of {found}")]
    Spec {
        /// The rollup.
        chain_id: ChainId,
        /// The chain that the spec is for.
        found: ChainId,
    },
    /// The anchor is no header.
    #[error("anchor of rollup {chain_id} is no header: {source}")]
    Anchor {
        /// The rollup.
        chain_id: ChainId,
        /// What the decoder said.
        source: alloy_rlp::Error,
    },
    /// The anchor of an own-node rollup is none.
    #[error("anchor of rollup {chain_id}: {source}")]
    StatedAnchor {
        /// The rollup.
        chain_id: ChainId,
        /// What the decoder said.
        source: hum_types::DecodeError,
    },
    /// Re-executed and own-node rollups are not mixed up.
    #[error("rollup {chain_id} is said to be {declared}, with its stack and judges it is {computed}")]
    Class {
        /// The rollup.
        chain_id: ChainId,
        /// In the file.
        declared: Class,
        /// By its `own_node`, or for want of one.
        computed: Class,
    },
    /// Batches of ours hold blocks of chains that are re-executed, and a stack's contracts settle chains of that stack.
    #[error("rollup {chain_id} is {class}: it is not settled by {settlement}")]
    SettlementClass {
        /// The rollup.
        chain_id: ChainId,
        /// How operators know its heads.
        class: Class,
        /// How it is said to settle.
        settlement: &'static str,
    },
    /// A contract that settles a rollup stands at the zero address.
    #[error("{contract} of rollup {chain_id} is the zero address")]
    ContractZero {
        /// The rollup.
        chain_id: ChainId,
        /// Which contract.
        contract: &'static str,
    },
    /// Too few or too many judges, or in no order.
    #[error(transparent)]
    Judges(Box<hum_ledger::Refusal>),
    /// The registration does not follow from what it stands for.
    #[error("registration of rollup {chain_id} is {declared}, its entry gives {computed}")]
    Registration {
        /// The rollup.
        chain_id: ChainId,
        /// In the file.
        declared: RegistrationId,
        /// From chain id, sequencer, anchor and chain spec.
        computed: RegistrationId,
    },
    /// Two gateways share an address, or one is zero.
    #[error("gateways of rollup {chain_id} must be three different addresses, none zero")]
    Gateways {
        /// The rollup.
        chain_id: ChainId,
    },
    /// A limit that lets nothing through, or more than a message carries.
    #[error("{what} of rollup {chain_id} is {found}, it must be between 1 and {most}")]
    Limit {
        /// The rollup.
        chain_id: ChainId,
        /// Which limit.
        what: &'static str,
        /// In the file.
        found: usize,
        /// The most that can be.
        most: usize,
    },
    /// Batches cannot be posted to the zero address.
    #[error("inbox of rollup {chain_id} is the zero address")]
    InboxZero {
        /// The rollup.
        chain_id: ChainId,
    },
    /// Batches are posted where no judge looks.
    #[error("inbox of rollup {chain_id} is {declared}, the deployment's is {expected}")]
    Inbox {
        /// The rollup.
        chain_id: ChainId,
        /// In the rollup's entry.
        declared: Address,
        /// In `restaking`.
        expected: Address,
    },
    /// The operators do not form a committee.
    #[error("operators: {0}")]
    Roster(#[from] RosterError),
    /// Terms are too short.
    #[error("term_heights: {0}")]
    Terms(#[from] TooShort),
    /// An operator's id is not that of its key.
    #[error("operator id is {declared}, its key has {computed}")]
    OperatorId {
        /// In the file.
        declared: OperatorId,
        /// Of the key.
        computed: OperatorId,
    },
    /// The table is not that of the operators.
    #[error("committee table hashes to {declared}, the operators give {computed}")]
    Table {
        /// Hash of the table in the file.
        declared: B256,
        /// Hash of the table that the operators form.
        computed: B256,
    },
    /// A key is no ed25519 key.
    #[error("key {key} of {whose} is no ed25519 key")]
    Key {
        /// Whose it is.
        whose: String,
        /// The key.
        key: B256,
    },
    /// Two processes share a key.
    #[error("key {key} is used twice; every process needs its own")]
    KeyTwice {
        /// The key.
        key: B256,
    },
}

impl NetworkFile {
    /// Read and check a network file.
    pub fn load(path: &Path) -> Result<Network, NetworkError> {
        Self::read(path)?.check()
    }

    /// Read a network file without checking it.
    pub fn read(path: &Path) -> Result<Self, NetworkError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| NetworkError::Read { path: shown.clone(), source })?;
        serde_json::from_str(&text).map_err(|source| NetworkError::Json { path: shown, source })
    }

    /// Check all that can be checked without asking anyone.
    pub fn check(self) -> Result<Network, NetworkError> {
        if self.version != NETWORK_VERSION {
            return Err(NetworkError::Version { found: self.version, expected: NETWORK_VERSION });
        }
        let Deployment { service_manager, operator_set } = self.deployment;
        let computed = Domain::new(self.l1.chain_id, service_manager, operator_set);
        if self.domain != computed {
            return Err(NetworkError::Domain { declared: self.domain.0, computed: computed.0 });
        }
        self.check_bounds()?;
        let inbox = self.restaking.as_ref().and_then(|entry| entry.batch_inbox);
        let members = check_rollups(self.rollups, inbox)?;
        let seated = Arc::new(check_committee(self.domain, &self.committee, &self.operators)?);
        let committee = seated.committee().clone();
        let terms = Terms::of(self.term_heights)?;
        let mut keys = BTreeSet::new();
        let operators = check_operators(self.operators, &committee, &mut keys)?;
        let peers = self
            .peers
            .into_iter()
            .map(|peer| check_peer(peer, &members, &mut keys))
            .collect::<Result<_, _>>()?;
        let genesis = Genesis {
            domain: self.domain,
            seated,
            terms,
            time_ms: self.genesis_time_ms,
            l1_origin: self.l1.origin,
            rollups: members.iter().map(Member::params).collect(),
        };
        Ok(Network {
            name: self.name,
            domain: self.domain,
            service_manager,
            genesis,
            l1: self.l1,
            members: Members::new(members, inbox),
            seats_max: self.seats_max,
            operators_max: self.operators_max,
            restaking: self.restaking,
            operators,
            committee,
            peers,
        })
    }

    fn check_bounds(&self) -> Result<(), NetworkError> {
        let found = self.operators.len();
        for (what, most) in [("seats of the committee", self.seats_max), ("operators", self.operators_max)] {
            let most = usize::from(most);
            if found > most {
                return Err(NetworkError::TooMany { what, found, most });
            }
        }
        Ok(())
    }
}

fn check_rollups(entries: Vec<RollupEntry>, inbox: Option<Address>) -> Result<Vec<Member>, NetworkError> {
    if entries.is_empty() {
        return Err(NetworkError::Empty { what: "rollups" });
    }
    if entries.len() > hum_types::ROLLUPS_MAX {
        let (found, most) = (entries.len(), hum_types::ROLLUPS_MAX);
        return Err(NetworkError::TooMany { what: "rollups", found, most });
    }
    let mut members: Vec<Member> = Vec::with_capacity(entries.len());
    for entry in entries {
        let chain_id = entry.chain_id;
        if let Some(previous) = members.last().map(|member| member.entry.chain_id)
            && previous >= chain_id
        {
            return Err(NetworkError::Order { previous, next: chain_id });
        }
        members.push(check_member(entry, inbox)?);
    }
    Ok(members)
}

fn check_settlement(
    chain_id: ChainId,
    settlement: SettlementEntry,
    inbox: Option<Address>,
) -> Result<(), NetworkError> {
    let contracts = match settlement {
        SettlementEntry::Batches { inbox: declared, from_block: _ } => {
            if declared.is_zero() {
                return Err(NetworkError::InboxZero { chain_id });
            }
            return match inbox {
                Some(expected) if expected != declared => {
                    Err(NetworkError::Inbox { chain_id, declared, expected })
                }
                _ => Ok(()),
            };
        }
        SettlementEntry::OpStack { anchor_registry, game_factory, from_block: _ } => {
            vec![("anchor registry", anchor_registry), ("game factory", game_factory)]
        }
        SettlementEntry::Nitro { rollup, from_block: _ } => vec![("rollup", rollup)],
    };
    match contracts.into_iter().find(|(_, contract)| contract.is_zero()) {
        Some((contract, _)) => Err(NetworkError::ContractZero { chain_id, contract }),
        None => Ok(()),
    }
}

fn check_member(entry: RollupEntry, inbox: Option<Address>) -> Result<Member, NetworkError> {
    let (chain_id, anchor) = (entry.chain_id, check_rollup(&entry, inbox)?);
    let own = entry.own_node.as_ref();
    let spec_hash = own.map_or_else(|| entry.spec.hash(), |own| own.spec_hash(chain_id));
    let computed = RegistrationId::derive(chain_id, entry.sequencer, anchor.hash(), spec_hash);
    if entry.registration != computed {
        return Err(NetworkError::Registration { chain_id, declared: entry.registration, computed });
    }
    let judges = own.map_or_else(Vec::new, |own| own.judges.clone());
    let member = Member { entry, anchor, spec_hash, peers: Vec::new(), judges, profile: None };
    member.params().check_judges().map_err(|refusal| NetworkError::Judges(Box::new(refusal)))?;
    Ok(member)
}

/// Check all of an entry but its registration; returns the anchor's header.
pub(in crate::config) fn check_rollup(
    entry: &RollupEntry,
    inbox: Option<Address>,
) -> Result<CertifiedHeader, NetworkError> {
    let chain_id = entry.chain_id;
    if entry.spec.chain_id() != chain_id {
        return Err(NetworkError::Spec { chain_id, found: entry.spec.chain_id() });
    }
    let facades = entry.gateways.facades();
    let different: BTreeSet<Address> = facades.into_iter().filter(|address| !address.is_zero()).collect();
    if different.len() != facades.len() {
        return Err(NetworkError::Gateways { chain_id });
    }
    if entry.limits.gas_per_second == 0 {
        return Err(NetworkError::Limit { chain_id, what: "gas_per_second", found: 0, most: usize::MAX });
    }
    let most = crate::wire::SUBMISSION_BYTES_MAX;
    for (what, found) in
        [("block_bytes", entry.limits.block_bytes), ("witness_bytes", entry.limits.witness_bytes)]
    {
        if found == 0 || found > most {
            return Err(NetworkError::Limit { chain_id, what, found, most });
        }
    }
    if let Some(settlement) = entry.settlement {
        check_settlement(chain_id, settlement, inbox)?;
    }
    let class = entry.own_node.as_ref().map_or(Class::Reexecuted, |own| own.stack.class());
    if class != entry.class {
        return Err(NetworkError::Class { chain_id, declared: entry.class, computed: class });
    }
    let nitro = entry.own_node.as_ref().is_some_and(|own| own.stack == StackKind::Nitro);
    let (settlement, fits) = match entry.settlement {
        None => ("nothing", true),
        Some(SettlementEntry::Batches { .. }) => ("batches", class == Class::Reexecuted),
        Some(SettlementEntry::OpStack { .. }) => ("the OP Stack's games", class == Class::Reexecuted),
        Some(SettlementEntry::Nitro { .. }) => ("Nitro's assertions", nitro),
    };
    if !fits {
        return Err(NetworkError::SettlementClass { chain_id, class, settlement });
    }
    if class == Class::OwnNode {
        return read_stated(chain_id, &entry.anchor);
    }
    let mut rest = &entry.anchor[..];
    let header = Header::decode(&mut rest).map_err(|source| NetworkError::Anchor { chain_id, source })?;
    if !rest.is_empty() {
        return Err(NetworkError::Anchor { chain_id, source: alloy_rlp::Error::UnexpectedLength });
    }
    Ok(CertifiedHeader::from_anchor(header))
}

fn read_stated(chain_id: ChainId, anchor: &[u8]) -> Result<CertifiedHeader, NetworkError> {
    let refused = |source| NetworkError::StatedAnchor { chain_id, source };
    let mut reader = Reader::new(anchor);
    let block = BlockRef::decode_from(&mut reader).map_err(refused)?;
    let state_root = reader.b256("state root").map_err(refused)?;
    let timestamp = reader.u64("seconds").map_err(refused)?;
    reader.finish("anchor").map_err(refused)?;
    Ok(CertifiedHeader::stated(block, state_root, timestamp))
}

fn check_committee(
    domain: Domain,
    declared: &CommitteeEntry,
    operators: &[OperatorEntry],
) -> Result<SeatedRoster, NetworkError> {
    for entry in operators {
        let (declared, computed) = (entry.id, OperatorId::of(entry.bls_key.g1()));
        if declared != computed {
            return Err(NetworkError::OperatorId { declared, computed });
        }
    }
    let roster = Roster::new(declared.valid_until, operators.iter().map(OperatorEntry::seat).collect());
    let seated = SeatedRoster::check(domain, declared.epoch, roster, None)?;
    let (declared, computed) = (keccak256(&declared.table), keccak256(seated.committee().table().encode()));
    if declared != computed {
        return Err(NetworkError::Table { declared, computed });
    }
    Ok(seated)
}

fn check_operators(
    entries: Vec<OperatorEntry>,
    committee: &Committee,
    keys: &mut BTreeSet<B256>,
) -> Result<Vec<OperatorSeat>, NetworkError> {
    let mut seats = Vec::with_capacity(entries.len());
    for entry in entries {
        let key = check_key(&entry.api, entry.key, keys)?;
        // The committee was made from these very entries.
        if let Some(seat) = committee.seat_of(&entry.bls_key) {
            seats.push(OperatorSeat { entry, key, seat });
        }
    }
    seats.sort_by_key(|operator| operator.seat);
    Ok(seats)
}

fn check_peer(
    peer: PeerEntry,
    members: &[Member],
    keys: &mut BTreeSet<B256>,
) -> Result<(PeerEntry, PublicKey), NetworkError> {
    let stranger = |id: &ChainId| members.iter().all(|member| member.entry.chain_id != *id);
    if let Some(chain_id) = peer.chain_id.filter(stranger) {
        return Err(NetworkError::NotAMember { whose: peer.name, chain_id });
    }
    let key = check_key(&peer.name, peer.key, keys)?;
    Ok((peer, key))
}

fn check_key(whose: &str, key: B256, keys: &mut BTreeSet<B256>) -> Result<PublicKey, NetworkError> {
    let decoded = PublicKey::decode(bytes::Bytes::copy_from_slice(key.as_slice()))
        .map_err(|_| NetworkError::Key { whose: whose.to_owned(), key })?;
    if !keys.insert(key) {
        return Err(NetworkError::KeyTwice { key });
    }
    Ok(decoded)
}
