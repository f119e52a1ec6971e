//! Processes that are killed under load, without a chance to say goodbye, and started again.

use super::{
    DemoError, Figures,
    audit::Audit,
    scene::{Scene, Shape, until},
    traffic::Traffic,
};
use serde_json::json;
use std::time::Duration;

pub(super) const SHAPE: Shape = Shape::new(3);
/// Messages along each lane.
const EACH: u32 = 16;
/// How long a killed process stays away.
const AWAY: Duration = Duration::from_millis(1_500);
/// How long a restarted one works before the next is killed.
const BETWEEN: Duration = Duration::from_millis(2_500);
/// How long the last message may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn play(scene: &mut Scene) -> Result<Figures, DemoError> {
    let pairs = scene.pairs(|_| true);
    let gap = scene.block_time;
    let traffic = Traffic::start(scene, &pairs, EACH, gap);
    let planned = traffic.count;
    let mut kills = 0;
    for victim in victims(scene) {
        tokio::time::sleep(BETWEEN).await;
        scene.kill(&victim).await?;
        kills += 1;
        scene.tell(format!("killed {victim} with messages under way"));
        tokio::time::sleep(AWAY).await;
        scene.restart(&victim)?;
    }
    for lost in traffic.included().await {
        scene.violation(lost);
    }
    let books = scene.settle(&pairs, PATIENCE).await?;
    let tally = books.tally(&pairs);
    scene.tell(format!("{} of {planned} messages are executed, {} twice", tally.executed, tally.duplicates));
    scene.demand(tally.sent == planned, || {
        format!("{} messages stand on their chains, {planned} were sent", tally.sent)
    });
    scene.demand(tally.executed == planned, || {
        format!("{} of {planned} messages were executed", tally.executed)
    });
    books.report(scene);
    if rejoined(scene).await?.is_some() {
        scene.tell("all operators are at the same height again");
    } else {
        scene.violation("an operator did not rejoin the others after its restart");
    }
    let audit = Audit::read(scene, &[]).await?;
    audit.report(scene);
    scene.demand(audit.quarantines.is_empty(), || "a restart made a rollup look dishonest".to_owned());
    Ok(Figures::from_iter([
        ("sent".to_owned(), json!(tally.sent)),
        ("executed".to_owned(), json!(tally.executed)),
        ("duplicates".to_owned(), json!(tally.duplicates)),
        ("kills".to_owned(), json!(kills)),
    ]))
}

/// Wait until every operator has finalised and certified what the farthest has by now.
async fn rejoined(scene: &Scene) -> Result<Option<()>, DemoError> {
    let statuses = scene.statuses().await;
    let newest = statuses.iter().map(|status| status.certified).max().unwrap_or_default();
    let all = scene.operators().len();
    until(PATIENCE, async || {
        let statuses = scene.statuses().await;
        let there =
            statuses.iter().filter(|status| status.finalised >= newest && status.certified >= newest).count();
        Ok((there == all).then_some(()))
    })
    .await
}

/// An operator, the relayer, a publisher, and one of them again.
fn victims(scene: &mut Scene) -> Vec<String> {
    let operator = scene.dice.place(scene.operators().len());
    let publisher = scene.dice.place(scene.sites.len());
    let mut victims = vec![
        format!("operator-{operator}"),
        "relayer".to_owned(),
        format!("publisher-{}", scene.name(publisher)),
    ];
    scene.dice.shuffle(&mut victims);
    let again = scene.dice.place(victims.len());
    victims.extend(victims.get(again).cloned());
    victims
}
