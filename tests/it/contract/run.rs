//! A run through everything that the simulator can be asked, and that all it said fits the schemas.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;
use taurus_port_operator::{cloud::Cloud, model::JobId};
use taurus_sim::{
    Accounts, Entry, JobOutcome, JobPlan, MissingInstance, Mode, Operation, Options, SamePort,
    Simulator, sample,
};

use super::{raw, schemas::Schemas};
use crate::{
    client::{KEYS, TOKEN, USER, connect, instance},
    world::plane,
};

const NOBODYS_PROXY: &str = "00000000000000000000000000000000po01";

/// What was answered, how often: by operation and HTTP status.
type Answered = BTreeMap<(&'static str, u16), usize>;

#[tokio::test]
async fn all_that_the_simulator_says_fits_the_schemas() {
    plane::prepare();
    let schemas = Schemas::load();
    let mut answered = Answered::new();
    for mode in Mode::ALL {
        let accounts = Accounts::sample().token(TOKEN);
        let simulator = Simulator::start(Options::stepped().mode(mode).accounts(accounts))
            .await
            .unwrap();
        jobs_of_every_end(&simulator).await;
        refusals(&simulator).await;
        for entry in simulator.journal() {
            check(&schemas, &entry, &mut answered);
        }
    }
    for (operation, statuses) in [
        ("list", &[200, 400, 401, 404, 409][..]),
        ("change", &[200, 400, 404, 409]),
        ("job", &[200, 400]),
        ("tasks", &[200, 400]),
        ("instance", &[200, 400, 404]),
        ("token", &[201, 400, 401]),
        ("other", &[404]),
    ] {
        for status in statuses {
            let times = answered.get(&(operation, *status));
            assert!(times.is_some(), "{operation} {status}: {answered:?}");
        }
    }
}

fn check(schemas: &Schemas, entry: &Entry, answered: &mut Answered) {
    let answer = entry.answer.as_ref().unwrap();
    let (operation, schema) = match entry.operation {
        Operation::List => ("list", "proxies"),
        Operation::Change => ("change", "change"),
        Operation::Job => ("job", "job"),
        Operation::Tasks => ("tasks", "tasks"),
        Operation::Instance => ("instance", "instance"),
        Operation::Token => ("token", "token"),
        _ => ("other", "error"),
    };
    let schema = if answer.status < 300 { schema } else { "error" };
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    if let Err(why) = schemas.check(schema, &body) {
        panic!("{entry}: {why}");
    }
    if entry.work_done && matches!(entry.operation, Operation::Change) {
        schemas.check("change-request", &entry.json()).unwrap();
    }
    *answered.entry((operation, answer.status)).or_default() += 1;
}

/// Changes that end in every way, and all reads while they run and thereafter.
async fn jobs_of_every_end(simulator: &Simulator) {
    let clouds = [&KEYS[..], &USER[..]].map(|credential| connect(&simulator.url(), credential));
    raw::sign_in(simulator, "", sample::PASSWORD, true).await;
    raw::sign_in(simulator, "", sample::PASSWORD, false).await;
    simulator.configure(|behaviour| behaviour.same_port = SamePort::Absent);
    let outcomes = [
        JobOutcome::Completed,
        JobOutcome::Failed { reason: None },
        JobOutcome::Failed {
            reason: Some("no room".to_owned()),
        },
        JobOutcome::Canceled,
        JobOutcome::Unauthorized,
        JobOutcome::NeverEnds,
    ];
    for (number, outcome) in outcomes.into_iter().enumerate() {
        simulator.next_job(JobPlan {
            pending: Duration::from_secs(20),
            ..JobPlan::ending(outcome)
        });
        let port = 4000 + u16::try_from(number).unwrap();
        let job = raw::accepted(simulator, port).await;
        for wait in [0, 5, 20, 30, 60] {
            simulator.advance(Duration::from_secs(wait)).unwrap();
            reads(simulator, &clouds, &job).await;
        }
        // Two of them would never end.
        let _ = simulator.end_job(&job, JobOutcome::Completed);
        reads(simulator, &clouds, &job).await;
    }
    let same = simulator.proxy(sample::PROXY).unwrap().listed_port;
    raw::change(simulator, sample::PROXY, same).await;
    simulator.set_status(sample::PROXY, "ABNORMAL").unwrap();
    raw::list(simulator).await;
    simulator.set_status(sample::PROXY, "ACTIVE").unwrap();
    simulator
        .set_instance_status(sample::INSTANCE, "MODIFYING DATABASE PORT")
        .unwrap();
    raw::get(simulator, &format!("instances/{}", sample::INSTANCE)).await;
    simulator
        .set_instance_status(sample::INSTANCE, "ACTIVE")
        .unwrap();
}

/// All reads, by the operator's client with each kind of credential and by hand.
async fn reads(simulator: &Simulator, clouds: &[Arc<dyn Cloud>], job: &str) {
    for cloud in clouds {
        cloud.list_proxies(&instance()).await.unwrap();
        // It may not be visible yet.
        let _ = cloud.job(&JobId::parse(job).unwrap()).await;
        cloud.tasks(Timestamp::UNIX_EPOCH).await.unwrap();
    }
    raw::get(simulator, &format!("instances/{}", sample::INSTANCE)).await;
    raw::get(simulator, "immediate-jobs").await;
}

/// Every refusal that needs no fault.
async fn refusals(simulator: &Simulator) {
    for path in [
        "jobs?id=nobody-knows-it",
        "jobs",
        "immediate-jobs?limit=11",
        "immediate-jobs?status=Tired",
        "instances/short",
        "instances/short/proxies",
        "nothing-here",
    ] {
        raw::get(simulator, path).await;
    }
    for (proxy, port) in [
        (sample::PROXY, 80),
        (sample::PROXY, 33071),
        (sample::OTHER_PROXY, 5000),
        (NOBODYS_PROXY, 5000),
    ] {
        assert_eq!(raw::change(simulator, proxy, port).await.status, 400);
    }
    simulator.set_status(sample::PROXY, "ABNORMAL").unwrap();
    assert_eq!(
        raw::change(simulator, sample::PROXY, 5000).await.status,
        409
    );
    simulator
        .set_instance_present(sample::INSTANCE, false)
        .unwrap();
    for form in [
        MissingInstance::NotFound,
        MissingInstance::NotFound201028,
        MissingInstance::BadRequest201028,
        MissingInstance::Conflict200932,
    ] {
        simulator.configure(|behaviour| behaviour.missing_instance = form);
        raw::list(simulator).await;
        raw::change(simulator, sample::PROXY, 5000).await;
        raw::get(simulator, &format!("instances/{}", sample::INSTANCE)).await;
    }
    let wrong_key = [("accessKey", sample::ACCESS_KEY), ("secretKey", "wrong")];
    for credential in [&wrong_key[..], &[("token", "of-nobody")]] {
        let cloud = connect(&simulator.url(), credential);
        cloud.list_proxies(&instance()).await.unwrap_err();
    }
    raw::send_nothing_to_sign_in(simulator).await;
    for _ in 0..6 {
        raw::sign_in(simulator, "", "wrong", true).await;
    }
}
