//! Since when a process has known things, by its monotonic clock.
//!
//! Promises that what is kept on and on keeps the uptime at which it was first seen, and that what is gone is forgotten.

use std::time::Duration;

/// Things, each with what was noted at its first sight, and the uptime then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstSeen<K, V = ()>(Vec<(K, V, Duration)>);

impl<K: PartialEq, V> FirstSeen<K, V> {
    /// Keeps these alone; `note` gives what is noted of one that is new. Nothing is kept of none.
    pub fn keep(
        kept: &mut Option<Box<Self>>,
        keys: impl Iterator<Item = K>,
        now: Duration,
        note: impl Fn(&K) -> V,
    ) {
        let mut before = kept.take().map(|kept| kept.0).unwrap_or_default();
        let mut entries: Vec<(K, V, Duration)> = Vec::new();
        for key in keys {
            let is_it = |(known, ..): &(K, V, Duration)| *known == key;
            if entries.iter().any(is_it) {
                continue;
            }
            if let Some(known) = before.iter().position(is_it) {
                entries.push(before.swap_remove(known));
            } else {
                let noted = note(&key);
                entries.push((key, noted, now));
            }
        }
        *kept = (!entries.is_empty()).then(|| Box::new(Self(entries)));
    }

    /// What was noted of this one, and the uptime then.
    pub fn of(&self, key: &K) -> Option<(&V, Duration)> {
        let seen = self.0.iter().find(|(known, ..)| known == key);
        seen.map(|(_, noted, at)| (noted, *at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn what_stays_keeps_its_first_sight_and_what_goes_is_forgotten() {
        let mut kept: Option<Box<FirstSeen<u8, char>>> = None;
        FirstSeen::keep(&mut kept, [1, 2, 1].into_iter(), HOUR, |_| 'a');
        FirstSeen::keep(&mut kept, [3, 2, 2].into_iter(), 2 * HOUR, |_| 'b');
        let seen = |key: u8| kept.as_ref().and_then(|kept| kept.of(&key));
        assert_eq!(seen(1), None);
        assert_eq!(seen(2), Some((&'a', HOUR)));
        assert_eq!(seen(3), Some((&'b', 2 * HOUR)));
        FirstSeen::keep(&mut kept, [].into_iter(), 3 * HOUR, |_| 'c');
        assert_eq!(kept, None, "nothing takes no memory");
    }
}
