//! `hum block verify`.

use crate::output;
use eyre::{WrapErr as _, bail};
use flate2::read::GzDecoder;
use hum_verify::{Limits, Verdict, Verifier, file::BlockFile};
use serde::Serialize;
use std::{fs::File, io::Read as _, path::Path, process::ExitCode, time::Instant};

/// Bytes of JSON that are read, unpacked: a block file of a full mainnet block has about 30 MB.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// How gzip begins (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

#[derive(Debug, Serialize)]
struct Answer {
    verdict: &'static str,
    reason: Option<String>,
    block: u64,
    hash: String,
    gas: Option<u64>,
    ms: f64,
    mgas_per_s: Option<f64>,
}

/// Judge the block in `path`.
pub(crate) fn verify(path: &Path, json: bool) -> eyre::Result<ExitCode> {
    let file = load(path)?;
    let verifier = Verifier::new(file.spec, Vec::new(), Limits::default());
    let start = Instant::now();
    let verdict = verifier.verify(&file.parent, file.claimed, &file.block, &file.witness);
    let ms = start.elapsed().as_secs_f64() * 1e3;
    let (name, reason, gas, code) = match verdict {
        Verdict::Valid(summary) => ("Valid", None, Some(summary.header.header().gas_used), 0),
        Verdict::Invalid(reason) => ("Invalid", Some(reason.to_string()), None, 1),
        Verdict::Undecided(missing) => ("Undecided", Some(missing.to_string()), None, 2),
    };
    let answer = Answer {
        verdict: name,
        reason,
        block: file.parent.block().number + 1,
        hash: file.claimed.to_string(),
        gas,
        ms,
        mgas_per_s: gas.map(|gas| gas as f64 / ms / 1e3),
    };
    if json {
        output::json(&answer)?;
    } else {
        print(&answer);
    }
    Ok(ExitCode::from(code))
}

/// A block and its evidence from a file of JSON, plain or with gzip.
pub(crate) fn load(path: &Path) -> eyre::Result<BlockFile> {
    BlockFile::parse(&read(path)?)
        .wrap_err_with(|| format!("{} holds no block that can be judged", path.display()))
}

fn print(answer: &Answer) {
    println!("block {} {}", answer.block, answer.hash);
    match (&answer.reason, answer.gas, answer.mgas_per_s) {
        (Some(reason), ..) => println!("{}: {reason}", answer.verdict),
        (None, Some(gas), Some(speed)) => {
            println!("{}: {gas} gas in {:.1} ms, {speed:.0} Mgas/s", answer.verdict, answer.ms);
        }
        _ => println!("{}", answer.verdict),
    }
}

fn read(path: &Path) -> eyre::Result<String> {
    let open = || File::open(path).wrap_err_with(|| format!("cannot read {}", path.display()));
    let mut magic = [0; 2];
    let zipped = open()?.read_exact(&mut magic).is_ok() && magic == GZIP_MAGIC;
    let mut text = String::new();
    let read = if zipped {
        GzDecoder::new(open()?).take(FILE_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        open()?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)
    };
    let bytes = read.wrap_err_with(|| format!("{} is not text, plain or with gzip", path.display()))?;
    if bytes as u64 > FILE_BYTES_MAX {
        bail!("{} has more than {FILE_BYTES_MAX} bytes; a block file is much smaller", path.display());
    }
    Ok(text)
}
