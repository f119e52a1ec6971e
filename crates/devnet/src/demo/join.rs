//! A chain that we did not make joins a running network, and talks.

use super::{
    DemoError, Figures,
    newcomer::Newcomer,
    scene::{Scene, Shape},
    traffic::Traffic,
};
use serde_json::json;
use std::time::Duration;

pub(super) const SHAPE: Shape = Shape::new(2);
/// Messages along each lane.
const EACH: u32 = 20;
/// How long the last message may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What joining may take on a local network.
const JOIN_MS_MAX: u64 = 60_000;

pub(super) async fn play(scene: &mut Scene) -> Result<Figures, DemoError> {
    let newcomer = Newcomer::join(scene).await?;
    let number =
        |field: &str| newcomer.joined.get(field).and_then(serde_json::Value::as_u64).unwrap_or_default();
    let (certified_ms, join_ms) = (number("certified_ms"), number("join_ms"));
    scene.tell(format!(
        "hum rollup join made it a member: its first block was certified after {certified_ms} ms, everything was done after {join_ms} ms"
    ));
    scene.demand(join_ms > 0 && join_ms <= JOIN_MS_MAX, || {
        format!("joining took {join_ms} ms, {JOIN_MS_MAX} are allowed")
    });
    let pairs: Vec<_> = scene
        .pairs(|_| true)
        .into_iter()
        .filter(|(from, to)| *from == newcomer.site || *to == newcomer.site)
        .collect();
    let gap = scene.block_time;
    let traffic = Traffic::start(scene, &pairs, EACH, gap);
    let planned = traffic.count;
    scene.tell(format!("sending {EACH} messages along each of its {} lanes", pairs.len()));
    for lost in traffic.included().await {
        scene.violation(lost);
    }
    let books = scene.settle(&pairs, PATIENCE).await?;
    let tally = books.tally(&pairs);
    scene.tell(format!("{} of {planned} messages are executed", tally.executed));
    scene.demand(tally.sent == planned && tally.executed == planned, || {
        format!("{} of {planned} messages were sent, {} executed", tally.sent, tally.executed)
    });
    books.report(scene);
    newcomer.stop().await;
    Ok(Figures::from_iter([
        ("sent".to_owned(), json!(tally.sent)),
        ("executed".to_owned(), json!(tally.executed)),
        ("duplicates".to_owned(), json!(tally.duplicates)),
        ("certified_ms".to_owned(), json!(certified_ms)),
        ("join_ms".to_owned(), json!(join_ms)),
    ]))
}
