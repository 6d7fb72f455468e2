//! The client of the cloud against the simulator, over HTTP: credentials, paging, and what each answer means.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use k8s_openapi::{ByteString, jiff::Timestamp};
use taurus_port_operator::{
    clock::{Clock, Shift},
    cloud::Connect as _,
    cloud::{
        Cloud, CloudError, Meaning,
        auth::secret::Credential,
        authorities::Authorities,
        budget::CallLimit,
        connector::{Connector, Policy},
        egress::Egress,
        names::Names,
    },
    model::{InstanceId, JobId, ProjectId, ProxyId},
    pace::LockOut,
    place::{InstanceKey, Subject, endpoints::AllowList},
};
use taurus_sim::{
    Accounts, Answer, Effect, Fault, Filter, Fleet, JobPlan, Loss, Operation, Options, Simulator,
    TaskOffset, sample,
};

use crate::world::plane;

mod addresses;
mod answers;
mod black_hole;
pub mod changes;
mod credentials;
mod groups;
mod identities;
mod tls;
mod ways;

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
    let project = ProjectId::parse(sample::PROJECT).unwrap();
    Subject {
        region: None,
        endpoint: Some(url.to_owned()),
        iam_endpoint: Some(url.to_owned()),
        instance: InstanceKey::new((None, Some(url)), &project, instance()),
        project,
        proxy: ProxyId::parse(sample::PROXY).unwrap(),
    }
}

pub fn instance() -> InstanceId {
    InstanceId::parse(sample::INSTANCE).unwrap()
}

pub fn connect(url: &str, pairs: &[(&str, &str)]) -> Arc<dyn Cloud> {
    connect_with(url, pairs, |_| ())
}

/// As [`connect`], with a policy of one's own.
fn connect_with(
    url: &str,
    pairs: &[(&str, &str)],
    change: impl FnOnce(&mut Policy),
) -> Arc<dyn Cloud> {
    let connector = Connector::new(policy(url, change)).unwrap();
    connector.connect(&subject(url), credential(pairs)).unwrap()
}

fn policy(url: &str, change: impl FnOnce(&mut Policy)) -> Policy {
    let (_, host) = url.split_once("://").unwrap();
    let mut policy = Policy {
        allow: AllowList::new([host.to_owned()], true),
        call_timeout: Duration::from_secs(20),
        lock_out: LockOut {
            key_window: Duration::from_mins(5),
            user_window: Duration::from_mins(15),
            pause: Duration::from_mins(16),
        },
        throttle_pause: (Duration::ZERO, Duration::ZERO),
        extra_authorities: Authorities::none(),
        egress: Egress::direct(),
        names: Names::of_the_system(),
        call_limit: CallLimit::unfelt(),
        calls_at_once: 8,
        clock: Clock::start(),
        observer: Arc::new(()),
    };
    change(&mut policy);
    policy
}

fn credential(pairs: &[(&str, &str)]) -> Credential {
    let data = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())))
        .collect();
    Credential::from_secret(&data).unwrap()
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
async fn t01_no_unfinished_task_is_missed_whatever_the_offset_counts_and_if_0_is_refused() {
    let countings = TaskOffset::ALL.map(|offset| (offset, false)).into_iter();
    let without_zero = [TaskOffset::Pages, TaskOffset::ItemsFromOne].map(|offset| (offset, true));
    for (offset, refuses_zero) in countings.chain(without_zero) {
        let simulator = simulator().await;
        simulator.configure(|behaviour| {
            behaviour.task_offset = offset;
            behaviour.refuses_task_offset_0 = refuses_zero;
        });
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
        if offset == TaskOffset::Pages {
            let calls = simulator.entries(&Filter::on(Operation::Tasks)).len();
            assert_eq!(calls, 1 + 3 + 3, "Pending is empty, then Running, then all");
        }
    }
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

#[taurus_needs::test]
async fn a_certificate_that_nobody_vouches_for_is_named_as_the_trouble() {
    // The API server of the tests has a certificate of its own.
    let plane = &plane::shared().await;
    let url = plane.url().to_owned();
    let cloud = connect_with(&url, &KEYS, |policy| {
        policy.call_timeout = Duration::from_secs(5);
    });
    let read = cloud.list_proxies(&instance()).await.unwrap_err();
    let line: CloudError = cloud.open_line().await.err().unwrap();
    assert_eq!(read.meaning, Meaning::TlsFailed, "{read}");
    assert_eq!(line.meaning, Meaning::TlsFailed, "{line}");
}
