//! Credentials that come, go, and lose their worth.

use std::time::Duration;

use jiff::Timestamp;

use super::Control;
use crate::accounts::{AccessKey, IdToken, IdentityProvider};
use crate::sample;

/// A credential that isn't known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// No such access key.
    #[error("no access key {0:?}")]
    NoKey(String),
    /// No such user.
    #[error("no user {0:?}")]
    NoUser(String),
}

impl Control {
    /// Makes tokens unknown: all, or those of one credential (`domain/name` of a user, `token 1`). Returns how many.
    pub fn revoke_tokens(&self, credential: Option<&str>) -> usize {
        self.shared.world().gatekeeper.tokens.revoke(credential)
    }

    /// Lets tokens expire after a while (at once for zero): all, or those of one credential. Returns how many.
    pub fn expire_tokens(&self, credential: Option<&str>, after: Duration) -> usize {
        let now = self.now();
        self.shared
            .world()
            .gatekeeper
            .tokens
            .expire(credential, after, now)
    }

    /// Adds an access key, or gives a known one another secret; its failures are forgotten.
    pub fn set_access_key(&self, id: &str, secret: &str) {
        let key = AccessKey {
            id: id.to_owned(),
            account: sample::DOMAIN.to_owned(),
            secret: secret.into(),
            security_token: None,
            blocked_for: None,
        };
        self.shared.world().gatekeeper.keys.add(key);
    }

    /// As [`Control::set_access_key`], for a temporary key with its security token.
    pub fn set_temporary_key(&self, id: &str, secret: &str, security_token: &str) {
        let key = AccessKey {
            id: id.to_owned(),
            account: sample::DOMAIN.to_owned(),
            secret: secret.into(),
            security_token: Some(security_token.into()),
            blocked_for: None,
        };
        self.shared.world().gatekeeper.keys.add(key);
    }

    /// Makes an access key unknown.
    pub fn remove_access_key(&self, id: &str) -> Result<(), CredentialError> {
        let removed = self.shared.world().gatekeeper.keys.remove(id);
        if removed {
            Ok(())
        } else {
            Err(CredentialError::NoKey(id.to_owned()))
        }
    }

    /// Blocks an access key for a while, as more than five wrong signatures in a row do.
    pub fn block_access_key(&self, id: &str, time: Duration) -> Result<(), CredentialError> {
        let now = self.now();
        let known = self.shared.world().gatekeeper.keys.block(id, time, now);
        if known {
            Ok(())
        } else {
            Err(CredentialError::NoKey(id.to_owned()))
        }
    }

    /// Makes this the only ID token that is accepted as it is from an identity provider.
    pub fn set_id_token(&self, provider: &str, text: &str) {
        let token = IdToken {
            provider: provider.to_owned(),
            text: text.into(),
            account: sample::DOMAIN.to_owned(),
        };
        self.shared.world().gatekeeper.leases.set_id_token(token);
    }

    /// Adds an identity provider, or puts it in the place of the one of this name.
    pub fn set_identity_provider(&self, provider: IdentityProvider) {
        let account = sample::DOMAIN.to_owned();
        let leases = &mut self.shared.world().gatekeeper.leases;
        leases.set_provider(account, provider);
    }

    /// Locks a user for a while, as five wrong passwords do.
    pub fn lock_user(
        &self,
        domain: &str,
        name: &str,
        time: Duration,
    ) -> Result<(), CredentialError> {
        let now = self.now();
        let users = &mut self.shared.world().gatekeeper.users;
        if users.lock(domain, name, time, now) {
            Ok(())
        } else {
            Err(CredentialError::NoUser(format!("{domain}/{name}")))
        }
    }

    /// Until when an access key is blocked for its wrong signatures; none if it isn't.
    pub fn blocked_until(&self, access_key: &str) -> Option<Timestamp> {
        let now = self.now();
        self.shared
            .world()
            .gatekeeper
            .keys
            .blocked_until(access_key, now)
    }

    /// Gives a user another password. Tokens stay good: revoke them as well where that matters.
    pub fn set_password(
        &self,
        domain: &str,
        name: &str,
        password: &str,
    ) -> Result<(), CredentialError> {
        let known =
            self.shared
                .world()
                .gatekeeper
                .users
                .set_password(domain, name, password.into());
        if known {
            Ok(())
        } else {
            Err(CredentialError::NoUser(format!("{domain}/{name}")))
        }
    }
}
