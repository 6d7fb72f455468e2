//! Holds back a credential that was refused, before the cloud locks it.
//!
//! Five refused signatures in a row lock a key for five minutes ("API Request Signing Guide"), and failed sign-ins lock a
//! user for longer. So after two refusals in a row nothing is sent for a while, and then a single try; and until a credential
//! was believed once, its calls are made one at a time.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::cloud::CloudError;

/// So many refusals in a row hold a credential back.
const TOLERATED: u32 = 2;

/// The refusals of one credential.
#[derive(Debug)]
pub struct Refusals {
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    proven: bool,
    in_a_row: u32,
    in_all: u64,
    last: Option<(Duration, CloudError)>,
}

/// What had been refused when a caller came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival(u64);

impl Refusals {
    /// Holds a credential back for `pause` after its last refusal.
    pub fn new(pause: Duration) -> Self {
        Self {
            pause,
            state: Mutex::default(),
        }
    }

    /// A caller comes, and may have to wait for another's call.
    pub fn arrive(&self) -> Arrival {
        Arrival(self.state().in_all)
    }

    /// Whether the credential was believed and not refused since.
    pub fn is_proven(&self) -> bool {
        self.state().proven
    }

    /// Whether a call may be made at this uptime; else the last refusal. Whoever waited while a call was refused hears of that
    /// instead of making the next one; who is held back is told the time that is left.
    pub fn check(&self, arrival: Arrival, uptime: Duration) -> Result<(), CloudError> {
        let mut state = self.state();
        let shared = state.in_all > arrival.0;
        let held = state.in_a_row >= TOLERATED;
        let Some((at, error)) = &mut state.last else {
            return Ok(());
        };
        if shared {
            return Err(error.clone());
        }
        if !held {
            return Ok(());
        }
        let passed = uptime.saturating_sub(*at);
        if passed < self.pause {
            return Err(CloudError {
                retry_after: Some(self.pause.saturating_sub(passed)),
                ..error.clone()
            });
        }
        // This caller tries; the others wait for what it hears.
        *at = uptime;
        Ok(())
    }

    /// The credential was refused.
    pub fn refused(&self, error: &CloudError, uptime: Duration) {
        let mut state = self.state();
        state.in_all = state.in_all.saturating_add(1);
        state.count(error, uptime);
    }

    /// A token was refused that can be had anew: nobody has to hear of that unless the new one is refused too.
    pub fn refused_token(&self, error: &CloudError, uptime: Duration) {
        self.state().count(error, uptime);
    }

    /// The credential was believed.
    pub fn accepted(&self) {
        let mut state = self.state();
        *state = State {
            proven: true,
            in_all: state.in_all,
            ..State::default()
        };
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, error: &CloudError, uptime: Duration) {
        self.proven = false;
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.last = Some((uptime, error.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Meaning;

    const PAUSE: Duration = Duration::from_mins(5);

    fn refusal() -> CloudError {
        CloudError {
            meaning: Meaning::Unauthenticated,
            code: None,
            status: Some(401),
            text: "no".to_owned(),
            retry_after: None,
        }
    }

    fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    fn check(refusals: &Refusals, second: u64) -> Result<(), CloudError> {
        refusals.check(refusals.arrive(), at(second))
    }

    #[test]
    fn two_refusals_in_a_row_stop_the_calls_and_then_one_try_is_made() {
        let refusals = Refusals::new(PAUSE);
        refusals.refused(&refusal(), at(0));
        assert!(check(&refusals, 1).is_ok());
        refusals.refused(&refusal(), at(1));
        let held = check(&refusals, 61).unwrap_err();
        assert_eq!(held.retry_after, Some(Duration::from_mins(4)));
        assert_eq!(held.meaning, Meaning::Unauthenticated);
        assert!(check(&refusals, 301).is_ok());
        assert!(check(&refusals, 302).is_err(), "one try, not many");
        refusals.accepted();
        assert!(check(&refusals, 303).is_ok());
    }

    #[test]
    fn a_success_between_refusals_starts_the_count_anew() {
        let refusals = Refusals::new(PAUSE);
        refusals.refused(&refusal(), at(0));
        refusals.accepted();
        refusals.refused(&refusal(), at(1));
        assert!(check(&refusals, 1).is_ok());
    }

    #[test]
    fn who_waited_while_a_call_was_refused_is_refused_with_it() {
        let refusals = Refusals::new(PAUSE);
        let waiting = refusals.arrive();
        assert!(!refusals.is_proven());
        refusals.refused(&refusal(), at(0));
        assert!(refusals.check(waiting, at(0)).is_err());
        assert!(check(&refusals, 0).is_ok());
        let waiting = refusals.arrive();
        refusals.accepted();
        assert!(refusals.check(waiting, at(1)).is_ok() && refusals.is_proven());
        refusals.refused_token(&refusal(), at(2));
        assert!(refusals.check(waiting, at(2)).is_ok() && !refusals.is_proven());
    }
}
