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
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    for verb in verbs {
        let attributes = ResourceAttributes {
            group: Some(K::group(&()).into_owned()),
            namespace: namespace.map(str::to_owned),
            resource: Some(K::plural(&()).into_owned()),
            verb: Some((*verb).to_owned()),
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
        let allowed = answer.is_ok_and(|review| review.status.is_some_and(|said| said.allowed));
        if !allowed {
            return false;
        }
    }
    true
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
