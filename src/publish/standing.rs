//! Whose an object is that exists under the wished name: the decision, without any call.
//!
//! Promises that an object of somebody else is never written, and that one which this operator made for the same proxy goes from one
//! resource to the next without being deleted in between.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource as _;

use super::wanted::{MANAGED_BY, MANAGER, PROXY, SLICE_MANAGED_BY};
use crate::crd::TaurusProxyPort;

/// Whether an owner of an object is a resource of the operator.
pub fn is_resource(owner: &OwnerReference) -> bool {
    owner.kind == TaurusProxyPort::kind(&())
}

/// A resource that wishes for an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The API version of its kind.
    pub api_version: String,
    /// The proxy that it is about.
    pub proxy: String,
}

/// Whose an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has it: it may be made.
    Free,
    /// This resource has it, or may have it.
    Own,
    /// Another resource has it that is about the same proxy, by its name and UID. If that one is gone, or wishes for it no longer, this
    /// one may have it.
    Held(String, String),
    /// It is none of this operator's.
    Foreign,
    /// It belongs to a resource of this name, which is about another proxy.
    OfAnother(String),
    /// It is being deleted: one of this operator's, or not.
    Ending {
        /// Whether it is this operator's.
        ours: bool,
    },
}

/// Whose an object with this metadata is, as `owner` sees it.
pub fn of(live: Option<&ObjectMeta>, owner: &Owner) -> Standing {
    let Some(live) = live else {
        return Standing::Free;
    };
    let standing = among_the_living(live, owner);
    if live.deletion_timestamp.is_some() {
        let ours = !matches!(standing, Standing::Foreign | Standing::OfAnother(_));
        return Standing::Ending { ours };
    }
    standing
}

/// The same of an object that stays.
fn among_the_living(live: &ObjectMeta, owner: &Owner) -> Standing {
    let controller = controller(live);
    if controller.is_some_and(|one| one.uid == owner.uid) {
        return Standing::Own;
    }
    let label = |key| live.labels.as_ref()?.get(key).map(String::as_str);
    let made_here = [MANAGED_BY, SLICE_MANAGED_BY]
        .map(label)
        .contains(&Some(MANAGER));
    let is_same = made_here && label(PROXY) == Some(&owner.proxy);
    // What this resource waits for is the operator's, whatever its labels say: who has it may be gone by now.
    let is_ours = is_same || is_among(live, owner);
    match controller {
        None if is_ours => Standing::Own,
        Some(one) if is_resource(one) && is_ours => {
            Standing::Held(one.name.clone(), one.uid.clone())
        }
        Some(one) if is_resource(one) && made_here => Standing::OfAnother(one.name.clone()),
        None | Some(_) => Standing::Foreign,
    }
}

/// The references of an object that `owner` has: others that wait for it stay, so that its end is not the end of the object.
pub fn owned(live: Option<&ObjectMeta>, owner: &Owner) -> Vec<OwnerReference> {
    let mut owners = others(live, owner);
    for other in &mut owners {
        other.controller = Some(false);
    }
    owners.insert(0, owner.reference(true));
    owners
}

/// The references of an object that another resource has and that `owner` waits for.
pub fn waiting(live: &ObjectMeta, owner: &Owner) -> Vec<OwnerReference> {
    let mut owners = others(Some(live), owner);
    owners.push(owner.reference(false));
    owners
}

/// The references of an object that `owner` no longer wants.
pub fn without(live: &ObjectMeta, owner: &Owner) -> Vec<OwnerReference> {
    others(Some(live), owner)
}

/// Whether an object is there and a resource has it.
pub fn has_controller(live: Option<&ObjectMeta>) -> bool {
    live.is_some_and(|live| controller(live).is_some())
}

/// Whether it is this one that has it.
pub fn is_had_by(live: &ObjectMeta, owner: &Owner) -> bool {
    controller(live).is_some_and(|one| one.uid == owner.uid)
}

fn controller(live: &ObjectMeta) -> Option<&OwnerReference> {
    let mut owners = live.owner_references.iter().flatten();
    owners.find(|one| one.controller == Some(true))
}

/// Whether `owner` is among the owners of an object.
pub fn is_among(live: &ObjectMeta, owner: &Owner) -> bool {
    let mut owners = live.owner_references.iter().flatten();
    owners.any(|one| one.uid == owner.uid)
}

fn others(live: Option<&ObjectMeta>, owner: &Owner) -> Vec<OwnerReference> {
    let owners = live.and_then(|live| live.owner_references.as_ref());
    let others = owners.into_iter().flatten();
    others.filter(|one| one.uid != owner.uid).cloned().collect()
}

impl Owner {
    fn reference(&self, controller: bool) -> OwnerReference {
        OwnerReference {
            api_version: self.api_version.clone(),
            kind: TaurusProxyPort::kind(&()).into_owned(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(controller),
            block_owner_deletion: Some(false),
        }
    }
}
