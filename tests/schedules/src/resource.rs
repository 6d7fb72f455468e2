//! A resource as people make it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::Value;
use taurus_port_operator::crd::{CredentialsReference, TaurusProxyPort, TaurusProxyPortSpec};

use crate::{NAMESPACE, keys};

/// The name of a Secret, as a resource names it.
pub fn credentials(name: &str) -> CredentialsReference {
    CredentialsReference {
        name: name.to_owned(),
    }
}

/// A resource for a proxy on an instance, with nothing said that need not be said.
pub fn resource(name: &str, instance: &str, proxy: &str, port: u16) -> TaurusProxyPort {
    let mut object = TaurusProxyPort::new(
        name,
        TaurusProxyPortSpec {
            region: Some("ap-southeast-3".to_owned()),
            project_id: "0".repeat(32),
            instance_id: instance.to_owned(),
            proxy_id: proxy.to_owned(),
            port: port.into(),
            credentials_ref: Some(credentials(keys::NAME)),
            endpoint: None,
            iam_endpoint: None,
            management_policy: None,
            suspend: None,
            change_timeout: None,
            ..TaurusProxyPortSpec::default()
        },
    );
    object.metadata.namespace = Some(NAMESPACE.to_owned());
    object
}

/// A condition as others write it: its type has a domain.
pub fn is_of_others(condition: &Condition) -> bool {
    condition.type_.contains('/')
}

/// Somebody else writes their condition, once the operator has written a status.
pub fn write_condition_of_others(object: &mut TaurusProxyPort, reason: &str) {
    let status = object.status.as_mut();
    let Some(status) = status.filter(|status| !status.is_unobserved()) else {
        return;
    };
    status.conditions.retain(|one| !is_of_others(one));
    status.conditions.push(Condition {
        type_: "example.com/Reviewed".to_owned(),
        status: "True".to_owned(),
        reason: reason.to_owned(),
        message: String::new(),
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
        observed_generation: None,
    });
}

/// Where a status has times for which something holds, as JSON pointers.
pub fn times_that(object: &TaurusProxyPort, holds: impl Fn(Timestamp) -> bool) -> Vec<String> {
    let status = serde_json::to_value(&object.status).expect("a status is JSON");
    let mut found = Vec::new();
    look_for_times(&status, String::new(), &holds, &mut found);
    found
}

fn look_for_times(
    value: &Value,
    place: String,
    holds: &impl Fn(Timestamp) -> bool,
    found: &mut Vec<String>,
) {
    match value {
        Value::String(text) if text.parse().is_ok_and(holds) => found.push(place),
        Value::Array(all) => all
            .iter()
            .enumerate()
            .for_each(|(at, one)| look_for_times(one, format!("{place}/{at}"), holds, found)),
        Value::Object(all) => all
            .iter()
            .for_each(|(key, one)| look_for_times(one, format!("{place}/{key}"), holds, found)),
        _ => {}
    }
}

/// Sets the times of a status that stand at these places.
pub fn set_times(object: &mut TaurusProxyPort, places: &[String], to: Timestamp) {
    let mut status = serde_json::to_value(&object.status).expect("a status is JSON");
    for time in places {
        if let Some(time @ Value::String(_)) = status.pointer_mut(time) {
            *time = to.to_string().into();
        }
    }
    object.status = serde_json::from_value(status).expect("a time is in place of a time");
}
