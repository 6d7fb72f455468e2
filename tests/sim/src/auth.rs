//! Who is calling: signatures, tokens, and the locks that follow from wrong ones.
//!
//! Promises the gateway's answer for every request that it would not let pass. Signatures are judged by the real wall
//! clock, everything else by the simulator's time.

mod id_token;
mod keys;
mod leases;
mod quota;
mod signature;
mod tokens;
mod users;

use axum::http::HeaderMap;
use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::behaviour::Behaviour;

pub(crate) use signature::{Signed, hex, query_pairs, reduced};
pub(crate) use tokens::{TOKEN_EXPIRED, TokenGrant};
pub(crate) use users::SignInError;

const X_AUTH_TOKEN: &str = "x-auth-token";
const X_SECURITY_TOKEN: &str = "x-security-token";

/// All credentials and what was done to them.
#[derive(Debug)]
pub(crate) struct Gatekeeper {
    pub(crate) keys: keys::Keys,
    pub(crate) users: users::Users,
    pub(crate) tokens: tokens::Tokens,
    pub(crate) quotas: quota::Quotas,
    pub(crate) leases: leases::Leases,
}

/// Who was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The access key's id, the user as `domain/name`, or the number of a token made beforehand.
    pub(crate) credential: String,
    pub(crate) account: String,
    pub(crate) scope: Scope,
}

/// What a credential is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every project.
    Everything,
    /// One project.
    Project(String),
    /// No project: the token was asked for without one.
    Nothing,
}

impl Scope {
    pub(crate) fn covers(&self, project: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Project(own) => own == project,
            Self::Nothing => false,
        }
    }
}

/// Why somebody is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied {
    /// Who it claims to be, when that is somebody known.
    pub(crate) credential: Option<String>,
    /// The gateway's code: APIGW.0301, or APIGW.0307 where a new token helps.
    pub(crate) code: &'static str,
    pub(crate) reason: String,
}

impl Denied {
    fn new(credential: Option<&str>, reason: impl Into<String>) -> Self {
        Self {
            credential: credential.map(str::to_owned),
            code: "APIGW.0301",
            reason: reason.into(),
        }
    }
}

impl Gatekeeper {
    pub(crate) fn new(accounts: &Accounts, now: Timestamp) -> Self {
        Self {
            keys: keys::Keys::new(&accounts.access_keys, now),
            users: users::Users::new(&accounts.users, now),
            tokens: tokens::Tokens::new(&accounts.tokens, now),
            quotas: quota::Quotas::default(),
            leases: leases::Leases::new(accounts),
        }
    }

    /// Recognises the sender of a request by its signature or by its token.
    pub(crate) fn admit(
        &mut self,
        signed: &Signed<'_>,
        behaviour: &Behaviour,
        now: Timestamp,
        wall: Timestamp,
    ) -> Result<Identity, Denied> {
        if signed
            .headers
            .contains_key(axum::http::header::AUTHORIZATION)
        {
            return self.keys.admit(
                signed,
                now,
                wall.saturating_add(behaviour.clock_skew).unwrap_or(wall),
            );
        }
        match text(signed.headers, X_AUTH_TOKEN) {
            Some(token) => self.tokens.admit(token, now),
            None => Err(Denied::new(
                None,
                "neither a signature nor a token was sent",
            )),
        }
    }
}

/// A header's value, if it is text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
