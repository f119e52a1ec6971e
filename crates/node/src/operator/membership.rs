//! Who joins and who leaves as our own L1 node shows it: what we propose, and what we vote for and attest.
//!
//! ```text
//! L1 node ◀─poll─ membership ─▶ Register: what each registration has come to, by final L1 blocks
//!                                 ├▶ proposal: joins and leaves that L1 has and the ledger has not
//!                                 └▶ vote, attestation: whether our L1 has it where the proposal says
//! ```
//!
//! Invariants: nothing is said of an L1 block that our node has not finalised; a rollup is voted in or out only when our own L1
//! says so; a profile that cannot be read stops nothing.

mod actor;
mod register;
mod view;

pub(crate) use actor::Actor;
pub(crate) use view::Membership;
