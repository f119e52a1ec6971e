//! Run the fuzzer for as long as asked: `--of evidence|batch`, `--seconds N`, `--seed N`, `--write-corpus`.

use hum_fuzz::{Batches, Target, batch_seeds, committees, corpus, corpus_dir, domain, run, seeds};
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
    let (mut seconds, mut seed, mut of) = (60, 0, "evidence".to_owned());
    while let Some(argument) = arguments.next() {
        if argument == "--of" {
            of = arguments.next().unwrap_or_default();
            continue;
        }
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
    let inputs = corpus(&of).map_err(|error| format!("corpus {of:?}: {error}"))?;
    let inputs = inputs.into_iter().map(|(_, input)| input).collect();
    let (since, length) = (Instant::now(), Duration::from_secs(seconds));
    let goes_on = |_| since.elapsed() < length;
    let ran = match of.as_str() {
        "evidence" => run(&mut Target::new(committees(), domain(), CHECKS), inputs, seed, goes_on),
        "batch" => run(&mut Batches, inputs, seed, goes_on),
        _ => return Err(format!("no target is called {of:?}")),
    };
    match ran {
        Ok(ran) => Ok(format!("{ran:?}: every property held")),
        Err(broken) => {
            let hex: String = broken.input.iter().map(|byte| format!("{byte:02x}")).collect();
            Err(format!("{}: {hex}", broken.what))
        }
    }
}

fn write_corpus() -> Result<String, String> {
    let mut written = 0;
    for (of, seeds) in [("evidence", seeds()), ("batch", batch_seeds())] {
        std::fs::create_dir_all(corpus_dir(of)).map_err(|error| error.to_string())?;
        for (name, input) in &seeds {
            std::fs::write(corpus_dir(of).join(name), input).map_err(|error| error.to_string())?;
            written += 1;
        }
    }
    Ok(format!("{written} inputs written"))
}
