//! Any interleaving of outcomes delivers every message once, within the cap, and goes on when faults stop.

use super::*;
use hum_types::Confidence;

/// Two at `Latest`, one at `Safe`, one at `Finalized`, each of its own source.
const LANES: u64 = 4;

#[derive(Debug, Clone)]
enum Event {
    Send {
        lane: u64,
        count: usize,
    },
    Beat,
    /// The committee hands over.
    Rotate,
    Pass {
        ms: u64,
    },
    Answer,
    Mute,
    /// A block with what waits; these do not get in, in one way or another.
    Block {
        fates: u64,
    },
    Restart,
    Reorganise,
    Foreign,
    Retract {
        lane: u64,
        kept: usize,
        again: bool,
    },
    Quarantine {
        lane: u64,
    },
    Refuse {
        index: u64,
        times: u32,
    },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..=LANES, 1..40_usize).prop_map(|(lane, count)| Event::Send { lane, count }),
        2 => Just(Event::Beat),
        2 => Just(Event::Rotate),
        3 => (1..5_000_u64).prop_map(|ms| Event::Pass { ms }),
        1 => (30_000..90_000_u64).prop_map(|ms| Event::Pass { ms }),
        6 => Just(Event::Answer),
        1 => Just(Event::Mute),
        5 => any::<u64>().prop_map(|fates| Event::Block { fates }),
        1 => Just(Event::Restart),
        1 => Just(Event::Reorganise),
        1 => Just(Event::Foreign),
        1 => (1..=LANES, 0..30_usize, any::<bool>()).prop_map(|(lane, kept, again)| Event::Retract { lane, kept, again }),
        1 => (1..=LANES).prop_map(|lane| Event::Quarantine { lane }),
        1 => (0..40_u64, 1..4_u32).prop_map(|(index, times)| Event::Refuse { index, times }),
    ]
}

struct Run {
    world: World,
    policy: Policy,
    /// Sent by anyone of us and told to be lost, but still able to be included.
    ghosts: Vec<Written>,
    ghost_leads: Vec<WrittenLead>,
    snapshot: Contracts,
    /// What this planner has spent or may have, by period.
    spent: BTreeMap<u64, u128>,
}

impl Run {
    fn new(policy: Policy) -> Self {
        let mut world = World::new(policy.clone(), LANES);
        for (source, confidence) in [(3, Confidence::Safe), (4, Confidence::Finalized)] {
            world.sources.lanes.get_mut(&lane(source)).expect("lane").confidence = confidence;
        }
        Self {
            snapshot: world.contracts.clone(),
            world,
            policy,
            ghosts: Vec::new(),
            ghost_leads: Vec::new(),
            spent: BTreeMap::new(),
        }
    }

    /// Book what was just asked for at its worst.
    fn book(&mut self, (sent, led): (usize, usize)) {
        let period = self.world.now_ms / self.policy.spend_period_ms;
        let sent = self.world.pool[sent..].iter().map(|written| written.transaction.reserved_wei);
        let led = self.world.leads[led..].iter().map(|written| written.lead.reserved_wei);
        *self.spent.entry(period).or_default() += sent.chain(led).sum::<u128>();
        assert!(self.spent.values().all(|spent| *spent <= self.policy.spend_cap_wei), "{:?}", self.spent);
    }

    fn tell(&mut self, input: Input) {
        let before = (self.world.pool.len(), self.world.leads.len());
        self.world.tell(input);
        self.book(before);
    }

    fn refund(&mut self, reserved_wei: u128, fee_wei: u128, at_ms: u64) {
        let period = at_ms / self.policy.spend_period_ms;
        if let Some(spent) = self.spent.get_mut(&period) {
            *spent = spent.saturating_sub(reserved_wei - fee_wei);
        }
    }

    fn block(&mut self, mut fates: u64) {
        self.snapshot = self.world.contracts.clone();
        self.world.contracts.block += 1;
        for ghost in std::mem::take(&mut self.ghosts) {
            self.world.contracts.run(&ghost, self.world.now_ms);
        }
        for ghost in std::mem::take(&mut self.ghost_leads) {
            self.world.contracts.lead(&ghost, self.world.now_ms);
        }
        for written in std::mem::take(&mut self.world.leads) {
            let (id, reserved) = (written.lead.id, written.lead.reserved_wei);
            let fate = fates % 8;
            fates = fates.rotate_right(3);
            let outcome = match fate {
                0 => Outcome::Unknown,
                1 => {
                    self.ghost_leads.push(written);
                    Outcome::Unknown
                }
                2 => {
                    self.refund(reserved, 0, self.world.now_ms);
                    Outcome::NotSent
                }
                3 => {
                    self.refund(reserved, 0, self.world.now_ms);
                    Outcome::WouldRevert
                }
                fate => {
                    let success = fate != 4 && self.world.contracts.lead(&written, self.world.now_ms);
                    self.refund(reserved, reserved / 3, self.world.now_ms);
                    let block = self.world.contracts.block;
                    Outcome::Included { success, fee_wei: reserved / 3, block, statuses: Vec::new() }
                }
            };
            self.tell(Input::Finished { id, outcome });
        }
        for written in std::mem::take(&mut self.world.pool) {
            let id = written.transaction.id;
            let fate = fates % 8;
            fates = fates.rotate_right(3);
            let reserved = written.transaction.reserved_wei;
            let outcome = match fate {
                0 => Outcome::Unknown,
                1 => {
                    self.ghosts.push(written);
                    Outcome::Unknown
                }
                2 => {
                    self.refund(reserved, 0, self.world.now_ms);
                    Outcome::NotSent
                }
                3 => {
                    self.refund(reserved, 0, self.world.now_ms);
                    Outcome::WouldRevert
                }
                fate => {
                    let block = self.world.contracts.block;
                    let statuses =
                        if fate == 4 { None } else { self.world.contracts.run(&written, self.world.now_ms) };
                    let success = statuses.is_some();
                    // The node may not give logs.
                    let statuses = statuses.filter(|_| fate != 5).unwrap_or_default();
                    self.refund(reserved, reserved / 3, self.world.now_ms);
                    Outcome::Included { success, fee_wei: reserved / 3, block, statuses }
                }
            };
            self.tell(Input::Finished { id, outcome });
        }
    }

    fn apply(&mut self, event: Event) {
        let now_ms = self.world.now_ms;
        match event {
            Event::Send { lane: source, count } => {
                if self.world.sources.lanes[&lane(source)].active {
                    self.world.sources.send(lane(source), count, 200_000, now_ms);
                    self.tell(Input::Advanced);
                }
            }
            Event::Beat => {
                self.world.sources.beat(now_ms);
                self.tell(Input::Advanced);
            }
            Event::Rotate => {
                self.world.sources.rotate(now_ms);
                self.tell(Input::Advanced);
            }
            Event::Pass { ms } => {
                // Money is booked in the period in which it was promised, so a block comes before the period ends.
                if (now_ms + ms) / self.policy.spend_period_ms > now_ms / self.policy.spend_period_ms {
                    self.block(u64::MAX);
                }
                self.world.now_ms += ms;
                self.tell(Input::Tick);
            }
            Event::Answer => {
                for query in std::mem::take(&mut self.world.queries) {
                    let seen = self.world.contracts.observe(&query, RICH_WEI);
                    self.tell(Input::Observed(seen));
                }
            }
            Event::Mute => {
                for query in std::mem::take(&mut self.world.queries) {
                    self.tell(Input::NotObserved { destination: DESTINATION, sequence: query.sequence });
                }
            }
            Event::Block { fates } => self.block(fates),
            Event::Restart => {
                // What was sent may or may not have reached the node.
                let pool = std::mem::take(&mut self.world.pool);
                self.ghosts.extend(pool.into_iter().step_by(2));
                let leads = std::mem::take(&mut self.world.leads);
                self.ghost_leads.extend(leads.into_iter().step_by(2));
                self.world.queries.clear();
                self.spent.clear();
                self.world.planner = Planner::new(self.policy.clone(), [DESTINATION]);
                self.tell(Input::Advanced);
            }
            Event::Reorganise => {
                let block = self.world.contracts.block + 1;
                self.world.contracts = self.snapshot.clone();
                self.world.contracts.block = block;
            }
            Event::Foreign => self.world.contracts.foreign(&self.world.sources),
            Event::Retract { lane: source, kept, again } => {
                self.world.sources.retract(lane(source), kept, again, now_ms);
                self.tell(Input::Advanced);
            }
            Event::Quarantine { lane: source } => {
                self.world.sources.lanes.get_mut(&lane(source)).expect("lane").active = false;
                self.world.sources.beat(now_ms);
                self.tell(Input::Advanced);
            }
            Event::Refuse { index, times } => {
                self.world.contracts.refusals.insert(LaneIndex(index), times);
            }
        }
    }

    fn finish(mut self) {
        for lane in self.world.sources.lanes.values_mut() {
            lane.active = true;
        }
        // A source that was set aside resumes in a new generation; records of it are renewed by the next delivery.
        for source in 1..=LANES {
            let kept = self.world.sources.lanes[&lane(source)].messages.len();
            self.world.sources.retract(lane(source), kept, false, self.world.now_ms);
        }
        self.world.contracts.refusals.clear();
        self.world.tell(Input::Advanced);
        let done = self.world.settle(3_000);
        let World { planner, sources, contracts, .. } = &self.world;
        assert!(done, "not delivered: {planner:#?}\n{sources:#?}");
        assert!(self.world.followed());
        assert!(contracts.executed.values().all(|times| *times == 1));
    }
}

/// Every event but those that the epochs have nothing to do with.
fn handover() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (1..=LANES, 1..6_usize).prop_map(|(lane, count)| Event::Send { lane, count }),
        3 => Just(Event::Rotate),
        4 => (1..3_000_u64).prop_map(|ms| Event::Pass { ms }),
        5 => Just(Event::Answer),
        1 => Just(Event::Mute),
        5 => any::<u64>().prop_map(|fates| Event::Block { fates }),
        2 => Just(Event::Restart),
        1 => Just(Event::Reorganise),
        1 => Just(Event::Foreign),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn every_message_is_delivered_once(events in prop::collection::vec(event(), 1..120)) {
        let mut run = Run::new(Policy { settle_blocks: 3, retries_max: 1_000, ..Policy::default() });
        for event in events {
            run.apply(event);
        }
        run.finish();
    }

    #[test]
    fn nothing_is_lost_or_doubled_when_epochs_change(events in prop::collection::vec(handover(), 1..100)) {
        let mut run = Run::new(Policy { settle_blocks: 3, ..Policy::default() });
        for event in events {
            run.apply(event);
        }
        run.finish();
    }

    #[test]
    fn the_cap_is_never_exceeded(events in prop::collection::vec(event(), 1..80), cap in 1_200_000..20_000_000_u128) {
        let policy = Policy { spend_cap_wei: cap, spend_period_ms: 20_000, settle_blocks: 3, ..Policy::default() };
        let mut run = Run::new(policy);
        for event in events {
            run.apply(event);
        }
    }
}
