//! Second stage: what the cloud shows. Reads only; a read that failed is a value.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    cloud::{Cloud, CloudError},
    controller::read::Desired,
    crd::Phase,
    model::{JobId, Moment},
    pace::Pace,
    plan::{
        facts::{Observed, Seen, Trouble},
        record::Record,
        session::Session,
        tasks,
    },
};

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The job on record where there is one to follow; the list of proxies otherwise and when the job has ended.
    Usual,
    /// The task list, and then the list of proxies.
    Tasks,
}

/// Where to look, and with what.
#[derive(Clone)]
pub struct Viewpoint<'a> {
    /// The cloud, or why it can't be called.
    pub cloud: Result<Arc<dyn Cloud>, Trouble>,
    /// What is wanted.
    pub desired: &'a Desired,
    /// What is on record.
    pub record: &'a Record,
    /// What this process remembers.
    pub session: &'a Session,
    /// Jobs that were given up, by an annotation on any resource of the instance.
    pub abandoned: &'a BTreeSet<JobId>,
    /// The durations.
    pub pace: &'a Pace,
    /// Now.
    pub now: Moment,
}

/// Looks.
pub async fn look(from: &Viewpoint<'_>, depth: Depth) -> Observed {
    let cloud = match &from.cloud {
        Ok(cloud) => cloud,
        Err(trouble) => {
            return Observed {
                proxy: Seen::Unknown(trouble.clone()),
                abandoned: from.abandoned.clone(),
                ..Observed::default()
            };
        }
    };
    let mut observed = Observed {
        abandoned: from.abandoned.clone(),
        ..Observed::default()
    };
    match (depth, from.job()) {
        (Depth::Tasks, _) => {
            observed.tasks = tasks_of(from, cloud.as_ref()).await;
            if let Seen::Unknown(_) = observed.tasks {
                return observed;
            }
        }
        (Depth::Usual, Some(job)) => {
            observed.job = seen(cloud.job(job).await);
            if !matches!(&observed.job, Seen::Known(job) if job.state.is_finished()) {
                return observed;
            }
        }
        (Depth::Usual, None) => {}
    }
    observed.proxy =
        seen(cloud.list_proxies(&from.desired.subject.instance).await).find(|proxies| {
            proxies
                .into_iter()
                .find(|proxy| proxy.id == from.desired.subject.proxy)
        });
    observed
}

async fn tasks_of(from: &Viewpoint<'_>, cloud: &dyn Cloud) -> Seen<Option<crate::cloud::Task>> {
    let since = from
        .now
        .wall
        .checked_sub(from.pace.tasks_look_back)
        .unwrap_or(from.now.wall);
    seen(cloud.tasks(since).await).find(|list| {
        tasks::unfinished(
            &list,
            &from.desired.subject.instance,
            from.abandoned,
            from.now,
            from.pace,
        )
        .cloned()
    })
}

impl Viewpoint<'_> {
    /// The job that is followed, if there is one.
    fn job(&self) -> Option<&JobId> {
        let change = self
            .record
            .change
            .as_ref()
            .filter(|change| change.phase != Phase::Verifying)?;
        let lost = self
            .session
            .watch
            .as_ref()
            .is_some_and(|watch| watch.job_lost(self.pace));
        change
            .job
            .as_ref()
            .filter(|job| !lost && !self.abandoned.contains(*job))
    }
}

impl<T> Seen<T> {
    fn find<U>(self, find: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Self::Known(value) => Seen::Known(find(value)),
            Self::Unknown(trouble) => Seen::Unknown(trouble),
            Self::NotRead => Seen::NotRead,
        }
    }
}

fn seen<T>(result: Result<T, CloudError>) -> Seen<T> {
    match result {
        Ok(value) => Seen::Known(value),
        Err(error) => Seen::Unknown(Trouble::Cloud(error)),
    }
}
