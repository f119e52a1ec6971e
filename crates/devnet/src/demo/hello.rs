//! Messages between all rollups, and how long they take.

use super::{
    DemoError, Figures,
    audit::Audit,
    clock::{Durations, spread},
    percentiles::percentile,
    scene::{Scene, Shape},
    traffic::Traffic,
};
use hum_types::Confidence;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

pub(super) const SHAPE: Shape = Shape::new(3);
/// Messages from each rollup to each other one.
const EACH: u32 = 20;
/// How long the last message may take at `Latest`.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take when its block must stand on L1 first: batches are posted every two seconds, L1 finalises four
/// blocks late, and its final blocks become the operators' at the end of a term.
const PATIENCE_SETTLED: Duration = Duration::from_secs(90);
/// How long after an execution its times may still be missing.
const NOTED: Duration = Duration::from_secs(10);
/// Pause before they are read again.
const AGAIN: Duration = Duration::from_millis(250);

pub(super) async fn play(scene: &mut Scene) -> Result<Figures, DemoError> {
    let pairs = scene.pairs(|_| true);
    let gap = scene.block_time;
    let traffic = Traffic::start(scene, &pairs, EACH, gap);
    let planned = traffic.count;
    scene.tell(format!(
        "sending {EACH} messages along each of {} lanes; a block every {} ms, rollups evenly apart",
        pairs.len(),
        gap.as_millis()
    ));
    for lost in traffic.included().await {
        scene.violation(lost);
    }
    let latest = scene.confidence == Confidence::Latest;
    let books = scene.settle(&pairs, if latest { PATIENCE } else { PATIENCE_SETTLED }).await?;
    let tally = books.tally(&pairs);
    scene.tell(format!("{} of {planned} messages are executed", tally.executed));
    // The chains were read directly: whoever notes times may see a block, or write a certificate down, a moment later.
    let deadline = Instant::now() + NOTED;
    let mut times = Durations::read(scene, &books, books.sent(&pairs)).await?;
    while times.untimed > 0 && Instant::now() < deadline {
        sleep(AGAIN).await;
        times = Durations::read(scene, &books, books.sent(&pairs)).await?;
    }
    if let (Some(certified), Some(executed)) =
        (percentile(&mut times.certified, 50), percentile(&mut times.executed, 50))
    {
        scene.tell(format!(
            "after inclusion, half were certified within {certified} ms and executed within {executed} ms"
        ));
    }
    scene.demand(tally.sent == planned, || {
        format!("{} messages stand on their chains, {planned} were sent", tally.sent)
    });
    scene.demand(tally.executed == planned, || {
        format!("{} of {planned} messages were executed", tally.executed)
    });
    books.report(scene);
    let audit = Audit::read(scene, &[]).await?;
    audit.report(scene);
    scene.demand(audit.quarantines.is_empty(), || "a rollup was set aside".to_owned());
    scene.demand(times.untimed == 0, || format!("{} executed messages lack a time", times.untimed));
    scene.check_clock();
    Ok(Figures::from_iter([
        ("confidence".to_owned(), json!(scene.confidence)),
        ("sent".to_owned(), json!(tally.sent)),
        ("executed".to_owned(), json!(tally.executed)),
        ("duplicates".to_owned(), json!(tally.duplicates)),
        ("certified_ms".to_owned(), spread(&mut times.certified, &[50, 95, 99])),
        ("executed_ms".to_owned(), spread(&mut times.executed, &[50, 95, 99])),
        ("claim_to_certificate_ms".to_owned(), spread(&mut times.claim_to_certificate, &[50, 99])),
    ]))
}
