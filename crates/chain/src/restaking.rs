//! Restaking on L1: EigenLayer's core as far as we call it, our service manager, and committees as they were selected.
//!
//! ```text
//! Chain ─▶ Reader ──▶ Snapshot (record, roster)   the committee at an L1 block, its table rebuilt and compared
//!             ├─────▶ Registered                  whoever may connect
//!             └─────▶ OperatorView                everything that L1 knows of one operator
//! ```
//!
//! Nothing is sent from here. What an answer can be held against, it is held against: a roster must give the table that the
//! service manager has stored, and keys must be proven. A node that invents both cannot be told from L1 itself.
//! Every core from v1.3 to v1.12 has the calls that are needed. What newer ones have beside is asked to be shown: [`CoreRules`].

mod bindings;
mod operator;
mod reader;

pub use bindings::{
    IAllocationManager, IDelegationManager, IErc20, INewerAllocationManager, IServiceManager, IStrategy,
    IStrategyManager, explain_revert,
};
pub use operator::{Allocation, BlsRegistration, CoreRules, OperatorView, StrategyView};
pub use reader::{Reader, Registered, Snapshot, SnapshotRecord, domain_of, holder_of};

use crate::{Disposition, ReadError};
use hum_types::{Address, B256};
use serde::{Deserialize, Serialize};

/// Where EigenLayer's core and our service manager stand on L1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contracts {
    /// Our AVS: registrar, keys, committees, sole slasher.
    pub service_manager: Address,
    /// EigenLayer: operator sets and slashable stake.
    pub allocation_manager: Address,
    /// EigenLayer: operators and delegated shares.
    pub delegation_manager: Address,
    /// EigenLayer: deposits.
    pub strategy_manager: Address,
    /// Strategies whose stake counts, ascending.
    pub strategies: Vec<Address>,
}

/// Why L1 did not tell what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestakingError {
    /// The node could not be asked, or said no.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An answer is not what the function returns: no contract of ours at that address, or the node lies.
    #[error("{function} of {contract}: unreadable answer: {detail}")]
    Answer {
        /// What was called.
        function: &'static str,
        /// Where.
        contract: Address,
        /// What is wrong with the answer.
        detail: String,
    },
    /// The snapshot's event is not where the record says.
    #[error("L1 block {l1_block} has no event of snapshot {index} that agrees with its record: {detail}")]
    Event {
        /// Which snapshot.
        index: u64,
        /// The block that the record names.
        l1_block: u64,
        /// What is missing or differs.
        detail: String,
    },
    /// A member's key does not decode, or is not proven.
    #[error("key of {operator} as L1 shows it is none: {detail}")]
    Key {
        /// The operator.
        operator: Address,
        /// What is wrong.
        detail: String,
    },
    /// The roster gives another table than the one that was stored.
    #[error("snapshot {index} has table {declared}, what L1 shows of its seats gives {computed}")]
    Table {
        /// Which snapshot.
        index: u64,
        /// As stored.
        declared: B256,
        /// From keys and stakes.
        computed: B256,
    },
}

impl RestakingError {
    /// What to do about it.
    #[must_use]
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Read(error) => error.disposition(),
            Self::Answer { .. } | Self::Event { .. } | Self::Key { .. } | Self::Table { .. } => {
                Disposition::Distrust
            }
        }
    }
}

#[cfg(test)]
mod tests;
