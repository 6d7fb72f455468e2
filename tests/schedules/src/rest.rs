//! Whether a resource has come to rest, and for a reason that its spec and its past explain.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use taurus_port_operator::{
    crd::{ManagementPolicy, TaurusProxyPort},
    model::Reason,
};

use crate::{checks::shown, sky::PROXIES, world::World};

/// Attempts at a port after which an operator gives up.
const ATTEMPTS: usize = 4;

/// Corrections of drift after which an operator gives up for a day.
const CORRECTIONS: usize = 3;

/// The condition that says it all.
pub fn ready(object: &TaurusProxyPort) -> Option<&Condition> {
    let conditions = &object.status.as_ref()?.conditions;
    conditions
        .iter()
        .find(|condition| condition.type_ == "Ready")
}

impl World {
    /// What is not at rest; nothing if all is.
    pub fn restless(&self) -> Vec<String> {
        let restless = self.cluster.all().filter(|object| !self.rests(object));
        restless.map(shown).collect()
    }

    /// Whether every resource is in order.
    pub fn all_ready(&self) -> bool {
        let mut all = self.cluster.all();
        all.all(|object| ready(object).is_some_and(|ready| ready.status == "True"))
    }

    /// Whether an older resource owns the proxy.
    fn is_claimed(&self, object: &TaurusProxyPort) -> bool {
        let age = |object: &TaurusProxyPort| {
            let created = object
                .metadata
                .creation_timestamp
                .as_ref()
                .map(|time| time.0);
            (created, object.uid())
        };
        let mut rivals = self.cluster.all().filter(|other| {
            other.spec.proxy_id == object.spec.proxy_id
                && other.spec.management_policy != Some(ManagementPolicy::Observe)
        });
        rivals.any(|other| age(other) < age(object))
    }

    fn rests(&self, object: &TaurusProxyPort) -> bool {
        let (Some(status), Some(ready)) = (&object.status, ready(object)) else {
            return false;
        };
        let Ok(reason) = ready.reason.parse::<Reason>() else {
            return false;
        };
        if status.observed_generation != object.metadata.generation || status.change.is_some() {
            return false;
        }
        let proxy = PROXIES
            .iter()
            .position(|(id, _)| *id == object.spec.proxy_id)
            .unwrap();
        let tally = self.sky.tally[proxy];
        let in_place = i32::from(self.sky.port(proxy)) == object.spec.port;
        let policy = object.spec.management_policy.unwrap_or_default();
        if ready.status == "True" {
            // What only people read follows with the next look.
            let told = status.port == Some(self.sky.port(proxy).into())
                && status.proxy_status.as_deref() == Some("ACTIVE");
            let said = if policy == ManagementPolicy::Observe {
                reason == Reason::Observed
            } else {
                reason == Reason::Settled && in_place && !self.is_claimed(object)
            };
            return told && said;
        }
        let mut others = self
            .cluster
            .all()
            .filter(|other| other.name_any() != object.name_any());
        match reason {
            Reason::Suspended => object.spec.suspend == Some(true) && !in_place,
            Reason::DriftDetected => policy == ManagementPolicy::ApplyOnChange && !in_place,
            Reason::ProxyClaimed => others.any(|other| other.spec.proxy_id == object.spec.proxy_id),
            Reason::JobFailed | Reason::VerificationFailed => tally.fruitless >= ATTEMPTS,
            Reason::DriftContested => tally.drifts > CORRECTIONS,
            Reason::PortRejected => tally.rejected > 0,
            _ => false,
        }
    }
}
