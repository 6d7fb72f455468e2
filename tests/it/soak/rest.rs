//! Whether everything has come to rest, and for a reason that what people and the cloud did explains.

use std::collections::HashMap;

use kube::{Api, Client, ResourceExt as _, api::ListParams};
use taurus_port_operator::{
    crd::{ManagementPolicy, TaurusProxyPort},
    model::Reason,
};
use taurus_sim::Control;

use super::{
    book::{Book, Changes},
    fleet::Place,
    ledger::{Ledger, Reasons},
};
use crate::world::{is_ready, reason};

/// Attempts at a port after which an operator gives up.
const ATTEMPTS: usize = 4;

/// Corrections of drift after which it gives up for a day.
const CORRECTIONS: usize = 3;

/// What a resource's rest is judged by.
pub struct Judge<'a> {
    places: &'a [Place],
    cloud: &'a Control,
    reasons: Vec<Reasons>,
    changes: HashMap<String, Changes>,
}

impl<'a> Judge<'a> {
    pub fn new(places: &'a [Place], cloud: &'a Control, ledger: &Ledger, book: &Book) -> Self {
        book.catch_up();
        Self {
            places,
            cloud,
            reasons: ledger.reasons(),
            changes: book.changes_by_proxy(),
        }
    }

    /// What is not at rest, in a line each.
    pub fn restless(&self, objects: &[TaurusProxyPort]) -> Vec<String> {
        let restless = objects.iter().filter(|object| !self.rests(object));
        restless.map(|object| self.shown(object)).collect()
    }

    fn actual_port(&self, object: &TaurusProxyPort) -> i32 {
        let proxy = self.cloud.proxy(&object.spec.proxy_id).unwrap();
        proxy.actual_port.into()
    }

    fn rests(&self, object: &TaurusProxyPort) -> bool {
        let Some(status) = &object.status else {
            return false;
        };
        let judged = status.observed_generation == object.metadata.generation;
        if !judged || status.change.is_some() {
            return false;
        }
        let actual = self.actual_port(object);
        let in_place = actual == object.spec.port;
        let policy = object.spec.management_policy.unwrap_or_default();
        if is_ready(object) {
            let observed = policy == ManagementPolicy::Observe;
            return status.port == Some(actual) && (in_place || observed);
        }
        let number = self
            .places
            .iter()
            .position(|place| place.proxy == object.spec.proxy_id);
        let reasons = &self.reasons[number.expect("it is one of ours")];
        let changes = self.changes.get(&object.spec.proxy_id);
        let fruitless = changes.map_or(0, |changes| changes.fruitless) + reasons.lies;
        match reason(object).parse() {
            Ok(Reason::Suspended) => object.spec.suspend == Some(true) && !in_place,
            Ok(Reason::DriftDetected) => policy == ManagementPolicy::ApplyOnChange && !in_place,
            Ok(Reason::JobFailed | Reason::VerificationFailed) => fruitless >= ATTEMPTS,
            Ok(Reason::DriftContested) => reasons.drifts > CORRECTIONS,
            _ => false,
        }
    }

    fn shown(&self, object: &TaurusProxyPort) -> String {
        let status = object.status.clone().unwrap_or_default();
        format!(
            "{}: {} at generation {:?}, judged {:?}; wants {}, has {}, change {:?}",
            object.name_any(),
            reason(object),
            object.metadata.generation,
            status.observed_generation,
            object.spec.port,
            self.actual_port(object),
            status.change,
        )
    }
}

/// All resources, as they stand.
pub async fn objects(client: &Client) -> Vec<TaurusProxyPort> {
    let api: Api<TaurusProxyPort> = Api::all(client.clone());
    api.list(&ListParams::default()).await.unwrap().items
}
