//! What is measured, as rows of a table.

use std::fmt;

/// What an application saw of several moves of the port.
#[derive(Debug, Default)]
pub struct Figures {
    /// Failed queries of each move.
    failed: Vec<u64>,
    /// The longest time between two successful queries of each move, in milliseconds.
    gaps: Vec<u64>,
    /// How long after the proxy listened each worker has queried again, in milliseconds.
    reconnects: Vec<u64>,
}

impl Figures {
    /// Takes in a move.
    pub fn add(&mut self, failed: usize, gap: u64, reconnects: Vec<u64>) {
        self.failed.push(u64::try_from(failed).unwrap());
        self.gaps.push(gap);
        self.reconnects.extend(reconnects);
    }
}

/// The least of them that so many in a hundred do not exceed.
fn percentile(values: &[u64], percent: usize) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

/// Milliseconds as seconds.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} s", self.0 / 1000, self.0 % 1000 / 10)
    }
}

/// The titles of the columns that a row of [`Figures`] has.
pub const TITLES: &str = "moves | failed queries a move: median, most | longest gap: median, most | \
                          querying again after the proxy listens: median, p99, most";

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = |percent| percentile(&self.failed, percent);
        let gap = |percent| Seconds(percentile(&self.gaps, percent));
        let reconnect = |percent| Seconds(percentile(&self.reconnects, percent));
        write!(
            f,
            "{} | {}, {} | {}, {} | {}, {}, {}",
            self.gaps.len(),
            failed(50),
            failed(100),
            gap(50),
            gap(100),
            reconnect(50),
            reconnect(99),
            reconnect(100),
        )
    }
}

#[test]
fn a_row_has_medians_percentiles_and_the_most() {
    let mut figures = Figures::default();
    for number in 1..=100 {
        let failed = usize::try_from(number % 3).unwrap();
        figures.add(failed, 1000 + number, vec![number * 10]);
    }
    let row = "100 | 1, 2 | 1.05 s, 1.10 s | 0.50 s, 0.99 s, 1.00 s";
    assert_eq!(figures.to_string(), row);
}
