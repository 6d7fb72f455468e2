//! Changes that have ended a short while ago: lists may lag behind them, and show a port that was taken back.
//!
//! For resources that follow a proxy which others move. Relies on being told of each end before its permit is given back. Promises that
//! an end counts for as long as lists may lag, and only once, however often the record tells of it: one of the future, as of a machine
//! whose clock was ahead, was new when this process first heard of it, and never again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;

use crate::{
    crd::{LastChange, Outcome},
    model::Moment,
    place::ProxyKey,
};

/// Changes of others that may be about the same proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Others {
    /// None for a while.
    #[default]
    None,
    /// One is at work, or may be as far as is known.
    AtWork,
    /// One has ended so lately that lists may lag behind it; the port that it left, where that is known.
    Lately(Option<u16>),
}

/// For so long an end that has counted is known, and longer where the wall clock would make it a new one: that clock may be set back.
const KNOWN_FOR: Duration = Duration::from_hours(24);

/// The ends, by proxy.
#[derive(Debug)]
pub struct Moves {
    counts_for: Duration,
    ends: Mutex<Ends>,
}

#[derive(Debug, Default)]
struct Ends {
    /// The last one of each proxy, while lists may lag behind it.
    of: HashMap<ProxyKey, End>,
    /// Those that have counted, by the id of the change.
    counted: HashMap<String, Counted>,
}

/// An end that has counted.
#[derive(Debug)]
struct Counted {
    /// As the record has it.
    finished_at: Timestamp,
    /// Uptime at which it counted.
    at: Duration,
}

#[derive(Debug)]
struct End {
    /// Its uptime.
    at: Duration,
    /// The port that it left, where that is known.
    left: Option<u16>,
}

impl Moves {
    /// Each end counts for as long as this.
    pub fn new(counts_for: Duration) -> Self {
        Self {
            counts_for,
            ends: Mutex::default(),
        }
    }

    /// The record tells of an end, perhaps not for the first time. Whether it is new, and so recent that it counts.
    pub fn told(&self, proxy: ProxyKey, last: &LastChange, now: Moment) -> bool {
        self.lists_may_lag(last.finished_at.0, now) && self.ended(proxy, last, now)
    }

    /// A change has ended by now; false if that was known.
    pub fn ended(&self, proxy: ProxyKey, last: &LastChange, now: Moment) -> bool {
        let left = match last.outcome {
            // The port was seen; where the end of the job was not, it may have moved on.
            Outcome::Succeeded if last.message.is_none() => u16::try_from(last.to_port).ok(),
            Outcome::Succeeded => None,
            Outcome::Failed | Outcome::Void => u16::try_from(last.from_port).ok(),
        };
        let mut ends = self.lock();
        if ends.counted.contains_key(&last.id) {
            return false;
        }
        ends.counted.retain(|_, known| {
            let is_recent = now.elapsed(known.at) < KNOWN_FOR;
            is_recent || self.lists_may_lag(known.finished_at, now)
        });
        let counted = Counted {
            finished_at: last.finished_at.0,
            at: now.uptime,
        };
        ends.counted.insert(last.id.clone(), counted);
        let end = End {
            at: now.uptime,
            left,
        };
        self.put(&mut ends.of, proxy, end);
        true
    }

    /// Whether lists may lag behind what ended at this time of the wall clock, as far as that clock tells.
    fn lists_may_lag(&self, finished_at: Timestamp, now: Moment) -> bool {
        now.since(finished_at) < self.counts_for
    }

    /// A change that nobody has seen end is no longer followed since this uptime.
    pub fn lost(&self, proxy: ProxyKey, uptime: Duration) {
        let end = End {
            at: uptime,
            left: None,
        };
        self.put(&mut self.lock().of, proxy, end);
    }

    /// What a list of this uptime may be behind.
    pub fn of(&self, proxy: &ProxyKey, uptime: Duration) -> Others {
        let ends = self.lock();
        let lately = ends
            .of
            .get(proxy)
            .filter(|end| uptime.saturating_sub(end.at) < self.counts_for);
        lately.map_or(Others::None, |end| Others::Lately(end.left))
    }

    /// Whether a list may be behind any of them at this uptime.
    pub fn any(&self, uptime: Duration) -> bool {
        let ends = self.lock();
        let mut ends = ends.of.values();
        ends.any(|end| uptime.saturating_sub(end.at) < self.counts_for)
    }

    fn put(&self, ends: &mut HashMap<ProxyKey, End>, proxy: ProxyKey, end: End) {
        let now = end.at;
        ends.retain(|_, known| now.saturating_sub(known.at) < self.counts_for);
        ends.insert(proxy, end);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::{
        model::{ProjectId, ProxyId},
        place::{InstanceKey, Subject},
    };

    fn key(letter: &str) -> ProxyKey {
        ProxyKey::of(&Subject {
            region: Some("ap-southeast-3".to_owned()),
            endpoint: None,
            iam_endpoint: None,
            project: ProjectId::parse(&"0".repeat(32)).unwrap(),
            instance: InstanceKey::somewhere(&format!("{}in07", "b".repeat(32))),
            proxy: ProxyId::parse(&format!("{}po01", letter.repeat(32))).unwrap(),
        })
    }

    fn last(id: &str, outcome: Outcome) -> LastChange {
        LastChange {
            id: id.to_owned(),
            from_port: 3306,
            to_port: 3307,
            job_id: None,
            outcome,
            started_at: Time(Timestamp::UNIX_EPOCH),
            finished_at: Time(Timestamp::UNIX_EPOCH),
            message: None,
        }
    }

    /// After so many seconds.
    fn after(seconds: u64) -> Moment {
        let uptime = Duration::from_secs(seconds);
        Moment::new(Timestamp::UNIX_EPOCH + uptime, uptime)
    }

    #[test]
    fn an_end_counts_for_its_proxy_as_long_as_lists_may_lag_and_is_told_once() {
        let at = Duration::from_secs;
        let moves = Moves::new(at(120));
        let [one, other] = ["a", "c"].map(key);
        assert!(moves.ended(one.clone(), &last("c1", Outcome::Succeeded), after(10)));
        assert!(!moves.ended(one.clone(), &last("c1", Outcome::Succeeded), after(60)));
        assert_eq!(moves.of(&one, at(129)), Others::Lately(Some(3307)));
        assert_eq!(moves.of(&one, at(130)), Others::None);
        assert_eq!(moves.of(&other, at(20)), Others::None);
        assert!(moves.ended(one.clone(), &last("c2", Outcome::Failed), after(140)));
        assert_eq!(moves.of(&one, at(141)), Others::Lately(Some(3306)));
        moves.lost(other.clone(), at(300));
        assert_eq!(moves.of(&other, at(301)), Others::Lately(None));
        assert_eq!(moves.lock().of.len(), 1, "old ones are forgotten");
    }

    #[test]
    fn h16_an_end_of_the_future_is_new_only_once() {
        let (hour, end) = (3600, Outcome::Succeeded);
        let at = Duration::from_secs;
        let moves = Moves::new(at(120));
        let [one, other] = ["a", "c"].map(key);
        // The clock was ahead by six hours until it was set right.
        let ahead = LastChange {
            finished_at: Time(after(6 * hour).wall),
            ..last("c1", end)
        };
        let tell = |second| moves.told(one.clone(), &ahead, after(second));
        assert!(tell(10) && !tell(60));
        // Others end whenever they do, on the same proxy too, and people label the resource of the first.
        for (number, second) in [200, hour, 5 * hour, 7 * hour].into_iter().enumerate() {
            let now = after(second);
            for (proxy, letter) in [(&one, "x"), (&other, "y")] {
                let last = LastChange {
                    finished_at: Time(now.wall),
                    ..last(&format!("{letter}{number}"), end)
                };
                assert!(moves.told(proxy.clone(), &last, now), "{second}");
            }
            assert!(!tell(second), "{second}");
            assert!(!tell(second + 120), "{second}");
            assert_eq!(moves.of(&one, at(second + 120)), Others::None, "{second}");
        }
    }

    #[test]
    fn h16_an_end_that_has_counted_is_not_new_once_the_clock_is_set_back() {
        let (at, hour) = (Duration::from_secs, 3600);
        let moves = Moves::new(at(120));
        let proxy = key("a");
        let ended = |id: &str, now: Moment| LastChange {
            finished_at: Time(now.wall),
            ..last(id, Outcome::Failed)
        };
        let first = ended("c1", after(hour));
        assert!(moves.told(proxy.clone(), &first, after(hour)));
        let back = Moment::new(after(0).wall, at(2 * hour));
        assert!(moves.told(proxy.clone(), &ended("c2", back), back));
        assert!(!moves.told(proxy.clone(), &first, back));
        // They are forgotten in the end.
        let last = after(48 * hour);
        assert!(moves.told(proxy.clone(), &ended("c3", last), last));
        assert_eq!(moves.lock().counted.len(), 1);
        assert!(!moves.told(proxy, &first, last), "it was long ago");
    }
}
