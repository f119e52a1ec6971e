//! A bounded run, the same every time.

use hum_fuzz::{Fuzzed as _, Target, committees, corpus, domain, run, seeds};

#[test]
fn the_corpus_holds_an_input_of_each_kind_as_it_is_encoded_today() {
    let corpus = corpus("evidence").expect("the corpus can be read");
    for (name, input) in seeds() {
        let held = corpus.iter().find(|(held, _)| held == name).map(|(_, bytes)| bytes);
        assert_eq!(held, Some(&input), "{name}: run `cargo run -p hum-fuzz -- --write-corpus`");
    }
}

#[test]
fn every_seed_decodes_and_accuses_only_liars() {
    let mut target = Target::new(committees(), domain(), u64::MAX);
    for (name, input) in seeds() {
        assert!(target.one(&input).expect("every property holds").decoded, "{name}");
    }
}

#[test]
fn no_bytes_break_a_property() {
    let inputs: Vec<_> =
        corpus("evidence").expect("the corpus can be read").into_iter().map(|(_, input)| input).collect();
    let mut target = Target::new(committees(), domain(), 300);
    let ran = run(&mut target, inputs, 1, |tried| tried < 30_000).expect("every property holds");
    assert!(ran.decoded > 50 && ran.ends > 300, "{ran:?}");
    println!("{ran:?}");
}
