//! Faults by chance, out of a seed.

use reqwest::Method;
use serde_json::{Value, json};
use taurus_sim::{Chaos, Effect, Entry, Fault, Filter, Operation, Outcome, Simulator};

use crate::client::{Client, start};

/// Some calls, and what became of each.
async fn calls(simulator: &Simulator, client: &Client) -> Vec<(Operation, Vec<Effect>, Outcome)> {
    simulator.clear_journal();
    for number in 0..40 {
        let _ = client.try_get("/v3/nowhere").await;
        let _ = client.try_change(3307 + number).await;
        let _ = client
            .try_get(&crate::client::list_path(taurus_sim::sample::INSTANCE))
            .await;
    }
    let what = |entry: Entry| (entry.operation, entry.chaos, entry.outcome);
    simulator.journal().into_iter().map(what).collect()
}

fn quick(seed: u64) -> Chaos {
    Chaos {
        latency: 0.0,
        ..Chaos::seeded(seed)
    }
}

#[tokio::test]
async fn the_same_seed_and_calls_meet_the_same_faults_and_another_seed_others() {
    let mut seen = Vec::new();
    for seed in [5, 5, 6] {
        let (simulator, client) = start().await;
        simulator.set_chaos(Some(quick(seed))).unwrap();
        seen.push(calls(&simulator, &client).await);
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
    let met = seen[0].iter().filter(|(_, chaos, _)| !chaos.is_empty());
    assert!(met.count() > 10, "{:?}", seen[0]);
    for outcome in [Outcome::Answered, Outcome::Reset, Outcome::Cut] {
        assert!(seen.concat().iter().any(|(_, _, other)| *other == outcome));
    }
}

#[tokio::test]
async fn it_begins_anew_when_it_is_set_meets_what_it_shall_and_ends() {
    let (simulator, client) = start().await;
    let lists = quick(5).on(&[Operation::List]);
    simulator.set_chaos(Some(lists.clone())).unwrap();
    let first = calls(&simulator, &client).await;
    for (operation, chaos, _) in &first {
        assert!(*operation == Operation::List || chaos.is_empty());
    }
    simulator.set_chaos(Some(lists.clone())).unwrap();
    assert_eq!(simulator.chaos(), Some(lists));
    let second = calls(&simulator, &client).await;
    let chaos = |calls: Vec<(Operation, Vec<Effect>, Outcome)>| -> Vec<Vec<Effect>> {
        calls.into_iter().map(|(_, chaos, _)| chaos).collect()
    };
    assert_eq!(chaos(first), chaos(second));
    simulator.set_chaos(None).unwrap();
    let calm = calls(&simulator, &client).await;
    assert!(
        calm.iter()
            .all(|(_, chaos, outcome)| { chaos.is_empty() && *outcome == Outcome::Answered })
    );
}

#[tokio::test]
async fn a_rule_that_ends_a_request_leaves_nothing_to_chance() {
    let (simulator, client) = start().await;
    simulator.inject(Fault::on(Operation::List, Effect::throttle(None)));
    let mut certain = quick(1);
    certain.resets_before_work = 0.75;
    simulator.set_chaos(Some(certain)).unwrap();
    for _ in 0..10 {
        assert_eq!(client.list("").await.status, 429);
    }
    let lists = simulator.entries(&Filter::on(Operation::List));
    assert!(lists.iter().all(|entry| entry.chaos.is_empty()));
}

#[tokio::test]
async fn the_admin_api_sets_shows_and_ends_it() {
    let (simulator, client) = start().await;
    let path = "/chaos";
    let body = json!({"seed": 9, "latency": 0, "operations": ["list"]});
    let reply = client.admin(Method::PUT, path, body).await;
    assert_eq!(
        (reply.status, &reply.json()["chaos"]["seed"]),
        (200, &json!(9))
    );
    assert_eq!(simulator.chaos(), Some(quick(9).on(&[Operation::List])));
    for wrong in [
        json!({"latency": 2}),
        json!({"mood": 1}),
        json!({"throttles": 0.9}),
    ] {
        assert_eq!(client.admin(Method::PUT, path, wrong).await.status, 400);
    }
    client.admin(Method::PUT, path, Value::Null).await;
    assert_eq!(simulator.chaos(), Some(Chaos::default()));
    client.admin(Method::DELETE, path, Value::Null).await;
    let none = client.admin(Method::GET, path, Value::Null).await;
    assert_eq!(none.json(), json!({"chaos": null}));
}
