//! Whether the process is stuck, so that a new one would do better.
//!
//! The one sign that is believed: nothing was heard of the watch for ten minutes, though the API server answers when it is
//! asked directly. An outage of the API server is no sign: the process may hold a job id that is not on record yet, and a
//! new one would be no better off. A watch with nothing to tell is not silent: the API server sends bookmarks every minute
//! and ends it after five. What it sends is only heard if the controller takes it, so a stuck controller is silent as well.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;

use crate::{clock::Clock, model::Moment};

/// A watch that is silent for longer is not believed to be at work.
const LONGEST_SILENCE: Duration = Duration::from_mins(10);

/// When the watch was last heard of.
#[derive(Debug, Default)]
pub struct Heartbeat(Mutex<Option<Duration>>);

/// Asks the API server directly and says whether it answers; bounded in time, and well below what a probe waits.
pub type Ask = Box<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// The judge.
pub struct Liveness {
    heartbeat: Arc<Heartbeat>,
    clock: Clock,
    ask: Ask,
}

/// What `/livez` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against it.
    Alive,
    /// The watch has been silent for this long without need.
    Stuck(Duration),
}

impl Heartbeat {
    /// The watch was heard of.
    pub fn beat(&self, now: Moment) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now.uptime);
    }

    /// How long nothing was heard; zero before the first time, when there is no watch yet.
    pub fn silence(&self, now: Moment) -> Duration {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.map_or(Duration::ZERO, |last| now.elapsed(last))
    }
}

impl Liveness {
    /// Judges by `heartbeat`, and by `ask` where that is in doubt.
    pub fn new(heartbeat: Arc<Heartbeat>, clock: Clock, ask: Ask) -> Self {
        Self {
            heartbeat,
            clock,
            ask,
        }
    }

    /// Whether the process is alive.
    pub async fn verdict(&self) -> Verdict {
        let silence = self.heartbeat.silence(self.clock.now());
        if silence > LONGEST_SILENCE && (self.ask)().await {
            Verdict::Stuck(silence)
        } else {
            Verdict::Alive
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn heard(ago: Duration, answers: bool) -> Liveness {
        let clock = Clock::with_head_start(Duration::from_hours(24));
        let now = clock.now();
        let heartbeat = Arc::new(Heartbeat::default());
        heartbeat.beat(Moment {
            uptime: now.uptime.checked_sub(ago).unwrap(),
            ..now
        });
        let ask = Box::new(move || async move { answers }.boxed());
        Liveness::new(heartbeat, clock, ask)
    }

    #[tokio::test]
    async fn a_silent_watch_is_stuck_only_if_the_api_server_answers() {
        let minutes = Duration::from_mins;
        for (ago, answers, stuck) in [
            (minutes(0), true, false),
            (minutes(9), true, false),
            (minutes(11), true, true),
            (minutes(11), false, false),
            (minutes(600), false, false),
        ] {
            let verdict = heard(ago, answers).verdict().await;
            assert_eq!(
                matches!(verdict, Verdict::Stuck(_)),
                stuck,
                "{ago:?} {answers}"
            );
        }
    }

    #[tokio::test]
    async fn before_there_is_a_watch_nothing_is_stuck() {
        let clock = Clock::with_head_start(Duration::from_hours(24));
        let ask: Ask = Box::new(|| async { true }.boxed());
        let liveness = Liveness::new(Arc::default(), clock, ask);
        assert_eq!(liveness.verdict().await, Verdict::Alive);
    }
}
