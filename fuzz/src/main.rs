//! Run the fuzzer for as long as asked: `--seconds N`, `--seed N`, `--write-corpus`.

use hum_fuzz::{Target, committees, corpus, corpus_dir, domain, run, seeds};
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

/// Evidence that is held against keys in one run.
const CHECKS: u64 = 1 << 20;

fn main() -> ExitCode {
    match fuzz(std::env::args().skip(1)) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("hum-fuzz: {why}");
            ExitCode::FAILURE
        }
    }
}

fn fuzz(mut arguments: impl Iterator<Item = String>) -> Result<String, String> {
    let (mut seconds, mut seed) = (60, 0);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments.next().and_then(|value| value.parse::<u64>().ok());
            value.ok_or_else(|| format!("{argument} needs a number"))
        };
        match argument.as_str() {
            "--seconds" => seconds = number()?,
            "--seed" => seed = number()?,
            "--write-corpus" => return write_corpus(),
            _ => return Err(format!("unknown option {argument}")),
        }
    }
    let inputs = corpus().map_err(|error| error.to_string())?;
    let inputs = inputs.into_iter().map(|(_, input)| input).collect();
    let mut target = Target::new(committees(), domain(), CHECKS);
    let (since, length) = (Instant::now(), Duration::from_secs(seconds));
    match run(&mut target, inputs, seed, |_| since.elapsed() < length) {
        Ok(ran) => Ok(format!("{ran:?}: every property held")),
        Err(broken) => {
            let hex: String = broken.input.iter().map(|byte| format!("{byte:02x}")).collect();
            Err(format!("{}: {hex}", broken.what))
        }
    }
}

fn write_corpus() -> Result<String, String> {
    let seeds = seeds();
    for (name, input) in &seeds {
        std::fs::write(corpus_dir().join(name), input).map_err(|error| error.to_string())?;
    }
    Ok(format!("{} inputs written", seeds.len()))
}
