//! The figures, side by side.

use std::{fmt, time::Duration};

/// The figures of one operator, in the order in which they were taken.
#[derive(Debug, Default)]
pub struct Figures(Vec<Figure>);

#[derive(Debug)]
struct Figure {
    name: &'static str,
    value: f64,
    /// It shall not be more than this.
    goal: Option<f64>,
}

impl Figures {
    pub fn add(&mut self, name: &'static str, value: f64) {
        self.push(name, value, None);
    }

    pub fn add_with_goal(&mut self, name: &'static str, value: f64, goal: f64) {
        self.push(name, value, Some(goal));
    }

    fn push(&mut self, name: &'static str, value: f64, goal: Option<f64>) {
        println!("    {name}: {value:.2}");
        self.0.push(Figure { name, value, goal });
    }

    fn of(&self, name: &str) -> Option<f64> {
        self.0
            .iter()
            .find(|figure| figure.name == name)
            .map(|figure| figure.value)
    }
}

/// All figures.
#[derive(Debug, Default)]
pub struct Report(Vec<(usize, &'static str, Figures)>);

impl Report {
    pub fn add(&mut self, count: usize, subject: &'static str, figures: Figures) {
        self.0.push((count, subject, figures));
    }
}

impl fmt::Display for Report {
    /// A table in Markdown for each number of resources; the others' figures stand beside those of the first.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in self.0.chunk_by(|left, right| left.0 == right.0) {
            let Some(((count, first, figures), others)) = group.split_first() else {
                continue;
            };
            write!(formatter, "| {count} resources | {first} | goal |")?;
            for (_, name, _) in others {
                write!(formatter, " {name} | ratio |")?;
            }
            write!(
                formatter,
                "\n|---|---|---|{}\n",
                "---|---|".repeat(others.len())
            )?;
            for Figure { name, value, goal } in &figures.0 {
                let goal = goal.map_or_else(String::new, |goal| format!("≤ {goal}"));
                write!(formatter, "| {name} | {value:.2} | {goal} |")?;
                for (_, _, other) in others {
                    match other.of(name) {
                        Some(other) => write!(formatter, " {other:.2} | {:.2} |", value / other)?,
                        None => write!(formatter, " – | – |")?,
                    }
                }
                writeln!(formatter)?;
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}

/// The middle one, in milliseconds.
pub fn median(times: &mut [Duration]) -> f64 {
    percentile(times, 50)
}

/// The time that this percentage of all does not exceed, in milliseconds; 0 of none.
pub fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times
        .get(place)
        .map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let mut times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        let about = |value: f64, wanted: f64| (value - wanted).abs() <= 0.5;
        assert!(about(median(&mut times), 100.0));
        assert!(about(percentile(&mut times, 99), 198.0));
        assert!(about(median(&mut []), 0.0));
    }

    #[test]
    fn figures_stand_side_by_side_with_goal_and_ratio() {
        let mut report = Report::default();
        for (name, value) in [("ours", 20.0), ("theirs", 80.0)] {
            let mut figures = Figures::default();
            figures.add_with_goal("memory", value, 25.0);
            report.add(1000, name, figures);
        }
        let table = report.to_string();
        assert!(
            table.contains("| memory | 20.00 | ≤ 25 | 80.00 | 0.25 |"),
            "{table}"
        );
    }
}
