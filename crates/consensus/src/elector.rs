//! Who leads a view.

use crate::PublicKey;
use commonware_consensus::{
    simplex::{
        elector::{Config, Elector, Scheduled, Terms},
        scheme::ed25519::Scheme,
    },
    types::{Participant, Round},
};
use commonware_utils::ordered::Set;

/// In turn, except that whoever leads the first view of a term leads the second too.
///
/// Simplex gives a leader up at once that it has not heard while a quorum has spoken. A term's engine begins with having
/// heard nobody: a second leader whose vote on the first block is not among the quorum's, a matter of microseconds,
/// would be taken for dead, and a whole view lost. The first leader has been heard: it proposed. One that is dead
/// is given up twice, the second time at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstTwice;

/// [`FirstTwice`] among so many seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seated {
    seats: u64,
}

impl Config<Scheme> for FirstTwice {
    type Elector = Seated;

    fn build(self, participants: &Set<PublicKey>) -> Seated {
        assert!(!participants.is_empty(), "a committee is never empty");
        Seated { seats: participants.len() as u64 }
    }
}

impl Elector<Scheme> for Seated {
    type Mode = Scheduled;

    fn terms(&self) -> Terms {
        Terms::rotating()
    }

    fn elect(&self, round: Round, (): ()) -> Participant {
        let turn = round.epoch().get().wrapping_add(round.view().get().max(2)) % self.seats;
        Participant::new(u32::try_from(turn).expect("seats are counted in 32 bits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_consensus::types::{Epoch, View};

    #[test]
    fn the_first_leader_leads_twice_and_then_everyone_in_turn() {
        let elector = Seated { seats: 4 };
        for term in 0..5 {
            let leaders: Vec<u32> = (1..=9)
                .map(|view| elector.elect(Round::new(Epoch::new(term), View::new(view)), ()).get())
                .collect();
            assert_eq!(leaders[0], leaders[1]);
            for pair in leaders[1..].windows(2) {
                assert_eq!(pair[1], (pair[0] + 1) % 4, "term {term}: {leaders:?}");
            }
        }
        // Another term begins with another seat.
        let first = |term| elector.elect(Round::new(Epoch::new(term), View::new(1)), ());
        assert_ne!(first(0), first(1));
    }
}
