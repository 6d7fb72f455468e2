//! Whether a resource has come to rest, and for a reason that its spec and its past explain.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use taurus_port_operator::{
    crd::{ManagementPolicy, TaurusProxyPort},
    model::Reason,
};

use crate::{ELSEWHERE, checks::shown, sky::PROXIES, world::World};

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

fn is_stranger(object: &TaurusProxyPort) -> bool {
    object.namespace().as_deref() == Some(ELSEWHERE)
}

fn said_by(object: &TaurusProxyPort) -> Option<Reason> {
    ready(object)?.reason.parse().ok()
}

/// Whether it says that it waits for another resource.
fn waits(object: &TaurusProxyPort) -> bool {
    matches!(
        said_by(object),
        Some(Reason::ProxyClaimed | Reason::ProxyContested | Reason::TakingOver)
    )
}

impl World {
    /// What is not at rest; nothing if all is.
    pub fn restless(&self) -> Vec<String> {
        let restless = self.cluster.all().filter(|object| !self.rests(object));
        restless.map(shown).collect()
    }

    /// Those who say that they wait for another resource, and there is none.
    pub fn waiting_in_vain(&self) -> Vec<String> {
        let waiting = self.cluster.all().filter(|object| waits(object));
        let in_vain = waiting.filter(|object| self.rivals(object).next().is_none());
        in_vain.map(kube::ResourceExt::name_any).collect()
    }

    /// Whether every resource is in order, but for those of strangers.
    pub fn all_ready(&self) -> bool {
        let mut all = self.cluster.all().filter(|object| !is_stranger(object));
        all.all(|object| ready(object).is_some_and(|ready| ready.status == "True"))
    }

    /// The others that may want to move the same proxy.
    fn rivals<'a>(
        &'a self,
        object: &'a TaurusProxyPort,
    ) -> impl Iterator<Item = &'a TaurusProxyPort> {
        self.cluster.all().filter(|other| {
            other.spec.proxy_id == object.spec.proxy_id
                && other.name_any() != object.name_any()
                && other.spec.management_policy != Some(ManagementPolicy::Observe)
        })
    }

    fn rests(&self, object: &TaurusProxyPort) -> bool {
        if is_stranger(object) {
            return ready(object).is_some_and(|ready| ready.status == "False");
        }
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
                let mut rivals = self.rivals(object);
                reason == Reason::Settled && in_place && rivals.all(waits)
            };
            return told && said;
        }
        let mut rivals = self.rivals(object);
        match reason {
            Reason::Suspended => object.spec.suspend == Some(true) && !in_place,
            Reason::DriftDetected => policy == ManagementPolicy::ApplyOnChange && !in_place,
            Reason::ProxyClaimed => rivals.any(|rival| said_by(rival) != Some(reason)),
            // A predecessor that wants the same.
            Reason::TakingOver => rivals
                .any(|rival| said_by(rival) != Some(reason) && rival.spec.port == object.spec.port),
            Reason::ProxyContested => rivals.any(|rival| {
                said_by(rival) == Some(reason) && !in_place && rival.spec.port != object.spec.port
            }),
            Reason::JobFailed | Reason::VerificationFailed => tally.fruitless >= ATTEMPTS,
            Reason::DriftContested => tally.drifts > CORRECTIONS,
            Reason::PortRejected => tally.rejected > 0,
            _ => false,
        }
    }
}
