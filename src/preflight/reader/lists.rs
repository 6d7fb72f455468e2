//! Lists of the API server, and what of them could not be read.
//!
//! Relies on `pages` for answers of bounded length. Promises that what can't be read is named, with the API server's words, that what was
//! read before stands, and an end of each list [soon](Scope::within).

use std::sync::atomic::{AtomicUsize, Ordering};

use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use super::Scope;
use crate::preflight::pages::{End, Listing};

/// How many objects of a kind the operator looks at: a namespace with more is told of, and takes no more memory.
pub const MOST: u32 = 500;

/// Something that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What it is, in the plural.
    pub what: &'static str,
    /// Why.
    pub why: Why,
    /// The same for people, in the API server's words; another one each time, perhaps.
    pub said: String,
    /// Whether it is of no namespace.
    pub is_everywhere: bool,
}

/// Why something was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The right to read it is missing.
    Forbidden,
    /// The API server failed.
    Failed,
    /// There is more of it than is looked at.
    TooMany,
    /// Some of it is larger than is looked at, or can't be decoded.
    TooLarge,
}

/// The names of lists in what was not read.
pub const SLICES: &str = "EndpointSlices";
/// As [`SLICES`].
pub const POLICIES: &str = "NetworkPolicies";
/// As [`SLICES`].
pub const PODS: &str = "Pods";
/// As [`SLICES`]; those of the namespace.
pub const ANNOTATIONS: &str = "annotations";
/// As [`SLICES`].
pub const GROUPS: &str = "API groups";

/// What is read, and what of it was not.
pub(super) type Part<T> = (T, Vec<Unread>);

/// Where it is read.
pub(super) struct Place<'a> {
    pub(super) client: &'a Client,
    pub(super) namespace: &'a str,
    pub(super) scope: Scope,
    /// How much memory what was kept so far takes, in bytes, at most about.
    pub(super) weight: AtomicUsize,
}

/// A list to read.
pub(super) struct Wanted {
    pub(super) what: &'static str,
    pub(super) path: String,
    pub(super) metadata_alone: bool,
    /// Whether the API server may not know the kind.
    pub(super) may_be_absent: bool,
}

impl<'a> Place<'a> {
    pub(super) fn new(client: &'a Client, namespace: &'a str, scope: Scope) -> Self {
        Self {
            client,
            namespace,
            scope,
            weight: AtomicUsize::new(0),
        }
    }

    pub(super) fn path<K: Resource<DynamicType = ()>>(&self) -> String {
        K::url_path(&(), Some(self.namespace))
    }

    /// Reads a list, unless its kind is not there; `shrunk` makes of an object what is kept of it, and `weigh` says how much memory that takes, in bytes.
    pub(super) async fn list<T: DeserializeOwned, K: Send>(
        &self,
        wanted: Wanted,
        shrunk: fn(T) -> K,
        weigh: fn(&K) -> usize,
    ) -> Option<Part<Vec<K>>> {
        let bounds = self.scope.bounds();
        let listing = Listing {
            client: self.client,
            path: wanted.path,
            metadata_alone: wanted.metadata_alone,
            bounds,
        };
        let (mut items, mut weight) = (Vec::new(), 0_usize);
        let taking = listing.each(|object: T| {
            let object = shrunk(object);
            let with_it = weight.saturating_add(weigh(&object));
            let has_room = with_it <= bounds.kept;
            if has_room {
                weight = with_it;
                items.push(object);
            }
            has_room
        });
        let ended = tokio::time::timeout(self.scope.within(), Box::pin(taking)).await;
        self.weight.fetch_add(weight, Ordering::Relaxed);
        let what = wanted.what;
        let unread = match ended {
            Ok(Ok(End::Whole)) => None,
            Ok(Ok(End::TooMany)) => {
                let said = format!("only the first {} were looked at", bounds.objects);
                Some(unread(what, Why::TooMany, said))
            }
            Ok(Ok(End::TooLarge)) => {
                let said = "some are larger than what is looked at, or can't be decoded";
                Some(unread(what, Why::TooLarge, said.to_owned()))
            }
            Ok(Err(kube::Error::Api(status))) if wanted.may_be_absent && status.code == 404 => {
                return None;
            }
            Ok(Err(error)) => Some(failed(what, &error)),
            Err(_) => Some(unanswered(what)),
        };
        Some((items, unread.into_iter().collect()))
    }

    /// Reads the objects of a kind of the namespace, as [`Self::list`] does.
    pub(super) async fn of_kind<K, T, S>(
        &self,
        what: &'static str,
        shrunk: fn(T) -> S,
        weigh: fn(&S) -> usize,
    ) -> Part<Vec<S>>
    where
        K: Resource<DynamicType = ()>,
        T: DeserializeOwned,
        S: Send,
    {
        let wanted = Wanted {
            what,
            path: self.path::<K>(),
            metadata_alone: false,
            may_be_absent: false,
        };
        let listed = self.list(wanted, shrunk, weigh).await;
        listed.unwrap_or_default()
    }
}

pub(super) fn unread(what: &'static str, why: Why, said: String) -> Unread {
    Unread {
        what,
        why,
        said,
        is_everywhere: false,
    }
}

pub(super) fn unanswered(what: &'static str) -> Unread {
    let said = "the API server did not answer in time".to_owned();
    unread(what, Why::Failed, said)
}

pub(super) fn failed(what: &'static str, error: &kube::Error) -> Unread {
    let why = match error {
        kube::Error::Api(refusal) if refusal.code == 403 => Why::Forbidden,
        _ => Why::Failed,
    };
    unread(what, why, said(error))
}

/// Why something could not be read. The error's own text holds the whole answer.
fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(refusal) => refusal.message.clone(),
        error => error.to_string(),
    }
}
