//! The one request that changes something: what each answer to it means, and that it is sent once.
//!
//! The proof that a change needs comes from a real API server, as nowhere else.

use std::{sync::Arc, time::Duration};

use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use taurus_port_operator::{
    chance::Chance,
    clock::{Clock, Shift},
    cloud::{Acknowledged, ChangeAnswer, Cloud, LastCheck, Meaning, last_check::Objection},
    controller::journal::{Journal, Target},
    crd::{
        ChangeRecord, CredentialsReference, Phase, TaurusProxyPort, TaurusProxyPortSpec,
        TaurusProxyPortStatus,
    },
    leader::Leadership,
    model::{ChangeId, Port},
    pace::Pace,
    permits::{Permit, Permits, limits::Limits},
    plan::record::Change,
};
use taurus_sim::{Answer, Effect, Fault, Filter, JobPlan, Loss, Operation, sample};

use super::{KEYS, USER, connect, connect_with, credentials, instance, simulator, subject};
use crate::world::{PATIENCE, plane};

/// Puts intents on record, each for one change.
pub struct Intents {
    journal: Journal,
    object: TaurusProxyPort,
    number: u128,
    clock: Clock,
    shift: &'static Shift,
}

impl Intents {
    pub async fn new() -> Self {
        let plane = &plane::shared().await;
        let client = plane.client().await.unwrap();
        let namespace = plane::new_namespace(&client).await;
        let resource = TaurusProxyPort {
            metadata: ObjectMeta {
                name: Some("orders".to_owned()),
                ..ObjectMeta::default()
            },
            spec: TaurusProxyPortSpec {
                region: None,
                project_id: sample::PROJECT.to_owned(),
                instance_id: sample::INSTANCE.to_owned(),
                proxy_id: sample::PROXY.to_owned(),
                port: 3307,
                credentials_ref: Some(CredentialsReference {
                    name: "keys".to_owned(),
                }),
                endpoint: Some("http://127.0.0.1:1".to_owned()),
                iam_endpoint: None,
                management_policy: None,
                suspend: None,
                change_timeout: None,
                ..TaurusProxyPortSpec::default()
            },
            status: None,
        };
        let api: Api<TaurusProxyPort> = Api::namespaced(client.clone(), &namespace);
        let object = api.create(&PostParams::default(), &resource).await.unwrap();
        let shift = Shift::forever();
        let clock = Clock::start().shifted(shift);
        Self {
            journal: Journal::new(
                client,
                clock,
                Chance::default(),
                Arc::new(Leadership::alone()),
                Arc::default(),
            ),
            object,
            number: 0,
            clock,
            shift,
        }
    }

    async fn acknowledged(&mut self) -> Acknowledged {
        self.number += 1;
        let now = Clock::start().now().wall;
        let change = Change {
            id: ChangeId::from_bits(self.number),
            plan: None,
            from: sample::PORT,
            to: 3307,
            generation: 1,
            phase: Phase::Intended,
            attempt: 1,
            job: None,
            intended_at: now,
            submitted_at: None,
        };
        let status = TaurusProxyPortStatus {
            observed_generation: Some(1),
            subject_uid: self.object.metadata.uid.clone(),
            change: Some(ChangeRecord {
                id: change.id.as_str().to_owned(),
                plan: None,
                from_port: i32::from(change.from),
                to_port: i32::from(change.to),
                generation: 1,
                phase: Phase::Intended,
                attempt: 1,
                job_id: None,
                intended_at: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now),
                submitted_at: None,
            }),
            ..TaurusProxyPortStatus::default()
        };
        let subject = subject("http://127.0.0.1:1");
        let target = Target {
            instance: &subject.instance,
            proxy: &subject.proxy,
            port: Port::new(3307).unwrap(),
        };
        let (object, proof) = self
            .journal
            .intend(&self.object, status, &change, target)
            .await
            .unwrap();
        self.object = object;
        proof.expect("nobody changes the resource")
    }

    /// The last check of a change that was looked at just now.
    fn check<'a>(&self, proof: &Acknowledged, objection: &'a Objection<'a>) -> LastCheck<'a> {
        let now = self.clock.now();
        LastCheck::new(self.clock, &Pace::real(), proof, now, objection)
    }
}

/// A permit that nobody else wants.
fn permit() -> Permit {
    let permits = Permits::new(Limits::default(), &Pace::real(), Clock::start(), |_| ());
    let instance = subject("http://127.0.0.1:1").instance;
    permits.resume("uid-1", &instance).unwrap()
}

pub async fn change(cloud: &dyn Cloud, intents: &mut Intents) -> ChangeAnswer {
    let permit = permit();
    let line = cloud.open_line().await.unwrap();
    let proof = intents.acknowledged().await;
    let check = intents.check(&proof, &|| Ok(None));
    line.change_port(proof, &permit, check).await
}

/// What an answer comes to, in one word, and its meaning where it has one.
fn word(answer: &ChangeAnswer) -> (&'static str, Option<Meaning>) {
    match answer {
        ChangeAnswer::Accepted(_) => ("accepted", None),
        ChangeAnswer::NothingToDo => ("nothing to do", None),
        ChangeAnswer::Refused(error) => ("refused", Some(error.meaning)),
        ChangeAnswer::NotSent(error) => ("not sent", Some(error.meaning)),
        ChangeAnswer::Withdrawn(_) => ("withdrawn", None),
        ChangeAnswer::Unknown(error) => ("unknown", Some(error.meaning)),
    }
}

#[taurus_needs::test]
async fn each_answer_to_a_change_means_what_the_contract_says_and_nothing_is_sent_twice() {
    let simulator = simulator().await;
    let mut intents = Intents::new().await;
    let cloud = connect(&simulator.url(), &KEYS);
    let json = |status, body: &str| {
        Effect::respond(Answer::new(status, body).header("content-type", "application/json"))
    };
    let error = |status, code: &str| Effect::respond(Answer::error(status, code, "because"));
    let html = |status| Effect::respond(Answer::html(status, "<html/>"));
    let cases = [
        (json(200, r#"{"job_id":"j"}"#), "accepted", None),
        (json(202, r#"{"job_id":"j","more":[1]}"#), "accepted", None),
        (json(200, r#"{"job_id":17,"extra":{}}"#), "accepted", None),
        (json(200, r#"{"job_id":null}"#), "nothing to do", None),
        (json(200, r#"{"job_id":""}"#), "nothing to do", None),
        (json(200, "{}"), "nothing to do", None),
        (json(200, ""), "unknown", Some(Meaning::Transient)),
        (json(204, ""), "unknown", Some(Meaning::Transient)),
        (json(200, "[]"), "unknown", Some(Meaning::Malformed)),
        (
            json(200, r#"{"job_id":["j"]}"#),
            "unknown",
            Some(Meaning::Malformed),
        ),
        (html(200), "unknown", Some(Meaning::Transient)),
        (error(409, "DBS.200019"), "refused", Some(Meaning::Busy)),
        (error(409, "DBS.999999"), "refused", Some(Meaning::Busy)),
        (error(409, "DBS.200316"), "refused", Some(Meaning::Blocked)),
        (error(409, "DBS.200932"), "refused", Some(Meaning::Busy)),
        (html(409), "refused", Some(Meaning::Busy)),
        (json(409, ""), "refused", Some(Meaning::Busy)),
        (error(400, "DBS.201014"), "refused", Some(Meaning::Busy)),
        (error(400, "DBS.200461"), "refused", Some(Meaning::Rejected)),
        (
            error(400, "DBS.999999"),
            "refused",
            Some(Meaning::UnknownRefusal),
        ),
        (error(404, "DBS.200002"), "refused", Some(Meaning::NotFound)),
        (error(403, "APIGW.0302"), "refused", Some(Meaning::Denied)),
        (
            error(429, "APIGW.0308"),
            "refused",
            Some(Meaning::Throttled),
        ),
        (
            error(401, "APIGW.0301"),
            "refused",
            Some(Meaning::Unauthenticated),
        ),
        (json(400, "no"), "unknown", Some(Meaning::UnknownRefusal)),
        (html(403), "unknown", Some(Meaning::Transient)),
        (json(404, ""), "unknown", Some(Meaning::NotFound)),
        (html(302), "unknown", Some(Meaning::Transient)),
        (error(500, "DBS.200019"), "unknown", Some(Meaning::Busy)),
        (html(502), "unknown", Some(Meaning::Transient)),
        (json(504, ""), "unknown", Some(Meaning::Transient)),
        (
            Effect::lose_answer(Loss::Reset),
            "unknown",
            Some(Meaning::Transient),
        ),
        (
            Effect::lose_answer(Loss::Close),
            "unknown",
            Some(Meaning::Transient),
        ),
        (
            Effect::lose_answer(Loss::Silence),
            "unknown",
            Some(Meaning::Transient),
        ),
        (
            Effect::lose_request(Loss::Reset),
            "unknown",
            Some(Meaning::Transient),
        ),
        (
            Effect::CutBody { after: Some(3) },
            "unknown",
            Some(Meaning::Transient),
        ),
    ];
    for (number, (effect, expected, meaning)) in cases.into_iter().enumerate() {
        simulator.inject(Fault::on(Operation::Change, effect.clone()).once());
        let answer = change(cloud.as_ref(), &mut intents).await;
        assert_eq!(word(&answer), (expected, meaning), "{effect:?}: {answer:?}");
        assert_eq!(
            simulator.count(&Filter::on(Operation::Change)),
            number + 1,
            "{effect:?}"
        );
    }
}

#[taurus_needs::test]
async fn a_refused_token_is_renewed_for_the_next_line_and_the_change_is_not_repeated() {
    let simulator = simulator().await;
    let mut intents = Intents::new().await;
    let cloud = connect(&simulator.url(), &USER);
    cloud.list_proxies(&instance()).await.unwrap();
    simulator.revoke_tokens(None);
    let answer = change(cloud.as_ref(), &mut intents).await;
    assert_eq!(word(&answer), ("refused", Some(Meaning::Unauthenticated)));
    assert_eq!(simulator.count(&Filter::on(Operation::Change)), 1);
    let answer = change(cloud.as_ref(), &mut intents).await;
    assert_eq!(word(&answer), ("accepted", None));
    assert_eq!(simulator.count(&Filter::on(Operation::Token)), 2);
}

#[taurus_needs::test]
async fn r01_a_line_sends_nothing_once_it_is_too_late_or_something_speaks_against_it() {
    let simulator = simulator().await;
    let mut intents = Intents::new().await;
    let cloud = connect(&simulator.url(), &KEYS);
    let permit = permit();
    for (late, objects) in [(true, false), (false, true)] {
        let line = cloud.open_line().await.unwrap();
        let proof = intents.acknowledged().await;
        let objection = || {
            if objects {
                Err("the resource was changed")
            } else {
                Ok(None)
            }
        };
        let check = intents.check(&proof, &objection);
        if late {
            // As where a line of log was not taken: the thread stood still since the acknowledgement.
            intents.shift.pass(Duration::from_secs(90));
        }
        let answer = line.change_port(proof, &permit, check).await;
        assert_eq!(word(&answer), ("withdrawn", None));
    }
    assert_eq!(simulator.count(&Filter::on(Operation::Change)), 0);
}

#[taurus_needs::test]
async fn a_connection_that_closed_before_anything_was_sent_proves_that_nothing_was() {
    let simulator = simulator().await;
    let mut intents = Intents::new().await;
    let cloud = connect(&simulator.url(), &KEYS);
    let permit = permit();
    let line = cloud.open_line().await.unwrap();
    let closing = async {
        // The simulator may have yet to take the connection in.
        while simulator.close_idle_connections() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, closing).await.unwrap();
    let proof = intents.acknowledged().await;
    let check = intents.check(&proof, &|| Ok(None));
    let answer = line.change_port(proof, &permit, check).await;
    assert!(
        matches!(answer, ChangeAnswer::NotSent(_) | ChangeAnswer::Unknown(_)),
        "{answer:?}"
    );
    assert_eq!(simulator.count(&Filter::on(Operation::Change)), 0);
}

#[taurus_needs::test]
async fn e26_a_change_has_the_content_type_language_and_body_that_the_service_asks_for() {
    let simulator = simulator().await;
    let mut intents = Intents::new().await;
    for pairs in credentials() {
        simulator.clear_journal();
        let plan = JobPlan::lasting(Duration::ZERO).visible_after(Duration::ZERO);
        simulator.next_job(plan);
        simulator.set_port(sample::PROXY, sample::PORT).unwrap();
        let cloud = connect(&simulator.url(), &pairs);
        let answer = change(cloud.as_ref(), &mut intents).await;
        assert_eq!(word(&answer), ("accepted", None), "{pairs:?}");
        let changes = simulator.entries(&Filter::on(Operation::Change));
        assert_eq!(changes.len(), 1);
        let headers = &changes[0].headers;
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["x-language"], "en-us");
        assert_eq!(changes[0].body, r#"{"port":3307}"#);
        assert_eq!(headers["content-length"], changes[0].body.len().to_string());
        let Some(authorization) = headers.get("authorization") else {
            assert!(headers.contains_key("x-auth-token"));
            continue;
        };
        let (_, names) = authorization.split_once("SignedHeaders=").unwrap();
        let names: Vec<&str> = names.split(',').next().unwrap().split(';').collect();
        for name in ["content-type", "host", "x-project-id", "x-sdk-date"] {
            assert!(names.contains(&name), "{authorization}");
        }
        assert!(names.iter().all(|name| headers.contains_key(*name)));
    }
}

#[taurus_needs::test]
async fn e14_a_service_that_is_away_until_later_is_asked_nothing_before() {
    let simulator = simulator().await;
    let mut intents = Intents::new().await;
    let shift = Shift::forever();
    let cloud = connect_with(&simulator.url(), &KEYS, |policy| {
        policy.clock = Clock::start().shifted(shift);
    });
    let away = Answer::new(503, "").header("retry-after", "60");
    for operation in [Operation::List, Operation::Change] {
        simulator.inject(Fault::on(operation, Effect::respond(away.clone())).once());
        if operation == Operation::List {
            let error = cloud.list_proxies(&instance()).await.unwrap_err();
            assert_eq!(error.retry_after, Some(Duration::from_mins(1)));
        } else {
            let answer = change(&*cloud, &mut intents).await;
            assert_eq!(word(&answer), ("unknown", Some(Meaning::Transient)));
        }
        simulator.clear_journal();
        shift.pass(Duration::from_secs(50));
        let list = cloud.list_proxies(&instance()).await.unwrap_err();
        let line = cloud.open_line().await.err().unwrap();
        for error in [list, line] {
            let left = error.retry_after.unwrap();
            assert!(left <= Duration::from_secs(10), "{operation:?}: {left:?}");
            assert_eq!(error.status, Some(503));
        }
        assert!(simulator.journal().is_empty(), "{operation:?}");
        shift.pass(Duration::from_secs(10));
        cloud.list_proxies(&instance()).await.unwrap();
    }
}
