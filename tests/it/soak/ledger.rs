//! How many changes there were reasons for.
//!
//! The bound, of each proxy: wishes of people, drifts, and requests that the cloud let come to nothing. The second is counted
//! here and by [`super::book`]. A wish is that a resource is made, or its port or its policy edited. Of wishes that follow each
//! other within the time of the shortest job, two count: who acts at once on the first is busy until the last is there.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use super::plan::SHORTEST_JOB;

/// The reasons of each proxy.
pub struct Ledger(Mutex<Vec<Reasons>>);

/// The reasons of one proxy.
#[derive(Debug, Clone, Default)]
pub struct Reasons {
    pub wishes: usize,
    pub drifts: usize,
    /// Jobs that were told to be completed without doing anything.
    pub lies: usize,
    burst: Option<(Instant, usize)>,
}

impl Reasons {
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

    pub fn wish(&self, proxy: usize) {
        self.0.lock().unwrap()[proxy].wish(Instant::now());
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
fn of_a_burst_of_wishes_two_count() {
    let mut reasons = Reasons::default();
    let began = Instant::now();
    for after in [0, 10, 20, 999, 1_000, 5_000] {
        reasons.wish(began + Duration::from_millis(after));
    }
    assert_eq!(reasons.wishes, 4);
}
