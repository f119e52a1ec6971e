//! The OP Stack's settled head: the anchor that its dispute games have left on L1.
//!
//! | what | where (ethereum-optimism/optimism `packages/contracts-bedrock/snapshots/storageLayout`) |
//! |---|---|
//! | `AnchorStateRegistry.disputeGameFactory` | slot 1 |
//! | `AnchorStateRegistry.anchorGame` | slot 2; zero while the starting anchor holds |
//! | `AnchorStateRegistry.startingAnchorRoot` | slot 3 root, slot 4 L2 block number |
//! | `DisputeGameFactory._disputeGames[uuid]` | mapping at slot 103; `gameType << 224 | timestamp << 160 | game` |
//! | `FaultDisputeGame.status` | slot 0, byte 16; 2 = the defender wins |
//!
//! `uuid = keccak256(abi.encode(gameType, rootClaim, extraData))`, and the extra data is the L2 block number. The
//! registry takes a game as its anchor only after it is resolved for the claim, past the air gap, of the respected
//! type, neither retired nor blacklisted. The output root is that of specs.optimism.io, "Proposals", version 0.

use crate::{
    At, Chain, ReadError,
    stack::{
        Opening, Settled, Settlement, SettlementError, SlotQuery, l1_address,
        settlement::{ProvenL1, address, holds, mapping_slot, slot},
    },
};
use alloy_primitives::U256;
use alloy_sol_types::SolValue;
use hum_types::{Address, B256, BlockRef, Bytes, keccak256};

mod layout {
    pub(super) const REGISTRY_FACTORY: u64 = 1;
    pub(super) const REGISTRY_ANCHOR_GAME: u64 = 2;
    pub(super) const REGISTRY_STARTING_ROOT: u64 = 3;
    pub(super) const REGISTRY_STARTING_NUMBER: u64 = 4;
    pub(super) const FACTORY_GAMES: u64 = 103;
    pub(super) const GAME_STATE: u64 = 0;
    /// Bit at which the status stands.
    pub(super) const GAME_STATUS_SHIFT: usize = 16 * 8;
}

const DEFENDER_WINS: u64 = 2;

const UNPROVEN: &[&str] = &[
    "the claim: what nobody disputed in time is taken for true, and the guardian could have blacklisted it",
    "the contracts: their proxies' owner may replace them",
];

/// A chain's contracts on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpContracts {
    /// Settings, owner and signer of blocks.
    pub system_config: Address,
    /// The anchor.
    pub anchor_registry: Address,
    /// The games.
    pub game_factory: Address,
}

impl OpContracts {
    /// Follow the contracts from the chain's `SystemConfig`, whose address op-node gives.
    pub async fn discover(l1: &dyn Chain, system_config: Address) -> Result<Self, ReadError> {
        let portal = l1_address(l1, system_config, "optimismPortal()", At::LATEST).await?;
        Ok(Self {
            system_config,
            anchor_registry: l1_address(l1, portal, "anchorStateRegistry()", At::LATEST).await?,
            game_factory: l1_address(l1, portal, "disputeGameFactory()", At::LATEST).await?,
        })
    }
}

/// What an output root opens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputProposal {
    /// All zero for version 0.
    pub version: B256,
    /// The block's state root.
    pub state_root: B256,
    /// Storage root of the message passer.
    pub message_passer_root: B256,
    /// The block's hash.
    pub block_hash: B256,
}

/// The anchor's opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorGame {
    /// The game; `None` while the starting anchor holds.
    pub game: Option<Address>,
    /// The game's type.
    pub game_type: u32,
    /// The L2 block.
    pub l2_block_number: u64,
    /// The output.
    pub output: OutputProposal,
}

impl AnchorGame {
    fn uuid(&self) -> B256 {
        let extra = Bytes::from(U256::from(self.l2_block_number).to_be_bytes::<32>().to_vec());
        keccak256((self.game_type, self.output.root(), extra).abi_encode_params())
    }

    fn of(opening: &Opening) -> Result<&Self, SettlementError> {
        match opening {
            Opening::Anchor(anchor) => Ok(anchor),
            _ => Err(SettlementError::Stack { expected: "op-stack" }),
        }
    }
}

impl Settlement for OpContracts {
    fn slots(&self, opening: &Opening) -> Result<Vec<SlotQuery>, SettlementError> {
        let anchor = AnchorGame::of(opening)?;
        let mut registry = vec![slot(layout::REGISTRY_FACTORY), slot(layout::REGISTRY_ANCHOR_GAME)];
        let Some(game) = anchor.game else {
            registry.extend([slot(layout::REGISTRY_STARTING_ROOT), slot(layout::REGISTRY_STARTING_NUMBER)]);
            return Ok(vec![SlotQuery { account: self.anchor_registry, slots: registry }]);
        };
        let entry = mapping_slot(anchor.uuid(), layout::FACTORY_GAMES);
        Ok(vec![
            SlotQuery { account: self.anchor_registry, slots: registry },
            SlotQuery { account: self.game_factory, slots: vec![entry] },
            SlotQuery { account: game, slots: vec![slot(layout::GAME_STATE)] },
        ])
    }

    fn settled(&self, opening: &Opening, l1: &ProvenL1) -> Result<Settled, SettlementError> {
        let anchor = AnchorGame::of(opening)?;
        let registry = self.anchor_registry;
        let factory = address(l1.slot(registry, slot(layout::REGISTRY_FACTORY))?);
        holds("dispute game factory", factory, self.game_factory)?;
        let held = address(l1.slot(registry, slot(layout::REGISTRY_ANCHOR_GAME))?);
        holds("anchor game", held, anchor.game.unwrap_or_default())?;
        match anchor.game {
            None => {
                let root = B256::from(l1.slot(registry, slot(layout::REGISTRY_STARTING_ROOT))?);
                holds("starting anchor root", root, anchor.output.root())?;
                let number = l1.slot(registry, slot(layout::REGISTRY_STARTING_NUMBER))?;
                holds("starting anchor block", number, U256::from(anchor.l2_block_number))?;
            }
            Some(game) => {
                let id = l1.slot(self.game_factory, mapping_slot(anchor.uuid(), layout::FACTORY_GAMES))?;
                holds("game of the claim", address(id), game)?;
                holds("type of the game", id >> 224, U256::from(anchor.game_type))?;
                let state = l1.slot(game, slot(layout::GAME_STATE))?;
                let found = ((state >> layout::GAME_STATUS_SHIFT) & U256::from(0xff)).to::<u64>();
                if found != DEFENDER_WINS {
                    let what = "the dispute game";
                    return Err(SettlementError::NotFinal { what, found, needed: DEFENDER_WINS });
                }
            }
        }
        if !anchor.output.version.is_zero() {
            return Err(SettlementError::Bounds { what: "output version" });
        }
        Ok(Settled {
            l1: l1.block(),
            head: Some(BlockRef { number: anchor.l2_block_number, hash: anchor.output.block_hash }),
            state_root: anchor.output.state_root,
            message_root: anchor.output.message_passer_root,
            batch: None,
            unproven: UNPROVEN,
        })
    }
}
