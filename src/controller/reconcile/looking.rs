//! The look of a pass, at the cloud and at the rest of the fleet, and the decision that rests on it.

use std::{collections::BTreeSet, pin::pin, sync::Arc, time::Duration};

use futures::future::{self, Either};
use kube::ResourceExt as _;

use super::{Finding, Pass};
use crate::{
    cloud::Urgency,
    controller::{
        context::Context,
        journal::JournalError,
        look::{Depth, Later, Listing, Viewpoint, look},
        timing::InstanceWindow,
    },
    crd::ManagementPolicy,
    desired::Desired,
    fleet::{
        claims::{Standing, Woken},
        directory::Directory,
    },
    model::{JobId, Mark, Moment, Reason},
    plan::{
        self, Decision,
        facts::{Facts, Observed, Seen, Trouble},
        record::Record,
        step::{Cause, Step},
    },
    seats,
};

/// A stated time may be over for so many times the time after which a wait is told: what is said anew costs a write of the status.
const GRACE: u32 = 12;

/// The way to the cloud, or why there is none.
pub(super) type Way = Result<Arc<Directory>, Trouble>;

impl Pass<'_> {
    /// What follows from the usual look, and from a closer one where that is called for.
    pub(super) async fn find_usual(
        &mut self,
        desired: &Desired,
        way: &Way,
        depth: Depth<'_>,
    ) -> Result<Result<Finding, Later>, JournalError> {
        let usual = Box::pin(self.find(desired, way, depth));
        let finding = match usual.await? {
            Ok(finding) => finding,
            later => return Ok(later),
        };
        match (&finding.decision.step, way) {
            (Step::LookAtTasks, Ok(directory)) => {
                let closely = Box::pin(self.look_closer(desired, directory, finding));
                closely.await.map(Ok)
            }
            // A first look has seen the task list as well.
            (Step::Change(_), Ok(directory)) => {
                let again = Box::pin(self.look_again(desired, directory, finding));
                again.await.map(Ok)
            }
            _ => Ok(Ok(finding)),
        }
    }

    /// How closely to look at first, and how urgent that is.
    pub(super) fn depth(&mut self, desired: &Desired, record: &Record) -> Depth<'static> {
        if record.change.is_some() {
            return Depth::Usual(Listing::Now);
        }
        let now = self.context.clock.now().uptime;
        // What a person has asked for may be on record by now, and its look not made yet.
        let is_told = matches!(
            record.reason,
            Some(Reason::ReadingCloud | Reason::WaitingForBudget)
        );
        let of_an_earlier_process = self.memory.listed_at.is_none() && is_told;
        let owed = self.memory.asked_at.is_some() || of_an_earlier_process;
        let request = desired.request.as_deref();
        let request = request.filter(|request| record.is_asked_by(Some(request)));
        let asks = request.map(Mark::of);
        if asks.is_some() && self.memory.asked_for.as_deref() != asks.as_ref() {
            // A list from before it is none that this person has asked for.
            self.memory.asked_for = asks.map(Box::new);
            self.memory.asked_at = None;
        }
        let asked = &mut self.memory.asked_at;
        let asked = Some(**asked.get_or_insert_with(|| Box::new(now)));
        let observes = desired.policy == ManagementPolicy::Observe;
        if observes
            && !self.may_follow(desired)
            && let Some(since) = self.tasks_known_since(Duration::ZERO)
        {
            return Depth::First(since, asked);
        }
        if !(record.vetted || observes && self.memory.listed_at.is_some()) {
            let seen = **self.memory.seen_at.get_or_insert_with(|| Box::new(now));
            return match self.tasks_known_since(seen) {
                Some(since) if !observes => Depth::First(since, asked),
                _ => Depth::Usual(Listing::InTurn(Urgency::FirstLook, asked)),
            };
        }
        self.memory.seen_at = None;
        let edited = record.generation != Some(desired.generation);
        let requested = record.is_asked_by(desired.request.as_deref());
        let gap = self.context.pace.missing_gap;
        let missing = self.memory.session.missing.as_deref();
        let confirming = missing.is_some_and(|missing| !missing.confirmed(gap));
        if edited || requested || confirming || owed {
            return Depth::Usual(Listing::InTurn(Urgency::Request, asked));
        }
        self.memory.asked_at = None;
        if self.was_busy {
            return Depth::Usual(Listing::InTurn(Urgency::Request, self.memory.listed_at));
        }
        Depth::Usual(self.sweeping())
    }

    /// One task list serves all resources that are new and come soon after it. It must not be older than what it has to show:
    /// that this process has led for long enough, and what a predecessor of the resource did, which had ended when the resource
    /// was first `seen`. Nor does it serve a resource twice: what it has shown at work may have ended since. Nothing, where this process
    /// has not led for long enough, or the resource has to be watched first.
    fn tasks_known_since(&self, seen: Duration) -> Option<Duration> {
        let Context { clock, pace, .. } = self.context;
        let uptime = clock.now().uptime;
        let tell_from = self.tasks_tell_from();
        let lately = uptime.saturating_sub(pace.tasks_shared_for);
        let unused = self.memory.listed_at.unwrap_or_default();
        let since = lately.max(unused).max(tell_from).max(seen);
        (uptime >= tell_from).then_some(since)
    }

    /// Uptime from which on a task list shows each change of ours that is at work and on no record: one of an earlier process, whose
    /// resource was deleted, or one that somebody has taken from the record.
    pub(super) fn tasks_tell_from(&self) -> Duration {
        let window = self.context.pace.settle_window();
        let before = window.saturating_sub(self.context.led_before);
        let led = self.context.leading_since.saturating_add(before);
        let doubted = self.memory.session.doubted.as_deref();
        let watched = doubted.map(|since| since.saturating_add(window));
        watched.map_or(led, |watched| watched.max(led))
    }

    /// Who stops a resource sees at once that this was heard: it takes no call of the cloud to say so.
    pub(super) async fn acknowledge_suspension(
        &mut self,
        desired: &Desired,
        record: &Record,
    ) -> Result<(), JournalError> {
        let new = record.generation != Some(desired.generation);
        // Of one that only observes nothing is held up.
        let observes = desired.policy == ManagementPolicy::Observe;
        if desired.suspended && new && !observes && record.change.is_none() {
            self.report_interim(desired, record, Cause::Suspended)
                .await?;
        }
        Ok(())
    }

    /// The list of a sweep: one that another resource has had read since will do.
    pub(super) fn sweeping(&self) -> Listing {
        Listing::InTurn(Urgency::Sweep, self.memory.listed_at)
    }

    /// Whether the time is over up to which the status says that is waited, and has been for a while.
    fn has_broken_its_word(&self, now: Moment) -> bool {
        self.keeps_its_word_for(now)
            .is_some_and(|left| left.is_zero())
    }

    /// For how long what the status says of the time up to which is waited can still stand; nothing where it says none.
    pub(super) fn keeps_its_word_for(&self, now: Moment) -> Option<Duration> {
        let grace = self.context.pace.interim_after.saturating_mul(GRACE);
        let until = self.memory.promised?.checked_add(grace).ok()?;
        let left = Duration::try_from(until.duration_since(now.wall));
        Some(left.unwrap_or_default())
    }

    /// The list of proxies has its time later: until then nothing is known that is not on record. A new generation is
    /// acknowledged if that takes long.
    pub(super) async fn put_off(
        &mut self,
        desired: &Desired,
        Later(wait, booking): Later,
    ) -> Result<Option<Duration>, JournalError> {
        let record = self.record();
        // An edit of the calendar wakes it from now on; what follows here rests on the calendar that is in force by then.
        self.note_waiting(record.plan.is_some());
        let recalled = self.on_record(desired);
        match &recalled {
            Some(waiting) => self.queue_up(desired, &waiting.decision.step),
            // Nothing is due as far as is known.
            None if record.vetted && record.change.is_none() => {
                self.context.permits.leave(&self.asker().uid);
            }
            None => {}
        }
        let now = self.context.clock.now();
        // The wait may be shorter than until the booked time, which may become an earlier one.
        let booked = now.after(booking.wait().max(wait));
        self.context.claims.queued(self.uid);
        self.memory.booking = Some(booking);
        let asked = self.memory.asked_at.as_deref().copied();
        let takes = now
            .elapsed(asked.unwrap_or(now.uptime))
            .saturating_add(wait);
        let is_read = record.reason == Some(Reason::ReadingCloud);
        let is_untold = is_read || record.generation != Some(desired.generation);
        let is_long = takes >= self.context.pace.interim_after;
        let is_said =
            record.change.is_none() && (is_untold && is_long || self.has_broken_its_word(now));
        if is_said {
            self.report_interim(desired, &record, Cause::WaitingForCalls(booked))
                .await?;
        }
        let Some(waiting) = recalled else {
            // All resources of an instance come at the same time, and share the list.
            return Ok(Some(wait));
        };
        let Step::Hold(cause, delay) = &waiting.decision.step else {
            // Its window has opened, or another change has ended: it is due, and needs no list.
            let is_due = waiting.decision.step == Step::LookAtTasks;
            return Ok(Some(if is_due {
                self.context.pace.poll_first
            } else {
                wait
            }));
        };
        let waits = record.reason.is_some_and(Reason::waits_for_its_moment);
        let has_moved = record.plan.is_some() && waits && cause.reason().waits_for_its_moment();
        if !is_said && (has_moved || record.spent) {
            // A freeze has ended, or the calendar was edited, or the change on record is known to be none: no list is needed to say so.
            self.say(desired, &waiting.observed, &waiting.decision)
                .await?;
        }
        let wait = wait.min(self.until_window_is_read());
        let turn = cause.opens().or_else(|| cause.follows());
        // What follows at a time does not wait for a look that only keeps it company.
        Ok(Some(turn.map_or(wait, |_| {
            wait.min((*delay).max(self.context.pace.poll_first))
        })))
    }

    /// Looks and decides; a new generation is acknowledged if that takes long.
    pub(super) async fn find(
        &mut self,
        desired: &Desired,
        way: &Way,
        depth: Depth<'_>,
    ) -> Result<Result<Finding, Later>, JournalError> {
        let looked_at = self.context.clock.now();
        let record = self.record();
        let mut session = self.memory.session.clone();
        session.turn_to(record.change.as_ref(), looked_at);
        let abandoned = self.abandoned(desired);
        let pace = &self.context.pace;
        let listed_at = self.memory.listed_at.unwrap_or_default();
        let from = Viewpoint {
            beside: (looked_at.elapsed(listed_at) >= self.context.resync).then_some(listed_at),
            directory: way.as_ref().map_err(Trouble::clone),
            desired,
            record: &record,
            session: &session,
            abandoned: &abandoned,
            verified: &self.context.verified,
            pace,
            now: looked_at,
        };
        let mut looking = pin!(look(&from, depth));
        let soon = tokio::time::timeout(pace.interim_after, &mut looking);
        let mut soon = self.context.while_wanted(&record, soon).await?.ok();
        if soon.is_none() && record.generation != Some(desired.generation) {
            let reporting = self.report_interim(desired, &record, Cause::Looking);
            // The look goes on meanwhile: others wait for what it reads, and behind it for calls.
            soon = match future::select(pin!(reporting), &mut looking).await {
                Either::Left((said, _)) => {
                    said?;
                    None
                }
                Either::Right((seen, reporting)) => {
                    reporting.await?;
                    Some(seen)
                }
            };
        }
        let seen = match soon {
            Some(seen) => seen,
            None => self.context.while_wanted(&record, looking).await?,
        };
        let instance = &desired.subject.instance;
        if let Ok(directory) = way
            && !self.context.claims.share(instance)
        {
            directory.forget(instance);
        }
        let mut observed = match seen {
            Ok(observed) => observed,
            Err(later) => return Ok(Err(later)),
        };
        self.note_listed(&observed);
        self.add_fleet(desired, &mut observed);
        let record = self.record();
        let decision = self.decide(desired, &record, &observed);
        let looked_at = observed.tasks_since.unwrap_or(looked_at);
        Ok(Ok(Finding {
            observed,
            decision,
            looked_at,
        }))
    }

    /// The jobs that were given up, as far as the resource may believe it.
    pub(super) fn abandoned(&self, desired: &Desired) -> BTreeSet<JobId> {
        let namespace = self.object.namespace().unwrap_or_default();
        let abandoned = self.context.claims.abandoned(&desired.subject, &namespace);
        abandoned.into_keys().collect()
    }

    /// Reads the window of the instance again where it counts and was not read lately: others on the project share the call.
    pub(super) async fn see_instance_window(
        &mut self,
        desired: &Desired,
        record: &Record,
        way: &Way,
    ) -> Result<(), JournalError> {
        if !desired.follows_instance() {
            self.memory.instance_window = None;
            return Ok(());
        }
        let uptime = self.context.clock.now().uptime;
        let every = InstanceWindow::good_for(self.context.resync);
        let known = self.memory.instance_window.as_deref();
        let fresh_for = known.map(|known| known.fresh_for(self.context.resync, uptime));
        let lately = fresh_for.is_some_and(|left| !left.is_zero());
        let Ok(directory) = way else {
            return Ok(());
        };
        if lately || record.change.is_some() {
            return Ok(());
        }
        let (directory, instance) = (Arc::clone(directory), desired.subject.instance.clone());
        // It goes on where nobody waits for it any more: the next pass finds what it has told.
        let reading =
            tokio::spawn(async move { directory.instance_window(&instance, every).await });
        let is_believed = known.is_some_and(|known| known.known(uptime).is_ok());
        // What is due by a window that is still believed does not wait behind the calls of others.
        let patience = if is_believed {
            self.context.pace.interim_after
        } else {
            Duration::MAX
        };
        let reading = seats::aside(tokio::time::timeout(patience, reading));
        let told = self.context.while_wanted(record, reading).await?;
        if let Ok(Ok(told)) = told {
            let window = InstanceWindow::after(known, told);
            self.memory.instance_window = Some(Box::new(window));
        }
        Ok(())
    }

    /// When the window of the instance is to be read again, where it counts; else at the next resync.
    pub(super) fn until_window_is_read(&self) -> Duration {
        let resync = self.context.resync;
        let uptime = self.context.clock.now().uptime;
        let known = self.memory.instance_window.as_deref();
        let due = known.map(|known| known.fresh_for(resync, uptime));
        // Where it can't be read now, it is not tried at every moment.
        due.unwrap_or(resync).max(resync / 10)
    }

    pub(super) async fn report_interim(
        &mut self,
        desired: &Desired,
        record: &Record,
        cause: Cause,
    ) -> Result<(), JournalError> {
        let window = self.memory.instance_window.as_deref();
        let observed = Observed {
            standing: self.context.standing(self.object, None),
            terms: self.context.terms(self.object, desired, window),
            preflight: self.surveyed(),
            admission: self.admission(),
            ..Observed::default()
        };
        let decision = plan::meanwhile(&self.facts(desired, record, &observed), cause);
        self.say(desired, &observed, &decision).await
    }

    /// Who has listed the proxy with credentials of its own may be its owner.
    fn note_listed(&mut self, observed: &Observed) {
        let seen = match &observed.proxy {
            Seen::Known(proxy) => Some(proxy.is_some()),
            // What passes by itself tells nothing of the credentials.
            Seen::Unknown(trouble) => trouble.is_refusal().then_some(false),
            Seen::NotRead => None,
        };
        let claims = &self.context.claims;
        let failed = matches!(observed.proxy, Seen::Unknown(_))
            || matches!(observed.tasks, Seen::Unknown(_));
        let uptime = self.context.clock.now().uptime;
        let woken = match seen {
            Some(seen) => claims.looked(self.uid, seen, uptime),
            None if failed => claims.tried(self.uid, uptime),
            None => Woken::new(),
        };
        self.context.wake(woken);
        if observed.proxy == Seen::NotRead && observed.beside == Seen::NotRead {
            return;
        }
        self.memory.asked_at = None;
        self.memory.booking = None;
        self.memory.listed_at = Some(self.context.clock.now().uptime);
    }

    pub(super) fn add_fleet(&self, desired: &Desired, observed: &mut Observed) {
        let uid = self.object.uid().unwrap_or_default();
        let in_place = match &observed.proxy {
            Seen::Known(proxy) => proxy.as_ref().and_then(|proxy| proxy.port),
            Seen::NotRead | Seen::Unknown(_) => None,
        };
        observed.standing = self.context.standing(self.object, in_place);
        if matches!(observed.standing, Standing::Open(_)) {
            observed.opening = self.context.opening(self.object);
        }
        let instance = &desired.subject.instance;
        observed.instance_taken = !self.context.permits.is_free(instance, &uid);
        if observed.instance_taken {
            observed.goes_first = self.context.goes_first(instance, &self.asker());
        }
        observed.record_pruned = self.memory.record_pruned.as_deref() == Some(&desired.generation);
        let window = self.memory.instance_window.as_deref();
        observed.terms = self.context.terms(self.object, desired, window);
        observed.preflight = self.surveyed();
        observed.admission = self.admission();
    }

    pub(super) fn decide(
        &mut self,
        desired: &Desired,
        record: &Record,
        observed: &Observed,
    ) -> Decision {
        let decision = plan::decide(&self.facts(desired, record, observed));
        self.memory.session = decision.session.clone();
        decision
    }

    pub(super) fn facts<'f>(
        &'f self,
        desired: &'f Desired,
        record: &'f Record,
        observed: &'f Observed,
    ) -> Facts<'f> {
        let now = self.context.clock.now();
        Facts {
            desired,
            record,
            observed,
            session: &self.memory.session,
            now,
            leading_for: self.context.leading_for(),
            pace: &self.context.pace,
            resync: self.context.resync,
        }
    }
}
