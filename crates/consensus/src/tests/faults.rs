//! An operator that votes twice.

use super::{
    deterministic::Net,
    recorder::{Conduct, keys},
};
use crate::{Committee, Digest, FaultKind, Recipients, Signer as _, simulated::Link};
use commonware_codec::Encode as _;
use commonware_consensus::{
    simplex::types::{Notarize, Proposal, Vote},
    types::{Epoch, Round, View},
};
use commonware_p2p::utils::mux::GlobalSender;
use commonware_runtime::{Clock as _, Runner as _, deterministic::Runner};
use std::time::Duration;

#[test]
fn two_votes_in_one_view_are_reported_with_their_proof() {
    Runner::seeded(11).start(|context| async move {
        let mut net = Net::new(context, Link::default(), vec![]).await;
        for index in 0..3 {
            net.start(index, Conduct::Honest).await;
        }
        let traitor = keys(100, 4).remove(3);
        let committee = Committee::new([3; 32], net.keys.iter().map(|key| key.public_key())).unwrap();
        let scheme = committee.scheme(&traitor);
        let (votes, _receiver) = net.world.register_votes(&traitor.public_key()).await;
        net.reach(5, &[0]).await;
        // Term 0, whose views have no term above them.
        let view = net.records[0].lock().unwrap().chain[&5].view + 1;
        for content in [1, 2] {
            let round = Round::new(Epoch::zero(), View::new(view));
            let proposal = Proposal::new(round, View::new(view - 1), Digest::from([content; 32]));
            let vote = Vote::Notarize(Notarize::sign(&scheme, proposal).unwrap());
            GlobalSender::new(votes.clone()).send(0, Recipients::All, vote.encode(), true);
        }
        net.context.sleep(Duration::from_secs(1)).await;
        net.reach(20, &[0, 1, 2]).await;
        net.agree();
        let blocked = net.world.blocked().await.unwrap();
        assert!(blocked.contains(&(net.keys[0].public_key(), traitor.public_key())));
        let record = net.records[0].lock().unwrap();
        let [fault] = record.faults.as_slice() else { panic!("{} faults", record.faults.len()) };
        assert_eq!((fault.kind, fault.view), (FaultKind::ConflictingNotarize, view));
        assert_eq!(fault.signer, traitor.public_key());
        assert!(!fault.evidence.is_empty());
    });
}
