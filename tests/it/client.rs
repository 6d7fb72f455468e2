//! The client of the cloud against the simulator, over HTTP: credentials, paging, and what each answer means.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use k8s_openapi::{ByteString, jiff::Timestamp};
use taurus_port_operator::{
    clock::Clock,
    cloud::{
        Cloud, CloudError, Meaning,
        auth::secret::Credential,
        connector::{Connector, Policy},
        endpoints::AllowList,
    },
    controller::{accounts::Connect as _, read::Subject},
    model::{InstanceId, JobId, ProjectId, ProxyId},
};
use taurus_sim::{
    Accounts, Answer, Effect, Fault, Filter, Fleet, JobPlan, Loss, Operation, Options, Simulator,
    TaskOffset, sample,
};

use crate::world::plane;

pub mod changes;

pub const TOKEN: &str = "a-token-that-somebody-else-has-fetched";

/// A simulator whose credentials are those of the sample, with a raw token and temporary keys beside them.
pub async fn simulator() -> Simulator {
    plane::prepare();
    let accounts = Accounts::sample().token(TOKEN).temporary_key(
        "TEMPORARYKEY0001",
        "temporary-secret",
        "temporary-session-token",
    );
    Simulator::start(Options::stepped().accounts(accounts))
        .await
        .unwrap()
}

fn subject(url: &str) -> Subject {
    Subject {
        region: None,
        endpoint: Some(url.to_owned()),
        iam_endpoint: Some(url.to_owned()),
        project: ProjectId::parse(sample::PROJECT).unwrap(),
        instance: instance(),
        proxy: ProxyId::parse(sample::PROXY).unwrap(),
    }
}

pub fn instance() -> InstanceId {
    InstanceId::parse(sample::INSTANCE).unwrap()
}

pub fn connect(url: &str, pairs: &[(&str, &str)]) -> Arc<dyn Cloud> {
    let host = url.trim_start_matches("http://").to_owned();
    let policy = Policy {
        allow: AllowList::new([host], true),
        call_timeout: Duration::from_secs(2),
        refusal_pause: Duration::from_mins(6),
        clock: Clock::start(),
        observer: Arc::new(()),
    };
    let data = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())))
        .collect();
    let credential = Credential::from_secret(&data).unwrap();
    Connector::new(policy)
        .unwrap()
        .connect(&subject(url), credential)
        .unwrap()
}

pub const KEYS: [(&str, &str); 2] = [
    ("accessKey", sample::ACCESS_KEY),
    ("secretKey", sample::SECRET_KEY),
];
pub const USER: [(&str, &str); 3] = [
    ("username", sample::USER),
    ("password", sample::PASSWORD),
    ("domainName", sample::DOMAIN),
];

fn credentials() -> [Vec<(&'static str, &'static str)>; 4] {
    [
        KEYS.to_vec(),
        vec![
            ("accessKey", "TEMPORARYKEY0001"),
            ("secretKey", "temporary-secret"),
            ("securityToken", "temporary-session-token"),
        ],
        USER.to_vec(),
        vec![("token", TOKEN)],
    ]
}

#[tokio::test]
async fn each_kind_of_credential_can_list_read_jobs_and_tasks() {
    let simulator = simulator().await;
    let job = simulator
        .start_job(
            sample::INSTANCE,
            "Backup",
            JobPlan::lasting(Duration::from_mins(1)).visible_after(Duration::ZERO),
        )
        .unwrap();
    let job = JobId::parse(&job).unwrap();
    for credential in credentials() {
        let cloud = connect(&simulator.url(), &credential);
        let proxies = cloud.list_proxies(&instance()).await.unwrap();
        let ports: Vec<_> = proxies
            .iter()
            .map(|proxy| (proxy.id.as_str(), proxy.port))
            .collect();
        assert_eq!(
            ports,
            [(sample::PROXY, Some(sample::PORT))],
            "{credential:?}"
        );
        assert!(!cloud.job(&job).await.unwrap().state.is_finished());
        let since = Timestamp::now() - Duration::from_hours(1);
        let tasks = cloud.tasks(since).await.unwrap();
        assert_eq!(tasks.tasks.len(), 1);
        assert_eq!(tasks.tasks[0].job.as_ref(), Some(&job));
        assert!(tasks.cloud_time.is_some());
    }
}

#[tokio::test]
async fn odd_job_ids_are_signed_and_sent_as_they_are() {
    let simulator = simulator().await;
    let cloud = connect(&simulator.url(), &KEYS);
    for id in [
        "a+b", "a/b", "a=b", "100%", "a b", "../jobs", "a&id=b", "a?b#c", "é",
    ] {
        let error = cloud.job(&JobId::parse(id).unwrap()).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::NotFound, "{id}: {error}");
        let entries = simulator.entries(&Filter::on(Operation::Job));
        assert_eq!(
            entries.last().unwrap().query,
            [("id".to_owned(), id.to_owned())]
        );
    }
}

#[tokio::test]
async fn one_token_serves_all_who_wait_and_a_revoked_one_is_renewed_once() {
    let simulator = simulator().await;
    let cloud = connect(&simulator.url(), &USER);
    let tokens = || simulator.count(&Filter::on(Operation::Token));
    let instance = instance();
    let lists = join_all((0..20).map(|_| cloud.list_proxies(&instance))).await;
    assert!(lists.iter().all(Result::is_ok));
    assert_eq!(tokens(), 1);
    simulator.revoke_tokens(None);
    cloud.list_proxies(&instance).await.unwrap();
    assert_eq!(tokens(), 2);
}

#[tokio::test]
async fn wrong_credentials_are_held_back_before_the_cloud_locks_them() {
    let simulator = simulator().await;
    let instance = instance();
    let wrong_key = [("accessKey", sample::ACCESS_KEY), ("secretKey", "wrong")];
    let wrong_password = [
        ("username", sample::USER),
        ("password", "wrong"),
        ("domainName", sample::DOMAIN),
    ];
    for (credential, operation) in [
        (&wrong_key[..], Operation::List),
        (&wrong_password[..], Operation::Token),
        (&[("token", "invented")][..], Operation::List),
    ] {
        simulator.clear_journal();
        let cloud = connect(&simulator.url(), credential);
        for _ in 0..10 {
            let error = cloud.list_proxies(&instance).await.unwrap_err();
            assert_eq!(error.meaning, Meaning::Unauthenticated, "{error}");
        }
        assert_eq!(simulator.count(&Filter::on(operation)), 2, "{operation:?}");
    }
    assert_eq!(simulator.blocked_until(sample::ACCESS_KEY), None);
    connect(&simulator.url(), &USER)
        .list_proxies(&instance)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_clock_that_is_off_is_named_as_the_reason() {
    let simulator = simulator().await;
    simulator.advance(Duration::from_hours(2)).unwrap();
    let refused = Answer::error(401, "APIGW.0301", "the signature has expired");
    simulator.inject(Fault::on(Operation::List, Effect::respond(refused)));
    let signed = connect(&simulator.url(), &KEYS)
        .list_proxies(&instance())
        .await
        .unwrap_err();
    assert_eq!(signed.meaning, Meaning::ClockSkew);
    assert!(signed.text.contains("min behind the cloud's"), "{signed}");
    let token = connect(&simulator.url(), &[("token", TOKEN)]);
    let token = token.list_proxies(&instance()).await.unwrap_err();
    assert_eq!(
        token.meaning,
        Meaning::Unauthenticated,
        "a token does not depend on the clock"
    );
}

#[tokio::test]
async fn no_unfinished_task_is_missed_whatever_the_offset_counts() {
    for offset in TaskOffset::ALL {
        let simulator = simulator().await;
        simulator.configure(|behaviour| behaviour.task_offset = offset);
        let mut expected = std::collections::BTreeSet::new();
        for _ in 0..130 {
            let plan = JobPlan::lasting(Duration::from_mins(10)).visible_after(Duration::ZERO);
            expected.insert(
                simulator
                    .start_job(sample::OTHER_INSTANCE, "Backup", plan)
                    .unwrap(),
            );
        }
        let cloud = connect(&simulator.url(), &KEYS);
        let tasks = cloud
            .tasks(Timestamp::now() - Duration::from_hours(1))
            .await
            .unwrap()
            .tasks;
        let found = tasks.iter().filter_map(|task| task.job.as_ref());
        let found: std::collections::BTreeSet<_> =
            found.map(|job| job.as_str().to_owned()).collect();
        assert_eq!(found, expected, "{offset:?}");
        assert_eq!(tasks.len(), expected.len(), "{offset:?}: no repeats");
    }
}

#[tokio::test]
async fn a_proxy_is_found_on_any_page() {
    plane::prepare();
    let mut fleet = Fleet::new()
        .project(sample::PROJECT)
        .instance(sample::INSTANCE);
    let ids: Vec<String> = (0..150).map(|number| format!("{number:032}po01")).collect();
    for id in &ids {
        fleet = fleet.proxy(id, sample::PORT);
    }
    let simulator = Simulator::start(Options::stepped().fleet(fleet))
        .await
        .unwrap();
    let cloud = connect(&simulator.url(), &KEYS);
    let found = cloud.list_proxies(&instance()).await.unwrap();
    assert_eq!(found.len(), 150);
    for id in &ids {
        assert!(found.iter().any(|proxy| proxy.id.as_str() == id), "{id}");
    }
    simulator.inject(Fault::on(Operation::List, Effect::PageCap(10)));
    assert_eq!(cloud.list_proxies(&instance()).await.unwrap().len(), 150);
}

#[tokio::test]
async fn reads_that_fail_on_the_way_pass_by_themselves() {
    let simulator = simulator().await;
    let cloud = connect(&simulator.url(), &KEYS);
    let html = |status| Effect::respond(Answer::html(status, "<html>sign in</html>"));
    let text = |status, body: &str| Effect::respond(Answer::new(status, body));
    let redirect = Answer::new(302, "").header("Location", "http://127.0.0.1:1/login");
    for (effect, meaning) in [
        (html(200), Meaning::Transient),
        (html(403), Meaning::Transient),
        (html(502), Meaning::Transient),
        (Effect::respond(redirect), Meaning::Transient),
        (text(200, ""), Meaning::Transient),
        (text(503, ""), Meaning::Transient),
        (text(200, "{\"proxy_list\": [{]}"), Meaning::Malformed),
        (text(200, "[]"), Meaning::Malformed),
        (Effect::CutBody { after: Some(10) }, Meaning::Transient),
        (Effect::lose_answer(Loss::Reset), Meaning::Transient),
        (Effect::lose_answer(Loss::Silence), Meaning::Transient),
        (
            text(200, &format!("\"{}\"", "x".repeat(5_000_000))),
            Meaning::Transient,
        ),
        (text(429, ""), Meaning::Throttled),
        (text(404, ""), Meaning::NotFound),
        (text(403, ""), Meaning::Denied),
        (text(400, "no"), Meaning::UnknownRefusal),
    ] {
        simulator.inject(Fault::on(Operation::List, effect.clone()).once());
        let error = cloud.list_proxies(&instance()).await.unwrap_err();
        let shown: String = format!("{effect:?}").chars().take(100).collect();
        assert_eq!(error.meaning, meaning, "{shown}: {error}");
        assert!(error.text.chars().count() <= 300, "{error}");
    }
    cloud.list_proxies(&instance()).await.unwrap();
}

#[tokio::test]
async fn a_host_that_nobody_answers_at_is_no_credential_failure() {
    plane::prepare();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for credential in credentials() {
        let cloud = connect(&url, &credential);
        let read = cloud.list_proxies(&instance()).await.unwrap_err();
        let line = cloud.open_line().await.err().unwrap();
        for error in [read, line] {
            assert_eq!(error.meaning, Meaning::Transient, "{error}");
            assert!(error.text.contains("no connection"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_named_as_the_trouble() {
    // The API server of the tests has a certificate of its own.
    let plane = plane::shared().await;
    let url = plane.url().to_owned();
    let policy = Policy {
        allow: AllowList::new([url.trim_start_matches("https://").to_owned()], false),
        call_timeout: Duration::from_secs(5),
        refusal_pause: Duration::from_mins(6),
        clock: Clock::start(),
        observer: Arc::new(()),
    };
    let data = KEYS
        .iter()
        .map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())));
    let credential = Credential::from_secret(&data.collect()).unwrap();
    let cloud = Connector::new(policy)
        .unwrap()
        .connect(&subject(&url), credential)
        .unwrap();
    let read = cloud.list_proxies(&instance()).await.unwrap_err();
    let line: CloudError = cloud.open_line().await.err().unwrap();
    assert_eq!(read.meaning, Meaning::TlsFailed, "{read}");
    assert_eq!(line.meaning, Meaning::TlsFailed, "{line}");
}
