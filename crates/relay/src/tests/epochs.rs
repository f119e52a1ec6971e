//! Light clients on the committed contracts follow the committees, and deliveries go on across epochs.

use super::{
    deliveries::Relay,
    evm::ACCEPTS,
    network::{DESTINATION, SOURCES, VALID_UNTIL, policy},
};
use crate::*;
use hum_types::*;

impl Relay {
    /// The operators hand over; everything up to the closing height is certified.
    fn rotate(&mut self, first: u16, valid_until: TimeS) {
        for checkpoint in self.evm.network.rotate(first, valid_until) {
            self.certify(checkpoint, &[0, 1, 2, 3]);
        }
    }

    /// The same where only the closing checkpoint gets a certificate, without one of its operators.
    fn rotate_quietly(&mut self, first: u16) {
        let mut checkpoints = self.evm.network.rotate(first, VALID_UNTIL);
        let closing = checkpoints.pop().expect("a closing height");
        for checkpoint in checkpoints {
            self.chain.offer(checkpoint).expect("held");
        }
        self.certify(closing, &[0, 2, 3]);
    }

    fn client(&mut self) -> ClientSeen {
        let light_client = self.evm.light_client;
        let newest = self.evm.storage(light_client, storage::newest_epoch_slot());
        let slot = storage::epoch_slot(storage::newest_epoch(newest).0);
        storage::client(newest, self.evm.storage(light_client, slot))
    }

    fn steps(&self) -> Vec<Step> {
        self.led.iter().map(|(lead, _)| lead.step).collect()
    }

    /// The planners die with all that they sent, and one starts anew.
    fn restart(&mut self) {
        self.planners = vec![Planner::new(policy(), [DESTINATION])];
        self.queries.clear();
        self.lose();
        self.tell(0, Input::Advanced);
    }
}

fn steps_to(epoch: u64) -> Vec<Step> {
    (0..epoch).flat_map(|n| [Step::Close(Epoch(n)), Step::Install(Epoch(n + 1))]).collect()
}

#[test]
fn deliveries_go_on_when_the_committee_changes() {
    let mut relay = Relay::new(1);
    relay.send(SOURCES[0], &[ACCEPTS; 3]);
    relay.rounds(4, 1_000);
    // Sent in the old epoch, delivered in the next one.
    relay.send(SOURCES[0], &[ACCEPTS; 2]);
    relay.rotate_quietly(2);
    relay.rounds(4, 1_000);
    relay.send(SOURCES[1], &[ACCEPTS; 4]);
    relay.rounds(4, 1_000);
    relay.all_done(SOURCES[0], 0, 5);
    relay.all_done(SOURCES[1], 0, 4);
    assert_eq!(relay.client(), ClientSeen { epoch: Epoch(1), installed: true, usable_until: VALID_UNTIL });
    assert_eq!((relay.steps(), relay.reverted), (steps_to(1), 0));
}

#[test]
fn a_light_client_is_led_on_although_nothing_is_to_be_delivered() {
    let mut relay = Relay::new(1);
    relay.rotate(2, TimeS(VALID_UNTIL.0 + 7));
    relay.rounds(20, 1_000);
    let usable_until = TimeS(VALID_UNTIL.0 + 7);
    assert_eq!(relay.client(), ClientSeen { epoch: Epoch(1), installed: true, usable_until });
    assert_eq!(relay.steps(), steps_to(1));
    let counts = relay.planners[0].counts().next().expect("one").1;
    let spent: u64 = relay.led.iter().map(|(_, gas)| *gas).sum();
    assert_eq!((counts.led, counts.transactions, counts.spent_wei), (2, 2, u128::from(spent)));
}

#[test]
fn a_sleeping_client_catches_up_over_five_epochs() {
    let mut relay = Relay::new(1);
    for epoch in 0..5 {
        relay.send(SOURCES[0], &[ACCEPTS; 2]);
        relay.rotate_quietly(2 * (epoch + 1));
    }
    relay.send(SOURCES[1], &[ACCEPTS; 3]);
    assert_eq!(relay.client().epoch, Epoch(0));
    relay.rounds(20, 1_000);
    assert_eq!((relay.steps(), relay.reverted), (steps_to(5), 0));
    relay.all_done(SOURCES[0], 0, 10);
    relay.all_done(SOURCES[1], 0, 3);
    for (lead, gas) in &relay.led {
        assert!(*gas <= lead.gas_limit, "{:?} took {gas} of {}", lead.step, lead.gas_limit);
    }
}

#[test]
fn a_relayer_restarted_in_the_middle_of_catching_up_goes_on_there() {
    for crash_after in 1..12 {
        let mut relay = Relay::new(1);
        for epoch in 0..3 {
            relay.send(SOURCES[0], &[ACCEPTS; 2]);
            relay.rotate_quietly(2 * (epoch + 1));
        }
        relay.rounds(crash_after, 1_000);
        relay.restart();
        relay.send(SOURCES[0], &[ACCEPTS]);
        relay.rounds(16, 1_000);
        // A delivery under a closing checkpoint ends an epoch, too.
        let installed: Vec<Step> =
            relay.steps().into_iter().filter(|step| matches!(step, Step::Install(_))).collect();
        assert_eq!(installed, [1, 2, 3].map(|epoch| Step::Install(Epoch(epoch))), "after {crash_after}");
        assert_eq!((relay.client().epoch, relay.client().installed, relay.reverted), (Epoch(3), true, 0));
        relay.all_done(SOURCES[0], 0, 7);
    }
}

#[test]
fn two_relayers_lead_one_client() {
    let mut relay = Relay::new(2);
    for epoch in 0..3 {
        relay.send(SOURCES[0], &[ACCEPTS; 2]);
        relay.rotate_quietly(2 * (epoch + 1));
        relay.rounds(if epoch == 1 { 1 } else { 6 }, 1_000);
    }
    relay.rounds(16, 1_000);
    relay.all_done(SOURCES[0], 0, 6);
    assert_eq!((relay.client().epoch, relay.client().installed), (Epoch(3), true));
    // A certificate that is there already is no error; a table that is there already is not sent again.
    let installed = relay.steps().into_iter().filter(|step| matches!(step, Step::Install(_))).count();
    assert_eq!((installed, relay.reverted), (3, 0));
}

#[test]
fn a_step_that_somebody_else_took_is_not_taken_again() {
    let mut relay = Relay::new(1);
    relay.rotate_quietly(2);
    for step in steps_to(1) {
        let data = lead_data(step, &relay.chain).expect("bytes");
        let calldata = Calldata { to: relay.evm.light_client, data };
        assert!(relay.evm.call(&calldata, 1 << 24).success, "{step:?}");
    }
    relay.send(SOURCES[0], &[ACCEPTS]);
    relay.rounds(6, 1_000);
    relay.all_done(SOURCES[0], 0, 1);
    assert_eq!(relay.steps(), []);
}

#[test]
fn a_client_that_slept_too_long_is_reported_once_and_left_alone() {
    let mut relay = Relay::new(1);
    let soon = TimeS(relay.now_ms / 1_000 + 100);
    relay.rotate(2, soon);
    relay.rounds(6, 1_000);
    assert_eq!(relay.client().epoch, Epoch(1));
    relay.rotate(4, VALID_UNTIL);
    relay.lose();
    // The table of epoch 0 is good for long: as if that one had been as short, epoch 1 is the end.
    relay.now_ms += 200_000;
    relay.evm.set_time(relay.now_ms);
    relay.restart();
    let before = relay.steps().len();
    relay.rounds(30, 1_000);
    assert_eq!(relay.steps().len(), before, "nothing is sent that must revert");
    let expired = |alarm: &&Alarm| matches!(alarm, Alarm::ClientExpired { epoch: Epoch(1), .. });
    assert_eq!(relay.alarms.iter().filter(expired).count(), 1, "{:?}", relay.alarms);
    assert_eq!(relay.reverted, 0);
}

#[test]
fn steps_that_are_not_there_yet_cannot_be_written() {
    let relay = Relay::new(1);
    for step in [Step::Close(Epoch(0)), Step::Install(Epoch(1)), Step::Close(Epoch(7))] {
        assert_eq!(lead_data(step, &relay.chain), Err(CalldataError::Epoch(step.epoch())));
    }
    assert!(lead_data(Step::Install(Epoch(0)), &relay.chain).is_ok());
}
