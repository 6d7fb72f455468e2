//! What a resource says of itself.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use taurus_port_operator::crd::{Phase, TaurusProxyPort};

/// The status of one condition; empty where it is absent.
pub fn condition<'a>(object: &'a TaurusProxyPort, kind: &str) -> &'a str {
    find(object, kind).map_or("", |condition| condition.status.as_str())
}

/// The reason of the one condition among Ready, Reconciling and Stalled that is True.
pub fn reason(object: &TaurusProxyPort) -> &str {
    ["Ready", "Reconciling", "Stalled"]
        .iter()
        .filter_map(|kind| find(object, kind))
        .find(|condition| condition.status == "True")
        .map_or("", |condition| condition.reason.as_str())
}

/// The message that goes with [`reason`].
pub fn message(object: &TaurusProxyPort) -> &str {
    ["Ready", "Reconciling", "Stalled"]
        .iter()
        .filter_map(|kind| find(object, kind))
        .find(|condition| condition.status == "True")
        .map_or("", |condition| condition.message.as_str())
}

fn find<'a>(object: &'a TaurusProxyPort, kind: &str) -> Option<&'a Condition> {
    let status = object.status.as_ref()?;
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind)
}

pub fn is_ready(object: &TaurusProxyPort) -> bool {
    let status = object.status.as_ref();
    let judged = status.and_then(|status| status.observed_generation);
    condition(object, "Ready") == "True" && judged == object.metadata.generation
}

pub fn is_ready_with(object: &TaurusProxyPort, port: u16) -> bool {
    let shown = object.status.as_ref().and_then(|status| status.port);
    is_ready(object) && object.spec.port == i32::from(port) && shown == Some(port.into())
}

pub fn job_id(object: &TaurusProxyPort) -> Option<&str> {
    object.status.as_ref()?.change.as_ref()?.job_id.as_deref()
}

pub fn phase(object: &TaurusProxyPort) -> Option<Phase> {
    object
        .status
        .as_ref()?
        .change
        .as_ref()
        .map(|change| change.phase)
}

pub fn has_change(object: &TaurusProxyPort) -> bool {
    object
        .status
        .as_ref()
        .is_some_and(|status| status.change.is_some())
}

/// The generation that the status judges.
pub fn observed(object: &TaurusProxyPort) -> Option<i64> {
    object.status.as_ref()?.observed_generation
}
