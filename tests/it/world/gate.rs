//! A gate in the operator's way to the API server: it sees every request, and can hold writes of the status for ever.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use futures::future::{BoxFuture, FutureExt as _};
use http::{Method, Request};
use kube::client::Body;
use tower::{Layer, Service};

/// Open until it is closed.
#[derive(Clone, Default)]
pub struct Gate {
    closed: Arc<AtomicBool>,
    waiting: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Gate {
    /// From now on no status of a resource is written.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// All requests so far, each as method and path.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// How many writes were held.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated {
            gate: self.clone(),
            inner,
        }
    }
}

/// A client behind the gate.
#[derive(Clone)]
pub struct Gated<S> {
    gate: Gate,
    inner: S,
}

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>>,
    S::Future: Send + 'static,
    S::Response: 'static,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let line = format!("{} {}", request.method(), request.uri().path());
        self.gate.seen.lock().unwrap().push(line);
        let writes = request.method() == Method::PUT && request.uri().path().ends_with("/status");
        if writes && self.gate.closed.load(Ordering::SeqCst) {
            self.gate.waiting.fetch_add(1, Ordering::SeqCst);
            return std::future::pending().boxed();
        }
        self.inner.call(request).boxed()
    }
}
