//! Reads that fail, proxies that fall ill, and texts that are too long: said once, tried ever more slowly, healed alone.

use std::time::Duration;

use serde_json::{Value, json};
use taurus_sim::{Answer, Effect, Fault, Filter, Mode, Operation, sample};

use crate::world::{
    World, condition, in_all_modes, is_ready, job_id, message, operator::Setup, options, reason,
};

in_all_modes! {
    b04_a_proxy_that_is_missed_for_a_moment_leads_to_nothing: missed_for_a_moment;
    b13_trouble_that_was_mended_in_the_cloud_is_noticed: mended;
    b32_a_proxy_that_falls_ill_vanishes_and_returns_is_shown_as_it_is: falls_ill;
}

fn on_lists(effect: Effect) -> Fault {
    Fault::on(Operation::List, effect).instance(sample::INSTANCE)
}

async fn missed_for_a_moment(mode: Mode) {
    let world = World::start(options(mode)).await;
    world.want(3307).await;
    let running = world
        .until("following its job", |object| job_id(object).is_some())
        .await;
    let gone = Answer::error(404, "DBS.200002", "there is no such instance");
    world.sim.inject(on_lists(Effect::respond(gone)).once());
    let empty = Answer::json(200, &json!({"proxy_list": []}));
    world.sim.inject(on_lists(Effect::respond(empty)).once());
    world.pass(60);
    world.until_more(Operation::List, 3).await;
    world.until_ready(3307).await;
    for object in world.recorder.versions_of("orders") {
        assert_ne!(condition(&object, "Stalled"), "True", "{object:#?}");
        assert!(job_id(&object).is_none_or(|id| Some(id) == job_id(&running)));
    }
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

async fn mended(mode: Mode) {
    let world = World::start(options(mode)).await;
    let denied = Answer::error(403, "DBS.200010", "not authorized");
    world.sim.inject(on_lists(Effect::respond(denied)));
    world.want(3307).await;
    let stalled = world
        .until("denied", |object| condition(object, "Stalled") == "True")
        .await;
    assert_eq!(reason(&stalled), "PermissionDenied");
    let lists = Filter::on(Operation::List).instance(sample::INSTANCE);
    assert!(
        world.sim.count(&lists) <= 2,
        "it is not asked for again and again"
    );
    world.sim.clear_faults();
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

async fn falls_ill(mode: Mode) {
    let world = with_resyncs(mode).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    for word in ["ABNORMAL", "FAILED"] {
        world.sim.set_status(sample::PROXY, word).unwrap();
        let ill = world
            .until_passing(word, |object| message(object).contains(word))
            .await;
        assert_eq!(reason(&ill), "ProxyUnhealthy");
    }
    world.sim.set_present(sample::PROXY, false).unwrap();
    world
        .until_passing("gone", |object| reason(object) == "ProxyNotFound")
        .await;
    world.sim.set_status(sample::PROXY, "ACTIVE").unwrap();
    world.sim.set_present(sample::PROXY, true).unwrap();
    world.ask("it is back").await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a11_tries_of_one_resource_grow_apart_and_begin_anew_after_a_success() {
    let world = World::start(options(Mode::M2)).await;
    let down = || on_lists(Effect::respond(Answer::new(500, "")));
    world.sim.inject(down().times(7));
    world.want(sample::PORT).await;
    world.until_ready(sample::PORT).await;
    let lists = Filter::on(Operation::List).instance(sample::INSTANCE);
    let gaps = gaps(&world.sim.entries(&lists));
    // 5 seconds doubling to 5 minutes, here a sixtieth; jitter only adds.
    let mut least = Duration::from_secs(5) / 60;
    for gap in &gaps[..7] {
        assert!(*gap >= least, "{gaps:?}");
        least = (least * 2).min(Duration::from_secs(5));
    }
    // One success, and the first gap is short again.
    let before = world.sim.count(&lists);
    world.sim.inject(down().times(2));
    world.ask("look").await;
    world.until_more(Operation::List, 3).await;
    let later = self::gaps(&world.sim.entries(&lists)[before..]);
    assert!(later[0] < gaps[6] / 2, "{later:?} after {gaps:?}");
    world.finish().await;
}

fn gaps(entries: &[taurus_sim::Entry]) -> Vec<Duration> {
    let times: Vec<Duration> = entries.iter().map(|entry| entry.after).collect();
    let pairs = times.windows(2);
    pairs.map(|pair| pair[1].saturating_sub(pair[0])).collect()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a20_texts_that_differ_only_in_their_ids_are_written_once() {
    let world = World::start(options(Mode::M2)).await;
    for number in 0..8 {
        let text = format!("request {number:032x} failed at 2026-01-01T00:00:{number:02}Z");
        let answer = Answer::error(500, "DBS.108000", &text);
        world.sim.inject(on_lists(Effect::respond(answer)).once());
    }
    world.want(sample::PORT).await;
    world.until_more(Operation::List, 9).await;
    world.until_ready(sample::PORT).await;
    let versions = world.recorder.versions_of("orders");
    let failing = versions
        .iter()
        .filter(|object| reason(object) == "CloudUnreachable");
    assert_eq!(failing.count(), 1, "{versions:#?}");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c20_long_texts_are_cut_and_the_status_is_stored() {
    let world = World::start(options(Mode::M2)).await;
    let controls: String = (0..32_u8).map(char::from).cycle().take(100_000).collect();
    let answers = [
        Answer::error(403, "APIGW.0302", &"x y".repeat(33_000)),
        Answer::error(403, "APIGW.0302", &"错误".repeat(17_000)),
        Answer::error(403, "APIGW.0302", &controls),
        Answer::html(502, format!("<html>{}</html>", "z".repeat(200_000))),
    ];
    world.want(3307).await;
    world.until_ready(3307).await;
    for (number, answer) in answers.into_iter().enumerate() {
        world
            .sim
            .inject(on_lists(Effect::respond(answer)).times(100));
        world
            .patch(json!({"spec": {"port": 3308, "suspend": true}}))
            .await;
        world.ask(&number.to_string()).await;
        let told = world
            .until("told of it", |object| {
                ["PermissionDenied", "CloudUnreachable"].contains(&reason(object))
            })
            .await;
        assert!(message(&told).chars().count() <= 500, "{}", message(&told));
        world.sim.clear_faults();
        world
            .patch(json!({"spec": {"port": 3307, "suspend": false}}))
            .await;
        world.ask(&format!("{number}, healed")).await;
        world.until_ready(3307).await;
    }
    let events: kube::Api<k8s_openapi::api::events::v1::Event> =
        kube::Api::namespaced(world.client.clone(), &world.namespace);
    let events = events
        .list(&kube::api::ListParams::default())
        .await
        .unwrap();
    let denied = events
        .items
        .iter()
        .filter(|event| event.reason.as_deref() == Some("PermissionDenied"));
    assert!(denied.clone().count() > 0);
    for event in denied {
        assert!(event.note.as_ref().is_some_and(|note| note.len() <= 1024));
    }
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a15_two_hundred_odd_answers_harm_neither_the_process_nor_the_others() {
    let world = with_resyncs(Mode::M2).await;
    world.want(sample::PORT).await;
    world.until_ready(sample::PORT).await;
    let lists = world
        .sim
        .entries(&Filter::on(Operation::List).instance(sample::INSTANCE));
    let good: Value = serde_json::from_str(&lists[0].answer.as_ref().unwrap().body).unwrap();
    let odd = mutations(&good);
    assert!(odd.len() >= 200, "{}", odd.len());
    world.until_neighbour_is_ready().await;
    let neighbours = Filter::on(Operation::List).instance(sample::OTHER_INSTANCE);
    let served = world.sim.count(&neighbours);
    for (number, answer) in odd.iter().enumerate() {
        let fault = on_lists(Effect::respond(Answer::json(200, answer))).once();
        let id = world.sim.inject(fault);
        world.ask(&number.to_string()).await;
        world
            .until_true("the odd answer was given", || {
                let faults = world.sim.faults();
                let left = faults.iter().find(|fault| fault.id == id);
                left.is_none_or(|fault| fault.left == Some(0))
            })
            .await;
    }
    world.ask("in order again").await;
    // A port that was read where there was none of it may have been taken for drift: then it was put right.
    world.until_ready(sample::PORT).await;
    world
        .until_true("the neighbour is looked at as before", || {
            world.sim.count(&neighbours) >= served + 3
        })
        .await;
    assert!(is_ready(&world.get().await));
    world.finish().await;
}

/// The answer with each of its fields null, missing, of other types, huge and not ASCII.
fn mutations(good: &Value) -> Vec<Value> {
    let row = &good["proxy_list"][0]["proxy"];
    let fields: Vec<String> = row.as_object().unwrap().keys().cloned().collect();
    let with = |field: &str, value: Option<Value>| {
        let mut answer = good.clone();
        let row = answer["proxy_list"][0]["proxy"].as_object_mut().unwrap();
        match value {
            Some(value) => row.insert(field.to_owned(), value),
            None => row.remove(field),
        };
        answer
    };
    let mut odd = Vec::new();
    for field in &fields {
        // A whole port of another value is no odd answer but drift.
        odd.push(with(field, None));
        for value in [
            json!(null),
            json!({"a": []}),
            json!([]),
            json!(true),
            json!(-1.5e300),
            json!("错".repeat(10_000)),
        ] {
            odd.push(with(field, Some(value)));
        }
    }
    odd.extend([
        json!({}),
        json!([]),
        json!(null),
        json!({"proxy_list": null}),
        json!({"proxy_list": 7}),
    ]);
    odd
}

async fn with_resyncs(mode: Mode) -> World {
    World::start_with(
        options(mode),
        Setup {
            resync: Duration::from_millis(500),
            ..Setup::default()
        },
    )
    .await
}
