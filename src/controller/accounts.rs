//! From a resource to the cloud: reads its Secret and keeps one connection for each credential and place.
//!
//! Resources share a connection only if they name the same Secret in the same namespace, or all use the default credentials:
//! what one credential read is never shown to a resource of another. A Secret that was touched but holds the same data keeps
//! its connection, and so its token.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::channel::mpsc::UnboundedSender;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, Client, runtime::reflector::ObjectRef};

use crate::{
    cloud::{
        Cloud, CloudError,
        auth::{fingerprint::Fingerprint, secret::Credential},
    },
    config::defaults::Defaults,
    controller::{
        Guarded,
        journal::{JournalError, bounded},
        read::{Desired, Subject},
        secrets::{Book, Dated, GoodFor, Reading, Source},
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
    defaults: Option<Defaults>,
    good_for: GoodFor,
    book: Book,
    wake: UnboundedSender<ObjectRef<Guarded>>,
    kept: Mutex<HashMap<Key, Account>>,
}

/// A connection, and what stands for its credential.
#[derive(Clone)]
pub struct Opened {
    /// The connection.
    pub cloud: Arc<dyn Cloud>,
    /// Another one after the credential was changed.
    pub credential: Fingerprint,
}

/// Who calls what, from where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    source: Source,
    place: (Option<String>, Option<String>, Option<String>),
    project: String,
}

struct Account {
    used_at: Duration,
    opened: Opened,
}

/// What a source holds; else why there is nothing.
type Data = Result<BTreeMap<String, ByteString>, String>;

impl Accounts {
    /// Reads Secrets through `client`. Resources that use a source which turns out to be another are sent to `wake`.
    pub fn new(
        client: Client,
        connect: Arc<dyn Connect>,
        defaults: Option<Defaults>,
        good_for: GoodFor,
        wake: UnboundedSender<ObjectRef<Guarded>>,
    ) -> Self {
        Self {
            client,
            connect,
            defaults,
            good_for,
            book: Book::default(),
            wake,
            kept: Mutex::default(),
        }
    }

    /// What is known of the Secrets in use.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// The sources in use that have to be read anew by then.
    pub fn due(&self, uptime: Duration, ahead: Duration) -> Vec<Source> {
        self.book.due(uptime, ahead, self.good_for)
    }

    /// Where a resource of `namespace` has its credentials from; else why it has none.
    pub fn source(&self, namespace: &str, desired: &Desired) -> Result<Source, String> {
        if let Some(name) = &desired.credentials {
            return Ok(Source::Secret {
                namespace: namespace.to_owned(),
                name: name.clone(),
            });
        }
        let objection = match &self.defaults {
            None => None,
            Some(defaults) => match defaults.objection(namespace, &desired.subject) {
                None => return Ok(Source::Default),
                objection => objection,
            },
        };
        let because = objection.map_or(String::new(), |why| format!(", and {why}"));
        Err(format!(
            "spec.credentialsRef is not set{because}: name a Secret with credentials for the cloud"
        ))
    }

    /// The cloud for the resource with this uid, in `namespace`. `Err` is trouble with Kubernetes itself.
    pub async fn cloud(
        &self,
        namespace: &str,
        uid: Option<&str>,
        desired: &Desired,
        now: Moment,
    ) -> Result<Result<Opened, Trouble>, JournalError> {
        let source = match self.source(namespace, desired) {
            Ok(source) => source,
            Err(text) => return Ok(Err(Trouble::CredentialsMissing(text))),
        };
        let key = Key::of(source, &desired.subject);
        match self.book.current(&key.source, now.uptime, self.good_for) {
            Some(Reading::Absent(text)) => return Ok(Err(Trouble::CredentialsMissing(text))),
            Some(Reading::Holds(credential)) => {
                if let Some(opened) = self.kept(&key, credential, now) {
                    return Ok(Ok(opened));
                }
            }
            None => {}
        }
        match self.read(&key.source, uid, now).await? {
            Ok(data) => Ok(self.opened(key, &data, desired, now)),
            Err(text) => Ok(Err(Trouble::CredentialsMissing(text))),
        }
    }

    /// Reads a source anew; whoever uses it is woken if it is another than it was.
    pub async fn reread(&self, source: &Source, now: Moment) -> Result<(), JournalError> {
        self.read(source, None, now).await.map(drop)
    }

    async fn read(
        &self,
        source: &Source,
        reader: Option<&str>,
        now: Moment,
    ) -> Result<Data, JournalError> {
        let begun = self.book.begin(source);
        let (version, data) = match source {
            Source::Secret { namespace, name } => self.read_secret(namespace, name).await?,
            Source::Default => (None, self.read_defaults().await),
        };
        let reading = match &data {
            Ok(data) => Reading::Holds(fingerprint(data)),
            Err(text) => Reading::Absent(text.clone()),
        };
        let dated = Dated { version, reading };
        for user in self.book.end(source, begun, dated, now.uptime, reader) {
            // Nobody listens any longer once the controller ends.
            let _ = self.wake.unbounded_send(user);
        }
        Ok(data)
    }

    async fn read_secret(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<(Option<String>, Data), JournalError> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        match bounded(secrets.get_opt(name)).await {
            Ok(Some(secret)) => Ok((
                secret.metadata.resource_version,
                Ok(secret.data.unwrap_or_default()),
            )),
            Ok(None) => Ok((
                None,
                Err(format!("Secret {name} does not exist in this namespace")),
            )),
            Err(JournalError::Kubernetes(kube::Error::Api(status))) if status.is_forbidden() => {
                let text = format!("the operator may not read Secret {name}: grant it get on it");
                Ok((None, Err(text)))
            }
            Err(error) => Err(error),
        }
    }

    async fn read_defaults(&self) -> Data {
        let unreadable = || "the operator's default credentials can't be read".to_owned();
        let defaults = self.defaults.clone().ok_or_else(unreadable)?;
        let read = tokio::task::spawn_blocking(move || defaults.read()).await;
        match read {
            Ok(Ok(data)) => Ok(data),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the default credentials can't be read");
                Err(unreadable())
            }
            Err(_) => Err(unreadable()),
        }
    }

    fn kept(&self, key: &Key, credential: Fingerprint, now: Moment) -> Option<Opened> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let account = kept.get_mut(key)?;
        if account.opened.credential != credential {
            return None;
        }
        account.used_at = now.uptime;
        Some(account.opened.clone())
    }

    fn opened(
        &self,
        key: Key,
        data: &BTreeMap<String, ByteString>,
        desired: &Desired,
        now: Moment,
    ) -> Result<Opened, Trouble> {
        let credential = fingerprint(data);
        if let Some(opened) = self.kept(&key, credential, now) {
            return Ok(opened);
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Secrets and resources come and go. Changes of deleted resources are followed for a while.
        kept.retain(|key, account| {
            let unused = now.elapsed(account.used_at);
            unused < self.good_for.unwatched || self.book.uses(&key.source)
        });
        kept.remove(&key);
        let named = match &key.source {
            Source::Secret { name, .. } => format!("Secret {name}"),
            Source::Default => "the operator's default credentials".to_owned(),
        };
        let of_secret = Credential::from_secret(data)
            .map_err(|error| Trouble::CredentialsInvalid(format!("{named}: {error}")))?;
        let cloud = self
            .connect
            .connect(&desired.subject, of_secret)
            .map_err(Trouble::Cloud)?;
        let opened = Opened { cloud, credential };
        let account = Account {
            used_at: now.uptime,
            opened: opened.clone(),
        };
        kept.insert(key, account);
        Ok(opened)
    }
}

impl Key {
    fn of(source: Source, subject: &Subject) -> Self {
        Self {
            source,
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
fn fingerprint(data: &BTreeMap<String, ByteString>) -> Fingerprint {
    let parts = data
        .iter()
        .flat_map(|(key, value)| [key.as_bytes(), value.0.as_slice()]);
    Fingerprint::of(parts)
}
