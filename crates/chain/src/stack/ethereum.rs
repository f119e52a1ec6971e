//! Ethereum's own rules: the rollups that Hum launches, and any node of the Ethereum family.

use super::{Binding, Heads, Registrar, Settlement, Stack, StackBlock, StackError, StackKind, check, wire};
use crate::{Chain, ReadError, rpc::RpcChain};
use futures::future::{BoxFuture, FutureExt};

/// Transaction types up to EIP-7702.
const KIND_MAX: u8 = 4;

/// The adapter. It has no contracts on L1 of its own: Safe and Finalized come from Hum's own batches, and a
/// registration is authorised by the registry's rule alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ethereum;

impl Stack for Ethereum {
    fn kind(&self) -> StackKind {
        StackKind::Ethereum
    }

    fn block(&self, json: &wire::Block) -> Result<StackBlock, StackError> {
        check::block(StackKind::Ethereum, json, |kind| kind <= KIND_MAX)
    }

    fn receipts(&self, block: &StackBlock, receipts: &[wire::Receipt]) -> Result<(), StackError> {
        debug_assert!(matches!(block.binding, Binding::Contents { .. }));
        check::receipts(block, receipts)
    }

    fn heads<'a>(&'a self, node: &'a RpcChain) -> BoxFuture<'a, Result<Heads, ReadError>> {
        super::tagged_heads(node).boxed()
    }

    fn registrar<'a>(&'a self, _l1: &'a dyn Chain) -> BoxFuture<'a, Result<Registrar, ReadError>> {
        async { Ok(Registrar::Registry) }.boxed()
    }

    fn settlement(&self) -> Option<&dyn Settlement> {
        None
    }
}
