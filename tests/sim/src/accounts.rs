//! Who may call: access keys, users with passwords, tokens made beforehand.

use secrecy::SecretString;

use crate::sample;

/// The credentials that a simulator starts with. `Debug` shows no secret.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    pub(crate) access_keys: Vec<AccessKey>,
    pub(crate) users: Vec<User>,
    pub(crate) tokens: Vec<SecretString>,
}

#[derive(Debug, Clone)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) secret: SecretString,
    /// A temporary key is good only together with this, in `X-Security-Token`.
    pub(crate) security_token: Option<SecretString>,
}

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) domain: String,
    pub(crate) name: String,
    pub(crate) password: SecretString,
}

impl Accounts {
    /// Nobody.
    pub fn none() -> Self {
        Self::default()
    }

    /// The key and the user of [`sample`].
    pub fn sample() -> Self {
        Self::none()
            .access_key(sample::ACCESS_KEY, sample::SECRET_KEY)
            .user(sample::DOMAIN, sample::USER, sample::PASSWORD)
    }

    /// Adds a permanent access key.
    #[must_use]
    pub fn access_key(mut self, id: &str, secret: &str) -> Self {
        self.access_keys.push(AccessKey {
            id: id.to_owned(),
            secret: secret.into(),
            security_token: None,
        });
        self
    }

    /// Adds a temporary access key with its security token.
    #[must_use]
    pub fn temporary_key(mut self, id: &str, secret: &str, security_token: &str) -> Self {
        let security_token = Some(security_token.into());
        self.access_keys.push(AccessKey {
            id: id.to_owned(),
            secret: secret.into(),
            security_token,
        });
        self
    }

    /// Adds a user of an account (IAM calls it a domain).
    #[must_use]
    pub fn user(mut self, domain: &str, name: &str, password: &str) -> Self {
        self.users.push(User {
            domain: domain.to_owned(),
            name: name.to_owned(),
            password: password.into(),
        });
        self
    }

    /// Adds a token that is good for every project until it is revoked.
    #[must_use]
    pub fn token(mut self, text: &str) -> Self {
        self.tokens.push(text.into());
        self
    }
}
