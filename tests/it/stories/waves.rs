//! Argo CD's sync waves, with the files of `deploy/examples/argocd`.
//!
//! Argo CD itself doesn't run here: it needs its repository server, Redis and a Git server. What stands in for it applies
//! each wave with kubectl once everything of the waves before is healthy, as Argo CD documents it, and fails as soon as
//! something is degraded. Waves and health are what Argo CD's rules and our health script make of the live objects, and no
//! pause between waves hides a health that is too early.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};
use taurus_sim::{JobPlan, Mode, sample};

use super::windows::{CalendarFile, closed_window, freeze};
use crate::world::{
    PATIENCE, World, job_of,
    operator::Setup,
    options, reason, recorder,
    verdicts::{self, Health, Verdict},
};

/// How a sync ended.
#[derive(Debug, PartialEq, Eq)]
enum Sync {
    Succeeded,
    /// The wave that failed, with what Argo CD says of it.
    Failed(i64, String),
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn g08_the_wave_after_the_port_is_applied_once_the_cloud_has_the_port_and_never_if_its_job_fails()
 {
    let world = World::start(options(Mode::M2).job(job_of(180))).await;
    assert_eq!(sync(&world, 3307).await, Sync::Succeeded);
    assert_eq!(port_of_application(&world), Some("3307".to_owned()));

    world.until_neighbour_is_ready().await;
    world.sim.default_job(JobPlan::failing("no room"));
    let Sync::Failed(wave, why) = sync(&world, 3308).await else {
        panic!("a sync succeeded whose job failed");
    };
    assert_eq!(wave, 1);
    assert!(why.contains("no room"), "{why}");
    assert_eq!(
        port_of_application(&world),
        Some("3307".to_owned()),
        "the application still connects to the port that is there"
    );
    assert_eq!(world.sim.proxy(sample::PROXY).unwrap().actual_port, 3307);
    let versions = world.recorder.versions();
    let verdicts = verdicts::on(&world.plane, recorder::objects(&versions)).await;
    for (version, verdict) in versions.iter().zip(verdicts) {
        let of_second = version.object.metadata.generation == Some(2);
        assert!(
            !of_second || verdict.health() != Health::Healthy,
            "{version:#?}"
        );
    }
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wave_after_a_port_that_waits_for_its_moment_or_an_approval_waits_with_it() {
    const NO_FREEZE: &str = "freezes: []";
    let calendar = CalendarFile::new(NO_FREEZE).await;
    let setup = Setup {
        calendar: Arc::clone(&calendar.store),
        ..Setup::default()
    };
    let world = World::start_with(options(Mode::M2), setup).await;
    assert_eq!(sync(&world, 3307).await, Sync::Succeeded);
    let windows =
        json!({"op": "add", "path": "/spec/maintenanceWindows", "value": closed_window()});
    let approval = json!({"op": "add", "path": "/spec/approval", "value": "Manual"});
    for (port, setting, waits, lifts) in [
        (
            3308,
            Some(windows),
            "WaitingForWindow",
            json!({"spec": {"maintenanceWindows": null}}),
        ),
        (
            3309,
            Some(approval),
            "WaitingForApproval",
            json!({"spec": {"approval": null}}),
        ),
        (3310, None, "ChangeFreeze", Value::Null),
    ] {
        let is_frozen = setting.is_none();
        if is_frozen {
            calendar.replace(&freeze()).await;
        }
        let (settings, before) = (Vec::from_iter(setting), port_of_application(&world));
        let lifting = async {
            let waiting = world.until(waits, |object| reason(object) == waits).await;
            let verdicts =
                verdicts::on(&world.plane, vec![serde_json::to_value(&waiting).unwrap()]).await;
            assert_eq!(verdicts[0].health(), Health::Suspended);
            assert_eq!(port_of_application(&world), before, "the last wave waits");
            let condition = ["--for=condition=Ready", "--timeout=1s"];
            let waited = world.kubectl(&[&["wait", "tpp/orders"], &condition[..]].concat());
            let said = String::from_utf8_lossy(&waited.stderr).into_owned();
            assert!(
                !waited.status.success() && said.contains("timed out"),
                "{said}"
            );
            if is_frozen {
                calendar.replace(NO_FREEZE).await;
            } else {
                world.patch(lifts).await;
            }
        };
        let (synced, ()) = tokio::join!(sync_with(&world, port, &settings), lifting);
        assert_eq!(synced, Sync::Succeeded);
        assert_eq!(port_of_application(&world), Some(port.to_string()));
    }
    world.finish().await;
}

/// Applies the example with this port, wave by wave.
async fn sync(world: &World, port: u16) -> Sync {
    sync_with(world, port, &[]).await
}

/// The same with more settings of the resource, as operations of a JSON patch.
async fn sync_with(world: &World, port: u16, settings: &[Value]) -> Sync {
    let mut waves: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    for (object, verdict) in judged(world, rendered(world, port, settings)).await {
        waves.entry(verdict.wave).or_default().push(object);
    }
    assert_eq!(waves.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    for (wave, objects) in waves {
        if wave == 2 {
            let there = world.sim.proxy(sample::PROXY).unwrap().actual_port;
            assert_eq!(there, port, "the last wave comes too early");
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let mut file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
        std::io::Write::write_all(&mut file, list.to_string().as_bytes()).unwrap();
        kubectl(world, &["apply", "-f", file.path().to_str().unwrap()]);
        let waiting = tokio::time::timeout(PATIENCE, until_healthy(world, &objects));
        if let Err(why) = waiting.await.expect("a wave ends") {
            return Sync::Failed(wave, why);
        }
    }
    Sync::Succeeded
}

/// Waits until all of a wave are healthy, while the cloud's time passes; an error is what a degraded one says.
async fn until_healthy(world: &World, wave: &[Value]) -> Result<(), String> {
    loop {
        let live = wave.iter().map(|object| {
            let kind = object["kind"].as_str().unwrap();
            let name = object["metadata"]["name"].as_str().unwrap();
            kubectl(world, &["get", kind, name, "-o", "json"])
        });
        let verdicts = verdicts::on(&world.plane, live.collect()).await;
        // Kinds without a health, here Secrets, are as healthy as they get; so is the last wave, for which nobody waits.
        let mut health = verdicts.into_iter().filter_map(|verdict| verdict.argocd);
        match health.find(|said| said.status != Health::Healthy) {
            None => return Ok(()),
            Some(said) if matches!(said.status, Health::Degraded | Health::Unknown) => {
                return Err(said.message);
            }
            Some(_) => {}
        }
        world.pass(5);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The objects of the example, for this story's cloud and with another port, as Argo CD renders them with kustomize.
fn rendered(world: &World, port: u16, settings: &[Value]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples/argocd/orders");
    let base = folder.path().join("base");
    std::fs::create_dir(&base).unwrap();
    for entry in std::fs::read_dir(example).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), base.join(entry.file_name())).unwrap();
    }
    let mut here = vec![
        json!({"op": "remove", "path": "/spec/region"}),
        json!({"op": "add", "path": "/spec/endpoint", "value": world.sim.url()}),
        json!({"op": "replace", "path": "/spec/projectID", "value": sample::PROJECT}),
        json!({"op": "replace", "path": "/spec/port", "value": port}),
        // A sixtieth of the usual half hour is over soon on a busy machine.
        json!({"op": "add", "path": "/spec/changeTimeout", "value": "24h"}),
    ];
    here.extend_from_slice(settings);
    let here = Value::Array(here);
    let keys = json!([{"op": "replace", "path": "/stringData",
        "value": {"accessKey": sample::ACCESS_KEY, "secretKey": sample::SECRET_KEY}}]);
    let variable = "/spec/template/spec/containers/0/env/0/value";
    let application = json!([{"op": "replace", "path": variable, "value": port.to_string()}]);
    let patch =
        |kind: &str, patch: &Value| json!({"target": {"kind": kind}, "patch": patch.to_string()});
    let overlay = json!({
        "namespace": world.namespace,
        "resources": ["base"],
        "patches": [patch("TaurusProxyPort", &here), patch("Secret", &keys), patch("Deployment", &application)],
    });
    std::fs::write(
        folder.path().join("kustomization.yaml"),
        overlay.to_string(),
    )
    .unwrap();
    let overlaid = folder.path().to_str().unwrap();
    let list = kubectl(
        world,
        &["apply", "-k", overlaid, "--dry-run=client", "-o", "json"],
    );
    let mut items = list["items"].as_array().unwrap().clone();
    // kubectl shows those that exist with what the API server has written there.
    for item in &mut items {
        let metadata = item["metadata"].as_object_mut().unwrap();
        metadata.retain(|key, _| {
            ["name", "namespace", "annotations", "labels"].contains(&key.as_str())
        });
        item.as_object_mut().unwrap().remove("status");
    }
    items
}

async fn judged(world: &World, objects: Vec<Value>) -> Vec<(Value, Verdict)> {
    let verdicts = verdicts::on(&world.plane, objects.clone()).await;
    objects.into_iter().zip(verdicts).collect()
}

/// The port that the application was given; none while there is no application.
fn port_of_application(world: &World) -> Option<String> {
    let list = kubectl(world, &["get", "deployments", "-o", "json"]);
    let port = &list["items"][0]["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"];
    port.as_str().map(str::to_owned)
}

/// What kubectl answers; a word that is not JSON is null.
fn kubectl(world: &World, arguments: &[&str]) -> Value {
    let output = world.kubectl(arguments);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}
