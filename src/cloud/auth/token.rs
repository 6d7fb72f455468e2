//! Tokens and temporary keys that are fetched and kept.
//!
//! Promises one sign-in for all that wait, that what was fetched is renewed before it ends, and that who waited while a sign-in
//! failed hears of that failure instead of making the next one: failed sign-ins lock a user. Who waits for calls does not keep
//! others from what is there, and who waits for the sign-in of another one does so aside.

use std::{future::Future, sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio::sync::{Mutex, MutexGuard};

use super::sign_in::{Granted, SignIn};
use crate::{
    cloud::{CloudError, budget::Allowance, lanes::Lanes, reads::Reads},
    seats::aside,
};

/// What was fetched is renewed this long before its end, or after four fifths of its life if that is earlier; what lives shortly lives
/// half its life at least.
const EARLY: Duration = Duration::from_mins(5);

/// Fetches and keeps what one credential signs in for.
#[derive(Debug)]
pub struct TokenSource {
    reads: Reads,
    lanes: Arc<Lanes>,
    sign_in: SignIn,
    kept: Mutex<Kept>,
    refused: std::sync::Mutex<u64>,
}

/// What was fetched.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// A token or temporary keys.
    pub(super) granted: Arc<Granted>,
    serial: u64,
    renew_at: Duration,
}

/// Why there is no token.
#[derive(Debug)]
pub struct NoToken {
    /// What went wrong.
    pub(super) error: CloudError,
    /// Whether no request of this caller failed: it has waited for somebody else's, or in vain for its turn.
    pub(super) heard_of: bool,
}

#[derive(Debug, Default)]
struct Kept {
    serial: u64,
    token: Option<Fetched>,
    failure: Option<(Duration, CloudError)>,
}

impl TokenSource {
    /// What this sign-in fetches, at an address to which there are these lanes.
    pub fn new(reads: Reads, lanes: Arc<Lanes>, sign_in: SignIn) -> Self {
        Self {
            reads,
            lanes,
            sign_in,
            kept: Mutex::default(),
            refused: std::sync::Mutex::new(0),
        }
    }

    /// The kept token, or a new one, which takes calls of its own and the turn that `enter` gives. Neither is taken where there
    /// is a token.
    pub async fn get<T>(
        &self,
        allowance: &Allowance,
        enter: impl Future<Output = Result<T, CloudError>>,
    ) -> Result<Fetched, NoToken> {
        let came = self.uptime();
        if let Some(known) = self.known(&*self.locked().await, came) {
            return known;
        }
        let in_vain = |error| NoToken {
            error,
            heard_of: true,
        };
        // Before the lock: whoever waits for a call holds up nobody.
        let mut paid = Vec::new();
        for _ in 0..self.sign_in.calls() {
            paid.push(allowance.spend().await.map_err(in_vain)?);
        }
        let mut kept = self.locked().await;
        if let Some(known) = self.known(&kept, came) {
            return known;
        }
        let _turn = enter.await.map_err(in_vain)?;
        for call in paid {
            call.made();
        }
        let now = self.uptime();
        match self.sign_in.fetch(&self.reads).await {
            Ok((granted, life)) => {
                kept.serial += 1;
                let fetched = Fetched {
                    granted: Arc::new(granted),
                    serial: kept.serial,
                    renew_at: now.saturating_add(good_for(life)),
                };
                kept.token = Some(fetched.clone());
                kept.failure = None;
                Ok(fetched)
            }
            Err(error) => {
                kept.failure = Some((self.uptime(), error.clone()));
                Err(NoToken {
                    error,
                    heard_of: false,
                })
            }
        }
    }

    /// The kept token, or how the request failed for which a caller has waited that came then.
    fn known(&self, kept: &Kept, came: Duration) -> Option<Result<Fetched, NoToken>> {
        let now = self.uptime();
        let refused = *self
            .refused
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut token = kept.token.iter();
        if let Some(token) = token.find(|token| token.serial > refused && now < token.renew_at) {
            return Some(Ok(token.clone()));
        }
        let failure = kept.failure.as_ref().filter(|(at, _)| *at > came);
        failure.map(|(_, error)| {
            Err(NoToken {
                error: error.clone(),
                heard_of: true,
            })
        })
    }

    async fn locked(&self) -> MutexGuard<'_, Kept> {
        match self.kept.try_lock() {
            Ok(kept) => kept,
            Err(_) => aside(self.kept.lock()).await,
        }
    }

    fn uptime(&self) -> Duration {
        self.reads.clock.now().uptime
    }

    /// The lanes to where it signs in.
    pub(super) fn lanes(&self) -> &Arc<Lanes> {
        &self.lanes
    }

    /// Whether requests are signed with what it fetches, so that the clocks matter.
    pub(super) fn signs(&self) -> bool {
        self.sign_in.signs()
    }

    /// The token was refused: the next one is fetched anew. False if that was known.
    pub fn forget(&self, fetched: &Fetched) -> bool {
        let mut refused = self
            .refused
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let news = fetched.serial > *refused;
        *refused = (*refused).max(fetched.serial);
        news
    }

    /// What must not appear in a text, beside what was fetched.
    pub(super) fn secrets(&self) -> Vec<&SecretString> {
        self.sign_in.secrets()
    }
}

/// For how long what has such a life is used.
fn good_for(life: Duration) -> Duration {
    life.saturating_sub(EARLY).clamp(life / 2, life / 5 * 4)
}

#[cfg(test)]
mod tests;
