//! The failed changes in a row, and the halt that follows from too many.
//!
//! Promises that a halt begins with exactly the failure that completes the row, that only different proxies make a row, and
//! that one that succeeded breaks it. Whoever was under way already goes on, and counts for the next row.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::{limits::Limit, window::later};
use crate::{model::Moment, place::ProxyKey};

/// A proxy on which a change failed, and the resource that wanted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The proxy.
    pub proxy: ProxyKey,
    /// The resource's namespace.
    pub namespace: String,
    /// The resource's name.
    pub name: String,
}

/// No new change begins.
#[derive(Debug)]
struct Halt {
    /// Uptime at which it is over.
    until: Duration,
    /// The same by the wall clock, for people.
    wall: Timestamp,
    failed: Vec<Failed>,
}

/// The row and the halt.
#[derive(Debug, Default)]
pub(super) struct Failures {
    row: Vec<Failed>,
    halt: Option<Halt>,
}

impl Failures {
    /// A change has succeeded.
    pub(super) fn succeeded(&mut self) {
        self.row.clear();
    }

    /// A change has failed at this time; `most` in a row halt for `halt_for`.
    pub(super) fn failed(
        &mut self,
        failed: Failed,
        at: Timestamp,
        (most, halt_for): (usize, Duration),
        now: Moment,
    ) {
        if self.row.iter().all(|other| other.proxy != failed.proxy) {
            self.row.push(failed);
        }
        if self.row.len() < most {
            return;
        }
        let left = halt_for.saturating_sub(now.since(at));
        self.halt = Some(Halt {
            until: now.uptime.saturating_add(left),
            wall: later(now.wall, left),
            failed: std::mem::take(&mut self.row),
        });
    }

    /// When the halt is over, by uptime and by the wall clock; nothing where there is none.
    pub(super) fn until(&self, now: Moment) -> Option<(Duration, Timestamp)> {
        self.halt(now).map(|halt| (halt.until, halt.wall))
    }

    /// The halt, as it is told to who asks from `namespace`: names of other namespaces are none of their business.
    pub(super) fn limit(&self, namespace: &str, now: Moment) -> Option<Limit> {
        let halt = self.halt(now)?;
        let own = halt
            .failed
            .iter()
            .filter(|failed| failed.namespace == namespace);
        Some(Limit::Halted {
            failed: halt.failed.len(),
            own: own.map(|failed| failed.name.clone()).collect(),
            until: halt.wall,
        })
    }

    fn halt(&self, now: Moment) -> Option<&Halt> {
        self.halt.as_ref().filter(|halt| halt.until > now.uptime)
    }
}
