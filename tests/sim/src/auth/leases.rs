//! Who gets credentials for a while: whom an identity provider vouches for, and machines with an agency.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;

use crate::accounts::{Accounts, IdToken};

#[derive(Debug)]
pub(crate) struct Leases {
    id_tokens: Vec<IdToken>,
    /// The account whose agency the machine has.
    pub(crate) agency: Option<String>,
    /// Issued by the metadata service.
    pub(crate) metadata_tokens: BTreeSet<String>,
}

impl Leases {
    pub(super) fn new(accounts: &Accounts) -> Self {
        Self {
            id_tokens: accounts.id_tokens.clone(),
            agency: accounts.agency.clone(),
            metadata_tokens: BTreeSet::new(),
        }
    }

    /// Credential and account of whom a provider vouches for by this token.
    pub(crate) fn by_id_token(&self, provider: &str, text: &str) -> Option<(String, String)> {
        let fits = |one: &&IdToken| one.provider == provider && one.text.expose_secret() == text;
        let found = self.id_tokens.iter().find(fits)?;
        let credential = format!("{}/{provider}", found.account);
        Some((credential, found.account.clone()))
    }
}
