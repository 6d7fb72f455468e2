//! Slows down all calls of one project at one endpoint once the cloud has said that there are too many, to one who belongs there.
//!
//! Limits are the project's, so each resource with a retry loop of its own would keep it at its limit. While it is held back
//! no call is sent; then a single one is, and the others go by what it hears. Promises that who may make it and does not, or hears
//! nothing, leaves it to the next one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{CloudError, Meaning};

/// The pause of one project at one endpoint.
#[derive(Debug)]
pub struct Throttle {
    first: Duration,
    longest: Duration,
    state: Mutex<Option<Pause>>,
}

#[derive(Debug)]
struct Pause {
    until: Duration,
    last: Duration,
    probing: bool,
    error: CloudError,
}

/// Leave to make the single call that tells whether a pause is over. It ends with the call.
#[derive(Debug)]
#[must_use]
pub struct Try {
    throttle: Arc<Throttle>,
    until: Duration,
}

impl Throttle {
    /// The first pause; each further one is twice as long, up to the longest. Where the cloud asks for more, it gets more.
    pub fn new((first, longest): (Duration, Duration)) -> Self {
        Self {
            first,
            longest,
            state: Mutex::default(),
        }
    }

    /// Another one with the same pauses.
    pub fn alike(&self) -> Self {
        Self::new((self.first, self.longest))
    }

    /// Whether no call may be made at this uptime: the refusal, with the time that is left.
    pub fn left(&self, uptime: Duration) -> Result<(), CloudError> {
        self.lock()
            .as_ref()
            .map_or(Ok(()), |pause| pause.left(uptime))
    }

    /// The same for who makes a call if it may: once a pause is over, a single one may.
    pub fn check(self: &Arc<Self>, uptime: Duration) -> Result<Option<Try>, CloudError> {
        let mut state = self.lock();
        let Some(pause) = state.as_mut() else {
            return Ok(None);
        };
        pause.left(uptime)?;
        // This caller tries; the others wait for what it hears.
        pause.until = uptime.saturating_add(pause.last);
        pause.probing = true;
        Ok(Some(Try {
            throttle: Arc::clone(self),
            until: pause.until,
        }))
    }

    /// An answer has come: the cloud asked for a pause, or there is none any more. What is no answer changes nothing.
    pub fn heard(&self, error: Option<&CloudError>, uptime: Duration) {
        let mut state = self.lock();
        match error {
            Some(error) if asks_to_wait(error) => {
                let last = match state.as_ref() {
                    None => self.first,
                    Some(pause) if pause.probing => pause.last.saturating_mul(2).min(self.longest),
                    // It was on its way when the pause began.
                    Some(pause) => pause.last,
                };
                let wait = last.max(error.retry_after.unwrap_or_default());
                let begun = state.as_ref().map_or(Duration::ZERO, |pause| pause.until);
                *state = Some(Pause {
                    until: begun.max(uptime.saturating_add(wait)),
                    last,
                    probing: false,
                    error: error.clone(),
                });
            }
            Some(error) if error.status.is_none() => {}
            // It was on its way when the pause began, and says nothing of it: while it lasts, no call begins.
            _ if state.as_ref().is_some_and(|pause| pause.lasts(uptime)) => {}
            _ => *state = None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pause>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        let mut state = self.throttle.lock();
        // An answer has ended the pause, or begun another one.
        let unheard = state.as_mut();
        let unheard = unheard.filter(|pause| pause.probing && pause.until == self.until);
        if let Some(pause) = unheard {
            pause.until = Duration::ZERO;
        }
    }
}

impl Pause {
    /// Whether calls are held back, and nobody tries whether the pause is over.
    fn lasts(&self, uptime: Duration) -> bool {
        !self.probing && uptime < self.until
    }

    fn left(&self, uptime: Duration) -> Result<(), CloudError> {
        let left = self.until.saturating_sub(uptime);
        if left.is_zero() {
            return Ok(());
        }
        Err(CloudError {
            retry_after: Some(left),
            ..self.error.clone()
        })
    }
}

/// Whether the other side wants fewer calls for a while: it says so, or is away for a time that it names.
fn asks_to_wait(error: &CloudError) -> bool {
    error.meaning == Meaning::Throttled
        || (error.status == Some(503) && error.retry_after.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled(retry_after: Option<u64>) -> CloudError {
        CloudError {
            status: Some(429),
            retry_after: retry_after.map(Duration::from_secs),
            ..CloudError::local(Meaning::Throttled, "too many")
        }
    }

    fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    fn throttle() -> Arc<Throttle> {
        Arc::new(Throttle::new((at(5), at(60))))
    }

    #[test]
    fn one_refusal_holds_all_calls_back_and_then_a_single_one_is_made() {
        let throttle = throttle();
        assert!(throttle.check(at(0)).is_ok());
        throttle.heard(Some(&throttled(None)), at(0));
        let held = throttle.check(at(1)).unwrap_err();
        assert_eq!(
            (held.meaning, held.retry_after),
            (Meaning::Throttled, Some(at(4)))
        );
        let _trying = throttle.check(at(5)).unwrap();
        assert!(throttle.check(at(5)).is_err(), "one, not many");
        throttle.heard(None, at(6));
        assert!(throttle.check(at(6)).is_ok());
    }

    #[test]
    fn pauses_grow_with_each_try_and_not_with_each_call_that_was_under_way() {
        let throttle = throttle();
        let (mut now, mut pauses) = (0, Vec::new());
        for _ in 0..6 {
            let trying = throttle.check(at(now)).unwrap();
            for _ in 0..16 {
                throttle.heard(Some(&throttled(None)), at(now));
            }
            drop(trying);
            let pause = throttle
                .check(at(now))
                .unwrap_err()
                .retry_after
                .unwrap()
                .as_secs();
            pauses.push(pause);
            now += pause;
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn e14_a_service_that_is_away_for_a_time_that_it_names_is_left_alone_for_that_time() {
        let away = |retry_after: Option<u64>| CloudError {
            status: Some(503),
            retry_after: retry_after.map(Duration::from_secs),
            ..CloudError::local(Meaning::Transient, "unavailable")
        };
        let throttle = throttle();
        throttle.heard(Some(&away(None)), at(0));
        assert!(throttle.check(at(0)).is_ok(), "it names no time");
        throttle.heard(Some(&away(Some(60))), at(0));
        let held = throttle.check(at(20)).unwrap_err();
        assert_eq!(
            (held.meaning, held.retry_after),
            (Meaning::Transient, Some(at(40)))
        );
        assert!(throttle.check(at(60)).is_ok());
    }

    #[test]
    fn e14_an_answer_that_was_on_its_way_ends_no_pause() {
        let busy = CloudError {
            status: Some(409),
            ..CloudError::local(Meaning::Busy, "busy")
        };
        for answer in [None, Some(&busy)] {
            let throttle = throttle();
            throttle.heard(Some(&throttled(Some(600))), at(0));
            throttle.heard(answer, at(1));
            let held = throttle.check(at(2)).unwrap_err();
            assert_eq!(held.retry_after, Some(at(598)));
            let _trying = throttle.check(at(600)).unwrap();
            throttle.heard(answer, at(601));
            assert!(throttle.check(at(601)).is_ok());
        }
    }

    #[test]
    fn the_pause_that_the_cloud_asks_for_is_kept_and_silence_ends_none() {
        let throttle = throttle();
        throttle.heard(Some(&throttled(Some(90))), at(0));
        assert!(throttle.check(at(89)).is_err());
        let trying = throttle.check(at(90)).unwrap();
        throttle.heard(
            Some(&CloudError::local(Meaning::Transient, "reset")),
            at(91),
        );
        assert!(throttle.check(at(92)).is_err());
        drop(trying);
        let _trying = throttle.check(at(92)).unwrap();
        assert!(throttle.check(at(92)).is_err());
        let busy = CloudError {
            status: Some(409),
            ..CloudError::local(Meaning::Busy, "busy")
        };
        throttle.heard(Some(&busy), at(93));
        assert!(throttle.check(at(93)).is_ok());
    }

    #[test]
    fn a_try_that_ends_after_the_next_one_has_begun_gives_nothing_back() {
        let throttle = throttle();
        throttle.heard(Some(&throttled(None)), at(0));
        let slow = throttle.check(at(5)).unwrap();
        let next = throttle.check(at(10)).unwrap();
        drop(slow);
        assert!(throttle.check(at(10)).is_err());
        drop(next);
        assert!(throttle.check(at(10)).is_ok());
    }
}
