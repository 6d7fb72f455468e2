//! Tokens: issued for a password, good for a while, revoked by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::{Denied, Identity, Scope};
use crate::accounts::MadeToken;
use crate::clock::later;

/// The gateway's code for a token whose time is over.
pub(crate) const TOKEN_EXPIRED: &str = "APIGW.0307";

/// By the token's text.
#[derive(Default)]
pub(crate) struct Tokens(BTreeMap<String, TokenGrant>);

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenGrant {
    /// The user as `domain/name`, or the number of a token made beforehand.
    pub(crate) credential: String,
    pub(crate) account: String,
    pub(crate) scope: Scope,
    pub(crate) issued: Timestamp,
    pub(crate) expires: Timestamp,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.0.values()).finish()
    }
}

impl Tokens {
    pub(super) fn new(beforehand: &[MadeToken], now: Timestamp) -> Self {
        let mut tokens = Self::default();
        for (number, made) in beforehand.iter().enumerate() {
            let credential = format!("token {}", number + 1);
            let grant = TokenGrant {
                credential,
                account: made.account.clone(),
                scope: Scope::Everything,
                issued: now,
                expires: made
                    .expires_after
                    .map_or(Timestamp::MAX, |after| later(now, after)),
            };
            tokens.issue(made.text.expose_secret().to_owned(), grant);
        }
        tokens
    }

    pub(crate) fn issue(&mut self, text: String, grant: TokenGrant) {
        self.0.insert(text, grant);
    }

    pub(super) fn admit(&self, text: &str, now: Timestamp) -> Result<Identity, Denied> {
        let grant = self.grant(text, now)?;
        Ok(Identity {
            credential: grant.credential.clone(),
            account: grant.account.clone(),
            scope: grant.scope.clone(),
        })
    }

    /// What a token is good for, if it still is.
    pub(crate) fn grant(&self, text: &str, now: Timestamp) -> Result<&TokenGrant, Denied> {
        let grant = self
            .0
            .get(text)
            .ok_or_else(|| Denied::new(None, "the token is unknown or was revoked"))?;
        if now < grant.expires {
            return Ok(grant);
        }
        Err(Denied {
            code: TOKEN_EXPIRED,
            ..Denied::new(
                Some(&grant.credential),
                "the token has expired, get a new one",
            )
        })
    }

    /// Whose a token is or was.
    pub(crate) fn credential_of(&self, text: &str) -> Option<&str> {
        self.0.get(text).map(|grant| &*grant.credential)
    }

    /// Makes tokens unknown: all, or one credential's. Returns how many.
    pub(crate) fn revoke(&mut self, credential: Option<&str>) -> usize {
        let before = self.0.len();
        self.0
            .retain(|_, grant| credential.is_some_and(|one| grant.credential != one));
        before - self.0.len()
    }

    /// Ends the time of tokens after a while: all, or one credential's. Returns how many.
    pub(crate) fn expire(
        &mut self,
        credential: Option<&str>,
        after: Duration,
        now: Timestamp,
    ) -> usize {
        let theirs = |grant: &&mut TokenGrant| credential.is_none_or(|one| grant.credential == one);
        self.0
            .values_mut()
            .filter(theirs)
            .map(|grant| grant.expires = later(now, after))
            .count()
    }
}
