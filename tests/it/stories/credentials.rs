//! Secrets that come late, wrong, touched or changed.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::{core::v1::Secret, events::v1::Event},
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{Filter, Fleet, Mode, Operation, sample};

use crate::world::{
    PATIENCE, World, condition, in_all_modes, is_ready, job_of, message, options, reason,
};

in_all_modes! {
    b17_a_secret_that_comes_after_its_resource_is_noticed: comes_late;
}

async fn comes_late(mode: Mode) {
    let world = World::start(options(mode)).await;
    let resource = world.resource_with(3307, "late");
    world.create(&resource).await;
    let missing = world
        .until("without a Secret", |object| {
            reason(object) == "CredentialsMissing"
        })
        .await;
    assert!(
        message(&missing).contains("Secret late"),
        "{}",
        message(&missing)
    );
    assert_eq!(condition(&missing, "Stalled"), "True");

    world
        .secret("late", &[("accessKey", sample::ACCESS_KEY)])
        .await;
    let invalid = world
        .until("without a key", |object| {
            reason(object) == "CredentialsInvalid"
        })
        .await;
    assert!(
        message(&invalid).contains("secretKey"),
        "{}",
        message(&invalid)
    );
    assert_eq!(calls(&world), 0);

    let keys = [
        ("accessKey", sample::ACCESS_KEY),
        ("secretKey", sample::SECRET_KEY),
    ];
    world.secret("late", &keys).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

/// Calls about the story's instance.
fn calls(world: &World) -> usize {
    world.sim.count(&Filter::all().instance(sample::INSTANCE))
}

/// Keys and values of a Secret.
type Data<'a> = Vec<(&'a str, &'a [u8])>;

async fn store(world: &World, name: &str, data: &[(&str, &[u8])]) {
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(
            data.iter()
                .map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec())))
                .collect(),
        ),
        ..Secret::default()
    };
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), &world.namespace);
    let _ = secrets.delete(name, &DeleteParams::default()).await;
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
}

async fn want_with(world: &World, secret: &str) {
    let resource = world.resource_with(3307, secret);
    world.create(&resource).await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn d06_line_ends_around_values_are_trimmed() {
    let world = World::start(options(Mode::M2)).await;
    let (key, secret) = (
        format!(" {}\n", sample::ACCESS_KEY),
        format!("{}\r\n", sample::SECRET_KEY),
    );
    store(
        &world,
        "keys",
        &[
            ("accessKey", key.as_bytes()),
            ("secretKey", secret.as_bytes()),
        ],
    )
    .await;
    world.want(3307).await;
    world.until_ready(3307).await;
    world.delete().await;

    // What can't be sent in a header is refused before any call.
    let before = calls(&world);
    store(
        &world,
        "inner",
        &[("accessKey", b"AK\nX"), ("secretKey", b"s")],
    )
    .await;
    want_with(&world, "inner").await;
    let refused = world
        .until("refused", |object| reason(object) == "CredentialsInvalid")
        .await;
    assert!(
        message(&refused).contains("accessKey"),
        "{}",
        message(&refused)
    );
    assert_eq!(calls(&world), before);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn d07_nothing_is_guessed_about_base64() {
    let world = World::start(options(Mode::M2)).await;
    // A secret key that happens to be base64 is taken as it stands.
    let legal = "c2VjcmV0LWtleS1vZi1uby13b3J0aA==";
    world.sim.set_access_key("BASE64LOOKINGKEY0001", legal);
    store(
        &world,
        "legal",
        &[
            ("accessKey", b"BASE64LOOKINGKEY0001"),
            ("secretKey", legal.as_bytes()),
        ],
    )
    .await;
    want_with(&world, "legal").await;
    world.until_ready(3307).await;
    world.delete().await;

    let twice = ByteString(sample::SECRET_KEY.as_bytes().to_vec());
    let twice = serde_json::to_value(&twice).unwrap();
    let twice = twice.as_str().unwrap();
    store(
        &world,
        "twice",
        &[
            ("accessKey", sample::ACCESS_KEY.as_bytes()),
            ("secretKey", twice.as_bytes()),
        ],
    )
    .await;
    let before = calls(&world);
    want_with(&world, "twice").await;
    world
        .until("refused", |object| reason(object) == "CredentialsInvalid")
        .await;
    world.ask("again").await;
    world.ask("and again").await;
    world.until_neighbour_is_ready().await;
    assert!(calls(&world) - before <= 2, "few attempts");
    assert_eq!(world.sim.blocked_until(sample::ACCESS_KEY), None);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn d09_missing_empty_and_binary_values_are_named_by_their_key_and_heal() {
    let world = World::start(options(Mode::M2)).await;
    let huge = vec![b'x'; 900_000];
    let wrong: [(&str, Data<'_>); 5] = [
        ("secretKey", vec![("accessKey", b"A")]),
        ("secretKey", vec![("accessKey", b"A"), ("secretKey", b"")]),
        (
            "secretKey",
            vec![("accessKey", b"A"), ("secretKey", &[0xff, 0xfe, 0x00])],
        ),
        ("secretKey", vec![("accessKey", b"A"), ("secretKey", &huge)]),
        ("secretkey", vec![("accessKey", b"A"), ("secretkey", b"s")]),
    ];
    store(&world, "odd", &wrong[0].1).await;
    want_with(&world, "odd").await;
    for (key, data) in &wrong {
        store(&world, "odd", data).await;
        world
            .ask(&format!(
                "{key} {}",
                data.len() * 1000 + data.last().unwrap().1.len()
            ))
            .await;
        let refused = world
            .until("refused", |object| {
                reason(object) == "CredentialsInvalid" && message(object).contains(key)
            })
            .await;
        assert!(
            message(&refused).contains("Secret odd"),
            "{}",
            message(&refused)
        );
    }
    assert_eq!(calls(&world), 0);
    let right: [(&str, &[u8]); 2] = [
        ("accessKey", sample::ACCESS_KEY.as_bytes()),
        ("secretKey", sample::SECRET_KEY.as_bytes()),
    ];
    store(&world, "odd", &right).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn g09_a_secret_that_is_touched_without_change_causes_nothing() {
    let count = 20;
    let world = World::start(options(Mode::M2).fleet(Fleet::sample().numbered(count))).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    for number in 0..count {
        world.create(&world.numbered(number, sample::PORT)).await;
    }
    for number in 0..count {
        world
            .until_passing_of(&format!("numbered-{number}"), "Ready", is_ready)
            .await;
    }
    world.until_neighbour_is_ready().await;
    let versions = world.recorder.versions().len();
    let tokens = world.sim.count(&Filter::on(Operation::Token));
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), &world.namespace);
    let lists = Filter::on(Operation::List);
    // From here on each instance is looked at in its beat.
    let all = count + 2;
    let begun = world.sim.count(&lists);
    world
        .until_true("the beats are found", || {
            world.sim.count(&lists) >= begun + 2 * all
        })
        .await;
    let before = world.sim.entries(&lists).len();
    for number in 0..20 {
        let touch = json!({"metadata": {"annotations": {"touched": number.to_string()}}});
        for name in ["keys", "user"] {
            secrets
                .patch(name, &PatchParams::default(), &Patch::Merge(&touch))
                .await
                .unwrap();
        }
    }
    // Two rounds of resyncs: each instance is looked at twice, as without the touches; where they begin and end lies between beats.
    let wanted = before + 2 * all;
    world
        .until_true("two rounds of resyncs", || {
            world.sim.count(&lists) >= wanted
        })
        .await;
    let mut looks = BTreeMap::new();
    for entry in &world.sim.entries(&lists)[before..wanted] {
        *looks.entry(entry.instance.clone()).or_insert(0) += 1;
    }
    let as_ever = looks.values().all(|looks| (1..=3).contains(looks));
    assert!(looks.len() == all && as_ever, "{looks:?}");
    assert_eq!(world.sim.count(&Filter::on(Operation::Token)), tokens);
    assert_eq!(world.recorder.versions().len(), versions);
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_key_is_noticed_and_the_old_one_is_no_longer_used() {
    let world = World::start(options(Mode::M2)).await;
    world.want(sample::PORT).await;
    world.until_ready(sample::PORT).await;
    world.sim.set_access_key("ROTATEDACCESSKEY0001", "rotated");
    world
        .secret(
            "keys",
            &[
                ("accessKey", "ROTATEDACCESSKEY0001"),
                ("secretKey", "rotated"),
            ],
        )
        .await;
    world.ask("rotated").await;
    let rotated = Filter::on(Operation::List).credential("ROTATEDACCESSKEY0001");
    world
        .sim
        .wait_for_request(&rotated, 1, PATIENCE)
        .await
        .unwrap();
    let old = Filter::all().credential(sample::ACCESS_KEY);
    let before = world.sim.count(&old);
    world
        .sim
        .wait_for_request(&rotated, 2, PATIENCE)
        .await
        .unwrap();
    assert_eq!(world.sim.count(&old), before);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn h01_keys_of_other_names_are_told_and_a_job_is_followed_with_what_began_it() {
    let world = World::start(options(Mode::M2)).await;
    world.sim.default_job(job_of(60));
    let keys = [
        ("accessKey", sample::ACCESS_KEY),
        ("secretKey", sample::SECRET_KEY),
        ("_raw", "accessKey=...&secretKey=..."),
        ("note", "from the vault"),
    ];
    world.secret("noted", &keys).await;
    world.create(&world.resource_with(3307, "noted")).await;
    let running = |object: &TaurusProxyPort| {
        let change = object
            .status
            .as_ref()
            .and_then(|status| status.change.as_ref());
        change.is_some_and(|change| change.job_id.is_some())
    };
    world.until("at work", running).await;
    let client = world.api().into_client();
    let events: Api<Event> = Api::namespaced(client.clone(), &world.namespace);
    world
        .until_true_async("told of the other keys", async || {
            let events = events.list(&ListParams::default()).await.unwrap().items;
            let mut notes = events.iter().filter_map(|event| event.note.as_deref());
            notes.any(|note| note.ends_with("are not used: _raw, note") && note.contains("noted"))
        })
        .await;
    // The Secret is of no use any more; and then it is gone.
    let secrets: Api<Secret> = Api::namespaced(client, &world.namespace);
    store(&world, "noted", &[("accessKey", b"A"), ("token", b"T")]).await;
    let polls = world.sim.count(&Filter::on(Operation::Job));
    world.until_more(Operation::Job, 2).await;
    assert!(world.sim.count(&Filter::on(Operation::Job)) > polls);
    assert!(running(&world.get().await), "it is followed");
    secrets
        .delete("noted", &DeleteParams::default())
        .await
        .unwrap();
    world
        .until_passing("followed to its end", |object| {
            let status = object.status.as_ref();
            let last = status.and_then(|status| status.last_change.as_ref());
            last.is_some_and(|last| last.job_id.is_some())
        })
        .await;
    assert_eq!(world.asked_for(), [3307]);
    assert_eq!(world.get().await.status.unwrap().port, Some(3307));
    // Nothing new begins with it.
    world.patch(json!({"spec": {"port": 3308}})).await;
    let told = |object: &TaurusProxyPort| {
        ["WaitingForCredentials", "CredentialsMissing"].contains(&reason(object))
    };
    world.until("told of the Secret", told).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}
