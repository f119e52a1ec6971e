//! Between a newcomer and the members: who hears whom.

use super::{
    deploying::GOVERNOR,
    governing::{ClientView, Edge, EdgeView, PolicyView, to_allow, to_claim},
    home::address_of,
    registering::AUTHORITY,
    waiting::newest,
};
use crate::{
    network::Client,
    plan::{Carried, Purse, Purses, Sent, Step, Transaction, Wait, carry_out},
};
use hum_chain::{
    contracts::{Deployment, EdgePolicy},
    rpc::RpcChain,
};
use hum_node::{
    api::LeafProof,
    config::{Member, MemberFile},
};
use hum_types::{B256, Confidence, RollupStatus};
use std::sync::Arc;

/// The members beside one, without those that left.
pub(super) async fn others(client: &Client, member: &Member) -> eyre::Result<Vec<Arc<Member>>> {
    let own = member.entry.chain_id;
    let gone: Vec<_> = newest(client)
        .await?
        .rollups
        .into_iter()
        .filter(|rollup| rollup.status == RollupStatus::Left)
        .map(|rollup| rollup.chain_id)
        .collect();
    let here = |other: &Arc<Member>| other.entry.chain_id != own && !gone.contains(&other.entry.chain_id);
    Ok(client.network.members().into_iter().filter(here).collect())
}

fn edges(sources: &[Arc<Member>]) -> Vec<Edge> {
    let edge = |source: &Arc<Member>, confidence| Edge {
        source: source.entry.chain_id,
        registration: source.entry.registration,
        confidence,
    };
    let all = sources.iter().flat_map(|source| Confidence::ALL.map(|confidence| edge(source, confidence)));
    all.collect()
}

async fn seen(
    chain: &RpcChain,
    at: &Member,
    policy: &PolicyView,
    edges: &[Edge],
) -> eyre::Result<Vec<(Edge, EdgeView)>> {
    let mut found = Vec::with_capacity(edges.len());
    for edge in edges {
        let view = policy.edge(chain, &at.entry.gateways, edge.source, edge.confidence).await?;
        found.push((*edge, view));
    }
    Ok(found)
}

/// Have the members hear the newcomer: where the given authority owns their policies, as it does on a local network. Elsewhere say
/// whom to ask.
pub(super) async fn hear(
    client: &Client,
    newcomer: &Member,
    authority: Option<B256>,
    tell: &impl Fn(&str),
) -> eyre::Result<Vec<Sent>> {
    let me = Arc::new(newcomer.clone());
    let all = others(client, newcomer).await?;
    let each = all.iter().map(|member| hear_at(client, member, &me, authority, tell));
    let mut sent = Vec::new();
    for done in futures::future::join_all(each).await {
        sent.extend(done?);
    }
    Ok(sent)
}

async fn hear_at(
    client: &Client,
    member: &Member,
    newcomer: &Arc<Member>,
    authority: Option<B256>,
    tell: &impl Fn(&str),
) -> eyre::Result<Vec<Sent>> {
    let name = &member.entry.name;
    let chain = match client.chain(&member.entry) {
        Ok(chain) => chain,
        Err(error) => {
            tell(&format!("note {name}: {error:#}"));
            return Ok(Vec::new());
        }
    };
    let wanted = edges(std::slice::from_ref(newcomer));
    let look = async || {
        let policy = PolicyView::read(&chain, &member.entry.gateways).await?;
        let seen = seen(&chain, member, &policy, &wanted).await?;
        Ok((policy, seen))
    };
    // A member whose node does not answer hears the newcomer later: that is no reason not to join.
    let (policy, now) = match look().await {
        Ok(found) => found,
        Err(error) => {
            tell(&format!("note {name} cannot be asked whether it hears the newcomer: {error:#}"));
            return Ok(Vec::new());
        }
    };
    if now.iter().all(|(edge, view)| view.heard == edge.registration) {
        tell(&format!("ok   {name} hears the newcomer"));
        return Ok(Vec::new());
    }
    let owner = authority.filter(|secret| address_of(*secret).is_ok_and(|address| address == policy.owner));
    let Some(secret) = owner else {
        tell(&format!(
            "note {name} does not hear the newcomer yet; its governor {} decides: hum rollup policy allow --of {name} --source {}",
            policy.owner, newcomer.entry.chain_id
        ));
        return Ok(Vec::new());
    };
    let purses = Purses(vec![Purse::new(AUTHORITY, &chain, secret)?]);
    let quiet = |_: &str| ();
    let plan = |(policy, seen): &(PolicyView, Vec<(Edge, EdgeView)>)| to_allow(policy, seen, AUTHORITY);
    let done = carry_out(&purses, true, quiet, look, plan).await?;
    tell(&format!("ok   {name} hears the newcomer, by its governor's {} words", done.sent.len()));
    Ok(done.sent)
}

/// What a claim's plan reads.
type Claim = (PolicyView, Option<(LeafProof, ClientView)>);

/// The rollup's own policy: its governor takes over, and the members are heard.
pub(super) async fn govern(
    client: &Client,
    node: &RpcChain,
    file: &MemberFile,
    member: &Member,
    purses: &Purses,
    no_wait: bool,
    tell: &impl Fn(&str),
) -> eyre::Result<Carried<()>> {
    let entry = &member.entry;
    let look = async || -> eyre::Result<Claim> {
        let policy = PolicyView::read(node, &entry.gateways).await?;
        if policy.claimed {
            return Ok((policy, None));
        }
        let found: Option<LeafProof> =
            client.ask(&format!("/rollups/{}/proof", entry.chain_id)).await.unwrap_or_default();
        let found = match found {
            Some(proof) => {
                let client = ClientView::read(node, entry.light_client, &proof).await?;
                Some((proof, client))
            }
            None => None,
        };
        Ok((policy, found))
    };
    let plan = |(policy, proof): &Claim| {
        let proof = proof.as_ref().map(|(proof, client)| (proof, *client));
        to_claim(policy, file, member.anchor.hash(), proof)
    };
    let claimed = carry_out(purses, !no_wait, tell, look, plan).await?;
    let mut sent = claimed.sent;
    if claimed.waiting.is_some() {
        return Ok(Carried { view: (), sent, waiting: claimed.waiting });
    }
    let wanted = edges(&others(client, member).await?);
    let look = async || {
        let policy = PolicyView::read(node, &entry.gateways).await?;
        let seen = seen(node, member, &policy, &wanted).await?;
        Ok((policy, seen))
    };
    let plan = |(policy, seen): &(PolicyView, Vec<(Edge, EdgeView)>)| to_allow(policy, seen, GOVERNOR);
    let allowed = carry_out(purses, !no_wait, tell, look, plan).await?;
    sent.extend(allowed.sent);
    Ok(Carried { view: (), sent, waiting: allowed.waiting })
}

/// What comes after the registration, as far as it can be told before anything stands.
pub(super) async fn expected(
    client: &Client,
    member: &Member,
    file: &MemberFile,
    deployment: Deployment,
) -> eyre::Result<Vec<Step>> {
    let mut steps =
        vec![Step::Wait(Wait::open("the operators take the rollup in, and certify a block of it"))];
    let policy = ("EdgePolicy", deployment.addresses().policy);
    let claim = EdgePolicy::claimCall {
        certificate: Default::default(),
        rollup: Default::default(),
        sequencer: file.sequencer,
        anchorHash: member.anchor.hash(),
        governor: file.governor,
        profileHash: B256::ZERO,
    };
    let what = "make the governor that the registration names the policy's owner";
    let arguments = vec![("governor", file.governor.to_string())];
    steps.push(Step::Send(Transaction::new(what, GOVERNOR, policy, &claim, arguments, 600_000)));
    let view = PolicyView {
        policy: policy.1,
        owner: file.governor,
        claimed: true,
        delay_s: deployment.policy_delay_s.into(),
        time_s: 0,
    };
    let none = EdgeView { heard: Default::default(), announced: Default::default() };
    let announced: Vec<_> =
        edges(&others(client, member).await?).into_iter().map(|edge| (edge, none)).collect();
    steps.extend(to_allow(&view, &announced, GOVERNOR));
    let executed: Vec<_> = announced
        .into_iter()
        .map(|(edge, none)| (edge, EdgeView { announced: (edge.registration, view.delay_s), ..none }))
        .collect();
    steps.extend(to_allow(&view, &executed, GOVERNOR));
    Ok(steps)
}
