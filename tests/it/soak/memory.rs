//! What the processes need over time: memory and open files.

use std::{fmt::Write as _, time::Duration};

use crate::world::program::Memory;

/// No larger than this may the last third's median be, in relation to that of the third before.
const FLAT: f64 = 1.2;

/// In a shorter run most samples are of processes that have just started, and each third has other ones.
const SHORTEST: Duration = Duration::from_mins(10);

/// Fewer samples in a third than this say nothing.
const LEAST: usize = 10;

/// How many intervals the curve is shown in.
const ROWS: usize = 12;

/// One process at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub at: Duration,
    pub replica: usize,
    pub leads: bool,
    pub memory: Memory,
}

/// The curve as rows of a table, and what is not flat.
pub fn curve(samples: &[Sample], length: Duration) -> (Vec<String>, Vec<String>) {
    let mut rows = Vec::new();
    for row in 0..ROWS {
        let within = |sample: &&Sample| part(sample, length, ROWS) == row;
        let from = length.mul_f64(to_f64(row) / to_f64(ROWS));
        let mut cells = format!("{:>6.1} min", from.as_secs_f64() / 60.0);
        for replica in 0..2 {
            let of: Vec<&Sample> = samples
                .iter()
                .filter(within)
                .filter(|it| it.replica == replica)
                .collect();
            let resident = spread(of.iter().map(|sample| sample.memory.resident));
            let files = spread(of.iter().map(|sample| sample.memory.files));
            let peak = of
                .iter()
                .map(|sample| sample.memory.peak)
                .max()
                .unwrap_or_default();
            write!(cells, " | {resident:>22} | {peak:>6} | {files:>11}").unwrap();
        }
        rows.push(cells);
    }
    let mut grown = Vec::new();
    for (role, leads) in [("the leader", true), ("the one that waits", false)] {
        let of: Vec<Sample> = samples
            .iter()
            .filter(|sample| sample.leads == leads)
            .copied()
            .collect();
        for (what, value) in [
            (
                "resident memory",
                (|sample| sample.memory.resident) as fn(&Sample) -> u64,
            ),
            ("open files", |sample| sample.memory.files),
        ] {
            let (line, flat) = thirds(&of, length, value);
            rows.push(format!("{role}, {what}: {line}"));
            if !flat {
                grown.push(format!("{what} of {role} grows: {line}"));
            }
        }
    }
    (rows, grown)
}

fn thirds(samples: &[Sample], length: Duration, value: fn(&Sample) -> u64) -> (String, bool) {
    let of = |third| -> Vec<u64> {
        let within = samples
            .iter()
            .filter(|sample| part(sample, length, 3) == third);
        within.map(value).collect()
    };
    let (middle, last) = (of(1), of(2));
    if length < SHORTEST || middle.len().min(last.len()) < LEAST {
        return ("too short a run to tell".to_owned(), true);
    }
    // Of the one that waits, some samples are of one that has just led.
    let (middle, last) = (median(middle), median(last));
    let flat = last <= FLAT * middle;
    let verdict = if flat { "flat" } else { "NOT FLAT" };
    (
        format!("median of the last third {last:.0}, of the middle third {middle:.0}: {verdict}"),
        flat,
    )
}

/// In which of so many equal parts of the run a sample lies.
fn part(sample: &Sample, length: Duration, parts: usize) -> usize {
    let parts = u32::try_from(parts).unwrap();
    let part = (sample.at * parts).as_millis() / length.as_millis();
    usize::try_from(part).unwrap().min(parts as usize - 1)
}

fn spread(values: impl Iterator<Item = u64>) -> String {
    let values: Vec<u64> = values.collect();
    let (Some(least), Some(most)) = (values.iter().min(), values.iter().max()) else {
        return "-".to_owned();
    };
    format!("{least}/{:.0}/{most}", mean(&values))
}

fn median(mut values: Vec<u64>) -> f64 {
    values.sort_unstable();
    let middle = values.len() / 2;
    mean(&values[middle..=middle])
}

fn mean(values: &[u64]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "KiB and counts are small")]
    let sum = values.iter().sum::<u64>() as f64;
    sum / to_f64(values.len())
}

fn to_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

#[test]
fn a_curve_that_grows_is_told_from_a_flat_one() {
    let hour = Duration::from_hours(1);
    let samples = |growth: u64| -> Vec<Sample> {
        let sample = |nth: u64| Sample {
            at: Duration::from_secs(nth * 10),
            replica: 0,
            leads: true,
            memory: Memory {
                resident: 30_000 + growth * nth,
                peak: 40_000,
                files: 12,
            },
        };
        (0..360).map(sample).collect()
    };
    assert_eq!(curve(&samples(1), hour).1, Vec::<String>::new());
    assert_eq!(curve(&samples(100), hour).1.len(), 1);
    let minute = Duration::from_mins(1);
    assert_eq!(curve(&samples(100), minute).1, Vec::<String>::new());
    assert!(curve(&samples(1), hour).0.len() > ROWS);
}
