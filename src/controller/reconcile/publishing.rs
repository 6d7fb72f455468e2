//! What applications reach the proxy by, written before the status says that the port is in place.
//!
//! Relies on `plan::endpoint` for where they may be led. Promises no call for a resource that wishes for nothing, and none where the same
//! was published a short while ago; a name on record before anything of that name is made; that what failed is tried again without
//! another look at the cloud; that what somebody has edited or deleted is put back as it was published last, without such a look where
//! that was read; and that Ready waits for what failed in passing, and for nothing that a person has to mend.

use std::{sync::Arc, time::Duration};

use kube::{Resource as _, ResourceExt as _};

use super::{Finding, Pass};
use crate::{
    cloud::Urgency,
    controller::{
        context::Context,
        events,
        guarded::Guarded,
        journal::JournalError,
        memory::{Memory, Seldom},
        published::Calls,
        queue::seat,
        read::{Desired, Timing},
    },
    crd::{ManagementPolicy, Outcome, TaurusProxyPort, TaurusProxyPortStatus},
    fleet::{
        claims::ProxyKey,
        directory::{self, Directory},
    },
    model::{Class, Reason, ResourceName},
    plan::{
        Decision, backoff,
        endpoint::{self, Ground, Others},
        facts::Seen,
        record::Record,
        step::{Cause, Step},
        summary, tasks,
    },
    publish::{
        Wish,
        absence::Absence,
        contest::{Contest, Sides, Terms},
        filed::Filed,
        order::{Known, Names, Order, Places, Published, Rival, Urge},
        said::Said,
        standing::Owner,
    },
};

/// The conditions.
const SERVICE: &str = "ServicePublished";
const CONFIG_MAP: &str = "ConfigMapPublished";

/// What is kept of what is published for a resource.
#[derive(Debug, Default)]
pub struct Kept {
    last: Option<Last>,
    absence: Absence,
    /// The proxy was found to be gone.
    is_gone: bool,
    /// How often in a row it could not be published.
    failures: u32,
    /// Rare, and large.
    again: Option<Box<Again>>,
    /// Uptime of the next look, where this pass only publishes again what the last one found.
    look_at: Option<Duration>,
    /// Whether it was seen to objects of its names that others have.
    has_joined: bool,
    /// Where applications were led last by this process.
    places: Places,
    /// The edits of it.
    contest: Seldom<Contest>,
    /// Uptime of the next turn, for all but edits; nothing where something else has called for one, or the last turn has failed.
    turn_at: Option<Duration>,
    /// Since when a task list has shown that no change is at work on the instance that is on no record; uptime.
    quiet_since: Option<Duration>,
}

/// What was published last.
#[derive(Debug)]
struct Last {
    order: Filed,
    /// The request of a person that was seen then: a new one asks for another look at all.
    request: Option<String>,
    at: Duration,
    /// What came of it.
    published: Published,
}

/// A publication that is tried again before the next look.
#[derive(Debug)]
struct Again {
    finding: Finding,
    generation: i64,
    request: Option<String>,
    /// What was said about the time of changes, also by annotations.
    timing: Option<Box<Timing>>,
    /// Uptime of the next try.
    at: Duration,
    /// Uptime of the next look.
    look_at: Duration,
}

impl Pass<'_> {
    /// The first act of a new resource: what it wishes for may belong to one that is about to be deleted, and would be deleted with it.
    pub(super) async fn join_published(&mut self, desired: &Desired) {
        let Some(wish) = desired.publication.as_deref() else {
            return;
        };
        if desired.deleting || !is_unpublished(self.object, wish) {
            return;
        }
        let Some(order) = self.order(desired, wish.clone(), Known::Keep(None), false) else {
            return;
        };
        let kept = self.memory.publishing.get_or_insert_default();
        // Later the publication itself sees to that.
        if std::mem::replace(&mut kept.has_joined, true) || kept.last.is_some() {
            return;
        }
        let joining = Box::pin(self.context.publications.join(&order));
        let joined = seat::aside(joining).await;
        if let Err(said) = joined {
            let (name, why) = (self.object.name_any(), said.text());
            tracing::debug!(
                namespace = order.owner.namespace,
                name,
                ?why,
                "what is published under the wished names was not joined yet"
            );
        }
    }

    /// Sees to what somebody has edited or deleted, before anything is looked at. Where nothing else has called for this turn, it ends with
    /// that: says in how long the next one is due.
    pub(super) async fn see_to_edits(
        &mut self,
        desired: &Desired,
    ) -> Result<Option<Duration>, JournalError> {
        let Context {
            clock,
            pace,
            resync,
            ..
        } = self.context;
        let terms = Terms::of(pace, *resync);
        let uptime = clock.now().uptime;
        let Some(kept) = self.memory.publishing.as_deref_mut() else {
            return Ok(None);
        };
        let mut turn_at = kept.turn_at.take().filter(|at| uptime < *at);
        let due = kept.edits_due(uptime, terms);
        if due.is_any() {
            let is_restored = self.restore_published(desired, due, terms).await;
            turn_at = turn_at.filter(|_| is_restored);
        }
        let Some(turn_at) = turn_at else {
            return Ok(None);
        };
        let said = self.published_words(desired);
        let now = clock.now();
        self.write(|object| {
            let status: TaurusProxyPortStatus = object.status.clone().unwrap_or_default();
            summary::published(status, &said, now)
        })
        .await?;
        Ok(Some(turn_at.saturating_sub(clock.now().uptime)))
    }

    /// What somebody has edited or deleted is put back as it was published last. Whether that is all there is to do: what is there is not
    /// known to be right where nothing was read that could be put in its place.
    async fn restore_published(&mut self, desired: &Desired, due: Sides, terms: Terms) -> bool {
        let owner = self.owner(desired);
        let Some(kept) = self.memory.publishing.as_deref_mut() else {
            return false;
        };
        let places = kept.places;
        // What is wished for now is published by the look that follows.
        let is_wished = |last: &Last| desired.publication.as_deref() == Some(last.order.wish());
        let last = kept.last.take().filter(is_wished);
        let last = last.filter(|_| !desired.deleting).and_then(|last| {
            let order = last.order.order(owner?)?;
            Some((last, order))
        });
        let Some((last, order)) = last else {
            let now = self.context.clock.now();
            let contest = kept.contest.get_or_insert_default();
            contest.seen_to(due, &[], false, now, terms);
            return false;
        };
        let mut order = order.restored(places);
        order.rivals = self.rivals(&order.owner);
        let is_known = !matches!(order.known, Known::Keep(_) | Known::Withdrawn);
        let publishing = Box::pin(self.context.publications.publish(&order));
        let mut published = seat::aside(publishing).await;
        let mut mends = std::mem::take(&mut published.mends);
        if last.published.urge() != Urge::None {
            // What had failed is made up for.
            mends.clear();
        }
        let (namespace, name) = (&order.owner.namespace, &order.owner.name);
        for mend in &mends {
            self.context.meter.restored();
            tracing::info!(
                namespace, name, kind = mend.kind, object = mend.name, was = ?mend.was,
                "what leads applications to the proxy was edited or deleted, and put right"
            );
        }
        let is_settled = matches!(published.urge(), Urge::None | Urge::Taken | Urge::Held);
        let is_restored = is_known && is_settled;
        let now = self.context.clock.now();
        let kept = self.memory.publishing.get_or_insert_default();
        let contest = kept.contest.get_or_insert_default();
        contest.seen_to(due, &mends, is_restored, now, terms);
        kept.failures = failures_after(kept.failures, &published);
        kept.last = Some(Last {
            order: last.order,
            request: last.request,
            at: now.uptime,
            published,
        });
        self.tell_of_publication(desired);
        is_restored
    }

    /// Takes in whether the proxy is there. That it is gone is sure only where no task of its instance is at work.
    pub(super) async fn note_absence(
        &mut self,
        desired: &Desired,
        finding: &Finding,
        directory: Option<&Arc<Directory>>,
    ) {
        if desired.publication.is_none() {
            return;
        }
        let now = self.context.clock.now();
        let credential = self.memory.session.credential;
        let kept = self.memory.publishing.get_or_insert_default();
        kept.absence.note(&finding.observed, credential, now.uptime);
        let long = self.context.pace.missing_during_change;
        if !kept.absence.lasted(long) {
            kept.is_gone = false;
            return;
        }
        let Some(directory) = directory.filter(|_| !kept.is_gone) else {
            return;
        };
        let pace = &self.context.pace;
        let reading = async {
            let turn = directory.turn(Urgency::Sweep, directory::WALK).await?;
            let since = now.uptime;
            directory.tasks_for_new(turn.as_ref(), pace, since).await
        };
        let Ok(list) = seat::aside(Box::pin(reading)).await else {
            // The next look asks again.
            return;
        };
        let instance = &desired.subject.instance;
        let abandoned = self.abandoned(desired);
        let is_busy = tasks::unfinished(&list, instance, &abandoned, now, pace).is_some();
        let kept = self.memory.publishing.get_or_insert_default();
        if is_busy {
            kept.absence.is_explained();
        } else {
            kept.is_gone = true;
        }
    }

    /// Takes in what the task list tells of changes that are on no record.
    pub(super) fn note_quiet(&mut self, desired: &Desired, finding: &Finding) {
        let observed = &finding.observed;
        let is_quiet =
            matches!(observed.tasks, Seen::Known(None)) && observed.failed_lately.is_none();
        let since = observed.tasks_since.map(|since| since.uptime);
        if let Some(since) = since.filter(|_| is_quiet && desired.publication.is_some()) {
            let kept = self.memory.publishing.get_or_insert_default();
            kept.quiet_since = Some(since);
        }
    }

    /// Whether a resource that follows a proxy which others move knows of all changes of ours: those of this process and those on record
    /// anyway, the others once a task list was read that must have shown them. None is waited for longer than this process would follow
    /// one whose resource was deleted: a record may stand for ever.
    pub(super) fn may_follow(&self, desired: &Desired) -> bool {
        let kept = self.memory.publishing.as_deref();
        let quiet_since = kept.and_then(|kept| kept.quiet_since);
        let tell_from = self.tasks_tell_from();
        let knows = quiet_since.is_some_and(|since| since >= tell_from);
        let Context { clock, pace, .. } = self.context;
        let longest = pace.of_user(desired.change_timeout);
        let is_over = clock.now().uptime >= tell_from.saturating_add(longest);
        knows || is_over || desired.publication.is_none()
    }

    /// When a resource that follows others has to look again to know of all changes of ours.
    fn follows_in(&self, desired: &Desired, finding: &Finding) -> Option<Duration> {
        let decision = &finding.decision;
        let follows =
            desired.policy == ManagementPolicy::Observe || endpoint::waits(&decision.step);
        if !follows || decision.record.vetted || self.may_follow(desired) {
            return None;
        }
        let left = self
            .tasks_tell_from()
            .saturating_sub(self.context.clock.now().uptime);
        let observed = &finding.observed;
        let lag = observed.tasks_clear_in.max(observed.failed_lately);
        let (_, busy) = self.context.pace.busy;
        Some(if left.is_zero() {
            lag.unwrap_or(busy)
        } else {
            left
        })
    }

    /// What was found by the last look, where that has still to be published and nothing else is due.
    pub(super) fn unpublished(&mut self, desired: &Desired, record: &Record) -> Option<Finding> {
        let kept = self.memory.publishing.as_deref_mut()?;
        kept.look_at = None;
        let again = *kept.again.take()?;
        let uptime = self.context.clock.now().uptime;
        let is_time = uptime >= again.at && uptime < again.look_at;
        // Others move a proxy that is only observed; of its own moves the resource knows.
        let age = uptime.saturating_sub(again.finding.looked_at.uptime);
        let is_vetted = again.finding.decision.record.vetted;
        let is_good = is_vetted || age <= self.context.pace.look_good_for;
        let same = again.generation == desired.generation
            && again.request == desired.request
            && again.timing == desired.timing;
        // Whoever waits for its turn is woken for a look.
        let is_called = matches!(
            again.finding.decision.step,
            Step::Hold(Cause::WaitingForInstance(_) | Cause::WaitingForLimit(_), _)
        );
        let at_rest = record.change.is_none() && again.finding.decision.record.change.is_none();
        let is_found = is_time && is_good && same && at_rest && !is_called && !desired.deleting;
        kept.look_at = is_found.then_some(again.look_at);
        is_found.then_some(again.finding)
    }

    /// Publishes what is wished for. Says when to try again.
    pub(super) async fn publish(
        &mut self,
        desired: &Desired,
        finding: &Finding,
    ) -> Result<Option<Duration>, JournalError> {
        let wish = desired.publication.as_deref().cloned().unwrap_or_default();
        let on_record = names_on_record(self.object);
        if wish.is_empty() && on_record == Names::default() && self.memory.publishing.is_none() {
            return Ok(None);
        }
        let (known, verified) = self.known(desired, finding);
        let record = &finding.decision.record;
        let is_vetted = record.vetted;
        let ahead = verified.as_ref().and_then(|_| endpoint::led_by(record));
        let waits = endpoint::waits(&finding.decision.step);
        let Some(mut order) = self.order(desired, wish, known, waits) else {
            return Ok(None);
        };
        order.firm = endpoint::firm(record, &order.known).filter(|_| verified.is_none());
        (order.verified, order.ahead) = (verified, ahead);
        let uptime = self.context.clock.now().uptime;
        if let Some(kept) = self.memory.publishing.as_deref()
            && let Some(last) = &kept.last
            && last.order.is(&order)
            && last.request == desired.request
        {
            let again = self.again(kept, &last.published, is_vetted);
            // Looks come about as often as that: half of it skips none.
            let good_for = again.unwrap_or(self.context.resync / 2);
            let left = good_for.saturating_sub(uptime.saturating_sub(last.at));
            if !left.is_zero() {
                return Ok(again.map(|_| left));
            }
        }
        self.put_names_on_record(&order).await?;
        let last = self.memory.publishing.as_deref();
        let last = last.and_then(|kept| kept.last.as_ref());
        order.sweeps = last.is_none_or(|last| {
            let left = [&last.published.service_left, &last.published.map_left];
            last.published.is_unswept
                || *last.order.wish() != order.wish
                || left.into_iter().any(Option::is_some)
        });
        let publishing = Box::pin(self.context.publications.publish(&order));
        let published = seat::aside(publishing).await;
        order.sweeps = false;
        let outcomes = [&published.service, &published.config_map];
        for said in outcomes.into_iter().flatten() {
            self.context.meter.published(said.reason());
        }
        let now = self.context.clock.now().uptime;
        let kept = self.memory.publishing.get_or_insert_default();
        kept.failures = failures_after(kept.failures, &published);
        kept.places.take_in(&order);
        if let Some(contest) = &mut kept.contest {
            contest.all_published();
        }
        let nothing_is_left = order.wish.is_empty() && published.urge() == Urge::None;
        kept.last = Some(Last {
            order: Filed::of(&order),
            request: desired.request.clone(),
            at: now,
            published,
        });
        self.tell_of_publication(desired);
        let Some(kept) = self.memory.publishing.as_deref() else {
            return Ok(None);
        };
        let again = kept
            .last
            .as_ref()
            .and_then(|last| self.again(kept, &last.published, is_vetted));
        Ok(again.filter(|_| !nothing_is_left))
    }

    /// When it is tried again: soon where the API server failed, later where somebody has to do something first.
    /// Where a name is waited for, only by resources that need no look for it: others would look at the cloud each time.
    fn again(&self, kept: &Kept, published: &Published, is_vetted: bool) -> Option<Duration> {
        let pace = &self.context.pace;
        let resync = self.context.resync;
        let within = |first: Duration, longest: Duration| {
            backoff::doubling((first, longest.min(resync)), kept.failures)
        };
        match published.urge() {
            Urge::Failed => Some(within(pace.poll_first, pace.secret_sweep)),
            Urge::Refused => Some(within(pace.secret_check, resync)),
            Urge::Denied => Some(pace.denied_check.min(resync)),
            // It is also woken when the resource is deleted that has the name.
            Urge::Taken | Urge::Held => is_vetted.then_some(pace.secret_sweep.min(resync)),
            Urge::None => None,
        }
    }

    /// Ready waits for what failed in passing, unless it was said before.
    pub(super) fn held_back(&self, decision: &Decision) -> Option<Decision> {
        let kept = self.memory.publishing.as_deref()?;
        let failure = kept.last.as_ref()?.published.failure()?;
        let was_ready = self.record().ready;
        if decision.step != Step::Rest || was_ready {
            return None;
        }
        let (_, said) = failure.text();
        Some(Decision {
            step: Step::Hold(Cause::Publishing(said), Duration::ZERO),
            ..decision.clone()
        })
    }

    /// When the resource has its next turn: for the next look after `delay`, or to publish what was found `again`.
    pub(super) fn until_published(
        &mut self,
        desired: &Desired,
        finding: Finding,
        delay: Duration,
        again: Option<Duration>,
    ) -> Duration {
        let uptime = self.context.clock.now().uptime;
        let Some(kept) = self.memory.publishing.as_deref_mut() else {
            return delay;
        };
        if desired.publication.is_none() && again.is_none() {
            self.memory.publishing = None;
            return delay;
        }
        kept.again = None;
        // However often it is published in vain, the next look comes when it is due.
        let left = kept.look_at.take().map(|at| at.saturating_sub(uptime));
        let delay = left.map_or(delay, |left| left.min(delay));
        // What was found then tells no more: only a look does.
        let follows_in = self.follows_in(desired, &finding);
        let leads_back_in = self.leads_back_in(&finding.decision.record);
        let looks = follows_in.into_iter().chain(leads_back_in);
        let delay = looks.fold(delay, Duration::min);
        let again = again.filter(|again| *again < delay);
        let (Some(again), Some(kept)) = (again, self.memory.publishing.as_deref_mut()) else {
            return delay;
        };
        kept.again = Some(Box::new(Again {
            finding,
            generation: desired.generation,
            request: desired.request.clone(),
            timing: desired.timing.clone(),
            at: uptime.saturating_add(again),
            look_at: uptime.saturating_add(delay),
        }));
        again
    }

    /// The resource, as what is published names it; nothing for an object that can't own anything, or that was deleted meanwhile: what it
    /// had may be another's by now.
    fn owner(&self, desired: &Desired) -> Option<Owner> {
        let (namespace, name) = (self.object.namespace()?, self.object.name_any());
        let uid = self.object.uid()?;
        let there = self
            .context
            .roster
            .uid(&ResourceName::new(&namespace, &name));
        there.filter(|there| **there == *uid)?;
        Some(Owner {
            namespace,
            name,
            uid,
            api_version: TaurusProxyPort::api_version(&()).into_owned(),
            proxy: desired.subject.proxy.as_str().to_owned(),
        })
    }

    /// What is to be published; nothing for a resource that can't own anything.
    fn order(&self, desired: &Desired, wish: Wish, known: Known, waits: bool) -> Option<Order> {
        let owner = self.owner(desired)?;
        Some(Order {
            rivals: self.rivals(&owner),
            owner,
            before: names_left(self.object, &wish),
            sweeps: false,
            wish,
            known,
            verified: None,
            ahead: None,
            firm: None,
            waits,
            ends: desired.deleting,
        })
    }

    /// Other resources of the namespace that publish something for a proxy of this id. Also those that look for it elsewhere: what they
    /// have carries the id alone, and which of them is right is not known before each has seen the proxy.
    fn rivals(&self, owner: &Owner) -> Vec<Rival> {
        let claims = &self.context.claims;
        let near = claims.publishing(&owner.namespace, &owner.proxy, &owner.uid);
        let resource = |name| match self.context.roster.get(name)? {
            Guarded(Ok(object)) if object.metadata.deletion_timestamp.is_none() => {
                let wishes = Names {
                    service: object.spec.service.as_ref().map(|one| one.name.clone()),
                    config_map: object.spec.config_map.as_ref().map(|one| one.name.clone()),
                };
                let rival = Rival {
                    name: object.name_any(),
                    uid: object.uid()?,
                    has: names_had(&object),
                    wishes,
                };
                (rival.wishes != Names::default()).then_some(rival)
            }
            Guarded(_) => None,
        };
        near.iter().filter_map(resource).collect()
    }

    /// Where the proxy is, for applications; and the same by verified ports alone, where that is something else.
    fn known(&self, desired: &Desired, finding: &Finding) -> (Known, Option<Known>) {
        let now = self.context.clock.now().uptime;
        let status = self.object.status.as_ref();
        let kept = self.memory.publishing.as_deref();
        let uid = self.object.uid().unwrap_or_default();
        let is_free = self
            .context
            .permits
            .is_free(&desired.subject.instance, &uid);
        let may_follow = self.may_follow(desired);
        let others = if finding.observed.instance_taken || !is_free || !may_follow {
            Others::AtWork
        } else {
            let proxy = ProxyKey::of(&desired.subject);
            self.context.moves.of(&proxy, now)
        };
        let ground = Ground {
            record: &finding.decision.record,
            observed: &finding.observed,
            step: &finding.decision.step,
            observes: desired.policy == ManagementPolicy::Observe,
            networks: &self.context.networks,
            address: status.and_then(|status| status.address.as_deref()),
            endpoint: status
                .and_then(|status| status.service.as_ref())
                .and_then(|service| service.endpoint.as_deref()),
            greeted: self.greeted(&finding.decision.record),
            is_withdrawn: reason_of(self.object, SERVICE) == Some(Reason::EndpointWithdrawn),
            is_gone: kept.is_some_and(|kept| kept.is_gone),
            left_lately: self.left_lately(&finding.decision.record),
            others,
        };
        let known = endpoint::known(&ground);
        let verified = endpoint::is_by_greeting(&ground, &known).then(|| {
            endpoint::known(&Ground {
                endpoint: None,
                greeted: None,
                ..ground
            })
        });
        (known, verified)
    }

    /// The port that the last change has left, where lists may lag behind it. One of an earlier process counts as no older than this one
    /// has led, whatever the wall clock shows.
    fn left_lately(&self, record: &Record) -> Option<u16> {
        let last = record.last.as_ref()?;
        let left = match last.outcome {
            Outcome::Succeeded => last.to_port,
            Outcome::Failed | Outcome::Void => last.from_port,
        };
        let left = u16::try_from(left).ok();
        left.filter(|_| self.lists_lag_for(record).is_some())
    }

    /// For how long lists may still lag behind the end of the last change.
    pub(super) fn lists_lag_for(&self, record: &Record) -> Option<Duration> {
        let last = record.last.as_ref()?;
        let now = self.context.clock.now();
        let age = self.memory.session.age(last.finished_at.0, now);
        let age = age.min(self.context.leading_for());
        let left = self.context.pace.list_lag.checked_sub(age)?;
        Some(left).filter(|left| !left.is_zero())
    }

    /// In how long a list is believed that leads applications back from where a greeting has led them.
    fn leads_back_in(&self, record: &Record) -> Option<Duration> {
        let service = self.object.status.as_ref()?.service.as_ref()?;
        endpoint::unproven(record, service.endpoint.as_deref())?;
        self.lists_lag_for(record)
    }

    /// What is about to be made is found again by whoever comes next: also after a crash, and where the wish is withdrawn meanwhile.
    async fn put_names_on_record(&mut self, order: &Order) -> Result<(), JournalError> {
        let wish = &order.wish;
        let on_record = names_on_record(self.object);
        let is_new = wish.service.is_some() && on_record.service.is_none()
            || wish.config_map.is_some() && on_record.config_map.is_none();
        let may_make = matches!(&order.known, Known::At(_) | Known::Keep(Some(_)));
        if !is_new || !may_make || order.ends {
            return Ok(());
        }
        let wish = wish.clone();
        self.write(|object| {
            let status: TaurusProxyPortStatus = object.status.clone().unwrap_or_default();
            summary::with_names(status, &wish)
        })
        .await
    }

    /// What there is to say of what is published.
    pub(super) fn published_words(&self, desired: &Desired) -> summary::Publication {
        let wish = desired.publication.as_deref().cloned().unwrap_or_default();
        let kept = self.memory.publishing.as_deref();
        let said = kept.and_then(|kept| {
            // What came of another wish says nothing of this one.
            let last = kept
                .last
                .as_ref()
                .filter(|last| *last.order.wish() == wish)?;
            let mut published = last.published.clone();
            if let Some(contest) = &kept.contest {
                contest.tell(&mut published);
            }
            Some(published)
        });
        summary::Publication {
            published: said,
            wish,
            generation: desired.generation,
        }
    }

    /// People hear of what stands in the way when the status has not said so yet.
    fn tell_of_publication(&self, desired: &Desired) {
        let Some(published) = self.published_words(desired).published else {
            return;
        };
        let status = self.object.status.as_ref();
        let news = [
            (&published.service, SERVICE),
            (&published.config_map, CONFIG_MAP),
        ];
        for (said, kind) in news {
            let Some(said) = said else {
                continue;
            };
            let mut conditions = status.iter().flat_map(|status| &status.conditions);
            let reason = said.reason().name();
            let is_old = conditions.any(|one| one.type_ == kind && one.reason == reason);
            let class = match said {
                _ if is_old => continue,
                Said::NothingRead
                | Said::NotManaging
                | Said::Pending
                | Said::Unread(..)
                | Said::Through(..)
                | Said::Edited(_)
                | Said::NotLeading => continue,
                Said::Published | Said::PublishedBeside(..) | Said::Ahead(..) => Class::Ready,
                _ => Class::Stalled,
            };
            let text = summary::words(said).to_string();
            let about = self.object.object_ref(&());
            events::publish(self.context, about, class, reason, &text);
        }
    }
}

impl Kept {
    /// What has called for the turn that begins now.
    pub(in crate::controller) fn called(&mut self, calls: Calls) {
        if calls.by_edit.is_any() {
            self.contest.get_or_insert_default().edited(calls.by_edit);
        }
        if calls.otherwise {
            self.call_for_a_look();
        }
    }

    /// The sides with edits whose time has come. What is long past is kept no longer.
    fn edits_due(&mut self, uptime: Duration, terms: Terms) -> Sides {
        let Some(contest) = &mut self.contest else {
            return Sides::default();
        };
        contest.end(uptime, terms);
        let due = contest.due(uptime, terms);
        if contest.is_over(uptime, terms) {
            self.contest = None;
        }
        due
    }

    /// Whether something was published by this process.
    pub(in crate::controller) fn has_published(&self) -> bool {
        self.last.is_some()
    }

    /// The next turn is for more than edits.
    pub(in crate::controller) fn call_for_a_look(&mut self) {
        self.turn_at = None;
    }
}

/// In how long the resource has its next turn, whose `delay` was decided: sooner where an edit is to be put right before, or is no longer
/// one of too many.
pub(super) fn next_turn(
    context: &Context,
    memory: &mut Memory,
    delay: Option<Duration>,
) -> Option<Duration> {
    let Some(kept) = memory.publishing.as_deref_mut() else {
        return delay;
    };
    let uptime = context.clock.now().uptime;
    kept.turn_at = delay.map(|delay| uptime.saturating_add(delay));
    let terms = Terms::of(&context.pace, context.resync);
    let edits = kept.contest.iter();
    let times = edits.flat_map(|contest| contest.turns(uptime, terms));
    let sooner = times.map(|at| at.saturating_sub(uptime));
    delay.into_iter().chain(sooner).min()
}

/// How often in a row it could not be published, after this.
fn failures_after(before: u32, published: &Published) -> u32 {
    match published.urge() {
        Urge::Failed | Urge::Refused => before.saturating_add(1),
        Urge::None | Urge::Taken | Urge::Held | Urge::Denied => 0,
    }
}

/// The names that the status shows.
fn names_on_record(object: &TaurusProxyPort) -> Names {
    let status = object.status.as_ref();
    let service = status.and_then(|status| status.service.as_ref());
    let map = status.and_then(|status| status.config_map.as_ref());
    Names {
        service: service.map(|service| service.name.clone()),
        config_map: map.map(|map| map.name.clone()),
    }
}

/// The reason of a condition.
pub(super) fn reason_of(object: &TaurusProxyPort, kind: &str) -> Option<Reason> {
    let status = object.status.as_ref()?;
    let mut conditions = status.conditions.iter();
    let condition = conditions.find(|condition| condition.type_ == kind)?;
    condition.reason.parse().ok()
}

/// Whether nothing was said yet of something that is wished for.
fn is_unpublished(object: &TaurusProxyPort, wish: &Wish) -> bool {
    let is_silent = |kind| matches!(reason_of(object, kind), None | Some(Reason::Publishing));
    wish.service.is_some() && is_silent(SERVICE)
        || wish.config_map.is_some() && is_silent(CONFIG_MAP)
}

/// Those of them that the resource has itself, rather than waits for.
fn names_had(object: &TaurusProxyPort) -> Names {
    let has = |kind| {
        matches!(
            reason_of(object, kind),
            Some(
                Reason::Published
                    | Reason::EditContested
                    | Reason::EndpointWithdrawn
                    | Reason::AddressUnusable
            )
        )
    };
    let names = names_on_record(object);
    Names {
        service: names.service.filter(|_| has(SERVICE)),
        config_map: names.config_map.filter(|_| has(CONFIG_MAP)),
    }
}

/// Whether the resource has its Service, by what was said of it last: what fails in passing changes nothing of that.
pub(super) fn has_service(object: &TaurusProxyPort) -> bool {
    let reason = reason_of(object, SERVICE);
    names_had(object).service.is_some() || reason == Some(Reason::PublishFailed)
}

/// What the status says was made, and is wished for under this name no longer.
fn names_left(object: &TaurusProxyPort, wish: &Wish) -> Names {
    let names = names_on_record(object);
    let wished = wish.service.as_ref().map(|service| &service.name);
    Names {
        service: names.service.filter(|name| Some(name) != wished),
        config_map: names
            .config_map
            .filter(|name| Some(name) != wish.config_map.as_ref()),
    }
}
