//! The one writer of status, at its three moments: the intent of a change, its job id, and the report at the end of a
//! reconcile.
//!
//! Relies on the API server's comparison of resource versions: a write from a stale view is refused. Promises that no
//! proof of an intent exists unless the API server has just shown it with the generation that it was made for, and that what
//! the API server says it has stored is compared with what was sent, all of the record.

use std::{future::Future, sync::Arc, time::Duration};

use backon::{ExponentialBuilder, Retryable as _};
use futures::future::BoxFuture;
use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, ObjectMeta, PostParams},
};

use crate::{
    chance::Chance,
    clock::Clock,
    cloud::Acknowledged,
    controller::Guarded,
    crd::{ChangeRecord, LastChange, Phase, TaurusProxyPort, TaurusProxyPortStatus},
    health::work::{Unsaved, Work},
    leader::Leadership,
    model::{ChangeId, InstanceId, JobId, Port, ProxyId},
    plan::{history, record::Change, settle, summary::undecodable},
};

use self::definition::keeps;

mod definition;

pub use definition::Definition;

/// Every call of the API server but watches ends within this; kube's client alone would repeat for minutes.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two tries to put a job id on record: a random part of it comes on top, which makes 5 s at most.
const LONGEST_PAUSE: Duration = Duration::from_millis(2500);

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The object was changed since it was read: look at it anew.
    #[error("the resource was changed meanwhile")]
    Conflict,
    /// The object is gone.
    #[error("the resource is gone")]
    Gone,
    /// The installed definition drops the record of a change.
    #[error("the installed definition of the resource drops a part of the record of a change")]
    Pruned,
    /// The object is there, but its status is not: the installed definition has none.
    #[error(
        "the installed definition of the resource has no status subresource: install the one of this release"
    )]
    NoStatus,
    /// The change is no longer on record, nor is it the last one: somebody removed it.
    #[error("the change is no longer on record")]
    Superseded,
    /// Another process leads, or may do so by now: this one writes nothing any more.
    #[error("this process does not lead, or its lease has run out")]
    NotLeading,
    /// The operator is stopping, and what was read for a decision is not waited for.
    #[error("the operator is stopping")]
    Stopping,
    /// A person changed or deleted the resource while something was waited for: it is looked at anew.
    #[error("the resource was changed while something was waited for")]
    Interrupted,
    /// What was read for several resources at once could not be read, as another one of them was told.
    #[error("read for several resources: {0}")]
    OfAnother(Arc<str>),
    /// The API server did not answer in time; the write may have been made.
    #[error("the API server did not answer within {} s", CALL_TIMEOUT.as_secs())]
    TimedOut,
    /// The API server's answer can't be read; the write may have been made.
    #[error("the API server's answer can't be read: {0}")]
    Unreadable(#[source] serde_json::Error),
    /// The API server refused or could not be reached; the write may have been made.
    #[error("the API server: {0}")]
    Kubernetes(#[source] kube::Error),
}

/// What was written at the end of a reconcile.
#[derive(Debug)]
pub struct Report {
    /// The object as the API server has shown it.
    pub object: TaurusProxyPort,
    /// Whether it holds all of the record that was sent.
    pub is_whole: bool,
}

/// Where an intended change leads.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The instance.
    pub instance: &'a InstanceId,
    /// The proxy.
    pub proxy: &'a ProxyId,
    /// The port to ask for.
    pub port: Port,
}

/// Writes the status of resources.
#[derive(Clone)]
pub struct Journal {
    client: Client,
    clock: Clock,
    chance: Chance,
    leadership: Arc<Leadership>,
    work: Arc<Work>,
}

impl Journal {
    /// A journal over `client` of a process that writes for as long as it leads.
    pub fn new(
        client: Client,
        clock: Clock,
        chance: Chance,
        leadership: Arc<Leadership>,
        work: Arc<Work>,
    ) -> Self {
        Self {
            client,
            clock,
            chance,
            leadership,
            work,
        }
    }

    /// Reads an object from the API server, past every cache; nothing if it is gone.
    pub async fn fetch(
        &self,
        object: &TaurusProxyPort,
    ) -> Result<Option<TaurusProxyPort>, JournalError> {
        let fresh = bounded(self.api(object).get_opt(&object.name_any())).await?;
        Ok(fresh.filter(|fresh| fresh.uid() == object.uid()))
    }

    /// Puts the intent of `change`, which `status` holds, on record. There is no proof if people have changed the resource
    /// meanwhile: then the intent has to be withdrawn.
    ///
    /// kube's client repeats writes that were answered with 429, 503 or 504, so a conflict can stem from our own first
    /// try; the change's id tells. The proof dates from before that try: whoever finds the record later counts from there.
    pub async fn intend(
        &self,
        object: &TaurusProxyPort,
        status: TaurusProxyPortStatus,
        change: &Change,
        target: Target<'_>,
    ) -> Result<(TaurusProxyPort, Option<Acknowledged>), JournalError> {
        let began = self.clock.now();
        let written = match self.replace_as_leader(object, &status).await {
            Ok(written) => written,
            Err(error @ (JournalError::Gone | JournalError::NotLeading)) => return Err(error),
            Err(JournalError::Unreadable(_)) => return Err(JournalError::Pruned),
            Err(error) => match self.fetch(object).await? {
                Some(fresh) if change_id(&fresh) == Some(change.id.as_str()) => fresh,
                Some(_) => return Err(error),
                None => return Err(JournalError::Gone),
            },
        };
        let shown = written
            .status
            .as_ref()
            .and_then(|status| status.change.as_ref());
        let whole = keeps(&status, written.status.as_ref())
            && shown.is_some_and(|shown| is_whole(shown, change));
        let current = written.metadata.generation == Some(change.generation);
        if !whole {
            return Err(JournalError::Pruned);
        }
        if !current || written.metadata.deletion_timestamp.is_some() {
            return Ok((written, None));
        }
        let proof = Acknowledged::by_the_api_server(
            change.id.clone(),
            (target.instance.clone(), target.proxy.clone()),
            target.port,
            began,
            Arc::clone(&self.leadership),
        );
        Ok((written, Some(proof)))
    }

    /// A job id has come that nobody else knows: it counts as unsaved until this is dropped.
    pub fn unsaved(&self) -> Unsaved {
        self.work.unsaved()
    }

    /// Tries once to put the job of a change on record: writes `status`, made for `object`. It is the one write that a process
    /// may still make which no longer leads.
    pub async fn job(
        &self,
        object: &TaurusProxyPort,
        status: TaurusProxyPortStatus,
    ) -> Result<TaurusProxyPort, JournalError> {
        let written = self.replace(object, &status, Making::Real).await?;
        if keeps(&status, written.status.as_ref()) {
            Ok(written)
        } else {
            Err(JournalError::Pruned)
        }
    }

    /// Puts the job of a change where that stands or has ended by now, and tries for as long as this process lives: nobody
    /// else knows it. Ends in vain where there is no place for it: the object or the change is gone, or the definition drops it.
    pub async fn save_job(
        &self,
        object: &TaurusProxyPort,
        id: &ChangeId,
        job: &JobId,
        accepted: Timestamp,
    ) -> Result<(), JournalError> {
        let attempt = || async {
            let mut fresh = self.fetch(object).await?.ok_or(JournalError::Gone)?;
            if with_job(&fresh, id, job, accepted).is_none() {
                // A definition hides what it lacks, and may have been put right since.
                if self.is_definition_whole(&fresh).await? == Some(false) {
                    return Err(JournalError::Pruned);
                }
                fresh = self.fetch(object).await?.ok_or(JournalError::Gone)?;
            }
            match with_job(&fresh, id, job, accepted) {
                Some(Some(status)) => self.job(&fresh, status).await.map(drop),
                Some(None) => Ok(()),
                None => Err(JournalError::Superseded),
            }
        };
        let backoff = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(LONGEST_PAUSE)
            .without_max_times()
            .with_jitter()
            .with_jitter_seed(self.chance.seed());
        let is_in_vain = |error: &JournalError| {
            matches!(
                error,
                JournalError::Gone | JournalError::Superseded | JournalError::Pruned
            )
        };
        attempt
            .retry(backoff)
            .when(|error| !is_in_vain(error))
            .notify(|error, wait| {
                tracing::warn!(
                    namespace = object.namespace(), name = object.name_any(), change = %id, %job, %error, ?wait,
                    "the job id is not on record yet"
                );
            })
            .await
    }

    /// Writes the status at the end of a reconcile, if it differs from what is there, or if that lacks some of `object`.
    pub async fn report(
        &self,
        object: &TaurusProxyPort,
        status: &TaurusProxyPortStatus,
        is_cut: bool,
    ) -> Result<Option<Report>, JournalError> {
        if object.status.as_ref() == Some(status) && !is_cut {
            return Ok(None);
        }
        // Most have nothing to write, and no room for it.
        let object = Box::pin(self.replace_as_leader(object, status)).await?;
        let is_whole = keeps(status, object.status.as_ref());
        Ok(Some(Report { object, is_whole }))
    }

    /// Says in the status of a resource that can't be decoded which field is at fault, unless it says so already; gives what it
    /// said. Nothing of the status is decoded, and all else of it stays as it is, but for `subjectUID` where no change is on record.
    pub async fn tell_undecodable(
        &self,
        metadata: &ObjectMeta,
    ) -> Result<Option<undecodable::Told>, JournalError> {
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let name = metadata.name.as_deref().unwrap_or_default();
        let kind = ApiResource::erase::<TaurusProxyPort>(&());
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &kind);
        let fresh = bounded(api.get_opt(name)).await?;
        let fresh = fresh.filter(|fresh| fresh.metadata.uid == metadata.uid);
        let mut fresh = fresh.ok_or(JournalError::Gone)?;
        // What it was when the watch delivered it says nothing of what it is now.
        let now = serde_json::to_value(&fresh).ok();
        let now = now.and_then(|now| serde_json::from_value::<Guarded>(now).ok());
        let Some(Guarded(Err(resource))) = now else {
            return Ok(None);
        };
        let generation = fresh.metadata.generation.unwrap_or_default();
        let old = fresh.data.get("status");
        let told = undecodable::status(old, generation, &resource.error, self.clock.now());
        let Some(told) = told else {
            return Ok(None);
        };
        fresh.metadata.managed_fields = None;
        if let Some(all) = fresh.data.as_object_mut() {
            all.insert("status".to_owned(), told.status.clone());
        }
        let left = self.leadership.time_left(self.clock.now());
        let left = left.ok_or(JournalError::NotLeading)?;
        let params = PostParams::default();
        let replacing = bounded(api.replace_status(name, &params, &fresh));
        match tokio::time::timeout(left.min(CALL_TIMEOUT), replacing).await {
            Ok(result) => result.map(|_| Some(told)),
            Err(_) => Err(JournalError::TimedOut),
        }
    }

    /// Ends with the term of this process, also between two tries of kube's client.
    async fn replace_as_leader(
        &self,
        object: &TaurusProxyPort,
        status: &TaurusProxyPortStatus,
    ) -> Result<TaurusProxyPort, JournalError> {
        let left = self.leadership.time_left(self.clock.now());
        let left = left.ok_or(JournalError::NotLeading)?;
        let replacing = self.replace(object, status, Making::Real);
        match tokio::time::timeout(left.min(CALL_TIMEOUT), replacing).await {
            Ok(result) => result,
            Err(_) => Err(JournalError::TimedOut),
        }
    }

    async fn replace(
        &self,
        object: &TaurusProxyPort,
        status: &TaurusProxyPortStatus,
        making: Making,
    ) -> Result<TaurusProxyPort, JournalError> {
        let mut body = object.clone();
        body.metadata.managed_fields = None;
        body.status = Some(status.clone());
        let api = self.api(object);
        let params = PostParams {
            dry_run: making == Making::Dry,
            ..PostParams::default()
        };
        let name = object.name_any();
        match bounded(api.replace_status(&name, &params, &body)).await {
            Err(JournalError::Gone) if self.fetch(object).await?.is_some() => {
                Err(JournalError::NoStatus)
            }
            result => result,
        }
    }

    fn api(&self, object: &TaurusProxyPort) -> Api<TaurusProxyPort> {
        Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default())
    }
}

/// Whether a write takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Making {
    Real,
    /// The API server answers as if it did.
    Dry,
}

/// The status of `object` with the job set where its change stands, or where it has ended; nothing within, where it is set
/// already, and nothing at all, where the change stands nowhere.
#[expect(
    clippy::option_option,
    reason = "whether there is a place, and whether it lacks the job"
)]
fn with_job(
    object: &TaurusProxyPort,
    id: &ChangeId,
    job: &JobId,
    accepted: Timestamp,
) -> Option<Option<TaurusProxyPortStatus>> {
    let mut status = object.status.clone()?;
    if let Some(change) = status
        .change
        .as_mut()
        .filter(|change| change.id == id.as_str())
    {
        if change.job_id.is_some() {
            return Some(None);
        }
        let known = Change::of(change)?;
        *change = settle::submitted(known, job.clone(), accepted).stored();
        debug_assert!(change.phase >= Phase::Submitted, "a phase never moves back");
        return Some(Some(status));
    }
    let last: &mut LastChange = status
        .last_change
        .as_mut()
        .filter(|last| last.id == id.as_str())?;
    if last.job_id.is_some() {
        return Some(None);
    }
    last.job_id = Some(job.as_str().to_owned());
    history::add_job(&mut status.history, id.as_str(), job.as_str());
    Some(Some(status))
}

/// Whether a change is on record with all that decisions rest on. The id of its plan is for people.
fn is_whole(stored: &ChangeRecord, change: &Change) -> bool {
    let wanted = ChangeRecord {
        plan: stored.plan.clone(),
        ..change.stored()
    };
    *stored == wanted
}

fn change_id(object: &TaurusProxyPort) -> Option<&str> {
    object
        .status
        .as_ref()?
        .change
        .as_ref()
        .map(|change| change.id.as_str())
}

/// Bounds a call of the API server and sorts its errors.
///
/// Calls of kube's client are large. They have a place of their own, so that a turn that makes none has no room for one.
pub(super) fn bounded<'c, T: 'c>(
    call: impl Future<Output = Result<T, kube::Error>> + Send + 'c,
) -> impl Future<Output = Result<T, JournalError>> + Send + 'c {
    sorted(Box::pin(call))
}

async fn sorted<T>(call: BoxFuture<'_, Result<T, kube::Error>>) -> Result<T, JournalError> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(kube::Error::Api(status))) if status.is_conflict() => Err(JournalError::Conflict),
        Ok(Err(kube::Error::Api(status))) if status.is_not_found() => Err(JournalError::Gone),
        Ok(Err(kube::Error::SerdeError(error))) => Err(JournalError::Unreadable(error)),
        Ok(Err(error)) => Err(JournalError::Kubernetes(error)),
        Err(_) => Err(JournalError::TimedOut),
    }
}
