//! What judging a block costs beyond executing it.
//!
//! Both sides execute with the same revm and the same precompiles. The plain side finds accounts, slots and code in a
//! cache; the judged side finds them in the witness, checks the block's every root, and computes the state root after it.
//! Senders are recovered before both and measured apart.

use hum_verify::{Limits, Verdict, Verifier, bench::Prepared, file::BlockFile};
use serde::Serialize;
use std::time::Instant;

/// Figures of one block. Times are the least of all rounds, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockFigures {
    /// What its transactions do, or where it comes from.
    pub kind: String,
    /// Gas used.
    pub gas: u64,
    /// Size of its witness.
    pub witness_bytes: usize,
    /// From bytes to verdict, without senders.
    pub verify_ms: f64,
    /// Execution alone.
    pub plain_revm_ms: f64,
    /// `verify_ms` over `plain_revm_ms`.
    pub ratio: f64,
    /// Recovery of all senders, on all cores.
    pub senders_ms: f64,
    /// Millions of gas in a second, from bytes to verdict, senders included.
    pub mgas_per_s: f64,
}

/// The block is not `Valid`, so that there is nothing to compare.
#[derive(Debug, thiserror::Error)]
#[error("{kind}: the verdict is {verdict}")]
pub struct NotValid {
    /// The block's kind.
    pub kind: String,
    /// What was said of it.
    pub verdict: String,
}

/// Judge and execute the block `rounds` times each, in turn.
pub fn measure(kind: String, file: &BlockFile, rounds: u32) -> Result<BlockFigures, NotValid> {
    let verifier = Verifier::new(file.spec.clone(), Vec::new(), Limits::default());
    let prepared = Prepared::new(&verifier, &file.parent, file.claimed, &file.block, &file.witness)
        .map_err(|verdict| NotValid { kind: kind.clone(), verdict: words(&verdict) })?;
    let (mut verify_ms, mut plain_revm_ms, mut senders_ms) = (f64::MAX, f64::MAX, f64::MAX);
    for _ in 0..rounds {
        verify_ms = verify_ms.min(time(|| matches!(prepared.verify(), Verdict::Valid(_))));
        plain_revm_ms = plain_revm_ms.min(time(|| prepared.plain() == prepared.gas_used()));
        senders_ms = senders_ms.min(time(|| prepared.recover_senders() > 0));
    }
    Ok(BlockFigures {
        kind,
        gas: prepared.gas_used(),
        witness_bytes: file.witness.byte_len(),
        verify_ms,
        plain_revm_ms,
        ratio: verify_ms / plain_revm_ms,
        senders_ms,
        mgas_per_s: prepared.gas_used() as f64 / (verify_ms + senders_ms) / 1e3,
    })
}

fn words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Valid(_) => "Valid".to_owned(),
        Verdict::Invalid(reason) => format!("Invalid: {reason}"),
        Verdict::Undecided(missing) => format!("Undecided: {missing}"),
    }
}

/// Milliseconds that `run` took; infinite when it did not do what it should.
fn time(run: impl FnOnce() -> bool) -> f64 {
    let start = Instant::now();
    let done = std::hint::black_box(run());
    if done { start.elapsed().as_secs_f64() * 1e3 } else { f64::INFINITY }
}
