//! Surveys at an API server that is made up: what is asked for, how often, how much is kept, and what becomes of an answer that doesn't
//! come.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
};

use http::{Response, Uri};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;
use crate::{clock, preflight::warnings::Known};

/// How an API server answers, and the paths that were asked for.
#[derive(Clone)]
struct Server {
    is_allowed: bool,
    /// Part of a path, and what comes of it: a code, or no answer at all.
    trouble: Option<(&'static str, Option<u16>)>,
    asked: Arc<Mutex<Vec<String>>>,
    /// How long it takes to list policies.
    takes: Duration,
    /// How many lists of policies are under way, and how many were at most.
    under_way: Arc<(AtomicUsize, AtomicUsize)>,
}

impl Server {
    fn new(is_allowed: bool) -> Self {
        Self {
            is_allowed,
            trouble: None,
            asked: Arc::default(),
            takes: Duration::ZERO,
            under_way: Arc::default(),
        }
    }

    fn with(trouble: (&'static str, Option<u16>)) -> Self {
        Self {
            trouble: Some(trouble),
            ..Self::new(true)
        }
    }

    fn answer(&self, uri: &Uri) -> (u16, Value) {
        let path = uri.path();
        if let Some((part, Some(code))) = self.trouble
            && path.contains(part)
        {
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "no", "reason": "No", "code": code,
            });
            return (code, status);
        }
        let version = json!({"groupVersion": "cilium.io/v2", "version": "v2"});
        let groups =
            json!([{"name": "cilium.io", "versions": [version], "preferredVersion": version}]);
        let answer = match path {
            "/apis" => json!({"kind": "APIGroupList", "groups": groups}),
            path if path.ends_with("/selfsubjectaccessreviews") => {
                json!({"metadata": {}, "spec": {}, "status": {"allowed": self.is_allowed}})
            }
            path if path.contains("/huge") || path.contains("/full") => return (200, large(uri)),
            path if path.ends_with("/networkpolicies") => json!({"metadata": {}, "items": [{
                "metadata": {"name": "databases"},
                "spec": {"podSelector": {}, "egress": [{"ports": [{"port": 3306}]}]},
            }]}),
            path if path.starts_with("/api/v1/namespaces/") && path.matches('/').count() == 4 => {
                json!({
                    "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "shop"},
                })
            }
            _ => json!({"metadata": {}, "items": []}),
        };
        (200, answer)
    }

    fn surveys(&self) -> Surveys {
        let server = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let server = server.clone();
            async move {
                let uri = request.uri().clone();
                let path = uri.path();
                drop(request.into_body().collect().await);
                server.asked.lock().unwrap().push(path.to_owned());
                if let Some((part, None)) = server.trouble
                    && path.contains(part)
                {
                    std::future::pending::<()>().await;
                }
                if path.ends_with("/networkpolicies") {
                    let (now, most) = &*server.under_way;
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    clock::pause(server.takes).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                }
                let (code, body) = server.answer(&uri);
                let answer = Response::builder().status(code);
                Ok::<_, Infallible>(
                    answer
                        .body(Body::from(body.to_string().into_bytes()))
                        .unwrap(),
                )
            }
        });
        Surveys::new(Client::new(service, "shop"), Clock::start())
    }

    fn asked_for(&self, part: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|path| path.contains(part)).count()
    }
}

/// A page of a list without end: of objects that are large, or of policies with many rules.
fn large(uri: &Uri) -> Value {
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let limit = query
        .split('&')
        .find_map(|part| part.strip_prefix("limit=")?.parse::<usize>().ok());
    let Some(limit) = limit else {
        return json!({"metadata": {"name": "it"}});
    };
    let item = if path.contains("/full") {
        let rules: Vec<Value> = (1..100)
            .map(|port| json!({"ports": [{"port": port}]}))
            .collect();
        json!({"metadata": {"name": "full"}, "spec": {"podSelector": {}, "egress": rules}})
    } else {
        json!({"metadata": {"name": "huge", "annotations": {"a": "x".repeat(300 << 10)}}})
    };
    json!({"metadata": {"continue": "more"}, "items": vec![item; limit]})
}

fn moved() -> Move {
    Move {
        namespace: "shop".to_owned(),
        address: Some("10.0.0.7".to_owned()),
        from: 3306,
        to: 3307,
        ..Move::default()
    }
}

/// What is said of a survey where nothing was known before.
fn said(survey: &Survey) -> Vec<String> {
    let known = Known::after(None, survey.look(&moved()));
    known.texts(usize::MAX).0
}

#[tokio::test(start_paused = true)]
async fn one_read_serves_all_who_come_soon_after_it_and_none_who_ask_for_a_new_one() {
    let server = Server::new(true);
    let surveys = server.surveys();
    let one = surveys.of("shop", Duration::ZERO);
    let other = surveys.of("shop", Duration::ZERO);
    let (one, other) = futures::join!(one, other);
    for survey in [one, other] {
        let warnings = said(&survey);
        assert!(
            matches!(&warnings[..], [only] if only.starts_with("NetworkPolicy databases")),
            "{warnings:?}"
        );
    }
    assert_eq!(server.asked_for("/namespaces/shop/networkpolicies"), 1);
    clock::pause(Duration::from_secs(1)).await;
    let now = surveys.clock.now().uptime;
    surveys.of("shop", now).await;
    assert_eq!(server.asked_for("/namespaces/shop/networkpolicies"), 2);
    surveys.tidy(now);
    assert_eq!(surveys.lock().len(), 1);
    clock::pause(SHARED_FOR).await;
    surveys.tidy(surveys.clock.now().uptime);
    assert!(surveys.lock().is_empty(), "what was read is not kept");
}

#[tokio::test(start_paused = true)]
async fn without_the_right_nothing_is_read_or_said() {
    let server = Server::new(false);
    let survey = server.surveys().of("shop", Duration::ZERO).await;
    assert!(said(&survey).is_empty());
    let asked = server.asked.lock().unwrap().len();
    assert_eq!(asked, server.asked_for("accessreviews"));
    assert_eq!(asked, 2, "of all namespaces, and of this one");
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_said_and_what_does_not_answer_is_waited_for_no_longer_than_is_promised() {
    for (trouble, text) in [
        (
            ("/pods", Some(403)),
            "Pods (the operator may not read them)",
        ),
        (("/pods", Some(500)), "Pods (the API server failed)"),
        (
            ("/namespaces/shop/pods", None),
            "Pods (the API server failed)",
        ),
        (
            ("clusterwide", None),
            "CiliumClusterwideNetworkPolicy (the API server failed)",
        ),
        (
            ("accessreviews", Some(500)),
            "failed or did not answer in time",
        ),
        (("accessreviews", None), "failed or did not answer in time"),
    ] {
        let server = Server::with(trouble);
        let surveys = server.surveys();
        let begun = surveys.clock.now().uptime;
        let survey = surveys.of("shop", Duration::ZERO).await;
        let took = surveys.clock.now().uptime.saturating_sub(begun);
        assert!(took <= WITHIN, "{trouble:?}: {took:?}");
        let warnings = said(&survey);
        assert!(
            warnings.last().unwrap().contains(text),
            "{trouble:?}: {warnings:?}"
        );
        // One part that fails takes nothing from the others.
        let is_read = matches!(survey, Survey::Read(_));
        assert_eq!(warnings.len(), if is_read { 2 } else { 1 }, "{trouble:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_of_no_namespace_is_read_once_for_all_and_few_namespaces_are_read_at_once() {
    let server = Server {
        takes: Duration::from_millis(20),
        ..Server::new(true)
    };
    let surveys = server.surveys();
    let names: Vec<String> = (0..60).map(|number| format!("shop-{number}")).collect();
    let all = names.iter().map(|name| surveys.of(name, Duration::ZERO));
    let all = futures::future::join_all(all).await;
    assert!(all.iter().all(|survey| matches!(survey, Survey::Read(_))));
    // Those who ask for a new look get one of their namespace.
    clock::pause(Duration::from_millis(1)).await;
    let now = surveys.clock.now().uptime;
    let again = names.iter().map(|name| surveys.of(name, now));
    futures::future::join_all(again).await;
    let exactly = |path: &str| {
        let asked = server.asked.lock().unwrap();
        asked.iter().filter(|asked| *asked == path).count()
    };
    assert_eq!(exactly("/apis"), 1);
    assert_eq!(server.asked_for("clusterwidenetworkpolicies"), 1);
    assert_eq!(server.asked_for("accessreviews"), 1);
    assert_eq!(server.asked_for("/networking.k8s.io/"), 120);
    let most = server.under_way.1.load(Ordering::SeqCst);
    assert_eq!(most, AT_ONCE);
    clock::pause(EVERYWHERE_FOR).await;
    surveys.of("shop", surveys.clock.now().uptime).await;
    assert_eq!(server.asked_for("clusterwidenetworkpolicies"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_of_huge_objects_takes_no_memory_and_holds_up_no_neighbour() {
    let server = Server::new(true);
    let surveys = server.surveys();
    let huge = surveys.of("huge", Duration::ZERO);
    let neighbour = surveys.of("shop", Duration::ZERO);
    let (huge, neighbour) = futures::join!(huge, neighbour);
    assert!(said(&neighbour)[0].starts_with("NetworkPolicy databases"));
    let texts = said(&huge);
    for what in ["Pods", "NetworkPolicies"] {
        let text = format!("{what} (some are too large");
        assert!(texts.iter().any(|said| said.contains(&text)), "{texts:?}");
    }
    assert!(kept(&surveys) < 1 << 20, "{}", kept(&surveys));
}

#[tokio::test(start_paused = true)]
async fn all_that_is_kept_of_many_namespaces_is_bounded_and_the_oldest_goes_first() {
    let server = Server::new(true);
    let surveys = server.surveys();
    for number in 0..10 {
        let survey = surveys.of(&format!("full-{number}"), Duration::ZERO).await;
        assert!(matches!(survey, Survey::Read(_)));
        assert!(kept(&surveys) <= MOST_KEPT, "{}", kept(&surveys));
        clock::pause(Duration::from_millis(1)).await;
    }
    assert!(kept(&surveys) > MOST_KEPT / 2);
    let asked = server.asked_for("/full-9/networkpolicies");
    surveys.of("full-9", Duration::ZERO).await;
    assert_eq!(server.asked_for("/full-9/networkpolicies"), asked);
    let asked = server.asked_for("/full-0/networkpolicies");
    surveys.of("full-0", Duration::ZERO).await;
    assert!(server.asked_for("/full-0/networkpolicies") > asked);
}

/// How much memory all takes that is kept.
fn kept(surveys: &Surveys) -> usize {
    let places = surveys.lock();
    let weights = places.values().filter_map(|place| {
        let kept = place.try_lock().ok()?;
        kept.as_ref().map(|kept| kept.weight)
    });
    weights.sum()
}
