//! From a resource to the cloud: reads its Secret, or has Kubernetes make a token for its ServiceAccount, and keeps one directory for each
//! credential, project and place.
//!
//! Resources share one only if their Secrets hold the same data, whatever the namespace: what one credential read is never
//! shown to a resource of another. A Secret that was touched but holds the same data keeps its directory, and so its token.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::channel::mpsc::UnboundedSender;
use k8s_openapi::{
    ByteString,
    api::{
        authentication::v1::{TokenRequest, TokenRequestSpec},
        core::v1::{Secret, ServiceAccount},
    },
};
use kube::{Api, Client, api::PostParams};

use crate::{
    clock::Clock,
    cloud::{
        Connect,
        auth::{
            fingerprint::Fingerprint,
            identity::{Machine, Proof, Workload},
            secret::{self, Credential},
        },
        defaults::{Contents, Defaults},
    },
    controller::{
        journal::{JournalError, bounded},
        secrets::{Book, Dated, GoodFor, Reading, Source},
    },
    crd::WorkloadIdentity,
    desired::{Desired, Named},
    fleet::directory::Directory,
    model::{Moment, ResourceName},
    one_at_a_time::OneAtATime,
    place::Subject,
    plan::facts::Trouble,
    seats::aside,
};

/// Default credentials that are not read by then count as unreadable.
const DEFAULTS_WITHIN: Duration = Duration::from_secs(5);

/// For so long tokens of ServiceAccounts are asked for, and no shorter ones are made by Kubernetes.
const TOKEN_FOR: Duration = Duration::from_hours(1);
const SHORTEST_TOKEN: Duration = Duration::from_mins(10);

/// A directory that nobody has used for this long, and for two looks of a resource, is dropped.
const IDLE: Duration = Duration::from_hours(1);

/// Keeps the directories.
pub struct Accounts {
    client: Client,
    clock: Clock,
    connect: Arc<dyn Connect>,
    defaults: Option<Defaults>,
    good_for: GoodFor,
    /// A directory that nobody has used for this long is dropped.
    idle: Duration,
    book: Book,
    wake: UnboundedSender<ResourceName>,
    kept: Mutex<HashMap<Key, Account>>,
    /// Why places can't be called with what a source holds, and the uptime at which somebody asked last: sources are not read
    /// again and again to find out.
    faults: Mutex<HashMap<(Source, Key), (Duration, Trouble)>>,
    /// The newest tokens of those who sign in with one: what was opened once goes on with those that come later.
    proofs: Mutex<HashMap<Source, Arc<Proof>>>,
    /// The file of the default credentials may hang.
    defaults_read: OneAtATime,
}

/// What is read with a credential, and what stands for that.
#[derive(Clone)]
pub struct Opened {
    /// The way to the cloud.
    pub directory: Arc<Directory>,
    /// Another one after the credential was changed.
    pub credential: Fingerprint,
    /// What is to be said of the resource's own Secret, where that holds more than credentials.
    pub remark: Option<Arc<str>>,
}

/// Who calls what, from where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    credential: Fingerprint,
    place: (Option<String>, Option<String>, Option<String>),
    project: String,
}

struct Account {
    used_at: Duration,
    directory: Arc<Directory>,
}

impl Account {
    /// It is used now, by the key that it is kept under.
    fn open(&mut self, key: &Key, now: Moment) -> Opened {
        self.used_at = now.uptime;
        Opened {
            directory: Arc::clone(&self.directory),
            credential: key.credential,
            remark: None,
        }
    }
}

/// What a source holds.
enum Held {
    /// What a Secret has, or files as those of one.
    Data(BTreeMap<String, ByteString>),
    /// A ServiceAccount for which Kubernetes makes tokens.
    Workload(Workload),
    /// What the operator itself runs in.
    Machine(Machine),
}

/// What a source holds; else why there is nothing.
type Found = Result<Held, String>;

impl Accounts {
    /// Reads Secrets through `client`. Each resource looks at its directory once in `resync`. Resources that use a source which turns out to be another are sent to `wake`.
    pub fn new(
        client: Client,
        clock: Clock,
        connect: Arc<dyn Connect>,
        defaults: Option<Defaults>,
        good_for: GoodFor,
        resync: Duration,
        wake: UnboundedSender<ResourceName>,
    ) -> Self {
        Self {
            client,
            clock,
            connect,
            defaults,
            good_for,
            idle: IDLE.max(resync.saturating_mul(2)),
            book: Book::default(),
            wake,
            kept: Mutex::default(),
            faults: Mutex::default(),
            proofs: Mutex::default(),
            defaults_read: OneAtATime::default(),
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
        match &desired.credentials {
            Some(Named::Secret(name)) => {
                return Ok(Source::Secret {
                    namespace: namespace.to_owned(),
                    name: name.clone(),
                });
            }
            Some(Named::Workload(identity)) => {
                return Ok(Source::Workload {
                    namespace: namespace.to_owned(),
                    identity: identity.clone(),
                });
            }
            None => {}
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
            Err(text) => return Ok(Err(Trouble::CredentialsUnset(text))),
        };
        if let Some(known) = self.known(&source, desired, now) {
            return Ok(known);
        }
        // All who find it out of date at the same time have it read once.
        let gate = self.book.gate(&source);
        let mut entered = match &gate {
            Some(gate) => Some(aside(gate.lock()).await),
            None => None,
        };
        if let Some(known) = self.known(&source, desired, now) {
            return Ok(known);
        }
        // Else each of them would wait for a read of its own, one after the other.
        let failed = entered.as_deref().and_then(Option::as_ref);
        if let Some((_, why)) = failed.filter(|(at, _)| *at > now.uptime) {
            return Err(JournalError::OfAnother(Arc::clone(why)));
        }
        match self.read(&source, uid, now).await {
            Ok(Ok(held)) => Ok(self.opened(&source, &held, desired, now)),
            Ok(Err(text)) => Ok(Err(Trouble::CredentialsMissing(text))),
            Err(error) => {
                if let Some(last_failure) = entered.as_deref_mut() {
                    let why = Arc::from(error.to_string());
                    *last_failure = Some((self.clock.now().uptime, why));
                }
                Err(error)
            }
        }
    }

    /// What is known of a source without reading it.
    fn known(
        &self,
        source: &Source,
        desired: &Desired,
        now: Moment,
    ) -> Option<Result<Opened, Trouble>> {
        match self.book.current(source, now.uptime, self.good_for)? {
            Reading::Absent(text) => Some(Err(Trouble::CredentialsMissing(text))),
            Reading::Unfit(text) => Some(Err(Trouble::CredentialsInvalid(text))),
            Reading::Holds(credential) => {
                let key = Key::of(credential, &desired.subject);
                if let Some(opened) = self.kept(&key, now) {
                    return Some(Ok(self.remarked(opened, source)));
                }
                let mut faults = self.faults();
                let (asked_at, fault) = faults.get_mut(&(source.clone(), key))?;
                *asked_at = now.uptime;
                Some(Err(fault.clone()))
            }
        }
    }

    /// The cloud as it was reached with this credential, if this process still has it: a job is followed with what began it,
    /// whatever became of the Secret.
    pub fn remembered(
        &self,
        credential: Fingerprint,
        desired: &Desired,
        now: Moment,
    ) -> Option<Opened> {
        self.kept(&Key::of(credential, &desired.subject), now)
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
    ) -> Result<Found, JournalError> {
        let begun = self.book.begin(source);
        let (version, found) = match source {
            Source::Secret { namespace, name } => self.read_secret(namespace, name).await?,
            Source::Workload {
                namespace,
                identity,
            } => {
                let proof = self.proof(source);
                let found = self.ask_for_token(namespace, identity, proof).await?;
                (None, found.map(Held::Workload))
            }
            Source::Default => (None, self.read_defaults().await),
        };
        let reading = match &found {
            Ok(held) => match held.credential(source) {
                Ok(_) => Reading::Holds(held.fingerprint()),
                Err(text) => Reading::Unfit(text),
            },
            Err(text) => Reading::Absent(text.clone()),
        };
        let dated = Dated {
            version,
            reading,
            remark: found.as_ref().ok().and_then(|held| held.remark(source)),
        };
        for user in self.book.end(source, begun, dated, now.uptime, reader) {
            // Nobody listens any longer once the controller ends.
            let _ = self.wake.unbounded_send(user);
        }
        Ok(found)
    }

    /// A new token for a ServiceAccount, which is put where those who sign in with it find it.
    async fn ask_for_token(
        &self,
        namespace: &str,
        identity: &WorkloadIdentity,
        proof: Arc<Proof>,
    ) -> Result<Result<Workload, String>, JournalError> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let name = &identity.service_account_name;
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: vec![identity.audience.clone()],
                expiration_seconds: i64::try_from(TOKEN_FOR.as_secs()).ok(),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let parameters = PostParams::default();
        let given = bounded(accounts.create_token_request(name, &parameters, &request)).await;
        let given = match given {
            Ok(given) => given.status,
            Err(JournalError::Gone) => {
                let text = format!(
                    "ServiceAccount {name} does not exist in this namespace: create it, or correct \
                     spec.workloadIdentity.serviceAccountName"
                );
                return Ok(Err(text));
            }
            Err(JournalError::Kubernetes(kube::Error::Api(status))) if status.is_forbidden() => {
                let text = format!(
                    "the operator may not have a token made for ServiceAccount {name} (denied by the API server): grant its service \
                     account the verb create on serviceaccounts/token of that name, as deploy/components/workload-identity does"
                );
                return Ok(Err(text));
            }
            Err(error) => return Err(error),
        };
        let Some(given) = given else {
            let text = format!("the API server made no token for ServiceAccount {name}");
            return Ok(Err(text));
        };
        let now = self.clock.now();
        // Its end is told by another clock, of which this one may differ.
        let life = Duration::try_from(given.expiration_timestamp.0.duration_since(now.wall));
        let life = life.unwrap_or_default().clamp(SHORTEST_TOKEN, TOKEN_FOR);
        proof.renew(given.token.into(), Some(now.uptime.saturating_add(life)));
        Ok(Ok(Workload {
            idp_id: identity.idp_id.clone(),
            namespace: namespace.to_owned(),
            service_account: name.clone(),
            audience: identity.audience.clone(),
            proof,
        }))
    }

    /// Where the tokens of a source are put, and found by whoever signs in with them.
    fn proof(&self, source: &Source) -> Arc<Proof> {
        let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(proofs.entry(source.clone()).or_default())
    }

    async fn read_secret(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<(Option<String>, Found), JournalError> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        match bounded(secrets.get_opt(name)).await {
            Ok(Some(secret)) => {
                let data = secret.data.unwrap_or_default();
                // Some tools make a Secret first and fill it afterwards.
                let data = if data.is_empty() {
                    Err(format!(
                        "Secret {name} is empty: fill it with credentials, or correct spec.credentialsRef.name"
                    ))
                } else {
                    Ok(Held::Data(data))
                };
                Ok((secret.metadata.resource_version, data))
            }
            Ok(None) => Ok((
                None,
                Err(format!(
                    "Secret {name} does not exist in this namespace: create it, or correct spec.credentialsRef.name"
                )),
            )),
            Err(JournalError::Kubernetes(kube::Error::Api(status))) if status.is_forbidden() => {
                let text = format!(
                    "the operator may not read Secret {name} (denied by the API server): grant its service account the verb get on it"
                );
                Ok((None, Err(text)))
            }
            Err(error) => Err(error),
        }
    }

    async fn read_defaults(&self) -> Found {
        let unreadable =
            || "the operator can't read its default credentials: its log has the reason".to_owned();
        let defaults = self.defaults.clone().ok_or_else(unreadable)?;
        // A file system that hangs must not hold up a turn.
        let read = self
            .defaults_read
            .read_in_turn(DEFAULTS_WITHIN, move || defaults.read());
        let read = read
            .await
            .unwrap_or_else(|| Err(std::io::ErrorKind::TimedOut.into()));
        let contents = read.map_err(|error| {
            tracing::warn!(%error, "the default credentials can't be read");
            unreadable()
        })?;
        Ok(match contents {
            Contents::Files(data) => Held::Data(data),
            Contents::Node(address) => Held::Machine(Machine::Node(address)),
            Contents::Pod { uri, token } => {
                let proof = self.proof(&Source::Default);
                proof.renew(token, None);
                Held::Machine(Machine::Pod { uri, proof })
            }
        })
    }

    /// Forgets what was read for others and is of no use to them any more.
    pub fn tidy(&self) {
        let now = self.clock.now();
        self.faults().retain(|(source, key), (asked_at, _)| {
            now.elapsed(*asked_at) < self.idle && self.book.reads(source, key.credential)
        });
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.drop_unused(&mut kept, now);
        for account in kept.values() {
            account.directory.tidy();
        }
        drop(kept);
        let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        proofs.retain(|_, proof| Arc::strong_count(proof) > 1);
    }

    /// Secrets and resources come and go, and so do projects and places of one Secret. What somebody follows a change with is kept.
    fn drop_unused(&self, kept: &mut HashMap<Key, Account>, now: Moment) {
        kept.retain(|key, account| {
            let unused = now.elapsed(account.used_at);
            Arc::strong_count(&account.directory) > 1
                || unused < self.good_for.unwatched
                || (unused < self.idle && self.book.holds(key.credential))
        });
    }

    /// The same, with what is to be said of this source.
    fn remarked(&self, opened: Opened, source: &Source) -> Opened {
        Opened {
            remark: self.book.remark(source),
            ..opened
        }
    }

    fn kept(&self, key: &Key, now: Moment) -> Option<Opened> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Some(kept.get_mut(key)?.open(key, now))
    }

    fn faults(&self) -> MutexGuard<'_, HashMap<(Source, Key), (Duration, Trouble)>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(
        &self,
        source: &Source,
        held: &Held,
        desired: &Desired,
        now: Moment,
    ) -> Result<Opened, Trouble> {
        // Kept with the source: it is the same for every project and place.
        let credential = held
            .credential(source)
            .map_err(Trouble::CredentialsInvalid)?;
        let key = Key::of(held.fingerprint(), &desired.subject);
        let opened = self.open(credential, desired, key.clone(), now);
        if let Err(trouble) = &opened {
            let of = (source.clone(), key);
            self.faults().insert(of, (now.uptime, trouble.clone()));
        }
        opened.map(|opened| self.remarked(opened, source))
    }

    fn open(
        &self,
        credential: Credential,
        desired: &Desired,
        key: Key,
        now: Moment,
    ) -> Result<Opened, Trouble> {
        // Asked and made under one lock: Secrets that hold the same data are read by several at once.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = kept.get_mut(&key) {
            return Ok(account.open(&key, now));
        }
        self.drop_unused(&mut kept, now);
        let cloud = self
            .connect
            .connect(&desired.subject, credential)
            .map_err(Trouble::Cloud)?;
        let mut account = Account {
            used_at: now.uptime,
            directory: Arc::new(Directory::new(cloud, self.clock)),
        };
        let opened = account.open(&key, now);
        kept.insert(key, account);
        Ok(opened)
    }
}

impl Key {
    fn of(credential: Fingerprint, subject: &Subject) -> Self {
        Self {
            credential,
            place: (
                subject.region.clone(),
                subject.endpoint.clone(),
                subject.iam_endpoint.clone(),
            ),
            project: subject.project.as_str().to_owned(),
        }
    }
}

impl Held {
    /// The credential that it is; else what is wrong with it.
    fn credential(&self, source: &Source) -> Result<Credential, String> {
        match self {
            Self::Data(data) => {
                Credential::from_secret(data).map_err(|error| format!("{}: {error}", named(source)))
            }
            Self::Workload(workload) => Ok(Credential::Workload(workload.clone())),
            Self::Machine(machine) => Ok(Credential::Machine(machine.clone())),
        }
    }

    /// Tells whether the credentials have changed, without keeping them. A token that was renewed changes nothing.
    fn fingerprint(&self) -> Fingerprint {
        match self {
            Self::Data(data) => {
                let parts = secret::decisive(data)
                    .flat_map(|(key, value)| [key.as_bytes(), value.0.as_slice()]);
                Fingerprint::of(parts)
            }
            Self::Workload(workload) => {
                let parts = [
                    "a ServiceAccount",
                    workload.namespace.as_str(),
                    workload.service_account.as_str(),
                    workload.idp_id.as_str(),
                    workload.audience.as_str(),
                ];
                Fingerprint::of(parts.map(str::as_bytes))
            }
            Self::Machine(machine) => {
                let parts = ["a", "machine", machine.address()];
                Fingerprint::of(parts.map(str::as_bytes))
            }
        }
    }

    /// What is to be said of keys that are not used.
    fn remark(&self, source: &Source) -> Option<Arc<str>> {
        let Self::Data(data) = self else {
            return None;
        };
        let keys = secret::ignored(data)?;
        let named = named(source);
        Some(format!("{named} holds keys that are no credentials and are not used: {keys}").into())
    }
}

fn named(source: &Source) -> String {
    match source {
        Source::Secret { name, .. } => format!("Secret {name}"),
        Source::Workload { identity, .. } => {
            format!("ServiceAccount {}", identity.service_account_name)
        }
        Source::Default => "the operator's default credentials".to_owned(),
    }
}

#[cfg(test)]
mod tests;
