//! The planner, the certified chain and the real contracts together, in memory.

mod deliveries;
mod epochs;
mod evm;
pub(crate) mod network;
mod settled;
mod vectors;
