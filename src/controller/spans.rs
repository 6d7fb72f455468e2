//! Spans of reconciles.

use kube::ResourceExt as _;
use tracing::{Span, field, info_span};

use crate::{
    crd::{TaurusProxyPort, TaurusProxyPortStatus},
    spans::{TARGET, is_sent},
};

/// A reconcile of this resource.
pub fn reconcile(object: &TaurusProxyPort) -> Span {
    let change = object
        .status
        .as_ref()
        .and_then(|status| status.change.as_ref());
    info_span!(
        target: TARGET,
        "reconcile",
        k8s.namespace.name = object.namespace(),
        taurus.resource.name = object.name_any(),
        taurus.resource.uid = object.uid(),
        taurus.generation = object.metadata.generation,
        taurus.change.id = change.map(|change| change.id.as_str()),
        taurus.job.id = change.and_then(|change| change.job_id.as_deref()),
        taurus.state = field::Empty,
        taurus.reason = field::Empty,
        otel.status_code = field::Empty,
    )
}

/// What is said of the resource whose reconcile this is.
pub fn said(status: &TaurusProxyPortStatus) {
    let span = Span::current();
    if !span.metadata().is_some_and(is_sent) {
        return;
    }
    if let Some(main) = status.main_condition() {
        span.record("taurus.state", main.type_.as_str());
        span.record("taurus.reason", main.reason.as_str());
    }
    if let Some(change) = &status.change {
        span.record("taurus.change.id", change.id.as_str());
        if let Some(job) = &change.job_id {
            span.record("taurus.job.id", job.as_str());
        }
    }
}

/// The reconcile did not come to its own end.
pub fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}
