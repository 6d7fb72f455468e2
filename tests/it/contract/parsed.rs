//! The operator's client reads every fixture, as the answer to the call that it belongs to.

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;
use taurus_port_operator::{
    cloud::{ChangeAnswer, CloudError, Job, Meaning, Proxy, ProxyStatus, Task},
    model::{InstanceId, JobId, JobState, ProxyId},
};
use taurus_sim::{Answer, Effect, Fault, Filter, Operation, Simulator, sample};

use super::{documents, shape};
use crate::client::{
    KEYS, TOKEN, USER,
    changes::{Intents, change},
    connect, instance, simulator,
};

const JOB: &str = "9f2d61c4-7be0-4a35-8c1d-52e0ab94f763";
const OTHER_JOB: &str = "3be7f08a-16c2-4d59-9e40-c7d18a2f5b06";

/// Status, meaning and code of each error that a list may be answered with.
const ERRORS: [(&str, u16, Meaning, Option<&str>); 13] = [
    ("error-service", 409, Meaning::Busy, Some("DBS.200019")),
    (
        "error-service-wide-code",
        400,
        Meaning::UnknownRefusal,
        Some("DBS.05000022"),
    ),
    (
        "error-job-not-found",
        400,
        Meaning::NotFound,
        Some("DBS.200543"),
    ),
    ("error-gateway", 429, Meaning::Throttled, Some("APIGW.0308")),
    (
        "error-gateway-other-prefix",
        401,
        Meaning::Unauthenticated,
        Some("APIG.0301"),
    ),
    ("error-iam", 401, Meaning::Locked, Some("IAM.0061")),
    ("error-keystone", 401, Meaning::Unauthenticated, None),
    ("error-nested", 403, Meaning::Denied, Some("DBS.200010")),
    ("error-code-message", 400, Meaning::Busy, Some("DBS.201014")),
    ("error-camel", 409, Meaning::Busy, Some("DBS.200047")),
    ("error-front", 403, Meaning::Busy, Some("DBS.201015")),
    (
        "error-in-message",
        400,
        Meaning::UnknownRefusal,
        Some("DBS.200461"),
    ),
    (
        "error-list",
        403,
        Meaning::Unauthenticated,
        Some("DBS.280056"),
    ),
];

/// What stands in fixtures beside answers that the operator's client asks for.
const NOT_READ: [&str; 3] = ["instance", "change-request", "token-request"];

fn proxies() -> [Proxy; 2] {
    let proxy = |id, name: &str, address: &str, port| Proxy {
        id: ProxyId::parse(id).unwrap(),
        name: name.to_owned(),
        status: ProxyStatus::Active,
        address: Some(address.to_owned()),
        port: Some(port),
    };
    [
        proxy(
            "7c05e2f9b8d14a6390e1fd27c46ab85epo01",
            "billing-writes",
            "10.41.7.18",
            3306,
        ),
        proxy(
            "c9d3148fa60b4e72b8f50172e3da946cpo01",
            "billing-reports",
            "10.41.7.19",
            6033,
        ),
    ]
}

fn lists() -> [(&'static str, Vec<Proxy>); 5] {
    let [first, second] = proxies();
    let word = "ADDING READ REPLICAS TO PROXY".to_owned();
    let changing = Proxy {
        status: ProxyStatus::Changing(word),
        ..first.clone()
    };
    [
        ("proxies", vec![first.clone(), second]),
        ("proxies-changing", vec![changing]),
        ("proxies-empty", Vec::new()),
        ("proxies-odd-types", vec![first.clone()]),
        ("proxies-older", vec![first]),
    ]
}

fn jobs() -> [(
    &'static str,
    JobState,
    Option<&'static str>,
    Option<&'static str>,
); 6] {
    let failed = |word: &str| JobState::Failed(word.to_owned());
    [
        ("job-pending", JobState::Pending, None, None),
        (
            "job-running",
            JobState::Running("Running".to_owned()),
            None,
            None,
        ),
        (
            "job-completed",
            JobState::Completed,
            Some("2026-05-20T01:31:48Z"),
            None,
        ),
        (
            "job-failed",
            failed("Failed"),
            Some("2026-05-20T01:31:02Z"),
            Some("an invented reason"),
        ),
        (
            "job-canceled",
            failed("Canceled"),
            Some("2026-05-20T01:30:55Z"),
            None,
        ),
        ("job-unauthorized", JobState::Unauthorized, None, None),
    ]
}

fn changes() -> [(&'static str, ChangeAnswer); 4] {
    let job = JobId::parse(JOB).unwrap();
    [
        ("change-accepted", ChangeAnswer::Accepted(job)),
        ("change-nothing-null", ChangeAnswer::NothingToDo),
        ("change-nothing-absent", ChangeAnswer::NothingToDo),
        ("change-nothing-empty", ChangeAnswer::NothingToDo),
    ]
}

const TASKS: [&str; 2] = ["tasks", "tasks-empty"];
const TOKENS: [&str; 3] = ["token", "token-without-catalog", "token-without-project"];

/// The simulator answers the next call with a fixture.
fn answer(simulator: &Simulator, operation: Operation, status: u16, fixture: &str) {
    let answer = Answer::new(status, documents::text(fixture));
    simulator.inject(Fault::on(operation, Effect::respond(answer)).once());
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test]
async fn lists_of_each_form_are_read() {
    let simulator = simulator().await;
    let cloud = connect(&simulator.url(), &KEYS);
    for (fixture, expected) in lists() {
        answer(&simulator, Operation::List, 200, fixture);
        let read = cloud.list_proxies(&instance()).await;
        assert_eq!(read.map(|list| list.rows), Ok(expected), "{fixture}");
    }
}

#[tokio::test]
async fn jobs_in_each_state_are_read_and_no_job_is_none() {
    let simulator = simulator().await;
    let cloud = connect(&simulator.url(), &KEYS);
    let id = JobId::parse(JOB).unwrap();
    for (fixture, state, ended, fail_reason) in jobs() {
        answer(&simulator, Operation::Job, 200, fixture);
        let job = cloud.job(&id).await.unwrap();
        let expected = Job {
            state,
            fail_reason: fail_reason.map(str::to_owned),
            ended: ended.map(time),
            cloud_time: job.cloud_time,
        };
        assert_eq!(job, expected, "{fixture}");
        assert!(job.cloud_time.is_some());
    }
    for (fixture, status) in [("job-null", 200), ("error-job-not-found", 400)] {
        answer(&simulator, Operation::Job, status, fixture);
        let error = cloud.job(&id).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::NotFound, "{fixture}: {error}");
    }
}

#[tokio::test]
async fn the_job_of_another_change_is_not_taken_for_ours() {
    let simulator = simulator().await;
    let cloud = connect(&simulator.url(), &KEYS);
    answer(&simulator, Operation::Job, 200, "job-completed");
    let error = cloud.job(&JobId::parse(OTHER_JOB).unwrap()).await;
    assert_eq!(error.unwrap_err().meaning, Meaning::Malformed);
}

#[tokio::test]
async fn the_task_list_is_read() {
    let simulator = simulator().await;
    let cloud = connect(&simulator.url(), &KEYS);
    let of_one_instance = InstanceId::parse("b41c7d9e05f24863a7e2190cd86f3b5ain07").unwrap();
    let task = |job, state, created, ended: Option<&str>| Task {
        job: JobId::parse(job),
        instance: Some(of_one_instance.clone()),
        state,
        created: Some(time(created)),
        ended: ended.map(time),
    };
    let running = JobState::Running("Running".to_owned());
    let expected = [
        vec![
            task(JOB, running, "2026-05-20T01:30:11Z", None),
            task(
                OTHER_JOB,
                JobState::Completed,
                "2026-05-19T19:00:00Z",
                Some("2026-05-19T19:20:41Z"),
            ),
        ],
        Vec::new(),
    ];
    for (fixture, expected) in TASKS.into_iter().zip(expected) {
        let page = Answer::new(200, documents::text(fixture));
        simulator.clear_faults();
        simulator.inject(Fault::on(Operation::Tasks, Effect::respond(page)));
        let read = cloud.tasks(time("2026-05-19T00:00:00Z")).await.unwrap();
        assert_eq!(read.tasks, expected, "{fixture}");
    }
}

#[taurus_needs::test]
async fn each_answer_to_a_change_is_read_and_the_change_is_asked_for_as_documented() {
    let simulator = simulator().await;
    let mut intents = Intents::new().await;
    let cloud = connect(&simulator.url(), &KEYS);
    for (fixture, expected) in changes() {
        answer(&simulator, Operation::Change, 200, fixture);
        let read = change(cloud.as_ref(), &mut intents).await;
        assert_eq!(read, expected, "{fixture}");
    }
    for entry in simulator.entries(&Filter::on(Operation::Change)) {
        let documented = shape::of(&documents::json("change-request"));
        assert_eq!(shape::of(&entry.json()), documented, "{entry}");
    }
}

#[tokio::test]
async fn errors_of_every_shape_are_understood() {
    let simulator = simulator().await;
    for (fixture, status, meaning, code) in ERRORS {
        // Each with a client of its own: some of them make a client hold its credential back.
        let cloud = connect(&simulator.url(), &[("token", TOKEN)]);
        answer(&simulator, Operation::List, status, fixture);
        let error = cloud.list_proxies(&instance()).await.unwrap_err();
        let found = (error.meaning, error.code.as_deref(), error.status);
        assert_eq!(found, (meaning, code, Some(status)), "{fixture}: {error}");
        let said = documents::json(fixture);
        let text = text_of(&said).unwrap();
        let text = match meaning {
            Meaning::UnknownRefusal => format!("the list of proxies: {text}"),
            _ => text,
        };
        assert_eq!(error.text, text, "{fixture}");
    }
}

/// The text of an error in any of the shapes.
fn text_of(said: &Value) -> Option<String> {
    let names = ["error_msg", "errorMsg", "externalMessage", "message"];
    let inner = said.get("error").or(said.get(0)).unwrap_or(said);
    let text = names.iter().find_map(|name| inner.get(name))?.as_str()?;
    match serde_json::from_str::<Value>(text) {
        Ok(wrapped) => text_of(&wrapped),
        Err(_) => Some(text.to_owned()),
    }
}

#[tokio::test]
async fn tokens_are_taken_whatever_is_told_of_them_and_refused_sign_ins_are_understood() {
    let simulator = simulator().await;
    for fixture in TOKENS {
        let token = Answer::new(201, documents::text(fixture)).header("X-Subject-Token", TOKEN);
        simulator.inject(Fault::on(Operation::Token, Effect::respond(token)).once());
        let cloud = connect(&simulator.url(), &USER);
        for _ in 0..2 {
            let listed = cloud.list_proxies(&instance()).await.unwrap();
            assert_eq!(listed.len(), 1, "{fixture}");
        }
    }
    let asked = simulator.entries(&Filter::on(Operation::Token));
    assert_eq!(asked.len(), TOKENS.len(), "one for each client");
    for entry in asked {
        let documented = shape::of(&documents::json("token-request"));
        assert_eq!(shape::of(&entry.json()), documented, "{entry}");
    }
    for (fixture, meaning) in [
        ("error-iam", Meaning::Locked),
        ("error-keystone", Meaning::Unauthenticated),
    ] {
        answer(&simulator, Operation::Token, 401, fixture);
        let cloud = connect(&simulator.url(), &USER);
        let error: CloudError = cloud.list_proxies(&instance()).await.unwrap_err();
        assert_eq!(error.meaning, meaning, "{fixture}: {error}");
    }
    assert_eq!(
        simulator.proxy(sample::PROXY).unwrap().listed_port,
        sample::PORT
    );
}

#[test]
fn every_fixture_is_read_by_one_of_these_tests() {
    let lists = lists();
    let jobs = jobs();
    let changes = changes();
    let read = lists
        .iter()
        .map(|(name, _)| *name)
        .chain(jobs.iter().map(|(name, ..)| *name))
        .chain(changes.iter().map(|(name, _)| *name))
        .chain(ERRORS.iter().map(|(name, ..)| *name))
        .chain(TASKS)
        .chain(TOKENS)
        .chain(NOT_READ)
        .chain(["job-null"])
        .map(str::to_owned)
        .collect();
    assert_eq!(documents::fixtures(), read);
}
