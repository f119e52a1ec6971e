//! Embedded execution chains on real ports, for `hum up`, the demos and tests.
//!
//! It decides nothing about messages, checkpoints or certificates, and no operator needs it: everything else reaches these chains over
//! JSON-RPC, as it would reach any other node. A [`network::LocalNetwork`] starts the roles in processes of their own.
//!
//! ```text
//!  ChainConfig ──▶ DevChain ──┬── producer task: pool ─▶ block ─▶ head, safe, finalized
//!                             ├── controls: pause, produce_block, reorg, fork, forge_slot
//!                             └── Endpoint: JSON-RPC on 127.0.0.1, may be pointed at another chain
//!  lies: true block ─▶ block with one false header field
//! ```
//!
//! Invariants:
//! - one block at a time per chain: producer, `produce_block`, `reorg` and `fork` take the same turn;
//! - every block in the store executed correctly; false blocks exist only as bytes;
//! - what a chain started is gone after `shutdown`, or when it is dropped.
#![deny(missing_docs)]

pub mod chain;
pub mod demo;
mod endpoint;
pub mod following;
pub mod full_blocks;
pub mod lies;
pub mod network;
pub mod op;
pub mod replayed;
pub mod restaking;
pub mod sequencer;

pub use chain::{
    CREATE2_DEPLOYER, ChainConfig, DevChain, DevChainError, DroppedTransactions,
    POSTED_TRANSACTIONS_BYTES_MAX, Predeploy, Reorg, Replay,
};
pub use endpoint::{Endpoint, Target};
