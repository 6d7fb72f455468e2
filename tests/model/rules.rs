//! What must never happen, judged by the model's own books and not by what the planner remembers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use taurus_port_operator::{
    crd::{Outcome, Phase, TaurusProxyPortStatus},
    model::{Class, Reason},
    plan::{
        Decision,
        facts::{Observed, Seen},
        step::Step,
    },
};

use crate::{
    clock,
    paper::{Intent, Last, Paper, Truth},
    sky::Sky,
    turn::Desk,
};

/// A rule that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A request was sent while another one of ours was under way or at work.
    TwoAtWork,
    /// A request was sent without an acknowledged intent of the current generation.
    PutWithoutIntent,
    /// A request does not rest on reads that succeeded just before.
    PutUnseen,
    /// A request was sent after the term of whoever sent it.
    PutWithoutLease,
    /// There were more requests than wishes, drifts and failed attempts.
    PutForNothing,
    /// A job id that was received is not on record, nor held.
    JobLost,
    /// A change was given up that this process has not watched for long enough, or whose request is under way or at work.
    GivenUpEarly,
    /// Ready, without a look that shows the wanted port, while a change is at work, or by a list that still shows what a failed job
    /// took back.
    ReadyUnproven,
    /// A change ended well with a port that no job of ours has set, and nobody else was there.
    EndUntrue,
    /// A change began while its hours were over.
    OutsideHours,
    /// A change began for a plan that nobody has approved.
    Unapproved,
    /// A change began for a plan for which another one had left that may have been carried out.
    ApprovalUsedTwice,
    /// A rule of status.
    Status(&'static str),
}

/// The first rule that a write breaks.
pub fn of_write(
    desk: &Desk<'_>,
    new: &TaurusProxyPortStatus,
    observed: &Observed,
    decision: &Decision,
) -> Option<Rule> {
    let old = desk.paper();
    let paper = Paper::of(new);
    let watched = desk.state.crew[desk.who]
        .as_ref()
        .and_then(|operator| operator.watched);
    if gives_up_early(old, &paper, watched, &desk.state.sky) {
        Some(Rule::GivenUpEarly)
    } else if desk.model.bounds.faults == 0 && ends_untruly(old, &paper, &desk.state.sky) {
        Some(Rule::EndUntrue)
    } else if paper.ready.is_some_and(|(truth, _)| truth == Truth::True)
        && !is_proven(desk, &paper, observed, &decision.step)
    {
        Some(Rule::ReadyUnproven)
    } else {
        status(new)
            .or_else(|| old.and_then(|old| moves(old, &paper)))
            .map(Rule::Status)
    }
}

/// A change that ends well has the port in place, or the one that it has just set.
fn ends_untruly(old: Option<&Paper>, new: &Paper, sky: &Sky) -> bool {
    let Some(change) = old.and_then(|old| old.change.as_ref()) else {
        return false;
    };
    let ends = |last: &Last| last.id == change.id && last.outcome == Outcome::Succeeded;
    let is_untrue = |port: u16| port != sky.port && port != change.to;
    new.last.as_ref().is_some_and(ends) && new.port.is_some_and(is_untrue)
}

/// A change that turns out void must have been watched by this process for the whole window, and be nowhere.
fn gives_up_early(old: Option<&Paper>, new: &Paper, watched: Option<(u8, u8)>, sky: &Sky) -> bool {
    let Some(change) = old.and_then(|old| old.change.as_ref()) else {
        return false;
    };
    let void = new
        .last
        .as_ref()
        .is_some_and(|last| last.id == change.id && last.outcome == Outcome::Void);
    let enough = watched.is_some_and(|(id, age)| id == change.id && age >= clock::SETTLE_WINDOW);
    new.change.is_none() && void && (!enough || sky.is_at_work())
}

fn is_proven(desk: &Desk<'_>, new: &Paper, observed: &Observed, step: &Step) -> bool {
    let want = desk.object.want;
    let shown = matches!(&observed.proxy, Seen::Known(Some(proxy)) if proxy.port == Some(want));
    let was = desk.paper().is_some_and(|old| {
        let ready = old.ready.is_some_and(|(truth, _)| truth == Truth::True);
        ready && old.port == Some(want)
    });
    let kept = matches!(step, Step::Keep(_)) && was;
    let sky = &desk.state.sky;
    let at_rest = !sky.is_at_work_in_time() && !sky.has_taken_back(want);
    new.change.is_none() && new.vetted && (kept || shown && at_rest)
}

/// S5, S7 and S10, of one status.
fn status(new: &TaurusProxyPortStatus) -> Option<&'static str> {
    let find = |kind: &str| new.conditions.iter().find(|one| one.type_ == kind);
    let three = ["Ready", "Reconciling", "Stalled"].map(find);
    let is_true = |one: &&Condition| one.status == "True";
    let count = three.iter().flatten().filter(|one| is_true(one)).count();
    let [ready, others @ ..] = three;
    let generation = new.observed_generation;
    let fits = |one: &Condition| {
        let Ok(reason) = one.reason.parse::<Reason>() else {
            return false;
        };
        match (one.type_.as_str(), one.status.as_str()) {
            ("Ready", "True") => reason.class() == Class::Ready,
            ("Reconciling", _) => reason.class() == Class::Reconciling,
            ("Stalled", _) => reason.class() == Class::Stalled,
            _ => true,
        }
    };
    if count != 1 || ready.is_none() || others.iter().flatten().any(|one| !is_true(one)) {
        Some("S5: exactly one of three is True")
    } else if new
        .conditions
        .iter()
        .any(|one| one.observed_generation != generation)
    {
        Some("S7: each condition judges the same generation")
    } else if !new.conditions.iter().all(fits) {
        Some("S10: reasons are of the closed set and fit")
    } else {
        None
    }
}

/// S7 and S8, of two statuses in a row.
fn moves(old: &Paper, new: &Paper) -> Option<&'static str> {
    if new.generation < old.generation {
        return Some("S7: the generation judged never decreases");
    }
    match (&old.change, &new.change) {
        (Some(before), Some(after)) if before.id == after.id => same_change(before, after),
        (before, after) => {
            let fresh = after.as_ref();
            let begins = fresh.is_none_or(|new| new.phase == Phase::Intended && !new.job);
            let last = new.last.as_ref();
            let traced = before.as_ref().is_none_or(|before| {
                let ended = last.is_some_and(|last| last.id == before.id);
                before.phase == Phase::Intended || ended
            });
            let kept = before.as_ref().is_none_or(|before| {
                let ended = last.filter(|last| last.id == before.id);
                !before.job || ended.is_some_and(|last| last.job)
            });
            if !begins {
                Some("S8: a change begins with its intent")
            } else if !traced {
                Some("S8: a change that was accepted ends with a trace")
            } else if kept {
                None
            } else {
                Some("S8: a job id stays")
            }
        }
    }
}

fn same_change(before: &Intent, after: &Intent) -> Option<&'static str> {
    if after.phase < before.phase {
        Some("S8: a phase never moves back")
    } else if before.job && !after.job {
        Some("S8: a job id stays")
    } else if (before.from, before.to) != (after.from, after.to) {
        Some("S8: a change keeps its ports")
    } else {
        None
    }
}
