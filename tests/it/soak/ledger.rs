//! How many changes there were reasons for.
//!
//! The bound, of each proxy: wishes of people, drifts, jobs that were completed and did nothing, and requests that the cloud let
//! come to nothing; the last are counted by [`super::book`]. A wish is that a resource is made, or that its port or its policy
//! becomes another. Two things are no further wishes:
//!
//! - What is wished while nothing may be done, because of `suspend` or `Observe`, is one wish at the end of that.
//! - Of wishes that follow each other within the time of the shortest job, two count: who acts at once on the first is busy
//!   until the last is there.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use taurus_port_operator::crd::ManagementPolicy;

use super::plan::SHORTEST_JOB;

/// The reasons of each proxy.
pub struct Ledger(Mutex<Vec<Reasons>>);

/// What people write.
#[derive(Debug, Clone, Copy)]
pub enum Edit {
    /// The resource is made, with this port.
    Made(u16),
    Port(u16),
    Policy(ManagementPolicy),
    Suspend(bool),
}

/// The reasons of one proxy.
#[derive(Debug, Clone, Default)]
pub struct Reasons {
    pub wishes: usize,
    pub drifts: usize,
    /// Jobs that were told to be completed without doing anything.
    pub lies: usize,
    port: u16,
    policy: ManagementPolicy,
    suspended: bool,
    /// Something was wished while nothing may be done.
    pending: bool,
    burst: Option<(Instant, usize)>,
}

impl Reasons {
    fn edit(&mut self, edit: Edit, now: Instant) {
        match edit {
            Edit::Made(port) => {
                (self.port, self.suspended) = (port, false);
                self.policy = ManagementPolicy::Enforce;
                self.pending = true;
            }
            Edit::Port(port) => {
                self.pending |= self.port != port;
                self.port = port;
            }
            Edit::Policy(policy) => {
                self.pending |= self.policy != policy;
                self.policy = policy;
            }
            Edit::Suspend(suspended) => self.suspended = suspended,
        }
        let held = self.suspended || self.policy == ManagementPolicy::Observe;
        if self.pending && !held {
            self.pending = false;
            self.wish(now);
        }
    }

    fn wish(&mut self, now: Instant) {
        let current = self.burst.filter(|(began, _)| now - *began < SHORTEST_JOB);
        let (began, count) = current.unwrap_or((now, 0));
        self.wishes += usize::from(count < 2);
        self.burst = Some((began, count + 1));
    }
}

impl Ledger {
    pub fn new(proxies: usize) -> Self {
        Self(Mutex::new(vec![Reasons::default(); proxies]))
    }

    /// People have written this.
    pub fn edit(&self, proxy: usize, edit: Edit) {
        self.0.lock().unwrap()[proxy].edit(edit, Instant::now());
    }

    pub fn drift(&self, proxy: usize) {
        self.0.lock().unwrap()[proxy].drifts += 1;
    }

    pub fn lie(&self, proxy: usize) {
        self.0.lock().unwrap()[proxy].lies += 1;
    }

    pub fn reasons(&self) -> Vec<Reasons> {
        self.0.lock().unwrap().clone()
    }
}

#[test]
fn of_a_burst_of_wishes_two_count_and_what_is_no_wish_counts_not() {
    let mut reasons = Reasons::default();
    let began = Instant::now();
    for (after, edit, wishes) in [
        (0, Edit::Made(3306), 1),
        (10, Edit::Port(3307), 2),
        (20, Edit::Port(3308), 2),
        (1_000, Edit::Port(3307), 3),
        (5_000, Edit::Port(3307), 3),
        (9_000, Edit::Suspend(true), 3),
        (13_000, Edit::Port(3308), 3),
        (17_000, Edit::Port(3309), 3),
        (21_000, Edit::Suspend(false), 4),
        (25_000, Edit::Policy(ManagementPolicy::Observe), 4),
        (29_000, Edit::Policy(ManagementPolicy::Enforce), 5),
    ] {
        reasons.edit(edit, began + Duration::from_millis(after));
        assert_eq!(reasons.wishes, wishes, "{edit:?} after {after} ms");
    }
}
