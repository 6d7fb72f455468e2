//! Surveys at an API server that is made up: what is asked for, how often, and what becomes of an answer that doesn't come.

use std::convert::Infallible;

use http::Response;
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};

use super::*;
use crate::clock;

/// How an API server answers, and the paths that were asked for.
#[derive(Clone)]
struct Server {
    is_allowed: bool,
    /// Part of a path, and what comes of it: a code, or no answer at all.
    trouble: Option<(&'static str, Option<u16>)>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(is_allowed: bool) -> Self {
        Self {
            is_allowed,
            trouble: None,
            asked: Arc::default(),
        }
    }

    fn with(trouble: (&'static str, Option<u16>)) -> Self {
        Self {
            trouble: Some(trouble),
            ..Self::new(true)
        }
    }

    fn answer(&self, path: &str) -> (u16, Value) {
        if let Some((part, Some(code))) = self.trouble
            && path.contains(part)
        {
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "no", "reason": "No", "code": code,
            });
            return (code, status);
        }
        let metadata = json!({"name": "shop"});
        let answer = match path {
            "/apis" => json!({"kind": "APIGroupList", "groups": []}),
            "/api/v1/namespaces/shop" => json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            }),
            path if path.ends_with("/selfsubjectaccessreviews") => {
                json!({"metadata": {}, "spec": {}, "status": {"allowed": self.is_allowed}})
            }
            path if path.ends_with("/networkpolicies") => json!({"metadata": {}, "items": [{
                "metadata": {"name": "databases"},
                "spec": {"podSelector": {}, "egress": [{"ports": [{"port": 3306}]}]},
            }]}),
            _ => json!({"metadata": {}, "items": []}),
        };
        (200, answer)
    }

    fn surveys(&self) -> Surveys {
        let server = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let server = server.clone();
            async move {
                let path = request.uri().path().to_owned();
                drop(request.into_body().collect().await);
                server.asked.lock().unwrap().push(path.clone());
                if let Some((part, None)) = server.trouble
                    && path.contains(part)
                {
                    std::future::pending::<()>().await;
                }
                let (code, body) = server.answer(&path);
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

fn moved() -> Move {
    Move {
        namespace: "shop".to_owned(),
        address: Some("10.0.0.7".to_owned()),
        from: 3306,
        to: 3307,
        ..Move::default()
    }
}

#[tokio::test(start_paused = true)]
async fn one_read_serves_all_who_come_soon_after_it_and_none_who_ask_for_a_new_one() {
    let server = Server::new(true);
    let surveys = server.surveys();
    let one = surveys.of("shop", Duration::ZERO);
    let other = surveys.of("shop", Duration::ZERO);
    let (one, other) = futures::join!(one, other);
    for survey in [one, other] {
        assert!(survey.is_whole());
        let warnings = survey.warnings(&moved());
        assert!(
            matches!(&warnings[..], [only] if only.starts_with("NetworkPolicy databases")),
            "{warnings:?}"
        );
    }
    assert_eq!(server.asked_for("networkpolicies"), 1);
    clock::pause(Duration::from_secs(1)).await;
    let now = surveys.clock.now().uptime;
    surveys.of("shop", now).await;
    assert_eq!(server.asked_for("networkpolicies"), 2);
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
    assert!(survey.is_whole() && survey.warnings(&moved()).is_empty());
    assert_eq!(
        server.asked.lock().unwrap().len(),
        1,
        "but for the question"
    );
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_told_and_what_does_not_answer_is_waited_for_no_longer_than_is_promised() {
    for (trouble, told, is_whole) in [
        (
            ("/pods", Some(403)),
            "Pods (the operator may not read them)",
            true,
        ),
        (("/pods", Some(500)), "Pods (the API server failed)", false),
        (
            ("/namespaces/shop/pods", None),
            "failed or did not answer in time",
            false,
        ),
        (
            ("accessreviews", Some(500)),
            "failed or did not answer in time",
            false,
        ),
        (
            ("accessreviews", None),
            "failed or did not answer in time",
            false,
        ),
    ] {
        let server = Server::with(trouble);
        let surveys = server.surveys();
        let begun = surveys.clock.now().uptime;
        let survey = surveys.of("shop", Duration::ZERO).await;
        let took = surveys.clock.now().uptime.saturating_sub(begun);
        assert!(took <= WITHIN, "{trouble:?}: {took:?}");
        let warnings = survey.warnings(&moved());
        assert!(
            warnings.last().unwrap().contains(told),
            "{trouble:?}: {warnings:?}"
        );
        assert_eq!(survey.is_whole(), is_whole, "{trouble:?}");
    }
}
