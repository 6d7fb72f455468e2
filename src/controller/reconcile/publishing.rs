//! What applications reach the proxy by, written before the status says that the port is in place.
//!
//! Relies on `plan::endpoint` for where they may be led. Promises no call for a resource that wishes for nothing, and none where the same
//! was published a short while ago; a name on record before anything of that name is made; that what failed is tried again without
//! another look at the cloud; and that Ready waits for what failed in passing, and for nothing that a person has to mend.

use std::time::Duration;

use kube::{Resource as _, ResourceExt as _};

use super::{Finding, Pass};
use crate::{
    controller::{events, guarded::Guarded, journal::JournalError, memory::Seldom},
    crd::{TaurusProxyPort, TaurusProxyPortStatus},
    desired::{Desired, Timing, Wish},
    model::{Class, ResourceName},
    pace,
    plan::{
        Decision,
        absence::Absence,
        endpoint,
        record::Record,
        step::{Cause, Step},
        summary,
    },
    publish::{
        contest::Contest,
        filed::Filed,
        order::{Known, Names, Order, Places, Published, Rival, Urge},
        said::Said,
        standing::Owner,
    },
    seats,
};

mod edits;
mod ground;
mod names;

use names::{is_unpublished, names_had, names_left, names_on_record};

pub(super) use edits::next_turn;
pub(super) use names::{has_service, reason_of};

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
    /// Something was edited, and no turn could see to that.
    is_unseen: bool,
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
        let joined = seats::aside(joining).await;
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
            && !kept.is_unseen
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
        let published = seats::aside(publishing).await;
        order.sweeps = false;
        let outcomes = [&published.service, &published.config_map];
        for said in outcomes.into_iter().flatten() {
            self.context.meter.published(said.reason());
        }
        let now = self.context.clock.now().uptime;
        let kept = self.memory.publishing.get_or_insert_default();
        kept.failures = failures_after(kept.failures, &published);
        kept.is_unseen = false;
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
            pace::doubling((first, longest.min(resync)), kept.failures)
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

/// How often in a row it could not be published, after this.
fn failures_after(before: u32, published: &Published) -> u32 {
    match published.urge() {
        Urge::Failed | Urge::Refused => before.saturating_add(1),
        Urge::None | Urge::Taken | Urge::Held | Urge::Denied => 0,
    }
}
