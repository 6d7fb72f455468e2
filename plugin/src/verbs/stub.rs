//! An API server that is made up, for tests: it gives its answers one after another, and keeps what it was sent.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use kube::{Client, client::Body};
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// A status code and a body.
pub type Answer = (u16, Value);

/// What is left to answer, and the bodies that were sent; nothing for a request without one.
#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    said: Vec<Value>,
}

/// The server.
pub struct Server(Arc<Mutex<State>>);

impl Server {
    /// One that answers so.
    pub fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let state = State {
            answers: answers.into_iter().collect(),
            said: Vec::new(),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The cluster that it is.
    pub fn cluster(&self) -> Cluster {
        let state = Arc::clone(&self.0);
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let state = Arc::clone(&state);
            async move {
                let body = request.into_body().collect_bytes().await.unwrap();
                let mut state = state.lock().unwrap();
                state
                    .said
                    .push(serde_json::from_slice(&body).unwrap_or_default());
                let (code, answer) = state.answers.pop_front().unwrap();
                let answer = http::Response::builder()
                    .status(code)
                    .body(Body::from(answer.to_string().into_bytes()));
                Ok::<_, Infallible>(answer.unwrap())
            }
        });
        Cluster::with(Client::new(service, "shop"), "shop")
    }

    /// What it was sent so far.
    pub fn said(&self) -> Vec<Value> {
        self.0.lock().unwrap().said.clone()
    }
}

/// `shop/orders`, with the UID `u`.
pub fn resource(version: &str, generation: i64, spec: &Value, status: &Value) -> Value {
    json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
        "metadata": {"namespace": "shop", "name": "orders", "uid": "u", "resourceVersion": version, "generation": generation},
        "spec": spec, "status": status,
    })
}

/// The answer where another version is stored.
pub fn conflict() -> Answer {
    (409, failure(409, "Conflict"))
}

/// The answer where there is no such resource.
pub fn gone() -> Answer {
    (404, failure(404, "NotFound"))
}

fn failure(code: u16, reason: &str) -> Value {
    let details =
        json!({"name": "orders", "group": "taurusdb.huaweicloud.com", "kind": "taurusproxyports"});
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": reason, "reason": reason, "code": code,
        "details": details,
    })
}
