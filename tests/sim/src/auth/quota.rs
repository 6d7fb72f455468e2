//! Counts calls, so that nobody has more of them in a minute than the gateway lets through.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{earlier, later};

const MINUTE: Duration = Duration::from_mins(1);

/// The calls of the last minute that were let through, by whose they are.
#[derive(Debug, Default)]
pub(crate) struct Quotas(BTreeMap<String, VecDeque<Timestamp>>);

impl Quotas {
    /// Counts a call, or says how long it takes until one is let through. Those that are refused don't count.
    pub(crate) fn take(
        &mut self,
        whose: String,
        limit: u32,
        now: Timestamp,
    ) -> Result<(), Duration> {
        let calls = self.0.entry(whose).or_default();
        while calls.front().is_some_and(|at| *at <= earlier(now, MINUTE)) {
            calls.pop_front();
        }
        if calls.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
            calls.push_back(now);
            return Ok(());
        }
        let free = later(calls.front().copied().unwrap_or(now), MINUTE);
        Err(free.duration_since(now).unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_no_more_calls_than_its_limit_whenever_it_begins() {
        let mut quotas = Quotas::default();
        let mut take = |whose: &str, second| {
            let at = Timestamp::from_second(second).unwrap();
            quotas.take(whose.to_owned(), 2, at)
        };
        assert_eq!((take("a", 100), take("a", 130)), (Ok(()), Ok(())));
        assert_eq!(take("a", 150), Err(Duration::from_secs(10)));
        assert_eq!(take("b", 150), Ok(()), "everybody has their own");
        assert_eq!(take("a", 160), Ok(()));
        assert_eq!(take("a", 161), Err(Duration::from_secs(29)));
    }

    #[test]
    fn a_limit_of_nothing_lets_nobody_through() {
        let wait = Quotas::default().take("a".to_owned(), 0, Timestamp::UNIX_EPOCH);
        assert_eq!(wait, Err(MINUTE));
    }
}
