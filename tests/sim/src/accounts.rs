//! Who may call: access keys, users with passwords, tokens made beforehand.

use std::time::Duration;

use secrecy::SecretString;

use crate::sample;

/// The credentials that a simulator starts with. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Accounts {
    pub(crate) access_keys: Vec<AccessKey>,
    pub(crate) users: Vec<User>,
    pub(crate) tokens: Vec<MadeToken>,
    pub(crate) id_tokens: Vec<IdToken>,
    /// Identity providers, each with the account that it is of.
    pub(crate) providers: Vec<(String, IdentityProvider)>,
    /// The account whose agency the machine has.
    pub(crate) agency: Option<String>,
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
    /// For how long from the beginning it is blocked.
    pub(crate) blocked_for: Option<Duration>,
}

/// A token that is there from the beginning.
#[derive(Debug, Clone)]
pub(crate) struct MadeToken {
    pub(crate) text: SecretString,
    pub(crate) account: String,
    /// How long from the beginning it is good; for ever without it.
    pub(crate) expires_after: Option<Duration>,
}

/// An ID token for which an identity provider's users are let in.
#[derive(Debug, Clone)]
pub(crate) struct IdToken {
    pub(crate) provider: String,
    pub(crate) text: SecretString,
    pub(crate) account: String,
}

/// An identity provider with OpenID Connect, as it stands in IAM: whose tokens are accepted, and for whom.
#[derive(Debug, Clone)]
pub struct IdentityProvider {
    /// Its name, which is sent in `X-Idp-Id`.
    pub name: String,
    /// The issuer of its tokens.
    pub issuer: String,
    /// The audience that its tokens must have.
    pub client_id: String,
    /// Its keys, as a JSON Web Key Set.
    pub keys: serde_json::Value,
    /// The subjects for which a rule makes a user.
    pub subjects: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) domain: String,
    pub(crate) name: String,
    pub(crate) password: SecretString,
    /// For how long from the beginning the user is locked.
    pub(crate) locked_for: Option<Duration>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            access_keys: Vec::new(),
            users: Vec::new(),
            tokens: Vec::new(),
            id_tokens: Vec::new(),
            providers: Vec::new(),
            agency: None,
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

    /// Whether there is an access key with this id.
    pub fn has_access_key(&self, id: &str) -> bool {
        self.access_keys.iter().any(|key| key.id == id)
    }

    /// Adds a permanent access key.
    #[must_use]
    pub fn access_key(mut self, id: &str, secret: &str) -> Self {
        self.access_keys.push(AccessKey {
            id: id.to_owned(),
            account: self.account.clone(),
            secret: secret.into(),
            security_token: None,
            blocked_for: None,
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
            blocked_for: None,
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
            locked_for: None,
        });
        self
    }

    /// Adds a token that is good for every project until it is revoked.
    #[must_use]
    pub fn token(mut self, text: &str) -> Self {
        self.tokens.push(MadeToken {
            text: text.into(),
            account: self.account.clone(),
            expires_after: None,
        });
        self
    }

    /// Adds an ID token, such as a Kubernetes service account's, that this identity provider vouches for.
    #[must_use]
    pub fn id_token(mut self, provider: &str, text: &str) -> Self {
        self.id_tokens.push(IdToken {
            provider: provider.to_owned(),
            text: text.into(),
            account: self.account.clone(),
        });
        self
    }

    /// Adds an identity provider, whose tokens are verified.
    #[must_use]
    pub fn identity_provider(mut self, provider: IdentityProvider) -> Self {
        self.providers.push((self.account.clone(), provider));
        self
    }

    /// Gives the machine whose metadata is asked for an agency of the account.
    #[must_use]
    pub fn machine_agency(self) -> Self {
        Self {
            agency: Some(self.account.clone()),
            ..self
        }
    }
}
