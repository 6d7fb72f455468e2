//! Tokens of IAM for a user with a password ("Obtaining a User Token Through Password Authentication").
//!
//! Promises one request for all that wait, a token that is renewed before it ends, and that who waited while a request
//! failed hears of that failure instead of making the next one: failed sign-ins lock a user.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio::sync::Mutex;

use crate::cloud::{
    CloudError, Meaning,
    budget::Allowance,
    error::table::Asked,
    observer::Operation,
    reads::{self, Reads},
    wire,
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
    /// For the user of `domain_name`, at IAM's address `iam`, with a token for `project`.
    pub fn new(
        reads: Reads,
        iam: &str,
        project: &str,
        username: SecretString,
        password: SecretString,
        domain_name: SecretString,
    ) -> Self {
        Self {
            reads,
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

    /// The kept token, or a new one, which takes a call of its own.
    pub async fn get(&self, allowance: &Allowance) -> Result<Fetched, NoToken> {
        let came = self.reads.clock.now().uptime;
        let mut kept = self.kept.lock().await;
        let now = self.reads.clock.now().uptime;
        let refused = *self
            .refused
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(token) = kept
            .token
            .as_ref()
            .filter(|token| token.serial > refused && now < token.renew_at)
        {
            return Ok(token.clone());
        }
        if let Some((_, error)) = kept.failure.as_ref().filter(|(at, _)| *at > came) {
            return Err(NoToken {
                error: error.clone(),
                heard_of: true,
            });
        }
        allowance.spend().await.map_err(|error| NoToken {
            error,
            heard_of: true,
        })?;
        allowance.made();
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
                kept.failure = Some((self.reads.clock.now().uptime, error.clone()));
                Err(NoToken {
                    error,
                    heard_of: false,
                })
            }
        }
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
