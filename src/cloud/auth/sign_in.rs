//! How a token or temporary keys are fetched.
//!
//! A password buys a token (IAM's page "Obtaining a User Token Through Password Authentication"). For the others this does what the
//! vendor's `huaweicloudsdkcore` 3.1.219 does in `auth/internal.py`: `FederalAccessor` for the id token of a ServiceAccount,
//! `MetadataAccessor` for the agency of a node, and `PodIdentityAccessor` for CCE's pod identity. No request is repeated here.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use k8s_openapi::jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Keys,
    identity::{Machine, Proof, Workload},
};
use crate::cloud::{
    CloudError, Meaning,
    error::{answer::Answer, table::Asked},
    observer::Operation,
    reads::{self, Reads},
    wire,
};

/// The life of a token whose answer doesn't say; the documented one is a day.
const UNSTATED_LIFE: Duration = Duration::from_mins(30);

/// For so long temporary keys are asked for, in seconds. IAM takes 900 to 86400 (page "Obtaining Temporary Access Keys and Security
/// Tokens"); the vendor's client asks for six hours. Who takes a right away waits no longer than this.
const KEYS_FOR: u32 = 3600;

/// A metadata token serves one request, in seconds; 1 to 21600 are allowed.
const METADATA_TOKEN_FOR: HeaderValue = HeaderValue::from_static("60");

const JSON: HeaderValue = HeaderValue::from_static(super::CONTENT_TYPE);

const NODE: &str = "the metadata service of the operator's node";
const POD: &str = "CCE's pod identity of the operator";

/// Where something is fetched, and with what.
#[derive(Debug)]
pub enum SignIn {
    /// IAM gives a token for a password.
    Password {
        /// The address of IAM.
        iam: String,
        /// The project that the token is for.
        project: String,
        /// User.
        username: SecretString,
        /// Password.
        password: SecretString,
        /// Account that the user belongs to.
        domain_name: SecretString,
    },
    /// IAM gives temporary keys for the id token of a ServiceAccount.
    Workload {
        /// The address of IAM.
        iam: String,
        /// The ServiceAccount.
        workload: Workload,
    },
    /// What the operator runs in has temporary keys.
    Machine(Machine),
}

/// What was fetched. `Debug` shows no secret.
#[derive(Debug)]
pub enum Granted {
    /// A token, sent as it is.
    Token(SecretString),
    /// Temporary keys, with which requests are signed.
    Keys(Keys),
}

impl Granted {
    /// What must not appear in a text.
    pub(super) fn secrets(&self) -> Vec<&SecretString> {
        match self {
            Self::Token(token) => vec![token],
            Self::Keys(keys) => keys.secrets().collect(),
        }
    }
}

impl SignIn {
    /// How many calls it makes of the cloud.
    pub(super) fn calls(&self) -> usize {
        match self {
            Self::Password { .. } | Self::Machine(_) => 1,
            Self::Workload { .. } => 2,
        }
    }

    /// Whether it fetches keys that sign, so that the clocks matter.
    pub(super) fn signs(&self) -> bool {
        !matches!(self, Self::Password { .. })
    }

    /// What must not appear in a text, beside what is fetched.
    pub(super) fn secrets(&self) -> Vec<&SecretString> {
        match self {
            Self::Password { password, .. } => vec![password],
            Self::Workload { .. } | Self::Machine(_) => Vec::new(),
        }
    }

    /// Fetches, and says for how long what was fetched is good.
    pub(super) async fn fetch(&self, reads: &Reads) -> Result<(Granted, Duration), CloudError> {
        match self {
            Self::Password {
                iam,
                project,
                username,
                password,
                domain_name,
            } => {
                let user = json!({
                    "name": username.expose_secret(),
                    "password": password.expose_secret(),
                    "domain": {"name": domain_name.expose_secret()},
                });
                let body = json!({"auth": {
                    "identity": {"methods": ["password"], "password": {"user": user}},
                    "scope": {"project": {"id": project}},
                }});
                // The catalog of services makes up most of the answer, and nobody reads it.
                let url = format!("{iam}/v3/auth/tokens?nocatalog=true");
                let (token, life) = token(reads, post(&url, &body)?, password).await?;
                Ok((Granted::Token(token), life))
            }
            Self::Workload { iam, workload } => keys_of_workload(reads, iam, workload).await,
            Self::Machine(Machine::Node(address)) => keys_of_node(reads, address)
                .await
                .map_err(|error| error.of_call(NODE)),
            Self::Machine(Machine::Pod { uri, proof }) => keys_of_pod(reads, uri, proof)
                .await
                .map_err(|error| error.of_call(POD)),
        }
    }
}

/// An id token buys a token without a project, and that buys temporary keys: the vendor advises against using the token itself.
async fn keys_of_workload(
    reads: &Reads,
    iam: &str,
    workload: &Workload,
) -> Result<(Granted, Duration), CloudError> {
    let proof = workload.proof.newest(reads.clock.now().uptime);
    let id_token = proof.ok_or_else(|| {
        let name = &workload.service_account;
        let text =
            format!("Kubernetes has given no token for ServiceAccount {name} that is still good");
        CloudError::local(Meaning::Transient, text)
    })?;
    let body = json!({"auth": {"id_token": {"id": id_token.expose_secret()}}});
    let url = format!("{iam}/v3.0/OS-AUTH/id-token/tokens");
    let mut request = post(&url, &body)?;
    let idp_id = HeaderValue::from_str(&workload.idp_id)
        .map_err(|_| super::unusable("spec.workloadIdentity.idpID can't be sent in a header"))?;
    let headers = request.headers_mut();
    headers.insert(HeaderName::from_static("x-idp-id"), idp_id);
    let (unscoped, _) = token(reads, request, &id_token).await?;
    let token = json!({"id": unscoped.expose_secret(), "duration_seconds": KEYS_FOR});
    let body = json!({"auth": {"identity": {"methods": ["token"], "token": token}}});
    let url = format!("{iam}/v3.0/OS-CREDENTIAL/securitytokens");
    let secrets = [unscoped.expose_secret()];
    let read = |answer: Answer, wall| {
        if answer.status.is_success() {
            keys(&answer, wall)
        } else {
            Err(answer.error(Asked::Read, wall, &secrets))
        }
    };
    reads.send(Operation::Token, post(&url, &body)?, read).await
}

/// Older metadata services know no tokens: then none is sent.
async fn keys_of_node(reads: &Reads, address: &str) -> Result<(Granted, Duration), CloudError> {
    let mut asking = HeaderMap::new();
    let ttl = HeaderName::from_static("x-metadata-token-ttl-seconds");
    asking.insert(ttl, METADATA_TOKEN_FOR);
    let url = format!("{address}/meta-data/latest/api/token");
    let request = request(Method::PUT, &url, asking, Vec::new())?;
    let read = |answer: Answer, _| match answer.status.as_u16() {
        404 | 405 | 503 => Ok(None),
        _ if answer.status.is_success() => Ok(Some(SecretString::from(answer.body.trim()))),
        _ => Err(no_keys(&answer, "find out what answers at its address")),
    };
    let token = reads.send(Operation::Token, request, read).await?;
    let mut asking = HeaderMap::new();
    if let Some(token) = token {
        let name = HeaderName::from_static("x-metadata-token");
        asking.insert(name, super::hidden(token.expose_secret())?);
    }
    let url = format!("{address}/openstack/latest/securitykey");
    let request = self::request(Method::GET, &url, asking, Vec::new())?;
    let read = |answer: Answer, wall| {
        if answer.status.is_success() {
            keys(&answer, wall)
        } else {
            Err(no_keys(&answer, "give the node (ECS) an agency"))
        }
    };
    reads.send(Operation::Token, request, read).await
}

async fn keys_of_pod(
    reads: &Reads,
    uri: &str,
    proof: &Arc<Proof>,
) -> Result<(Granted, Duration), CloudError> {
    let proof = proof.newest(reads.clock.now().uptime);
    let token = proof.ok_or_else(|| {
        let text = "the token of the operator's pod was not read yet";
        CloudError::local(Meaning::Transient, text)
    })?;
    let mut request = post(uri, &json!({}))?;
    let headers = request.headers_mut();
    headers.insert(header::AUTHORIZATION, super::hidden(token.expose_secret())?);
    let read = |answer: Answer, wall| {
        if answer.status.is_success() {
            keys(&answer, wall)
        } else {
            let advice = "associate the operator's ServiceAccount with an agency in CCE";
            Err(no_keys(&answer, advice))
        }
    };
    reads.send(Operation::Token, request, read).await
}

/// A token of IAM, and for how long it is good.
async fn token(
    reads: &Reads,
    request: Request<Full<Bytes>>,
    secret: &SecretString,
) -> Result<(SecretString, Duration), CloudError> {
    let secrets = [secret.expose_secret()];
    let read = |answer: Answer, wall| {
        if !answer.status.is_success() {
            return Err(answer.error(Asked::Read, wall, &secrets));
        }
        let token = subject_token(&answer.headers).ok_or_else(|| {
            // The body of a good answer describes the user: it is not shown.
            let text = "IAM's answer holds no token (header X-Subject-Token)";
            malformed(answer.status, text)
        })?;
        let life = wire::token_life(&answer.body).unwrap_or(UNSTATED_LIFE);
        Ok((token, life))
    };
    reads.send(Operation::Token, request, read).await
}

fn subject_token(headers: &HeaderMap) -> Option<SecretString> {
    let value = headers.get("x-subject-token")?.to_str().ok()?.trim();
    (!value.is_empty()).then(|| SecretString::from(value))
}

/// An answer with temporary keys: IAM and the metadata service have the first names, CCE's pod identity the others.
#[derive(Deserialize)]
struct Answered {
    #[serde(alias = "credentials")]
    credential: Given,
}

#[derive(Deserialize)]
struct Given {
    #[serde(alias = "accessKeyId")]
    access: String,
    #[serde(alias = "secretAccessKey")]
    secret: String,
    #[serde(alias = "securityToken")]
    securitytoken: String,
    #[serde(alias = "expiration")]
    expires_at: Timestamp,
}

/// The temporary keys of an answer, and for how long they are good by the clock of who gave them.
fn keys(answer: &Answer, wall: Timestamp) -> Result<(Granted, Duration), CloudError> {
    let Answered { credential } = serde_json::from_str(&answer.body).map_err(|_| {
        // What it holds beside is not shown: it may be a key.
        let text = "the answer holds no temporary keys (credential.access, secret, securitytoken and expires_at)";
        malformed(answer.status, text)
    })?;
    let now = answer.date().unwrap_or(wall);
    let life = credential.expires_at.duration_since(now);
    let keys = Keys {
        access_key: credential.access.into(),
        secret_key: credential.secret.into(),
        security_token: Some(credential.securitytoken.into()),
    };
    let life = Duration::try_from(life).unwrap_or_default();
    Ok((Granted::Keys(keys), life))
}

/// The operator's own surroundings have refused: the cloud was not asked.
fn no_keys(answer: &Answer, advice: &str) -> CloudError {
    let meaning = match answer.status.as_u16() {
        400..=499 => Meaning::Unauthenticated,
        _ => Meaning::Transient,
    };
    let status = answer.status.as_u16();
    let text = format!("it gives no temporary keys (HTTP {status}): {advice}");
    CloudError::local(meaning, text)
}

fn malformed(status: StatusCode, text: &str) -> CloudError {
    CloudError {
        status: Some(status.as_u16()),
        ..CloudError::local(Meaning::Malformed, text)
    }
}

fn post(url: &str, body: &Value) -> Result<Request<Full<Bytes>>, CloudError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, JSON);
    request(Method::POST, url, headers, body.to_string().into_bytes())
}

fn request(
    method: Method,
    url: &str,
    mut headers: HeaderMap,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, CloudError> {
    headers.insert(header::ACCEPT, JSON);
    headers.insert(header::USER_AGENT, reads::USER_AGENT);
    reads::request(method, url, headers, body)
}

#[cfg(test)]
mod tests;
