//! Heads that a stack's own contracts settle, proven under the state of a final L1 block.
//!
//! ```text
//! L1 node: what the contracts hold ─▶ what has to be opened
//! rollup's node: headers ──────────▶ opening ─▶ read_settled: L1 state proof ─▶ head
//!                                └─▶ headers down to an older block, each by its hash
//! ```
//!
//! The rollup's node is believed about nothing: what it opens must hash to what L1 holds, or nothing is settled. L1's own
//! block is fetched by the hash that the caller names, and every word is proven under its state root.

use super::{L1Settlement, Proven};
use crate::config::{Member, SettlementEntry};
use alloy_consensus::Header;
use alloy_primitives::U256;
use alloy_rlp::Decodable as _;
use alloy_sol_types::{SolCall, SolEvent as _, sol};
use hum_chain::{
    At, Chain, LogQuery, ReadError,
    contracts::BatchInbox,
    stack::{
        Opening, ReadSettledError, Settlement as StackSettlement, mapping_slot,
        nitro::{Assertion, NitroContracts},
        op_stack::{AnchorGame, OpContracts, OutputProposal},
        read_settled, slot,
    },
};
use hum_types::{Address, B256, BlockRef, Bytes, ChainId, L1Origin, keccak256};
use std::{fmt::Debug, sync::Arc};

/// Headers that are followed from a settled head down to an older block.
pub const WALK_MAX: u64 = 8_192;

/// The OP Stack's contract that keeps messages to L1; its storage root stands in an output.
const MESSAGE_PASSER: Address = alloy_primitives::address!("0x4200000000000000000000000000000000000016");
/// Storage root of an account without storage: what a header has for withdrawals before Isthmus.
const NO_STORAGE: B256 =
    alloy_primitives::b256!("0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

sol! {
    function gameType() external view returns (uint32);
    function l2BlockNumber() external view returns (uint256);

    struct GlobalState {
        bytes32[2] bytes32Vals;
        uint64[2] u64Vals;
    }
    struct AssertionState {
        GlobalState globalState;
        uint8 machineStatus;
        bytes32 endHistoryRoot;
    }
    struct ConfigData {
        bytes32 wasmModuleRoot;
        uint256 requiredStake;
        address challengeManager;
        uint64 confirmPeriodBlocks;
        uint64 nextInboxPosition;
    }
    struct BeforeStateData {
        bytes32 prevPrevAssertionHash;
        bytes32 sequencerBatchAcc;
        ConfigData configData;
    }
    struct AssertionInputs {
        BeforeStateData beforeStateData;
        AssertionState beforeState;
        AssertionState afterState;
    }
    event AssertionCreated(
        bytes32 indexed assertionHash,
        bytes32 indexed parentAssertionHash,
        AssertionInputs assertion,
        bytes32 afterInboxBatchAcc,
        uint256 inboxMaxCount,
        bytes32 wasmModuleRoot,
        uint256 requiredStake,
        address challengeManager,
        uint64 confirmPeriodBlocks
    );
}

/// Nodes of rollups, for what they open.
pub trait Nodes: Debug + Send + Sync + 'static {
    /// Any node of this member; nothing that it says is believed. `None` when there is none to ask.
    fn node(&self, member: &Member) -> Option<Arc<dyn Chain>>;
}

/// A header with its own bytes.
struct Opened {
    block: BlockRef,
    header: Header,
    rlp: Bytes,
}

impl L1Settlement {
    pub(super) async fn proven_at(&self, chain_id: ChainId, at: L1Origin) -> Result<Proven, ReadError> {
        let Some(member) = self.members.get(chain_id) else {
            return Ok(Proven::Nothing(format!("chain {chain_id} is no member")));
        };
        if let Some(since) = self.opened(&member, at).await? {
            return Ok(Proven::Nothing(format!(
                "its registration posts batches since L1 block {since}: nothing else settles it"
            )));
        }
        let Some(node) = self.nodes.as_ref().and_then(|nodes| nodes.node(&member)) else {
            return Ok(Proven::Nothing("no node of its is known that could open what L1 holds".into()));
        };
        let (node, block) = (node.as_ref(), At::Number(at.number));
        let (contracts, opening): (Box<dyn StackSettlement>, Opening) = match member.entry.settlement {
            Some(SettlementEntry::OpStack { anchor_registry, game_factory, .. }) => {
                let opening = self.anchor_game(node, anchor_registry, block).await?;
                // Reading what is settled asks nothing of the chain's settings.
                let system_config = Address::ZERO;
                let contracts = OpContracts { system_config, anchor_registry, game_factory };
                (Box::new(contracts), Opening::Anchor(Box::new(opening)))
            }
            Some(SettlementEntry::Nitro { rollup, .. }) => {
                let opening = self.assertion(node, rollup, block).await?;
                (Box::new(NitroContracts { rollup, chain_id }), Opening::Assertion(Box::new(opening)))
            }
            Some(SettlementEntry::Batches { .. }) | None => {
                return Ok(Proven::Nothing(format!("chain {chain_id} has no contracts that settle it")));
            }
        };
        let found = read_settled(contracts.as_ref(), &opening, self.chain.as_ref(), At::Hash(at.hash)).await;
        let settled = found.map_err(|error| match error {
            ReadSettledError::Read(error) => error,
            ReadSettledError::Settlement(error) => garbage(error.to_string()),
        })?;
        if (settled.l1.number, settled.l1.hash) != (at.number, at.hash) {
            return Err(garbage(format!("proven under L1 block {}, asked for {at}", settled.l1)));
        }
        Ok(match settled.head {
            Some(head) => Proven::Head(head),
            None => Proven::Nothing("what L1 holds of it names no block".into()),
        })
    }

    /// Since which L1 block the member's registration posts batches. Whoever opens it could otherwise have honest operators
    /// slashed for heads that contradict batches which nobody looks at.
    async fn opened(&self, member: &Member, at: L1Origin) -> Result<Option<u64>, ReadError> {
        let Some(inbox) = self.inbox else { return Ok(None) };
        let call = BatchInbox::openedAtCall { registration: member.entry.registration.0 };
        let since = call_of(self.chain.as_ref(), inbox, &call, At::Number(at.number)).await?;
        Ok((since > 0).then_some(since))
    }

    /// What opens the anchor that the dispute games have left.
    async fn anchor_game(
        &self,
        node: &dyn Chain,
        registry: Address,
        at: At,
    ) -> Result<AnchorGame, ReadError> {
        let l1 = self.chain.as_ref();
        let held = Address::from_word(l1.storage(registry, slot(2), at).await?);
        let (game, game_type, number) = if held.is_zero() {
            (None, 0, U256::from_be_bytes(l1.storage(registry, slot(4), at).await?.0))
        } else {
            let game_type = call_of(l1, held, &gameTypeCall {}, at).await?;
            (Some(held), game_type, call_of(l1, held, &l2BlockNumberCall {}, at).await?)
        };
        let number =
            u64::try_from(number).map_err(|_| garbage(format!("game {held} is about block {number}")))?;
        let Opened { block, header, .. } = open(node, At::Number(number)).await?;
        let in_header = header.withdrawals_root.filter(|root| *root != NO_STORAGE);
        let message_passer_root = match in_header {
            Some(root) => root,
            None => {
                let proof = node.proof(MESSAGE_PASSER, Vec::new(), At::Number(number)).await?;
                proof.storage_root(header.state_root).map_err(|error| garbage(error.to_string()))?
            }
        };
        let output = OutputProposal {
            version: B256::ZERO,
            state_root: header.state_root,
            message_passer_root,
            block_hash: block.hash,
        };
        Ok(AnchorGame { game, game_type, l2_block_number: number, output })
    }

    /// What opens the newest confirmed assertion: the log of its creation, and its block's header.
    async fn assertion(&self, node: &dyn Chain, rollup: Address, at: At) -> Result<Assertion, ReadError> {
        let l1 = self.chain.as_ref();
        let hash = l1.storage(rollup, slot(116), at).await?;
        let entry = U256::from_be_bytes(l1.storage(rollup, mapping_slot(hash, 117), at).await?.0);
        let created = ((entry >> 128_usize) & U256::from(u64::MAX)).to::<u64>();
        let topics = vec![AssertionCreated::SIGNATURE_HASH];
        let query = LogQuery { from: created, to: created, addresses: vec![rollup], topics };
        let logs = l1.logs(query).await?;
        let found = logs.iter().find(|log| log.topics.get(1) == Some(&hash));
        let log = found.ok_or_else(|| garbage(format!("L1 block {created} created no assertion {hash}")))?;
        let event = AssertionCreated::decode_raw_log(log.topics.iter().copied(), &log.data)
            .map_err(|error| garbage(format!("AssertionCreated in {}: {error}", log.tx_hash)))?;
        let AssertionState { globalState, machineStatus, endHistoryRoot } = event.assertion.afterState;
        let [block_hash, send_root] = globalState.bytes32Vals;
        let [batch, position_in_batch] = globalState.u64Vals;
        let Opened { rlp: header, .. } = open(node, At::Hash(block_hash)).await?;
        Ok(Assertion {
            parent: event.parentAssertionHash,
            block_hash,
            send_root,
            batch,
            position_in_batch,
            machine_status: machineStatus,
            end_history_root: endHistoryRoot,
            inbox_accumulator: event.afterInboxBatchAcc,
            header,
        })
    }

    pub(super) async fn below(
        &self,
        chain_id: ChainId,
        from: BlockRef,
        number: u64,
    ) -> Result<BlockRef, ReadError> {
        let member = self.members.get(chain_id);
        let node = member.and_then(|member| self.nodes.as_ref()?.node(&member));
        let node =
            node.ok_or(ReadError::Missing { method: "block", what: format!("a node of chain {chain_id}") })?;
        if from.number.checked_sub(number).is_none_or(|steps| steps > WALK_MAX) {
            return Err(garbage(format!("block {number} is not below {from}, or too far")));
        }
        let mut block = from;
        while block.number > number {
            let opened = open(node.as_ref(), At::Hash(block.hash)).await?;
            if opened.block != block {
                return Err(garbage(format!("asked for {block}, got {}", opened.block)));
            }
            block = BlockRef { number: block.number - 1, hash: opened.header.parent_hash };
        }
        Ok(block)
    }
}

/// A block's header, hashed here.
async fn open(node: &dyn Chain, at: At) -> Result<Opened, ReadError> {
    let missing = || ReadError::Missing { method: "block", what: format!("block {at:?}") };
    let raw = node.block(at).await?.ok_or_else(missing)?;
    let bad = |error: alloy_rlp::Error| garbage(format!("block {at:?}: {error}"));
    let mut rest = raw.rlp.as_ref();
    alloy_rlp::Header::decode(&mut rest).map_err(bad)?;
    let whole = rest;
    let header = Header::decode(&mut rest).map_err(bad)?;
    let rlp = Bytes::copy_from_slice(whole.get(..whole.len() - rest.len()).unwrap_or_default());
    Ok(Opened { block: BlockRef { number: header.number, hash: keccak256(&rlp) }, header, rlp })
}

async fn call_of<C: SolCall>(
    chain: &dyn Chain,
    to: Address,
    call: &C,
    at: At,
) -> Result<C::Return, ReadError> {
    let answer = chain.call(to, call.abi_encode().into(), at).await?;
    C::abi_decode_returns_validate(&answer).map_err(|error| garbage(format!("{to}: {error}")))
}

fn garbage(detail: String) -> ReadError {
    ReadError::Garbage { method: "settled", detail }
}

#[cfg(test)]
mod tests;
