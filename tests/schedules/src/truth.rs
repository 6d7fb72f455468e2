//! That what a status says is true, as far as an operator can know.
//!
//! A list may lag behind what somebody else has set, and nobody can know. Behind a change of its own an operator knows it: that is on
//! record or remembered, and its job is in the task list.

use kube::ResourceExt as _;
use taurus_port_operator::{crd::TaurusProxyPort, model::Reason};

use crate::{life::Life, rest::ready, sky::PROXIES, world::World};

/// Who managed a proxy is waited for this long, and a look follows; in glances of a minute.
const MOST_GLANCES: u32 = 5;

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

/// For how long what a call has said may be told.
const TOLD_FOR: u64 = 30 * 60_000;

impl World {
    /// A call of this process to the cloud has failed, or found no lane.
    pub fn call_failed(&mut self, life: &Life) {
        let now = self.now();
        self.book.failed.insert(life.identity.clone(), now);
    }

    /// A process has written this: the cloud is blamed only where it has failed.
    pub fn check_blame(&mut self, before: &TaurusProxyPort, object: &TaurusProxyPort, life: &Life) {
        let blames = |object: &TaurusProxyPort| {
            ready(object).is_some_and(|ready| ready.reason == Reason::CloudUnreachable.name())
        };
        if !blames(object) || blames(before) {
            return;
        }
        let failed = self.book.failed.get(&life.identity);
        if failed.is_none_or(|at| self.now() - at > TOLD_FOR) {
            self.broken(format!(
                "H12: {} says that the cloud can't be reached, and no call has failed",
                life.identity
            ));
        }
    }

    /// Looks once a minute, when nothing fails any more, who waits for another resource that is not there.
    pub fn check_who_waits_in_vain(&mut self) {
        let in_vain = self.waiting_in_vain();
        let counts = in_vain.into_iter().map(|name| {
            let before = self.book.in_vain.get(&name).copied().unwrap_or(0);
            (name, before + 1)
        });
        self.book.in_vain = counts.collect();
        let longest = self
            .book
            .in_vain
            .iter()
            .max_by_key(|(_, glances)| **glances);
        if let Some((name, glances)) = longest
            && *glances > MOST_GLANCES
        {
            self.broken(format!("H03: {name} waits for a resource that is gone"));
        }
    }
}
