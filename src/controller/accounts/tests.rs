//! What is kept for whom, and for how long.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
};

use futures::channel::mpsc;
use kube::client::Body;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::*;
use crate::{
    clock::Shift,
    cloud::{Cloud, CloudError, Meaning, fake::Fake},
    crd::TaurusProxyPort,
    desired,
    model::Uid,
};

/// Nobody answers there; endpoints that begin with "bad" may not be called.
struct Nowhere;

impl Connect for Nowhere {
    fn connect(&self, subject: &Subject, _: Credential) -> Result<Arc<dyn Cloud>, CloudError> {
        match &subject.endpoint {
            Some(endpoint) if endpoint.contains("bad") => Err(CloudError::local(
                Meaning::EndpointNotAllowed,
                "not allowed",
            )),
            _ => Ok(Arc::new(Fake::default())),
        }
    }
}

/// What the Secrets of the namespace `shop` hold, with one version.
fn accounts(secrets: serde_json::Value, shift: &'static Shift) -> Accounts {
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let name = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let mut secret =
            json!({"metadata": {"name": name, "namespace": "shop", "resourceVersion": "1"}});
        let data: BTreeMap<String, ByteString> = secrets[&name]
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| (key.clone(), ByteString(value.as_str().unwrap().into())))
            .collect();
        secret["data"] = json!(data);
        let answer = http::Response::new(Body::from(secret.to_string().into_bytes()));
        async move { Ok::<_, Infallible>(answer) }
    });
    accounts_over(Client::new(service, "shop"), shift)
}

/// Those of a process that reads Secrets through this client.
fn accounts_over(client: Client, shift: &'static Shift) -> Accounts {
    let clock = Clock::start().shifted(shift);
    let (wake, _) = mpsc::unbounded();
    let good_for = GoodFor {
        watched: Duration::from_mins(10),
        unwatched: Duration::from_mins(1),
    };
    let resync = Duration::from_mins(10);
    Accounts::new(
        client,
        clock,
        Arc::new(Nowhere),
        None,
        good_for,
        resync,
        wake,
    )
}

fn desired(secret: &str, endpoint: &str) -> Desired {
    let object: TaurusProxyPort = serde_json::from_value(json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1",
        "kind": "TaurusProxyPort",
        "metadata": {"name": "orders", "namespace": "shop", "generation": 1},
        "spec": {
            "endpoint": endpoint,
            "projectID": "a".repeat(32),
            "instanceID": format!("{}in07", "b".repeat(32)),
            "proxyID": format!("{}po01", "c".repeat(32)),
            "port": 3307,
            "credentialsRef": {"name": secret},
        },
    }))
    .unwrap();
    desired::read(&object).unwrap()
}

async fn open(accounts: &Accounts, secret: &str, endpoint: &str) -> Result<Opened, Trouble> {
    let desired = desired(secret, endpoint);
    let source = accounts.source("shop", &desired).unwrap();
    let user = ResourceName::new("shop", secret);
    accounts
        .book()
        .note(&Uid::from(secret), &user, Some(source));
    let now = accounts.clock.now();
    accounts
        .cloud("shop", Some(secret), &desired, now)
        .await
        .unwrap()
}

#[tokio::test]
async fn each_resource_is_told_of_the_keys_of_its_own_secret_alone() {
    let secrets = json!({"prod-admin": {"token": "t", "note": "x"}, "creds": {"token": "t"}});
    let accounts = accounts(secrets, Shift::forever());
    let first = open(&accounts, "prod-admin", "https://good").await.unwrap();
    let remark = first.remark.unwrap();
    assert!(
        remark.contains("prod-admin") && remark.contains("note"),
        "{remark}"
    );
    let second = open(&accounts, "creds", "https://good").await.unwrap();
    assert!(Arc::ptr_eq(&first.directory, &second.directory));
    assert_eq!(second.remark, None);
    let again = open(&accounts, "prod-admin", "https://good").await.unwrap();
    assert_eq!(again.remark, Some(remark));
}

#[tokio::test]
async fn a_secret_that_is_no_credential_is_kept_once_whatever_it_is_used_for() {
    let accounts = accounts(json!({"creds": {"note": "x"}}), Shift::forever());
    for number in 0..50 {
        let refused = open(&accounts, "creds", &format!("https://good{number}")).await;
        let Err(Trouble::CredentialsInvalid(text)) = refused.map(drop) else {
            panic!("it was taken")
        };
        assert!(
            text.contains("Secret creds") && text.contains("note"),
            "{text}"
        );
    }
    assert!(accounts.faults().is_empty());
}

#[tokio::test]
async fn places_that_nobody_names_any_more_are_forgotten() {
    let shift = Shift::forever();
    let accounts = accounts(json!({"creds": {"token": "t"}}), shift);
    let kept = || accounts.kept.lock().unwrap().len();
    for number in 0..50 {
        open(&accounts, "creds", &format!("https://good{number}"))
            .await
            .unwrap();
        open(&accounts, "creds", &format!("https://bad{number}"))
            .await
            .map(drop)
            .unwrap_err();
    }
    shift.pass(IDLE / 2);
    accounts.tidy();
    assert_eq!((kept(), accounts.faults().len()), (50, 50));
    open(&accounts, "creds", "https://good7").await.unwrap();
    open(&accounts, "creds", "https://bad7")
        .await
        .map(drop)
        .unwrap_err();
    shift.pass(IDLE / 2);
    accounts.tidy();
    assert_eq!((kept(), accounts.faults().len()), (1, 1));
}

/// What two Secrets of two namespaces hold is read on two threads at once.
#[tokio::test]
async fn n01_who_opens_the_same_at_the_same_time_on_several_threads_shares_it() {
    const TRIES: usize = 1_000;
    let accounts = accounts(json!({}), Shift::forever());
    let now = accounts.clock.now();
    let data = BTreeMap::from([("token".to_owned(), ByteString(b"t".to_vec()))]);
    let held = Held::Data(data);
    let together = std::sync::Barrier::new(2);
    let open_all = || {
        let open = |number| {
            let desired = desired("creds", &format!("https://good{number}"));
            let source = accounts.source("shop", &desired).unwrap();
            together.wait();
            let opened = accounts.opened(&source, &held, &desired, now);
            opened.unwrap().directory
        };
        (0..TRIES).map(open).collect::<Vec<_>>()
    };
    let (one, other) = std::thread::scope(|scope| {
        let beside = scope.spawn(open_all);
        (open_all(), beside.join().unwrap())
    });
    let pairs = one.iter().zip(&other);
    let apart = pairs.filter(|(one, other)| !Arc::ptr_eq(one, other));
    assert_eq!(apart.count(), 0, "directories of {TRIES} were made twice");
}

#[tokio::test]
async fn what_a_change_is_followed_with_is_kept_though_its_secret_is_gone_and_nobody_asks_for_hours()
 {
    let shift = Shift::forever();
    let accounts = accounts(json!({"creds": {"token": "t"}}), shift);
    let opened = open(&accounts, "creds", "https://good").await.unwrap();
    accounts.book().forget(&Uid::from("creds"));
    let remembered = || {
        let desired = desired("creds", "https://good");
        let now = accounts.clock.now();
        accounts.remembered(opened.credential, &desired, now)
    };
    let followed = remembered().unwrap().directory;
    drop(opened.directory);
    shift.pass(IDLE * 3);
    accounts.tidy();
    assert!(remembered().is_some());
    drop(followed);
    shift.pass(IDLE * 3);
    accounts.tidy();
    assert!(remembered().is_none());
}

#[tokio::test]
async fn g06_a_secret_that_is_empty_is_one_that_is_still_made() {
    let accounts = accounts(json!({"creds": {}}), Shift::forever());
    for _ in 0..2 {
        let refused = open(&accounts, "creds", "https://good").await;
        let Err(Trouble::CredentialsMissing(text)) = refused.map(drop) else {
            panic!("it was taken")
        };
        assert!(text.starts_with("Secret creds is empty"), "{text}");
    }
}

/// All who want the same Secret wait for one read of it, also where that fails.
#[tokio::test(start_paused = true)]
async fn n01_a_secret_whose_read_hangs_is_waited_for_once_by_all_who_name_it() {
    const USERS: usize = 100;
    let reads = Arc::new(AtomicUsize::default());
    let counted = Arc::clone(&reads);
    let service = tower::service_fn(move |_: http::Request<Body>| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<Result<http::Response<Body>, Infallible>>()
    });
    let accounts = accounts_over(Client::new(service, "shop"), Shift::forever());
    let desired = desired("creds", "https://good");
    let source = accounts.source("shop", &desired).unwrap();
    for user in 0..USERS {
        let user = user.to_string();
        let name = ResourceName::new("shop", &user);
        let uid = Uid::from(user.as_str());
        accounts.book().note(&uid, &name, Some(source.clone()));
    }
    let began = accounts.clock.now();
    let opening = (0..USERS).map(|_| accounts.cloud("shop", None, &desired, began));
    let all = futures::future::join_all(opening).await;
    assert!(all.iter().all(Result::is_err));
    assert_eq!(reads.load(Ordering::SeqCst), 1);
    let took = accounts.clock.now().elapsed(began.uptime);
    assert!(took <= Duration::from_secs(31), "{took:?}");
    // Whoever comes later has it read again.
    let now = accounts.clock.now();
    assert!(accounts.cloud("shop", None, &desired, now).await.is_err());
    assert_eq!(reads.load(Ordering::SeqCst), 2);
}

/// A resource of `shop` that signs in as this ServiceAccount.
fn desired_as(account: &str, endpoint: &str) -> Desired {
    let mut desired = desired("creds", endpoint);
    desired.credentials = Some(Named::Workload(Box::new(WorkloadIdentity {
        service_account_name: account.to_owned(),
        idp_id: "cce".to_owned(),
        audience: "iam".to_owned(),
    })));
    desired
}

/// An API server that makes tokens of ServiceAccounts, or answers with this status; what was asked of it is counted.
fn token_maker(status: u16) -> (Client, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::default());
    let count = Arc::clone(&asked);
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            let path = "/api/v1/namespaces/shop/serviceaccounts/ports/token";
            assert_eq!(request.method(), http::Method::POST);
            assert_eq!(request.uri().path(), path);
            let body = request.into_body().collect_bytes().await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["spec"]["audiences"], json!(["iam"]));
            assert_eq!(body["spec"]["expirationSeconds"], json!(3600));
            let answer = if status == 201 {
                let token = format!("token-{number}");
                json!({
                    "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {},
                    "spec": {"audiences": ["iam"]},
                    "status": {"token": token, "expirationTimestamp": "2100-01-01T00:00:00Z"},
                })
            } else {
                let reason = if status == 404 {
                    "NotFound"
                } else {
                    "Forbidden"
                };
                json!({
                    "apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason, "code": status,
                    "message": "no",
                })
            };
            let answer = Body::from(answer.to_string().into_bytes());
            let answer = http::Response::builder().status(status).body(answer);
            Ok::<_, Infallible>(answer.unwrap())
        }
    });
    (Client::new(service, "shop"), asked)
}

async fn open_as(accounts: &Accounts, desired: &Desired) -> Result<Opened, Trouble> {
    let source = accounts.source("shop", desired).unwrap();
    let user = ResourceName::new("shop", "orders");
    let uid = Uid::from("orders");
    accounts.book().note(&uid, &user, Some(source));
    let now = accounts.clock.now();
    accounts
        .cloud("shop", Some("orders"), desired, now)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_service_account_is_one_credential_however_often_its_token_is_renewed() {
    let shift = Shift::forever();
    let (client, asked) = token_maker(201);
    let accounts = accounts_over(client, shift);
    let desired = desired_as("ports", "https://good");
    let first = open_as(&accounts, &desired).await.unwrap();
    let again = open_as(&accounts, &desired).await.unwrap();
    assert!(Arc::ptr_eq(&first.directory, &again.directory));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let newest = || {
        let source = accounts.source("shop", &desired).unwrap();
        let token = accounts.proof(&source).newest(accounts.clock.now().uptime);
        token.map(|token| token.expose_secret().to_owned())
    };
    assert_eq!(newest().as_deref(), Some("token-1"));

    // Long before it ends there is another one, of which nobody else has to hear.
    shift.pass(Duration::from_mins(10));
    let due = accounts.due(accounts.clock.now().uptime, Duration::ZERO);
    assert_eq!(due.len(), 1);
    accounts
        .reread(&due[0], accounts.clock.now())
        .await
        .unwrap();
    let renewed = open_as(&accounts, &desired).await.unwrap();
    assert!(Arc::ptr_eq(&first.directory, &renewed.directory));
    assert_eq!(first.credential, renewed.credential);
    assert_eq!(newest().as_deref(), Some("token-2"));

    // One that is not renewed is not used to its very end by another clock, but no longer than it was asked for.
    shift.pass(Duration::from_hours(1));
    assert_eq!(newest(), None);
}

#[tokio::test]
async fn a_service_account_without_a_token_is_named_with_what_to_do_and_asked_for_again_within_a_minute()
 {
    for (status, said) in [
        (404, "ServiceAccount ports does not exist in this namespace"),
        (403, "the verb create on serviceaccounts/token"),
    ] {
        let shift = Shift::forever();
        let (client, asked) = token_maker(status);
        let accounts = accounts_over(client, shift);
        let desired = desired_as("ports", "https://good");
        for _ in 0..2 {
            let refused = open_as(&accounts, &desired).await;
            let Err(Trouble::CredentialsMissing(text)) = refused.map(drop) else {
                panic!("it was taken")
            };
            assert!(text.contains(said), "{text}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        shift.pass(Duration::from_mins(1));
        open_as(&accounts, &desired).await.map(drop).unwrap_err();
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}

#[test]
fn each_part_of_an_identity_makes_another_credential() {
    let workload = |parts: [&str; 4]| {
        let [namespace, service_account, idp_id, audience] = parts.map(str::to_owned);
        Held::Workload(Workload {
            idp_id,
            namespace,
            service_account,
            audience,
            proof: Arc::default(),
        })
    };
    let own = ["shop", "ports", "cce", "iam"];
    let of = |parts| workload(parts).fingerprint();
    assert_eq!(of(own), of(own));
    for place in 0..own.len() {
        let mut other = own;
        other[place] = "other";
        assert_ne!(of(own), of(other), "{place}");
    }
}
