//! Feed decoders with bytes that nobody wrote, and hold them to their properties.
//!
//! ```text
//! corpus, seeds ─▶ mutate ─▶ Fuzzed::one ─(a decoder got farther than ever)─▶ more to mutate
//! ```

mod batch;
mod mutate;
mod seeds;
mod target;

pub use batch::{Batches, batch_seeds};
pub use mutate::Random;
pub use seeds::{committees, domain, liars, seeds};
pub use target::{Broken, End, Target};

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Inputs that are kept for mutation at most.
const INPUTS_MAX: usize = 4_096;
/// Bytes of the longest input that is tried: a roster with all seats.
const INPUT_BYTES_MAX: usize = 1 << 17;

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ran {
    /// Inputs tried.
    pub inputs: u64,
    /// Inputs that decoded.
    pub decoded: u64,
    /// Different ways in which decoders ended.
    pub ends: usize,
}

/// Decoders with properties that hold for any bytes.
pub trait Fuzzed {
    /// Try one input.
    fn one(&mut self, input: &[u8]) -> Result<End, Broken>;
}

/// The corpus `of` something (`evidence`, `batch`) that is committed beside this crate.
#[must_use]
pub fn corpus_dir(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(of)
}

/// Inputs of a committed corpus, by name.
pub fn corpus(of: &str) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut inputs = Vec::new();
    for entry in std::fs::read_dir(corpus_dir(of))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        inputs.push((name, std::fs::read(&path)?));
    }
    inputs.sort();
    Ok(inputs)
}

/// Try inputs while `goes_on` says so, given how many were tried. The same seed and corpus give the same run.
pub fn run(
    target: &mut impl Fuzzed,
    corpus: Vec<Vec<u8>>,
    seed: u64,
    mut goes_on: impl FnMut(u64) -> bool,
) -> Result<Ran, Broken> {
    let mut random = Random::new(seed);
    let (mut inputs, mut ends) = (Vec::new(), BTreeSet::new());
    let mut ran = Ran { inputs: 0, decoded: 0, ends: 0 };
    let mut fresh = corpus;
    fresh.reverse();
    while goes_on(ran.inputs) {
        let input = fresh.pop().unwrap_or_else(|| random.mutant(&inputs, INPUT_BYTES_MAX));
        let end = target.one(&input)?;
        ran.inputs += 1;
        ran.decoded += u64::from(end.decoded);
        if ends.insert(end) && inputs.len() < INPUTS_MAX {
            inputs.push(input);
        }
        ran.ends = ends.len();
    }
    Ok(ran)
}
