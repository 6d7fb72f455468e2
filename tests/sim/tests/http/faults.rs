//! Each fault, as a client meets it.

use std::time::Duration;

use serde_json::json;
use taurus_sim::{
    Answer, Effect, Entry, Fault, Filter, Loss, Operation, Options, Outcome, Simulator, Stage,
    sample,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::client::{Client, PATIENCE, Reply, TOKEN, change_path, seconds, start, start_with};

fn change(effect: Effect) -> Fault {
    Fault::on(Operation::Change, effect)
        .proxy(sample::PROXY)
        .once()
}

/// The change in the background, and its entry as soon as what is asked for is true of it.
async fn change_until(
    simulator: &Simulator,
    client: &Client,
    seen: impl Fn(&Entry) -> bool,
) -> (JoinHandle<reqwest::Result<Reply>>, Entry) {
    let client = client.clone();
    let running = tokio::spawn(async move { client.try_change(3307).await });
    let found = simulator.wait_until(PATIENCE, |control| {
        control
            .entries(&Filter::on(Operation::Change))
            .into_iter()
            .find(|entry| seen(entry))
    });
    (running, found.await.unwrap())
}

#[tokio::test]
async fn a_request_can_be_held_before_its_work() {
    let (simulator, client) = start().await;
    let fault = simulator.inject(change(Effect::hold_before()));
    let (running, entry) = change_until(&simulator, &client, |entry| entry.faults == [fault]).await;
    assert_eq!((entry.outcome, entry.work_done), (Outcome::Open, false));
    assert!(simulator.jobs().is_empty());
    simulator.release(fault).unwrap();
    assert_eq!(running.await.unwrap().unwrap().status, 200);
    assert_eq!(simulator.jobs().len(), 1);
}

#[tokio::test]
async fn an_answer_can_be_held_after_the_work() {
    let (simulator, client) = start().await;
    simulator.inject(change(Effect::hold_after()));
    let (running, entry) = change_until(&simulator, &client, |entry| entry.work_done).await;
    assert_eq!(entry.outcome, Outcome::Open);
    assert_eq!(
        entry.job_id.as_deref(),
        simulator.jobs().first().map(|job| &*job.id)
    );
    simulator.release_all();
    let reply = running.await.unwrap().unwrap();
    assert_eq!(reply.json()["job_id"].as_str(), entry.job_id.as_deref());
}

#[tokio::test]
async fn a_hold_ends_with_its_time_or_with_its_rule() {
    let (simulator, client) = start().await;
    let hold = Effect::Hold {
        at: Stage::AfterWork,
        at_most: Some(seconds(30)),
    };
    simulator.inject(change(hold));
    let (running, _) = change_until(&simulator, &client, |entry| entry.work_done).await;
    simulator.advance(seconds(29)).unwrap();
    assert!(!running.is_finished());
    simulator.advance(seconds(1)).unwrap();
    assert_eq!(running.await.unwrap().unwrap().status, 200);

    let fault = simulator.inject(Fault::on(Operation::List, Effect::hold_before()).once());
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.list("").await.status }
    });
    simulator
        .wait_for_request(&Filter::on(Operation::List), 1, PATIENCE)
        .await
        .unwrap();
    simulator.remove_fault(fault).unwrap();
    assert_eq!(waiting.await.unwrap(), 200);
}

#[tokio::test]
async fn a_request_that_was_read_is_worked_on_even_if_its_sender_has_gone() {
    let (simulator, client) = start().await;
    let fault = simulator.inject(change(Effect::hold_before()));
    let (running, entry) = change_until(&simulator, &client, |entry| entry.faults == [fault]).await;
    running.abort();
    assert!(running.await.is_err());
    simulator.release(fault).unwrap();
    let done = simulator.wait_until(PATIENCE, |control| {
        let now = control
            .journal()
            .into_iter()
            .find(|now| now.number == entry.number)?;
        Some(now).filter(|now| now.outcome == Outcome::Unheard)
    });
    let done = done.await.unwrap();
    assert!(done.work_done && done.status() == Some(200), "{done}");
    assert_eq!(simulator.jobs().len(), 1);
}

#[tokio::test]
async fn requests_and_answers_can_be_lost_in_each_way() {
    for (effect, outcome, done) in [
        (Effect::lose_request(Loss::Reset), Outcome::Reset, false),
        (Effect::lose_request(Loss::Close), Outcome::Closed, false),
        (Effect::lose_answer(Loss::Reset), Outcome::Reset, true),
        (Effect::lose_answer(Loss::Close), Outcome::Closed, true),
    ] {
        let (simulator, client) = start().await;
        simulator.inject(change(effect.clone()));
        let error = client.try_change(3307).await.unwrap_err();
        assert!(!error.is_timeout(), "{error}");
        let puts = simulator.entries(&Filter::on(Operation::Change));
        assert_eq!(puts.len(), 1, "the library must not repeat it: {puts:?}");
        assert_eq!(
            (puts[0].outcome, puts[0].work_done),
            (outcome, done),
            "{effect:?}"
        );
        assert_eq!(puts[0].answer.is_some(), done);
        assert_eq!(simulator.jobs().len(), usize::from(done));
        assert_eq!(client.list("").await.status, 200, "others are served");
    }
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_close_is_an_end() {
    for (how, kind) in [
        (Loss::Reset, Some(std::io::ErrorKind::ConnectionReset)),
        (Loss::Close, None),
    ] {
        let (simulator, _) = start().await;
        simulator.inject(change(Effect::lose_answer(how)));
        let mut stream = TcpStream::connect(simulator.address()).await.unwrap();
        stream
            .write_all(raw_change("{\"port\":3307}", 13).as_bytes())
            .await
            .unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .unwrap();
        assert_eq!(read.map_err(|error| error.kind()).err(), kind, "{how:?}");
        assert!(answer.is_empty());
    }
}

fn raw_change(body: &str, length: usize) -> String {
    let path = change_path(sample::INSTANCE, sample::PROXY);
    format!(
        "PUT {path} HTTP/1.1\r\nHost: sim\r\nX-Auth-Token: {TOKEN}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_black_hole_keeps_the_connection_and_does_nothing() {
    let (simulator, client) = start().await;
    simulator.inject(change(Effect::black_hole()));
    let request = client.change_request(sample::INSTANCE, sample::PROXY, r#"{"port":3307}"#);
    let waiting = tokio::spawn(request.send());
    let silent = simulator.wait_until(PATIENCE, |control| {
        let puts = control.entries(&Filter::on(Operation::Change));
        puts.into_iter().find(|put| put.outcome == Outcome::Silent)
    });
    silent.await.unwrap();
    let impatient = tokio::time::timeout(Duration::from_millis(300), waiting);
    assert!(impatient.await.is_err(), "nothing is answered");
    let puts = simulator.entries(&Filter::on(Operation::Change));
    assert_eq!(
        (puts[0].outcome, puts[0].work_done, puts.len()),
        (Outcome::Silent, false, 1)
    );
    assert!(simulator.jobs().is_empty());
}

#[tokio::test]
async fn a_body_can_break_off_after_some_bytes() {
    for (after, arrives) in [(Some(10), 10), (Some(0), 0), (None, 24), (Some(1000), 48)] {
        let (simulator, _) = start().await;
        simulator.inject(change(Effect::CutBody { after }));
        let mut stream = TcpStream::connect(simulator.address()).await.unwrap();
        stream
            .write_all(raw_change("{\"port\":3307}", 13).as_bytes())
            .await
            .unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .unwrap();
        assert_eq!(
            read.unwrap_err().kind(),
            std::io::ErrorKind::ConnectionReset
        );
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("content-length: 49"),
            "{head}"
        );
        assert_eq!(body.len(), arrives, "{body:?}");
        assert_eq!(
            simulator.entries(&Filter::on(Operation::Change))[0].outcome,
            Outcome::Cut
        );
        assert_eq!(simulator.jobs().len(), 1);
    }
}

#[tokio::test]
async fn a_scripted_answer_takes_the_place_of_the_work_or_of_its_answer() {
    let (simulator, client) = start().await;
    let throttled = Answer::error(429, "APIGW.0308", "slow down").header("Retry-After", "7");
    simulator.inject(change(Effect::respond(throttled)));
    let reply = client.change(3307).await;
    assert_eq!(
        (reply.refusal(), reply.header("retry-after")),
        ((429, "APIGW.0308".to_owned()), "7")
    );
    assert!(!reply.header("x-request-id").is_empty());
    assert!(simulator.jobs().is_empty());

    simulator.inject(change(Effect::respond_after_work(Answer::html(
        502,
        "<html>no</html>",
    ))));
    let reply = client.change(3307).await;
    assert_eq!((reply.status, &*reply.body), (502, "<html>no</html>"));
    assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
    let put = simulator
        .entries(&Filter::on(Operation::Change))
        .pop()
        .unwrap();
    assert_eq!(
        (put.status(), put.work_done, put.job_id.is_some()),
        (Some(502), true, true)
    );
}

#[tokio::test]
async fn busy_comes_with_the_code_as_often_as_is_set_and_to_whom_it_is_set() {
    let (simulator, client) = start().await;
    simulator.inject(
        Fault::on(Operation::Change, Effect::busy("DBS.212033")).proxy(sample::OTHER_PROXY),
    );
    simulator.inject(
        Fault::on(Operation::Change, Effect::busy("DBS.201015"))
            .proxy(sample::PROXY)
            .times(2),
    );
    for _ in 0..2 {
        assert_eq!(
            client.change(3307).await.refusal(),
            (409, "DBS.201015".to_owned())
        );
    }
    client.accepted(3307).await;
    let view = simulator.faults();
    assert_eq!(
        (view[0].applied, view[1].applied, view[1].left),
        (0, 2, Some(0))
    );
}

#[tokio::test]
async fn reads_of_one_proxys_job_can_be_picked() {
    let (simulator, client) = start().await;
    let id = client.accepted(3307).await;
    simulator.advance(seconds(10)).unwrap();
    let gone = Answer::error(404, "DBS.200543", "gone");
    simulator.inject(
        Fault::on(Operation::Job, Effect::respond(gone))
            .proxy(sample::PROXY)
            .once(),
    );
    assert_eq!(client.job("some-other-job").await.status, 400);
    assert_eq!(client.job(&id).await.status, 404);
    assert_eq!(client.job(&id).await.status, 200);
}

#[tokio::test]
async fn pages_can_be_capped() {
    let mut fleet = taurus_sim::Fleet::new()
        .project(sample::PROJECT)
        .instance(sample::INSTANCE);
    for number in 0..5 {
        fleet = fleet.proxy(&taurus_sim::Fleet::numbered_proxy(number), 3306);
    }
    let (simulator, client) = start_with(Options::stepped().fleet(fleet)).await;
    simulator.inject(Fault::on(Operation::List, Effect::PageCap(2)));
    let count = async |query: &str| {
        client.list(query).await.json()["proxy_list"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(
        (
            count("").await,
            count("?offset=2&limit=100").await,
            count("?offset=4").await
        ),
        (2, 2, 1)
    );
}

#[tokio::test]
async fn latency_delays_by_the_real_clock() {
    let (simulator, client) = start().await;
    simulator.inject(Fault::on(
        Operation::List,
        Effect::Latency(Duration::from_millis(120)),
    ));
    client.list("").await;
    client.list("").await;
    let entries = simulator.entries(&Filter::on(Operation::List));
    let apart = entries[1].after.saturating_sub(entries[0].after);
    assert!(apart >= Duration::from_millis(120), "{apart:?}");
}

#[tokio::test]
async fn connections_are_kept_alive_and_not_closed_while_a_request_is_at_work() {
    let (simulator, client) = start().await;
    client.list("").await;
    client.list("").await;
    let lines: Vec<_> = simulator
        .journal()
        .iter()
        .map(|entry| entry.connection)
        .collect();
    assert_eq!(lines, [1, 1]);

    let fault = simulator.inject(change(Effect::hold_after()));
    let (running, entry) = change_until(&simulator, &client, |entry| entry.work_done).await;
    assert_eq!(
        (entry.faults, simulator.close_idle_connections()),
        (vec![fault], 0)
    );
    simulator.release_all();
    assert_eq!(running.await.unwrap().unwrap().status, 200);
}

#[tokio::test]
async fn an_idle_connection_that_is_closed_comes_to_an_orderly_end() {
    let (simulator, _) = start().await;
    let mut stream = TcpStream::connect(simulator.address()).await.unwrap();
    stream
        .write_all(raw_change("{\"port\":1}", 10).as_bytes())
        .await
        .unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    while simulator.close_idle_connections() == 0 {
        tokio::task::yield_now().await; // the answer was here a moment before its connection is idle
    }
    let end = tokio::time::timeout(PATIENCE, stream.read_buf(&mut answer))
        .await
        .unwrap();
    assert_eq!(end.unwrap(), 0);
}

#[tokio::test]
async fn a_request_whose_body_breaks_off_is_noted_and_not_worked_on() {
    let (simulator, _) = start().await;
    let mut stream = TcpStream::connect(simulator.address()).await.unwrap();
    stream
        .write_all(raw_change("{\"port\":", 13).as_bytes())
        .await
        .unwrap();
    drop(stream);
    let entry = simulator.wait_until(PATIENCE, |control| {
        control
            .journal()
            .into_iter()
            .find(|entry| entry.outcome == Outcome::Incomplete)
    });
    assert!(!entry.await.unwrap().work_done);
    assert!(simulator.jobs().is_empty());
}

#[tokio::test]
async fn faults_can_meet_one_credential_only() {
    let (simulator, client) = start().await;
    let refuse = || Effect::respond(Answer::json(500, &json!({})));
    simulator.inject(Fault::everywhere(refuse()).credential("token 2"));
    assert_eq!(client.list("").await.status, 200);
    simulator.inject(Fault::everywhere(refuse()).credential("token 1"));
    assert_eq!(client.list("").await.status, 500);
}
