//! A cluster that can't be reached, or lacks the definition, is named and waited for.

use futures::FutureExt as _;
use kube::core::Status;
use tokio::net::TcpListener;

use super::*;
use crate::health::readiness::Stage;

fn answered(code: u16, reason: &str, message: &str) -> ClusterError {
    let status = Status::failure(message, reason).with_code(code);
    obstacle(kube::Error::Api(Box::new(status)))
}

#[test]
fn each_refusal_says_what_to_do() {
    // The first is how a real API server answers for a group that it does not know.
    let error = answered(404, "Failed to parse error data", "404 page not found");
    assert!(
        error.to_string().contains("kubectl apply -k crds"),
        "{error}"
    );
    let error = answered(403, "Forbidden", "cannot list resource");
    for rules in ["deploy/base/rbac.yaml", "deploy/overlays/single-namespace"] {
        assert!(error.to_string().contains(rules), "{error}");
    }
    assert!(
        error.to_string().contains("cannot list resource"),
        "{error}"
    );
    let error = answered(401, "Unauthorized", "Unauthorized");
    assert!(matches!(error, ClusterError::Unauthorized(_)), "{error}");
    let error = answered(500, "InternalError", "etcd is away");
    assert!(matches!(error, ClusterError::Unreachable(_)), "{error}");
    assert!(error.to_string().contains("etcd is away"), "{error}");
}

/// A port where nobody listens: it was free a moment ago.
async fn nowhere() -> Cluster {
    // An error means that another test was quicker.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    Cluster {
        client: Client::try_from(Config::new(address.parse().unwrap())).unwrap(),
        address,
        namespace: None,
    }
}

#[tokio::test]
async fn what_is_away_does_not_answer() {
    let cluster = nowhere().await;
    let error = cluster.look(LOOK_TIMEOUT).await.unwrap_err().to_string();
    assert!(error.contains("can't be reached"), "{error}");
    assert!(error.contains("refused"), "the cause is named: {error}");
    assert!(!cluster.answers().await);
}

#[tokio::test]
async fn what_is_away_is_waited_for_and_named() {
    let cluster = nowhere().await;
    let readiness = Readiness::new();
    let named = async {
        loop {
            match readiness.stage() {
                Stage::Missing(what) if what.contains("can't be reached") => break,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::select! {
        result = cluster.wait(&readiness) => panic!("it gave up: {result:?}"),
        result = tokio::time::timeout(Duration::from_secs(20), named) => result.unwrap(),
    }
    assert!(cluster.wait(&readiness).now_or_never().is_none());
}
