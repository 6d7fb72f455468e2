//! The journal, and waiting for it.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use taurus_sim::{Effect, Fault, Filter, Loss, Operation, Options, Outcome, sample};

use crate::client::{PATIENCE, list_path, seconds, send, start, start_with};

#[tokio::test]
async fn an_entry_tells_all_of_a_request_but_its_secrets() {
    let (simulator, client) = start().await;
    simulator.advance(seconds(5)).unwrap();
    let path = list_path(sample::INSTANCE);
    let request = client
        .request(Method::GET, &format!("{path}?limit=10&offset=%30"))
        .header("X-Language", "en-us");
    let reply = send(request).await.unwrap();
    let entries = simulator.journal();
    let [entry] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    assert_eq!(
        (entry.number, entry.at, entry.connection),
        (1, simulator.now(), 1)
    );
    assert_eq!(
        (&*entry.method, &*entry.path, entry.operation),
        ("GET", &*path, Operation::List)
    );
    let query: Vec<_> = entry
        .query
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(query, [("limit", "10"), ("offset", "0")]);
    assert_eq!(
        (
            &*entry.headers["x-language"],
            &*entry.headers["x-auth-token"]
        ),
        ("en-us", "***")
    );
    assert_eq!(entry.project.as_deref(), Some(sample::PROJECT));
    assert_eq!(
        (entry.instance.as_deref(), entry.proxy.as_deref()),
        (Some(sample::INSTANCE), None)
    );
    assert_eq!(
        (entry.credential.as_deref(), entry.outcome, entry.work_done),
        (Some("token 1"), Outcome::Answered, true)
    );
    let answer = entry.answer.as_ref().unwrap();
    assert_eq!((answer.status, &*answer.body), (200, &*reply.body));
}

#[tokio::test]
async fn filters_pick_changes_and_jobs_by_their_proxy() {
    let (simulator, client) = start().await;
    let id = client.accepted(3307).await;
    client.job(&id).await;
    client.list("").await;
    let ours = simulator.entries(&Filter::all().proxy(sample::PROXY));
    let operations: Vec<_> = ours.iter().map(|entry| entry.operation).collect();
    assert_eq!(operations, [Operation::Change, Operation::Job]);
    assert_eq!(
        (ours[0].port(), ours[0].job_id.as_deref()),
        (Some(3307), Some(&*id))
    );
    assert_eq!(
        simulator.count(&Filter::all().instance(sample::INSTANCE)),
        3
    );
    assert_eq!(simulator.count(&Filter::all().since(ours[0].number)), 2);
    simulator.clear_journal();
    client.list("").await;
    assert_eq!(simulator.journal()[0].number, 4);
}

#[tokio::test]
async fn it_is_exported_as_json_lines_by_the_same_filters() {
    let (simulator, client) = start().await;
    let id = client.accepted(3307).await;
    client.change(3308).await;
    client.list("").await;
    simulator.inject(Fault::on(
        Operation::List,
        Effect::lose_request(Loss::Reset),
    ));
    let _ = client.try_get(&list_path(sample::INSTANCE)).await;

    let export = async |query: &str| -> Vec<Value> {
        let path = format!("/journal/export{query}");
        let reply = client.admin(Method::GET, &path, Value::Null).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.header("content-type"), "application/jsonl");
        let lines = reply.body.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let numbers = async |query: &str| -> Vec<u64> {
        let lines = export(query).await;
        lines
            .iter()
            .map(|line| line["number"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(export("").await[0]["job_id"], id);
    assert_eq!(numbers("").await, [1, 2, 3, 4]);
    assert_eq!(numbers("?operation=change&status=409").await, [2]);
    assert_eq!(numbers("?work_done=true").await, [1, 3]);
    assert_eq!(numbers("?outcome=reset&since=2").await, [4]);
    for wrong in ["?status=ok", "?outcome=good", "?work_done=yes", "?port=1"] {
        let path = format!("/journal/export{wrong}");
        assert_eq!(
            client.admin(Method::GET, &path, Value::Null).await.status,
            400
        );
    }
    let changes = Filter::on(Operation::Change);
    assert_eq!(simulator.export_journal(&changes).lines().count(), 2);
}

#[tokio::test]
async fn who_waits_for_a_request_gets_it_when_it_comes_and_else_a_list_of_what_came() {
    let (simulator, client) = start().await;
    let lists = Filter::on(Operation::List);
    let third = simulator.wait_for_request(&lists, 3, PATIENCE);
    let calls = async {
        client.accepted(3307).await;
        for _ in 0..4 {
            client.list("").await;
        }
    };
    let (third, ()) = tokio::join!(third, calls);
    assert_eq!(third.unwrap().number, 4);

    let sign_ins = Filter::on(Operation::Token);
    let never = simulator.wait_for_request(&sign_ins, 1, Duration::from_millis(50));
    let error = never.await.unwrap_err().to_string();
    assert!(
        error.contains("#1 PUT") && error.contains(r#"{"port":3307} -> Answered 200"#),
        "{error}"
    );
}

#[tokio::test]
async fn a_request_that_was_waited_for_has_begun_its_job() {
    let (simulator, client) = start().await;
    let changes = Filter::on(Operation::Change);
    for nth in 1..=20 {
        let request = simulator.wait_for_request(&changes, nth, PATIENCE);
        let port = 3306 + u16::try_from(nth).unwrap();
        let (request, _job) = tokio::join!(request, client.accepted(port));
        assert!(request.unwrap().job_id.is_some(), "request {nth}");
        simulator.advance(Duration::from_mins(10)).unwrap();
    }
}

#[tokio::test]
async fn the_journal_keeps_no_more_than_its_limit() {
    let (simulator, client) = start_with(Options {
        journal_limit: 3,
        ..Options::stepped()
    })
    .await;
    for _ in 0..5 {
        client.list("").await;
    }
    let numbers: Vec<_> = simulator
        .journal()
        .iter()
        .map(|entry| entry.number)
        .collect();
    assert_eq!(numbers, [3, 4, 5]);
}

#[tokio::test]
async fn a_stopped_simulator_answers_nobody_and_holds_nothing() {
    let (simulator, client) = start().await;
    client.list("").await;
    simulator.inject(Fault::on(Operation::Job, Effect::hold_before()));
    simulator.inject(Fault::on(Operation::Tasks, Effect::black_hole()));
    let waiting = [client.clone(), client.clone()].map(|client| {
        tokio::spawn(async move {
            tokio::join!(
                client.try_get("/v3/p/jobs"),
                client.try_get("/v3/p/immediate-jobs")
            )
        })
    });
    simulator
        .wait_for_request(&Filter::all(), 5, PATIENCE)
        .await
        .unwrap();
    let (control, address) = (simulator.control().clone(), simulator.address());
    tokio::time::timeout(PATIENCE, simulator.stop())
        .await
        .unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    for caller in waiting {
        let (held, swallowed) = caller.await.unwrap();
        assert!(held.is_err() && swallowed.is_err());
    }
    assert_eq!(control.journal().len(), 5);
}
