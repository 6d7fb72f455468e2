//! What a change that is due would break in the cluster, said before it begins; of one that begins at once, right after that.
//!
//! Relies on `surveys` for reads that end soon. Promises no read where no change is due; one for each plan, and one now and then while it
//! waits; one for a change that waits without a plan; that what is on record stands until something else was seen; and that nothing
//! here holds up a change, or what is published, for longer than such a read takes. What holds a change back is the security group
//! alone: [`super::admitting`].

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource as _, ResourceExt as _};

use super::{Finding, Pass};
use crate::{
    controller::{events::News, notices, surveys::SHARED_FOR},
    crd::{PlanRecord, TaurusProxyPort},
    desired::Desired,
    plan::{
        facts::{Facts, Observed, Preflight, Seen},
        record::{Change, Record},
        step::Step,
        timing,
    },
    preflight::{
        Move,
        warnings::{Known, MOST},
    },
    seats,
};

/// What was found for a plan that waits is looked at again after this, at the latest.
const LONGEST_KEPT: Duration = Duration::from_mins(5);

/// A change that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Due {
    /// Its plan; nothing where none stands for it.
    plan: Option<String>,
    /// The port that goes, and the one that comes.
    ports: (i32, i32),
}

/// What was found for a change that is due.
#[derive(Debug)]
pub struct Surveyed {
    due: Due,
    known: Known,
    /// What was reported of it: by a status that was written, or by an event.
    reported: Vec<String>,
    /// The request of a person that was seen then: a new one asks for another look.
    request: Option<String>,
    /// Uptime of the last look; nothing where this process has not looked yet.
    at: Option<Duration>,
}

impl Surveyed {
    fn found(&self) -> Preflight {
        let (warnings, more) = self.known.texts(MOST);
        Preflight {
            ports: self.due.ports,
            warnings: warnings.into(),
            more,
        }
    }
}

impl Pass<'_> {
    /// What was found for the change that waits, for decisions.
    pub(super) fn surveyed(&self) -> Option<Preflight> {
        let surveyed = self.memory.surveyed.as_deref();
        surveyed.map(|surveyed| self.with_group(surveyed.found()))
    }

    /// A plan on record has warnings from an earlier process: they stand until this one has looked.
    pub(super) fn recall_survey(&mut self, desired: &Desired, record: &Record) {
        if record.change.is_some() {
            self.memory.surveyed = None;
        } else if let Some(plan) = &record.plan
            && self.memory.surveyed.is_none()
        {
            self.memory.surveyed = Some(Box::new(Surveyed {
                due: Due::of(plan),
                known: Known::of_record(&plan.warnings),
                reported: plan.warnings.clone(),
                request: desired.request.clone(),
                at: None,
            }));
        }
    }

    /// A finding, with what its change would break in its plan; where no plan stands for the change, an event says it.
    pub(super) async fn with_survey(&mut self, desired: &Desired, mut finding: Finding) -> Finding {
        let decision = &finding.decision;
        let is_over = decision.record.change.is_some() || decision.step == Step::Rest;
        if is_over {
            self.memory.surveyed = None;
            return finding;
        }
        let Some(due) = self.due(desired, &finding) else {
            // It may be due still: it is only not seen now.
            return finding;
        };
        if self.is_survey_due(desired, &due) {
            self.survey(desired, &due, &finding.observed).await;
        }
        let Some(plan) = finding.decision.record.plan.clone() else {
            self.report_awaited(&due);
            return finding;
        };
        self.see_group_of_plan(desired, &plan, &finding.observed)
            .await;
        let found = self.surveyed();
        if finding.observed.preflight == found {
            return finding;
        }
        finding.observed.preflight = found;
        finding.observed.admission = self.admission();
        let facts = Facts {
            session: &finding.decision.session,
            ..self.facts(desired, &finding.decision.record, &finding.observed)
        };
        if let Some(plan) = timing::after(&facts, &finding.decision.step) {
            finding.decision.record.plan = Some(plan);
        }
        finding
    }

    /// The change that is due and waits, if there is one.
    fn due(&self, desired: &Desired, finding: &Finding) -> Option<Due> {
        let decision = &finding.decision;
        if let Some(plan) = &decision.record.plan {
            return Some(Due::of(plan));
        }
        let facts = Facts {
            session: &decision.session,
            ..self.facts(desired, &decision.record, &finding.observed)
        };
        let ports = timing::awaited(&facts, &decision.step)?;
        Some(Due { plan: None, ports })
    }

    fn is_survey_due(&self, desired: &Desired, due: &Due) -> bool {
        let surveyed = self.memory.surveyed.as_deref();
        let Some(surveyed) = surveyed.filter(|surveyed| surveyed.due == *due) else {
            return true;
        };
        let Some(at) = surveyed.at else {
            return true;
        };
        // Looks come about as often as that: half of it skips none.
        let good_for = LONGEST_KEPT.min(self.context.resync / 2);
        let is_old = self.context.clock.now().elapsed(at) >= good_for;
        // What waits without a plan has nothing that would show what was mended: one look is enough.
        let is_watched = due.plan.is_some() || surveyed.known.is_in_part();
        surveyed.request != desired.request || is_old && is_watched
    }

    async fn survey(&mut self, desired: &Desired, due: &Due, observed: &Observed) {
        let (Ok(from), Ok(to)) = (u16::try_from(due.ports.0), u16::try_from(due.ports.1)) else {
            return;
        };
        let moved = self.moved(desired, (from, to), observed);
        let before = self.memory.surveyed.as_deref();
        let is_asked = before.is_some_and(|known| known.request != desired.request);
        let now = self.context.clock.now().uptime;
        let oldest = if is_asked {
            now
        } else {
            now.saturating_sub(SHARED_FOR)
        };
        let surveying = Box::pin(self.context.surveys.of(&moved.namespace, oldest));
        let look = seats::aside(surveying).await.look(&moved);
        let before = self.memory.surveyed.take();
        let same = before.as_deref().filter(|it| it.due.ports == due.ports);
        let known = Known::after(same.map(|it| &it.known), look);
        self.memory.surveyed = Some(Box::new(Surveyed {
            due: due.clone(),
            known,
            reported: before.map(|it| it.reported).unwrap_or_default(),
            request: desired.request.clone(),
            at: Some(now),
        }));
    }

    /// The address of the proxy, as it was read last.
    pub(super) fn address<'s>(&'s self, observed: &'s Observed) -> Option<&'s str> {
        let seen = match &observed.proxy {
            Seen::Known(Some(proxy)) => proxy.address.as_deref(),
            Seen::Known(None) | Seen::NotRead | Seen::Unknown(_) => None,
        };
        let status = self.object.status.as_ref();
        seen.or_else(|| status?.address.as_deref())
    }

    fn moved(&self, desired: &Desired, (from, to): (u16, u16), observed: &Observed) -> Move {
        let wish = desired.publication.as_deref();
        Move {
            namespace: self.object.namespace().unwrap_or_default(),
            address: self.address(observed).map(str::to_owned),
            from,
            to,
            service: wish.and_then(|wish| Some(wish.service.as_ref()?.name.clone())),
            config_map: wish.and_then(|wish| wish.config_map.clone()),
        }
    }

    /// What a written status says is reported.
    pub(super) fn note_reported(&mut self, written: &TaurusProxyPort) {
        let plan = written
            .status
            .as_ref()
            .and_then(|status| status.plan.as_ref());
        if let (Some(plan), Some(surveyed)) = (plan, self.memory.surveyed.as_deref_mut()) {
            surveyed.reported.clone_from(&plan.warnings);
        }
    }

    /// Says once what a change would break that waits without a plan.
    fn report_awaited(&mut self, due: &Due) {
        let Some(surveyed) = self.memory.surveyed.as_deref_mut() else {
            return;
        };
        let Some(news) = surveyed.known.news(&surveyed.reported) else {
            return;
        };
        surveyed.reported = surveyed.known.texts(MOST).0;
        let (from, to) = due.ports;
        let text = format!("the change from port {from} to {to} waits: {news}");
        notices::preflight(self.context, self.object, &text);
    }

    /// Says what a change that was just begun breaks, as far as that was not said while it waited. Nothing waits for it.
    pub(super) fn survey_begun(&self, desired: &Desired, change: &Change, observed: &Observed) {
        let ports = (i32::from(change.from), i32::from(change.to));
        let surveyed = self.memory.surveyed.as_deref();
        let surveyed = surveyed.filter(|surveyed| surveyed.due.ports == ports);
        let known = surveyed.map(|surveyed| surveyed.known.clone());
        let reported = surveyed.map_or_else(Vec::new, |surveyed| surveyed.reported.clone());
        let begun = Begun {
            about: self.object.object_ref(&()),
            moved: self.moved(desired, (change.from, change.to), observed),
            reported,
        };
        let publisher = Arc::clone(&self.context.publisher);
        let clock = self.context.clock;
        let now = clock.now();
        let is_new = |at: Duration| now.elapsed(at) < LONGEST_KEPT;
        if let (Some(known), true) = (&known, surveyed.and_then(|it| it.at).is_some_and(is_new)) {
            if let Some(news) = begun.news(known) {
                publisher.publish(news, now);
            }
            return;
        }
        let surveys = Arc::clone(&self.context.surveys);
        tokio::spawn(async move {
            let oldest = now.uptime.saturating_sub(SHARED_FOR);
            let survey = surveys.of(&begun.moved.namespace, oldest).await;
            let known = Known::after(known.as_ref(), survey.look(&begun.moved));
            if let Some(news) = begun.news(&known) {
                publisher.publish(news, clock.now());
            }
        });
    }
}

impl Due {
    fn of(plan: &PlanRecord) -> Self {
        Self {
            plan: Some(plan.id.clone()),
            ports: (plan.from_port, plan.to_port),
        }
    }
}

/// A change that was just begun.
struct Begun {
    about: ObjectReference,
    moved: Move,
    reported: Vec<String>,
}

impl Begun {
    /// What was not reported of it yet; a line of the log says the same.
    fn news(&self, known: &Known) -> Option<News> {
        let news = known.news(&self.reported)?;
        let ports = (self.moved.from, self.moved.to);
        Some(notices::preflight_begun(self.about.clone(), ports, &news))
    }
}
