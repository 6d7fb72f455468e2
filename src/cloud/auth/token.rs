//! Tokens of IAM for a user with a password ("Obtaining a User Token Through Password Authentication").
//!
//! Promises one request for all that wait, a token that is renewed before it ends, and that who waited while a request
//! failed hears of that failure instead of making the next one: failed sign-ins lock a user. Who waits for calls does not keep
//! others from a token that is there, and who waits for the request of another one does so aside.

use std::{future::Future, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    cloud::{
        CloudError, Meaning,
        budget::Allowance,
        error::table::Asked,
        lanes::Lanes,
        observer::Operation,
        reads::{self, Reads},
        wire,
    },
    controller::queue::seat::aside,
};

/// The life of a token whose answer doesn't say; the documented one is a day.
const UNSTATED_LIFE: Duration = Duration::from_mins(30);

/// A token is renewed this long before its end, or after four fifths of its life if that is earlier; a short one lives half
/// its life at least.
const EARLY: Duration = Duration::from_mins(5);

const JSON: HeaderValue = HeaderValue::from_static(super::CONTENT_TYPE);

/// Fetches and keeps the token of one user in one project.
#[derive(Debug)]
pub struct TokenSource {
    reads: Reads,
    lanes: Arc<Lanes>,
    url: String,
    project: String,
    username: SecretString,
    password: SecretString,
    domain_name: SecretString,
    kept: Mutex<Kept>,
    refused: std::sync::Mutex<u64>,
}

/// A token that was fetched.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The token.
    pub(super) token: Arc<SecretString>,
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
    /// For the user of `domain_name`, at IAM's address `iam`, to which there are these lanes, with a token for `project`.
    pub fn new(
        reads: Reads,
        (iam, lanes): (&str, Arc<Lanes>),
        project: &str,
        username: SecretString,
        password: SecretString,
        domain_name: SecretString,
    ) -> Self {
        Self {
            reads,
            lanes,
            // The catalog of services makes up most of the answer, and nobody reads it.
            url: format!("{iam}/v3/auth/tokens?nocatalog=true"),
            project: project.to_owned(),
            username,
            password,
            domain_name,
            kept: Mutex::default(),
            refused: std::sync::Mutex::new(0),
        }
    }

    /// The kept token, or a new one, which takes a call of its own and the turn that `enter` gives. Neither is taken where there
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
        let paid = allowance.spend().await.map_err(in_vain)?;
        let mut kept = self.locked().await;
        if let Some(known) = self.known(&kept, came) {
            return known;
        }
        let _turn = enter.await.map_err(in_vain)?;
        paid.made();
        let now = self.uptime();
        match self.fetch().await {
            Ok((token, life)) => {
                kept.serial += 1;
                let fetched = Fetched {
                    token: Arc::new(token),
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

    /// The lanes to IAM.
    pub(super) fn lanes(&self) -> &Arc<Lanes> {
        &self.lanes
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

    /// What must not appear in a text.
    pub(super) fn password(&self) -> &SecretString {
        &self.password
    }

    async fn fetch(&self) -> Result<(SecretString, Duration), CloudError> {
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": self.username.expose_secret(),
                "password": self.password.expose_secret(),
                "domain": {"name": self.domain_name.expose_secret()},
            }}},
            "scope": {"project": {"id": self.project}},
        }});
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, JSON);
        headers.insert(header::CONTENT_TYPE, JSON);
        headers.insert(header::USER_AGENT, reads::USER_AGENT);
        let body = body.to_string().into_bytes();
        let request = reads::request(Method::POST, &self.url, headers, body)?;
        let secrets = [self.password.expose_secret()];
        let read = |answer: crate::cloud::error::answer::Answer, wall| {
            if !answer.status.is_success() {
                return Err(answer.error(Asked::Read, wall, &secrets));
            }
            let Some(token) = subject_token(&answer.headers) else {
                // The body of a good answer describes the user: it is not shown.
                return Err(no_token(answer.status));
            };
            Ok((
                token,
                wire::token_life(&answer.body).unwrap_or(UNSTATED_LIFE),
            ))
        };
        self.reads.send(Operation::Token, request, read).await
    }
}

/// For how long a token with such a life is used.
fn good_for(life: Duration) -> Duration {
    life.saturating_sub(EARLY).clamp(life / 2, life / 5 * 4)
}

fn subject_token(headers: &HeaderMap) -> Option<SecretString> {
    let value = headers.get("x-subject-token")?.to_str().ok()?.trim();
    (!value.is_empty()).then(|| SecretString::from(value))
}

fn no_token(status: StatusCode) -> CloudError {
    CloudError {
        meaning: Meaning::Malformed,
        code: None,
        status: Some(status.as_u16()),
        text: "IAM's answer holds no token (header X-Subject-Token)".to_owned(),
        retry_after: None,
    }
}

#[cfg(test)]
mod tests;
