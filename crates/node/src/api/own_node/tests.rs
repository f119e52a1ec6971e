use super::*;
use crate::own_node::NodeClient;
use hum_types::{BlockRef, ChainId, Generation, RollupStatus};

fn view(class: Class, own_node: Option<OwnNodeView>) -> RollupView {
    RollupView {
        chain_id: ChainId(42_161),
        name: "arb".into(),
        status: RollupStatus::Active,
        generation: Generation(0),
        class,
        latest: BlockRef::default(),
        safe: None,
        finalized: None,
        certified: 0,
        own_node,
    }
}

fn judged(client: Option<&str>) -> RollupView {
    let node = client.map(|client| NodeClient { client: client.into(), replayed: client.contains(LABEL) });
    let judging = Some(JudgingView { node, judges: true, judged: Some(7) });
    view(Class::OwnNode, Some(OwnNodeView { stack: StackKind::Nitro, judges: 3, judging }))
}

#[test]
fn the_class_is_in_the_answer_and_in_its_words() {
    let plain = view(Class::Reexecuted, None);
    assert_eq!(plain.known_by([&plain]), "re-executed");
    let live = judged(Some("nitro/v3.6.0"));
    let words = live.known_by([&live, &plain]);
    assert_eq!(words, "judged by operators' own nodes, not re-executed (1 of 3 judges of nitro judge)");
    let json = serde_json::to_value(&live).unwrap();
    assert_eq!(json["class"], "own_node");
    assert_eq!(json["own_node"]["stack"], "nitro");
    assert_eq!(serde_json::from_value::<RollupView>(json).unwrap(), live);
}

#[test]
fn a_recording_is_called_one_whoever_tells() {
    let (live, replayed) = (judged(None), judged(Some(&format!("hum-replay ({LABEL})"))));
    let words = live.known_by([&live, &replayed]);
    assert!(words.ends_with("(2 of 3 judges of nitro judge; replayed, not joined live)"), "{words}");
}
