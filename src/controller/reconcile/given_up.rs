//! What people are told of annotations: of jobs that were given up, at each resource that no longer waits for one, and at one whose word
//! on a job does not count; and of annotations that ask for nothing.

use kube::{Resource as _, ResourceExt as _};

use super::Pass;
use crate::{
    controller::{events, notices},
    desired::Desired,
    model::Class,
    plan::message::{self, GivenUpBy},
};

/// Reason of the event at a resource for which a job is given up.
const GIVEN_UP: &str = "JobAbandoned";

/// Reason of the event at a resource whose word on a job does not count for other namespaces.
const NOT_BELIEVED: &str = "AbandonJobIgnored";

/// Reason of the event at a resource with an annotation that asks for nothing.
const EMPTY: &str = "AnnotationIgnored";

impl Pass<'_> {
    /// Tells of each job once in the life of a process.
    pub(super) fn tell_of_given_up_jobs(&mut self, desired: &Desired) {
        let namespace = self.object.namespace().unwrap_or_default();
        let own_name = self.object.name_any();
        let claims = &self.context.claims;
        let given_up = claims.abandoned(&desired.subject, &namespace);
        if given_up.is_empty() {
            self.memory.told_given_up = None;
        } else {
            let mut told = self.memory.told_given_up.take().unwrap_or_default();
            told.retain(|job| given_up.contains_key(job));
            let at_work = self.record().change.and_then(|change| change.job);
            for (job, by) in &given_up {
                let by = match by {
                    None => GivenUpBy::Foreign,
                    // Whoever says so of another resource's job knows what that means here.
                    Some(by) if by.name() == own_name && at_work.as_ref() != Some(job) => continue,
                    Some(by) if by.name() == own_name => GivenUpBy::Itself,
                    Some(by) => GivenUpBy::Neighbour(by.name()),
                };
                if !told.insert(job.clone()) {
                    continue;
                }
                let note = message::job_given_up(job, by).to_string();
                self.tell(Class::Detail, GIVEN_UP, &note);
            }
            self.memory.told_given_up = Some(told);
        }
        let unheard = claims.unheard(self.uid);
        if let Some(job) = &unheard
            && self.memory.told_unheard.as_deref() != Some(job)
        {
            let note = message::job_not_given_up(job, &desired.subject.proxy).to_string();
            self.tell(Class::Stalled, NOT_BELIEVED, &note);
        }
        self.memory.told_unheard = unheard.map(Box::new);
    }

    /// Tells of annotations that ask for nothing, once for as long as they do.
    pub(super) fn tell_of_empty_annotations(&mut self) {
        let note = notices::of_empty_annotations(self.object);
        if let Some(note) = &note
            && self.memory.told_empty.as_deref() != Some(note)
        {
            self.tell(Class::Stalled, EMPTY, note);
        }
        self.memory.told_empty = note.map(Box::new);
    }

    fn tell(&self, class: Class, reason: &'static str, text: &str) {
        let (namespace, name) = (self.object.namespace(), self.object.name_any());
        tracing::info!(
            namespace,
            name,
            reason,
            detail = text,
            "an event about an annotation"
        );
        let about = self.object.object_ref(&());
        events::publish(self.context, about, class, reason, text);
    }
}
