//! A bounded run over batches, the same every time.

use hum_fuzz::{Batches, Fuzzed as _, batch_seeds, corpus, run};

#[test]
fn the_corpus_holds_an_input_of_each_kind_as_it_is_packed_today() {
    let corpus = corpus("batch").expect("the corpus can be read");
    for (name, input) in batch_seeds() {
        let held = corpus.iter().find(|(held, _)| held == name).map(|(_, bytes)| bytes);
        assert_eq!(held, Some(&input), "{name}: run `cargo run -p hum-fuzz -- --write-corpus`");
        assert!(Batches.one(&input).expect("every property holds").decoded, "{name}");
    }
}

#[test]
fn no_bytes_break_a_property() {
    let inputs: Vec<_> =
        corpus("batch").expect("the corpus can be read").into_iter().map(|(_, input)| input).collect();
    let ran = run(&mut Batches, inputs, 1, |tried| tried < 20_000).expect("every property holds");
    assert!(ran.decoded > 50 && ran.ends > 60, "{ran:?}");
    println!("{ran:?}");
}
