//! What was heard of one height.

use super::Finding;
use crate::watcher::{
    committees::Committees,
    evidence::{DueTable, Statement},
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

/// What was heard of one height.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) finalised: Option<B256>,
    /// A header that L1 contradicts, and the table that it should announce.
    pub(super) false_table: Option<(Header, DueTable)>,
    pub(super) headers: BTreeMap<B256, Header>,
    /// By operator, one for each header and epoch.
    pub(super) singles: BTreeMap<Address, Vec<Single>>,
    /// Checked; one for each header, with the most signers seen.
    pub(super) certificates: Vec<Certificate>,
    /// Operators and headers that were counted as wrong.
    pub(super) wrong: BTreeSet<(Address, B256)>,
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
        self.false_table.is_some() || said.any(|hash| Some(hash) != first)
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

    pub(super) fn count_wrong(
        &mut self,
        operator: Address,
        seat: Seat,
        epoch: Epoch,
        height: Height,
        header_hash: B256,
    ) -> Option<Finding> {
        self.wrong.insert((operator, header_hash)).then_some(Finding::Wrong {
            operator,
            seat,
            epoch,
            height,
            header_hash,
        })
    }
}

/// Who sits there.
pub(super) fn member(committee: &Committee, seat: Seat) -> Option<&PossessedKey> {
    committee.members().get(usize::from(seat.0))
}
