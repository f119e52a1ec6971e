//! A batcher between a scripted rollup and a scripted L1, in virtual time.

mod blobs;
mod guards;
mod l1;
mod node;
mod posting;
mod refusals;

use super::*;
use crate::publisher::{
    Journal,
    claimed::Claimed,
    tests::{Bench, Operators, identity, run},
};
use commonware_runtime::{Clock as _, Handle, Spawner as _, Supervisor as _, deterministic::Context};
use hum_types::{BlockRef, Generation};
use l1::{L1, Sending};
use node::Node;
use std::time::Duration;

const INBOX: Address = Address::repeat_byte(0xb1);

fn settings() -> BatcherSettings {
    BatcherSettings {
        inbox: INBOX,
        data: BatchData::Calldata,
        interval_ms: 2_000,
        data_bytes_max: 120_000,
        depth: 2,
        spend_cap_wei: u128::MAX,
        low_balance_wei: 0,
        retry_most_ms: 30_000,
    }
}

fn parts(l1: &Arc<L1>) -> BatcherParts {
    BatcherParts { settings: settings(), l1: Arc::<L1>::clone(l1), submit: Arc::<L1>::clone(l1) }
}

/// A batcher by itself, under a hand that claims.
struct Desk {
    context: Context,
    node: Arc<Node>,
    l1: Arc<L1>,
    journal: Journal<Context>,
    claimed: Claimed,
    settings: BatcherSettings,
    starts: u64,
}

impl Desk {
    async fn new(context: Context) -> Self {
        let journal = Journal::open(context.child("journal"), "desk".to_owned(), identity()).await.unwrap();
        let claimed = Claimed::new(&journal, Some(settings().depth));
        Self { context, node: Node::new(), l1: L1::new(), journal, claimed, settings: settings(), starts: 0 }
    }

    /// The node makes blocks up to `head`, and all are claimed.
    fn claim_to(&self, head: u64) {
        let from = self.node.head_number() + 1;
        self.node.extend(head, 0, 0);
        (from..=head).for_each(|number| self.claimed.claim(self.node.at(number)));
    }

    fn start(&mut self) -> (Handle<()>, Shared) {
        self.starts += 1;
        let context = self.context.child("batcher").with_attribute("start", self.starts);
        let shared = Shared::new(&context);
        let parts = BatcherParts { settings: self.settings.clone(), ..parts(&self.l1) };
        let node = Arc::<Node>::clone(&self.node);
        let actor = Actor::new(parts, identity(), node, self.claimed.clone(), shared.clone());
        (context.spawn(|clock| actor.run(clock)), shared)
    }

    async fn wait(&self, ms: u64) {
        self.context.sleep(Duration::from_millis(ms)).await;
    }

    /// Every block up to `last` stands on L1 exactly once, as the node has it.
    fn assert_posted(&self, last: u64, why: &str) {
        let posted = self.l1.blocks();
        let expected: Vec<BlockRef> = (1..=last).map(|number| self.node.at(number)).collect();
        assert_eq!(posted, expected, "{why}");
    }
}
