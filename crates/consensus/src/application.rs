//! What the operator logic implements to be driven by consensus.

use crate::{Committee, Digest, PublicKey, Recalling};
use bytes::Bytes;
use futures::future::BoxFuture;

/// A place in the chain that is to be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Height of the block to propose; the genesis is height 0 and carries nothing.
    pub height: u64,
    /// View in which this node leads: the term above, Simplex's view in the lower 32 bits, so that it rises for ever.
    pub view: u64,
    /// Digest of the block below.
    pub parent: Digest,
}

/// A consensus block as the application sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// Names the block; commits to everything below, the leader's context and the payload.
    pub digest: Digest,
    /// Digest of the block below.
    pub parent: Digest,
    /// One more than the parent's height; the first payload has height 1.
    pub height: u64,
    /// View in which it was proposed, as in [`Slot::view`].
    pub view: u64,
    /// The operator that proposed it, and that therefore holds its data.
    pub proposer: PublicKey,
    /// What was ordered, at most [`crate::MAX_PAYLOAD`] bytes.
    pub payload: Bytes,
}

/// How a signer contradicted itself in one view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Two different proposals notarized.
    ConflictingNotarize,
    /// Two different proposals finalised.
    ConflictingFinalize,
    /// Nullified and finalised.
    NullifyFinalize,
}

/// Two contradicting votes of one operator, with both signatures already verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which contradiction.
    pub kind: FaultKind,
    /// Who signed both.
    pub signer: PublicKey,
    /// The view of both votes, as in [`Slot::view`].
    pub view: u64,
    /// Both votes in Commonware's encoding of its `Activity`.
    pub evidence: Bytes,
}

/// The operator logic behind consensus.
///
/// Every future may be dropped at any `await`: when a view ends, whatever was asked for it is cancelled. `ancestors`
/// are the payloads between the parent and the nearest block that [`Application::known`] accepts, oldest first, both
/// ends as stated: the parent is included unless known, the known one is not.
pub trait Application: Send + Sync + 'static {
    /// Called when this node leads. The application paces itself here: it stays pending until something is worth
    /// proposing, but less long than [`crate::Tuning::longest_silence_ms`]; a leader that is later than
    /// [`crate::Tuning::leader_timeout_ms`] is taken for dead. `None` passes the turn on at once.
    fn propose(&self, slot: Slot, ancestors: Vec<Ordered>) -> BoxFuture<'static, Option<Bytes>>;

    /// `true`: valid. `false`: permanently invalid. Stay pending while data are missing; the view's deadline ends the
    /// wait. Runs while the first vote is already under way, and must end before the vote to finalise.
    fn verify(&self, ancestors: Vec<Ordered>, block: Ordered) -> BoxFuture<'static, bool>;

    /// Whether the state after this block is at hand, so that its ancestors need not be handed over. The genesis is
    /// never asked for.
    fn known(&self, digest: &Digest) -> bool;

    /// In order, without gaps, at least once, one at a time. When the future resolves the block is acknowledged and
    /// need not come again after a restart: whatever must survive has to be on disk by then.
    fn finalized(&self, block: Ordered) -> BoxFuture<'static, ()>;

    /// Resolves when the committee of that term is known and its engine may start: at once for term 0 (the genesis'
    /// seats), otherwise not before the closing height of the term before was finalised here. Until it resolves the chain
    /// waits, and the engine of the term before goes on serving peers. A term that has begun must get the same answer for
    /// ever. Asked for in order, once each; after a restart from the term of the last height that
    /// [`Application::finalized`] finished, which must then resolve without any height being delivered first.
    fn term(&self, term: u64) -> BoxFuture<'static, Committee>;

    /// Verified evidence that an operator contradicted itself. The engine cuts such a peer off after the first piece,
    /// so it is worth keeping.
    fn fault(&self, _fault: Fault) {}

    /// Where this operator stands with votes that its key may have cast before the process began.
    fn recalling(&self, _where: Recalling) {}
}
