//! Who gets credentials for a while: whom an identity provider vouches for, and machines with an agency.

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::id_token;
use crate::accounts::{Accounts, IdToken, IdentityProvider};

#[derive(Debug)]
pub(crate) struct Leases {
    id_tokens: Vec<IdToken>,
    providers: Vec<(String, IdentityProvider)>,
    /// The account whose agency the machine has.
    pub(crate) agency: Option<String>,
    /// Issued by the metadata service, each with its end.
    pub(crate) metadata_tokens: BTreeMap<String, Timestamp>,
}

impl Leases {
    pub(super) fn new(accounts: &Accounts) -> Self {
        Self {
            id_tokens: accounts.id_tokens.clone(),
            providers: accounts.providers.clone(),
            agency: accounts.agency.clone(),
            metadata_tokens: BTreeMap::new(),
        }
    }

    /// Credential and account of whom a provider vouches for by this token. What is verified is judged by the real clock.
    pub(crate) fn by_id_token(
        &self,
        provider: &str,
        text: &str,
        wall: Timestamp,
    ) -> Option<(String, String)> {
        let fits = |one: &&IdToken| one.provider == provider && one.text.expose_secret() == text;
        let known = self.id_tokens.iter().find(fits).map(|one| &one.account);
        let account = known.or_else(|| {
            let mut named = self.providers.iter();
            let verifies = |(_, one): &&(String, IdentityProvider)| {
                one.name == provider && id_token::is_believed(one, text, wall)
            };
            named.find(verifies).map(|(account, _)| account)
        })?;
        Some((format!("{account}/{provider}"), account.clone()))
    }

    /// Adds an ID token in place of all others of its provider.
    pub(crate) fn set_id_token(&mut self, token: IdToken) {
        self.id_tokens.retain(|one| one.provider != token.provider);
        self.id_tokens.push(token);
    }

    /// Adds an identity provider, or takes it in place of the one of this name.
    pub(crate) fn set_provider(&mut self, account: String, provider: IdentityProvider) {
        self.providers.retain(|(_, one)| one.name != provider.name);
        self.providers.push((account, provider));
    }
}
