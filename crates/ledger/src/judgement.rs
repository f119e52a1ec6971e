//! Blocks that nobody re-executes: two thirds of their rollup's judging stake must have signed for each.

use crate::{Refusal, Rollup, RollupParams, SeatedRoster, rollup::Claims};
use hum_bls::{Bundle, Judges};
use hum_types::{
    Advance, AdvancedBlock, B256, Class, Domain, Generation, JUDGES_MAX, Judgement, messages_hash,
};

impl RollupParams {
    /// Whether judges are named exactly where there have to be any.
    pub fn check_judges(&self) -> Result<(), Refusal> {
        let fits = match self.class {
            Class::Reexecuted => self.judges.is_empty(),
            Class::OwnNode => {
                (1..=JUDGES_MAX).contains(&self.judges.len())
                    && self.judges.windows(2).all(|pair| pair[0] < pair[1])
            }
        };
        if fits {
            return Ok(());
        }
        let (class, judges, most) = (self.class, self.judges.len(), JUDGES_MAX);
        Err(Refusal::Judges { chain_id: self.chain_id, class, judges, most })
    }

    /// What judges sign about a block on `parent` when they see it as this body does.
    #[must_use]
    pub fn judgement(&self, generation: Generation, parent: B256, block: &AdvancedBlock) -> Judgement {
        Judgement {
            chain_id: self.chain_id,
            registration: self.registration,
            generation,
            block: block.block,
            parent,
            state_root: block.state_root,
            time_ms: block.time_ms,
            messages: messages_hash(&block.messages),
        }
    }
}

impl Rollup {
    /// The judges of the rollup that have a seat.
    #[must_use]
    pub fn judges(&self, seated: &SeatedRoster) -> Judges {
        Judges::new(seated.committee().clone(), &self.params.judges)
    }

    /// Check that each block of an advance has the signatures that its rollup's class asks for.
    pub(crate) fn check_judgements(
        &self,
        domain: Domain,
        seated: &SeatedRoster,
        advance: &Advance,
        claims: Claims,
    ) -> Result<(), Refusal> {
        let chain_id = self.params.chain_id;
        let (blocks, declared) = (advance.blocks.len(), advance.judgements.len());
        let expected = if self.params.class == Class::OwnNode { blocks } else { 0 };
        if declared != expected {
            return Err(Refusal::Judgements { chain_id, blocks, declared, expected });
        }
        if claims == Claims::Overlooked || expected == 0 {
            return Ok(());
        }
        let judges = self.judges(seated);
        let mut parent = self.head().block.hash;
        for (block, bundle) in advance.blocks.iter().zip(&advance.judgements) {
            let number = block.block.number;
            let judgement = self.params.judgement(self.generation, parent, block);
            Bundle::try_from(bundle)
                .and_then(|bundle| judges.check(domain, &judgement, &bundle))
                .map_err(|source| Refusal::Judgement { chain_id, number, source })?;
            parent = block.block.hash;
        }
        Ok(())
    }
}
