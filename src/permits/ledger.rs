//! Who may begin a change: the decisions, without locks, clocks or anybody to be woken.
//!
//! Promises that of new changes never more than allowed are under way, that never more than allowed are begun within an hour,
//! that none begins during a halt, and that whenever one may begin, one of those who wait and could begin was called.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::{
    counted::Counted,
    failures::{Failed, Failures},
    holders::Holders,
    limits::{Limit, Limits, Refusal},
    queue::{Asker, Queue, Waiter},
    records::{Left, Records},
    window::Window,
};
use crate::{crd::Outcome, model::Moment, pace::Pace, place::InstanceKey};

/// All that decides on permits.
#[derive(Debug)]
pub(super) struct Ledger {
    limits: Limits,
    hour: Duration,
    /// So long somebody who was called is waited for.
    turn: Duration,
    /// A change on record that nobody follows counts among those under way for this long.
    unheard: Duration,
    holders: Holders,
    records: Records,
    window: Window,
    failures: Failures,
    counted: Counted,
    queue: Queue,
}

/// Where things stand, for who counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Changes under way.
    pub under_way: usize,
    /// How many may be.
    pub most_under_way: usize,
    /// Changes that were begun within the last hour.
    pub begun: usize,
    /// How many may be.
    pub most_begun: usize,
    /// Until when no new one begins; nothing where there is no halt.
    pub halted_until: Option<Timestamp>,
}

/// A resource that is at work on an instance before others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// Its UID.
    pub uid: String,
    /// Whether it was deleted.
    pub is_deleted: bool,
}

impl Ledger {
    /// Bounds in the time of users; `pace` says how fast it runs.
    pub(super) fn new(limits: Limits, pace: &Pace) -> Self {
        Self {
            limits: Limits {
                halt_for: pace.of_user(limits.halt_for),
                ..limits
            },
            hour: pace.limits_hour,
            turn: pace.turn_within,
            unheard: pace.job_visible_within,
            holders: Holders::default(),
            records: Records::default(),
            window: Window::default(),
            failures: Failures::default(),
            counted: Counted::default(),
            queue: Queue::default(),
        }
    }

    /// Takes a permit, with all that it needs or nothing; who is refused waits from now on.
    pub(super) fn acquire(
        &mut self,
        asker: &Asker,
        instance: &InstanceKey,
        now: Moment,
    ) -> Result<(), Refusal> {
        let refusal = if may_hold(&self.holders, &self.records, instance, &asker.uid) {
            let others = self
                .queue
                .called()
                .saturating_sub(self.queue.is_called(&asker.uid).into());
            self.limit(&asker.namespace, others, now)
                .map(Refusal::Limit)
        } else {
            Some(Refusal::Instance)
        };
        if let Some(refusal) = refusal {
            self.wait(asker, instance);
            return Err(refusal);
        }
        self.queue.leave(&asker.uid);
        self.hold(&asker.uid, instance, false);
        Ok(())
    }

    /// Takes the permit of a change that is on record already: it is under way, whatever the limits say. Nothing if another
    /// one has that instance.
    pub(super) fn resume(&mut self, uid: &str, instance: &InstanceKey) -> bool {
        let free = self.holders.of(instance).is_none();
        if free {
            self.hold(uid, instance, true);
        }
        free
    }

    /// The permit of an instance is given back.
    pub(super) fn release(&mut self, instance: &InstanceKey) {
        if let Some(uid) = self.holders.release(instance) {
            self.records.follow(&uid, self.holders.has(&uid));
            self.queue.freed(instance);
        }
    }

    /// The change of this instance was begun.
    pub(super) fn begun(&mut self, instance: &InstanceKey, now: Moment) {
        if self.holders.begin(instance) {
            self.window.add(now.wall, self.hour, now);
        }
    }

    /// Whether the change of this instance was begun.
    pub(super) fn is_begun(&self, instance: &InstanceKey) -> bool {
        self.holders.is_begun(instance)
    }

    /// Whether the change of this instance counts among those under way: who can't go on keeps its instance alone.
    pub(super) fn count(&mut self, instance: &InstanceKey, under_way: bool) {
        self.holders.count(instance, under_way);
    }

    /// A change has ended; false if that was known.
    pub(super) fn ended(
        &mut self,
        change: &str,
        outcome: Outcome,
        of: Failed,
        at: Timestamp,
        now: Moment,
    ) -> bool {
        if !self.counted.add(change) {
            return false;
        }
        match outcome {
            Outcome::Succeeded => self.failures.succeeded(),
            Outcome::Failed => {
                let bounds = (self.limits.halt_after, self.limits.halt_for);
                self.failures.failed(of, at, bounds, now);
            }
            // It never arrived: it says nothing of the next one.
            Outcome::Void => {}
        }
        true
    }

    /// A change was begun at this time, before this process.
    pub(super) fn recall_start(&mut self, begun: Timestamp, now: Moment) {
        self.window.add(begun, self.hour, now);
    }

    /// The change that is on record of a resource: its id, and its instance where that can be read. Gives the id of one that no longer
    /// is.
    pub(super) fn note(
        &mut self,
        uid: &str,
        change: Option<(&str, Option<&InstanceKey>)>,
        now: Moment,
    ) -> Option<String> {
        let is_followed = self.holders.has(uid);
        let Left { change, instance } = self.records.note(uid, change, is_followed, now);
        if let Some(instance) = &instance {
            self.queue.freed(instance);
        }
        change
    }

    /// Whether nobody but `uid` is at work on an instance.
    pub(super) fn is_free(&self, instance: &InstanceKey, uid: &str) -> bool {
        is_free(&self.holders, &self.records, instance, uid)
    }

    /// Who is at work on an instance before `uid`.
    pub(super) fn first_on(&self, instance: &InstanceKey, uid: &str) -> Option<First> {
        let holder = self.holders.of(instance).filter(|holder| *holder != uid);
        let first = holder.or_else(|| self.records.other(instance, uid))?;
        Some(First {
            uid: first.to_owned(),
            is_deleted: holder.is_some() && self.holders.is_of_deleted(instance),
        })
    }

    /// Waits until the instance is free.
    pub(super) fn wait(&mut self, asker: &Asker, instance: &InstanceKey) {
        self.queue.wait(Waiter {
            asker: asker.clone(),
            instance: instance.clone(),
        });
    }

    /// Takes the permit for the change that is on record of a resource, if nobody holds one for it; says for which instance.
    pub(super) fn inherit(&mut self, uid: &str) -> Option<InstanceKey> {
        if self.holders.has(uid) {
            return None;
        }
        let instance = self.records.instance_of(uid)?.clone();
        self.resume(uid, &instance).then_some(instance)
    }

    /// A resource was deleted; the changes that it holds permits for go on.
    pub(super) fn deleted(&mut self, uid: &str) {
        self.holders.deleted(uid);
    }

    /// No longer waits for anything.
    pub(super) fn leave(&mut self, uid: &str) {
        self.queue.leave(uid);
    }

    /// Whose turn it is now: as many as may begin, those included who were called already and have not come.
    pub(super) fn call(&mut self, now: Moment) -> Vec<Asker> {
        self.queue.expire(now.uptime);
        let until = now.uptime.saturating_add(self.turn);
        let mut next = Vec::new();
        while !self.queue.is_empty() && self.limit("", self.queue.called(), now).is_none() {
            let (holders, records) = (&self.holders, &self.records);
            let called = self.queue.call(until, |waiter| {
                may_hold(holders, records, &waiter.instance, &waiter.asker.uid)
            });
            match called {
                Some(asker) => next.push(asker),
                None => break,
            }
        }
        next
    }

    /// The uptime at which [`Self::call`] may have another answer though nothing happens until then; nothing while nobody
    /// waits.
    pub(super) fn next_call(&self, now: Moment) -> Option<Duration> {
        if self.queue.is_empty() {
            return None;
        }
        let ends = [
            self.records.ripe(self.unheard, now),
            self.failures.until(now).map(|(until, _)| until),
            self.window.next(now).map(|(until, _)| until),
            self.queue.next_expiry(),
        ];
        let ends = ends.into_iter().flatten();
        ends.filter(|until| *until > now.uptime).min()
    }

    /// Whether no change is under way that began, nor on record.
    pub(super) fn is_idle(&self) -> bool {
        self.holders.none_begun() && self.records.is_empty()
    }

    /// Where things stand.
    pub(super) fn figures(&self, now: Moment) -> Figures {
        Figures {
            under_way: self.under_way(now),
            most_under_way: self.limits.concurrent,
            begun: self.window.count(now),
            most_begun: self.limits.hourly,
            halted_until: self.failures.until(now).map(|(_, wall)| wall),
        }
    }

    /// The limit that keeps one more change from beginning, while so many others may begin before it.
    fn limit(&self, namespace: &str, before: usize, now: Moment) -> Option<Limit> {
        if let Some(halted) = self.failures.limit(namespace, now) {
            return Some(halted);
        }
        let begun = self.window.count(now) + self.holders.coming();
        if begun + before >= self.limits.hourly {
            return Some(Limit::Hourly {
                most: self.limits.hourly,
                next: self.window.next(now).map(|(_, wall)| wall),
            });
        }
        (self.under_way(now) + before >= self.limits.concurrent).then_some(Limit::Concurrent {
            most: self.limits.concurrent,
            deleted: self.holders.shares_of_deleted(),
        })
    }

    fn under_way(&self, now: Moment) -> usize {
        self.holders.shares() + self.records.unheard(self.unheard, now)
    }

    fn hold(&mut self, uid: &str, instance: &InstanceKey, is_begun: bool) {
        self.holders.hold(uid, instance, is_begun);
        self.records.follow(uid, true);
    }
}

/// Whether `uid` may have the permit of an instance. There is one at a time, also for who holds it already: the turn of a resource
/// that is being deleted may ask while its change is followed with the permit that it had.
fn may_hold(holders: &Holders, records: &Records, instance: &InstanceKey, uid: &str) -> bool {
    holders.of(instance).is_none() && !records.has_other(instance, uid)
}

/// Whether nobody but `uid` holds an instance or has a change on record there.
fn is_free(holders: &Holders, records: &Records, instance: &InstanceKey, uid: &str) -> bool {
    let held = holders.of(instance).is_some_and(|holder| holder != uid);
    !held && !records.has_other(instance, uid)
}
