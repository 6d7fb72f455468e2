//! What stories of fleets begin with, and what they measure.

use taurus_port_operator::{cloud::budget::CallLimit, permits::limits::Limits};
use taurus_sim::Operation;
use tokio::time::{Duration, sleep};

use super::{Call, Fleet, Tenant, Terms};
use crate::machine::CONCURRENCY;

const TICK: Duration = Duration::from_millis(100);
const MINUTE: Duration = Duration::from_mins(1);

/// How many resources of one tenant change their proxies in [`Fleet::amid_changes`].
const CHANGING: usize = 5;

impl Terms {
    /// A process as it is shipped that has just begun, with so many calls a minute.
    pub fn shipped(calls: u32) -> Self {
        Self {
            calls: CallLimit {
                calls,
                per: MINUTE,
                is_even: false,
            },
            changes: Limits::default(),
            head_start: Duration::ZERO,
            concurrency: CONCURRENCY,
            faster: 1,
            flaw: None,
        }
    }
}

impl Fleet {
    /// Five resources of one tenant that wanted another port a minute ago, with jobs that take so long, and one at rest of another tenant,
    /// the last.
    pub async fn amid_changes(terms: Terms, jobs: Duration) -> Self {
        let mut fleet = Self::without_resources(CHANGING + 1, 1, 3306).await;
        for number in 0..CHANGING {
            fleet.make(number, 3306, Tenant::One);
            fleet.allow(number, "24h");
        }
        fleet.make(CHANGING, 3306, Tenant::Other);
        fleet.let_jobs_take(jobs);
        fleet.start(terms);
        let rests = fleet.until(5 * MINUTE, |fleet| fleet.ready() == CHANGING + 1);
        assert!(rests.await.is_some(), "{}", fleet.said(0));
        (0..CHANGING).for_each(|number| fleet.want(number, 3307));
        sleep(MINUTE).await;
        assert_eq!(fleet.count(Operation::Change), CHANGING);
        fleet
    }

    /// How long it takes from now until something holds, to a tenth of a second; nothing if that is longer than `longest`.
    pub async fn until(
        &self,
        longest: Duration,
        holds: impl Fn(&Self) -> bool,
    ) -> Option<Duration> {
        let began = self.now();
        let passed = || self.now().saturating_sub(began);
        while !holds(self) {
            sleep(TICK).await;
            if passed() >= longest {
                return None;
            }
        }
        Some(passed())
    }

    /// How many calls of this kind the cloud has seen.
    pub fn count(&self, operation: Operation) -> usize {
        Call::count(&self.calls(), operation)
    }
}

impl Call {
    /// How many of these calls are of this kind.
    pub fn count(calls: &[Self], operation: Operation) -> usize {
        let calls = calls.iter().filter(|call| call.operation == operation);
        calls.count()
    }
}
