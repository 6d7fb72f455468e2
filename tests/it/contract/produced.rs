//! The simulator answers in the shape of every fixture.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;
use taurus_sim::{
    Effect, ErrorShape, Fault, JobOutcome, JobPlan, MissingJob, Oddity, Operation, SamePort,
    Simulator, sample,
};

use super::{documents, raw, shape};
use crate::client::simulator;

/// Notes which fixtures were produced.
#[derive(Default)]
struct Produced(BTreeSet<String>);

impl Produced {
    /// The simulator's answer has exactly the places and types of the fixture.
    fn take(&mut self, fixture: &str, answer: &Value) {
        let (ours, documented) = (shape::of(answer), shape::of(&documents::json(fixture)));
        let more: Vec<_> = ours.difference(&documented).collect();
        let less: Vec<_> = documented.difference(&ours).collect();
        assert!(
            more.is_empty() && less.is_empty(),
            "{fixture}: the simulator has more {more:?} and less {less:?}"
        );
        self.0.insert(fixture.to_owned());
    }
}

#[tokio::test]
async fn every_fixture_is_produced() {
    let mut produced = Produced::default();
    lists(&mut produced).await;
    jobs(&mut produced).await;
    tasks_and_instance(&mut produced).await;
    changes(&mut produced).await;
    errors_of_its_own(&mut produced).await;
    errors_of_other_shapes(&mut produced).await;
    tokens(&mut produced).await;
    let answers: BTreeSet<String> = documents::fixtures()
        .into_iter()
        .filter(|name| !name.ends_with("-request"))
        .collect();
    assert_eq!(produced.0, answers);
}

async fn lists(produced: &mut Produced) {
    let simulator = simulator().await;
    produced.take("proxies", &raw::list(&simulator).await.json());
    for (fixture, oddities) in [
        ("proxies-older", vec![Oddity::OlderFields]),
        (
            "proxies-odd-types",
            vec![
                Oddity::VcpusNumber,
                Oddity::TransactionSplitBool,
                Oddity::ReadonlyNodesObject,
            ],
        ),
    ] {
        simulator.inject(Fault::on(Operation::List, Effect::Odd(oddities)).once());
        produced.take(fixture, &raw::list(&simulator).await.json());
    }
    let changing = documents::json("proxies-changing");
    let word = changing["proxy_list"][0]["proxy"]["status"]
        .as_str()
        .unwrap();
    simulator.set_status(sample::PROXY, word).unwrap();
    let listed = raw::list(&simulator).await.json();
    assert_eq!(listed["proxy_list"][0]["proxy"]["status"], word);
    produced.take("proxies-changing", &listed);
    simulator.set_present(sample::PROXY, false).unwrap();
    produced.take("proxies-empty", &raw::list(&simulator).await.json());
}

async fn jobs(produced: &mut Produced) {
    let simulator = simulator().await;
    let minute = Duration::from_mins(1);
    let pending = JobPlan {
        pending: minute,
        ..JobPlan::lasting(minute)
    };
    for (number, (fixture, plan, after)) in [
        ("job-pending", pending, 30),
        ("job-running", JobPlan::lasting(minute), 24),
        ("job-completed", JobPlan::lasting(minute), 61),
        ("job-failed", JobPlan::failing("no room"), 61),
        ("job-canceled", JobPlan::ending(JobOutcome::Canceled), 61),
        (
            "job-unauthorized",
            JobPlan::ending(JobOutcome::Unauthorized),
            61,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        simulator.next_job(plan);
        let port = 4000 + u16::try_from(number).unwrap();
        let id = raw::accepted(&simulator, port).await;
        simulator.advance(Duration::from_secs(after)).unwrap();
        let answer = raw::get(&simulator, &format!("jobs?id={id}")).await.json();
        let documented = documents::json(fixture);
        for field in ["status", "process"] {
            assert_eq!(answer["job"][field], documented["job"][field], "{fixture}");
        }
        produced.take(fixture, &answer);
        simulator.end_job(&id, JobOutcome::Canceled).unwrap_or(());
    }
    let missing = raw::get(&simulator, "jobs?id=x").await;
    assert_eq!(missing.status, 400);
    error(produced, "error-job-not-found", &missing.json());
    simulator.configure(|behaviour| behaviour.missing_job = MissingJob::NullJob);
    let missing = raw::get(&simulator, "jobs?id=x").await;
    produced.take("job-null", &missing.json());
}

async fn tasks_and_instance(produced: &mut Produced) {
    let simulator = simulator().await;
    let path = "immediate-jobs?limit=50";
    produced.take("tasks-empty", &raw::get(&simulator, path).await.json());
    raw::accepted(&simulator, 4000).await;
    simulator.advance(Duration::from_mins(2)).unwrap();
    raw::accepted(&simulator, 4001).await;
    simulator.advance(Duration::from_secs(24)).unwrap();
    let tasks = raw::get(&simulator, path).await.json();
    let states = |tasks: &Value| {
        let rows = tasks["jobs"].as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["status"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(states(&tasks), states(&documents::json("tasks")));
    produced.take("tasks", &tasks);
    let detail = raw::get(&simulator, &format!("instances/{}", sample::INSTANCE)).await;
    produced.take("instance", &detail.json());
}

async fn changes(produced: &mut Produced) {
    let simulator = simulator().await;
    for (fixture, form) in [
        ("change-nothing-null", SamePort::Null),
        ("change-nothing-absent", SamePort::Absent),
        ("change-nothing-empty", SamePort::Empty),
    ] {
        simulator.configure(|behaviour| behaviour.same_port = form);
        let answer = raw::change(&simulator, sample::PROXY, sample::PORT).await;
        assert_eq!(answer.json(), documents::json(fixture));
        produced.take(fixture, &answer.json());
    }
    let answer = raw::change(&simulator, sample::PROXY, 4000).await;
    produced.take("change-accepted", &answer.json());
}

/// An error with the code of the fixture, wherever the fixture has it.
fn error(produced: &mut Produced, fixture: &str, answer: &Value) {
    let documented = documents::json(fixture);
    for place in [
        "/error_code",
        "/errorCode",
        "/errCode",
        "/code",
        "/error/code",
    ] {
        assert_eq!(
            answer.pointer(place),
            documented.pointer(place),
            "{fixture} {place}"
        );
    }
    produced.take(fixture, answer);
}

async fn errors_of_its_own(produced: &mut Produced) {
    let simulator = simulator().await;
    raw::accepted(&simulator, 4000).await;
    let busy = raw::change(&simulator, sample::PROXY, 4001).await;
    error(produced, "error-service", &busy.json());
    let foreign = raw::change(&simulator, sample::OTHER_PROXY, 4001).await;
    error(produced, "error-service-wide-code", &foreign.json());
    simulator.inject(Fault::on(Operation::List, Effect::throttle(None)).once());
    let throttled = raw::list(&simulator).await;
    assert_eq!(throttled.status, 429);
    error(produced, "error-gateway", &throttled.json());
    for _ in 0..5 {
        raw::sign_in(&simulator, "", "wrong", true).await;
    }
    let locked = raw::sign_in(&simulator, "", sample::PASSWORD, true).await;
    assert_eq!(locked.status, 401);
    error(produced, "error-iam", &locked.json());
}

async fn errors_of_other_shapes(produced: &mut Produced) {
    let simulator = simulator().await;
    for (fixture, status, code, shape) in [
        (
            "error-gateway-other-prefix",
            401,
            "APIG.0301",
            ErrorShape::Gateway,
        ),
        ("error-keystone", 401, "IAM.0062", ErrorShape::Keystone),
        ("error-nested", 403, "DBS.200010", ErrorShape::Nested),
        (
            "error-code-message",
            400,
            "DBS.201014",
            ErrorShape::CodeMessage,
        ),
        ("error-camel", 409, "DBS.200047", ErrorShape::CamelCase),
        ("error-front", 403, "DBS.201015", ErrorShape::ErrCode),
        (
            "error-in-message",
            400,
            "DBS.200461",
            ErrorShape::JsonInMessage,
        ),
        ("error-list", 403, "DBS.280056", ErrorShape::Array),
    ] {
        let effect = Effect::error(status, code, shape);
        simulator.inject(Fault::on(Operation::List, effect).once());
        let answer = raw::list(&simulator).await;
        assert_eq!(answer.status, status, "{fixture}");
        error(produced, fixture, &answer.json());
    }
}

async fn tokens(produced: &mut Produced) {
    let simulator: Simulator = simulator().await;
    for (fixture, query, project) in [
        ("token", "", true),
        ("token-without-catalog", "?nocatalog=true", true),
        ("token-without-project", "?nocatalog=true", false),
    ] {
        let token = raw::sign_in(&simulator, query, sample::PASSWORD, project).await;
        assert_eq!(token.status, 201, "{token:?}");
        produced.take(fixture, &token.json());
    }
}
