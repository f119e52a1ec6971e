//! A sequencer that signs whatever it likes: the key is its own.

use super::{
    DemoError,
    scene::{Scene, Site},
};
use hum_chain::{Chain as _, RawWitness, rpc::RpcChain};
use hum_node::wire::{PublisherMessage, Submission};
use hum_types::{B256, BlockRef, Bytes, Domain, Generation, HeadClaim, Retraction, SequencerKey};
use hum_verify::dialect::parse_witness;

/// A rollup's sequencer without its desk.
pub(super) struct Sequencer {
    key: SequencerKey,
    domain: Domain,
    template: HeadClaim,
}

impl Sequencer {
    /// Sign with `secret` in the name of a rollup, whether it is that rollup's or not.
    pub(super) fn new(scene: &Scene, site: &Site, secret: B256) -> Result<Self, DemoError> {
        let key = SequencerKey::from_secret(secret).ok_or_else(|| DemoError::Role {
            what: format!("sign for {}", site.name),
            problem: "the secret is no key".to_owned(),
        })?;
        let block = BlockRef { number: 0, hash: B256::ZERO };
        let (chain_id, registration) = (site.chain_id, site.registration);
        let template = HeadClaim { chain_id, registration, generation: Generation(0), block };
        Ok(Self { key, domain: scene.checked.domain, template })
    }

    /// A claim for `block`, with the bytes that are said to be that block.
    pub(super) fn claim(
        &self,
        generation: Generation,
        block: BlockRef,
        bytes: Bytes,
        witness: Bytes,
    ) -> PublisherMessage {
        let claim = HeadClaim { generation, block, ..self.template };
        PublisherMessage::Submit(Submission {
            claim: claim.sign(self.domain, &self.key),
            block: bytes,
            witness,
        })
    }

    /// Take back everything above `kept`.
    pub(super) fn retract(&self, generation: Generation, kept: BlockRef) -> PublisherMessage {
        let HeadClaim { chain_id, registration, .. } = self.template;
        let retraction = Retraction { chain_id, registration, generation, kept };
        PublisherMessage::Retract(retraction.sign(self.domain, &self.key))
    }
}

/// A block's witness, as publishers send it.
pub(crate) async fn witness(name: &str, reader: &RpcChain, block: BlockRef) -> Result<Bytes, DemoError> {
    let raw =
        reader.witness(block).await.map_err(|source| DemoError::Read { name: name.to_owned(), source })?;
    let failed = |problem: String| DemoError::Role {
        what: format!("read the witness of block {}", block.number),
        problem,
    };
    match raw {
        RawWitness::Encoded(bytes) => Ok(bytes),
        RawWitness::Json(text) => {
            let text = std::str::from_utf8(&text).map_err(|error| failed(error.to_string()))?;
            let witness = parse_witness(text).map_err(|error| failed(error.to_string()))?;
            Ok(witness.encode().into())
        }
    }
}
