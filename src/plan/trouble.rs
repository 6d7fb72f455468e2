//! What to do when the cloud can't be read.
//!
//! Trouble that passes by itself never stalls a resource; what a person has to mend shows at once.

use std::time::Duration;

use crate::{
    cloud::{CloudError, Meaning},
    model::{Class, Reason},
    plan::{
        backoff,
        facts::{Facts, Trouble},
        session::Sighting,
        step::{Cause, Step},
    },
};

/// How many failed resyncs in a row it takes until a settled resource says so.
const PATIENCE_IN_RESYNCS: u32 = 2;

/// While no change is on record.
pub fn while_idle(facts: &Facts<'_>, trouble: &Trouble) -> Step {
    let (cause, delay) = judge(facts, trouble, facts.session.failing.as_deref());
    let passing = cause.reason().class() == Class::Reconciling;
    // The first failure begins the count: the third resync in a row has failed when two periods are over.
    let patience = facts.resync.saturating_mul(PATIENCE_IN_RESYNCS);
    let failing = facts
        .session
        .failing
        .as_deref()
        .map_or(Duration::ZERO, |seen| seen.last.saturating_sub(seen.first));
    if passing && facts.is_settled() && failing < patience {
        Step::Keep(delay)
    } else {
        Step::Hold(cause, delay)
    }
}

/// While no change is on record but one is due, and the task list can't be read.
pub fn with_tasks(facts: &Facts<'_>, trouble: &Trouble) -> Step {
    let (cause, delay) = judge(facts, trouble, facts.session.tasks_failing.as_deref());
    Step::Hold(cause, delay)
}

/// While a change is on record: what passes by itself is not worth a word until it has lasted. `failing` counts the
/// failures of the read in question.
pub fn during_change(
    facts: &Facts<'_>,
    trouble: &Trouble,
    failing: Option<&Sighting>,
    meanwhile: Cause,
) -> Step {
    let (cause, delay) = judge(facts, trouble, failing);
    let passing = cause.reason().class() == Class::Reconciling;
    let failing = failing.map_or(Duration::ZERO, |seen| seen.last.saturating_sub(seen.first));
    if passing && failing < facts.pace.job_visible_within {
        Step::Hold(meanwhile, delay)
    } else {
        Step::Hold(cause, delay)
    }
}

/// A port that can't be read is no port: nothing follows from it.
pub fn unreadable_port() -> Trouble {
    Trouble::Cloud(CloudError {
        meaning: Meaning::Malformed,
        code: None,
        status: None,
        text: "the list shows the proxy without a readable port".to_owned(),
        retry_after: None,
    })
}

/// The cause for people and the wait before the next look.
fn judge(facts: &Facts<'_>, trouble: &Trouble, failing: Option<&Sighting>) -> (Cause, Duration) {
    match trouble {
        Trouble::CredentialsMissing(what) => match facts.session.awaited.as_deref() {
            Some(awaited) if facts.now.uptime < awaited.until => {
                let cause = Cause::WaitingForCredentials(what.clone(), awaited.shown);
                let left = awaited.until.saturating_sub(facts.now.uptime);
                (cause, facts.pace.secret_check.min(left))
            }
            _ => (
                Cause::Blocked(trouble.clone(), None),
                facts.pace.secret_check,
            ),
        },
        Trouble::CredentialsUnset(_) | Trouble::CredentialsInvalid(_) => (
            Cause::Blocked(trouble.clone(), None),
            facts.pace.secret_check,
        ),
        // The client holds it back without a call; its Secret may have been put right meanwhile.
        Trouble::Cloud(error) if is_refused_credential(error) => (
            Cause::Blocked(trouble.clone(), None),
            facts.pace.secret_check,
        ),
        Trouble::Cloud(error) => {
            let count = failing.map_or(1, |seen| seen.count);
            let missing = facts.session.missing.as_deref();
            let confirmed = missing.is_some_and(|seen| seen.confirmed(facts.pace.missing_gap));
            of_error(facts, error, count, confirmed)
        }
    }
}

fn is_refused_credential(error: &CloudError) -> bool {
    matches!(
        error.meaning,
        Meaning::Unauthenticated | Meaning::ClockSkew | Meaning::Locked
    )
}

/// The cause and the wait after the `count`-th such error in a row; an absence is believed only when it is `confirmed`.
pub fn of_error(
    facts: &Facts<'_>,
    error: &CloudError,
    count: u32,
    confirmed: bool,
) -> (Cause, Duration) {
    if error.meaning == Meaning::NotFound && !confirmed && !facts.says(Reason::InstanceNotFound) {
        return confirming_absence(facts);
    }
    let delay = backoff::after_error(error, count, facts.pace);
    let blocked = Cause::Blocked(Trouble::Cloud(error.clone()), None);
    match blocked.reason().class() {
        Class::Stalled => (blocked, delay),
        Class::Reconciling | Class::Ready | Class::Detail => {
            let at = is_wait_of_its_own(facts, error).then(|| facts.now.after(delay));
            (Cause::Passing(last_known(facts, error), at), delay)
        }
    }
}

/// What is said before the proxy has been looked for once more, and the wait before that.
pub fn confirming_absence(facts: &Facts<'_>) -> (Cause, Duration) {
    let gap = facts.pace.missing_gap;
    let missing = facts.session.missing.as_deref();
    let since = missing.map_or(Duration::ZERO, |missing| facts.now.elapsed(missing.first));
    let left = Some(gap.saturating_sub(since)).filter(|left| !left.is_zero());
    let wait = left.unwrap_or(gap);
    (Cause::ConfirmingAbsence(facts.now.after(wait)), wait)
}

/// Whether the time of the next try is worth a write of the status: the other side, the budget of calls or the kind of the refusal
/// sets it. The back-off from what merely fails grows with every look, and so would the time. A resource that is in place waits
/// for nothing, and there may be thousands of them.
fn is_wait_of_its_own(facts: &Facts<'_>, error: &CloudError) -> bool {
    let set = error.retry_after.is_some() || error.meaning == Meaning::UnknownRefusal;
    set && !facts.is_in_place()
}

/// Where no call was made, what was said of the one before stands: nothing new is known, and two reasons in turn would cost a write
/// with each look.
fn last_known(facts: &Facts<'_>, error: &CloudError) -> CloudError {
    let stands =
        error.meaning == Meaning::Unasked && facts.record.reason == Some(Reason::CloudUnreachable);
    let meaning = if stands {
        Meaning::Transient
    } else {
        error.meaning
    };
    CloudError {
        meaning,
        ..error.clone()
    }
}

impl Trouble {
    /// Whether a person has to see to it, unlike to what passes by itself.
    pub fn is_refusal(&self) -> bool {
        Cause::Blocked(self.clone(), None).reason().class() == Class::Stalled
    }
}

impl Facts<'_> {
    /// Whether nothing is to be done as far as is on record, whatever the status says of the last looks.
    pub fn is_in_place(&self) -> bool {
        let record = self.record;
        let in_place = record.vetted && record.port == Some(self.desired.port.get());
        record.change.is_none() && (in_place || self.observes())
    }

    /// Whether the status gives this reason for the wish as it is now.
    pub fn says(&self, reason: Reason) -> bool {
        let same = self.record.generation == Some(self.desired.generation);
        same && self.record.reason == Some(reason)
    }

    /// Whether the status says that this very wish is fulfilled.
    pub fn is_settled(&self) -> bool {
        let in_place = self.record.port == Some(self.desired.port.get());
        let wanted = self.record.vetted && in_place;
        let observed = self.observes() && self.record.reason == Some(Reason::Observed);
        self.record.ready && (wanted || observed)
    }
}
