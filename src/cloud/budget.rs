//! How many calls are made with one credential at one endpoint, and which go first.
//!
//! What the vendor publishes is a number of calls a minute and user, so every request draws on the budget of its credential,
//! pages and tokens included. Promises that it is never exceeded, that a call never waits behind a less urgent one but for those of jobs,
//! which leave a part to others who wait, that the time of a look that nobody wants any more is given to another one, that who waits holds
//! up no other turn, and that who gives up waiting leaves no trace.

use std::{
    collections::{BTreeMap, HashMap},
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

pub use self::booked::Booked;
use self::bucket::Bucket;
use super::{CloudError, Meaning, observer::CallObserver};
use crate::{
    clock::{self, Clock},
    model::JobId,
    seats::aside,
};

mod booked;
mod bucket;
mod flow;

/// How many calls may be made in which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimit {
    /// The calls; at least [`CallLimit::LEAST`].
    pub calls: u32,
    /// The time.
    pub per: Duration,
    /// Whether as few of them as can be are saved up: for calls that come one after the other, where nobody more urgent comes.
    pub is_even: bool,
}

impl CallLimit {
    /// With fewer calls a minute the look before a change would be too old when the change is sent.
    pub const LEAST: u32 = 10;

    /// No limit that anybody would feel: for clouds that only tests call.
    pub const fn unfelt() -> Self {
        Self {
            calls: u32::MAX,
            per: Duration::from_millis(1),
            is_even: false,
        }
    }
}

/// How urgent a call is; the first is the most urgent.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr, strum::EnumIter,
)]
#[strum(serialize_all = "snake_case")]
pub enum Urgency {
    /// A change is wanted.
    Change,
    /// A change is at work.
    Job,
    /// A person has edited or annotated a resource, and no change follows from that as far as is known; or windows of instances are read.
    Request,
    /// A resource is new.
    FirstLook,
    /// Whether all is still as it should be.
    Sweep,
}

/// A job that was not asked for in this time is followed no longer.
pub const FOLLOWED: Duration = Duration::from_mins(1);

/// Nobody gives up earlier.
const LEAST_PATIENCE: Duration = Duration::from_secs(10);

/// The calls of one credential at one endpoint.
pub struct Budget {
    limit: CallLimit,
    clock: Clock,
    observer: Arc<dyn CallObserver>,
    state: Mutex<State>,
    moved: Notify,
}

struct State {
    bucket: Bucket,
    /// Who waits, the next one first, and for how many calls.
    waiting: BTreeMap<(Urgency, u64), u32>,
    came: u64,
    /// How many looks came in their time, found no call and are still wanted.
    put_off: usize,
    /// The jobs that are followed, with the uptime of their last polls.
    followed: HashMap<JobId, Duration>,
    /// Whether no call is given any more.
    is_closed: bool,
}

/// Leave to make calls of one urgency, some of which are paid for. Those that were not made go back.
#[derive(Debug)]
pub struct Allowance {
    budget: Arc<Budget>,
    urgency: Urgency,
    paid: AtomicU32,
}

/// A call that is paid for. It goes back to its allowance where it is not made, also where whoever wanted it gives up.
#[derive(Debug)]
pub struct Paid<'a> {
    allowance: &'a Allowance,
    is_made: bool,
}

/// A place among those who wait; it is left when this is dropped.
struct Place<'a> {
    budget: &'a Budget,
    key: (Urgency, u64),
    calls: u32,
}

/// Calls that were taken; they go back where this is dropped before somebody has them.
struct Drawn<'a> {
    budget: &'a Budget,
    urgency: Urgency,
    calls: u32,
}

impl State {
    /// Who may take calls now. Jobs are passed over, all of them, where the next one would take what is for others who wait.
    fn next(&mut self, uptime: Duration) -> Option<(Urgency, u64)> {
        let (first, calls) = self.waiting.first_key_value()?;
        if first.0 != Urgency::Job || !self.bucket.lacks_for_jobs(*calls, uptime) {
            return Some(*first);
        }
        let other = self.waiting.range((Urgency::Request, 0)..).next();
        match other {
            Some((other, _)) => Some(*other),
            None => (self.put_off == 0).then_some(*first),
        }
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Budget")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Budget {
    /// An empty budget.
    pub fn new(limit: CallLimit, clock: Clock, observer: Arc<dyn CallObserver>) -> Arc<Self> {
        Arc::new(Self {
            limit,
            clock,
            observer,
            state: Mutex::new(State {
                bucket: Bucket::new(limit, clock.now().uptime),
                waiting: BTreeMap::new(),
                came: 0,
                put_off: 0,
                followed: HashMap::new(),
                is_closed: false,
            }),
            moved: Notify::new(),
        })
    }

    /// A budget that begins with so many calls, or with as many of them as can be saved up.
    pub fn holding(
        calls: u32,
        limit: CallLimit,
        clock: Clock,
        observer: Arc<dyn CallObserver>,
    ) -> Arc<Self> {
        let budget = Self::new(limit, clock, observer);
        budget.lock().bucket.add(calls);
        budget
    }

    /// Gives no call any more, and says how many whole ones are saved up: a budget of another process may begin with these. Who waits for
    /// a call waits until this process ends.
    pub fn close(&self) -> u32 {
        let uptime = self.clock.now().uptime;
        let mut state = self.lock();
        state.is_closed = true;
        let saved = state.bucket.saved(uptime);
        drop(state);
        self.moved.notify_waiters();
        saved
    }

    fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Whether all calls that can be saved up are there.
    pub fn is_full(&self) -> bool {
        let uptime = self.clock.now().uptime;
        self.lock().bucket.is_full(uptime)
    }

    /// Leave for calls that are paid for one by one.
    pub fn open(self: &Arc<Self>, urgency: Urgency) -> Arc<Allowance> {
        Arc::new(Allowance {
            budget: Arc::clone(self),
            urgency,
            paid: AtomicU32::new(0),
        })
    }

    /// Leave for so many calls, once it is there; more, and those that can't be saved up, are paid for one by one. First looks and sweeps don't wait: whoever
    /// wants one comes again ([`Self::book`]).
    pub async fn allow(
        self: &Arc<Self>,
        urgency: Urgency,
        calls: u32,
    ) -> Result<Arc<Allowance>, CloudError> {
        let calls = calls.min(self.lock().bucket.most_at_once(urgency));
        if matches!(urgency, Urgency::FirstLook | Urgency::Sweep) {
            let place = self.place(urgency, calls);
            self.take(&place)
                .map_err(|wait| self.used_up(urgency, wait))?;
        } else {
            self.draw(urgency, calls).await?.hand_over();
        }
        Ok(Arc::new(Allowance {
            budget: Arc::clone(self),
            urgency,
            paid: AtomicU32::new(calls),
        }))
    }

    /// Books the time of a look. It is given to another one where what is returned is dropped before.
    pub fn book(self: &Arc<Self>, urgency: Urgency) -> Booked {
        let uptime = self.clock.now().uptime;
        let at = self.lock().bucket.book(urgency, uptime);
        Booked::of(self, urgency, at)
    }

    /// How long it is until the next poll of this job, which was polled just now, may have a call that nobody else needs; nothing where
    /// somebody waits for one, or another job is followed.
    pub fn spare_in(&self, job: &JobId) -> Option<Duration> {
        let uptime = self.clock.now().uptime;
        let mut state = self.lock();
        let lately = |polled: Duration| uptime.saturating_sub(polled) < FOLLOWED;
        state.followed.retain(|_, polled| lately(*polled));
        state.followed.insert(job.clone(), uptime);
        if state.followed.len() > 1 || !state.waiting.is_empty() {
            return None;
        }
        state.bucket.spare_in(uptime)
    }

    /// The other side has said that there were too many calls.
    pub fn refused(&self) {
        let uptime = self.clock.now().uptime;
        self.lock().bucket.refused(uptime);
    }

    async fn draw(&self, urgency: Urgency, calls: u32) -> Result<Drawn<'_>, CloudError> {
        let place = self.place(urgency, calls);
        if self.take(&place).is_ok() {
            self.observer.call_waited(urgency, Duration::ZERO);
            return Ok(self.drawn(urgency, calls));
        }
        // Who has them and waits for a seat can still give up.
        aside(self.wait(place)).await
    }

    fn drawn(&self, urgency: Urgency, calls: u32) -> Drawn<'_> {
        Drawn {
            budget: self,
            urgency,
            calls,
        }
    }

    async fn wait(&self, place: Place<'_>) -> Result<Drawn<'_>, CloudError> {
        let (urgency, calls) = (place.key.0, place.calls);
        let began = self.clock.now();
        let mut patience = std::pin::pin!(clock::pause(self.patience()));
        loop {
            let mut moved = std::pin::pin!(self.moved.notified());
            // From here on nothing that moves is missed.
            moved.as_mut().enable();
            let wait = match self.take(&place) {
                Ok(()) => break,
                Err(_) if self.is_closed() => return pending().await,
                Err(wait) => wait,
            };
            tokio::select! {
                () = moved => {}
                () = clock::pause(wait) => {}
                () = &mut patience => return Err(self.used_up(urgency, wait)),
            }
        }
        let waited = self.clock.now().elapsed(began.uptime);
        self.observer.call_waited(urgency, waited);
        Ok(self.drawn(urgency, calls))
    }

    fn place(&self, urgency: Urgency, calls: u32) -> Place<'_> {
        let mut state = self.lock();
        state.came += 1;
        let key = (urgency, state.came);
        state.waiting.insert(key, calls);
        Place {
            budget: self,
            key,
            calls,
        }
    }

    /// Takes calls for who stands first; else says how long it takes at least. Jobs that leave calls to others are passed over.
    fn take(&self, place: &Place<'_>) -> Result<(), Duration> {
        let uptime = self.clock.now().uptime;
        let mut state = self.lock();
        if state.is_closed || state.next(uptime) != Some(place.key) {
            return Err(self.limit.per / 60);
        }
        // A timer may come a little early.
        let least = Duration::from_millis(1);
        state
            .bucket
            .take(place.calls, place.key.0, uptime)
            .map_err(|wait| wait.max(least))
    }

    fn put_back(&self, urgency: Urgency, calls: u32) {
        if calls > 0 {
            self.lock().bucket.put_back(calls, urgency);
            self.moved.notify_waiters();
        }
    }

    /// As long as it takes to fill an empty bucket that was halved a few times; where that is next to nothing, long enough
    /// for a machine that is busy.
    fn patience(&self) -> Duration {
        self.limit.per.saturating_mul(4).max(LEAST_PATIENCE)
    }

    fn used_up(&self, urgency: Urgency, wait: Duration) -> CloudError {
        self.observer.call_put_off(urgency);
        let calls = self.limit.calls;
        // How many are left changes all the time, and is no cause to say it anew.
        let text = if self.lock().bucket.is_shrunk() {
            format!(
                "this credential has used up its calls: the cloud asked for fewer, so the operator makes fewer than the {calls} a minute \
                 of --calls-per-minute for now; it tries again by itself"
            )
        } else {
            format!(
                "this credential has used up the {calls} calls a minute that the operator's --calls-per-minute allows; the operator \
                 tries again by itself; if this lasts, raise it if the cloud allows more"
            )
        };
        CloudError {
            retry_after: Some(wait),
            ..CloudError::local(Meaning::OutOfCalls, text)
        }
    }

    /// Whether nobody stands in the queue.
    #[cfg(test)]
    pub(crate) fn nobody_waits(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.budget.lock().waiting.remove(&self.key);
        self.budget.moved.notify_waiters();
    }
}

impl Drawn<'_> {
    /// Somebody has them.
    fn hand_over(mut self) {
        self.calls = 0;
    }
}

impl Drop for Drawn<'_> {
    fn drop(&mut self) {
        self.budget.put_back(self.urgency, self.calls);
    }
}

impl Paid<'_> {
    /// The call is made now.
    pub fn made(mut self) {
        self.is_made = true;
        let allowance = self.allowance;
        allowance.budget.observer.call_made(allowance.urgency);
    }
}

impl Drop for Paid<'_> {
    fn drop(&mut self) {
        if !self.is_made {
            self.allowance.paid.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Allowance {
    /// Pays for one more call, and waits for it where none is paid for.
    pub async fn spend(&self) -> Result<Paid<'_>, CloudError> {
        let paid = self
            .paid
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |paid| {
                paid.checked_sub(1)
            });
        if paid.is_err() {
            // A sweep that has begun goes on: its further pages are waited for.
            self.budget.draw(self.urgency, 1).await?.hand_over();
        }
        Ok(Paid {
            allowance: self,
            is_made: false,
        })
    }

    /// The budget.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }
}

impl Drop for Allowance {
    fn drop(&mut self) {
        let unspent = self.paid.swap(0, Ordering::SeqCst);
        self.budget.put_back(self.urgency, unspent);
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, future::join_all};

    use super::*;
    use crate::seats::{Called, Group, Seats};

    fn budget(calls: u32) -> Arc<Budget> {
        let per = Duration::from_mins(1);
        Budget::new(
            CallLimit {
                calls,
                per,
                is_even: false,
            },
            Clock::start(),
            Arc::new(()),
        )
    }

    async fn pass(duration: Duration) {
        clock::pause(duration).await;
    }

    #[tokio::test(start_paused = true)]
    async fn r03_what_is_more_urgent_goes_before_what_came_first() {
        let budget = budget(60);
        let order = Arc::new(Mutex::new(Vec::new()));
        let wait = |urgency| {
            let (budget, order) = (Arc::clone(&budget), Arc::clone(&order));
            async move {
                budget.draw(urgency, 1).await.unwrap();
                order.lock().unwrap().push(urgency);
            }
        };
        let mut come = [
            Urgency::Sweep,
            Urgency::FirstLook,
            Urgency::Job,
            Urgency::Request,
            Urgency::Change,
            Urgency::Job,
        ];
        join_all(come.map(wait)).await;
        come.sort();
        assert_eq!(*order.lock().unwrap(), come);
    }

    #[tokio::test(start_paused = true)]
    async fn n04_a_budget_begins_with_what_was_left_and_gives_none_once_it_is_closed() {
        let per = Duration::from_mins(1);
        let limit = CallLimit {
            calls: 60,
            per,
            is_even: false,
        };
        let budget = Budget::holding(7, limit, Clock::start(), Arc::new(()));
        let change = budget.allow(Urgency::Change, 5).now_or_never();
        change.unwrap().unwrap();
        // Those were given back unspent.
        let job = budget.open(Urgency::Job);
        job.spend().now_or_never().unwrap().unwrap().made();
        assert!(!budget.is_full());
        assert_eq!(budget.close(), 6);
        pass(Duration::from_mins(1)).await;
        assert!(budget.is_full());
        assert!(budget.allow(Urgency::Sweep, 1).await.is_err());
        let change = budget.allow(Urgency::Change, 1);
        let waited = tokio::time::timeout(Duration::from_hours(1), change).await;
        assert!(waited.is_err(), "until the process ends");
        assert!(budget.nobody_waits());
    }

    #[tokio::test(start_paused = true)]
    async fn n04_who_waits_when_a_budget_is_closed_gets_no_call() {
        let budget = budget(60);
        let mut waiting = std::pin::pin!(budget.allow(Urgency::Change, 5));
        assert!(waiting.as_mut().now_or_never().is_none());
        pass(Duration::from_secs(3)).await;
        assert_eq!(budget.close(), 2);
        let waited = tokio::time::timeout(Duration::from_hours(1), waiting).await;
        assert!(waited.is_err(), "until the process ends");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sweep_is_told_to_come_again_and_a_change_finds_calls_at_once() {
        let budget = budget(60);
        pass(Duration::from_mins(2)).await;
        let mut swept = 0;
        while let Ok(allowance) = budget.allow(Urgency::Sweep, 1).await {
            allowance.spend().await.unwrap().made();
            swept += 1;
        }
        assert_eq!(swept, 4, "the rest of what is saved up is kept");
        let began = budget.clock.now();
        budget.allow(Urgency::Change, 5).await.unwrap();
        assert!(budget.clock.now().elapsed(began.uptime) < Duration::from_millis(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_spent_goes_back_and_who_gives_up_leaves_no_trace() {
        let budget = budget(60);
        pass(Duration::from_mins(2)).await;
        let allowance = budget.allow(Urgency::Change, 5).await.unwrap();
        allowance.spend().await.unwrap().made();
        drop(allowance);
        let nine = budget.allow(Urgency::Change, 9).await.unwrap();
        let impatient = budget.allow(Urgency::Change, 9);
        let result = tokio::time::timeout(Duration::from_secs(1), impatient).await;
        assert!(result.is_err());
        drop(nine);
        budget.allow(Urgency::Change, 9).await.unwrap();
        assert!(budget.lock().waiting.is_empty());
    }

    /// How many calls a change could make at once.
    fn left(budget: &Arc<Budget>) -> usize {
        let mut held = Vec::new();
        let now = || budget.allow(Urgency::Change, 1).now_or_never();
        while let Some(Ok(one)) = now() {
            held.push(one);
        }
        held.len()
    }

    #[tokio::test(start_paused = true)]
    async fn r03_who_gives_up_waiting_for_a_seat_leaves_the_calls_that_came_meanwhile_to_others() {
        let (budget, seats) = (budget(60), Seats::new(1));
        let take = || seats.take(Group::default()).unwrap();
        let waiting = take().with(Called::not_before(Duration::ZERO), async {
            budget.allow(Urgency::Change, 5).await.map(drop)
        });
        let mut waiting = Box::pin(waiting);
        // It waits for calls, and leaves its seat.
        assert!(waiting.as_mut().now_or_never().is_none());
        let of_another = take();
        pass(Duration::from_secs(30)).await;
        // Now it has them, and has to wait for a seat.
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(budget.lock().waiting.is_empty());
        assert_eq!(left(&budget), 5);
        drop(waiting);
        assert_eq!(left(&budget), 10);
        drop(of_another);
        assert!(seats.take(Group::default()).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_was_paid_for_and_given_up_goes_back() {
        let budget = budget(60);
        pass(Duration::from_mins(2)).await;
        let allowance = budget.allow(Urgency::Change, 2).await.unwrap();
        let paid = [(); 3].map(|()| allowance.spend().now_or_never().unwrap().unwrap());
        assert_eq!(left(&budget), 7);
        let mut paid = paid.into_iter();
        paid.next().unwrap().made();
        drop(paid);
        drop(allowance);
        assert_eq!(left(&budget), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn r10_a_booked_time_is_given_back_when_it_is_dropped() {
        let budget = budget(60);
        let mistake: Vec<Booked> = (0..1_000)
            .map(|_| budget.book(Urgency::FirstLook))
            .collect();
        let behind = budget.book(Urgency::FirstLook);
        assert!(behind.wait() > Duration::from_mins(19));
        drop(mistake);
        assert!(behind.wait() < Duration::from_secs(2));
        assert!(budget.book(Urgency::FirstLook).wait() < Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let budget = budget(60);
        let _before = budget.place(Urgency::Change, 1);
        let greedy = budget.allow(Urgency::Change, 1).await.unwrap_err();
        assert_eq!(greedy.meaning, Meaning::OutOfCalls);
        let says = "this credential has used up the 60 calls a minute that the operator's --calls-per-minute allows";
        assert!(greedy.text.starts_with(says), "{greedy}");
    }

    /// Five changes after each other without end, of 40 s each and with 20 s between: how long one had to wait for its calls, at most.
    async fn roll_out(budget: &Arc<Budget>) -> Duration {
        let longest = Mutex::new(Duration::ZERO);
        let spend = async |urgency, calls| {
            let began = budget.clock.now().uptime;
            let turn = budget.allow(urgency, calls).await.unwrap();
            for _ in 0..calls {
                turn.spend().await.unwrap().made();
            }
            budget.clock.now().elapsed(began)
        };
        let follow = async || {
            for _ in 0..10 {
                let waited = spend(Urgency::Change, 5).await;
                {
                    let mut longest = longest.lock().unwrap();
                    *longest = waited.max(*longest);
                }
                let began = budget.clock.now().uptime;
                loop {
                    let age = budget.clock.now().elapsed(began);
                    if age >= Duration::from_secs(40) {
                        break;
                    }
                    pass((age / 8).max(Duration::from_secs(1))).await;
                    spend(Urgency::Job, 1).await;
                }
                pass(Duration::from_secs(20)).await;
            }
        };
        join_all((0..5).map(|_| follow())).await;
        longest.into_inner().unwrap()
    }

    /// A new resource is looked at when it is its turn, and tries again where there is no call.
    async fn look_first(budget: &Arc<Budget>) -> Duration {
        let began = budget.clock.now().uptime;
        let booked = budget.book(Urgency::FirstLook);
        loop {
            pass(booked.wait()).await;
            match budget.allow(Urgency::FirstLook, 1).await {
                Ok(turn) => {
                    turn.spend().await.unwrap().made();
                    return budget.clock.now().elapsed(began);
                }
                Err(error) => drop(booked.put_off(error.retry_after.unwrap())),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rollout_leaves_calls_to_first_looks_and_requests() {
        let alone = roll_out(&budget(60)).await;
        let budget = budget(60);
        let looks = join_all((0..60).map(|_| look_first(&budget)));
        let request = async {
            pass(Duration::from_mins(2)).await;
            let began = budget.clock.now().uptime;
            drop(budget.allow(Urgency::Request, 4).await.unwrap());
            budget.clock.now().elapsed(began)
        };
        let closer_look = async {
            pass(Duration::from_mins(3)).await;
            let began = budget.clock.now().uptime;
            drop(budget.allow(Urgency::Job, 4).await.unwrap());
            budget.clock.now().elapsed(began)
        };
        let (longest, looks, request, closer_look) =
            futures::join!(roll_out(&budget), looks, request, closer_look);
        let last = looks.into_iter().max().unwrap();
        assert!(last <= Duration::from_mins(15), "{last:?}");
        assert!(request <= Duration::from_secs(30), "{request:?}");
        // It needs all that can be saved up for jobs; polls of others don't overtake it.
        assert!(closer_look <= Duration::from_mins(1), "{closer_look:?}");
        assert!(
            longest <= alone + Duration::from_secs(5),
            "{longest:?}, alone {alone:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_rollout_leaves_calls_to_the_further_pages_of_a_look_that_has_begun() {
        let budget = budget(60);
        let pages = async {
            pass(Duration::from_mins(2)).await;
            let turn = budget.open(Urgency::FirstLook);
            let mut longest = Duration::ZERO;
            for _ in 0..3 {
                let began = budget.clock.now().uptime;
                turn.spend().await.unwrap().made();
                longest = longest.max(budget.clock.now().elapsed(began));
            }
            longest
        };
        let (_, longest) = futures::join!(roll_out(&budget), pages);
        assert!(longest <= Duration::from_mins(1), "{longest:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn looks_that_nobody_wants_any_more_hold_no_jobs_back() {
        let budget = budget(60);
        pass(Duration::from_mins(2)).await;
        let looks: Vec<Booked> = (0..600).map(|_| budget.book(Urgency::FirstLook)).collect();
        for look in &looks {
            look.put_off(Duration::from_secs(1));
            look.put_off(Duration::from_secs(1));
        }
        let polls = async || {
            let mut polls = 0;
            let began = budget.clock.now().uptime;
            while budget.clock.now().elapsed(began) < Duration::from_mins(2) {
                budget
                    .allow(Urgency::Job, 1)
                    .await
                    .unwrap()
                    .spend()
                    .await
                    .unwrap()
                    .made();
                polls += 1;
            }
            polls
        };
        let beside = polls().await;
        assert!((35..=55).contains(&beside), "{beside} polls beside looks");
        drop(looks);
        let alone = polls().await;
        assert!((90..=115).contains(&alone), "{alone} polls");
    }

    #[tokio::test(start_paused = true)]
    async fn a_spare_call_is_for_the_only_job_that_is_followed_with_a_credential() {
        let budget = budget(60);
        pass(Duration::from_mins(2)).await;
        let [one, other] = ["job-1", "job-2"].map(|id| JobId::parse(id).unwrap());
        assert_eq!(budget.spare_in(&one), Some(Duration::ZERO));
        assert_eq!(budget.spare_in(&other), None);
        assert_eq!(budget.spare_in(&one), None);
        pass(FOLLOWED).await;
        assert_eq!(budget.spare_in(&one), Some(Duration::ZERO));
        let _waits = budget.place(Urgency::Sweep, 1);
        assert_eq!(budget.spare_in(&one), None);
    }

    #[tokio::test(start_paused = true)]
    async fn more_calls_than_can_be_saved_up_are_paid_for_one_by_one() {
        for limit in [10, 30, 60, 600] {
            for urgency in [
                Urgency::Change,
                Urgency::Job,
                Urgency::Request,
                Urgency::FirstLook,
                Urgency::Sweep,
            ] {
                for calls in [1, 3, 4, 5, 9, 40] {
                    let budget = budget(limit);
                    // What can be saved up is there.
                    pass(Duration::from_mins(2)).await;
                    let began = budget.clock.now().uptime;
                    let turn = budget.allow(urgency, calls).await.unwrap();
                    assert!(budget.clock.now().elapsed(began) < Duration::from_millis(2));
                    for _ in 0..calls {
                        turn.spend().await.unwrap().made();
                    }
                    let took = budget.clock.now().elapsed(began);
                    // Less than a third of the limit comes to looks where that is small.
                    let longest = Duration::from_mins(3) * calls / limit;
                    assert!(took <= longest, "{calls} of {limit}, {urgency:?}: {took:?}");
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_said_of_fewer_calls_is_the_same_while_they_grow_back() {
        let budget = budget(60);
        budget.refused();
        let used_up = || budget.used_up(Urgency::Change, Duration::ZERO).text;
        let before = used_up();
        assert!(before.contains("the cloud asked for fewer"), "{before}");
        clock::pause(Duration::from_mins(2)).await;
        let calls = budget.allow(Urgency::Change, 1).await.unwrap();
        drop(calls);
        assert_eq!(used_up(), before);
    }
}
