//! Changes that have ended a short while ago: lists may lag behind them, and show a port that was taken back.
//!
//! For resources that follow a proxy which others move. Relies on being told of each end before its permit is given back. Promises that
//! an end counts for as long as lists may lag, and is forgotten then.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    crd::{LastChange, Outcome},
    fleet::claims::ProxyKey,
    plan::endpoint::Others,
};

/// The ends, by proxy.
#[derive(Debug)]
pub struct Moves {
    counts_for: Duration,
    ends: Mutex<HashMap<ProxyKey, End>>,
}

#[derive(Debug)]
struct End {
    /// The id of the change, where it is known.
    change: Option<String>,
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

    /// A change has ended by this uptime; false if that was known.
    pub fn ended(&self, proxy: ProxyKey, last: &LastChange, uptime: Duration) -> bool {
        let left = match last.outcome {
            // The port was seen; where the end of the job was not, it may have moved on.
            Outcome::Succeeded if last.message.is_none() => u16::try_from(last.to_port).ok(),
            Outcome::Succeeded => None,
            Outcome::Failed | Outcome::Void => u16::try_from(last.from_port).ok(),
        };
        let change = Some(last.id.clone());
        let mut ends = self.lock();
        if ends.get(&proxy).is_some_and(|known| known.change == change) {
            return false;
        }
        let end = End {
            change,
            at: uptime,
            left,
        };
        self.put(&mut ends, proxy, end);
        true
    }

    /// A change that nobody has seen end is no longer followed since this uptime.
    pub fn lost(&self, proxy: ProxyKey, uptime: Duration) {
        let end = End {
            change: None,
            at: uptime,
            left: None,
        };
        self.put(&mut self.lock(), proxy, end);
    }

    /// What a list of this uptime may be behind.
    pub fn of(&self, proxy: &ProxyKey, uptime: Duration) -> Others {
        let ends = self.lock();
        let lately = ends
            .get(proxy)
            .filter(|end| uptime.saturating_sub(end.at) < self.counts_for);
        lately.map_or(Others::None, |end| Others::Lately(end.left))
    }

    /// Whether a list may be behind any of them at this uptime.
    pub fn any(&self, uptime: Duration) -> bool {
        let ends = self.lock();
        let mut ends = ends.values();
        ends.any(|end| uptime.saturating_sub(end.at) < self.counts_for)
    }

    fn put(&self, ends: &mut HashMap<ProxyKey, End>, proxy: ProxyKey, end: End) {
        let now = end.at;
        ends.retain(|_, known| now.saturating_sub(known.at) < self.counts_for);
        ends.insert(proxy, end);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ProxyKey, End>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

    use super::*;
    use crate::{
        controller::read::Subject,
        fleet::claims::InstanceKey,
        model::{ProjectId, ProxyId},
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

    #[test]
    fn an_end_counts_for_its_proxy_as_long_as_lists_may_lag_and_is_told_once() {
        let at = Duration::from_secs;
        let moves = Moves::new(at(120));
        let [one, other] = ["a", "c"].map(key);
        assert!(moves.ended(one.clone(), &last("c1", Outcome::Succeeded), at(10)));
        assert!(!moves.ended(one.clone(), &last("c1", Outcome::Succeeded), at(60)));
        assert_eq!(moves.of(&one, at(129)), Others::Lately(Some(3307)));
        assert_eq!(moves.of(&one, at(130)), Others::None);
        assert_eq!(moves.of(&other, at(20)), Others::None);
        assert!(moves.ended(one.clone(), &last("c2", Outcome::Failed), at(140)));
        assert_eq!(moves.of(&one, at(141)), Others::Lately(Some(3306)));
        moves.lost(other.clone(), at(300));
        assert_eq!(moves.of(&other, at(301)), Others::Lately(None));
        assert_eq!(moves.lock().len(), 1, "old ones are forgotten");
    }
}
