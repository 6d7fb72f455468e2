//! The maintenance windows that the cloud has for instances: read for all together that anybody has asked for lately.
//!
//! Promises few calls, one for twenty instances, however many resources ask, and none where nobody does; that an answer that fails takes no
//! window from instances that it was not about; and that a read asks for none that was answered lately.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{Directory, shared_read::SharedRead};
use crate::{
    cloud::{CloudError, Meaning, Urgency, request::DETAILS_AT_ONCE},
    model::InstanceId,
};

/// Who has not asked for so long no longer wants to know.
const WANTED_FOR: Duration = Duration::from_hours(2);

/// The next read waits for so long after another one: more may come meanwhile, as after a start.
const REST: Duration = Duration::from_secs(2);

/// So many calls more than one for twenty instances a read takes at most, to find those that the service refuses: ten find one. It is then
/// asked for alone, behind all others.
const MOST_MORE: usize = 20;

/// What the cloud has told of each instance, with the uptime at which it was asked.
type Told = HashMap<InstanceId, (Duration, Answer)>;

/// A window as the cloud writes it, if it tells one.
type Answer = Result<Option<String>, Arc<CloudError>>;

/// The windows.
#[derive(Debug)]
pub(super) struct Windows {
    /// The instances that somebody wants to know of, and the uptime at which they were asked for last.
    wanted: Mutex<HashMap<InstanceId, Duration>>,
    /// Those of them that the service refuses, and how it did last.
    refused: Mutex<HashMap<InstanceId, Arc<CloudError>>>,
    /// What was told of those.
    told: Mutex<Told>,
    /// How many reads there were.
    turns: AtomicUsize,
    read: SharedRead<()>,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            wanted: Mutex::default(),
            refused: Mutex::default(),
            told: Mutex::default(),
            turns: AtomicUsize::default(),
            read: SharedRead::with_rest(|()| REST),
        }
    }
}

impl Windows {
    /// Somebody wants to know of an instance.
    fn want(&self, instance: &InstanceId, uptime: Duration) {
        let mut wanted = lock(&self.wanted);
        wanted.retain(|_, asked| uptime.saturating_sub(*asked) < WANTED_FOR);
        wanted.insert(instance.clone(), uptime);
    }

    /// Those that the service refuses, as far as anybody still asks for them.
    fn refused(&self) -> HashMap<InstanceId, Arc<CloudError>> {
        let wanted = lock(&self.wanted);
        let mut refused = lock(&self.refused);
        refused.retain(|id, _| wanted.contains_key(id));
        refused.clone()
    }

    fn is_refused(&self, instance: &InstanceId, error: &Arc<CloudError>) {
        lock(&self.refused).insert(instance.clone(), Arc::clone(error));
    }

    fn is_taken(&self, instance: &InstanceId) {
        lock(&self.refused).remove(instance);
    }

    /// Those that were not answered since then, and forgets what was told of others than those that are wanted.
    fn due(&self, since: Duration) -> Vec<InstanceId> {
        let wanted = lock(&self.wanted);
        let mut told = lock(&self.told);
        told.retain(|id, _| wanted.contains_key(id));
        let is_due = |id: &&InstanceId| told.get(*id).is_none_or(|(begun, _)| *begun < since);
        let mut due: Vec<InstanceId> = wanted.keys().filter(is_due).cloned().collect();
        due.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        due
    }

    /// Keeps what was told of some.
    fn tell<'a>(
        &self,
        begun: Duration,
        some: impl IntoIterator<Item = &'a InstanceId>,
        answer: impl Fn() -> Answer,
    ) {
        let answers = some.into_iter().map(|id| (id.clone(), (begun, answer())));
        lock(&self.told).extend(answers);
    }

    /// What was told of an instance since then.
    fn told(&self, instance: &InstanceId, since: Duration) -> Option<(Duration, Answer)> {
        let told = lock(&self.told).get(instance).cloned();
        told.filter(|(begun, _)| *begun >= since)
    }

    /// Forgets what was read before `before`.
    pub(super) fn forget(&self, before: Duration) {
        self.read.forget(before);
        lock(&self.told).retain(|_, (begun, _)| *begun >= before);
    }
}

impl Directory {
    /// The maintenance window of an instance as the cloud writes it, if it tells one, or what it answers instead; with the uptime at which
    /// it was asked, which was this long ago at most.
    pub async fn instance_window(
        &self,
        instance: &InstanceId,
        good_for: Duration,
    ) -> (Duration, Result<Option<String>, CloudError>) {
        let since = self.uptime().saturating_sub(good_for);
        self.windows.want(instance, self.uptime());
        let mut told = self.windows.told(instance, since);
        let mut failed = None;
        if told.is_none() {
            let reading = self
                .windows
                .read
                .fresh(|| self.uptime(), || Box::pin(self.read_windows(good_for)));
            failed = reading.await.err();
            told = self.windows.told(instance, since);
        }
        if let Some((begun, answer)) = told {
            return (begun, answer.map_err(|error| CloudError::clone(&error)));
        }
        let text = "the read of maintenance windows left this instance out";
        let error = failed.unwrap_or_else(|| CloudError::local(Meaning::Transient, text));
        (self.uptime(), Err(error))
    }

    /// Asks for all whose answers are older than half the time for which they are good. Further pages are paid for one by one: as many at
    /// once as a large fleet needs could never be saved up.
    async fn read_windows(&self, good_for: Duration) -> Result<(), CloudError> {
        let asked = self.windows.due(self.uptime().saturating_sub(good_for / 2));
        let refused = self.windows.refused();
        let (mut alone, mut together): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|id| refused.contains_key(id));
        // Another one comes first each time, so that what ends a read leaves out nobody for good.
        let turn = self.windows.turns.fetch_add(1, Ordering::Relaxed);
        for (some, step) in [(&mut alone, 1), (&mut together, DETAILS_AT_ONCE)] {
            let first = turn.saturating_mul(step).checked_rem(some.len());
            some.rotate_left(first.unwrap_or_default());
        }
        let mut more = MOST_MORE;
        // The last one is asked for first: those that were refused before come behind all others.
        let mut left: Vec<&[InstanceId]> = alone.chunks(1).collect();
        left.extend(together.chunks(DETAILS_AT_ONCE));
        let mut failed_before = false;
        while let Some(some) = left.pop() {
            if let ([id], 0) = (some, more)
                && let Some(error) = refused.get(id)
            {
                self.windows
                    .tell(self.uptime(), [id], || Err(Arc::clone(error)));
                continue;
            }
            let (begun, answer) = self.windows_of(some).await;
            match answer {
                Err(error) if may_be_about_one(&error) && some.len() > 1 && more >= 2 => {
                    more -= 2;
                    let halves = some.split_at(some.len() / 2);
                    left.extend([halves.0, halves.1]);
                }
                Err(error) => {
                    let mut rest = Vec::new();
                    let error = Arc::new(error);
                    if !may_be_about_one(&error) {
                        if failed_before {
                            // What concerns all would only take its time again and again.
                            rest = std::mem::take(&mut left);
                        }
                        failed_before = true;
                    } else if let [id] = some {
                        self.windows.is_refused(id, &error);
                        more = more.saturating_sub(1);
                    }
                    let all = some.iter().chain(rest.into_iter().flatten());
                    self.windows.tell(begun, all, || Err(Arc::clone(&error)));
                }
                Ok(windows) => {
                    failed_before = false;
                    if let [id] = some {
                        self.windows.is_taken(id);
                    }
                    self.windows.tell(begun, some, || Ok(None));
                    for (id, window) in windows {
                        self.windows.tell(begun, [&id], || Ok(Some(window.clone())));
                    }
                }
            }
        }
        Ok(())
    }

    /// One call, and the uptime at which it began.
    async fn windows_of(
        &self,
        some: &[InstanceId],
    ) -> (Duration, Result<Vec<(InstanceId, String)>, CloudError>) {
        let turn = match self.cloud.turn(Urgency::Request, 1).await {
            Ok(turn) => turn,
            Err(error) => return (self.uptime(), Err(error)),
        };
        (self.uptime(), turn.instance_windows(some).await)
    }
}

/// Whether a refusal of several instances may be about one of them.
fn may_be_about_one(error: &CloudError) -> bool {
    matches!(error.meaning, Meaning::NotFound | Meaning::UnknownRefusal)
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        clock::{self, Clock},
        cloud::fake::Fake,
    };

    /// A cloud that refuses each call that is about one of some instances, and how many calls there were.
    fn refusing(refused: Vec<InstanceId>, meaning: Meaning) -> (Directory, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::default());
        let counted = Arc::clone(&calls);
        let windows = move |asked: &[InstanceId]| {
            counted.fetch_add(1, Ordering::SeqCst);
            if refused.iter().any(|id| asked.contains(id)) {
                return Err(CloudError::local(meaning, "no"));
            }
            let told = |id: &InstanceId| (id.clone(), "18:00-22:00".to_owned());
            Ok(asked.iter().map(told).collect())
        };
        let cloud = Fake {
            windows: Some(Arc::new(windows)),
            ..Fake::default()
        };
        let directory = Directory::new(Arc::new(cloud), Clock::with_head_start(REST));
        (directory, calls)
    }

    /// Somebody asks for so many.
    fn want(directory: &Directory, many: usize) {
        for number in 0..many {
            directory
                .windows
                .want(&instance(number), directory.uptime());
        }
    }

    fn instance(number: usize) -> InstanceId {
        InstanceId::parse(&format!("{number:032x}in07")).unwrap()
    }

    /// Of so many instances those without a window after each of some reads, with how many calls each read made.
    async fn without(
        (many, reads): (usize, usize),
        instances: Vec<InstanceId>,
        meaning: Meaning,
    ) -> Vec<(Vec<usize>, usize)> {
        let (directory, calls) = refusing(instances, meaning);
        want(&directory, many);
        let mut found = Vec::new();
        for _ in 0..reads {
            clock::pause(REST).await;
            let now = directory.uptime();
            directory.read_windows(Duration::ZERO).await.unwrap();
            let told = |number: usize| directory.windows.told(&instance(number), now).unwrap();
            let lacks = |number: &usize| told(*number).1.is_err();
            let calls = calls.swap(0, Ordering::SeqCst);
            found.push(((0..many).filter(lacks).collect(), calls));
        }
        found
    }

    #[tokio::test(start_paused = true)]
    async fn instances_that_are_refused_take_the_window_from_no_other() {
        for meaning in [Meaning::NotFound, Meaning::UnknownRefusal] {
            let refused: Vec<usize> = vec![3, 13, 33, 57, 91];
            let instances = refused.iter().map(|number| instance(*number)).collect();
            let reads = without((100, 6), instances, meaning).await;
            for (_, calls) in &reads {
                assert!(*calls <= 5 + MOST_MORE + 5, "{calls}");
            }
            let (lacking, calls) = reads.last().unwrap();
            assert_eq!(*lacking, refused, "once each was found");
            assert_eq!(*calls, 5 + refused.len(), "and they cost a call each");
        }
        let one = without((40, 1), vec![instance(13)], Meaning::NotFound).await;
        assert_eq!(one[0].0, [13], "one is found at once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_fails_takes_nothing_from_those_that_it_was_not_about() {
        let reads = without((60, 2), vec![instance(33)], Meaning::Throttled).await;
        for (lacking, calls) in reads {
            assert_eq!((lacking, calls), ((20..40).collect(), 3));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn two_calls_in_a_row_that_fail_end_the_read_and_the_next_one_begins_elsewhere() {
        let failing = (0..60).map(instance).collect();
        let reads = without((200, 10), failing, Meaning::Transient).await;
        let mut served = BTreeSet::new();
        for (lacking, calls) in reads {
            assert!(calls <= 10, "{calls}");
            served.extend((0..200).filter(|number| !lacking.contains(number)));
        }
        assert_eq!(served, (60..200).collect(), "each is served at some time");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_or_has_failed_is_not_asked_for_by_each_resource() {
        for meaning in [Meaning::NotFound, Meaning::Transient, Meaning::Denied] {
            let (directory, calls) = refusing((0..100).map(instance).collect(), meaning);
            want(&directory, 100);
            for number in 0..100 {
                let told = directory
                    .instance_window(&instance(number), Duration::MAX)
                    .await;
                assert!(told.1.is_err());
            }
            let calls = calls.load(Ordering::SeqCst);
            assert!(calls <= 5 + MOST_MORE, "{meaning:?}: {calls}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_refuses_all_costs_few_calls() {
        let all = (0..40).map(instance).collect();
        for (lacking, calls) in without((40, 6), all, Meaning::NotFound).await {
            assert_eq!(lacking.len(), 40);
            assert!(calls <= 2 + MOST_MORE, "{calls}");
        }
    }

    /// However far apart resources come, each answer serves all who come within the time for which it is good.
    #[tokio::test(start_paused = true)]
    async fn resources_that_come_one_by_one_cost_a_call_each_period_for_twenty_of_them() {
        const EVERY: Duration = Duration::from_mins(10);
        let (directory, calls) = refusing(Vec::new(), Meaning::NotFound);
        for period in 0..6 {
            for number in 0..200 {
                clock::pause(EVERY / 200).await;
                let asked = directory.uptime();
                let (begun, told) = directory.instance_window(&instance(number), EVERY).await;
                assert!(told.is_ok() && begun >= asked.saturating_sub(EVERY));
            }
            let calls = calls.swap(0, Ordering::SeqCst);
            // Nobody has asked for those that come for the first time.
            let most = if period == 0 { 200 } else { 2 * 200 / 20 + 1 };
            assert!(calls <= most, "{period}: {calls}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_comes_later_has_nothing_read_again_for_others() {
        let (directory, calls) = refusing(Vec::new(), Meaning::NotFound);
        want(&directory, 200);
        assert!(
            directory
                .instance_window(&instance(0), Duration::MAX)
                .await
                .1
                .is_ok()
        );
        assert_eq!(calls.swap(0, Ordering::SeqCst), 10);
        clock::pause(10 * REST).await;
        assert!(
            directory
                .instance_window(&instance(200), Duration::from_mins(10))
                .await
                .1
                .is_ok()
        );
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}
