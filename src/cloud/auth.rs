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
        secret::Credential,
        signer::Signable,
        token::{Fetched, NoToken, TokenSource},
    },
    model::Moment,
};

pub mod entrance;
pub mod fingerprint;
pub mod guard;
pub mod ledger;
pub mod secret;
pub mod signer;
pub mod token;

/// A credential, made ready for use in one project.
#[derive(Debug)]
pub struct Access {
    kind: Kind,
    entrance: Entrance,
}

#[derive(Debug)]
enum Kind {
    Signed {
        access_key: SecretString,
        secret_key: SecretString,
        security_token: Option<SecretString>,
    },
    Fixed(SecretString),
    Fetched(Box<TokenSource>),
}

/// What one request is sent with.
#[derive(Debug, Clone)]
pub enum Pass {
    /// A signature, made for the request.
    Signature,
    /// A token.
    Token(Arc<SecretString>),
    /// A token that was fetched.
    Fetched(Fetched),
}

impl Access {
    /// Readies a credential; `tokens` fetches tokens where the credential is a password.
    pub fn new(
        credential: Credential,
        tokens: impl FnOnce(SecretString, SecretString, SecretString) -> Result<TokenSource, CloudError>,
        entrance: Entrance,
    ) -> Result<Self, CloudError> {
        let kind = match credential {
            Credential::AccessKey {
                access_key,
                secret_key,
                security_token,
            } => Kind::Signed {
                access_key,
                secret_key,
                security_token,
            },
            Credential::Token(token) => Kind::Fixed(token),
            Credential::Password {
                username,
                password,
                domain_name,
            } => Kind::Fetched(Box::new(tokens(username, password, domain_name)?)),
        };
        Ok(Self { kind, entrance })
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
        let pass = match &self.kind {
            Kind::Signed { .. } => Pass::Signature,
            Kind::Fixed(token) => Pass::Token(Arc::new(token.clone())),
            Kind::Fetched(tokens) => {
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
        let token = HeaderName::from_static("x-auth-token");
        match (pass, &self.kind) {
            (Pass::Token(value), _) => Ok(vec![(token, hidden(value.expose_secret())?)]),
            (Pass::Fetched(fetched), _) => {
                Ok(vec![(token, hidden(fetched.token.expose_secret())?)])
            }
            (
                Pass::Signature,
                Kind::Signed {
                    access_key,
                    secret_key,
                    security_token,
                },
            ) => sign(
                request,
                (host, project),
                (access_key, secret_key, security_token.as_ref()),
                now,
            ),
            (Pass::Signature, _) => Err(unusable("the credential can't sign")),
        }
    }

    /// The calls that may be made with it.
    pub fn budget(&self) -> &Arc<Budget> {
        self.entrance.budget()
    }

    /// The other side has believed the credential.
    pub fn accepted(&self) {
        self.entrance.accepted();
    }

    /// The other side has answered with an error. True if a fresh token may help.
    pub fn failed(&self, pass: &Pass, error: &CloudError) -> bool {
        match (pass, &self.kind) {
            (Pass::Fetched(fetched), Kind::Fetched(tokens))
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
        matches!(self.kind, Kind::Signed { .. })
    }

    /// All that must not appear in a text: what the credential holds, and what a request was sent with.
    pub fn secrets(&self, pass: Option<&Pass>, sent: Option<&HeaderMap>) -> Vec<String> {
        let mut secrets = match &self.kind {
            Kind::Signed {
                access_key,
                secret_key,
                security_token,
            } => {
                let mut secrets = vec![access_key, secret_key];
                secrets.extend(security_token);
                secrets
            }
            Kind::Fixed(token) => vec![token],
            Kind::Fetched(tokens) => vec![tokens.password()],
        };
        if let Some(Pass::Fetched(fetched)) = pass {
            secrets.push(fetched.token.as_ref());
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

type Keys<'a> = (&'a SecretString, &'a SecretString, Option<&'a SecretString>);

fn sign(
    request: &Request,
    (host, project): (&str, &str),
    (access_key, secret_key, security_token): Keys<'_>,
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
    if let Some(token) = security_token {
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
    let authorization = signer::authorization(&signable, access_key.expose_secret(), secret_key)
        .map_err(|error| unusable(&error.to_string()))?;
    let mut headers = vec![
        (
            HeaderName::from_static("x-sdk-date"),
            HeaderValue::from_str(&date).map_err(|_| unusable("the date can't be sent"))?,
        ),
        (header::AUTHORIZATION, hidden(&authorization)?),
    ];
    if let Some(token) = security_token {
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
