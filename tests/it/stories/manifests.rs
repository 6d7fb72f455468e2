//! What comes from Git through kubectl.

use std::io::Write as _;

use kube::api::DeleteParams;
use serde_json::{Value, json};
use taurus_sim::{Filter, Mode, Operation, Options};

use crate::world::{World, job_of, plane};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c09_a_status_that_comes_from_git_has_no_effect() {
    let job = job_of(10);
    let world = World::start(Options::stepped().mode(Mode::M2).job(job)).await;
    let invented = json!({"observedGeneration": 1, "port": 3307, "change": {"id": "x", "fromPort": 3306, "toPort": 3307,
        "generation": 1, "phase": "Submitted", "attempt": 1, "jobID": "made-up", "intendedAt": "2026-01-01T00:00:00Z"}});
    let statuses = [json!({}), json!({"conditions": []}), invented];
    let mut port = 3307;
    for status in &statuses {
        for flags in [&["apply"][..], &["apply", "--server-side"][..]] {
            apply(&world, port, status, flags);
            world.until_ready(port).await;
            // Once more, as a GitOps tool does.
            apply(&world, port, status, flags);
            let ready = world.get().await;
            assert_eq!(ready.status.unwrap().port, Some(port.into()), "{status}");
            world
                .api()
                .delete("orders", &DeleteParams::default())
                .await
                .unwrap();
            port += 1;
        }
    }
    let jobs = world.sim.entries(&Filter::on(Operation::Job));
    for entry in jobs {
        assert!(
            !entry
                .query
                .contains(&("id".to_owned(), "made-up".to_owned())),
            "{entry:?}"
        );
    }
    assert_eq!(world.asked_for(), (3307..port).collect::<Vec<_>>());
    world.finish().await;
}

fn apply(world: &World, port: u16, status: &Value, flags: &[&str]) {
    let mut manifest = serde_json::to_value(world.resource(port)).unwrap();
    manifest["status"] = status.clone();
    let mut file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    write!(file, "{manifest}").unwrap();
    let path = file.path().to_str().unwrap();
    let output = plane::kubectl(world.plane, &[flags, &["-f", path]].concat());
    assert!(output.status.success(), "{output:?}");
}
