//! A change at a permitted moment, on the real API server: windows, freezes, plans, approvals.
//!
//! Windows lie half a day away from now, or are open all day: no story waits for one.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::{
    api::events::v1::Event,
    jiff::{Timestamp, ToSpan as _},
};
use kube::{Api, api::ListParams};
use serde_json::{Value, json};
use taurus_port_operator::{
    calendar::store::{News, Store},
    crd::{APPLY_NOW, APPROVE, InstanceWindow, PlanRecord, TaurusProxyPort, WaitsFor},
};
use taurus_sim::{Answer, Effect, Fault, JobPlan, Mode, Operation, sample};
use tempfile::TempDir;

use crate::world::{
    PATIENCE, World, flux::Flux, in_all_modes, operator::Setup, options, reason, tools::printed,
};

in_all_modes! {
    a_change_waits_for_its_window_and_costs_no_write_meanwhile: closed;
    an_approval_counts_for_one_plan_and_once: approved;
}

/// A window that is closed for hours to come.
pub(super) fn closed_window() -> Value {
    let start = Timestamp::now() + 12.hours();
    json!([{"start": start.strftime("%H:%M").to_string(), "duration": "1h"}])
}

fn plan(object: &TaurusProxyPort) -> PlanRecord {
    object.status.as_ref().unwrap().plan.clone().unwrap()
}

async fn until_waiting(world: &World, wanted: &str) -> TaurusProxyPort {
    world
        .until(wanted, |object| {
            let judged = object.status.as_ref().and_then(|it| it.observed_generation);
            reason(object) == wanted && judged == object.metadata.generation
        })
        .await
}

async fn annotate(world: &World, name: &str, value: &str) {
    world
        .patch(json!({"metadata": {"annotations": {name: value}}}))
        .await;
}

/// Waits for an event with this reason and text, about whatever it is.
async fn until_told(world: &World, reason: &str, text: &str) {
    let events: Api<Event> = Api::all(world.client.clone());
    let told = |event: &Event| {
        let note = event.note.as_deref().unwrap_or_default();
        event.reason.as_deref() == Some(reason) && note.contains(text)
    };
    let telling = async {
        loop {
            let all = events.list(&ListParams::default()).await.unwrap();
            if all.items.iter().any(told) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, telling).await;
    assert!(in_time.is_ok(), "no {reason} tells of {text:?}");
}

async fn closed(mode: Mode) {
    let world = World::start(options(mode)).await;
    let mut resource = world.resource(3307);
    resource.spec.maintenance_windows = serde_json::from_value(closed_window()).unwrap();
    world.create(&resource).await;
    let waiting = until_waiting(&world, "WaitingForWindow").await;
    let plan = plan(&waiting);
    assert_eq!((plan.from_port, plan.to_port), (3306, 3307));
    assert_eq!(plan.waits_for, [WaitsFor::Window]);
    let ahead = plan.not_before.unwrap().0.duration_since(Timestamp::now());
    assert!((11..13).contains(&ahead.as_hours()), "{ahead}");
    world.until_more(Operation::List, 5).await;
    let version = waiting.metadata.resource_version;
    assert_eq!(world.get().await.metadata.resource_version, version);
    annotate(&world, APPLY_NOW, &plan.id).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    let told = format!(
        "plan {} (port 3306 to 3307) was begun because of applyNow",
        plan.id
    );
    until_told(&world, "AppliedNow", &told).await;
    // The annotation is of a plan that is gone.
    world.want_now(3308).await;
    until_waiting(&world, "WaitingForWindow").await;
    world
        .patch(json!({"spec": {"maintenanceWindows": null}}))
        .await;
    world.until_ready(3308).await;
    assert_eq!(world.asked_for(), [3307, 3308]);
    world.finish().await;
}

async fn approved(mode: Mode) {
    let mut world = World::start(options(mode)).await;
    let mut resource = world.resource(3307);
    resource.spec.approval = Some(taurus_port_operator::crd::Approval::Manual);
    world.create(&resource).await;
    let first = plan(&until_waiting(&world, "WaitingForApproval").await);
    // A refusal that has changed nothing leaves the approval as it is; a job that fails uses it.
    let busy = Answer::error(409, "DBS.200932", "busy");
    let refusal = Fault::on(Operation::Change, Effect::respond(busy));
    world.sim.inject(refusal.proxy(sample::PROXY).once());
    let failing = JobPlan::failing("the proxy did not come up");
    world.sim.next_job_of(sample::PROXY, failing);
    annotate(&world, APPROVE, &first.id).await;
    let next = world
        .until_passing("another plan", |object| {
            let plan = object
                .status
                .as_ref()
                .and_then(|status| status.plan.as_ref());
            plan.is_some_and(|plan| plan.id != first.id)
        })
        .await;
    assert_eq!(world.accepted(), [3307]);
    world.kill_operator();
    world.start_operator().await;
    until_waiting(&world, "WaitingForApproval").await;
    assert_eq!(world.accepted(), [3307]);
    // By the spec, as a commit does it: the plan stands, though the generation moves.
    let second = plan(&next).id;
    annotate(&world, APPLY_NOW, &second).await;
    world.patch(json!({"spec": {"approvedPlan": second}})).await;
    world.until_ready(3307).await;
    let told = format!("plan {second} (port 3306 to 3307) was begun without need of applyNow");
    until_told(&world, "AppliedNow", &told).await;
    world.want_now(3308).await;
    until_waiting(&world, "WaitingForApproval").await;
    assert_eq!(world.accepted(), [3307, 3307]);
    world.patch(json!({"spec": {"approval": null}})).await;
    world.until_ready(3308).await;
    world.finish().await;
}

/// Hours of the day in UTC that begin so many hours from now and last four.
fn instance_window(after: i64) -> String {
    let begins = Timestamp::now() + after.hours();
    let ends = begins + 4.hours();
    format!("{}-{}", begins.strftime("%H:%M"), ends.strftime("%H:%M"))
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_waits_for_the_window_of_its_instance_and_follows_it_when_that_moves() {
    let world = World::start(options(Mode::M2)).await;
    let simulator = &world.sim;
    simulator
        .set_instance_window(sample::INSTANCE, &instance_window(12))
        .unwrap();
    let mut resource = world.resource(3307);
    resource.spec.instance_window = Some(InstanceWindow::Follow);
    world.create(&resource).await;
    let waiting = until_waiting(&world, "WaitingForWindow").await;
    let not_before = plan(&waiting).not_before.unwrap().0;
    let ahead = not_before.duration_since(Timestamp::now());
    assert!((11..13).contains(&ahead.as_hours()), "{ahead}");
    // What nobody understands moves nothing, and is no reason to start.
    simulator
        .set_instance_window(sample::INSTANCE, "whenever")
        .unwrap();
    world.until_more(Operation::Details, 2).await;
    assert!(world.asked_for().is_empty());
    simulator
        .set_instance_window(sample::INSTANCE, &instance_window(-1))
        .unwrap();
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

/// A freeze that has begun and ends in hours to come, as a calendar states it.
pub(super) fn freeze() -> String {
    let now = Timestamp::now();
    let (from, until) = (now - 1.hours(), now + 10.hours());
    format!("freezes: [{{from: {from}, until: {until}, reason: year-end}}]")
}

/// A calendar in a file of its own, and who has read it.
pub(super) struct CalendarFile {
    _folder: TempDir,
    path: PathBuf,
    pub(super) store: Arc<Store>,
}

impl CalendarFile {
    pub(super) async fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calendar.yaml");
        fs::write(&path, text).unwrap();
        let store = Arc::new(Store::open(path.to_str()).await);
        Self {
            _folder: folder,
            path,
            store,
        }
    }

    /// Another good one is there, and is read.
    pub(super) async fn replace(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
        assert_eq!(self.store.look_again().await, News::Calendar);
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_holds_until_the_calendar_is_edited_and_a_broken_one_lifts_nothing() {
    let calendar = CalendarFile::new(&freeze()).await;
    let setup = Setup {
        calendar: Arc::clone(&calendar.store),
        ..Setup::default()
    };
    let world = World::start_with(options(Mode::M2), setup).await;
    world.want(3307).await;
    let frozen = until_waiting(&world, "ChangeFreeze").await;
    annotate(&world, APPLY_NOW, &plan(&frozen).id).await;
    fs::write(&calendar.path, "freezes: [").unwrap();
    assert!(matches!(calendar.store.look_again().await, News::Fault(_)));
    let file = calendar.path.display().to_string();
    until_told(&world, "CalendarBroken", &file).await;
    world.until_more(Operation::List, 3).await;
    until_waiting(&world, "ChangeFreeze").await;
    assert!(world.asked_for().is_empty());
    calendar.replace("freezes: []").await;
    until_told(&world, "CalendarRead", "windows 0, freezes 0").await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

/// What the program says of a calendar, and whether that is good.
fn checked(calendar: &str) -> (bool, String) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(calendar.as_bytes()).unwrap();
    let (code, said) = checked_as(file.path(), "");
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {said}");
    (code == Some(0), said)
}

/// The same of a file of this name, while this comes on the standard input; with the code that the program ends with.
fn checked_as(file: &Path, input: &str) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_taurus-port-operator"));
    let program = program.arg("check-calendar").arg(file);
    let pipes = program.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = pipes.stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = running.stdin.take().unwrap();
    // Who has a file does not read it.
    let _ = pipe.write_all(input.as_bytes());
    drop(pipe);
    let output = running.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn the_program_checks_a_calendar_before_it_is_mounted_also_that_of_the_examples() {
    let example = include_str!("../../../deploy/examples/calendar.yaml");
    let example: Value = serde_saphyr::from_str(example).unwrap();
    let (good, said) = checked(example["data"]["calendar.yaml"].as_str().unwrap());
    assert!(
        good && said.starts_with("The file can be read as a calendar"),
        "{said}"
    );
    let (good, said) = checked("windows: [{start: '02:00', duration: 3h, timeZone: Berlin}]");
    assert!(
        !good && said.contains("windows[0].timeZone: \"Berlin\""),
        "{said}"
    );
}

/// A `ConfigMap` as `kubectl get -o yaml` prints it.
const OF_THE_CLUSTER: &str = r#"apiVersion: v1
data:
  calendar.yaml: |
    windows:
      - {days: [Mon, Tue], start: "02:00", duration: 3h, timeZone: Asia/Singapore}
    freezes: []
kind: ConfigMap
metadata:
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {"apiVersion":"v1","data":{"calendar.yaml":"freezes: []\n"},"kind":"ConfigMap","metadata":{"annotations":{},"name":"taurus-calendar","namespace":"taurus-system"}}
  creationTimestamp: "2026-03-02T09:14:05Z"
  name: taurus-calendar
  namespace: taurus-system
  resourceVersion: "4711"
  uid: 0f4f4a1e-6d3c-4f0e-9a55-0c2d6c0f7b11
"#;

#[test]
fn the_program_checks_what_comes_through_a_pipe_and_refuses_it_where_nothing_comes() {
    let input = Path::new("-");
    let (code, said) = checked_as(input, OF_THE_CLUSTER);
    assert_eq!(code, Some(0), "{said}");
    for told in [
        "can be read as a calendar",
        "under its key calendar.yaml",
        "windows: 1",
        "freezes: 0",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let (code, said) = checked_as(input, "freezes: []\n");
    assert_eq!(code, Some(0), "{said}");
    // A command that failed leaves nothing in the pipe: that lifts no freeze, and is not taken for good.
    let (broken, _) = checked_as(input, "freezes: [");
    assert_eq!(broken, Some(1));
    for nothing in ["", "\n"] {
        let (code, said) = checked_as(input, nothing);
        assert_eq!(code, broken, "{said}");
        assert!(
            said.contains("the standard input") && said.contains("nothing came"),
            "{said}"
        );
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_zone_is_told_by_its_field() {
    let world = World::start(options(Mode::M2)).await;
    let mut resource = world.resource(3307);
    let window = json!([{"start": "02:00", "duration": "1h", "timeZone": "Europe/Atlantis"}]);
    resource.spec.maintenance_windows = serde_json::from_value(window).unwrap();
    world.create(&resource).await;
    let invalid = until_waiting(&world, "SpecInvalid").await;
    let conditions = invalid.status.unwrap().conditions;
    let told = &conditions
        .iter()
        .find(|it| it.type_ == "Stalled")
        .unwrap()
        .message;
    assert!(
        told.contains("spec.maintenanceWindows[0].timeZone: \"Europe/Atlantis\""),
        "{told}"
    );
    let window = json!([{"start": "00:00", "duration": "24h", "timeZone": "Europe/Berlin"}]);
    world
        .patch(json!({"spec": {"maintenanceWindows": window}}))
        .await;
    world.until_ready(3307).await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn flux_goes_on_while_a_resource_waits_where_its_checks_say_so() {
    let calendar = CalendarFile::new("freezes: []").await;
    let setup = Setup {
        calendar: Arc::clone(&calendar.store),
        ..Setup::default()
    };
    let world = World::start_with(options(Mode::M2), setup).await;
    let window = closed_window().to_string();
    let manifest = world.manifest("orders", &[("port", "3307")]);
    let manifest = format!("{manifest}  maintenanceWindows: {window}\n");
    let wrong = world.manifest("wrong", &[]);
    let zone = "[{start: '02:00', duration: 1h, timeZone: Europe/Atlantis}]";
    let wrong = format!("{wrong}  managementPolicy: Observe\n  maintenanceWindows: {zone}\n");
    let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n".to_owned();
    let files = [
        ("proxies/proxy.yaml", manifest),
        ("wrong/proxy.yaml", wrong),
        ("application/settings.yaml", settings),
    ];
    let flux = Flux::start(&world, &files, &[]).await;
    let text = include_str!("../../../deploy/examples/flux/windows.yaml");
    let mut kustomization: Value = serde_saphyr::from_str(text).unwrap();
    kustomization["metadata"]["namespace"] = json!(world.namespace);
    kustomization["spec"]["targetNamespace"] = json!(world.namespace);
    kustomization["spec"]["sourceRef"] = json!({"kind": "GitRepository", "name": "fleet"});
    printed(world.apply(&kustomization.to_string()));
    flux.until_ready("proxies").await;
    until_waiting(&world, "WaitingForWindow").await;
    // A freeze and an approval are waited for as a window is.
    calendar.replace(&freeze()).await;
    until_waiting(&world, "ChangeFreeze").await;
    flux.reconcile("proxies").await;
    flux.until_ready("proxies").await;
    calendar.replace("freezes: []").await;
    world.patch(json!({"spec": {"approval": "Manual"}})).await;
    until_waiting(&world, "WaitingForApproval").await;
    flux.reconcile("proxies").await;
    flux.until_ready("proxies").await;
    // What can't go on by itself is a failure, at once.
    let mut stalled = kustomization.clone();
    stalled["metadata"]["name"] = json!("stalled");
    stalled["spec"]["path"] = json!("./wrong");
    printed(world.apply(&stalled.to_string()));
    let said = flux.until_failed("stalled", "HealthCheckFailed").await;
    assert!(
        said.contains("stalled resources") && said.contains("wrong") && !said.contains("timeout"),
        "{said}"
    );
    // By kstatus alone the one that waits runs into its timeout, which is short for who waits for a failure here.
    kustomization["metadata"]["name"] = json!("by-kstatus");
    kustomization["spec"]["timeout"] = json!("5s");
    kustomization["spec"]["healthCheckExprs"] = json!([]);
    printed(world.apply(&kustomization.to_string()));
    let said = flux.until_failed("by-kstatus", "HealthCheckFailed").await;
    assert!(said.contains("timeout"), "{said}");
    // What depends on the one goes on, and what depends on the other waits.
    let mut application = kustomization.clone();
    application["spec"]["path"] = json!("./application");
    for (name, on) in [("goes-on", "proxies"), ("waits", "by-kstatus")] {
        application["metadata"]["name"] = json!(name);
        application["spec"]["dependsOn"] = json!([{"name": on}]);
        printed(world.apply(&application.to_string()));
    }
    flux.until_ready("goes-on").await;
    flux.until_failed("waits", "DependencyNotReady").await;
    flux.stop().await;
}

#[test]
fn the_page_has_the_checks_that_flux_was_tried_with() {
    let page = include_str!("../../../docs/gitops.md");
    let block = page
        .split("```yaml\n")
        .filter_map(|rest| rest.split("```").next())
        .find(|block| block.starts_with("healthCheckExprs:"));
    let block: Value = serde_saphyr::from_str(block.unwrap()).unwrap();
    let example = include_str!("../../../deploy/examples/flux/windows.yaml");
    let example: Value = serde_saphyr::from_str(example).unwrap();
    assert!(block["healthCheckExprs"][0]["current"].is_string());
    assert_eq!(
        block["healthCheckExprs"],
        example["spec"]["healthCheckExprs"]
    );
}
