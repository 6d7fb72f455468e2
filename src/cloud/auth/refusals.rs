//! Holds back a credential that was refused, before the cloud locks it.
//!
//! Five refused signatures in a row lock a key for five minutes ("API Request Signing Guide"), and failed sign-ins lock a
//! user for longer. So after two refusals in a row nothing is sent for a while, and then a single try.

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
    in_a_row: u32,
    last: Option<(Duration, CloudError)>,
}

impl Refusals {
    /// Holds a credential back for `pause` after its last refusal.
    pub fn new(pause: Duration) -> Self {
        Self {
            pause,
            state: Mutex::default(),
        }
    }

    /// Whether a call may be made at this uptime; else the last refusal, with the time that is left.
    pub fn check(&self, uptime: Duration) -> Result<(), CloudError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.in_a_row < TOLERATED {
            return Ok(());
        }
        let Some((at, error)) = &mut state.last else {
            return Ok(());
        };
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
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.in_a_row = state.in_a_row.saturating_add(1);
        state.last = Some((uptime, error.clone()));
    }

    /// The credential was believed.
    pub fn accepted(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
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

    #[test]
    fn two_refusals_in_a_row_stop_the_calls_and_then_one_try_is_made() {
        let refusals = Refusals::new(PAUSE);
        refusals.refused(&refusal(), at(0));
        assert!(refusals.check(at(1)).is_ok());
        refusals.refused(&refusal(), at(1));
        let held = refusals.check(at(61)).unwrap_err();
        assert_eq!(held.retry_after, Some(Duration::from_mins(4)));
        assert_eq!(held.meaning, Meaning::Unauthenticated);
        assert!(refusals.check(at(301)).is_ok());
        assert!(refusals.check(at(302)).is_err(), "one try, not many");
        refusals.accepted();
        assert!(refusals.check(at(303)).is_ok());
    }

    #[test]
    fn a_success_between_refusals_starts_the_count_anew() {
        let refusals = Refusals::new(PAUSE);
        refusals.refused(&refusal(), at(0));
        refusals.accepted();
        refusals.refused(&refusal(), at(1));
        assert!(refusals.check(at(1)).is_ok());
    }
}
