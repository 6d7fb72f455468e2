//! What Argo CD sees, by the health script of `deploy/argocd` in Argo CD's Lua: the states that it has to tell apart.
//! Every story's end has it judge every version too.

use serde::Deserialize;
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;
use taurus_port_operator::model::{Class, Reason};
use taurus_sim::{Answer, Effect, Fault, Mode, Operation, sample};

use crate::world::{
    NAME, World, condition, job_id, options, plane, reason, recorder,
    verdicts::{self, Health, Kstatus, Verdict},
};

/// A state of `tests/fixtures/argocd/states.yaml`.
#[derive(Deserialize)]
struct State {
    name: String,
    health: Health,
    message: Option<String>,
    object: Value,
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c04_argo_cd_takes_each_state_for_what_it_is() {
    let states = include_str!("../../fixtures/argocd/states.yaml");
    let states: Vec<State> = serde_saphyr::from_str(states).unwrap();
    let objects = states.iter().map(|state| merged(&state.object)).collect();
    let verdicts = verdicts::on(&plane::shared().await, objects).await;
    for (state, verdict) in states.iter().zip(verdicts) {
        let said = verdict.argocd.unwrap();
        assert_eq!(
            said.status, state.health,
            "{}: {}",
            state.name, said.message
        );
        assert!(!said.message.is_empty(), "{}", state.name);
        if let Some(message) = &state.message {
            assert_eq!(&said.message, message, "{}", state.name);
        }
    }
}

#[test]
fn n10_the_health_script_names_no_reason_that_there_is_not() {
    let script = include_str!("../../../deploy/argocd/health.lua");
    let (_, rest) = script.split_once("local suspended = {").unwrap();
    let (table, _) = rest.split_once('}').unwrap();
    let names = table.lines().filter_map(|line| line.split_once(" = true"));
    let names: Vec<&str> = names.map(|(name, _)| name.trim()).collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(name.parse::<Reason>().is_ok(), "{name} is no reason");
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c04_argo_cd_knows_every_reason() {
    let main = |reason: &Reason| reason.class() != Class::Detail;
    let reasons: Vec<Reason> = Reason::iter().filter(main).collect();
    let objects = reasons.iter().map(|reason| object_for(*reason)).collect();
    let verdicts = verdicts::on(&plane::shared().await, objects).await;
    for (reason, verdict) in reasons.iter().zip(verdicts) {
        let (kstatus, health) = match reason.class() {
            Class::Ready => (Kstatus::Current, Health::Healthy),
            Class::Stalled => (Kstatus::Failed, Health::Degraded),
            _ if waits_for_people(*reason) => (Kstatus::InProgress, Health::Suspended),
            _ => (Kstatus::InProgress, Health::Progressing),
        };
        assert_eq!(verdict.health(), health, "{reason}: {verdict:?}");
        assert_eq!(verdict.kstatus.status, kstatus, "{reason}: {verdict:?}");
    }
}

fn waits_for_people(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Suspended
            | Reason::WaitingForWindow
            | Reason::ChangeFreeze
            | Reason::WaitingForApproval
    )
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c04_whatever_stands_in_an_object_the_script_ends_with_a_health() {
    let odd = [
        json!(null),
        json!(""),
        json!("x"),
        json!(0),
        json!(1.5),
        json!(true),
        json!([]),
        json!({}),
        json!([null, {}]),
    ];
    let mut objects = Vec::new();
    for reason in [Reason::Settled, Reason::Suspended, Reason::JobFailed] {
        let object = object_for(reason);
        let mut paths = vec!["/metadata/generation".to_owned()];
        paths_below(&object["status"], "/status", &mut paths);
        for (path, value) in paths
            .iter()
            .flat_map(|path| odd.iter().map(move |value| (path, value)))
        {
            let mut bent = object.clone();
            *bent.pointer_mut(path).unwrap() = value.clone();
            objects.push((reason, bent));
        }
    }
    assert!(objects.len() > 300, "{}", objects.len());
    let bent = objects.iter().map(|(_, object)| object.clone()).collect();
    let verdicts = verdicts::on(&plane::shared().await, bent).await;
    for ((reason, object), verdict) in objects.iter().zip(verdicts) {
        let health = verdict.health();
        let known = match reason {
            Reason::Settled => &[Health::Healthy, Health::Progressing][..],
            Reason::Suspended => &[Health::Suspended, Health::Progressing],
            _ => &[Health::Degraded, Health::Progressing],
        };
        assert!(known.contains(&health), "{verdict:?}: {object}");
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c04_argo_cd_follows_a_change_from_its_suspension_to_its_end() {
    let world = World::start(options(Mode::M2)).await;
    let mut resource = world.resource(3307);
    resource.spec.suspend = Some(true);
    world.create(&resource).await;
    world
        .until("suspended", |object| reason(object) == "Suspended")
        .await;
    world.patch(json!({"spec": {"suspend": null}})).await;
    world
        .until("a job", |object| job_id(object).is_some())
        .await;
    world.until_ready(3307).await;
    let refused = Answer::error(400, "DBS.200461", "the port can't be used");
    world
        .sim
        .inject(Fault::on(Operation::Change, Effect::respond(refused)).proxy(sample::PROXY));
    world.want_now(3308).await;
    world
        .until_passing("refused", |object| condition(object, "Stalled") == "True")
        .await;
    let mut healths: Vec<Health> = verdicts_of(&world)
        .await
        .iter()
        .map(Verdict::health)
        .collect();
    healths.dedup();
    let (start, rest) = healths.split_at(2);
    assert_eq!(start, [Health::Progressing, Health::Suspended]);
    assert_eq!(
        rest,
        [
            Health::Progressing,
            Health::Healthy,
            Health::Progressing,
            Health::Degraded
        ]
    );
    world.finish().await;
}

/// The verdicts on all versions of the story's resource.
pub async fn verdicts_of(world: &World) -> Vec<Verdict> {
    let mut versions = world.recorder.versions();
    versions.retain(|version| version.object.metadata.name.as_deref() == Some(NAME));
    verdicts::on(&world.plane, recorder::objects(&versions)).await
}

/// An object of generation 3 with this reason in the condition that it belongs to.
fn object_for(reason: Reason) -> Value {
    let one = |kind: &str, status: &str| {
        json!({"type": kind, "status": status, "reason": reason.name(), "message": "so it is", "observedGeneration": 3,
            "lastTransitionTime": "2026-01-01T12:00:00Z"})
    };
    let conditions = match reason.class() {
        Class::Ready => vec![one("Ready", "True")],
        Class::Stalled => vec![one("Ready", "False"), one("Stalled", "True")],
        Class::Reconciling | Class::Detail => {
            vec![one("Ready", "False"), one("Reconciling", "True")]
        }
    };
    merged(&json!({"status": {"observedGeneration": 3, "conditions": conditions}}))
}

/// An object of generation 3 with some fields more.
fn merged(more: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
        "metadata": {"name": "orders", "namespace": "shop", "generation": 3},
        "spec": {"region": "ap-southeast-1", "projectID": sample::PROJECT, "instanceID": sample::INSTANCE,
            "proxyID": sample::PROXY, "port": 3307},
    });
    merge(&mut object, more);
    object
}

fn merge(object: &mut Value, more: &Value) {
    match (object, more) {
        (Value::Object(fields), Value::Object(more)) => {
            for (name, value) in more {
                merge(fields.entry(name).or_insert(Value::Null), value);
            }
        }
        (object, more) => *object = more.clone(),
    }
}

/// The paths of all values below one, and its own.
fn paths_below(value: &Value, path: &str, paths: &mut Vec<String>) {
    paths.push(path.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                paths_below(value, &format!("{path}/{name}"), paths);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                paths_below(value, &format!("{path}/{index}"), paths);
            }
        }
        _ => {}
    }
}
