//! Whether a port that moved without us may be put right, and when.
//!
//! Two parties that each put their own port right would cut connections for ever, so corrections are damped.

use std::time::Duration;

use crate::pace::Pace;

/// So many corrections are made within a day; the next one only if a person asks for it.
pub const MOST_A_DAY: usize = 3;

/// Whether the next correction may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// At once.
    Now,
    /// After a while.
    Later(Duration),
    /// Somebody else wants another port: not before this long, unless the wanted port changes or a request comes.
    Contested(Duration),
}

/// Decides on the next correction after those that were made so long ago.
pub fn next_correction(mut ages: Vec<Duration>, pace: &Pace) -> Correction {
    ages.retain(|age| *age < pace.drift_window);
    ages.sort_unstable();
    let (Some(youngest), Some(oldest)) = (ages.first(), ages.last()) else {
        return Correction::Now;
    };
    let Some(delay) = pace.drift_delays.get(ages.len() - 1) else {
        return Correction::Contested(pace.drift_window.saturating_sub(*oldest));
    };
    match delay.saturating_sub(*youngest) {
        Duration::ZERO => Correction::Now,
        wait => Correction::Later(wait),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(made: &[u64], now: u64) -> Correction {
        let ages = made.iter().map(|made| minutes(now - made)).collect();
        next_correction(ages, &Pace::real())
    }

    fn minutes(count: u64) -> Duration {
        Duration::from_secs(count * 60)
    }

    #[test]
    fn corrections_come_ever_slower_and_the_fourth_of_a_day_is_not_made() {
        assert_eq!(MOST_A_DAY, Pace::real().drift_delays.len() + 1);
        assert_eq!(decide(&[], 0), Correction::Now);
        assert_eq!(decide(&[0], 4), Correction::Later(minutes(6)));
        assert_eq!(decide(&[0], 10), Correction::Now);
        assert_eq!(decide(&[0, 10], 20), Correction::Later(minutes(20)));
        assert_eq!(decide(&[0, 10], 40), Correction::Now);
        assert_eq!(
            decide(&[0, 10, 40], 60),
            Correction::Contested(minutes(23 * 60))
        );
        assert_eq!(
            decide(&[0, 10, 40], 24 * 60),
            Correction::Now,
            "the first is a day old, two count"
        );
    }
}
