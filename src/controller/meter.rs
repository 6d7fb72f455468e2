//! What the reconciler tells whoever counts; counting changes nothing.

use std::time::Duration;

use crate::{
    controller::act::Outcome,
    crd::{LastChange, TaurusProxyPort, TaurusProxyPortStatus},
    fleet::permits::Permits,
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
    /// A change has ended.
    fn change_ended(&self, _last: Option<&LastChange>) {}
    /// What is said of a resource now.
    fn resource(&self, _object: &TaurusProxyPort, _status: &TaurusProxyPortStatus) {}
    /// A resource can't be read at all.
    fn undecodable(&self, _uid: &str) {}
    /// Who hands out permits from now on, and can be asked how things stand.
    fn permits(&self, _permits: &Permits) {}
    /// A resource is gone.
    fn forget(&self, _uid: &str) {}
}

/// Counts nothing.
impl Meter for () {}
