//! From a resource to the cloud: reads its Secret and keeps one connection for each credential and place.
//!
//! Resources share a connection only if they name the same Secret in the same namespace: what one credential read is never
//! shown to a resource of another. A Secret that was touched but holds the same data keeps its connection, and so its token.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, Client};
use sha2::{Digest as _, Sha256};

use crate::{
    cloud::{Cloud, CloudError, auth::secret::Credential},
    controller::{
        journal::{JournalError, bounded},
        read::{Desired, Subject},
    },
    model::Moment,
    plan::facts::Trouble,
};

/// Makes connections to the cloud; no call is made by it.
pub trait Connect: Send + Sync {
    /// A connection for one place and credential, or why the place may not be called.
    fn connect(
        &self,
        subject: &Subject,
        credential: Credential,
    ) -> Result<Arc<dyn Cloud>, CloudError>;
}

/// Keeps the connections.
pub struct Accounts {
    client: Client,
    connect: Arc<dyn Connect>,
    good_for: Duration,
    kept: Mutex<HashMap<Key, Account>>,
}

/// Who calls what, from where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    namespace: String,
    secret: String,
    place: (Option<String>, Option<String>, Option<String>),
    project: String,
}

struct Account {
    read_at: Duration,
    digest: [u8; 32],
    cloud: Arc<dyn Cloud>,
}

impl Accounts {
    /// Reads Secrets through `client` anew after `good_for`.
    pub fn new(client: Client, connect: Arc<dyn Connect>, good_for: Duration) -> Self {
        Self {
            client,
            connect,
            good_for,
            kept: Mutex::default(),
        }
    }

    /// The cloud for a resource of `namespace`. `Err` is trouble with Kubernetes itself.
    pub async fn cloud(
        &self,
        namespace: &str,
        desired: &Desired,
        now: Moment,
    ) -> Result<Result<Arc<dyn Cloud>, Trouble>, JournalError> {
        let Some(name) = &desired.credentials else {
            let text =
                "spec.credentialsRef is not set: name a Secret with credentials for the cloud";
            return Ok(Err(Trouble::CredentialsMissing(text.to_owned())));
        };
        let key = Key::of(namespace, name, &desired.subject);
        if let Some(cloud) = self.recent(&key, now) {
            return Ok(Ok(cloud));
        }
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let data = match bounded(secrets.get_opt(name)).await {
            Ok(Some(secret)) => secret.data.unwrap_or_default(),
            Ok(None) => {
                let text = format!("Secret {name} does not exist in this namespace");
                return Ok(Err(Trouble::CredentialsMissing(text)));
            }
            Err(JournalError::Kubernetes(kube::Error::Api(status))) if status.is_forbidden() => {
                let text = format!("the operator may not read Secret {name}: grant it get on it");
                return Ok(Err(Trouble::CredentialsMissing(text)));
            }
            Err(error) => return Err(error),
        };
        Ok(self.connected(key, name, &data, desired, now))
    }

    fn recent(&self, key: &Key, now: Moment) -> Option<Arc<dyn Cloud>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let account = kept.get(key)?;
        (now.elapsed(account.read_at) < self.good_for).then(|| Arc::clone(&account.cloud))
    }

    fn connected(
        &self,
        key: Key,
        name: &str,
        data: &BTreeMap<String, ByteString>,
        desired: &Desired,
        now: Moment,
    ) -> Result<Arc<dyn Cloud>, Trouble> {
        let digest = digest(data);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Who has not been asked for in a long time is not kept: Secrets and resources come and go.
        kept.retain(|_, account| now.elapsed(account.read_at) < self.good_for.saturating_mul(1000));
        if let Some(account) = kept
            .get_mut(&key)
            .filter(|account| account.digest == digest)
        {
            account.read_at = now.uptime;
            return Ok(Arc::clone(&account.cloud));
        }
        kept.remove(&key);
        let credential = Credential::from_secret(data)
            .map_err(|error| Trouble::CredentialsInvalid(format!("Secret {name}: {error}")))?;
        let cloud = self
            .connect
            .connect(&desired.subject, credential)
            .map_err(Trouble::Cloud)?;
        kept.insert(
            key,
            Account {
                read_at: now.uptime,
                digest,
                cloud: Arc::clone(&cloud),
            },
        );
        Ok(cloud)
    }
}

impl Key {
    fn of(namespace: &str, secret: &str, subject: &Subject) -> Self {
        Self {
            namespace: namespace.to_owned(),
            secret: secret.to_owned(),
            place: (
                subject.region.clone(),
                subject.endpoint.clone(),
                subject.iam_endpoint.clone(),
            ),
            project: subject.project.as_str().to_owned(),
        }
    }
}

/// Tells whether a Secret's data has changed, without keeping it.
fn digest(data: &BTreeMap<String, ByteString>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for (key, value) in data {
        for part in [key.as_bytes(), value.0.as_slice()] {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_tells_data_apart_wherever_the_border_lies() {
        let data = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())));
            digest(&pairs.collect())
        };
        assert_eq!(data(&[("a", "bc")]), data(&[("a", "bc")]));
        assert_ne!(data(&[("a", "bc")]), data(&[("ab", "c")]));
        assert_ne!(data(&[("a", "b"), ("c", "d")]), data(&[("a", "bcd")]));
    }
}
