//! What the resources of one credential, project and place read together.
//!
//! Promises one list for all resources of an instance that want it at the same time, one walk over the task list for all
//! that wait for one, and one list of running tasks in place of a poll for each job where there are many. Lists that are not
//! urgent have their times, one after the other, so that a large fleet needs no more calls than there are; the times are given
//! back where nobody wants them any more. What one credential has read is never shown to a resource of another: each has a directory of its own.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;

use self::shared_read::{Outcome, SharedRead};
use crate::{
    clock::Clock,
    cloud::{
        Booked, Cloud, CloudError, Job, Meaning, Proxies, Task, TaskList, Urgency,
        paging::WALK_WITHIN, request::TASKS_A_PAGE,
    },
    model::{InstanceId, JobId, Moment},
    pace::Pace,
};

pub mod groups;
mod jobs;
mod reach;
pub(crate) mod shared_read;
pub mod sweep;
mod windows;

/// A list is kept for the other resources of its instance for so long.
pub const KEPT: Duration = Duration::from_secs(10);

/// A list of tasks is kept for so long. It may be long itself, and who is new may want one that is not quite new.
const TASKS_KEPT: Duration = Duration::from_mins(1);

/// The windows of instances are kept for so long: they are read again with each look at rest.
const WINDOWS_KEPT: Duration = Duration::from_hours(1);

/// The security groups of instances are kept for so long: what waits for one asks for a new one sooner.
const GROUPS_KEPT: Duration = Duration::from_mins(10);

/// How often who waits for the time of a list looks whether an earlier one was given back.
const LOOKED_FOR: Duration = Duration::from_mins(1);

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
fn rest(list: &Tasks) -> Duration {
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
    instances: Mutex<HashMap<InstanceId, Arc<Instance>>>,
    /// For changes that may begin.
    tasks: SharedRead<Tasks>,
    /// For changes on record: their calls come more slowly, and a change that may begin does not wait for their walks.
    tasks_for_followed: SharedRead<Tasks>,
    /// For what is new: a change does not wait for a walk that goes on slowly, because it is not urgent.
    tasks_for_new: SharedRead<Tasks>,
    reach: Mutex<reach::Reach>,
    jobs: jobs::Jobs,
    windows: windows::Windows,
    groups: groups::Groups,
}

/// A task list, and when it was read.
#[derive(Debug)]
pub struct Tasks {
    list: TaskList,
    /// What came to be at work later need not be in it.
    pub begun: Moment,
    /// Uptime: a list of proxies that is begun later shows what the finished tasks have done.
    pub ended: Duration,
}

impl Deref for Tasks {
    type Target = TaskList;

    fn deref(&self) -> &TaskList {
        &self.list
    }
}

#[derive(Default)]
struct Instance {
    list: SharedRead<Proxies>,
    times: Mutex<Times>,
}

/// The booked time of a list, held by all resources that come then.
pub type Booking = Arc<Booked>;

/// When the next lists of an instance have their time.
#[derive(Debug, Default)]
struct Times {
    request: Weak<Booked>,
    first_look: Weak<Booked>,
    sweep: Weak<Booked>,
}

impl Times {
    fn of(&mut self, urgency: Urgency) -> &mut Weak<Booked> {
        match urgency {
            Urgency::Change | Urgency::Job | Urgency::Request => &mut self.request,
            Urgency::FirstLook => &mut self.first_look,
            Urgency::Sweep => &mut self.sweep,
        }
    }

    fn is_any_booked(&self) -> bool {
        let all = [&self.request, &self.first_look, &self.sweep];
        all.iter().any(|booked| booked.strong_count() > 0)
    }
}

/// What came of asking for a list that has its time.
pub enum InTurn {
    /// One that another resource has had read will do.
    Listed(Arc<Proxies>),
    /// Its time has come, and here is the call for it.
    Now(Arc<dyn Cloud>),
    /// Its time comes after so long, if the booking is kept until then.
    Later(Duration, Booking),
    /// No call is to be had.
    Failed(CloudError),
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Directory").finish_non_exhaustive()
    }
}

impl Directory {
    /// The directory of a cloud.
    pub fn new(cloud: Arc<dyn Cloud>, clock: Clock) -> Self {
        Self {
            cloud,
            clock,
            instances: Mutex::default(),
            tasks: SharedRead::with_rest(rest),
            tasks_for_followed: SharedRead::with_rest(rest),
            tasks_for_new: SharedRead::with_rest(rest),
            reach: Mutex::default(),
            jobs: jobs::Jobs::default(),
            windows: windows::Windows::default(),
            groups: groups::Groups::default(),
        }
    }

    /// The cloud for calls of this urgency, so many of which have been waited for.
    pub async fn turn(&self, urgency: Urgency, calls: u32) -> Result<Arc<dyn Cloud>, CloudError> {
        self.cloud.turn(urgency, calls).await
    }

    /// The proxies of an instance, in a list that is begun from now on. `turn` is a turn of this directory's cloud.
    pub async fn proxies(&self, turn: &dyn Cloud, instance: &InstanceId) -> Outcome<Proxies> {
        let shared = self.instance(instance);
        self.read(&shared, turn, instance).await
    }

    /// The proxies of an instance, in a list that is begun from now on, for a change that is at work.
    pub async fn proxies_now(&self, instance: &InstanceId) -> Outcome<Proxies> {
        let turn = self.cloud.turn(Urgency::Job, 1).await?;
        self.proxies(turn.as_ref(), instance).await
    }

    /// The time of a list of an instance's proxies, which is booked if it isn't; or a list that was begun after `after`.
    pub async fn in_turn(
        &self,
        urgency: Urgency,
        instance: &InstanceId,
        after: Option<Duration>,
    ) -> InTurn {
        let shared = self.instance(instance);
        if let Some(list) = shared.list.since(after.unwrap_or_default()).await {
            return InTurn::Listed(list);
        }
        let booking = self.book(&shared, urgency);
        let wait = booking.wait();
        if !wait.is_zero() {
            // A time that comes earlier may be given back meanwhile. Of sweeps there are too many to look.
            let wait = match urgency {
                Urgency::Sweep => wait,
                _ => wait.min(LOOKED_FOR),
            };
            return InTurn::Later(wait, booking);
        }
        match self.cloud.turn(urgency, 1).await {
            Ok(turn) => InTurn::Now(turn),
            Err(error)
                if matches!(urgency, Urgency::FirstLook | Urgency::Sweep)
                    && error.meaning == Meaning::OutOfCalls =>
            {
                // More urgent calls have come between.
                let wait = error.retry_after.unwrap_or_default().max(A_MOMENT);
                InTurn::Later(booking.put_off(wait), booking)
            }
            Err(error) => InTurn::Failed(error),
        }
    }

    /// The proxies of an instance, in a list that was begun after `after`, or else is begun now.
    pub async fn proxies_since(
        &self,
        turn: &dyn Cloud,
        instance: &InstanceId,
        after: Option<Duration>,
    ) -> Outcome<Proxies> {
        let shared = self.instance(instance);
        // Somebody else may have read it while this one waited.
        if let Some(list) = shared.list.since(after.unwrap_or_default()).await {
            return Ok(list);
        }
        self.read(&shared, turn, instance).await
    }

    /// The project's task list, in a walk that is begun from now on.
    pub async fn tasks(&self, turn: &dyn Cloud, pace: &Pace) -> Outcome<Tasks> {
        self.tasks
            .fresh(|| self.uptime(), || Box::pin(self.walk(turn, pace)))
            .await
    }

    /// The project's task list for a change on record, in a walk that is begun from now on.
    pub async fn tasks_for_followed(&self, turn: &dyn Cloud, pace: &Pace) -> Outcome<Tasks> {
        self.tasks_for_followed
            .fresh(|| self.uptime(), || Box::pin(self.walk(turn, pace)))
            .await
    }

    /// The project's task list for what is new, in a walk that was begun after this uptime, or else is begun from now on.
    pub async fn tasks_for_new(
        &self,
        turn: &dyn Cloud,
        pace: &Pace,
        after: Duration,
    ) -> Outcome<Tasks> {
        if let Some(list) = self.known_tasks(after).await {
            return Ok(list);
        }
        self.tasks_for_new
            .fresh(|| self.uptime(), || Box::pin(self.walk(turn, pace)))
            .await
    }

    /// The project's task list, if it was read in a walk that was begun after this uptime.
    pub async fn known_tasks(&self, after: Duration) -> Option<Arc<Tasks>> {
        if let Some(list) = self.tasks.last_since(after) {
            return Some(list);
        }
        self.tasks_for_new.since(after).await
    }

    /// A job that is followed; for a person who has asked, by nothing that was read before now.
    pub async fn job(&self, id: &JobId, for_a_person: bool) -> Result<Job, CloudError> {
        let jobs = &self.jobs;
        jobs.job(self.cloud.as_ref(), &self.clock, id, for_a_person)
            .await
    }

    /// Whether jobs are so many that the list of running tasks stands in for their polls.
    pub fn follows_by_list(&self) -> bool {
        self.jobs.are_many(self.uptime())
    }

    /// How long it is until the next poll of this job, which was polled just now, may have a call that nobody else needs.
    pub fn spare_call_in(&self, job: &JobId) -> Option<Duration> {
        self.cloud.spare_call_in(job)
    }

    /// Walks over the task list that begin from now on go back to `begun`, when a change on record was.
    pub fn reach_back(&self, begun: Timestamp) {
        self.reach().include(begun, self.clock.now());
    }

    /// Walks over the tasks of which not all is known yet.
    async fn walk(&self, turn: &dyn Cloud, pace: &Pace) -> Result<Tasks, CloudError> {
        let began = self.clock.now();
        let since = self.reach().since(began, pace);
        let mut list = turn.tasks(since).await?;
        let lacking = self.reach().lacking(&list);
        let lacking = self.ask_for(lacking, turn, began).await;
        list.tasks.extend(lacking);
        let now = self.clock.now();
        let took = now.elapsed(began.uptime);
        self.reach().walked(&list, took, now, pace);
        Ok(Tasks {
            begun: list.begun.unwrap_or(began),
            ended: now.uptime,
            list,
        })
    }

    /// Tasks that left the list, as their records show them. Those that had ended are not asked for; those that can't be read now
    /// count as before.
    async fn ask_for(&self, lacking: Vec<Task>, turn: &dyn Cloud, began: Moment) -> Vec<Task> {
        let mut tasks = Vec::new();
        let mut is_heard = true;
        for task in lacking {
            let in_time = self.clock.now().elapsed(began.uptime) < WALK_WITHIN;
            let id = task.job.as_ref().filter(|_| !task.state.is_finished());
            let Some(id) = id.filter(|_| is_heard && in_time) else {
                tasks.push(task);
                continue;
            };
            match turn.job(id).await {
                Ok(Job { state, ended, .. }) => tasks.push(Task {
                    state,
                    ended,
                    ..task
                }),
                // Its record was deleted, as one that is missing from the list may have been.
                Err(error) if error.meaning == Meaning::NotFound => {}
                Err(error) => {
                    // Another one may well be answered if this one is refused.
                    is_heard = error
                        .status
                        .is_some_and(|status| (400..429).contains(&status));
                    tasks.push(task);
                }
            }
        }
        tasks
    }

    fn reach(&self) -> MutexGuard<'_, reach::Reach> {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(
        &self,
        shared: &Instance,
        turn: &dyn Cloud,
        instance: &InstanceId,
    ) -> Outcome<Proxies> {
        let outcome = shared
            .list
            .fresh(|| self.uptime(), || turn.list_proxies(instance))
            .await;
        *shared.times() = Times::default();
        outcome
    }

    /// Nobody else wants the list of this instance: it is not kept.
    pub fn forget(&self, instance: &InstanceId) {
        let mut instances = self.instances();
        let idle = instances
            .get(instance)
            .is_some_and(|shared| shared.forget(Duration::MAX));
        if idle {
            instances.remove(instance);
        }
    }

    /// Forgets the lists that nobody else can want any more.
    pub fn tidy(&self) {
        let uptime = self.uptime();
        let before = uptime.saturating_sub(KEPT);
        let mut instances = self.instances();
        instances.retain(|_, shared| !shared.forget(before));
        instances.shrink_to_fit();
        drop(instances);
        let before = uptime.saturating_sub(TASKS_KEPT);
        self.tasks.forget(before);
        self.tasks_for_followed.forget(before);
        self.tasks_for_new.forget(before);
        self.jobs.tidy(uptime);
        self.windows.forget(uptime.saturating_sub(WINDOWS_KEPT));
        self.groups.forget(uptime.saturating_sub(GROUPS_KEPT));
    }

    /// The booked time of an instance's list; it is booked now if it isn't.
    fn book(&self, shared: &Instance, urgency: Urgency) -> Booking {
        let mut times = shared.times();
        let booked = times.of(urgency);
        booked.upgrade().unwrap_or_else(|| {
            let booking = Arc::new(self.cloud.book(urgency));
            *booked = Arc::downgrade(&booking);
            booking
        })
    }

    fn instance(&self, instance: &InstanceId) -> Arc<Instance> {
        let mut instances = self.instances();
        Arc::clone(instances.entry(instance.clone()).or_default())
    }

    fn instances(&self) -> MutexGuard<'_, HashMap<InstanceId, Arc<Instance>>> {
        self.instances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn uptime(&self) -> Duration {
        self.clock.now().uptime
    }
}

impl Instance {
    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a list from before `before`. True if there is nothing left that anybody else could want.
    fn forget(self: &Arc<Self>, before: Duration) -> bool {
        let idle = self.list.forget(before) && Arc::strong_count(self) == 1;
        idle && !self.times().is_any_booked()
    }
}
