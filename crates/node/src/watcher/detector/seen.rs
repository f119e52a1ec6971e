//! What was heard of one height.

use super::Finding;
use crate::watcher::{
    committees::Committees,
    evidence::{Charge, DueTable, Fault, FaultEvidence, HeadStatement, Statement},
};
use hum_bls::{Attestation, Certificate, Committee, PossessedKey, Seat};
use hum_types::{Address, B256, Epoch, Header, Height};
use std::collections::{BTreeMap, BTreeSet};

/// An attestation, and whether its signature was checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Single {
    pub(super) attestation: Attestation,
    pub(super) checked: bool,
}

/// What is false in a header, whoever signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "falsehoods are rare")]
pub(super) enum Falsehood {
    /// It announces another table than this one.
    Table(DueTable),
    /// A head in it is false.
    Head(HeadStatement, Charge),
}

impl Falsehood {
    pub(super) const fn fault(&self) -> Fault {
        match self {
            Self::Table(_) => Fault::Settlement,
            Self::Head(_, charge) => charge.fault(),
        }
    }

    /// The evidence against whoever made a statement on the header.
    pub(super) fn against(&self, statement: Statement) -> FaultEvidence {
        match self.clone() {
            Self::Table(expected) => FaultEvidence::FalseTable { statement, expected },
            Self::Head(head, charge) => FaultEvidence::FalseHead { statement, head, charge },
        }
    }
}

/// What was heard of one height.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) finalised: Option<B256>,
    /// Headers that are false, and why.
    pub(super) falsehoods: Vec<(Header, Falsehood)>,
    pub(super) headers: BTreeMap<B256, Header>,
    /// By operator, one for each header and epoch.
    pub(super) singles: BTreeMap<Address, Vec<Single>>,
    /// Checked; one for each header, with the most signers seen.
    pub(super) certificates: Vec<Certificate>,
    /// Operators and headers that were counted as wrong, and why.
    pub(super) wrong: BTreeSet<(Address, B256, Option<Fault>)>,
}

impl Seen {
    /// Whether anything said for this height, by this operator or a quorum, differs from anything else.
    pub(super) fn is_disputed(&self, operator: Address) -> bool {
        let singles = self.singles.get(&operator).into_iter().flatten();
        let mut said = singles
            .map(|single| single.attestation.header_hash)
            .chain(self.certificates.iter().map(|certificate| certificate.header_hash))
            .chain(self.finalised);
        let first = said.next();
        !self.falsehoods.is_empty() || said.any(|hash| Some(hash) != first)
    }

    /// What the operator signed, single attestations first; all of it was checked.
    pub(super) fn statements(&self, operator: Address, committees: &Committees) -> Vec<(Seat, Statement)> {
        let singles = self.singles.get(&operator).into_iter().flatten();
        let singles = singles.map(|single| (single.attestation.seat, Statement::single(single.attestation)));
        let quorums = self.certificates.iter().filter_map(|certificate| {
            let committee = committees.get(certificate.epoch)?;
            let seat = certificate
                .signers
                .present()
                .find(|seat| member(committee, *seat).is_some_and(|member| member.operator() == operator))?;
            Some((
                seat,
                Statement::quorum(certificate.clone(), self.headers.get(&certificate.header_hash).copied()),
            ))
        });
        singles.chain(quorums).collect()
    }

    /// Whether anybody is known to have signed this header; single signatures may be unchecked.
    pub(super) fn is_signed(&self, header_hash: B256) -> bool {
        let mut singles = self.singles.values().flatten();
        self.certificates.iter().any(|certificate| certificate.header_hash == header_hash)
            || singles.any(|single| single.attestation.header_hash == header_hash)
    }

    /// Who may have signed this header.
    pub(super) fn signers(&self, header_hash: B256, committees: &Committees) -> BTreeSet<Address> {
        let mut signers: BTreeSet<Address> = self.singles.keys().copied().collect();
        for certificate in self.certificates.iter().filter(|held| held.header_hash == header_hash) {
            let Some(committee) = committees.get(certificate.epoch) else { continue };
            let present = certificate.signers.present().filter_map(|seat| member(committee, seat));
            signers.extend(present.map(PossessedKey::operator));
        }
        signers
    }

    /// Note that an operator signed what is false, or was not finalised.
    pub(super) fn count_wrong(
        &mut self,
        (operator, seat): (Address, Seat),
        epoch: Epoch,
        height: Height,
        header_hash: B256,
        why: Option<Fault>,
    ) -> Option<Finding> {
        self.wrong.insert((operator, header_hash, why)).then_some(Finding::Wrong {
            operator,
            seat,
            epoch,
            height,
            header_hash,
            why,
        })
    }
}

/// Who sits there.
pub(super) fn member(committee: &Committee, seat: Seat) -> Option<&PossessedKey> {
    committee.members().get(usize::from(seat.0))
}
