//! What the cloud refuses for good, or until somebody mends it: told in one way, and asked for slowly.

use serde_json::json;
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{Answer, Effect, Fault, Filter, Fleet, Mode, Operation};

use super::cloud_answers::paced;
use crate::world::{World, condition, is_ready, is_ready_with, message, options, reason};

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn e06_what_is_not_there_is_told_in_one_way_however_the_cloud_says_it() {
    let gone = [
        Answer::new(404, ""),
        Answer::error(400, "DBS.201028", "no such instance"),
        Answer::error(409, "DBS.200932", "?"),
        Answer::error(403, "DBS.2000044", "no such resource"),
        Answer::error(400, "DBS.05000044", "no such proxy"),
        Answer::json(200, &json!({"proxy_list": []})),
    ];
    let fleet = Fleet::sample().numbered(gone.len());
    let world = World::start(options(Mode::M2).fleet(fleet)).await;
    for (number, answer) in gone.iter().enumerate() {
        let fault = Fault::on(Operation::List, Effect::respond(answer.clone()));
        let instance = Fleet::numbered_instance(number);
        world.sim.inject(fault.instance(&instance));
        world.create(&world.numbered(number, 3307)).await;
    }
    let lists = |number| {
        let instance = Fleet::numbered_instance(number);
        world
            .sim
            .entries(&Filter::on(Operation::List).instance(&instance))
    };
    for number in 0..gone.len() {
        let name = format!("numbered-{number}");
        let told = world
            .recorder
            .until(&name, "not found", |object| {
                condition(object, "Stalled") == "True"
            })
            .await;
        assert!(
            ["InstanceNotFound", "ProxyNotFound"].contains(&reason(&told)),
            "{told:#?}"
        );
        let seen = lists(number);
        let apart = seen[1].after.saturating_sub(seen[0].after);
        assert!(
            apart >= paced(30),
            "it is believed only when seen twice: {apart:?}"
        );
        assert!(seen.len() <= 3, "and then looked at slowly: {}", seen.len());
    }
    world.sim.clear_faults();
    for number in 0..gone.len() {
        let name = format!("numbered-{number}");
        let ready = |object: &TaurusProxyPort| is_ready_with(object, 3307);
        world.until_passing_of(&name, "back", ready).await;
        let proxy = Fleet::numbered_proxy(number);
        let changes = Filter::on(Operation::Change).proxy(&proxy);
        assert_eq!(world.sim.count(&changes), 1);
    }
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn e25_a_missing_permission_is_told_with_its_code_and_asked_for_slowly() {
    let nested = json!({"error": {"error_code": "EPS.0004", "error_msg": "no permission in the enterprise project"}});
    let bare = json!({"message": "action forbidden"});
    let refused = [(nested, "EPS.0004"), (bare, "action forbidden")];
    let fleet = Fleet::sample().numbered(2);
    let world = World::start(options(Mode::M2).fleet(fleet)).await;
    for (number, (body, _)) in refused.iter().enumerate() {
        let answer = Effect::respond(Answer::json(403, body));
        let instance = Fleet::numbered_instance(number);
        world
            .sim
            .inject(Fault::on(Operation::List, answer).instance(&instance));
        world.create(&world.numbered(number, 3307)).await;
    }
    for (number, (_, said)) in refused.iter().enumerate() {
        let told = world
            .recorder
            .until(&format!("numbered-{number}"), "denied", |object| {
                reason(object) == "PermissionDenied"
            })
            .await;
        assert!(message(&told).contains(said), "{}", message(&told));
        let instance = Fleet::numbered_instance(number);
        let lists = Filter::on(Operation::List).instance(&instance);
        // The second look comes a quarter of an hour after the first, though the resync is shorter.
        world
            .until_true("looked at twice", || world.sim.count(&lists) >= 2)
            .await;
        let lists = world.sim.entries(&lists);
        let apart = lists[1].after.saturating_sub(lists[0].after);
        assert!(apart >= paced(900), "{apart:?}");
    }
    world.sim.clear_faults();
    for number in 0..refused.len() {
        let name = format!("numbered-{number}");
        world.until_passing_of(&name, "allowed", is_ready).await;
    }
    world.finish().await;
}
