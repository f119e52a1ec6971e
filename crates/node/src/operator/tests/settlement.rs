//! Safe heads as operators' own L1 nodes show them. (`Finalized` needs an L1 origin that moves: whole networks, in hum-sim.)

use super::*;
use crate::{
    config::SettlementEntry,
    settlement::{Place, Posted, Settlement, Span},
};
use futures::{FutureExt as _, future::BoxFuture};
use hum_chain::ReadError;
use hum_types::{Address, B256, BlockRef, Confidence, L1Origin};
use std::collections::BTreeSet;

/// The header's origin in these networks, and L1's final block at their start.
const ORIGIN: u64 = 5;

#[derive(Debug, Default)]
struct L1State {
    safe: u64,
    finalized: u64,
    /// Postings that no node shows.
    hidden: BTreeSet<u64>,
    posted: Vec<Posted>,
    /// Nodes that do not answer.
    down: BTreeSet<usize>,
    /// Nodes that tell of data which are not on L1.
    lying: BTreeMap<usize, Posted>,
}

/// An L1 that does as it is told, and a node of it for each operator.
#[derive(Debug, Default)]
pub(super) struct ScriptedL1(Mutex<L1State>);

#[derive(Debug)]
struct Node {
    l1: Arc<ScriptedL1>,
    index: usize,
}

fn l1_block(number: u64) -> L1Origin {
    L1Origin { number, hash: B256::repeat_byte(number as u8) }
}

impl ScriptedL1 {
    pub(super) fn node(self: &Arc<Self>, index: usize) -> Arc<dyn Settlement> {
        Arc::new(Node { l1: self.clone(), index })
    }

    /// The next L1 block holds this stretch of a rollup's blocks; nobody calls it safe yet.
    fn post(&self, chain_id: ChainId, parent: BlockRef, last: BlockRef) {
        let mut state = self.0.lock();
        let l1 = l1_block(state.safe + 1);
        let index = state.posted.iter().filter(|posted| posted.chain_id == chain_id).count() as u64;
        let span = Ok(Span { first: parent.number + 1, parent: parent.hash, last, hashes: Arc::default() });
        state.posted.push(Posted { chain_id, index, l1, span });
    }

    fn next_block(&self) {
        self.0.lock().safe += 1;
    }
}

impl Node {
    fn ask<T>(&self, answer: impl FnOnce(&L1State) -> T) -> Result<T, ReadError> {
        let state = self.l1.0.lock();
        if state.down.contains(&self.index) {
            return Err(ReadError::Timeout { method: "any", after_ms: 1 });
        }
        Ok(answer(&state))
    }
}

impl Settlement for Node {
    fn head(&self, tag: Confidence) -> BoxFuture<'_, Result<L1Origin, ReadError>> {
        let head =
            self.ask(|state| l1_block(if tag == Confidence::Safe { state.safe } else { state.finalized }));
        async { head }.boxed()
    }

    fn hash_of(&self, number: u64) -> BoxFuture<'_, Result<Option<B256>, ReadError>> {
        let hash = self.ask(|state| (number <= state.safe).then(|| l1_block(number).hash));
        async { hash }.boxed()
    }

    fn place(
        &self,
        chain_id: ChainId,
        head: BlockRef,
        l1_number: u64,
    ) -> BoxFuture<'_, Result<Option<Place>, ReadError>> {
        let place = self.ask(|state| {
            let all = state.posted.iter().filter(|posted| posted.l1.number <= l1_number);
            let own = |posted: &&Posted| {
                posted.chain_id == chain_id && posted.span.as_ref().is_ok_and(|span| span.last == head)
            };
            all.into_iter()
                .find(own)
                .map(|posted| Place { next: posted.index + 1, l1_block: posted.l1.number })
        });
        async { place }.boxed()
    }

    fn posted(&self, from: u64, to: u64) -> BoxFuture<'_, Result<Vec<Posted>, ReadError>> {
        let posted = self.ask(|state| {
            let all = state.posted.iter().chain(state.lying.get(&self.index));
            let shown = all.filter(|posted| !state.hidden.contains(&posted.index));
            shown.filter(|posted| (from..=to).contains(&posted.l1.number)).cloned().collect()
        });
        async { posted }.boxed()
    }
}

impl Net {
    async fn settling(context: deterministic::Context, operators: usize) -> (Self, Arc<ScriptedL1>) {
        let mut file = network_file(operators, &[A, B]);
        let inbox = Address::repeat_byte(0xd1);
        for rollup in &mut file.rollups {
            rollup.settlement = Some(SettlementEntry::Batches { inbox, from_block: ORIGIN + 1 });
        }
        let network = file.check().unwrap();
        let l1 = Arc::new(ScriptedL1::default());
        l1.0.lock().safe = ORIGIN;
        l1.0.lock().finalized = ORIGIN;
        let link = Link { latency_ms: 5, jitter_ms: 2, lost_per_mille: 0 };
        (Self::on(context, network, link, Some(l1.clone())).await, l1)
    }

    fn safe(&self, index: usize, chain_id: ChainId) -> BlockRef {
        let leaves = self.handle(index).rollups();
        leaves.iter().find(|leaf| leaf.chain_id == chain_id).unwrap().heads[Confidence::Safe as usize].block
    }

    async fn until_safe(&self, chain_id: ChainId, head: BlockRef) {
        let what = format!("{head} of {chain_id} is safe");
        self.until(&what, |handle| {
            let leaves = handle.rollups();
            let leaf = leaves.iter().find(|leaf| leaf.chain_id == chain_id).unwrap();
            leaf.heads[Confidence::Safe as usize].block == head
        })
        .await;
    }

    /// Publish so many blocks; returns the head before and after.
    async fn blocks(&self, chain: &mut Chain, count: usize) -> (BlockRef, BlockRef) {
        let before = chain.head();
        for _ in 0..count {
            self.publish(&chain.next(B, 1));
            self.wait(60).await;
        }
        self.until_head(chain).await;
        (before, chain.head())
    }
}

#[test]
fn a_head_is_safe_once_its_data_are_on_l1_and_not_before() {
    run(31, |context| async move {
        let (net, l1) = Net::settling(context, 4).await;
        let mut a = net.chain(A);
        let (anchor, first) = net.blocks(&mut a, 3).await;
        net.wait(3_000).await;
        assert_eq!(net.safe(0, A), BlockRef::default(), "nothing is posted");
        l1.post(A, anchor, first);
        net.wait(3_000).await;
        assert_eq!(net.safe(0, A), BlockRef::default(), "L1 does not call the block safe");
        l1.next_block();
        net.until_safe(A, first).await;
        // Two postings in a row: the head goes to the end of the second.
        let (_, second) = net.blocks(&mut a, 2).await;
        let (_, third) = net.blocks(&mut a, 2).await;
        l1.post(A, first, second);
        l1.next_block();
        l1.post(A, second, third);
        l1.next_block();
        net.until_safe(A, third).await;
        net.until_certified().await;
        assert_eq!(net.safe(0, B), BlockRef::default(), "the other rollup has posted nothing");
    });
}

#[test]
fn data_that_are_posted_before_the_block_is_certified_count_when_it_is() {
    run(32, |context| async move {
        let (net, l1) = Net::settling(context, 4).await;
        let mut a = net.chain(A);
        let before = a.head();
        let late = a.next(B, 1);
        l1.post(A, before, a.head());
        l1.next_block();
        net.wait(3_000).await;
        assert_eq!(net.safe(0, A), BlockRef::default(), "nobody has verified that block");
        net.publish(&late);
        net.until_safe(A, a.head()).await;
        net.until_certified().await;
    });
}

#[test]
fn an_operator_whose_l1_node_is_away_keeps_nobody_waiting_and_attests_nothing_it_did_not_see() {
    run(33, |context| async move {
        let (net, l1) = Net::settling(context, 4).await;
        l1.0.lock().down.insert(3);
        let mut a = net.chain(A);
        let (anchor, first) = net.blocks(&mut a, 2).await;
        l1.post(A, anchor, first);
        l1.next_block();
        net.until_safe(A, first).await;
        let settled =
            net.handle(0).archive(|archive| archive.newest().rollup(A).unwrap().safe().unwrap().advanced_at);
        net.until_certified().await;
        let seat = net.network.committee.seat_of(&bls_key(3).public_key()).unwrap();
        for index in 0..3 {
            if let Some(certificate) = net.handle(index).certificate(settled)
                && certificate.height == settled
            {
                assert!(!certificate.signers.contains(seat), "operator 3 attested what it could not see");
            }
        }
        // Back again, it goes on as if nothing had been.
        l1.0.lock().down.clear();
        let (_, second) = net.blocks(&mut a, 2).await;
        l1.post(A, first, second);
        l1.next_block();
        net.until_safe(A, second).await;
        net.until_certified().await;
    });
}

#[test]
fn where_most_l1_nodes_are_away_heads_stay_and_checkpoints_go_on() {
    run(34, |context| async move {
        let (net, l1) = Net::settling(context, 4).await;
        l1.0.lock().down.extend([1, 2, 3]);
        let mut a = net.chain(A);
        let (anchor, first) = net.blocks(&mut a, 2).await;
        l1.post(A, anchor, first);
        l1.next_block();
        net.blocks(&mut a, 20).await;
        assert_eq!(net.safe(0, A), BlockRef::default());
        l1.0.lock().down.clear();
        net.until_safe(A, first).await;
        net.until_certified().await;
    });
}

#[test]
fn one_l1_node_that_lies_settles_nothing() {
    run(35, |context| async move {
        let (net, l1) = Net::settling(context, 4).await;
        let mut a = net.chain(A);
        let (anchor, first) = net.blocks(&mut a, 2).await;
        // Node 0 says that the blocks are posted; no other node does.
        let span =
            Ok(Span { first: anchor.number + 1, parent: anchor.hash, last: first, hashes: Arc::default() });
        let lie = Posted { chain_id: A, index: 0, l1: l1_block(ORIGIN + 1), span };
        l1.0.lock().lying.insert(0, lie);
        l1.next_block();
        net.blocks(&mut a, 20).await;
        for index in 0..4 {
            assert_eq!(net.safe(index, A), BlockRef::default());
        }
        net.until_certified().await;
    });
}

#[test]
fn posted_data_of_another_chain_stop_its_settling_and_nothing_else() {
    run(36, |context| async move {
        let (net, l1) = Net::settling(context, 4).await;
        let (mut a, mut b) = (net.chain(A), net.chain(B));
        let mut events = net.handle(0).subscribe();
        let (anchor, first) = net.blocks(&mut a, 2).await;
        let other = BlockRef { hash: B256::repeat_byte(0xee), ..first };
        l1.post(A, anchor, other);
        l1.next_block();
        let (_, second) = net.blocks(&mut a, 2).await;
        // Its line goes on from there: a block's hash commits to all below, so it never leads back.
        l1.post(A, other, BlockRef { hash: B256::repeat_byte(0xef), ..second });
        l1.next_block();
        let below = b.head();
        net.publish(&b.next(A, 1));
        net.until_head(&b).await;
        l1.post(B, below, b.head());
        l1.next_block();
        net.until_safe(B, b.head()).await;
        net.wait(3_000).await;
        assert_eq!(net.safe(0, A), BlockRef::default());
        net.until_certified().await;
        while let Ok(event) = events.try_recv() {
            assert!(!matches!(event, Event::Alarm { .. }), "{event:?}");
        }
    });
}

#[test]
fn a_settled_head_survives_a_restart() {
    run(37, |context| async move {
        let (mut net, l1) = Net::settling(context, 4).await;
        let mut a = net.chain(A);
        let anchor = a.head();
        let mut sent = Vec::new();
        for _ in 0..3 {
            sent.push(a.next(B, 1));
        }
        sent.iter().for_each(|block| net.publish(block));
        net.until_head(&a).await;
        let first = a.head();
        l1.post(A, anchor, first);
        l1.next_block();
        net.until_safe(A, first).await;
        net.until_certified().await;
        for index in 0..4 {
            net.kill(index);
        }
        net.wait(500).await;
        for index in 0..4 {
            net.start(index).await;
        }
        net.until_safe(A, first).await;
        sent.extend([a.next(B, 1), a.next(B, 1)]);
        // A publisher repeats what operators had only in memory.
        for _ in 0..10 {
            sent.iter().for_each(|block| net.publish(block));
            net.wait(300).await;
        }
        net.until_head(&a).await;
        let second = a.head();
        l1.post(A, first, second);
        l1.next_block();
        net.until_safe(A, second).await;
        net.until_certified().await;
    });
}

#[test]
fn what_every_node_left_out_once_is_read_again() {
    run(38, |context| async move {
        let (net, l1) = Net::settling(context, 4).await;
        let (mut a, mut b) = (net.chain(A), net.chain(B));
        let (anchor, first) = net.blocks(&mut a, 2).await;
        l1.0.lock().hidden.insert(0);
        l1.post(A, anchor, first);
        l1.next_block();
        l1.0.lock().finalized = ORIGIN + 1;
        net.wait(3_000).await;
        assert_eq!(net.safe(0, A), BlockRef::default(), "no node has shown it, and the block is final");
        let (_, second) = net.blocks(&mut a, 2).await;
        l1.post(A, first, second);
        let below = b.head();
        net.publish(&b.next(A, 1));
        net.until_head(&b).await;
        l1.next_block();
        l1.0.lock().finalized = ORIGIN + 2;
        net.wait(3_000).await;
        assert_eq!(net.safe(0, A), BlockRef::default(), "nothing over the hole");
        l1.0.lock().hidden.clear();
        net.until_safe(A, second).await;
        // The other rollup was not held up.
        l1.post(B, below, b.head());
        l1.next_block();
        net.until_safe(B, b.head()).await;
        net.until_certified().await;
    });
}

#[test]
fn what_stays_left_out_is_told_to_people() {
    run(39, |context| async move {
        let (net, l1) = Net::settling(context, 4).await;
        let mut a = net.chain(A);
        let mut events = net.handle(0).subscribe();
        let (anchor, first) = net.blocks(&mut a, 2).await;
        let (_, second) = net.blocks(&mut a, 2).await;
        let (_, third) = net.blocks(&mut a, 2).await;
        l1.0.lock().hidden.insert(1);
        for (below, last) in [(anchor, first), (first, second), (second, third)] {
            l1.post(A, below, last);
            l1.next_block();
        }
        l1.0.lock().finalized = ORIGIN + 3;
        net.until_safe(A, first).await;
        net.wait(60_000).await;
        assert_eq!(net.safe(0, A), first, "nothing over the hole");
        let mut told = 0;
        while let Ok(event) = events.try_recv() {
            if let Event::Alarm { what, .. } = event {
                assert_eq!(what, "chain 901 settles no further: own L1 node shows posting 2, 1 comes first");
                told += 1;
            }
        }
        assert_eq!(told, 1);
    });
}
