//! What watches of several kinds share: whether they are allowed, and whether they were refused.
//!
//! Promises that the question needs no right, so that who asks it before a watch meets no refusal.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{Api, Client, api::PostParams, runtime::watcher};

use crate::controller::journal::bounded;

/// Whether these verbs are allowed for a kind, in a namespace or in all. Everybody may ask that of themselves; without an answer it
/// is not.
pub async fn may<K: kube::Resource<DynamicType = ()>>(
    client: &Client,
    namespace: Option<&str>,
    verbs: &[&str],
) -> bool {
    for verb in verbs {
        if answered::<K>(client, namespace, verb).await != Some(true) {
            return false;
        }
    }
    true
}

/// Whether a verb is allowed for a kind, in a namespace or in all; nothing where there was no answer.
pub async fn answered<K: kube::Resource<DynamicType = ()>>(
    client: &Client,
    namespace: Option<&str>,
    verb: &str,
) -> Option<bool> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let attributes = ResourceAttributes {
        group: Some(K::group(&()).into_owned()),
        namespace: namespace.map(str::to_owned),
        resource: Some(K::plural(&()).into_owned()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = bounded(reviews.create(&PostParams::default(), &review)).await;
    Some(answer.ok()?.status?.allowed)
}

/// Whether a watch was refused for want of a right.
pub fn is_forbidden(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))
    | watcher::Error::WatchFailed(kube::Error::Api(status))
    | watcher::Error::WatchError(status)) = error
    else {
        return false;
    };
    status.code == 403
}
