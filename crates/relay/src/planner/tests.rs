//! Single rules first, then every interleaving of faults that fits.

use super::*;
use crate::{MessageStatus, Run};
use hum_types::{Confidence, Generation, TimeMs};
use model::{Contracts, DESTINATION, Sources, Written, WrittenLead, lane};
use proptest::prelude::*;

mod epochs;
mod faults;
mod model;

const RICH_WEI: u128 = u128::MAX / 2;

/// A planner with its world, without faults unless a test makes them.
struct World {
    planner: Planner,
    sources: Sources,
    contracts: Contracts,
    now_ms: u64,
    queries: Vec<Query>,
    pool: Vec<Written>,
    leads: Vec<WrittenLead>,
    alarms: Vec<Alarm>,
    balance_wei: u128,
}

impl World {
    fn new(policy: Policy, lanes: u64) -> Self {
        Self {
            planner: Planner::new(policy, [DESTINATION]),
            sources: Sources::new(lanes),
            contracts: Contracts::default(),
            now_ms: 1_000_000,
            queries: Vec::new(),
            pool: Vec::new(),
            leads: Vec::new(),
            alarms: Vec::new(),
            balance_wei: RICH_WEI,
        }
    }

    fn tell(&mut self, input: Input) {
        for action in self.planner.step(self.now_ms, input, &self.sources) {
            match action {
                Action::Submit(transaction) => self.pool.push(Written::new(transaction, &self.sources)),
                Action::Lead(lead) => self.leads.push(WrittenLead::new(lead, &self.sources)),
                Action::Observe(query) => self.queries.push(query),
                Action::Alarm(alarm) => self.alarms.push(alarm),
                Action::Forget { .. } => {}
            }
        }
    }

    fn send(&mut self, source: u64, count: usize) {
        self.sources.send(lane(source), count, 200_000, self.now_ms);
        self.tell(Input::Advanced);
    }

    fn answer(&mut self) {
        for query in std::mem::take(&mut self.queries) {
            let seen = self.contracts.observe(&query, self.balance_wei);
            self.tell(Input::Observed(seen));
        }
    }

    /// Put all that waits into one block.
    fn block(&mut self) {
        self.contracts.block += 1;
        for written in std::mem::take(&mut self.leads) {
            let success = self.contracts.lead(&written, self.now_ms);
            let (fee_wei, block) = (written.lead.reserved_wei / 10, self.contracts.block);
            let outcome = Outcome::Included { success, fee_wei, block, statuses: Vec::new() };
            self.tell(Input::Finished { id: written.lead.id, outcome });
        }
        for written in std::mem::take(&mut self.pool) {
            let statuses = self.contracts.run(&written, self.now_ms);
            let outcome = Outcome::Included {
                success: statuses.is_some(),
                fee_wei: written.transaction.reserved_wei / 10,
                block: self.contracts.block,
                statuses: statuses.unwrap_or_default(),
            };
            self.tell(Input::Finished { id: written.transaction.id, outcome });
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.tell(Input::Tick);
    }

    /// Everything works for a while; `true` once all is delivered.
    fn settle(&mut self, rounds: usize) -> bool {
        for _ in 0..rounds {
            self.answer();
            self.block();
            self.answer();
            if self.delivered() && self.followed() && self.pool.is_empty() && self.leads.is_empty() {
                return true;
            }
            self.now_ms += 700;
            self.sources.beat(self.now_ms);
            self.tell(Input::Advanced);
        }
        false
    }

    /// The light client knows the newest committee.
    fn followed(&self) -> bool {
        self.contracts.epoch == self.sources.closed.len() as u64 && self.contracts.installed
    }

    fn delivered(&self) -> bool {
        self.sources.lanes.iter().all(|(key, lane)| {
            (0..).map(LaneIndex).zip(&lane.messages).all(|(index, message)| {
                self.contracts.status(*key, message.generation, index) == MessageStatus::Done
            })
        })
    }

    fn only(&mut self) -> Written {
        assert_eq!(self.pool.len(), 1, "{:#?}", self.pool);
        self.pool.pop().expect("one transaction")
    }
}

#[test]
fn one_message_goes_with_certificate_and_lane() {
    let mut world = World::new(Policy::default(), 1);
    world.send(1, 1);
    assert!(world.pool.is_empty(), "nothing is sent before the destination was looked at");
    world.answer();
    world.answer();
    let sent = world.only().transaction;
    assert!(sent.certificate && sent.prove && !sent.try_first);
    assert_eq!(sent.job, Job::Deliver(Run { start: LaneIndex(0), length: 1 }));
    assert_eq!(sent.count, 1);
}

#[test]
fn messages_after_the_first_look_need_no_further_one() {
    let mut world = World::new(Policy::default(), 1);
    world.send(1, 1);
    assert!(world.settle(5));
    world.queries.clear();
    world.send(1, 3);
    let sent = world.only().transaction;
    assert_eq!(sent.job, Job::Deliver(Run { start: LaneIndex(1), length: 3 }));
}

#[test]
fn what_fits_one_record_needs_no_second_proof() {
    let mut world = World::new(Policy { in_flight_max: 1, ..Policy::default() }, 1);
    world.send(1, 200);
    world.answer();
    world.answer();
    let first = world.only();
    assert!(first.transaction.prove);
    world.pool.push(first);
    world.block();
    let second = world.only().transaction;
    assert!(!second.prove && !second.certificate, "{second:?}");
    assert_eq!(second.count, 200);
}

#[test]
fn transactions_keep_to_gas_and_bytes() {
    let policy =
        Policy { transaction_gas_max: 3_000_000, transaction_bytes_max: 10_000, ..Policy::default() };
    let mut world = World::new(policy, 1);
    world.send(1, 50);
    world.answer();
    world.answer();
    for written in &world.pool {
        assert!(written.transaction.gas_limit <= 3_000_000);
        assert!(written.transaction.messages().count() * (51 + 64) <= 10_000);
    }
    assert!(world.settle(60));
}

#[test]
fn a_message_that_fits_no_transaction_is_left_and_blocks_nobody() {
    let mut world = World::new(Policy::default(), 1);
    world.sources.send(lane(1), 1, u32::MAX, world.now_ms);
    world.send(1, 2);
    world.answer();
    world.answer();
    world.block();
    assert!(
        world.alarms.iter().any(|alarm| matches!(alarm, Alarm::MessageTooLarge { index: LaneIndex(0), .. }))
    );
    assert_eq!(world.contracts.executed.len(), 2);
}

#[test]
fn what_is_final_goes_on_under_quarantine_and_stale_checkpoints_and_what_is_safe_waits() {
    let mut world = World::new(Policy::default(), 2);
    for (source, confidence) in [(1, Confidence::Safe), (2, Confidence::Finalized)] {
        world.sources.lanes.get_mut(&lane(source)).expect("lane").confidence = confidence;
    }
    let executed = |world: &World| {
        [1, 2].map(|source| world.contracts.executed.keys().filter(|(key, ..)| *key == lane(source)).count())
    };
    let send = |world: &mut World| [1, 2].map(|source| world.send(source, 1));
    send(&mut world);
    assert!(world.settle(5));
    for lane in world.sources.lanes.values_mut() {
        lane.active = false;
    }
    send(&mut world);
    for _ in 0..5 {
        world.answer();
        world.block();
        world.pass(1_000);
    }
    assert_eq!(executed(&world), [1, 2]);
    for source in [1, 2] {
        world.sources.retract(lane(source), 0, false, world.now_ms);
    }
    world.tell(Input::Advanced);
    assert!(world.settle(5));
    assert_eq!(executed(&world), [2, 2], "a retraction takes nothing from what is settled");

    world.send(1, 1);
    world.send(2, 1);
    world.pool.clear();
    world.now_ms += model::FRESH_MS + 1_000;
    world.planner = Planner::new(Policy::default(), [DESTINATION]);
    world.tell(Input::Advanced);
    for _ in 0..5 {
        world.answer();
        world.block();
        world.pass(1_000);
    }
    assert_eq!(executed(&world), [2, 3]);
}

#[test]
fn a_settled_lane_keeps_its_record_when_the_generation_ends() {
    for confidence in Confidence::ALL {
        let mut world = World::new(Policy::default(), 1);
        world.sources.lanes.get_mut(&lane(1)).expect("lane").confidence = confidence;
        world.sources.send(lane(1), 40, 200_000, world.now_ms);
        world.send(1, 1);
        world.planner = Planner::new(
            Policy { transaction_gas_max: 3_000_000, in_flight_max: 1, ..Policy::default() },
            [DESTINATION],
        );
        world.tell(Input::Advanced);
        world.answer();
        world.answer();
        world.sources.retract(lane(1), 41, false, world.now_ms);
        world.tell(Input::Advanced);
        world.block();
        let next = world.only().transaction;
        assert_eq!(next.prove, confidence == Confidence::Latest, "{confidence}");
        assert_eq!(world.sources.lanes[&lane(1)].generation, Generation(1).0);
    }
}

#[test]
fn quarantine_stops_a_lane_and_its_end_resumes_it() {
    let mut world = World::new(Policy::default(), 2);
    world.send(1, 1);
    world.send(2, 1);
    assert!(world.settle(5));
    world.sources.lanes.get_mut(&lane(1)).expect("lane").active = false;
    world.send(1, 1);
    world.send(2, 1);
    for _ in 0..20 {
        world.answer();
        world.block();
        world.pass(500);
    }
    assert_eq!(world.contracts.status(lane(1), hum_types::Generation(0), LaneIndex(1)), MessageStatus::None);
    assert_eq!(world.contracts.status(lane(2), hum_types::Generation(0), LaneIndex(1)), MessageStatus::Done);
    world.sources.retract(lane(1), 2, false, world.now_ms);
    world.tell(Input::Advanced);
    assert!(world.settle(5));
}

#[test]
fn nothing_goes_under_a_stale_checkpoint() {
    let mut world = World::new(Policy::default(), 1);
    world.send(1, 1);
    world.now_ms += 50_000;
    world.answer();
    world.answer();
    assert!(world.pool.is_empty());
    world.sources.beat(world.now_ms);
    world.tell(Input::Advanced);
    assert_eq!(world.pool.len(), 1);
}

#[test]
fn a_refused_message_is_retried_later_each_time_then_left() {
    let mut world = World::new(Policy::default(), 1);
    world.contracts.refusals.insert(LaneIndex(1), u32::MAX);
    world.send(1, 3);
    let mut tries = Vec::new();
    for _ in 0..2_000 {
        world.answer();
        if world.pool.iter().any(|written| matches!(written.transaction.job, Job::Retry(_))) {
            tries.push(world.now_ms);
        }
        world.block();
        world.answer();
        world.now_ms += 500;
        world.sources.beat(world.now_ms);
        world.tell(Input::Advanced);
    }
    assert_eq!(world.contracts.executed.len(), 2);
    assert_eq!(tries.len(), 6);
    assert!(tries.windows(3).all(|w| w[2] - w[1] > w[1] - w[0]), "{tries:?}");
    let left = Alarm::MessageLeft { key: lane(1), index: LaneIndex(1), tries: 7 };
    assert!(world.alarms.contains(&left), "{:?}", world.alarms);
}

#[test]
fn a_retry_that_succeeds_delivers() {
    let mut world = World::new(Policy::default(), 1);
    world.contracts.refusals.insert(LaneIndex(0), 2);
    world.send(1, 1);
    assert!(world.settle(40));
    let counts = world.planner.counts().next().expect("one destination").1;
    assert_eq!((counts.delivered, counts.refused, counts.retries), (1, 2, 2));
}

#[test]
fn a_transaction_that_reverts_is_cut_down_to_its_culprit() {
    let mut world = World::new(Policy::default(), 1);
    world.send(1, 40);
    world.answer();
    world.answer();
    // Whatever carries message 13 reverts.
    let mut alone = 0;
    for _ in 0..400 {
        for written in std::mem::take(&mut world.pool) {
            let id = written.transaction.id;
            let carries = written.transaction.messages().any(|index| index.0 == 13);
            alone += u32::from(carries && written.transaction.messages().count() == 1);
            let outcome = if carries {
                Outcome::WouldRevert
            } else {
                let statuses = world.contracts.run(&written, world.now_ms).expect("the rest is fine");
                Outcome::Included { success: true, fee_wei: 1, block: world.contracts.block, statuses }
            };
            world.tell(Input::Finished { id, outcome });
        }
        world.answer();
        world.now_ms += 1_000;
        world.sources.beat(world.now_ms);
        world.tell(Input::Advanced);
    }
    assert_eq!(world.contracts.executed.len(), 39);
    assert!(alone >= 2);
    assert!(
        world.alarms.iter().any(|alarm| matches!(alarm, Alarm::MessageReverts { index: LaneIndex(13), .. }))
    );
}

#[test]
fn the_cap_holds_until_the_period_ends() {
    let policy = Policy { spend_cap_wei: 2_000_000, spend_period_ms: 100_000, ..Policy::default() };
    let mut world = World::new(policy, 1);
    world.send(1, 30);
    for _ in 0..20 {
        world.answer();
        world.block();
        world.pass(100);
    }
    let spent = world.planner.counts().next().expect("one").1.spent_wei;
    assert!(spent > 0 && spent <= 2_000_000, "{spent}");
    assert!(!world.delivered());
    let alarm = Alarm::SpendCapReached { destination: DESTINATION, cap_wei: 2_000_000 };
    assert_eq!(world.alarms.iter().filter(|found| **found == alarm).count(), 1);
    world.now_ms += 100_000;
    world.sources.beat(world.now_ms);
    world.tell(Input::Advanced);
    assert!(world.settle(5_000));
}

#[test]
fn low_balance_is_reported_once_and_stops_nothing_that_it_can_pay() {
    let mut world = World::new(Policy::default(), 1);
    world.balance_wei = 10_u128.pow(16);
    world.send(1, 1);
    assert!(world.settle(3));
    for _ in 0..10 {
        world.pass(2_000);
        world.answer();
    }
    assert_eq!(world.alarms, [Alarm::LowBalance { destination: DESTINATION, balance_wei: 10_u128.pow(16) }]);
}

#[test]
fn a_delivery_that_a_reorganisation_undid_is_made_again() {
    let mut world = World::new(Policy::default(), 1);
    let before = world.contracts.clone();
    world.send(1, 2);
    assert!(world.settle(3));
    world.contracts = before;
    world.contracts.block = 10;
    for _ in 0..10 {
        world.pass(1_000);
        world.answer();
    }
    world.sources.beat(world.now_ms);
    world.tell(Input::Advanced);
    assert!(world.settle(10));
}

#[test]
fn settled_messages_are_forgotten() {
    let mut world = World::new(Policy::default(), 1);
    world.send(1, 100);
    assert!(world.settle(10));
    for _ in 0..30 {
        world.pass(1_000);
        world.contracts.block += 1;
        world.answer();
    }
    assert_eq!(world.planner.counts().next().expect("one").1.open, 0);
}

#[test]
fn what_was_undone_and_made_again_by_others_is_not_forgotten_at_one_look() {
    let mut world = World::new(Policy { settle_blocks: 4, ..Policy::default() }, 1);
    let before = world.contracts.clone();
    world.send(1, 1);
    world.contracts.foreign(&world.sources);
    world.answer();
    // Undone, and executed by somebody else in a young block when the first look is due.
    world.contracts = before.clone();
    for block in [4, 4, 9] {
        world.contracts.block = block;
        world.contracts.foreign(&world.sources);
        world.answer();
        world.pass(1_000);
        world.contracts = before.clone();
    }
    world.contracts.block = 10;
    assert!(world.settle(20), "it is delivered after all");
}

#[test]
fn the_window_bounds_what_is_watched() {
    let policy = Policy { window: 10, in_flight_max: 1, ..Policy::default() };
    let mut world = World::new(policy, 1);
    world.send(1, 1_000);
    assert!(world.planner.counts().next().expect("one").1.open <= 10);
    for _ in 0..3_000 {
        world.answer();
        world.block();
        assert!(world.planner.counts().next().expect("one").1.open <= 10);
        world.now_ms += 1_000;
        world.sources.beat(world.now_ms);
        world.tell(Input::Advanced);
    }
    assert!(world.delivered());
}

#[test]
fn a_later_relayer_lets_the_first_go_first() {
    let mut world = World::new(Policy { turn_ms: 3_000, ..Policy::default() }, 1);
    world.send(1, 1);
    assert!(world.settle(5));
    world.send(1, 2);
    world.contracts.foreign(&world.sources);
    for _ in 0..10 {
        world.pass(500);
        world.answer();
    }
    assert!(world.pool.is_empty(), "the other one was there first: {:?}", world.pool);
}

#[test]
fn an_unreachable_destination_is_asked_more_rarely_and_reported() {
    let mut world = World::new(Policy::default(), 1);
    world.send(1, 1);
    let mut asked = 0;
    for _ in 0..600 {
        for query in std::mem::take(&mut world.queries) {
            asked += 1;
            world.tell(Input::NotObserved { destination: DESTINATION, sequence: query.sequence });
        }
        world.pass(100);
    }
    assert!((6..=15).contains(&asked), "{asked}");
    assert!(world.alarms.contains(&Alarm::Unreachable { destination: DESTINATION, times: 5 }));
}

#[test]
fn wake_is_never_in_the_past() {
    let mut world = World::new(Policy::default(), 1);
    world.send(1, 1);
    for _ in 0..50 {
        world.answer();
        world.block();
        assert!(world.planner.wake_ms(world.now_ms).is_none_or(|wake| wake > world.now_ms));
        world.pass(333);
    }
    assert_eq!(world.sources.certified().map(|c| c.time_ms), Some(TimeMs(1_000_000)));
}
