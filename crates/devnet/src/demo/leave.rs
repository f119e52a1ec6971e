//! A member leaves with a thousand messages under way, and none is lost.

use super::{
    DemoError, Figures,
    newcomer::Newcomer,
    scene::{Scene, Shape, until},
    traffic::Traffic,
};
use hum_node::api::RollupView;
use hum_types::RollupStatus;
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use tokio::process::Command;

pub(super) const SHAPE: Shape = Shape::new(2);
/// Messages along each lane out of the one that leaves.
const OUT: u32 = 500;
/// Messages along each lane to it.
const IN: u32 = 20;
/// How many must be under way when it leaves.
const IN_FLIGHT: u64 = 1_000;
/// Within what time all of them are sent.
const GAP: Duration = Duration::from_millis(4);
/// How long leaving may take.
const PATIENCE: Duration = Duration::from_secs(240);

pub(super) async fn play(scene: &mut Scene) -> Result<Figures, DemoError> {
    let newcomer = Newcomer::join(scene).await?;
    scene.tell("anvil is a member");
    // Nobody delivers what it sends for a while: else little would be under way at any moment.
    scene.kill("relayer").await?;
    let all = scene.pairs(|_| true);
    let out: Vec<_> = all.iter().copied().filter(|(from, _)| *from == newcomer.site).collect();
    let to_it: Vec<_> = all.iter().copied().filter(|(_, to)| *to == newcomer.site).collect();
    let pairs = [out.clone(), to_it.clone()].concat();
    let (outgoing, incoming) =
        (Traffic::start(scene, &out, OUT, GAP), Traffic::start(scene, &to_it, IN, GAP));
    let planned = outgoing.count + incoming.count;
    for lost in outgoing.included().await.into_iter().chain(incoming.included().await) {
        scene.violation(lost);
    }
    scene.tell(format!("{planned} messages are sent; the relayer is down, and the rollup leaves"));

    let mut command = Command::new(scene.network.hum());
    command.args(["rollup", "leave", "--json", "--dir"]).arg(&newcomer.dir);
    command.arg("--authority").arg(&newcomer.owner_key);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let failed = |problem: String| DemoError::Role { what: "hum rollup leave".to_owned(), problem };
    let leaving = command.spawn().map_err(|error| failed(error.to_string()))?;
    // It closes the lanes first; then what was sent must still arrive.
    let closed =
        until(PATIENCE, async || Ok(scene.is_lane_closed(newcomer.site, out.first()).await?.then_some(())))
            .await?;
    scene.demand(closed.is_some(), || "its lanes were not closed".to_owned());
    scene.restart("relayer")?;
    scene.tell("its lanes are closed; the relayer is back");
    let output = tokio::time::timeout(PATIENCE, leaving.wait_with_output())
        .await
        .map_err(|_| DemoError::Waited { what: "hum rollup leave".to_owned(), seconds: PATIENCE.as_secs() })?
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let left: Value = serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))?;
    let in_flight = left.get("in_flight").and_then(Value::as_u64).unwrap_or_default();

    let books = scene.settle(&pairs, Duration::ZERO).await?;
    let tally = books.tally(&pairs);
    let lost = planned - tally.executed.min(planned);
    scene.tell(format!(
        "{in_flight} messages were under way when it left, {} of {planned} are executed, {lost} are lost",
        tally.executed
    ));
    scene.demand(in_flight >= IN_FLIGHT, || {
        format!("{in_flight} messages were under way, {IN_FLIGHT} must be")
    });
    scene.demand(lost == 0, || format!("{lost} messages were lost"));
    let stranded = left.get("stranded").and_then(Value::as_array).map_or(0, Vec::len);
    scene.demand(stranded == 0, || format!("{stranded} messages were given up"));
    books.report(scene);
    let gone = |rollup: &RollupView| rollup.status == RollupStatus::Left;
    let all_gone =
        until(PATIENCE, async || Ok(scene.views(newcomer.site).await.filter(|views| views.iter().all(gone))))
            .await?;
    scene.demand(all_gone.is_some(), || "an operator does not say that it left".to_owned());
    newcomer.stop().await;
    Ok(Figures::from_iter([
        ("sent".to_owned(), json!(tally.sent)),
        ("executed".to_owned(), json!(tally.executed)),
        ("duplicates".to_owned(), json!(tally.duplicates)),
        ("in_flight".to_owned(), json!(in_flight)),
        ("lost".to_owned(), json!(lost)),
    ]))
}
