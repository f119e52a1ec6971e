//! Operators join and leave under load, over several epochs, and a light client that slept through all of it catches up.

use super::{
    DemoError, Figures,
    audit::Audit,
    followers::{self, Noticed},
    scene::{Scene, Shape, until},
    sleeper::Sleeper,
    traffic::Traffic,
};
use crate::network::LocalOperator;
use hum_node::api::{CheckpointView, CommitteeView};
use hum_types::{Epoch, Height};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

pub(super) const SHAPE: Shape = Shape::new(2);
/// Messages along each lane.
const EACH: u32 = 80;
/// Epochs that must begin after the first.
const EPOCHS: u64 = 3;
/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// A handover may take as long as so many checkpoints do otherwise, beside its own.
const HANDOVER_INTERVALS: u64 = 2;
/// Heights that one operator is asked for.
const HEIGHTS_MAX: usize = 5_000;

pub(super) async fn play(scene: &mut Scene) -> Result<Figures, DemoError> {
    let pairs = scene.pairs(|_| true);
    let gap = scene.block_time;
    let sleeper = Sleeper::deploy(scene).await?;
    let traffic = Traffic::start(scene, &pairs, EACH, gap);
    let founders = scene.network.operators().to_vec();
    let (mut joined, mut left) = (0_u32, 0_u32);
    let mut followed = true;

    // In, out, in: each makes a committee of its own.
    followed &= join(scene, &mut joined).await?;
    let leaver = founders.get(scene.dice.place(founders.len()));
    if let Some(leaver) = leaver {
        followed &= leave(scene, leaver, &mut left).await?;
    }
    followed &= join(scene, &mut joined).await?;
    for lost in traffic.included().await {
        scene.violation(lost);
    }
    let books = scene.settle(&pairs, PATIENCE).await?;
    let tally = books.tally(&pairs);
    scene.tell(format!(
        "{} of {} messages are executed, {} twice",
        tally.executed, tally.sent, tally.duplicates
    ));
    scene.demand(tally.executed == tally.sent && tally.sent > 0, || {
        format!("{} of {} messages were executed", tally.executed, tally.sent)
    });
    books.report(scene);

    let audit = Audit::read(scene, &[]).await?;
    audit.report(scene);
    let epochs = audit.handovers.len() as u64;
    scene.demand(epochs >= EPOCHS, || format!("{epochs} epochs began, {EPOCHS} must"));
    let pace = Pace::read(scene, &audit, leaver.map(|leaver| leaver.name.as_str())).await?;
    let allowed_ms = pace.usual_ms.saturating_mul(HANDOVER_INTERVALS + 1);
    scene.tell(format!(
        "a checkpoint every {} ms, {} ms at the slowest change of committee, never more than {} ms",
        pace.usual_ms, pace.handover_ms, pace.max_ms
    ));
    scene.demand(pace.handover_ms <= allowed_ms, || {
        format!("a change of committee took {} ms, {allowed_ms} are allowed", pace.handover_ms)
    });
    let caught_up = sleeper.catch_up(scene, &audit).await?;
    scene.demand(caught_up, || "the light client that slept did not catch up".to_owned());
    Ok(Figures::from_iter([
        ("epochs".to_owned(), json!(epochs)),
        ("joined".to_owned(), json!(joined)),
        ("left".to_owned(), json!(left)),
        ("followed".to_owned(), json!(followed)),
        ("sent".to_owned(), json!(tally.sent)),
        ("executed".to_owned(), json!(tally.executed)),
        ("duplicates".to_owned(), json!(tally.duplicates)),
        ("max_gap_ms".to_owned(), json!(pace.max_ms)),
        ("usual_gap_ms".to_owned(), json!(pace.usual_ms)),
        ("handover_gap_ms".to_owned(), json!(pace.handover_ms)),
        ("slept_light_client_caught_up".to_owned(), json!(caught_up)),
    ]))
}

/// A new operator registers and waits for its seat.
/// Whether publishers and relayers have found it.
async fn join(scene: &mut Scene, joined: &mut u32) -> Result<bool, DemoError> {
    let operator = scene.network.add_operator().await?;
    scene.tell(format!("{} registered on L1 and runs", operator.name));
    let seated = until(PATIENCE, async || {
        Ok(committee(scene, &operator).await.filter(|committee| committee.own_seat.is_some()))
    })
    .await?;
    match seated {
        Some(CommitteeView { epoch, seats, .. }) => {
            *joined += 1;
            scene.tell(format!("{} has a seat in epoch {epoch}, one of {seats}", operator.name));
        }
        None => scene.violation(format!("{} registered and got no seat", operator.name)),
    }
    let words = format!("connected with {}", operator.name);
    all(scene, &words, async |scene| followers::met(scene, &operator).await).await
}

/// An operator gives its seat up, and ends when others have taken over. Whether publishers and relayers have noticed.
async fn leave(scene: &mut Scene, operator: &LocalOperator, left: &mut u32) -> Result<bool, DemoError> {
    scene.network.retire_operator(&operator.name).await?;
    scene.tell(format!("{} left the operator set", operator.name));
    let out = until(PATIENCE, async || {
        Ok(committee(scene, operator).await.filter(|committee| committee.own_seat.is_none()))
    })
    .await?;
    let mut remaining = 0;
    match out {
        Some(CommitteeView { epoch, seats, .. }) => {
            *left += 1;
            remaining = seats;
            scene.tell(format!("epoch {epoch} goes on with {seats} seats and without {}", operator.name));
        }
        None => scene.violation(format!("{} left and still has its seat", operator.name)),
    }
    // Its process still runs: that it has no seat any more is what L1 told them.
    let words = format!("aware that {} has no seat", operator.name);
    let aware = all(scene, &words, async |scene| followers::count_seats(scene, remaining).await).await?;
    scene.network.dismiss(&operator.name).await?;
    let words = format!("without a connection to {}", operator.name);
    Ok(aware && all(scene, &words, async |scene| followers::parted(scene, operator).await).await?)
}

/// Wait until every publisher and relayer is `what`.
async fn all(
    scene: &mut Scene,
    what: &str,
    mut look: impl AsyncFnMut(&Scene) -> Result<Noticed, DemoError>,
) -> Result<bool, DemoError> {
    let mut last = Noticed::default();
    let found = until(PATIENCE, async || {
        last = look(scene).await?;
        Ok(last.is_by_all(scene).then_some(()))
    })
    .await?;
    let Noticed { publishers, relayers } = last;
    let words = format!("{publishers} publishers and {relayers} relayers are {what}");
    match found {
        Some(()) => scene.tell(words),
        None => scene.violation(format!("only {words}")),
    }
    Ok(found.is_some())
}

/// The committee as an operator itself sees it.
async fn committee(scene: &Scene, operator: &LocalOperator) -> Option<CommitteeView> {
    let status: hum_node::api::OperatorStatus = scene.ask(&operator.api, "/status").await.ok()?;
    Some(status.committee)
}

/// Time between checkpoints, as one operator who was there all the time finalised them.
struct Pace {
    usual_ms: u64,
    handover_ms: u64,
    max_ms: u64,
}

impl Pace {
    async fn read(scene: &Scene, audit: &Audit, left: Option<&str>) -> Result<Self, DemoError> {
        let mut founders = scene.network.operators().iter();
        let witness = founders.find(|operator| Some(operator.name.as_str()) != left);
        let mut finalised: BTreeMap<Height, u64> = BTreeMap::new();
        if let Some(witness) = witness {
            let path = format!("/checkpoints?limit={HEIGHTS_MAX}");
            let views: Vec<CheckpointView> = scene.ask(&witness.api, &path).await?;
            finalised.extend(views.into_iter().map(|view| (view.header.height, view.finalised_ms.0)));
        }
        let before = |height: &Height| finalised.get(&Height(height.0.saturating_sub(1))).copied();
        let gaps: BTreeMap<Height, u64> = finalised
            .iter()
            .filter_map(|(height, ms)| Some((*height, ms.saturating_sub(before(height)?))))
            .collect();
        let mut sorted: Vec<u64> = gaps.values().copied().collect();
        sorted.sort_unstable();
        let handovers = audit.handovers.iter().filter(|(epoch, _)| **epoch >= Epoch(0));
        let handover = handovers.filter_map(|(_, closed)| gaps.get(&Height(closed.0 + 1))).max();
        Ok(Self {
            usual_ms: sorted.get(sorted.len() / 2).copied().unwrap_or_default(),
            handover_ms: handover.copied().unwrap_or_default(),
            max_ms: sorted.last().copied().unwrap_or_default(),
        })
    }
}
