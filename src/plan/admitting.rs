//! Whether a change waits for the security group of its instance: what was found of it, and the gate.
//!
//! Relies on `preflight::admission` for the judgement. Promises that with `spec.preflight: Require` no change passes for which the group was
//! not seen to let in at the new port whom it lets in at the old one, that no annotation and no approval overrides that, and that what was
//! found counts for minutes.

use std::time::Duration;

use crate::{
    cloud::{CloudError, Proxy},
    crd::{PreflightMode, WaitsFor},
    pace::Pace,
    plan::{
        facts::{Facts, Seen},
        step::{Cause, Step},
    },
    preflight::admission::Shut,
};

/// What was found of the security group of an instance, for a port that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The port that goes, and the one that comes.
    pub ports: (u16, u16),
    /// What was found.
    pub verdict: Verdict,
    /// Uptime at which it was read.
    pub read_at: Duration,
}

/// What a security group means for a port that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It lets in at the new port whom it lets in at the old one.
    Admitted,
    /// It does not.
    Shut(Shut),
    /// Nobody knows.
    Unchecked(Unchecked),
}

/// Why nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unchecked {
    /// The operator was not asked to read security groups.
    Off,
    /// The cloud names no group of the instance.
    NoGroup,
    /// The details of the instance could not be read.
    Instance(CloudError),
    /// The rules of the group with this id could not be read.
    Rules(String, CloudError),
}

/// What was found is read again after this.
pub fn good_for(pace: &Pace) -> Duration {
    pace.stuck_poll
}

/// The same for a plan that waits for something else: a large fleet may wait for the same window, and each read is calls.
pub fn good_for_a_plan(pace: &Pace) -> Duration {
    good_for(pace).saturating_mul(6)
}

/// No change rests on what was read longer ago than this: who waited for its calls meanwhile has it read once more.
fn counts_for(pace: &Pace) -> Duration {
    good_for(pace).saturating_mul(2)
}

/// Holds a change back until its security group is seen to let in who has to be.
pub fn gate(facts: &Facts<'_>, proxy: &Proxy) -> Option<Step> {
    if facts.desired.preflight != PreflightMode::Require {
        return None;
    }
    let Some(known) = known(facts, (proxy.port?, facts.desired.port.get())) else {
        // It is read before the task list is, which every change needs.
        let is_read_next = facts.observed.tasks == Seen::NotRead;
        let wait = Step::Hold(Cause::Looking, facts.pace.poll_first);
        return (!is_read_next).then_some(wait);
    };
    if known.verdict == Verdict::Admitted {
        return None;
    }
    let age = facts.now.elapsed(known.read_at);
    let wait = good_for(facts.pace).saturating_sub(age);
    let cause = Cause::NotAdmitted {
        ports: known.ports,
        verdict: Box::new(known.verdict.clone()),
        at: facts.now.after(wait),
    };
    Some(Step::Hold(cause, wait.max(facts.pace.poll_first)))
}

/// What was found for these ports, and still counts.
fn known<'a>(facts: &Facts<'a>, ports: (u16, u16)) -> Option<&'a Admission> {
    let known = facts.observed.admission.as_deref();
    let counts = |known: &&Admission| {
        known.ports == ports && facts.now.elapsed(known.read_at) < counts_for(facts.pace)
    };
    known.filter(counts)
}

/// What a plan waits for besides its time, where its group did not let in who has to be when it was read last.
pub fn waits_for(facts: &Facts<'_>, ports: (i32, i32)) -> Option<WaitsFor> {
    let requires = facts.desired.preflight == PreflightMode::Require;
    let ports = (u16::try_from(ports.0).ok()?, u16::try_from(ports.1).ok()?);
    let known = facts.observed.admission.as_deref()?;
    let is_shut = known.ports == ports && known.verdict != Verdict::Admitted;
    (requires && is_shut).then_some(WaitsFor::Preflight)
}
