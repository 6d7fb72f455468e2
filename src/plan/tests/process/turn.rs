//! One turn of a process, in the order of the real one.
//!
//! Relies on the real `read`, `look`, `decide`, `settle` and `summary`; what lies between them follows the reconciler.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::executor::block_on;

use super::{
    super::{
        cloud::{Answer, Sky},
        world::{Cluster, Flaw, Start},
    },
    CrashPoint, Halt, Process, RESYNC, Waiting,
};
use crate::{
    calendar::Hours,
    clock::Clock,
    cloud::{Cloud, CloudError, Meaning},
    controller::look::{Depth, Listing, Viewpoint, look},
    crd::{ManagementPolicy, Phase, TaurusProxyPort, TaurusProxyPortStatus},
    desired::{Desired, Timing, read},
    fleet::{claims::Standing, directory::Directory, verified::Verified},
    model::{ChangeId, JobId, Moment},
    pace::Pace,
    plan::{
        self, Decision,
        admitting::Admission,
        backoff,
        facts::{Facts, Observed, Seen},
        protocol,
        record::{Change, Record},
        settle,
        step::{Cause, Order, Progress, Step},
        summary, timing,
    },
};

/// One turn of a process, on one view of the object.
pub(super) struct Turn<'a> {
    pub(super) process: &'a mut Process,
    pub(super) cluster: &'a mut Cluster,
    pub(super) sky: &'a Sky,
    pub(super) version: u64,
    pub(super) object: TaurusProxyPort,
}

impl Turn<'_> {
    pub(super) fn run(&mut self) -> Result<Duration, Halt> {
        let desired = match read(&self.object) {
            Ok(desired) => self.credulous(desired),
            Err(fault) => {
                let status = summary::invalid(&self.object, fault.to_string(), self.now());
                self.put_down(status)?;
                return Ok(resync());
            }
        };
        let record = Record::of(&self.object);
        let now = self.now();
        self.process.session.meet(&record, now);
        if desired.deleting && record.change.is_none() {
            return Ok(resync());
        }
        self.acknowledge(&desired, &record)?;
        let (mut observed, mut decision) = self.find(&desired, false);
        if decision.step == Step::LookAtTasks {
            (observed, decision) = self.find(&desired, true);
        }
        if let Step::Change(order) = decision.step {
            return self.act(desired, order, observed, &decision);
        }
        self.finish(&desired, &observed, decision)
    }

    /// What is wanted, as one sees it who believes any approval.
    fn credulous(&self, mut desired: Desired) -> Desired {
        let approves = |timing: &Timing| timing.approved_by_annotation.is_some();
        if self.cluster.flaw == Some(Flaw::BelievesAnyApproval)
            && let Some(timing) = desired.timing.as_mut().filter(|timing| approves(timing))
        {
            timing.needs_approval = false;
        }
        desired
    }

    fn now(&self) -> Moment {
        let now = self.sky.state();
        let uptime = now.now.saturating_sub(self.process.started) + self.process.head_start;
        let ahead = Duration::from_secs(self.process.ahead);
        let wall = now.wall().checked_add(ahead).unwrap();
        Moment::new(wall, Duration::from_secs(uptime))
    }

    fn acknowledge(&mut self, desired: &Desired, record: &Record) -> Result<(), Halt> {
        let status = self.object.status.as_ref();
        let mut ready = status
            .iter()
            .flat_map(|status| &status.conditions)
            .filter(|condition| condition.type_ == "Ready");
        let (silent, unproven) = match ready.next() {
            None => (true, false),
            Some(ready) => {
                let observes = desired.policy == ManagementPolicy::Observe;
                (false, !observes && !record.vetted && ready.status == "True")
            }
        };
        if !(silent || unproven) {
            return Ok(());
        }
        let decision = Decision {
            record: record.clone(),
            session: self.process.session.clone(),
            step: Step::Hold(Cause::FirstLook, Duration::ZERO),
        };
        self.write(desired, &Observed::default(), &decision)?;
        self.crash_at(CrashPoint::AfterFirstWord)
    }

    fn find(&mut self, desired: &Desired, closer: bool) -> (Observed, Decision) {
        let record = Record::of(&self.object);
        let now = self.now();
        let mut session = self.process.session.clone();
        session.turn_to(record.change.as_ref(), now);
        let cloud: Arc<dyn Cloud> = Arc::new(self.sky.clone());
        let directory = Arc::new(Directory::new(Arc::clone(&cloud), Clock::start()));
        let abandoned: BTreeSet<JobId> = desired.abandoned_job.iter().cloned().collect();
        let pace = Pace::real();
        let from = Viewpoint {
            beside: None,
            directory: self.process.trouble.clone().map_or(Ok(&directory), Err),
            desired,
            record: &record,
            session: &session,
            abandoned: &abandoned,
            verified: &Verified::default(),
            pace: &pace,
            now,
        };
        let depth = if closer {
            Depth::Tasks(cloud.as_ref())
        } else {
            Depth::Usual(Listing::Now)
        };
        let mut observed = block_on(look(&from, depth)).unwrap();
        let now = self.sky.state().now;
        let limit = self
            .cluster
            .limit
            .as_ref()
            .filter(|_| record.change.is_none());
        let limit = limit.filter(|(until, _)| *until > now);
        observed.limit = limit.map(|(_, limit)| limit.clone());
        observed.instance_taken = self.cluster.orphan_until > self.sky.state().now;
        let left = self
            .cluster
            .owned_until
            .saturating_sub(self.sky.state().now);
        observed.standing = if self.cluster.standing == Standing::Owner && left > 0 {
            Standing::Open(Duration::from_secs(left))
        } else {
            self.cluster.standing.clone()
        };
        observed.record_pruned = self.cluster.pruned;
        let from = match &observed.proxy {
            Seen::Known(Some(proxy)) => proxy.port,
            Seen::Known(None) | Seen::NotRead | Seen::Unknown(_) => None,
        };
        let verdict = self.cluster.admission.clone();
        observed.admission = from.zip(verdict).map(|(from, verdict)| {
            Box::new(Admission {
                ports: (from, desired.port.get()),
                verdict,
                read_at: self.now().uptime,
            })
        });
        let takes = self.cluster.takes.map(Duration::from_secs);
        observed.terms = timing::terms(
            &self.object,
            desired,
            &self.cluster.calendar,
            self.cluster.instance_window.as_ref(),
            || takes,
            u32::try_from(self.cluster.version).unwrap(),
        );
        if self.cluster.flaw == Some(Flaw::IgnoresTime)
            && let Some(terms) = &mut observed.terms
        {
            terms.hours = Hours::default();
        }
        let decision = plan::decide(&self.facts(desired, &record, &observed, &pace));
        self.process.session = decision.session.clone();
        (observed, decision)
    }

    fn facts<'f>(
        &'f self,
        desired: &'f Desired,
        record: &'f Record,
        observed: &'f Observed,
        pace: &'f Pace,
    ) -> Facts<'f> {
        let now = self.now();
        Facts {
            desired,
            record,
            observed,
            session: &self.process.session,
            now,
            leading_for: now.uptime,
            pace,
            resync: resync(),
        }
    }

    fn act(
        &mut self,
        desired: Desired,
        order: Order,
        observed: Observed,
        decision: &Decision,
    ) -> Result<Duration, Halt> {
        self.crash_at(CrashPoint::BeforeIntent)?;
        let now = self.now();
        let change = Change {
            id: ChangeId::from_bits(
                u128::from(self.cluster.version) << 32 | u128::from(self.process.started),
            ),
            plan: decision.record.plan.as_ref().map(|plan| plan.id.clone()),
            from: order.from,
            to: order.to.get(),
            generation: desired.generation,
            phase: Phase::Intended,
            attempt: order.attempt,
            job: None,
            intended_at: now.wall,
            submitted_at: None,
        };
        self.process.session.turn_to(Some(&change), now);
        let intent = Decision {
            record: Record {
                change: Some(change.clone()),
                ..decision.record.clone()
            },
            ..decision.clone()
        };
        if let Err(halt) = self.write(&desired, &observed, &intent) {
            let on_record = Record::of(&self.object).change;
            self.process.session.turn_to(on_record.as_ref(), now);
            return Err(halt);
        }
        let plan = decision.record.plan.clone();
        let left_at = self.sky.state().now;
        self.cluster.used_plan.clone_from(&plan);
        self.crash_at(CrashPoint::AfterIntent)?;
        let (answer, takes) = self.sky.state().put(change.to);
        let changed_nothing = matches!(answer, Answer::Refused(_) | Answer::NotSent(_));
        self.cluster.starts.push(Start {
            at: left_at,
            plan: plan.as_ref().map(|plan| plan.id.clone()),
            changed_nothing,
        });
        self.crash_at(CrashPoint::AfterRequest)?;
        let uses_it = !changed_nothing || rejects(&answer);
        if uses_it && self.cluster.flaw != Some(Flaw::KeepsUsedPlans) {
            self.process.session.use_plan(plan.as_ref());
        }
        let waiting = Waiting {
            until: self.sky.state().now + takes,
            desired,
            change,
            observed,
            plan: plan.filter(|_| !uses_it),
        };
        match answer {
            Answer::Unknown => {
                self.process.waiting = Some(waiting);
                Ok(Duration::ZERO)
            }
            Answer::Accepted(job) => self.accepted(&waiting, &job, intent),
            Answer::NothingToDo => {
                let record = Record::of(&self.object);
                let record = settle::advance(record, Progress::JobDone, self.now());
                let step = protocol::nothing_to_do(self.now(), &Pace::real());
                let decision = Decision {
                    record,
                    session: self.process.session.clone(),
                    step,
                };
                self.finish(&waiting.desired, &waiting.observed, decision)
            }
            Answer::Refused(error) | Answer::NotSent(error) => self.refused(&waiting, error),
        }
    }

    fn accepted(
        &mut self,
        waiting: &Waiting,
        job: &JobId,
        intent: Decision,
    ) -> Result<Duration, Halt> {
        let with_job = settle::submitted(waiting.change.clone(), job.clone(), self.now().wall);
        let decision = Decision {
            record: Record {
                change: Some(with_job),
                ..intent.record
            },
            session: self.process.session.clone(),
            step: intent.step,
        };
        self.write(&waiting.desired, &waiting.observed, &decision)?;
        self.crash_at(CrashPoint::AfterJob)?;
        self.process.session.accepted();
        self.process
            .session
            .turn_to(decision.record.change.as_ref(), self.now());
        self.finish(&waiting.desired, &waiting.observed, decision)
    }

    fn refused(&mut self, waiting: &Waiting, error: CloudError) -> Result<Duration, Halt> {
        let now = self.now();
        let mut record = Record::of(&self.object);
        record.change = None;
        record.plan.clone_from(&waiting.plan);
        let port = waiting.change.to;
        let before = self.process.session.refusal.as_ref();
        let count = before
            .filter(|refusal| refusal.port == port)
            .map_or(1, |refusal| refusal.count + 1);
        let wait = backoff::after_error(&error, count, &Pace::real());
        if error.meaning == Meaning::Rejected {
            settle::rejected(&mut record, port, error.to_string(), now);
        }
        self.process.session.refused(error, port, count, wait, now);
        self.conclude(waiting, &record)
    }

    /// No answer came.
    pub(super) fn answered(&mut self, waiting: &Waiting) -> Result<Duration, Halt> {
        let record = Record::of(&self.object);
        self.conclude(waiting, &record)
    }

    fn conclude(&mut self, waiting: &Waiting, record: &Record) -> Result<Duration, Halt> {
        let now = self.now();
        self.process.session.turn_to(record.change.as_ref(), now);
        let pace = Pace::real();
        let facts = self.facts(&waiting.desired, record, &waiting.observed, &pace);
        let decision = plan::decide_again(&facts);
        self.finish(&waiting.desired, &waiting.observed, decision)
    }

    fn finish(
        &mut self,
        desired: &Desired,
        observed: &Observed,
        decision: Decision,
    ) -> Result<Duration, Halt> {
        self.write(desired, observed, &decision)?;
        let delay = match &decision.step {
            Step::Rest => resync(),
            Step::Keep(delay) | Step::Hold(_, delay) if observed.has_failed() => *delay,
            Step::Keep(delay) | Step::Hold(_, delay) => (*delay).min(resync()),
            Step::Change(_) | Step::LookAtTasks | Step::Advance(_) => Pace::real().poll_first,
        };
        let delay = delay.min(self.called_in(&decision.step));
        self.process.step = Some(decision.step);
        Ok(delay)
    }

    /// Who waits for a permit is woken when it may have one.
    fn called_in(&self, step: &Step) -> Duration {
        let until = match step {
            Step::Hold(Cause::WaitingForInstance(_), _) => self.cluster.orphan_until,
            Step::Hold(Cause::WaitingForLimit(_), _) => {
                self.cluster.limit.as_ref().map_or(0, |(until, _)| *until)
            }
            _ => return Duration::MAX,
        };
        Duration::from_secs(until.saturating_sub(self.sky.state().now))
    }

    fn write(
        &mut self,
        desired: &Desired,
        observed: &Observed,
        decision: &Decision,
    ) -> Result<(), Halt> {
        let status = summary::status(&self.object, desired, observed, decision, self.now());
        self.put_down(status)
    }

    fn put_down(&mut self, status: TaurusProxyPortStatus) -> Result<(), Halt> {
        if self.object.status.as_ref() == Some(&status) {
            return Ok(());
        }
        self.cluster
            .replace(self.version, status, self.sky)
            .map_err(|_| Halt::Stale)?;
        self.version = self.cluster.version;
        self.object = self.cluster.object.clone();
        Ok(())
    }

    fn crash_at(&mut self, point: CrashPoint) -> Result<(), Halt> {
        match self.process.crash {
            Some(told) if told == point => Err(Halt::Crash),
            _ => Ok(()),
        }
    }
}

fn rejects(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(error) if error.meaning == Meaning::Rejected)
}

fn resync() -> Duration {
    Duration::from_secs(RESYNC)
}
