//! What L1 holds goes through the gateways of `Safe` and `Finalized`, on the committed contracts.

use super::{
    deliveries::Relay,
    evm::ACCEPTS,
    network::{SOURCES, heads},
};
use crate::*;
use alloy_primitives::hex;
use hum_types::*;

const SOURCE: ChainId = SOURCES[0];
const DONE: MessageStatus = MessageStatus::Done;
const NONE: MessageStatus = MessageStatus::None;

impl Relay {
    /// One message through each gateway; returns the block that sent them.
    fn send_through_all(&mut self) -> BlockRef {
        let network = &self.evm.network;
        let block = network.block(SOURCE, network.through_all(SOURCE, ACCEPTS));
        let sent = block.blocks[0].block;
        let checkpoint = self.evm.network.advance(vec![block], 200);
        self.certify(checkpoint, &[0, 1, 2, 3]);
        sent
    }

    fn settle(&mut self, confidence: Confidence, head: BlockRef) {
        let checkpoint = self.evm.network.settle(SOURCE, confidence, head);
        self.certify(checkpoint, &[0, 1, 2, 3]);
    }

    fn quarantine(&mut self) {
        let checkpoint = self.evm.network.quarantine(SOURCE);
        self.certify(checkpoint, &[0, 1, 2, 3]);
    }

    fn retract(&mut self, kept: BlockRef) {
        let checkpoint = self.evm.network.retract(SOURCE, kept);
        self.certify(checkpoint, &[0, 1, 2, 3]);
    }

    /// What the gateways hold for the message with this index, of the first generation.
    fn statuses(&mut self, index: u64) -> [MessageStatus; 3] {
        Confidence::ALL.map(|confidence| self.status_at(confidence, SOURCE, 0, index))
    }
}

#[test]
fn each_gateway_takes_its_message_once_its_head_settles() {
    let mut relay = Relay::new(1);
    let first = relay.send_through_all();
    relay.rounds(4, 1_000);
    assert_eq!(relay.statuses(0), [DONE, NONE, NONE]);
    relay.settle(Confidence::Safe, first);
    relay.rounds(4, 1_000);
    assert_eq!(relay.statuses(0), [DONE, DONE, NONE]);
    // Later messages wait for later heads, and do not change what is proven of the earlier one.
    let second = relay.send_through_all();
    relay.settle(Confidence::Finalized, first);
    relay.rounds(4, 1_000);
    assert_eq!((relay.statuses(0), relay.statuses(1)), ([DONE; 3], [DONE, NONE, NONE]));
    // One change settles both: what is final is safe.
    relay.settle(Confidence::Finalized, second);
    relay.rounds(4, 1_000);
    assert_eq!((relay.statuses(1), relay.reverted), ([DONE; 3], 0));
}

#[test]
fn what_is_final_arrives_although_its_source_was_set_aside_since() {
    let mut relay = Relay::new(1);
    let sent = relay.send_through_all();
    relay.rounds(4, 1_000);
    relay.settle(Confidence::Safe, sent);
    relay.lose();
    relay.quarantine();
    relay.rounds(4, 1_000);
    assert_eq!(relay.statuses(0), [DONE, NONE, NONE], "what is only safe waits");
    // It was set aside before its last block became final.
    relay.settle(Confidence::Finalized, sent);
    relay.rounds(4, 1_000);
    assert_eq!(relay.statuses(0), [DONE, NONE, DONE]);
    relay.retract(sent);
    relay.rounds(6, 1_000);
    assert_eq!((relay.statuses(0), relay.reverted), ([DONE; 3], 0));
}

#[test]
fn what_is_safe_is_refused_under_a_stale_checkpoint_and_what_is_final_is_not() {
    let mut relay = Relay::new(1);
    let sent = relay.send_through_all();
    relay.rounds(4, 1_000);
    relay.settle(Confidence::Finalized, sent);
    relay.answer();
    relay.answer();
    let written = |relay: &Relay, confidence: Confidence| {
        let facade = relay.evm.gateways[confidence as usize];
        let found = relay.pool.iter().find(|(_, transaction, _)| transaction.key.lane.facade == facade);
        found.map(|(_, _, data)| data.clone())
    };
    let [safe, last] =
        [Confidence::Safe, Confidence::Finalized].map(|c| written(&relay, c).expect("planned"));
    relay.lose();
    relay.now_ms = relay.chain.header().time_ms.0 + 61_000;
    relay.evm.set_time(relay.now_ms);
    let ran = relay.evm.call(&safe, 1 << 24);
    let stale = &keccak256("CheckpointStale(uint64,uint256)")[..4];
    assert!(!ran.success && ran.output.starts_with(stale), "{}", hex::encode(ran.output));
    assert!(relay.evm.would_succeed(&last));
    // A relayer does not even try the one, and sends the other.
    relay.planners = vec![Planner::new(super::network::policy(), [super::network::DESTINATION])];
    relay.queries.clear();
    relay.tell(0, Input::Advanced);
    relay.rounds(4, 1_000);
    assert_eq!((relay.statuses(0), relay.reverted), ([DONE, NONE, DONE], 0));
    let passed = relay.now_ms - relay.chain.header().time_ms.0;
    relay.beat(passed);
    relay.rounds(4, 1_000);
    assert_eq!((relay.statuses(0), relay.reverted), ([DONE; 3], 0));
}

#[test]
fn a_retraction_above_them_leaves_settled_lanes_alone() {
    let mut relay = Relay::new(1);
    let kept = relay.send_through_all();
    relay.rounds(4, 1_000);
    relay.settle(Confidence::Finalized, kept);
    relay.send_through_all();
    let dropped = heads(&relay.evm.network)[&SOURCE];
    relay.rounds(1, 100);
    // The generation ends before anything of it was delivered through the settled gateways.
    relay.retract(kept);
    relay.rounds(6, 1_000);
    assert_eq!(relay.statuses(0), [DONE; 3]);
    let views = relay.chain.lanes();
    let [latest, safe, last] = Confidence::ALL
        .map(|confidence| *views.iter().find(|view| view.confidence == confidence).expect("a lane"));
    assert_eq!([latest, safe, last].map(|view| (view.count, view.generation)), [(1, Generation(1)); 3]);
    assert_eq!(relay.chain.kept(&safe.key, Generation(0)), u64::MAX);
    assert_eq!(relay.chain.kept(&latest.key, Generation(0)), 1);
    let proof = |key: LaneKey| {
        relay.chain.archive().prove_lane(relay.chain.header().height, key.source, key.lane).expect("a lane")
    };
    let generations = [latest, safe, last].map(|view| proof(view.key).leaf.generation);
    assert_eq!(
        generations,
        [Generation(1), Generation(0), Generation(0)],
        "that in which the head was settled"
    );

    // Another chain follows; its messages at the same places are of its own generation.
    let rebuilt = relay.send_through_all();
    assert_ne!(rebuilt, dropped);
    relay.settle(Confidence::Safe, rebuilt);
    relay.rounds(4, 1_000);
    let at = |relay: &mut Relay, generation| {
        Confidence::ALL.map(|confidence| relay.status_at(confidence, SOURCE, generation, 1))
    };
    // Unchanged messages keep their first generation.
    assert_eq!((at(&mut relay, 0), at(&mut relay, 1)), ([DONE, DONE, NONE], [NONE; 3]));
    relay.settle(Confidence::Finalized, rebuilt);
    relay.rounds(4, 1_000);
    assert_eq!((at(&mut relay, 0), relay.reverted), ([DONE; 3], 0));
}

#[test]
fn a_relayer_that_starts_anew_goes_on_at_all_gateways() {
    let mut relay = Relay::new(1);
    for _ in 0..3 {
        let head = relay.send_through_all();
        relay.settle(Confidence::Safe, head);
    }
    relay.rounds(2, 1_000);
    relay.planners = vec![Planner::new(super::network::policy(), [super::network::DESTINATION])];
    relay.queries.clear();
    relay.lose();
    let head = heads(&relay.evm.network)[&SOURCE];
    relay.settle(Confidence::Finalized, head);
    relay.rounds(6, 1_000);
    for index in 0..3 {
        assert_eq!(relay.statuses(index), [DONE; 3]);
    }
    assert_eq!(relay.reverted, 0);
    let proofs = relay.gas.iter().filter(|(transaction, _)| transaction.prove).count();
    assert!(proofs < 9, "one proof serves many messages: {proofs}");
}
