//! The consensus block: Simplex's context around an opaque payload.

use crate::{Digest, Ordered, PublicKey};
use bytes::Bytes;
use commonware_codec::{
    Buf, Encode as _, EncodeSize, Error, FixedSize as _, MaxEncodeSize as _, RangeCfg, Read, ReadExt as _,
    Write,
};
use commonware_consensus::{
    Block as ConsensusBlock, BoundedBlock, CertifiableBlock, Heightable,
    simplex::types::Context,
    types::{Epoch, Height, Round, View},
};
use commonware_cryptography::{Digest as _, Digested, Digestible, Hasher as _, Keccak256};
use commonware_runtime::BufMut;

/// Most bytes of one payload.
pub const MAX_PAYLOAD: usize = 2 << 20;

/// Widest length prefix of the codec.
const LENGTH_BYTES: usize = 5;

/// Where a block was proposed: round, leader, parent.
pub(crate) type BlockContext = Context<Digest, PublicKey>;

/// One block of the operators' chain. Its digest is keccak256 of its encoding and so commits to every field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) context: BlockContext,
    pub(crate) parent: Digest,
    pub(crate) height: Height,
    pub(crate) payload: Bytes,
}

impl Block {
    /// Height 0: carries the network's domain and its committee, so that two networks never share a chain.
    pub(crate) fn genesis(domain: &[u8; 32], operators: &[PublicKey], leader: PublicKey) -> Self {
        let mut payload = domain.to_vec();
        for operator in operators {
            payload.extend_from_slice(operator.as_ref());
        }
        Self {
            context: Context {
                round: Round::new(Epoch::zero(), View::zero()),
                leader,
                parent: (View::zero(), Digest::EMPTY),
            },
            parent: Digest::EMPTY,
            height: Height::zero(),
            payload: payload.into(),
        }
    }
}

/// A view's number that rises through all terms: the term above, Simplex's view below. No term has 2^32 views.
pub(crate) fn rising(round: Round) -> u64 {
    (round.epoch().get() << 32) | (round.view().get() & u64::from(u32::MAX))
}

/// The application's view of a block.
pub(crate) fn ordered(block: &Digested<Block>) -> Ordered {
    let digest = block.digest();
    let block = block.inner();
    Ordered {
        digest,
        parent: block.parent,
        height: block.height.get(),
        view: rising(block.context.round),
        proposer: block.context.leader.clone(),
        payload: block.payload.clone(),
    }
}

impl Write for Block {
    fn write(&self, buf: &mut impl BufMut) {
        self.context.write(buf);
        self.parent.write(buf);
        self.height.write(buf);
        self.payload.write(buf);
    }
}

impl EncodeSize for Block {
    fn encode_size(&self) -> usize {
        self.context.encode_size() + Digest::SIZE + self.height.encode_size() + self.payload.encode_size()
    }
}

impl Read for Block {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            context: BlockContext::read(buf)?,
            parent: Digest::read(buf)?,
            height: Height::read(buf)?,
            payload: Bytes::read_cfg(buf, &RangeCfg::from(..=MAX_PAYLOAD))?,
        })
    }
}

impl Digestible for Block {
    type Digest = Digest;

    fn digest(&self) -> Digest {
        Keccak256::hash(&[&self.encode()])
    }
}

impl Heightable for Block {
    fn height(&self) -> Height {
        self.height
    }
}

impl ConsensusBlock for Block {
    fn parent(&self) -> Digest {
        self.parent
    }
}

impl CertifiableBlock for Block {
    type Context = BlockContext;

    fn context(&self) -> BlockContext {
        self.context.clone()
    }
}

impl BoundedBlock for Block {
    fn max_encode_size(_: &()) -> usize {
        BlockContext::MAX_ENCODE_SIZE + Digest::SIZE + Height::MAX_ENCODE_SIZE + LENGTH_BYTES + MAX_PAYLOAD
    }
}
