//! What kubectl shows of a resource, in each typical state, kept as people read it.

use std::{fmt::Write as _, time::Duration};

use serde_json::json;
use taurus_port_operator::crd::{ManagementPolicy, TaurusProxyPort};
use taurus_sim::{Answer, Effect, Fault, JobPlan, Mode, Operation, PortShows, sample};

use super::windows::closed_window;
use crate::{
    kept::kept,
    world::{
        NAME, World, condition, is_ready, job_of, message, operator::Setup, options, plane, reason,
    },
};

/// What differs from run to run, and the word that stands for it in the kept text.
const VOLATILE: [(&str, &str); 10] = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[time]"),
    // Only where it was measured, which a slow machine may miss; kubectl aligns the others with it.
    (r"(?m)^ +Took Seconds: +\d+\n", ""),
    (
        r"(?m)^( +(?:Finished At|From Port|Id|Job ID|Outcome|Started At|To Port|Trigger):) +",
        "$1 ",
    ),
    (
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "00000000-0000-4000-8000-000000000000",
    ),
    (r"(?m)^(    Id: )[0-9a-f]{32}$", "$1[change]"),
    (r"\b[0-9a-f]{16}\b", "[plan]"),
    (r"Start:( +)\d\d:\d\d\b", "Start:$1[start]"),
    (r"127\.0\.0\.1:\d+", "[cloud]"),
    (r"Nonce:( +)\d+", "Nonce:$1[nonce]"),
    (r"Resource Version:( +)\d+", "Resource Version:$1[version]"),
];

/// Why jobs fail here.
const WHY: &str = "the port group is being rebuilt";

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_when_nobody_has_looked_at_it_yet() {
    let mut world = World::without_operator(options(Mode::M2)).await;
    world.want(3307).await;
    keep(&world, "shown-new");
    world.start_operator().await;
    world.until_ready(3307).await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_when_settled() {
    let world = World::start(options(Mode::M2)).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    keep(&world, "shown-settled");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_while_earlier_changes_are_checked() {
    let world = unhurried_after(Duration::ZERO).await;
    world.want(3307).await;
    until_reason(&world, "CheckingEarlierChanges").await;
    keep(&world, "shown-checking");
    world.pass(90);
    world.until_ready(3307).await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_while_a_change_runs() {
    let world = World::start(options(Mode::M2)).await;
    world.want(3307).await;
    let at_work = |object: &TaurusProxyPort| {
        let conditions = object.status.iter().flat_map(|status| &status.conditions);
        let mut in_sync = conditions.filter(|one| one.type_ == "PortInSync");
        let listed = in_sync.any(|one| one.message.contains("first seen at"));
        message(object).contains("job ") && listed
    };
    world.until("at work, and listed meanwhile", at_work).await;
    keep(&world, "shown-running");
    world.until_ready(3307).await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_while_the_port_is_not_seen_yet() {
    let world = unhurried().await;
    let lag = PortShows::After(Duration::from_secs(90));
    world
        .sim
        .next_job_of(sample::PROXY, job_of(0).port_shows(lag));
    world.want(3307).await;
    until_reason(&world, "Verifying").await;
    keep(&world, "shown-verifying");
    world.pass(90);
    world.until_ready(3307).await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_while_a_failed_change_is_tried_again() {
    let world = unhurried().await;
    world.sim.next_job_of(sample::PROXY, failing());
    world.want(3307).await;
    until_reason(&world, "BackingOff").await;
    keep(&world, "shown-backing-off");
    world.until_ready(3307).await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_when_given_up_after_failed_jobs() {
    let world = World::start(options(Mode::M2)).await;
    for _ in 0..4 {
        world.sim.next_job_of(sample::PROXY, failing());
    }
    world.want(3307).await;
    until_reason(&world, "JobFailed").await;
    keep(&world, "shown-job-failed");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_while_a_plan_waits_for_its_window_and_an_approval() {
    let world = unhurried().await;
    world.want(3306).await;
    world.until_ready(3306).await;
    let spec = json!({"port": 3307, "approval": "Manual", "maintenanceWindows": closed_window()});
    world.patch(json!({"spec": spec})).await;
    until_reason(&world, "WaitingForApproval").await;
    keep(&world, "shown-waiting-for-approval");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_when_suspended_with_another_port() {
    let world = World::start(options(Mode::M2)).await;
    let mut resource = world.resource(3307);
    resource.spec.suspend = Some(true);
    world.create(&resource).await;
    let read = |object: &TaurusProxyPort| {
        let port = object.status.as_ref().and_then(|status| status.port);
        reason(object) == "Suspended" && port.is_some()
    };
    world
        .until("suspended, with the port that was read", read)
        .await;
    keep(&world, "shown-suspended");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_when_drift_is_only_reported() {
    let world = World::start(options(Mode::M2)).await;
    let mut resource = world.resource(3307);
    resource.spec.management_policy = Some(ManagementPolicy::ApplyOnChange);
    world.create(&resource).await;
    world.until_ready(3307).await;
    world.sim.set_port(sample::PROXY, 3399).unwrap();
    world.ask("look now").await;
    until_reason(&world, "DriftDetected").await;
    keep(&world, "shown-drift");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_when_there_are_no_credentials() {
    let world = World::start(options(Mode::M2)).await;
    world.create(&world.resource_with(3307, "absent")).await;
    until_reason(&world, "CredentialsMissing").await;
    keep(&world, "shown-no-credentials");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_when_there_is_no_such_proxy() {
    let world = World::start(options(Mode::M2)).await;
    world.sim.set_present(sample::PROXY, false).unwrap();
    world.want(3307).await;
    until_reason(&world, "ProxyNotFound").await;
    keep(&world, "shown-no-proxy");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_when_the_service_refuses_the_port() {
    let world = World::start(options(Mode::M2)).await;
    let refusal = Answer::error(400, "DBS.200461", "The port is out of range.");
    let refusal = Fault::on(Operation::Change, Effect::respond(refusal));
    world.sim.inject(refusal.proxy(sample::PROXY));
    world.want(33060).await;
    until_reason(&world, "PortRejected").await;
    keep(&world, "shown-port-rejected");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn shown_when_only_observed() {
    let world = World::start(options(Mode::M2)).await;
    let mut resource = world.resource(3307);
    resource.spec.management_policy = Some(ManagementPolicy::Observe);
    world.create(&resource).await;
    let observed = world.until("observed", is_ready).await;
    assert_eq!(condition(&observed, "PortInSync"), "False");
    keep(&world, "shown-observed");
    world.finish().await;
}

/// A world that stays in a state for long enough to be looked at on a loaded machine.
async fn unhurried() -> World {
    unhurried_after(Setup::default().head_start).await
}

/// The same, whose operator has run for so long.
async fn unhurried_after(head_start: Duration) -> World {
    let divisor = 2;
    let setup = Setup {
        divisor,
        head_start,
        ..Setup::default()
    };
    World::start_with(options(Mode::M2), setup).await
}

/// A job that fails as soon as it is asked for.
fn failing() -> JobPlan {
    JobPlan {
        duration: Duration::ZERO,
        ..JobPlan::failing(WHY).visible_after(Duration::ZERO)
    }
}

async fn until_reason(world: &World, wanted: &str) {
    world.until(wanted, |object| reason(object) == wanted).await;
}

/// Keeps what three commands of kubectl show of the story's resource.
fn keep(world: &World, name: &str) {
    let mut shown = String::new();
    for command in [
        &["get", "tpp", NAME][..],
        &["get", "tpp", NAME, "-o", "wide"],
        &["describe", "tpp", NAME, "--show-events=false"],
    ] {
        let arguments = [command, &["-n", &world.namespace]].concat();
        let output = plane::kubectl(&world.plane, &arguments);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let text = if command[0] == "get" {
            aged(&text)
        } else {
            text
        };
        writeln!(shown, "$ kubectl {}\n{text}", command.join(" ")).unwrap();
    }
    kept(name, &shown, &VOLATILE);
}

/// A table of kubectl with the age of seven seconds: ages of other lengths would move the columns.
fn aged(table: &str) -> String {
    let header = table.lines().next().unwrap();
    let starts: Vec<usize> = header
        .char_indices()
        .filter(|(at, letter)| *letter != ' ' && (*at == 0 || header[..*at].ends_with(' ')))
        .map(|(at, _)| at)
        .collect();
    let rows: Vec<Vec<String>> = table
        .lines()
        .map(|line| {
            let line: Vec<char> = line.chars().collect();
            let ends = starts.iter().skip(1).copied().chain([line.len()]);
            let cells = starts.iter().zip(ends).map(|(start, end)| {
                let cell = line.get(*start..end.min(line.len())).unwrap_or_default();
                cell.iter().collect::<String>().trim().to_owned()
            });
            cells.collect()
        })
        .collect();
    let age = rows[0].iter().position(|cell| cell == "AGE").unwrap();
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .enumerate()
        .map(|(number, mut cells)| {
            if number > 0 {
                "7s".clone_into(&mut cells[age]);
            }
            cells
        })
        .collect();
    let width = |column: usize| rows.iter().map(|cells| cells[column].chars().count()).max();
    let line = |cells: &Vec<String>| {
        let cells = cells.iter().enumerate();
        let cells = cells.map(|(column, cell)| format!("{cell:0$}   ", width(column).unwrap_or(0)));
        cells.collect::<String>().trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
