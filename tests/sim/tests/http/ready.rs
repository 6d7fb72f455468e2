//! Ready-made errors: throttling in each form, errors in each shape, slow bodies, other statuses.

use std::time::Duration;

use serde_json::json;
use taurus_sim::{
    DOCUMENTED_ERRORS, Effect, ErrorShape, Fault, Filter, Operation, Outcome, RetryAfter, sample,
};

use crate::client::{seconds, start};

#[tokio::test]
async fn throttling_says_when_to_come_again_in_each_form_or_not_at_all() {
    let (simulator, client) = start().await;
    let later = simulator.now() + seconds(90);
    let date = later.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (retry_after, header) in [
        (None, None),
        (Some(RetryAfter::Seconds(7)), Some("7")),
        (Some(RetryAfter::Date(seconds(90))), Some(&*date)),
        (Some(RetryAfter::Junk("soon".to_owned())), Some("soon")),
    ] {
        simulator.inject(Fault::on(Operation::Change, Effect::throttle(retry_after)).once());
        let reply = client.change(3307).await;
        assert_eq!(reply.refusal(), (429, "APIGW.0308".to_owned()));
        assert_eq!(reply.json()["request_id"], reply.header("x-request-id"));
        let said = reply
            .headers
            .get("retry-after")
            .map(|value| value.to_str().unwrap());
        assert_eq!(said, header);
    }
    assert!(simulator.jobs().is_empty(), "the work is not done");
}

#[tokio::test]
async fn errors_come_in_each_shape_with_any_status_before_and_after_the_work() {
    let (simulator, client) = start().await;
    for shape in ErrorShape::ALL {
        for status in [400, 409, 500, 504] {
            simulator.inject(
                Fault::on(Operation::List, Effect::error(status, "DBS.200047", shape)).once(),
            );
            let reply = client.list("").await;
            assert_eq!(reply.status, status, "{shape:?}");
            let kind = match shape {
                ErrorShape::Html => "text/html; charset=utf-8",
                ErrorShape::Text => "text/plain",
                _ => "application/json",
            };
            assert_eq!(reply.header("content-type"), kind);
            let coded = !matches!(
                shape,
                ErrorShape::Keystone | ErrorShape::Html | ErrorShape::Text | ErrorShape::Empty
            );
            assert_eq!(reply.body.contains("DBS.200047"), coded, "{reply:?}");
            if coded || shape == ErrorShape::Keystone {
                reply.json();
            }
        }
    }
    let lost = Effect::error_after_work(504, "APIGW.0203", ErrorShape::Gateway);
    simulator.inject(Fault::on(Operation::Change, lost).once());
    assert_eq!(
        client.change(3307).await.refusal(),
        (504, "APIGW.0203".to_owned())
    );
    assert_eq!(simulator.jobs().len(), 1);
}

#[tokio::test]
async fn a_slow_body_comes_whole_in_the_end() {
    let (simulator, client) = start().await;
    let whole = client.list("").await.body;
    let every = Duration::from_millis(5);
    simulator.inject(Fault::on(
        Operation::List,
        Effect::SlowBody { bytes: 100, every },
    ));
    let before = simulator.journal().pop().unwrap().after;
    let reply = client.list("").await;
    assert_eq!(reply.body, whole);
    client.job("x").await;
    let took = simulator
        .journal()
        .pop()
        .unwrap()
        .after
        .saturating_sub(before);
    let parts = u32::try_from(whole.len() / 100).unwrap();
    assert!(parts > 5 && took >= every * parts, "{took:?} for {parts}");
    let entry = simulator
        .entries(&Filter::on(Operation::List))
        .pop()
        .unwrap();
    assert_eq!(
        (entry.outcome, entry.status()),
        (Outcome::Answered, Some(200))
    );
}

#[tokio::test]
async fn a_slow_body_outlasts_the_impatient() {
    let (simulator, client) = start().await;
    let every = seconds(60);
    simulator.inject(Fault::on(
        Operation::Change,
        Effect::SlowBody { bytes: 1, every },
    ));
    let request = client.change_request(sample::INSTANCE, sample::PROXY, r#"{"port":3307}"#);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "the head comes at once");
    let impatient = tokio::time::timeout(Duration::from_millis(300), answer.text());
    assert!(impatient.await.is_err(), "the body is not whole yet");
    assert_eq!(simulator.jobs().len(), 1, "the work is done");
}

#[tokio::test]
async fn the_services_own_answer_can_have_another_status() {
    let (simulator, client) = start().await;
    simulator.inject(Fault::on(Operation::Change, Effect::Status(202)).once());
    let reply = client.change(3307).await;
    assert_eq!(reply.status, 202);
    let job = simulator.jobs().pop().unwrap();
    assert_eq!(reply.json(), json!({"job_id": job.id}));
    simulator.inject(Fault::on(Operation::Change, Effect::Status(403)));
    assert_eq!(
        client.change(3308).await.refusal(),
        (403, "DBS.200019".to_owned()),
        "busy in disguise"
    );
}

#[tokio::test]
async fn every_documented_error_comes_by_its_code_alone() {
    let (simulator, client) = start().await;
    for (code, status) in DOCUMENTED_ERRORS {
        simulator.inject(Fault::on(Operation::Change, Effect::documented(code)).once());
        let reply = client.change(3307).await;
        assert_eq!(reply.refusal(), (status, code.to_owned()));
        let by_gateway = reply.json().get("request_id").is_some();
        assert_eq!(by_gateway, code.starts_with("APIGW."), "{reply:?}");
    }
    assert!(simulator.jobs().is_empty());
}
