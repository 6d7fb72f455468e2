//! Second stage: what the cloud shows. Reads only; a read that failed is a value.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    cloud::{Cloud, CloudError, Proxy, Urgency},
    controller::{queue::seat, read::Desired},
    crd::Phase,
    fleet::directory::{Directory, InTurn},
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
#[derive(Clone, Copy)]
pub enum Depth<'a> {
    /// The job on record where there is one to follow; the list of proxies otherwise and when the job has ended.
    Usual(Listing),
    /// The task list, and then the list of proxies, with calls that were waited for. A task list will do that was begun
    /// after this uptime; without it, only one that is begun now.
    Tasks(&'a dyn Cloud, Option<Duration>),
}

/// Which list of proxies will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// One that is begun now: a change is at work.
    Now,
    /// One that has its time, unless another resource has had it read after this uptime.
    InTurn(Urgency, Option<Duration>),
}

/// Nothing was looked at: the time of the list comes after so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later(pub Duration);

/// Where to look, and with what.
#[derive(Clone)]
pub struct Viewpoint<'a> {
    /// What is read together with others, or why the cloud can't be called.
    pub directory: Result<&'a Directory, Trouble>,
    /// What is wanted.
    pub desired: &'a Desired,
    /// What is on record.
    pub record: &'a Record,
    /// What this process remembers.
    pub session: &'a Session,
    /// Jobs that were given up, by an annotation on a resource of the instance whose word counts.
    pub abandoned: &'a BTreeSet<JobId>,
    /// The list is read beside a job that is at work: one that was begun after this uptime will do.
    pub beside: Option<Duration>,
    /// The durations.
    pub pace: &'a Pace,
    /// Now.
    pub now: Moment,
}

/// Looks.
pub async fn look(from: &Viewpoint<'_>, depth: Depth<'_>) -> Result<Observed, Later> {
    let directory = match &from.directory {
        Ok(directory) => *directory,
        Err(trouble) => {
            return Ok(Observed {
                proxy: Seen::Unknown(trouble.clone()),
                abandoned: from.abandoned.clone(),
                ..Observed::default()
            });
        }
    };
    let mut observed = Observed {
        abandoned: from.abandoned.clone(),
        ..Observed::default()
    };
    match (depth, from.job()) {
        (Depth::Tasks(turn, after), _) => {
            look_at_tasks(from, directory, turn, after, &mut observed).await;
            if let Seen::Unknown(_) = observed.tasks {
                return Ok(observed);
            }
        }
        (Depth::Usual(_), Some(job)) => {
            observed.job = seen(directory.job(job).await);
            if !matches!(&observed.job, Seen::Known(job) if job.state.is_finished()) {
                observed.beside = beside(from, directory).await;
                return Ok(observed);
            }
        }
        (Depth::Usual(_), None) => {}
    }
    let instance = &from.desired.subject.instance;
    let listed = match depth {
        Depth::Tasks(turn, _) => directory.proxies(turn, instance).await,
        Depth::Usual(Listing::Now) => directory.proxies_now(instance).await,
        Depth::Usual(Listing::InTurn(urgency, after)) => {
            match directory.proxies_in_turn(urgency, instance, after).await {
                InTurn::Read(outcome) => outcome,
                InTurn::Later(wait) => return Err(Later(wait)),
            }
        }
    };
    observed.proxy = seen(listed).find(|proxies| from.own(&proxies));
    Ok(observed)
}

/// What the list shows while a job is at work: read with the urgency of a sweep, if it has its time now, and not waited for long.
async fn beside(from: &Viewpoint<'_>, directory: &Directory) -> Seen<Option<Proxy>> {
    let Some(after) = from.beside else {
        return Seen::NotRead;
    };
    let instance = &from.desired.subject.instance;
    let listed = directory.proxies_in_turn(Urgency::Sweep, instance, Some(after));
    match tokio::time::timeout(from.pace.interim_after, listed).await {
        Ok(InTurn::Read(outcome)) => seen(outcome).find(|proxies| from.own(&proxies)),
        Ok(InTurn::Later(_)) | Err(_) => Seen::NotRead,
    }
}

async fn look_at_tasks(
    from: &Viewpoint<'_>,
    directory: &Directory,
    turn: &dyn Cloud,
    after: Option<Duration>,
    observed: &mut Observed,
) {
    let listed = seat::aside(directory.tasks(turn, from.pace, after));
    let list = match listed.await {
        Ok(list) => list,
        Err(error) => {
            observed.tasks = Seen::Unknown(Trouble::Cloud(error));
            return;
        }
    };
    let instance = &from.desired.subject.instance;
    let mut passed_over = from.abandoned.clone();
    passed_over.extend(directory.verified(instance));
    // The own job is over, whatever a list that lags shows: what is left of it is judged by the port, see `plan::gates`.
    passed_over.extend(from.session.verified.as_deref().map(|own| own.job.clone()));
    let unfinished = tasks::unfinished(&list, instance, &passed_over, from.now, from.pace);
    observed.tasks_clear_in = unfinished.and_then(|unfinished| unfinished.clear_in);
    observed.tasks = Seen::Known(unfinished.map(|unfinished| unfinished.task.clone()));
}

impl Viewpoint<'_> {
    /// The proxy of the resource, where a list has it.
    fn own(&self, proxies: &[Proxy]) -> Option<Proxy> {
        let own = |proxy: &&Proxy| proxy.id == self.desired.subject.proxy;
        proxies.iter().find(own).cloned()
    }

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
