//! What the reconciler tells whoever counts; counting changes nothing.

use std::{fmt, sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;

use crate::{
    controller::act::Outcome,
    crd::{ChangeRecord, LastChange, TaurusProxyPort},
    model::{Moment, Reason, Uid},
    permits::Permits,
};

/// How a reconcile ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// As it should.
    Done,
    /// Kubernetes failed.
    Failed,
    /// It panicked; caught.
    Panicked,
}

/// Counts. Every method has an empty body, so that who needs no figures can do without.
pub trait Meter: Send + Sync {
    /// A reconcile has ended.
    fn reconciled(&self, _ending: Ending, _took: Duration) {}
    /// A resource was ready for its turn for so long; how it was called for.
    fn waited(&self, _call: &'static str, _took: Duration) {}
    /// So long after the watch had delivered an edit the request that it asks for has left; whether a turn had ended without it, since
    /// something had to be waited for.
    fn edit_sent(&self, _was_held: bool, _took: Duration) {}
    /// The cloud was asked for a change; what became of the request.
    fn change_answered(&self, _outcome: &Outcome) {}
    /// A change was begun outside its windows, or may have been, as a person asked for.
    fn applied_now(&self) {}
    /// A change has set the port again that was in place before.
    fn drift_corrected(&self) {}
    /// A Service or a ConfigMap was to be published; how it stands.
    fn published(&self, _reason: Reason) {}
    /// An object that leads applications to a proxy had been edited or deleted, and was put right.
    fn restored(&self) {}
    /// A proxy was probed; what came of it, by its name.
    fn probed(&self, _outcome: &'static str) {}
    /// A change has ended; one that was refused or never sent has not begun.
    fn change_ended(&self, _last: &LastChange) {}
    /// A resource as it stands now, with its UID that all share.
    fn resource(&self, _uid: &Uid, _object: &TaurusProxyPort, _now: Moment) {}
    /// A resource can't be read at all. Of a change that is on record of it is told when that was begun; a begin that can't be read lies
    /// in the future.
    fn undecodable(&self, _uid: &Uid, _begun: Option<Timestamp>, _now: Moment) {}
    /// The change of a deleted resource is followed from now on. Where it is not given, it is the one that was counted of the resource.
    fn followed(&self, _uid: &Uid, _change: Option<&ChangeRecord>, _now: Moment) {}
    /// One of those who followed the change of a deleted resource does so no longer.
    fn followed_no_longer(&self, _uid: &Uid) {}
    /// Who hands out permits from now on, and can be asked how things stand.
    fn permits(&self, _permits: &Permits) {}
    /// A resource is gone. A change of it that is followed still counts.
    fn forget(&self, _uid: &str) {}
}

/// The change of a deleted resource counts for as long as this is kept.
pub struct Followed {
    meter: Arc<dyn Meter>,
    uid: Uid,
}

impl Followed {
    /// Whoever follows it begins now.
    pub fn begin(
        meter: Arc<dyn Meter>,
        uid: Uid,
        change: Option<&ChangeRecord>,
        now: Moment,
    ) -> Self {
        meter.followed(&uid, change, now);
        Self { meter, uid }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.meter.followed_no_longer(&self.uid);
    }
}

impl fmt::Debug for Followed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Followed")
            .field("uid", &self.uid)
            .finish_non_exhaustive()
    }
}

/// Counts nothing.
impl Meter for () {}
