//! Credentials at work: what a request is sent with, and what became of it.
//!
//! Promises that secrets leave this folder as headers of a request and in no other way: nothing here shows one in its
//! `Debug`, and [`Access::secrets`] serves only to cut them out of texts.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    CloudError, Meaning,
    budget::{Allowance, Budget},
    request::Request,
};
use crate::{
    cloud::auth::{
        entrance::{Entrance, Turn},
        sign_in::Granted,
        signer::Signable,
        token::{Fetched, NoToken, TokenSource},
    },
    model::Moment,
};

pub mod entrance;
pub mod fingerprint;
pub mod guard;
pub mod identity;
pub mod ledger;
pub mod secret;
pub mod sign_in;
pub mod signer;
pub mod token;

/// A credential, made ready for use in one project.
#[derive(Debug)]
pub struct Access {
    means: Arc<Means>,
    entrance: Entrance,
}

/// What requests are sent with.
#[derive(Debug)]
pub enum Means {
    /// Signatures by keys that are given.
    Keys(Keys),
    /// A token that is given.
    Token(SecretString),
    /// A token or temporary keys that are fetched, and renewed in time.
    Fetched(Box<TokenSource>),
}

/// Keys that requests are signed with. `Debug` shows none.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Access key id.
    pub access_key: SecretString,
    /// Secret key.
    pub secret_key: SecretString,
    /// Token of temporary keys.
    pub security_token: Option<SecretString>,
}

impl Keys {
    /// What must not appear in a text.
    fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        [&self.access_key, &self.secret_key]
            .into_iter()
            .chain(&self.security_token)
    }
}

/// What one request is sent with.
#[derive(Debug, Clone)]
pub enum Pass {
    /// A signature, made for the request.
    Signature,
    /// A token.
    Token(Arc<SecretString>),
    /// A token or temporary keys that were fetched.
    Fetched(Fetched),
}

impl Access {
    /// Makes it of a credential's means and its entrance.
    pub fn new(means: Means, entrance: Entrance) -> Self {
        Self {
            means: Arc::new(means),
            entrance,
        }
    }

    /// The same credential at another endpoint: with the same token where one is fetched.
    #[must_use]
    pub fn beside(&self, entrance: Entrance) -> Self {
        Self {
            means: Arc::clone(&self.means),
            entrance,
        }
    }

    /// The turn of the next request and what it is sent with; a token is fetched if there is none. Nothing is sent while the
    /// credential is held back. A turn has to end before its holder asks for another.
    pub async fn pass(&self, allowance: &Allowance) -> Result<(Turn, Pass), CloudError> {
        // What takes long comes before the lanes, which others want as well: first the call, then the token.
        let paid = allowance.spend().await?;
        let passed = self.pass_paid(allowance).await?;
        paid.made();
        Ok(passed)
    }

    async fn pass_paid(&self, allowance: &Allowance) -> Result<(Turn, Pass), CloudError> {
        let pass = match self.means.as_ref() {
            Means::Keys(_) => Pass::Signature,
            Means::Token(token) => Pass::Token(Arc::new(token.clone())),
            Means::Fetched(tokens) => {
                let enter = self.entrance.enter_by(tokens.lanes());
                match tokens.get(allowance, enter).await {
                    Ok(fetched) => Pass::Fetched(fetched),
                    Err(NoToken { error, heard_of }) => {
                        if !heard_of {
                            self.entrance.failed(&error);
                        }
                        return Err(error);
                    }
                }
            }
        };
        let turn = self.entrance.enter().await?;
        Ok((turn, pass))
    }

    /// The headers that `request`, sent to `host` now, must carry for its credential.
    pub fn headers(
        &self,
        request: &Request,
        host: &str,
        project: &str,
        pass: &Pass,
        now: Moment,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, CloudError> {
        let keys = match (pass, self.means.as_ref()) {
            (Pass::Token(value), _) => return by_token(value),
            (Pass::Fetched(fetched), _) => match fetched.granted.as_ref() {
                Granted::Token(value) => return by_token(value),
                Granted::Keys(keys) => keys,
            },
            (Pass::Signature, Means::Keys(keys)) => keys,
            (Pass::Signature, _) => return Err(unusable("the credential can't sign")),
        };
        sign(request, (host, project), keys, now)
    }

    /// The calls that may be made with it.
    pub fn budget(&self) -> &Arc<Budget> {
        self.entrance.budget()
    }

    /// The other side has believed the credential.
    pub fn accepted(&self) {
        self.entrance.accepted();
    }

    /// The other side has answered with an error. True if a fresh token, or fresh temporary keys, may help.
    pub fn failed(&self, pass: &Pass, error: &CloudError) -> bool {
        match (pass, self.means.as_ref()) {
            (Pass::Fetched(fetched), Means::Fetched(tokens))
                if error.meaning == Meaning::Unauthenticated =>
            {
                // All that were under way with one token are one refusal.
                if tokens.forget(fetched) {
                    self.entrance.failed_token(error);
                }
                true
            }
            _ => {
                self.entrance.failed(error);
                false
            }
        }
    }

    /// An answer of unknown effect was heard.
    pub fn heard(&self, error: &CloudError) {
        self.entrance.heard(error);
    }

    /// Whether requests are signed, so that the clocks matter.
    pub fn signs(&self) -> bool {
        match self.means.as_ref() {
            Means::Keys(_) => true,
            Means::Token(_) => false,
            Means::Fetched(source) => source.signs(),
        }
    }

    /// All that must not appear in a text: what the credential holds, and what a request was sent with.
    pub fn secrets(&self, pass: Option<&Pass>, sent: Option<&HeaderMap>) -> Vec<String> {
        let mut secrets: Vec<&SecretString> = match self.means.as_ref() {
            Means::Keys(keys) => keys.secrets().collect(),
            Means::Token(token) => vec![token],
            Means::Fetched(source) => source.secrets(),
        };
        if let Some(Pass::Fetched(fetched)) = pass {
            secrets.extend(fetched.granted.secrets());
        }
        let authorization = sent.and_then(|headers| headers.get(header::AUTHORIZATION));
        let signature = authorization
            .and_then(|value| value.to_str().ok()?.rsplit_once("Signature="))
            .map(|(_, signature)| signature.to_owned());
        let secrets = secrets.into_iter();
        let secrets = secrets.map(|secret| secret.expose_secret().to_owned());
        secrets.chain(signature).collect()
    }
}

fn by_token(token: &SecretString) -> Result<Vec<(HeaderName, HeaderValue)>, CloudError> {
    let name = HeaderName::from_static("x-auth-token");
    Ok(vec![(name, hidden(token.expose_secret())?)])
}

fn sign(
    request: &Request,
    (host, project): (&str, &str),
    keys: &Keys,
    now: Moment,
) -> Result<Vec<(HeaderName, HeaderValue)>, CloudError> {
    let date = signer::date(now.wall);
    let mut signed = vec![
        ("host", host),
        ("x-project-id", project),
        ("x-sdk-date", date.as_str()),
    ];
    if !request.body.is_empty() {
        signed.push(("content-type", CONTENT_TYPE));
    }
    if let Some(token) = &keys.security_token {
        signed.push(("x-security-token", token.expose_secret()));
    }
    let pairs = request.pairs();
    let signable = Signable {
        method: request.method.as_str(),
        path: &request.path,
        query: &pairs,
        headers: &signed,
        body: &request.body,
    };
    let access_key = keys.access_key.expose_secret();
    let authorization = signer::authorization(&signable, access_key, &keys.secret_key)
        .map_err(|error| unusable(&error.to_string()))?;
    let mut headers = vec![
        (
            HeaderName::from_static("x-sdk-date"),
            HeaderValue::from_str(&date).map_err(|_| unusable("the date can't be sent"))?,
        ),
        (header::AUTHORIZATION, hidden(&authorization)?),
    ];
    if let Some(token) = &keys.security_token {
        let name = HeaderName::from_static("x-security-token");
        headers.push((name, hidden(token.expose_secret())?));
    }
    Ok(headers)
}

/// The type of every body that is sent to the service; it is signed.
pub(super) const CONTENT_TYPE: &str = "application/json";

/// A header that no log shows.
fn hidden(value: &str) -> Result<HeaderValue, CloudError> {
    let mut value =
        HeaderValue::from_str(value).map_err(|_| unusable("it can't be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unusable(why: &str) -> CloudError {
    let text = format!("the credential can't be used: {why}");
    CloudError::local(Meaning::Unauthenticated, text)
}

#[cfg(test)]
mod tests;
