//! Operators that come and go while a relayer runs.

use super::*;
use crate::lookout::tests::{FakeL1, LINGER_MS, lookout};

/// A bed whose relayers know the first two operators, and L1.
fn founded(seed: u64, test: impl AsyncFnOnce(Bed, Arc<FakeL1>)) {
    run(seed, Link::default(), |mut bed| async move {
        let l1 = FakeL1::new(0..2);
        bed.operators.truncate(2);
        bed.lookout = Some(lookout(0..2, &l1));
        test(bed, l1).await;
    });
}

#[test]
fn who_joins_is_followed_when_founders_fall_silent() {
    founded(21, async |mut bed, l1| {
        let relayer = bed.start(0, Policy::default()).await;
        bed.send(2);
        bed.pass(3_000).await;
        bed.check(2);
        lock(&bed.script).silent = [0, 1].into();
        bed.send(1);
        bed.pass(10_000).await;
        bed.check(2);
        l1.register(0..4);
        bed.pass(15_000).await;
        bed.check(3);
        for _ in 0..5 {
            bed.send(1);
            bed.pass(1_000).await;
        }
        bed.pass(5_000).await;
        bed.check(8);
        assert_eq!(relayer.view().role.alarms_total, 0, "{:?}", relayer.view());
    });
}

#[test]
fn who_left_is_asked_no_more_and_who_followed_serves() {
    founded(22, async |mut bed, l1| {
        let _relayer = bed.start(0, Policy::default()).await;
        bed.pass(1_000).await;
        l1.select(2..4);
        l1.register(2..4);
        bed.pass(LINGER_MS + 8_000).await;
        l1.register(2..4);
        bed.pass(20_000).await;
        // Founders still run.
        lock(&bed.script).asked_of.clear();
        for _ in 0..5 {
            bed.send(2);
            bed.pass(1_000).await;
        }
        bed.pass(4_000).await;
        bed.check(10);
        assert_eq!(lock(&bed.script).asked_of, [2, 3].into());
    });
}

#[test]
fn without_l1_whoever_is_known_is_followed() {
    founded(23, async |mut bed, l1| {
        l1.register(0..4);
        let relayer = bed.start(0, Policy::default()).await;
        bed.pass(2_000).await;
        l1.set_down(true);
        l1.register([]);
        bed.pass(90_000).await;
        lock(&bed.script).silent = [0, 1].into();
        bed.send(3);
        bed.pass(10_000).await;
        bed.check(3);
        let alarm = relayer.view().role.last_alarm().map(str::to_owned);
        assert!(alarm.is_some_and(|what| what.contains("own L1 node")));
    });
}
