//! What this process needs of its machine, as Linux tells it; on other systems nothing is told.

use std::{fmt, fs};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

use super::catalogue;

/// In how many parts a second is counted by what Linux tells programs, on every machine that this is shipped for.
const TICKS: f64 = 100.0;

/// Read anew whenever somebody asks.
#[derive(Debug)]
pub(super) struct Process;

/// What `/proc/self` says.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Needs {
    resident_bytes: i64,
    threads: i64,
    cpu_seconds: f64,
    /// After the start of the machine.
    started_seconds: f64,
}

impl Needs {
    fn parse(status: &str, stat: &str) -> Option<Self> {
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<i64>().ok()
        };
        // The name of the program, in brackets, may hold anything; what follows are the fields from the third on.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        Some(Self {
            resident_bytes: number("VmRSS:")?.saturating_mul(1024),
            threads: number("Threads:")?,
            cpu_seconds: (ticks(14)? + ticks(15)?) / TICKS,
            started_seconds: ticks(22)? / TICKS,
        })
    }
}

/// When the machine started, in Unix time.
fn machine_started(stat: &str) -> Option<f64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        let Some(needs) = Needs::parse(&text("/proc/self/status"), &text("/proc/self/stat")) else {
            return Ok(());
        };
        let encoder = &mut encoder;
        let resident = ConstGauge::new(needs.resident_bytes);
        resident.encode(catalogue::RESIDENT_MEMORY.begin(encoder)?)?;
        let cpu = ConstCounter::new(needs.cpu_seconds);
        cpu.encode(catalogue::CPU_SECONDS.begin(encoder)?)?;
        if let Some(machine) = machine_started(&text("/proc/stat")) {
            let started = ConstGauge::new(machine + needs.started_seconds);
            started.encode(catalogue::START_TIME.begin(encoder)?)?;
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            let files = i64::try_from(files.count()).unwrap_or(i64::MAX);
            ConstGauge::new(files).encode(catalogue::OPEN_FILES.begin(encoder)?)?;
        }
        let threads = ConstGauge::new(needs.threads);
        threads.encode(catalogue::THREADS.begin(encoder)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\ttaurus\nVmPeak:\t  999 kB\nVmRSS:\t   20480 kB\nThreads:\t5\n";
    const STAT: &str =
        "42 (a (b) c) S 1 42 42 0 -1 4194560 2048 0 0 0 250 50 0 0 20 0 5 0 1234 300000000 5120";

    #[test]
    fn what_linux_says_is_read() {
        let needs = Needs::parse(STATUS, STAT).unwrap();
        let read = Needs {
            resident_bytes: 20 * 1024 * 1024,
            threads: 5,
            cpu_seconds: 3.0,
            started_seconds: 12.34,
        };
        assert_eq!(needs, read);
        assert_eq!(machine_started("cpu 1 2\nbtime 1700000000\n"), Some(1.7e9));
        assert_eq!(Needs::parse("", STAT), None);
        assert_eq!(Needs::parse(STATUS, "42 (x"), None);
    }
}
