//! Figures, printed on demand: `cargo test -p hum-verify figures -- --ignored --nocapture`.

use super::{fixtures, made::osaka, world::*};
use crate::block::Transaction;
use crate::{bench::Prepared, *};
use alloy_primitives::{Address, keccak256};
use std::time::Instant;

fn best_ms(mut run: impl FnMut()) -> f64 {
    let once = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1e3
    };
    (0..30).map(|_| once(&mut run)).fold(f64::MAX, f64::min)
}

fn show(kind: &str, prepared: &Prepared<'_>, witness: &Witness) {
    let verify = best_ms(|| assert!(matches!(prepared.verify(), Verdict::Valid(_))));
    let plain = best_ms(|| assert_eq!(prepared.plain(), prepared.gas_used()));
    let senders = best_ms(|| assert!(prepared.recover_senders() > 0));
    println!(
        "{kind}: gas {}, witness {} nodes {} KiB, verify {verify:.2} ms, plain {plain:.2} ms, ratio {:.2}, senders {senders:.2} ms",
        prepared.gas_used(),
        witness.state.len(),
        witness.byte_len() / 1024,
        verify / plain,
    );
}

#[test]
#[ignore = "prints figures"]
fn figures() {
    for (name, file) in fixtures::valid_blocks() {
        let verifier = fixtures::verifier(&file);
        let prepared =
            Prepared::new(&verifier, &file.parent, file.claimed, &file.block, &file.witness).unwrap();
        show(name, &prepared, &file.witness);
    }
    let mut world = World::new(osaka(), 5_000);
    let verifier = world.verifier();
    let fresh = |n: u32| Address::from_word(keccak256(n.to_be_bytes()));
    let mut run = |kind: &str, transfers: &dyn Fn(&mut World) -> Vec<Transaction>| {
        let transfers = transfers(&mut world);
        let made = world.make(transfers, vec![]);
        let (hash, rlp) = (made.header.hash_slow(), made.rlp());
        let prepared = Prepared::new(&verifier, &made.parent, hash, &rlp, &made.witness).unwrap();
        show(kind, &prepared, &made.witness);
    };
    run("400 token transfers, 400 senders, 400 new holders", &|world| {
        (0..400).map(|n| world.transfer(n, fresh(n), 1)).collect()
    });
    run("550 token transfers, 550 senders, 550 holders", &|world| {
        (0..550).map(|n| world.transfer(n, address_of(&key(n + 1_000)), 1)).collect()
    });
    run("400 token transfers, 20 senders, 400 new holders", &|world| {
        (0..400).map(|n| world.transfer(n % 20, fresh(n + 1_000), 1)).collect()
    });
    run("600 token transfers, 20 senders, 100 holders", &|world| {
        (0..600).map(|n| world.transfer(n % 20, address_of(&key(n % 100)), 1)).collect()
    });
}
