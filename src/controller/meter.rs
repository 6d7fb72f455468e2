//! What the reconciler tells whoever counts; counting changes nothing.

use std::time::Duration;

use crate::{
    controller::act::Outcome,
    crd::{LastChange, TaurusProxyPort},
    fleet::permits::Permits,
    model::{Reason, Uid},
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
    /// The cloud was asked for a change; what became of the request.
    fn change_answered(&self, _outcome: &Outcome) {}
    /// A change was begun outside its windows, or may have been, as a person asked for.
    fn applied_now(&self) {}
    /// A change has set the port again that was in place before.
    fn drift_corrected(&self) {}
    /// A Service or a ConfigMap was to be published; how it stands.
    fn published(&self, _reason: Reason) {}
    /// A proxy was probed; what came of it, as the reason of `Reachable`.
    fn probed(&self, _reason: Reason) {}
    /// A change has ended; one that was refused or never sent has not begun.
    fn change_ended(&self, _last: &LastChange) {}
    /// A resource as it stands now, with its UID that all share.
    fn resource(&self, _uid: &Uid, _object: &TaurusProxyPort) {}
    /// A resource can't be read at all.
    fn undecodable(&self, _uid: &Uid) {}
    /// Who hands out permits from now on, and can be asked how things stand.
    fn permits(&self, _permits: &Permits) {}
    /// A resource is gone.
    fn forget(&self, _uid: &str) {}
}

/// Counts nothing.
impl Meter for () {}
