//! Second stage: what the cloud shows. Reads only; a read that failed is a value.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;

use crate::{
    cloud::{Cloud, CloudError, Meaning, Proxies, Proxy, Urgency},
    crd::{ManagementPolicy, Phase},
    desired::Desired,
    fleet::{
        directory::{self, Booking, Directory, InTurn},
        tasks,
        verified::Verified,
    },
    model::{InstanceId, JobId, Moment},
    pace::Pace,
    plan::{
        facts::{Observed, Seen, Trouble},
        record::Record,
        session::Session,
    },
    seats,
};

/// How closely to look.
#[derive(Clone, Copy)]
pub enum Depth<'a> {
    /// The job on record where there is one to follow; the list of proxies otherwise and when the job has ended.
    Usual(Listing),
    /// The task list, and then the list of proxies, each begun from now on, with calls that were waited for.
    Tasks(&'a dyn Cloud),
    /// The same for a resource that is new, when its list has its time. A task list will do that was begun after the first
    /// uptime, and a list of proxies after it that was begun after the second.
    First(Duration, Option<Duration>),
}

/// Which list of proxies will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// One that is begun now: a change is at work.
    Now,
    /// One that has its time, unless another resource has had it read after this uptime.
    InTurn(Urgency, Option<Duration>),
}

/// Nothing was looked at: the time of the list comes after so long, if its booking is kept.
#[derive(Debug)]
pub struct Later(pub Duration, pub Booking);

/// Where to look, and with what.
#[derive(Clone)]
pub struct Viewpoint<'a> {
    /// What is read together with others, or why the cloud can't be called.
    pub directory: Result<&'a Arc<Directory>, Trouble>,
    /// What is wanted.
    pub desired: &'a Desired,
    /// What is on record.
    pub record: &'a Record,
    /// What this process remembers.
    pub session: &'a Session,
    /// Jobs that were given up, by an annotation on a resource of the instance whose word counts.
    pub abandoned: &'a BTreeSet<JobId>,
    /// Jobs of other proxies of the instance that this process saw in place.
    pub verified: &'a Verified,
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
    if let (Depth::Usual(_), Some(job)) = (depth, from.job()) {
        let request = from.desired.request.as_deref();
        let for_a_person = from.record.is_asked_by(request);
        observed.job = seen(directory.job(job, for_a_person).await);
        observed.spare_call_in = directory.spare_call_in(job);
        observed.by_list = directory.follows_by_list();
        if !matches!(&observed.job, Seen::Known(job) if job.state.is_finished()) {
            observed.beside = beside(from, directory).await;
            return Ok(observed);
        }
    }
    let instance = &from.desired.subject.instance;
    let listed = match depth {
        Depth::Tasks(turn) => {
            if let Some(begun) = from.begun_lately() {
                directory.reach_back(begun);
            }
            let tasks = seats::aside(Box::pin(async {
                if from.record.change.is_some() {
                    directory.tasks_for_followed(turn, from.pace).await
                } else {
                    directory.tasks(turn, from.pace).await
                }
            }));
            let tasks = tasks.await;
            if !from.take_tasks(tasks.as_deref(), &mut observed) {
                return Ok(observed);
            }
            directory.proxies(turn, instance).await
        }
        Depth::First(tasks_after, after) => {
            let known = directory.known_tasks(tasks_after).await;
            let lists_after = known.as_ref().map_or(Duration::MAX, |tasks| tasks.ended);
            let lists_after = after.unwrap_or_default().max(lists_after);
            let turn = directory.in_turn(Urgency::FirstLook, instance, Some(lists_after));
            match turn.await {
                InTurn::Listed(list) => {
                    if let Some(known) = &known {
                        from.take_tasks(Ok(known), &mut observed);
                    }
                    Ok(list)
                }
                InTurn::Now(turn) => {
                    let turn = turn.as_ref();
                    let tasks = directory.tasks_for_new(turn, from.pace, tasks_after);
                    let tasks = seats::aside(tasks).await;
                    // Where the resource only observes, nothing but what it publishes waits for them.
                    let is_needed = from.desired.policy != ManagementPolicy::Observe;
                    let counts = is_needed || tasks.is_ok();
                    if counts && !from.take_tasks(tasks.as_deref(), &mut observed) {
                        return Ok(observed);
                    }
                    let ended = tasks.map_or(Duration::MAX, |tasks| tasks.ended);
                    let after = after.unwrap_or_default().max(ended);
                    directory.proxies_since(turn, instance, Some(after)).await
                }
                InTurn::Later(wait, booking) => return Err(Later(wait, booking)),
                InTurn::Failed(error) => Err(error),
            }
        }
        Depth::Usual(Listing::Now) => directory.proxies_now(instance).await,
        Depth::Usual(Listing::InTurn(urgency, after)) => {
            match directory.in_turn(urgency, instance, after).await {
                InTurn::Listed(list) => Ok(list),
                InTurn::Now(turn) => {
                    let turn = turn.as_ref();
                    directory.proxies_since(turn, instance, after).await
                }
                InTurn::Later(wait, booking) => return Err(Later(wait, booking)),
                InTurn::Failed(error) => Err(error),
            }
        }
    };
    observed.list_has_gaps = listed.as_ref().is_ok_and(|list| list.has_gaps);
    observed.proxy = seen(listed).find(|proxies| from.own(&proxies));
    Ok(observed)
}

/// What the list shows while a job is at work: read with the urgency of a sweep, if it has its time now, and not waited for long.
/// One that takes longer is read to its end, for others who wait for it; the next one has its time as if this one had been seen.
async fn beside(from: &Viewpoint<'_>, directory: &Arc<Directory>) -> Seen<Option<Proxy>> {
    let Some(after) = from.beside else {
        return Seen::NotRead;
    };
    let instance = &from.desired.subject.instance;
    let list = read_beside(directory, instance, after, from.pace.interim_after).await;
    list.find(|proxies| from.own(&proxies))
}

async fn read_beside(
    directory: &Arc<Directory>,
    instance: &InstanceId,
    after: Duration,
    patience: Duration,
) -> Seen<Arc<Proxies>> {
    let (directory, instance) = (Arc::clone(directory), instance.clone());
    let reading = tokio::spawn(async move {
        match directory
            .in_turn(Urgency::Sweep, &instance, Some(after))
            .await
        {
            InTurn::Listed(list) => Some(Ok(list)),
            InTurn::Now(turn) => {
                let turn = turn.as_ref();
                Some(directory.proxies_since(turn, &instance, Some(after)).await)
            }
            InTurn::Later(..) => None,
            InTurn::Failed(error) => Some(Err(error)),
        }
    });
    let reading = tokio::time::timeout(patience, reading);
    match seats::aside(reading).await {
        Ok(Ok(Some(outcome))) => seen(outcome),
        Ok(Ok(None) | Err(_)) => Seen::NotRead,
        Err(_) => {
            let text = "the list of proxies was not read in time beside the job";
            seen(Err(CloudError::local(Meaning::Slow, text)))
        }
    }
}

impl Viewpoint<'_> {
    /// When the change on record must have been over, by its recorded time.
    fn must_be_over(&self) -> Option<Timestamp> {
        let change = self.record.change.as_ref()?;
        let begun = change.submitted_at.unwrap_or(change.intended_at);
        let longest = self.pace.of_user(self.desired.change_timeout);
        begun.checked_add(longest).ok()
    }

    /// When the change was begun whose task may count: the one on record, or the one before, while lists may lag behind its end.
    fn begun_lately(&self) -> Option<Timestamp> {
        let current = self.record.change.as_ref();
        let current = current.map(|change| change.intended_at);
        let last = self
            .record
            .last
            .as_ref()
            .filter(|last| self.session.age(last.finished_at.0, self.now) < self.pace.list_lag);
        current.or_else(|| last.map(|last| last.started_at.0))
    }

    /// The proxy of the resource, where a list has it.
    fn own(&self, proxies: &[Proxy]) -> Option<Proxy> {
        let own = |proxy: &&Proxy| proxy.id == self.desired.subject.proxy;
        proxies.iter().find(own).cloned()
    }

    /// Takes in what the task list shows; false if it could not be read.
    fn take_tasks(
        &self,
        tasks: Result<&directory::Tasks, &CloudError>,
        observed: &mut Observed,
    ) -> bool {
        match tasks {
            Ok(tasks) => {
                let instance = &self.desired.subject.instance;
                let mut passed_over = self.abandoned.clone();
                let proxy = &self.desired.subject.proxy;
                passed_over.extend(self.verified.of_others(instance, proxy));
                // The own job is over, whatever a list that lags shows: what is left of it is judged by the port, see
                // `plan::gates`.
                passed_over.extend(self.session.verified.as_deref().map(|own| own.job.clone()));
                let unfinished =
                    tasks::unfinished(tasks, instance, &passed_over, self.now, self.pace);
                observed.tasks_clear_in = unfinished.and_then(|unfinished| unfinished.clear_in);
                observed.tasks = Seen::Known(unfinished.map(|unfinished| unfinished.task.clone()));
                observed.failed_lately = tasks::failed_lately(tasks, instance, self.now, self.pace);
                observed.passed_over =
                    tasks::counting_among(tasks, instance, self.abandoned, self.now, self.pace);
                observed.tasks_since = Some(tasks.begun);
                let over = self.must_be_over();
                observed.cloud_time = tasks.cloud_time;
                observed.outlived =
                    over.is_some_and(|over| tasks::has_ended_since(tasks, instance, over));
                true
            }
            Err(error) => {
                observed.tasks = Seen::Unknown(Trouble::Cloud(error.clone()));
                false
            }
        }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::BoxFuture;

    use super::*;
    use crate::{
        clock::{self, Clock},
        cloud::fake::Fake,
    };

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn b29_a_list_beside_a_job_that_takes_long_is_read_once_and_to_its_end() {
        let count = Arc::new(AtomicUsize::default());
        let counted = Arc::clone(&count);
        let lists = move || -> BoxFuture<'static, _> {
            counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(async {
                clock::pause(12 * SECOND).await;
                Ok(Proxies::default())
            })
        };
        let cloud = Fake {
            lists: Some(Arc::new(lists)),
            ..Fake::default()
        };
        let clock = Clock::with_head_start(SECOND);
        let directory = Arc::new(Directory::new(Arc::new(cloud), clock));
        let instance = InstanceId::parse(&format!("{}in07", "0".repeat(32))).unwrap();
        let look = || read_beside(&directory, &instance, Duration::ZERO, 5 * SECOND);
        assert!(matches!(look().await, Seen::Unknown(_)));
        assert!(matches!(look().await, Seen::Unknown(_)));
        assert!(matches!(look().await, Seen::Known(_)));
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}
