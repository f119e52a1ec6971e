//! Whom a chain listens to, and whom it sends to: plans for its policy contract.

use super::{deploying::GOVERNOR, registering::ask};
use crate::plan::{Step, Transaction, Wait};
use hum_chain::{
    At, Chain as _,
    contracts::{EdgePolicy, Gateway, LightClient},
    rpc::RpcChain,
};
use hum_node::{
    api::LeafProof,
    config::{Gateways, MemberFile},
};
use hum_types::{Address, B256, ChainId, Confidence, RegistrationId, keccak256};

/// Gas that a claim usually takes: a certificate's check, and a proof.
const CLAIM_GAS: u64 = 600_000;
/// Gas that a word about one source or lane usually takes.
const WORD_GAS: u64 = 120_000;

/// A source and the confidence at which it may be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) source: ChainId,
    pub(super) registration: RegistrationId,
    pub(super) confidence: Confidence,
}

/// How far a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EdgeView {
    /// Whom of this chain id the gateway hears; zero for nobody.
    pub(super) heard: RegistrationId,
    /// What was announced, and when it counts (seconds since 1970); zeros for nothing.
    pub(super) announced: (RegistrationId, u64),
}

/// A chain's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PolicyView {
    pub(super) policy: Address,
    pub(super) owner: Address,
    /// Whether the rollup's own governor has taken over.
    pub(super) claimed: bool,
    pub(super) delay_s: u64,
    /// The newest block's time, seconds since 1970.
    pub(super) time_s: u64,
}

impl PolicyView {
    /// The policy behind these gateways.
    pub(super) async fn read(chain: &RpcChain, gateways: &Gateways) -> eyre::Result<Self> {
        let policy = ask(chain, gateways.latest, &Gateway::OWNERCall {}).await?;
        let head = chain.block(At::LATEST).await?;
        Ok(Self {
            policy,
            owner: ask(chain, policy, &EdgePolicy::ownerCall {}).await?,
            claimed: ask(chain, policy, &EdgePolicy::claimedCall {}).await?,
            delay_s: ask(chain, policy, &EdgePolicy::DELAY_SCall {}).await?.into(),
            time_s: head.map_or(0, |head| head.time_ms.0 / 1_000),
        })
    }

    /// How far a source is here.
    pub(super) async fn edge(
        &self,
        chain: &RpcChain,
        gateways: &Gateways,
        source: ChainId,
        confidence: Confidence,
    ) -> eyre::Result<EdgeView> {
        let gateway = gateways.facades()[confidence as usize];
        let heard = ask(chain, gateway, &Gateway::registrationOfCall { chainId: source.0 }).await?;
        let call = EdgePolicy::announcedCall { chainId: source.0, confidence: confidence as u8 };
        let announced = ask(chain, self.policy, &call).await?;
        Ok(EdgeView {
            heard: RegistrationId(heard),
            announced: (RegistrationId(announced.registration), announced.readyAt),
        })
    }
}

fn about(edge: &Edge) -> Vec<(&'static str, String)> {
    vec![
        ("chainId", edge.source.to_string()),
        ("registration", edge.registration.to_string()),
        ("confidence", edge.confidence.to_string()),
    ]
}

/// What is missing for these edges; `by` is the purse of the policy's owner.
pub(super) fn to_allow(view: &PolicyView, edges: &[(Edge, EdgeView)], by: &'static str) -> Vec<Step> {
    let (mut steps, mut later) = (Vec::new(), Vec::new());
    let (mut open, mut wait) = (0, 0);
    for (edge, seen) in edges {
        let Edge { source, registration, confidence } = edge;
        let (announced, ready_at) = seen.announced;
        if seen.heard == *registration {
            open += 1;
        } else if seen.heard != RegistrationId::default() {
            steps.push(Step::refused(
                format!("another registration of chain {source} is heard at {confidence}: {}", seen.heard),
                format!(
                    "deny it first: `hum rollup policy deny --source {source} --confidence {confidence}`"
                ),
            ));
        } else if announced == *registration && ready_at != 0 {
            wait = wait.max(ready_at.saturating_sub(view.time_s));
            let call = EdgePolicy::executeCall { chainId: source.0, confidence: *confidence as u8 };
            let what = format!("hear chain {source} at {confidence}, as announced");
            let to = ("EdgePolicy", view.policy);
            later.push(Step::Send(Transaction::new(what, by, to, &call, about(edge), WORD_GAS)));
        } else {
            let call = EdgePolicy::allowCall {
                chainId: source.0,
                registration: registration.0,
                confidence: *confidence as u8,
            };
            let word = if view.claimed { "announce to hear" } else { "hear" };
            let what = format!("{word} chain {source} at {confidence}");
            let to = ("EdgePolicy", view.policy);
            steps.push(Step::Send(Transaction::new(what, by, to, &call, about(edge), WORD_GAS)));
        }
    }
    if open == edges.len() {
        steps.push(Step::done(format!("{open} edges are open")));
    }
    if wait > 0 {
        let what = format!("what was announced counts {} s after it", view.delay_s);
        steps.push(Step::Wait(Wait::open(what)));
    }
    steps.extend(later);
    steps
}

/// What the light client says of a leaf's proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientView {
    pub(super) newest_epoch: u64,
    pub(super) newest_height: u64,
    /// Whether it holds the proof's checkpoint.
    pub(super) knows: bool,
}

impl ClientView {
    pub(super) async fn read(
        chain: &RpcChain,
        light_client: Address,
        proof: &LeafProof,
    ) -> eyre::Result<Self> {
        let call = LightClient::checkpointAtCall { height: proof.height.0 };
        Ok(Self {
            newest_epoch: ask(chain, light_client, &LightClient::newestEpochCall {}).await?,
            newest_height: ask(chain, light_client, &LightClient::newestHeightCall {}).await?,
            knows: ask(chain, light_client, &call).await?.held == proof.height.0,
        })
    }
}

/// What is missing until the rollup's own governor owns its policy. `proof` is of its leaf, once operators have certified one.
pub(super) fn to_claim(
    view: &PolicyView,
    member: &MemberFile,
    anchor: B256,
    proof: Option<(&LeafProof, ClientView)>,
) -> Vec<Step> {
    if view.claimed {
        return vec![Step::done(format!("{} decides whom the rollup listens to", view.owner))];
    }
    let Some((proof, client)) = proof else {
        return vec![Step::Wait(Wait::open("no certified checkpoint has the rollup yet"))];
    };
    if !client.knows && client.newest_height >= proof.height.0 {
        return vec![Step::Wait(Wait::open(
            "the light client has a newer checkpoint than the operators showed",
        ))];
    }
    let call = EdgePolicy::claimCall {
        certificate: if client.knows { Default::default() } else { proof.certificate.clone() },
        rollup: proof.proof.clone(),
        sequencer: member.sequencer,
        anchorHash: anchor,
        governor: member.governor,
        profileHash: keccak256(member.profile.as_bytes()),
    };
    let arguments = vec![
        ("certificate", format!("height {}", proof.height)),
        ("sequencer", member.sequencer.to_string()),
        ("anchorHash", anchor.to_string()),
        ("governor", member.governor.to_string()),
    ];
    let what = "make the governor that the registration names the policy's owner";
    let to = ("EdgePolicy", view.policy);
    vec![Step::Send(Transaction::new(what, GOVERNOR, to, &call, arguments, CLAIM_GAS))]
}

/// Which lanes out of a chain are closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LaneView {
    pub(super) destination: ChainId,
    /// By confidence.
    pub(super) closed: [bool; 3],
    /// Messages sent so far, by confidence.
    pub(super) sent: [u64; 3],
}

impl LaneView {
    pub(super) async fn read(
        chain: &RpcChain,
        gateways: &Gateways,
        destination: ChainId,
    ) -> eyre::Result<Self> {
        let (mut closed, mut sent) = ([false; 3], [0; 3]);
        for ((gateway, closed), sent) in gateways.facades().into_iter().zip(&mut closed).zip(&mut sent) {
            *closed = ask(chain, gateway, &Gateway::isLaneClosedCall { destination: destination.0 }).await?;
            *sent = ask(chain, gateway, &Gateway::laneCall { destination: destination.0 }).await?.count;
        }
        Ok(Self { destination, closed, sent })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.iter().all(|closed| *closed)
    }

    fn is_open(&self) -> bool {
        !self.closed.iter().any(|closed| *closed)
    }
}

/// What is missing until nothing more is sent along these lanes; `by` is the purse of the policy's owner.
pub(super) fn to_pause(view: &PolicyView, lanes: &[LaneView], by: &'static str) -> Vec<Step> {
    let destinations: Vec<u64> =
        lanes.iter().filter(|lane| !lane.is_closed()).map(|lane| lane.destination.0).collect();
    if destinations.is_empty() {
        return vec![Step::done("the lanes are closed")];
    }
    let gas = 50_000 + 100_000 * destinations.len() as u64;
    let arguments = vec![("destinations", listed(&destinations))];
    let call = EdgePolicy::pauseCall { destinations };
    let what = "close the lanes: nobody can send along them any more, what was sent is delivered";
    vec![Step::Send(Transaction::new(what, by, ("EdgePolicy", view.policy), &call, arguments, gas))]
}

/// What is missing until everyone can send along these lanes.
pub(super) fn to_resume(view: &PolicyView, lanes: &[LaneView], by: &'static str) -> Vec<Step> {
    let destinations: Vec<u64> =
        lanes.iter().filter(|lane| !lane.is_open()).map(|lane| lane.destination.0).collect();
    if destinations.is_empty() {
        return vec![Step::done("the lanes are open")];
    }
    let gas = 50_000 + 100_000 * destinations.len() as u64;
    let arguments = vec![("destinations", listed(&destinations))];
    let call = EdgePolicy::resumeCall { destinations };
    let what = "open the lanes again";
    vec![Step::Send(Transaction::new(what, by, ("EdgePolicy", view.policy), &call, arguments, gas))]
}

/// What is missing until a source is not heard any more.
pub(super) fn to_deny(view: &PolicyView, edges: &[(Edge, EdgeView)], by: &'static str) -> Vec<Step> {
    let mut steps = Vec::new();
    for (Edge { source, confidence, .. }, seen) in edges {
        if seen.heard == RegistrationId::default() && seen.announced.1 == 0 {
            steps.push(Step::done(format!("chain {source} is not heard at {confidence}")));
            continue;
        }
        let call = EdgePolicy::denyCall { chainId: source.0, confidence: *confidence as u8 };
        let arguments = vec![("chainId", source.to_string()), ("confidence", confidence.to_string())];
        let what = format!("hear chain {source} at {confidence} no more");
        steps.push(Step::Send(Transaction::new(
            what,
            by,
            ("EdgePolicy", view.policy),
            &call,
            arguments,
            WORD_GAS,
        )));
    }
    steps
}

fn listed(numbers: &[u64]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
