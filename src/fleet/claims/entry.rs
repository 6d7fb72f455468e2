//! One resource, as far as the others are concerned.

use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use crate::{
    crd::{ManagementPolicy, TaurusProxyPort, TaurusProxyPortStatus},
    desired::Desired,
    model::{InstanceId, JobId, Reason, ResourceName},
    place::key::ProxyKey,
};

/// One resource.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Arc<ProxyKey>,
    pub(super) instance: InstanceId,
    pub(super) created: Timestamp,
    pub(super) name: ResourceName,
    pub(super) contends: bool,
    /// Whether it manages the proxy, as far as this process has seen; of those for one proxy one at most.
    pub(super) owns: bool,
    /// Uptime since which it has been known to contend.
    pub(super) since: Duration,
    pub(super) proof: Proof,
    pub(super) past: Past,
    /// The port that it wants.
    pub(super) port: u16,
    /// The port of the proxy that its status shows.
    pub(super) shown: Option<i32>,
    pub(super) abandoned: Option<Box<JobId>>,
}

/// What is known of a resource's right to its proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Proof {
    /// It was not looked for yet: it may wait for calls of the cloud.
    #[default]
    Open,
    /// It was looked for, and at this uptime the look failed in a way that says nothing of the credentials.
    Unclear(Duration),
    /// Its credentials could not see the proxy.
    Failed,
    /// Its credentials have seen the proxy, now or before this process. Credentials that are revoked later change nothing.
    Given,
}

/// What the status of a resource tells of the time before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Past {
    /// Nothing.
    #[default]
    Nothing,
    /// It waited for another one that managed the proxy, or was about to.
    Waited,
    /// It managed the proxy.
    Managed,
}

impl Entry {
    /// A resource as it now stands; `known` is what was known of it before this uptime.
    pub(super) fn of(
        object: &TaurusProxyPort,
        desired: Desired,
        key: Arc<ProxyKey>,
        name: &ResourceName,
        known: Option<&Self>,
        uptime: Duration,
    ) -> Self {
        // Another subject under the same UID, which only a loosened definition allows, has shown nothing yet.
        let known =
            known.filter(|known| known.key == key && known.instance == *desired.subject.instance);
        let contended = known.filter(|known| known.contends);
        let contends = desired.policy != ManagementPolicy::Observe && !desired.deleting;
        let status = own_status(object);
        let seen = status.is_some_and(has_seen_its_proxy);
        Self {
            key,
            created: created(object),
            name: name.clone(),
            contends,
            owns: contends && contended.is_some_and(|known| known.owns),
            since: contended.map_or(uptime, |known| known.since),
            proof: if seen {
                Proof::Given
            } else {
                known.map(|known| known.proof).unwrap_or_default()
            },
            past: status.map(past).unwrap_or_default(),
            port: desired.port.get(),
            shown: status.and_then(|status| status.port),
            instance: InstanceId::clone(&desired.subject.instance),
            abandoned: desired.abandoned_job.map(Box::new),
        }
    }

    /// Whether it is on record that it managed the proxy.
    pub(super) fn managed(&self) -> bool {
        self.contends && self.past == Past::Managed && self.proof == Proof::Given
    }
}

fn created(object: &TaurusProxyPort) -> Timestamp {
    let created = object.metadata.creation_timestamp.as_ref();
    created.map_or(Timestamp::MAX, |time| time.0)
}

/// The status, unless it was written for another object or for a later generation than there is.
fn own_status(object: &TaurusProxyPort) -> Option<&TaurusProxyPortStatus> {
    let status = object.status.as_ref()?;
    let foreign = status.subject_uid.is_some() && status.subject_uid != object.uid();
    let ahead = status.observed_generation > object.metadata.generation;
    (!foreign && !ahead).then_some(status)
}

/// A port on record, in a status of this very object, was read with its credentials.
fn has_seen_its_proxy(status: &TaurusProxyPortStatus) -> bool {
    status.port.is_some() && status.subject_uid.is_some()
}

/// Who waits for the owner of its proxy, or only observes, is not the owner, whatever else is on record. Nor is it on record as one that
/// could be, once it was looked at: a reason alone is soon overwritten. One whose spec can't be read has no UID on record; one of whose
/// spec only a part can't be acted on, such as a time zone, keeps it.
fn past(status: &TaurusProxyPortStatus) -> Past {
    let mut conditions = status.conditions.iter();
    let ready = conditions.find(|condition| condition.type_ == "Ready");
    let reason = ready.and_then(|ready| ready.reason.parse().ok());
    match reason {
        Some(Reason::ProxyClaimed | Reason::ProxyContested | Reason::TakingOver) => Past::Waited,
        Some(Reason::Observed) => Past::Nothing,
        _ if status.subject_uid.is_some() => Past::Managed,
        _ => Past::Nothing,
    }
}
