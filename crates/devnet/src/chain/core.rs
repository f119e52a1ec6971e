//! One chain's blocks: build on a parent, import, choose the head. Everything here runs inside the chain's turn.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ethrex_blockchain::error::ChainError;
use ethrex_blockchain::fork_choice::apply_fork_choice;
use ethrex_blockchain::payload::{BuildPayloadArgs, PayloadBuildResult, create_payload};
use ethrex_blockchain::{Blockchain, BlockchainOptions};
use ethrex_common::types::{Block, BlockHeader, ELASTICITY_MULTIPLIER, Genesis, Transaction};
use ethrex_common::{Address, H256, H512};
use ethrex_crypto::NativeCrypto;
use ethrex_p2p::types::{Node, NodeRecord, NodeRecordPairs};
use ethrex_rpc::{ClientVersion, GasTipEstimator, NodeData, RpcApiContext, RpcNamespace};
use ethrex_storage::{EngineType, Store};
use ethrex_vm::BlockExecutionResult;
use hum_types::BlockRef;
use tokio::sync::watch;

use super::beacon::Beacon;
use super::config::{ChainConfig, now_seconds};
use super::convert;
use super::error::DevChainError;
use super::{DroppedTransactions, Reorg, receipts};

/// Receives the fees of every block.
const FEE_RECIPIENT: Address = Address::repeat_byte(0xfe);

/// Branches that this process has opened by reorganisation or fork. Each marks its blocks with its own number, so that two branches never
/// hold the same block by accident, even empty and in the same second.
static BRANCHES: AtomicU64 = AtomicU64::new(0);

/// Blocks made in a row before the head moves to the last: more would leave too many layers of state unmerged.
pub(super) const ADOPTED_TOGETHER: u64 = 64;

/// Where a block's transactions come from.
enum Source {
    /// What the pool offers.
    Pool,
    /// Exactly these, in this order.
    Given(Vec<Transaction>),
}

/// The fields of a block that its builder chooses.
struct Template {
    parent: H256,
    timestamp: u64,
    extra_data: bytes::Bytes,
    /// Store the block as it was built, without executing it a second time as an import would.
    as_built: bool,
}

pub(super) struct Core {
    pub(super) config: ChainConfig,
    pub(super) genesis: Genesis,
    pub(super) store: Store,
    pub(super) blockchain: Arc<Blockchain>,
    pub(super) heads: watch::Sender<BlockRef>,
    pub(super) paused: AtomicBool,
    /// The chain's turn: held while a block is made or the head moves.
    pub(super) beacon: Beacon,
    turn: tokio::sync::Mutex<()>,
    branch: AtomicU64,
}

impl Core {
    pub(super) async fn boot(config: ChainConfig, genesis: Genesis) -> Result<Arc<Self>, DevChainError> {
        config.check()?;
        let mut store = Store::new("", EngineType::InMemory)?;
        store.add_initial_state(genesis.clone()).await?;
        let options = BlockchainOptions { precompute_witnesses: true, ..BlockchainOptions::default() };
        let blockchain = Arc::new(Blockchain::new(store.clone(), options));
        // The client keeps no witness and refuses transactions until it believes itself synchronised.
        blockchain.set_synced();
        let genesis_block = block_ref(&genesis.get_block().header);
        let paused = config.paused;
        let beacon = Beacon::new(genesis.timestamp);
        let core = Arc::new(Self {
            config,
            genesis,
            store,
            blockchain,
            heads: watch::Sender::new(genesis_block),
            paused: AtomicBool::new(paused),
            beacon,
            turn: tokio::sync::Mutex::new(()),
            branch: AtomicU64::new(0),
        });
        // Gives `safe` and `finalized` a value from the start.
        core.adopt(&core.header(0)?).await?;
        Ok(core)
    }

    /// Marks the blocks that follow as a branch of its own.
    pub(super) fn open_branch(&self) {
        self.branch.store(BRANCHES.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(super) fn header(&self, number: u64) -> Result<BlockHeader, DevChainError> {
        self.store.get_block_header(number)?.ok_or(DevChainError::MissingBlock { number })
    }

    pub(super) async fn block(&self, number: u64) -> Result<Block, DevChainError> {
        self.store.get_block_by_number(number).await?.ok_or(DevChainError::MissingBlock { number })
    }

    async fn head(&self) -> Result<BlockHeader, DevChainError> {
        self.header(self.store.get_latest_block_number().await?)
    }

    /// Waits until nothing is being made. What is decided before, like a pause, holds for every later turn.
    pub(super) async fn settle(&self) {
        drop(self.turn.lock().await);
    }

    /// Makes the next block from the pool, unless the chain is paused.
    pub(super) async fn produce_unless_paused(self: &Arc<Self>) -> Result<Option<BlockRef>, DevChainError> {
        let _turn = self.turn.lock().await;
        if self.paused.load(Ordering::Relaxed) {
            return Ok(None);
        }
        self.extend().await.map(Some)
    }

    /// Makes the next block from the pool.
    pub(super) async fn produce(self: &Arc<Self>) -> Result<BlockRef, DevChainError> {
        let _turn = self.turn.lock().await;
        self.extend().await
    }

    /// Builds the next block from the pool and stores it, without making it the head.
    pub(super) async fn propose(self: &Arc<Self>) -> Result<Block, DevChainError> {
        let _turn = self.turn.lock().await;
        let parent = self.head().await?;
        self.build(self.next_template(&parent), Source::Pool).await
    }

    /// Makes a stored block the head.
    pub(super) async fn follow(&self, head: BlockRef) -> Result<(), DevChainError> {
        let _turn = self.turn.lock().await;
        let block = self.store.get_block_by_hash(convert::hash(head.hash)).await?;
        let block = block.ok_or(DevChainError::MissingBlock { number: head.number })?;
        self.adopt(&block.header).await?;
        self.blockchain.remove_block_transactions_from_pool(&block)?;
        Ok(())
    }

    async fn extend(self: &Arc<Self>) -> Result<BlockRef, DevChainError> {
        let parent = self.head().await?;
        let template = self.next_template(&parent);
        let block = self.build(template, Source::Pool).await?;
        self.adopt(&block.header).await?;
        self.blockchain.remove_block_transactions_from_pool(&block)?;
        Ok(block_ref(&block.header))
    }

    /// Makes the next block of exactly these transactions, dated a second after its parent; whether each succeeded.
    pub(super) async fn produce_with(
        self: &Arc<Self>,
        transactions: Vec<Transaction>,
    ) -> Result<(BlockRef, Vec<bool>), DevChainError> {
        let _turn = self.turn.lock().await;
        let parent = self.head().await?;
        let block = self.build(self.dated_template(&parent), Source::Given(transactions)).await?;
        self.adopt(&block.header).await?;
        self.blockchain.remove_block_transactions_from_pool(&block)?;
        let receipts = receipts::of_block(&self.store, &block).await?;
        Ok((block_ref(&block.header), receipts.iter().map(|receipt| receipt.succeeded).collect()))
    }

    /// Makes `count` empty blocks, each dated a second after its parent.
    pub(super) async fn mine(self: &Arc<Self>, count: u64) -> Result<(), DevChainError> {
        let _turn = self.turn.lock().await;
        let mut head = self.head().await?;
        let mut left = count;
        while left > 0 {
            let run = left.min(ADOPTED_TOGETHER);
            let core = self.clone();
            let work = tokio::task::spawn_blocking(move || {
                for _ in 0..run {
                    let template = core.dated_template(&head);
                    head = core.build_blocking(template, Source::Given(Vec::new()))?.header;
                }
                Ok::<_, DevChainError>(head)
            });
            head = work
                .await
                .map_err(|source| DevChainError::Worker { name: self.config.name.clone(), source })??;
            self.adopt(&head).await?;
            left -= run;
        }
        Ok(())
    }

    /// Replaces the newest `depth` blocks by one empty sibling of the oldest of them.
    pub(super) async fn reorg(
        self: &Arc<Self>,
        depth: u64,
        transactions: DroppedTransactions,
    ) -> Result<Reorg, DevChainError> {
        let _turn = self.turn.lock().await;
        let head = self.head().await?.number;
        if depth == 0 || depth > head {
            return Err(DevChainError::ReorgDepth { depth, head });
        }
        let kept = self.header(head - depth)?;
        let mut dropped = Vec::new();
        for number in kept.number + 1..=head {
            dropped.push(self.block(number).await?);
        }
        self.open_branch();
        let sibling = self.build(self.next_template(&kept), Source::Given(Vec::new())).await?;
        self.adopt(&sibling.header).await?;
        let mut requeued = 0;
        if transactions == DroppedTransactions::Requeue {
            for transaction in dropped.iter().flat_map(|block| block.body.transactions.iter().cloned()) {
                match self.blockchain.add_transaction_to_pool(transaction).await {
                    Ok(_) => requeued += 1,
                    Err(error) => {
                        tracing::warn!(chain = self.config.name, %error, "dropped transaction not requeued")
                    }
                }
            }
        }
        Ok(Reorg {
            kept: block_ref(&kept),
            dropped: dropped.iter().map(|block| block_ref(&block.header)).collect(),
            head: block_ref(&sibling.header),
            requeued,
        })
    }

    /// Makes the given blocks, children of this chain's head in order, again, and checks that each comes out the same.
    pub(super) async fn replay(self: &Arc<Self>, blocks: Vec<Block>) -> Result<(), DevChainError> {
        let _turn = self.turn.lock().await;
        let mut head = None;
        for original in blocks {
            let header = &original.header;
            let template = Template {
                parent: header.parent_hash,
                timestamp: header.timestamp,
                extra_data: header.extra_data.clone(),
                as_built: self.config.allows_equal_timestamps(),
            };
            let copy = self.build(template, Source::Given(original.body.transactions.clone())).await?;
            if copy.hash() != original.hash() {
                return Err(DevChainError::Replay {
                    number: header.number,
                    declared: convert::hash_out(original.hash()),
                    computed: convert::hash_out(copy.hash()),
                });
            }
            head = Some(copy.header);
        }
        match head {
            Some(head) => self.adopt(&head).await,
            None => Ok(()),
        }
    }

    /// Executes a child of this chain's newest block and stores it, when it comes out as its header says.
    pub(super) async fn execute(self: &Arc<Self>, block: Block) -> Result<(), DevChainError> {
        let _turn = self.turn.lock().await;
        let header = block.header.clone();
        let number = header.number;
        let parent = self.store.get_block_header_by_hash(header.parent_hash)?;
        let parent = parent.ok_or(DevChainError::MissingBlock { number: number.saturating_sub(1) })?;
        if header.timestamp == parent.timestamp {
            let template = Template {
                parent: header.parent_hash,
                timestamp: header.timestamp,
                extra_data: header.extra_data.clone(),
                as_built: true,
            };
            let copy = self.build(template, Source::Given(block.body.transactions)).await?;
            let (declared, computed) = (convert::hash_out(header.hash()), convert::hash_out(copy.hash()));
            if declared != computed {
                return Err(DevChainError::Replay { number, declared, computed });
            }
            return Ok(());
        }
        let core = self.clone();
        let work = tokio::task::spawn_blocking(move || core.blockchain.add_block_pipeline(block, None));
        work.await
            .map_err(|source| DevChainError::Worker { name: self.config.name.clone(), source })?
            .map(drop)
            .map_err(|error| DevChainError::Block { number, source: Box::new(error) })
    }

    fn next_template(&self, parent: &BlockHeader) -> Template {
        let earliest =
            if self.config.allows_equal_timestamps() { parent.timestamp } else { parent.timestamp + 1 };
        let branch = self.branch.load(Ordering::Relaxed);
        Template {
            parent: parent.hash(),
            timestamp: now_seconds().max(earliest),
            extra_data: format!("hum/{branch}").into(),
            as_built: self.config.allows_equal_timestamps(),
        }
    }

    /// A block as if it had been made a second after its parent.
    fn dated_template(&self, parent: &BlockHeader) -> Template {
        Template { timestamp: parent.timestamp + 1, as_built: true, ..self.next_template(parent) }
    }

    /// Builds a block and imports it, without making it the head. CPU-bound, so off the runtime's own threads.
    async fn build(self: &Arc<Self>, template: Template, source: Source) -> Result<Block, DevChainError> {
        let core = self.clone();
        let work = tokio::task::spawn_blocking(move || core.build_blocking(template, source));
        work.await.map_err(|source| DevChainError::Worker { name: self.config.name.clone(), source })?
    }

    /// Take what the pool offers, as far as the bytes are allowed: the client itself counts gas alone.
    fn build_from_pool(&self, empty: Block) -> Result<PayloadBuildResult, ChainError> {
        loop {
            let built = self.blockchain.build_payload(empty.clone())?;
            let Some(most) = self.config.transactions_bytes_max else { return Ok(built) };
            let transactions = &built.payload.body.transactions;
            let lengths =
                || transactions.iter().map(|transaction| transaction.encode_canonical_to_vec().len());
            // One that never fits would stand in the way of others for ever.
            let mut dropped = false;
            for (transaction, _) in transactions.iter().zip(lengths()).filter(|(_, length)| *length > most) {
                tracing::warn!(
                    chain = self.config.name,
                    most,
                    "a transaction is too long for any block: dropped"
                );
                self.blockchain.remove_transaction_from_pool(&transaction.hash(&NativeCrypto))?;
                dropped = true;
            }
            if dropped {
                continue;
            }
            let within = lengths().scan(0, |sum: &mut usize, length| {
                *sum = sum.saturating_add(length);
                Some(*sum)
            });
            let fitting = within.take_while(|sum| *sum <= most).count();
            if fitting == transactions.len() {
                return Ok(built);
            }
            let fitting = transactions.iter().take(fitting).cloned().collect();
            return self.blockchain.build_payload_with_transactions(empty, fitting);
        }
    }

    fn build_blocking(&self, template: Template, source: Source) -> Result<Block, DevChainError> {
        let parent = self.store.get_block_header_by_hash(template.parent)?;
        let number = parent.map(|parent| parent.number + 1).unwrap_or_default();
        let failed = |error| DevChainError::Block { number, source: Box::new(error) };
        let args = BuildPayloadArgs {
            parent: template.parent,
            timestamp: template.timestamp,
            fee_recipient: FEE_RECIPIENT,
            random: H256::zero(),
            withdrawals: Some(Vec::new()),
            beacon_root: Some(H256::zero()),
            slot_number: None,
            version: 3,
            elasticity_multiplier: ELASTICITY_MULTIPLIER,
            gas_ceil: self.config.gas_limit,
        };
        let empty = create_payload(&args, &self.store, template.extra_data).map_err(failed)?;
        let built = match source {
            Source::Pool => self.build_from_pool(empty).map_err(failed)?,
            Source::Given(transactions) => {
                self.blockchain.build_payload_with_transactions(empty, transactions).map_err(failed)?
            }
        };
        let block = built.payload;
        self.beacon.keep(&block, &self.blockchain.mempool);
        if template.as_built {
            // The client's import insists on increasing timestamps, and takes its time.
            let updates = self.store.apply_account_updates_batch(template.parent, &built.account_updates)?;
            let updates = updates.ok_or(DevChainError::MissingBlock { number: number.saturating_sub(1) })?;
            let result = BlockExecutionResult {
                receipts: built.receipts,
                requests: Vec::new(),
                block_gas_used: block.header.gas_used,
                tx_gas_breakdowns: Vec::new(),
            };
            self.blockchain.store_block(block.clone(), updates, result).map_err(failed)?;
        } else {
            self.blockchain.add_block_pipeline(block.clone(), None).map_err(failed)?;
        }
        Ok(block)
    }

    /// Makes an imported block the head, and moves `safe` and `finalized` to their distances behind it.
    pub(super) async fn adopt(&self, head: &BlockHeader) -> Result<(), DevChainError> {
        let safe = self.ancestor(head, self.config.safe_depth)?;
        let finalized = self.ancestor(head, self.config.finalized_depth)?;
        apply_fork_choice(&self.store, head.hash(), safe, finalized, None).await.map_err(|error| {
            DevChainError::ForkChoice { head: convert::hash_out(head.hash()), source: Box::new(error) }
        })?;
        self.heads.send_replace(block_ref(head));
        Ok(())
    }

    /// Hash of the block `distance` behind `head`, or of genesis. Follows parents until they meet the canonical chain.
    fn ancestor(&self, head: &BlockHeader, distance: u64) -> Result<H256, DevChainError> {
        let target = head.number.saturating_sub(distance);
        let (mut number, mut hash, mut parent) = (head.number, head.hash(), head.parent_hash);
        while number > target {
            (number, hash) = (number - 1, parent);
            if self.store.get_canonical_block_hash_sync(number)? == Some(hash) {
                return self
                    .store
                    .get_canonical_block_hash_sync(target)?
                    .ok_or(DevChainError::MissingBlock { number: target });
            }
            let header = self.store.get_block_header_by_hash(hash)?;
            parent = header.ok_or(DevChainError::MissingBlock { number })?.parent_hash;
        }
        Ok(hash)
    }

    /// What the client's RPC handlers need. There is no network behind it, and no worker for blocks from outside.
    pub(super) fn rpc_context(&self) -> RpcApiContext {
        let node = Node::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0, 0, H512::zero());
        let text = String::from;
        let version = ClientVersion::new(
            text("hum-devnet"),
            text(env!("CARGO_PKG_VERSION")),
            text("local"),
            text("embedded"),
            text(std::env::consts::OS),
            text("stable"),
        );
        let served = [
            RpcNamespace::Eth,
            RpcNamespace::Net,
            RpcNamespace::Web3,
            RpcNamespace::Debug,
            RpcNamespace::Mempool,
        ];
        RpcApiContext {
            storage: self.store.clone(),
            blockchain: self.blockchain.clone(),
            active_filters: Arc::new(Mutex::new(HashMap::new())),
            syncer: None,
            peer_handler: None,
            node_data: NodeData {
                jwt_secret: bytes::Bytes::new(),
                local_p2p_node: node,
                local_node_record: NodeRecord::new(H512::zero(), 0, NodeRecordPairs::default()),
                client_version: version,
                extra_data: bytes::Bytes::new(),
            },
            gas_tip_estimator: Arc::new(tokio::sync::Mutex::new(GasTipEstimator::new())),
            log_filter_handler: None,
            gas_ceil: self.config.gas_limit,
            block_worker_channel: tokio::sync::mpsc::unbounded_channel().0,
            ws: None,
            allowed_namespaces: Arc::new(served.into_iter().collect()),
        }
    }
}

pub(super) fn block_ref(header: &BlockHeader) -> BlockRef {
    BlockRef { number: header.number, hash: convert::hash_out(header.hash()) }
}
