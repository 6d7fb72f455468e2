//! What the security group of an instance means for the change that is due: read before it begins where the change waits for that, and
//! beside the survey of the cluster where people are only warned.
//!
//! Relies on the directory for reads that are shared, paid for and end. Promises no read where no change is due or waits, and one for each
//! plan and one now and then while it waits.

use std::{net::IpAddr, sync::Arc, time::Duration};

use kube::Resource as _;

use super::{Finding, Pass, looking::Way};
use crate::{
    controller::{journal::JournalError, notices},
    crd::{PlanRecord, PreflightMode},
    desired::Desired,
    fleet::directory::{
        Directory,
        groups::{GroupFault, GroupRead},
    },
    model::InstanceId,
    plan::{
        self,
        admitting::{self, Admission, Unchecked, Verdict},
        facts::{Observed, Preflight, Seen},
        message::admission as words,
        record::{Change, Record},
        step::{Cause, Step},
    },
    preflight::admission::{self, Shut},
    seats,
};

impl Pass<'_> {
    /// What was found of the security group, for decisions.
    pub(super) fn admission(&self) -> Option<Box<Admission>> {
        self.memory.admission.clone()
    }

    /// What was found in the cluster, with what is to be said of the security group before it.
    pub(super) fn with_group(&self, found: Preflight) -> Preflight {
        let known = self.memory.admission.as_deref();
        let known = known.filter(|known| {
            let ports: (i32, i32) = (known.ports.0.into(), known.ports.1.into());
            ports == found.ports
        });
        let warning = known.and_then(|known| words::warning(known.ports, &known.verdict));
        let Some(warning) = warning else {
            return found;
        };
        let warnings = std::iter::once(warning).chain(found.warnings.iter().cloned());
        Preflight {
            warnings: warnings.collect(),
            ..found
        }
    }

    /// Reads the security group where a change that is due by what is on record waits for it.
    pub(super) async fn see_admission(
        &mut self,
        desired: &Desired,
        record: &Record,
        way: &Way,
    ) -> Result<(), JournalError> {
        let (PreflightMode::Require, Ok(directory)) = (desired.preflight, way) else {
            return Ok(());
        };
        let Some(finding) = self.on_record(desired) else {
            return Ok(());
        };
        match self.waits_for_group(desired, &finding) {
            Some(from) => {
                self.read_admission(desired, record, directory, from, &finding.observed)
                    .await
            }
            None => Ok(()),
        }
    }

    /// The same where a look has just shown that a change is due. What was seen stands; it is not taken in twice.
    pub(super) async fn with_admission(
        &mut self,
        desired: &Desired,
        directory: &Arc<Directory>,
        mut finding: Finding,
    ) -> Result<Finding, JournalError> {
        if desired.preflight != PreflightMode::Require {
            return Ok(finding);
        }
        let Some(from) = self.waits_for_group(desired, &finding) else {
            return Ok(finding);
        };
        let record = self.record();
        self.read_admission(desired, &record, directory, from, &finding.observed)
            .await?;
        finding.observed.admission = self.admission();
        finding.decision = plan::decide_again(&self.facts(desired, &record, &finding.observed));
        Ok(finding)
    }

    /// The port of the proxy, where nothing but its security group can stand against a change of it.
    fn waits_for_group(&self, desired: &Desired, finding: &Finding) -> Option<u16> {
        let Seen::Known(Some(proxy)) = &finding.observed.proxy else {
            return None;
        };
        if finding.decision.record.change.is_some() {
            return None;
        }
        let facts = self.facts(desired, &finding.decision.record, &finding.observed);
        let is_held = matches!(
            finding.decision.step,
            Step::Hold(Cause::NotAdmitted { .. } | Cause::Looking, _)
        );
        let is_due = is_held || facts.is_vetted() && plan::is_change_due(&facts);
        proxy.port.filter(|_| is_due)
    }

    /// Reads the security group unless it was read lately for this change.
    async fn read_admission(
        &mut self,
        desired: &Desired,
        record: &Record,
        directory: &Arc<Directory>,
        from: u16,
        observed: &Observed,
    ) -> Result<(), JournalError> {
        let good_for = self.good_for(desired, record, admitting::good_for(&self.context.pace));
        if let Some(asking) = self.asking(desired, good_for, directory, from, observed) {
            let reading = Box::pin(asking.read());
            let read = self.context.while_wanted(record, reading).await?;
            self.memory.admission = Some(Box::new(read));
        }
        Ok(())
    }

    /// The same for a plan that waits, where people are warned: nothing is held up for longer than a moment. What comes later is found by
    /// the next pass.
    pub(super) async fn see_group_of_plan(
        &mut self,
        desired: &Desired,
        plan: &PlanRecord,
        observed: &Observed,
    ) {
        let way = self.way.clone().filter(|way| way.reads_groups());
        let (Some(directory), Ok(from)) = (way, u16::try_from(plan.from_port)) else {
            return;
        };
        let good_for = admitting::good_for_a_plan(&self.context.pace);
        let good_for = self.good_for(desired, &self.record(), good_for);
        if let Some(asking) = self.asking(desired, good_for, &directory, from, observed) {
            let reading = tokio::spawn(asking.read());
            let patience = self.context.pace.interim_after;
            let read = seats::aside(tokio::time::timeout(patience, reading)).await;
            if let Ok(Ok(read)) = read {
                self.memory.admission = Some(Box::new(read));
            }
        }
    }

    /// How old an answer may be: a person who asks for a look wants a new one.
    fn good_for(&self, desired: &Desired, record: &Record, usually: Duration) -> Duration {
        let is_new = self
            .memory
            .admission
            .as_deref()
            .is_some_and(|known| known.read_at >= self.began);
        if record.is_asked_by(desired.request.as_deref()) && !is_new {
            Duration::ZERO
        } else {
            usually
        }
    }

    /// The question for the security group; nothing where the last answer is still good.
    fn asking(
        &self,
        desired: &Desired,
        good_for: Duration,
        directory: &Arc<Directory>,
        from: u16,
        observed: &Observed,
    ) -> Option<Asking> {
        let ports = (from, desired.port.get());
        let now = self.context.clock.now().uptime;
        let known = self.memory.admission.as_deref();
        let is_good = known.is_some_and(|known| {
            known.ports == ports && now.saturating_sub(known.read_at) < good_for
        });
        if is_good {
            return None;
        }
        Some(Asking {
            directory: Arc::clone(directory),
            instance: InstanceId::clone(&desired.subject.instance),
            ports,
            address: self.address(observed).and_then(|it| it.parse().ok()),
            now,
            // Others of the instance may have had it read a while ago.
            after: now.saturating_sub(good_for / 2),
        })
    }

    /// Tells of whom a change that was just begun shuts out, unless that was told while it waited. Nothing waits for it.
    pub(super) fn tell_of_group(&self, desired: &Desired, change: &Change, observed: &Observed) {
        let known = self.memory.admission.as_deref();
        if known.is_some_and(|known| known.ports == (change.from, change.to)) {
            return;
        }
        let Some(directory) = self.way.clone().filter(|way| way.reads_groups()) else {
            return;
        };
        let good_for = admitting::good_for(&self.context.pace);
        let Some(asking) = self.asking(desired, good_for, &directory, change.from, observed) else {
            return;
        };
        let publisher = Arc::clone(&self.context.publisher);
        let clock = self.context.clock;
        let about = self.object.object_ref(&());
        tokio::spawn(async move {
            let found = asking.read().await;
            let Some(warning) = words::warning(found.ports, &found.verdict) else {
                return;
            };
            let news = notices::preflight_begun(about, found.ports, &warning);
            publisher.publish(news, clock.now());
        });
    }
}

/// A question for the security group of an instance.
struct Asking {
    directory: Arc<Directory>,
    instance: InstanceId,
    ports: (u16, u16),
    address: Option<IpAddr>,
    /// Uptime.
    now: Duration,
    /// What was read before this uptime is too old.
    after: Duration,
}

impl Asking {
    async fn read(self) -> Admission {
        let Self {
            directory,
            instance,
            ports,
            address,
            now,
            after,
        } = self;
        if !directory.reads_groups() {
            return Admission {
                ports,
                verdict: Verdict::Unchecked(Unchecked::Off),
                read_at: now,
            };
        }
        let read = directory.security_group(&instance, after).await;
        Admission {
            ports,
            verdict: judged(&read, ports, address),
            read_at: read.begun,
        }
    }
}

/// What was read means this for a port that moves.
fn judged(read: &GroupRead, ports: (u16, u16), address: Option<IpAddr>) -> Verdict {
    match &read.group {
        Ok(group) => {
            let sources = admission::shut_out(&group.rules, ports, address);
            if sources.is_empty() {
                Verdict::Admitted
            } else {
                Verdict::Shut(Shut {
                    group: group.id.clone(),
                    sources,
                })
            }
        }
        Err(GroupFault::None) => Verdict::Unchecked(Unchecked::NoGroup),
        Err(GroupFault::Instance(error)) => Verdict::Unchecked(Unchecked::Instance(error.clone())),
        Err(GroupFault::Rules(id, error)) => {
            Verdict::Unchecked(Unchecked::Rules(id.clone(), error.clone()))
        }
    }
}
