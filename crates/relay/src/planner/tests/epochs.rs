//! How light clients are led: single rules.

use super::*;
use crate::Step;
use hum_types::{Epoch, TimeS};

impl World {
    fn rotate(&mut self) {
        self.sources.rotate(self.now_ms);
        self.tell(Input::Advanced);
    }

    fn step(&mut self) -> Option<Step> {
        assert!(self.leads.len() <= 1, "one step at a time: {:?}", self.leads);
        self.leads.first().map(|written| written.lead.step)
    }

    fn finish_lead(&mut self, outcome: Outcome) {
        let written = self.leads.pop().expect("a step");
        self.tell(Input::Finished { id: written.lead.id, outcome });
    }
}

/// A destination that was looked at, one lane delivered.
fn settled(policy: Policy) -> World {
    let mut world = World::new(policy, 1);
    world.send(1, 1);
    assert!(world.settle(5));
    world.queries.clear();
    world
}

#[test]
fn an_epoch_is_closed_then_its_successors_table_installed() {
    let mut world = settled(Policy::default());
    world.rotate();
    assert_eq!(world.step(), Some(Step::Close(Epoch(0))));
    world.block();
    assert_eq!(world.step(), Some(Step::Install(Epoch(1))));
    world.block();
    assert_eq!(world.step(), None);
    assert!(world.followed());
}

#[test]
fn nothing_that_needs_the_new_committee_is_sent_before_its_table_is_there() {
    let mut world = settled(Policy::default());
    world.rotate();
    world.send(1, 3);
    assert!(world.pool.is_empty(), "{:?}", world.pool);
    world.block();
    assert!(world.pool.is_empty(), "{:?}", world.pool);
    assert_eq!(world.contracts.executed.len(), 1);
    world.block();
    assert_eq!(world.contracts.executed.len(), 4);
}

#[test]
fn what_is_recorded_already_goes_on_meanwhile() {
    let mut world = World::new(Policy { in_flight_max: 2, ..Policy::default() }, 1);
    world.send(1, 200);
    world.answer();
    world.answer();
    world.rotate();
    world.block();
    assert_eq!(world.step(), Some(Step::Close(Epoch(0))));
    let sent = world.only().transaction;
    assert!(!sent.certificate && !sent.prove, "{sent:?}");
}

#[test]
fn a_delivery_under_the_closing_checkpoint_closes_the_epoch_itself() {
    let mut world = World::new(Policy { turn_ms: 5_000, ..Policy::default() }, 1);
    world.sources.send(lane(1), 1, 200_000, world.now_ms);
    world.now_ms += 5_000;
    world.rotate();
    world.answer();
    world.now_ms += 5_000;
    // The light client's turn has not come; the message's has.
    world.tell(Input::Tick);
    world.leads.clear();
    for _ in 0..4 {
        world.answer();
        world.block();
    }
    assert!(world.contracts.epoch == 1, "{:?}", world.contracts);
}

#[test]
fn a_later_relayer_lets_the_first_lead() {
    let mut world = settled(Policy { turn_ms: 3_000, ..Policy::default() });
    world.rotate();
    assert_eq!(world.step(), None);
    world.contracts.foreign(&world.sources);
    for _ in 0..10 {
        world.pass(500);
        world.answer();
    }
    assert_eq!(world.step(), None, "the other one was there first");
    world.rotate();
    for _ in 0..7 {
        world.pass(500);
        world.answer();
    }
    assert_eq!(world.step(), Some(Step::Close(Epoch(1))), "the other one is gone");
}

#[test]
fn after_a_revert_the_client_is_looked_at_again_first() {
    let mut world = settled(Policy::default());
    world.rotate();
    world.contracts.foreign(&world.sources);
    world.finish_lead(Outcome::WouldRevert);
    assert_eq!(world.step(), None);
    assert_eq!(world.queries.len(), 1);
    world.answer();
    assert_eq!(world.step(), None, "it was another's doing");
    assert!(world.settle(3));
}

#[test]
fn a_client_that_refuses_every_step_is_reported_and_tried_ever_more_rarely() {
    let mut world = settled(Policy::default());
    world.rotate();
    let mut tries = Vec::new();
    for _ in 0..4_000 {
        if world.step().is_some() {
            tries.push(world.now_ms);
            world.finish_lead(Outcome::WouldRevert);
        }
        world.answer();
        world.pass(100);
    }
    assert!((8..=12).contains(&tries.len()), "{tries:?}");
    let stuck = Alarm::ClientStuck { destination: DESTINATION, step: Step::Close(Epoch(0)), times: 8 };
    assert_eq!(world.alarms, [stuck]);
}

#[test]
fn a_step_that_may_still_be_included_is_not_repeated_before_a_look() {
    let mut world = settled(Policy::default());
    world.rotate();
    world.finish_lead(Outcome::Unknown);
    assert_eq!((world.step(), world.queries.len()), (None, 1));
    world.answer();
    world.pass(1_000);
    assert_eq!(world.step(), Some(Step::Close(Epoch(0))));
}

#[test]
fn an_answer_from_before_a_step_does_not_undo_it() {
    let mut world = settled(Policy::default());
    world.pass(20_000);
    let query = world.queries.pop().expect("a look");
    let before = world.contracts.observe(&query, RICH_WEI);
    world.rotate();
    world.block();
    world.leads.clear();
    world.tell(Input::Observed(before));
    assert!(world.leads.is_empty(), "{:?}", world.leads);
}

#[test]
fn a_reorganisation_that_undoes_a_step_is_made_good() {
    let mut world = settled(Policy::default());
    let before = world.contracts.clone();
    world.rotate();
    world.block();
    world.block();
    assert!(world.followed());
    world.contracts = before;
    for _ in 0..40 {
        world.pass(1_000);
        world.answer();
    }
    assert_eq!(world.step(), Some(Step::Close(Epoch(0))));
    assert!(world.settle(10));
}

#[test]
fn steps_count_against_the_cap() {
    let policy = Policy { spend_cap_wei: 5_000_000, spend_period_ms: 100_000, ..Policy::default() };
    let mut world = World::new(policy, 1);
    world.sources.rotate(world.now_ms);
    world.sources.rotate(world.now_ms);
    world.tell(Input::Advanced);
    for _ in 0..20 {
        world.answer();
        world.block();
        world.pass(100);
    }
    let spent = world.planner.counts().next().expect("one").1.spent_wei;
    assert!(spent > 0 && spent <= 5_000_000, "{spent}");
    assert!(!world.followed());
    let capped = Alarm::SpendCapReached { destination: DESTINATION, cap_wei: 5_000_000 };
    assert_eq!(world.alarms, [capped]);
    for _ in 0..20 {
        world.now_ms += 100_000;
        world.tell(Input::Tick);
        world.answer();
        world.block();
    }
    assert!(world.followed());
}

#[test]
fn nothing_is_sent_to_a_client_whose_committee_has_ended() {
    let mut world = World::new(Policy::default(), 1);
    let ends_s = world.now_ms / 1_000 + 60;
    world.sources.valid_until.insert(1, ends_s);
    world.contracts = Contracts::ending(ends_s);
    world.sources.valid_until.insert(0, ends_s);
    world.send(1, 1);
    assert!(world.settle(5));
    world.pass(61_000);
    world.rotate();
    world.send(1, 1);
    for _ in 0..20 {
        world.answer();
        world.pass(1_000);
    }
    assert!(world.leads.is_empty() && world.pool.is_empty(), "{:?} {:?}", world.leads, world.pool);
    let usable_until = TimeS(ends_s);
    let expired = Alarm::ClientExpired { destination: DESTINATION, epoch: Epoch(0), usable_until };
    assert_eq!(world.alarms, [expired]);
    // Its owner re-anchors it at a committee that is good.
    world.sources.valid_until.remove(&1);
    world.contracts.anchor(1);
    assert!(world.settle(60));
}
