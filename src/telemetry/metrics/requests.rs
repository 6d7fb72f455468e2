//! Requests to the Kubernetes API server: what they are for, and what comes of them.

use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use strum::IntoEnumIterator as _;

use super::{CALL_SECONDS, Histograms, catalogue};

/// What a request is for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, strum::IntoStaticStr, strum::EnumIter,
)]
#[strum(serialize_all = "snake_case")]
pub enum Request {
    /// To list or to watch resources.
    WatchResources,
    /// To read one resource.
    ReadResource,
    /// To write the status of one.
    WriteStatus,
    /// To read a Secret.
    ReadSecret,
    /// To list or to watch the metadata of Secrets.
    WatchSecrets,
    /// To publish an event.
    WriteEvent,
    /// To look at the lease or to write it.
    Lease,
    /// Anything else.
    Other,
}

/// What came of a request.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, strum::IntoStaticStr, strum::EnumIter,
)]
#[strum(serialize_all = "snake_case")]
pub enum Answer {
    /// Done.
    Ok,
    /// Somebody else was first.
    Conflict,
    /// It is not there.
    NotFound,
    /// Whoever asks is not known, or may not.
    Denied,
    /// Too many requests.
    Throttled,
    /// Refused for another reason.
    Refused,
    /// The API server failed.
    Failed,
    /// It could not be reached, or the connection broke.
    Unreachable,
    /// There was no answer in the time that there was for it.
    GivenUp,
}

impl Request {
    /// By method and path. Relies on the paths being those of resources.
    pub fn of(method: &Method, path: &str) -> Self {
        let path: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (["api", _, rest @ ..] | ["apis", _, _, rest @ ..]) = path.as_slice() else {
            return Self::Other;
        };
        let (kind, named, subresource) = match rest {
            ["namespaces", _, kind, rest @ ..] | [kind, rest @ ..] => {
                (*kind, !rest.is_empty(), rest.get(1).copied())
            }
            [] => return Self::Other,
        };
        match (kind, named, subresource) {
            ("taurusproxyports", true, Some("status")) if method == Method::PUT => {
                Self::WriteStatus
            }
            ("taurusproxyports", true, None) => Self::ReadResource,
            ("taurusproxyports", false, _) => Self::WatchResources,
            ("secrets", true, _) => Self::ReadSecret,
            ("secrets", false, _) => Self::WatchSecrets,
            ("events", ..) => Self::WriteEvent,
            ("leases", ..) => Self::Lease,
            _ => Self::Other,
        }
    }
}

impl Answer {
    /// By the status of an answer.
    pub fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Denied,
            StatusCode::TOO_MANY_REQUESTS => Self::Throttled,
            status if status.is_server_error() => Self::Failed,
            status if status.is_client_error() => Self::Refused,
            _ => Self::Ok,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    request: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabel {
    request: &'static str,
}

/// The figures of requests.
#[derive(Debug)]
pub(super) struct Requests {
    count: Family<RequestLabels, Counter>,
    seconds: Histograms<RequestLabel>,
}

impl Default for Requests {
    fn default() -> Self {
        let requests = Self {
            count: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(CALL_SECONDS)),
        };
        // An alert sees a step from 0 to 1, not a figure out of nowhere; and there are as many series from the start as there
        // can be.
        for request in Request::iter() {
            for answer in Answer::iter() {
                drop(requests.counter(request, answer));
            }
            let request = request.into();
            drop(requests.seconds.get_or_create(&RequestLabel { request }));
        }
        requests
    }
}

impl Requests {
    fn counter(
        &self,
        request: Request,
        answer: Answer,
    ) -> impl std::ops::Deref<Target = Counter> + '_ {
        let (request, result) = (request.into(), answer.into());
        self.count.get_or_create(&RequestLabels { request, result })
    }

    pub(super) fn ended(&self, request: Request, answer: Answer, took: Duration) {
        self.counter(request, answer).inc();
        let request = request.into();
        self.seconds
            .get_or_create(&RequestLabel { request })
            .observe(took.as_secs_f64());
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        catalogue::API_REQUESTS.register(registry, self.count.clone());
        catalogue::API_REQUEST_SECONDS.register(registry, self.seconds.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_known_by_method_and_path() {
        const GROUP: &str = "/apis/taurusdb.huaweicloud.com/v1alpha1";
        let one = format!("{GROUP}/namespaces/shop/taurusproxyports/orders");
        for (method, path, request) in [
            (
                Method::GET,
                format!("{GROUP}/taurusproxyports"),
                Request::WatchResources,
            ),
            (
                Method::GET,
                format!("{GROUP}/namespaces/shop/taurusproxyports"),
                Request::WatchResources,
            ),
            (Method::GET, one.clone(), Request::ReadResource),
            (Method::PUT, format!("{one}/status"), Request::WriteStatus),
            (Method::GET, format!("{one}/status"), Request::Other),
            (
                Method::GET,
                "/api/v1/namespaces/shop/secrets/keys".to_owned(),
                Request::ReadSecret,
            ),
            (
                Method::GET,
                "/api/v1/secrets".to_owned(),
                Request::WatchSecrets,
            ),
            (
                Method::PATCH,
                "/apis/events.k8s.io/v1/namespaces/shop/events/orders.1".to_owned(),
                Request::WriteEvent,
            ),
            (
                Method::PUT,
                "/apis/coordination.k8s.io/v1/namespaces/taurus-system/leases/x".to_owned(),
                Request::Lease,
            ),
            (Method::GET, "/version".to_owned(), Request::Other),
            (Method::GET, "/api/v1".to_owned(), Request::Other),
        ] {
            assert_eq!(Request::of(&method, &path), request, "{method} {path}");
        }
    }

    #[test]
    fn answers_are_known_by_their_status() {
        for (status, answer) in [
            (200, Answer::Ok),
            (201, Answer::Ok),
            (401, Answer::Denied),
            (403, Answer::Denied),
            (404, Answer::NotFound),
            (409, Answer::Conflict),
            (422, Answer::Refused),
            (429, Answer::Throttled),
            (500, Answer::Failed),
            (503, Answer::Failed),
        ] {
            assert_eq!(Answer::of(StatusCode::from_u16(status).unwrap()), answer);
        }
    }
}
