//! That no status says of a port that it is in place once a change of ours has brought another one.
//!
//! A list may lag behind what somebody else has set, and nobody can know. Behind a change of its own an operator knows it: that is on
//! record or remembered, and its job is in the task list.

use kube::ResourceExt as _;
use taurus_port_operator::{crd::TaurusProxyPort, model::Reason};

use crate::{life::Life, rest::ready, sky::PROXIES, world::World};

impl World {
    /// A process has written this.
    pub fn check_port_in_place(&mut self, object: &TaurusProxyPort, life: &Life) {
        let Some(proxy) = PROXIES
            .iter()
            .position(|(id, _)| *id == object.spec.proxy_id)
        else {
            return;
        };
        let (real, wanted) = (self.sky.port(proxy), object.spec.port);
        let says_so = ready(object)
            .is_some_and(|ready| ready.status == "True" && ready.reason == Reason::Settled.name());
        let status = object.status.as_ref();
        let current = status.and_then(|status| status.observed_generation);
        let current = current.is_some() && current == object.metadata.generation;
        if says_so && current && i32::from(real) != wanted && self.sky.is_moved_by_us(proxy) {
            self.broken(format!(
                "R09: {} says that {} has port {wanted}, and a change has brought {real}",
                life.identity,
                object.name_any()
            ));
        }
    }
}
