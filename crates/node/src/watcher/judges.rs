//! What judges on L1 are told: calldata from evidence. Pure; the layouts are drawn in `contracts/src/interfaces`.

use super::{
    accusations::accuse_call,
    answers::ClaimJudge,
    committees::Committees,
    docket::{Defendant, Filing},
    evidence::{
        AccusedOperator, Charge, DueTable, Fault, FaultEvidence, HeadStatement, LaneCharge, Signed, Statement,
    },
};
use alloy_primitives::U256;
use alloy_sol_types::{SolCall as _, SolValue as _, sol};
use hum_bls::{Attestation, Certificate, CertificateError, Signature, SubmissionError};
use hum_types::{
    Address, B256, Bytes, Confidence, Domain, Encode as _, Epoch, Header, Height, SignedClaim, keccak256,
};

sol! {
    /// What watchers call of `IAttestationJudge`.
    #[derive(Debug)]
    interface AttestationJudge {
        struct G1 { uint256 x; uint256 y; }
        struct Attestation { uint64 epoch; bytes32 headerHash; G1 signature; }
        struct SeatPair { uint8 one; uint8 other; }
        function slashSingles(address operator, uint64 height, Attestation one, Attestation other) external;
        function slashSigners(bytes32 oneTable, bytes one, bytes32 otherTable, bytes other, SeatPair[] seats) external;
        function slashMixed(Attestation one, bytes32 table, bytes certificate, uint8 seat) external;
        function TABLES() external view returns (address);
    }

    /// What watchers call of `ISettlementJudge`, and of `ISettlementAdapter`.
    #[derive(Debug)]
    interface SettlementJudge {
        struct Statement {
            uint8 kind; uint64 originNumber; bytes32 originHash; bytes32 nextTableHash; uint64 chainId;
            bytes32 registration; uint32 generation; uint64 number; bytes32 blockHash; bytes32 stateRoot; bytes32 lanesRoot;
        }
        function slashHeader(bytes evidence, address adapter, bytes proof, bytes seats) external;
        function slashHead(bytes evidence, bytes statement, uint8 confidence, address adapter, bytes proof, bytes seats) external;
        /// Of an adapter, which the judge asks as well.
        function contradicts(Statement statement, bytes proof) external view returns (bool);
    }

    /// What watchers call of `ILaneJudge`.
    #[derive(Debug)]
    interface LaneJudge {
        function proveAnchor(bytes32 registration, address facade, uint64 destination, bytes header, bytes[] accountProof,
            bytes[] storageProof) external;
        function slashSlot(bytes evidence, bytes statement, bytes lane, bytes[] accountProof, bytes[] storageProof, bytes seats)
            external;
        function isEmptyAtAnchor(bytes32 registration, address facade, uint64 destination) external view returns (bool);
    }

    /// What watchers call of `IStateRootJudge`.
    #[derive(Debug)]
    interface StateRootJudge {
        function slash(bytes evidence, bytes statement, uint8 confidence, bytes blockHeader, bytes seats) external;
    }

    /// What watchers call of `ITableStore`.
    #[derive(Debug)]
    interface TableStore {
        function store(bytes table) external returns (bytes32 tableHash);
        function tableOf(bytes32 tableHash) external view returns (address table, uint256 operators);
    }

    /// What watchers call of `IRollupRegistry`.
    #[derive(Debug)]
    interface RollupRegistry {
        struct Rollup {
            uint64 chainId; address sequencer; address registrant; bytes32 anchorHash; bytes32 specHash;
            uint256 bondWei; uint64 exitAt; bool punished;
        }
        struct Signed { uint32 generation; uint64 number; bytes32 blockHash; bytes signature; }
        function reportDoubleClaim(bytes32 registration, Signed one, Signed other) external;
        function rollup(bytes32 registration) external view returns (Rollup);
        event ClaimAccused(bytes32 indexed registration, uint32 generation, uint64 number, bytes32 blockHash, address reporter,
            uint64 deadline);
        error ClaimRetracted(uint64 keptNumber);
        function accuseClaim(bytes32 registration, Signed claim, address adapter, bytes proof) external
            returns (bytes32 accusation);
        function showRetraction(bytes32 registration, Signed retraction) external;
        function concludeAccusation(bytes32 accusation) external;
        function accusationOf(bytes32 accusation) external view
            returns (bytes32 registration, address reporter, uint64 deadline, uint32 generation, uint64 number);
    }

    /// What watchers ask the service manager about punishments.
    #[derive(Debug)]
    interface Punishments {
        function isPunished(bytes32 offence) external view returns (bool);
        function isJailed(address operator) external view returns (bool);
    }
}

/// Where faults are judged; absent judges do not stand yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Judges {
    /// Of two attestations for one height.
    pub attestation: Option<Address>,
    /// Of attested tables and settled heads that contradict L1.
    pub settlement: Option<Address>,
    /// What knows snapshots and tells that judge.
    pub table_adapter: Option<Address>,
    /// What knows rollups' batches and tells that judge.
    pub batch_adapter: Option<Address>,
    /// Of heads that nobody claimed; watchers answer there for the honest, and challenge the others.
    pub claim: Option<Address>,
    /// Of lanes that their slots contradict.
    pub lane: Option<Address>,
    /// Of state roots that are not their blocks'.
    pub state_root: Option<Address>,
    /// Takes sequencers' bonds.
    pub rollup_registry: Option<Address>,
    /// Where rollups post their batches: what contradicts claims.
    pub batch_inbox: Option<Address>,
}

impl Judges {
    /// Who judges this; nobody where the judge has none that could tell it of L1.
    #[must_use]
    pub fn of(&self, evidence: &FaultEvidence) -> Option<Address> {
        match evidence.fault() {
            Fault::DoubleAttestation => self.attestation,
            Fault::Settlement => self.adapter_for(evidence).and(self.settlement),
            Fault::NoClaim => self.claim,
            Fault::Lane => self.lane,
            Fault::DoubleClaim => self.rollup_registry,
            Fault::StateRoot => self.state_root,
            Fault::FalseClaim => self.batch_adapter.and(self.rollup_registry),
        }
    }

    /// What tells the settlement judge of L1.
    const fn adapter_for(&self, evidence: &FaultEvidence) -> Option<Address> {
        match evidence {
            FaultEvidence::FalseTable { .. } => self.table_adapter,
            FaultEvidence::FalseHead { .. } | FaultEvidence::FalseClaim { .. } => self.batch_adapter,
            FaultEvidence::DoubleAttestation { .. } | FaultEvidence::DoubleClaim { .. } => None,
        }
    }
}

/// Why evidence cannot be put before a judge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PapersError {
    /// The committee of an epoch is not known.
    #[error("the committee of epoch {0} is not known")]
    Epoch(Epoch),
    /// A certificate's header is not known.
    #[error("the header of height {0} is not known")]
    Header(Height),
    /// A certificate does not hold.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A certificate cannot be put into the contract's form.
    #[error(transparent)]
    Submission(#[from] SubmissionError),
    /// A certificate needs someone to accuse.
    #[error("nobody is accused")]
    Nobody,
    /// A seat that does not fit a byte.
    #[error("seat {0} does not fit a byte")]
    Seat(u16),
    /// There is no contract that judges this.
    #[error("no contract judges {0}")]
    NoJudge(Fault),
}

/// A transaction for a judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Papers {
    /// ABI-encoded call.
    pub data: Bytes,
    /// Committee tables that must lie in the table store first, with their hashes.
    pub tables: Vec<(B256, Bytes)>,
    /// What must have been shown, or come to an end, before.
    pub before: Before,
}

/// What comes before the call that slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// The lane was empty at the anchor: once for each lane.
    Anchor {
        /// Asks whether that was shown.
        shown: Bytes,
        /// Shows it.
        prove: Bytes,
    },
    /// A challenge that nobody answered.
    Challenge {
        /// Its name on L1.
        id: B256,
        /// What it is about.
        subject: B256,
        /// Makes it; takes a bond.
        data: Bytes,
    },
    /// The call only accuses: the sequencer has time to show that it took the claim back.
    Accusation {
        /// The claim.
        claim: SignedClaim,
    },
}

impl Papers {
    fn new(data: Vec<u8>, tables: Vec<(B256, Bytes)>) -> Self {
        Self { data: data.into(), tables, before: Before::Nothing }
    }
}

/// The nullifier under which the service manager knows an operator's offence.
#[must_use]
pub fn offence(fault: Fault, operator: Address, height: Height, subject: B256) -> B256 {
    let mut bytes = vec![fault as u8];
    bytes.extend_from_slice(operator.as_slice());
    height.encode_to(&mut bytes);
    bytes.extend_from_slice(subject.as_slice());
    keccak256(bytes)
}

/// The offence that evidence accuses an operator of.
#[must_use]
pub fn offence_of(evidence: &FaultEvidence, operator: Address) -> B256 {
    offence(evidence.fault(), operator, Height(evidence.position()), subject_of(evidence))
}

/// What tells apart offences of one kind at one height.
pub(crate) fn subject_of(evidence: &FaultEvidence) -> B256 {
    match evidence {
        FaultEvidence::FalseTable { statement, .. } => {
            statement.header.as_ref().map_or(B256::ZERO, table_subject)
        }
        FaultEvidence::FalseHead { statement, head, charge } => match charge {
            Charge::Settled { confidence } => statement.header.as_ref().map_or(B256::ZERO, |header| {
                keccak256(settled_statement(header, head, *confidence).abi_encode())
            }),
            Charge::NoClaim => head.subject(),
            Charge::Lane(charge) => charge.lane.leaf_hash(),
            Charge::StateRoot { .. } => {
                let latest = U256::from(Confidence::Latest as u8);
                keccak256((head.registration().0, latest, head.part.block.hash).abi_encode())
            }
        },
        FaultEvidence::DoubleAttestation { .. }
        | FaultEvidence::DoubleClaim { .. }
        | FaultEvidence::FalseClaim { .. } => B256::ZERO,
    }
}

/// The hash of what the settlement judge finds contradicted in a header.
fn table_subject(header: &Header) -> B256 {
    let statement = SettlementJudge::Statement {
        kind: 0,
        originNumber: header.l1_origin.number,
        originHash: header.l1_origin.hash,
        nextTableHash: header.next_table_hash,
        chainId: 0,
        registration: B256::ZERO,
        generation: 0,
        number: 0,
        blockHash: B256::ZERO,
        stateRoot: B256::ZERO,
        lanesRoot: B256::ZERO,
    };
    keccak256(statement.abi_encode())
}

/// What the settlement judge's adapter is asked about a settled head.
pub(crate) fn settled_statement(
    header: &Header,
    head: &HeadStatement,
    confidence: Confidence,
) -> SettlementJudge::Statement {
    SettlementJudge::Statement {
        kind: confidence as u8,
        originNumber: header.l1_origin.number,
        originHash: header.l1_origin.hash,
        nextTableHash: B256::ZERO,
        chainId: head.chain_id().0,
        registration: head.registration().0,
        generation: head.generation().0,
        number: head.part.block.number,
        blockHash: head.part.block.hash,
        stateRoot: head.part.state_root,
        lanesRoot: head.part.lanes_root,
    }
}

/// Write what the judge of this evidence is told.
pub(crate) fn papers(
    filing: &Filing,
    judges: &Judges,
    committees: &Committees,
    domain: Domain,
) -> Result<Papers, PapersError> {
    let accused: Vec<AccusedOperator> =
        filing.defendants.iter().filter_map(|(_, accused)| *accused).collect();
    match &*filing.evidence {
        FaultEvidence::DoubleAttestation { one, other } => {
            double_attestation(one, other, &accused, committees, domain)
        }
        FaultEvidence::FalseTable { statement, expected } => {
            let adapter = judges.table_adapter.ok_or(PapersError::NoJudge(Fault::Settlement))?;
            let (evidence, tables) = attested_header(statement, &accused, committees, domain)?;
            let seats = seats(statement, &accused)?;
            let index = if *expected == DueTable::NONE { U256::MAX } else { U256::from(expected.index) };
            let proof = Bytes::copy_from_slice(&index.to_be_bytes::<32>());
            let call = SettlementJudge::slashHeaderCall { evidence, adapter, proof, seats };
            Ok(Papers::new(call.abi_encode(), tables))
        }
        FaultEvidence::FalseHead { statement, head, charge } => {
            let (evidence, tables) = attested_header(statement, &accused, committees, domain)?;
            let seats = seats(statement, &accused)?;
            let adapter = judges.batch_adapter.ok_or(PapersError::NoJudge(Fault::Settlement));
            Ok(Papers { tables, ..false_head(head, charge, evidence, seats, adapter)? })
        }
        FaultEvidence::DoubleClaim { one, other } => Ok(double_claim(one, other)),
        FaultEvidence::FalseClaim { claim } => {
            let adapter = judges.batch_adapter.ok_or(PapersError::NoJudge(Fault::FalseClaim))?;
            let data = accuse_call(claim, adapter);
            Ok(Papers {
                before: Before::Accusation { claim: *claim },
                ..Papers::new(data.into(), Vec::new())
            })
        }
    }
}

/// Which of a certificate's signers are slashed; nothing for a single attestation.
fn seats(statement: &Statement, accused: &[AccusedOperator]) -> Result<Bytes, PapersError> {
    let seats: Vec<u8> = match &statement.signed {
        Signed::Single(_) => Vec::new(),
        Signed::Quorum(_) => accused.iter().map(|accused| byte(accused.seat.0)).collect::<Result<_, _>>()?,
    };
    Ok(seats.into())
}

fn false_head(
    head: &HeadStatement,
    charge: &Charge,
    evidence: Bytes,
    seats: Bytes,
    adapter: Result<Address, PapersError>,
) -> Result<Papers, PapersError> {
    let statement = Bytes::from(head.encode());
    Ok(match charge {
        Charge::Settled { confidence } => {
            let (confidence, adapter, proof) = (*confidence as u8, adapter?, Bytes::new());
            let call =
                SettlementJudge::slashHeadCall { evidence, statement, confidence, adapter, proof, seats };
            Papers::new(call.abi_encode(), Vec::new())
        }
        Charge::NoClaim => {
            let id = keccak256([keccak256(&evidence), keccak256(&statement)].concat());
            let (again, about) = (evidence.clone(), statement.clone());
            let data = ClaimJudge::challengeCall { evidence: again, statement: about }.abi_encode().into();
            let call = ClaimJudge::slashCall { evidence, statement, seats };
            let before = Before::Challenge { id, subject: head.subject(), data };
            Papers { before, ..Papers::new(call.abi_encode(), Vec::new()) }
        }
        Charge::Lane(charge) => {
            let LaneCharge { lane, slot, anchor, at_anchor } = &**charge;
            let (registration, facade, destination) =
                (head.registration().0, lane.facade(), lane.destination().0);
            let shown = LaneJudge::isEmptyAtAnchorCall { registration, facade, destination }.abi_encode();
            let prove = LaneJudge::proveAnchorCall {
                registration,
                facade,
                destination,
                header: anchor.clone(),
                accountProof: at_anchor.account.clone(),
                storageProof: at_anchor.storage.clone(),
            };
            let call = LaneJudge::slashSlotCall {
                evidence,
                statement,
                lane: lane.encode().into(),
                accountProof: slot.account.clone(),
                storageProof: slot.storage.clone(),
                seats,
            };
            let before = Before::Anchor { shown: shown.into(), prove: prove.abi_encode().into() };
            Papers { before, ..Papers::new(call.abi_encode(), Vec::new()) }
        }
        Charge::StateRoot { block_header } => {
            let (confidence, block_header) = (Confidence::Latest as u8, block_header.clone());
            let call = StateRootJudge::slashCall {
                evidence,
                statement,
                confidence,
                blockHeader: block_header,
                seats,
            };
            Papers::new(call.abi_encode(), Vec::new())
        }
    })
}

fn double_attestation(
    one: &Statement,
    other: &Statement,
    accused: &[AccusedOperator],
    committees: &Committees,
    domain: Domain,
) -> Result<Papers, PapersError> {
    let first = accused.first().ok_or(PapersError::Nobody)?;
    match (&one.signed, &other.signed) {
        (Signed::Single(a), Signed::Single(b)) => {
            let call = AttestationJudge::slashSinglesCall {
                operator: first.operator,
                height: a.height.0,
                one: attestation(a),
                other: attestation(b),
            };
            Ok(Papers::new(call.abi_encode(), Vec::new()))
        }
        (Signed::Single(a), Signed::Quorum(certificate)) => {
            mixed(a, certificate, other.header, first.other_seat.0, committees, domain)
        }
        (Signed::Quorum(certificate), Signed::Single(b)) => {
            mixed(b, certificate, one.header, first.seat.0, committees, domain)
        }
        (Signed::Quorum(a), Signed::Quorum(b)) => {
            let (one_table, a) = quorum(a, one.header, committees, domain)?;
            let (other_table, b) = quorum(b, other.header, committees, domain)?;
            let seats = accused.iter().map(|accused| {
                Ok(AttestationJudge::SeatPair {
                    one: byte(accused.seat.0)?,
                    other: byte(accused.other_seat.0)?,
                })
            });
            let call = AttestationJudge::slashSignersCall {
                oneTable: one_table.0,
                one: a,
                otherTable: other_table.0,
                other: b,
                seats: seats.collect::<Result<_, PapersError>>()?,
            };
            let mut tables = vec![one_table];
            if tables.iter().all(|(hash, _)| *hash != other_table.0) {
                tables.push(other_table);
            }
            Ok(Papers::new(call.abi_encode(), tables))
        }
    }
}

fn mixed(
    single: &Attestation,
    certificate: &Certificate,
    header: Option<Header>,
    seat: u16,
    committees: &Committees,
    domain: Domain,
) -> Result<Papers, PapersError> {
    let (table, certificate) = quorum(certificate, header, committees, domain)?;
    let call = AttestationJudge::slashMixedCall {
        one: attestation(single),
        table: table.0,
        certificate,
        seat: byte(seat)?,
    };
    Ok(Papers::new(call.abi_encode(), vec![table]))
}

/// "These operators attested this header", as `IEvidence` draws it, and the table that it needs.
fn attested_header(
    statement: &Statement,
    accused: &[AccusedOperator],
    committees: &Committees,
    domain: Domain,
) -> Result<(Bytes, Vec<(B256, Bytes)>), PapersError> {
    let header = statement.header.ok_or_else(|| PapersError::Header(statement.height()))?;
    match &statement.signed {
        Signed::Single(attestation) => {
            let first = accused.first().ok_or(PapersError::Nobody)?;
            let mut bytes = vec![0];
            bytes.extend_from_slice(first.operator.as_slice());
            // The domain in front is the contract's own.
            bytes.extend_from_slice(&header.encode()[32..]);
            attestation.signature.encode_to(&mut bytes);
            Ok((bytes.into(), Vec::new()))
        }
        Signed::Quorum(certificate) => {
            let (table, certificate) = quorum(certificate, Some(header), committees, domain)?;
            let bytes = [&[1], table.0.as_slice(), &certificate].concat();
            Ok((bytes.into(), vec![table]))
        }
    }
}

/// A certificate as contracts take it, with its committee's table.
fn quorum(
    certificate: &Certificate,
    header: Option<Header>,
    committees: &Committees,
    domain: Domain,
) -> Result<((B256, Bytes), Bytes), PapersError> {
    let header = header.ok_or(PapersError::Header(certificate.height))?;
    let committee = committees.get(certificate.epoch).ok_or(PapersError::Epoch(certificate.epoch))?;
    let bytes = certificate.clone().verify(committee.table(), domain)?.submission(&header)?;
    let table = committee.table();
    Ok(((table.hash(), table.encode().into()), bytes.into()))
}

fn double_claim(one: &SignedClaim, other: &SignedClaim) -> Papers {
    let signed = |claim: &SignedClaim| RollupRegistry::Signed {
        generation: claim.claim.generation.0,
        number: claim.claim.block.number,
        blockHash: claim.claim.block.hash,
        signature: claim.signature.encode().into(),
    };
    let call = RollupRegistry::reportDoubleClaimCall {
        registration: one.claim.registration.0,
        one: signed(one),
        other: signed(other),
    };
    Papers::new(call.abi_encode(), Vec::new())
}

fn attestation(attestation: &Attestation) -> AttestationJudge::Attestation {
    AttestationJudge::Attestation {
        epoch: attestation.epoch.0,
        headerHash: attestation.header_hash,
        signature: point(&attestation.signature),
    }
}

fn point(signature: &Signature) -> AttestationJudge::G1 {
    let bytes = signature.encode();
    let (x, y) = bytes.split_at(bytes.len() / 2);
    AttestationJudge::G1 { x: U256::from_be_slice(x), y: U256::from_be_slice(y) }
}

fn byte(seat: u16) -> Result<u8, PapersError> {
    u8::try_from(seat).map_err(|_| PapersError::Seat(seat))
}

impl Filing {
    /// Operators that it accuses, with the offence of each.
    pub(crate) fn offences(&self) -> impl Iterator<Item = (Defendant, Address, B256)> + '_ {
        self.defendants.iter().filter_map(|(defendant, accused)| {
            let operator = accused.as_ref()?.operator;
            Some((*defendant, operator, offence_of(&self.evidence, operator)))
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
