//! A Nitro and a ZKsync rollup among others, judged by operators' own nodes. No such node can run here: recorded answers of
//! real ones are served over HTTP, and where they end, blocks made up by the same stack's rules go on. Replayed, not joined
//! live.

use super::*;
use crate::own_node::{NodeClient, OwnBlock, OwnNodeError, OwnNodes};
use commonware_utils::sync::Mutex;
use futures::future::{BoxFuture, FutureExt as _};
use hum_bls::OperatorId;
use hum_types::{BlockRef, Class, Confidence, Generation, HeadClaim};
use replayed::{ERA, NITRO, Replayed, replayed};
use std::{collections::BTreeSet, sync::LazyLock};

mod replayed;

/// What nodes answered, read once over HTTP.
static REPLAYED: LazyLock<Replayed> = LazyLock::new(replayed);

/// An operator's nodes, as the recordings answered; in virtual time, where no socket is.
#[derive(Debug)]
struct Read {
    /// The highest block of each chain that the node has by now.
    upto: Arc<Mutex<BTreeMap<ChainId, u64>>>,
    /// Whether it makes states up.
    lies: bool,
}

impl OwnNodes for Read {
    fn chains(&self) -> BTreeSet<ChainId> {
        [NITRO, ERA].into()
    }

    fn client(&self, member: Arc<crate::config::Member>) -> BoxFuture<'_, Result<NodeClient, OwnNodeError>> {
        let client = REPLAYED.clients[&member.entry.chain_id].clone();
        async move { Ok(client) }.boxed()
    }

    fn block(
        &self,
        member: Arc<crate::config::Member>,
        number: u64,
    ) -> BoxFuture<'_, Result<Option<OwnBlock>, OwnNodeError>> {
        let chain_id = member.entry.chain_id;
        let known = self.upto.lock().get(&chain_id).is_some_and(|upto| number <= *upto);
        let mut block = REPLAYED.blocks.get(&(chain_id, number)).filter(|_| known).cloned();
        if let Some(block) = block.as_mut().filter(|_| self.lies) {
            block.state_root = hum_types::B256::repeat_byte(0x11);
        }
        async move { Ok(block) }.boxed()
    }
}

struct Judged {
    net: Net,
    upto: Arc<Mutex<BTreeMap<ChainId, u64>>>,
}

impl Judged {
    /// Four operators. The first three judge both rollups; `nodes` says who has nodes, and whether they lie.
    async fn new(context: deterministic::Context, nodes: &[(usize, bool)]) -> Self {
        let mut file = network_file(4, &[A]);
        let mut judges: Vec<OperatorId> =
            (0..3).map(|index| OperatorId::of(bls_key(index).public_key().g1())).collect();
        judges.sort();
        file.rollups.extend(REPLAYED.entries(&judges));
        file.rollups.sort_by_key(|entry| entry.chain_id);
        let upto: Arc<Mutex<BTreeMap<ChainId, u64>>> = Arc::default();
        let own = |lies| Arc::new(Read { upto: upto.clone(), lies }) as Arc<dyn OwnNodes>;
        let nodes = nodes.iter().map(|(index, lies)| (*index, own(*lies))).collect();
        let net = Net::with(context, file.check().unwrap(), Link::default(), None, nodes).await;
        Self { net, upto }
    }

    /// The nodes get blocks up to these, and the sequencers claim them.
    fn release(&self, chain_id: ChainId, numbers: std::ops::RangeInclusive<u64>) {
        self.upto.lock().insert(chain_id, *numbers.end());
        for number in numbers {
            self.claim(chain_id, REPLAYED.blocks[&(chain_id, number)].block);
        }
    }

    fn claim(&self, chain_id: ChainId, block: BlockRef) {
        let member = self.net.network.member(chain_id).unwrap();
        let registration = member.entry.registration;
        let claim = HeadClaim { chain_id, registration, generation: Generation(0), block };
        let claim = claim.sign(self.net.network.domain, &crate::config::tests::fixture::sequencer(chain_id));
        self.net.publish(&Submission { claim, block: Default::default(), witness: Default::default() });
    }

    async fn until(&self, chain_id: ChainId, number: u64) {
        self.net
            .until(&format!("block {number} of {chain_id}"), |handle| {
                latest(handle, chain_id).number >= number
            })
            .await;
    }

    /// A block of the re-executed rollup goes on, whatever the others do.
    async fn others_go_on(&self, a: &mut Chain) {
        self.net.publish(&a.next(NITRO, 1));
        self.net.until_head(a).await;
    }

    fn alarms(&self, index: usize) -> Vec<String> {
        self.net.handle(index).status().alarms.into_iter().map(|alarm| alarm.what).collect()
    }
}

const HONEST: [(usize, bool); 3] = [(0, false), (1, false), (2, false)];

#[test]
fn judged_blocks_of_nitro_and_zksync_are_certified_as_own_node() {
    run(21, |context| async move {
        let judged = Judged::new(context, &HONEST).await;
        let mut a = judged.net.chain(A);
        judged.release(NITRO, REPLAYED.numbers(NITRO));
        judged.release(ERA, REPLAYED.numbers(ERA));
        judged.others_go_on(&mut a).await;
        let (nitro, era) = (*REPLAYED.numbers(NITRO).end(), *REPLAYED.numbers(ERA).end());
        judged.until(NITRO, nitro).await;
        judged.until(ERA, era).await;
        judged.net.until_certified().await;

        // The fourth operator has no node: it has checked signatures, and says the same class as the others.
        for index in 0..4 {
            let handle = judged.net.handle(index);
            let classes: BTreeMap<_, _> = handle.classes().into_iter().collect();
            assert_eq!(
                (classes[&NITRO], classes[&ERA], classes[&A]),
                (Class::OwnNode, Class::OwnNode, Class::Reexecuted)
            );
            for leaf in handle.rollups().iter().filter(|leaf| leaf.class == Class::OwnNode) {
                let own = &REPLAYED.blocks[&(leaf.chain_id, leaf.heads[0].block.number)];
                assert_eq!((leaf.heads[0].block, leaf.heads[0].state_root), (own.block, own.state_root));
                assert_eq!(leaf.preimage()[45], Class::OwnNode as u8, "the certificate covers the class");
            }
            assert!(judged.alarms(index).is_empty(), "{:?}", judged.alarms(index));
        }
        // Messages of both are carried, once each, and prove as own-node messages.
        let handle = judged.net.handle(3);
        for chain_id in [NITRO, ERA] {
            let lane = chain::Chain::lane(A);
            let sent: usize = REPLAYED
                .blocks
                .iter()
                .filter(|((of, _), _)| *of == chain_id)
                .map(|(_, block)| block.messages.len())
                .sum();
            assert!(sent > 0);
            let proof =
                handle.archive(|archive| archive.prove_lane(handle.header().height, chain_id, lane)).unwrap();
            assert_eq!((proof.leaf.slot.count, proof.head.leaf.class), (sent as u64, Class::OwnNode));
            assert_eq!(
                proof.head.leaf.head(Confidence::Latest).block.number,
                latest(handle, chain_id).number
            );
        }
        // What judges say of their nodes, and who judges at all.
        let judging = judged.net.handle(0).judging();
        assert!(judging[&NITRO].judges && judging[&NITRO].node.as_ref().unwrap().replayed);
        assert_eq!(judging[&ERA].judged, Some(era));
        assert!(judged.net.handle(3).judging().is_empty());
    });
}

#[test]
fn one_judge_that_lies_achieves_nothing() {
    run(22, |context| async move {
        let judged = Judged::new(context, &[(0, false), (1, false), (2, true)]).await;
        let numbers = REPLAYED.numbers(NITRO);
        judged.release(NITRO, numbers.clone());
        judged.until(NITRO, *numbers.end()).await;
        judged.net.until_certified().await;
        for leaf in judged.net.handle(3).rollups().iter().filter(|leaf| leaf.chain_id == NITRO) {
            assert_eq!(leaf.heads[0].state_root, REPLAYED.blocks[&(NITRO, *numbers.end())].state_root);
        }
    });
}

#[test]
fn two_judges_that_lie_are_two_thirds_and_the_honest_one_raises_an_alarm() {
    run(23, |context| async move {
        let judged = Judged::new(context, &[(0, false), (1, true), (2, true)]).await;
        let numbers = REPLAYED.numbers(NITRO);
        judged.release(NITRO, numbers.clone());
        judged.until(NITRO, *numbers.end()).await;
        // That is what the class says: nobody else can tell. Whoever has a node of its own is told.
        let lied = judged.net.handle(3).rollups().into_iter().find(|leaf| leaf.chain_id == NITRO).unwrap();
        assert_eq!(
            (lied.class, lied.heads[0].state_root),
            (Class::OwnNode, hum_types::B256::repeat_byte(0x11))
        );
        assert!(judged.alarms(0).iter().any(|what| what.contains("own node")), "{:?}", judged.alarms(0));
    });
}

#[test]
fn less_than_two_thirds_stop_only_that_rollup_until_more_come() {
    run(24, |context| async move {
        let mut judged = Judged::new(context, &[(0, false)]).await;
        let mut a = judged.net.chain(A);
        let numbers = REPLAYED.numbers(NITRO);
        judged.release(NITRO, numbers.clone());
        for _ in 0..5 {
            judged.others_go_on(&mut a).await;
        }
        judged.net.wait(5_000).await;
        for index in 0..4 {
            assert_eq!(latest(judged.net.handle(index), NITRO).number + 1, *numbers.start());
        }
        judged.net.until_certified().await;
        // One more judge comes back with its node.
        let own = Arc::new(Read { upto: judged.upto.clone(), lies: false });
        judged.net.nodes.insert(2, own);
        judged.net.kill(2);
        judged.net.wait(1_000).await;
        judged.net.start(2).await;
        judged.release(NITRO, numbers.clone());
        judged.until(NITRO, *numbers.end()).await;
        judged.net.until_certified().await;
    });
}

#[test]
fn a_claim_that_own_nodes_do_not_have_is_not_advanced() {
    run(25, |context| async move {
        let judged = Judged::new(context, &HONEST).await;
        let mut a = judged.net.chain(A);
        let first = *REPLAYED.numbers(ERA).start();
        let own = &REPLAYED.blocks[&(ERA, first)];
        // An early block's own hash binds the number only: a claim of it without the state is another one.
        let unbound = hum_types::keccak256(u32::try_from(first).unwrap().to_be_bytes());
        assert_ne!(own.block.hash, unbound);
        assert_eq!(own.block.hash, hum_types::bound_hash(unbound, own.state_root));
        judged.claim(ERA, BlockRef { number: first, hash: unbound });
        judged.upto.lock().insert(ERA, first);
        judged.others_go_on(&mut a).await;
        judged.net.wait(3_000).await;
        assert!(latest(judged.net.handle(0), ERA).number < first);
        assert!(
            judged.alarms(0).iter().any(|what| what.contains("its sequencer claims")),
            "{:?}",
            judged.alarms(0)
        );
    });
}
