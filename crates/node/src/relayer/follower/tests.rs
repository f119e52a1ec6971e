use super::*;
use hum_consensus::{PrivateKey, Signer as _};

fn keys(count: u64) -> Vec<PublicKey> {
    (0..count).map(|seed| PrivateKey::from_seed(seed).public_key()).collect()
}

#[test]
fn an_operator_that_was_not_there_is_asked_for_news_again_soon() {
    let keys = keys(3);
    let mut follower = Follower::new(keys.clone(), 2, 1_000, 1_000);
    assert_eq!(follower.follow(10_000), keys[..2]);
    assert!(follower.follow(10_100).is_empty());
    follower.news_from(&keys[0], 10_200);
    assert_eq!(follower.follow(10_000 + FOLLOW_AGAIN_MS), keys[1..2]);
}

#[test]
fn an_operator_that_sends_news_is_asked_again_before_it_forgets() {
    let keys = keys(1);
    let mut follower = Follower::new(keys.clone(), 1, 1_000, 1_000);
    let asked: Vec<u64> = (0..100_u64)
        .map(|step| 10_000 + step * 100)
        .filter(|now_ms| {
            follower.news_from(&keys[0], *now_ms);
            !follower.follow(*now_ms).is_empty()
        })
        .collect();
    assert_eq!(asked, [10_000, 10_000 + FOLLOW_LEASE_MS / 3]);
}

#[test]
fn in_place_of_a_muted_operator_another_is_followed() {
    let keys = keys(3);
    let mut follower = Follower::new(keys.clone(), 1, 1_000, 1_000);
    assert_eq!(follower.follow(10_000), keys[..1]);
    follower.mute(&keys[0], 10_050);
    assert_eq!(follower.follow(10_100), keys[1..2]);
}
