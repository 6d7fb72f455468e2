//! Events, on transitions only.
//!
//! Promises that an event tells what was true when it was last seen: only the same text about the same resource is counted up.

use k8s_openapi::{api::core::v1::ObjectReference, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Resource as _, ResourceExt as _};

use crate::{
    controller::context::Context,
    crd::{TaurusProxyPort, TaurusProxyPortStatus},
    model::{Class, Reason},
};

mod publisher;

pub(super) use publisher::{Kind, News, Publisher};

/// Tells people that the main reason has changed between two versions of a resource.
pub(super) fn transition(context: &Context, before: &TaurusProxyPort, after: &TaurusProxyPort) {
    let Some((reason, message)) = after.status.as_ref().and_then(main_reason) else {
        return;
    };
    if before
        .status
        .as_ref()
        .and_then(main_reason)
        .is_some_and(|(old, _)| old == reason)
    {
        return;
    }
    let known = reason.parse::<Reason>().ok();
    let class = known.map_or(Class::Detail, Reason::class);
    let warns = known.is_some_and(Reason::warns);
    log(before, after, reason, message, (class, warns));
    let kind = if warns { Kind::Warning } else { Kind::Normal };
    let news = News::new(after.object_ref(&()), kind, reason, message);
    context.publisher.publish(news, context.clock.now());
}

/// A resource of which no more than its metadata can be read, as events name it.
pub(super) fn reference(metadata: &ObjectMeta) -> ObjectReference {
    ObjectReference {
        api_version: Some(TaurusProxyPort::api_version(&()).into_owned()),
        kind: Some(TaurusProxyPort::kind(&()).into_owned()),
        name: metadata.name.clone(),
        namespace: metadata.namespace.clone(),
        uid: metadata.uid.clone(),
        resource_version: metadata.resource_version.clone(),
        ..ObjectReference::default()
    }
}

/// Publishes an event about this resource.
pub(super) fn publish(
    context: &Context,
    about: ObjectReference,
    class: Class,
    reason: &str,
    text: &str,
) {
    let kind = if class == Class::Stalled {
        Kind::Warning
    } else {
        Kind::Normal
    };
    let news = News::new(about, kind, reason, text);
    context.publisher.publish(news, context.clock.now());
}

/// One line for what was decided.
fn log(
    before: &TaurusProxyPort,
    after: &TaurusProxyPort,
    reason: &str,
    detail: &str,
    (class, warns): (Class, bool),
) {
    let before = before.status.as_ref().and_then(main_reason);
    let was = before.map(|(reason, _)| reason);
    let (namespace, name) = (after.namespace(), after.name_any());
    let status = after.status.as_ref();
    let change = status.and_then(|status| status.change.as_ref());
    let job = change.and_then(|change| change.job_id.as_deref());
    let change = change.map(|change| change.id.as_str());
    if class == Class::Stalled {
        tracing::warn!(namespace, name, reason, was, change, job, detail, "stalled");
    } else if warns {
        tracing::warn!(
            namespace,
            name,
            reason,
            was,
            change,
            job,
            detail,
            "reconciling"
        );
    } else {
        let state = if class == Class::Ready {
            "ready"
        } else {
            "reconciling"
        };
        tracing::info!(namespace, name, reason, was, change, job, detail, "{state}");
    }
}

fn main_reason(status: &TaurusProxyPortStatus) -> Option<(&str, &str)> {
    let ready = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == "Ready")?;
    Some((&ready.reason, &ready.message))
}
