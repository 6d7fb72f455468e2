//! What a change that is due would break in the cluster, told before it begins; of one that begins at once, told right after that.
//!
//! Relies on `surveys` for reads that end soon. Promises no read where no change is due, one for each plan and one now and then while it
//! waits, and that nothing here holds a change up for longer than such a read takes. What holds one back is the security group alone:
//! [`super::admitting`].

use std::{sync::Arc, time::Duration};

use kube::{Resource as _, ResourceExt as _};

use super::{Finding, Pass};
use crate::{
    controller::{
        events::{Kind, News},
        notices::PREFLIGHT,
        queue::seat,
        read::Desired,
        surveys::SHARED_FOR,
    },
    crd::PlanRecord,
    plan::{
        facts::{Facts, Observed, Preflight, Seen},
        record::{Change, Record},
        timing,
    },
    preflight::Move,
};

/// What was found for a plan that waits is looked at again after this, at the latest.
const LONGEST_KEPT: Duration = Duration::from_mins(5);

/// What was found for a plan.
#[derive(Debug)]
pub struct Surveyed {
    /// The plan.
    plan: String,
    found: Preflight,
    /// Whether nothing failed.
    is_whole: bool,
    /// The request of a person that was seen then: a new one asks for another look.
    request: Option<String>,
    /// Uptime.
    at: Duration,
}

impl Pass<'_> {
    /// What was found for the plan that waits, for decisions.
    pub(super) fn surveyed(&self) -> Option<Preflight> {
        let surveyed = self.memory.surveyed.as_deref();
        surveyed.map(|surveyed| self.with_group(&surveyed.found))
    }

    /// A plan on record has warnings from an earlier process: what is written without having looked would take them away.
    pub(super) async fn survey_recorded(&mut self, desired: &Desired, record: &Record) {
        let plan = record.plan.as_ref().filter(|_| record.change.is_none());
        match plan {
            Some(plan) if self.memory.surveyed.is_none() => {
                self.survey(desired, plan, &Observed::default()).await;
            }
            Some(_) => {}
            None => self.memory.surveyed = None,
        }
    }

    /// A finding, with what its change would break told in its plan.
    pub(super) async fn with_survey(&mut self, desired: &Desired, mut finding: Finding) -> Finding {
        let record = &finding.decision.record;
        let plan = record.plan.clone().filter(|_| record.change.is_none());
        let Some(plan) = plan else {
            self.memory.surveyed = None;
            return finding;
        };
        if self.is_survey_due(desired, &plan) {
            self.survey(desired, &plan, &finding.observed).await;
        }
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

    fn is_survey_due(&self, desired: &Desired, plan: &PlanRecord) -> bool {
        let Some(surveyed) = self.memory.surveyed.as_deref() else {
            return true;
        };
        let age = self.context.clock.now().elapsed(surveyed.at);
        // Looks come about as often as that: half of it skips none.
        let good_for = LONGEST_KEPT.min(self.context.resync / 2);
        surveyed.plan != plan.id || surveyed.request != desired.request || age >= good_for
    }

    async fn survey(&mut self, desired: &Desired, plan: &PlanRecord, observed: &Observed) {
        let ports = (plan.from_port, plan.to_port);
        let (Ok(from), Ok(to)) = (u16::try_from(ports.0), u16::try_from(ports.1)) else {
            return;
        };
        let moved = self.moved(desired, (from, to), observed);
        let known = self.memory.surveyed.take();
        let is_asked = known
            .as_ref()
            .is_some_and(|known| known.request != desired.request);
        let now = self.context.clock.now().uptime;
        let oldest = if is_asked {
            now
        } else {
            now.saturating_sub(SHARED_FOR)
        };
        let surveying = Box::pin(self.context.surveys.of(&moved.namespace, oldest));
        let survey = seat::aside(surveying).await;
        let before = known.filter(|known| known.found.ports == ports && known.is_whole);
        let (warnings, is_whole) = match before {
            // What was found before stands, as far as is known.
            Some(before) if !survey.is_whole() => (before.found.warnings, true),
            _ => (survey.warnings(&moved).into(), survey.is_whole()),
        };
        self.memory.surveyed = Some(Box::new(Surveyed {
            plan: plan.id.clone(),
            is_whole,
            found: Preflight { ports, warnings },
            request: desired.request.clone(),
            at: now,
        }));
    }

    fn moved(&self, desired: &Desired, (from, to): (u16, u16), observed: &Observed) -> Move {
        let seen = match &observed.proxy {
            Seen::Known(Some(proxy)) => proxy.address.clone(),
            Seen::Known(None) | Seen::NotRead | Seen::Unknown(_) => None,
        };
        let status = self.object.status.as_ref();
        let address = seen.or_else(|| status?.address.clone());
        let wish = desired.publication.as_deref();
        Move {
            namespace: self.object.namespace().unwrap_or_default(),
            address,
            from,
            to,
            service: wish.and_then(|wish| Some(wish.service.as_ref()?.name.clone())),
            config_map: wish.and_then(|wish| wish.config_map.clone()),
        }
    }

    /// Tells of what a change that was just begun breaks, unless that was told while it waited. Nothing waits for it.
    pub(super) fn survey_begun(
        &self,
        desired: &Desired,
        plan: Option<&PlanRecord>,
        change: &Change,
        observed: &Observed,
    ) {
        let surveyed = self.memory.surveyed.as_deref();
        let is_told = |plan: &PlanRecord| surveyed.is_some_and(|known| known.plan == plan.id);
        if plan.is_some_and(is_told) {
            return;
        }
        let moved = self.moved(desired, (change.from, change.to), observed);
        let surveys = Arc::clone(&self.context.surveys);
        let publisher = Arc::clone(&self.context.publisher);
        let clock = self.context.clock;
        let about = self.object.object_ref(&());
        let name = self.object.name_any();
        tokio::spawn(async move {
            let oldest = clock.now().uptime.saturating_sub(SHARED_FOR);
            let survey = surveys.of(&moved.namespace, oldest).await;
            let warnings = survey.warnings(&moved);
            if warnings.is_empty() {
                return;
            }
            let (from, to) = (moved.from, moved.to);
            let text = format!(
                "the change from port {from} to {to} was begun: {}",
                warnings.join("; ")
            );
            let namespace = &moved.namespace;
            tracing::warn!(
                namespace,
                name,
                reason = PREFLIGHT,
                detail = text,
                "preflight"
            );
            let news = News::new(about, Kind::Warning, PREFLIGHT, &text);
            publisher.publish(news, clock.now());
        });
    }
}
