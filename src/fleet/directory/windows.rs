//! The maintenance windows that the cloud has for instances: read for all together that anybody has asked for lately.
//!
//! Promises few calls, one for twenty instances, however many resources ask, and none where nobody does; and that an answer that fails
//! takes no window from instances that it was not about.

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

/// What was asked for, each with the uptime at which it was asked and what the cloud has told.
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
    /// How many reads there were.
    turns: AtomicUsize,
    read: SharedRead<Told>,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            wanted: Mutex::default(),
            refused: Mutex::default(),
            turns: AtomicUsize::default(),
            read: SharedRead::with_rest(|_| REST),
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

    fn wanted(&self) -> Vec<InstanceId> {
        let wanted = lock(&self.wanted);
        let mut all: Vec<InstanceId> = wanted.keys().cloned().collect();
        all.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        all
    }

    /// Forgets what was read before `before`.
    pub(super) fn forget(&self, before: Duration) {
        self.read.forget(before);
    }
}

impl Directory {
    /// The maintenance window of an instance as the cloud writes it, if it tells one, and the uptime at which its read began: after this
    /// one, or else now.
    ///
    /// # Errors
    ///
    /// What the cloud answers instead.
    pub async fn instance_window(
        &self,
        instance: &InstanceId,
        after: Duration,
    ) -> Result<(Option<String>, Duration), CloudError> {
        self.windows.want(instance, self.uptime());
        let last = self.windows.read.since(after).await;
        // Also what has failed is kept: else each resource would have all of it read again.
        let last = last.filter(|told| told.contains_key(instance));
        let told = if let Some(told) = last {
            told
        } else {
            let reading = self
                .windows
                .read
                .fresh(|| self.uptime(), || Box::pin(self.read_windows()));
            reading.await?
        };
        match told.get(instance) {
            Some((begun, Ok(window))) => Ok((window.clone(), *begun)),
            Some((_, Err(error))) => Err(CloudError::clone(error)),
            None => {
                let text = "the read of maintenance windows left this instance out";
                Err(CloudError::local(Meaning::Transient, text))
            }
        }
    }

    /// Further pages are paid for one by one: as many at once as a large fleet needs could never be saved up.
    async fn read_windows(&self) -> Result<Told, CloudError> {
        let asked = self.windows.wanted();
        let refused = self.windows.refused();
        let (mut alone, mut together): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|id| refused.contains_key(id));
        // Another one comes first each time, so that what ends a read leaves out nobody for good.
        let turn = self.windows.turns.fetch_add(1, Ordering::Relaxed);
        for (some, step) in [(&mut alone, 1), (&mut together, DETAILS_AT_ONCE)] {
            let first = turn.saturating_mul(step).checked_rem(some.len());
            some.rotate_left(first.unwrap_or_default());
        }
        let mut told = Told::new();
        let mut more = MOST_MORE;
        // The last one is asked for first: those that were refused before come behind all others.
        let mut left: Vec<&[InstanceId]> = alone.chunks(1).collect();
        left.extend(together.chunks(DETAILS_AT_ONCE));
        let mut failed_before = false;
        while let Some(some) = left.pop() {
            if let ([id], 0) = (some, more)
                && let Some(error) = refused.get(id)
            {
                told.insert(id.clone(), (self.uptime(), Err(Arc::clone(error))));
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
                    let failed = |id: &InstanceId| (id.clone(), (begun, Err(Arc::clone(&error))));
                    told.extend(some.iter().chain(rest.into_iter().flatten()).map(failed));
                }
                Ok(windows) => {
                    failed_before = false;
                    if let [id] = some {
                        self.windows.is_taken(id);
                    }
                    let without = |id: &InstanceId| (id.clone(), (begun, Ok(None)));
                    told.extend(some.iter().map(without));
                    let with = |(id, window)| (id, (begun, Ok(Some(window))));
                    told.extend(windows.into_iter().map(with));
                }
            }
        }
        Ok(told)
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
    use crate::{clock::Clock, cloud::fake::Fake};

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
            let told = directory.read_windows().await.unwrap();
            let lacks = |number: &usize| told.get(&instance(*number)).unwrap().1.is_err();
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
                    .instance_window(&instance(number), Duration::ZERO)
                    .await;
                assert!(told.is_err());
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
}
