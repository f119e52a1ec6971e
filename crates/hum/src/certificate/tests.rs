use super::*;

#[test]
fn the_class_is_shown_in_words_that_cannot_be_mixed_up() {
    let own = Covered::new(ChainId(42_161), "arb", Class::OwnNode);
    let words = own.to_string();
    assert_eq!(words, "rollup arb (chain 42161): judged by operators' own nodes, not re-executed");
    let other = Covered::new(ChainId(10), "op", Class::Reexecuted);
    assert_eq!(other.to_string(), "rollup op (chain 10): re-executed");
    assert_eq!(serde_json::to_value(&own).unwrap()["class"], "own_node");
}
