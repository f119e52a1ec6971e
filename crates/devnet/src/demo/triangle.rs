//! An OP-rules rollup, an Ethereum-rules one, and one with four blocks a second: messages along all six lanes.

use super::{
    DemoError, Figures,
    audit::Audit,
    scene::{Scene, Shape, Site, until},
    traffic::Traffic,
};
use crate::network::{LocalStack, connect};
use alloy::primitives::U256;
use hum_chain::{At, Call, Chain as _, Submit as _};
use hum_types::{Address, Bytes};
use serde_json::json;
use std::time::Duration;

pub(super) const SHAPE: Shape = Shape {
    stacks: &[LocalStack::OpStack, LocalStack::Ethereum],
    block_time_ms: &[1_000, 1_000, 250],
    ..Shape::new(3)
};
/// The rollup under the OP Stack's rules, and the fast one.
const OP: usize = 0;
const FAST: usize = 2;
/// Messages along each lane.
const EACH: u32 = 10;
/// How long the last message, and a deposit, may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Blocks of the fast rollup whose times are looked at.
const LOOKED_AT: u64 = 20;
/// Wei of the deposit.
const DEPOSIT_WEI: u128 = 3_000_000_000_000_000_000;

pub(super) async fn play(scene: &mut Scene) -> Result<Figures, DemoError> {
    let pairs = scene.pairs(|_| true);
    let who: Vec<String> = scene
        .network
        .rollups
        .iter()
        .map(|rollup| {
            let (stack, time) = (rollup.chain.stack(), rollup.chain.block_time_ms());
            format!("{}: {} rules, {time} ms, blocks by {}", rollup.name, stack.kind(), stack.builder())
        })
        .collect();
    for line in &who {
        scene.tell(line);
    }
    let gap = scene.block_time;
    let traffic = Traffic::start(scene, &pairs, EACH, gap);
    let planned = traffic.count;
    scene.tell(format!("sending {EACH} messages along each of {} lanes", pairs.len()));
    let depositor = deposit(scene).await?;
    for lost in traffic.included().await {
        scene.violation(lost);
    }
    let books = scene.settle(&pairs, PATIENCE).await?;
    let tally = books.tally(&pairs);
    scene.tell(format!("{} of {planned} messages are executed", tally.executed));
    let arrived = until(PATIENCE, async || {
        let site = site(scene, OP)?;
        let balance = site.reader.balance(depositor).await.map_err(|error| site.read_error(error))?;
        Ok((balance == U256::from(DEPOSIT_WEI)).then_some(()))
    })
    .await?;
    scene.demand(arrived.is_some(), || "ether deposited on L1 did not appear in the rollup".to_owned());
    let equal = equal_timestamps(scene).await?;
    scene.tell(format!("{equal} of {LOOKED_AT} blocks share their parent's second"));
    scene.demand(equal > 0, || "no two blocks of the fast rollup have the same time".to_owned());
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
    Ok(Figures::from_iter([
        ("lanes".to_owned(), json!(pairs.len())),
        ("sent".to_owned(), json!(tally.sent)),
        ("executed".to_owned(), json!(tally.executed)),
        ("duplicates".to_owned(), json!(tally.duplicates)),
        ("rollups".to_owned(), json!(who)),
        ("deposited".to_owned(), json!(arrived.is_some())),
        ("equal_timestamps".to_owned(), json!(equal)),
    ]))
}

fn site(scene: &Scene, place: usize) -> Result<&Site, DemoError> {
    scene.sites.get(place).ok_or_else(|| failed("find a rollup", format!("there is no rollup {place}")))
}

fn failed(what: &str, problem: String) -> DemoError {
    DemoError::Role { what: what.to_owned(), problem }
}

/// Leave ether on L1 for the rollup; whose it is there.
async fn deposit(scene: &Scene) -> Result<Address, DemoError> {
    let rollup = scene.network.rollups.get(OP);
    let portal: Address = rollup
        .and_then(|rollup| rollup.chain.portal())
        .ok_or_else(|| failed("deposit", "the rollup has no portal on L1".to_owned()))?;
    let (_, l1) = connect(&scene.network.l1, scene.network.depositor_secret())?;
    let call = Call { value: U256::from(DEPOSIT_WEI), ..Call::new(portal, Bytes::new()) };
    let outcome = l1.send(call).await.map_err(|error| failed("deposit", error.to_string()))?;
    if outcome.success {
        Ok(l1.sender())
    } else {
        Err(failed("deposit", "the transaction reverted".to_owned()))
    }
}

/// How many of the fast rollup's newest blocks have their parent's time.
async fn equal_timestamps(scene: &Scene) -> Result<u64, DemoError> {
    let site = site(scene, FAST)?;
    let head = scene.network.rollups.get(FAST).map_or(0, |rollup| rollup.chain.head().number);
    let (mut equal, mut before) = (0, None);
    for number in head.saturating_sub(LOOKED_AT)..=head {
        let block = site.reader.block(At::Number(number)).await.map_err(|error| site.read_error(error))?;
        let time = block.map(|block| block.time_ms);
        equal += u64::from(before.is_some() && time == before);
        before = time;
    }
    Ok(equal)
}
