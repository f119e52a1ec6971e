//! Safe and Finalized heads as our own L1 node shows them: what we propose, and what we vote for and attest.
//!
//! ```text
//! L1 node ◀─poll─ settlement ─▶ Track: what each rollup posted, in one unbroken line from its anchor
//!                                 ├▶ proposal: the newest that our certified chain holds too
//!                                 ├▶ vote, attestation: whether our L1 has it where the proposal says
//!                                 └▶ where final data contradict the certified chain: it is cut back to where they part
//! ```
//!
//! Invariants: nothing is said of an L1 block that our node does not call safe (final, for `Finalized`); `false` only when
//! our chain has another block there, or does not hold what is proposed.

mod actor;
mod line;
mod proven;
mod track;
mod view;

pub(crate) use actor::Actor;
pub(crate) use view::Settling;
