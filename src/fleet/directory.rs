//! What the resources of one credential, project and place read together.
//!
//! Promises one list for all resources of an instance that want it at the same time, one walk over the task list for all
//! that wait for one, and one list of running tasks in place of a poll for each job where there are many. Lists that are not
//! urgent have their times, one after the other, so that a large fleet needs no more calls than there are. What one
//! credential has read is never shown to a resource of another: each has a directory of its own.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;

use self::shared_read::{Outcome, SharedRead};
use crate::{
    clock::Clock,
    cloud::{Cloud, CloudError, Job, Meaning, Proxy, TaskList, Urgency, request::TASKS_A_PAGE},
    model::{InstanceId, JobId},
    pace::Pace,
    plan::{session, tasks},
};

mod jobs;
mod shared_read;
pub mod sweep;
mod verified;

/// A list is kept for the other resources of its instance for so long.
pub const KEPT: Duration = Duration::from_secs(10);

/// A list of tasks is kept for so long. It may be long itself, and who is new may want one that is not quite new.
const TASKS_KEPT: Duration = Duration::from_mins(1);

/// Short, but longer than nothing: for who has to come again.
const A_MOMENT: Duration = Duration::from_millis(20);

/// The pages of three walks over the task list, as a rule: pending, running and recent tasks.
pub const WALK: u32 = 3;

/// The calls of a closer look at a change of which nothing is known.
pub const CLOSER_LOOK: u32 = WALK + 1;

/// The calls of a closer look and of the change that follows it.
pub const CHANGE: u32 = CLOSER_LOOK + 1;

/// The task list of a busy project has many pages. It is the longer until the next walk begins, the more rows there were, and
/// the more changes share it. One page is no reason to wait.
fn rest(list: &TaskList) -> Duration {
    const FOR_EACH_ROW: Duration = Duration::from_millis(4);
    const LONGEST: Duration = Duration::from_secs(5);
    if list.tasks.len() <= TASKS_A_PAGE {
        return Duration::ZERO;
    }
    let rows = u32::try_from(list.tasks.len()).unwrap_or(u32::MAX);
    FOR_EACH_ROW.saturating_mul(rows).min(LONGEST)
}

/// What is read with one credential in one project.
pub struct Directory {
    cloud: Arc<dyn Cloud>,
    clock: Clock,
    instances: Mutex<Instances>,
    tasks: SharedRead<TaskList>,
    /// Tasks that were created before this need not be read again.
    settled_before: Mutex<Option<Timestamp>>,
    jobs: jobs::Jobs,
    verified: verified::Verified,
}

#[derive(Default)]
struct Instances {
    of: HashMap<InstanceId, Arc<Instance>>,
    /// Those that were read, the oldest first.
    read: VecDeque<(Duration, InstanceId)>,
}

#[derive(Default)]
struct Instance {
    list: SharedRead<Vec<Proxy>>,
    turns: Mutex<Turns>,
}

/// When the next lists of an instance have their time, by uptime.
#[derive(Debug, Default, Clone, Copy)]
struct Turns {
    look: Option<Duration>,
    sweep: Option<Duration>,
}

impl Turns {
    fn of(&mut self, urgency: Urgency) -> &mut Option<Duration> {
        match urgency {
            Urgency::Change | Urgency::Job => &mut self.look,
            Urgency::Sweep => &mut self.sweep,
        }
    }
}

/// What came of asking for a list that has its time.
#[derive(Debug)]
pub enum InTurn {
    /// It was read.
    Read(Outcome<Vec<Proxy>>),
    /// Its time comes after so long.
    Later(Duration),
}

impl Directory {
    /// The directory of a cloud.
    pub fn new(cloud: Arc<dyn Cloud>, clock: Clock) -> Self {
        Self {
            cloud,
            clock,
            instances: Mutex::default(),
            tasks: SharedRead::with_rest(rest),
            settled_before: Mutex::default(),
            jobs: jobs::Jobs::default(),
            verified: verified::Verified::default(),
        }
    }

    /// The cloud for calls of this urgency, so many of which have been waited for.
    pub async fn turn(&self, urgency: Urgency, calls: u32) -> Result<Arc<dyn Cloud>, CloudError> {
        self.cloud.turn(urgency, calls).await
    }

    /// The proxies of an instance, in a list that is begun from now on. `turn` is a turn of this directory's cloud.
    pub async fn proxies(&self, turn: &dyn Cloud, instance: &InstanceId) -> Outcome<Vec<Proxy>> {
        let shared = self.instance(instance);
        self.read(&shared, turn, instance).await
    }

    /// The proxies of an instance, in a list that is begun from now on, for a change that is at work.
    pub async fn proxies_now(&self, instance: &InstanceId) -> Outcome<Vec<Proxy>> {
        let turn = self.cloud.turn(Urgency::Job, 1).await?;
        self.proxies(turn.as_ref(), instance).await
    }

    /// The proxies of an instance, in a list that was begun after `after`; one that is not there yet has its time.
    pub async fn proxies_in_turn(
        &self,
        urgency: Urgency,
        instance: &InstanceId,
        after: Option<Duration>,
    ) -> InTurn {
        let shared = self.instance(instance);
        let after = after.unwrap_or_default();
        if let Some(list) = shared.list.since(after).await {
            return InTurn::Read(Ok(list));
        }
        let wait = self.time_of(&shared, urgency);
        if !wait.is_zero() {
            return InTurn::Later(wait);
        }
        let turn = match self.cloud.turn(urgency, 1).await {
            Ok(turn) => turn,
            Err(error) if urgency == Urgency::Sweep && error.meaning == Meaning::Throttled => {
                // More urgent calls have come between: it keeps its place and is put off a little.
                let wait = error.retry_after.unwrap_or_default().max(A_MOMENT);
                *shared.turns().of(urgency) = Some(self.uptime().saturating_add(wait));
                return InTurn::Later(wait);
            }
            Err(error) => return InTurn::Read(Err(error)),
        };
        // Somebody else may have read it while this one waited.
        if let Some(list) = shared.list.since(after).await {
            return InTurn::Read(Ok(list));
        }
        InTurn::Read(self.read(&shared, turn.as_ref(), instance).await)
    }

    /// The project's task list, in a walk that was begun after this uptime, or else is begun from now on.
    pub async fn tasks(
        &self,
        turn: &dyn Cloud,
        pace: &Pace,
        after: Option<Duration>,
    ) -> Outcome<TaskList> {
        if let Some(after) = after
            && let Some(list) = self.tasks.since(after).await
        {
            return Ok(list);
        }
        self.tasks
            .fresh(|| self.uptime(), || Box::pin(self.walk(turn, pace)))
            .await
    }

    /// A job that is followed.
    pub async fn job(&self, id: &JobId) -> Result<Job, CloudError> {
        self.jobs.job(self.cloud.as_ref(), &self.clock, id).await
    }

    /// This process sent `change` for a proxy on `instance`, and saw its port in place.
    pub fn note_verified(&self, instance: &InstanceId, change: &session::Verified) {
        self.verified.note(instance, &change.job, change.at);
    }

    /// The jobs of [`Self::note_verified`] on `instance` whose tasks may still count. They say nothing of other proxies.
    pub fn verified(&self, instance: &InstanceId) -> Vec<JobId> {
        self.verified.on(instance)
    }

    /// Walks over the tasks of which not all is known yet.
    async fn walk(&self, turn: &dyn Cloud, pace: &Pace) -> Result<TaskList, CloudError> {
        let began = self.clock.now();
        let known = *self.settled_before();
        let list = turn.tasks(tasks::read_since(began, known, pace)).await?;
        let now = self.clock.now();
        let took = now.elapsed(began.uptime);
        *self.settled_before() = tasks::settled_before(&list, known, took, now, pace);
        Ok(list)
    }

    fn settled_before(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.settled_before
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(
        &self,
        shared: &Instance,
        turn: &dyn Cloud,
        instance: &InstanceId,
    ) -> Outcome<Vec<Proxy>> {
        let outcome = shared
            .list
            .fresh(|| self.uptime(), || turn.list_proxies(instance))
            .await;
        *shared.turns() = Turns::default();
        self.instances()
            .read
            .push_back((self.uptime(), instance.clone()));
        self.forget_lists();
        outcome
    }

    /// Nobody else wants the list of this instance: it is not kept.
    pub fn forget(&self, instance: &InstanceId) {
        let instances = self.instances();
        if let Some(shared) = instances.of.get(instance) {
            shared.list.forget(Duration::MAX);
        }
    }

    /// Forgets the lists that nobody else can want any more.
    pub fn tidy(&self) {
        self.forget_lists();
        let uptime = self.uptime();
        self.tasks.forget(uptime.saturating_sub(TASKS_KEPT));
        self.jobs.tidy(uptime);
        self.verified.tidy(uptime);
    }

    fn forget_lists(&self) {
        let before = self.uptime().saturating_sub(KEPT);
        self.instances().forget(before);
    }

    /// How long it is until the time of an instance's list, which is booked if it isn't.
    fn time_of(&self, shared: &Instance, urgency: Urgency) -> Duration {
        let uptime = self.uptime();
        let mut turns = shared.turns();
        let booked = turns.of(urgency);
        let at = *booked.get_or_insert_with(|| uptime.saturating_add(self.cloud.book(urgency)));
        at.saturating_sub(uptime)
    }

    fn instance(&self, instance: &InstanceId) -> Arc<Instance> {
        let mut instances = self.instances();
        Arc::clone(instances.of.entry(instance.clone()).or_default())
    }

    fn instances(&self) -> MutexGuard<'_, Instances> {
        self.instances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn uptime(&self) -> Duration {
        self.clock.now().uptime
    }
}

impl Instance {
    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instances {
    /// Lists are many and long: they are kept only for those who want them at the same time.
    fn forget(&mut self, before: Duration) {
        while let Some((at, _)) = self.read.front()
            && *at < before
            && let Some((_, instance)) = self.read.pop_front()
        {
            let idle = self.of.get(&instance).is_some_and(|shared| {
                let turns = *shared.turns();
                let booked = turns.look.is_some() || turns.sweep.is_some();
                shared.list.forget(before) && !booked && Arc::strong_count(shared) == 1
            });
            if idle {
                self.of.remove(&instance);
            }
        }
        // There are as many as instances when all were read at once, as at the start.
        if self.read.is_empty() {
            self.read.shrink_to_fit();
            self.of.shrink_to_fit();
        }
    }
}
