//! Backups, copies and moves between clusters: what a status says that was written for another object.

use std::time::Duration;

use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{Entry, Filter, Fleet, Mode, Operation, sample};

use crate::world::{
    World, has_change, in_all_modes, is_ready_with, job_id,
    operator::{Operator, Setup},
    options, plane,
};

in_all_modes! {
    b27_a_resource_restored_with_its_status_gets_only_the_change_that_is_due: restored_with_status;
    b27_a_copy_in_another_cluster_repeats_nothing: copied_while_its_job_runs;
}

/// A restored resource: what the cloud has, what is wanted, what the backup says, and whether a change is due.
struct Restored {
    cloud: u16,
    wanted: u16,
    status: Value,
    due: bool,
}

/// What the operator of another day wrote about another object.
fn backups() -> Vec<Restored> {
    let change = |phase: &str, job: Option<&str>| {
        json!({"change": {
            "id": "0123456789abcdef", "fromPort": 3306, "toPort": 3307, "generation": 9, "phase": phase,
            "attempt": 3, "jobID": job, "intendedAt": "2026-01-01T00:00:00Z"
        }})
    };
    let settled = |port: u16| {
        let condition = json!({
            "type": "Ready", "status": "True", "reason": "Settled", "message": "", "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z"
        });
        json!({"port": port, "appliedPort": port, "conditions": [condition]})
    };
    let given_up = json!({"failures": [{
        "port": 3307, "failed": 4, "void": 0, "cause": "JobFailed", "lastAt": "2026-01-01T00:00:00Z"
    }]});
    let just_now = (jiff::Timestamp::now() - Duration::from_mins(1)).to_string();
    let contested = json!({"port": 3310, "corrections": {"times": vec![just_now; 3]}});
    let cases = [
        (3306, 3306, settled(3306), false),
        (3306, 3307, settled(3307), true),
        (3306, 3306, change("Intended", None), false),
        (3307, 3307, change("Intended", None), false),
        (3306, 3307, change("Intended", None), true),
        (
            3307,
            3307,
            change("Submitted", Some("job-of-long-ago")),
            false,
        ),
        (
            3306,
            3307,
            change("Submitted", Some("job-of-long-ago")),
            true,
        ),
        (3306, 3306, change("Verifying", None), false),
        (3306, 3307, change("Verifying", None), true),
        (3306, 3307, given_up, true),
        (3310, 3307, contested, true),
    ];
    let restored = cases.map(|(cloud, wanted, mut status, due)| {
        status["subjectUID"] = json!("uid-of-another-day");
        status["observedGeneration"] = json!(9);
        Restored {
            cloud,
            wanted,
            status,
            due,
        }
    });
    restored.into()
}

async fn restored_with_status(mode: Mode) {
    let backups = backups();
    let fleet = Fleet::sample().numbered(backups.len());
    let mut world = World::without_operator(options(mode).fleet(fleet)).await;
    for (number, backup) in backups.iter().enumerate() {
        let proxy = Fleet::numbered_proxy(number);
        world.sim.set_port(&proxy, backup.cloud).unwrap();
        let name = world
            .create(&world.numbered(number, backup.wanted))
            .await
            .name_any();
        restore(&world.api(), &name, &backup.status).await;
    }
    world.start_fresh_operator().await;
    for (number, backup) in backups.iter().enumerate() {
        let name = format!("numbered-{number}");
        let ready = world
            .until_passing_of(&name, "Ready in its own right", |object| {
                let status = object.status.as_ref();
                let own = status.and_then(|status| status.subject_uid.clone()) == object.uid();
                own && is_ready_with(object, backup.wanted)
            })
            .await;
        let status = ready.status.unwrap();
        assert_eq!((status.change, status.failures), (None, vec![]));
        let of_proxy = Filter::on(Operation::Change).proxy(&Fleet::numbered_proxy(number));
        let asked: Vec<_> = world.sim.entries(&of_proxy);
        let asked: Vec<_> = asked.iter().filter_map(Entry::port).collect();
        let due: Vec<_> = backup.due.then_some(backup.wanted).into_iter().collect();
        assert_eq!(asked, due, "{name}: {}", backup.status);
    }
    world.finish().await;
}

/// Both clusters are namespaces here, each with an operator that knows nothing of the other.
async fn copied_while_its_job_runs(mode: Mode) {
    let world = World::start(options(mode)).await;
    world.want(3307).await;
    let first = world
        .until("following its job", |object| job_id(object).is_some())
        .await;

    let namespace = plane::new_namespace(&world.client).await;
    world.secret_in(&namespace, "keys").await;
    let copies: Api<TaurusProxyPort> = Api::namespaced(world.client.clone(), &namespace);
    let mut copy = world.resource(3307);
    copy.metadata.namespace = Some(namespace.clone());
    copies.create(&PostParams::default(), &copy).await.unwrap();
    let status = serde_json::to_value(first.status).unwrap();
    restore(&copies, "orders", &status).await;
    let config = plane::operator_config(&world.plane).await;
    let setup = Setup {
        head_start: Duration::ZERO,
        ..Setup::default()
    };
    let other = Operator::start(config, &namespace, &world.sim.url(), setup).await;
    world
        .until_true_async("the copy is looked at", async || {
            let copy = copies.get("orders").await.unwrap();
            !has_change(&copy)
        })
        .await;
    world
        .until_passing("Ready", |object| is_ready_with(object, 3307))
        .await;
    world
        .until_true_async("the copy is Ready", async || {
            world.pass(1);
            is_ready_with(&copies.get("orders").await.unwrap(), 3307)
        })
        .await;
    assert_eq!(world.asked_for(), [3307]);
    assert_eq!(world.sim.proxy(sample::PROXY).unwrap().actual_port, 3307);
    other.stop().await;
    world.finish().await;
}

/// Writes a status as tools for backups do: after the object was made.
async fn restore(api: &Api<TaurusProxyPort>, name: &str, status: &Value) {
    let status = Patch::Merge(json!({"status": status}));
    api.patch_status(name, &PatchParams::default(), &status)
        .await
        .unwrap();
}
