//! A database proxy, and which port it has when.

use jiff::Timestamp;

use super::{ACTIVE, Job};
use crate::behaviour::Mode;
use crate::fleet::ProxySpec;

#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) id: String,
    pub(crate) instance: String,
    pub(crate) name: String,
    pub(crate) address: String,
    /// The status while no change shows.
    pub(crate) status: String,
    /// False while it has vanished.
    pub(crate) present: bool,
    pub(crate) mode: Option<Mode>,
    pub(crate) created: Timestamp,
    /// The first port and those set from outside, oldest first.
    outside: Vec<PortEvent>,
}

/// From when on a port is in force, and from when to when the list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortEvent {
    pub(crate) port: u16,
    /// When it is in force. Of all that are shown at one time, the one with the latest stands in the list.
    pub(crate) effective: Timestamp,
    /// Of those with the same instant, the one with the highest rank stands in the list.
    pub(crate) rank: Rank,
    /// False when it is only ever shown: the job failed, or has no end.
    pub(crate) real: bool,
    pub(crate) shown_from: Timestamp,
    pub(crate) shown_until: Timestamp,
}

/// What came first among events of one instant: stepped time stands still between its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// Set from outside.
    Outside,
    /// The end of a job.
    Job,
    /// Set from outside when a job had already ended at the very instant.
    AfterJob,
}

impl PortEvent {
    fn at_once(port: u16, now: Timestamp, rank: Rank) -> Self {
        Self {
            port,
            effective: now,
            rank,
            real: true,
            shown_from: now,
            shown_until: Timestamp::MAX,
        }
    }
}

impl Proxy {
    pub(super) fn new(spec: &ProxySpec, number: usize, now: Timestamp) -> Self {
        let (high, low) = (number / 250 % 250, number % 250 + 1);
        Self {
            id: spec.id.clone(),
            instance: spec.instance.clone(),
            name: format!("sim-proxy-{number}"),
            address: format!("10.20.{high}.{low}"),
            status: spec.status.clone().unwrap_or_else(|| ACTIVE.to_owned()),
            present: true,
            mode: spec.mode,
            created: now,
            outside: vec![PortEvent::at_once(spec.port, now, Rank::Outside)],
        }
    }

    /// Somebody else set the port: in force and shown at once. `job_ended` tells whether one of its jobs ended just now.
    pub(crate) fn set_port(&mut self, port: u16, now: Timestamp, job_ended: bool) {
        let rank = if job_ended {
            Rank::AfterJob
        } else {
            Rank::Outside
        };
        self.outside.push(PortEvent::at_once(port, now, rank));
    }

    /// The id of one of its nodes: digits of the proxy, so that nobody else has it.
    pub(crate) fn node_id(&self, node: usize) -> String {
        let tail = self.id.get(2..32).unwrap_or_default();
        format!("{node:02x}{tail}pn01")
    }

    pub(super) fn actual_port<'a>(
        &self,
        jobs: impl Iterator<Item = &'a Job>,
        now: Timestamp,
    ) -> u16 {
        self.latest(jobs, |event| event.real && event.effective <= now)
    }

    pub(super) fn listed_port<'a>(
        &self,
        jobs: impl Iterator<Item = &'a Job>,
        now: Timestamp,
    ) -> u16 {
        self.latest(jobs, |event| {
            event.shown_from <= now && now < event.shown_until
        })
    }

    fn latest<'a>(
        &self,
        jobs: impl Iterator<Item = &'a Job>,
        counts: impl Fn(&PortEvent) -> bool,
    ) -> u16 {
        let outside = self.outside.iter().cloned();
        let latest = outside
            .chain(jobs.filter_map(Job::port_event))
            .filter(counts)
            .max_by_key(|event| (event.effective, event.rank));
        latest.map_or(0, |event| event.port)
    }
}
