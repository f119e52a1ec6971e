//! Whether this machine's clock is right: held against what others say in their answers' `Date`.

use super::{files::Files, finding::Finding};
use alloy::transports::http::reqwest;
use futures::future::join_all;
use hum_node::config::NetworkFile;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `Date` counts whole seconds, and an answer takes its time.
const SKEW_MAX_S: i64 = 3;
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Others that are asked.
const WITNESSES_MAX: usize = 9;

pub(super) async fn check(files: &Files, network: &NetworkFile, findings: &mut Vec<Finding>) {
    let own = files.id;
    let mut urls: Vec<String> = network
        .operators
        .iter()
        .filter(|operator| Some(operator.id) != own)
        .map(|operator| format!("{}/status", operator.api))
        .take(WITNESSES_MAX)
        .collect();
    let config = files.role.as_ref().and_then(|role| role.operator.as_ref());
    urls.push(config.and_then(|config| config.l1_rpc.clone()).unwrap_or_else(|| network.l1.rpc.clone()));
    let Ok(http) = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).build() else { return };
    let asked = urls.iter().map(|url| ahead_of(&http, url));
    let mut ahead: Vec<i64> = join_all(asked).await.into_iter().flatten().collect();
    ahead.sort_unstable();
    findings.extend(judge(&ahead));
}

/// Seconds by which this clock is ahead of the answer's.
async fn ahead_of(http: &reqwest::Client, url: &str) -> Option<i64> {
    let answer = http.get(url).send().await.ok()?;
    let date = answer.headers().get(reqwest::header::DATE)?.to_str().ok()?;
    let theirs = seconds(httpdate::parse_http_date(date).ok()?)?;
    Some(seconds(SystemTime::now())?.saturating_sub(theirs))
}

fn seconds(time: SystemTime) -> Option<i64> {
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// The middle one of all that answered: one clock that is wrong elsewhere says nothing about ours.
fn judge(ahead: &[i64]) -> Option<Finding> {
    const CHECK: &str = "clock";
    let middle = *ahead.get(ahead.len() / 2)?;
    Some(if middle.abs() <= SKEW_MAX_S {
        Finding::good(CHECK, format!("agrees with {} others", ahead.len()))
    } else {
        let direction = if middle > 0 { "ahead of" } else { "behind" };
        Finding::fault(
            CHECK,
            "clock-skew",
            format!("{} s {direction} the middle of {} others", middle.abs(), ahead.len()),
            "let the machine keep time (chrony or systemd-timesyncd), then look again",
        )
    })
}
