//! What a process uses, as Linux tells it.

use std::{
    fs, io,
    time::{Duration, Instant},
};

/// Ticks of processor time in a second, as `/proc` counts them: the kernel's `USER_HZ`, 100 on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// Watches one process.
#[derive(Debug)]
pub(super) struct Meter {
    id: u32,
    start: Instant,
    ticks: u64,
    memory_bytes_max: u64,
}

/// What it used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) elapsed: Duration,
    ticks: u64,
    pub(super) memory_bytes_max: u64,
}

impl Used {
    /// Processor time over time.
    pub(super) fn cpu_cores(&self) -> f64 {
        self.ticks as f64 / TICKS_PER_SECOND / self.elapsed.as_secs_f64()
    }
}

impl Meter {
    pub(super) fn start(id: u32) -> io::Result<Self> {
        let mut meter = Self { id, start: Instant::now(), ticks: ticks(id)?, memory_bytes_max: 0 };
        meter.sample()?;
        Ok(meter)
    }

    /// Look at the memory.
    pub(super) fn sample(&mut self) -> io::Result<()> {
        self.memory_bytes_max = self.memory_bytes_max.max(memory_bytes(self.id)?);
        Ok(())
    }

    pub(super) fn stop(mut self) -> io::Result<Used> {
        self.sample()?;
        let Self { start, memory_bytes_max, .. } = self;
        let ticks = ticks(self.id)?.saturating_sub(self.ticks);
        Ok(Used { elapsed: start.elapsed(), ticks, memory_bytes_max })
    }
}

/// Processor time of a process so far, its ended threads included.
fn ticks(id: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    parse_ticks(&stat).ok_or_else(|| io::Error::other(format!("/proc/{id}/stat is not understood")))
}

/// The fields `utime` and `stime`, 14 and 15; the second may hold spaces and ends with the last parenthesis.
pub(super) fn parse_ticks(stat: &str) -> Option<u64> {
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// Memory of a process, what it shares divided by those that share it.
fn memory_bytes(id: u32) -> io::Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
    parse_memory(&rollup)
        .ok_or_else(|| io::Error::other(format!("/proc/{id}/smaps_rollup is not understood")))
}

pub(super) fn parse_memory(rollup: &str) -> Option<u64> {
    let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(pss.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}
