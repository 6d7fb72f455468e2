//! One reconcile: read, look, plan, act, settle, report.
//!
//! Relies on the queue for there being only one reconcile of a resource at a time. Promises at most one write to
//! the cloud, and a status write only if something differs. `Err` means that Kubernetes itself failed.

use std::{sync::Arc, time::Duration};

use kube::{Resource as _, ResourceExt as _};

use crate::{
    controller::{
        accounts::Opened, context::Context, events, journal::JournalError, memory::Memory,
    },
    crd::{ManagementPolicy, TaurusProxyPort},
    desired::{self, Desired},
    fleet::directory::Directory,
    model::{Class, Moment, Uid},
    permits::Asker,
    plan::{
        Decision,
        facts::{Observed, Trouble},
        record::Record,
        step::{Cause, Step},
        summary,
    },
};

mod acting;
mod admitting;
mod changing;
mod given_up;
mod looking;
mod probing;
mod publishing;
mod reporting;
mod surveying;

pub use probing::Probing;
pub use publishing::Kept;
pub use surveying::Surveyed;

/// How often a reconcile starts over on a fresh view before it leaves it to the next one.
const MOST_VIEWS: u32 = 3;

/// Reconciles `delivered` and says when to look again; nothing if only a change of the resource calls for it.
pub async fn reconcile(
    context: &Context,
    uid: &Uid,
    delivered: &TaurusProxyPort,
    memory: &mut Memory,
) -> Result<Option<Duration>, JournalError> {
    let mut object = memory.freshest(delivered);
    let mut fetch = memory.take_doubt();
    // Known to hide nothing, as far as the API server tells.
    let mut is_whole = false;
    for _ in 0..MOST_VIEWS {
        if fetch {
            let Some(mut fresh) = context.journal.fetch(&object).await? else {
                return Ok(None);
            };
            memory.complete(&mut fresh);
            // The write that put an end on record may have been made though its answer was lost.
            reporting::count_end(context, uid, &object, &fresh);
            reporting::learn_length(context, memory, &fresh);
            memory.replaced(&object, &fresh);
            object = fresh;
        }
        if memory.misses_change() && is_whole {
            memory.forget_change();
        } else if memory.misses_change() {
            match context.journal.is_definition_whole(&object).await {
                Ok(Some(false)) => {
                    memory.keep_change(&mut object);
                    let generation = object.metadata.generation.unwrap_or_default();
                    context.definition.is_outdated(context.clock.now());
                    memory.record_pruned = Some(Box::new(generation));
                }
                // The definition may have been put right since the object was read: only what is read from now on tells.
                Ok(Some(true) | None) => {
                    (is_whole, fetch) = (true, true);
                    continue;
                }
                Err(JournalError::Conflict) => {
                    fetch = true;
                    continue;
                }
                Err(JournalError::Gone) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let passing = Box::pin(Pass::new(context, uid, memory, &mut object).run());
        match passing.await {
            Err(JournalError::Conflict) => fetch = true,
            Err(JournalError::Gone) => return Ok(None),
            Err(error) => return Err(error),
            Ok(delay) => return Ok(publishing::next_turn(context, memory, delay)),
        }
    }
    Err(JournalError::Conflict)
}

/// One attempt on one view of the object.
struct Pass<'a> {
    context: &'a Context,
    uid: &'a Uid,
    memory: &'a mut Memory,
    object: &'a mut TaurusProxyPort,
    /// What became of the credential that is used, where it is good for following a job only.
    withdrawn: Option<Trouble>,
    /// A change is due, and the proxy was busy when it was read last.
    was_busy: bool,
    /// Uptime of the next look, where this pass only goes on with a probe.
    look_at: Option<Duration>,
    /// Uptime at which this pass began.
    began: Duration,
    /// What the cloud is read with, once that is known.
    way: Option<Arc<Directory>>,
}

/// What was seen, and what follows.
#[derive(Debug, Clone)]
struct Finding {
    observed: Observed,
    decision: Decision,
    looked_at: Moment,
}

impl<'a> Pass<'a> {
    fn new(
        context: &'a Context,
        uid: &'a Uid,
        memory: &'a mut Memory,
        object: &'a mut TaurusProxyPort,
    ) -> Self {
        let began = context.clock.now().uptime;
        Self {
            context,
            uid,
            memory,
            object,
            withdrawn: None,
            was_busy: false,
            look_at: None,
            began,
            way: None,
        }
    }

    async fn run(mut self) -> Result<Option<Duration>, JournalError> {
        self.memory.session.forget_saved(&Record::of(self.object));
        let record = self.record();
        if record.vetted {
            // Should it have to be vetted again, what was read before says nothing of what came between.
            self.memory.seen_at = None;
        }
        let desired = match desired::read(self.object) {
            Ok(desired) => desired,
            Err(fault) => {
                let (fault, now) = (fault.to_string(), self.context.clock.now());
                let again = self.stand_by(&record);
                self.leave_edits();
                self.write(|object| summary::invalid(object, fault.clone(), now))
                    .await?;
                return Ok(again);
            }
        };
        if desired.deleting && record.change.is_none() {
            let again = self.stand_by(&record);
            self.leave_edits();
            if !record.ready {
                // What it waited for doesn't come any more.
                self.report_interim(&desired, &record, Cause::Deleting)
                    .await?;
            }
            return Ok(again);
        }
        if let Some(again) = self.see_to_edits(&desired).await? {
            return Ok(Some(again));
        }
        self.meet_definition(&desired);
        self.memory.session.meet(&record, self.context.clock.now());
        self.hold_instance(&desired, &record);
        if self.leaves_its_share(&record) {
            // Whatever comes of this pass; what is decided at its end may take the share again.
            self.memory.give_share_back();
        }
        // Whoever looks with the same booking does so before this is dropped.
        let booking = self.memory.booking.take();
        self.recall_survey(&desired, &record);
        self.look_at_definition().await?;
        self.acknowledge(&desired, &record).await?;
        self.acknowledge_suspension(&desired, &record).await?;
        if let Some(finding) = self.unpublished(&desired, &record) {
            // Nothing is looked at: the list has its time as it was booked.
            self.memory.booking = booking;
            return self.finish(&desired, finding).await;
        }
        self.join_published(&desired).await;
        if let Some(finding) = self.probed(&desired, &record) {
            self.memory.booking = booking;
            return self.finish(&desired, finding).await;
        }
        let namespace = self.object.namespace().unwrap_or_default();
        let uid = self.object.uid();
        let opening = self.context.accounts.cloud(
            &namespace,
            uid.as_deref(),
            &desired,
            self.context.clock.now(),
        );
        let opened = self.context.while_wanted(&record, opening).await??;
        let opened = opened.or_else(|trouble| self.followed(&desired, &record, trouble));
        let way = opened.map(|opened| {
            let news = self.memory.session.use_credential(opened.credential);
            if let Some(remark) = opened.remark.filter(|_| news) {
                let about = self.object.object_ref(&());
                events::publish(self.context, about, Class::Stalled, "KeysIgnored", &remark);
            }
            opened.directory
        });
        match (&record.change, &way) {
            (None, _) => self.memory.following = None,
            (Some(_), Ok(directory)) => self.memory.following = Some(Arc::clone(directory)),
            (Some(_), Err(_)) => {}
        }
        self.way = way.as_ref().ok().map(Arc::clone);
        self.see_instance_window(&desired, &record, &way).await?;
        self.see_admission(&desired, &record, &way).await?;
        let finding = if let Some(finding) = self.find_due(&desired, &way).await? {
            finding
        } else {
            let depth = self.depth(&desired, &record);
            match self.find_usual(&desired, &way, depth).await? {
                Ok(finding) => finding,
                Err(later) => {
                    let delay = self.put_off(&desired, later).await?;
                    return Ok(self.until_probed_meanwhile(&desired, delay));
                }
            }
        };
        if let Some(change) = &finding.decision.session.verified {
            let subject = &desired.subject;
            let verified = &self.context.verified;
            verified.note(&subject.instance, &subject.proxy, &change.job, change.at);
        }
        self.note_quiet(&desired, &finding);
        self.note_absence(&desired, &finding, way.as_ref().ok())
            .await;
        self.finish(&desired, finding).await
    }

    /// A job is followed with the credential that began it while its Secret is of no use. Nothing new begins with that one.
    fn followed(
        &mut self,
        desired: &Desired,
        record: &Record,
        trouble: Trouble,
    ) -> Result<Opened, Trouble> {
        let of_secret = matches!(
            trouble,
            Trouble::CredentialsMissing(_) | Trouble::CredentialsInvalid(_)
        );
        let has_job = record
            .change
            .as_ref()
            .is_some_and(|change| change.job.is_some());
        let credential = self
            .memory
            .session
            .credential
            .filter(|_| of_secret && has_job);
        let now = self.context.clock.now();
        let accounts = &self.context.accounts;
        let opened = credential.and_then(|known| accounts.remembered(known, desired, now));
        opened.map_or(Err(trouble.clone()), |opened| {
            self.withdrawn = Some(trouble);
            Ok(opened)
        })
    }

    /// What is on record, with a job that only this process knows.
    fn record(&self) -> Record {
        self.memory.session.complete(Record::of(self.object))
    }

    fn asker(&self) -> Asker {
        Asker {
            uid: self.object.uid().unwrap_or_default(),
            namespace: self.object.namespace().unwrap_or_default(),
            name: self.object.name_any(),
        }
    }

    /// Nothing is going to be changed as the resource stands: others come first. Says when to see to its permit again.
    fn stand_by(&mut self, record: &Record) -> Option<Duration> {
        let Context {
            clock,
            pace,
            permits,
            resync,
            ..
        } = self.context;
        permits.leave(&self.asker().uid);
        if record.change.is_some() {
            return self.memory.give_share_back().then_some(*resync);
        }
        self.memory.stand_by(record, clock.now(), pace)
    }

    /// A change on record holds its instance, also one from before this process.
    fn hold_instance(&mut self, desired: &Desired, record: &Record) {
        if record.change.is_none() {
            self.give_permit_back();
        } else if self.memory.permit.is_none() {
            let uid = self.asker().uid;
            let permit = self.context.permits.resume(&uid, &desired.subject.instance);
            self.memory.permit = permit.map(Box::new);
        }
    }

    /// No change is on record: the instance is free for others, unless one was taken from the record that may still be at work.
    pub(super) fn give_permit_back(&mut self) {
        let now = self.context.clock.now();
        self.memory.give_permit_back(now, &self.context.pace);
    }

    /// An object about which nothing was said yet is told apart from one that is done, at once.
    async fn acknowledge(
        &mut self,
        desired: &Desired,
        record: &Record,
    ) -> Result<(), JournalError> {
        let says_ready = self
            .object
            .status
            .iter()
            .flat_map(|status| &status.conditions);
        let silent = !says_ready
            .clone()
            .any(|condition| condition.type_ == "Ready");
        let unproven = desired.policy != ManagementPolicy::Observe
            && !record.vetted
            && says_ready
                .clone()
                .any(|condition| condition.type_ == "Ready" && condition.status == "True");
        if !(silent || unproven) {
            return Ok(());
        }
        let step = Step::Hold(Cause::FirstLook, Duration::ZERO);
        let decision = Decision {
            record: record.clone(),
            session: self.memory.session.clone(),
            step,
        };
        self.say(desired, &Observed::default(), &decision).await
    }
}
