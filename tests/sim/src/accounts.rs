//! Who may call: access keys, users with passwords, tokens made beforehand.

use secrecy::SecretString;

use crate::sample;

/// The credentials that a simulator starts with. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Accounts {
    pub(crate) access_keys: Vec<AccessKey>,
    pub(crate) users: Vec<User>,
    pub(crate) tokens: Vec<MadeToken>,
    /// Whose the keys and tokens are that are added next.
    account: String,
}

#[derive(Debug, Clone)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) secret: SecretString,
    /// A temporary key is good only together with this, in `X-Security-Token`.
    pub(crate) security_token: Option<SecretString>,
}

/// A token that is there from the beginning.
#[derive(Debug, Clone)]
pub(crate) struct MadeToken {
    pub(crate) text: SecretString,
    pub(crate) account: String,
}

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) domain: String,
    pub(crate) name: String,
    pub(crate) password: SecretString,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            access_keys: Vec::new(),
            users: Vec::new(),
            tokens: Vec::new(),
            account: sample::DOMAIN.to_owned(),
        }
    }
}

impl Accounts {
    /// Nobody.
    pub fn none() -> Self {
        Self::default()
    }

    /// Access keys and tokens that are added from here on belong to this account; [`sample::DOMAIN`] without it.
    #[must_use]
    pub fn account(self, name: &str) -> Self {
        Self {
            account: name.to_owned(),
            ..self
        }
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
            account: self.account.clone(),
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
            account: self.account.clone(),
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
        self.tokens.push(MadeToken {
            text: text.into(),
            account: self.account.clone(),
        });
        self
    }
}
