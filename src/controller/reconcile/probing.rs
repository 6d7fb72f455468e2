//! The probes of a resource's proxy, beside its looks.
//!
//! Relies on `plan::probing` for when one is due and what it means. A probe is a task of its own: no turn waits for it, and no seat. When it
//! ends, it calls for a turn, which publishes and says what came of it and makes no call of the cloud: the look that was due before is due
//! as it was. Promises at most one probe of a resource at a time, and that a row of them goes on while the list waits for its time.

use std::time::Duration;

use kube::{Resource as _, ResourceExt as _};
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Finding, Pass,
    publishing::{has_service, reason_of},
};
use crate::{
    controller::events,
    crd::ProbeMode,
    desired::{Desired, Timing},
    model::{Class, ResourceName},
    plan::{
        Decision,
        probing::{self, Aim, Before, Ground, Row, Said, Stage, UNTOLD},
        record::Record,
        step::Step,
        summary::{REACHABLE, Reach},
    },
    probe::Outcome,
    publish::wanted::Place,
};

/// What is kept of the probes of one proxy.
#[derive(Debug, Default)]
pub struct Probing {
    row: Row,
    under_way: Option<UnderWay>,
    /// What came of one that nobody has looked at yet.
    news: Option<News>,
    again: Option<Again>,
}

/// A probe that has ended.
#[derive(Debug)]
struct News {
    aim: Aim,
    place: Place,
    /// What was connected to, for this aim.
    target: Place,
    outcome: Outcome,
}

/// A probe that has begun; it ends with this.
#[derive(Debug)]
struct UnderWay {
    aim: Aim,
    place: Place,
    target: Place,
    answer: oneshot::Receiver<Outcome>,
    _task: AbortOnDropHandle<()>,
}

/// What the last look has found, for the turns of probes before the next one.
#[derive(Debug)]
struct Again {
    finding: Finding,
    generation: i64,
    request: Option<String>,
    /// What was said about the time of changes, also by annotations.
    timing: Option<Box<Timing>>,
    /// Uptime at which the next probe is due, if none is under way.
    at: Option<Duration>,
    /// Uptime of the next look.
    look_at: Duration,
}

impl Again {
    /// Whether nothing has changed since that this rests on.
    fn stands(&self, desired: &Desired, record: &Record) -> bool {
        let same = self.generation == desired.generation
            && self.request == desired.request
            && self.timing == desired.timing;
        let course = |record: &Record| {
            let change = record.change.as_ref();
            change.map(|change| (change.id.clone(), change.phase, change.job.clone()))
        };
        same && !desired.deleting && course(record) == course(&self.finding.decision.record)
    }
}

impl Probing {
    /// Takes in what came of the probe that is under way, if it has ended.
    fn hear(&mut self) {
        let Some(mut under_way) = self.under_way.take() else {
            return;
        };
        match under_way.answer.try_recv() {
            Ok(outcome) => {
                self.news = Some(News {
                    aim: under_way.aim,
                    place: under_way.place,
                    target: under_way.target,
                    outcome,
                });
            }
            Err(TryRecvError::Empty) => self.under_way = Some(under_way),
            // It was ended with the runtime.
            Err(TryRecvError::Closed) => {}
        }
    }
}

impl Pass<'_> {
    /// What the last look has found, where a probe has ended or is due since and nothing else has changed.
    pub(super) fn probed(&mut self, desired: &Desired, record: &Record) -> Option<Finding> {
        let uptime = self.context.clock.now().uptime;
        let probing = self.memory.probing.as_deref_mut()?;
        probing.hear();
        // It stands until the next finding takes its place: the list may have its time much later.
        let again = probing.again.as_ref()?;
        let is_called = probing.news.is_some() || again.at.is_some_and(|at| at <= uptime);
        if !(is_called && again.stands(desired, record) && uptime < again.look_at) {
            return None;
        }
        let mut finding = again.finding.clone();
        self.look_at = Some(again.look_at);
        finding.decision.record = record.clone();
        Some(finding)
    }

    /// When the resource has its next turn, where the next look was put off by `delay`: sooner for a probe that has ended or is due.
    pub(super) fn until_probed_meanwhile(
        &mut self,
        desired: &Desired,
        delay: Option<Duration>,
    ) -> Option<Duration> {
        let uptime = self.context.clock.now().uptime;
        let record = self.record();
        let (Some(wait), Some(probing)) = (delay, self.memory.probing.as_deref_mut()) else {
            return delay;
        };
        let has_news = probing.news.is_some();
        // What was found for another wish is of no use until the next look.
        let again = probing.again.as_mut();
        let Some(again) = again.filter(|again| again.stands(desired, &record)) else {
            return delay;
        };
        again.look_at = uptime.saturating_add(wait);
        let due = again.at.map(|at| at.saturating_sub(uptime));
        let due = if has_news { Some(Duration::ZERO) } else { due };
        Some(due.map_or(wait, |due| due.min(wait)))
    }

    /// Takes in what came of the last probe, and turns to what is to be probed now.
    pub(super) fn turn_to_probe(&mut self, desired: &Desired, finding: &Finding) {
        let decision = &finding.decision;
        let ground = self.ground(desired, &decision.record, &decision.step);
        let (stage, before) = (probing::stage(&ground), Before::of(&ground));
        let now = self.context.clock.now();
        if stage == Stage::Rest && self.memory.probing.is_none() {
            return;
        }
        let probing = self.memory.probing.get_or_insert_default();
        probing.hear();
        if let Stage::Probes(aim, place) = &stage {
            let row = &mut probing.row;
            row.turn_to(aim, *place, before, now, &self.context.pace);
        }
        if let Some(news) = probing.news.take() {
            self.context.meter.probed(news.outcome.name());
            // While a job is at work most are in vain.
            if matches!(news.aim, Aim::After(..)) && news.outcome != Outcome::Greeted {
                let (name, why) = (self.object.name_any(), news.outcome.text());
                let namespace = self.object.namespace();
                let place = news.target;
                tracing::info!(namespace, name, %place, why, "no MySQL greeting was read");
            }
            if probing.row.is_of(&news.aim, news.place) {
                probing.row.ends(news.target, news.outcome, now.wall);
            }
        }
        self.tell_of_probe(desired, decision);
    }

    /// Where greetings lead applications, which were read while the job of the change on record was at work, or since the last one failed.
    pub(super) fn greeted(&self, record: &Record) -> Option<Place> {
        let (id, place) = self.memory.probing.as_deref()?.row.leads()?;
        let is_of_it = match (&record.change, &record.last) {
            (Some(change), _) => *id == change.id && change.job.is_some(),
            (None, Some(last)) => last.id == id.as_str(),
            (None, None) => false,
        };
        is_of_it.then_some(place)
    }

    /// Ready waits for a greeting, where that is required.
    pub(super) fn held_by_probe(&self, desired: &Desired, decision: &Decision) -> Option<Decision> {
        let ground = self.ground(desired, &decision.record, &decision.step);
        let none = Row::default();
        let row = self
            .memory
            .probing
            .as_deref()
            .map_or(&none, |kept| &kept.row);
        let cause = probing::holds(&ground, row)?;
        Some(Decision {
            step: Step::Hold(cause, Duration::ZERO),
            ..decision.clone()
        })
    }

    /// What there is to say in the condition `Reachable`.
    pub(super) fn reach(&self, desired: &Desired, record: &Record, step: &Step) -> Reach {
        // What is held up for a probe is in order but for that.
        let is_held = matches!(step, Step::Hold(cause, _) if cause.reason().is_of_probes());
        let step = if is_held { &Step::Rest } else { step };
        let ground = self.ground(desired, record, step);
        let none = Row::default();
        let row = self
            .memory
            .probing
            .as_deref()
            .map_or(&none, |kept| &kept.row);
        let said = probing::said(&ground, row, self.greeted(record));
        Reach {
            mode: desired.probe,
            said,
            generation: desired.generation,
        }
    }

    /// When the resource has its next turn: for the next look after `delay`, or for a probe. Begins one that is due.
    pub(super) fn until_probed(
        &mut self,
        desired: &Desired,
        finding: Finding,
        delay: Duration,
    ) -> Duration {
        let now = self.context.clock.now().uptime;
        let Some(mut probing) = self.memory.probing.take() else {
            return delay;
        };
        let look_at = now.saturating_add(delay);
        // However many probes there are, the next look comes when it is due.
        let look_at = self.look_at.take().map_or(look_at, |at| at.min(look_at));
        let decision = &finding.decision;
        let ground = self.ground(desired, &decision.record, &decision.step);
        let (stage, is_awaited) = (probing::stage(&ground), probing::is_awaited(&ground));
        let is_over = stage == Stage::Rest && decision.record.change.is_none();
        let mut due = None;
        if let Stage::Probes(aim, place) = stage
            && probing.under_way.is_none()
        {
            let (pace, resync) = (&self.context.pace, self.context.resync);
            due = probing.row.due(is_awaited, now, pace, resync);
            if let Some(target) = probing.row.target()
                && due.take_if(|due| due.is_zero()).is_some()
            {
                probing.row.begins(now);
                probing.under_way = Some(self.begin(aim, place, target));
            }
        }
        let is_active = probing.under_way.is_some() || due.is_some();
        let until_look = look_at.saturating_sub(now);
        let until = due.map_or(until_look, |due| due.min(until_look));
        probing.again = is_active.then(|| Again {
            generation: desired.generation,
            request: desired.request.clone(),
            timing: desired.timing.clone(),
            at: due.map(|due| now.saturating_add(due)),
            look_at,
            finding,
        });
        // Nothing more is known than the status says.
        self.memory.probing = (is_active || !is_over).then_some(probing);
        until
    }

    fn begin(&self, aim: Aim, place: Place, target: Place) -> UnderWay {
        let probe = self.context.probe.probe(target);
        let caller = self.context.caller();
        let namespace = self.object.namespace().unwrap_or_default();
        let name = ResourceName::new(&namespace, &self.object.name_any());
        let (told, answer) = oneshot::channel();
        let task = tokio::spawn(async move {
            let outcome = probe.await;
            tracing::debug!(place = %target, ?outcome, "a proxy was probed");
            // An error means that nobody wants to know any longer.
            if told.send(outcome).is_ok() {
                let _ = caller.unbounded_send(name);
            }
        });
        UnderWay {
            aim,
            place,
            target,
            answer,
            _task: AbortOnDropHandle::new(task),
        }
    }

    fn ground<'g>(
        &'g self,
        desired: &'g Desired,
        record: &'g Record,
        step: &'g Step,
    ) -> Ground<'g> {
        let status = self.object.status.as_ref();
        let wish = desired.publication.as_deref();
        let serves = wish.is_some_and(|wish| wish.service.is_some());
        Ground {
            mode: desired.probe,
            serves: serves && has_service(self.object),
            record,
            step,
            networks: &self.context.networks,
            address: status.and_then(|status| status.address.as_deref()),
            endpoint: status
                .and_then(|status| status.service.as_ref())
                .and_then(|service| service.endpoint.as_deref()),
            said: reason_of(self.object, REACHABLE),
            request: desired.request.as_deref(),
            is_asked: desired.request.is_some()
                && desired.request != status.and_then(|status| status.last_handled_request.clone()),
            is_lately: self.lists_lag_for(record).is_some(),
        }
    }

    /// People hear that a proxy does not answer where the status has not said so yet. Where Ready waits for it, its own event tells them.
    fn tell_of_probe(&self, desired: &Desired, decision: &Decision) {
        let reach = self.reach(desired, &decision.record, &decision.step);
        let Some(Said::Told(place, outcome, _)) = &reach.said else {
            return;
        };
        let is_old = reason_of(self.object, REACHABLE) == Some(outcome.reason());
        if is_old || *outcome == Outcome::Greeted || desired.probe != ProbeMode::Report {
            return;
        }
        let about = self.object.object_ref(&());
        let text = format!("no MySQL greeting was read at {place}; {UNTOLD}");
        let reason = outcome.reason().name();
        events::publish(self.context, about, Class::Stalled, reason, &text);
    }
}
