//! Single calls of the API server about what is published.
//!
//! Relies on its comparison of resource versions. Promises that each call ends within 5 seconds, that no write is made by a process
//! that does not lead, nor later than its lease allows, and that an error is told by what it asks for: patience, a right, or a person.

use std::{
    collections::VecDeque,
    fmt::Debug,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Service},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, PostParams, Preconditions},
    core::NamespaceResourceScope,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    order::Names,
    said::Said,
    standing::{self, Owner},
    wanted::MANAGER,
};
use crate::{clock::Clock, leader::Leadership, model::Mark};

/// Each call ends within this.
const WITHIN: Duration = Duration::from_secs(5);

/// A kind of object that is published.
pub trait Kind:
    kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + PartialEq
    + Send
    + Sync
{
    /// For people.
    const NAME: &'static str;
    /// The plural, for people.
    const PLURAL: &'static str;
    /// The name that is wished for, among these; nothing for what goes with another object.
    fn name_in(names: &Names) -> Option<&str>;
}

impl Kind for Service {
    const NAME: &'static str = "Service";
    const PLURAL: &'static str = "Services";

    fn name_in(names: &Names) -> Option<&str> {
        names.service.as_deref()
    }
}

impl Kind for EndpointSlice {
    const NAME: &'static str = "EndpointSlice";
    const PLURAL: &'static str = "EndpointSlices";

    fn name_in(_: &Names) -> Option<&str> {
        None
    }
}

impl Kind for ConfigMap {
    const NAME: &'static str = "ConfigMap";
    const PLURAL: &'static str = "ConfigMaps";

    fn name_in(names: &Names) -> Option<&str> {
        names.config_map.as_deref()
    }
}

/// Why a call did not do what it was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// Others have changed, made or deleted the object between a read and a write.
    Changed,
    /// All else.
    Said(Said),
}

impl From<Miss> for Said {
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::Changed => Self::Failed("others have changed it meanwhile".to_owned()),
            Miss::Said(said) => said,
        }
    }
}

/// The calls, for as long as this process leads.
#[derive(Clone)]
pub struct Calls {
    client: Client,
    clock: Clock,
    leadership: Arc<Leadership>,
    /// Versions that were written, and UIDs that were deleted, a short while ago.
    written: Arc<Mutex<VecDeque<Mark>>>,
}

/// So many own writes are remembered.
const REMEMBERED: usize = 4096;

impl Calls {
    /// Calls by way of `client`.
    pub fn new(client: Client, clock: Clock, leadership: Arc<Leadership>) -> Self {
        Self {
            client,
            clock,
            leadership,
            written: Arc::default(),
        }
    }

    /// Whether the version with this mark was written here, or what has a UID with it was deleted here.
    pub fn has_written(&self, mark: Mark) -> bool {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.contains(&mark)
    }

    fn note(&self, text: Option<&str>) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() >= REMEMBERED {
            written.pop_front();
        }
        written.extend(text.map(Mark::of::<str>));
    }

    fn forget(&self, text: Option<&str>) {
        let mark = text.map(Mark::of::<str>);
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.retain(|known| Some(*known) != mark);
    }

    /// An object, if it is there.
    pub async fn get<K: Kind>(&self, owner: &Owner, name: &str) -> Result<Option<K>, Said> {
        let api = self.api::<K>(owner);
        self.read::<K, _>("get", api.get_opt(name)).await
    }

    /// All objects with these labels.
    pub async fn list<K: Kind>(&self, owner: &Owner, labels: &str) -> Result<Vec<K>, Said> {
        let api = self.api::<K>(owner);
        let params = ListParams::default().labels(labels);
        let list = self.read::<K, _>("list", api.list(&params)).await?;
        Ok(list.items)
    }

    /// Makes an object.
    pub async fn create<K: Kind>(&self, owner: &Owner, object: &K) -> Result<K, Miss> {
        let api = self.api::<K>(owner);
        let params = params();
        let created = api.create(&params, object);
        let created = self.write::<K, _>("create", created).await?;
        self.note(created.resource_version().as_deref());
        Ok(created)
    }

    /// Replaces an object that was read before.
    pub async fn replace<K: Kind>(&self, owner: &Owner, object: &K) -> Result<K, Miss> {
        let api = self.api::<K>(owner);
        let (name, params) = (object.name_any(), params());
        let replaced = api.replace(&name, &params, object);
        let replaced = self.write::<K, _>("update", replaced).await?;
        self.note(replaced.resource_version().as_deref());
        Ok(replaced)
    }

    /// Deletes an object as it was read, whoever waits for it.
    pub async fn delete<K: Kind>(&self, owner: &Owner, live: &K) -> Result<(), Miss> {
        let params = DeleteParams::default().preconditions(Preconditions {
            resource_version: live.resource_version(),
            uid: live.uid(),
        });
        let api = self.api::<K>(owner);
        let name = live.name_any();
        // What the watch tells of it may come before the answer.
        self.note(live.uid().as_deref());
        let deleting = async {
            match api.delete(&name, &params).await {
                Ok(_) => Ok(()),
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                Err(error) => Err(error),
            }
        };
        let deleted = self.write::<K, _>("delete", deleting).await;
        if deleted.is_err() {
            // It may stay, and edits of it count.
            self.forget(live.uid().as_deref());
        }
        deleted
    }

    /// Becomes one more owner of an object that another resource has, or may soon have no more.
    pub async fn join<K: Kind>(&self, owner: &Owner, live: &K) -> Result<(), Said> {
        if standing::is_among(live.meta(), owner) {
            return Ok(());
        }
        let owners = standing::waiting(live.meta(), owner);
        self.replace(owner, &with_owners(live.clone(), owners))
            .await?;
        Ok(())
    }

    /// Lets go of an object: deletes it, unless it is another's, or others wait for it.
    pub async fn leave<K: Kind>(&self, owner: &Owner, live: &K) -> Result<(), Said> {
        let is_own = standing::of(Some(live.meta()), owner) == standing::Standing::Own;
        let others = standing::without(live.meta(), owner);
        if is_own && others.is_empty() {
            return Ok(self.delete(owner, live).await?);
        }
        if standing::is_among(live.meta(), owner) {
            self.replace(owner, &with_owners(live.clone(), others))
                .await?;
        }
        Ok(())
    }

    async fn read<K: Kind, T>(
        &self,
        verb: &'static str,
        call: impl Future<Output = kube::Result<T>> + Send,
    ) -> Result<T, Said> {
        Ok(bounded::<K, T>(verb, WITHIN, call).await?)
    }

    /// Another process may publish by now, and what this one knows be older.
    async fn write<K: Kind, T>(
        &self,
        verb: &'static str,
        call: impl Future<Output = kube::Result<T>> + Send,
    ) -> Result<T, Miss> {
        let left = self.leadership.time_left(self.clock.now());
        let left = left.ok_or(Miss::Said(Said::NotLeading))?;
        bounded::<K, T>(verb, left.min(WITHIN), call).await
    }

    fn api<K: Kind>(&self, owner: &Owner) -> Api<K> {
        Api::namespaced(self.client.clone(), &owner.namespace)
    }
}

/// Calls of kube's client are large, and have a place of their own.
async fn bounded<K: Kind, T>(
    verb: &'static str,
    within: Duration,
    call: impl Future<Output = kube::Result<T>> + Send,
) -> Result<T, Miss> {
    if let Ok(result) = tokio::time::timeout(within, Box::pin(call)).await {
        return result.map_err(|error| missed::<K>(verb, &error));
    }
    let text = format!("no answer within {:.1} s", within.as_secs_f64());
    Err(Miss::Said(Said::Failed(text)))
}

fn params() -> PostParams {
    PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    }
}

fn with_owners<K: Kind>(mut object: K, owners: Vec<OwnerReference>) -> K {
    object.meta_mut().owner_references = Some(owners).filter(|owners| !owners.is_empty());
    object
}

/// Whether the API server says, with 403, that the operator lacks a right.
fn is_missing_right(message: &str) -> bool {
    message.contains("User \"") && message.contains(" cannot ")
}

/// What a call's error means.
fn missed<K: Kind>(verb: &'static str, error: &kube::Error) -> Miss {
    let status = match error {
        kube::Error::Api(status) => status,
        error => return Miss::Said(Said::Failed(error.to_string())),
    };
    let said = || status.message.clone();
    match status.code {
        409 => Miss::Changed,
        // It was there when it was read; or its namespace is gone.
        404 if verb == "update" => Miss::Changed,
        // Admission refuses with the same code, in its own words; a missing right names the user.
        403 if is_missing_right(&status.message) => Miss::Said(Said::Forbidden(verb, K::PLURAL)),
        400..=428 | 430..=499 => Miss::Said(Said::Refused(said())),
        _ => Miss::Said(Said::Failed(said())),
    }
}
