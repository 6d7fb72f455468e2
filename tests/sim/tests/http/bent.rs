//! Answers that are the service's own and yet not as they should be: late, incomplete, of odd types.

use serde_json::{Value, json};
use taurus_sim::{Effect, Fault, Mode, Oddity, Operation, SamePort, sample};

use crate::client::{seconds, start};

#[tokio::test]
async fn reads_can_tell_what_was_true_some_time_ago() {
    let (simulator, client) = start().await;
    let id = client.accepted(3307).await;
    simulator.advance(seconds(65)).unwrap();
    let lag = |operation| simulator.inject(Fault::on(operation, Effect::Lag(seconds(30))));
    let (list, job) = (lag(Operation::List), lag(Operation::Job));
    assert_eq!(
        client.listed().await.1,
        3306,
        "the job is done, the list lags"
    );
    assert_eq!(client.job_status(&id).await, "Running");
    simulator.advance(seconds(25)).unwrap();
    assert_eq!(client.listed().await.1, 3307);
    assert_eq!(client.job_status(&id).await, "Completed");

    simulator.set_port(sample::PROXY, 3400).unwrap();
    assert_eq!(client.listed().await.1, 3307, "drift shows late too");
    simulator.remove_fault(list).unwrap();
    simulator.remove_fault(job).unwrap();
    assert_eq!(client.listed().await.1, 3400);
}

#[tokio::test]
async fn a_lag_never_reaches_back_before_the_start_and_never_delays_a_change() {
    let (simulator, client) = start().await;
    simulator.inject(Fault::everywhere(Effect::Lag(seconds(3600))));
    assert_eq!(client.listed().await, ("ACTIVE".to_owned(), 3306));
    client.accepted(3307).await;
    assert_eq!(simulator.jobs()[0].accepted, simulator.now());
}

#[tokio::test]
async fn what_a_rule_hides_is_not_there_for_the_requests_that_it_picks() {
    let (simulator, client) = start().await;
    let hide = |id: &str| Fault::everywhere(Effect::Hide(id.to_owned())).once();
    simulator.inject(hide(sample::PROXY));
    assert_eq!(client.list("").await.json(), json!({"proxy_list": []}));
    assert_eq!(client.listed().await.1, 3306);
    simulator.inject(hide(sample::PROXY));
    assert_eq!(
        client.change(3307).await.refusal(),
        (400, "DBS.270024".to_owned())
    );
    simulator.inject(hide(sample::INSTANCE));
    assert_eq!(
        client.list("").await.refusal(),
        (404, "DBS.200002".to_owned())
    );
    simulator.inject(hide(sample::OTHER_INSTANCE));
    assert_eq!(client.listed().await.1, 3306, "others are not touched");
}

#[tokio::test]
async fn odd_types_are_switched_on_for_a_call_or_for_all() {
    let (simulator, client) = start().await;
    let row = async || client.list("").await.json()["proxy_list"][0].clone();
    simulator.inject(
        Fault::on(
            Operation::List,
            Effect::Odd(vec![Oddity::VcpusNumber, Oddity::TransactionSplitBool]),
        )
        .once(),
    );
    let odd = row().await;
    assert_eq!(
        (&odd["proxy"]["vcpus"], &odd["proxy"]["transaction_split"]),
        (&json!(2), &json!(false))
    );
    assert_eq!(row().await["proxy"]["vcpus"], "2");

    simulator.configure(|behaviour| {
        behaviour.odd = [
            Oddity::ReadonlyNodesObject,
            Oddity::PortText,
            Oddity::EmptyNull,
        ]
        .into();
    });
    let odd = row().await;
    assert!(odd["readonly_nodes"].is_object(), "{odd}");
    assert_eq!(
        (&odd["proxy"]["port"], &odd["proxy"]["eip"]),
        (&json!("3306"), &Value::Null)
    );
}

#[tokio::test]
async fn unknown_fields_stand_in_every_object_of_every_answer_but_errors() {
    let (simulator, client) = start().await;
    simulator.configure(|behaviour| behaviour.odd = [Oddity::UnknownFields].into());
    let reply = client.change(3307).await.json();
    assert!(
        reply["job_id"].is_string() && reply["x_object"].is_object(),
        "{reply}"
    );
    simulator.advance(seconds(5)).unwrap();
    let tasks = client.tasks("").await.json();
    assert!(tasks["jobs"][0]["x_array"].is_array() && tasks["x_null"].is_null());
    let refusal = client.change(3308).await.json();
    assert!(refusal.get("x_text").is_none(), "{refusal}");
}

#[tokio::test]
async fn each_switch_can_be_changed_for_some_calls_alone() {
    let (simulator, client) = start().await;
    let absent = Effect::behave(|behaviour| behaviour.same_port = SamePort::Absent);
    simulator.inject(
        Fault::on(Operation::Change, absent)
            .proxy(sample::PROXY)
            .once(),
    );
    assert_eq!(client.change(3306).await.json(), json!({}));
    assert_eq!(client.change(3306).await.json(), json!({"job_id": null}));

    let loose = Effect::behave(|behaviour| {
        behaviour.accepts_33060 = true;
        behaviour.mode = Mode::M4;
    });
    simulator.inject(Fault::everywhere(loose).credential("token 1").once());
    client.accepted(33060).await;
    assert_eq!(client.listed().await.1, 33060, "the job keeps its mode");
    simulator.advance(seconds(60)).unwrap();
    assert_eq!(client.change(33060).await.refusal().0, 400);
    assert_eq!(simulator.behaviour(), taurus_sim::Behaviour::default());
}
