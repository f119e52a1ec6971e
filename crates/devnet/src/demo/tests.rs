use super::{dice::Dice, percentiles::percentile};

#[test]
fn percentiles_are_measured_values() {
    let mut values: Vec<u64> = (1..=100).rev().collect();
    assert_eq!(
        [50, 95, 99, 100].map(|percent| percentile(&mut values, percent)),
        [50, 95, 99, 100].map(Some)
    );
    assert_eq!([50, 99].map(|percent| percentile(&mut [7], percent)), [Some(7), Some(7)]);
    assert_eq!(percentile(&mut [1, 2, 3], 50), Some(2));
    assert_eq!(percentile(&mut [], 50), None);
}

#[test]
fn the_same_seed_throws_the_same() {
    let throws = |seed| {
        let mut dice = Dice::new(seed);
        let mut list: Vec<u64> = (0..16).collect();
        dice.shuffle(&mut list);
        (dice.below(1_000), list)
    };
    assert_eq!(throws(7), throws(7));
    assert_ne!(throws(7), throws(8));
    let mut sorted = throws(7).1;
    sorted.sort_unstable();
    assert_eq!(sorted, (0..16).collect::<Vec<_>>());
}
