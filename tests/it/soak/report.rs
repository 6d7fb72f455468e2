//! What a run shows: a table for people, and what was promised and did not hold.

use std::{collections::BTreeMap, fmt::Write as _};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use taurus_sim::{Effect, Outcome};

use super::{ledger::Reasons, logs, memory, plan::Event, secrets::MARK, services, stage::Stage};
use crate::{
    rules,
    world::{plane, recorder, verdicts},
};

/// A job that a living process was told is in a status by then, also where the API server was away meanwhile.
const RECORDED_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// The most lines that are shown of one kind of breach.
const SHOWN: usize = 5;

/// A table, and the promises that were broken.
#[derive(Default)]
pub struct Report {
    table: String,
    broken: Vec<String>,
}

impl Report {
    fn row(&mut self, what: &str, value: impl std::fmt::Display) {
        writeln!(self.table, "{what:<58} {value}").unwrap();
    }

    /// A row whose value has to be none, with what there is.
    fn none(&mut self, what: &str, found: &[String]) {
        self.row(what, found.len());
        if !found.is_empty() {
            let first: Vec<&str> = found.iter().take(SHOWN).map(String::as_str).collect();
            let told = format!("{what}: {}\n{}", found.len(), first.join("\n"));
            self.broken.push(told);
        }
    }

    /// Prints it; fails if anything was broken.
    pub fn conclude(&self, log: &std::path::Path) {
        println!("{}", self.table);
        println!("All events: {}", log.display());
        for broken in &self.broken {
            println!("BROKEN: {broken}");
        }
        assert!(
            self.broken.is_empty(),
            "{} promises were broken",
            self.broken.len()
        );
    }
}

/// Of a run that has come to its end; these are what it found restless, and written in the quiet.
pub async fn of(
    stage: &Stage,
    events: &[Event],
    restless: &[String],
    disturbed: &[String],
) -> Report {
    let mut report = Report::default();
    happened(&mut report, stage, events);
    changes(&mut report, stage);
    report.none("resources that did not come to rest", restless);
    report.none("writes and changes in the quiet at the end", disturbed);
    statuses(&mut report, stage).await;
    publications(&mut report, stage).await;
    processes(&mut report, stage).await;
    report
}

fn happened(report: &mut Report, stage: &Stage, events: &[Event]) {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events {
        let kind = match event {
            Event::Drift(..) => "drifts",
            Event::TouchSecret(_) | Event::RotateSecret(_) => "Secrets touched or rotated",
            Event::Recreate(..) => "deletions and recreations",
            Event::Policy(..) | Event::Suspend(..) => "policies and suspends",
            Event::Want(..) | Event::ToAndFro(..) | Event::Request(_) => "edits of ports, requests",
            Event::Kill(_) => "kills and freezes",
            Event::ApiServer(..) => "faults of the API server",
            _ => "faults of the cloud",
        };
        *kinds.entry(kind).or_default() += 1;
    }
    for (kind, count) in kinds {
        report.row(kind, count);
    }
    let edits = stage
        .people
        .edits
        .load(std::sync::atomic::Ordering::Relaxed);
    report.row("writes of people in all", edits);
    for (kind, count) in stage.book.requests() {
        report.row(&format!("requests to the cloud: {kind}"), count);
    }
}

fn changes(report: &mut Report, stage: &Stage) {
    let by_proxy = stage.book.changes_by_proxy();
    let reasons = stage.people.ledger.reasons();
    let (mut sent, mut bound, mut fruitless) = (0, 0, 0);
    let mut superfluous = Vec::new();
    for (place, reasons) in stage.people.places.iter().zip(&reasons) {
        let changes = by_proxy.get(&place.proxy).cloned().unwrap_or_default();
        let most = reasons.wishes + reasons.drifts + reasons.lies + changes.fruitless;
        sent += changes.requests;
        fruitless += changes.fruitless;
        bound += most;
        if changes.requests > most {
            superfluous.push(format!("{}: {changes:?} for {reasons:?}", place.name));
        }
    }
    let sum = |of: fn(&Reasons) -> usize| reasons.iter().map(of).sum::<usize>();
    report.row("changes asked for", sent);
    report.row("  reasons in all", bound);
    report.row("  wishes of people", sum(|reasons| reasons.wishes));
    report.row("  drifts", sum(|reasons| reasons.drifts));
    report.row("  requests that came to nothing", fruitless);
    report.row("  jobs that did nothing", sum(|reasons| reasons.lies));
    report.none("proxies with more requests than reasons", &superfluous);
    report.none(
        "changes that met a job of this operator on the instance",
        &stage.book.collisions(),
    );
    let (lost, excused) = lost_jobs(stage);
    report.row(
        "  whose answer was lost, or process or resource ended",
        excused,
    );
    report.none("jobs lost", &lost);
}

/// Jobs that stand in no status though the answer arrived and neither its process nor its resource came to an end, and how
/// many more there are for which one did.
fn lost_jobs(stage: &Stage) -> (Vec<String>, usize) {
    let recorded = stage.versions.jobs();
    let ends = stage.ends.lock().unwrap().clone();
    let deletions = stage.versions.deletions();
    let (mut lost, mut excused) = (Vec::new(), 0);
    for change in stage.book.changes() {
        let Some(job) = change
            .job_id
            .as_ref()
            .filter(|job| !recorded.contains(*job))
        else {
            continue;
        };
        let answer = change.answer.as_ref();
        let told = answer.is_some_and(|answer| answer.body.contains(job.as_str()));
        // Of one that comes slowly nobody knows whether it was waited for.
        let slow = |effect: &Effect| matches!(effect, Effect::SlowBody { .. });
        let slowly = change.chaos.iter().any(slow);
        let heard = told && !slowly && change.outcome == Outcome::Answered;
        let soon_after = |at: &Timestamp| {
            let passed = at.duration_since(change.at);
            !passed.is_negative() && passed < RECORDED_WITHIN
        };
        let killed = ends.iter().any(soon_after);
        let of_it = |proxy: &String| Some(proxy) == change.proxy.as_ref();
        let deleted = deletions
            .iter()
            .any(|(proxy, at)| of_it(proxy) && soon_after(at));
        if heard && !killed && !deleted {
            lost.push(format!("{job}: {change} at {}", change.at));
        } else {
            excused += 1;
        }
    }
    (lost, excused)
}

async fn statuses(report: &mut Report, stage: &Stage) {
    let all = stage.versions.all();
    report.row("versions of resources", all.len());
    report.row("writes of status", stage.versions.writes());
    report.none(
        "resources that broke a rule of status",
        &stage.versions.breaches(&[MARK]),
    );
    let judged = verdicts::on(&plane::shared().await, recorder::objects(&all)).await;
    let wrong = rules::wrong_verdicts(&all, &judged);
    report.none("versions with a wrong result of kstatus or Argo CD", &wrong);
}

async fn publications(report: &mut Report, stage: &Stage) {
    let (kept, people) = (&stage.services, &stage.people);
    report.row("versions of slices", kept.slices.own().len());
    let wrong = kept.slices.wrong();
    report.none("slices that led to what no list had shown", &wrong);
    let misled = services::misled(
        &stage.client,
        &people.namespaces,
        &people.places,
        &people.cloud,
    );
    report.none("slices that lead to another port at the end", &misled.await);
    let touched = kept.touched(&stage.client).await;
    report.none("Services of others that were written", &touched);
}

async fn processes(report: &mut Report, stage: &Stage) {
    let (mut ended, mut unexpected, mut said) = (0, Vec::new(), Vec::new());
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for replica in &stage.replicas {
        let (count, surprises) = replica.ends();
        ended += count;
        unexpected.extend(surprises);
        said.extend(logs::breaches(&replica.path, MARK));
        for seen in replica.relay.lock().await.seen() {
            let kind = format!("{:?}", seen.call);
            let kind = kind.split('(').next().unwrap_or_default().to_owned();
            *kinds.entry(kind).or_default() += 1;
        }
    }
    for (kind, count) in kinds {
        report.row(&format!("requests to the API server: {kind}"), count);
    }
    report.row("processes that ended", ended);
    report.none(
        "processes that ended without a cause in the plan",
        &unexpected,
    );
    report.none("lines of ERROR, panics and secrets in the logs", &said);
    let overstayed = stage.overstayed.lock().unwrap().clone();
    report.none("processes that outlived their time of grace", &overstayed);
    report.row("hand-overs", stage.hand_overs.all().len());
    for hand_over in stage.hand_overs.all() {
        let took = hand_over.took.map_or("-".to_owned(), |took| {
            format!("{:.1} s", took.as_secs_f64())
        });
        let at = hand_over.at.as_secs_f64() / 60.0;
        report.row(&format!("  at {at:.1} min, after: {}", hand_over.why), took);
    }
    let samples = stage.samples.lock().unwrap().clone();
    let (rows, grown) = memory::curve(&samples, stage.settings.length);
    let head = "       from | replica 1: KiB least/mean/most | peak | files | replica 2: the same";
    writeln!(report.table, "{head}\n{}", rows.join("\n")).unwrap();
    report.none("curves that are not flat", &grown);
}
