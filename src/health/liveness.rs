//! Whether the process is stuck, so that a new one would do better.
//!
//! Two signs are believed, and only while the API server answers when it is asked directly: nothing was heard of the watch
//! for ten minutes, or a reconcile has not come to its end for half an hour, though every call in it is bounded. An outage of the API server is no sign: the process may hold a job id that is not on record yet, and a
//! new one would be no better off. A watch with nothing to tell is not silent: the API server sends bookmarks, and where it has none
//! to send, the controller finds out that nothing was written. What it sends is only heard if the controller takes it, so a stuck
//! controller is silent as well.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;

use crate::{
    clock::Clock,
    health::{heartbeat::Heartbeat, work::Work},
};

/// A watch that is silent for longer is not believed to be at work.
const LONGEST_SILENCE: Duration = Duration::from_mins(10);

/// A reconcile that takes longer hangs: with all its calls running into their time limits it takes minutes.
const LONGEST_RECONCILE: Duration = Duration::from_mins(30);

/// Asks the API server directly and says whether it answers; bounded in time, and well below what a probe waits.
pub type Ask = Box<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// The judge.
pub struct Liveness {
    heartbeat: Arc<Heartbeat>,
    work: Arc<Work>,
    clock: Clock,
    ask: Ask,
}

/// What `/livez` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against it.
    Alive,
    /// The watch has been silent for this long without need.
    Silent(Duration),
    /// A reconcile has been at work for this long.
    Hanging(Duration),
}

impl Liveness {
    /// Judges by `heartbeat` and `work`, and by `ask` where one of them is in doubt.
    pub fn new(heartbeat: Arc<Heartbeat>, work: Arc<Work>, clock: Clock, ask: Ask) -> Self {
        Self {
            heartbeat,
            work,
            clock,
            ask,
        }
    }

    /// Whether the process is alive.
    pub async fn verdict(&self) -> Verdict {
        let now = self.clock.now();
        let (silence, longest) = (self.heartbeat.silence(now), self.work.longest(now));
        let doubt = if silence > LONGEST_SILENCE {
            Verdict::Silent(silence)
        } else if longest > LONGEST_RECONCILE {
            Verdict::Hanging(longest)
        } else {
            return Verdict::Alive;
        };
        if (self.ask)().await {
            doubt
        } else {
            Verdict::Alive
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::model::Moment;

    fn heard(ago: Duration, answers: bool) -> Liveness {
        judge(ago, Arc::default(), answers)
    }

    fn judge(ago: Duration, work: Arc<Work>, answers: bool) -> Liveness {
        let clock = Clock::with_head_start(Duration::from_hours(24));
        let now = clock.now();
        let heartbeat = Arc::new(Heartbeat::default());
        heartbeat.beat(Moment {
            uptime: now.uptime.checked_sub(ago).unwrap(),
            ..now
        });
        let ask = Box::new(move || async move { answers }.boxed());
        Liveness::new(heartbeat, work, clock, ask)
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
                matches!(verdict, Verdict::Silent(_)),
                stuck,
                "{ago:?} {answers}"
            );
        }
    }

    #[tokio::test]
    async fn a_reconcile_that_never_ends_is_stuck_only_if_the_api_server_answers() {
        let clock = Clock::with_head_start(Duration::from_hours(24));
        for (minutes, answers, stuck) in [(29, true, false), (31, true, true), (31, false, false)] {
            let work = Arc::new(Work::default());
            let now = clock.now();
            let ago = Duration::from_mins(minutes);
            let _reconciling = work.begin(Moment {
                uptime: now.uptime.checked_sub(ago).unwrap(),
                ..now
            });
            let verdict = judge(Duration::ZERO, work, answers).verdict().await;
            let hanging = matches!(verdict, Verdict::Hanging(_));
            assert_eq!(hanging, stuck, "{minutes} {answers}");
        }
    }

    #[tokio::test]
    async fn before_there_is_a_watch_nothing_is_stuck() {
        let clock = Clock::with_head_start(Duration::from_hours(24));
        let ask: Ask = Box::new(|| async { true }.boxed());
        let liveness = Liveness::new(Arc::default(), Arc::default(), clock, ask);
        assert_eq!(liveness.verdict().await, Verdict::Alive);
    }
}
