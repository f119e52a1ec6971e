//! Figures, printed on demand: `cargo test -p hum-verify figures -- --ignored --nocapture`.

use crate::block::Transaction;
use super::{fixtures, made::osaka, world::*};
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
    for file in fixtures::valid_blocks() {
        let verifier = fixtures::verifier(&file);
        let prepared = Prepared::new(&verifier, &file.parent, file.claimed, &file.block, &file.witness).unwrap();
        show("fixture", &prepared, &file.witness);
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

#[test]
#[ignore = "prints figures"]
fn phases() {
    use crate::{block::*, execute::*, state::StateDb, witness::WitnessIndex};
    use revm::database::State;
    let mut world = World::new(osaka(), 5_000);
    let verifier = world.verifier();
    let fresh = |n: u32| Address::from_word(keccak256(n.to_be_bytes()));
    let transfers = (0..400).map(|n| world.transfer(n, fresh(n), 1)).collect();
    let made = world.make(transfers, vec![]);
    let (hash, rlp) = (made.header.hash_slow(), made.rlp());
    let data = vec![1_u8; 532];
    println!("keccak 532: {:.3} us", best_ms(|| for _ in 0..1000 { std::hint::black_box(keccak256(std::hint::black_box(&data))); }));
    println!("keccak 32: {:.3} us", best_ms(|| for _ in 0..1000 { std::hint::black_box(keccak256(std::hint::black_box(&data[..32]))); }));
    let (raw, header) = verifier.open(&made.parent, hash, &rlp, &made.witness).unwrap();
    println!("body {:.2}", best_ms(|| { verifier.body(&raw, header.clone(), rlp.len()).unwrap(); }));
    println!("  body roots {:.2}", best_ms(|| { raw.check_body(&made.header).unwrap(); }));
    println!("  decode {:.2}", best_ms(|| { raw.transactions().unwrap(); }));
    println!("index {:.2}", best_ms(|| { WitnessIndex::new(&made.witness, &made.parent); }));
    let block = verifier.body(&raw, header, rlp.len()).unwrap();
    let senders = senders(&block.transactions).unwrap();
    let (mut exec, mut apply, mut receipts, mut drops) = (f64::MAX, f64::MAX, f64::MAX, f64::MAX);
    for _ in 0..30 {
        let index = WitnessIndex::new(&made.witness, &made.parent);
        let t = Instant::now();
        let mut state = State::builder().with_database(StateDb::new(made.parent.header().state_root, index)).with_bundle_update().build();
        let outcome = execute(verifier.spec(), &block, &senders, &mut state).unwrap();
        exec = exec.min(t.elapsed().as_secs_f64() * 1e3);
        let changes = state.transition_state.take().unwrap();
        let t = Instant::now();
        state.database.apply(changes).unwrap();
        apply = apply.min(t.elapsed().as_secs_f64() * 1e3);
        let t = Instant::now();
        receipts_root(&outcome.receipts);
        receipts = receipts.min(t.elapsed().as_secs_f64() * 1e3);
        let t = Instant::now();
        drop(state);
        drops = drops.min(t.elapsed().as_secs_f64() * 1e3);
    }
    println!("exec {exec:.2} apply {apply:.2} receipts {receipts:.2} drop {drops:.2}");
}
